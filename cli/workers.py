"""Several processes that end with the command, however it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from typing import Any

from afmsr_core.errors import AfmsrError, Cancelled

__all__ = ["in_processes"]

AHEAD = 8  # jobs a process, so that none waits for a slow one whose turn to be told it is


def in_processes(
    jobs: Sequence[Any],
    work: Callable[[Any], Any],
    workers: int,
    start: Callable[[Any], None],
    settings: Any,
) -> Iterator[Any]:
    """Yield ``work(job)`` of every job, in order.

    Parameters
    ----------
    jobs : sequence
        Each is sent to a process.
    work : callable
        Can be sent to a process too.
    workers : int
        Number of processes.
    start : callable
        Called once in every process, with `settings`.
    settings : object
        See `start`.

    Raises
    ------
    AfmsrError
        If a process died, which is what systems do to one that takes too much memory.

    Notes
    -----
    ``AHEAD * workers`` jobs are in flight, however many there are.

    When the consumer stops early or is interrupted, the processes are told to stop. They finish
    the step they are at, remove what is half written, and end. They do so too when this process
    dies.
    """
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),  # threads of the engines do not survive a fork
        initializer=_prepare,
        initargs=(start, settings),
    )
    todo, going = iter(jobs), deque[Future[Any]]()
    try:
        while True:
            with _no_interrupts():
                for job in islice(todo, AHEAD * workers - len(going)):
                    going.append(pool.submit(partial(_do, work), job))
            if not going:
                break
            yield going.popleft().result()
    except BrokenProcessPool as error:
        raise AfmsrError(
            "a worker process died, perhaps for lack of memory; files that are done are complete. "
            "Try fewer --jobs, or a smaller --tile"
        ) from error
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown()


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold Ctrl+C back; a process that is started meanwhile never sees it, its parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_busy = False


def _prepare(start: Callable[[Any], None], settings: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    start(settings)


def _stop(signum: int, frame: object) -> None:
    if not _busy:
        os._exit(Cancelled.exit_status)
    raise Cancelled("told to stop")  # what is half written is removed on the way out


def _do(work: Callable[[Any], Any], job: Any) -> Any:
    global _busy
    _busy = True
    try:
        return work(job)
    except Cancelled:
        os._exit(Cancelled.exit_status)
    finally:
        _busy = False


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
