"""Other people's super-resolution and other engines, in turns with ours.

OpenCV's dnn_superres (8 bits in three colours) beside our methods; OpenVINO, ncnn and MNN beside
ONNX Runtime on our network. Rivals need an interpreter of their own: ``make peers`` makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
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
REFERENCE = "onnxruntime"
SCANS = (1, 4, 16)  # in one process


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=5)
    parser.add_argument("--side", type=int, default=128, help="input pixels (%(default)s)")
    parser.add_argument("--large-side", type=int, default=64, help="of EDSR (%(default)s)")
    parser.add_argument("--model", type=Path, help="ONNX for the engines (default: our network)")
    parser.add_argument("--engines", action="store_true", help="these only")
    parser.add_argument(
        "--peers",
        type=Path,
        default=Path(os.environ.get("AFMSR_PEERS", ".venv-peers")),
        help="virtual environment that `make peers` made (AFMSR_PEERS, or .venv-peers)",
    )


def run(args: argparse.Namespace) -> None:
    python = next((args.peers / "bin").glob("python"), None) or args.peers
    if not python.is_file():
        print("Left out: no interpreter with OpenCV's contrib build and engines; `make peers`.")
        return
    _engines(str(python), args)  # first: a child's peak counts the memory that its parent has
    if not args.engines:
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


def _engines(python: str, args: argparse.Namespace) -> None:
    from afmsr_core import data

    model = args.model or Path(data.__file__).parent / "afm.onnx"
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        files = _converted(Path(python).parent, model, folder)
        calls, names, left_out = {}, {}, []
        for kind, file in files.items():
            peer = stack.enter_context(_peer(python, kind, file, args.side, args.threads))
            if isinstance(peer, str):
                left_out.append(f"{kind} ({peer})")
            else:
                calls[kind], names[kind] = peer
        if REFERENCE not in calls:
            print(f"Other engines: left out, {', '.join(left_out)}.")
            return
        times = clock.turns(calls, args.runs, args.clock)
        stack.close()
        commands = {
            (kind, scans): [
                *(python, str(PROGRAM), kind, str(files[kind]), str(args.side)),
                *(str(args.threads), str(folder / f"{kind}.npy"), str(scans)),
            ]
            for kind in calls
            for scans in SCANS
        }
        named = {f"{kind} {scans}": command for (kind, scans), command in commands.items()}
        costs = process.compare(named, min(args.runs, 3))
        results = {kind: np.load(folder / f"{kind}.npy") for kind in calls}
    what = f"{model.name}, {args.side} x {args.side}, {args.threads} thread(s)"
    whole = [f"process of {scans}, s" for scans in SCANS]
    columns = "pass, s", "ratio", *whole, "processor s", "peak MB", "differs, of the range"
    print(head((what, *columns)))
    for kind in calls:
        took = [f"{costs[f'{kind} {scans}'].seconds:.2f}" for scans in SCANS]
        last = costs[f"{kind} {SCANS[-1]}"]
        apart = np.abs(results[kind] - results[REFERENCE]).max() / np.ptp(results[REFERENCE])
        ratio = f"{times[kind].median / times[REFERENCE].median:.2f}"
        cells = *took, f"{last.busy:.2f}", f"{last.megabytes:.0f}", f"{apart:.1e}"
        print(line(names[kind], times[kind], ratio, *cells))
    told = f" Left out: {', '.join(left_out)}." if left_out else ""
    print(f"\nProcessor seconds and peak are those of {SCANS[-1]} scans.{told}")


def _converted(programs: Path, model: Path, folder: Path) -> dict[str, Path]:
    """Return the file of every engine; of one that is not installed, a file that is not there."""
    files = {REFERENCE: model, "openvino": model}
    files |= {"ncnn": folder / "net.ncnn.param", "mnn": folder / "net.mnn"}
    shutil.copyfile(model, folder / "net.onnx")
    shapes = "inputshape=[1,1,128,128]f32", "inputshape2=[1,1,96,80]f32", "fp16=0"
    # The program itself: its wrapper wants torch.
    pnnx = programs.parent.glob("lib/python*/site-packages/pnnx/pnnx")
    convert = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn"]
    for program, words in (
        *((program, ["net.onnx", *shapes]) for program in pnnx),
        *((program, convert) for program in programs.glob("mnnconvert")),
    ):
        command = [str(program.absolute()), *words]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return files


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
