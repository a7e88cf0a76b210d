"""What `upscale` promises of every field: size, place, unit, plane, mean, gaps; no clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.grid import choose
from afmsr_core.upscale import Settings, Upscaler, upscale

METHODS = ("bicubic", "afm")
SCALES = st.sampled_from(["4", "1x4", "1x2"])
SPECS = ("none", "plane", "poly2", "poly5", "rows-median", "plane+rows-median-diff")
# Heights differ by up to this share of their magnitude after a handful of sums in doubles.
ROUNDING = 1e-12
# The network works on float32 of [0, 1]; its input is the same up to its rounding.
NETWORK_ROUNDING = 1e-5

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_upscalers: dict[tuple[Any, ...], Upscaler] = {}


def up(channel: Channel, method: str = "bicubic", **options: Any) -> Channel:
    """Upscale with an engine that is loaded once for all examples."""
    options = {"scale": "4"} | options  # whatever the shape of the pixels
    key = (method, *sorted(options.items()))
    if key not in _upscalers:
        _upscalers[key] = Upscaler(Settings(method=method, threads=1, **options))
    return _upscalers[key](channel)


def plane_of(heights: np.ndarray) -> np.ndarray:
    """Least squares by NumPy: value at the centre, rise over the width, rise over the height."""
    yres, xres = heights.shape
    y, x = np.mgrid[0:yres, 0:xres]
    columns = [
        np.ones(heights.size),
        (x.ravel() + 0.5) / xres - 0.5,
        (y.ravel() + 0.5) / yres - 0.5,
    ]
    measured = np.isfinite(heights).ravel()
    design = np.stack(columns, axis=1)[measured]
    values = heights.ravel()[measured]
    centre = values.mean()
    plane, *_ = np.linalg.lstsq(design, values - centre, rcond=None)
    return plane + np.array([centre, 0, 0])


@st.composite
def channels(draw: st.DrawFn, smallest: int = 1) -> Channel:
    """Rough and smooth fields of any shape, range, offset, tilt and size, with gaps and masks."""
    yres, xres = draw(st.integers(smallest, 24)), draw(st.integers(smallest, 24))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    heights = random.normal(size=(yres, xres))
    if draw(st.booleans()):
        heights = heights.cumsum(axis=0).cumsum(axis=1)
    tilt = draw(st.sampled_from([0.0, 1.0, 300.0]))
    heights += tilt * np.add.outer(np.arange(yres) / yres, -np.arange(xres) / xres)
    heights *= draw(st.sampled_from([1e-12, 1e-3, 1.0, -1.0, 250.0, 1e6]))
    heights += draw(st.sampled_from([0.0, -3.0, 1e5])) * (np.ptp(heights) or 1.0)
    if draw(st.booleans()):
        gaps = random.random(heights.shape) < 0.2
        gaps[random.integers(yres), random.integers(xres)] = False
        heights[gaps] = np.nan
    mask = random.random(heights.shape) < 0.3 if draw(st.booleans()) else None
    return Channel(
        heights,
        xreal=draw(st.sampled_from([1.0, 333.3, 1e5])),
        yreal=draw(st.sampled_from([0.7, 1000.0])),
        xoff=draw(st.sampled_from([0.0, -12.5, 1e7])),
        yoff=draw(st.sampled_from([0.0, 0.1])),
        unit=draw(st.sampled_from(["nm", "V", ""])),
        lateral_unit=draw(st.sampled_from(["nm", "s"])),
        title="Height",
        mask=mask,
        number=3,
    )


# --- size, place, units, mask, gaps ----------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@QUICK
@given(channel=channels(), asked=SCALES)
def test_size_place_units_mask_and_gaps_are_kept(method: str, channel: Channel, asked: str) -> None:
    result = up(channel, method, scale=asked)
    scale = choose(channel, asked).scale
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit", "number"):
        assert getattr(result, name) == getattr(channel, name), name
    assert result.heights.shape == scale.shape(channel.yres, channel.xres)
    block = np.ones(scale, bool)
    gaps = ~np.isfinite(channel.heights)
    np.testing.assert_array_equal(np.isnan(result.heights), np.kron(gaps, block))
    assert np.isfinite(result.heights[~np.kron(gaps, block)]).all()
    if channel.mask is None:
        assert result.mask is None
    else:
        assert result.mask is not None
        np.testing.assert_array_equal(result.mask, np.kron(channel.mask, block))
    assert result.title == f"Height ({scale.titled(method)})"


def test_the_input_is_not_changed() -> None:
    heights = np.random.default_rng(0).normal(size=(9, 7))
    heights[2, 3] = np.nan
    before = heights.copy()
    for method in METHODS:
        for spec in SPECS:
            up(Channel(heights, 1.0, 1.0), method, level=spec)
    np.testing.assert_array_equal(heights, before)


def test_infinite_pixels_count_as_not_measured() -> None:
    heights = np.random.default_rng(0).normal(size=(6, 6))
    heights[1, 2], heights[4, 4] = np.inf, -np.inf
    result = up(Channel(heights, 1.0, 1.0)).heights
    assert np.argwhere(np.isnan(result)).min(axis=0).tolist() == [4, 8]
    assert np.isnan(result).sum() == 32 and np.isfinite(result[~np.isnan(result)]).all()


# --- plane and mean --------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("method", METHODS)
@settings(parent=QUICK, max_examples=12)
@given(channel=channels(smallest=2), asked=SCALES)
def test_plane_and_mean_are_those_of_the_input(
    method: str, spec: str, channel: Channel, asked: str
) -> None:
    options = {"mask": "exclude"} if channel.mask is not None and not channel.mask.all() else {}
    try:
        result = up(channel, method, level=spec, scale=asked, **options)
    except FieldError:  # the mask left nothing to level by, which is refused
        return
    before, after = channel.heights, result.heights
    magnitude = np.nanmax(np.abs(before[np.isfinite(before)])) + np.nanmax(np.abs(after))
    np.testing.assert_allclose(
        np.nanmean(after), np.mean(before[np.isfinite(before)]), rtol=0, atol=ROUNDING * magnitude
    )
    down, across = np.nonzero(np.isfinite(before))
    # Few pixels in a row determine no plane; rounding would be multiplied at will.
    if len(down) > 20 and min(np.ptp(down), np.ptp(across)) >= 3:
        np.testing.assert_allclose(
            plane_of(after), plane_of(before), rtol=0, atol=100 * ROUNDING * magnitude
        )


def test_without_the_background_the_levelled_field_comes_back() -> None:
    y, x = np.mgrid[0:24, 0:30]
    relief = np.random.default_rng(1).normal(size=x.shape)
    scan = Channel(5000.0 + 40.0 * x - 10.0 * y + relief, 30.0, 24.0)
    for method in METHODS:
        result = up(scan, method, restore_background=False).heights
        assert abs(result.mean()) < 0.2 and np.ptp(result) < 3 * np.ptp(relief)


def test_a_tilt_much_larger_than_the_relief_costs_the_relief_nothing() -> None:
    y, x = np.mgrid[0:32, 0:32]
    relief = np.random.default_rng(2).normal(size=x.shape)
    tilted = Channel(relief + 1e4 * x + 3e3 * y, 1.0, 1.0)
    flat = up(Channel(relief, 1.0, 1.0), "afm").heights
    fine_y, fine_x = (np.mgrid[0:128, 0:128] + 0.5) / 4 - 0.5
    difference = up(tilted, "afm").heights - (1e4 * fine_x + 3e3 * fine_y) - flat
    assert np.abs(difference).max() < NETWORK_ROUNDING * np.ptp(relief)


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos4", "afm"])
@QUICK
@given(
    value=st.floats(-1e9, 1e9, allow_subnormal=False),
    yres=st.integers(1, 20),
    xres=st.integers(1, 20),
    asked=SCALES,
)
def test_a_constant_field_stays_exactly_constant(
    method: str, value: float, yres: int, xres: int, asked: str
) -> None:
    scan = Channel(np.full((yres, xres), value), 5.0, 7.0)
    for spec in ("plane", "none", "rows-median"):
        result = up(scan, method, level=spec, scale=asked)
        assert (result.heights == value).all()


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos4", "afm"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 40), (40, 1), (3, 5), (2, 2), (17, 16)])
@pytest.mark.parametrize("asked", ["4", "1x4", "1x2"])
def test_every_shape_is_upscaled(method: str, shape: tuple[int, int], asked: str) -> None:
    heights = np.random.default_rng(3).normal(size=shape)
    scan = Channel(heights, 10.0, 10.0)
    result = up(scan, method, scale=asked).heights
    assert result.shape == choose(scan, asked).scale.shape(*shape)
    assert np.isfinite(result).all()
    assert result.mean() == pytest.approx(heights.mean(), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [(0, 0), (8, 8), (15, 3)])
def test_a_spike_stays_where_it_is_and_spreads_nowhere(method: str, place: tuple[int, int]) -> None:
    heights = np.zeros((16, 16))
    heights[place] = 100.0
    result = up(Channel(heights, 1.0, 1.0), method, level="none").heights
    peak = np.unravel_index(result.argmax(), result.shape)
    assert (peak[0] // 4, peak[1] // 4) == place
    assert result.max() > 50.0
    far = np.hypot(*(np.mgrid[0:64, 0:64] // 4 - np.reshape(place, (2, 1, 1)))) > 6
    assert np.abs(result[far]).max() < 3.0


@pytest.mark.parametrize("method", ["bicubic", "lanczos4", "afm"])
def test_heights_beyond_the_input_range_are_not_clipped(method: str) -> None:
    step = np.zeros((16, 16))
    step[:, 8:] = 30.0
    result = up(Channel(step, 1.0, 1.0), method).heights
    assert result.max() > 30.0 + 1e-3 and result.min() < -1e-3


@pytest.mark.parametrize("method", METHODS)
def test_heights_are_not_squeezed_through_few_grey_values(method: str) -> None:
    heights = np.random.default_rng(4).normal(size=(32, 32))
    assert len(np.unique(up(Channel(heights, 1.0, 1.0), method).heights)) > 16_000


# --- equivariance ----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "tolerance"), [("bicubic", 1e-9), ("afm", NETWORK_ROUNDING)])
@QUICK
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-12, 1e-6, 0.37, 2.0, 1e6]),
    shift=st.sampled_from([0.0, 0.1, -7.0, 1e4]),
    spec=st.sampled_from(["none", "plane", "poly3", "rows-median"]),
)
def test_scaled_and_shifted_heights_give_the_scaled_and_shifted_result(
    method: str, tolerance: float, seed: int, scale: float, shift: float, spec: str
) -> None:
    heights = np.random.default_rng(seed).normal(size=(19, 23)).cumsum(axis=1)
    offset = shift * scale * np.ptp(heights)
    plain = up(Channel(heights, 1.0, 1.0), method, level=spec).heights
    changed = up(Channel(scale * heights + offset, 1.0, 1.0), method, level=spec).heights
    np.testing.assert_allclose(
        changed, scale * plain + offset, rtol=0, atol=tolerance * scale * np.ptp(heights)
    )


def test_inverted_heights_give_the_inverted_result_where_the_method_is_linear() -> None:
    heights = np.random.default_rng(5).normal(size=(12, 15))
    # OpenCV's weights of Lanczos4 are float32 and do not quite sum to one.
    for method, tolerance in (("bilinear", 1e-12), ("bicubic", 1e-12), ("lanczos4", 1e-5)):
        plain, inverted = (up(Channel(s * heights, 1.0, 1.0), method).heights for s in (1, -1))
        np.testing.assert_allclose(inverted, -plain, rtol=0, atol=tolerance)


def test_inverted_heights_are_no_worse_for_the_network() -> None:
    truth = np.random.default_rng(6).normal(size=(24, 24)).cumsum(0).cumsum(1)
    upright, inverted = (up(Channel(s * truth, 1.0, 1.0), "afm").heights for s in (1, -1))
    errors = [
        np.abs(result.reshape(24, 4, 24, 4).mean(axis=(1, 3)) - truth).mean()
        for result in (upright, -inverted)
    ]
    assert max(errors) < 1.25 * min(errors)
    assert max(errors) < 0.05 * np.ptp(truth)  # both stay near the measured pixels


@pytest.mark.parametrize("method", METHODS)
def test_the_same_input_gives_the_same_bits(method: str) -> None:
    scan = Channel(np.random.default_rng(7).normal(size=(40, 33)), 1.0, 1.0)
    first = upscale(scan, method=method).heights
    for threads in (1, 2):
        again = upscale(scan, method=method, threads=threads).heights
        np.testing.assert_array_equal(first, again)


# --- the paper's protocol, and refusals ------------------------------------------------------


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos4", "afm"])
def test_the_paper_protocol_is_clamped_and_has_256_values(method: str) -> None:
    heights = np.random.default_rng(8).normal(size=(40, 40))
    options = {"protocol": "paper", "level": "none", "restore_background": False}
    result = up(Channel(heights, 1.0, 1.0), method, **options).heights
    assert len(np.unique(result)) <= 256
    assert result.min() >= heights.min() - 1e-12 and result.max() <= heights.max() + 1e-12
    steps = (result - heights.min()) / np.ptp(heights) * 255
    np.testing.assert_allclose(steps, np.rint(steps), rtol=0, atol=1e-9)


def test_the_history_tells_all_that_influences_the_result() -> None:
    result = up(Channel(np.eye(8), 80.0, 80.0), "afm", level="plane+rows-median")
    assert [step.name for step in result.history] == ["level", "level", "upscale"]
    told = result.history[-1].settings
    assert told["method"] == "afm" and told["level"] == "plane+rows-median"
    assert told["protocol"] == "nm" and told["restore_background"] is True
    assert len(told["weights_sha256"]) == 64 and told["engine"].startswith("onnxruntime ")
    assert "mean moved by" in result.history[-1].effect


def test_what_makes_no_sense_is_refused_with_the_cure() -> None:
    with pytest.raises(FieldError, match="no pixel is measured; choose another channel"):
        up(Channel(np.full((3, 3), np.nan), 1.0, 1.0))
    with pytest.raises(FieldError, match="crop it first"):
        up(Channel(np.zeros((1, 4097)), 1.0, 1.0))
    with pytest.raises(UsageError, match="an interpolation; it has no weights"):
        upscale(Channel(np.eye(2), 1.0, 1.0), method="bicubic", weights="x")
    with pytest.raises(UsageError, match="protocol 'x': choose one of nm, paper"):
        upscale(Channel(np.eye(2), 1.0, 1.0), protocol="x")
    with pytest.raises(UsageError, match="--device warp: choose auto"):
        upscale(Channel(np.eye(2), 1.0, 1.0), device="warp")
    with pytest.raises(TypeError, match="'colour'"):
        upscale(Channel(np.eye(2), 1.0, 1.0), colour="red")
