"""One conversation of the worker with a client, from ``ready`` to the end of the input."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, NoReturn

from afmsr_core import __version__
from afmsr_core.errors import AfmsrError, Cancelled
from gwyddion_plugin.exchange import settings
from gwyddion_plugin.worker import address, protocol, request_values
from gwyddion_plugin.worker.dialog_words import in_dialog

__all__ = ["Conversation"]

MOST_WAITING = 16  # requests; an honest client sends one at a time
BEAT = 0.1  # seconds between two messages of progress
CANCEL_GRACE = 0.5  # seconds that a computation has to stop by itself
MOSTLY = 0.9  # fraction that is shown when the estimated time is over, but not the work
_LONG = ("upscale", "repeat")  # requests whose progress is told
_PREVIEWS = (
    *("before.ppm", "after.ppm", "difference.ppm", "overview.ppm"),
    *("heights-bar.ppm", "difference-bar.ppm"),
    *protocol.PREVIEW_FIELDS.values(),
    protocol.PREVIEW_MASK,
)


class _Running:
    """A request that is being worked on: how far it is, whether it is still wanted."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.request = request
        self.number = request.get("id")
        self.expected = 0.0  # seconds
        self._began = time.monotonic()
        self._limit = request_values.seconds(request, "time_limit")
        self.keep = request_values.seconds(request, "keep")
        self._cancelled_at: float | None = None
        self._reported = 0.0
        self._lock = threading.Lock()
        self.answered = False

    def cancel(self) -> None:
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()

    def progress(self, fraction: float) -> None:
        """Take the fraction done; raise if nobody wants the rest."""
        self._reported = max(self._reported, fraction)
        if self._cancelled_at is not None:
            raise Cancelled("cancelled")

    @property
    def fraction(self) -> float:
        """Fraction done: what was reported, or what the clock says where that is more."""
        share = (time.monotonic() - self._began) / self.expected if self.expected else 0.0
        by_clock = MOSTLY * share if share < 1 else MOSTLY + (1 - MOSTLY) * 0.9 * (1 - 1 / share)
        return max(self._reported, by_clock)

    @property
    def late(self) -> bool:
        return bool(self._limit) and time.monotonic() - self._began > self._limit

    @property
    def deaf(self) -> bool:
        """Whether it was cancelled and did not listen."""
        at = self._cancelled_at
        return at is not None and time.monotonic() - at > CANCEL_GRACE

    def answer(self) -> bool:
        """Tell whether the caller is the first who answers; the answer is then its to give."""
        with self._lock:
            first, self.answered = not self.answered, True
        return first

    def too_late(self) -> dict[str, Any]:
        return {
            "type": "error",
            "kind": "TimeLimitError",
            "message": f"given up after {self._limit:g} s; take a faster method such as bicubic, "
            f"crop the scan, or raise the time limit in the settings",
            "detail": "",
            "exit_status": 1,
        }


class Conversation:
    """Reads requests, does them one by one, and answers.

    Parameters
    ----------
    reader, writer : binary files
        From and to the client. The writer is unbuffered.
    warm : bool
        Whether this process has worked before.
    last_words : callable
        Called before the process ends without unwinding: when a computation has to be broken
        off, there is no other way.
    """

    def __init__(
        self,
        reader: IO[bytes] | RawIOBase,
        writer: IO[bytes] | RawIOBase,
        warm: bool = False,
        last_words: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader, self._writer, self._warm = reader, writer, warm
        self._last_words = last_words
        self._requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._running: _Running | None = None
        self._gone = threading.Event()
        self._speaking = threading.Lock()
        self.keep: float | None = None
        self.stopped = False

    def serve(self) -> None:
        """Do all requests until the input ends.

        `keep` is then what the last successful ``upscale`` asked for, None if there was none.
        """
        ready = {"type": "ready", "protocol": protocol.VERSION, "afmsr": __version__}
        ready["address"] = address.file()
        self._say(ready | {"pid": os.getpid(), "warm": self._warm})
        threading.Thread(target=self._listen, daemon=True).start()
        while (request := self._requests.get()) is not None:
            if not self._gone.is_set():
                self._do(request)

    # --- hearing ---------------------------------------------------------------------------

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while line := self._reader.readline(protocol.LONGEST_LINE):
                try:
                    message = protocol.decode(self._whole(line))
                except protocol.ProtocolError as error:
                    self._say(_error(error) | {"id": None})
                    continue
                if message["type"] in ("quit", "stop"):
                    self.stopped = message["type"] == "stop"
                    break
                if message["type"] != "cancel":
                    self._accept(message)
                elif running := self._running:
                    running.cancel()
        self._gone.set()
        if running := self._running:
            running.cancel()  # the watch ends the process if that does not help
        self._requests.put(None)

    def _whole(self, line: bytes) -> bytes:
        """Return a line that is none too long; pass over the rest of one that is."""
        if len(line) < protocol.LONGEST_LINE or line.endswith(b"\n"):
            return line
        while rest := self._reader.readline(protocol.LONGEST_LINE):
            if rest.endswith(b"\n"):
                break
        raise protocol.ProtocolError(
            f"worker protocol: a line has more than {protocol.LONGEST_LINE} bytes; send one "
            f"message a line (see gwyddion_plugin.worker.protocol)"
        )

    def _accept(self, message: dict[str, Any]) -> None:
        """Put a request at the end of the queue, unless that is too long."""
        if self._requests.qsize() < MOST_WAITING:
            self._requests.put(message)
            return
        error = protocol.ProtocolError(
            f"worker protocol: {MOST_WAITING} requests wait already; send one at a time"
        )
        self._say(_error(error) | {"id": message.get("id")})

    # --- working ---------------------------------------------------------------------------

    def _do(self, request: dict[str, Any]) -> None:
        if request["type"] == "repeat":
            request = settings.load().request(masked=True) | request
        try:
            running = _Running(request)
        except protocol.ProtocolError as error:
            self._say(_error(error) | {"id": request.get("id")})
            return
        self._running = running
        threading.Thread(target=self._watch, args=(running,), daemon=True).start()
        answer = self._work(running)
        self._running = None
        if running.answer():
            if self._gone.is_set():
                _remove_files(request)
            elif answer["type"] == "result":
                self.keep = running.keep
            self._say(answer | {"id": running.number})

    def _work(self, running: _Running) -> dict[str, Any]:
        request = running.request
        try:
            from gwyddion_plugin.worker import answers

            work = answers.ANSWERS.get(request["type"])
            if work is None:
                raise protocol.ProtocolError(
                    f"worker protocol: no request is called {request['type']!r}; there are "
                    f"{', '.join(answers.ANSWERS)}, cancel and quit"
                )
            running.expected = answers.expected(request)
            answer = work(request, running.progress)
            running.progress(1.0)
        except Cancelled:
            return {"type": "cancelled"}
        except AfmsrError as error:
            return _error(error)
        except ImportError as error:
            cure = f"{error}; install afmsr again, see `afmsr doctor`"
            return _error(protocol.WorkerError(cure), traceback.format_exc())
        except MemoryError as error:
            less = "not enough memory; crop the scan, or close other programs"
            return _error(protocol.WorkerError(less), repr(error))
        except Exception as error:  # a border between processes: everything must be told
            told = f"{type(error).__name__}: {error}; please report this with the log"
            return _error(protocol.WorkerError(told), traceback.format_exc())
        return answer

    def _watch(self, running: _Running) -> None:
        """Report how far a request is, and end the process if it does not stop when it must."""
        while not running.answered:
            time.sleep(BEAT)
            if running.late and running.answer():
                self._say(running.too_late() | {"id": running.number})
                self._break_off(running)
            if running.deaf and running.answer():
                self._say({"type": "cancelled", "id": running.number})
                self._break_off(running)
            if not running.answered and running.request["type"] in _LONG:
                fraction = round(running.fraction, 4)
                self._say({"type": "progress", "id": running.number, "fraction": fraction}, running)

    def _break_off(self, running: _Running) -> NoReturn:
        if self._gone.is_set():
            _remove_files(running.request)
        self._last_words()
        os._exit(1)

    # --- speaking --------------------------------------------------------------------------

    def _say(self, message: Mapping[str, Any], unless_answered: _Running | None = None) -> None:
        with self._speaking:
            if unless_answered and unless_answered.answered:
                return
            # A client that is gone is noticed where its messages are read.
            with contextlib.suppress(OSError):
                self._writer.write(protocol.encode(message))
                self._writer.flush()


def _error(error: AfmsrError, detail: str = "") -> dict[str, Any]:
    return {
        "type": "error",
        "kind": type(error).__name__,
        "message": in_dialog(str(error)),
        "detail": detail,
        "exit_status": error.exit_status,
    }


def _remove_files(request: Mapping[str, Any]) -> None:
    """Remove the files of a request whose client is gone, and the folder if it is then empty."""
    folder, field, retrace = (request.get(key) for key in ("folder", "field", "retrace"))
    if not isinstance(folder, str) or not isinstance(field, dict):
        return
    if "\0" in folder or not address.private(folder):
        return
    names = [field.get("data"), field.get("mask"), protocol.RESULT, protocol.RESULT_MASK]
    if isinstance(retrace, dict):
        names.append(retrace.get("data"))
    extras = (name for pair in protocol.EXTRAS for name in pair)
    for name in (*names, *extras, *_PREVIEWS):
        with contextlib.suppress(OSError, AfmsrError):
            Path(folder, protocol.file_name(name)).unlink()
    with contextlib.suppress(OSError):
        Path(folder).rmdir()
