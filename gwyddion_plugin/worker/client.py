"""The plug-in's side of the conversation with the worker."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO, Any

from gwyddion_plugin.worker import protocol

__all__ = ["Client", "raise_error", "worker_command"]

ENDED = "ended"
"""Type of the message that `Client.poll` makes up when the worker is gone."""
_LAST_LINES = 2000  # characters of the worker's stderr that a message shows
_FAREWELL = 1.0  # seconds for a worker to take its leave before it is killed


def worker_command(paths: Sequence[str] = ()) -> list[str]:
    """Return the command that starts a worker with this interpreter.

    Parameters
    ----------
    paths : sequence of str
        Folders to look for packages in that an isolated interpreter does not know, such as those
        of ``pip install --user``.
    """
    if not paths:
        return [sys.executable, "-I", "-m", "gwyddion_plugin.worker"]
    start = (
        f"import sys; sys.path[1:1] = {list(paths)!a}; "
        f"from gwyddion_plugin.worker.__main__ import main; sys.exit(main())"
    )
    return [sys.executable, "-I", "-c", start]


class Client:
    """A worker, and what it says.

    Parameters
    ----------
    command : sequence of str
        Starts the worker.

    Raises
    ------
    WorkerError
        If it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        self._errors: IO[bytes] = tempfile.TemporaryFile(prefix="afmsr-")  # noqa: SIM115
        no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                cwd=os.sep,
                start_new_session=True,
                creationflags=no_window,
            )
        except OSError as error:
            raise protocol.WorkerError(
                f"the worker cannot be started: {command[0]}: {error.strerror}; "
                f"run `afmsr plugin install` again"
            ) from error
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._number = 0
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process that was started."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is not None:
            with contextlib.suppress(OSError, ValueError, protocol.ProtocolError):
                for line in stdout:
                    self._messages.put(protocol.decode(line))
        self._messages.put({"type": ENDED})

    def request(self, kind: str, **content: Any) -> int:
        """Send a request and return its number; that the worker is gone, `poll` tells."""
        self._number += 1
        self._send({"type": kind, "id": self._number, **content})
        return self._number

    def cancel(self) -> None:
        """Ask the worker to stop what it does."""
        self._send({"type": "cancel"})

    def _send(self, message: dict[str, Any]) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(protocol.encode(message))
                self._process.stdin.flush()

    def settle(self, number: int | None, seconds: float) -> bool:
        """Cancel a request that may be running, and tell whether the worker is free for others.

        Parameters
        ----------
        number : int or None
            Number of the request; None if none is running.
        seconds : float
            How long to wait for its end.
        """
        if number is None:
            return self.alive
        self.cancel()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = self.poll(left)
            if message and message["type"] == ENDED:
                return False
            # A `cancelled` may be the last word of a worker that could not stop otherwise.
            if message and message.get("id") == number and message["type"] != "progress":
                return message["type"] != "cancelled" or not self._ended(left=0.3)
        return False

    def _ended(self, left: float) -> bool:
        message = self.poll(left)
        return message is not None and message["type"] == ENDED

    def poll(self, seconds: float | None = 0.0) -> dict[str, Any] | None:
        """Return the next message, None if there is none after some seconds.

        Once the worker is gone, the message is ``{"type": "ended"}``.
        """
        try:
            return self._messages.get(seconds != 0.0, seconds)
        except queue.Empty:
            return None

    def last_words(self) -> str:
        """Return the end of what the worker wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()[-_LAST_LINES:]

    def died(self) -> protocol.WorkerError:
        """Return the error that says how the worker ended without an answer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        status = self._process.returncode
        how = f"signal {-status}" if status and status < 0 else f"status {status}"
        words = self.last_words()
        told = f": {words.splitlines()[-1]}" if words else ""
        cure = "crop the scan if memory was short; else run `afmsr plugin check`"
        return protocol.WorkerError(f"the worker ended without a result ({how}){told}; {cure}")

    def close(self) -> None:
        """Take leave; a worker that is idle may stay in memory if a request allowed it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is self._process.stdin and pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._errors.close()

    def kill(self) -> None:
        """End the worker at once."""
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        self.close()


def raise_error(message: dict[str, Any]) -> None:
    """Raise what an ``error`` message tells, with the class that it names where we have that."""
    from afmsr_core import errors

    kind = getattr(errors, str(message.get("kind")), None)
    kind = kind or getattr(protocol, str(message.get("kind")), protocol.WorkerError)
    if not (isinstance(kind, type) and issubclass(kind, errors.AfmsrError)):
        kind = protocol.WorkerError
    error = kind(str(message.get("message")))
    if message.get("detail"):
        error.add_note(str(message["detail"])) if hasattr(error, "add_note") else None
    raise error
