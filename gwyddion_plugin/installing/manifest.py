"""The list of what the installer wrote into a folder, kept in that folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from afmsr_core import __version__
from afmsr_core.errors import CorruptFileError

__all__ = ["Manifest", "digest", "digest_of"]

NAME = "afmsr-plugin.json"


def digest(content: bytes) -> str:
    """Return the SHA-256 of some content."""
    return hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it is a link, is not there or cannot be read."""
    try:
        return None if path.is_symlink() else digest(path.read_bytes())
    except OSError:
        return None


@dataclass
class Manifest:
    """Files that were written, by path below the folder, and folders that were made for them.

    Parameters
    ----------
    files : dict
        SHA-256 of each file.
    folders : list of str
        Outermost first; ``"."`` is the folder itself.
    version : str
        Version of afmsr that wrote them.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    version: str = __version__

    @classmethod
    def of(cls, folder: Path) -> Manifest | None:
        """Return the manifest in a folder; None if nothing was installed there.

        Raises
        ------
        CorruptFileError
            If it is not what we wrote.
        """
        path = folder / NAME
        try:
            found = json.loads(path.read_bytes())
            files, folders = dict(found["files"]), list(found["folders"])
            version = str(found["afmsr"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptFileError(
                f"{path}: cannot be read ({error}); remove the files of afmsr in {folder} by "
                f"hand, then this one"
            ) from error
        for name in [*files, *folders]:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise CorruptFileError(f"{path}: {name!r} leads out of the folder; remove {path}")
        return cls(files, folders, version)

    def content(self) -> bytes:
        """Return what is kept."""
        kept = {"afmsr": self.version, "files": self.files, "folders": self.folders}
        return (json.dumps(kept, indent=1) + "\n").encode("ascii")
