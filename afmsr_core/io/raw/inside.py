"""What runs in the process of foreign readers; `afmsr_core.io.raw.child` is its other end.

Readers print, log, hang and crash as they like: their output goes nowhere, the process ends with
the one that started it, and a clock of the system ends it where Python does not get a turn.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, BinaryIO

from afmsr_core.errors import AfmsrError, CorruptFileError, MissingReaderError
from afmsr_core.io.channels import Channels, unreadable
from afmsr_core.io.raw import messages
from afmsr_core.io.raw.limits import OTHERWISE
from afmsr_core.io.raw.messages import Reading

__all__ = ["main"]

_IDLE = 300.0
"""Seconds without a request after which the process ends; the next one starts another."""

_GRACE = 5.0
"""Seconds that the other end has to end us, before the system does."""

_SELDOM_USED = ("openpyxl", "pandas", "requests")
"""What SurfaceTopography loads for few of its formats: a sixth of the time that loading takes."""


def main(preload: str) -> None:
    """Answer requests on standard input until it is closed.

    Parameters
    ----------
    preload : str
        Module whose reader is loaded before there is a request.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    answers = _without_output()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    sys.meta_path.insert(0, _Later(_SELDOM_USED))
    with contextlib.suppress(Exception):  # whoever asks for this reader will be told
        _loaded(preload)
    try:
        while True:
            _answer(json.loads(requests.get(timeout=_IDLE)), answers)
    except queue.Empty:
        os._exit(0)
    finally:
        os._exit(1)  # a reader may leave Python itself; the thread that listens would not


def _without_output() -> BinaryIO:
    """Return where answers go; whatever else is printed, in Python or in C, goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    return answers


def _listen(requests: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on; when there will be no more, end, whatever the reader is at."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    path, reader = Path(request["path"]), request["reader"]
    try:
        module = _loaded(request["module"])
    except Exception as error:
        fault = MissingReaderError(f"cannot be loaded ({_short(error)}); install it again")
        messages.send_error(answers, fault)
        return
    messages.send(answers, {})
    try:
        with _held_to(request["seconds"], request["memory"]):
            found = module.read(path)
    except AfmsrError as error:
        messages.send_error(answers, error)
    except MemoryError:
        limit = f"{request['memory'] / 1e9:.1f} GB of memory, its limit for a file of this size"
        told = f"{path.name}: {reader} needs more than {limit}; {OTHERWISE}"
        messages.send_error(answers, CorruptFileError(told))
    except Exception as error:  # of a parser that trusts the file
        told = f"{path.name}: {reader} fails on it ({_short(error)}); {OTHERWISE}"
        messages.send_error(answers, CorruptFileError(told))
    else:
        if not isinstance(found, Reading):  # a reader of ours has no version of its own
            found = Reading(Channels(found, unreadable(found)), "", "")
        messages.send_reading(answers, found)


def _loaded(name: str) -> Any:
    module = importlib.import_module(name)
    if prepare := getattr(module, "prepare", None):
        prepare()
    return module


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


@contextlib.contextmanager
def _held_to(seconds: float, memory: int) -> Iterator[None]:
    """Let the system refuse more memory, and end the process if nobody else does in time."""
    if sys.platform == "win32":
        yield
        return
    import resource

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    before = resource.getrlimit(resource.RLIMIT_AS)
    if taken := _memory_taken():
        most = taken + memory if before[1] == resource.RLIM_INFINITY else before[1]
        resource.setrlimit(resource.RLIMIT_AS, (min(most, taken + memory), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _memory_taken() -> int:
    """Return the bytes of address space that this process has; 0 if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class _Later(importlib.abc.MetaPathFinder):
    """Puts off loading some packages until something in them is asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = set(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the usual spec with a loader that waits."""
        if fullname not in self.names:
            return None
        self.names.remove(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec
