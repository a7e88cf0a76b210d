"""Which files of ours lie in a user folder of Gwyddion, and which are not as they were written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gwyddion_plugin.installing import plugin_files
from gwyddion_plugin.installing.hosts import Host
from gwyddion_plugin.installing.manifest import Manifest, digest_of

__all__ = ["INSTALL", "MOVE", "Condition", "strange"]

INSTALL = "run `afmsr plugin install`"
MOVE = "move it out of Gwyddion's folder"


@dataclass(frozen=True)
class Condition:
    """What is in a user folder of Gwyddion.

    Parameters
    ----------
    installed : Manifest or None
        What was written and not taken out again; None if nothing is there of it.
    strange : dict
        By name, why a file at a place of ours is neither replaced nor removed.
    missing : list of str
        Files that were written and are gone.
    """

    installed: Manifest | None
    strange: dict[str, str]
    missing: list[str]

    @classmethod
    def of(cls, host: Host) -> Condition:
        """Look at a folder.

        Raises
        ------
        CorruptFileError
            If the manifest is not what we wrote.
        """
        installed = Manifest.of(host.folder)
        written = installed.files if installed else {}
        found = {
            name: why
            for name in dict.fromkeys([*written, *plugin_files.names(host)])
            if (why := strange(host.folder / name, written.get(name)))
        }
        missing = [name for name in written if not os.path.lexists(host.folder / name)]
        return cls(installed if len(missing) < len(written) else None, found, missing)

    def faults(self, folder: Path) -> list[str]:
        """Return a line for each file that is not as it should be, with what `install` needs."""
        lines = [
            f"{folder / name}: {why}; {MOVE}, then {INSTALL}" for name, why in self.strange.items()
        ]
        if self.installed is not None:
            lines += [f"{folder / name}: missing; {INSTALL}" for name in self.missing]
        return lines


def strange(path: Path, written: str | None) -> str | None:
    """Return why the installer leaves a file alone; None if it is not there or its own.

    Parameters
    ----------
    path : Path
        The file.
    written : str or None
        SHA-256 of what was written there; None if nothing was.
    """
    if not os.path.lexists(path):
        return None
    if written is None:
        return "is not in the list of what the installer wrote"
    return None if digest_of(path) == written else "was changed after it was installed"
