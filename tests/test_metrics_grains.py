"""Grains and pores: counted as planted, the same at every pixel size, parted as Gwyddion does."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.metrics import evaluate
from afmsr_core.metrics.grains import Rule, find_grains, poisson_interval, segment, smoothed
from afmsr_core.metrics.numbers import REPORTED, numbers_of, quality_of
from afmsr_core.simulation import specimens
from afmsr_core.surfaces import fit_plane

Field = NDArray[np.float64]
GWYDDION = Path(__file__).parent / "golden" / "gwyddion_grains.py"
SCANS = (
    "AFM__AFMImageOfAluminiumInterface.rda__height",
    "nsfopen-2.2.4__MoS2.nid__height_for",
    "DTMicroscope__PTO_Funakubo0001.h5__height_bac",
)


def rough(seed: int, side: int = 160, sigma: float = 4.0) -> Field:
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(seed)
    z = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), sigma)
    return z / np.ptp(z) + 0.005 * rng.normal(size=z.shape)


def particles(side: int, period: int, sigma: float, height: float = 10.0) -> tuple[Field, int]:
    """Return Gaussian particles on a jittered lattice, none near the border, and their number."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:side, 0:side].astype(float)
    z, places = np.zeros((side, side)), np.arange(period / 2, side, period)
    for row in places:
        for column in places:
            cy, cx = row + rng.uniform(-3, 3), column + rng.uniform(-3, 3)
            z += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma**2))
    return z, len(places) ** 2


# --- counts and sizes --------------------------------------------------------------------


def test_planted_particles_are_counted_and_measured() -> None:
    z, planted = particles(384, 48, 6.0)
    z += np.random.default_rng(2).normal(0, 0.1, z.shape)
    grains = find_grains(z, (2.0, 2.0), Rule.of(z, (2.0, 2.0), 8.0))
    told = grains.as_dict()
    assert grains.count == planted == 64
    assert told["per_um2"] == pytest.approx(64 / (0.384 * 2) ** 2)
    # Of a Gaussian, half the height is 2.355 sigma wide; the filter adds (1.5 px)^2.
    assert told["width"] == pytest.approx(2.3548 * np.hypot(6.0, 1.5) * 2.0, rel=0.05)
    assert told["height"] == pytest.approx(10.0 / (1 + (1.5 / 6) ** 2), rel=0.05)
    assert told["width_low"] < told["width"] < told["width_high"]
    assert told["whole"] == 6 * 6  # those at the border are counted, not measured
    pores = find_grains(-z, (2.0, 2.0), Rule.of(-z, (2.0, 2.0), 8.0), "dales").as_dict()
    assert pores == told


@pytest.mark.parametrize("step", [2, 4])
def test_coarser_pixels_give_the_same_numbers(step: int) -> None:
    z, planted = particles(384, 32, 5.0)
    rule = Rule.of(z, (1.0, 1.0), 4.0)
    fine = find_grains(z, (1.0, 1.0), rule).as_dict()
    coarse = find_grains(z[::step, ::step], (step, step), rule).as_dict()
    assert fine["count"] == coarse["count"] == planted
    assert coarse["width"] == pytest.approx(fine["width"], rel=0.08)
    assert coarse["height"] == pytest.approx(fine["height"], rel=0.08)


@pytest.mark.parametrize("seed", [0, 7, 9])
def test_grains_of_the_virtual_film_are_found(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grain that lies below the rim of its neighbour is no hill, so up to a quarter is lost."""
    pytest.importorskip("scipy")
    planted, genuine = [], specimens._nearest_seeds

    def recorded(*given: object) -> tuple[Field, NDArray[np.intp], int]:
        distances, indices, n = genuine(*given)  # type: ignore[arg-type]
        planted.append(len(np.unique(indices[..., 0])))
        return distances, indices, n

    monkeypatch.setattr(specimens, "_nearest_seeds", recorded)
    film = specimens.specimen("grains").make(384, 384, np.random.default_rng(seed))
    fine, coarse = (film, (1.0, 1.0)), (film[2::4, 2::4], (4.0, 4.0))
    rule = Rule.of(*fine, 4.0)
    of_fine, of_coarse = (find_grains(z, pixel, rule).count for z, pixel in (fine, coarse))
    assert 0.75 * planted[0] <= of_fine <= planted[0]
    assert of_coarse == pytest.approx(of_fine, rel=0.1)


def test_the_uncertainty_is_that_of_another_place() -> None:
    assert poisson_interval(0)[0] == 0.0
    # The exact limits at 17, by the chi-squared distribution, are 9.90 and 27.22.
    assert poisson_interval(17) == pytest.approx((9.90, 27.22), abs=0.03)
    rule = Rule(0.05, 8.0)
    whole = [numbers_of(rough(seed, 200), (1.0, 1.0), rule) for seed in range(8)]
    hills, spread = [one["hills"] for one in whole], [one["Sq"] for one in whole]
    count = np.mean([one["count"] for one in hills])
    assert sum(one["count_low"] < count < one["count_high"] for one in hills) >= 7
    held = [low < np.mean(spread) < high for low, high in (one["intervals"]["Sq"] for one in whole)]
    assert sum(held) >= 5


# --- the rule ----------------------------------------------------------------------------


@pytest.mark.parametrize("least", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("steps", [None, 50.5], ids=["floats", "few heights"])
def test_hills_are_those_that_reconstruction_leaves(least: float, steps: float | None) -> None:
    """Hills that rise by less than h vanish in the reconstruction of z - h under z."""
    pytest.importorskip("skimage")
    from skimage.measure import label
    from skimage.morphology import local_maxima, reconstruction

    z = rough(3)
    z = z if steps is None else np.round(z * steps) / steps
    left = np.round(reconstruction(z - least, z), 9)
    wanted = label(local_maxima(left, connectivity=2), connectivity=2).max()
    assert segment(z, least).max() == wanted > 10


def test_every_pixel_of_a_hill_leads_up_to_its_peak() -> None:
    z = rough(4)
    labels = segment(z, 0.0)
    tops = np.full(labels.max() + 1, -np.inf)
    np.maximum.at(tops, labels.ravel(), z.ravel())
    around = np.pad(z, 1, constant_values=-np.inf)
    beside = [np.roll(around, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    highest = np.max(beside, axis=0)[1:-1, 1:-1]
    assert (z == highest).sum() == labels.max() and set(tops[1:]) == set(z[z == highest])


def test_what_is_unknown_belongs_to_no_grain() -> None:
    z = rough(5)
    z[40:60, 30:90] = np.nan
    grains = find_grains(z, (1.0, 1.0), Rule(0.05, 8.0))
    assert ((grains.labels == 0) == np.isnan(z)).all()
    assert grains.looked_at == np.isfinite(z).sum() == pytest.approx(grains.area.sum())
    beside = grains.labels[39, 30:90]
    assert grains.cut[beside - 1].all()
    assert np.isnan(smoothed(z, (1.0, 1.0), 8.0)[50, 50])


@pytest.mark.parametrize("missing", [1, 5, 20, 100])
def test_single_missing_pixels_decide_nothing(shared: Path, missing: int) -> None:
    """Grains at a gap are left out, and those at single pixels would mostly be the large ones."""
    afm = shared / "data" / "afm"
    entries = {one["id"]: one for one in json.loads((afm / "dev_index.json").read_text())}
    with np.load(afm / "dev.npz") as bundle:
        for name in (SCANS[0], "SurfaceTopography__example_ps.tiff__height"):
            z = entries[name]["z_scale_nm"] * bundle[name][2::4, 2::4].astype(np.float64)
            z = fit_plane(z).subtracted_from(z)
            holed = z.copy()
            chosen = np.random.default_rng(missing).choice(z.size, missing, replace=False)
            holed.ravel()[chosen] = np.nan
            of_scan = (z, holed, (4.0, 4.0))
            of_result = (*(np.kron(one, np.ones((4, 4))) for one in (z, holed)), (1.0, 1.0))
            for whole, gaps, pixel in (of_scan, of_result):
                rule = Rule.of(z, (4.0, 4.0), 4.0)
                for kind in ("hills", "dales"):
                    wanted, got = (find_grains(one, pixel, rule, kind) for one in (whole, gaps))
                    assert got.count == pytest.approx(wanted.count, rel=0.02)
                    assert got.looked_at == wanted.looked_at
                    assert got.mean_sizes() == pytest.approx(wanted.mean_sizes(), rel=0.03)


def test_wide_gaps_and_missing_lines_at_the_border_are_borders() -> None:
    z = rough(11)
    z[40:43, 20:140] = np.nan  # as high as the cut-off: it is bridged
    z[80:84, 20:140] = np.nan
    z[-2:] = z[:, :1] = np.nan
    z[120, 60] = np.nan
    for cutoff in (3.0, 3.7):  # blocks of four pixels have no middle
        unknown = np.isnan(smoothed(z, (1.0, 1.0), cutoff))
        wanted = np.zeros(z.shape, bool)
        wanted[80:84, 20:140] = wanted[-2:] = wanted[:, :1] = True
        assert (unknown == wanted).all()
    lines = smoothed(z, (1.0, 0.25), 3.0)  # the gap of four lines is still wider than that
    assert np.isnan(lines[80:84, 20:140]).all() and not np.isnan(lines[40:43]).any(axis=0)[1:].any()


def test_flat_and_empty_fields() -> None:
    told = find_grains(np.zeros((30, 40)), (1.0, 1.0), Rule.of(np.zeros((30, 40)), (1, 1), 4))
    assert told.count == 1 and told.as_dict()["width"] is None
    with pytest.raises(FieldError, match="without a finite pixel"):
        find_grains(np.full((5, 5), np.nan), (1.0, 1.0), Rule(1.0, 0.0))
    with pytest.raises(UsageError, match="hills or dales"):
        find_grains(np.zeros((5, 5)), (1.0, 1.0), Rule(1.0, 0.0), "valleys")  # type: ignore[arg-type]


# --- in numbers and metrics --------------------------------------------------------------


def test_the_metric_is_the_ratio_of_counts() -> None:
    z, planted = particles(192, 32, 5.0)
    half = z.copy()
    half[:96] = 0.0
    z, half = (one + np.random.default_rng(6).normal(0, 0.05, one.shape) for one in (z, half))
    found = evaluate(half, z, 1.0, "nm", {"scale": 4}, only=["hills"])["hills"]
    assert found.details["truth"] == planted == 36
    assert found.value == found.details["result"] / 36
    # The plane of the difference is taken off first; what is left where nothing is, is one slope.
    assert 18 <= found.details["result"] <= 20


def test_numbers_hold_everything_with_its_uncertainty() -> None:
    z = 20 * rough(7)
    told = numbers_of(z, (2.0, 2.0), Rule.of(z, (2.0, 2.0), 8.0))
    for name in REPORTED:
        low, high = told["intervals"][name]
        assert low < told[name] < high
    assert json.loads(json.dumps(told))["hills"]["count"] > 5
    without = numbers_of(z, (2.0, 2.0), Rule(1.0, 8.0), lengths=False)
    assert without["Sdr"] is without["intervals"]["Sdr"] is without["hills"]["per_um2"] is None


def test_quality_knows_noise_scars_and_what_cannot_be_told() -> None:
    z = 20 * rough(8, 128)
    told = quality_of(z)
    worse = z + np.random.default_rng(9).normal(0, 3.0, z.shape)
    noisy = quality_of(worse)
    assert noisy["noise_floor"] == pytest.approx(3.0, rel=0.15) and told["noise_floor"] < 0.3
    assert noisy["resolved_frequency"] < told["resolved_frequency"] <= 0.25
    assert told["streak_index"] == 0.0 and not told["reason"]
    worse = z.copy()
    worse[50, 20:100] += 30.0
    expected = 30.0 * 80 / z.size / worse.std()
    assert quality_of(worse)["streak_index"] == pytest.approx(expected, rel=0.2)
    small = quality_of(z[:20, :20])
    assert small["noise_floor"] is None and "too few" in small["reason"]


# --- Gwyddion ----------------------------------------------------------------------------


def test_basins_of_gwyddion_lie_in_ours(shared: Path, tmp_path: Path) -> None:
    """Its watershed prunes nothing, so its basins are parts of ours, but for their rims.

    It goes over 4 neighbours, ours over 8; so some 3 % of the pixels go to another basin.
    """
    try:
        ctypes.CDLL("libgwyddion2.so.0")
    except OSError as error:
        pytest.skip(f"Gwyddion 2 is not installed ({error}); apt-get install gwyddion")
    afm = shared / "data" / "afm"
    entries = {one["id"]: one for one in json.loads((afm / "dev_index.json").read_text())}
    fields = {}
    with np.load(afm / "dev.npz") as bundle:
        for name in SCANS:
            heights = entries[name]["z_scale_nm"] * bundle[name][:256, :256].astype(np.float64)
            fields[name] = smoothed(fit_plane(heights).subtracted_from(heights), (1.0, 1.0), 8.0)
    np.savez(tmp_path / "fields.npz", **fields)  # type: ignore[arg-type]
    command = [sys.executable, str(GWYDDION), "fields.npz", "answers.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "answers.npz") as answers:
        for name, z in fields.items():
            theirs, ours = answers[name], segment(-z, 0.05 * np.ptp(z))
            inside = theirs > 0
            shared_by = np.zeros((ours.max() + 1, theirs.max() + 1))
            np.add.at(shared_by, (ours[inside], theirs[inside]), 1)
            assert ours.max() > 3
            assert shared_by.max(axis=0).sum() >= 0.95 * inside.sum(), name
