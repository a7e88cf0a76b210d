"""Heights of fields that are too large to hold in memory as float64."""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

from afmsr_core.temporary import no_room, roomy_folder

__all__ = ["BAND", "LARGE", "LargeField", "bands", "empty_field"]

LARGE = 64_000_000  # pixels; above, float64 takes more than 512 MB, and a float32 map its place
RELEASE = 64 << 20  # bytes that may be touched before the system is told to let go of them
BAND = 256  # rows that are handled at a time, to keep temporaries small


class LargeField(NDArrayOperatorsMixin):
    """Heights in a temporary file that is mapped into memory: float32 about a float64 datum.

    Parts of it are float64 like those of any field, so what is done by bands of rows needs no
    more memory than a band. Whatever takes all of it at once gets all of it as float64. A height
    is kept to 6e-8 of its distance from the datum, so precision is a matter of the range of the
    heights and not of their offset.

    The file has no name from the start, so it is gone with the process, however that ends.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    datum : float
        What the file's numbers are relative to; to change it moves all heights.

    Raises
    ------
    OutputError
        If the disk has not enough room for it.
    """

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, shape: tuple[int, int], datum: float = 0.0) -> None:
        self.shape = shape
        self.size = shape[0] * shape[1]
        self.datum = datum
        import tempfile  # which few fields need, and which takes others along

        folder = roomy_folder()
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a crash later
                    os.posix_fallocate(file.fileno(), 0, 4 * self.size)
                # The mapping keeps the file.
                self._values = np.memmap(file, np.float32, "w+", shape=shape)
        except OSError as error:
            raise no_room(error, folder, 4 * self.size) from error
        self._touched = 0

    def __getitem__(self, part: Any) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._values[part] + np.float64(self.datum)
        self._touch(found.size)
        return found

    def __setitem__(self, part: Any, heights: NDArray[np.float64]) -> None:
        self._values[part] = heights - self.datum
        self._touch(heights.size)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.empty(self.shape, np.float64 if dtype is None else dtype)
        step = max(1, RELEASE // 8 // self.shape[1])
        for top in range(0, self.shape[0], step):
            whole[top : top + step] = self[top : top + step]
        return whole

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        whole = [np.asarray(one) if isinstance(one, LargeField) else one for one in inputs]
        return getattr(ufunc, method)(*whole, **options)

    @property
    def T(self) -> LargeField:
        """The field with rows and columns exchanged, in a file of its own."""
        rows, columns = self.shape
        turned = LargeField((columns, rows), self.datum)
        for down in bands(rows):
            for across in bands(columns):
                turned._values[across, down] = self._values[down, across].T
                self._touch(BAND**2)
                turned._touch(BAND**2)
        return turned

    def _touch(self, pixels: int) -> None:
        """Let the system write out what was touched; else it would count as memory in use."""
        self._touched += 4 * pixels
        if self._touched > RELEASE:
            self._touched = 0
            mapped = getattr(self._values, "_mmap", None)
            if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
                with contextlib.suppress(OSError):
                    mapped.madvise(mmap.MADV_DONTNEED)


def empty_field(shape: tuple[int, int], datum: float) -> Any:
    """Return room for heights: an array, or a :class:`LargeField` above `LARGE` pixels."""
    if shape[0] * shape[1] > LARGE:
        return LargeField(shape, datum)
    return np.empty(shape)


def bands(rows: int, shrunk: int = 1) -> list[slice]:
    """Return slices of at most `BAND` rows that cover `rows` rows.

    With `shrunk`, the rows are of a field with so many times fewer rows than the one whose bands
    are :data:`BAND` rows high.

    Examples
    --------
    >>> bands(300)
    [slice(0, 256, None), slice(256, 300, None)]
    """
    height = max(1, BAND // shrunk)
    return [slice(top, min(top + height, rows)) for top in range(0, rows, height)]
