"""What a mean or a caption says is of one quantity, and the head names scans with a warning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.eval import main
from afmsr_core import io
from afmsr_core.channel import Channel

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

SIDE = 256


def write_pair(folder: Path, name: str, unit: str, title: str, lines: int = SIDE // 4) -> None:
    """Write a pair whose coarse scan was stopped after `lines`."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    fine = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 5, mode="wrap")
    fine *= 20 / fine.std()
    low = fine.reshape(SIDE // 4, 4, SIDE // 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    low[lines:] = -500.0
    for side, values in (("low", low), ("high", fine)):
        channel = Channel(values, 1000.0, 1000.0, unit=unit, title=title)
        io.write(folder / f"{name}_{side}.npy", channel)


def evaluated(pairs: Path) -> tuple[int, dict, str]:
    options = ("--methods", "bicubic", "--protocol", "nm", "--channel", "0", "--quiet")
    status = main([str(pairs), *options])
    results = pairs.with_name("pairs-results")
    page = (results / "report.html").read_text(encoding="utf-8")
    return status, json.loads((results / "results.json").read_text()), page


def test_heights_and_degrees_have_no_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    write_pair(pairs, "height", "nm", "Height", lines=50)
    for name in ("phase", "phase2"):  # most of them, and yet heights go first
        write_pair(pairs, name, "deg", "Phase")
    status, results, page = evaluated(pairs)
    assert status == 1
    assert [one["status"] for one in results["pairs"]] == ["scored", "rejected", "rejected"]
    reason = "its values are in deg, those of other pairs in nm"
    assert capsys.readouterr().err.count(f"rejected: {reason}") == 2
    assert reason in page and "Mean scores of 1 pair, heights in nm" in page
    assert "Scored, with a warning about a scan: height; see" in page
    # Without it the others are scored, from what the earlier run has found.
    for path in pairs.glob("height*"):
        path.unlink()
    status, results, page = evaluated(pairs)
    assert status == 0 and {one["status"] for one in results["pairs"]} == {"scored"}
    assert "2 taken from an earlier run" in capsys.readouterr().out
    assert "Mean scores of 2 pairs, values in deg" in page
    assert "heights in nm" not in page and "RMSE (deg)" in page
    assert "with a warning about a scan" not in page
