"""The process that does the arithmetic: ``python -I -m gwyddion_plugin.worker``.

It speaks :mod:`gwyddion_plugin.worker.protocol` on stdin and stdout. ``--cold`` keeps it from
passing the work on to a worker that is in memory already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from afmsr_core.starting import start
from gwyddion_plugin.worker import resident
from gwyddion_plugin.worker.conversation import Conversation

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the client at stdin and stdout, then maybe others.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.
    """
    arguments = sys.argv[1:] if argv is None else argv
    start()
    # From 1.29 on, ONNX Runtime writes to the user's cache folder and tells its makers what is
    # run, unless it is told not to before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    reader, writer = _private_streams()
    if "--cold" not in arguments and resident.relay(reader, writer):
        return 0
    made_of = resident.code()
    conversation = Conversation(reader, writer)
    conversation.serve()
    reader.close()
    writer.close()
    if conversation.keep:
        _detach()
        resident.serve(conversation.keep, made_of)
    return 0


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return stdin and stdout, out of reach of libraries that print."""
    # A desktop may start programs with closed streams, whose numbers no file of ours must get.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    reader = os.fdopen(os.dup(0), "rb", buffering=0)
    writer = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return reader, writer


def _detach() -> None:
    """Let go of everything that belongs to the client."""
    with Path(os.devnull).open("wb") as nothing:
        for number in (1, 2):
            os.dup2(nothing.fileno(), number)
    os.chdir(os.sep)


if __name__ == "__main__":
    sys.exit(main())
