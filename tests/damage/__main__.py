"""``python -m tests.damage FAMILY``: read damaged files and say what became of them."""

from __future__ import annotations

import argparse
import importlib
import sys

from . import trial

FAMILIES = ("native", "raw", "third")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--files", type=int, default=30_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    args = parser.parse_args()
    family = importlib.import_module(f".{args.family}", __package__)
    try:
        found = trial.of(family, args.seed, args.files)
    except trial.Broken as broken:
        print(broken, file=sys.stderr)
        return 1
    print(found)
    return 0


sys.exit(main())
