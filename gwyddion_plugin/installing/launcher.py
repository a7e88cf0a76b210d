"""How an installed plug-in comes to this interpreter and these packages."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from afmsr_core import __version__
from afmsr_core.errors import MissingExtraError, pip_install
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.installing import programs
from gwyddion_plugin.worker import client

__all__ = ["NO_TK", "Interpreter", "examine"]

NO_TK = (
    "this Python cannot show windows (no tkinter): the menu item will run with the settings of "
    "last time, without a dialog. For the dialog, install afmsr with a Python that has tkinter "
    "(Debian, Ubuntu: apt-get install python3-tk, then a venv of /usr/bin/python3)"
)
"""Said if an interpreter has no `tk`."""

# What the default method imports, and what brings the installer itself.
_PACKAGES = (
    "gwyddion_plugin",
    "afmsr_core",
    "numpy",
    "cv2",
    "onnxruntime",
    "pooch",
)
_TRY = f"import {', '.join(_PACKAGES)}; import gwyddion_plugin.proxy, afmsr_core.upscale"
_LIMIT = 60.0  # seconds for an import; a cold network disk may need many


@dataclass(frozen=True)
class Interpreter:
    """The interpreter that plug-ins start.

    Parameters
    ----------
    python : str
        Absolute path.
    paths : tuple of str
        Folders that an isolated interpreter (``-I``) must be told of; none as a rule.
    tk : bool
        Whether it can show windows.
    """

    python: str
    paths: tuple[str, ...]
    tk: bool

    @property
    def worker(self) -> list[str]:
        """Command that starts the worker."""
        return client.worker_command(self.paths)

    def start_script(self) -> str:
        """Return the script that the launcher runs: it finds the package or says what is wrong."""
        return _START.format(
            version=__version__,
            paths=ascii(list(self.paths)),
            packages=ascii(str(Path(__file__).parents[2])),
            cure=ascii(
                f"afmsr is no longer installed for {self.python}. Install it again "
                f"({self.python} -m {pip_install()}) and run: {self.python} -m "
                f"gwyddion_plugin.installing"
            ),
            title=ascii(menu.TITLE),
        )

    def shell_script(self) -> str:
        """Return the executable for Unix."""
        gone = (
            f"afmsr: {self.python} is gone, the Python that this plug-in was installed with. "
            f"Install afmsr again, then run: afmsr plugin install"
        )
        return _SHELL.format(
            version=__version__, python=shlex.quote(self.python), gone=shlex.quote(gone)
        )


_SHELL = """\
#!/bin/sh
# Written by afmsr {version}; `afmsr plugin uninstall` removes it.
python={python}
if [ ! -x "$python" ]; then
    message={gone}
    echo "$message" >&2
    # Gwyddion shows no message of a plug-in; say it in a window if the user is looking.
    case "${{2-}}" in modal | interactive)
        for show in 'zenity --error --text' 'kdialog --error' 'xmessage'; do
            if command -v "${{show%% *}}" >/dev/null 2>&1; then
                $show "$message" >/dev/null 2>&1
                break
            fi
        done ;;
    esac
    exit 127
fi
exec "$python" -IS "${{0%/*}}/start.py" "$@"
"""

_START = """\
# Written by afmsr {version}; `afmsr plugin uninstall` removes it.
import sys

PATHS, PACKAGES = {paths}, {packages}
answer = None
sys.path.append(PACKAGES)
try:
    from gwyddion_plugin import repeat

    answer = repeat.ask(sys.argv[1:])
    if answer is not None and answer.startswith(repeat.DONE):
        sys.exit(0)
except ImportError:
    pass
sys.path.remove(PACKAGES)
import site

site.main()
sys.path[1:1] = PATHS
try:
    from gwyddion_plugin.proxy import main
except ImportError as error:
    message = "%s\\n\\n(%s)" % ({cure}, error)
    sys.stderr.write("afmsr: " + message + "\\n")
    if sys.argv[2:3] and sys.argv[2] in ("modal", "interactive"):
        try:
            import tkinter
            import tkinter.messagebox

            tkinter.Tk().withdraw()
            tkinter.messagebox.showerror({title}, message)
        except Exception:
            pass
    sys.exit(1)
sys.exit(main(paths=PATHS, answer=answer))
"""


def examine() -> Interpreter:
    """Find out how this interpreter has to be started so that the packages import.

    Raises
    ------
    MissingExtraError
        If a package of the base install is missing, or the interpreter does not answer.
    """
    tk = _run("import tkinter").returncode == 0
    if _run(_TRY).returncode == 0:
        return Interpreter(sys.executable, (), tk)
    known = set(_run("import sys; print(*sys.path, sep='\\n')").stdout.splitlines())
    paths: list[str] = []
    for package in _PACKAGES:
        place = _place(package)
        if place not in known and place not in paths:
            paths.append(place)
    tried = _run(f"import sys; sys.path[1:1] = {paths!a}; {_TRY}")
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingExtraError(
            f"{sys.executable} cannot import afmsr when it is started on its own ({why}); "
            f"install it with: {sys.executable} -m {pip_install()}"
        )
    return Interpreter(sys.executable, tuple(paths), tk)


def _place(package: str) -> str:
    """Return the folder that a package is imported from."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"{package} is not installed for {sys.executable}; run "
            f"{sys.executable} -m {pip_install()} (in a checkout: -m pip install .)"
        )
    file = Path(spec.origin)
    return str(file.parent.parent if file.name == "__init__.py" else file.parent)


def _run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code as plug-ins will: isolated, and from a folder that is not the checkout."""
    return programs.run(
        [sys.executable, "-I", "-c", code],
        _LIMIT,
        "a slow disk or a busy machine may be why; try again",
        folder=Path(sys.executable).parent,
        variables={"ORT_DISABLE_TELEMETRY": "1"},  # or it writes to the home folder
    )
