"""What of the plug-in is in Gwyddion, as far as files tell; `check` tries whether it works."""

from __future__ import annotations

from pathlib import Path

from afmsr_core import __version__
from afmsr_core.errors import AfmsrError
from gwyddion_plugin.installing import hosts, launcher, module, plugin_files
from gwyddion_plugin.installing.condition import INSTALL, Condition
from gwyddion_plugin.installing.hosts import Host
from gwyddion_plugin.installing.manifest import digest

__all__ = ["state"]


def state(folder: Path | None = None) -> dict[str, str]:
    """Return of each user folder of Gwyddion what is installed there, in words with the cure.

    Parameters
    ----------
    folder : Path, optional
        The only user folder to look at; all that are found by default. None is no error.
    """
    try:
        found = hosts.find(folder)
    except AfmsrError:
        return {}
    return {str(host.folder): _of(host) for host in found}


def _of(host: Host) -> str:
    try:
        found = Condition.of(host)
        if faults := found.faults(host.folder):
            more = len(faults) - 1
            return faults[0] + (
                f" (and {more} more: `afmsr plugin check` lists them)" if more else ""
            )
        installed = found.installed
        if installed is None:
            return f"not installed; {INSTALL}"
        if installed.version != __version__:
            return f"of afmsr {installed.version}, and this is {__version__}; {INSTALL}"
        same = _ours(host, launcher.examine(), installed.files)
    except AfmsrError as error:
        return str(error)
    if not same:
        return f"of another installation of afmsr {__version__} than this; {INSTALL} to have this"
    return f"of this afmsr {__version__}"


def _ours(host: Host, interpreter: launcher.Interpreter, kept: dict[str, str]) -> bool:
    """Tell whether what is installed is what this installation would write."""
    if host.generation == 3:  # nothing is compiled to find out
        return module.About.here(host, interpreter) == module.About.of(host)
    ours = {
        name: digest(file.content)
        for item in plugin_files.MENU_ITEMS
        for name, file in item.files(host, interpreter).items()
    }
    return ours == kept
