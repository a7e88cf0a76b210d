"""``python -m benchmarks.trust``: the calibration, and the figures of trust_measured.md in docs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from afmsr_core.errors import AfmsrError
from afmsr_core.grid import SQUARE
from afmsr_core.trust.calibration import FILES

_EPILOG = """\
examples:
  python -m benchmarks.trust --corpus CORPUS calibrate    -> afmsr_core/data/afm*_calibration.json
  python -m benchmarks.trust --corpus CORPUS --scale 1x4 calibrate    one of them
  python -m benchmarks.trust --corpus CORPUS              all tables, on the dev split
  python -m benchmarks.trust --corpus CORPUS coarse       one of them
  python -m benchmarks.trust --corpus CORPUS planted --weights other=runs/a/afm.safetensors
  python -m benchmarks.trust --corpus CORPUS pictures     -> docs/images/trust-*.png
"""


def main() -> int:
    from benchmarks.trust import tables

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trust",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the scans")
    parser.add_argument(
        "--carn-m", type=Path, metavar="FILE", help="weights of CARN-M, to compare with"
    )
    parser.add_argument(
        "--weights", action="append", default=[], metavar="LABEL=FILE",
        help="other weights of the default network, to compare what they invent",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=[scale.option for scale in FILES], help="to calibrate; default: all"
    )
    parser.add_argument(
        "--stand-in", type=Path, metavar="FOLDER",
        help="to calibrate at 4x: a training that saw fewer samples, for those it has not seen",
    )  # fmt: skip
    parser.add_argument("what", nargs="?", choices=("calibrate", "pictures", *tables.TABLES))
    parser.add_argument(
        "--niqe", type=Path, metavar="FILE", help="published parameters of NIQE, to compare with"
    )
    args = parser.parse_args()
    others = {"carn_m": args.carn_m, "niqe": args.niqe}
    more = {name: path for name, path in others.items() if path is not None}
    for given in args.weights:
        label, _, path = given.partition("=")
        more[f"afm@{label}"] = Path(path)
    try:
        if args.what == "calibrate":
            from benchmarks.trust.learn import learn

            for scale in FILES:
                if args.scale in (None, scale.option):
                    learn(args.corpus, scale, args.stand_in if scale == SQUARE else None)
        elif args.what == "pictures":
            from benchmarks.trust.pictures import draw

            for path in draw(args.corpus):
                print(path)
        else:
            for name in (args.what,) if args.what else tables.TABLES:
                print(tables.TABLES[name](args.corpus, more), flush=True)
    except AfmsrError as error:
        print(f"benchmarks.trust: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
