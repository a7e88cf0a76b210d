"""Confidence costs no second run of the method, and says what one would have told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.batch.plan import Job
from afmsr_core.batch.trust import Trust
from afmsr_core.batch.work import Work
from afmsr_core.channel import Channel
from afmsr_core.grid import choose
from afmsr_core.inference.onnx_engine import OnnxEngine
from afmsr_core.levelling import level
from afmsr_core.trust.assessment import assess
from afmsr_core.trust.calibration import shipped
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import noise_of
from afmsr_core.upscale import Settings, Upscaler


def scan(yres: int = 32, xres: int = 40, **changes: Any) -> Channel:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:yres, :xres] * 1.0
    heights = 9 * np.sin(x / 3) * np.cos(y / 4) + 0.01 * (x - 12) ** 2 + 0.5 * y + 4000
    heights += rng.normal(0, 0.2, heights.shape) + rng.normal(0, 0.3, (yres, 1))
    heights += 7 * ((x - 28) ** 2 + (y - 9) ** 2 < 20)
    return Channel(heights, 50.0 * xres, 50.0 * yres, title="Height").replace(**changes)


def holed(channel: Channel) -> Channel:
    heights = channel.heights.copy()
    heights[5:9, 12:15] = np.nan
    heights[20] = np.nan
    return channel.replace(heights=heights)


def marked(channel: Channel) -> Channel:
    mask = np.zeros(channel.heights.shape, dtype=bool)
    mask[3:12, 22:34] = True
    return channel.replace(mask=mask)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return the shapes of what networks are run with, as they are."""
    seen: list[tuple[int, ...]] = []
    run = OnnxEngine.run

    def counted(self: OnnxEngine, planes: Any) -> Any:
        seen.append(planes.shape)
        return run(self, planes)

    monkeypatch.setattr(OnnxEngine, "run", counted)
    return seen


LINES = {"xreal": 4800.0, "yreal": 9600.0}  # of 96 points, 50 nm apart, and 48 lines, 200 nm


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        (scan(), {}),
        (scan(), {"level": "none"}),
        (scan(), {"level": "poly3+rows-median"}),
        (scan(), {"restore_background": False}),
        (holed(scan()), {"level": "plane+rows-median"}),
        (marked(scan()), {"mask": "exclude", "level": "poly2"}),
        (scan(), {"tile": 24}),
        (scan(), {"method": "lanczos4"}),
        (scan(48, 96, **LINES), {}),
        (holed(scan(48, 96, **LINES)).turned(), {"level": "rows-median-diff"}),
    ],
    ids=["as it comes", "not levelled", "lines", "background left off", "holes", "mask", "tiles",
         "interpolated", "line scan", "sideways"],
)  # fmt: skip
def test_the_half_width_is_that_of_the_method_on_bare_relief(
    given: Channel, settings: dict[str, Any], runs: list[tuple[int, ...]]
) -> None:
    settings = Settings(threads=1, **settings)
    result = Upscaler(settings)(given)
    ran = len(runs)
    found = assess(given, result, settings)
    assert len(runs) == ran, "the method has run again"
    scale = choose(given, settings.scale).scale
    upright = given.turned() if scale.sideways else given
    relief = level(upright, settings.level, settings.mask).channel.heights
    bare_of = {"level": "none", "scale": scale.upright.option, "threads": 1}
    bare = Upscaler(Settings(method=settings.method, **bare_of))(
        upright.replace(heights=relief, mask=None)
    ).heights
    evidence = gather(relief, bare, noise_of(relief, scale.cell), scale.upright)
    made = shipped(scale)
    assert made is not None
    want = np.where(np.isfinite(bare), made.scales(0.9) * made.scale_of(evidence), np.nan)
    want = want.T if scale.sideways else want
    np.testing.assert_allclose(found.confidence.heights, want, rtol=2e-3)
    assert found.calibrated == (settings.method == "afm")


def test_a_file_takes_one_run_with_confidence(tmp_path: Path, runs: list[tuple[int, ...]]) -> None:
    io.write(tmp_path / "scan.gwy", [scan()])
    work = Work(trust=Trust(confidence=True, residual=True))
    told = work(Job(tmp_path / "scan.gwy", tmp_path / "out.gwy"), Upscaler(Settings(threads=1)))
    assert "error" not in told and len(runs) == 1
    assert len(io.read(tmp_path / "out.gwy")) == 5
    assert "parameters" not in told["channels"][0]  # which nobody asked for, and take as long


def test_a_result_without_its_history_is_judged_by_its_settings() -> None:
    given, settings = scan(), Settings(threads=1)
    result = Upscaler(settings)(given)
    one, other = (assess(given, made, settings) for made in (result, result.replace(history=())))
    np.testing.assert_array_equal(one.confidence.heights, other.confidence.heights)
    assert one.calibrated and other.calibrated
    assert one.record["weights_sha256"] == other.record["weights_sha256"] != ""


def test_the_interval_is_of_the_surface_and_a_second_scan_has_its_noise_added() -> None:
    given = scan()
    found = assess(given, Upscaler(Settings(threads=1))(given), Settings(threads=1))
    record, noise = found.record, found.noise
    assert record["of"] == "the surface"
    for name in ("median", "p95"):
        both = np.hypot(record["half_width"][name], 1.6449 * np.hypot(noise.white, noise.lines))
        assert record["half_width_of_second_scan"][name] == pytest.approx(both, rel=1e-4)


def test_what_made_a_result_is_told_by_its_history() -> None:
    given = scan()
    found = assess(given, Upscaler(Settings(method="bicubic"))(given), Settings(method="afm"))
    assert not found.calibrated and found.record["method"] == "bicubic"


def test_the_width_of_a_flat_scan_is_a_number() -> None:
    """It is below all that a double holds to the full, so that 1 over it is infinite."""
    flat = scan().replace(heights=np.full((32, 40), 7.0))
    asked = Settings(threads=1)
    told = assess(flat, Upscaler(asked)(flat), asked).record
    for widths in (told["half_width"], told["half_width_of_second_scan"]):
        assert all(0 <= one < 1e-300 for one in widths.values())
