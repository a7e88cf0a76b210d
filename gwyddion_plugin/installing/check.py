"""Try what is installed: the registration, the worker, a test field, and the dialog's needs."""

from __future__ import annotations

import array
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from afmsr_core.errors import AfmsrError
from gwyddion_plugin.exchange import dump, menu, settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.installing import hosts, launcher, module, plugin_files, programs
from gwyddion_plugin.installing.condition import INSTALL, Condition
from gwyddion_plugin.installing.hosts import PROGRAMS, Host
from gwyddion_plugin.worker.upscaling import headless

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
        try:
            well = _check_host(host, say) and well
        except AfmsrError as error:
            say(str(error))
            well = False
    return well


def _check_host(host: Host, say: Say) -> bool:
    found = Condition.of(host)
    faults = found.faults(host.folder)
    for fault in faults:
        say(fault)
    if faults:
        return False
    installed = found.installed
    if installed is None:
        say(f"{host.folder}: not installed; {INSTALL}")
        return False
    say(f"{host.folder}: {len(installed.files)} files of afmsr {installed.version}, unchanged")
    return _check_module(host, say) if host.generation == 3 else _check_plugin(host, say)


def _check_plugin(host: Host, say: Say) -> bool:
    suffix = ".exe" if sys.platform == "win32" else ""
    program = host.folder / plugin_files.PROXY_FOLDER / f"afmsr{suffix}"
    well = _registers(program, say) and _upscales(program, say)
    interpreter = launcher.examine()
    say("dialog: yes" if interpreter.tk else f"dialog: no; {launcher.NO_TK}")
    if well:
        say(f"Gwyddion shows: {plugin_files.PROXY.shown}")
    return well


def _check_module(host: Host, say: Say) -> bool:
    """Tell whether Gwyddion 3 can load the module, and try the module's worker."""
    about, running = module.About.of(host), module.program_version()
    if about is None:
        say(f"{host.folder / module.ABOUT}: cannot be read; run `afmsr plugin install`")
        return False
    if running not in (None, about.gwyddion):
        say(
            f"module: for Gwyddion {about.gwyddion}, and {PROGRAMS[3]} is {running}, which does "
            f"not load it; with the headers of {running} (libgwyddion-dev), {INSTALL}"
        )
        return False
    loading = f"import ctypes, os; ctypes.CDLL({str(host.folder / module.MODULE)!a}, os.RTLD_NOW)"
    # An installation that is up to date is not compiled again.
    anew = "run `afmsr plugin uninstall`, then `afmsr plugin install`"
    tried = programs.run([sys.executable, "-I", "-c", loading], _LIMIT, anew)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or [f"status {tried.returncode}"])[-1]
        say(f"module: does not load ({why}); {anew}")
        return False
    say(f"module: for Gwyddion {about.gwyddion}{'' if running else ', which is not on PATH'}")
    well = _worker_upscales(about.worker, say)
    if well:
        say(f"Gwyddion shows: {plugin_files.MODULE.shown}")
    return well


def _worker_upscales(command: Sequence[str], say: Say) -> bool:
    field, choices = _test_field(), settings.Choices(warm_minutes=0.0)
    with tempfile.TemporaryDirectory(prefix="afmsr-") as name:
        try:
            result = headless(command, Path(name), field, choices).field
        except AfmsrError as error:
            say(f"test field: {error}")
            return False
    return _told_of(field, result, choices.method, say)


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
    field = _test_field()
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
    return _told_of(field, result, method, say)


def _test_field() -> RawField:
    values = array.array("d", (1e-9 * math.sin(k / 7) for k in range(_SIDE * _SIDE)))
    if sys.byteorder == "big":
        values.byteswap()
    return RawField(_SIDE, _SIDE, 1e-6, 1e-6, "m", "m", values.tobytes())


def _told_of(field: RawField, result: RawField, method: str, say: Say) -> bool:
    grid = f"{_SIDE} x {_SIDE} px to {result.xres} x {result.yres} px"
    # The rows: along the lines, a scale for line scans adds nothing.
    good = result.xreal == field.xreal and result.yres > _SIDE
    say(f"test field: {grid} with {method}{'' if good else ', which is wrong; report it'}")
    return good
