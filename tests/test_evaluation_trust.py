"""What an evaluation says of trust: what is invented and missing, and how often intervals hold."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import METHODS, coarse, settings, surface, write_pair

from afmsr_cli.eval import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, UsageError
from afmsr_core.evaluation import Evaluator, begin, collect, outcome_of, outdated
from afmsr_core.evaluation import run as run_room
from afmsr_core.evaluation.scene import Scene
from afmsr_core.evaluation.trust import (
    COVERAGE,
    REGION,
    Witness,
    detail_in,
    interval_in,
    scale_of_error,
)
from afmsr_core.grid import SQUARE
from afmsr_core.levelling import level
from afmsr_core.metrics.grains import Rule
from afmsr_core.metrics.numbers import numbers_of
from afmsr_core.report import trust, write_report
from afmsr_core.report.contents import Results
from afmsr_core.report.trust_figures import worst
from afmsr_core.trust.assessment import assess
from afmsr_core.trust.calibration import Calibration, shipped
from afmsr_core.trust.detail import compare_detail
from afmsr_core.trust.noise import noise_of
from afmsr_core.upscale import Settings, Upscaler, upscale

SIDE = 160


def calibrated() -> Upscaler:
    """Return the default network, if it can run and has a calibration."""
    pytest.importorskip("onnxruntime")
    try:
        upscaler = Upscaler(Settings(method="afm", restore_background=False))
    except AfmsrError as error:
        pytest.skip(f"the default network does not run here: {error}")
    found = shipped()
    if found is None or not found.fits("afm", upscaler.weights_sha256() or ""):
        pytest.skip("no calibration ships for the weights that are here")
    return upscaler


def scan(heights: np.ndarray, unit: str = "nm") -> Channel:
    return Channel(heights, 1000.0, 1000.0, lateral_unit=unit, unit="nm", title="Height")


def scene(low: np.ndarray, truth: np.ndarray, unit: str = "nm") -> Scene:
    return Scene(scan(low, unit), scan(truth, unit), low, truth)


# --- detail ------------------------------------------------------------------------------


def noisy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (SIDE, SIDE))


def planted(*places: tuple[int, int]) -> np.ndarray:
    """Return hills of 5 nm, one measured pixel wide."""
    field = np.zeros((SIDE, SIDE))
    for place in places:
        field[place] = 2 * np.pi * 2.5**2 * 5.0
    return cv2.GaussianBlur(field, (0, 0), 2.5)


def test_planted_features_are_counted_for_the_method_that_has_them() -> None:
    both, only, lost = (60, 60), (40, 110), (110, 50)
    truth = planted(both, lost) + noisy(1)
    results = {"keeps": planted(both, lost), "invents": planted(both, only), "flat": planted()}
    found = detail_in(results, truth, scene(coarse(truth), truth), 4)
    counts = {n: (one["invented"], one["missing"]) for n, one in found["methods"].items()}
    assert counts == {"keeps": (0, 0), "invents": (1, 1), "flat": (0, 2)}
    invents = found["methods"]["invents"]
    assert invents["invented_highest"] == invents["invented_height"] == pytest.approx(3, abs=1.5)
    assert found["methods"]["flat"]["invented_highest"] is None
    # Three measured pixels at every border are not searched.
    assert found["area_um2"] == pytest.approx((1 - 24 / SIDE) ** 2)
    assert found["noise_truth"] == pytest.approx(0.1, rel=0.15)


def test_an_area_without_a_length_and_a_field_without_noise_are_told() -> None:
    truth = planted((60, 60)) + noisy(2)
    assert detail_in({}, truth, scene(coarse(truth), truth, "px"), 4)["area_um2"] is None
    tiny = truth[:20, :20]
    found = detail_in({"a": tiny}, tiny, scene(coarse(truth), tiny), 4)
    assert set(found) == {"reason"} and "too few" in found["reason"]


# --- intervals ---------------------------------------------------------------------------


def test_coverage_is_the_share_of_the_pixels_inside() -> None:
    error = np.random.default_rng(3).normal(0, 2.0, (300, 300))
    truth, tilt = surface(3, 300), 0.01 * np.arange(300)
    quantiles = {0.6827: 1.0, COVERAGE: 1.6449, 0.9545: 2.0}
    scale = np.full(truth.shape, 2.0)
    found = interval_in(truth + error + tilt + 7, truth, scale, quantiles, 80)
    assert [one["stated"] for one in found["levels"]] == [0.6827, COVERAGE, 0.9545]
    for one in found["levels"]:
        assert one["coverage"] == pytest.approx(one["stated"], abs=0.006)
        assert one["half_width"] == pytest.approx(2.0 * quantiles[one["stated"]])


def test_the_worst_regions_are_where_the_error_is_and_do_not_overlap() -> None:
    truth, result = np.zeros((200, 240)), np.zeros((200, 240))
    result[20:60, 30:70], result[120:160, 150:190] = 9.0, -5.0
    scale = np.ones(truth.shape)
    scale[120:160, 150:190] = 10.0  # a larger error, but it was foretold
    truth[100:104, 20:24] = np.nan
    found = interval_in(result, truth, scale, {COVERAGE: 1.0}, 40)["worst"]
    assert (found[0]["row"], found[0]["column"], found[0]["side"]) == (20, 30, 40)
    assert found[0]["ratio"] == pytest.approx(found[0]["error"] / found[0]["half_width"])
    assert found[0]["ratio"] > 4 * found[1]["ratio"]
    boxes = np.zeros(truth.shape, int)
    for one in found:
        rows, columns = slice(one["row"], one["row"] + 40), slice(one["column"], one["column"] + 40)
        assert np.isfinite(truth[rows, columns]).all()
        boxes[rows, columns] += 1
    assert len(found) == 3 and boxes.max() == 1


def test_the_scale_is_that_of_an_assessment() -> None:
    upscaler = calibrated()
    low = scan(coarse(surface(4, 192)))
    made = upscale(low, method="afm")
    want = assess(low, made, Settings(method="afm"), coverage=COVERAGE).confidence.heights
    relief = level(scan(low.heights), "plane").channel
    called = Witness([upscaler]).calibrated(SQUARE)
    assert called is not None and called[0] == "afm"
    seen = Scene(low, low, relief.heights, relief.heights)
    scale = scale_of_error(seen, upscaler(relief).heights, called[1])
    assert np.allclose(called[1].scales(COVERAGE) * scale, want, rtol=1e-6)


def test_other_weights_are_not_called_calibrated() -> None:
    upscaler, found = calibrated(), shipped()
    assert found is not None
    told = json.loads(found.as_json()) | {"weights_sha256": ["00" * 32]}
    told.pop("format")
    witness = Witness([upscaler], Calibration(**told))
    truth = surface(5)
    record, fields = witness(scene(coarse(truth), truth), {"afm": truth}, truth, lambda n, f: f, {})
    assert witness.calibrated(SQUARE) is None and fields == {}
    assert "no method that ran has a calibration" in record["interval"]["reason"]
    assert "afm" in record["detail"]["methods"]


# --- the whole way -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A pair with the calibrated network."""
    calibrated()
    home = tmp_path_factory.mktemp("trust")
    chosen = settings(methods=("bicubic", "afm"), protocols=("nm",))
    truth = surface(6, 192) + np.random.default_rng(6).normal(0, 0.2, (192, 192))
    pair = write_pair(home, "a", truth[2::4, 2::4], truth)
    folder = home / "results"
    begin(chosen, folder)
    assert outcome_of(pair, Evaluator(chosen), folder)["status"] == "scored"
    collect([pair], chosen, folder, {})
    return folder, pair, chosen


@pytest.fixture(scope="module")
def reported(evaluated: tuple[Path, Any, Any]) -> Path:
    """Its report, with a second pair that has other numbers and no fields."""
    folder, _, _ = evaluated
    raw = json.loads((folder / "results.json").read_text())
    other = json.loads(json.dumps(raw["pairs"][0])) | {"id": "b", "fields": None}
    for one in other["trust"]["interval"]["levels"]:
        one["coverage"] -= 0.2
    for one in other["trust"]["detail"]["methods"].values():
        one |= {"invented": one["invented"] + 5, "invented_height": 9.0, "invented_highest": 99.0}
    raw["pairs"].append(other)
    (folder / "results.json").write_text(json.dumps(raw | {"analyses": {}}))
    write_report(folder)
    return folder


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_counts_and_coverage_are_those_of_the_fields(evaluated: tuple[Path, Any, Any]) -> None:
    folder, _, _ = evaluated
    for record in json.loads((folder / "results.json").read_text())["pairs"]:
        with np.load(folder / record["fields"]) as file:
            fields = {name: file[name].astype(float) for name in file.files}
        assert fields["half_width"].shape == fields["high"].shape
        path = Path(record["low"]["path"])
        low = level(io.select(io.read(path), None)[0], "plane").channel.heights
        again = compare_detail(
            fields["afm"], fields["high"], noise_of(fields["high"]).white, noise_of(low).pixel
        )
        found = record["trust"]["detail"]["methods"]["afm"]
        assert abs(found["features_truth"] - again.truth.count) <= 1  # kept in 32 bits
        assert abs(found["missing"] - int(again.missing.sum())) <= 1
        rows, columns = np.indices(fields["high"].shape).reshape(2, -1)
        terms = np.stack([np.ones(rows.size), rows, columns], axis=1)
        rest = (fields["afm"] - fields["high"]).ravel()
        rest -= terms @ np.linalg.lstsq(terms, rest, rcond=None)[0]
        inside = float((np.abs(rest) <= fields["half_width"].ravel()).mean())
        told = {one["stated"]: one for one in record["trust"]["interval"]["levels"]}
        assert told[COVERAGE]["coverage"] == pytest.approx(inside, abs=1e-4)
        assert told[COVERAGE]["half_width"] == pytest.approx(fields["half_width"].mean(), rel=1e-5)
        worst = record["trust"]["interval"]["worst"]
        assert worst[0]["side"] == 4 * REGION and worst[0]["ratio"] >= worst[-1]["ratio"]


def test_the_report_shows_what_the_records_hold(reported: Path) -> None:
    folder = reported
    pairs = json.loads((folder / "results.json").read_text())["pairs"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for row, method in zip(rows_of(folder, "detail"), ("bicubic", "afm"), strict=True):
        found = [pair["trust"]["detail"] for pair in pairs]
        assert row["Method"] == method
        for kind in ("Invented", "Missing"):
            count = sum(one["methods"][method][kind.lower()] for one in found)
            assert int(row[kind]) == count
        assert float(row["Invented, highest, nm"]) == 99.0
        heights = [one["methods"][method]["invented_height"] for one in found]
        median = np.median([height for height in heights if height is not None])
        assert float(row["Invented, median height, nm"]) == pytest.approx(median)
    for row in rows_of(folder, "intervals"):
        inside = [
            100 * one["coverage"]
            for pair in pairs
            for one in pair["trust"]["interval"]["levels"]
            if one["stated"] == float(row["Stated"])
        ]
        assert float(row["Inside, %"]) == pytest.approx(np.mean(inside))
        assert float(row["Least, %"]) == pytest.approx(min(inside))
    for row, side in zip(
        rows_of(folder, "numbers"), ("low", "bicubic", "afm", "truth"), strict=True
    ):
        assert row["Surface"] == side
        for pair in pairs[:1]:  # the second has the same
            numbers = pair["trust"]["numbers"]
            one = numbers["methods"].get(side) or numbers[side]
            assert float(row["Sq, nm"]) == pytest.approx(one["Sq"])
            assert float(row["S10z, nm"]) == pytest.approx(one["S10z"])
            assert float(row["Sal, nm"]) == pytest.approx(one["Sal"])
            assert float(row["Grains"]) == one["hills"]["count"]
            assert float(row["Pores, width, nm"]) == pytest.approx(one["dales"]["width"])
    every = rows_of(folder, "trust-numbers")
    assert len(every) == 2 * 4 * 14
    for name, title in (("S10z", "S10z, nm"), ("Sal", "Sal, nm")):
        found = [float(row["value"]) for row in every if row["number"] == title]
        assert found[3] == pairs[0]["trust"]["numbers"]["truth"][name] > 0
    low, high = rows_of(folder, "quality")
    assert float(low["Noise floor, nm"]) > float(high["Noise floor, nm"]) > 0
    assert len(rows_of(folder, "trust-detail")) == 4
    assert len(rows_of(folder, "trust-intervals")) == 10
    for form in ("csv", "md", "tex"):
        assert (folder / "tables" / f"detail.{form}").is_file()
    for name in ("calibration.svg", "trust-worst-1.svg"):
        assert (folder / "figures" / name).stat().st_size > 3000
    for part in ('id="trust"', 'id="figure-calibration"', 'id="figure-trust-worst-1"', "above 5 σ"):
        assert part in page


def test_the_numbers_are_those_of_the_fields(evaluated: tuple[Path, Any, Any]) -> None:
    folder, _, _ = evaluated
    record, *_ = json.loads((folder / "results.json").read_text())["pairs"]
    with np.load(folder / record["fields"]) as file:
        fields = {name: file[name].astype(float) for name in file.files}
    told, scores = record["trust"]["numbers"], record["scores"]["nm"]
    pixel = (float(fields["pixel_size"][0]), float(fields["pixel_size"][1]))
    rule = Rule.of(fields["high"], pixel, 4 * pixel[0])
    assert told["rule"]["cutoff"] == pytest.approx(rule.cutoff)
    assert told["rule"]["least"] == pytest.approx(rule.least, rel=1e-4)
    for name, one in (*told["methods"].items(), ("high", told["truth"])):
        again = numbers_of(fields[name], pixel, rule)
        assert abs(again["hills"]["count"] - one["hills"]["count"]) <= 1  # kept in 32 bits
        assert one["hills"]["count_low"] < one["hills"]["count"] < one["hills"]["count_high"]
        if name != "high":
            ratio = one["hills"]["count"] / told["truth"]["hills"]["count"]
            assert scores[name]["hills"]["value"] == ratio
            assert scores[name]["sq"]["details"]["result"] == pytest.approx(one["Sq"], rel=1e-12)
    assert -0.3 < told["sq_bias_of_levelling"] < 0
    low = record["trust"]["quality"]["low"]
    assert low["noise_floor"] > 0 and 0 <= low["streak_index"] < 1
    assert 0 < low["resolved_frequency"] <= 0.25 and low["reason"] == ""


def test_the_detail_of_the_truth_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from afmsr_core.trust import detail

    truth = planted((60, 60), (40, 110)) + noisy(1)
    results = {name: planted((60, 60)) + noisy(2) for name in ("a", "b", "c")}
    noise = noise_of(truth).white, noise_of(coarse(truth)).pixel
    alone = {name: compare_detail(one, truth, *noise).as_dict() for name, one in results.items()}
    calls: list[int] = []
    genuine, features_of, searched = detail.detail_of, detail.features_of, list[float]()

    def counted(heights: np.ndarray, scale: int = 4) -> np.ndarray:
        calls.append(int(heights is truth))
        return genuine(heights, scale)

    def found_in(field: np.ndarray, threshold: float, scale: int = 4) -> detail.Features:
        searched.append(threshold)
        return features_of(field, threshold, scale)

    monkeypatch.setattr(detail, "detail_of", counted)
    monkeypatch.setattr(detail, "features_of", found_in)
    found = detail_in(results, truth, scene(coarse(truth), truth), 4)["methods"]
    assert sum(calls) == 1
    assert len(searched) == len(results) + 1
    assert all(found[name].items() >= one.items() for name, one in alone.items())


def test_a_calibration_of_a_lab_takes_the_place_of_the_shipped_one(
    evaluated: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    folder, pair, chosen = evaluated
    found = shipped()
    assert found is not None
    held = json.loads(found.as_json())
    held["quantiles"] = {key: 2 * value for key, value in held["quantiles"].items()}
    own = tmp_path / "ours.json"
    own.write_text(json.dumps(held), encoding="utf-8")
    other = replace(chosen, calibration=own)
    assert outdated(pair, other, folder)
    record = Evaluator(other)(pair).record
    before, *_ = json.loads((folder / "results.json").read_text())["pairs"]
    wide, narrow = (one["trust"]["interval"]["levels"] for one in (record, before))
    for one, two in zip(wide, narrow, strict=True):
        assert one["half_width"] == pytest.approx(2 * two["half_width"], rel=1e-9)
    assert record["scores"]["nm"]["afm"]["rmse"] == before["scores"]["nm"]["afm"]["rmse"]
    assert other.as_dict()["calibration"] == str(own)


def test_what_is_no_calibration_is_refused_before_anything_runs(tmp_path: Path) -> None:
    wrong = tmp_path / "ours.json"
    wrong.write_text("{}")
    with pytest.raises(UsageError, match=r"ours\.json: no calibration"):
        settings(calibration=wrong)
    pairs = tmp_path / "pairs"
    write_pair(pairs, "a", coarse(surface(8)), surface(8))
    assert main([str(pairs), "--calibration", str(wrong), "--methods", "bicubic"]) == 2
    assert not (tmp_path / "pairs-results").exists()


def test_the_second_run_does_nothing_and_another_calibration_does(
    evaluated: tuple[Path, Any, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, pair, chosen = evaluated
    assert not outdated(pair, chosen, folder)
    found = shipped()
    assert found is not None
    other = tmp_path / "calibration.json"
    other.write_text(found.as_json().replace('"samples": ', '"samples": 1'), encoding="utf-8")
    monkeypatch.setitem(run_room.FILES, SQUARE, other)
    assert outdated(pair, chosen, folder)


def test_without_a_calibrated_method_one_line_says_so(tmp_path: Path) -> None:
    outcome = Evaluator(settings(protocols=("nm",)))(
        write_pair(tmp_path, "a", coarse(surface(8)), surface(8))
    )
    assert "half_width" not in outcome.fields
    methods = [{"name": name, "label": name, "kind": "interpolation"} for name in METHODS]
    results = Results(tmp_path, {"methods": methods, "pairs": [outcome.record]})
    assert list(trust.sentences(results)) == [
        "Intervals: none, because no method that ran has a calibration for its weights."
    ]
    detail = trust.detail(results, "")
    assert detail is not None and len(detail.rows) == len(METHODS)
    assert trust.intervals(results, "") is None and worst(results) == []


def test_without_heights_one_line_says_so(tmp_path: Path) -> None:
    outcome = Evaluator(settings(protocols=("paper",)))(
        write_pair(tmp_path, "a", coarse(surface(8)), surface(8))
    )
    assert outcome.record["trust"] is None
    results = Results(tmp_path, {"pairs": [outcome.record]})
    (sentence,) = trust.sentences(results)
    assert "protocol nm" in sentence and trust.detail(results, "") is None
