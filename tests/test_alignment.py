"""Alignment: what is measured is where it is said to be, and what cannot be is rejected."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, AlignmentSettings, Ground, align
from afmsr_core.alignment.features import KeyPoints, by_features
from afmsr_core.alignment.maps import apply, largest_rectangle
from afmsr_core.errors import FieldError, PairError, UsageError
from afmsr_core.methods import get
from afmsr_core.methods.interpolation import interpolate
from afmsr_core.surfaces import fit_plane

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

Field = NDArray[np.float64]

WARPS: dict[str, dict[str, Any]] = {
    "sub-pixel shift": {"shift": (3.3, -2.6)},
    "drift": {"shift": (1.2, 5.7), "shear": 0.02},
    "rotation": {"shift": (2.2, 1.1), "rotation": 3.0},
    "rotation and scale": {"rotation": -3.0, "scale": 1.05},
    "scale": {"shift": (-4.4, 3.3), "scale": 0.95},
}
# Real scans with relief in both directions, of five samples and three instruments.
SCANS = (
    "SciFiDatasets__PiFMReader.zip__height_for",
    "nsfopen-2.2.4__SBS-PMMA.nid__height_for",
    "nsfopen-2.2.4__squares_holes.nid__height_for",
    "matlab-nanonis__Si_7x7_051.sxm__height_for",
    "Magni__example.mi__height_for",
)


def upscaled(low: Field) -> Field:
    return np.asarray(interpolate(low, get("bicubic")), dtype=np.float64)


def fractal(side: int, seed: int, slope: float = 1.4) -> Field:
    """A self-affine surface, three times oversampled as real scans are."""
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    f[0, 0] = np.inf
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side)))
    surface = np.fft.ifft2(spectrum * f**-slope * np.exp(-((np.minimum(f, 1) / 0.17) ** 2))).real
    return np.asarray(surface / surface.std())


def true_map(
    side: int,
    shift: tuple[float, float] = (0, 0),
    rotation: float = 0.0,
    scale: float = 1.0,
    shear: float = 0.0,
) -> Field:
    turn = np.deg2rad(rotation)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = linear @ np.array([[1, shear], [0, 1]])
    centre = np.full(2, (side - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, centre + shift - linear @ centre
    return matrix


def scanned(surface: Field, margin: int, matrix: Field, seed: int = 0) -> tuple[Field, Field]:
    """Scan a surface finely, and coarsely on a map of it; both noisy. Returns result, truth."""
    rng = np.random.default_rng(seed)
    side = (surface.shape[0] - 2 * margin) // 4 * 4
    truth = surface[margin : margin + side, margin : margin + side]
    at = 4 * (np.arange(side // 4) + 0.5) - 0.5
    x, y = apply(np.linalg.inv(matrix), *np.meshgrid(at, at))
    low = ndimage.map_coordinates(surface, [y + margin, x + margin], order=3, mode="nearest")
    height = np.ptp(low)
    low = low + rng.normal(0, 0.01 * height, low.shape)  # 1 % white noise, 0.5 % line offsets
    low = low + rng.normal(0, 0.005 * height, (len(low), 1))
    truth = truth + rng.normal(0, 0.004 * height, truth.shape)
    truth = truth + rng.normal(0, 0.005 * height, (side, 1))
    return upscaled(low), truth


def errors(found: Field, true: Field, side: int) -> Field:
    y, x = np.mgrid[0:side:8, 0:side:8].astype(float)
    there, wanted = apply(found, x, y), apply(true, x, y)
    seen = np.all([(part >= 0) & (part < side) for part in wanted], axis=0)
    return np.hypot(there[0] - wanted[0], there[1] - wanted[1])[seen]


@cache
def bundle(folder: Path) -> dict[str, Field]:
    index = {m["id"]: m for m in json.loads((folder / "dev_index.json").read_text())}
    with np.load(folder / "dev.npz") as fields:
        return {
            name: index[name]["z_offset_nm"]
            + index[name]["z_scale_nm"] * fields[name].astype(float)
            for name in fields.files
        }


def levelled(heights: Field) -> Field:
    return fit_plane(heights).subtracted_from(heights)


def pairs_of(shared: Path, kind: str) -> list[dict[str, Any]]:
    pairs = json.loads((shared / "data" / "afm" / "pairs_dev.json").read_text())
    return [pair for pair in pairs if pair["kind"] == kind]


# --- on the virtual truth ------------------------------------------------------------------


@pytest.mark.parametrize("name", WARPS)
def test_a_generated_surface_is_found_within_a_third_of_a_pixel(name: str) -> None:
    surface = fractal(320, seed=1)
    true = true_map(256, **WARPS[name])
    found = align(*scanned(surface, 32, true), pixel_nm=10.0)
    off = errors(found.matrix, true, 256)
    assert found.accepted and found.kind == "homography"
    assert np.median(off) < 0.3 and np.percentile(off, 95) < 0.5
    assert found.residual_px is not None and found.residual_nm == pytest.approx(
        10 * found.residual_px
    )
    assert found.residual_px < 0.5
    assert found.scale == pytest.approx(WARPS[name].get("scale", 1.0), abs=0.005)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_turn_is_told_as_one_whatever_the_shape_of_the_pixels(rows: int) -> None:
    result, truth = scanned(fractal(576, seed=1), 32, true_map(512, rotation=3.0))
    found = align(result, truth[rows // 2 :: rows], pixel_nm=(2.0, 2.0 * rows))
    assert found.accepted, found.verdict
    assert found.rotation_deg == pytest.approx(3.0, abs=0.05)
    assert found.scale == pytest.approx(1.0, abs=0.005) and found.shape.stretch < 1.01


@pytest.mark.parametrize("name", SCANS)
def test_a_real_scan_is_found_within_a_third_of_a_pixel(shared: Path, name: str) -> None:
    surface = levelled(bundle(shared / "data" / "afm")[name])
    for number, warp in enumerate(WARPS.values()):
        true = true_map(208, **warp)
        found = align(*scanned(surface, 24, true, seed=number))
        assert found.accepted, found.verdict
        assert np.median(errors(found.matrix, true, 208)) < 0.3


@pytest.mark.parametrize("kind", ["affine", "translation"])
def test_the_fallbacks_are_as_precise_where_they_apply(kind: str) -> None:
    warp = WARPS["rotation and scale" if kind == "affine" else "sub-pixel shift"]
    true = true_map(256, **warp)
    settings = AlignmentSettings(kinds=(kind,))
    found = align(*scanned(fractal(320, seed=2), 32, true), settings=settings)
    assert found.accepted and found.kind == kind and found.refined
    assert np.median(errors(found.matrix, true, 256)) < 0.3


def test_a_smooth_surface_without_features_falls_back_to_affine() -> None:
    true = true_map(256, **WARPS["drift"])
    found = align(*scanned(fractal(320, seed=3, slope=2.2), 32, true))
    assert found.accepted and found.kind == "affine"
    assert found.fallbacks and found.fallbacks[0].startswith("homography: ")
    assert np.median(errors(found.matrix, true, 256)) < 0.3


def test_the_papers_plain_path_is_there_and_says_so() -> None:
    true = true_map(256, **WARPS["sub-pixel shift"])
    result, truth = scanned(fractal(320, seed=1), 32, true)
    plain = align(result, truth, settings=AlignmentSettings.paper())
    refined = align(result, truth)
    assert plain.kind == "homography" and not plain.refined and refined.refined
    assert plain.inliers > 8 and plain.matches >= plain.inliers
    assert plain.reprojection_px is not None and plain.reprojection_px < 3
    assert np.median(errors(refined.matrix, true, 256)) < np.median(errors(plain.matrix, true, 256))


def test_ransac_finds_it_too() -> None:
    true = true_map(256, **WARPS["drift"])
    settings = AlignmentSettings(estimator="ransac")
    found = align(*scanned(fractal(320, seed=1), 32, true), settings=settings)
    assert found.kind == "homography" and np.median(errors(found.matrix, true, 256)) < 0.3


def test_gain_and_background_do_not_move_the_map() -> None:
    true = true_map(256, **WARPS["rotation"])
    result, truth = scanned(fractal(320, seed=1), 32, true)
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    bent = 1.1 * result + 40 * x - 25 * y + 3 * x * x + 1e4
    for field in (result, bent):
        assert np.median(errors(align(field, truth).matrix, true, 256)) < 0.3


def test_of_a_periodic_structure_the_smallest_shift_is_taken(shared: Path) -> None:
    surface = levelled(
        bundle(shared / "data" / "afm")["nsfopen-2.2.4__circles_holes.nid__height_for"]
    )
    true = true_map(208, **WARPS["sub-pixel shift"])
    found = align(*scanned(surface, 24, true))
    assert np.median(errors(found.matrix, true, 208)) < 0.3


# --- on real pairs -------------------------------------------------------------------------


def test_retraces_are_aligned_with_their_traces(shared: Path) -> None:
    fields, residuals = bundle(shared / "data" / "afm"), []
    for pair in pairs_of(shared, "trace_retrace"):
        trace, retrace = fields[pair["forward"]], fields[pair["backward"]]
        if max(trace.shape) > 256:
            continue  # the same instruments again, only slower
        assert not pair["backward_mirrored"]
        found = align(upscaled(retrace[1::4, 1::4]), trace)
        if "grid" in pair["forward"]:  # grooves in one direction: nothing tells where along them
            assert not found.accepted and found.residual_px is None
            continue
        assert found.accepted, f"{pair['forward']}: {found.verdict}"
        # Every fourth pixel from the second lies half a pixel from the middle of its cell.
        expected = -pair["shift_x_px"] + 0.5, pair["shift_y_px"] + 0.5
        assert np.hypot(found.shift_px[0] - expected[0], found.shift_px[1] - expected[1]) < 1.5
        assert found.residual_px is not None
        residuals.append(found.residual_px)
    assert len(residuals) == 12 and np.median(residuals) < 0.5 and max(residuals) < 1


# --- determinism ---------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [AlignmentSettings(), AlignmentSettings.paper()])
def test_the_same_input_gives_the_same_map(settings: AlignmentSettings) -> None:
    import cv2

    result, truth = scanned(fractal(320, seed=4), 32, true_map(256, **WARPS["rotation"]))
    first = align(result, truth, settings=settings)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1 if threads > 1 else 2)
        again = align(result, truth, settings=settings)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(first.matrix, again.matrix)
    assert first.as_dict() == again.as_dict()


# --- rejection -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_different_areas_are_rejected(seed: int) -> None:
    result, _ = scanned(fractal(224, seed=10 + seed, slope=1 + seed / 8), 16, np.eye(3))
    _, truth = scanned(fractal(224, seed=30 + seed, slope=1 + seed / 8), 16, np.eye(3))
    found = align(result, truth)
    assert not found.accepted and found.verdict.startswith("rejected: ")
    assert any(len(attempt.reasons) for attempt in found.attempts)


def test_different_samples_are_rejected(shared: Path) -> None:
    fields = bundle(shared / "data" / "afm")
    for one, two in zip(SCANS, SCANS[1:] + SCANS[:1], strict=True):
        assert not align(upscaled(fields[one][1::4, 1::4]), fields[two]).accepted


def test_white_noise_and_grooves_are_rejected() -> None:
    rng = np.random.default_rng(0)
    assert not align(rng.normal(size=(128, 128)), rng.normal(size=(128, 128))).accepted
    grooves = np.tile(np.sin(np.arange(128) / 5), (128, 1))
    found = align(grooves, grooves)
    assert not found.accepted and "both directions" in found.verdict


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (np.full((64, 64), 3.0), "all heights are the same"),
        (np.full((64, 64), np.nan), "only 0% of the pixels were measured"),
        (np.arange(31.0 * 64).reshape(31, 64), "too few"),
        (np.where(np.arange(64) < 40, np.nan, 1.0) * np.ones((64, 1)), "were measured"),
    ],
)
def test_what_cannot_be_aligned_at_all_is_named(field: Field, words: str) -> None:
    good = fractal(64, seed=0)
    for name, one, two in (("result", field, good), ("truth", good, field)):
        with pytest.raises(PairError, match=rf"{name}: .*{words}"):
            align(one, two)


def test_a_stack_is_no_field() -> None:
    with pytest.raises(FieldError, match=r"truth: .*\(3, 64, 64\)"):
        align(fractal(64, seed=0), np.zeros((3, 64, 64)))


def test_every_limit_rejects() -> None:
    surface = fractal(224, seed=1)
    result, truth = scanned(surface, 16, true_map(192, shift=(30, 0), rotation=3, scale=1.05))
    assert align(result, truth).accepted
    for name, limit, word in (
        ("max_scale", 1.02, "scale"),
        ("max_rotation", 1.0, "rotation"),
        ("min_overlap", 0.95, "overlap"),
        ("min_correlation", 1.0, "correlation"),
        ("max_residual", 0.001, "residual"),
        ("crop", 190, "crop"),
    ):
        settings = AlignmentSettings(kinds=("homography",), **{name: limit})
        found = align(result, truth, settings=settings)
        assert not found.accepted and word in found.verdict, name


# --- warp and crop -------------------------------------------------------------------------


def shifted() -> tuple[Field, Field, Alignment]:
    result, truth = scanned(fractal(320, seed=1), 32, true_map(256, shift=(12.4, -7.3)))
    return result, truth, align(result, truth)


def test_the_crop_holds_corresponding_pixels_and_no_gap() -> None:
    result, truth, found = shifted()
    moved = found.crop.of(found.warp(result))
    there = found.crop.of(truth)
    assert moved.shape == there.shape == (found.crop.height, found.crop.width)
    assert np.isfinite(moved).all()
    assert np.corrcoef(moved.ravel(), there.ravel())[0, 1] > 0.98
    assert found.crop.width == pytest.approx(256 - 12.4 - 4, abs=3)
    assert found.crop.height == pytest.approx(256 - 7.3 - 4, abs=3)


def test_a_fixed_crop_lies_in_the_middle() -> None:
    result, truth, whole = shifted()
    found = align(result, truth, settings=AlignmentSettings(crop=185))
    assert (found.crop.height, found.crop.width) == (185, 185)
    for start, outer, size in (
        (found.crop.left, whole.crop.left, whole.crop.width),
        (found.crop.top, whole.crop.top, whole.crop.height),
    ):
        assert abs((start - outer) - (size - 185) / 2) < 1


def test_pixels_that_were_not_measured_stay_out_of_the_crop() -> None:
    result, truth, whole = shifted()
    result, truth = result.copy(), truth.copy()
    truth[:20], result[:, -30:] = np.nan, np.inf
    found = align(result, truth)
    assert found.accepted and found.crop.top >= 20
    assert np.isfinite(found.crop.of(truth)).all()
    assert np.isfinite(found.crop.of(found.warp(np.where(np.isinf(result), np.nan, result)))).all()
    assert np.median(errors(found.matrix, whole.matrix, 256)) < 0.3


def test_warping_by_whole_pixels_changes_no_height() -> None:
    from afmsr_core.alignment import warp

    field = np.random.default_rng(0).normal(1e5, 1e-3, (40, 50))
    moved = warp(field, true_map(1, shift=(3, -2)), (40, 50))
    assert np.allclose(moved[2:, :47], field[:38, 3:], rtol=0, atol=1e-9)
    assert np.isnan(moved[:2]).all() and np.isnan(moved[:, 47:]).all()


def test_one_map_serves_every_method_but_no_other_grid() -> None:
    result, _, found = shifted()
    assert np.allclose(found.warp(2 * result), 2 * found.warp(result), equal_nan=True)
    with pytest.raises(FieldError, match="made for 256 x 256 pixels"):
        found.warp(result[:-1])


def test_the_largest_rectangle_is_the_one_found_by_trying_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        valid = rng.random(rng.integers(1, 8, 2)) < 0.7
        rows, columns = valid.shape
        best = max(
            (bottom - top) * (right - left)
            for top in range(rows + 1)
            for bottom in range(top, rows + 1)
            for left in range(columns + 1)
            for right in range(left, columns + 1)
            if valid[top:bottom, left:right].all()
        )
        top, left, height, width = largest_rectangle(valid)
        assert height * width == best
        assert valid[top : top + height, left : left + width].all()


# --- settings ------------------------------------------------------------------------------


def test_settings_and_results_survive_json() -> None:
    settings = AlignmentSettings(crop=100, kinds=("affine",), ratio=0.8)
    assert AlignmentSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    record = json.loads(json.dumps(shifted()[2].as_dict(), allow_nan=False))
    assert record["verdict"] == "accepted" and record["kind"] == "homography"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ratio": 1.5}, "ratio 1.5"),
        ({"estimator": "lmeds"}, "estimator 'lmeds': choose magsac or ransac"),
        ({"kinds": ["rigid"]}, "kinds .*homography"),
        ({"stretch": [99, 1]}, "stretch"),
        ({"crop": 0}, "crop 0"),
        ({"ration": 0.7}, "no setting is named 'ration'"),
        ({"ratio": "much"}, "alignment: "),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AlignmentSettings.from_dict(wrong)


def test_wrong_pixel_sizes_are_named() -> None:
    field = fractal(64, seed=0)
    with pytest.raises(UsageError, match="pixel_nm -1"):
        align(field, field, pixel_nm=-1)
    with pytest.raises(UsageError, match="result_pixel_nm needs pixel_nm"):
        align(field, field, result_pixel_nm=1)
    with pytest.raises(UsageError, match="guess"):
        align(field, field, guess=np.zeros((3, 3)))


def test_features_match_as_opencv_matches_each_with_each() -> None:
    import cv2

    settings = AlignmentSettings()
    one, other = scanned(fractal(300, 3), 22, true_map(300, shift=(2.0, 1.0)))
    points, others = KeyPoints.of(one, settings), KeyPoints.of(other, settings)
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(others.descriptors, points.descriptors, k=2)
    wanted = sum(best.distance < settings.ratio * next_.distance for best, next_ in pairs)
    assert by_features(points, others, settings).matches == wanted > 100


def test_a_truth_that_serves_several_results_gives_each_its_own_alignment() -> None:
    surface = fractal(240, 5)
    fields = [scanned(surface, 22, true_map(240, shift=(x, 1.0)), seed=1) for x in (0.0, 3.0)]
    ground = Ground(fields[0][1])
    for result, _ in fields:
        for settings in (AlignmentSettings(), AlignmentSettings.paper(background=1)):
            again, alone = (align(result, t, settings=settings) for t in (ground, fields[0][1]))
            assert again.as_dict() == alone.as_dict()
