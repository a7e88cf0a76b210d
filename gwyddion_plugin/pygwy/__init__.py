"""The menu item in a Gwyddion 2 that has pygwy, which runs Python 2.7 scripts inside Gwyddion.

pygwy takes a script that is one file. It is assembled from the modules in the folder ``script``
whenever the installer writes it into the folder ``pygwy`` of Gwyddion's user folder, so there is
no file that could be out of date. The modules are Python 2.7 and are never imported here.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from afmsr_core.errors import UsageError

__all__ = ["FILE_NAME", "MODULES", "assembled", "script"]

FILE_NAME = "afmsr_pygwy.py"
"""Name that the script must have: Gwyddion keeps its settings under it."""
FOLDER = Path(__file__).with_name("script")
MODULES = (
    "registration",
    "failures",
    "system",
    "choices",
    "messages",
    "fields",
    "channels",
    "worker",
    "dialog",
    "run",
)
"""Modules of the script; each imports only from those before it."""
_PLACEHOLDER = 'WORKER = ["@AFMSR_WORKER@"]'
_HEAD = """\
# AFM super-resolution in Gwyddion 2: the script that pygwy runs in Gwyddion's own Python 2.7.
#
# Written by `afmsr plugin install`: edit the modules in gwyddion_plugin/pygwy/script instead, each
# of which is here line by line. What the host forces on them:
# - Gwyddion compiles this text with "import gwy" put before it, so no import from __future__, and
#   ASCII only. __file__ is a bare name: nothing is found from it.
# - Whatever is printed opens a window of errors. numpy may be missing.
"""
_BEFORE = 2  # lines that Gwyddion puts before the script, and counts in its messages


def script(command: Sequence[str]) -> str:
    r"""Return the script, with the command that starts the worker in it.

    Parameters
    ----------
    command : sequence of str
        Absolute path of a Python 3 interpreter and its arguments, as
        :func:`gwyddion_plugin.worker.client.worker_command` gives them. Any path that this system
        knows will do: spaces, quotes and characters outside ASCII are escaped.

    Returns
    -------
    str
        Text in ASCII, for a file `FILE_NAME` in Gwyddion's folder ``pygwy``.

    Raises
    ------
    UsageError
        If there is no command.

    Examples
    --------
    >>> lines = script(["/usr/local/my env/bin/python", "-I", "-m", "gwyddion_plugin.worker"])
    >>> [line for line in lines.splitlines() if line.startswith("WORKER")][0].split("  #")[0]
    "WORKER = ['/usr/local/my env/bin/python', '-I', '-m', 'gwyddion_plugin.worker']"
    """
    if not command:
        raise UsageError("pygwy script: no command for the worker; name an interpreter")
    words = ", ".join(_literal(word, sys.platform == "win32") for word in command)
    return assembled().replace(_PLACEHOLDER, f"WORKER = [{words}]")


def assembled() -> str:
    """Return the modules as one file, in which all share one namespace.

    Every line of a module is one line of it, so that a line of a traceback can be found: what is
    above a module says where it begins. Imports from each other become comments.
    """
    text = _HEAD
    for name in MODULES:
        first = text.count("\n") + 4
        text += (
            f"\n\n# --- script/{name}.py: its line 1 is line {first} here, and {first + _BEFORE} "
            f"in what Gwyddion says ---\n{_alone(FOLDER / f'{name}.py')}"
        )
    return text


def _alone(path: Path) -> str:
    """Return the text of a module without its imports from the others."""
    source = path.read_text(encoding="ascii")
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source, str(path)).body:  # it is valid in both Pythons
        if isinstance(node, ast.ImportFrom) and node.level:
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = f"# {lines[number]}"
    return "".join(lines)


def _literal(text: str, windows: bool) -> str:
    r"""Return a literal of Python 2 for a word of a command: characters on Windows, else bytes.

    Examples
    --------
    >>> print(_literal("plain", False), _literal("Mess\u00b5ng", True), _literal("\u00b5", False))
    'plain' u'Mess\xb5ng' '\xc2\xb5'
    """
    if text.isascii():
        return ascii(text)
    return "u" + ascii(text) if windows else repr(os.fsencode(text))[1:]
