"""The plug-in process that Gwyddion 2 starts: ``register``, or ``run MODE FILE``.

It never loads numpy: it reads the file, shows the dialog, and asks the worker. FILE is touched
only when the result is complete. Exit status 0 means that FILE holds a result; anything else
makes Gwyddion change nothing, which is how both failure and cancel end.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from afmsr_core.errors import AfmsrError, Cancelled
from gwyddion_plugin.exchange import dump, error_log, menu, settings
from gwyddion_plugin.worker import protocol
from gwyddion_plugin.worker.client import raise_error, worker_command
from gwyddion_plugin.worker.upscaling import Outcome, headless

__all__ = ["main"]

_USAGE = """\
afmsr: Gwyddion 2 calls this program as `register` or `run MODE FILE`; you find it in the menu
Data Process > Plug-Ins. From a shell use `afmsr upscale`.
"""


def main(
    argv: Sequence[str] | None = None,
    paths: Sequence[str] | None = None,
    answer: bytes | None = None,
) -> int:
    """Answer Gwyddion's call.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.
    paths : sequence of str, optional
        Folders of packages that an isolated interpreter does not know, for the worker; the
        installer found them. By default those of this process.
    answer : bytes, optional
        What went wrong where :mod:`gwyddion_plugin.repeat` tried, to be told to the user.

    Returns
    -------
    int
        Exit status.
    """
    if sys.stdout is None or sys.stderr is None:  # a program without a console on Windows
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["register"]:
        sys.stdout.write(menu.REGISTRATION)
        return 0
    if len(arguments) != 3 or arguments[0] != "run" or arguments[1] not in menu.MODES:
        sys.stderr.write(_USAGE)
        return 2
    _, mode, file = arguments
    signal.signal(signal.SIGTERM, _unwind)
    return _run(Path(file), mode in menu.INTERACTIVE, worker_command(_own(paths)), answer)


def _own(paths: Sequence[str] | None) -> Sequence[str]:
    """Return the folders that this process looks in besides those of an isolated one."""
    if paths is not None:
        return paths
    import site

    return [path for path in sys.path if path and path == site.getusersitepackages()]


def _unwind(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # through every `with`, so that nothing is left behind


def _run(file: Path, interactive: bool, command: Sequence[str], answer: bytes | None) -> int:
    choices = settings.load()
    window: Any = None
    try:
        if answer is not None:
            raise_error(protocol.decode(answer))
        if interactive:
            window = _window()
        field = dump.read(file)
        with tempfile.TemporaryDirectory(prefix="afmsr-", ignore_cleanup_errors=True) as name:
            if window is None:
                outcome = headless(command, Path(name), field, choices)
            else:
                from gwyddion_plugin.window import interactive_run

                outcome = interactive_run.perform(window, command, Path(name), field, choices)
        dump.overwrite(file, outcome.field)
    except (Cancelled, KeyboardInterrupt):
        return Cancelled.exit_status
    except Exception as error:  # Gwyddion would show nothing at all
        log = error_log.write_log(error, f"{' '.join(sys.argv)}\n{choices}\nworker: {command}")
        error_log.report(error, log)
        if window is not None:
            from gwyddion_plugin.window import widgets

            widgets.show_error(window, error, log)
        return error.exit_status if isinstance(error, AfmsrError) else 1
    _open_full(outcome)
    return 0


def _window() -> Any:
    """Return the root window, or None where there can be none; then the run goes without."""
    try:
        from gwyddion_plugin.window import widgets
    except ImportError as error:
        cure = "Debian, Ubuntu: apt-get install python3-tk; then run `afmsr plugin install` again"
        sys.stderr.write(
            f"afmsr: no dialog, since {sys.executable} has no tkinter ({error}); running with the "
            f"settings of last time. {cure}\n"
        )
        return None
    import tkinter

    try:
        return widgets.open_root()
    except tkinter.TclError as error:
        sys.stderr.write(
            f"afmsr: running without a dialog, with the settings of last time ({error}); check "
            f"DISPLAY\n"
        )
        return None


def _open_full(outcome: Outcome) -> None:
    if outcome.saved is not None:
        from gwyddion_plugin.exchange import remote_control

        remote_control.open_file(outcome.saved)


if __name__ == "__main__":
    sys.exit(main())
