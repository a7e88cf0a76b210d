"""``python -m benchmarks``: start-up, memory and speed as ratios to peers of the same run."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import forward, process

TORCHSR = """
import numpy, torch, torchsr.models
model = torchsr.models.ninasr_b0(scale=4)
model(torch.rand(1, 3, 128, 128))
"""
ONNXRUNTIME = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
session.run(None, {"grey": numpy.random.rand(1, 1, 128, 128).astype("f4")})
"""
BARE = "bare ONNX Runtime script, 128 x 128"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--side", type=int, default=128, help="input pixels of the forward pass")
    parser.add_argument("--methods", help="of the forward pass, with commas (default: all)")
    args = parser.parse_args()
    from afmsr_core.inference.onnx_engine import usable_threads

    print(f"{platform.processor() or platform.machine()}, {usable_threads()} processors, ", end="")
    print(f"Python {platform.python_version()}; medians of {args.runs} runs in turn\n")
    _processes(args.runs)
    if importlib.util.find_spec("torch"):
        _forward(args)
    else:
        print("forward passes: torch is not installed; pip install 'afmsr[torch]'")


def _processes(runs: int) -> None:
    from afmsr_core import data

    here = Path(data.__file__).parent
    example, _ = data.example_pair()
    python = sys.executable
    afmsr = [python, "-m", "afmsr_cli.main"]
    with tempfile.TemporaryDirectory() as folder:
        result = str(Path(folder) / "out.gwy")
        commands = {
            "python -c 'import argparse'": [python, "-c", "import argparse"],
            "afmsr --help": [*afmsr, "--help"],
            BARE: [python, "-c", ONNXRUNTIME, str(here / "afm.onnx")],
            "afmsr upscale, 128 x 128, bicubic": [
                *afmsr, "upscale", str(example), "-o", result, "--force", "--method", "bicubic",
            ],
            "afmsr upscale, 128 x 128, afm": [
                *afmsr, "upscale", str(example), "-o", result, "--force",
            ],
        }  # fmt: skip
        if importlib.util.find_spec("torchsr"):
            commands["plain torchSR call, NinaSR-B0, 128 x 128"] = [python, "-c", TORCHSR]
        costs = process.compare(commands, runs)
    reference = costs[BARE].seconds
    print("| whole process | seconds | ratio | peak MB |\n|---|---|---|---|")
    for name, cost in costs.items():
        ratio = cost.seconds / reference
        print(f"| {name} | {cost.seconds:.2f} | {ratio:.2f} | {cost.megabytes:.0f} |")
    print()


def _forward(args: argparse.Namespace) -> None:
    from afmsr_core.methods import methods

    names = args.methods.split(",") if args.methods else list(methods())
    side = args.side
    print(
        f"| network, {side} x {side} | ours, s | plain call, s | plain / ours |\n|---|---|---|---|"
    )
    for name, ours, plain in forward.compare(names, side, args.runs):
        print(f"| {name} | {ours:.3f} | {plain:.3f} | {plain / ours:.2f} |")


if __name__ == "__main__":
    main()
