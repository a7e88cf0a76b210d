"""``afmsr verify``: compare a result with a zoom scan of a part of it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch.plan import check_output
from afmsr_core.batch.work import warned
from afmsr_core.errors import ChannelNotFoundError, PairError, UsageError
from afmsr_core.quantity import readable, slope_unit

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.trust.detail import Detail

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr verify scan_x4.gwy zoom.gwy
  afmsr verify scan_x4.gwy zoom.gwy --json -o checked.gwy
      checked.gwy: the zoom, the result on its pixels, and their difference
"""

LISTED = 5  # places on the screen
FEWEST = 8  # measured pixels a side, below which there is no relief to compare
LONG = 1.5  # longer over shorter side of a pixel of the zoom: it is a line scan itself
NO_FINER = 0.99  # of a measured pixel: sizes that a scanner gives twice differ in the last digits


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        description="Align a zoom scan with a result and say which features are confirmed.",
        epilog=_EPILOG,
    )
    parser.add_argument("result", type=Path, metavar="RESULT", help="what afmsr upscale wrote")
    parser.add_argument("zoom", type=Path, metavar="ZOOM", help="a finer scan of a part of it")
    parser.add_argument("--channel", metavar="WHICH", help="of the result: number, title, pattern")
    parser.add_argument("--zoom-channel", metavar="WHICH", help="of the zoom scan")
    parser.add_argument(
        "--scale",
        metavar="N",
        help="of the result, such as 4, or 1x4 if it is of a line scan (default: as its history "
        "or title says, else 4)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="a .gwy with the fields")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify one result."""
    import numpy as np

    from afmsr_core import io
    from afmsr_core.alignment import align
    from afmsr_core.averaging import fineness
    from afmsr_core.io.results import HALF_WIDTH, drawn_at_random, half_width_of
    from afmsr_core.levelling import level
    from afmsr_core.pairing import check_units
    from afmsr_core.surfaces import fit_plane
    from afmsr_core.trust.assessment import COVERAGE, second_scan
    from afmsr_core.trust.detail import compare_detail
    from afmsr_core.trust.noise import noise_of

    told = _scale(args.scale)
    if args.output is not None:
        check_output(args.output, ".gwy", args.force)
    channels = io.read(args.result)
    result = _result(channels, args.channel, args.result)
    zoom = io.select(io.read(args.zoom), args.zoom_channel)[0]
    warnings = [
        f"{path}, {warning}"
        for path, channel in ((args.result, result), (args.zoom, zoom))
        for warning in warned([channel])
    ]
    check_units(result, zoom, "--channel or --zoom-channel")
    if told is None and not _says_its_scale(result):
        warnings.append(
            f"{args.result}, {result.name}: nothing in it tells how many pixels were made of one "
            f"that was measured, and 4 along both axes are taken; give --scale"
        )
    if told is not None:
        _check_scale(result, told, args)
    down, across = told or fineness(result)
    measured = max(down * result.dy, across * result.dx)
    zoom = _squared(zoom)
    if max(zoom.dx, zoom.dy) > NO_FINER * measured:
        warnings.append(
            f"{args.zoom}, its pixels are no finer than those that were upscaled, so it cannot "
            f"confirm what lies between them; take a zoom scan"
        )
    for warning in warnings:
        print(f"afmsr: warning: {warning}", file=sys.stderr)
    truth = level(zoom, "plane").channel.heights
    try:
        found = align(
            level(result, "plane").channel.heights,
            truth,
            pixel_nm=(zoom.dx, zoom.dy),
            result_pixel_nm=(result.dx, result.dy),
        )
    except PairError as refused:  # it calls the zoom the truth
        which, _, what = str(refused).partition(": ")
        file = {"truth": args.zoom, "result": args.result}.get(which)
        raise PairError(f"{file}: {what}" if file else str(refused)) from refused
    if not found.accepted:
        raise PairError(
            f"{args.zoom}: cannot be found in {args.result.name}: {found.verdict}; check the "
            f"channels, that the zoom lies inside, and that neither is mirrored (a retrace may be)"
        )
    there = found.warp(result.heights)
    there = there - fit_plane(there - truth).on_grid(*truth.shape)
    error = there - truth
    known = np.isfinite(error)
    pixels = max(1, round(measured / zoom.dx))
    noise = noise_of(truth)
    detail = compare_detail(there, truth, noise.white, scale=pixels)
    numbers = detail.as_dict()
    spread = float(np.sqrt(np.mean(error[known] ** 2)))
    record: dict[str, Any] = {
        "result": str(args.result),
        "zoom": str(args.zoom),
        "channel": result.name,
        "drawn": drawn_at_random(result),
        "unit": result.unit,
        "lateral_unit": result.lateral_unit,
        "slope_unit": slope_unit(result.unit, result.lateral_unit),
        "warnings": warnings,
        "alignment": found.as_dict(),
        "rmse": spread,
        "confirmed": detail.result.count - int(detail.invented.sum()),
        **numbers,
        "not_confirmed": _places(detail, zoom),
        "within_interval": None,
        "within_interval_of_second_scan": None,
        "parameters": _parameters(there, truth, known, zoom),
    }
    width = half_width_of(channels, result)
    if width is not None and width.title.startswith(HALF_WIDTH):
        half = found.warp(width.heights)
        inside = np.isfinite(half) & known
        off, half = np.abs(error[inside]), half[inside]
        wider = second_scan(half, noise, COVERAGE)
        record["within_interval"] = float(np.mean(off <= half))
        record["within_interval_of_second_scan"] = float(np.mean(off <= wider))
    if args.output is not None:
        on_zoom = result.replace(
            heights=there, xreal=zoom.xreal, yreal=zoom.yreal, xoff=zoom.xoff, yoff=zoom.yoff,
            mask=None, title=f"{result.name}, on the zoom",
        )  # fmt: skip
        difference = on_zoom.replace(heights=error, title=f"{result.name} less the zoom")
        io.write(args.output, [zoom, on_zoom, difference], force=args.force)
        record["output"] = str(args.output)
    if args.json:
        print(json.dumps(record, indent=1))
    else:
        _tell(record)
    return 0


def _scale(given: str | None) -> tuple[int, int] | None:
    """Return how many pixels a result has for one that was measured: down and across."""
    if given is None:
        return None
    found = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", given)
    if found is None:
        raise UsageError(
            f"--scale {given}: give a positive number, or columns x rows such as 1x4 of a line scan"
        )
    return int(found[2] or found[1]), int(found[1])


def _check_scale(result: Channel, scale: tuple[int, int], args: argparse.Namespace) -> None:
    """Refuse a scale that leaves nearly nothing measured: details so large take minutes, and GB."""
    rows, columns = result.yres // scale[0], result.xres // scale[1]
    if min(rows, columns) < FEWEST:
        raise UsageError(
            f"--scale {args.scale}: of the {result.xres} x {result.yres} pixels of {args.result} "
            f"that leaves {columns} x {rows} that were measured; give how many were made of one"
        )


def _says_its_scale(result: Channel) -> bool:
    """Whether a result tells its scale; a title does not tell all if pixels were averaged."""
    from afmsr_core.grid import scales_of

    if result.last_step("upscale"):
        return True
    return bool(scales_of(result)) and "averaged to" not in result.title


def _squared(zoom: Channel) -> Channel:
    """Return a zoom that is a line scan with means along its lines, so that its pixels are square.

    Features are looked for in circles.
    """
    from afmsr_core.averaging import averaged

    if max(zoom.dx, zoom.dy) < LONG * min(zoom.dx, zoom.dy):
        return zoom
    side = max(zoom.dx, zoom.dy)
    return averaged(zoom, (round(zoom.yreal / side), round(zoom.xreal / side)))


def _result(channels: list[Channel], which: str | None, path: Path) -> Channel:
    from afmsr_core import io
    from afmsr_core.io.results import results_in

    if which is not None:
        return io.select(channels, which)[0]
    upscaled = results_in(channels)
    if not upscaled:
        raise ChannelNotFoundError(
            f"{path}: no channel is named as afmsr upscale names its results; choose one with "
            f"--channel"
        )
    return upscaled[-1]


def _places(detail: Detail, zoom: Channel) -> list[dict[str, float]]:
    """Return where the features lie that the zoom does not have, the highest first."""
    import numpy as np

    of = detail.result
    order = sorted(np.flatnonzero(detail.invented), key=lambda n: -abs(of.heights[n]))
    return [
        {
            "x": float(zoom.xoff + (of.columns[n] + 0.5) * zoom.dx),
            "y": float(zoom.yoff + (of.rows[n] + 0.5) * zoom.dy),
            "height": float(of.heights[n]),
        }
        for n in order
    ]


def _parameters(there: Any, truth: Any, known: Any, zoom: Channel) -> dict[str, Any]:
    """Return the surface parameters of both on the area that both cover."""
    import numpy as np

    from afmsr_core.metrics.roughness import surface_parameters

    names = ("Sa", "Sq", "Sdq", "Sdr")
    both = {}
    for name, heights in (("result", there), ("zoom", truth)):
        field = np.where(known, heights, np.nan)
        of = surface_parameters(field, (zoom.dy, zoom.dx), zoom.is_height)
        both[name] = {parameter: of[parameter] for parameter in names}
    return both


def _tell(record: dict[str, Any]) -> None:
    unit = record["unit"]
    print(f"{record['channel']} against {record['zoom']}: {record['alignment']['verdict']}")
    if record["drawn"]:
        print(f"{record['drawn']} A feature that is confirmed was met by chance, or was measured.")
    print(f"root mean square difference {readable(record['rmse'], unit, 3)}")
    print(
        f"features above 5 sigma: {record['confirmed']} of {record['features_result']} confirmed; "
        f"{record['missing']} of {record['features_truth']} in the zoom are missing"
    )
    if record["within_interval"] is not None:
        print(
            f"differences within the interval of the surface: {record['within_interval']:.1%} of "
            f"the pixels; with the noise of the zoom added: "
            f"{record['within_interval_of_second_scan']:.1%}"
        )
    units = {"Sa": unit, "Sq": unit, "Sdq": record["slope_unit"], "Sdr": "%"}
    for name, value in record["parameters"]["result"].items():
        other = record["parameters"]["zoom"][name]
        if value is not None and other is not None:
            told, zoomed = (readable(of, units[name]) for of in (value, other))
            print(f"{name}: result {told}, zoom {zoomed}")
    places = record["not_confirmed"]
    if len(places) > LISTED:
        print(f"not confirmed: {len(places)}, of which the {LISTED} highest (--json lists all):")
    for place in places[:LISTED]:
        sign = "+" if place["height"] > 0 else ""
        x, y = (readable(place[axis], record["lateral_unit"] or "px") for axis in "xy")
        print(f"not confirmed: {sign}{readable(place['height'], unit, 3)} at x {x}, y {y}")
