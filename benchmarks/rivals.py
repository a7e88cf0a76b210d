"""Other people's super-resolution and another engine, in turns with ours.

OpenCV's dnn_superres (8 bits in three colours) beside our methods, and OpenVINO beside ONNX
Runtime on our network. Both rivals need an interpreter of their own: ``make peers`` makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import clock, process
from benchmarks.markdown import head, line
from benchmarks.real_weights import shared_weights

PROGRAM = Path(__file__).with_name("peer.py")
SUPERRES = ("FSRCNN", "ESPCN", "LapSRN", "EDSR")
HEAVY = ("EDSR",)  # on the small field, like torchSR's large networks
LARGE_RUNS = 2
OURS = ("bicubic", "afm")
SIZE = """
import importlib.util, pathlib, sys
folder = pathlib.Path(importlib.util.find_spec(sys.argv[1]).origin).parent
print(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=5)
    parser.add_argument("--side", type=int, default=128, help="input pixels (%(default)s)")
    parser.add_argument("--large-side", type=int, default=64, help="of EDSR (%(default)s)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=Path(os.environ.get("AFMSR_PEERS", ".venv-peers")),
        help="virtual environment that `make peers` made (AFMSR_PEERS, or .venv-peers)",
    )


def run(args: argparse.Namespace) -> None:
    python = next((args.peers / "bin").glob("python"), None) or args.peers
    if not python.is_file():
        print("Left out: no interpreter with OpenCV's contrib build and OpenVINO; `make peers`.")
        return
    _openvino(str(python), args)  # first: a child's peak counts the memory that its parent has
    print()
    _superres(str(python), args)


def _superres(python: str, args: argparse.Namespace) -> None:
    import cv2

    from afmsr_core.methods import registry
    from afmsr_core.upscale import Settings, Upscaler

    cv2.setNumThreads(args.threads)
    scan = _scan(args.side)
    upscalers = {
        f"afmsr {registry.get(name).label}": Upscaler(Settings(method=name, threads=args.threads))
        for name in OURS
    }
    calls: dict[str, Callable[[], object]] = {
        name: lambda one=one: one(scan)  # type: ignore[misc]
        for name, one in upscalers.items()
    }
    by = dict.fromkeys(calls, "afmsr, heights in float64")
    large: dict[str, Callable[[], object]] = {}
    left_out = []
    with contextlib.ExitStack() as stack:
        for name in SUPERRES:
            side, group = (args.large_side, large) if name in HEAVY else (args.side, calls)
            file = shared_weights() / f"{name}_x4.pb"
            peer = stack.enter_context(_peer(python, "opencv", file, side, args.threads))
            if isinstance(peer, str):
                left_out.append(f"{name} ({peer if file.is_file() else 'no ' + file.name})")
            else:
                group[name], by[name] = peer
        print(head((f"4x, {args.threads} thread(s)", "by", "input", "seconds"), words=3))
        for side, group, runs in (
            (args.side, calls, args.runs),
            (args.large_side, large, min(args.runs, LARGE_RUNS)),
        ):
            for name, times in clock.turns(group, runs, args.clock).items():
                print(line(name, by[name], f"{side} x {side}", times), flush=True)
    if left_out:
        print(f"\nLeft out: {', '.join(left_out)}.")


def _openvino(python: str, args: argparse.Namespace) -> None:
    from afmsr_core import data

    model = Path(data.__file__).parent / "afm.onnx"
    kinds = ("onnxruntime", "openvino")
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        calls, names = {}, {}
        for kind in kinds:
            peer = stack.enter_context(_peer(python, kind, model, args.side, args.threads))
            if isinstance(peer, str):
                print(f"OpenVINO: left out, {kind} is refused: {peer}")
                return
            calls[kind], names[kind] = peer
        times = clock.turns(calls, args.runs, args.clock)
        commands = {
            kind: [python, str(PROGRAM), kind, str(model), str(args.side), str(args.threads), "-"]
            for kind in kinds
        }
        costs = process.compare(commands, min(args.runs, 3))
        results = []
        for kind in kinds:
            file = Path(folder) / f"{kind}.npy"
            subprocess.run([*commands[kind][:-1], str(file)], check=True)
            results.append(np.load(file))
        what = f"default network, {args.side} x {args.side}, {args.threads} thread(s)"
        columns = "pass, s", "whole process, s", "processor s", "peak MB", "package, MB"
        print(head((what, *columns)))
        for kind in kinds:
            cost = costs[kind]
            took = f"{cost.seconds:.2f}", f"{cost.busy:.2f}", f"{cost.megabytes:.0f}"
            size = subprocess.run([python, "-c", SIZE, kind], capture_output=True, check=True)
            print(line(names[kind], times[kind], *took, f"{int(size.stdout) / 1e6:.0f}"))
        gain = times["onnxruntime"].median / times["openvino"].median
        later = costs["openvino"].seconds - costs["onnxruntime"].seconds
        saved = times["onnxruntime"].median - times["openvino"].median
        pays = f"made up after {later / saved:.0f} scans" if saved > 0 else "never made up"
        apart = np.abs(results[0] - results[1]).max() / np.ptp(results[0])
        print(
            f"\nOpenVINO's pass is {gain:.2f} times as fast, its process {later:.2f} s longer: "
            f"{pays}. The results differ by {apart:.1e} of the range."
        )


@contextlib.contextmanager
def _peer(
    python: str, kind: str, file: Path, side: int, threads: int
) -> Iterator[tuple[Callable[[], clock.Elsewhere], str] | str]:
    """Yield a call that makes the peer run once and the peer's name, or why it refuses."""
    process = subprocess.Popen(
        [python, str(PROGRAM), kind, str(file), str(side), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        hello = json.loads(process.stdout.readline() or '{"refused": "it crashed"}')

        def call() -> clock.Elsewhere:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            return clock.Elsewhere(**json.loads(process.stdout.readline()))

        yield hello["refused"] if "refused" in hello else (call, hello["name"])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _scan(side: int) -> object:
    from afmsr_core.channel import Channel

    return Channel(np.random.default_rng(0).normal(size=(side, side)), side, side)
