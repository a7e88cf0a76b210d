"""Scans one after the other, of which the next is read and the last is written meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

    from afmsr_core.batch.plan import Job
    from afmsr_core.batch.work import Task, Work
    from afmsr_core.upscale import Upscaler

__all__ = ["overlapping"]

AHEAD = 2  # scans that are read before, and as many that are written after, the one computed
WRITERS = 2  # while one waits for the disk to have it all, the other makes bytes
LARGE = 16 << 20  # pixels of results (128 MB) that are written before the next scan is computed


def overlapping(
    jobs: Sequence[Job],
    work: Work,
    upscaler: Upscaler,
    within: Callable[[str], Any] = lambda name: None,
) -> Generator[dict[str, Any], None, None]:
    """Yield the record of every job, in order; reading and writing happen beside computing.

    Parameters
    ----------
    jobs : sequence of Job
        What to do.
    work : Work
        How.
    upscaler : Upscaler
        Is used by this thread only.
    within : callable, optional
        Gets a file's name; returns what its own progress is given to, or None.

    Notes
    -----
    At most ``2 * AHEAD + 1`` scans are in memory, or one whose result is large. When the consumer
    stops early, what is being written is finished, and nothing else.
    """
    if len(jobs) == 1:
        yield work(jobs[0], upscaler, within(jobs[0].source.name))
        return
    from concurrent.futures import ThreadPoolExecutor

    todo = iter(jobs)
    coming: deque[Future[Task]] = deque()
    going: deque[Future[dict[str, Any]]] = deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(WRITERS) as writer:
        try:
            coming.extend(reader.submit(work.read, job) for job in islice(todo, AHEAD))
            while coming:
                task = coming.popleft().result()
                coming.extend(reader.submit(work.read, job) for job in islice(todo, 1))
                work.compute(task, upscaler, within(task.job.source.name))
                large = task.pixels(upscaler) > LARGE
                going.append(writer.submit(work.write, task))
                del task
                while going and (large or len(going) > AHEAD or going[0].done()):
                    yield going.popleft().result()
            while going:
                yield going.popleft().result()
        finally:
            for waiting in coming:
                waiting.cancel()
            for unwritten in going:
                unwritten.cancel()
