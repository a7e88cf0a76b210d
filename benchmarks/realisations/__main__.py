"""``python -m benchmarks.realisations``: learn the textures that ship, and judge realisations."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from afmsr_core.errors import AfmsrError
from afmsr_core.realisations import FILES

_EPILOG = """\
examples:
  python -m benchmarks.realisations --corpus CORPUS learn    -> afmsr_core/data/afm*_texture.json
  python -m benchmarks.realisations --corpus CORPUS          tables of the dev split
  python -m benchmarks.realisations --corpus CORPUS --weights carn_m=carn_m.pth sharpness
"""


def main() -> int:
    from benchmarks.realisations import tables

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.realisations",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the scans")
    parser.add_argument(
        "--scale", choices=[scale.option for scale in FILES], help="only this one; default: all"
    )
    parser.add_argument(
        "what", nargs="?", choices=("learn", *tables.TABLES, "sharpness", "pictures")
    )
    parser.add_argument("--scans", choices=("dev", "unseen"), default="dev", help="to judge on")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="for sharpness: of a network to compare with, such as carn_m=carn_m.pth",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="for sharpness: draw it, too")
    args = parser.parse_args()
    try:
        if args.what == "sharpness":
            from benchmarks.realisations.sharpness import sharpness

            named = (one.partition("=") for one in args.weights)
            rivals = {name: Path(file) for name, _, file in named}
            print(sharpness(args.corpus, rivals, args.picture))
            return 0
        if args.what == "pictures":
            from benchmarks.realisations.pictures import draw

            print(draw(args.corpus))
            return 0
        for scale in FILES:
            if args.scale not in (None, scale.option):
                continue
            if args.what == "learn":
                from benchmarks.realisations.learn import learn

                learn(args.corpus, scale)
            else:
                for name in (args.what,) if args.what in tables.TABLES else tables.TABLES:
                    print(tables.TABLES[name](args.corpus, args.scans, scale), flush=True)
    except AfmsrError as error:
        print(f"benchmarks.realisations: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
