"""``afmsr upscale``: the main job."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_cli.batch import Batch
from afmsr_cli.inputs import Job, add_channel_options, add_file_options, naming, plan
from afmsr_cli.progress import Progress
from afmsr_cli.trust import Trust, add_trust_options
from afmsr_cli.trust import told as trust_told
from afmsr_cli.upscaling import Work, overlapping
from afmsr_core.errors import UsageError

if TYPE_CHECKING:
    from afmsr_cli.workers import Death
    from afmsr_core.upscale import Settings, Upscaler

__all__ = ["add_parser", "run"]

SCANS_A_TURN = 8  # that a process gets at a time

_EPILOG = """\
examples:
  afmsr upscale scan.gwy
      writes scan_x4.gwy: a copy with the new channel 'Height (x4 afm)'
  afmsr upscale scan.spm --channel 'ZSensor*' --method bicubic -o fine.gwy
  afmsr upscale scans/ -o results/ --level plane+rows-median --jobs 4
  afmsr upscale scan.gwy --confidence --residual
      two more channels: the half-width of the 90 % interval, and what the result does not
      give back of the measured pixels; see docs/trust.md

More pixels are not more resolving power: what the scan did not touch is a guess.
Check what matters with a zoom scan.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upscale",
        description="Upscale the height channel of scans 4x: same size, units, offsets and mean.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_options(parser)
    add_channel_options(parser)
    parser.add_argument(
        "--method", default="afm", help="see `afmsr models list` (default: %(default)s)"
    )
    parser.add_argument(
        "--level",
        default="plane",
        metavar="STEPS",
        help="none, plane, poly0 .. poly9, rows-median, rows-median-diff, or several joined "
        "by + (default: %(default)s)",
    )
    parser.add_argument(
        "--mask",
        default="ignore",
        choices=("ignore", "exclude", "include"),
        help="whether levelling uses marked pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--no-restore-background",
        dest="restore_background",
        action="store_false",
        help="return the levelled field; else what levelling took off is put back",
    )
    parser.add_argument(
        "--protocol",
        default="nm",
        choices=("nm", "paper"),
        help="nm: floats, nothing clamped; paper: the 8-bit path of the publication",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N, mps, directml, coreml"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", "onnx", "torch"))
    parser.add_argument("--weights", type=Path, metavar="FILE", help="other weights")
    parser.add_argument("--tile", type=int, metavar="PX", help="tile side (default: by memory)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine")
    add_trust_options(parser)
    parser.add_argument("--preview", action="store_true", help="a PNG of each first result")
    parser.add_argument(
        "--open", action="store_true", help="open the results in the Gwyddion that is running"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="files at a time")
    parser.add_argument(
        "--resume", action="store_true", help="leave out files whose result is there already"
    )
    cluster = parser.add_mutually_exclusive_group()
    cluster.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler: compute there")
    cluster.add_argument("--scheduler-file", type=Path, metavar="FILE", help="the same, by file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale everything that was asked for."""
    for option in ("jobs", "threads", "tile"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UsageError(f"--{option} {value}: give a positive number")
    if args.resume and args.force:
        raise UsageError("--resume keeps results and --force replaces them; choose one")
    trust = Trust.of(args)
    jobs = plan(
        args.files,
        args.output,
        suffix="_x4",
        extension=".gwy",
        allowed=(".gwy", ".gsf", ".npy"),
        force=args.force or args.resume,
        companions=(".png",) if args.preview else (),
    )
    if not jobs:
        print("afmsr: no scans found", file=sys.stderr)
        return 3
    left = _left(jobs, args) if args.resume else jobs
    work = Work(
        None if args.channel is None else tuple(args.channel),
        args.all_channels,
        args.force or args.resume,
        args.preview,
        args.dry_run,
        trust,
    )
    batch = Batch(
        jobs,
        set(jobs) - set(left),
        quiet=args.quiet or args.dry_run,
        keep=args.json or args.dry_run or args.open,
        done="planned" if args.dry_run else "done",
    )
    with closing(_each(left, args, work, batch.progress)) as each:
        try:
            for record in each:
                batch.add(record, _told(record))
        finally:
            status = batch.finish()
    if args.open and not args.dry_run:
        _open([Path(one["output"]) for one in batch.records if one["status"] == "done"])
    if args.json:
        print(json.dumps(batch.records, indent=1))
    elif args.dry_run:
        for record in batch.records:
            print(_told(record))
    return status


def _left(jobs: Sequence[Job], args: argparse.Namespace) -> list[Job]:
    """Return the jobs without those that an earlier run finished: written files are complete."""
    written = (".png",) if args.preview else ()
    left = [
        job
        for job in jobs
        if not job.target.exists()
        or not all(job.target.with_suffix(suffix).exists() for suffix in written)
    ]
    if len(left) < len(jobs) and not args.quiet:
        print(f"afmsr: {len(jobs) - len(left)} of {len(jobs)} are done already", file=sys.stderr)
    return left


def _open(results: Sequence[Path]) -> None:
    """Hand results to the running Gwyddion, 2 or 3; it is asked in the background, for a while."""
    from gwyddion_plugin.exchange import remote_control

    for result in results:
        if not remote_control.open_file(result.resolve()):
            print(
                "afmsr: --open: no Gwyddion is installed here; the result is written",
                file=sys.stderr,
            )
            return


def _settings(args: argparse.Namespace, workers: int) -> Settings:
    from afmsr_core.upscale import Settings

    threads = args.threads
    if threads is None and workers > 1:
        from afmsr_core.inference.onnx_engine import usable_threads

        threads = max(1, usable_threads() // workers)
    options = ("method", "level", "mask", "restore_background", "protocol", "device", "engine")
    same = {name: getattr(args, name) for name in options}
    return Settings(**same, weights=args.weights, tile=args.tile, threads=threads)


def _each(
    jobs: Sequence[Job], args: argparse.Namespace, work: Work, progress: Progress
) -> Generator[dict[str, Any], None, None]:
    """Yield the record of every job; in this process, in several or on a cluster."""
    from afmsr_core import io
    from afmsr_core.levelling import parse_spec
    from afmsr_core.upscale import Upscaler

    workers = max(1, min(args.jobs, len(jobs)))
    settings = _settings(args, workers)
    parse_spec(settings.level)  # before anything is read: a wrong option is nobody's file's fault
    on_dask = args.dask is not None or args.scheduler_file is not None
    if jobs and workers == 1 and not on_dask:
        io.prepare(jobs[0].source)  # beside loading the network
    upscaler = Upscaler(settings)
    if on_dask:
        from afmsr_cli.upscale_cluster import on_cluster

        yield from on_cluster(jobs, upscaler, work, args.dask, args.scheduler_file)
        return
    if workers == 1:
        yield from overlapping(jobs, work, upscaler, progress.within)
        return
    from afmsr_cli.workers import in_processes

    # Several at once, so that each process too reads and writes beside computing; not so many
    # that one is left with the last of them.
    size = max(1, min(SCANS_A_TURN, len(jobs) // (4 * workers)))
    do = partial(_in_worker, work=work)
    for _, record in in_processes(jobs, do, workers, _start_worker, settings, _died, size):
        yield record


_worker: dict[str, Upscaler] = {}


def _start_worker(settings: Settings) -> None:
    from afmsr_core.upscale import Upscaler

    _worker["upscaler"] = Upscaler(settings)


def _in_worker(jobs: Sequence[Job], again: bool, work: Work) -> Iterator[dict[str, Any]]:
    if again:  # its result may have been written by the process that died, and is the same
        work = replace(work, force=True)
    return overlapping(jobs, work, _worker["upscaler"])


def _died(job: Job, death: Death) -> dict[str, Any]:
    return {
        "input": str(job.source),
        "output": str(job.target),
        "error": naming(job.source, death.reason),
        "traceback": death.traceback,
    }


def _told(record: dict[str, Any]) -> str:
    if record.get("status") == "skipped":
        return f"{record['input']}: done already"
    if "error" in record:
        return f"{record['input']}: failed"
    from afmsr_core.channel import called

    told = ", ".join(
        f"{called(c['title'], c['number'])} to {c['xres']} x {c['yres']} px ({c['method']})"
        for c in record["channels"]
    )
    return f"{record['input']} -> {record['output']}: {told}{trust_told(record)}"
