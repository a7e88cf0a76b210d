"""What a command costs before it does anything, against Python with argparse."""

from __future__ import annotations

import argparse
import sys

from benchmarks import process

BARE = "python -c 'import argparse'"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=11)


def run(args: argparse.Namespace) -> None:
    python = sys.executable
    afmsr = [python, "-m", "afmsr_cli.main"]
    commands = {
        BARE: [python, "-c", "import argparse"],
        "afmsr --help": [*afmsr, "--help"],
        "afmsr upscale --help": [*afmsr, "upscale", "--help"],
        "the plug-in's worker, nothing to do": [
            python, "-I", "-m", "gwyddion_plugin.worker", "--cold"
        ],
        "python -c 'import numpy'": [python, "-c", "import numpy"],
        "python -c 'import numpy, onnxruntime'": [python, "-c", "import numpy, onnxruntime"],
        "python -c 'import cv2'": [python, "-c", "import cv2"],
    }  # fmt: skip
    process.told(process.compare(commands, args.runs), BARE, "start-up")
