"""Trust of line scans: every point of a line was measured, so doubt lies between the lines."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

import afmsr
from afmsr_cli.main import main
from afmsr_core.channel import Channel
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.metrics.numbers import numbers_of_both, quality_of
from afmsr_core.trust.assessment import Assessment, assess
from afmsr_core.trust.bias import levelling_bias
from afmsr_core.trust.calibration import FILES, Calibration, Observation, calibrate, observe
from afmsr_core.trust.coarseness import judge
from afmsr_core.trust.consistency import Consistency, projected, sampled
from afmsr_core.trust.detail import coarse_gain
from afmsr_core.trust.evidence import LENGTHS, gather
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.trust.regions import flagged
from afmsr_core.trust.resolution import resolved_alone
from afmsr_core.upscale import Settings, Upscaler

LINES = pytest.mark.parametrize("scale", [LINES_X4, LINES_X2], ids=str)
SIDE = 192


def hills(seed: int = 0, wide: float = 6.0, noise: float = 0.02) -> np.ndarray:
    """Return hills on SIDE x SIDE pixels with a standard deviation of 1."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), wide)
    return field / field.std() + rng.normal(0.0, noise, field.shape)


def line_scan(scale: Scale, seed: int = 0, **more: float) -> Channel:
    """Return every `scale.rows`-th line of them, 1000 nm a side."""
    heights = 5.0 * hills(seed, **more)[scale.rows // 2 :: scale.rows]
    return Channel(heights + 100.0, 1000.0, 1000.0, xoff=50.0, yoff=7.0, title="Height")


def assessed(scan: Channel, calibration: Calibration | None = None) -> Assessment:
    settings = Settings(method="bicubic")
    return assess(scan, Upscaler(settings)(scan), settings, calibration)


# --- agreement with what was measured --------------------------------------------------------


@LINES
def test_a_cubic_between_the_lines_is_scanned_again_exactly(scale: Scale) -> None:
    lines = 12
    middles = (np.arange(lines) + 0.5) * scale.rows - 0.5
    fine = np.arange(lines * scale.rows, dtype=float)
    along = np.random.default_rng(0).normal(size=50)  # anything goes: it is measured

    def cubic(y: np.ndarray) -> np.ndarray:
        return np.add.outer(0.02 * y**3 - 0.3 * y**2 + y, along)

    assert np.abs(sampled(cubic(fine), scale) - cubic(middles)).max() < 1e-9


def test_square_pixels_are_scanned_again_as_before() -> None:
    rng = np.random.default_rng(1)
    fine = rng.normal(size=(24, 32))
    weights = np.array([-1, 9, 9, -1]) / 16
    expected = np.einsum("ikj,k->ij", fine.reshape(6, 4, 32), weights)
    expected = expected.reshape(6, 8, 4)[..., 1:3].mean(axis=-1)
    assert np.allclose(sampled(fine, SQUARE), expected, rtol=0, atol=1e-12)


@LINES
def test_the_residual_of_a_plane_is_zero_and_its_pixels_are_those_of_the_scan(
    scale: Scale,
) -> None:
    scan = line_scan(scale)
    plane = np.add.outer(np.arange(scan.yres) * 3.0, np.arange(scan.xres) * 0.5)
    told = assess(
        scan, Upscaler(Settings(method="bilinear"))(scan.replace(heights=plane)),
        Settings(method="bilinear"),
    ).residual  # fmt: skip
    assert told.heights.shape == scan.heights.shape
    found = assessed(scan)
    assert found.residual.heights.shape == scan.heights.shape
    assert found.confidence.heights.shape == (SIDE, SIDE)
    rms = found.record["consistency"]["residual_rms"]
    assert rms < 0.1 * float(np.nanstd(told.heights)) and rms < 0.2


@LINES
def test_what_the_measurement_misses_is_put_back(scale: Scale) -> None:
    scan = hills(noise=0.0)[scale.rows // 2 :: scale.rows]
    result = cv2.resize(scan, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    wrong = result + 0.5
    noise = Noise(1e-3, 0.0, None, "scan")
    left = [
        np.abs(sampled(one, scale) - scan).mean()
        for one in (wrong, projected(wrong, Consistency(sampled(wrong, scale) - scan, noise)))
    ]
    assert left[0] > 0.4 and left[1] < 0.02


# --- evidence --------------------------------------------------------------------------------


@LINES
def test_the_distance_from_what_was_measured_counts_across_the_lines_only(scale: Scale) -> None:
    scan = line_scan(scale).heights
    method = Upscaler(Settings(method="lanczos4", level="none", scale=scale.option))
    result = method(Channel(scan, 1.0, 1.0)).heights
    found = gather(scan, result, noise_of(scan, scale.cell), scale)
    across, along = found.away
    assert not along.any()
    middles = np.abs((np.arange(scale.rows) + 0.5) / scale.rows - 0.5)
    assert np.allclose(across, np.tile(middles, len(scan))[:, None])
    for name in LENGTHS:
        assert found.local(name).shape == result.shape == (SIDE, SIDE)
        assert np.isfinite(found.local(name)).all()


def test_bicubic_does_not_disagree_with_itself() -> None:
    scan = line_scan(LINES_X4).heights
    method = Upscaler(Settings(method="bicubic", level="none", scale="1x4"))
    noise = Noise(0.0, 0.0, None, "scan")
    found = gather(scan, method(Channel(scan, 1.0, 1.0)).heights, noise, LINES_X4)
    disagreement = np.exp(found.unit + found.disagreement)
    assert disagreement.max() < 1e-3 * scan.std()  # mean and tilt of the scan
    # On relief that is the same along both axes, so are lines and points at the same distance.
    curvature, bend = (np.exp(found.of_scan[name]).mean() for name in ("curvature", "bend"))
    ratio = curvature / bend
    assert 0.8 < ratio < 1.25


# --- noise, coarseness, numbers ----------------------------------------------------------------


@LINES
def test_relief_between_lines_is_no_offset_of_lines(scale: Scale) -> None:
    clean = hills(2, 4.0, noise=0.0)[:: scale.rows]
    offsets = np.random.default_rng(3).normal(0.0, 0.1, (len(clean), 1))
    white = np.random.default_rng(4).normal(0.0, 0.05, clean.shape)
    found = noise_of(clean + offsets + white, scale.cell)
    assert found.white == pytest.approx(0.05, rel=0.25)
    assert found.lines == pytest.approx(0.1, rel=0.3)


def test_what_is_measured_along_the_lines_costs_nothing() -> None:
    """Relief that changes along the lines only is fine however rough; across them it is not."""
    rough = np.random.default_rng(5).normal(size=(1, SIDE))
    slow = np.sin(np.arange(48) / 12.0)[:, None]
    none = Noise(0.0, 0.0, None, "scan")
    along = judge(10 * rough + slow, none, scale=LINES_X4)
    assert along.verdict == "fine" and along.expected_error < 0.02
    assert judge(10 * rough + slow, none).verdict == "too coarse"
    steep = np.random.default_rng(6).normal(size=(48, 1))
    across = judge(steep + 0.1 * rough, none, scale=LINES_X4)
    assert across.verdict == "too coarse" and across.pixels[0] == SIDE and across.pixels[1] > 48


def test_many_points_of_a_line_are_no_reason_to_scan_a_smaller_area() -> None:
    bent = np.broadcast_to(np.sin(np.arange(64) * 1.6)[:, None], (64, 4096))
    found = judge(bent, Noise(0.0, 0.0, None, "scan"), scale=LINES_X4)
    assert found.verdict != "fine" and found.pixels[0] == 4096 and found.pixels[1] < 4096
    cure = f"; {found.pixels[1]} lines of 4096 points on the same area would do"
    assert found.advice.endswith(cure) and not found.out_of_reach
    assert found.turned.advice == found.advice  # its lines run down, and are as many
    square = judge(bent[:, :64], Noise(0.0, 0.0, None, "scan"))
    assert re.search(r"; (\d+) x \1 pixels on the same area would do$", square.advice)
    assert "even 4096 lines may not do" in dataclasses.replace(found, lines=4096.0).advice


def test_levelling_takes_less_from_a_scan_whose_pixels_are_longer() -> None:
    relief = hills(7, 3.0)
    square, lines = levelling_bias(relief, "plane"), levelling_bias(relief[::4], "plane", 4.0)
    assert square is not None and lines == pytest.approx(square, rel=0.05)


def test_the_resolution_is_told_in_distances_of_lines() -> None:
    wave = np.sin(np.arange(384) * 2 * np.pi * 0.03 / 4)
    scan = 20 * wave + np.random.default_rng(8).normal(size=(96, 384))
    square = scan[:, ::4]
    assert resolved_alone(scan, 4) == pytest.approx(resolved_alone(square), abs=0.02)


@LINES
def test_noise_of_the_scan_in_the_detail(scale: Scale) -> None:
    rng = np.random.default_rng(9)
    from afmsr_core.trust.detail import detail_of

    noise = rng.normal(size=(64, 64 * scale.cell))
    fine = cv2.resize(noise, (64 * scale.rows,) * 2, interpolation=cv2.INTER_CUBIC)
    found = float(np.nanstd(detail_of(fine, scale.rows)))
    assert coarse_gain(scale.rows, scale.cell) == pytest.approx(found, rel=0.05)


def test_the_numbers_of_a_line_scan_are_those_of_its_area() -> None:
    fine = Channel(5 * hills(), 1000.0, 1000.0)
    scan = line_scan(LINES_X4)
    found = numbers_of_both(scan, fine, "plane")
    assert found["scan"]["Sq"] == pytest.approx(found["result"]["Sq"], rel=0.03)
    counts = [found[of]["hills"]["count"] for of in ("scan", "result")]
    assert counts[0] == pytest.approx(counts[1], rel=0.2)
    told = found["quality"]["noise_floor"]
    assert 0.05 < told < 0.8 * quality_of(scan.heights)["noise_floor"]


# --- the whole assessment ----------------------------------------------------------------------


def calibration(scale: Scale) -> Calibration:
    """Return one of bicubic, learnt on hills with known truth."""
    method = Upscaler(Settings(method="bicubic", level="none", scale=scale.option))
    found: list[Observation] = []
    for seed in range(10, 16):
        truth = 5 * hills(seed, 2.0 + seed % 3)
        scan = truth[scale.rows // 2 :: scale.rows]  # half a pixel below the middle of each
        result = method(Channel(scan, 1.0, 1.0)).heights
        evidence = gather(scan, result, noise_of(scan, scale.cell), scale)
        off = ndimage.shift(result, (0.5, 0.0), mode="nearest") - truth
        found.append(observe(evidence, off, str(seed), np.random.default_rng(seed)))
    return calibrate(found, "bicubic", [], "hills", scale)


@LINES
def test_an_interval_is_of_its_own_scale(scale: Scale, tmp_path: Path) -> None:
    made = calibration(scale)
    assert made.column_distance == pytest.approx(0.0, abs=1e-9)
    # Of every second line, all pixels of the result lie a quarter of a gap off.
    assert made.row_distance > 0.5 if scale == LINES_X4 else abs(made.row_distance) < 1e-9
    path = tmp_path / "lines.json"
    path.write_text(made.as_json(), encoding="utf-8")
    assert Calibration.read(path) == made and made.scale == scale.option
    assert made.fits("bicubic", "", scale) and not made.fits("bicubic", "")
    scan = line_scan(scale)
    right = assessed(scan, made)
    assert right.calibrated and right.record["scale"] == scale.recorded
    wrong = assessed(scan, dataclasses.replace(made, scale="4"))
    assert not wrong.calibrated
    assert f"not calibrated for bicubic (lines x{scale.rows})" in wrong.record["warning"]
    square = Channel(hills()[:96, :96], 500.0, 500.0)
    assert not assessed(square, made).calibrated


def test_an_interval_of_pixels_that_are_not_square_only_ranks_them() -> None:
    """It was learnt on square ones; a forced scale, or a strip, makes others."""
    settings = Settings(scale="4")
    scan = line_scan(LINES_X4)
    found = assess(scan, Upscaler(settings)(scan), settings)
    assert not found.calibrated and "results of square pixels" in found.record["warning"]
    square = Channel(hills()[:96, :96], 500.0, 500.0)
    assert assess(square, Upscaler(settings)(square), settings).calibrated


@LINES
def test_a_scan_whose_lines_run_down_is_judged_as_one_whose_lines_run_across(
    scale: Scale,
) -> None:
    made, scan = calibration(scale), line_scan(scale)
    across, down = assessed(scan, made), assessed(scan.turned(), made)
    for name in ("confidence", "residual", "residual_sigma"):
        one, other = getattr(across, name), getattr(down, name).turned()
        assert np.allclose(one.heights, other.heights, rtol=1e-9, atol=1e-12)
        assert (one.xreal, one.yreal, one.xoff) == (other.xreal, other.yreal, other.xoff)
    assert np.array_equal(across.confidence.mask, down.confidence.mask.T)
    assert across.coarseness.pixels == down.coarseness.pixels[::-1]
    assert across.coarseness.expected_error == pytest.approx(down.coarseness.expected_error)
    places = [{(round(r.x), round(r.y)) for r in one.regions} for one in (across, down)]
    assert places[0] == {(y, x) for x, y in places[1]}
    assert down.record["scale"] == scale.turned.recorded
    lined = Settings(method="bicubic", level="plane+rows-median")
    one, other = (assess(z, Upscaler(lined)(z), lined) for z in (scan, scan.turned()))
    assert np.allclose(one.residual.heights, other.residual.heights.T, rtol=1e-9, atol=1e-12)


@LINES
def test_what_is_flagged_are_whole_points_of_the_scan(scale: Scale) -> None:
    width = np.random.default_rng(11).random((SIDE, 50))
    cells = flagged(width, 0.2, scale).reshape(-1, scale.rows, 50)
    assert (cells == cells[:, :1]).all() and cells.mean() == pytest.approx(0.2, abs=0.01)


def test_the_command_tells_and_verifies_a_line_scan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = Channel(5 * hills(1), 1000.0, 1000.0, title="Height")
    scan = truth.replace(heights=truth.heights[1::4])
    afmsr.write(tmp_path / "scan.gwy", scan)
    part = cv2.resize(truth.heights[48:144, 48:144], (192, 192), interpolation=cv2.INTER_CUBIC)
    zoom = truth.replace(heights=part, xreal=500.0, yreal=500.0, xoff=250.0, yoff=250.0)
    afmsr.write(tmp_path / "zoom.gwy", zoom)
    (tmp_path / "ours.json").write_text(calibration(LINES_X4).as_json(), encoding="utf-8")
    how = ["--confidence", "--residual", "--calibration", str(tmp_path / "ours.json")]
    how += ["--method", "bicubic", "--json", "--quiet"]
    assert main(["upscale", str(tmp_path / "scan.gwy"), *how]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told  # the numbers themselves are tested above
    made = next(tmp_path.glob("scan_*.gwy"))
    assert main(["verify", str(made), str(tmp_path / "zoom.gwy"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["within_interval"] > 0.6 and record["warnings"] == []
    assert record["features_truth"] == record["features_result"] == record["confirmed"]
    # Told that every point was measured twice as finely, a zoom of the same pixels is no finer.
    coarse = zoom.replace(heights=zoom.heights[::8, ::2])
    afmsr.write(tmp_path / "coarse.gwy", coarse)
    main(["verify", str(made), str(tmp_path / "coarse.gwy"), "--json"])
    assert "no finer than those that were upscaled" in capsys.readouterr().err
    assert main(["verify", str(made), str(tmp_path / "zoom.gwy"), "--scale", "1x"]) == 2
    assert "such as 1x4" in capsys.readouterr().err


def test_a_lab_calibrates_its_own_line_scans_apart_from_square_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for seed in range(4):
        truth = Channel(5 * hills(20 + seed, 3.0), 1000.0, 1000.0, title="Height")
        afmsr.write(pairs / f"s{seed}_high.gwy", truth)
        scan = truth.replace(heights=truth.heights[1::4])
        if seed == 3:  # the last of them, with its lines down
            scan = truth.replace(heights=truth.heights[:, 1::4])
        afmsr.write(pairs / f"s{seed}_low.gwy", scan)
    ours = tmp_path / "ours.json"
    command = ["calibrate", str(pairs), "-o", str(ours), "--method", "bicubic", "--each", "--quiet"]
    assert main(command) == 0
    assert "lines x4, bicubic, 4 pairs of 4 samples" in capsys.readouterr().out
    made = Calibration.read(ours)
    assert made.scale == "1x4" and made.row_distance > 0
    truth = Channel(5 * hills(30, 3.0), 1000.0, 1000.0, title="Height")
    afmsr.write(pairs / "square_high.gwy", truth)
    afmsr.write(pairs / "square_low.gwy", truth.replace(heights=truth.heights[1::4, 1::4]))
    assert main([*command, "--force"]) == 1
    told = capsys.readouterr()
    assert "upscaled with --scale 4, those before it with 1x4" in told.err
    assert Calibration.read(ours).samples == 4


@LINES
def test_real_line_scans_have_the_error_and_the_intervals_that_are_told(
    judged_scans: list[Any], scale: Scale
) -> None:
    from benchmarks.trust.cases import CONDITIONS, Method, own_cases

    method, made = Method("afm", scale=scale), Calibration.read(FILES[scale])
    held = []
    for case in own_cases(judged_scans, CONDITIONS, scale):
        result, evidence = case.gathered(method)
        assert made.fits("afm", method.sha256, scale)
        error = case.inside(result) - case.right
        told = judge(case.coarse, case.noise, scale=scale).expected_error
        if case.condition == "clean":
            relative = float(np.sqrt(np.mean(error**2)) / np.std(case.coarse))
            assert told == pytest.approx(relative, rel=0.7)
        half = case.inside(made.scales(0.9) * made.scale_of(evidence))
        held.append(float(np.mean(np.abs(error) <= half)))
    assert len(held) == 2 * len(judged_scans)
    assert 0.8 < np.mean(held) < 0.99 and min(held) > 0.6


def test_the_flagged_share_is_of_what_was_measured() -> None:
    scan = line_scan(LINES_X4)
    heights = scan.heights.copy()
    heights[: len(heights) // 2] = np.nan
    record = assessed(scan.replace(heights=heights)).record
    assert record["flagged_share"] == pytest.approx(0.15, abs=0.01)
