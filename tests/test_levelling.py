"""Levelling takes off a background, says what it was, and the background brings it back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.levelling import LEVELLERS, MASK_MODES, level, parse_spec
from afmsr_core.surfaces import MAX_DEGREE, Background, Plane, fit_plane, fit_polynomial

SURFACES = ("plane", *(f"poly{n}" for n in range(MAX_DEGREE + 1)))
ROWS = ("rows-median", "rows-median-diff")
RANGES = (1e-12, 1.0, 1e6)


def channel(heights: NDArray[np.float64], mask: NDArray[np.bool_] | None = None) -> Channel:
    return Channel(heights, xreal=5000.0, yreal=2500.0, title="Height", mask=mask)


def scan(seed: int, shape: tuple[int, int], span: float = 1.0) -> NDArray[np.float64]:
    """A tilted, bowed field with line offsets and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    heights = 3 * x - 2 * y + x * y + 2 * (y - 0.4) ** 2 + rng.normal(0, 0.1, shape)
    return span * (heights + rng.normal(0, 0.3, (shape[0], 1)))


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**32 - 1)


def size_of(heights: NDArray[np.float64]) -> float:
    return float(np.nanmax(np.abs(heights))) or 1.0


# --- the background brings the input back ------------------------------------------------


@pytest.mark.parametrize("spec", [*SURFACES, "plane+poly3"])
@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("shape", [(32, 32), (20, 41), (3, 5), (1, 7), (7, 1), (1, 1), (2, 2)])
def test_surfaces_restore_the_input(spec: str, span: float, shape: tuple[int, int]) -> None:
    heights = scan(1, shape, span)
    levelled = level(channel(heights), spec)
    restored = levelled.channel.heights + levelled.background.on_grid(*shape)
    assert np.abs(restored - heights).max() <= 1e-14 * size_of(heights)


@given(seeds, shapes, st.sampled_from([*SURFACES, *ROWS, "plane+rows-median"]))
@settings(max_examples=60, deadline=None)
def test_restored_result_keeps_mean_and_tilt_in_y(seed, shape, spec) -> None:
    heights = scan(seed, shape)
    levelled = level(channel(heights), spec)
    restored = levelled.channel.heights + levelled.background.on_grid(*shape)
    before, after = fit_plane(heights), fit_plane(restored)
    for name in ("datum", "slope_x", "slope_y"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-12)


@pytest.mark.parametrize("spec", SURFACES)
def test_background_is_the_same_function_on_every_grid(spec: str) -> None:
    background = level(channel(scan(2, (12, 20))), spec).background
    coarse, fine = background.on_grid(12, 20), background.on_grid(36, 60)
    # Pixels are areas: the centre of a pixel is the centre of the middle one of 3x3.
    assert np.allclose(fine[1::3, 1::3], coarse, rtol=0, atol=1e-12 * size_of(coarse))
    assert np.array_equal(fine[5:17], background.on_grid(36, 60, rows=slice(5, 17)))


def test_planes_share_the_outer_edge_and_the_mean_on_a_finer_grid() -> None:
    plane = Plane(datum=10.0, slope_x=4.0, slope_y=-8.0)
    fine = plane.on_grid(16, 8)
    assert fine.mean() == pytest.approx(10.0, abs=1e-14)
    assert fine[0, 0] == pytest.approx(10.0 - 2.0 * 7 / 8 + 4.0 * 15 / 16)
    assert Background().on_grid(2, 3).tolist() == [[0.0] * 3] * 2


def test_a_polynomial_is_found_exactly_and_leaves_no_trace() -> None:
    y, x = np.mgrid[:30, :40] / 40
    heights = 1 + x - 2 * y + 3 * x**2 * y - y**3
    assert np.abs(level(channel(heights), "poly3").channel.heights).max() < 1e-14
    assert np.abs(level(channel(heights), "poly2").channel.heights).max() > 1e-3


# --- equivariance and idempotence -----------------------------------------------------------


@given(
    seeds,
    shapes,
    st.sampled_from([*SURFACES, *ROWS]),
    st.sampled_from([-1e6, -1.0, 1e-12, 3.0, 1e6]),
    st.floats(-100, 100),
)
@settings(max_examples=100, deadline=None)
def test_shift_and_scale_equivariance(seed, shape, spec, factor, shift) -> None:
    heights = scan(seed, shape)
    plain = level(channel(heights), spec).channel.heights
    moved = level(channel(factor * (heights + shift)), spec).channel.heights / factor
    if spec in ROWS:  # they keep the mean, as in Gwyddion
        moved = moved - shift
    assert np.allclose(moved, plain, rtol=0, atol=1e-11)


@given(seeds, shapes, st.sampled_from([*SURFACES, *ROWS]))
@settings(max_examples=60, deadline=None)
def test_levelling_twice_is_levelling_once(seed, shape, spec) -> None:
    once = level(channel(scan(seed, shape)), spec).channel
    twice = level(once, spec).channel
    assert np.allclose(twice.heights, once.heights, rtol=0, atol=1e-11)


@pytest.mark.parametrize("spec", [*SURFACES, *ROWS])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -1e-12])
def test_a_constant_field_has_no_relief(spec: str, value: float) -> None:
    levelled = level(channel(np.full((6, 4), value)), spec)
    assert np.ptp(levelled.channel.heights) == 0.0
    restored = levelled.channel.heights + levelled.background.on_grid(6, 4)
    assert np.array_equal(restored, np.full((6, 4), value))


def test_small_relief_on_a_large_datum_and_tilt_survives() -> None:
    relief = 1e-3 * np.random.default_rng(0).normal(size=(32, 32))
    tilted = relief + Plane(1e6, 1e3, -1e3).on_grid(32, 32)
    expected = level(channel(relief)).channel.heights
    found = level(channel(tilted)).channel.heights
    assert np.abs(found - expected).max() <= 4 * np.spacing(1e6)  # what the input itself lost


# --- pixels that do not take part --------------------------------------------------------


@pytest.mark.parametrize("spec", ["plane", "poly3", *ROWS])
def test_nan_and_infinite_pixels_never_take_part_and_stay(spec: str) -> None:
    heights = scan(3, (24, 18))
    holes = np.zeros(heights.shape, dtype=bool)
    holes[4:7, 3:9] = holes[20, :] = True
    marked = level(channel(np.where(holes, 1e9, heights), mask=holes), spec, "exclude")
    for hole in (np.nan, np.inf):
        levelled = level(channel(np.where(holes, hole, heights)), spec)
        assert np.array_equal(np.isfinite(levelled.channel.heights), ~holes)
        assert np.isfinite(levelled.background.on_grid(96, 72)).all()
        difference = (levelled.channel.heights - marked.channel.heights)[~holes]
        if spec in ROWS:  # they keep the line through what was measured, which here differs
            row = np.nonzero(~holes)[0]
            difference -= np.polyval(np.polyfit(row, difference, 1), row)
        assert np.abs(difference).max() < 1e-12


@pytest.mark.parametrize("spec", ROWS)
def test_rows_with_nan_keep_the_mean_of_what_was_measured(spec: str) -> None:
    heights = scan(4, (12, 10))
    heights[3, 2:8] = heights[9] = np.nan
    levelled = level(channel(heights), spec)
    restored = levelled.channel.heights + levelled.background.on_grid(12, 10)
    for kept in (levelled.channel.heights, restored):
        assert np.nanmean(kept) == pytest.approx(np.nanmean(heights), abs=1e-13)


@pytest.mark.parametrize("spec", ["plane", "poly2"])
def test_mask_modes(spec: str) -> None:
    heights = Plane(5.0, 2.0, 3.0).on_grid(20, 20)
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:12, 6:14] = True
    stepped = heights + 50.0 * mask
    found = {mode: level(channel(stepped, mask), spec, mode).channel.heights for mode in MASK_MODES}
    assert np.allclose(found["exclude"], 50.0 * mask, rtol=0, atol=1e-11)
    assert np.allclose(found["include"], 50.0 * mask - 50.0, rtol=0, atol=1e-11)
    assert found["ignore"].mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("spec", ROWS)
def test_rows_are_aligned_by_the_pixels_that_take_part(spec: str) -> None:
    offsets = np.array([0.0, 3.0, -2.0, 5.0, 1.0, -4.0])
    heights = np.zeros((6, 15)) + offsets[:, None]
    mask = np.zeros(heights.shape, dtype=bool)
    mask[2:5, :9] = True  # a tall particle over more than half of some lines
    heights[mask] += 80.0
    aligned = level(channel(heights, mask), spec, "exclude").channel.heights
    assert np.ptp(level(channel(heights - 80.0 * mask), spec).channel.heights, axis=1).max() == 0
    assert np.ptp(aligned[~mask]) < 30.0 and np.ptp(aligned[:, 10:], axis=1).max() == 0
    without = level(channel(heights - 80.0 * mask), spec).channel.heights
    assert np.allclose((aligned - 80.0 * mask)[~mask], without[~mask], rtol=0, atol=1e-12)


@pytest.mark.parametrize("spec", ROWS)
def test_a_line_without_pixels_follows_its_neighbours(spec: str) -> None:
    tilt = 100.0 * np.arange(9.0)[:, None] + np.zeros((9, 12))
    mask = np.zeros(tilt.shape, dtype=bool)
    mask[4] = True  # Gwyddion 2.62 gives such a line the median of the whole field
    levelled = level(channel(tilt, mask), spec, "exclude")
    restored = levelled.channel.heights + levelled.background.on_grid(9, 12)
    assert np.allclose(restored, tilt, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("pixels", "trusted"), [(2, False), (3, True)])
def test_a_line_counts_from_gwyddions_number_of_pixels(pixels: int, trusted: bool) -> None:
    heights = np.zeros((5, 8))
    heights[2] = 10.0
    few = np.zeros(heights.shape, dtype=bool)
    few[2, pixels:] = True  # of 8 pixels it takes ln 8 + 1, rounded: 3
    aligned = level(channel(heights, few), "rows-median", "exclude").channel.heights
    assert np.ptp(aligned) == pytest.approx(0.0 if trusted else 10.0)


def test_exclude_without_a_mask_excludes_nothing() -> None:
    heights = scan(5, (8, 8))
    excluded = level(channel(heights), mask="exclude").channel.heights
    assert np.array_equal(excluded, level(channel(heights)).channel.heights)


def test_a_spike_does_not_move_aligned_rows() -> None:
    heights = np.random.default_rng(6).normal(size=(9, 31))
    spiked = heights.copy()
    spiked[4, 11] = heights[4].max() + 1.0
    higher = spiked.copy()
    higher[4, 11] += 1e6
    for spec in ROWS:
        moved = level(channel(higher), spec).channel.heights - higher
        still = level(channel(spiked), spec).channel.heights - spiked
        assert np.allclose(moved, still, rtol=0, atol=1e-9)


# --- degenerate fields --------------------------------------------------------------------


@pytest.mark.parametrize("spec", [*SURFACES, *ROWS])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 9), (9, 1), (2, 2), (3, 5)])
def test_small_fields_are_levelled_with_what_they_determine(spec, shape) -> None:
    heights = scan(7, shape)
    levelled = level(channel(heights), spec)
    assert np.isfinite(levelled.channel.heights).all()
    assert np.isfinite(levelled.background.on_grid(4 * shape[0], 4 * shape[1])).all()
    if spec == "poly9" and shape != (9, 1):  # more terms than pixels: nothing is left
        assert np.abs(levelled.channel.heights).max() < 1e-12


def test_an_axis_of_one_pixel_has_no_slope() -> None:
    assert fit_plane([[1.0, 2.0, 3.0]]) == Plane(pytest.approx(2.0), pytest.approx(3.0), 0.0)
    assert fit_plane([[1.0], [2.0], [3.0]]) == Plane(pytest.approx(2.0), 0.0, pytest.approx(3.0))
    assert fit_plane([[4.0, np.nan], [np.nan, np.nan]]) == Plane(4.0, 0.0, 0.0)


def test_pixels_on_an_oblique_line_give_the_smallest_plane() -> None:
    heights = np.where(np.eye(8, dtype=bool), np.arange(8.0)[:, None], np.nan)
    plane = fit_plane(heights)
    assert np.allclose(np.diag(plane.on_grid(8, 8)), np.arange(8.0), rtol=0, atol=1e-12)
    assert plane.slope_x == pytest.approx(plane.slope_y)


@pytest.mark.parametrize("degree", range(MAX_DEGREE + 1))
def test_the_fit_is_the_least_squares_one(degree: int) -> None:
    heights, valid = scan(8, (25, 31)), np.random.default_rng(degree).random((25, 31)) < 0.6
    valid[:, :9] = False
    y, x = ((np.arange(n) + 0.5) / n for n in heights.shape)
    x = (x - x[9]) / (x[-1] - x[9])  # conditioning of this plain reference only
    terms = [
        np.multiply.outer(
            np.polynomial.chebyshev.Chebyshev.basis(j, domain=[0, 1])(y),
            np.polynomial.chebyshev.Chebyshev.basis(i, domain=[0, 1])(x),
        )
        for j in range(degree + 1)
        for i in range(degree + 1 - j)
    ]
    design = np.stack([term[valid] for term in terms], axis=1)
    expected = design @ np.linalg.lstsq(design, heights[valid], rcond=None)[0]
    found = fit_polynomial(heights, degree, valid).on_grid(25, 31)[valid]
    assert np.abs(found - expected).max() < 1e-11


def test_a_thin_oblique_strip_is_fitted_to_rounding() -> None:
    y, x = np.mgrid[:60, :60] / 60
    heights = 1 + x**4 - y**3 * x + 2 * y
    valid = np.abs(x - y) < 0.1
    left = (heights - fit_polynomial(heights, 4, valid).on_grid(60, 60))[valid]
    assert np.abs(left).max() < 1e-13


# --- what it says -------------------------------------------------------------------------


def test_every_step_says_what_it_removed() -> None:
    tilted = Plane(12.0, 5.0, -2.5).on_grid(16, 16)
    tilted[5] += 1.0
    levelled = level(channel(tilted), "plane+rows-median", "exclude").channel
    plane, rows = levelled.history
    assert plane.name == rows.name == "level"
    assert plane.settings == {"step": "plane", "mask": "exclude"}
    assert plane.effect.startswith("plane: datum 12.06 nm, tilt 1 nm/µm in x and ")
    assert plane.effect.endswith(" nm peak to valley")
    assert rows.effect.startswith("rows-median: offsets of 16 scan lines, ")
    assert "only that line" in rows.effect and "nm/µm in y" in rows.effect
    json.dumps([step.as_dict() for step in levelled.history])


def test_units_follow_the_channel() -> None:
    heights = Plane(1.0, 2.0, 0.0).on_grid(4, 4)
    volts = Channel(heights, 2.0, 2.0, unit="V", lateral_unit="s")
    assert "datum 1 V, tilt 1 V/s in x" in level(volts).channel.history[0].effect


def test_none_changes_nothing_and_says_nothing() -> None:
    before = channel(np.full((2, 2), np.nan))
    levelled = level(before, "none")
    assert levelled.channel is before and levelled.background == Background()


def test_the_input_is_left_alone() -> None:
    heights = scan(9, (6, 6))
    copy = heights.copy()
    for spec in LEVELLERS:
        level(channel(heights), spec)
    assert np.array_equal(heights, copy)


# --- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["", "plain", "poly", "poly10", "poly-1", "none+plane", "plane+"])
def test_an_unknown_spec_lists_the_choices(spec: str) -> None:
    with pytest.raises(UsageError, match=r"[Cc]hoose none, plane, poly0.*rows-median-diff"):
        parse_spec(spec)


def test_an_unknown_mask_mode_lists_the_choices() -> None:
    with pytest.raises(UsageError, match="choose ignore, exclude, include"):
        level(channel(np.eye(3)), mask="invert")


def test_a_missing_mask_cannot_be_included() -> None:
    with pytest.raises(UsageError, match=r"'Height': .*has none; mark the pixels"):
        level(channel(np.eye(3)), mask="include")


def test_a_field_without_pixels_is_refused_with_the_cure() -> None:
    with pytest.raises(FieldError, match=r"no pixel is finite.*choose another channel"):
        level(channel(np.full((3, 3), np.nan)))
    for mode, mask in (("exclude", np.ones((3, 3), bool)), ("include", np.zeros((3, 3), bool))):
        with pytest.raises(FieldError, match=f"mask '{mode}' leaves no finite pixel"):
            level(channel(np.eye(3), mask), mask=mode)
    with pytest.raises(FieldError, match="none of the 4 pixels"):
        fit_plane(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool))
    with pytest.raises(UsageError, match="0 to 9, found 10"):
        fit_polynomial(np.zeros((2, 2)), 10)


# --- masks that leave little --------------------------------------------------------------


def masked(left: int | str, seed: int = 0) -> Channel:
    """Return a tilted scan with a mask that leaves some pixels, all over it or in a block."""
    rng = np.random.default_rng(seed)
    heights = Plane(5.0, 40.0, -30.0).on_grid(96, 96) + rng.normal(size=(96, 96))
    used = np.zeros(heights.shape, bool)
    if left == "line":
        used[30] = True
    elif left == "block":
        used[30:33, 50:53] = True
    else:
        used.ravel()[rng.choice(used.size, int(left), replace=False)] = True
    return channel(heights, ~used)


@pytest.mark.parametrize("spec", ["plane", "poly2", "plane+rows-median"])
@pytest.mark.parametrize("left", [1, "line", "block"])
def test_a_mask_that_leaves_too_little_is_refused(left: int | str, spec: str) -> None:
    scan = masked(left)
    with pytest.raises(FieldError, match=r"leaves \d+ of 9216 pixels .* use mask 'ignore'"):
        level(scan, spec, "exclude")
    assert scan.mask is not None
    with pytest.raises(FieldError, match="too few or too close"):
        level(scan.replace(mask=~scan.mask), spec, "include")
    for again in (level(scan, spec), level(scan, "none", "exclude")):
        assert again.channel.warnings == ()


@pytest.mark.parametrize(("left", "warns"), [(5, True), (20, True), (60, False), (2000, False)])
def test_a_mask_that_leaves_few_pixels_is_told(left: int, warns: bool) -> None:
    """The plane is off by what is told, in the mean over many masks."""
    off, told = [], []
    for seed in range(20):
        scan = masked(left, seed)
        levelled = level(scan, "plane", "exclude")
        rest = levelled.background.on_grid(96, 96) - Plane(5.0, 40.0, -30.0).on_grid(96, 96)
        off.append(np.mean(rest**2))
        assert bool(levelled.channel.warnings) == warns or left == 20
        if levelled.channel.warnings:
            (sentence,) = levelled.channel.warnings
            assert f"leaves {left} of 9216 pixels" in sentence
            told.append(float(sentence.partition("uncertain by ")[2].partition(" %")[0]) / 100)
    if warns:
        assert np.sqrt(np.mean(off)) == pytest.approx(np.sqrt(np.mean(np.square(told))), rel=0.4)


def test_lines_that_a_mask_leaves_empty_are_told() -> None:
    warnings = level(masked(200), "rows-median", "exclude").channel.warnings
    assert "what rows-median takes off is uncertain by" in warnings[0]
    assert level(masked(6000), "rows-median", "exclude").channel.warnings == ()
