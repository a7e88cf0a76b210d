"""Each network's forward pass on both engines against the plain torchSR call and the sgemm roof.

The plain call is ``model(x)`` as torchSR's README has it, on the grey plane in three colours; of
our own network, which torchSR does not have, the same in plain torch. The roof is the time that
the multiplications of our folded network would take at the rate of a large matrix product,
measured in the same run. ``differs`` is the largest difference of our engines from the plain call.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.inference import choices, open_engine
from afmsr_core.methods import Network, methods, registry
from benchmarks import clock, real_weights
from benchmarks.markdown import head, line

LARGE = 3_000_000  # parameters; above, a smaller field and fewer runs
LARGE_RUNS = 2
SEED = 0
MATRIX = 1024
WORTH = 1.1  # ONNX Runtime may take so much longer: it starts seconds earlier than torch
PAPER = ("ninasr_b0", "ninasr_b1", "ninasr_b2", "carn", "rcan", "rdn", "edsr")


@dataclass(frozen=True)
class Found:
    """What one network took."""

    times: dict[str, clock.Times]
    plain_flops: int
    our_flops: int
    differs: float
    weights: str

    @property
    def best(self) -> float:
        return min(self.times["torch"].median, self.times["onnx"].median)

    @property
    def gain(self) -> float:
        return self.times["plain"].median / self.best

    @property
    def choice(self) -> str:
        onnx, torch = self.times["onnx"].median, self.times["torch"].median
        return "onnx" if onnx <= WORTH * torch else "torch"


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=5)
    parser.add_argument("--side", type=int, default=128, help="input pixels (%(default)s)")
    parser.add_argument(
        "--large-side",
        type=int,
        default=64,
        help="of networks of 3 million parameters and more (%(default)s)",
    )
    parser.add_argument("--methods", help="with commas (default: every network)")
    parser.add_argument(
        "--choose", action="store_true", help="write afmsr_core/inference/choices.py by the result"
    )


def run(args: argparse.Namespace) -> None:
    if importlib.util.find_spec("torch") is None:
        print("forward passes: torch is not installed; pip install 'afmsr[torch]'")
        return
    import torch

    torch.set_num_threads(args.threads)
    names = args.methods.split(",") if args.methods else list(methods())
    networks = [net for name in names if isinstance(net := registry.get(name), Network)]
    product = torch.rand(MATRIX, MATRIX)
    best = clock.turns({"": lambda: product @ product}, 9, args.clock)[""].low
    rate = 2 * MATRIX**3 / best
    print(f"sgemm {MATRIX}: {rate / 1e9:.0f} GFLOP/s on {args.threads} thread(s)\n")
    columns = "network", "weights", "input", "plain torchSR, s", "torch, s", "ONNX Runtime, s"
    columns += "GFLOP plain / ours", "share of the roof", "differs, of the range"
    print(head((*columns, "plain / best of ours"), words=3))
    found = {}
    for network in networks:
        side = args.side if network.count < LARGE else args.large_side
        found[network.name] = one = _compared(network, side, args)
        took = (one.times[way] for way in ("plain", "torch", "onnx"))
        flops = f"{one.plain_flops / 1e9:.1f} / {one.our_flops / 1e9:.1f}"
        roof, gain = f"{one.our_flops / rate / one.best:.2f}", f"{one.gain:.2f}"
        cells = network.name, one.weights, f"{side} x {side}", *took, flops, roof
        print(line(*cells, f"{one.differs:.1e}", gain), flush=True)
    seven = [found[name].gain for name in PAPER if name in found]
    if len(seven) == len(PAPER):
        print(f"\nGeometric mean of the paper's seven: {math.prod(seven) ** (1 / 7):.2f}.")
    if args.choose:
        _write({**choices.CHOICES, **{name: one.choice for name, one in found.items()}})


def _compared(network: Network, side: int, args: argparse.Namespace) -> Found:
    """Return what the plain call and both engines take, on the same weights and field."""
    import torch

    grey = torch.from_numpy(np.random.default_rng(SEED).random((1, 1, side, side), np.float32))
    planes = grey.expand(-1, network.colours, -1, -1).contiguous()
    single = grey.numpy()
    with tempfile.TemporaryDirectory() as folder:
        file, which = real_weights.weights_of(network, Path(folder))
        if file is not None:
            os.environ["AFMSR_MODEL_DIR"] = folder  # for the export, which is of no further use
        engines: dict[str, Any] = {
            kind: open_engine(
                network,
                engine=kind,
                device="cpu",
                weights=None if network.weights.packaged else file,
                threads=args.threads,
            )
            for kind in ("torch", "onnx")
        }
        os.environ.pop("AFMSR_MODEL_DIR", None)
        torch.set_num_threads(args.threads)  # the export took all that there are
        plain = network.build()
        plain.load_state_dict(engines["torch"].module(network.colours).state_dict())
        calls: dict[str, Callable[[], object]] = {"plain": lambda: plain(planes)}
        for kind, engine in engines.items():
            calls[kind] = lambda engine=engine: engine.run(single)  # type: ignore[misc]
        runs = args.runs if network.count < LARGE else min(args.runs, LARGE_RUNS)
        times = clock.turns(calls, runs, args.clock)
        flops = _flops(plain, planes), _flops(engines["torch"].module(1), grey)
        expected = _to_grey(plain, planes)
        apart = max(np.abs(engine.run(single) - expected).max() for engine in engines.values())
        return Found(times, *flops, float(apart / np.ptp(expected)), which)


def _to_grey(plain: Any, planes: Any) -> Any:
    import torch

    from afmsr_core.normalisation import REC601

    with torch.no_grad():
        fine = plain(planes).numpy()
    weights = np.array(REC601 if fine.shape[1] == 3 else (1.0,), np.float64)
    return np.tensordot(weights, fine, (0, 1))[:, None]


def _flops(module: Any, planes: Any) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(planes)
    return int(counter.get_total_flops())


def _write(found: dict[str, str]) -> None:
    """Write the table behind ``--engine auto``, and say what is not in it and why."""
    path = Path(str(choices.__file__))
    head, _, _ = path.read_text(encoding="utf-8").partition("CHOICES: ")
    chosen = {
        name: found[name]
        for name in _order(list(found))
        if isinstance(net := registry.get(name), Network) and net.onnx is None
    }
    table = "".join(f'    "{name}": "{engine}",\n' for name, engine in chosen.items())
    path.write_text(f"{head}CHOICES: dict[str, str] = {{\n{table}}}\n", encoding="utf-8")
    print(f"\n`--engine auto` ({path.name}, written): ", end="")
    print(", ".join(f"{name} {engine}" for name, engine in chosen.items()), end="")
    for name, network in methods().items():
        if isinstance(network, Network) and name not in chosen:
            why = "ships as ONNX, always onnx" if network.onnx else "not measured, so torch"
            print(f"; {name}: {why}", end="")
    print(".")


def _order(names: Sequence[str]) -> list[str]:
    return [name for name in methods() if name in names]
