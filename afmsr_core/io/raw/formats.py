"""The formats of instruments that can be told without their reader."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from afmsr_core.io.files import head

__all__ = ["FORMATS", "TEXT", "RawFormat", "known_format"]


class RawFormat(NamedTuple):
    """An instrument's format as far as we can tell it without its reader.

    Attributes
    ----------
    name : str
        Of instrument or maker.
    begins : tuple of bytes
        With what the file may begin; empty if that says too little.
    suffixes : tuple of str
        Suffixes that stand for the format where its first bytes do not.
    python : bool
        Whether SurfaceTopography reads it.
    unread : tuple of str
        Which of the other readers, that all are Gwyddion's, do not read it.
    """

    name: str
    begins: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    python: bool
    unread: tuple[str, ...] = ()

    def read_by(self, reader: str) -> bool:
        """Return whether the reader of that name reads the format."""
        return self.python if reader == "SurfaceTopography" else reader not in self.unread


TEXT = RawFormat("text with a header", (b"# Channel", b"# File Format"), (), True, ("Gwyddion 2",))

FORMATS = (
    RawFormat("Gwyddion 1", (b"GWYO",), (), False, ("Gwyddion 3",)),
    RawFormat("Bruker Nanoscope", (b"\\*File list", b"\\*Force file list"), (".spm",), True),
    RawFormat("Asylum Research (Igor)", (), (".ibw",), True),
    RawFormat("JPK", (), (".jpk", ".jpk-qi-image", ".jpk-force", ".jpk-force-map"), True),
    RawFormat("Nanosurf", (b"[DataSet]",), (".nid", ".ezd"), True),
    RawFormat("Agilent or Keysight", (b"fileType      Image",), (".mi",), True),
    RawFormat("Park Systems", (), (".tif", ".tiff"), True),
    RawFormat("WSxM", (b"WSxM file copyright",), (".stp", ".top"), True),
    RawFormat("Nanonis", (b":NANONIS_VERSION:",), (".sxm",), False),
    RawFormat("RHK", ("STiMage".encode("utf-16-le"),), (".sm4",), False),
    RawFormat("Anasys", (), (".axz", ".axd"), False),
    RawFormat("Createc", (b"[Paramco32]", b"[Paramet32]", b"[Parameter]"), (), False),
    TEXT,
)


def known_format(path: str | Path) -> RawFormat | None:
    """Return the instrument's format that content or else suffix tell, None if neither does."""
    path = Path(path)
    start = head(path, 64)
    for known in FORMATS:
        # The RHK mark stands behind its own length.
        if any(start.startswith(mark) or start[2:].startswith(mark) for mark in known.begins):
            return known
    suffix = path.suffix.lower()
    return next((known for known in FORMATS if suffix in known.suffixes), None)
