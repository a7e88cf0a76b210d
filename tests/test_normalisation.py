"""Normalisation is invertible to rounding; the paper's 8-bit protocol clamps and rounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from afmsr_core.errors import FieldError
from afmsr_core.normalisation import (
    REC601,
    Normalisation,
    from_8bit,
    to_8bit,
)

fields = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


@given(fields)
def test_there_and_back_is_the_same_to_rounding(heights) -> None:
    normalisation = Normalisation.of(heights)
    values = normalisation.apply(heights)
    assert values.min() >= 0.0 and values.max() <= 1.0
    if normalisation.scale:
        assert values.min() == 0.0 and values.max() == 1.0
    back = normalisation.invert(values)
    assert np.abs(back - heights).max() <= 2 * np.spacing(np.abs(heights).max())


@given(fields, st.sampled_from([1e-12, 0.125, 1.0, 1e6]), st.floats(-1e3, 1e3))
def test_shift_and_scale_do_not_change_the_values(heights, factor, shift) -> None:
    heights = np.round(heights)  # a field whose range survives the shift
    moved = factor * (heights + shift)
    if np.ptp(heights) == 0:
        assert np.all(Normalisation.of(moved).apply(moved) == 0.5)
        return
    values = Normalisation.of(heights).apply(heights)
    assert np.allclose(Normalisation.of(moved).apply(moved), values, rtol=0, atol=1e-8)


@pytest.mark.parametrize("value", [0.0, 0.1, -273.15, 1e6, 1e-12, 5e-324])
def test_a_constant_field_is_middle_grey_and_comes_back_exactly(value: float) -> None:
    heights = np.full((3, 5), value)
    normalisation = Normalisation.of(heights)
    values = normalisation.apply(heights)
    assert np.all(values == 0.5)
    assert np.array_equal(normalisation.invert(values), heights)
    assert np.array_equal(normalisation.invert(values + 0.01), heights)


@pytest.mark.parametrize("span", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("datum", [0.0, 1.0, 1e6])
def test_ranges_on_large_offsets(span: float, datum: float) -> None:
    heights = datum + span * np.linspace(0, 1, 12).reshape(3, 4)
    normalisation = Normalisation.of(heights)
    back = normalisation.invert(normalisation.apply(heights))
    assert np.abs(back - heights).max() <= np.spacing(datum + span)


def test_nan_does_not_count_and_stays() -> None:
    heights = np.array([[np.nan, 2.0], [4.0, np.inf]])
    normalisation = Normalisation.of(heights)
    assert normalisation == Normalisation(2.0, 2.0)
    values = normalisation.apply(heights)
    assert np.isnan(values[0, 0]) and values[0, 1] == 0.0 and values[1, 0] == 1.0
    assert np.isnan(normalisation.invert(values)[0, 0])
    assert np.isnan(Normalisation(2.0, 0.0).apply(np.array([np.nan])))[0]


def test_heights_outside_the_range_are_not_clipped() -> None:
    normalisation = Normalisation.of([[0.0, 10.0]])
    assert normalisation.invert([-0.1, 1.1]).tolist() == pytest.approx([-1.0, 11.0])


def test_a_field_without_a_range_is_refused() -> None:
    with pytest.raises(FieldError, match="none of the 2 pixels is finite; choose another"):
        Normalisation.of([[np.nan, np.inf]])
    with pytest.raises(FieldError, match="no scan"):
        Normalisation.of([[-1.7e308, 1.7e308]])


# --- the paper's protocol ----------------------------------------------------------------


def test_8bit_clamps_and_rounds_to_nearest() -> None:
    values = np.array([-1.0, 0.0, 0.49 / 255, 0.51 / 255, 254.4 / 255, 1.0, 7.0, np.inf])
    assert to_8bit(values).tolist() == [0, 0, 0, 1, 254, 255, 255, 255]
    assert to_8bit(values).dtype == np.uint8


def test_every_grey_value_survives() -> None:
    grey = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_8bit(from_8bit(grey)), grey)
    assert from_8bit(grey)[[0, 255]].tolist() == [0.0, 1.0]


@given(arrays(np.float64, (4, 4), elements=st.floats(0, 1)))
def test_8bit_loses_at_most_half_a_grey_value(values) -> None:
    assert np.abs(from_8bit(to_8bit(values)) - values).max() <= 0.5 / 255 + 1e-15


def test_8bit_refuses_nan() -> None:
    with pytest.raises(FieldError, match=r"1 pixels are NaN.*fill them"):
        to_8bit([0.0, np.nan])


def test_grey_weights_are_those_of_opencv() -> None:
    rgb = np.random.default_rng(1).random((3, 6, 4))
    theirs = cv2.cvtColor(np.moveaxis(rgb, 0, -1).astype(np.float32), cv2.COLOR_RGB2GRAY)
    assert np.allclose(np.tensordot(REC601, rgb, 1), theirs, atol=1e-6)
    assert sum(REC601) == pytest.approx(1.0, abs=1e-15)
