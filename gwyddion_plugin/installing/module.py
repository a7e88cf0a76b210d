"""The module of Gwyddion 3, compiled by the user's own compiler for the Gwyddion that is here.

The sources lie in ``gwyddion_plugin/gwyddion3`` and have a licence of their own. The libraries of
Gwyddion 3 carry its version in their names: a module works in the one that it was compiled for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.errors import MissingExtraError, UsageError
from gwyddion_plugin.installing import programs
from gwyddion_plugin.installing.hosts import PROGRAMS, Host
from gwyddion_plugin.installing.launcher import Interpreter

__all__ = ["ABOUT", "HELP", "MODULE", "About", "build", "program_version"]

MODULE = "modules/afmsr_super_resolution.so"
ABOUT = "afmsr/module.json"
HELP = "afmsr/help.html"
"""Files below Gwyddion's user folder."""

_SOURCES = Path(__file__).parents[1] / "gwyddion3"
_LIBRARIES = ("libgwyapp3", "gtk+-3.0")
_FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
_LIMIT = 300.0  # seconds to compile; a slow machine takes 20
_ANSWER_LIMIT = 60.0  # seconds for a question; a cold network disk may need many
_RETRY = "then run `afmsr plugin install` again"
_RETRY_COMPILER = f"see that this compiler works, or name another one in CC, {_RETRY}"
_ENGLISH = {"LC_ALL": "C"}


@dataclass(frozen=True)
class About:
    """What a module was compiled from, kept beside it.

    Parameters
    ----------
    gwyddion : str
        Version of Gwyddion that it was compiled for, and works in.
    worker : tuple of str
        Command that starts the worker.
    sources : str
        SHA-256 of the sources.
    help : str
        Address of the page that Help opens.
    """

    gwyddion: str
    worker: tuple[str, ...]
    sources: str
    help: str

    @classmethod
    def here(cls, host: Host, interpreter: Interpreter) -> About:
        """Return what would be compiled now.

        Raises
        ------
        MissingExtraError
            If there is nothing to compile it with.
        UsageError
            If ``CC`` cannot be read.
        """
        address = (host.folder / HELP).as_uri()
        return cls(_library_version(), tuple(interpreter.worker), _digest(), address)

    @classmethod
    def of(cls, host: Host) -> About | None:
        """Return what the installed module was compiled from; None if there is none."""
        try:
            found = json.loads((host.folder / ABOUT).read_bytes())
            return cls(found["gwyddion"], tuple(found["worker"]), found["sources"], found["help"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def content(self) -> bytes:
        """What is kept."""
        kept: Mapping[str, Any] = {
            "afmsr": __version__,
            "gwyddion": self.gwyddion,
            "worker": list(self.worker),
            "sources": self.sources,
            "help": self.help,
        }
        return (json.dumps(kept, indent=1) + "\n").encode("ascii")

    @property
    def header(self) -> str:
        """The file of C that tells the module where it is installed."""
        words = ", ".join(_literal(word) for word in self.worker)
        return (
            f"#define WORKER_COMMAND {words}\n"
            f"#define HELP_ADDRESS {_literal(self.help)}\n"
            f"#define AFMSR_VERSION {_literal(__version__)}\n"
        )


def build(about: About) -> bytes:
    """Compile the module with ``CC`` and ``CFLAGS``, if the environment has these.

    Parameters
    ----------
    about : About
        What it is to be made of.

    Returns
    -------
    bytes
        The shared library.

    Raises
    ------
    MissingExtraError
        If there is no compiler, or it refuses, or does not end.
    UsageError
        If ``CC`` or ``CFLAGS`` cannot be read.
    """
    compiler, flags = _compiler(), [*_FLAGS, *_words_of("CFLAGS")]
    needed = _flags_needed()
    with tempfile.TemporaryDirectory(prefix="afmsr-") as name:
        folder, made = Path(name), Path(name, "module.so")
        for source in sorted(_SOURCES.glob("*.[ch]")):
            shutil.copy(source, folder)
        (folder / "installed.h").write_text(about.header, encoding="ascii")
        sources = sorted(path.name for path in folder.glob("*.c"))
        command = [*compiler, *flags, "-o", made.name, *sources, *needed]
        done = programs.run(command, _LIMIT, _RETRY_COMPILER, folder, _ENGLISH)
        if done.returncode:
            raise MissingExtraError(
                f"the module of Gwyddion {about.gwyddion} does not compile: "
                f"{done.stderr.strip()[-2000:]}\n{_packages()}; if they are there, report this"
            )
        if not made.is_file():
            raise MissingExtraError(
                f"{shlex.join([*compiler, *flags])}: makes no module and says no reason; correct "
                f"CC and CFLAGS or unset them, {_RETRY}"
            )
        return made.read_bytes()


def program_version() -> str | None:
    """Return the version of the Gwyddion 3 that is on PATH; None if there is none.

    Raises
    ------
    MissingExtraError
        If it does not start or does not answer.
    """
    program = shutil.which(PROGRAMS[3])
    if program is None:
        return None
    cure = f"see that `{program} --version` answers, then try again"
    done = programs.run([program, "--version"], _ANSWER_LIMIT, cure, variables=_ENGLISH)
    told = re.search(r"\d+\.\d+\S*", done.stdout)
    return told.group() if told else None


def _library_version() -> str:
    _compiler()
    return _asked("pkg-config", "--modversion", _LIBRARIES[0])


def _compiler() -> list[str]:
    """Return the compiler with the arguments that ``CC`` may have, such as ``ccache gcc``."""
    given = os.environ.get("CC", "")
    named = [given] if shutil.which(given) else _words_of("CC")  # a path may have spaces
    for name in named[:1] or ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [str(Path(found).absolute()), *named[1:]]  # it is run in another folder
    if named:
        raise MissingExtraError(
            f"no C compiler for the module of Gwyddion 3: CC is {given!r}, and there is no program "
            f"{named[0]!r}; correct CC or unset it, {_RETRY}"
        )
    raise MissingExtraError(f"no C compiler for the module of Gwyddion 3: {_packages()}")


def _words_of(variable: str) -> list[str]:
    """Return the words of a variable of the environment, as a shell would read them."""
    given = os.environ.get(variable, "")
    try:
        return shlex.split(given)
    except ValueError as error:
        raise UsageError(
            f"{variable} is {given!r}, which cannot be split into words ({error}); correct its "
            f"quotes and backslashes or unset it, {_RETRY}"
        ) from error


def _flags_needed() -> list[str]:
    said = _asked("pkg-config", "--cflags", "--libs", *_LIBRARIES)
    try:
        return shlex.split(said)
    except ValueError as error:
        raise MissingExtraError(
            f"pkg-config says {said!r} of {' and '.join(_LIBRARIES)}, which cannot be split into "
            f"words ({error}); correct their .pc files or PKG_CONFIG_PATH, {_RETRY}"
        ) from error


def _asked(*command: str) -> str:
    """Return what pkg-config says."""
    program = shutil.which(command[0])
    if program is None:
        raise MissingExtraError(f"no {command[0]} for the module of Gwyddion 3: {_packages()}")
    said = ""
    for arguments in (("--print-errors", "--exists", *_LIBRARIES), command[1:]):
        cure = f"see that `{program} {' '.join(arguments)}` answers, {_RETRY}"
        done = programs.run([program, *arguments], _ANSWER_LIMIT, cure, variables=_ENGLISH)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise MissingExtraError(
                f"no headers for the module of Gwyddion 3 ({why}): {_packages()}"
            )
        said = done.stdout.strip()
    return said


def _packages() -> str:
    packages = "gcc libc6-dev pkgconf libgwyddion-dev libgtk-3-dev"
    return f"Debian, Ubuntu: apt-get install {packages}, {_RETRY}"


def _digest() -> str:
    """Return the SHA-256 of the sources, names included."""
    found = hashlib.sha256()
    for source in sorted(_SOURCES.glob("*.[ch]")):
        found.update(source.name.encode() + b"\0" + source.read_bytes())
    return found.hexdigest()


def _literal(text: str) -> str:
    r"""Return a literal of C, whatever bytes a path has.

    Examples
    --------
    >>> print(_literal('the "µ" folder'))
    "the \042\302\265\042 folder"
    """
    plain = b'"\\?'
    signs = (
        chr(byte) if 32 <= byte < 127 and byte not in plain else f"\\{byte:03o}"
        for byte in os.fsencode(text)
    )
    return f'"{"".join(signs)}"'
