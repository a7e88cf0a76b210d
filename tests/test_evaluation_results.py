"""A folder of results holds what was computed, knows what is out of date, and draws it together."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import METHODS, coarse, settings, surface, write_pair

import afmsr_core.evaluation.pair as room
from afmsr_core import metrics
from afmsr_core.errors import OutputError
from afmsr_core.evaluation import Evaluator, begin, collect, outcome_of, outdated
from afmsr_core.methods import names
from afmsr_core.pairing import Pair
from afmsr_core.statistics import Settings as StatisticsSettings

NOT_RUN = {"rdn": "its weights are not here"}
UNPAIRED = [{"path": "x_low.gwy", "reason": "no partner"}]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Pair], Path]:
    """Three pairs that were scored, and one that was rejected."""
    home = tmp_path_factory.mktemp("scans")
    pairs = [write_pair(home, str(seed), coarse(surface(seed)), surface(seed)) for seed in range(3)]
    pairs.append(write_pair(home, "other", coarse(surface(8)), surface(9)))
    folder = home / "results"
    begin(settings(), folder)
    evaluator = Evaluator(settings())
    for pair in pairs:
        outcome_of(pair, evaluator, folder)
    return pairs, folder


@pytest.fixture(scope="module")
def result(evaluated: tuple[list[Pair], Path]) -> dict[str, Any]:
    pairs, folder = evaluated
    found = collect(pairs, settings(), folder, NOT_RUN, UNPAIRED)
    assert json.loads((folder / "results.json").read_text()) == found
    return found


def test_results_say_all_that_a_report_needs(
    evaluated: tuple[list[Pair], Path], result: dict[str, Any]
) -> None:
    _, folder = evaluated
    assert result["format"] == 1 and result["settings"] == settings().as_dict()
    assert result["unpaired"] == UNPAIRED and result["versions"]["numpy"] == np.__version__
    methods = {one["name"]: one for one in result["methods"]}
    assert tuple(methods) == names()
    assert methods["bicubic"]["run"] and methods["bicubic"]["why_not"] == ""
    assert methods["rdn"]["why_not"] == "its weights are not here" and not methods["rdn"]["run"]
    assert [one["name"] for one in result["metrics"]] == list(metrics.names())
    statuses = {one["id"]: one["status"] for one in result["pairs"]}
    assert statuses == {"0": "scored", "1": "scored", "2": "scored", "other": "rejected"}
    for one in result["pairs"]:
        assert one["alignment"]["inliers"] >= 0 and one["low"]["xres"] == 32
        assert {"residual_px", "residual_nm", "scale", "overlap"} <= set(one["alignment"])
        if one["status"] == "scored":
            with np.load(folder / one["fields"], allow_pickle=False) as fields:
                assert {"high", "low", *METHODS, "pixel_size"} == set(fields.files)


def test_means_and_tests_are_of_the_scored_pairs_alone(result: dict[str, Any]) -> None:
    for protocol in ("paper", "nm"):
        analyses = result["analyses"][protocol][""]
        assert list(analyses) == list(metrics.names(protocol))
    psnr = result["analyses"]["paper"][""]["psnr"]
    values = [
        one["scores"]["paper"]["bicubic"]["psnr"]["value"]
        for one in result["pairs"]
        if one["status"] == "scored"
    ]
    told = next(one for one in psnr["summaries"] if one["method"] == "bicubic")
    assert told["n"] == 3 and told["mean"] == pytest.approx(np.mean(values))
    assert told["sd"] == pytest.approx(np.std(values, ddof=1))


def test_a_metric_without_direction_is_tested_by_its_distance_from_the_ideal(
    result: dict[str, Any],
) -> None:
    """A roughness ratio of 1.3 is no better than one of 0.7."""
    for name, ideal in (("sq", 1.0), ("ssk", 0.0)):
        analysis = result["analyses"]["nm"][""][name]
        values = [
            abs(one["scores"]["nm"]["bilinear"][name]["value"] - ideal)
            for one in result["pairs"]
            if one["status"] == "scored"
        ]
        told = next(one for one in analysis["summaries"] if one["method"] == "bilinear")
        assert told["mean"] == pytest.approx(np.mean(values))
        assert analysis["higher_is_better"] is False
        assert analysis["notes"][0].startswith("tested is the distance from")
    assert not any("distance" in n for n in result["analyses"]["nm"][""]["rmse"]["notes"])


def test_nothing_is_computed_or_written_twice(
    evaluated: tuple[list[Pair], Path], result: dict[str, Any]
) -> None:
    pairs, folder = evaluated
    before = (folder / "results.json").stat().st_mtime_ns
    assert not any(outdated(pair, settings(), folder) for pair in pairs)
    assert collect(pairs, settings(), folder, NOT_RUN, UNPAIRED) == result
    assert (folder / "results.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"methods": ("bilinear", "bicubic", "lanczos4")}, True),
        ({"protocols": ("nm",)}, True),
        ({"align": "shared"}, True),
        ({"level": "plane+rows-median"}, True),
        ({"crop": 96}, True),
        ({"metrics": {"psnr_peak": "reference"}}, True),
        ({"metrics": {"psnr_peak": "255"}}, False),  # as by default
        ({"statistics": StatisticsSettings(alpha=0.01)}, False),
        ({"threads": 1}, False),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_decides_a_score_makes_it_out_of_date(
    evaluated: tuple[list[Pair], Path], changes: dict[str, Any], due: bool
) -> None:
    pairs, folder = evaluated
    assert outdated(pairs[0], settings(**changes), folder) is due


def test_other_files_parameters_or_lost_fields_make_a_pair_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [write_pair(tmp_path, str(n), coarse(surface(n)), surface(n)) for n in (1, 2)]
    folder = tmp_path / "results"
    begin(settings(), folder)
    evaluator = Evaluator(settings())
    records = [outcome_of(pair, evaluator, folder) for pair in pairs]

    def due() -> list[bool]:
        return [outdated(pair, settings(), folder) for pair in pairs]

    assert due() == [False, False]
    write_pair(tmp_path, "1", coarse(surface(1)) + 0.5, surface(1))
    assert due() == [True, False]
    (folder / records[1]["fields"]).unlink()
    assert due() == [True, True]
    for pair in pairs:
        outcome_of(pair, evaluator, folder)
    assert due() == [False, False]
    parameters = tmp_path / "niqe.mat"
    parameters.write_bytes(b"some parameters")
    monkeypatch.setenv("AFMSR_NIQE_PARAMETERS", str(parameters))
    assert due() == [True, True]
    monkeypatch.delenv("AFMSR_NIQE_PARAMETERS")
    record = next((folder / "pairs").glob("*.json"))
    record.write_text("{", encoding="utf-8")
    assert sorted(due()) == [False, True]


def test_a_file_that_changes_during_the_run_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = write_pair(tmp_path, "a", coarse(surface(1)), surface(1))
    folder = tmp_path / "results"
    begin(settings(), folder)
    check = room.check_pair

    def change(*channels: Any) -> None:
        write_pair(tmp_path, "a", coarse(surface(2)), surface(2))
        check(*channels)

    monkeypatch.setattr(room, "check_pair", change)
    outcome_of(pair, Evaluator(settings()), folder)
    assert outdated(pair, settings(), folder)


def test_a_failure_is_tried_again_and_a_rejection_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    begin(settings(), folder)
    evaluator = Evaluator(settings())
    good = write_pair(tmp_path, "a", coarse(surface(1)), surface(1))
    good.low.write_bytes(b"")
    assert outcome_of(good, evaluator, folder)["status"] == "failed"
    assert outdated(good, settings(), folder)
    swapped = write_pair(tmp_path, "b", surface(1), coarse(surface(1)))
    assert outcome_of(swapped, evaluator, folder)["status"] == "rejected"
    assert not outdated(swapped, settings(), folder)


def test_pairs_of_the_same_name_in_two_data_sets_stay_apart(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    begin(settings(), folder)
    evaluator = Evaluator(settings())
    one = write_pair(tmp_path, "a", coarse(surface(1)), surface(1))
    pairs = [dataclasses.replace(one, data_set=name) for name in ("x y", "x_y")]
    for pair in pairs:
        outcome_of(pair, evaluator, folder)
    result = collect(pairs, settings(), folder, {})
    assert [p["data_set"] for p in result["pairs"]] == ["x y", "x_y"]
    assert list(result["analyses"]["nm"]) == ["x y", "x_y"]


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another folder with -o"):
        begin(settings(), tmp_path / "file")
