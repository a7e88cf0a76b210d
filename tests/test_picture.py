"""Heights become colours, numbers and lengths that are true, whatever their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core.errors import UsageError
from afmsr_core.picture import palettes as named
from afmsr_core.picture.colours import MASK_COLOUR, colours, in_proportion, marked_in, thinned
from afmsr_core.picture.palettes import palette
from afmsr_core.picture.ranges import Range
from afmsr_core.picture.scales import scale_bar, ticks

NAMES = [*named.OURS, *named.GWYDDION]


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB bytes."""
    linear = np.where(rgb <= 10, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ (0.2126, 0.7152, 0.0722)
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


# --- palettes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_palette_has_256_colours_from_first_to_last_stop(name: str) -> None:
    stops = (named.OURS.get(name) or named.GWYDDION[name]).split()
    found = palette(name)
    assert found.shape == (256, 3) and found.dtype == np.uint8
    assert bytes(found[0]).hex() == stops[0] and bytes(found[-1]).hex() == stops[-1]


@pytest.mark.parametrize("name", [name for name in named.OURS if name != named.DIFFERENCE])
def test_our_palettes_are_told_apart_without_colour(name: str) -> None:
    steps = np.diff(lightness(palette(name).astype(float)))
    steps *= np.sign(steps.sum())
    assert (steps > -0.3).all() and steps.sum() > 60


def test_both_sides_of_the_differences_are_as_dark() -> None:
    low, _, high = lightness(palette(named.DIFFERENCE)[[0, 128, 255]].astype(float))
    middle = palette(named.DIFFERENCE)[127:129].astype(int)
    assert abs(low - high) < 10 and np.ptp(middle, axis=1).max() <= 4, "0 has no hue"


@pytest.mark.parametrize("name", sorted(set(named.GWYDDION) - {"Gray"}))
def test_the_palettes_of_gwyddion_look_like_its_own(name: str) -> None:
    folder = Path("/usr/share/gwyddion/gradients")
    if not folder.is_dir():
        pytest.skip("no Gwyddion is installed here, to compare with")
    rows = np.array([line.split() for line in (folder / name).read_text().splitlines()[1:] if line])
    at, *planes = rows.astype(float).T[:4]
    theirs = np.stack([np.interp(np.linspace(0, 1, 256), at, plane) for plane in planes], axis=-1)
    off = np.abs(palette(name) - 255 * theirs)
    assert off.max() <= 40 and off.mean() <= 8


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_measured_looks_like_no_height(name: str) -> None:
    away = np.linalg.norm(palette(name).astype(float) - named.unmeasured_colour(name), axis=1)
    assert away.min() > 100


def test_an_unknown_palette_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(UsageError, match=r"of this name\. Did you mean Gold\? Choose from afm, "):
        palette("gold")


# --- ranges --------------------------------------------------------------------------------


def test_a_range_leaves_spikes_out_and_says_so() -> None:
    field = np.linspace(0.0, 10.0, 10_000).reshape(100, 100)
    spiked = field.copy()
    spiked[0, :20], spiked[0, 20], spiked[0, 21] = 1e6, np.nan, np.inf
    shown = Range.of([spiked])
    assert shown.low == pytest.approx(0.05, abs=0.05) and shown.high == pytest.approx(10, abs=0.1)
    assert shown.words == "0.5 to 99.5 % of the heights"


def test_fields_share_a_range_that_cuts_none_of_them_off() -> None:
    small, large = np.linspace(0, 9, 10_000).reshape(100, 100), np.full((8, 8), 2150.0)
    shown = Range.of([small, large])
    assert (shown.low, shown.high) == (pytest.approx(0.045), 2150.0)


def test_a_flat_field_with_few_features_keeps_them() -> None:
    field = np.zeros((100, 100))
    field[50, 50:60] = 3.0
    assert Range.of([field]) == Range(0.0, 3.0, "lowest to highest of the heights")


@pytest.mark.parametrize("nothing", [[], [np.full((3, 3), np.nan)]])
def test_nothing_measured_is_said(nothing: list[np.ndarray]) -> None:
    assert Range.of(nothing) == Range(0.0, 1.0, "nothing, as no pixel was measured")


def test_a_large_field_is_looked_at_in_part_but_for_its_extremes() -> None:
    field = np.tile(np.linspace(0, 100, 3000), (3000, 1))
    field[1, 1] = 1e3
    assert Range.of([field]).high == pytest.approx(99.5, abs=0.2)
    assert Range.of([field], (0, 100)).high == 1e3


def test_differences_have_zero_in_the_middle() -> None:
    errors = np.linspace(-1.0, 3.0, 10_001)[None]
    shown = Range.symmetric([errors])
    assert shown.low == -shown.high and shown.high == pytest.approx(2.96, abs=0.01)
    assert (colours([[0.0]], shown, "difference") == palette("difference")[128]).all()


# --- colours -------------------------------------------------------------------------------


def test_colours_run_through_the_palette_and_stop_at_its_ends() -> None:
    field = np.array([[-50.0, 0.0, 5.0, 10.0, 50.0]])
    found = colours(field, Range(0.0, 10.0), "violet-yellow")
    assert (found == palette("violet-yellow")[[0, 0, 128, 255, 255]]).all()


@pytest.mark.parametrize("size", [1e-14, 0.036, 9.0, 2150.0, 1e300])
def test_the_size_of_the_heights_does_not_matter(size: float) -> None:
    field = np.linspace(0.0, size, 256)[None]
    assert (colours(field, Range.of([field], (0, 100))) == palette("afm")).all()


def test_nan_infinity_and_mask_are_marked() -> None:
    found = colours([[np.nan, np.inf, 0.5]], Range(0.0, 1.0))
    mark = named.unmeasured_colour("afm")
    assert (found[0, :2] == mark).all() and (found[0, 2] != mark).any()
    tinted = marked_in(found, np.array([[False, False, True]]))
    assert (tinted[0, :2] == found[0, :2]).all()
    assert np.abs(tinted[0, 2] - (found[0, 2].astype(int) + MASK_COLOUR) / 2).max() <= 0.5


def test_one_height_alone_is_in_the_middle() -> None:
    assert (colours([[4.0]], Range(4.0, 4.0), "gray") == 128).all()


# --- proportions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "aspect", "expected"),
    [
        ((8, 64), 1.0, (64, 64)),  # pixels 8 times as high as wide
        ((64, 8), 1.0, (64, 64)),
        ((64, 64), 2.0, (64, 128)),
        ((64, 128), 2.0, (64, 128)),
        ((1, 1), 8.0, (1, 8)),
        ((5, 7), 0.01, (700, 7)),
    ],
)
def test_pixels_become_square_and_none_is_lost(
    shape: tuple[int, int], aspect: float, expected: tuple[int, int]
) -> None:
    field = np.arange(float(np.prod(shape))).reshape(shape)
    found = in_proportion(field, aspect)
    assert found.shape == expected
    assert set(found.ravel()) == set(field.ravel())
    assert found[0, 0] == field[0, 0] and found[-1, -1] == field[-1, -1]


def test_small_fields_grow_by_whole_pixels_and_large_ones_shrink() -> None:
    assert in_proportion(np.zeros((10, 20)), 2.0, smallest=256).shape == (130, 260)
    assert in_proportion(np.zeros((100, 100)), 1.0, 256, 256).shape == (200, 200)
    assert in_proportion(np.zeros((64, 64)), 1 / 8, 256, 256).shape == (256, 32)
    assert in_proportion(np.zeros((300, 100, 3)), 1 / 3, largest=150).shape == (150, 50, 3)
    assert thinned(np.zeros((3000, 10)), 1000).shape == (1000, 4)


# --- numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "text", "share"),
    [(2000.0, "500 nm", 0.25), (90_000.0, "20 µm", 2 / 9), (1.0, "200 pm", 0.2)],
)
def test_a_scale_bar_is_round_and_as_long_as_it_says(width: float, text: str, share: float) -> None:
    bar = scale_bar(width, "nm")
    assert (bar.text, bar.share) == (text, pytest.approx(share))
    assert bar.length == pytest.approx(share * width)


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (-0.7, 9.0, "nm", "0 2 4 6 8 nm"),
        (0.0, 2150.0, "nm", "0 0.5 1.0 1.5 2.0 µm"),
        (0.0, 0.036, "nm", "0 10 20 30 pm"),
        (-5.0, -4.99, "nm", "−5.000 −4.998 −4.996 −4.994 −4.992 −4.990 nm"),
        (1000.01, 1000.05, "nm", "1000.01 1000.02 1000.03 1000.04 1000.05 nm"),
        (0.0, 1e-3, "V", "0 0.2 0.4 0.6 0.8 1.0 mV"),
        (0.0, 1e-6, "", "0 0.2 0.4 0.6 0.8 1.0 × 10⁻⁶"),
        (4.0, 4.0, "nm", "4 nm"),
    ],
)
def test_ticks_are_short_and_tell_their_unit_once(
    low: float, high: float, unit: str, expected: str
) -> None:
    assert " ".join(text for _, text in ticks(low, high, unit)) == expected


@pytest.mark.parametrize("seed", range(40))
def test_ticks_stand_at_the_values_that_they_name(seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.normal() * 10.0 ** random.uniform(-3, 5)
    high = low + 10.0 ** random.uniform(-3, 5)
    found = ticks(low, high, "nm")
    assert 2 <= len(found) <= 6 and 2 <= len(ticks(low, high, "nm", 2)) <= 5
    *_, unit = found[-1][1].split()
    for value, text in found:
        assert low - 1e-6 * (high - low) <= value <= high + 1e-6 * (high - low)
        factor = {"mm": 1e6, "µm": 1e3, "nm": 1.0, "pm": 1e-3, "fm": 1e-6}[unit]
        number = text.removesuffix(unit).replace("−", "-").replace("\N{THIN SPACE}", "")
        assert float(number) * factor == pytest.approx(value, abs=1e-6 * (high - low))
        assert "e" not in text and len(text) <= 14
