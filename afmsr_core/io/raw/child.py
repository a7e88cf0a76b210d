"""The process in which readers of others run: one for all files of this process.

Some of SurfaceTopography's readers do not come back from a damaged file, and libraries in C take
the process with them when they crash. Both then happen to a process that we can end and start
again. It is started by the first file that needs it and ends with this process, however that
ends: its standard input is closed then.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from afmsr_core.errors import AfmsrError, Cancelled, CorruptFileError, MissingReaderError
from afmsr_core.io.raw import messages
from afmsr_core.io.raw.limits import OTHERWISE, Limit
from afmsr_core.io.raw.messages import Reading
from afmsr_core.leftovers import always

__all__ = ["CHILD", "Child"]

_START = 120.0
"""Seconds until a reader must be loaded: two here, a minute from a cold disk on the network."""

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from afmsr_core.io.raw.inside import main; main(sys.argv[2])"
)

# Threads of linear algebra that no reader needs take address space, which is limited.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


class _EndedIdleError(Exception):
    """The process ended by itself, because it had nothing to do."""


class Child:
    """One process; several threads may use it, one after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._cancelled = False

    def start(self, module: str) -> None:
        """Start it if it does not run, and do not wait until it has loaded a module's reader."""
        with contextlib.suppress(OSError), self._turn:  # whoever reads is told
            self._running(module)

    def read(self, path: Path, module: str, reader: str, limit: Limit) -> Reading:
        """Return what a reader finds.

        Parameters
        ----------
        path : Path
            The file.
        module : str
            Full name of a module; its ``read(path)`` is called in the process.
        reader : str
            Its name for messages.
        limit : Limit
            What it may take.

        Raises
        ------
        CorruptFileError
            If the reader fails, crashes or goes beyond its limit.
        MissingReaderError
            If the process cannot be started, or the reader not be loaded in it.
        Cancelled
            If `end` was called meanwhile.
        AfmsrError
            As the reader itself raises.
        """
        with self._turn:
            self._cancelled = False
            try:
                answer = self._answer(path, module, reader, limit)
            except _EndedIdleError:
                try:
                    answer = self._answer(path, module, reader, limit)
                except _EndedIdleError:
                    answer = MissingReaderError(
                        f"{path.name}: {reader} ends while it is loaded; install it again"
                    )
        if isinstance(answer, AfmsrError):
            raise answer
        return answer

    def end(self) -> None:
        """End it at once; a file that is being read is given up as `Cancelled`."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()
        with self._turn:  # whoever waits for an answer has seen the end and lets go
            self._close()

    def kill(self) -> None:
        """End it because this process ends, without a word to whoever waits for it."""
        if self._process is not None:
            self._process.kill()

    def forget(self) -> None:
        """Leave the process to the one that this was forked from."""
        process, self._process = self._process, None
        self._turn = threading.Lock()
        if process is not None:
            process.returncode = 0  # not ours to wait for
            # Our copies of its pipes would keep it alive. Closing the streams may wait for a thread
            # that did not come along.
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in _pipes(process):
                os.dup2(nowhere, stream.fileno(), inheritable=False)
            os.close(nowhere)

    def _answer(self, path: Path, module: str, reader: str, limit: Limit) -> Reading | AfmsrError:
        request = {
            "path": str(path.absolute()),
            "module": module,
            "reader": reader,
            "seconds": limit.seconds,
            "memory": limit.memory,
        }
        complete = False
        try:
            requests, answers = _pipes(self._running(module))
            with self._within(_START, path, reader, loading=True):
                messages.send(requests, request)
                told = messages.receive(answers)
            if "error" in told:
                complete = True
                return MissingReaderError(f"{path.name}: {reader} {told['error'][1]}")
            with self._within(limit.seconds, path, reader):
                answer = messages.receive_reading(answers, path)
            complete = True
            return answer
        except OSError as error:
            raise MissingReaderError(
                f"{path.name}: no process can be started for {reader} ({error}); close other "
                f"programs"
            ) from error
        finally:
            if not complete:  # the rest of an answer would be taken for that to the next request
                self._close()

    @contextlib.contextmanager
    def _within(
        self, seconds: float, path: Path, reader: str, loading: bool = False
    ) -> Iterator[None]:
        """Kill the process after a time, and say why an answer does not come."""
        struck = over = False
        verdict = threading.Lock()  # so that the clock never kills it during the next file

        def strike() -> None:
            nonlocal struck
            with verdict:
                if not over and self._process is not None:
                    struck = True
                    self._process.kill()

        clock = threading.Timer(seconds, strike)
        clock.daemon = True
        clock.start()
        try:
            yield
        except (EOFError, OSError) as error:
            status = self._close(expected=True)
            if self._cancelled:
                raise Cancelled(f"{path.name}: told to stop") from None
            if loading and status == 0:
                raise _EndedIdleError from error
            how = f"signal {-status}" if status < 0 else f"status {status}"
            if loading:
                how = f"no answer in {seconds:.0f} s" if struck else how
                raise MissingReaderError(
                    f"{path.name}: {reader} cannot be loaded ({how}); install it again"
                ) from error
            how = (
                f"did not finish within {seconds:.0f} s, its limit for a file of this size"
                if struck
                else f"crashed on it ({how})"
            )
            raise CorruptFileError(f"{path.name}: {reader} {how}; {OTHERWISE}") from error
        finally:
            with verdict:
                over = True
            clock.cancel()

    def _running(self, module: str) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._close()
            # Isolated, so that nothing in the working folder is taken for a module.
            paths = json.dumps([str(Path(path).absolute()) for path in sys.path])
            flags = 0
            if sys.platform == "win32":
                flags = subprocess.CREATE_NO_WINDOW
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, paths, module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,  # Ctrl+C is for the command, which ends what it started
                creationflags=flags,
            )
        return self._process

    def _close(self, expected: bool = False) -> int:
        """End the process and return its status; one whose end is `expected` is waited for."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if expected:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
        process.kill()
        for stream in _pipes(process):
            with contextlib.suppress(OSError):
                stream.close()
        return process.wait()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    requests: BinaryIO = process.stdin  # type: ignore[assignment]
    answers: BinaryIO = process.stdout  # type: ignore[assignment]
    return requests, answers


CHILD = Child()
"""That of this process."""

atexit.register(CHILD.end)
always(CHILD.kill)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CHILD.forget)
