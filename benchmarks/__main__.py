"""``python -m benchmarks PART``: time and memory as ratios to peers of the same run.

Without a part, all of them, one after the other; each says what it compares.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from types import ModuleType

from benchmarks import cluster, forward, memory, process, size, startup, survey, throughput

PARTS: dict[str, ModuleType] = {
    "startup": startup,
    "process": process,
    "forward": forward,
    "size": size,
    "throughput": throughput,
    "memory": memory,
    "cluster": cluster,
    "survey": survey,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="part", metavar="PART")
    for name, part in PARTS.items():
        summary = (part.__doc__ or "").partition("\n")[0]
        part.add_options(commands.add_parser(name, help=summary, description=part.__doc__))
    args = parser.parse_args()
    from afmsr_core.inference.onnx_engine import usable_threads

    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(
        f"{_processor()}, {usable_threads()} processors{load}, Python "
        f"{platform.python_version()}, {datetime.date.today()}\n"
    )
    for name in [args.part] if args.part else PARTS:
        print(f"## {name}\n")
        PARTS[name].run(args if args.part else parser.parse_args([name]))
        print(flush=True)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            return next(line for line in file if "model name" in line).partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
