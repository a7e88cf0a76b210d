"""Each network's forward pass against the plain torchSR call, in the same process and run."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from afmsr_core.inference import open_engine
from afmsr_core.methods import Network, registry

SLOW = 3_000_000  # parameters; above, one run a turn is enough
SEED = 0


def compare(names: list[str], side: int, runs: int) -> list[tuple[str, float, float]]:
    """Return (name, seconds of ours, seconds of the plain call) for a side x side field.

    The time of a network does not depend on its weights, so generated ones serve here.
    """
    import torch
    from safetensors.torch import save_file

    rows = []
    grey = np.random.default_rng(SEED).random((side, side), dtype=np.float32)
    for name in names:
        network = registry.get(name)
        if not isinstance(network, Network):
            continue
        torch.manual_seed(SEED)
        plain = network.build()
        planes = np.broadcast_to(grey, (1, network.colours, side, side)).copy()
        tensor = torch.from_numpy(planes)
        with tempfile.TemporaryDirectory() as folder:
            weights = None
            if not network.weights.packaged:
                weights = Path(folder) / "generated.safetensors"
                save_file(plain.state_dict(), weights)
            engine = open_engine(network, weights=weights)
        turns = runs if network.count < SLOW else 1
        ours, theirs = [], []
        for turn in range(turns + 1):
            a = _timed(lambda engine=engine, planes=planes: engine.run(planes))
            b = _timed(lambda plain=plain, tensor=tensor: plain(tensor))
            if turn or turns == 1:
                ours.append(a)
                theirs.append(b)
        rows.append((name, statistics.median(ours), statistics.median(theirs)))
    return rows


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
