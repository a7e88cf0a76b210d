"""Readers of others for files of instruments, in the order in which they are asked."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from afmsr_core.io.raw.child import CHILD
from afmsr_core.io.raw.gwyddion import GWYDDION_2, GWYDDION_3, GWYDDIONPY
from afmsr_core.io.raw.limits import limit_of
from afmsr_core.io.raw.messages import Reading

__all__ = ["READERS", "SURFACE_TOPOGRAPHY", "Package", "Reader"]


class Reader(Protocol):
    """What reads files of instruments and is not ours."""

    @property
    def name(self) -> str:
        """As the record and messages call it."""

    @property
    def installed(self) -> str | None:
        """Its version; None if it is not here."""

    def find(self) -> str | None:
        """Return where it is; None if it is not here."""

    def read(self, path: Path, known: bool = True) -> Reading:
        """Return what it finds in a file; `known` if mark or suffix say that it is a scan.

        Raises
        ------
        ReadError, FieldError
            If it finds no image that can be used.
        """


@dataclass(frozen=True)
class Package:
    """A Python package, which runs in a process of its own.

    Attributes
    ----------
    name : str
        By which it is imported and installed.
    module : str
        Module of ours that makes channels of what it reads.
    """

    name: str
    module: str

    @property
    def installed(self) -> str | None:
        """Its version; None if it is not here."""
        from importlib import metadata

        try:
            return metadata.version(self.name) if self.find() else None
        except metadata.PackageNotFoundError:
            return None

    def find(self) -> str | None:
        """Return where it is; None if it is not here."""
        spec = importlib.util.find_spec(self.name)
        return spec.origin if spec else None

    def read(self, path: Path, known: bool = True) -> Reading:
        """Return what it finds in a file, in a process of its own."""
        return CHILD.read(path, self.module, self.name, limit_of(path, known))


SURFACE_TOPOGRAPHY = Package("SurfaceTopography", "afmsr_core.io.raw.surface_topography")

READERS: tuple[Reader, ...] = (SURFACE_TOPOGRAPHY, GWYDDIONPY, GWYDDION_2, GWYDDION_3)
"""Those that come with the extra ``raw`` first: what they read does not depend on the machine."""
