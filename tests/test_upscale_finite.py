"""Promise: a result has a number wherever the scan was measured, or there is no result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.errors import FieldError
from afmsr_core.methods import registry, weights
from afmsr_core.upscale import upscale


def scan(heights: np.ndarray) -> Channel:
    return Channel(heights, xreal=300.0, yreal=300.0)


@pytest.fixture
def overflowing(tmp_path: Path) -> Path:
    """Weights that are finite; one of the 16 pixels that become of each overflows."""
    pytest.importorskip("torch", reason="needs the extra torch")
    from safetensors.torch import load_file, save_file

    network = registry.get("afm")
    assert isinstance(network, registry.Network)
    state = load_file(weights.cached(network))
    tail = state["tail.weight"]
    tail[5] = tail[5] / tail[5].abs().max() * 3e38
    save_file(state, tmp_path / "loud.safetensors")
    return tmp_path / "loud.safetensors"


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("protocol", ["nm", "paper"])
def test_a_network_that_overflows_gives_no_result(
    overflowing: Path, protocol: str, restore: bool
) -> None:
    """The paper's bytes would hide it: NaN and infinity become some grey."""
    rough = scan(np.random.default_rng(0).normal(size=(24, 20)))
    with pytest.raises(FieldError, match=r"NaN or infinite.*take other --weights"):
        upscale(rough, weights=overflowing, protocol=protocol, restore_background=restore)


def test_no_file_is_written(
    overflowing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    low = str(example_pair()[0])
    status = main(["upscale", low, "-o", str(out), "--weights", str(overflowing)])
    assert status == FieldError.exit_status
    assert "example_low.gwy" in (said := capsys.readouterr().err) and "NaN or infinite" in said
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
@pytest.mark.parametrize("method", ["bicubic", "afm"])
def test_heights_at_the_end_of_the_numbers_give_no_result(method: str) -> None:
    heights = np.random.default_rng(0).normal(size=(16, 16))
    heights[3, 4:6], heights[9, 9] = 8.9e307, -8.9e307  # what overshoots them is infinite
    with pytest.raises(FieldError, match="a wrong unit makes the heights too large"):
        upscale(scan(heights), method=method, level="none")


@pytest.mark.parametrize("method", ["bicubic", "lanczos4", "afm"])
def test_gaps_are_where_the_scan_has_them_and_nowhere_else(method: str) -> None:
    heights = np.random.default_rng(0).normal(size=(16, 16))
    heights[3:5, 7] = np.nan
    heights[12, 0] = np.inf
    missing = np.repeat(np.repeat(~np.isfinite(heights), 4, 0), 4, 1)
    for protocol in ("nm", "paper"):
        found = upscale(scan(heights), method=method, protocol=protocol).heights
        assert np.array_equal(np.isnan(found), missing)
        assert np.isfinite(found[~missing]).all()
