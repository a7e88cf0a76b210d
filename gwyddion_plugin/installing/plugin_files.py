"""The files that are put into a user folder of Gwyddion, by the menu item that they make."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from afmsr_core.errors import OutputError
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.installing import module
from gwyddion_plugin.installing.hosts import Host
from gwyddion_plugin.installing.launcher import Interpreter
from gwyddion_plugin.installing.manifest import Manifest, digest_of

__all__ = ["MODULE", "PROXY", "PROXY_FOLDER", "File", "Files", "MENU_ITEMS", "MenuItem", "names"]

PROXY_FOLDER = "plugins/process/afmsr"
PYGWY_FOLDER = "pygwy"


@dataclass(frozen=True)
class File:
    """Content of a file, and whether it can be started."""

    content: bytes
    executable: bool = False


Files = Mapping[str, File]
"""Files by their path below the user folder, with forward slashes."""


@dataclass(frozen=True)
class MenuItem:
    """One way into Gwyddion, which the user finds in its menu.

    Parameters
    ----------
    name : str
        For messages.
    shown : str
        What the user finds in Gwyddion.
    files : callable
        Takes host and interpreter and returns what to write; nothing where the host has no use
        for it.
    """

    name: str
    shown: str
    files: Callable[[Host, Interpreter], Files]


def _proxy(host: Host, interpreter: Interpreter) -> Files:
    """Return the plug-in of Gwyddion 2. Every executable there is a plug-in, so one is."""
    if host.generation != 2:
        return {}
    description = File(menu.REGISTRATION.encode("utf-8"))
    if sys.platform == "win32":
        program = Path(sysconfig.get_path("scripts"), "afmsr-gwyddion.exe")
        try:
            content = program.read_bytes()
        except OSError as error:
            raise OutputError(
                f"{program}: cannot be read ({error.strerror}); Gwyddion on Windows starts only "
                f".exe files, and pip makes this one: install afmsr again"
            ) from error
        return {
            f"{PROXY_FOLDER}/afmsr.exe": File(content, executable=True),
            f"{PROXY_FOLDER}/afmsr.rgi": description,
        }
    return {
        # The description first: Gwyddion would start an executable that has none.
        f"{PROXY_FOLDER}/afmsr.rgi": description,
        f"{PROXY_FOLDER}/start.py": File(interpreter.start_script().encode("utf-8")),
        f"{PROXY_FOLDER}/afmsr": File(_encoded(interpreter.shell_script()), executable=True),
    }


def _encoded(script: str) -> bytes:
    """Paths may hold bytes that are no text in any encoding; they must arrive as they are."""
    return script.encode("utf-8", "surrogateescape")


def _pygwy(host: Host, interpreter: Interpreter) -> Files:
    """Return the script for Gwyddion 2 with Python 2.7 in it, where that has been used."""
    if host.generation != 2 or not _has_pygwy(host):
        return {}
    from gwyddion_plugin import pygwy

    script = pygwy.script(interpreter.worker).encode("ascii")
    return {f"{PYGWY_FOLDER}/{pygwy.FILE_NAME}": File(script)}


def _has_pygwy(host: Host) -> bool:
    return sys.platform == "win32" or (host.folder / PYGWY_FOLDER).is_dir()


def _module(host: Host, interpreter: Interpreter) -> Files:
    """Return the module of Gwyddion 3: compiled now, unless it is there as it would be."""
    if host.generation != 3:
        return {}
    about = module.About.here(host, interpreter)
    page = Path(module.__file__).parents[1] / "gwyddion3" / "help.html"
    there = host.folder / module.MODULE
    kept = Manifest.of(host.folder) or Manifest()
    unchanged = digest_of(there) == kept.files.get(module.MODULE) is not None
    if about == module.About.of(host) and unchanged:
        content = there.read_bytes()
    else:
        content = module.build(about)
    return {
        module.MODULE: File(content),
        module.ABOUT: File(about.content),
        module.HELP: File(page.read_bytes()),
    }


PROXY = MenuItem("plug-in", f"Data Process > Plug-Ins > {menu.TITLE}...", _proxy)
MODULE = MenuItem("module", f"Data Process > Basic Operations > {menu.TITLE}...", _module)
MENU_ITEMS = (PROXY, MenuItem("pygwy script", f"Data Process > {menu.TITLE}...", _pygwy), MODULE)
"""Every one."""


def names(host: Host) -> tuple[str, ...]:
    """Return every place below the user folder that a menu item writes to, wanted there or not."""
    if host.generation == 3:
        return (module.MODULE, module.ABOUT, module.HELP)
    from gwyddion_plugin import pygwy

    programs = ("afmsr.exe",) if sys.platform == "win32" else ("start.py", "afmsr")
    proxy = (f"{PROXY_FOLDER}/{name}" for name in ("afmsr.rgi", *programs))
    return (*proxy, f"{PYGWY_FOLDER}/{pygwy.FILE_NAME}")
