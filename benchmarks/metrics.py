"""``python -m benchmarks.metrics``: our NIQE and Ma beside pyiqa's, in one process.

pyiqa is under PolyForm Noncommercial 1.0.0; ``pip install 'afmsr[iqa]'`` brings it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import clock
from benchmarks.markdown import head, line

FEATURES = (18, 45, 75)
"""Of Ma's three forests."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metrics", description=__doc__)
    parser.add_argument("--side", type=int, default=370, help="pixels (default: the paper's crop)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--niqe-parameters", type=Path, help="without it NIQE is left out")
    parser.add_argument(
        "--ma-parameters", type=Path, help="by default a forest of random numbers; no score is told"
    )
    args = parser.parse_args()
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    grey = scan_like(args.side)
    print(
        f"{args.side} x {args.side} pixels, one thread, pyiqa {importlib.metadata.version('pyiqa')}"
        f", medians of {args.runs} runs in turn after one, each without reading its file\n"
    )
    print(head(("metric", "ours, s", "pyiqa, s", "pyiqa / ours", "difference")))
    with tempfile.TemporaryDirectory() as folder:
        file = args.ma_parameters or structure_only(Path(folder) / "structure.mat")
        for name, ours, theirs in pairs(file, args.niqe_parameters):
            calls = {"": partial(ours, grey), "pyiqa": partial(theirs, grey)}
            times = clock.turns(calls, args.runs)
            one, other = times[""].median, times["pyiqa"].median
            apart = f"{abs(ours(grey) - theirs(grey)):.1e}"
            print(line(name, f"{one:.3f}", f"{other:.3f}", f"{other / one:.1f}", apart))


Score = Callable[[NDArray[np.uint8]], float]


def pairs(ma_file: Path, niqe_file: Path | None) -> list[tuple[str, Score, Score]]:
    """Return name, our score and pyiqa's, of each metric whose file is at hand."""
    from afmsr_core.metrics import ma
    from afmsr_core.metrics.niqe import niqe, read_model

    forests = ma.read_model(ma_file)
    found: list[tuple[str, Score, Score]] = [
        ("Ma", lambda grey: ma.raw_score(grey, forests), theirs("nrqm", ma_file))
    ]
    if niqe_file:
        pristine = read_model(niqe_file)
        found.append(("NIQE", lambda grey: niqe(grey, pristine).value, theirs("niqe", niqe_file)))
    return found


def theirs(name: str, file: Path) -> Score:
    """Return a metric of pyiqa for a grey picture, as three equal channels."""
    import pyiqa
    import torch

    metric = pyiqa.create_metric(name, pretrained_model_path=str(file), device="cpu")

    def score(grey: NDArray[np.uint8]) -> float:
        picture = np.repeat(grey[None, None], 3, axis=1) / np.float32(255)
        return float(metric(torch.from_numpy(picture)))

    return score


def scan_like(side: int) -> NDArray[np.uint8]:
    """Return a picture with relief, noise and saturated areas, as scans have."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    field = 128 + 110 * np.sin(x / 17) * np.cos(y / 23) + rng.normal(0, 6, x.shape)
    return field.clip(0, 230).round().astype(np.uint8)


def structure_only(path: Path, trees: int = 2000, depth: int = 9) -> Path:
    """Write a file in the structure of Ma's with random numbers in it; its scores mean nothing."""
    import scipy.io

    rng = np.random.default_rng(0)
    forests = np.empty((1, len(FEATURES)), dtype=object)
    for i, features in enumerate(FEATURES):
        forests[0, i] = _forest(features, trees, depth, rng)
    model = np.zeros((1, 1), dtype=[("rf", "O"), ("linear", "O")])
    model[0, 0] = (forests, np.array([[-3.0], [0.4], [0.4], [0.5]]))
    scipy.io.savemat(path, {"model": model})
    return path


def _forest(features: int, trees: int, depth: int, rng: np.random.Generator) -> Any:
    nodes = 2 ** (depth + 1) - 1
    inner = np.arange(nodes) < 2**depth - 1
    child = np.where(inner, 2 * np.arange(nodes) + 2, 0)
    shape = nodes, trees
    feature = np.where(inner[:, None], rng.integers(1, features + 1, shape), 0)
    fields = {
        "lDau": np.repeat(child[:, None], trees, axis=1).astype(np.int32),
        "rDau": np.repeat(np.where(inner, child + 1, 0)[:, None], trees, axis=1).astype(np.int32),
        "nodestatus": np.zeros(shape, np.int8),
        "nrnodes": np.array([[nodes]]),
        "upper": rng.uniform(0, 2, shape),
        "avnode": rng.uniform(1, 10, shape),
        "mbest": feature.astype(np.int32),
    }
    record = np.zeros((1, 1), dtype=[(name, "O") for name in fields])
    record[0, 0] = tuple(fields.values())
    return record


if __name__ == "__main__":
    main()
