"""What is drawn at random in an evaluation: sharpened methods, and the numbers of a full scan."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from chromium import Tab, browsing

from afmsr_cli.main import main
from afmsr_core import io, methods
from afmsr_core.alignment import Crop
from afmsr_core.errors import UnknownMethodError, UsageError
from afmsr_core.evaluation import EvaluationSettings
from afmsr_core.evaluation.full_scan import full_scan_in
from afmsr_core.evaluation.made import Made
from afmsr_core.evaluation.run import key_of
from afmsr_core.evaluation.scene import Scene
from afmsr_core.metrics.grains import Rule
from afmsr_core.pairing import find_pairs
from afmsr_core.realisations import Realiser
from afmsr_core.realisations.numbers import full_scan, logarithms_of
from afmsr_core.report.contents import read_results
from afmsr_core.survey.sources import find_scenes
from afmsr_core.upscale import Settings, Upscaler

ASKED = "bicubic,afm,AFM@0.50,afm@1"
METHODS = ("bicubic", "afm", "afm@0.5", "afm@1")
SEED = 3


def evaluated(folder: Path, out: str, *options: str, asked: str = ASKED) -> dict[str, Any]:
    options = ("-o", str(folder / out), "--quiet", "--methods", asked, *options)
    assert main(["eval", str(folder / "pairs"), *options]) == 0
    found = json.loads((folder / out / "results.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("drawn")
    options = ("--pairs", "2", "--size", "256", "--seed", "1", "--specimen", "film")
    assert main(["simulate", "-o", str(home / "pairs"), "--quiet", *options]) == 0
    return home


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    return evaluated(folder, "out", "--full-scan", "--seed", str(SEED))


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "out/tables" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("afm@2", "from 0 .* to 1"),
        ("afm@-0.1", "from 0 .* to 1"),
        ("afm@nan", "from 0 .* to 1"),
        ("afm@", "such as afm@0.5"),
        ("afm@0,5", "such as afm@0.5"),
        ("afm@0.5@0.5", "such as afm@0.5"),
        ("bicubic@0.5", "learnt for afm alone; choose bicubic, or afm@0.5"),
    ],
)
def test_nonsense_is_refused_with_the_cure(
    spec: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=said):
        methods.chosen(spec)
    if "," not in spec:  # which parts names
        assert main(["eval", str(folder / "pairs"), "--methods", spec, "--dry-run"]) == 2
        assert spec in capsys.readouterr().err


def test_a_method_has_one_name() -> None:
    names = {spec: methods.chosen(spec).name for spec in ("afm", "afm@0", "AFM@.5", "afm@5e-1")}
    assert names == {"afm": "afm", "afm@0": "afm", "AFM@.5": "afm@0.5", "afm@5e-1": "afm@0.5"}
    for sharpness in np.linspace(0, 1, 97):
        one = methods.chosen(f"afm@{float(sharpness)!r}")
        assert methods.chosen(one.name) == one
    with pytest.raises(UnknownMethodError, match="no method is called 'afn'"):
        methods.chosen("afn@1")
    with pytest.raises(UnknownMethodError, match=r"give --method afm --sharpness 0\.5"):
        methods.get("afm@0.5")


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="8 bits of the paper; add a method without it"):
        EvaluationSettings(methods=("afm@0.5",))
    with pytest.raises(UsageError, match="full_scan: numbers are of heights"):
        EvaluationSettings(methods=("afm",), protocols=("paper",), full_scan=True)
    with pytest.raises(UsageError, match="seed -1"):
        EvaluationSettings(methods=("afm",), seed=-1)
    with pytest.raises(UsageError, match="full_scan 'yes': give true or false"):
        EvaluationSettings(methods=("afm",), full_scan="yes")  # type: ignore[arg-type]


# --- sharpened methods ------------------------------------------------------------------------


def test_a_sharpened_method_is_what_the_realiser_makes(
    folder: Path, results: dict[str, Any]
) -> None:
    assert results["settings"]["methods"] == list(METHODS)
    assert results["settings"]["seed"] == SEED
    settings = Settings(restore_background=False)
    for record in results["pairs"]:
        assert record["status"] == "scored" and record["not_run"] == {}
        fields = np.load(folder / "out" / record["fields"])
        low = io.read(record["low"]["path"])[0]
        best = Upscaler(settings)(low)
        realiser = Realiser(low, best, settings, SEED)
        scene = Scene.of(low, io.read(record["high"]["path"])[0], "plane")
        found = scene.aligned(Upscaler(Settings(method="bicubic", restore_background=False))(
            low).heights, EvaluationSettings(methods=("afm",)).alignment)  # fmt: skip
        crop = Crop(*record["crop"])
        for name, sharpness in (("afm", 0.0), ("afm@0.5", 0.5), ("afm@1", 1.0)):
            wanted = crop.of(found.warp(realiser.sharpened(sharpness).heights))
            spread = float(np.nanstd(wanted))
            assert np.allclose(fields[name], wanted, rtol=0, atol=1e-4 * spread), name


def test_it_costs_errors_and_gains_roughness(results: dict[str, Any]) -> None:
    for record in results["pairs"]:
        of = record["scores"]["nm"]
        errors = [of[name]["rmse"]["value"] for name in METHODS[1:]]
        slopes = [of[name]["sdq"]["value"] for name in METHODS[1:]]
        assert errors == sorted(errors) and slopes == sorted(slopes)
        assert record["trust"]["interval"]["method"] == "afm"  # and none of a surface drawn


def test_the_paper_leaves_it_out_with_the_reason(folder: Path, results: dict[str, Any]) -> None:
    for record in results["pairs"]:
        paper = record["scores"]["paper"]
        assert paper["afm"]["psnr"]["value"] > 0
        for name in METHODS[2:]:
            assert paper[name]["psnr"]["value"] is None
            assert paper[name]["psnr"]["reason"] == (
                "not run: sharpness is for heights in nm, and 8 bits round them"
            )
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "sharpness is for heights in nm, and 8 bits round them" in page


def test_report_and_tables_name_it(folder: Path, results: dict[str, Any]) -> None:
    ran = [one for one in results["methods"] if one["run"]]
    assert [one["name"] for one in ran] == list(METHODS)
    assert {one["kind"] for one in ran[1:]} == {"network"}
    assert read_results(folder / "out").label("afm@0.5") == "AFM (ours) @0.5"
    assert "AFM (ours) @0.5" in (folder / "out/report.html").read_text(encoding="utf-8")
    assert {row["method"] for row in rows_of(folder, "trust-detail.csv")} == set(METHODS)
    gains = results["gains"]["nm"][""]
    assert "afm@1" in json.dumps(gains)


def test_jobs_and_a_second_run_give_the_same_and_another_seed_does_not(
    folder: Path, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--full-scan", "--seed", str(SEED))
    two = evaluated(folder, "two", *asked, "--jobs", "2")
    for one, other in zip(results["pairs"], two["pairs"], strict=True):
        assert one["scores"] == other["scores"]
        assert one["trust"]["full_scan"] == other["trust"]["full_scan"]
    capsys.readouterr()
    evaluated(folder, "two", *asked)
    assert "2 taken from an earlier run" in capsys.readouterr().out
    pair = find_pairs(folder / "pairs").pairs[0]

    def keys(*names: str, **more: Any) -> set[str]:
        return {key_of(pair, EvaluationSettings(names, seed=seed, **more)) for seed in (0, 1)}

    # The seed decides what is drawn, and nothing else.
    assert len(keys("bicubic", "afm")) == 1
    assert len(keys("bicubic", "afm@0.5")) == len(keys("bicubic", "afm", full_scan=True)) == 2


def test_it_can_be_the_reference_of_the_statistics(folder: Path, results: dict[str, Any]) -> None:
    config = folder / "reference.toml"
    config.write_text('protocol = "nm"\nseed = 1\n[statistics]\nreference = "afm@0.5"\n')
    found = evaluated(folder, "ref", "--config", str(config), asked="bicubic,afm,afm@0.5")
    assert found["settings"]["seed"] == 1
    for one, other in zip(results["pairs"], found["pairs"], strict=True):
        mine, its = (each["scores"]["nm"] for each in (one, other))
        assert mine["afm"] == its["afm"]
        assert mine["afm@0.5"]["rmse"]["value"] != its["afm@0.5"]["rmse"]["value"]
        assert "full_scan" not in other["trust"]
    assert found["gains"]["nm"][""]["reference"] == "afm@0.5"
    assert found["analyses"]["nm"][""]["rmse"]["settings"]["reference"] == "afm@0.5"


def test_a_scan_that_it_does_not_take_is_told(folder: Path, tmp_path: Path) -> None:
    pair = find_pairs(folder / "pairs").pairs[0]
    low, high = (io.read(path)[0] for path in (pair.low, pair.high))
    small = tmp_path / "small"
    small.mkdir()
    # 16 pixels tell no noise, which what is drawn follows from.
    for name, one, side in (("low", low, 16), ("high", high, 64)):
        cut = one.replace(
            heights=one.heights[:side, :side],
            xreal=side * one.dx,
            yreal=side * one.dy,
            mask=None,
        )
        io.write(small / f"p_{name}.gwy", [cut])
    asked = ["--methods", "bicubic,afm,afm@0.5", "--protocol", "nm", "--full-scan", "--quiet"]
    assert main(["eval", str(small), *asked, "-o", str(tmp_path / "out")]) == 0
    (record,) = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))["pairs"]
    reason = "16 x 16 px are too few to tell noise from relief"
    assert record["not_run"] == {"afm@0.5": reason}
    assert record["trust"]["full_scan"] == {"reason": reason}
    assert record["scores"]["nm"]["afm"]["rmse"]["value"] > 0
    assert record["scores"]["nm"]["afm@0.5"]["rmse"]["reason"] == f"not run: {reason}"


# --- numbers of a full scan -------------------------------------------------------------------


def test_the_numbers_of_a_full_scan_are_told_beside_the_truths(
    folder: Path, results: dict[str, Any]
) -> None:
    rows = {(row["pair"], row["number"]): row for row in rows_of(folder, "trust-full-scan.csv")}
    inside: dict[str, list[bool]] = {}
    for record in results["pairs"]:
        told = record["trust"]["full_scan"]
        assert (told["reason"], told["method"], told["draws"], told["seed"]) == ("", "afm", 8, SEED)
        fields = np.load(folder / "out" / record["fields"])
        low, high = (io.read(record[side]["path"])[0] for side in ("low", "high"))
        scene = Scene.of(low, high, "plane")
        rule = Rule.of(scene.relief, (low.dy, low.dx), low.dx)
        truth = scene.levelled(high.replace(heights=fields["high"].astype(float)), "plane")
        right = logarithms_of(truth, (high.dy, high.dx), rule, 0.5 / low.dy)
        for name in ("Sdq", "Sdr", "S10z", "Sal", "hills.count", "hills.diameter"):
            one, row = told["numbers"][name], rows[record["id"], name]
            assert one["truth"] == pytest.approx(math.exp(right[name]), rel=1e-3)
            assert 0 < one["low"] < one["median"] < one["high"]
            for end in ("median", "low", "high", "truth"):
                assert float(row[end]) == one[end]
            held = one["low"] <= one["truth"] <= one["high"]
            assert int(row["inside"]) == held
            inside.setdefault(name, []).append(held)
        # Rougher than the result, as the truth is.
        sdq = record["trust"]["numbers"]["methods"]["afm"]["Sdq"]
        assert sdq < told["numbers"]["Sdq"]["median"]
    for row in rows_of(folder, "full-scan.csv"):
        if (name := row["Number"]) in inside:
            assert float(row["Inside, share of pairs"]) == np.mean(inside[name])
    page = (folder / "out/report.html").read_text(encoding="utf-8")
    assert "Numbers of a full scan, by AFM (ours)" in page.partition('id="trust"')[2]


class Unmoved:
    """An alignment of results that lie where they are."""

    def warp(self, field: np.ndarray) -> np.ndarray:
        return field


def whole(made: Made, upscaler: Upscaler) -> dict[str, Any]:
    crop = Crop(0, 0, *made.scene.truth.shape)
    return full_scan_in(made, upscaler, "plane", Unmoved(), crop)  # type: ignore[arg-type]


def test_they_are_those_of_upscale_where_the_truth_shows_all(folder: Path) -> None:
    """Moved by nothing and cropped by nothing, they are the numbers of a single scan."""
    pair = find_pairs(folder / "pairs").pairs[0]
    low, high = (io.read(path)[0] for path in (pair.low, pair.high))
    high = high.replace(xreal=low.xreal, yreal=low.yreal)
    settings = Settings(restore_background=False)
    upscaler, scene = Upscaler(settings), Scene.of(low, high, "plane")
    rule = Rule.of(scene.relief, (low.dy, low.dx), low.dx)

    made = Made(scene, SEED)
    found = whole(made, upscaler)
    wanted = full_scan(made.realiser(upscaler), "plane", rule)
    for name, one in found["numbers"].items():
        for end in ("median", "low", "high"):
            assert one[end] == pytest.approx(wanted["numbers"][name][end], rel=1e-9), name


def test_why_there_are_none_is_told(folder: Path) -> None:
    found = evaluated(folder, "none", "--protocol", "nm", "--full-scan", asked="bicubic,lanczos4")
    for record in found["pairs"]:
        assert "afm was not run" in record["trust"]["full_scan"]["reason"]
    page = (folder / "none/report.html").read_text(encoding="utf-8")
    assert "Numbers of a full scan: none, because afm was not run" in page
    assert not (folder / "none/tables/full-scan.csv").exists()
    # A truth with other pixels than the result is another full scan.
    pair = find_pairs(folder / "pairs").pairs[0]
    low, high = (io.read(path)[0] for path in (pair.low, pair.high))
    coarse = high.replace(heights=high.heights[::2, ::2], mask=None)
    upscaler = Upscaler(Settings(restore_background=False))
    told = full_scan_in(
        Made(Scene.of(low, coarse, "plane"), 0),
        upscaler,
        "plane",
        None,
        Crop(0, 0, 1, 1),  # type: ignore[arg-type]
    )
    assert "not the full scan that is told" in told["reason"]


def test_line_scans_have_both(tmp_path: Path) -> None:
    low = ("--low", "256x64", "--low", "64x64")
    asked = ("--pairs", "1", "--size", "256", "--seed", "1", "--specimen", "film", *low)
    assert main(["simulate", "-o", str(tmp_path / "pairs"), "--quiet", *asked]) == 0
    found = evaluated(tmp_path, "out", "--full-scan", "--protocol", "nm", asked="bicubic,afm,afm@1")
    assert {record["scale"] for record in found["pairs"]} == {4, "1x4"}
    for record in found["pairs"]:
        assert record["not_run"] == {}
        one = record["trust"]["full_scan"]["numbers"]["Sdq"]
        assert 0.5 < one["truth"] / one["median"] < 2
        slopes = [record["scores"]["nm"][name]["sdq"]["value"] for name in ("afm", "afm@1")]
        assert slopes[0] < slopes[1]
    (pair,) = (one for one in find_pairs(tmp_path / "pairs").pairs if "lines" in one.id)
    low, high = (io.read(path)[0] for path in (pair.low, pair.high))
    upscaler = Upscaler(Settings(restore_background=False))
    ways = [(low, high), (low.turned(), high.turned())]
    across, down = (whole(Made(Scene.of(*two, "plane"), 0), upscaler) for two in ways)
    for name, one in across["numbers"].items():
        assert down["numbers"][name] == pytest.approx(one, rel=1e-6), name
    (both,) = found["same_time"]
    assert "lines afm@1" in json.dumps(both["judged"])


# --- the survey -------------------------------------------------------------------------------


def test_a_survey_has_it_from_images_to_means(
    folder: Path, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_scenes(folder / "out", ("bicubic", "afm@0.5"))
    assert len(found.scenes) == 2 and found.labels["afm@0.5"] == "AFM (ours) @0.5"
    study, form = folder / "study", folder / "form.csv"
    asked = ["--methods", "bicubic,afm,afm@0.5", "--sets", "2", "--raters", "anna"]
    assert main(["survey", "build", str(folder / "out"), "-o", str(study), *asked]) == 0
    assert not any("afm" in path.name for path in study.rglob("*"))  # blind
    assert main(["survey", "export", str(study), "--form", "--rater", "anna", "-o", str(form)]) == 0
    key = json.loads((folder / "study.key.json").read_text(encoding="utf-8"))
    assert key["labels"]["afm@0.5"] == "AFM (ours) @0.5"
    assert {one["method"] for one in key["items"].values()} == {"bicubic", "afm", "afm@0.5"}
    form.write_text(re.sub(r",,,$", ",4,3,", form.read_text(), flags=re.M))
    assert main(["survey", "import", str(study), str(form)]) == 0
    assert main(["survey", "analyse", str(study), "-o", str(folder / "survey")]) == 0
    pages = [*(folder / "survey").rglob("*.html"), *folder.glob("survey*.html")]
    assert any("AFM (ours) @0.5" in path.read_text(encoding="utf-8") for path in pages)


@pytest.mark.parametrize("width", [1280, 400])
def test_the_table_is_seen_whole(
    folder: Path, results: dict[str, Any], tmp_path: Path, width: int
) -> None:
    with browsing(tmp_path) as tab:
        tab.size(width, 900)
        tab.go((folder / "out/report.html").as_uri())
        tab.until("document.querySelector('#table-full-scan')")
        sides: Tab = tab.js(
            "(() => { const one = document.querySelector('#table-full-scan');"
            " return [one.scrollWidth, one.clientWidth]; })()"
        )
        assert sides[0] <= sides[1]  # type: ignore[index]
