"""``python -m benchmarks PART``: time and memory as ratios to peers of the same run.

Without a part: the report, which runs most of them, each in a process of its own, and writes
docs/developers/performance.md and docs/developers/performance.json.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Sequence

from benchmarks import machine
from benchmarks.parts import NAMES, part


def main(argv: Sequence[str]) -> None:
    argv = argv or ["report"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="part", metavar="PART")
    for name in (argv[0],) if argv[0] in NAMES else NAMES:
        words = part(name).__doc__ or ""
        part(name).add_options(
            commands.add_parser(name, help=words.partition("\n")[0], description=words)
        )
    args = parser.parse_args(argv)
    if args.part != "report":
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(
            f"{machine.processor()}, {machine.processors()} processors{load}, Python "
            f"{platform.python_version()}, {datetime.date.today()}\n"
        )
    part(args.part).run(args)


if __name__ == "__main__":
    main(sys.argv[1:])
