"""Trace and retrace as one scan: less noise, nothing blurred, and what only one saw is gone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

import afmsr
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import ChannelNotFoundError, UsageError
from afmsr_core.joining import joined_with, misfit, with_partner
from afmsr_core.joining.registration import register, sampled
from afmsr_core.simulation import SimulatedPair, simulate_pair
from afmsr_core.surfaces import fit_polynomial

SIDE = 128
NOISE = 1.0


def relief(rng: np.random.Generator, rows: int = SIDE) -> np.ndarray:
    """Return smooth relief of some 40 times the noise, wider than high."""
    spectrum = np.fft.rfft2(rng.normal(size=(rows, SIDE + 32)))
    y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(SIDE + 32)
    smooth = np.fft.irfft2(spectrum * np.exp(-((x**2 + y**2) / 0.05**2)), s=(rows, SIDE + 32))
    return np.asarray(40 * NOISE * smooth / smooth.std())


def both_ways(
    seed: int = 0, noise: tuple[float, float] = (NOISE, NOISE)
) -> tuple[np.ndarray, Channel, Channel]:
    """Return a surface on the pixels of its trace, the trace, and a retrace that lags behind."""
    rng = np.random.default_rng(seed)
    surface = relief(rng)
    u = np.linspace(-1, 1, SIDE)
    at = np.arange(SIDE) + 10.0
    behind = np.broadcast_to(at + 3.0 + 1.5 * (1 - u**2), (SIDE, SIDE))
    rows = np.broadcast_to(np.arange(SIDE, dtype=float)[:, None], (SIDE, SIDE))
    here = surface[:, 10 : 10 + SIDE]
    fields = here, sampled(surface, behind, rows)
    trace, retrace = (
        Channel(
            500.0 + field + rng.normal(0.0, sigma, field.shape), 1000.0, 1000.0,
            title=title, number=number,
        )
        for number, (field, sigma, title) in enumerate(
            zip(fields, noise, ("Height", "Height retrace"), strict=True)
        )
    )  # fmt: skip
    return 500.0 + here, trace, retrace


def error(channel: Channel, surface: np.ndarray) -> float:
    """Return the root mean square of the error, where both directions reached."""
    return float(np.std((channel.heights - surface)[2:-2, 8:-8]))


def changed(channel: Channel, rows: slice, columns: slice, by: float) -> Channel:
    heights = channel.heights.copy()
    heights[rows, columns] += by
    return channel.replace(heights=heights)


# --- what is joined ----------------------------------------------------------------------


def test_the_hysteresis_is_found_to_a_tenth_of_a_pixel() -> None:
    _, trace, retrace = both_ways()
    found = register(trace.heights - 500.0, retrace.heights - 500.0)
    assert found is not None and not found.mirrored
    at, u = np.arange(SIDE), np.linspace(-1, 1, SIDE)
    along = np.interp(at, at + 3.0 + 1.5 * (1 - u**2), at) - at
    assert np.abs(found.along[0] - along)[10:-10].max() < 0.1
    assert np.abs(found.across).max() < 0.1
    backwards = register(trace.heights - 500.0, retrace.heights[:, ::-1] - 500.0)
    assert backwards is not None and backwards.mirrored
    assert np.allclose(backwards.along, found.along)


def test_noise_falls_as_a_mean_of_two_lets_it_and_the_datum_stays() -> None:
    surface, trace, retrace = both_ways()
    joint = afmsr.join(trace, retrace)
    assert error(joint, surface) < 0.8 * error(trace, surface)  # 0.71 at best
    assert joint.heights.mean() == pytest.approx(trace.heights.mean(), abs=1e-9)
    assert (joint.title, joint.xreal, joint.number) == (trace.title, 1000.0, 0)
    step = joint.history[-1]
    assert step.name == "join" and step.settings["retrace"] == "Height retrace"
    assert step.settings["noise"] == pytest.approx([NOISE, NOISE], rel=0.2)
    assert step.settings["correlation"] > 0.95
    assert step.settings["offset_px"] == pytest.approx([-2.9, -4.5, -3.1], abs=0.2)
    json.dumps(step.as_dict())


def test_the_noisier_one_weighs_less() -> None:
    surface, trace, retrace = both_ways(noise=(NOISE, 2 * NOISE))
    joint = afmsr.join(trace, retrace)
    of_trace, of_retrace = joint.history[-1].settings["noise"]
    assert of_retrace > 1.5 * of_trace
    plain = 0.5 * np.hypot(NOISE, 2 * NOISE)  # of their mean
    assert error(joint, surface) < min(error(trace, surface), plain)


@pytest.mark.parametrize("stored", ["as it lies", "mirrored"])
def test_scars_and_jumps_of_one_direction_are_gone(stored: str) -> None:
    surface, trace, retrace = both_ways()
    trace = changed(trace, slice(40, 41), slice(30, 80), 25.0)  # a scar
    trace = changed(trace, slice(80, 81), slice(None), -12.0)  # a line that jumped
    retrace = changed(retrace, slice(60, 61), slice(30, 80), 25.0)
    if stored == "mirrored":
        retrace = retrace.replace(heights=retrace.heights[:, ::-1])
    joint = afmsr.join(trace, retrace)
    off = joint.heights - surface
    off -= np.median(off)
    for row in (40, 60, 80):
        # Not a half of it, as in a mean, nor a tenth.
        assert abs(np.median(off[row, 30:76])) < 1.2, row
    assert joint.history[-1].settings["retrace_alone"] > 30 / SIDE**2


def test_an_edge_that_the_retrace_rounds_is_not_rounded() -> None:
    rng = np.random.default_rng(3)
    _, trace, _ = both_ways()
    steps = 60.0 * (np.arange(SIDE) // 32 % 2) + np.zeros((SIDE, SIDE))
    kernel = np.exp(-np.arange(12) / 4.0)
    late = np.apply_along_axis(
        lambda line: np.convolve(np.pad(line, (11, 0), "edge"), kernel / kernel.sum(), "valid"),
        1,
        steps,
    )
    bumps = relief(rng)[:, :SIDE] / 10
    one, other = (
        trace.replace(heights=field + bumps + rng.normal(0, 0.3, field.shape))
        for field in (steps, late)
    )
    joint = afmsr.join(one, other)
    near = np.zeros(SIDE, bool)
    for edge in (32, 64, 96):
        near[edge - 2 : edge + 2] = True
    off = (joint.heights - steps - bumps)[:, near]
    assert np.sqrt(np.mean((off - off.mean()) ** 2)) < 0.6  # a mean would leave some 15


def test_what_the_feedback_makes_of_the_relief_in_each_direction_is_not_averaged() -> None:
    """It is the same in the next line, as noise is not: the joint scan keeps the trace's own."""
    surface, trace, retrace = both_ways()
    rng = np.random.default_rng(7)
    tall = relief(rng)[:, :SIDE] / 20  # twice the noise, and as slow as the relief
    joint = afmsr.join(trace, retrace.replace(heights=retrace.heights + tall))
    assert error(joint, surface) < 0.85 * error(trace, surface)
    # A mean, and weights by the spread of the difference, are further off than the trace.
    assert error(trace.replace(heights=trace.heights - 0.5 * tall), surface) > 1.2 * error(
        trace, surface
    )


def test_hum_in_one_direction_is_noise() -> None:
    surface, trace, retrace = both_ways()
    hum = 1.5 * np.sin(2 * np.pi * 0.28 * np.arange(SIDE))[:, None]
    there = trace.replace(heights=trace.heights + hum)
    joint = afmsr.join(there, retrace)
    assert error(joint, surface) < 0.75 * error(there, surface)


def test_heights_in_coarse_steps_stay_finite() -> None:
    """Most differences are none then, and the spread of the flat classes is 0."""
    _, trace, _ = both_ways(noise=(0.02, 0.02))
    there, back = (one.replace(heights=np.round(one.heights / 30) * 30) for one in (trace, trace))
    back.heights[60:63] += 30.0
    with np.errstate(all="raise"):
        joint = afmsr.join(there, back)
    assert np.isfinite(joint.heights).all()
    assert np.abs(joint.heights - there.heights).max() <= 30.0
    assert joined_with(joint) is not None


def test_what_only_one_measured_is_taken_from_it() -> None:
    surface, trace, retrace = both_ways()
    holes, other = trace.heights.copy(), retrace.heights.copy()
    holes[50:53] = np.nan
    other[90:95] = np.nan
    joint = afmsr.join(trace.replace(heights=holes), retrace.replace(heights=other))
    off = joint.heights - surface
    assert np.isfinite(off[50:53, 8:-8]).all() and np.abs(off[50:53, 8:-8]).max() < 6
    assert np.isfinite(off[90:95]).all()
    known = np.isfinite(holes)
    assert joint.heights[known].mean() == pytest.approx(holes[known].mean(), abs=1e-9)


@pytest.mark.parametrize("preset", ["typical", "noisy"])
def test_the_virtual_afm_comes_closer_to_its_surface(preset: str) -> None:
    for name, seed in (("film", 0), ("membrane", 2)):
        pair = simulate_pair(name, size=SIDE, preset_name=preset, seed=seed)
        joint = afmsr.join(*pair.high)
        assert joined_with(joint) is not None
        assert off_the_surface(joint, pair) < off_the_surface(pair.high[0], pair)


def off_the_surface(channel: Channel, pair: SimulatedPair) -> float:
    off = channel.heights - pair.exact[1].heights
    return float(np.std(fit_polynomial(off, 2).subtracted_from(off)))


def test_real_scans_come_closer_to_their_repeats(shared: Path) -> None:
    """The traces of five scans of a film and of two of Si(111), each judged by all the others."""
    from benchmarks.joining.repeated import repeated

    found = [one for one in repeated(shared / "data" / "afm") if one.way == "trace"]
    assert len(found) == 22
    changes = np.array([one.changes for one in found])
    for judged in (0, 1):  # by the same way of the repeat, and by both ways
        assert np.mean(changes[:, judged] < 0) >= 0.8
        assert changes[:, judged].max() < 0.1
    assert (changes[:, 2] <= changes[:, 0] + 0.01).all()  # weights that know the answer do better
    silicon = [one.changes[0] for one in found if "Si_7x7" in one.scan]
    assert len(silicon) == 2 and max(silicon) < -0.2


# --- what is not -------------------------------------------------------------------------


def test_what_does_not_fit_is_left_out_and_the_reason_is_told() -> None:
    _, trace, retrace = both_ways()
    noise = np.random.default_rng(1).normal(size=retrace.heights.shape)
    for other, reason in (
        (retrace.replace(unit="V"), "it is in V, not in nm"),
        (retrace.replace(heights=np.zeros((64, 128))), "128 x 64 pixels, not 128 x 128"),
        (retrace.replace(xreal=900.0), "area of another size"),
        (retrace.replace(heights=noise), ""),
        (retrace.replace(heights=1000.0 * retrace.heights), "relief is 1000 times as high"),
        (retrace.replace(heights=0.5 * retrace.heights[:, ::-1]), "relief is 0.5 times as high"),
        (retrace.replace(heights=np.full((SIDE, SIDE), np.nan)), "not one pixel"),
    ):
        alone = afmsr.join(trace, other)
        assert alone.heights is trace.heights and not alone.history
        (warning,) = alone.warnings
        assert warning.startswith("used alone, not joined with its retrace 'Height retrace': ")
        assert reason in warning
    feedback = trace.replace(title="Amplitude error")
    assert "a signal of the feedback" in afmsr.join(feedback, retrace).warnings[0]
    assert "too few" in afmsr.join(
        *(one.replace(heights=one.heights[:20, :20]) for one in (trace, retrace))
    ).warnings[0]  # fmt: skip


def test_noise_makes_no_other_scale_of_a_retrace() -> None:
    """The lowest correlation that is joined, all of the noise in one: 1.4 times as high."""
    _, trace, retrace = both_ways(noise=(0.0, 35 * NOISE))
    spreads = [float(np.std(one.heights)) for one in (trace, retrace)]
    assert spreads[1] > 1.25 * spreads[0]
    assert joined_with(afmsr.join(trace, retrace)) and joined_with(afmsr.join(retrace, trace))


def test_the_rule_chooses_the_retrace() -> None:
    _, trace, retrace = both_ways()
    every = [trace, retrace, trace.replace(title="Phase", number=2, unit="deg")]
    assert with_partner(trace, every, "no") is trace
    for rule in ("auto", "Height retrace", "1", "*retrace"):
        assert joined_with(with_partner(trace, every, rule)) is not None
    assert "no title in the file names it" in with_partner(trace, every[::2], "auto").warnings[0]
    wrong = [trace, retrace.replace(unit="V")]
    assert "it is in V" in with_partner(trace, wrong, "auto").warnings[0]
    twice = [*every, retrace.replace(number=3)]
    assert "name one" in with_partner(trace, twice, "auto").warnings[0]
    assert "itself" in with_partner(trace, every, "0").warnings[0]
    with pytest.raises(ChannelNotFoundError):
        with_partner(trace, every, "Deflection")
    assert misfit(trace, retrace) == ""


# --- from the front doors ----------------------------------------------------------------


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for seed in (0, 1):
        _, trace, retrace = both_ways(seed)
        io.write(folder / f"scan{seed}.gwy", [trace, retrace])
    io.write(folder / "trace.gwy", [trace])
    return folder


def test_upscale_joins_when_asked_and_only_then(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["upscale", str(scans), "--method", "bicubic", "--json", "--quiet", "--jobs", "2"]
    assert main([*run, "-o", str(tmp_path / "joint"), "--with-retrace", "auto"]) == 0
    records = {Path(one["input"]).stem: one for one in json.loads(capsys.readouterr().out)}
    for name in ("scan0", "scan1"):
        (channel,) = records[name]["channels"]
        assert channel["joined_with"]["retrace"] == "Height retrace"
        assert [step["name"] for step in channel["history"]].count("join") == 1
    assert "joined_with" not in records["trace"]["channels"][0]
    assert any("used alone" in one for one in records["trace"]["warnings"])
    assert main([*run, "-o", str(tmp_path / "plain")]) == 0
    assert all(
        "joined_with" not in one["channels"][0] for one in json.loads(capsys.readouterr().out)
    )

    source = scans / "scan0.gwy"
    fine = afmsr.upscale(source, method="bicubic", with_retrace="auto")
    (written,) = io.select(io.read(tmp_path / "joint" / "scan0_x4.gwy"), "*bicubic*")
    assert np.allclose(written.heights, fine.heights)
    trace, retrace = io.read(source)
    same = afmsr.upscale(trace, method="bicubic", with_retrace=retrace)
    assert np.array_equal(same.heights, fine.heights)
    plain = afmsr.upscale(source, method="bicubic")
    assert np.std(plain.heights - fine.heights) > 0.1 * NOISE
    with pytest.raises(UsageError, match="this scan has none"):
        afmsr.upscale(trace.replace(path=None), method="bicubic", with_retrace="auto")

    assert main(["upscale", str(source), "--method", "bicubic", "--with-retrace", "auto",
                 "--dry-run"]) == 0  # fmt: skip
    assert "joined with Height retrace" in capsys.readouterr().out


def test_convert_joins(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["convert", str(scans / "scan0.gwy"), "--to", "gwy", "-o", str(tmp_path / "joint.gwy")]
    assert main([*run, "--join-retrace", "--dry-run"]) == 0
    assert "(Height: trace and retrace joined)" in capsys.readouterr().out
    assert main([*run, "--join-retrace", "--quiet"]) == 0
    (joint,) = io.read(tmp_path / "joint.gwy")
    assert "join" in [step.name for step in joint.history]
    trace, retrace = io.read(scans / "scan0.gwy")
    assert np.allclose(joint.heights, afmsr.join(trace, retrace).heights)


def test_real_files_are_joined(shared: Path) -> None:
    """Nanonis, Nanosurf, Igor: what is joined differs from the trace by no more than both do."""
    originals = shared / "data" / "afm" / "originals"
    for name in ("sxm/test.sxm", "nid/NanoSurf_20160301.nid", "ibw/spot_1-1000nm.ibw"):
        channels = io.read(originals / name)
        trace = io.select(channels)[0]
        joint = with_partner(trace, channels, "auto")
        joined = joined_with(joint)
        assert joined is not None and joined["correlation"] > 0.7
        off = joint.heights - trace.heights
        assert abs(np.nanmean(off)) < 1e-9 * np.nanstd(trace.heights) + 1e-12
        assert 0 < np.nanstd(off) < np.nanstd(trace.heights)


def test_the_page_of_a_joint_result_shows_the_joint_scan(tmp_path: Path) -> None:
    from afmsr_core.scan_page.subject import subject_of_file

    _, trace, retrace = both_ways()
    io.write(tmp_path / "both.gwy", [trace, retrace])
    io.write(tmp_path / "trace.gwy", [trace])
    out = tmp_path / "fine.gwy"
    told = f"upscale {tmp_path}/both.gwy -o {out} --channel 0 --with-retrace auto"
    assert main([*told.split(), "--quiet"]) == 0
    joint = afmsr.join(*io.read(tmp_path / "both.gwy"))
    shown = subject_of_file(out)
    np.testing.assert_array_equal(shown.scan.heights, joint.heights)
    bicubic = afmsr.upscale(joint, method="bicubic")
    np.testing.assert_allclose(shown.bicubic.heights, bicubic.heights, atol=1e-9)
    assert not any("joined" in one for one in shown.warnings)
    alone = subject_of_file(out, scan=tmp_path / "trace.gwy")
    assert any("cannot be joined again" in one for one in alone.warnings)
