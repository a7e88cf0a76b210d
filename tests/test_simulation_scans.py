"""The virtual AFM: where the probe was is known, and the loop, the drift and the seed are real."""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.alignment import align
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, MissingExtraError, UsageError, pip_install
from afmsr_core.evaluation import EvaluationSettings, begin
from afmsr_core.metrics.niqe import patch_features
from afmsr_core.simulation import SPECIMENS, Area, Conditions, Instrument, simulate_pair
from afmsr_core.simulation.feedback import Feedback
from afmsr_core.simulation.noise import coloured, walk

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

SIDE, PIXEL = 96, 5.0
MARGIN = 16

# Everything that moves the probe, and nothing that falsifies heights.
MOVED = {
    "hysteresis": 0.02, "hysteresis_change": 0.01, "backlash": 0.01, "ramp": 1.0, "drift": 0.05,
    "wander": 0.01, "creep": 0.02, "stretch": 0.01, "rotation": 1.0,
}  # fmt: skip


def surface(seed: int = 0, smooth: float = 4.0) -> Channel:
    side = SIDE + 2 * MARGIN
    relief = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), smooth)
    return Channel(relief / relief.std() * 10, xreal=side * PIXEL, yreal=side * PIXEL)


def instrument(field: Channel | None = None, seed: int = 0, **conditions: float) -> Instrument:
    area = Area(MARGIN * PIXEL, MARGIN * PIXEL, SIDE * PIXEL, SIDE * PIXEL)
    rng = np.random.default_rng(seed)
    ideal = {"pixel": PIXEL, **conditions}
    return Instrument(field or surface(), area, Conditions(**ideal), rng, frame_lines=SIDE)


def shift(one: np.ndarray, other: np.ndarray, reach: int = 12) -> int:
    """By how many pixels `other` lies to the right of `one`."""
    inside = slice(reach, one.shape[1] - reach)
    off = [
        np.mean((one[:, inside] - np.roll(other, -n, axis=1)[:, inside]) ** 2)
        for n in range(-reach, reach + 1)
    ]
    return int(np.argmin(off)) - reach


# --- ideal ---------------------------------------------------------------------------------


def test_an_ideal_scan_is_the_surface() -> None:
    field = surface()
    scan = instrument(field).scan(SIDE, SIDE)
    truth = field.heights[MARGIN:-MARGIN, MARGIN:-MARGIN]
    for way in (scan.trace, scan.retrace):
        assert np.abs(way.heights - truth).max() < 1e-9
        assert np.allclose(way.x, (np.arange(SIDE) + 0.5) * PIXEL)
        assert np.allclose(way.y, (np.arange(SIDE)[:, None] + 0.5) * PIXEL)


def test_a_coarse_scan_skips_lines_and_averages_along_them_alone() -> None:
    field, quarter = surface(smooth=0.8), SIDE // 4
    scan = instrument(field, dwell=0.5).scan(quarter, quarter)
    within = (np.arange(4 * SIDE) + 0.5) / 4 * PIXEL  # 16 a pixel, of which the middle 8
    lines = instrument(field).under_tip(
        *np.broadcast_arrays(within, (np.arange(quarter)[:, None] * 4 + 2) * PIXEL)
    )
    pixels = lines.reshape(quarter, quarter, 16)[:, :, 4:12].mean(axis=2)
    assert np.abs(scan.trace.heights - pixels).max() < 0.02 * np.ptp(pixels)


# --- where the probe was -------------------------------------------------------------------


@pytest.mark.parametrize("side", [SIDE, SIDE // 4])
def test_the_pixel_maps_are_true(side: int) -> None:
    scanner = instrument(tip_radius=10.0, **MOVED)
    scan = scanner.scan(side, side)
    for way in (scan.trace, scan.retrace):
        again = scanner.under_tip(way.x, way.y)
        assert np.abs(way.heights - again).max() < 1e-9
    nominal = (np.arange(side) + 0.5) / side * SIDE * PIXEL
    assert np.abs(scan.trace.x - nominal).max() > 2 * PIXEL  # there was something to map
    assert scan.trace.x.mean() < scan.retrace.x.mean()  # both lag behind


def test_one_scan_follows_the_other_in_time() -> None:
    scanner = instrument(drift=0.08)
    first, second = (scanner.scan(SIDE, SIDE) for _ in range(2))
    moved = [second.trace.x - first.trace.x, second.trace.y - first.trace.y]
    length = SIDE * PIXEL
    assert np.hypot(*(part.mean() for part in moved)) == pytest.approx(0.08 * length, rel=1e-6)
    assert max(np.ptp(part) for part in moved) < 1e-6 * length


def test_a_ramped_slow_axis_shears_trace_and_retrace_by_one_line() -> None:
    scan = instrument(ramp=1.0).scan(SIDE, SIDE)
    apart = (scan.retrace.y - scan.trace.y)[0] / PIXEL
    assert apart[0] == pytest.approx(1, abs=0.02) and apart[-1] == pytest.approx(0, abs=0.02)


# --- the loop ------------------------------------------------------------------------------


def test_trace_and_retrace_are_late_in_opposite_directions() -> None:
    field, lag = surface(smooth=6.0), 3 / SIDE
    ideal = instrument(field).scan(SIDE, SIDE)
    late = instrument(field, lag=lag, overshoot=0.02).scan(SIDE, SIDE)
    assert shift(ideal.trace.heights, late.trace.heights) in (2, 3, 4)
    assert shift(ideal.retrace.heights, late.retrace.heights) in (-2, -3, -4)


def test_a_slow_scan_converges_to_the_surface() -> None:
    field = surface()
    truth = instrument(field).scan(SIDE, SIDE).trace.heights
    off = [
        np.std(instrument(field, lag=lag, overshoot=0.1).scan(SIDE, SIDE).trace.heights - truth)
        for lag in (0.02, 0.01, 0.005, 0.0005)
    ]
    assert all(slower < faster for faster, slower in itertools.pairwise(off))
    assert off[-1] < 0.05 * truth.std()


@pytest.mark.parametrize("overshoot", [0.05, 0.3, 0.5])
def test_a_step_is_overshot_as_asked_and_then_reached(overshoot: float) -> None:
    step = np.ones((2000, 1))
    step[:100] = 0
    followed = Feedback(lag=0.02, overshoot=overshoot).follow(step)[:, 0]
    assert followed.max() - 1 == pytest.approx(overshoot, rel=0.1)
    assert followed[-1] == pytest.approx(1, abs=0.01) and abs(followed[:100]).max() == 0


def test_a_tip_flies_off_falling_edges_only() -> None:
    edges = np.zeros((2000, 1))
    edges[500:1000] = 100.0
    tight, loose = (
        Feedback(lag=0.005, overshoot=0.01, grip=g).follow(edges)[:, 0] for g in (np.inf, 10)
    )
    assert np.array_equal(tight[:1000], loose[:1000])
    down = [int(np.argmax(one[1000:] < 50)) for one in (tight, loose)]
    assert down[1] > 3 * down[0]
    assert loose[-1] == pytest.approx(0, abs=1e-3)


# --- noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 1.15, 1.7])
def test_coloured_noise_has_its_spectrum(exponent: float) -> None:
    rows = coloured((600, 256), exponent, np.random.default_rng(1))
    assert rows.std() == pytest.approx(1, abs=0.05)
    power = np.mean(np.abs(np.fft.rfft(rows * np.hanning(256), axis=1)) ** 2, axis=0)
    f = np.arange(3, 100)
    assert -np.polyfit(np.log(f), np.log(power[f]), 1)[0] == pytest.approx(exponent, abs=0.1)


def test_a_walk_has_its_steps() -> None:
    rng = np.random.default_rng(2)
    steps = [np.std(one[2:] - one[:-2]) for one in (walk(512, 1.7, 2, rng) for _ in range(100))]
    assert np.mean(steps) == pytest.approx(1, abs=0.03)


# --- lines with every point ----------------------------------------------------------------


def test_a_point_of_a_quarter_of_the_time_has_twice_the_white_noise() -> None:
    field, lines = surface(), SIDE // 4
    stds = []
    for pixels in (lines, SIDE):
        noisy, ideal = (
            instrument(field, white=white).scan(lines, pixels).trace.heights for white in (0.1, 0.0)
        )
        stds.append(np.std(noisy - ideal) / instrument(field).range)
    assert stds[0] == pytest.approx(0.1, rel=0.1) and stds[1] == pytest.approx(0.2, rel=0.1)


def test_what_wanders_along_a_line_does_so_in_time_however_often_it_is_read() -> None:
    field, lines = surface(), SIDE // 4

    def bends(pixels: int) -> float:
        """RMS of the noise's second differences over an eighth of the line."""
        found = []
        for seed in range(8):
            noisy, ideal = (
                instrument(field, seed, correlated=each).scan(lines, pixels) for each in (1, 0)
            )
            for way in ("trace", "retrace"):
                off = getattr(noisy, way).heights - getattr(ideal, way).heights
                found.append(np.diff(off[:, pixels // 16 :: pixels // 8], 2, axis=1))
        return float(np.sqrt(np.mean(np.square(found))))

    assert bends(SIDE) == pytest.approx(bends(lines), rel=0.1)


def test_lines_with_every_point_are_the_lines_that_are_taken() -> None:
    """They take the same time, drift included, as a square scan with as many lines."""
    fixed = {"white": 0.0, "correlated": 0.0, "line_step": 0.0, "scars": 0.0, "lag": 0.0,
             "dwell": 0.0, "wander": 0.0}  # fmt: skip
    options = {"size": 64, "preset_name": "drifting", "seed": 4, "fixed": fixed}
    square, lines, both = (
        simulate_pair("film", low=low, **options) for low in ([], [(16, 64)], [(16, 64), (16, 16)])
    )
    assert list(both.channels) == ["lines", "low", "high"] and next(iter(square.channels)) == "low"
    assert lines.channels["lines"][0].heights.shape == (16, 64)
    one, other = (pair.scans[side].trace for pair, side in ((square, "low"), (lines, "lines")))
    between = (other.y[:, 1::4] + other.y[:, 2::4]) / 2
    assert np.allclose(one.y, between, atol=1e-3 * square.low[0].dy)
    for pair in (square, lines, both):  # the truth is exact whatever was scanned before
        assert np.array_equal(pair.truth[0].heights, square.truth[0].heights)
    began = [both.settings[side]["began_frames"] for side in ("lines", "low", "high")]
    assert began == [0, 0.25, 0.5]


@pytest.mark.parametrize(
    "low",
    [[(48, 64)], [(64, 64)], [(32, 16)], [(4, 64)], [(16, 128)], [(16, 64), (32, 64)]],
    ids=str,
)
def test_a_coarse_scan_that_makes_no_sense_is_usage(low: list[tuple[int, int]]) -> None:
    with pytest.raises(UsageError, match=r"^low \d+x\d+: .*(give|folder of its own)"):
        simulate_pair(size=64, low=low)


# --- pairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ideal", "typical", "fast-scan"])
def test_the_same_seed_gives_the_same_pair(name: str) -> None:
    one, two, other = (simulate_pair(size=64, preset_name=name, seed=n) for n in (5, 5, 6))
    for part in ("low", "high", "truth"):
        for a, b, c in zip(*(getattr(pair, part) for pair in (one, two, other)), strict=True):
            assert np.array_equal(a.heights, b.heights)
            assert not np.array_equal(a.heights, c.heights)
    assert json.loads(json.dumps(one.settings)) == two.settings


def test_another_preset_scans_the_same_surface() -> None:
    ideal, noisy = (
        simulate_pair(
            "film", size=64, preset_name=name, seed=1, fixed={"pixel": 9.0, "slope": 30.0}
        )
        for name in ("ideal", "noisy")
    )
    assert np.array_equal(ideal.truth[0].heights, noisy.truth[0].heights)
    assert not np.array_equal(ideal.high[0].heights, noisy.high[0].heights)


@pytest.mark.parametrize("kind", SPECIMENS, ids=lambda kind: kind.name)
def test_a_pair_knows_its_units_place_and_history(kind: object) -> None:
    pair = simulate_pair(kind.name, size=64, seed=2, fixed={"pixel": 15.625})
    for channel in (*pair.low, *pair.high, *pair.truth, *pair.maps()):
        assert (channel.xreal, channel.yreal, channel.unit) == (1000.0, 1000.0, "nm")
        assert (channel.xoff, channel.yoff) == (125.0, 125.0)
        assert np.isfinite(channel.heights).all()
        assert channel.history[-1].settings == pair.settings
    assert pair.low[0].heights.shape == (16, 16) and pair.high[1].heights.shape == (64, 64)
    assert [one.title for one in pair.high] == ["Height", "Height retrace"]
    slope = np.hypot(*np.gradient(pair.truth[0].heights, pair.truth[0].dx))
    assert np.rad2deg(np.arctan(np.percentile(slope, 99.9))) < 80


def test_the_positions_of_an_ideal_scan_are_the_pixels_of_the_truth() -> None:
    pair = simulate_pair("film", size=64, preset_name="ideal")
    x, y = pair.positions(pair.high_scan.trace)
    assert np.allclose(x, np.arange(64)) and np.allclose(y, np.arange(64)[:, None])
    x, _ = pair.positions(pair.low_scan.trace)
    assert np.allclose(x, 4 * np.arange(16) + 1.5)


def test_a_real_field_can_be_the_surface() -> None:
    from afmsr_core.data import example_pair

    field = io.read(example_pair()[1])[0]
    pair = simulate_pair(field, size=128, preset_name="ideal")
    assert pair.truth[0].xreal == pytest.approx(field.xreal * 3 * 128 / field.xres)
    assert pair.truth[0].xoff == pytest.approx(field.xoff + 64 * field.dx)
    assert "surface" in pair.settings
    # Every third pixel of the field, less its plane.
    off = pair.truth[0].heights - field.heights[65:448:3, 65:448:3]
    rows, columns = np.mgrid[0:128, 0:128]
    design = np.stack([np.ones(off.size), rows.ravel(), columns.ravel()], axis=1)
    plane = np.linalg.lstsq(design, off.ravel(), rcond=None)[0]
    assert np.abs(off.ravel() - design @ plane).max() < 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 62}, {"size": 16}, {"size": 10**6}, {"seed": -1}, {"preset_name": "none"},
        {"surface": "none"}, {"fixed": {"none": 1.0}}, {"fixed": {"white": -1.0}},
        {"fixed": {"dwell": 2.0}}, {"fixed": {"slope": 90.0}}, {"fixed": {"pixel": 0.0}},
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_usage(wrong: dict) -> None:
    with pytest.raises(UsageError):
        simulate_pair(**({"size": 64} | wrong))


def test_a_surface_must_be_one() -> None:
    field = surface()
    assert simulate_pair(field, size=96, seed=1).truth[0].xreal == 96 * PIXEL
    with pytest.raises(UsageError, match="use --size 100"):
        simulate_pair(field, size=128)
    holes = field.heights.copy()
    holes[3, 4] = np.nan
    for wrong, why in (
        (field.replace(heights=holes), "1 pixels have no value"),
        (field.replace(unit="V"), "scans heights over lengths"),
        (field.replace(heights=np.zeros_like(holes)), "flat"),
    ):
        with pytest.raises(FieldError, match=why):
            simulate_pair(wrong, size=64)


def test_without_scipy_the_cure_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By all that needs it, before it makes anything."""
    relief = surface()
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    field, folder = np.eye(128), tmp_path / "results"
    needing = (
        lambda: instrument(relief),
        lambda: align(field, field, pixel_nm=1.0),
        lambda: patch_features(field),
        lambda: begin(EvaluationSettings(("bicubic",)), folder),
    )
    for one in needing:
        with pytest.raises(MissingExtraError, match=re.escape(pip_install("eval"))):
            one()
    assert not folder.exists()
