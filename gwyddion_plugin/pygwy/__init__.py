"""The menu item in a Gwyddion 2 that has pygwy, which runs Python 2.7 scripts inside Gwyddion.

The script itself, ``afmsr_pygwy.py``, is Python 2.7 and is never imported here: it is a file that
the installer writes into the folder ``pygwy`` of Gwyddion's user folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from afmsr_core.errors import UsageError

__all__ = ["FILE_NAME", "script"]

FILE_NAME = "afmsr_pygwy.py"
"""Name that the script must have: Gwyddion keeps its settings under it."""
_PLACEHOLDER = 'WORKER = ["@AFMSR_WORKER@"]'


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
    text = Path(__file__).with_name(FILE_NAME).read_text(encoding="ascii")
    words = ", ".join(_literal(word, sys.platform == "win32") for word in command)
    return text.replace(_PLACEHOLDER, f"WORKER = [{words}]")


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
