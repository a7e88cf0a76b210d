"""Each network's forward pass on both engines against the plain torchSR call and the sgemm roof.

The roof is the time that the multiplications of our folded network would take at the rate of a
large matrix product, measured in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.inference import choices, open_engine
from afmsr_core.methods import Network, methods, registry
from benchmarks import clock

SLOW = 3_000_000  # parameters; above, one run a turn is enough
SEED = 0
MATRIX = 1024
WORTH = 1.1  # ONNX Runtime may take so much longer: it starts seconds earlier than torch
PAPER = ("ninasr_b0", "ninasr_b1", "ninasr_b2", "carn", "rcan", "rdn", "edsr")


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=5)
    parser.add_argument("--side", type=int, default=128, help="input pixels (%(default)s)")
    parser.add_argument("--methods", help="with commas (default: every network)")
    parser.add_argument(
        "--choose", action="store_true", help="write afmsr_core/inference/choices.py by the result"
    )
    parser.add_argument("--superres", type=Path, help="folder with OpenCV's .pb networks")


def run(args: argparse.Namespace) -> None:
    if importlib.util.find_spec("torch") is None:
        print("forward passes: torch is not installed; pip install 'afmsr[torch]'")
        return
    import torch

    torch.set_num_threads(args.threads)
    names = args.methods.split(",") if args.methods else list(methods())
    networks = [net for name in names if isinstance(net := registry.get(name), Network)]
    product = torch.rand(MATRIX, MATRIX)
    rate = 2 * MATRIX**3 / clock.fastest({"": lambda: product @ product}, 9, args.clock)[""]
    print(f"sgemm {MATRIX}: {rate / 1e9:.0f} GFLOP/s on {args.threads} thread(s)\n")
    print(
        f"| network, {args.side} x {args.side} | plain torchSR, s | torch, s | ONNX Runtime, s "
        f"| GFLOP plain / ours | share of the roof | plain / best of ours |"
    )
    print("|---|---|---|---|---|---|---|")
    gains, found = {}, {}
    for network in networks:
        best, flops = _compared(network, args)
        ours = min(best["torch"], best["onnx"])
        gains[network.name] = best["plain"] / ours
        found[network.name] = "onnx" if best["onnx"] <= WORTH * best["torch"] else "torch"
        print(
            f"| {network.name} | {best['plain']:.3f} | {best['torch']:.3f} | {best['onnx']:.3f} "
            f"| {flops[0] / 1e9:.1f} / {flops[1] / 1e9:.1f} | {flops[1] / rate / ours:.2f} "
            f"| {gains[network.name]:.2f} |",
            flush=True,
        )
    seven = [gains[name] for name in PAPER if name in gains]
    if len(seven) == len(PAPER):
        print(f"\ngeometric mean of the paper's seven: {math.prod(seven) ** (1 / 7):.2f}")
    _superres(args)
    if args.choose:
        _write({**choices.CHOICES, **found})


def _compared(network: Network, args: argparse.Namespace) -> tuple[dict[str, float], list[int]]:
    """Return seconds of the plain call and both engines, and the FLOPs of plain and folded.

    The time of a network does not depend on its weights, so generated ones serve here.
    """
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    plain = network.build()
    grey = torch.rand(1, 1, args.side, args.side)
    planes = grey.expand(-1, network.colours, -1, -1).contiguous()
    single = grey.numpy()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AFMSR_MODEL_DIR"] = folder
        weights = None
        if not network.weights.packaged:
            weights = Path(folder) / "generated.safetensors"
            save_file(plain.state_dict(), weights)
        calls: dict[str, Callable[[], object]] = {"plain": lambda: plain(planes)}
        engines = {}
        for kind in ("torch", "onnx"):
            chosen = {"weights": weights, "threads": args.threads, "device": "cpu"}
            engines[kind] = engine = open_engine(network, engine=kind, **chosen)  # type: ignore[arg-type]
            calls[kind] = lambda engine=engine: engine.run(single)  # type: ignore[misc]
        best = clock.fastest(calls, args.runs if network.count < SLOW else 0, args.clock)
        folded: Any = engines["torch"]
        return best, [_flops(plain, planes), _flops(folded.module(1), grey)]


def _flops(module: Any, planes: Any) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(planes)
    return int(counter.get_total_flops())


def _superres(args: argparse.Namespace) -> None:
    """Run OpenCV's own super-resolution networks, where this build reads them."""
    import cv2

    print(f"\nOpenCV {cv2.__version__}: ", end="")
    if args.superres is None:
        print("its networks were not asked for (--superres FOLDER)")
        return
    cv2.setNumThreads(args.threads)
    for file in sorted(args.superres.glob("*.pb")):
        try:
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            net = cv2.dnn.readNetFromTensorflow(str(file))
            colours = 3 if file.name.startswith("EDSR") else 1
            shape = (1, colours, args.side, args.side)
            net.setInput(np.random.default_rng(0).random(shape, dtype=np.float32))
            best = clock.fastest({"": net.forward}, 1, args.clock)[""]
            print(f"{file.name} {best:.3f} s; ", end="", flush=True)
        except (cv2.error, AttributeError) as error:
            reason = str(error).strip().partition("\n")[0][:90]
            print(f"{file.name} is refused ({reason}); ", end="")
    print()


def _write(found: dict[str, str]) -> None:
    path = Path(str(choices.__file__))
    head, _, _ = path.read_text(encoding="utf-8").partition("CHOICES: ")
    table = "".join(
        f'    "{name}": "{found[name]}",\n'
        for name in _order(list(found))
        if isinstance(net := registry.get(name), Network) and net.onnx is None
    )
    path.write_text(f"{head}CHOICES: dict[str, str] = {{\n{table}}}\n", encoding="utf-8")
    print(f"\nwritten: {path.name}")


def _order(names: Sequence[str]) -> list[str]:
    return [name for name in methods() if name in names]
