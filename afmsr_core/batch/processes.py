"""Several processes that share the work, replace those that die, and end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from afmsr_core.errors import AfmsrError, Cancelled, described, traceback_of
from afmsr_core.stopping import stoppable

__all__ = ["Death", "in_processes"]

AHEAD = 2  # turns that a process has: it is at one, and the next is there when that is done
STARTS = 3  # processes that may die one after the other before they are ready
PATIENCE = 0.5  # seconds that a process has to unwind, see `stopping`
CURE = "try fewer --jobs, or a smaller --tile"
ENDING = 0.3  # seconds more until it is killed


@dataclass(frozen=True)
class Death:
    """How the process ended that a job was given to, twice.

    Attributes
    ----------
    reason : str
        For the user.
    traceback : str or None
        If Python could tell.
    """

    reason: str
    traceback: str | None = None


def in_processes(
    jobs: Sequence[Any],
    work: Callable[[Sequence[Any], bool], Iterable[Any]],
    workers: int,
    start: Callable[[Any], None],
    settings: Any,
    died: Callable[[Any, Death], Any],
    size: int = 1,
) -> Iterator[tuple[Any, Any]]:
    """Yield every job and what became of it, as they are done.

    Parameters
    ----------
    jobs : sequence
        Each can be sent to a process.
    work : callable
        From some jobs to a result of each, in order; can be sent too. Its second argument tells
        that the job is given once more, because a process died when it may have been at it.
    workers : int
        Number of processes.
    start : callable
        Called once in every process, with `settings`.
    settings : object
        See `start`.
    died : callable
        From a job that ended two processes, the second time with nothing beside it, to its
        result. The others are done by a new process.
    size : int
        Jobs that are given at a time.

    Raises
    ------
    AfmsrError
        What `start` raised, or if processes die before they are ready.

    Notes
    -----
    When the consumer stops early or is interrupted, the processes are told to stop: they remove
    what is half written, and end. They do so too when this process dies.
    """
    positions = range(len(jobs))
    turns = deque(_Turn(list(positions[i : i + size])) for i in positions[::size])
    pool = _Pool(jobs, turns, workers, (work, start, settings))
    try:
        for position, result in pool.results():
            outcome = died(jobs[position], result) if isinstance(result, Death) else result
            yield jobs[position], outcome
    except BaseException:
        pool.stop()
        raise
    pool.end()


@dataclass
class _Turn:
    """Positions of jobs; `again` if a process died when it may have been at one of them."""

    left: list[int]
    again: bool = False


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    turns: deque[_Turn] = field(default_factory=deque)
    ready: bool = False


class _Pool:
    """The processes and what is left to give them."""

    def __init__(
        self, jobs: Sequence[Any], turns: deque[_Turn], workers: int, told: tuple[Any, ...]
    ) -> None:
        self._jobs, self._turns, self._size, self._told = jobs, turns, workers, told
        self._context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        self._workers: list[_Worker] = []
        self._unready = 0  # that died, one after the other

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield positions and results; a :class:`Death` for a job that ended two processes."""
        while self._turns or any(worker.turns for worker in self._workers):
            self._give()
            awaited: dict[Any, _Worker] = {}
            for worker in self._workers:
                awaited |= {worker.pipe: worker, worker.process.sentinel: worker}
            for worker in {awaited[one] for one in wait(list(awaited))}:
                yield from self._heard(worker)

    def stop(self) -> None:
        """Have the processes remove what is half written and end, soon."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(PATIENCE + ENDING)
            worker.process.kill()
        self.end()

    def end(self) -> None:
        """Let the processes end, which have nothing to do any more."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()

    def _give(self) -> None:
        """Start processes where there is work for them, and give each what to do next."""
        while self._turns and len(self._workers) < self._size:
            self._workers.append(self._started())
        for _ in range(AHEAD):  # all of them one turn before any gets its second
            for worker in self._workers:
                if self._turns and len(worker.turns) < AHEAD:
                    turn = self._turns.popleft()
                    worker.turns.append(turn)
                    with contextlib.suppress(OSError):  # it is dead, and soon heard of
                        worker.pipe.send(([self._jobs[one] for one in turn.left], turn.again))

    def _started(self) -> _Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(there, *self._told))
        with _no_interrupts():
            process.start()
        there.close()
        return _Worker(process, here)

    def _heard(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        """Take in what a process has said, and whether it is no more."""
        try:
            while worker.pipe.poll():
                kind, told = worker.pipe.recv()
                if kind == "result":
                    yield worker.turns[0].left.pop(0), told
                elif kind == "turn":
                    worker.turns.popleft()
                elif kind == "ready":
                    worker.ready, self._unready = True, 0
                elif kind == "unfit":
                    raise told
                else:  # of its own fault, and about to end
                    yield from self._lost(worker, told)
                    return
        except (EOFError, ConnectionError):
            yield from self._lost(worker, None)
            return
        if not worker.process.is_alive() and not worker.pipe.poll():
            yield from self._lost(worker, None)

    def _lost(self, worker: _Worker, fault: Death | None) -> Iterator[tuple[int, Any]]:
        """Give the work of a dead process to others; yield what was given twice already."""
        worker.pipe.close()
        worker.process.join()
        self._workers.remove(worker)
        death = fault or Death(_how(worker.process.exitcode))
        if not worker.ready:
            self._unready += 1
            if self._unready >= STARTS:
                raise AfmsrError(
                    f"worker processes end before they begin ({death.reason}); try --jobs 1"
                )
            self._turns.extendleft(reversed(worker.turns))
            return
        begun, *waiting = worker.turns or [_Turn([])]
        self._turns.extendleft(reversed(waiting))
        if not begun.again:
            self._turns.extendleft(_Turn([one], again=True) for one in reversed(begun.left))
            return
        reason = f"the process that was at it died twice ({death.reason}); {CURE}"
        for position in begun.left:
            yield position, fault or Death(reason)


def _how(status: int | None) -> str:
    """Say how a process ended that had not finished."""
    how = f"exit status {status}"
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-status).name
    return f"{how}, perhaps for lack of memory" if how == "SIGKILL" else how


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


# --- in the processes --------------------------------------------------------------------


def _serve(
    pipe: Connection,
    work: Callable[[Sequence[Any], bool], Iterable[Any]],
    start: Callable[[Any], None],
    settings: Any,
) -> None:
    """Do what is sent, until nothing more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with stoppable(PATIENCE):
            if _began(pipe, start, settings):
                while True:
                    jobs, again = pipe.recv()
                    for result in work(jobs, again):
                        pipe.send(("result", result))
                    pipe.send(("turn", None))
    except (KeyboardInterrupt, Cancelled):
        os._exit(Cancelled.exit_status)
    except (EOFError, ConnectionError):  # there is nobody to work for
        return
    except Exception as error:
        pipe.send(("fault", Death(described(error), traceback_of(error))))


def _began(pipe: Connection, start: Callable[[Any], None], settings: Any) -> bool:
    """Make ready, or say why that cannot be."""
    try:
        start(settings)
    except AfmsrError as error:
        pipe.send(("unfit", error))
        return False
    pipe.send(("ready", None))
    return True


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
