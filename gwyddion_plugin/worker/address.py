"""Where the worker that stays in memory is to be found.

A file says it, in a folder that only its user may enter. Different installations and different
settings in the environment have different files.

Nothing is imported that takes time: see :mod:`gwyddion_plugin.repeat`.
"""

from __future__ import annotations

import _socket  # the public module takes longer to import than all the rest together
import os
import stat
import sys

__all__ = ["LONGEST_HELLO", "PATIENCE", "SUFFIX", "Address", "file", "private", "runtime_dir"]

PATIENCE = 0.5
"""Seconds for a warm worker to answer; one that is busy does not."""
LONGEST_HELLO = 4096
"""Bytes."""
SUFFIX = ".address"
_NAME = "afmsr"
# What influences where settings and weights are, and what is used of them.
_VARIABLES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "USERPROFILE")


def runtime_dir() -> str:
    """Return the folder for addresses, which nobody else may enter; it need not exist.

    Not below the home folder, which may be on a network disk that holds no sockets.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(named) and os.path.isdir(named):
        return os.path.join(named, _NAME)
    import tempfile

    who = str(os.getuid()) if hasattr(os, "getuid") else ""
    return os.path.join(tempfile.gettempdir(), f"{_NAME}-{who}".rstrip("-"))


def private(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder is the user's own and closed to everybody else."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return True  # Windows: the user's temporary folder is closed by its access list
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def file() -> str:
    """Return the file of this installation in this environment; it need not exist."""
    from _blake2 import blake2b  # as for _socket

    said = [sys.executable, os.path.dirname(__file__)]
    for name, value in sorted(os.environ.items()):
        if name.startswith("AFMSR_") or name in _VARIABLES:
            said.append(f"{name}={value}")
    digest = blake2b("\n".join(said).encode("utf-8", "surrogateescape"), digest_size=8)
    return os.path.join(runtime_dir(), digest.hexdigest() + SUFFIX)


class Address:
    """Where a worker listens, and what it wants to hear.

    Parameters
    ----------
    place : str
        A Unix socket; on Windows, where others cannot be kept out of a folder, a port of the
        loopback interface.
    token : str
        Who knows it has read the file, and so is the user.
    pid : int
        Of the worker.
    """

    FAMILY = _socket.AF_INET if sys.platform == "win32" else _socket.AF_UNIX

    def __init__(self, place: str, token: str, pid: int) -> None:
        self.place, self.token, self.pid = place, token, pid

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Address:
        """Return what a file says.

        Raises
        ------
        OSError
            If the file is not there, or others could have written it.
        ValueError
            If it is not an address.
        """
        if not private(os.path.dirname(path)):
            raise OSError(f"{path} is not in a private folder")
        with open(path, encoding="utf-8", errors="surrogateescape") as text:
            place, token, pid = text.read().split("\n")
        return cls(place, token, int(pid))

    @property
    def content(self) -> str:
        """What the file says."""
        return f"{self.place}\n{self.token}\n{self.pid}"

    def connect(self) -> _socket.socket:
        """Return a connection to the worker, which waits `PATIENCE` and no longer.

        Raises
        ------
        OSError
            If there is no worker.
        """
        connection = _socket.socket(self.FAMILY, _socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            inet = self.FAMILY == _socket.AF_INET
            connection.connect(("127.0.0.1", int(self.place)) if inet else self.place)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def hello(self) -> bytes:
        """The first line that a client says."""
        return f'{{"type": "hello", "token": "{self.token}"}}\n'.encode("ascii")
