"""Try what is installed: the registration, the worker, a test field, and the dialog's needs."""

from __future__ import annotations

import array
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from afmsr_core.errors import AfmsrError
from gwyddion_plugin.exchange import dump, menu, settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.installing import hosts, launcher, plugin_files
from gwyddion_plugin.installing.hosts import Host
from gwyddion_plugin.installing.manifest import Manifest, digest_of

__all__ = ["check"]

_SIDE = 32  # pixels of the test field
_LIMIT = 120.0  # seconds for its run: a slow method may be chosen

Say = Callable[[str], None]


def check(folder: Path | None = None, say: Say = print) -> bool:
    """Try the installed plug-in as Gwyddion would, and say what it will show.

    Parameters
    ----------
    folder : Path, optional
        The only user folder to look at; all that are found by default.
    say : callable
        Takes lines for the user.

    Returns
    -------
    bool
        Whether all is well.
    """
    well = True
    for host in hosts.find(folder):
        if host.generation != 2:
            say(f"{host.folder}: {hosts.NO_PLUGINS}")
            continue
        well = _check_host(host, say) and well
    return well


def _check_host(host: Host, say: Say) -> bool:
    installed = Manifest.of(host.folder)
    if installed is None:
        say(f"{host.folder}: not installed; run `afmsr plugin install`")
        return False
    wrong = [
        name for name, kept in installed.files.items() if digest_of(host.folder / name) != kept
    ]
    for name in wrong:
        say(f"{host.folder / name}: missing or changed; run `afmsr plugin install`")
    if wrong:
        return False
    say(f"{host.folder}: {len(installed.files)} files of afmsr {installed.version}, unchanged")
    suffix = ".exe" if sys.platform == "win32" else ""
    program = host.folder / plugin_files.PROXY_FOLDER / f"afmsr{suffix}"
    well = _registers(program, say) and _upscales(program, say)
    interpreter = launcher.examine()
    say("dialog: yes" if interpreter.tk else f"dialog: no; {launcher.NO_TK}")
    if well:
        say(f"Gwyddion shows: {plugin_files.PROXY.shown}")
    return well


def _call(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # No worker may stay in memory: to check is not to use.
    environment = os.environ | {settings.WARM_VARIABLE: "0"}
    return subprocess.run(
        [str(program), *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_LIMIT,
        check=False,
    )


def _registers(program: Path, say: Say) -> bool:
    try:
        done = _call(program, "register")
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"registration: {program} does not start ({error}); run `afmsr plugin install`")
        return False
    if done.stdout != menu.REGISTRATION:
        why = done.stderr.strip() or f"it answers {done.stdout[:60]!r}"
        say(f"registration: failed: {why}; run `afmsr plugin install`")
        return False
    say(f"registration: {menu.FUNCTION}, {menu.MENU}")
    return True


def _upscales(program: Path, say: Say) -> bool:
    """Let the plug-in run on a small field with the user's settings."""
    values = array.array("d", (1e-9 * math.sin(k / 7) for k in range(_SIDE * _SIDE)))
    if sys.byteorder == "big":
        values.byteswap()
    field = RawField(_SIDE, _SIDE, 1e-6, 1e-6, "m", "m", values.tobytes())
    method = settings.load().method
    with tempfile.TemporaryDirectory(prefix="afmsr-") as name:
        file = Path(name, "field.dump")
        file.write_bytes(b"")
        dump.overwrite(file, field)
        try:
            done = _call(program, "run", "noninteractive", str(file))
            result = dump.read(file)
        except (subprocess.TimeoutExpired, AfmsrError) as error:
            say(f"test field: {error}")
            return False
    if done.returncode != 0:
        say(f"test field: failed: {done.stderr.strip()}")
        return False
    grid = f"{_SIDE} x {_SIDE} px to {result.xres} x {result.yres} px"
    # The rows: along the lines, a scale for line scans adds nothing.
    good = result.xreal == field.xreal and result.yres > _SIDE
    say(f"test field: {grid} with {method}{'' if good else ', which is wrong; report it'}")
    return good
