"""The Gwyddion installations of this user: which folders they look in for plug-ins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from afmsr_core.errors import UsageError
from gwyddion_plugin.exchange.gwyddion_folder import spellings

__all__ = ["PROGRAMS", "Host", "find"]

PROGRAMS = {2: "gwyddion", 3: "gwyddion3"}
"""Names of the program, by generation."""


@dataclass(frozen=True)
class Host:
    """A user folder of Gwyddion.

    Parameters
    ----------
    folder : Path
        Such as ``~/.gwyddion``; it need not exist yet.
    generation : int
        2, which runs plug-ins, or 3, which loads modules that were compiled for it.
    """

    folder: Path
    generation: int


def find(explicit: Path | None = None) -> list[Host]:
    """Return the user folders of Gwyddion.

    Parameters
    ----------
    explicit : Path, optional
        A folder that the user named; it alone is returned.

    Raises
    ------
    UsageError
        If there is neither a folder nor a program.
    """
    if explicit is not None:
        folder = explicit.expanduser().absolute()
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--gwyddion-dir {folder}: is a file; give Gwyddion's user folder")
        return [Host(folder, 3 if folder.name.endswith("3") else 2)]
    hosts = []
    for generation, program in PROGRAMS.items():
        names = spellings(generation)
        existing = [folder for folder in names if folder.is_dir()]
        if existing or shutil.which(program):
            hosts.append(Host((existing or names)[0], generation))
    if not hosts:
        listed = " or ".join(str(name) for name in spellings(2))
        raise UsageError(
            f"no Gwyddion found: no folder {listed}, and no program gwyddion or gwyddion3 on PATH; "
            f"install it (Debian, Ubuntu: apt-get install gwyddion) or start it once, or name its "
            f"user folder with --gwyddion-dir"
        )
    return hosts
