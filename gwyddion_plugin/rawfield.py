"""A field as Gwyddion hands it out and takes it back: bytes, sizes and units, without numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afmsr_core.temporary import no_room
from gwyddion_plugin.protocol import ProtocolError, file_name

__all__ = ["RawField"]

_DOUBLE = 8  # bytes


@dataclass(frozen=True)
class RawField:
    """One field in base SI units.

    Parameters
    ----------
    xres, yres : int
        Columns and rows.
    xreal, yreal : float
        Physical size in `unit_xy`.
    unit_xy, unit_z : str
        Base SI units; empty if dimensionless.
    data : bytes-like
        Little-endian doubles, row after row.
    mask : bytes-like or None
        The same for the mask.
    """

    xres: int
    yres: int
    xreal: float
    yreal: float
    unit_xy: str
    unit_z: str
    data: bytes | memoryview
    mask: bytes | memoryview | None = None

    def write_to(self, folder: Path) -> dict[str, Any]:
        """Write the field into the folder of a request and return its description.

        Raises
        ------
        OutputError
            If there is no room for it among the temporary files.
        """
        try:
            Path(folder, "data.raw").write_bytes(self.data)
            if self.mask is not None:
                Path(folder, "mask.raw").write_bytes(self.mask)
        except OSError as error:
            raise no_room(error, str(folder), len(self.data)) from error
        return {
            "xres": self.xres,
            "yres": self.yres,
            "xreal": self.xreal,
            "yreal": self.yreal,
            "unit_xy": self.unit_xy,
            "unit_z": self.unit_z,
            "data": "data.raw",
            "mask": None if self.mask is None else "mask.raw",
        }

    @classmethod
    def read_from(cls, folder: Path, field: dict[str, Any]) -> RawField:
        """Return the field that an answer describes.

        Raises
        ------
        ProtocolError
            If a file is not as long as the description says.
        """
        mask = field.get("mask")
        found = cls(
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
            if values is not None and len(values) != _DOUBLE * found.xres * found.yres:
                raise ProtocolError(
                    f"the worker's result has {len(values)} bytes instead of {found.xres} x "
                    f"{found.yres} doubles; run `afmsr plugin check`"
                )
        return found
