"""Many scans with the same settings: in this process, in several, on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from afmsr_core.batch.drawn import Drawn
from afmsr_core.batch.earlier import done_before
from afmsr_core.batch.options import options_of
from afmsr_core.batch.overlapping import overlapping
from afmsr_core.batch.plan import Job, plan
from afmsr_core.batch.trust import Trust
from afmsr_core.batch.work import Work
from afmsr_core.errors import MissingExtraError, MissingWeightsError, UsageError, naming
from afmsr_core.grid import AUTO, Grid

if TYPE_CHECKING:
    from afmsr_core.batch.dask import Scheduler
    from afmsr_core.batch.processes import Death
    from afmsr_core.upscale import EngineName, MaskRule, Protocol, Settings, Upscaler

__all__ = ["Planned", "Upscaled", "each", "planned", "status_of", "upscale_many"]

SCANS_A_TURN = 8  # that a process gets at a time
SUFFIXES = (".gwy", ".gsf", ".npy")  # that a named output may have

Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Upscaled:
    """What became of one scan.

    Attributes
    ----------
    input, output : Path
        The files. A failure has written no output.
    status : {"done", "failed", "skipped", "left out"}
        Skipped is what an earlier run has done, left out a result of afmsr that lay in a folder.
    error : str or None
        Why it failed, and what to do.
    warnings : tuple of str
        What you must know before you trust the result.
    channels : tuple of mapping
        Of each result ``number``, ``title``, ``unit``, ``method``, ``xres``, ``yres``, ``xreal``,
        ``yreal`` and ``lateral_unit``; ``scale`` as in its history and, where that is not the usual
        one, ``scale_because``; if joined with its retrace ``joined_with``; if averaged
        ``averaged_from``; with `confidence` or `residual` also ``trust`` and
        ``parameters``, as in ``afmsr upscale --json``.
    traceback : str or None
        Of a fault that nobody foresaw.
    """

    input: Path
    output: Path
    status: Literal["done", "failed", "skipped", "left out"]
    error: str | None = None
    warnings: tuple[str, ...] = ()
    channels: tuple[Mapping[str, Any], ...] = ()
    traceback: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Upscaled:
        """Return the same as a record of :func:`each`, without what its output holds, too."""
        return cls(
            Path(record["input"]),
            Path(record["output"]),
            status_of(record),
            record.get("error"),
            tuple(record.get("warnings", ())),
            tuple(
                {name: value for name, value in channel.items() if name != "history"}
                for channel in record.get("channels", ())
            ),
            record.get("traceback"),
        )


def status_of(record: Mapping[str, Any]) -> Literal["done", "failed", "left out"]:
    """Return what became of the scan of a record."""
    if "error" in record:
        return "failed"
    return "left out" if "left_out" in record else "done"


@dataclass(frozen=True)
class Planned:
    """What a run is to do.

    Attributes
    ----------
    jobs : tuple of Job
        All, in the order of the inputs.
    left, skipped : tuple of Job
        Those that are to be done, and those that an earlier run has done.
    """

    jobs: tuple[Job, ...]
    left: tuple[Job, ...]
    skipped: tuple[Job, ...]


def planned(
    files: Sequence[Path],
    output: str | Path | None,
    *,
    suffix: str = "_x4",
    preview: bool = False,
    report: bool = False,
    force: bool = False,
    resume: bool = False,
    options: Callable[[], str] = str,
) -> Planned:
    """Pair every scan with its result, before anything is done.

    Parameters
    ----------
    files, output
        See :func:`afmsr_core.batch.plan.plan`.
    suffix : str
        Behind the name of a scan, to name its result: see :class:`afmsr_core.grid.Grid`.
    preview, report : bool
        Whether each result has a PNG, or a page, beside it.
    force, resume : bool
        Replace results, or leave out scans that have one: what is written is complete. With both,
        those are replaced that were made with other options or from another scan.
    options : callable
        Returns the options of the run, as of :func:`afmsr_core.batch.options.options_of`; asked
        only if there is a result to compare.

    Raises
    ------
    UsageError
        If `output` does not fit.
    OutputExistsError
        If an output exists; with `resume`, if it was made with other options or from another scan.
    OutputError
        If an output cannot be written.
    """
    companions = ((".png",) if preview else ()) + ((".html",) if report else ())
    jobs = plan(
        files,
        output,
        suffix=suffix,
        extension=".gwy",
        allowed=SUFFIXES,
        force=force or resume,
        companions=companions,
    )
    done = done_before(jobs, companions, options, force) if resume else set()
    left, skipped = ([job for job in jobs if (job in done) == so] for so in (False, True))
    return Planned(tuple(jobs), tuple(left), tuple(skipped))


def each(
    jobs: Sequence[Job],
    work: Work,
    settings: Settings,
    *,
    processes: int = 1,
    scheduler: Scheduler | None = None,
    within: Callable[[str], Any] = lambda name: None,
    tell: Callable[[str], object] = lambda sentence: None,
) -> Generator[dict[str, Any], None, None]:
    """Yield the record of every scan as it is done: in this process, in several, on a cluster.

    Parameters
    ----------
    jobs : sequence of Job
        See :func:`planned`.
    work : Work
        What is done with each.
    settings : Settings
        How they are upscaled. Processes share the threads, if none are given.
    processes : int
        How many; there are never more than jobs.
    scheduler : str, path or Cluster, optional
        Of a Dask cluster that computes instead.
    within : callable
        Gets a file's name; returns what its own progress is given to, or None.
    tell : callable
        Gets a sentence when there is something to wait for.
    """
    from afmsr_core import io
    from afmsr_core.levelling import parse_spec
    from afmsr_core.upscale import Upscaler

    processes = max(1, min(processes, len(jobs)))
    if settings.threads is None and processes > 1:
        from afmsr_core.inference.onnx_engine import usable_threads

        settings = replace(settings, threads=max(1, usable_threads() // processes))
    work = replace(work, options=options_of(settings, work))
    parse_spec(settings.level)  # before anything is read: a wrong option is nobody's file's fault
    if jobs and processes == 1 and scheduler is None:
        io.prepare(jobs[0].source)  # beside loading the network
    try:
        upscaler = Upscaler(settings)
    except (MissingExtraError, MissingWeightsError):
        _refuse_untrained(jobs, work, settings)
        raise
    if scheduler is not None:
        from afmsr_core.batch.cluster import on_cluster

        yield from on_cluster(jobs, upscaler, work, scheduler, tell)
        return
    if processes == 1:
        yield from overlapping(jobs, work, upscaler, within)
        return
    from afmsr_core.batch.processes import in_processes

    # Several at once, so that each process too reads and writes beside computing; not so many
    # that one is left with the last of them.
    size = max(1, min(SCANS_A_TURN, len(jobs) // (4 * processes)))
    do = partial(_in_process, work=work)
    for _, record in in_processes(jobs, do, processes, _start_process, settings, _died, size):
        yield record


def _refuse_untrained(jobs: Sequence[Job], work: Work, settings: Settings) -> None:
    """Refuse a network that takes none of the scans, before anybody fetches its weights."""
    from afmsr_core.upscale import method_for

    refusal: UsageError | None = None
    for channel in chain.from_iterable(work.read(job).wanted for job in jobs):
        try:
            method_for(channel, settings)
            return
        except UsageError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


_of_this_process: dict[str, Upscaler] = {}


def _start_process(settings: Settings) -> None:
    from afmsr_core.upscale import Upscaler

    _of_this_process["upscaler"] = Upscaler(settings)


def _in_process(jobs: Sequence[Job], again: bool, work: Work) -> Iterator[dict[str, Any]]:
    if again:  # its result may have been written by the process that died, and is the same
        work = replace(work, force=True)
        for job in jobs:
            _remove_half_written(job)
    return overlapping(jobs, work, _of_this_process["upscaler"])


def _remove_half_written(job: Job) -> None:
    """Remove what the process that died had not finished: result, picture and page."""
    from afmsr_core.io.atomic import remove_temporaries

    for suffix in (job.target.suffix, ".png", ".html"):
        remove_temporaries(job.target.with_suffix(suffix))


def _died(job: Job, death: Death) -> dict[str, Any]:
    _remove_half_written(job)
    return {
        "input": str(job.source),
        "output": str(job.target),
        "error": naming(job.source, death.reason),
        "traceback": death.traceback,
    }


def upscale_many(
    paths: Path_ | Iterable[Path_],
    out: Path_ | None = None,
    *,
    method: str = "afm",
    scale: int | str = AUTO,
    pixels: int | None = None,
    level: str = "plane",
    mask: MaskRule = "ignore",
    restore_background: bool = True,
    protocol: Protocol = "nm",
    device: str = "auto",
    engine: EngineName = "auto",
    weights: Path_ | None = None,
    tile: int | None = None,
    threads: int | None = None,
    channel: str | int | Sequence[str | int] | None = None,
    all_channels: bool = False,
    with_retrace: str = "no",
    confidence: bool = False,
    residual: bool = False,
    calibration: Path_ | None = None,
    realisations: int = 0,
    sharpness: float = 0.0,
    seed: int = 0,
    preview: bool = False,
    report: bool = False,
    summary: Path_ | None = None,
    force: bool = False,
    resume: bool = False,
    jobs: int = 1,
    scheduler: Scheduler | None = None,
    progress: Callable[[Upscaled], object] | None = None,
) -> list[Upscaled]:
    """Upscale many scans, from files to files, as ``afmsr upscale`` does.

    A scan that fails costs no other: it has a record that says why.

    Parameters
    ----------
    paths : path or iterable of paths
        Scans, and folders of scans. Results that lie in a folder are left out.
    out : path, optional
        A folder for the results, or the file for the result of one scan (``.gwy``, ``.gsf``,
        ``.npy``). By default each result lies beside its scan, as ``scan_x4.gwy``.
    method, scale, pixels, level, mask, restore_background, protocol
        As in :func:`afmsr_core.upscale.upscale`.
    device, engine, weights, tile, threads
        As there.
    channel : str, int or sequence of them, optional
        Number, title or pattern such as ``"Height*"``; the first height channel by default.
    all_channels : bool
        Every channel of a file.
    with_retrace : str
        Join each channel with its retrace before: ``"no"``, ``"auto"``, or number, title or
        pattern of the retrace; as in :func:`afmsr_core.upscale.upscale`.
    confidence : bool
        A channel more, with the half-width of the 90 % interval around each height.
    residual : bool
        Channels more: the result, scanned again, less the scan.
    calibration : path, optional
        File of ``afmsr calibrate`` for `confidence`; the shipped one by default.
    realisations : int
        So many channels more: surfaces drawn at random among those that the scan allows. See
        :class:`afmsr_core.realisations.Realiser`.
    sharpness : float
        How much of the way from the best guess (0) to a surface as rough as a full scan (1) the
        result is.
    seed : int
        Of the draws.
    preview, report : bool
        A PNG, or a page as of :func:`afmsr.report`, beside each result.
    summary : path, optional
        A ``.csv`` with a line for each channel: verdict, noise, Sa, Sq, Sdq and grains of scan and
        result, settings. Takes about as long as upscaling.
    force : bool
        Replace results that are there.
    resume : bool
        Leave out scans whose result is there: a run that was interrupted goes on. Results that were
        made with other options or from another scan are refused, and with `force` made anew.
    jobs : int
        Scans at a time, each in a process of its own; they share the threads of the machine.
    scheduler : str, path or cluster, optional
        Compute on a Dask cluster that sees the same files: the address of its scheduler as a
        string, the file that the scheduler wrote about itself as a path, or a cluster such as
        ``distributed.LocalCluster``.
    progress : callable, optional
        Gets each record as its scan is done, in whatever order they are; may raise to stop.

    Returns
    -------
    list of Upscaled
        One for each scan, in the order of the inputs; empty if there are no scans.

    Raises
    ------
    UsageError
        If settings make no sense, or outputs would collide.
    OutputExistsError
        If a result exists, and neither `force` nor `resume` is given; with `resume` alone, if
        one was made with other options or from another scan.
    MissingExtraError, MissingWeightsError, WeightsError
        If the method cannot run here; the message holds the cure.
    AfmsrError
        If the cluster is lost or has no workers. What is finished is kept.

    Notes
    -----
    With `jobs` above 1 Python starts the processes anew. A script must then call this below
    ``if __name__ == "__main__":``.

    Examples
    --------
    >>> import tempfile
    >>> from afmsr_core.data import example_pair
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for record in upscale_many([example_pair()[0]], folder, method="bicubic"):
    ...         print(record.output.name, record.status, record.channels[0]["xres"])
    example_low_x4.gwy done 512
    """
    from afmsr_core.upscale import Settings

    for name, number in (("jobs", jobs), ("threads", threads), ("tile", tile)):
        if number is not None and number < 1:
            raise UsageError(f"{name}={number}: give a positive number")
    if all_channels and channel is not None:
        raise UsageError("channel and all_channels: choose one")
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    trust = Trust(confidence, residual, None if calibration is None else Path(calibration))
    trust.check(protocol)
    drawn = Drawn(realisations, sharpness, seed)
    drawn.check(protocol, trust.asked)
    grid = Grid(scale, pixels)
    which = None if channel is None else [channel] if isinstance(channel, str | int) else channel
    settings = Settings(
        method=method,
        level=level,
        mask=mask,
        restore_background=restore_background,
        protocol=protocol,
        device=device,
        engine=engine,
        weights=None if weights is None else Path(weights),
        tile=tile,
        threads=threads,
        scale=grid.asked,
    )
    work = Work(
        which=None if which is None else tuple(map(str, which)),
        every=all_channels,
        force=force or resume,
        preview=preview,
        report=report,
        trust=trust,
        drawn=drawn,
        grid=grid,
        numbers=summary is not None or trust.asked or drawn.asked,
        with_retrace=with_retrace,
    )
    run = planned(
        [Path(path) for path in given],
        None if out is None else os.fspath(out),
        suffix=grid.suffix,
        preview=preview,
        report=report,
        force=force,
        resume=resume,
        options=partial(options_of, settings, work),
    )
    table = None
    if summary is not None:
        from afmsr_core.batch.summary import Summary

        table = Summary(Path(summary), run.jobs, force, run.skipped)
    found = {job.source: Upscaled(job.source, job.target, "skipped") for job in run.skipped}
    done = each(run.left, work, settings, processes=jobs, scheduler=scheduler, tell=_warn)
    with closing(done), table or nullcontext():
        for record in done:
            one = Upscaled.of(record)
            found[one.input] = one
            if table is not None:
                table.add(record)
            if progress is not None:
                progress(one)
    return [found[job.source] for job in run.jobs]


def _warn(sentence: str) -> None:
    import warnings

    warnings.warn(sentence, stacklevel=2)
