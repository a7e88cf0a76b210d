"""``afmsr report``: one page about one scan and its result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import UsageError

from .options import add_file_options
from .tally import one_by_one

if TYPE_CHECKING:
    from afmsr_core.batch.plan import Job

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr report scan_x4.gwy
      writes scan_x4.html: scan, bicubic, result, difference and half-width in linked views,
      and in one sentence whether the scan was fine enough, what was gained, what not to trust
  afmsr upscale scan.gwy --confidence --report
      the same in one go; --confidence is what the half-width comes from
  afmsr report fine.npy --scan scan.spm -o page.html
      where the file of the result does not hold the scan
  afmsr report results/
      a page beside every result in the folder, that is NAME_x4, NAME_x2, NAME_512px ...

The page needs nothing beside it and asks no server: mail it, or open it from a disk.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        description="Show a scan and its upscaled result on one page, and say what to trust.",
        epilog=_EPILOG,
    )
    add_file_options(parser)
    parser.add_argument(
        "--channel",
        metavar="WHICH",
        help="the result: number, title or pattern (default: the first with heights)",
    )
    parser.add_argument(
        "--scan", type=Path, metavar="FILE", help="what the result was made from, if not in FILE"
    )
    parser.add_argument(
        "--scan-channel",
        metavar="WHICH",
        help="the scan in its file (default: as the title of the result says)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write a page for every file that was given."""
    from afmsr_core.batch.plan import plan

    jobs = plan(
        _results(args.files),
        args.output,
        suffix="",
        extension=".html",
        allowed=(".html", ".htm"),
        force=args.force,
    )
    if not jobs:
        print("afmsr: no results found", file=sys.stderr)
        return 3
    if args.scan is not None and len(jobs) > 1:
        raise UsageError(
            f"--scan {args.scan}: it is the scan of one result, and {len(jobs)} are given; run "
            f"them one by one"
        )
    return one_by_one(jobs, _report, _told, args)


def _results(files: Sequence[Path]) -> list[Path]:
    """Return files as they are given, and of folders what is named as `upscale` names results."""
    from afmsr_core import io
    from afmsr_core.batch.plan import RESULT

    found: list[Path] = []
    for file in files:
        if io.is_folder(file):
            found += [one for one in io.find_files([file]) if RESULT.search(one.stem)]
        else:
            found.append(file)
    return found


def _report(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    from afmsr_core.batch.work import failed
    from afmsr_core.scan_page.subject import subject_of_file
    from afmsr_core.scan_page.writing import write_page

    record: dict[str, Any] = {"input": str(job.source), "output": str(job.target), "warnings": []}
    try:
        subject = subject_of_file(job.source, args.channel, args.scan, args.scan_channel)
        record["channel"] = subject.result.name
        record["scan"] = subject.scan.where
        record["warnings"] = list(subject.warnings)
        if not args.dry_run:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            write_page(subject, job.target, args.force)
    except Exception as error:  # whatever happens to a file, the others are done
        record |= failed(job.source, error)
    return record


def _told(record: dict[str, Any]) -> str:
    if "error" in record:
        return f"{record['input']}: failed"
    return f"{record['input']} -> {record['output']}: {record['channel']}"
