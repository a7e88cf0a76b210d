"""``afmsr upscale``: the main job."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import UsageError

from .options import add_channel_options, add_cluster_options, add_file_options, scheduler
from .tally import Tally

if TYPE_CHECKING:
    from afmsr_core.upscale import Settings

__all__ = ["add_parser", "run"]

TOLD = 6  # channels of a file that are told by name

_EPILOG = """\
examples:
  afmsr upscale scan.gwy
      writes scan_x4.gwy: a copy with the new channel 'Height (x4 afm)'
  afmsr upscale scan.spm --channel 'ZSensor*' --method bicubic -o fine.gwy
  afmsr upscale scans/ -o results/ --level plane+rows-median --jobs 4
  afmsr upscale scan.gwy --confidence --report
      how far to trust each height, and a page that shows it: scan_x4.html
  afmsr upscale lines.gwy
      512 points on each of 128 lines over a square: four lines for each, 512 x 512
  afmsr upscale scans/ -o results/ --with-retrace auto
      trace and retrace as one scan: less noise, and no scars that only one of them has
  afmsr upscale scan.gwy --realisations 8 --seed 1
      eight surfaces more that fit the scan and are as rough as a full one
  afmsr upscale scans/ -o results/ --summary results.csv
      verdict, roughness and grains of all scans as one table

More pixels are not more resolving power: what the scan did not touch is a guess.
Check what matters with a zoom scan.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upscale",
        description="Upscale the height channel of scans: same size, units, offsets and mean.",
        epilog=_EPILOG,
    )
    add_file_options(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="skip files whose result, made from them with these options, is there; with --force, "
        "other results are made anew",
    )
    add_channel_options(parser.add_argument_group("which channels"))

    how = parser.add_argument_group("how")
    how.add_argument(
        "--method",
        default="afm",
        metavar="NAME",
        help="afm, bicubic, ...; `afmsr models list` lists all (default: %(default)s)",
    )
    how.add_argument(
        "--scale",
        default="auto",
        metavar="N",
        help="auto makes 4x along both axes; of a scan with every point of its lines but fewer "
        "lines, as many lines as make its pixels square. 4, 1x4 and 1x2 (columns by rows) do so in "
        "any case. 1, 2 and 3 average areas of auto's result (default: %(default)s)",
    )
    how.add_argument(
        "--pixels",
        type=int,
        metavar="N",
        help="average areas of the result, to so many pixels along its longer side",
    )
    how.add_argument(
        "--with-retrace",
        default="no",
        metavar="WHICH",
        help="join each scan with its retrace before: auto finds it by its title; else number, "
        "title or pattern; where none fits, the trace is used alone, with a warning "
        "(default: %(default)s)",
    )
    how.add_argument(
        "--level",
        default="plane",
        metavar="STEPS",
        help="what is taken off before and put back after: none, plane, poly0 .. poly9, "
        "rows-median, rows-median-diff, or several joined by + (default: %(default)s)",
    )
    how.add_argument(
        "--mask",
        default="ignore",
        choices=("ignore", "exclude", "include"),
        help="ignore the mask when levelling, exclude marked pixels, or include only them "
        "(default: %(default)s)",
    )
    how.add_argument(
        "--no-restore-background",
        dest="restore_background",
        action="store_false",
        help="write the levelled field (default: what levelling took off is put back)",
    )
    how.add_argument(
        "--protocol",
        default="nm",
        choices=("nm", "paper"),
        help="nm keeps all digits of the heights; paper is the 8-bit way of the publication, "
        "which loses heights (default: %(default)s)",
    )

    trust = parser.add_argument_group("how far to trust it")
    trust.add_argument(
        "--confidence",
        action="store_true",
        help="one more channel: the half-width of the 90 %% interval of the surface at each pixel",
    )
    trust.add_argument(
        "--residual",
        action="store_true",
        help="more channels, with what the result, scanned again, differs by from the scan: in the "
        "unit of the heights, and in sigmas of the noise",
    )
    trust.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="for --confidence, from afmsr calibrate (default: the one that ships)",
    )

    drawn = parser.add_argument_group("surfaces as rough as a full scan")
    drawn.add_argument(
        "--realisations",
        type=int,
        default=0,
        metavar="N",
        help="N more channels: surfaces drawn at random among those that the scan allows, as rough "
        "as a full scan; for numbers such as Sdq, not for single features",
    )
    drawn.add_argument(
        "--sharpness",
        type=float,
        default=0.0,
        metavar="T",
        help="how much of the way from the best guess (0) to a realisation (1) the result is: "
        "looks sharper, is further from the truth, and its detail is drawn (default: 0)",
    )
    drawn.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="seed of what is drawn (default: %(default)s)",
    )

    beside = parser.add_argument_group("what else is written or shown")
    beside.add_argument(
        "--preview", action="store_true", help="a PNG per file: its first scan beside the result"
    )
    beside.add_argument(
        "--report",
        action="store_true",
        help="a page per file about its first result (see afmsr report); best with --confidence",
    )
    beside.add_argument(
        "--summary",
        type=Path,
        metavar="FILE",
        help="a .csv with a line for each channel: verdict, noise, Sa, Sq, Sdq, grains, settings",
    )
    beside.add_argument(
        "--open", action="store_true", help="open the results in the Gwyddion that is running"
    )

    machine = parser.add_argument_group("where it is computed")
    machine.add_argument("--jobs", type=int, default=1, metavar="N", help="files at a time")
    machine.add_argument(
        "--threads", type=int, metavar="N", help="threads of each (default: as many as there are)"
    )
    machine.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:N, mps, directml or coreml (default: %(default)s)",
    )
    machine.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "onnx", "torch"),
        help="what runs the network (default: %(default)s)",
    )
    machine.add_argument(
        "--weights", type=Path, metavar="FILE", help="other weights for the network"
    )
    machine.add_argument(
        "--tile",
        type=int,
        metavar="PX",
        help="side of the tiles, of a line scan in lines (default: as memory allows)",
    )
    add_cluster_options(machine)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale everything that was asked for."""
    from afmsr_core.batch.drawn import Drawn
    from afmsr_core.batch.many import each, planned
    from afmsr_core.batch.options import options_of
    from afmsr_core.batch.trust import Trust
    from afmsr_core.batch.work import Work
    from afmsr_core.grid import Grid

    for option in ("jobs", "threads", "tile"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UsageError(f"--{option} {value}: give a positive number")
    trust = Trust(args.confidence, args.residual, args.calibration)
    trust.check(args.protocol)
    drawn = Drawn(args.realisations, args.sharpness, args.seed)
    drawn.check(args.protocol, trust.asked)
    grid = Grid(args.scale, args.pixels)
    work = Work(
        which=None if args.channel is None else tuple(args.channel),
        every=args.all_channels,
        force=args.force or args.resume,
        preview=args.preview,
        report=args.report,
        dry_run=args.dry_run,
        trust=trust,
        drawn=drawn,
        grid=grid,
        numbers=args.summary is not None or (args.json and (trust.asked or drawn.asked)),
        with_retrace=args.with_retrace,
    )
    settings = _settings(args, grid.asked)
    found = planned(
        args.files,
        args.output,
        suffix=grid.suffix,
        preview=args.preview,
        report=args.report,
        force=args.force,
        resume=args.resume,
        options=partial(options_of, settings, work),
    )
    if not found.jobs:
        print("afmsr: no scans found", file=sys.stderr)
        return 3
    if found.skipped and not args.quiet:
        done = f"{len(found.skipped)} of {len(found.jobs)} are done already"
        print(f"afmsr: {done}", file=sys.stderr)
    table = None
    if args.summary is not None:
        from afmsr_core.batch.summary import Summary

        table = Summary(args.summary, found.jobs, args.force, found.skipped)
    if args.dry_run:
        table = None
    tally = Tally(
        found.jobs,
        found.skipped,
        quiet=args.quiet or args.dry_run,
        keep=args.json or args.dry_run or args.open,
        done="planned" if args.dry_run else "done",
    )
    try:
        records = each(
            found.left,
            work,
            settings,
            processes=args.jobs,
            scheduler=scheduler(args),
            within=tally.progress.within,
            tell=lambda sentence: tally.progress.say(f"afmsr: {sentence}"),
        )
        with closing(records), table or nullcontext():
            for record in records:
                if table is not None:
                    table.add(record)
                tally.add(record, _told(record), _verdicts(record))
    finally:
        status = tally.finish()
    if args.open and not args.dry_run:
        _open([Path(one["output"]) for one in tally.records if one["status"] == "done"])
    if args.json:
        print(json.dumps(tally.records, indent=1))
    elif args.dry_run:
        for record in tally.records:
            print("\n    ".join([_told(record), *_verdicts(record)]))
    return status


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


def _settings(args: argparse.Namespace, asked: str) -> Settings:
    from afmsr_core.upscale import Settings

    names = ("method", "level", "mask", "restore_background", "protocol", "device", "engine")
    more = ("weights", "tile", "threads")
    return Settings(scale=asked, **{name: getattr(args, name) for name in (*names, *more)})


def _told(record: dict[str, Any]) -> str:
    if record.get("status") == "skipped":
        return f"{record['input']}: done already"
    if "error" in record:
        return f"{record['input']}: failed"
    if "left_out" in record:
        return f"{record['input']}: left out: {record['left_out']}"
    told = [
        f"{_name(c)} to {c['xres']} x {c['yres']} px "
        f"({c['method']}{_averaged_told(c)}{_joined_told(c)}{_scale_told(c)})"
        for c in record["channels"]
    ]
    if len(told) > TOLD + 1:  # the frames of a movie
        told[TOLD:] = [f"and {len(told) - TOLD} more channels"]
    return f"{record['input']} -> {record['output']}: {', '.join(told)}"


def _averaged_told(channel: Mapping[str, Any]) -> str:
    fine = channel.get("averaged_from")
    return f", averaged from {fine['xres']} x {fine['yres']}" if fine else ""


def _scale_told(channel: Mapping[str, Any]) -> str:
    why = channel.get("scale_because")
    return f"; {why}" if why else ""


def _joined_told(channel: Mapping[str, Any]) -> str:
    joined = channel.get("joined_with")
    return (
        f", joined with {joined['retrace'] or 'channel ' + str(joined['number'])}" if joined else ""
    )


def _verdicts(record: dict[str, Any]) -> list[str]:
    """Return, a line a channel, whether its pixels are fine enough and what else to know."""
    if "error" in record:
        return []
    channels = record.get("channels", ())
    shown = channels if len(channels) <= TOLD + 1 else channels[:TOLD]
    lines = []
    for channel in shown:
        lines.append(f"{_name(channel)}: {channel['coarseness']['advice']}")
        if warning := channel.get("trust", {}).get("warning"):
            lines.append(f"{_name(channel)}: {warning}")
    if rest := channels[len(shown) :]:
        counted = Counter(one["coarseness"]["verdict"] for one in rest)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
        lines.append(f"{len(rest)} more channels: {verdicts}")
    return lines


def _name(channel: Mapping[str, Any]) -> str:
    from afmsr_core.channel import called

    return " ".join(called(channel["title"], channel["number"]).split())  # in one line
