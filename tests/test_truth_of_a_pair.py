"""The truth is a scan, too: its noise is the floor, and intervals are judged after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation_trust import calibrated, settings

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.alignment import Crop
from afmsr_core.channel import Channel
from afmsr_core.evaluation import Evaluator, outdated
from afmsr_core.evaluation.run import begin, keep, key_of
from afmsr_core.evaluation.scene import Scene
from afmsr_core.evaluation.trust import judged_in
from afmsr_core.evaluation.truth import Backing, floor_of
from afmsr_core.joining.partner import other_way
from afmsr_core.joining.registration import moved_onto
from afmsr_core.pairing import find_pairs
from afmsr_core.pairing.pair import EXACT
from afmsr_core.report import floor, trust
from afmsr_core.report.contents import Results
from afmsr_core.simulation import simulate_pair
from afmsr_core.surfaces import fit_polynomial

SIDE = 256
WHOLE = Crop(0, 0, SIDE, SIDE)

# --- the floor ---------------------------------------------------------------------------


def virtual(**fixed: float) -> Any:
    """Return a pair by a perfect instrument, but for the noise that is given, in ranges."""
    return simulate_pair("film", size=SIDE, preset_name="ideal", seed=3, fixed=fixed)


def scene_of(pair: Any) -> Scene:
    return Scene.of(pair.low[0], pair.high[0], "plane")


@pytest.mark.parametrize(
    ("fixed", "tolerance"),
    [
        ({"white": 0.01}, 0.05),
        ({"white": 0.004, "correlated": 0.02}, 0.15),
        # Scanned with a shift between trace and retrace, which is no noise.
        ({"white": 0.01, "hysteresis": 0.01, "ramp": 1.0}, 0.15),
    ],
    ids=str,
)
def test_trace_and_retrace_tell_the_noise_that_was_added(
    fixed: dict[str, float], tolerance: float
) -> None:
    pair = virtual(**fixed)
    found = floor_of(scene_of(pair), Backing(pair.high), "plane", WHOLE)
    noise = np.hypot(fixed["white"], fixed.get("correlated", 0.0)) * pair.settings["range_nm"]
    assert found["source"] == "trace and retrace"
    assert found["noise"] == pytest.approx(noise, rel=tolerance)


def test_one_scan_tells_its_white_noise_and_no_more_than_there_is() -> None:
    pair = virtual(white=0.01)
    found = floor_of(scene_of(pair), Backing(), "plane", WHOLE)
    assert found["source"] == "scan" and found["along"] is None
    assert found["noise"] == pytest.approx(0.01 * pair.settings["range_nm"], rel=0.15)
    more = virtual(white=0.01, correlated=0.03)  # which one scan takes for relief
    known = np.hypot(0.01, 0.03) * more.settings["range_nm"]
    assert floor_of(scene_of(more), Backing(), "plane", WHOLE)["noise"] < known


def test_without_noise_the_floor_is_nothing() -> None:
    pair = virtual()
    found = floor_of(scene_of(pair), Backing(pair.high), "plane", WHOLE)
    assert found["noise"] < 1e-3 * pair.settings["range_nm"]


# --- the other way -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Height", "Height retrace"), ("Z (Forward)", "Z (Backward)"),
        ("HeightTrace", "HeightRetrace"), ("Height (measured)", "Height (measured, retrace)"),
        ("Scan forward (Z-Axis)", "Scan backward (Z-Axis)"),
        ("Topography [Right]", "Topography [Left]"),
    ],
)  # fmt: skip
def test_the_other_way_is_found_by_its_title(one: str, other: str) -> None:
    field = np.arange(16.0).reshape(4, 4)
    made = {title: Channel(field, 1.0, 1.0, title=title) for title in (one, other, "Phase")}
    assert other_way(made[one], made.values()) is made[other]
    assert other_way(made[other], made.values()) is made[one]
    assert other_way(made["Phase"], made.values()) is None
    twice = [*made.values(), made[other].replace(number=9)]
    assert other_way(made[one], twice) is None  # which of the two?
    finer = made[other].replace(heights=np.zeros((8, 8)))
    assert other_way(made[one], [made[one], finer]) is None


def test_a_retrace_is_moved_onto_its_trace_also_mirrored_and_nothing_else_is() -> None:
    pair = virtual(hysteresis=0.02)
    trace, retrace = (one.heights for one in pair.high)
    for given in (retrace, retrace[:, ::-1]):
        moved = moved_onto(trace, given)
        assert moved is not None
        both = np.isfinite(moved)
        assert both.mean() > 0.9
        before, after = np.std((trace - retrace)[both]), np.std((trace - moved)[both])
        assert after < 0.05 * before
    assert moved_onto(trace, np.random.default_rng(0).normal(size=trace.shape)) is None


def test_real_files_hold_both_ways(shared: Path) -> None:
    """Nanonis and Igor: the floor comes from trace and retrace, and exceeds that of one scan."""
    seen = 0
    for path in sorted((shared / "data" / "afm" / "originals").rglob("*")):
        if path.suffix.lower() not in (".sxm", ".ibw"):
            continue
        channels = io.read(path)
        high = io.select(channels)[0]
        partner = other_way(high, channels)
        if partner is None or min(high.heights.shape) < 64:
            continue
        scene = Scene.of(high, high, "plane")
        crop = Crop(0, 0, *high.heights.shape)
        found = floor_of(scene, Backing(tuple(channels)), "plane", crop)
        alone = floor_of(scene, Backing(), "plane", crop)
        assert found["noise"] > 0 and alone["source"] == "scan"
        seen += found["source"] == "trace and retrace"
    assert seen


# --- coverage ----------------------------------------------------------------------------

QUANTILES = {0.5: 0.6745, 0.9: 1.6449, 0.95: 1.96}


def test_coverage_is_right_once_noise_and_line_offsets_of_the_truth_are_allowed_for() -> None:
    rng = np.random.default_rng(5)
    scale = np.broadcast_to(np.linspace(0.5, 2.0, 400), (400, 400))
    error = rng.normal(0.0, 1.0, scale.shape) * scale
    noise = rng.normal(0.0, 2.0, scale.shape)
    lines = rng.normal(0.0, 5.0, (400, 1))
    for levels in (
        judged_in(error + noise, error, scale, QUANTILES, 2.0),
        judged_in(error + noise + lines, error, scale, QUANTILES, 2.0),
    ):
        for stated, one in zip(QUANTILES, levels, strict=True):
            assert one["within_lines"] == pytest.approx(stated, abs=0.01)
            assert one["exact"] == pytest.approx(stated, abs=0.01)
    plain = judged_in(error + noise, None, scale, QUANTILES, 2.0)
    striped = judged_in(error + noise + lines, None, scale, QUANTILES, 2.0)
    assert plain[1]["after_noise"] == pytest.approx(0.9, abs=0.01) and plain[1]["exact"] is None
    assert striped[1]["after_noise"] < 0.65
    # Nothing is forgiven where the truth has no noise.
    assert judged_in(error + noise, None, scale, QUANTILES, 0.0)[1]["after_noise"] < 0.7


# --- the exact surface, the whole way ----------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A simulated pair whose truth is noisy and whose coarse scan is not worse, evaluated."""
    calibrated()
    home = tmp_path_factory.mktemp("exact")
    quiet = ["--set", "white=0.02", "--set", "bow=0.3", "--set", "tilt=1", "--set", "lag=0.002"]
    command = ["simulate", "-o", str(home), "--size", str(SIDE), "--preset", "ideal", "--quiet"]
    assert main([*command, "--specimen", "film", "--seed", "4", *quiet]) == 0
    (pair,) = find_pairs(home).pairs
    outcome = Evaluator(settings(methods=("bicubic", "afm"), protocols=("nm",)))(pair)
    assert outcome.record["status"] == "scored"
    return home, pair, outcome


def test_scores_against_the_exact_surface_are_those_of_the_fields(
    simulated: tuple[Path, Any, Any],
) -> None:
    _, pair, outcome = simulated
    exact = io.select(io.read(pair.exact), EXACT[1])[0].heights
    top, left, height, width = outcome.record["crop"]
    told = outcome.record["trust"]["exact"]
    from scipy.ndimage import shift

    x, y = told["shift_px"]
    assert 0 < abs(x) < 2 and abs(y) < 0.1  # the loop is late along the line
    moved = shift(exact, (y, x), order=3, mode="nearest")
    for name in ("bicubic", "afm"):
        off = outcome.fields[name].astype(float)
        off = off - moved[top : top + height, left : left + width]
        off = fit_polynomial(off, 2).subtracted_from(off)
        rmse = np.sqrt(np.mean(off[4:-4, 4:-4] ** 2))
        assert told["methods"][name]["rmse"] == pytest.approx(rmse, rel=0.03)
        assert told["methods"][name]["rmse"] < outcome.record["scores"]["nm"][name]["rmse"]["value"]
        assert told["methods"][name]["rmse_surface"] >= 0.9 * told["methods"][name]["rmse"]


def test_the_floor_is_the_error_of_the_truth_and_below_that_of_every_method(
    simulated: tuple[Path, Any, Any],
) -> None:
    _, _, outcome = simulated
    found = outcome.record["trust"]["truth"]
    range_nm = json.loads((simulated[0] / "settings.json").read_text())["ideal-0004"]["range_nm"]
    assert found["source"] == "exact surface"
    assert found["noise"] == pytest.approx(0.02 * range_nm, rel=0.15)
    for name in ("bicubic", "afm"):
        assert found["noise"] < outcome.record["scores"]["nm"][name]["rmse"]["value"]


def test_coverage_on_a_simulated_pair_is_near_what_is_stated(
    simulated: tuple[Path, Any, Any],
) -> None:
    """A noisy truth alone put the truth outside of the interval; that is the truth's affair."""
    levels = {one["stated"]: one for one in simulated[2].record["trust"]["interval"]["levels"]}
    assert levels[0.9]["after_noise"] == pytest.approx(0.9, abs=0.06)
    assert levels[0.9]["exact"] == pytest.approx(0.9, abs=0.09)
    assert levels[0.9]["coverage"] < levels[0.9]["after_noise"]


def test_another_exact_surface_is_another_pair(
    simulated: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    _, pair, outcome = simulated
    chosen = settings(methods=("bicubic", "afm"), protocols=("nm",))
    begin(chosen, tmp_path)
    keep(pair, outcome, key_of(pair, chosen), tmp_path)
    from dataclasses import replace

    assert not outdated(pair, chosen, tmp_path)
    assert outdated(replace(pair, exact=None), chosen, tmp_path)


def test_what_holds_no_exact_surface_is_told_and_not_used(
    simulated: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    from dataclasses import replace

    _, pair, _ = simulated
    other = tmp_path / "other.gwy"
    high = io.read(pair.high)[0]
    io.write(other, [high.replace(title="some finer scan")])
    chosen = settings(methods=("bicubic",), protocols=("nm",))
    record = Evaluator(chosen)(replace(pair, exact=other)).record
    assert record["status"] == "scored" and record["trust"]["exact"] is None
    assert record["trust"]["truth"]["source"] == "trace and retrace"
    (note,) = record["notes"]
    assert note.startswith(f"{other}: not scored against it") and "simulate the pair again" in note


# --- what the report says ----------------------------------------------------------------


def told(tmp: Path, *levels: dict[str, Any]) -> Results:
    pairs = [
        {"id": f"p{i}", "data_set": "", "status": "scored", "high": {"unit": "nm"},
         "scores": {"nm": {m: {"rmse": {"value": v, "reason": "", "details": {}}}
                           for m, v in (("bicubic", 4.0), ("afm", 2.0))}},
         "trust": {"interval": {"method": "afm", "reason": "", "levels": [
             {"stated": 0.9, "half_width": 1.0, "exact": None} | one]},
             "truth": {"reason": "", "source": "trace and retrace", "noise": 1.0,
                       "line_offsets": {"afm": 0.5}}}}
        for i, one in enumerate(levels)
    ]  # fmt: skip
    methods = [{"name": "bicubic", "kind": "interpolation"}, {"name": "afm", "kind": "network"}]
    return Results(tmp, {"methods": methods, "pairs": pairs})


BAD = {"coverage": 0.55, "after_noise": 0.60, "within_lines": 0.65}


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (BAD, "Do not rely on the 90 % interval of afm: it holds the truth in 55 % of the pixels "
              "only, 60 % once the truth’s own noise is allowed for, 65 % once offsets of whole "
              "lines are taken off, too. These scans have more noise"),
        (BAD | {"within_lines": 0.88}, "So within a line it holds, and between lines it does not"),
        (BAD | {"exact": 0.7}, "and 70 % against the exact surface."),
        ({"coverage": 0.55, "after_noise": 0.88, "within_lines": 0.9}, "The 90 % interval of afm "
         "holds the truth in 55 % of the pixels (88 % once the truth’s own noise is allowed for)."),
    ],
)  # fmt: skip
def test_an_interval_that_does_not_hold_raises_an_alarm(
    level: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found = told(tmp_path, level, level)
    assert said in trust.summary(found)
    off = said.startswith(("Do not", "So", "and"))
    assert trust.alarm(found) == (trust.summary(found) if off else "")


def test_the_alarm_stands_in_the_head_and_on_top_of_trust(tmp_path: Path) -> None:
    from afmsr_core.report import write_report

    (tmp_path / "results.json").write_text(json.dumps({"format": 1, **told(tmp_path, BAD).raw}))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    head, _, rest = page.partition("<nav")
    assert head.count('<p class="alarm">Do not rely on') == 1 and head.count("Do not rely") == 1
    assert 'id="trust"' in rest and rest.count('<p class="alarm">Do not rely on') == 1


def test_the_floor_in_words_and_numbers(tmp_path: Path) -> None:
    found = told(tmp_path, BAD, BAD, BAD)
    assert floor.sentence(found, "") == (
        "The truth is a scan, too: its own noise makes up at least 25 % of the squared error of "
        "afm on the median of 3 pairs (25 % to 25 %), so no method can gain more than 12.0 dB over "
        "bicubic there."
    )
    table = floor.table(found, "")
    assert table is not None
    cells = [cell.text for cell in table.rows[0]]
    assert cells == ["p0", "4.00", "2.00", "≥ 1.00", "trace and retrace", "≥ 25", "0.500", "≤ 12.0"]
