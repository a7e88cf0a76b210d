"""One scan of ``afmsr upscale``, in three steps that may overlap with those of the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from afmsr_cli.batch import failed, warned
from afmsr_cli.inputs import Job, chosen
from afmsr_cli.trust import Trust

if TYPE_CHECKING:
    from concurrent.futures import Future

    from afmsr_core.channel import Channel
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.upscale import Upscaler

__all__ = ["Task", "Work", "overlapping"]

AHEAD = 2  # scans that are read before, and as many that are written after, the one computed
WRITERS = 2  # while one waits for the disk to have it all, the other makes bytes
LARGE = 16 << 20  # pixels of results (128 MB) that are written before the next scan is computed


@dataclass
class Task:
    """A job on its way.

    Attributes
    ----------
    job : Job
        Which.
    record : dict
        What will be told about it; with an ``"error"``, nothing more is done.
    """

    job: Job
    record: dict[str, Any]
    file: GwyFile | None = None
    wanted: list[Channel] = field(default_factory=list)
    begun: list[Callable[[], Channel]] = field(default_factory=list)
    results: list[Channel] = field(default_factory=list)
    extras: list[Channel] = field(default_factory=list)

    def large(self, scale: int) -> bool:
        """Whether its results, so many times as fine, should not wait in memory."""
        return sum(channel.heights.size for channel in self.wanted) * scale**2 > LARGE

    def warn(self, channel: Channel, made: Sequence[Channel]) -> None:
        """Take over what must be told of channels that were made of one of the wanted."""
        same = [channel.replace(warnings=one.warnings) for one in made if one.warnings]
        self.record["warnings"] = warned(same, self.record["warnings"])

    def finish(self) -> None:
        """Make the results of what was begun."""
        while self.begun:
            self.results.append(self.begun.pop(0)())


@dataclass(frozen=True)
class Work:
    """What is done with every file; errors become part of the record.

    Parameters
    ----------
    which : tuple of str, optional
        Channels, as with ``--channel``.
    every : bool
        All channels.
    force, preview, dry_run : bool
        As the options.
    trust : Trust
        What is written beside the heights.
    """

    which: tuple[str, ...] | None = None
    every: bool = False
    force: bool = False
    preview: bool = False
    dry_run: bool = False
    trust: Trust = field(default_factory=Trust)

    def __call__(self, job: Job, upscaler: Upscaler, within: Any = None) -> dict[str, Any]:
        """Do all of a job and return its record."""
        task = self.read(job)
        self.compute(task, upscaler, within)
        return self.write(task)

    def read(self, job: Job) -> Task:
        """Read the channels."""
        from afmsr_core import io

        record = {"input": str(job.source), "output": str(job.target), "warnings": []}
        task = Task(job, record)
        with _telling(task):
            task.file = io.as_gwy(job.source)
            task.wanted = chosen(task.file.channels(), self.which, self.every)
            task.record["warnings"] = warned(task.wanted)
        return task

    def compute(self, task: Task, upscaler: Upscaler, within: Any = None) -> None:
        """Upscale them; `within` gets the fraction done."""
        if "error" in task.record:
            return
        with _telling(task):
            task.record["channels"] = [_described(channel, upscaler) for channel in task.wanted]
            self._check(task, upscaler.method.scale)
            if self.dry_run:
                return
            task.begun = [upscaler.begin(channel, within) for channel in task.wanted]
            if self.trust.asked:
                task.finish()
                made = zip(task.wanted, task.results, task.record["channels"], strict=True)
                for channel, result, entry in made:
                    extras = self.trust(channel, result, upscaler, entry)
                    task.extras += extras
                    task.warn(channel, extras)

    def _check(self, task: Task, scale: int) -> None:
        """Refuse what could not be written before it is computed."""
        from afmsr_core.io.results import Planned, check_results

        planned = [Planned.of(channel, scale) for channel in task.wanted]
        for channel in task.wanted:
            planned += self.trust.planned(channel, scale)
        if task.file is not None:
            check_results(task.job.target, task.file, planned)

    def write(self, task: Task) -> dict[str, Any]:
        """Write the results and return the record."""
        from afmsr_core.io.results import write_results

        job, record = task.job, task.record
        with _telling(task):
            task.finish()
            if task.file is not None and task.results:
                job.target.parent.mkdir(parents=True, exist_ok=True)
                for channel, result in zip(task.wanted, task.results, strict=True):
                    task.warn(channel, [result])
                channels = [*task.results, *task.extras]
                write_results(job.target, task.file, channels, force=self.force)
                for entry, result in zip(record["channels"], task.results, strict=True):
                    entry["history"] = [step.as_dict() for step in result.history]
                if self.preview:
                    from afmsr_core.io.atomic import writing

                    record["preview"] = str(job.target.with_suffix(".png"))
                    with writing(record["preview"], self.force) as picture:
                        picture.write(task.results[0].as_png())
        return record


@contextmanager
def _telling(task: Task) -> Iterator[None]:
    """Put into the record of a task why it fails, and let go of what it held."""
    try:
        yield
        return
    except Exception as error:  # whatever happens to a file, the others are done
        task.record |= failed(task.job.source, error)
    task.wanted, task.begun, task.results, task.extras, task.file = [], [], [], [], None


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
                large = task.large(upscaler.method.scale)
                going.append(writer.submit(work.write, task))
                del task
                while going and (large or len(going) > AHEAD or going[0].done()):
                    yield going.popleft().result()
            while going:
                yield going.popleft().result()
        finally:
            for future in (*coming, *going):
                future.cancel()


def _described(channel: Channel, upscaler: Upscaler) -> dict[str, Any]:
    scale = upscaler.method.scale
    return {
        "number": channel.number,
        "title": channel.title,
        "unit": channel.unit,
        "method": upscaler.method.name,
        "xres": channel.xres * scale,
        "yres": channel.yres * scale,
        "xreal": channel.xreal,
        "yreal": channel.yreal,
        "lateral_unit": channel.lateral_unit,
    }
