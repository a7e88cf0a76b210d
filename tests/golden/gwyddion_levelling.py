"""Level fields with the real Gwyddion 2.x, headless, and write down what it answers.

Run as a program, so that a crash or a hang over there cannot hurt the test run::

    python gwyddion_levelling.py fields.npz answers.npz    # level every field of an archive
    python gwyddion_levelling.py --golden                  # write levelling.json anew

An archive holds fields ``NAME`` and, where wanted, masks ``NAME.mask``; the answers are called
``NAME/OPERATION/MASKING``. Plane and polynomial are the functions of libgwyprocess2; the rows go
through Gwyddion's own Align Rows module. Needs the packages ``gwyddion`` and ``libgwyddion2-0``,
no display and no compiler.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gwyddion"))

from harness import Gwyddion as Program

GOLDEN = Path(__file__).with_name("levelling.json")
CORE = "libgwyddion2.so.0"
MASKING = {"exclude": 0, "include": 1, "ignore": 2}  # GwyMaskingType
ALIGN_ROWS = {"rows-median": 1, "rows-median-diff": 2}  # methods of the Align Rows module
POLYNOMIALS = {"poly2": 2, "poly3": 3}

Field = NDArray[np.float64]


class Gwyddion(Program):
    """The functions of Gwyddion that level, on numpy arrays."""

    def _call(self, library: str, name: str, result: Any, types: Any, *arguments: Any) -> Any:
        function = getattr(c.CDLL(library), name)
        function.restype, function.argtypes = result, list(types)
        return function(*arguments)

    def _process(self, name: str, result: Any, types: str, *arguments: Any) -> Any:
        kinds = {"p": c.c_void_p, "i": c.c_int, "d": c.c_double}
        return self._call(
            "libgwyprocess2.so.0", name, result, tuple(kinds[t] for t in types), *arguments
        )

    def version(self) -> str:
        return str(self._call(CORE, "gwy_version_string", c.c_char_p, ()).decode())

    def _field(self, values: Field | None) -> Any:
        if values is None:
            return None
        yres, xres = values.shape
        field = self._process(
            "gwy_data_field_new", c.c_void_p, "iiddi", xres, yres, 1.0 * xres, 1.0 * yres, 1
        )
        self._view(field, values.shape)[...] = values
        return field

    def _view(self, field: int, shape: tuple[int, ...]) -> Field:
        data = self._process("gwy_data_field_get_data", c.POINTER(c.c_double), "p", field)
        return np.ctypeslib.as_array(data, shape)

    def plane(self, values: Field, mask: Field | None, masking: str) -> tuple[Field, Field]:
        """Coefficients (at the first pixel, per column, per row) and the levelled field."""
        field = self._field(values)
        yres, xres = values.shape
        fitted = (c.c_double * 3)()
        each = [c.byref(fitted, 8 * i) for i in range(3)]
        if masking == "ignore":
            self._process("gwy_data_field_fit_plane", None, "pppp", field, *each)
        else:
            self._process(
                "gwy_data_field_area_fit_plane_mask",
                c.c_int,
                "ppiiiiippp",
                field,
                self._field(mask),
                MASKING[masking],
                0,
                0,
                xres,
                yres,
                *each,
            )
        self._process("gwy_data_field_plane_level", None, "pddd", field, *fitted)
        return np.array(fitted), self._view(field, values.shape).copy()

    def polynomial(self, values: Field, mask: Field | None, masking: str, degree: int) -> Field:
        """Remove all terms of total degree at most `degree`."""
        field = self._field(values)
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        terms = (c.c_int * (2 * len(powers)))(*[p for pair in powers for p in pair])
        coefficients = (c.c_double * len(powers))()
        used = None if masking == "ignore" else self._field(mask)
        self._process(
            "gwy_data_field_fit_poly",
            c.c_void_p,
            "ppipip",
            field,
            used,
            len(powers),
            terms,
            int(masking == "exclude"),
            coefficients,
        )
        self._process(
            "gwy_data_field_subtract_poly", None, "pipp", field, len(powers), terms, coefficients
        )
        return self._view(field, values.shape).copy()

    def align_rows(self, values: Field, mask: Field | None, masking: str, method: str) -> Field:
        """Run Data Process > Correct Data > Align Rows with its settings set beforehand."""
        settings = {
            "method": ALIGN_ROWS[method],
            "masking": MASKING[masking],
            "direction": 0,  # rows
        }
        for name, value in settings.items():
            self._container_set(
                "int32", self.app_settings_get(), f"/module/linematch/{name}", value
            )
        for name in ("do_extract", "do_plot"):
            self._container_set("boolean", self.app_settings_get(), f"/module/linematch/{name}", 0)
        data = self._call(CORE, "gwy_container_new", c.c_void_p, ())
        field = self._field(values)
        self._container_set("object", data, "/0/data", field)
        if mask is not None:
            self._container_set("object", data, "/0/mask", self._field(mask))
        self.app_data_browser_add(data)
        self.run("align_rows", data, 0)
        levelled = self._view(field, values.shape).copy()
        self.app_data_browser_remove(data)
        return levelled

    def _container_set(self, kind: str, container: int, key: str, value: Any) -> None:
        glib, of_key = "libglib-2.0.so.0", (c.c_char_p,)
        quark = self._call(glib, "g_quark_from_string", c.c_uint32, of_key, key.encode())
        types = c.c_void_p, c.c_uint32, c.c_void_p if kind == "object" else c.c_int32
        self._call(CORE, f"gwy_container_set_{kind}", None, types, container, quark, value)

    def answers(self, values: Field, mask: Field | None) -> Iterator[tuple[str, Field]]:
        """Every operation with every masking that makes sense for the field."""
        for masking in ("ignore",) if mask is None else MASKING:
            coefficients, levelled = self.plane(values, mask, masking)
            yield f"plane-coefficients/{masking}", coefficients
            yield f"plane/{masking}", levelled
            for name, degree in POLYNOMIALS.items():
                yield f"{name}/{masking}", self.polynomial(values, mask, masking, degree)
            for name in ALIGN_ROWS:
                yield f"{name}/{masking}", self.align_rows(values, mask, masking, name)


def golden_fields() -> dict[str, tuple[Field, Field]]:
    """Two small scans from a seed, with masks.

    ``scan`` has tilt, bow, line offsets, a bump under the mask and a spike. ``narrow`` is five
    pixels wide and its mask leaves five or three of them: the median of Gwyddion 2.62 is the
    true one for three or five values, but now and then a neighbour of it for four, seven or more.
    """
    rng = np.random.default_rng(20251116)
    y, x = np.mgrid[:9, :12]
    scan = 87.5 + 3.25 * x - 1.5 * y + 0.08 * (x - 5) ** 2 + rng.normal(0, 0.4, x.shape)
    scan += rng.normal(0, 2.0, (9, 1))
    bump = (x - 8) ** 2 + (y - 3) ** 2 < 14
    scan[bump] += 20.0
    scan[7, 2] += 300.0
    bump[7, 2] = True
    narrow = rng.normal(0, 3.0, (11, 5)) + 7.0 * np.arange(11)[:, None] - 40.0
    columns = np.zeros(narrow.shape)
    columns[2:6, [1, 3]] = 1.0
    return {
        "scan": (np.round(scan, 6), bump.astype(np.float64)),
        "narrow": (np.round(narrow, 6), columns),
    }


def main(arguments: list[str]) -> None:
    # Gwyddion writes its settings into the home folder: give it one of its own.
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        os.environ.pop("DISPLAY", None)
        gwyddion = Gwyddion()
        if arguments == ["--golden"]:
            record = {
                "made_by": f"Gwyddion {gwyddion.version()}, {Path(__file__).name} --golden",
                "fields": {
                    name: {
                        "heights": heights.tolist(),
                        "mask": mask.astype(int).tolist(),
                        "answers": {n: a.tolist() for n, a in gwyddion.answers(heights, mask)},
                    }
                    for name, (heights, mask) in golden_fields().items()
                },
            }
            text = json.dumps(record).replace("], ", "],\n").replace("}, ", "},\n")
            GOLDEN.write_text(text + "\n", encoding="ascii")
            return
        source, target = arguments
        with np.load(source) as archive:
            fields = {name: archive[name].astype(np.float64) for name in archive.files}
        answers: dict[str, Any] = {
            f"{name}/{operation}": answer
            for name, values in fields.items()
            if not name.endswith(".mask")
            for operation, answer in gwyddion.answers(values, fields.get(f"{name}.mask"))
        }
        np.savez(target, **answers)


if __name__ == "__main__":
    main(sys.argv[1:])
