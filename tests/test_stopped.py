"""Lines that were never measured are left out and named; what is constant by nature is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.arrays import as_channel
from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE
from afmsr_core.levelling import level
from afmsr_core.quantity import readable
from afmsr_core.simulation.pair import simulate_pair
from afmsr_core.simulation.specimens import SPECIMENS
from afmsr_core.stopped import without_unmeasured
from afmsr_core.trust.coarseness import judge
from afmsr_core.trust.noise import noise_of
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import field_files, preview_pictures
from gwyddion_plugin.worker.answers import ANSWERS
from gwyddion_plugin.worker.channels import channel_of, field_of

LINES, PIXELS = 96, 128


def relief(seed: int = 0) -> np.ndarray:
    """A rough, tilted surface with noise, in nm."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:LINES, :PIXELS]
    waves = 8 * np.sin(x / 5.0) * np.cos(y / 7.0) + 0.2 * x - 0.1 * y
    return waves + rng.normal(0, 0.5, (LINES, PIXELS))


def channel(heights: np.ndarray, **more: object) -> Channel:
    size = {"xreal": 10.0 * heights.shape[1], "yreal": 10.0 * heights.shape[0]}
    return Channel(heights, **size, title="Height", **more)


def stopped(value: float, at: int = 40) -> Channel:
    heights = relief()
    heights[at:] = value
    return channel(heights)


FILLERS = {
    "lowest count": -2200.0,
    "zero": 0.0,
    "a height that was measured, too": float(relief()[3, 3]),
    "the mean": float(relief()[:40].mean()),
    "nothing": np.nan,
    "infinite": -np.inf,
}


@pytest.mark.parametrize("value", FILLERS.values(), ids=FILLERS)
def test_what_fills_a_stopped_scan_is_left_out_and_named(value: float) -> None:
    given = stopped(value)
    found = without_unmeasured(given)
    assert np.isnan(found.heights[40:]).all()
    assert np.isfinite(found.heights).sum() == 40 * PIXELS
    np.testing.assert_array_equal(found.heights[:40], given.heights[:40])
    (told,) = found.warnings
    holds = f"all hold {readable(value, 'nm')}" if np.isfinite(value) else "they hold no value"
    assert told == f"lines 41 to 96 of 96 were not measured: {holds}; they are left out"
    assert [step.effect for step in found.history] == ([] if np.isnan(value) else [told])
    # The plane is that of the measured lines.
    alone = level(channel(given.heights[:40])).channel.heights
    np.testing.assert_allclose(level(found).channel.heights[:40], alone, atol=1e-9)


def test_on_mica_of_a_few_counts_only_a_far_filler_is_one() -> None:
    rng = np.random.default_rng(4)
    counts = np.round(rng.normal(0, 0.25, (64, 64)))
    assert len(np.unique(counts)) == 3
    for value, missing in ((-10_000.0, 24 * 64), (-2.0, 0)):
        scan = counts.copy()
        scan[40:] = value
        assert np.isnan(without_unmeasured(channel(scan)).heights).sum() == missing


def test_a_scan_that_began_late_one_line_and_both_ends() -> None:
    heights = relief()
    heights[:30] = 7.0
    found = without_unmeasured(channel(heights))
    assert found.warnings[0].startswith("lines 1 to 30 of 96 were not measured: all hold 7 nm")
    heights[-1] = 0.0
    found = without_unmeasured(channel(heights, unit="V"))
    assert found.warnings[1] == "line 96 of 96 was not measured: it holds 0 V; it is left out"
    assert np.isfinite(found.heights).all(axis=1).sum() == LINES - 31
    heights[-20:] = 7.0  # the same value at both ends
    assert len(without_unmeasured(channel(heights)).warnings) == 2


def test_a_line_that_was_broken_off() -> None:
    heights = relief()
    heights[40:] = heights[39, 50:] = -9.0
    found = without_unmeasured(channel(heights))
    assert "lines 41 to 96 of 96 and part of line 40 were not measured" in found.warnings[0]
    assert np.isfinite(found.heights).sum() == 39 * PIXELS + 50


def test_copies_of_the_last_line_and_columns_of_a_turned_scan() -> None:
    heights = relief()
    heights[41:] = heights[40]
    found = without_unmeasured(channel(heights))
    assert "lines 42 to 96 of 96 were not measured: they repeat line 41" in found.warnings[0]
    assert np.isfinite(found.heights).sum() == 41 * PIXELS
    turned = without_unmeasured(channel(np.rot90(stopped(0.0).heights)))
    assert turned.warnings[0].startswith("columns 41 to 96 of 96 were not measured: all hold 0 nm")
    assert np.isnan(turned.heights[:, 40:]).all()


def natural() -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:LINES, :PIXELS].astype(float)
    yield "all of it constant", np.full((LINES, PIXELS), 3.0)
    yield "empty", np.full((LINES, PIXELS), np.nan)
    yield "a flat terrace with noise", np.where(y < 40, 0.0, 20.0) + rng.normal(0, 0.05, y.shape)
    yield "a simulated step along the lines", np.where(y < 40, 0.0, 20.0)
    yield "a simulated step across the lines", np.where(x < 40, 0.0, 20.0)
    yield "a slanted simulated step", np.where(y + 0.2 * x < 40, 0.0, 20.0)
    yield "spheres on a floor without noise", np.maximum(0, 20 - np.hypot(x - 60, y - 50))
    yield "a grating along the lines", np.round(np.sin(y / 3.0), 3) + 0 * x
    yield "a grating across the lines", np.sin(x / 3.0) + 0 * y
    yield "a tilt without noise", 0.1 * x + 0.2 * y
    yield "one pixel", np.where((x == 5) & (y == 5), 1.0, 0.0)
    yield "a mask", (np.hypot(x - 60, y - 50) < 30).astype(float)
    speckle = rng.random(y.shape) < 0.3
    speckle[:6] = False
    yield "a mask of single pixels", speckle.astype(float)
    yield "one count", np.round(0.3 * y / LINES + rng.normal(0, 0.12, y.shape))
    yield "one count, then the next", np.round(3 * y / LINES + rng.normal(0, 0.1, y.shape))
    yield "clipped at the edge", np.minimum(relief() + np.maximum(0, 60 - 0.8 * y), 40.0)
    yield "clipped below", np.maximum(relief() - np.maximum(0, 60 - 0.8 * y), -40.0)
    yield "every pixel twice", np.repeat(np.repeat(relief()[::2, ::2], 2, 0), 2, 1)
    yield "every line four times", np.repeat(relief()[:24], 4, axis=0)
    yield "a line twice at the edge", np.vstack([relief()[:1], relief()])
    yield "a vanishing bump on counts", np.round(900 * np.exp(-((x - 40) ** 2 + y**2) / 300)) + x
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2), (3, 5)):
        small = rng.normal(size=shape)
        small[-1] = 0.0
        yield f"{shape[1]} x {shape[0]} px", small
    yield "a peak in the only line that is not flat", np.array([[0] * 5] * 3 + [[0, 1, 0, 0, 12]])


@pytest.mark.parametrize("heights", [pytest.param(z, id=name) for name, z in natural()])
def test_what_is_constant_by_nature_stays(heights: np.ndarray) -> None:
    for turned in (heights, heights[::-1], heights.T):
        given = channel(turned)
        assert without_unmeasured(given) is given


@pytest.mark.parametrize("kind", [one.name for one in SPECIMENS])
def test_nothing_simulated_is_mistaken(kind: str) -> None:
    for preset in ("ideal", "typical"):
        pair = simulate_pair(kind, size=64, preset_name=preset, seed=3)
        for one in (*pair.low, *pair.high, *pair.truth, *pair.maps()):
            assert without_unmeasured(one) is one


def test_of_real_fields_only_lines_at_the_limit_of_the_converter_are_left_out(shared: Path) -> None:
    told = {}
    for name in ("train", "dev", "extra", "movies"):
        index = json.loads((shared / f"data/afm/{name}_index.json").read_text())
        scale = {entry["id"]: entry for entry in index}
        with np.load(shared / f"data/afm/{name}.npz") as fields:
            for key in fields.files:
                counts = fields[key].astype(np.float64)
                for number, frame in enumerate(counts.reshape(-1, *counts.shape[-2:])):
                    nm = scale[key]["z_offset_nm"] + scale[key]["z_scale_nm"] * frame
                    if found := without_unmeasured(channel(nm)).warnings:
                        told[key, number] = found
    # High-speed AFM: the first lines of the movie all hold the highest count, 450 nm.
    begin = "lines 1 to 33 of 256 and part of line 34 were not measured: all hold 450 nm"
    assert told == {("afmreader_extra_sample", 0): (f"{begin}; they are left out",)}


# --- every way in ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gwy", ".gsf", ".npy"])
def test_native_files(suffix: str, tmp_path: Path) -> None:
    io.write(tmp_path / f"scan{suffix}", stopped(-2200.0))
    (found,) = io.read(tmp_path / f"scan{suffix}")
    assert "lines 41 to 96" in found.warnings[0]
    file = io.as_gwy(tmp_path / f"scan{suffix}")
    assert np.isfinite(file.channels()[0].heights).sum() == 40 * PIXELS


def test_a_file_of_an_instrument(shared: Path, tmp_path: Path) -> None:
    data = bytearray((shared / "data/afm/originals/nanoscope/di-1.di").read_bytes())
    line = b"\x00\x80" * 512  # the lowest count; the last line comes first in the file
    data[40960 : 40960 + 300 * len(line)] = 300 * line
    (tmp_path / "scan.di").write_bytes(data)
    found = io.select(io.read(tmp_path / "scan.di"))[0]
    whole = io.select(io.read(shared / "data/afm/originals/nanoscope/di-1.di"))[0]
    assert whole.warnings == ()
    assert found.warnings[0].startswith("lines 213 to 512 of 512 were not measured: all hold")
    np.testing.assert_array_equal(found.heights[:212], whole.heights[:212])
    relief = level(found).channel.heights[:212]
    alone = level(channel(whole.heights[:212])).channel.heights
    assert np.std(relief) == pytest.approx(np.std(alone), rel=1e-9)


def test_the_command_line_masks_the_result_and_keeps_the_original(tmp_path: Path) -> None:
    scan, target = tmp_path / "scan.gwy", tmp_path / "out.gwy"
    io.write(scan, stopped(-2200.0))
    command = ["upscale", str(scan), "-o", str(target), "--method", "bicubic", "--quiet"]
    assert main([*command, "--confidence", "--residual"]) == 0
    size = len(scan.read_bytes()) - 40  # behind the length of the whole
    assert scan.read_bytes()[40:] == target.read_bytes()[40 : 40 + size]
    heights, *extras = io.read(target)[1:]
    stored = io.GwyFile.open(target).channels(as_stored=True)[1:]
    for one, kept in zip((heights, *extras), stored, strict=True):
        share = one.yres // LINES
        assert kept.mask is not None and kept.mask[40 * share :].all()
        assert np.isnan(one.heights[40 * share :]).all()
        assert np.isfinite(one.heights[: 40 * share]).all()
    assert [step.name for step in heights.history] == ["leave_out", "level", "upscale"]
    complete = level(channel(relief()[:40])).channel.heights
    assert np.ptp(heights.heights[:160]) < 1.5 * np.ptp(relief()[:40])
    assert np.nanstd(level(heights).channel.heights) == pytest.approx(complete.std(), rel=0.05)


def test_npy_holds_nan(tmp_path: Path) -> None:
    io.write(tmp_path / "scan.gwy", stopped(0.0))
    command = ["convert", str(tmp_path / "scan.gwy"), "--to", "npy", "-o", str(tmp_path) + "/"]
    assert main([*command, "--quiet"]) == 0
    heights = np.load(tmp_path / "scan.npy")
    assert np.isnan(heights[40:]).all() and np.isfinite(heights[:40]).all()


def raw_field(scan: Channel) -> RawField:
    given = field_of(scan)
    return RawField(**{**vars(given), "data": bytes(given.data)})


def test_what_gwyddion_hands_out(tmp_path: Path) -> None:
    assert "lines 41 to 96" in channel_of(raw_field(stopped(-2200.0))).warnings[0]
    described = field_files.write(tmp_path, raw_field(stopped(-2200.0)))
    settings = {"method": "bicubic", "mask": "ignore"}
    request = {"folder": str(tmp_path), "field": described, "settings": settings}
    answer = ANSWERS["upscale"]({"type": "upscale", **request}, lambda fraction: None)
    mask = np.fromfile(tmp_path / answer["field"]["mask"]).reshape(4 * LINES, 4 * PIXELS)
    assert mask[160:].all() and not mask[:160].any()
    result = np.fromfile(tmp_path / answer["field"]["data"]).reshape(mask.shape) * 1e9
    assert np.ptp(result) < 1.5 * np.ptp(relief()[:40])
    judged = ANSWERS["judge"]({"type": "judge", **request}, lambda fraction: None)
    first, line = judged["told"].splitlines()
    assert first.startswith("Lines 41 to 96 of 96 were not measured: all hold -2.2 µm")
    alone = field_files.write(tmp_path, raw_field(channel(relief()[:40])))
    same = ANSWERS["judge"]({"type": "judge", **request, "field": alone}, lambda fraction: None)
    assert line.split(";")[0] == same["told"].split(";")[0]  # as if only these were there
    assert same["warnings"] == []


def test_the_preview_shows_what_was_measured() -> None:
    found = without_unmeasured(stopped(0.0))
    for at in (None, (64.0, 90.0)):
        crop = preview_pictures.Crop.around(found, SQUARE, at)
        assert crop.top == 0 and np.isfinite(crop.of(found)[:40]).all()


def test_the_verdict_on_a_scan_does_not_hang_on_what_fills_it() -> None:
    whole = level(channel(relief()[:40])).channel.heights
    part = level(without_unmeasured(stopped(-2200.0))).channel.heights
    one, two = (judge(z, noise_of(z)).as_dict() for z in (whole, part))
    for name in ("expected_error", "at_nyquist", "aliased", "noise_share", "edge"):
        assert two[name] == pytest.approx(one[name], rel=1e-6), name


def test_pairs_are_scored_on_what_was_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    import cv2

    truth = cv2.GaussianBlur(rng.normal(size=(256, 256)), (0, 0), 3) * 40
    low = truth[2::4, 2::4].copy()
    pairs = {}
    for name, filler in (("whole", None), ("stopped", -2200.0)):
        folder = tmp_path / name
        folder.mkdir()
        coarse, fine = low.copy(), truth.copy()
        if filler is not None:
            coarse[44:] = filler
            fine[200:] = -5000.0
        io.write(folder / "a_low.gwy", Channel(coarse, 1000.0, 1000.0, title="Height"))
        io.write(folder / "a_high.gwy", Channel(fine, 1000.0, 1000.0, title="Height"))
        command = ["eval", str(folder), "-o", str(folder / "out"), "--methods", "bicubic"]
        assert main([*command, "--protocol", "nm", "--quiet"]) == 0
        (record,) = (folder / "out").rglob("pairs/*.json")
        pairs[name] = json.loads(record.read_text())
        shutil.rmtree(folder / "out")
    crop = pairs["stopped"]["crop"]
    assert crop[0] + crop[2] <= 44 * 4  # no line that was not measured
    scores = [one["scores"]["nm"]["bicubic"]["rmse"]["value"] for one in pairs.values()]
    assert scores[1] == pytest.approx(scores[0], rel=0.15)


@pytest.mark.parametrize("measured", [1, 5, 40])
def test_a_handful_of_measured_pixels_is_told(measured: int, tmp_path: Path) -> None:
    """Also through files that cannot hold NaN: the mean of one pixel makes the field constant."""
    heights = np.full((64, 64), np.nan)
    chosen = np.random.default_rng(measured).choice(heights.size, measured, replace=False)
    heights.ravel()[chosen] = np.random.default_rng(0).normal(size=measured)
    for name in ("few.gwy", "few.gsf", "few.npy"):
        io.write(tmp_path / name, [Channel(heights, 640.0, 640.0, title="Height")])
        (read,) = io.read(tmp_path / name)
        assert np.array_equal(np.isfinite(read.heights), np.isfinite(heights)), name
        assert f"{measured} of 4096 pixels were measured" in read.warnings[0]


def test_a_constant_field_with_a_mask_is_constant() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:32] = True
    flat = Channel(np.full((64, 64), 3.0), 640.0, 640.0, mask=mask)
    assert without_unmeasured(flat) is flat


def test_infinite_values_are_no_heights(tmp_path: Path) -> None:
    """Noise, verdict and drawing took them for heights, and called the scan flat."""
    heights = relief()
    holed = np.where(heights > np.quantile(heights, 0.998), np.nan, heights)
    infinite = np.where(np.isnan(holed), np.inf, holed)
    count = int(np.isnan(holed).sum())
    io.write(tmp_path / "scan.npy", [channel(np.zeros(heights.shape))])
    np.save(tmp_path / "scan.npy", infinite)
    (read,) = io.read(tmp_path / "scan.npy")
    for found in (read, as_channel(channel(infinite))):
        np.testing.assert_array_equal(found.heights, holed)
        told = (
            f"{count} of {heights.size} pixels hold an infinite value; they count as not measured"
        )
        assert told in found.warnings
        assert noise_of(found.heights) == noise_of(holed)
