"""Ctrl+F: the shortest way through a worker that is in memory already.

Without a dialog there is nothing to ask, so the worker does all of it: it reads Gwyddion's file,
upscales with the settings of last time and puts the result in its place. What is left for the
process that Gwyddion starts is one line to the worker and one from it, and most of its time is
Python's own start. So this is run before Python looks for packages (``-S``), and nothing is
imported that takes time. Where anything is not as it should be, :mod:`gwyddion_plugin.proxy`
does the work.
"""

from __future__ import annotations

import os
import sys

from gwyddion_plugin.worker import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterator

__all__ = ["DONE", "ask", "main"]

DONE = b'{"type": "result"'
"""How the answer begins if the file holds the result."""
_MODES = ("noninteractive", "immediate", "with_defaults")  # exchange.menu is an import more
_FAILED, _READY = b'{"type": "error"', b'{"type": "ready", "protocol": 1,'
_SILENCE = 10.0  # seconds; a worker that works says so ten times a second


def ask(arguments: list[str]) -> bytes | None:
    """Have the warm worker answer Gwyddion's call.

    Parameters
    ----------
    arguments : list of str
        Of the call.

    Returns
    -------
    bytes or None
        What it answered, which is a result if it begins with `DONE`; None if the call is not one
        for it, or there is no worker that has time.
    """
    if len(arguments) != 3 or arguments[0] != "run":
        return None
    _, mode, file = arguments
    if mode not in _MODES:
        return None
    if not (os.path.isabs(file) and file.isascii() and file.isprintable()):
        return None
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    request = f'{{"type": "repeat", "id": 1, "file": "{escaped}"}}\n'
    try:
        found = address.Address.read(address.file())
        connection = found.connect()
    except (OSError, ValueError):
        return None
    try:
        return _answer(connection, found, request.encode("ascii"))
    except OSError:
        return None
    finally:
        connection.close()


def _answer(connection: socket, found: address.Address, request: bytes) -> bytes | None:
    connection.sendall(found.hello)
    lines = _lines(connection)
    if not next(lines, b"").startswith(_READY):
        return None
    connection.settimeout(_SILENCE)
    connection.sendall(request)
    try:
        for line in lines:
            if line.startswith((DONE, _FAILED)):
                return line
    except TimeoutError:
        os.kill(found.pid, 9)  # or it might touch the file when nobody expects it any more
    return None


def _lines(connection: socket) -> Iterator[bytes]:
    rest = b""
    while chunk := connection.recv(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def main() -> int:
    """Answer Gwyddion's call, in the shortest way or in the usual one."""
    answer = ask(sys.argv[1:])
    if answer is not None and answer.startswith(DONE):
        return 0
    from gwyddion_plugin import proxy

    return proxy.main(answer=answer)
