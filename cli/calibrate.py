"""``afmsr calibrate``: learn on a lab's own pairs how far the results are off."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch.plan import check_output
from afmsr_core.batch.work import warned
from afmsr_core.errors import UsageError
from afmsr_core.quantity import counted

from .errorlog import tell
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from afmsr_core.channel import Channel
    from afmsr_core.grid import Scale
    from afmsr_core.pairing import Pair
    from afmsr_core.trust.calibration import Observation
    from afmsr_core.upscale import Upscaler

__all__ = ["add_parser", "run"]

HERE = "the folder itself"  # the sample of pairs that lie in no folder of their own

_EPILOG = """\
examples:
  afmsr calibrate pairs/ -o ours.json
      pairs as for afmsr eval: NAME_low and NAME_high, a folder for each sample
  afmsr upscale scan.gwy --confidence --calibration ours.json

A sample is a folder of pairs, or the pairs with the same 'data set' in a pairs.csv. All pairs of a
folder without folders in it are one sample. At least 3 samples
are needed; from 20 on the coverage is guaranteed. The same scans under two names count once.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "calibrate",
        description="Learn intervals for the heights from pairs of a coarse and a fine scan.",
        epilog=_EPILOG,
    )
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="a folder, or a pairs.csv")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the calibration, .json"
    )
    parser.add_argument(
        "--method", default="afm", metavar="NAME", help="to calibrate (default: %(default)s)"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="other weights (torch)")
    parser.add_argument(
        "--level", default="plane", metavar="STEPS", help="of both scans (default: %(default)s)"
    )
    parser.add_argument("--channel", metavar="WHICH", help="number, title or pattern")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine")
    parser.add_argument("--each", action="store_true", help="every pair shows another sample")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    parser.add_argument("--json", action="store_true", help="the calibration on stdout too")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and errors"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate."""
    from afmsr_core.io.atomic import writing
    from afmsr_core.levelling import parse_spec
    from afmsr_core.pairing import find_pairs
    from afmsr_core.trust.calibration import calibrate
    from afmsr_core.trust.copies import Copies
    from afmsr_core.upscale import Settings, Upscaler

    parse_spec(args.level)
    check_output(args.output, ".json", args.force)
    found = find_pairs(args.pairs, channel=args.channel)
    if not found.pairs:
        print(f"afmsr: {args.pairs}: no pairs found", file=sys.stderr)
        return 3
    own = {pair.id: pair.id if args.each else pair.data_set or HERE for pair in found.pairs}
    _check_samples(own.values(), args)
    settings = Settings(
        method=args.method, level="none", weights=args.weights, threads=args.threads
    )
    upscaler = Upscaler(settings)
    observations: list[Observation] = []
    digest, failed = "", 0
    scale: Scale | None = None
    copies: Copies[Pair] = Copies()
    with Progress(len(found.pairs), args.quiet) as progress:
        for number, pair in enumerate(found.pairs):
            try:
                low, high = _read(pair, progress)
                taken = _check_scale(scale, upscaler.scale(low).upright)
                low_first, high_first = (copies.first(one, pair) for one in (low, high))
                if low_first is high_first is not pair:
                    progress.say(
                        f"afmsr: {pair.id}: the same scans as {low_first.id}, counted once"
                    )
                    progress.done(f"{pair.id}: left out")
                    continue
                # Who shares a scan with another pair shows the same sample.
                other = low_first if low_first is not pair else high_first
                sample = own[pair.id] = own[other.id]
                one, digest = _observed(pair, (low, high), sample, upscaler, args.level, number)
                observations.append(one)
                scale = taken
                progress.done(f"{pair.id}: sample {sample}")
            except Exception as error:  # whatever happens to a pair, the others are used
                failed += 1
                tell(error, pair.id, pair.low)
                progress.done(f"{pair.id}: left out")
    if not observations or scale is None:
        raise UsageError(f"{args.pairs}: no pair can be used, of {failed}")
    _check_samples([one.sample for one in observations], args)
    made_from = f"{counted(len(observations), 'pair')} of {args.pairs.name}"
    made = calibrate(observations, upscaler.method.name, [digest], made_from, scale)
    with writing(args.output, force=args.force) as file:
        file.write(made.as_json().encode())
    if args.json:
        print(json.dumps(json.loads(made.as_json()), indent=1))
    else:
        what = scale.titled(made.method) if scale.lines else made.method
        promise = "guaranteed" if made.guaranteed else "not guaranteed: too few samples"
        if made.guaranteed and args.each:
            promise += ", if every pair shows another sample"
        print(
            f"{args.output}: {what}, {made.scans} pairs of {made.samples} samples; "
            f"90 % of the errors within {made.scales(0.9):.2f} scales ({promise})"
        )
    return int(failed > 0)


def _check_scale(known: Scale | None, scale: Scale) -> Scale:
    """Refuse a pair whose scan is taken with another scale than those before it."""
    if known is not None and known != scale:
        raise UsageError(
            f"the scan is upscaled with --scale {scale.option}, those before it with "
            f"{known.option}, which other weights make; calibrate them apart"
        )
    return scale


def _check_samples(samples: Iterable[str], args: argparse.Namespace) -> None:
    """Refuse too few samples, before the first pair is upscaled where that can be told."""
    from afmsr_core.trust.calibration import EXACT, LEAST_SAMPLES

    found = len(set(samples))
    if found >= LEAST_SAMPLES:
        return
    cure = "add pairs of other samples"
    if not args.each:
        cure = (
            "put the pairs of each sample into a folder of its own, or name the samples in the "
            "column 'data set' of a pairs.csv; give --each if every pair shows another sample"
        )
    raise UsageError(
        f"{args.pairs}: pairs of {found} sample{'s' * (found != 1)}, and {LEAST_SAMPLES} are "
        f"needed, better {EXACT}: one sample does not tell how far others will be off; {cure}"
    )


def _read(pair: Pair, progress: Progress) -> tuple[Channel, Channel]:
    """Return the coarse and the fine scan."""
    from afmsr_core import io
    from afmsr_core.errors import FieldError
    from afmsr_core.pairing import check_pair

    low, high = (io.select(io.read(path), pair.channel)[0] for path in (pair.low, pair.high))
    for path, channel in ((pair.low, low), (pair.high, high)):
        for warning in warned([channel]):
            progress.say(f"afmsr: warning: {path}, {warning}")
    check_pair(low, high)
    for path, channel in ((pair.low, low), (pair.high, high)):
        if not channel.shows_relief:
            raise FieldError(
                f"{path}: channel {channel.name!r} is no height, and intervals are learnt on "
                f"heights; choose another with --channel"
            )
    return low, high


def _observed(
    pair: Pair,
    scans: tuple[Channel, Channel],
    sample: str,
    upscaler: Upscaler,
    level_spec: str,
    seed: int,
) -> tuple[Observation, str]:
    """Return what one pair tells, and the hash of the weights."""
    import numpy as np

    from afmsr_core.alignment import align
    from afmsr_core.channel import Channel
    from afmsr_core.errors import PairError
    from afmsr_core.levelling import level
    from afmsr_core.surfaces import fit_plane
    from afmsr_core.trust.calibration import observe
    from afmsr_core.trust.evidence import gather
    from afmsr_core.trust.noise import noise_of

    low, high = scans
    taken = upscaler.scale(low)
    upright = low.turned() if taken.sideways else low  # so that its lines are rows
    relief, truth = (level(one, level_spec).channel.heights for one in (upright, high))
    made = upscaler(Channel(relief, upright.xreal, upright.yreal))
    digest = made.history[-1].settings.get("weights_sha256", "")
    evidence = gather(relief, made.heights, noise_of(relief, taken.cell), taken.upright)
    turned = np.transpose if taken.sideways else np.asarray
    result = turned(made.heights)
    rows, columns = result.shape
    aligned = align(
        result,
        truth,
        pixel_nm=(high.dx, high.dy),
        result_pixel_nm=(low.xreal / columns, low.yreal / rows),
    )
    if not aligned.accepted:
        raise PairError(
            f"{pair.id}: {aligned.verdict}; check that both show the same area, in the right "
            f"unit, and that neither is mirrored"
        )
    error = aligned.warp(result) - truth
    error = fit_plane(error).subtracted_from(error)
    rng = np.random.default_rng(seed)
    return observe(evidence, error, sample, rng, lambda z: aligned.warp(turned(z))), digest
