"""A lab tunes the network on its own pairs: it gains there, and it is judged on pairs apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `torch` is not installed")

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import PairError
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.simulation.specimens import specimen
from afmsr_core.upscale import upscale
from training.tune import Tuning, tune

PAIRS = 5
TUNING = Tuning(steps=20, check_every=10, rate=3e-4, batch=4)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grains as one instrument scans them: a wide dwell, and far more noise than usual."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(PAIRS):
        rng = np.random.default_rng(number)
        fine = 50 * specimen("grains").make(128, 128, rng)
        coarse = coarse_scan(fine, Acquisition(dwell=4, noise=0.2), rng)
        for name, heights in (("high", fine), ("low", np.asarray(coarse, float))):
            io.write(folder / f"s{number}_{name}.npy", [Channel(heights, 1000.0, 1000.0)])
    lines = Channel(fine[1::4], 1000.0, 1000.0)  # of the last: for another network
    io.write(folder / f"s{PAIRS - 1}_lines.npy", [lines])
    return folder


@pytest.fixture(scope="module")
def shipped() -> Path:
    import afmsr_core.data

    return Path(str(afmsr_core.data.__path__[0])) / "afm.safetensors"


def test_tuned_weights_run_and_are_judged_apart(pairs: Path, shipped: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    result = tune(pairs, shipped, TUNING, tmp_path, report=lines.append)
    split = result["pairs"]
    assert not set(split["judged"]) & (set(split["trained"]) | set(split["stopped"]))
    assert "a line scan" in result["left_out"].pop(f"lines/s{PAIRS - 1}")
    assert sum(map(len, split.values())) + len(result["left_out"]) == PAIRS
    assert result["stopping_gain_db"] > 0 and lines
    for psnr in result["judged"].values():
        assert psnr["after"] > psnr["before"] + 0.5
    assert json.loads((tmp_path / "tuned.json").read_text())["judged"] == result["judged"]
    scan = io.read(pairs / "s0_low.npy")[0]
    tuned = upscale(scan, weights=tmp_path / "afm.safetensors", threads=1)
    assert not np.array_equal(tuned.heights, upscale(scan, threads=1).heights)


def test_a_frozen_body_stays_as_it_was(pairs: Path, shipped: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    settings = Tuning(steps=10, check_every=10, frozen_body=True, rate=3e-4, batch=2)
    tune(pairs, shipped, settings, tmp_path, report=lambda line: None)
    before, after = load_file(shipped), load_file(tmp_path / "afm.safetensors")
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed and not [name for name in changed if name.startswith("body")]


def test_too_few_pairs_are_refused(pairs: Path, shipped: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for file in pairs.glob("s0_*"):
        (few / file.name).write_bytes(file.read_bytes())
    with pytest.raises(PairError, match="1 pairs can be used, and tuning needs 3"):
        tune(few, shipped, TUNING, tmp_path / "out", report=lambda line: None)
    assert not (tmp_path / "out").exists()
