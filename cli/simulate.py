"""``afmsr simulate``: pairs of scans of surfaces that are known exactly."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import (
    AfmsrError,
    Cancelled,
    MissingExtraError,
    OutputError,
    OutputExistsError,
    UsageError,
    did_you_mean,
)
from afmsr_core.quantity import readable

from .progress import Progress

if TYPE_CHECKING:
    from afmsr_core.channel import Channel

__all__ = ["add_parser", "run"]

TRUTH = "truth"
SETTINGS = "settings.json"

_EPILOG = """\
examples:
  afmsr simulate -o pairs/ --pairs 8
      pairs/typical-0000_low.gwy and pairs/typical-0000_high.gwy, and seven more
  afmsr-eval pairs/
      scores every method on them
  afmsr simulate -o pairs/ --preset worn-tip --specimen chains --size 256 --seed 3 --truth
      and the surface on an ideal grid, with where every pixel was, in pairs/truth/
  afmsr simulate -o lines/ --low 512x128 --low 128x128
      two coarse scans of the same time: every point of a quarter of the lines, in
      lines/typical-0000_lines.gwy, and a quarter of both, in lines/typical-0000_low.gwy
  afmsr simulate -o quiet/ --set white=0.001 --set scars=0 --set drift=0.01
  afmsr simulate -o again/ --surface scan.gwy --channel Height --size 256
      a measured field is the surface; its middle is scanned

A pair is one surface, scanned with a quarter of the lines and pixels, and then with all of them,
as an instrument does: each file has trace and retrace. A line takes the same time, however many
points it has: four times as many have a quarter of the time each, and twice the noise.
FOLDER/truth/ holds the exact surface at the pixels of each fine scan, which afmsr-eval scores
against, too. The same seed gives the same pair; pair number n has the seed SEED + n. Every number
that was drawn is in settings.json and in the channels' metadata.

presets:
{presets}

specimens:
{specimens}

conditions for --set (heights in ranges of the surface, lengths in widths of the scan):
{conditions}
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    from afmsr_core.simulation.conditions import Conditions
    from afmsr_core.simulation.presets import PRESETS
    from afmsr_core.simulation.specimens import SPECIMENS
    from afmsr_core.simulation.tip import SHAPES

    parser = commands.add_parser(
        "simulate",
        description="Scan surfaces that are known exactly with a virtual AFM.",
        epilog=_EPILOG.format(
            presets=_listed({one.name: one.summary for one in PRESETS.values()}),
            specimens=_listed({one.name: one.summary for one in SPECIMENS}),
            conditions=f"  {', '.join(Conditions().as_dict())}",
        ),
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the pairs"
    )
    parser.add_argument(
        "--pairs", type=int, default=1, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--size",
        type=int,
        default=512,
        metavar="PX",
        help="side of the fine scan, a multiple of 4 (default: %(default)s)",
    )
    parser.add_argument(
        "--low",
        action="append",
        default=[],
        metavar="PXxLINES",
        help="of the coarse scan, such as 512x128: all points of a quarter of the lines; twice, if "
        "one of the two has as many lines as points (default: a quarter of both)",
    )
    parser.add_argument(
        "--preset", default="typical", metavar="NAME", help="conditions (default: %(default)s)"
    )
    parser.add_argument(
        "--tip",
        metavar="SHAPE",
        help=f"{', '.join(one.name for one in SHAPES)} (default: the preset's)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--specimen", metavar="NAME", help="kind of surface (default: drawn for every pair)"
    )
    what.add_argument("--surface", type=Path, metavar="FILE", help="a measured field instead")
    parser.add_argument(
        "--channel", metavar="WHICH", help="of --surface (default: the first with heights)"
    )
    parser.add_argument(
        "--set",
        dest="fixed",
        action="append",
        default=[],
        metavar="CONDITION=VALUE",
        help="a condition that is not drawn; may be repeated",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the first pair (default: %(default)s)"
    )
    parser.add_argument(
        "--truth",
        action="store_true",
        help=f"also write an ideal scan of the surface and where each pixel was to FOLDER/{TRUTH}/",
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing outputs")
    parser.add_argument("--json", action="store_true", help="settings as JSON on stdout, too")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and errors"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate everything that was asked for."""
    from afmsr_core.simulation.pair import coarse_sides
    from afmsr_core.simulation.presets import preset
    from afmsr_core.simulation.specimens import specimen
    from afmsr_core.simulation.tip import shape

    if args.pairs < 1:
        raise UsageError(f"--pairs {args.pairs}: give a positive number")
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}: give a number from 0 on")
    if args.channel is not None and args.surface is None:
        raise UsageError("--channel: is for a surface from a file; give --surface, too")
    low = [_size(option) for option in args.low]
    sides = (*coarse_sides(args.size, low), "high")
    preset(args.preset)
    if args.specimen is not None:
        specimen(args.specimen)
    if args.tip is not None:
        shape(args.tip)
    fixed = _fixed(args.fixed)
    seeds = {f"{args.preset}-{seed:04d}": seed for seed in range(args.seed, args.seed + args.pairs)}
    surface: str | Channel | None = args.specimen
    if args.surface is not None:
        from afmsr_core import io

        surface = io.select(io.read(args.surface), args.channel)[0]
    known = _known(args.output / SETTINGS, args.force)
    targets = _targets(args.output, seeds, sides)
    _check(args.output, targets, args.force)
    records: dict[str, Any] = {}
    with _folders(args.output, targets), Progress(len(seeds), args.quiet) as progress:
        for name, seed in seeds.items():
            records[name] = _simulated(name, seed, surface, low, fixed, args, known | records)
            told = records[name].get("error")
            if told:
                progress.say(f"afmsr: {name}: {told}")
            progress.done(f"{name}: {'failed' if told else _told(records[name])}")
    if args.json:
        print(json.dumps(records, indent=1))
    return int(any("error" in record for record in records.values()))


def _simulated(
    name: str,
    seed: int,
    surface: str | Channel | None,
    low: Sequence[tuple[int, int]],
    fixed: dict[str, float],
    args: argparse.Namespace,
    before: dict[str, Any],
) -> dict[str, Any]:
    """Simulate one pair and write it; return its settings, or what went wrong with it alone.

    All scans and the truth come into being together, and then the settings of all pairs, `before`
    and this one: a run that is killed leaves no half of a pair, and no settings of a pair that is
    not there.
    """
    from afmsr_core import io
    from afmsr_core.io.atomic import writing, writing_all
    from afmsr_core.simulation.pair import simulate_pair

    manifest = args.output / SETTINGS
    try:
        pair = simulate_pair(
            surface,
            size=args.size,
            low=low,
            preset_name=args.preset,
            tip=args.tip,
            seed=seed,
            fixed=fixed,
        )
        files = _targets(args.output, [name], pair.channels)
        more = (*pair.truth, *pair.maps()) if args.truth else ()
        channels: list[Sequence[Channel]] = [*pair.channels.values(), (*more, *pair.exact)]
        # What is opened last takes its name first.
        with writing(manifest, True) as settings, writing_all(files, args.force) as opened:
            for path, file, group in zip(files, opened, channels, strict=True):
                io.GwyFile.new(group).write_to(file, path.name)
            settings.write(_as_text(before | {name: pair.settings}))
    except (Cancelled, UsageError, MissingExtraError):
        raise
    except AfmsrError as error:
        failed = {"seed": seed, "error": str(error)}
        with writing(manifest, True) as settings:
            settings.write(_as_text(before | {name: failed}))
        return failed
    return pair.settings


def _targets(folder: Path, names: Iterable[str], sides: Iterable[str]) -> list[Path]:
    """Return the files of these pairs: every scan, and the truth of each."""
    found, sides = [], tuple(sides)
    for name in names:
        found += [folder / f"{name}_{side}.gwy" for side in sides]
        found.append(folder / TRUTH / f"{name}.gwy")
    return found


def _check(folder: Path, targets: Sequence[Path], force: bool) -> None:
    """Make sure that nothing is overwritten unasked."""
    existing = [path for path in targets if path.exists()]
    if existing and not force:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputExistsError(
            f"{existing[0]}{more} already; --force overwrites, or choose another -o"
        )


@contextmanager
def _folders(folder: Path, targets: Sequence[Path]) -> Iterator[None]:
    """Make the folders, before minutes are spent; those that stay empty are taken away again."""
    made = []
    for wanted in dict.fromkeys((folder, *(path.parent for path in targets))):
        made += [path for path in (*wanted.parents[::-1], wanted) if not path.exists()]
        try:
            wanted.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"-o {folder}: the folder cannot be made ({error.strerror}); choose another"
            ) from error
    try:
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # something is in it
                path.rmdir()


def _known(path: Path, force: bool) -> dict[str, Any]:
    """Return the settings of the pairs that are in the folder already."""
    from afmsr_core.io.files import contents

    if not path.exists():
        return {}
    try:
        known = json.loads(contents(path))
    except (ValueError, RecursionError):
        known = None
    if isinstance(known, dict) and all(map(_is_record, known.values())):
        return known
    if force:
        return {}
    raise OutputExistsError(
        f"{path}: exists already and was not written by afmsr simulate; "
        f"--force overwrites, or choose another -o"
    )


def _is_record(one: Any) -> bool:
    return isinstance(one, dict) and "seed" in one


def _as_text(records: dict[str, Any]) -> bytes:
    text = json.dumps(records, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _size(option: str) -> tuple[int, int]:
    """Return lines and pixels of what is written as pixels x lines."""
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", option.strip().lower())
    if not found:
        raise UsageError(f"--low {option}: give pixels x lines, such as 512x128")
    return int(found[2]), int(found[1])


def _fixed(options: Sequence[str]) -> dict[str, float]:
    """Return the conditions that ``--set`` gives."""
    from afmsr_core.simulation.conditions import Conditions

    names, found = list(Conditions().as_dict()), {}
    for option in options:
        name, _, value = (part.strip() for part in option.partition("="))
        if name not in names:
            raise UsageError(
                f"--set {option}: no condition is called {name!r}.{did_you_mean(name, names)} "
                f"There are: {', '.join(names)}"
            )
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError(f"--set {option}: give a number, such as {name}=0.01") from None
    Conditions(**found)  # what makes no sense is found before anything is written
    return found


def _told(record: dict[str, Any]) -> str:
    from afmsr_core.pairing.pair import SIDES

    scans = [record[side] for side in SIDES if side in record]
    sizes = [f"{scan['xres']} x {scan['yres']}" for scan in scans]
    what = record.get("specimen") or record["surface"]
    return (
        f"{what}, {', '.join(sizes[:-1])} and {sizes[-1]} px, "
        f"{readable(record['width_nm'], 'nm', 3)}, range {readable(record['range_nm'], 'nm', 3)}"
    )


def _listed(rows: dict[str, str]) -> str:
    return "\n".join(f"  {name:<10} {summary}" for name, summary in rows.items())
