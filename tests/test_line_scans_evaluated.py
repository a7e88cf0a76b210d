"""``afmsr-eval`` on line scans: scored as what they are, and against squares of the same time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_torch_engine import state

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.alignment import Crop
from afmsr_core.evaluation import EvaluationSettings
from afmsr_core.evaluation.pair import Evaluator
from afmsr_core.evaluation.same_time import same_time_of
from afmsr_core.pairing import Pair
from afmsr_core.survey.sources import find_scenes

METHODS = ("bicubic", "afm")
SIZE = 128
PAIRS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two surfaces, each scanned as 128 x 32, 32 x 32 and 128 x 128; the evaluation beside them."""
    home = tmp_path_factory.mktemp("lines")
    options = ("--pairs", str(PAIRS), "--size", str(SIZE), "--seed", "1", "--specimen", "film")
    low = ("--low", f"{SIZE}x{SIZE // 4}", "--low", f"{SIZE // 4}x{SIZE // 4}")
    assert main(["simulate", "-o", str(home / "pairs"), "--quiet", *options, *low]) == 0
    asked = ("--quiet", "--methods", ",".join(METHODS), "--protocol", "nm")
    assert main(["eval", str(home / "pairs"), *asked]) == 0
    return home


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "pairs-results/results.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_every_scan_is_taken_as_what_it_is(results: dict[str, Any]) -> None:
    scales = {pair["id"]: pair["scale"] for pair in results["pairs"]}
    assert scales == {
        "typical-0001": 4, "typical-0002": 4,
        "lines/typical-0001": "1x4", "lines/typical-0002": "1x4",
    }  # fmt: skip
    for pair in results["pairs"]:
        assert pair["status"] == "scored", pair["reason"]
        # The same bands and grains for both scans of one time.
        bands = [pair["scores"]["nm"][name]["psd_fine"]["details"] for name in METHODS]
        nyquist = 0.5 * SIZE / 4 / pair["high"]["xreal"]
        assert bands[0]["frequencies_per_nm"] == pytest.approx([0.5 * nyquist, nyquist])


@pytest.mark.parametrize(("judge", "truth"), [("nm", "high"), ("exact", "exact")])
def test_both_are_judged_on_the_same_pixels(
    folder: Path, results: dict[str, Any], judge: str, truth: str
) -> None:
    (told,) = results["same_time"]
    assert (told["lines"], told["square"]) == ("128 x 32", "32 x 32")
    assert not told["left_out"] and set(told["judged"]) == {"nm", "exact"}
    records = {pair["id"]: pair for pair in results["pairs"]}
    want = []
    for name in ("typical-0001", "typical-0002"):
        whole = np.full((2, SIZE, SIZE), np.nan)
        for error, record in zip(whole, (records[name], records[f"lines/{name}"]), strict=True):
            with np.load(folder / "pairs-results" / record["fields"]) as file:
                error[Crop(*record["crop"]).slices] = file["bicubic"] - file[truth]
        # Of both the same rectangle, less tilt and bow, of which every scan has its own.
        known = np.isfinite(whole).all(axis=0)
        y, x = (axis / SIZE for axis in np.nonzero(known))
        design = np.stack([x**i * y**j for i in range(3) for j in range(3 - i)], axis=1)
        left = [z - design @ np.linalg.lstsq(design, z, rcond=None)[0] for z in whole[:, known]]
        want.append(20 * np.log10(np.std(left[0]) / np.std(left[1])))
    (gain,) = (g for g in told["judged"][judge]["of_methods"] if g["method"] == "lines bicubic")
    assert gain["reference"] == "square bicubic"
    assert gain["gains"] == pytest.approx(want, abs=0.01)


def test_gaps_of_one_scan_are_left_out_of_both(
    folder: Path, results: dict[str, Any], tmp_path: Path
) -> None:
    home = folder / "pairs-results"
    for record in results["pairs"]:
        with np.load(home / record["fields"]) as file:
            fields = dict(file)
        top, left = record["crop"][:2]
        gap = np.s_[40 - top : 50 - top, 40 - left : 60 - left]
        for name in METHODS:  # not measured by the lines, and hopeless on the square scan
            fields[name][gap] = np.nan if record["scale"] == "1x4" else 1e6
        (tmp_path / record["fields"]).parent.mkdir(exist_ok=True)
        np.savez(tmp_path / record["fields"], **fields)
    settings = EvaluationSettings(METHODS, protocols=("nm",))
    (told,) = same_time_of(results["pairs"], settings, tmp_path)
    gains = [
        np.mean([gain["mean"] for gain in one["judged"][judge]["of_methods"]])
        for judge in ("nm", "exact")
        for one in (told, results["same_time"][0])
    ]
    assert gains[::2] == pytest.approx(gains[1::2], abs=0.5)


def test_the_report_says_which_scan_is_better(folder: Path, results: dict[str, Any]) -> None:
    page = (folder / "pairs-results/report.html").read_text(encoding="utf-8")
    first = page.index("In the same scan time")
    assert first < page.index("Heights in nm")
    (gain,) = (
        one
        for one in results["same_time"][0]["judged"]["nm"]["of_methods"]
        if one["method"] == "lines afm"
    )
    verb = {(2, 0): "beats", (0, 2): "loses to", (1, 1): "and"}[gain["wins"], gain["losses"]]
    assert f"128 x 32 with AFM (ours) {verb} 32 x 32 with AFM (ours)" in page
    table = (folder / "pairs-results/tables/same-time-1.csv").read_text(encoding="utf-8")
    assert table.splitlines()[1].startswith("32 x 32 with bicubic,0.0")
    assert len(table.splitlines()) == 1 + 2 * len(METHODS)
    chart = (folder / "pairs-results/figures/same-time-1.svg").read_text(encoding="utf-8")
    assert "◂ 32 x 32 better" in chart and "128 x 32 better ▸" in chart
    assert "square scans: Heights in nm" in page and "lines: Heights in nm" in page


def test_a_survey_shows_line_scans(folder: Path) -> None:
    found = find_scenes(folder / "pairs-results", METHODS)
    assert len(found.scenes) == 2 * PAIRS and not found.left_out
    scene = found.scenes["lines", "lines/typical-0001"]()
    assert {image.shape for image in (scene.truth, *scene.results.values())} == {scene.truth.shape}


def test_a_network_for_squares_is_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    """It is not run on line scans, its reason stands in record, report and survey."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchsr")
    weights = tmp_path / "ninasr_b0.pt"
    torch.save(state(), weights)
    asked = ("--quiet", "--methods", "bilinear,bicubic,ninasr_b0", "--protocol", "nm")
    given = ("--weights", f"ninasr_b0={weights}", "-o", str(tmp_path / "results"))
    assert main(["eval", str(folder / "pairs"), *asked, *given]) == 0
    told = json.loads((tmp_path / "results/results.json").read_text(encoding="utf-8"))
    for pair in told["pairs"]:
        why, lines = pair["not_run"].get("ninasr_b0"), pair["id"].startswith("lines/")
        score = pair["scores"]["nm"]["ninasr_b0"]["rmse"]
        assert lines == (score["value"] is None) == bool(why)
        if lines:
            assert "makes 4x along both axes" in why and why in score["reason"]
    page = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    assert "Not run on 2 line scans: NinaSR-B0; ninasr_b0 makes 4x along both axes" in page
    assert "128 x 32 with NinaSR-B0" not in page
    left_out = find_scenes(tmp_path / "results", ("bicubic", "ninasr_b0")).left_out
    assert set(left_out) == {"lines/typical-0001", "lines/typical-0002"}
    assert all("makes 4x along both axes" in why for why in left_out.values())


def test_lines_that_run_down_are_scored_as_those_that_run_across(
    folder: Path, tmp_path: Path
) -> None:
    for side in ("lines", "high"):
        trace, retrace = io.read(folder / "pairs" / f"typical-0001_{side}.gwy")
        both = [one.turned().replace(title=one.title) for one in (trace, retrace)]
        with (tmp_path / f"{side}.gwy").open("wb") as file:
            io.GwyFile.new(both).write_to(file, f"{side}.gwy")
    home = folder / "pairs"
    pairs = (
        Pair("across", home / "typical-0001_lines.gwy", home / "typical-0001_high.gwy"),
        Pair("down", tmp_path / "lines.gwy", tmp_path / "high.gwy"),
    )
    evaluator = Evaluator(EvaluationSettings(METHODS, level="plane+rows-median"))
    across, down = (evaluator(pair).record for pair in pairs)
    assert (across["scale"], down["scale"]) == ("1x4", "4x1")
    for metric in ("rmse", "ssim_nm", "psd_fine", "sal", "hills", "streaks_low"):
        one, other = (
            record["scores"]["nm"]["bicubic"][metric]["value"] for record in (across, down)
        )
        assert (one is None) == (other is None)
        if one is not None:
            assert other == pytest.approx(one, rel=0.03), metric
    noise = [record["trust"]["truth"]["noise"] for record in (across, down)]
    assert noise[1] == pytest.approx(noise[0], rel=0.02)
    detail = [record["trust"]["detail"]["methods"]["bicubic"] for record in (across, down)]
    assert detail[1]["sigma"] == pytest.approx(detail[0]["sigma"], rel=0.02)
