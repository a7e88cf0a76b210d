"""Realisations fit the scan, are as rough as a full scan, and repeat by their seed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.averaging import averaged
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.gaps import filled
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE
from afmsr_core.io.results import is_extra, results_in
from afmsr_core.metrics.grains import Rule
from afmsr_core.realisations import FILES, PERIOD, Realiser, Texture, shipped
from afmsr_core.realisations.bands import EDGES, amplitude, band_powers, edges, filters
from afmsr_core.realisations.numbers import full_scan, intervals
from afmsr_core.realisations.realiser import enlarged, shaped
from afmsr_core.realisations.texture import Spread, features
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.simulation.specimens import SPECIMENS
from afmsr_core.trust.consistency import sampled
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.upscale import Settings, Upscaler

SEED = 7
SCALES = (SQUARE, LINES_X4, LINES_X2)


def scan_of(scale=SQUARE, kind="grains", side=512, size=2000.0, noise=0.002):
    """Return a scan of a generated surface, and the surface."""
    maker = next(one for one in SPECIMENS if one.name == kind)
    fine = 20.0 * maker.make(side, side, np.random.default_rng(SEED))
    row = scale.rows // 2 - 1
    how = Acquisition(scale, row, max(1, scale.columns // 2), noise)
    low = coarse_scan(fine, how, np.random.default_rng(SEED)).astype(np.float64)
    return Channel(low, size, size, title="Height"), fine


def realiser_of(low, seed=SEED, **settings):
    asked = Settings(threads=1, **settings)
    return Realiser(low, Upscaler(asked)(low), asked, seed)


@pytest.fixture(scope="module")
def example():
    low = io.read(example_pair()[0])[0]
    return low, realiser_of(low)


@pytest.fixture(scope="module")
def grains():
    return realiser_of(scan_of()[0])


# --- what is learnt ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.option)
def test_ships_for_the_weights_that_ship(scale):
    texture = shipped(scale)
    assert texture is not None
    weights = FILES[scale].with_name(FILES[scale].name.replace("_texture.json", ".onnx"))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert texture.fits("afm", digest, scale)
    assert not texture.fits("afm", "0" * 64, scale)
    assert not texture.fits("bicubic", digest, scale)
    assert len(texture.intercept) == len(edges(scale)) - 1
    assert texture.samples >= 100


def test_a_texture_is_read_as_it_was_written(tmp_path):
    texture = shipped()
    path = tmp_path / "texture.json"
    path.write_text(texture.as_json(), encoding="utf-8")
    assert Texture.read(path) == texture
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="no texture"):
        Texture.read(path)


def test_filters_share_all_power():
    frequency = np.geomspace(0.01, 5.6, 200)
    for scale in (SQUARE, LINES_X4, LINES_X2):
        shares = filters(frequency, scale)
        assert np.allclose(shares.sum(axis=0), 1.0)
        assert shares.min() > -1e-12


def test_noise_has_the_power_it_is_given():
    count = len(filters(np.ones(1), SQUARE))
    for wanted in (2, 4, count - 1):
        powers = np.zeros(count)
        powers[wanted] = 3.0
        noise = shaped(powers, (512, 512), SQUARE, np.random.default_rng(1))
        whole = amplitude(powers, (512, 512), SQUARE)
        expected = float(np.mean(np.square(whole)))  # of white noise of variance 1
        assert np.isclose(np.var(noise), expected, rtol=0.1)
        found = band_powers(noise, SQUARE)
        middle = np.sqrt(np.array(EDGES)[1:] * np.array(EDGES)[:-1])
        loudest = middle[np.argmax(found)]
        assert filters(np.array([loudest]), SQUARE)[wanted, 0] > 0.5


def test_features_do_not_depend_on_unit():
    powers = band_powers(np.random.default_rng(0).normal(size=(256, 256)), SQUARE)
    one = features(powers, Noise(0.01, 0.02, None, "scan"))
    other = features(1e18 * powers, Noise(1e7, 2e7, None, "scan"))
    assert np.allclose(one, other)


def test_interval_of_a_number():
    middle, low, high = Spread(0.1, 0.2, 2.0).interval(np.log([10.0, 10.0, 10.0]))
    assert np.isclose(middle, 10 * np.exp(0.1))
    assert np.isclose(np.log(high / middle), 0.4)
    assert np.isclose(np.log(middle / low), 0.4)


# --- what is drawn ----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.option)
def test_scanned_again_gives_the_scan_within_its_noise(scale):
    low, _ = scan_of(scale, noise=0.01)
    realiser = realiser_of(low)
    noise = noise_of(low.heights, scale.cell).pixel
    for number in (1, 2):
        again = sampled(realiser.surface(number, 2).heights, scale)
        assert np.sqrt(np.mean((again - low.heights) ** 2)) < 1.1 * noise
        drawn = realiser.deviation(number)
        at_measured = np.sqrt(np.mean(sampled(drawn, scale) ** 2))
        assert at_measured < noise
        if scale is SQUARE:
            assert np.std(drawn) > at_measured  # it differs where nothing was measured


def test_rougher_than_the_best_guess_and_near_the_full_scan():
    low, fine = scan_of(kind="film")
    realiser = realiser_of(low)
    surfaces = [realiser.surface(number, 8).heights for number in range(1, 9)]
    true, best, *drawn = (
        band_powers(each, SQUARE)[4:].sum() for each in (fine, realiser.result.heights, *surfaces)
    )
    assert best < 0.4 * true  # else there is nothing to draw
    assert 0.6 * true < np.median(drawn) < 2 * true


def test_the_mean_of_a_period_is_the_result(grains):
    drawn = [grains.deviation(number) for number in range(1, PERIOD + 1)]
    spread = np.std(drawn)
    assert np.abs(np.mean(drawn, axis=0)).max() < 1e-6 * spread
    further = grains.deviation(PERIOD + 1)
    assert abs(np.corrcoef(further.ravel(), drawn[0].ravel())[0, 1]) < 0.05


def test_each_is_its_own(grains):
    one, other = grains.deviation(1).ravel(), grains.deviation(2).ravel()
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_mean_and_tilt_stay(grains):
    before, after = grains.result.heights, grains.surface(1, 1).heights
    assert np.isclose(before.mean(), after.mean(), rtol=0, atol=1e-9 * np.ptp(before))
    across = np.arange(before.shape[1]) - before.shape[1] / 2
    tilt = (after - before).mean(axis=0) @ across / (across @ across)
    assert abs(tilt) * before.shape[1] < 1e-6 * np.ptp(before)


def test_seed_repeats_to_the_bit_and_another_does_not(example):
    low, realiser = example
    again = realiser_of(low)
    assert np.array_equal(realiser.deviation(3), again.deviation(3))
    assert not np.array_equal(realiser.deviation(3), realiser_of(low, seed=8).deviation(3))


def test_tiled_and_whole_are_the_same(example):
    low, realiser = example
    tiled = realiser_of(low, tile=48)
    assert np.array_equal(tiled.surface(2, 2).heights, realiser.surface(2, 2).heights)


def test_a_turned_line_scan_is_the_turned_surface():
    low, _ = scan_of(LINES_X4)
    upright, turned = realiser_of(low), realiser_of(low.turned())
    assert np.array_equal(turned.deviation(1), upright.deviation(1).T)


def test_what_was_not_measured_stays_unknown():
    low, _ = scan_of(side=256)
    heights = low.heights.copy()
    heights[20:30, 20:30] = np.nan
    drawn = realiser_of(low.replace(heights=heights)).deviation(1)
    assert np.isnan(drawn[80:120, 80:120]).all()
    assert np.isfinite(drawn).sum() == drawn.size - 40 * 40


def gaps(kind, side=128):
    """Return what was not measured: a stopped scan, a hole, or single pixels everywhere."""
    missing = np.zeros((side, side), bool)
    if kind == "stopped":
        missing[side // 2 :] = True
    elif kind == "hole":
        missing[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = True
    else:
        missing |= np.random.default_rng(SEED).random((side, side)) < 0.01
    return missing


@pytest.mark.parametrize("kind", ["stopped", "hole", "pixels"])
def test_gaps_add_nothing_to_the_power_of_a_surface(kind):
    """Neither the steps of what fills them, nor the kinks at their borders, nor its lack of any."""
    surface = scan_of(side=512)[1]
    smooth = enlarged(surface[::4, ::4].astype(np.float32), surface.shape)
    missing = np.kron(gaps(kind), np.ones((4, 4), bool))
    whole = band_powers(smooth, SQUARE)
    seen = band_powers(filled(np.where(missing, np.nan, smooth), missing), SQUARE, missing)
    assert np.all((seen / whole > 0.6) & (seen / whole < 2.0))


@pytest.mark.parametrize("kind", ["stopped", "hole", "pixels"])
def test_gaps_change_little_of_what_is_drawn_beside_them(kind):
    low, _ = scan_of(side=512)
    whole = realiser_of(low)
    torn = realiser_of(low.replace(heights=np.where(gaps(kind), np.nan, low.heights)))
    spread, without = (
        np.sqrt(np.mean([np.nanmean(one.deviation(k) ** 2) for k in range(1, 9)]))
        for one in (torn, whole)
    )
    assert 0.7 < spread / without < 1.4


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_any_height_unit(factor):
    low, _ = scan_of(side=256)
    one = realiser_of(low).deviation(1)
    other = realiser_of(low.replace(heights=factor * low.heights)).deviation(1)
    assert np.allclose(other, factor * one, rtol=0, atol=2e-3 * factor * np.std(one))


# --- what they are called ---------------------------------------------------------------------


def test_title_and_history_say_what_it_is(grains):
    surface = grains.surface(3, 8)
    assert surface.title == "Realisation 3 of 8, seed 7, Height (x4 afm)"
    step = surface.history[-1]
    assert (step.name, step.settings) == ("realise", {"realisation": 3, "of": 8, "seed": 7})
    assert step.effect == (
        "realisation 3 of 8, seed 7: one of many surfaces that fit; not for single features"
    )
    assert is_extra(surface)
    assert results_in([grains.result, surface]) == [grains.result]


def test_sharpness_goes_from_the_best_guess_to_a_realisation(grains):
    assert grains.sharpened(0.0) is grains.result
    half = grains.sharpened(0.5)
    assert half.title == "Height (x4 afm@0.5)"
    assert half.history[-1].settings == {"sharpness": 0.5, "seed": 7}
    added, all_of_it = (
        one.heights - grains.result.heights for one in (half, grains.sharpened(1.0))
    )
    assert np.allclose(added, 0.5 * all_of_it, rtol=0, atol=1e-9)
    assert results_in([half]) == [half]
    with pytest.raises(UsageError, match=r"sharpness 1\.5"):
        grains.sharpened(1.5)


def test_only_the_end_of_a_title_tells_of_sharpness():
    low = scan_of(side=128)[0].replace(title="Height (afm)")
    assert realiser_of(low).sharpened(0.5).title == "Height (afm) (x4 afm@0.5)"


def test_full_sharpness_is_as_rough_as_realisations_in_the_middle(grains):
    surfaces = [grains.surface(number, 9).heights for number in range(1, 10)]
    *drawn, sharp = (
        band_powers(one, SQUARE)[4:].sum() for one in (*surfaces, grains.sharpened(1.0).heights)
    )
    assert np.quantile(drawn, 0.2) < sharp < np.quantile(drawn, 0.8)


# --- what cannot be drawn ---------------------------------------------------------------------


def test_refuses_what_nothing_was_learnt_for():
    low, _ = scan_of(side=256)
    with pytest.raises(UsageError, match=r"learnt for afm.*made by bicubic"):
        realiser_of(low, method="bicubic")
    with pytest.raises(UsageError, match="--protocol nm"):
        realiser_of(low, protocol="paper")
    with pytest.raises(UsageError, match="learnt on heights"):
        realiser_of(low.replace(unit="V", title="Amplitude"))
    with pytest.raises(UsageError, match="square pixels"):
        realiser_of(low.replace(yreal=10 * low.yreal), scale="4")
    best = realiser_of(low)
    for changed, what in (
        (best.sharpened(0.5), "sharpened"),
        (best.surface(1, 2), "a realisation itself"),
        (averaged(best.result, (low.yres, low.xres)), "averaged"),
    ):
        with pytest.raises(UsageError, match=f"this result is {what}; take"):
            Realiser(low, changed, Settings())
    with pytest.raises(UsageError, match="seed -1"):
        realiser_of(low, seed=-1)
    with pytest.raises(FieldError, match="flat"):
        realiser_of(low.replace(heights=np.full((64, 64), 5.0)))
    with pytest.raises(FieldError, match=r"flat.*; leave out --realisations and --sharpness"):
        realiser_of(low.replace(heights=3.3 * np.mgrid[:64, :64].sum(axis=0)))  # but for rounding


def test_refuses_the_result_of_another_scan():
    low, _ = scan_of(side=256)
    other = np.random.default_rng(0).normal(size=low.heights.shape)
    best = realiser_of(low).result
    half = low.replace(heights=low.heights[:, :32], xreal=low.xreal / 2)
    for scan, why in (
        (half, r"it has 256 x 256 px"),
        (half.turned(), r"it has 256 x 256 px"),
        (low.replace(xreal=1.01 * low.xreal, yreal=1.01 * low.yreal), "its area is another"),
        (low.replace(heights=low.heights[::-1]), "its heights at the measured pixels differ"),
        (low.replace(heights=other), "its heights at the measured pixels differ"),
    ):
        with pytest.raises(FieldError, match=rf"no result of this scan .*{why}; give the scan"):
            Realiser(scan, best, Settings())
    noise = low.replace(heights=other)  # but its own is, however much was smoothed
    assert np.isfinite(realiser_of(noise).surface(1, 2).heights).all()


# --- numbers ----------------------------------------------------------------------------------


def test_an_interval_that_tells_nothing_is_left_out():
    texture = shipped()
    wild = [{"Sq": np.log(5.0), "hills.count": count} for count in np.log([1.0, 9.0, 90.0, 9e3])]
    found = intervals(texture, wild)
    assert found["Sq"]["low"] < 5.0 < found["Sq"]["high"]
    assert "hills.count" not in found


def test_numbers_of_the_full_scan(grains):
    low = scan_of()[0]
    rule = Rule.of(low.heights, (low.dy, low.dx), low.dx)
    found = full_scan(grains, "plane", rule)
    assert (found["draws"], found["seed"]) == (8, SEED)
    numbers = found["numbers"]
    for name in ("Sa", "Sq", "S10z", "Sdq", "Sdr", "Sal", "hills.count", "dales.width"):
        one = numbers[name]
        assert 0 < one["low"] < one["median"] < one["high"], name
    from afmsr_core.metrics.roughness import surface_parameters

    result = grains.result
    best = surface_parameters(result.heights, (result.dy, result.dx))["Sdq"]
    assert numbers["Sdq"]["median"] > best  # the best guess is too smooth
