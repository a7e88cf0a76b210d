"""``afmsr picture``: scans as figures for papers."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import UsageError

from .options import add_channel_options

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.picture.panels import Panel

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr picture scan.gwy
      writes scan.png: 85 mm wide with 300 dpi, scale bar and colour bar, in the palette and the
      fixed range of colours that a .gwy stores, else in one that outliers do not rule
  afmsr picture scan.gwy scan_x4.gwy --level plane -o figure.pdf
      scan and result side by side in the same colours, 180 mm wide, text as text
  afmsr picture scan.spm --channel Height --channel Phase --title 'Sample 3' -o figure.svg
  afmsr picture scan.gwy --range=-2:8nm --palette gray --width 60 --dpi 600 -o figure.tiff

ranges: LOW:HIGH with a unit, such as 0:12nm or 0.1:2µm (--range=-2:8nm where it begins with a
minus); percentiles, such as 1%:99%; full, the lowest to the highest; own, the one that the .gwy
stores. Pictures that are compared have the same range. Below them stands how it was chosen.

palettes: afm (the default), gray, blue-yellow and violet-yellow (for the colour-blind),
difference, error; and of Gwyddion's: Gray-inverted, Gwyddion.net, Gold, Sky, Warm, Cold, Caribbean,
Viridis, Red, Green, Blue, Yellow, Olive, Pink, RGB-Red, RGB-Green, RGB-Blue, Red-Yellow,
Red-Violet, Red-Cyan, Green-Yellow, Green-Cyan, Green-Violet, Blue-Cyan, Blue-Violet, Blue-Yellow,
Rainbow2.
"""

_END = r"\s*([-+−]?\d*\.?\d+(?:e[-+]?\d+)?)\s*([^\s\d:][^:]*?)?\s*"
_RANGE = re.compile(rf"{_END}:{_END}", re.IGNORECASE)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "picture",
        description="Draw scans as a figure: true proportions, scale bar, colours with numbers.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="scans; several stand side by side. Of a file with results, the first result is shown",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FIGURE",
        help=".png, .svg, .pdf or .tiff (default: a .png beside the first file)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite the figure")
    add_channel_options(parser)
    parser.add_argument("--palette", metavar="NAME", help="see below (default: that of the .gwy)")
    parser.add_argument("--range", metavar="RANGE", help="heights at the ends of the colours")
    parser.add_argument(
        "--level",
        default="none",
        metavar="STEPS",
        help="levelling steps, such as plane or plane+rows-median; the figure tells them "
        "(default: %(default)s)",
    )
    parser.add_argument("--mask", action="store_true", help="tint the pixels of the mask")
    parser.add_argument(
        "--width", type=float, metavar="MM", help="of the figure (default: 85; several: 180)"
    )
    parser.add_argument(
        "--dpi", type=float, default=300.0, help="of .png and .tiff (default: %(default)g)"
    )
    parser.add_argument("--title", default="", help="above all")
    parser.add_argument("--quiet", action="store_true", help="do not name what was written")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw everything that was asked for into one figure."""
    from afmsr_core import io
    from afmsr_core.batch.work import warned
    from afmsr_core.io.atomic import check_target, writing
    from afmsr_core.picture.figures import drawn, format_of

    for file in args.files:
        if file.is_dir():
            raise UsageError(f"{file}: is a folder; give the scans that the figure is to show")
    if args.range == "own" and args.level != "none":
        raise UsageError(
            f"--range own: the .gwy stores it for the heights as they are, and --level "
            f"{args.level} shows others; leave one of the two out"
        )
    target = args.output or args.files[0].with_suffix(".png")
    kind = format_of(target)
    check_target(target, args.force)
    channels: list[Channel] = []
    for file in args.files:
        found = _chosen(io.read(file), args)
        for sentence in warned(found):
            print(f"afmsr: warning: {file}, {sentence}", file=sys.stderr)
        channels += found
    panels = _in_range([_panel(one, args) for one in channels], channels, args.range)
    figure = drawn(panels, kind, width=args.width, dpi=args.dpi, title=args.title)
    with writing(target, args.force) as file:
        file.write(figure)
    if not args.quiet:
        print(f"{', '.join(map(str, args.files))} -> {target}", file=sys.stderr)
    return 0


def _chosen(channels: Sequence[Channel], args: argparse.Namespace) -> list[Channel]:
    """Return what to show of a file: what is asked for, else its first result, else its heights."""
    from afmsr_core.batch.work import chosen
    from afmsr_core.io.results import results_in

    if args.channel is None and not args.all_channels and (made := results_in(channels)):
        return made[:1]
    return chosen(channels, args.channel, args.all_channels)


def _panel(channel: Channel, args: argparse.Namespace) -> Panel:
    from afmsr_core.io.results import is_extra
    from afmsr_core.levelling import level
    from afmsr_core.picture.panels import Panel

    steps = "none" if is_extra(channel) else args.level  # a half-width is no surface
    file = channel.path.name if channel.path else ""
    pixels = f"{channel.xres} × {channel.yres} px"
    panel = Panel.of(
        level(channel, steps).channel,
        subtitle=", ".join(filter(None, (file, pixels))),
        palette=args.palette or "",
        mask=args.mask,
    )
    if steps == "none":
        return panel
    return panel.replace(notes=(*panel.notes, f"Levelled by {steps.replace('+', ', ')}"))


def _in_range(
    panels: Sequence[Panel], channels: Sequence[Channel], wanted: str | None
) -> list[Panel]:
    """Return panels in the range that was asked for."""
    from afmsr_core.picture.panels import in_own_range, in_range

    if wanted is None:
        return _comparable(panels, channels)
    if wanted == "own":
        return in_own_range(panels, channels)
    if wanted == "full":
        return _comparable(panels, channels, (0.0, 100.0))
    low, high, unit = _parsed(wanted)
    if unit == "%":
        if not (low >= 0 and high <= 100):
            raise UsageError(f"--range {wanted}: percentiles lie between 0% and 100%")
        return _comparable(panels, channels, (low, high))
    return in_range(panels, low, high, unit, "as asked for")


def _comparable(
    panels: Sequence[Panel],
    channels: Sequence[Channel],
    percentiles: tuple[float, float] | None = None,
) -> list[Panel]:
    """Return panels in ranges that those share which are worth comparing."""
    from afmsr_core.picture.panels import in_ranges_of

    alike: dict[str, list[int]] = {}
    for place, channel in enumerate(channels):
        alike.setdefault(_quantity(channel), []).append(place)
    ranged: dict[int, Panel] = {}
    for places in alike.values():
        found = in_ranges_of([panels[place] for place in places], percentiles)
        ranged |= zip(places, found, strict=True)
    return [ranged[place] for place in range(len(panels))]


def _quantity(channel: Channel) -> str:
    """Return what a channel tells of that is in nm and no height, else an empty string.

    In the range of the heights an amplitude or a half-width would be of one colour.
    """
    from afmsr_core.io.results import is_extra, scan_title

    if is_extra(channel) or (channel.is_height and not channel.shows_relief):
        return scan_title(channel.title)
    return ""


def _parsed(wanted: str) -> tuple[float, float, str]:
    """Return the ends of a range and their unit, as a `Channel` holds it; or percents."""
    from afmsr_core.io.units import from_file

    found = _RANGE.fullmatch(wanted)
    if found is None:
        raise UsageError(
            f"--range {wanted}: give LOW:HIGH with a unit, such as 0:12nm; percentiles, such as "
            f"1%:99%; full; or own"
        )
    ends = []
    for number, unit in ((found[1], found[2] or found[4]), (found[3], found[4] or found[2])):
        value = float(number.replace("−", "-"))
        if unit == "%":
            ends.append((value, unit))
        else:
            factor, base = from_file(unit or "")
            ends.append((value * factor, base))
    (low, unit), (high, other) = ends
    if unit != other:
        raise UsageError(f"--range {wanted}: its ends are in different units; give both in one")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"--range {wanted}: an end is larger than any number can be")
    if not low < high:
        raise UsageError(f"--range {wanted}: the first is to be below the second")
    return low, high, unit
