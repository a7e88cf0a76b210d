"""Part fields into basins with the real Gwyddion 2.x, headless.

Run as a program, so that a crash over there cannot hurt the test run::

    python gwyddion_grains.py fields.npz answers.npz

The answers are the numbers of the basins that ``gwy_data_field_waterpour`` of libgwyprocess2 finds
for every field: Gwyddion's watershed without any pruning.
"""

from __future__ import annotations

import ctypes
import sys

import numpy as np
from gwyddion_levelling import Gwyddion


class Pouring(Gwyddion):
    """The watershed of Gwyddion, on numpy arrays."""

    def basins(self, values: np.ndarray) -> np.ndarray:
        """Return the number of the basin of every pixel, 0 on watersheds."""
        field, shores = self._field(values), self._field(np.zeros_like(values))
        numbers = np.zeros(values.size, dtype=np.int32)
        self._process(
            "gwy_data_field_waterpour", ctypes.c_int, "ppp", field, shores, numbers.ctypes.data
        )
        return numbers.reshape(values.shape)


def main(source: str, target: str) -> None:
    """Answer for an archive."""
    gwyddion = Pouring()
    with np.load(source) as fields:
        np.savez(target, **{name: gwyddion.basins(fields[name]) for name in fields.files})


if __name__ == "__main__":
    main(*sys.argv[1:])
