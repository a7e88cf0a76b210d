"""One scan of many, in three steps that may overlap with those of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch.drawn import Drawn
from afmsr_core.batch.plan import Job, sha256_of
from afmsr_core.batch.trust import Trust, coarseness_of
from afmsr_core.errors import (
    AfmsrError,
    Cancelled,
    FieldError,
    UsageError,
    described,
    naming,
    traceback_of,
)
from afmsr_core.grid import Grid, choose
from afmsr_core.stopping import asked

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.io.results import Made
    from afmsr_core.upscale import Progress, Settings, Upscaler

__all__ = ["Task", "Work", "chosen", "failed", "warned"]

_PREVIEW_DPI = 200  # 1400 pixels wide: a result of 512 x 512 has a pixel of its own for each


@dataclass
class Task:
    """A job on its way.

    Attributes
    ----------
    job : Job
        Which.
    record : dict
        What will be told about it; with ``"error"`` or ``"left_out"``, nothing more is done.
    fine : list of Channel
        What the method made, before it was averaged or sharpened, if the record needs it.
    made : Made or None
        What its results follow from, for their history.
    """

    job: Job
    record: dict[str, Any]
    file: GwyFile | None = None
    settings: Settings | None = None
    wanted: list[Channel] = field(default_factory=list)
    begun: list[Callable[[], Channel]] = field(default_factory=list)
    fine: list[Channel] = field(default_factory=list)
    results: list[Channel] = field(default_factory=list)
    extras: list[Channel] = field(default_factory=list)
    made: Made | None = None

    def pixels(self, upscaler: Upscaler) -> int:
        """Return how many its results have, before they are averaged."""
        return sum(prod(upscaler.scale(one).shape(one.yres, one.xres)) for one in self.wanted)

    def warn(self, channel: Channel, made: Sequence[Channel]) -> None:
        """Take over what must be told of channels that were made of one of the wanted."""
        same = [channel.replace(warnings=one.warnings) for one in made if one.warnings]
        self.record["warnings"] = warned(same, self.record["warnings"])

    def finish(self) -> None:
        """Make the results of what was begun."""
        while self.begun:
            self.results.append(self.begun.pop(0)())


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is done with every file; errors become part of the record.

    Parameters
    ----------
    which : tuple of str, optional
        Channels by number, title or pattern; the first height channel by default.
    every : bool
        All channels.
    force, preview, report, dry_run : bool
        Replace what is there; write a PNG, or a page, beside it; only say what would be done.
    trust : Trust
        What is written beside the heights.
    drawn : Drawn
        What is drawn at random beside them, or added to them.
    grid : Grid
        How many pixels the results have.
    numbers : bool
        Roughness and grains of scan and result go into the record.
    with_retrace : str
        Which retrace each channel is joined with, as of :func:`afmsr_core.joining.with_partner`.
    options : str
        All of this in words, for the history of the results:
        :func:`afmsr_core.batch.options.options_of`.
    """

    which: tuple[str, ...] | None = None
    every: bool = False
    force: bool = False
    preview: bool = False
    report: bool = False
    dry_run: bool = False
    trust: Trust = field(default_factory=Trust)
    drawn: Drawn = field(default_factory=Drawn)
    grid: Grid = field(default_factory=Grid)
    numbers: bool = False
    with_retrace: str = "no"
    options: str = ""

    def __call__(
        self, job: Job, upscaler: Upscaler, within: Progress | None = None
    ) -> dict[str, Any]:
        """Do all of a job and return its record."""
        task = self.read(job)
        self.compute(task, upscaler, within)
        return self.write(task)

    def read(self, job: Job) -> Task:
        """Read the channels."""
        from afmsr_core import io
        from afmsr_core.io.results import Made, is_result
        from afmsr_core.joining import with_partners

        record: dict[str, Any] = {
            "input": str(job.source),
            "output": str(job.target),
            "warnings": [],
        }
        task = Task(job, record)
        with _telling(task):
            task.file = io.as_gwy(job.source)
            channels = task.file.channels()
            if job.found and is_result(channels):
                record["left_out"] = "a result of afmsr; name it to upscale it again"
                return task
            task.wanted = chosen(channels, self.which, self.every)
            task.wanted = with_partners(task.wanted, channels, self.with_retrace)
            task.record["warnings"] = warned(task.wanted)
            if self.options:
                task.made = Made(self.options, sha256_of(job.source))
        return task

    def compute(self, task: Task, upscaler: Upscaler, within: Progress | None = None) -> None:
        """Upscale them; `within` gets the fraction done."""
        if not task.wanted:  # it failed, or was left out
            return
        from afmsr_core.averaging import averaged

        with _telling(task):
            shapes = [self.grid.shape(one, upscaler.scale(one)) for one in task.wanted]
            task.record["channels"] = [
                _described(channel, shape, upscaler)
                for channel, shape in zip(task.wanted, shapes, strict=True)
            ]
            self._check(task, shapes, upscaler.settings)
            task.settings = upscaler.settings
            if self.dry_run:
                self._tell(task)
                return
            runs = _parts(within, len(shapes))
            begun = [upscaler.begin(channel, next(runs)) for channel in task.wanted]
            if not (self.trust.asked or self.drawn.asked):
                task.begun = [
                    partial(self._made, task, finish, shape)
                    for finish, shape in zip(begun, shapes, strict=True)
                ]
                return
            undrawn: list[AfmsrError] = []
            for channel, shape, entry in zip(
                task.wanted, shapes, task.record["channels"], strict=True
            ):
                fine = self._kept(task, begun.pop(0)())
                result, extras = averaged(fine, shape), []
                if self.trust.asked:
                    extras += self.trust(channel, fine, result, upscaler.settings, entry)
                if self.drawn.asked:
                    try:
                        result, surfaces = self.drawn(channel, fine, shape, upscaler.settings)
                    except (UsageError, FieldError) as error:
                        undrawn.append(error)
                        result, surfaces = _undrawn(channel, result, error), []
                    extras += surfaces
                task.results.append(result)
                task.extras += extras
                task.warn(channel, extras)
            if undrawn and len(undrawn) == len(task.wanted):
                raise undrawn[0]

    def _made(self, task: Task, finish: Callable[[], Channel], shape: tuple[int, int]) -> Channel:
        from afmsr_core.averaging import averaged

        return averaged(self._kept(task, finish()), shape)

    def _kept(self, task: Task, fine: Channel) -> Channel:
        """Return what a method made; the numbers of a full scan follow from it alone."""
        if task.made is not None:
            *before, last = fine.history
            fine = fine.replace(history=(*before, task.made.noted(last)))
        if self.numbers or self.report:
            task.fine.append(fine)
        return fine

    def _check(self, task: Task, shapes: Sequence[tuple[int, int]], settings: Settings) -> None:
        """Refuse what could not be drawn or written before it is computed."""
        from afmsr_core.io.results import Planned, check_results

        self.drawn.check_scans(task.wanted, settings)
        planned = []
        for channel, shape in zip(task.wanted, shapes, strict=True):
            planned += [Planned.of(channel, shape), *self.trust.planned(channel, shape)]
            planned += self.drawn.planned(channel, shape)
        if task.file is not None:
            check_results(task.job.target, task.file, planned)

    def _tell(self, task: Task) -> None:
        """Put into the record whether the scans are fine enough, and the numbers if wanted."""
        if task.settings is None:
            return
        entries = task.record["channels"]
        for channel, entry in zip(task.wanted, entries, strict=True):
            if "coarseness" not in entry:
                entry["coarseness"] = coarseness_of(channel, task.settings)
        if self.numbers:
            from afmsr_core.metrics.grains import Rule
            from afmsr_core.metrics.numbers import numbers_of_both
            from afmsr_core.realisations.numbers import full_scan_of

            made = zip(task.wanted, task.results, task.fine, entries, strict=False)
            for channel, result, fine, entry in made:
                told = numbers_of_both(channel, result, task.settings.level)
                rule, seed = Rule(**told["grain_rule"]), self.drawn.seed
                told["full_scan"] = full_scan_of(channel, fine, task.settings, rule, seed)
                entry["parameters"] = told

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
                self._tell(task)
                channels = [*task.results, *task.extras]
                write_results(job.target, task.file, channels, force=self.force)
                for entry, result in zip(record["channels"], task.results, strict=True):
                    entry["history"] = [step.as_dict() for step in result.history]
                if self.preview:
                    self._beside(task, "preview", self._preview)
                if self.report:
                    self._beside(task, "report", self._report)
        return record

    def _beside(self, task: Task, what: str, write: Callable[[Task], Path]) -> None:
        """Write what goes beside the first result; what hinders that hinders not the result."""
        try:
            task.record[what] = str(write(task))
        except AfmsrError as error:
            told = {"preview": "picture", "report": "page"}[what]
            task.record["warnings"] += [f"no {told} was written: {error}"]

    def _preview(self, task: Task) -> Path:
        """Write the first scan and its result as a picture."""
        from afmsr_core.io.atomic import writing

        target = task.job.target.with_suffix(".png")
        with writing(target, self.force) as picture:
            picture.write(_preview(task))
        return target

    def _report(self, task: Task) -> Path:
        """Write the page of the first result."""
        from afmsr_core.io.results import half_width_of
        from afmsr_core.scan_page.subject import subject_of
        from afmsr_core.scan_page.writing import write_page

        first, *others = task.results
        page = task.job.target.with_suffix(".html")
        half_width = half_width_of(task.extras, first)
        result = first.replace(path=task.job.target, number=None)
        titles = [one.title for one in others]
        subject = subject_of(result, task.wanted[0], half_width, titles)
        numbers = task.record["channels"][0].get("parameters")
        subject = replace(subject, guess=task.fine[0], seed=self.drawn.seed, numbers=numbers)
        return write_page(subject, page, self.force)


def _undrawn(channel: Channel, result: Channel, error: AfmsrError) -> Channel:
    """Return a result of which nothing could be drawn, beside others, with the reason."""
    reason = str(error).removeprefix(f"{channel.where}: ").partition(";")[0]
    told = f"nothing was drawn, the result is the best guess: {reason}"
    return result.replace(warnings=(*result.warnings, told))


def _preview(task: Task) -> bytes:
    """Return the first scan and its result as a picture, in the same colours."""
    from afmsr_core.picture.figures import drawn
    from afmsr_core.picture.panels import compared

    scan, result = task.wanted[0], task.results[0]
    method = task.record["channels"][0]["method"]
    made = [f"{one.xres} × {one.yres} px" for one in (scan, result)]
    subtitles = f"{made[0]}, as measured", f"{made[1]}, by {method}"
    return drawn(compared([scan, result], subtitles), dpi=_PREVIEW_DPI)


def _parts(within: Progress | None, count: int) -> Iterator[Progress | None]:
    """Yield, for each of so many runs of the method, what its own progress is given to."""
    for number in range(count):
        yield None if within is None else partial(_in_part, within, number, count)


def _in_part(within: Progress, number: int, count: int, fraction: float) -> None:
    within((number + fraction) / count)


@contextmanager
def _telling(task: Task) -> Iterator[None]:
    """Put into the record of a task why it fails, and let go of what it held."""
    try:
        yield
        return
    except Exception as error:  # whatever happens to a file, the others are done
        task.record |= failed(task.job.source, error)
    task.wanted, task.begun, task.fine, task.results, task.extras = [], [], [], [], []
    task.file = None


def _described(channel: Channel, shape: tuple[int, int], upscaler: Upscaler) -> dict[str, Any]:
    from afmsr_core.joining import joined_with

    scale, why = choose(channel, upscaler.settings.scale)
    fine = scale.shape(channel.yres, channel.xres)
    described: dict[str, Any] = {
        "number": channel.number,
        "title": channel.title,
        "unit": channel.unit,
        "method": upscaler.method.name,
        "scale": scale.recorded,
        "xres": shape[1],
        "yres": shape[0],
        "xreal": channel.xreal,
        "yreal": channel.yreal,
        "lateral_unit": channel.lateral_unit,
    }
    if why:
        described["scale_because"] = why
    if joined := joined_with(channel):
        described["joined_with"] = dict(joined)
    if shape != fine:
        described["averaged_from"] = {"xres": fine[1], "yres": fine[0]}
    return described


def chosen(
    channels: Sequence[Channel], which: Sequence[str] | None, every: bool = False
) -> list[Channel]:
    """Return the channels that the options ask for, each once."""
    from afmsr_core import io

    if every and channels:
        for bad in io.unreadable(channels):
            raise bad.error
        return list(channels)
    found: list[Channel] = []
    specs: Sequence[str | None] = which or [None]
    for spec in specs:
        found += [channel for channel in io.select(channels, spec) if channel not in found]
    return found


def failed(source: Path, error: BaseException) -> dict[str, Any]:
    """Return what a record says of a failure; with its traceback if it was foreseen by nobody.

    Raises
    ------
    Cancelled
        If the process is about to stop: then it is no fault of the file.
    """
    if asked() or isinstance(error, Cancelled):
        raise Cancelled("told to stop") from error
    return {
        "error": naming(source, described(error, with_what="with the file")),
        "traceback": traceback_of(error),
    }


def warned(channels: Iterable[Channel], also: Sequence[str] = ()) -> list[str]:
    """Return what the user must be told of channels of one file, each sentence once.

    Parameters
    ----------
    channels : iterable of Channel
        As they were read.
    also : sequence of str
        What was said before.
    """
    told = dict.fromkeys(also)
    for channel in channels:
        title = f" {channel.title!r}" if channel.title else ""
        number = "" if channel.number is None else f" {channel.number}"
        told |= {f"channel{number}{title}: {sentence}": None for sentence in channel.warnings}
    return list(told)
