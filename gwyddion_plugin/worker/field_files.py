"""A field as files in the folder of a request: the plug-in's side, without numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from afmsr_core.temporary import no_room
from gwyddion_plugin.exchange.dump import DOUBLE, RawField
from gwyddion_plugin.worker.protocol import ProtocolError, file_name

__all__ = ["read", "write"]


def write(folder: Path, field: RawField) -> dict[str, Any]:
    """Write a field into the folder of a request and return its description.

    Raises
    ------
    OutputError
        If there is no room for it among the temporary files.
    """
    try:
        Path(folder, "data.raw").write_bytes(field.data)
        if field.mask is not None:
            Path(folder, "mask.raw").write_bytes(field.mask)
    except OSError as error:
        raise no_room(error, str(folder), len(field.data)) from error
    return {
        "xres": field.xres,
        "yres": field.yres,
        "xreal": field.xreal,
        "yreal": field.yreal,
        "unit_xy": field.unit_xy,
        "unit_z": field.unit_z,
        "data": "data.raw",
        "mask": None if field.mask is None else "mask.raw",
    }


def read(folder: Path, field: dict[str, Any]) -> RawField:
    """Return the field that an answer describes.

    Raises
    ------
    ProtocolError
        If a file is not as long as the description says.
    """
    mask = field.get("mask")
    found = RawField(
        xres=int(field["xres"]),
        yres=int(field["yres"]),
        xreal=float(field["xreal"]),
        yreal=float(field["yreal"]),
        unit_xy=str(field["unit_xy"]),
        unit_z=str(field["unit_z"]),
        data=Path(folder, file_name(field["data"])).read_bytes(),
        mask=Path(folder, file_name(mask)).read_bytes() if mask else None,
    )
    for values in (found.data, found.mask):
        if values is not None and len(values) != DOUBLE * found.xres * found.yres:
            raise ProtocolError(
                f"the worker's result has {len(values)} bytes instead of {found.xres} x "
                f"{found.yres} doubles; run `afmsr plugin check`"
            )
    return found
