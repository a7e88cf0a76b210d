"""``afmsr upscale``: the main job."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_cli.inputs import Job, add_channel_options, add_file_options, chosen, naming, plan
from afmsr_cli.progress import Progress
from afmsr_core.errors import AfmsrError, Cancelled, UsageError

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.upscale import Settings, Upscaler

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr upscale scan.gwy
      writes scan_x4.gwy: a copy with the new channel 'Height (x4 afm)'
  afmsr upscale scan.spm --channel 'ZSensor*' --method bicubic -o fine.gwy
  afmsr upscale scans/ -o results/ --level plane+rows-median --jobs 4

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
        help="none, plane, poly2 .. poly9, rows-median, rows-median-diff, or several joined "
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
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps")
    parser.add_argument("--engine", default="auto", choices=("auto", "onnx", "torch"))
    parser.add_argument("--weights", type=Path, metavar="FILE", help="other weights (torch)")
    parser.add_argument("--tile", type=int, metavar="PX", help="tile side (default: by memory)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine")
    parser.add_argument("--preview", action="store_true", help="a PNG of each first result")
    parser.add_argument(
        "--open", action="store_true", help="open the results in the Gwyddion that is running"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="files at a time")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale everything that was asked for."""
    for option in ("jobs", "threads", "tile"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UsageError(f"--{option} {value}: give a positive number")
    jobs = plan(
        args.files,
        args.output,
        suffix="_x4",
        extension=".gwy",
        allowed=(".gwy", ".gsf", ".npy"),
        force=args.force,
        companions=(".png",) if args.preview else (),
    )
    if not jobs:
        print("afmsr: no scans found", file=sys.stderr)
        return 3
    work = partial(
        _work,
        which=args.channel,
        every=args.all_channels,
        force=args.force,
        preview=args.preview,
        dry_run=args.dry_run,
    )
    progress = Progress(len(jobs), args.quiet)
    records = []
    workers = min(args.jobs, len(jobs))
    with closing(_each(jobs, _settings(args, workers), work, progress, workers)) as each:
        for record in each:
            records.append(record)
            if "error" in record:
                print(f"afmsr: {record['error']}", file=sys.stderr)
            progress.done(_told(record))
    if args.open and not args.dry_run:
        _open([Path(record["output"]) for record in records if "error" not in record])
    if args.json:
        print(json.dumps(records, indent=1))
    elif args.dry_run:
        for record in records:
            print(_told(record))
    return int(any("error" in record for record in records))


def _open(results: Sequence[Path]) -> None:
    """Hand results to the running Gwyddion, 2 or 3; it is asked in the background, for a while."""
    from gwyddion_plugin import handover

    for result in results:
        if not handover.start(result.resolve()):
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
    jobs: Sequence[Job], settings: Settings, work: Any, progress: Progress, workers: int
) -> Generator[dict[str, Any], None, None]:
    """Yield the record of every job, in order; in this process or in several."""
    from afmsr_core.levelling import parse_spec
    from afmsr_core.upscale import Upscaler

    parse_spec(settings.level)  # before anything is read: a wrong option is nobody's file's fault
    upscaler = Upscaler(settings)
    if workers == 1:
        for job in jobs:
            yield work(job, upscaler, within=progress.within(job.source.name))
        return
    from afmsr_cli.workers import in_processes

    yield from in_processes(jobs, partial(_in_worker, work=work), workers, _start_worker, settings)


_worker: dict[str, Upscaler] = {}


def _start_worker(settings: Settings) -> None:
    from afmsr_core.upscale import Upscaler

    _worker["upscaler"] = Upscaler(settings)


def _in_worker(job: Job, work: Any) -> dict[str, Any]:
    return work(job, _worker["upscaler"], within=None)


def _work(
    job: Job,
    upscaler: Upscaler,
    *,
    which: list[str] | None,
    every: bool,
    force: bool,
    preview: bool,
    dry_run: bool,
    within: Any,
) -> dict[str, Any]:
    """Do one job and tell what came of it; an error is part of the record."""
    from afmsr_core import io
    from afmsr_core.io.results import write_results

    record: dict[str, Any] = {"input": str(job.source), "output": str(job.target)}
    try:
        file = io.as_gwy(job.source)
        channels = file.channels()
        wanted = chosen(channels, which, every)
        record["channels"] = [_described(channel, upscaler) for channel in wanted]
        if dry_run:
            return record
        results = [upscaler(channel, within) for channel in wanted]
        job.target.parent.mkdir(parents=True, exist_ok=True)
        write_results(job.target, file, results, force=force)
        for entry, result in zip(record["channels"], results, strict=True):
            entry["history"] = [step.as_dict() for step in result.history]
        if preview:
            from afmsr_core.preview import write_preview

            record["preview"] = str(job.target.with_suffix(".png"))
            write_preview(Path(record["preview"]), results[0], force=force)
    except Cancelled:
        raise
    except AfmsrError as error:
        record["error"] = naming(job.source, str(error))
    except OSError as error:
        record["error"] = naming(job.source, f"{job.target}: {error.strerror or error}")
    except MemoryError:
        record["error"] = naming(job.source, "not enough memory; try --tile 128, or crop the scan")
    return record


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


def _told(record: dict[str, Any]) -> str:
    if "error" in record:
        return f"{record['input']}: failed"
    told = ", ".join(
        f"{c['title'] or c['number']} to {c['xres']} x {c['yres']} px ({c['method']})"
        for c in record["channels"]
    )
    return f"{record['input']} -> {record['output']}: {told}"
