"""``afmsr fit-niqe``: the statistics of good AFM scans, for NIQE to compare with."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch.plan import check_output
from afmsr_core.errors import AfmsrError, FieldError, naming
from afmsr_core.quantity import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr fit-niqe good-scans/ -o afm_niqe.npz
  afmsr eval pairs/ --niqe-parameters afm_niqe.npz

Scans enter as the paper's protocol has them: levelled, minimum to maximum as 8 bits, patches of
96 x 96 pixels. NIQE needs more patches than its 36 features; a few hundred are better.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fit-niqe",
        description="Fit NIQE's parameters to good scans instead of photographs.",
        epilog=_EPILOG,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="scans, or folders")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the parameters, .npz"
    )
    parser.add_argument(
        "--level", default="plane", metavar="STEPS", help="of each scan (default: %(default)s)"
    )
    parser.add_argument("--channel", metavar="WHICH", help="number, title or pattern")
    parser.add_argument("--force", action="store_true", help="overwrite the output")
    parser.add_argument("--json", action="store_true", help="what was done as JSON on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fit the parameters."""
    from afmsr_core import io
    from afmsr_core.io.results import is_result
    from afmsr_core.levelling import level
    from afmsr_core.trust.copies import Copies

    check_output(args.output, ".npz", args.force)
    files = io.find_files(args.files)
    if not files:
        print("afmsr: no scans found", file=sys.stderr)
        return 3
    fields, failed, doubles = [], 0, {}
    copies: Copies[Path] = Copies()
    for file in files:
        try:
            channels = io.read(file)
            if file not in args.files and is_result(channels):
                print(f"afmsr: {file}: left out: a result of afmsr", file=sys.stderr)
                continue
            channel = io.select(channels, args.channel)[0]
            if (first := copies.first(channel, file)) is not file:
                doubles[str(file)] = str(first)
                told = f"{file}: the same scan as {first}, counted once"
                print(f"afmsr: warning: {told}", file=sys.stderr)
                continue
            fields.append(level(channel, args.level).channel.heights)
        except AfmsrError as error:
            failed += 1
            print(f"afmsr: {naming(file, str(error))}", file=sys.stderr)
    patches = write_model(fields, args.output, args.force)
    if args.json:
        record = {
            "output": str(args.output),
            "scans": len(fields),
            "patches": patches,
            "doubles": doubles,
        }
        print(json.dumps(record, indent=1))
    else:
        print(f"{args.output}: {patches} patches of {counted(len(fields), 'scan')}")
    return int(failed > 0)


def write_model(fields: list[NDArray[Any]], target: Path, force: bool) -> int:
    """Fit NIQE's parameters to levelled fields, write them and return the number of patches.

    As the authors of NIQE did, the mean and the covariance of the features of all patches; only
    patches as sharp as three quarters of the sharpest of their scan count.
    """
    import numpy as np

    from afmsr_core.io.atomic import writing
    from afmsr_core.metrics.niqe import FEATURES, PATCH, patch_features
    from afmsr_core.normalisation import Normalisation, to_8bit

    kept = []
    for field in fields:
        if not np.isfinite(field).all() or min(field.shape) < PATCH:
            continue
        grey = to_8bit(Normalisation.of(field).apply(field)).astype(np.float64)
        features = patch_features(grey)
        sharp = _sharpness(grey, PATCH) if len(features) else np.empty(0)
        if not sharp.size or not sharp.max() > 0:
            continue
        complete = np.isfinite(features).all(axis=1)
        kept.append(features[complete & (sharp >= 0.75 * sharp.max())])
    found = np.concatenate(kept) if kept else np.empty((0, FEATURES))
    if len(found) <= FEATURES:
        raise FieldError(
            f"{len(found)} patches of {PATCH} x {PATCH} pixels are too few for NIQE's {FEATURES} "
            f"features; give more or larger scans"
        )
    with writing(target, force=force) as file:
        np.savez(
            file, mu_pris_param=found.mean(axis=0)[None], cov_pris_param=np.cov(found, rowvar=False)
        )
    return len(found)


def _sharpness(grey: NDArray[Any], patch: int) -> NDArray[Any]:
    """Return the mean local deviation of every whole patch, row by row."""
    import cv2

    mean = cv2.GaussianBlur(grey, (7, 7), 7 / 6)
    deviation = abs(cv2.GaussianBlur(grey**2, (7, 7), 7 / 6) - mean**2) ** 0.5
    rows, columns = (n // patch for n in grey.shape)
    whole = deviation[: rows * patch, : columns * patch]
    return whole.reshape(rows, patch, columns, patch).mean(axis=(1, 3)).ravel()
