"""A pair whose heights differ by a factor that no calibration is off by is named and left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.alignment import Alignment, AlignmentSettings, align
from afmsr_core.channel import Channel
from afmsr_core.errors import PairError
from afmsr_core.methods import get
from afmsr_core.methods.interpolation import interpolate

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

SIDE = 256


def surface(seed: int) -> np.ndarray:
    """A rough surface, 20 nm."""
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 5, mode="wrap")
    return 20 * rough / rough.std() + 30 * np.linspace(0, 1, SIDE)


def coarse(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(SIDE // 4, 4, SIDE // 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))


def aligned(low: np.ndarray, truth: np.ndarray, **settings: float) -> Alignment:
    result = np.asarray(interpolate(low, get("bicubic")), dtype=float)
    return align(result, truth, settings=AlignmentSettings(**settings))


@pytest.mark.parametrize("factor", [1000.0, 10.0, 3.5, 1 / 3.5, 1e-3])
def test_a_factor_that_is_no_calibration_is_named(factor: float) -> None:
    rng = np.random.default_rng(2)
    truth = surface(1)
    low = coarse(truth)
    noisy = factor * (low + rng.normal(0, 0.05 * low.std(), low.shape)) + 7.0
    found = aligned(noisy, truth)
    times = max(factor, 1 / factor)
    (reason,) = found.reasons
    assert reason.startswith("heights differ by a factor of ") and reason.endswith("beyond 3")
    assert float(reason.split()[6].replace(",", "")) == pytest.approx(times, rel=0.05)
    assert found.gains is not None
    assert found.gains[0] <= 1.02 / factor and found.gains[1] >= 0.98 / factor
    assert aligned(noisy, truth, max_gain=1e6).accepted


@pytest.mark.parametrize("factor", [1.5, 1 / 1.5, 1.0, 2.5])
def test_a_calibration_that_is_off_is_none(factor: float) -> None:
    assert aligned(factor * coarse(surface(1)), surface(1)).accepted


def test_peaks_that_the_coarse_scan_lost_are_none() -> None:
    """Its spread is a third of the truth's, but where both have relief they agree."""
    rng = np.random.default_rng(3)
    truth = surface(1)
    low = coarse(truth)
    needles = rng.random(truth.shape) < 0.01
    needles[1::4, 1::4] = needles[2::4, 1::4] = needles[1::4, 2::4] = needles[2::4, 2::4] = False
    truth = truth + 900.0 * needles
    assert truth.std() > 3 * low.std()
    assert not any("factor" in reason for reason in aligned(low, truth).reasons)


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_flat_noisy_pairs_are_none(noise: float) -> None:
    """Their spreads tell the noise of two scans, not a factor of heights."""
    rng = np.random.default_rng(4)
    truth = 0.05 * surface(1) + rng.normal(0, 0.2, (SIDE, SIDE))
    low = 0.05 * coarse(surface(1)) + rng.normal(0, noise, (SIDE // 4, SIDE // 4))
    assert not any("factor" in reason for reason in aligned(low, truth).reasons)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pairs, of which the second has a coarse scan in the wrong unit."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(5):
        fine = surface(10 + number)
        low = coarse(fine) * (1000.0 if number == 1 else 1.0)
        for side, heights in (("low", low), ("high", fine)):
            channel = Channel(heights, 2560.0, 2560.0, title="Height")
            io.write(folder / f"s{number}_{side}.npy", channel)
    return folder


def test_the_evaluation_leaves_it_out_and_says_so(pairs: Path, tmp_path: Path) -> None:
    command = ["eval", str(pairs), "-o", str(tmp_path), "--methods", "bicubic", "--quiet"]
    main([*command, "--protocol", "nm"])
    records = {
        record["id"]: record
        for record in (json.loads(path.read_text()) for path in tmp_path.glob("pairs/*.json"))
    }
    assert {one for one, record in records.items() if record["status"] == "scored"} == {
        *("s0", "s2", "s3", "s4")
    }
    assert records["s1"]["status"] == "rejected" and not records["s1"]["scores"]
    assert "s1_low.npy" in records["s1"]["reason"]
    assert "heights differ by a factor of 1,0" in records["s1"]["reason"]
    assert records["s1"]["reason"].endswith("in the right unit, and that neither is mirrored")


def test_calibration_leaves_it_out(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours.json"
    command = ["calibrate", str(pairs), "-o", str(ours), "--method", "bicubic", "--each"]
    assert main([*command, "--quiet"]) == 1
    assert json.loads(ours.read_text())["scans"] == 4
    assert "factor of 1,0" in capsys.readouterr().err


def test_tuning_leaves_it_out(pairs: Path) -> None:
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    from afmsr_core.pairing import find_pairs
    from afmsr_core.upscale import Settings, Upscaler
    from training.tune import measured_pair

    bicubic = Upscaler(Settings(method="bicubic"))
    wrong, right = find_pairs(pairs).pairs[1:3]
    with pytest.raises(PairError, match="s1: heights differ by a factor of"):
        measured_pair(wrong, bicubic)
    assert np.isfinite(measured_pair(right, bicubic).coarse).all()
