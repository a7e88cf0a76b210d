"""`afmsr plan` tells which settings reach an error in the least time, and what it cannot tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gwyfiles import field_2, version_2

import afmsr
from afmsr_cli.main import main
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import AfmsrError, FieldError, UsageError
from afmsr_core.io.line_rate import line_rate_of_file
from afmsr_core.planning.expected import Quick
from afmsr_core.planning.planned import ENOUGH
from afmsr_core.planning.result import FINER, MODES
from afmsr_core.trust.coarseness import judge
from afmsr_core.trust.noise import noise_of


def relief(lines: int, points: int, seed: int = 0) -> np.ndarray:
    """Return a rough surface of 4096 waves on 1 x 1, in nm, sampled at so many places."""
    rng = np.random.default_rng(seed)
    side = 256
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side),
                              indexing="ij"))  # fmt: skip
    k[0, 0] = np.inf
    phases = np.exp(2j * np.pi * rng.random(k.shape))
    fine = np.fft.irfft2(phases / (4 + k) ** 2.5, (side, side))
    fine = 5.0 * fine / fine.std()
    return fine[:: side // lines, :: side // points]


def scan(lines: int = 64, points: int = 64, noise: float = 0.02, **more: float) -> Channel:
    heights = relief(lines, points) + np.random.default_rng(1).normal(0, noise, (lines, points))
    sizes = {"xreal": 1000.0, "yreal": 1000.0} | more
    return Channel(heights, title="Height", **sizes)


def test_the_fastest_setting_that_reaches_the_error_is_chosen() -> None:
    found = afmsr.plan(scan(), error="8%", lines_per_second=2.0)
    assert found.chosen is not None and found.chosen.error <= ENOUGH * 0.08
    faster = [one for one in found.settings if one.time < found.chosen.time]
    assert faster and all(one.error > ENOUGH * 0.08 for one in faster)
    assert found.chosen.seconds == found.chosen.lines / 2
    times = [one.time for one in found.settings]
    assert times == sorted(times)
    for one in found.settings:
        assert one.low < one.error < one.high


def test_errors_fall_with_the_lines_and_ranges_widen_beyond_the_scan() -> None:
    found = afmsr.plan(scan())
    for read in ("afm", "bicubic", "lines"):
        of = sorted((s for s in found.settings if s.read == read), key=lambda s: s.lines)
        errors = [one.error for one in of]
        assert len(of) > 3 and errors == sorted(errors, reverse=True)
    width = {one.lines: one.high / one.low for one in found.settings}
    assert width[128] > width[64] and max(width) == FINER * 64


def test_a_setting_as_the_scan_has_what_the_verdict_expects() -> None:
    heights = relief(64, 64)
    verdict = judge(heights, noise_of(heights)).expected_error
    assert Quick(heights).error(1.0, 1.0, "afm") == pytest.approx(verdict, rel=1e-12)


def test_points_cost_time_point_by_point_only() -> None:
    by_line, by_point = (afmsr.plan(scan(), mode=mode) for mode in ("contact", "force-map"))
    for one in by_line.settings:
        assert one.time == one.lines
    for one in by_point.settings:
        assert one.time == one.lines * one.points / 64
    assert {s.error for s in by_line.settings} == {s.error for s in by_point.settings}
    assert by_point.chosen is not None and by_point.chosen.points == by_point.chosen.lines
    assert "times that of this scan" in str(by_point).splitlines()[0]
    (same,) = (s for s in by_point.settings if (s.lines, s.points, s.read) == (64, 64, "afm"))
    as_long = afmsr.plan(scan(), error=f"{100 * same.error}%", mode="force-map")
    assert "in the time of this scan; likely" in str(as_long).splitlines()[0]


@pytest.mark.parametrize("offsets", [0.0, 1.0, 20.0])
def test_line_by_line_all_points_of_the_lines_are_advised(offsets: float) -> None:
    quick = scan()
    wander = np.random.default_rng(3).normal(0.0, offsets, (64, 1))  # as relief across the lines
    found = afmsr.plan(quick.replace(heights=quick.heights + wander), mode="contact")
    best = min(found.settings, key=lambda one: (one.lines != 64, one.error, -one.points))
    assert best.read == "lines" and found.best.read == "lines"
    assert found.chosen is None or found.chosen.read == "lines"
    at = {one.read: one.error for one in found.settings if one.lines == 64}
    assert at["lines"] <= at["afm"] < at["bicubic"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_line_scan_plans_as_the_square_scan_with_as_many_lines(turned: bool) -> None:
    lines = Channel(relief(64, 256), 1000.0, 1000.0, title="Height")
    square = Channel(relief(64, 64), 1000.0, 1000.0, title="Height")
    quick = lines.turned() if turned else lines
    one, other = afmsr.plan(quick), afmsr.plan(square)
    assert (one.lines, one.points) == (64, 256)
    assert one.coarseness.expected_error < other.coarseness.expected_error
    told = {(s.lines, s.points, s.read): s.error for s in one.settings}
    assert told.keys() == {(s.lines, s.points, s.read) for s in other.settings}
    for setting in other.settings:
        if setting.lines <= 64:
            key = setting.lines, setting.points, setting.read
            assert told[key] == pytest.approx(setting.error, rel=0.15)
    own = [s for s in one.settings if (s.lines, s.read) == (64, "lines")]
    assert own[0].error == pytest.approx(one.coarseness.expected_error, rel=1e-9)


def test_pixels_are_square_on_the_area_whatever_those_of_the_scan() -> None:
    found = afmsr.plan(scan(32, 128, xreal=2000.0))
    for one in found.settings:
        assert one.points == one.lines * (8 if one.read == "lines" else 2)
    # A point of a line is a quarter of a line apart, so the plain scan's own lines are read best.
    own = {s.read: s for s in found.settings if s.lines == 32}
    assert own["lines"].points == 256 and own["lines"].error < 1.2 * own["bicubic"].error


def test_noise_cannot_be_planned_away() -> None:
    white = Channel(np.random.default_rng(2).normal(size=(64, 64)), 100.0, 100.0)
    found = afmsr.plan(white)
    assert not found.tells_finer and found.chosen is None
    assert max(one.lines for one in found.settings) == 64
    told = str(found)
    assert told.startswith("No setting that this scan can tell of reaches 10 % of Sq")
    assert "too noisy or too coarse to plan anything finer" in told
    assert "Scan 128 lines, and plan again" not in told


def test_a_channel_that_is_no_height_is_planned_with_a_warning() -> None:
    found = afmsr.plan(scan().replace(unit="deg"), error="0.5 deg")
    assert found.asked == pytest.approx(0.5 / found.sq) and "this channel is none" in str(found)
    assert "this channel is none" not in str(afmsr.plan(scan()))
    over_time = afmsr.plan(scan().replace(lateral_unit="s")).coarseness
    assert over_time.slope is None and afmsr.plan(scan()).coarseness.slope is not None


def test_a_goal_out_of_reach_asks_for_a_scan_in_between() -> None:
    told = str(afmsr.plan(scan(), error="0.1%"))
    assert told.startswith("No setting") and "Scan 128 lines, and plan again" in told


def test_a_goal_that_the_fewest_lines_reach_is_told_as_one_that_fewer_may() -> None:
    assert "still fewer lines may do" in str(afmsr.plan(scan(), error="90%"))
    assert "still fewer lines may do" not in str(afmsr.plan(scan()))


def test_an_error_in_nm_is_one_over_sq() -> None:
    channel = scan()
    sq = afmsr.plan(channel).sq
    of_height = afmsr.plan(channel, error="300 pm")
    assert of_height.asked == pytest.approx(0.3 / sq)
    assert of_height.chosen == afmsr.plan(channel, error=f"{30 / sq}%").chosen


def test_gaps_and_stopped_lines_do_not_count() -> None:
    channel = scan()
    heights = channel.heights.copy()
    heights[40, 3:20] = np.nan
    whole, gap = afmsr.plan(channel), afmsr.plan(channel.replace(heights=heights))
    assert gap.chosen is not None and whole.chosen is not None
    assert gap.chosen.lines == whole.chosen.lines
    assert gap.chosen.error == pytest.approx(whole.chosen.error, rel=0.1)


RATES = {
    "1.0016": ("ScanRate", 1.0016),
    "0.5 Hz": ("Scan rate", 0.5),
    "20 um/s": ("Scan rate", None),
    "0": ("ScanRate", None),
    "0.3": ("FastMapScanRate", None),
}


@pytest.mark.parametrize("value", RATES)
def test_the_line_rate_is_that_of_the_file_or_of_the_option(value: str, tmp_path: Path) -> None:
    name, rate = RATES[value]
    path = tmp_path / "quick.gwy"
    meta = ("o", ("GwyContainer", {name: ("s", value.encode())}))
    path.write_bytes(version_2({"/0/data": field_2(1e-9 * relief(64, 64)), "/0/meta": meta}))
    found = afmsr.plan(path)
    assert found.lines_per_second == rate and found.rate_from == ("file" if rate else "")
    (first,) = [one for one in found.settings if (one.lines, one.read) == (64, "afm")]
    assert first.seconds == (None if rate is None else pytest.approx(64 / rate))
    told = afmsr.plan(path, lines_per_second=4.0)
    assert (told.lines_per_second, told.rate_from) == (4.0, "option")


def test_the_command_tells_it_in_words_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "quick.gwy"
    afmsr.write(path, scan())
    assert main(["plan", str(path), "--lines-per-second", "1"]) == 0
    told = capsys.readouterr().out.splitlines()
    found = afmsr.plan(path, lines_per_second=1.0)
    assert "\n".join(told) == str(found) and found.chosen is not None
    one = found.chosen
    assert told[0].startswith(f"Scan {one.lines} lines of {one.points} points")
    assert "at 1 line/s" in told[0] and max(map(len, told[told.index("") :])) <= 80
    assert main(["plan", str(path), "--lines-per-second", "1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads(json.dumps(found.as_dict()))
    assert record["chosen"]["rms"] == pytest.approx(one.error * record["sq"])


def test_the_page_shows_what_is_printed() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "plan.md"
    told = str(afmsr.plan(afmsr.example_pair()[0], lines_per_second=1.0))
    assert " ".join(told.split()) in " ".join(page.read_text(encoding="utf-8").split())


WRONG = {
    "ten": "give a share of Sq such as 10%",
    "10": "give a share of Sq such as 10%",
    "10.": "give a share of Sq such as 10%",
    "0%": "give a share of Sq such as 10%",
    "-1nm": "give a share of Sq such as 10%",
    "1.2.3%": "give a share of Sq such as 10%",
    "3V": "is in nm; give the error in that",
}


@pytest.mark.parametrize("error", WRONG)
def test_errors_that_make_no_sense_are_refused(error: str) -> None:
    with pytest.raises(UsageError, match=WRONG[error]):
        afmsr.plan(scan(), error=error)


def test_what_cannot_be_planned_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match=r"'taping'. Did you mean tapping\?"):
        afmsr.plan(scan(), mode="taping")
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="give a positive number"):
            afmsr.plan(scan(), lines_per_second=rate)
    with pytest.raises(FieldError, match="give the scan that it was made from"):
        afmsr.plan(scan().after(Step("upscale", "0")))
    with pytest.raises(FieldError, match="one height throughout"):
        afmsr.plan(Channel(np.full((64, 64), 3.0), 1.0, 1.0))
    with pytest.raises(AfmsrError, match="at least"):
        afmsr.plan(scan(16, 16))
    with pytest.raises(FieldError, match="long and narrow"):
        afmsr.plan(scan(yreal=1e6))


def test_the_smallest_scan_that_can_be_judged_is_planned_with_its_own_pixels() -> None:
    white = Channel(np.random.default_rng(4).normal(size=(26, 26)), 1.0, 1.0)
    found = afmsr.plan(white)
    assert {one.lines for one in found.settings} == {26} and str(found).startswith("No setting")


def test_every_mode_is_told_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert [mode for mode in MODES if mode not in told] == []


def test_real_scans_have_about_the_error_that_was_planned(judged_scans: list[Any]) -> None:
    from benchmarks.trust.plan import planned

    found = [one for one in planned(judged_scans, ("bicubic", "lines")) if one.finer <= FINER]
    ratio = np.log([one.expected / one.error for one in found])
    assert len(found) >= 16 and abs(np.median(ratio)) < np.log(1.3)
    assert np.mean(np.abs(ratio) < np.log(2.0)) > 0.85
    ranks = [
        np.argsort(np.argsort(x)) for x in ([f.expected for f in found], [f.error for f in found])
    ]
    assert np.corrcoef(*ranks)[0, 1] > 0.8


def test_a_file_of_gwyddion_1_tells_no_line_rate(shared: Path) -> None:
    old = shared / "data" / "afm" / "originals" / "gwy" / "GwiddionReader_chip.gwy"
    assert old.read_bytes().startswith(b"GWYO")
    assert line_rate_of_file(old, 0) is None
    assert afmsr.plan(afmsr.read(old)[0], error="10%").settings
