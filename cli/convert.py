"""``afmsr convert``: scans as plain arrays and files for scripts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch.plan import Job, plan, sha256_of
from afmsr_core.batch.work import chosen, failed, warned

from .options import add_channel_options, add_file_options
from .tally import one_by_one

if TYPE_CHECKING:
    from afmsr_core.channel import Channel

__all__ = ["add_parser", "run"]

FORMATS = ("npy", "gsf", "gwy", "csv")

_EPILOG = """\
examples:
  afmsr convert scans/ --to npy --level plane
      one .npy a scan, float64 in nm, and a .json beside it with sizes, units and source
  afmsr convert scan.spm --to gwy --all-channels
  afmsr convert scan.sxm --to gwy --join-retrace
      trace and retrace as one scan, with less noise and without the scars of either
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "convert",
        description="Convert scans; heights are in nm wherever the format leaves the choice.",
        epilog=_EPILOG,
    )
    add_file_options(parser)
    add_channel_options(parser)
    parser.add_argument("--to", required=True, choices=FORMATS, help="format of the output")
    parser.add_argument(
        "--level",
        default="none",
        metavar="STEPS",
        help="levelling steps, such as plane or plane+rows-median (default: %(default)s)",
    )
    parser.add_argument(
        "--join-retrace",
        action="store_const",
        const="auto",
        default="no",
        help="join each channel with its retrace, which is found by its title: less noise, and "
        "without what only one of them saw",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert everything that was asked for."""
    from afmsr_core.levelling import parse_spec

    parse_spec(args.level)
    extension = f".{args.to}"
    jobs = plan(
        args.files,
        args.output,
        suffix="",
        extension=extension,
        allowed=(extension,),
        force=args.force,
    )
    if not jobs:
        print("afmsr: no scans found", file=sys.stderr)
        return 3
    return one_by_one(jobs, _convert, _told, args)


def _convert(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    from afmsr_core import io
    from afmsr_core.io.results import Planned, check_results, conversion, is_extra
    from afmsr_core.joining import joined_with, with_partners
    from afmsr_core.levelling import level

    record: dict[str, Any] = {"input": str(job.source), "warnings": []}
    try:
        every = io.read(job.source)
        channels = chosen(every, args.channel, args.all_channels)
        channels = with_partners(channels, every, args.join_retrace)
        record["warnings"] = warned(channels)
        if joined := [one.name for one in channels if joined_with(one)]:
            record["joined"] = joined
        groups = _grouped(job.target, channels, args.to)
        record["outputs"] = [str(target) for target in groups]
        for target, group in groups.items():
            check_results(target, io.GwyFile.new([]), [Planned.of(one) for one in group])
        if args.dry_run:
            return record
        digest = sha256_of(job.source)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        for target, group in groups.items():
            levelled = [  # a half-width is no surface
                one if is_extra(one) else level(one, args.level).channel for one in group
            ]
            made = [conversion(channel, digest) for channel in levelled]
            io.write(target, made, force=args.force)
    except Exception as error:  # whatever happens to a file, the others are done
        record |= failed(job.source, error)
    return record


def _told(record: dict[str, Any]) -> str:
    if "error" in record:
        return f"{record['input']}: failed"
    joined = record.get("joined")
    how = f" ({', '.join(joined)}: trace and retrace joined)" if joined else ""
    return f"{record['input']} -> {', '.join(record['outputs'])}{how}"


def _grouped(target: Path, channels: list[Channel], to: str) -> dict[Path, list[Channel]]:
    """Return what goes into which file: formats of one field get a file a channel."""
    if to == "gwy" or len(channels) == 1:
        return {target: channels}
    return {
        target.with_name(f"{target.stem}_{channel.number}{target.suffix}"): [channel]
        for channel in channels
    }
