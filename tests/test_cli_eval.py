"""``afmsr-eval``: pairs in, results out; a second run does only what has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import METHODS, coarse, surface, write_pair

import afmsr_core.report
from afmsr_cli.eval import _pays
from afmsr_cli.main import main
from afmsr_core.data import example_pair
from afmsr_core.errors import AfmsrError

FAST = ("--quiet", "--methods", ",".join(METHODS), "--protocol", "paper")
LIMIT_SECONDS = 5.0  # of processor time, for a run that has nothing to do


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "models"))
    for name in ("NIQE", "MA"):
        monkeypatch.delenv(f"AFMSR_{name}_PARAMETERS", raising=False)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Leave the report out, where it is not the point; return the folders that asked for one."""
    asked: list[Path] = []

    def write_report(folder: Path) -> Path:
        asked.append(folder)
        page = folder / "report.html"
        page.write_text("<html></html>")
        return page

    monkeypatch.setattr(afmsr_core.report, "write_report", write_report)
    return asked


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two pairs in a folder."""
    folder = tmp_path / "pairs"
    for seed in (1, 2):
        write_pair(folder, f"p{seed}", coarse(surface(seed)), surface(seed))
    return folder


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return found


def scores(folder: Path) -> dict[str, Any]:
    return {one["id"]: one["scores"] for one in results(folder)["pairs"]}


def stamps(folder: Path) -> dict[str, int]:
    return {path.name[:2]: path.stat().st_mtime_ns for path in folder.glob("pairs/*.json")}


# --- the whole way -----------------------------------------------------------------------


def test_the_shipped_example_from_files_to_report_and_again(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for path in example_pair():
        shutil.copy(path, folder)

    def run() -> tuple[str, float]:
        began = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "afmsr_cli.eval", str(folder), "--methods", "bicubic,afm"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        ended = os.times()  # on Windows without those of children: nothing is held then
        assert done.returncode == 0, done.stderr
        spent = sum(ended[2:4]) - sum(began[2:4])
        return done.stdout, spent

    told, _ = run()
    assert "1 pair scored, 0 not, 0 taken from an earlier run" in told
    output = tmp_path / "pairs-results"
    first = results(output)
    (pair,) = first["pairs"]
    ran = [one["name"] for one in first["methods"] if one["run"]]
    assert set(ran) == {"bicubic", "afm"}
    assert pair["alignment"]["residual_px"] < 0.5
    assert 20 < pair["scores"]["paper"]["bicubic"]["psnr"]["value"] < 50
    nm = pair["scores"]["nm"]
    assert nm["afm"]["rmse"]["value"] < nm["bicubic"]["rmse"]["value"] < 5
    with np.load(output / pair["fields"]) as fields:
        assert fields["afm"].shape == fields["high"].shape == tuple(pair["crop"][2:])
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "PSNR" in page and pair["id"] in page
    assert list(output.glob("tables/*.csv")) and list(output.glob("figures/*.svg"))

    before = {p: p.stat().st_mtime_ns for p in output.rglob("*") if p.name != "settings.json"}
    told, spent = run()
    assert "1 taken from an earlier run" in told
    assert spent < LIMIT_SECONDS
    assert results(output) == first
    after = {p: p.stat().st_mtime_ns for p in output.rglob("*") if p.name != "settings.json"}
    assert {p for p in before if p.is_file() and after.get(p) != before[p]} == set()


# --- only what changed -------------------------------------------------------------------


def test_names_that_are_not_utf_8_reach_the_report(tmp_path: Path) -> None:
    """Archives of old systems bring file names in Latin-1."""
    folder = tmp_path / "pairs"
    for seed in (1, 2):
        name = os.fsdecode(b"H\xf6he%d" % seed)
        try:
            write_pair(folder, name, coarse(surface(seed)), surface(seed))
        except AfmsrError:
            pytest.skip("this file system takes only UTF-8 names")
    assert main(["eval", str(folder), *FAST]) == 0
    done = folder.with_name("pairs-results")
    assert "H\\udcf6he1" in (done / "report.html").read_text(encoding="utf-8")
    assert "H\\udcf6he1" in (done / "tables" / "scores.csv").read_text(encoding="utf-8")
    assert {os.fsencode(pair["id"]) for pair in results(done)["pairs"]} == {
        b"H\xf6he1", b"H\xf6he2",
    }  # fmt: skip


def test_only_a_pair_that_changed_is_computed_again(pairs: Path, no_report: list[Path]) -> None:
    output = pairs.with_name("pairs-results")
    assert main(["eval", str(pairs), *FAST]) == 0
    first, written = scores(output), stamps(output)
    write_pair(pairs, "p2", coarse(surface(2)) + 0.01 * surface(5)[::4, ::4], surface(2))
    write_pair(pairs, "p3", coarse(surface(3)), surface(3))
    assert main(["eval", str(pairs), *FAST]) == 0
    second, again = scores(output), stamps(output)
    assert list(second) == ["p1", "p2", "p3"] and len(no_report) == 2
    assert second["p1"] == first["p1"] and again["p1"] == written["p1"]
    assert second["p2"] != first["p2"] and again["p2"] != written["p2"]


def test_statistics_and_report_follow_a_level_without_scoring_again(
    pairs: Path, no_report: list[Path]
) -> None:
    output = pairs.with_name("pairs-results")
    assert main(["eval", str(pairs), *FAST]) == 0
    written = stamps(output)
    (pairs / "afmsr-eval.toml").write_text("[statistics]\nalpha = 0.01\n")
    assert main(["eval", str(pairs), *FAST]) == 0
    assert stamps(output) == written and len(no_report) == 2
    assert results(output)["settings"]["statistics"]["alpha"] == 0.01


def test_another_method_or_setting_scores_again(pairs: Path, no_report: list[Path]) -> None:
    output = pairs.with_name("pairs-results")
    for path in pairs.glob("p2_*"):
        path.unlink()
    shared = (*FAST, "--align", "shared")
    assert main(["eval", str(pairs), *shared]) == 0
    first = scores(output)["p1"]["paper"]
    assert main(["eval", str(pairs), *shared, "--methods", "bilinear,bicubic,lanczos4"]) == 0
    more = scores(output)["p1"]["paper"]
    assert "lanczos4" in more and more["bicubic"] == first["bicubic"]
    assert main(["eval", str(pairs), *shared, "--peak", "reference"]) == 0
    other = scores(output)["p1"]["paper"]
    assert other["bicubic"]["psnr"]["details"]["peak_rule"] == "reference"
    assert other["bicubic"]["ssim"] == first["bicubic"]["ssim"]


def test_two_workers_give_the_same_numbers_as_one(pairs: Path, no_report: list[Path]) -> None:
    one, two = pairs.with_name("one"), pairs.with_name("two")
    assert main(["eval", str(pairs), *FAST, "-o", str(one)]) == 0
    assert main(["eval", str(pairs), *FAST, "-o", str(two), "--jobs", "2"]) == 0
    assert scores(one) == scores(two) and set(scores(one)) == {"p1", "p2"}


def test_results_within_the_folder_of_pairs_are_no_scans(
    pairs: Path, no_report: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["eval", str(pairs), *FAST, "-o", str(pairs / "out")]) == 0
    assert "not paired" not in capsys.readouterr().err
    assert results(pairs / "out")["unpaired"] == []


# --- choices -----------------------------------------------------------------------------


def test_the_file_of_options_counts_and_flags_win(
    pairs: Path, no_report: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / "afmsr-eval.toml").write_text(
        'methods = ["Bilinear", "bicubic"]\nprotocol = "nm"\ncrop = 100\nchannel = 0\n'
        '[alignment]\nratio = 0.7\nreprojection = 2.5\n[metrics]\npsnr_peak = "reference"\n'
        "[statistics]\nresamples = 200\n"
    )
    (pairs / "p2_low.gwy").unlink()
    flags = ("--crop", "96", "--ratio", "0.8", "--peak", "255", "--quiet")
    assert main(["eval", str(pairs), *flags]) == 0
    told = results(pairs.with_name("pairs-results"))["settings"]
    assert told["methods"] == ["bilinear", "bicubic"] and told["protocols"] == ["nm"]
    assert told["crop"] == 96 and told["metrics"]["psnr_peak"] == "255"
    for name in ("alignment", "paper_alignment"):
        assert told[name]["ratio"] == 0.8 and told[name]["reprojection"] == 2.5
    assert told["paper_alignment"]["refine"] == "none" and told["alignment"]["refine"] == "ecc"
    assert told["statistics"]["resamples"] == 200
    kept = json.loads((pairs.with_name("pairs-results") / "settings.json").read_text())
    assert kept == told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metods = 3", "no option is named 'metods'"),
        ("methods =", "afmsr-eval.toml"),
        ("methods = 3", "give names"),
        ('metrics = "psnr"', "give a table [metrics]"),
        ("level = 2", "put it between quotes"),
        ('crop = "many"', "crop 'many': give the side"),
        ('protocol = "bytes"', "choose paper or nm"),
        ("[alignment]\nratios = 1", "no setting is named 'ratios'"),
        ("[alignment]\ncrop = 90", "is the option crop"),
        ("[alignment]\nratio = 7", "ratio 7"),
        ("[statistics]\nalpha = 5", "alpha is 5"),
        ("[statistics]\nlevel = 5", "statistics:"),
        ("[statistics]\nmargins = 5", "statistics:"),
        ("[metrics]\npeak = 5", "no setting of a metric is called 'peak'"),
        ('[weights]\nnone = "x"', "none"),
    ],
)
def test_a_wrong_file_of_options_is_status_2(
    pairs: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / "afmsr-eval.toml").write_text(text)
    assert main(["eval", str(pairs)]) == 2
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told
    assert not pairs.with_name("pairs-results").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ("--jobs", "0"),
        ("--methods", "bicubi"),
        ("--level", "planes"),
        ("--crop", "0"),
        ("--ratio", "2"),
        ("--weights", "edsr"),
        ("--config", "absent.toml"),
    ],
    ids=" ".join,
)
def test_a_wrong_flag_is_status_2(pairs: Path, flags: tuple[str, ...]) -> None:
    assert main(["eval", str(pairs), *flags]) == 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_device_that_is_not_there_is_told_by_workers_too(
    pairs: Path, jobs: str, no_report: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--methods", "afm", "--device", "abacus", "--jobs", jobs, "--quiet")
    assert main(["eval", str(pairs), *flags]) == 2
    told = capsys.readouterr().err
    assert "abacus" in told and "worker process died" not in told


def test_a_method_asked_for_by_name_must_run(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(pairs), "--methods", "bicubic,rdn"]) == 4
    assert "rdn" in capsys.readouterr().err
    assert not pairs.with_name("pairs-results").exists()


def test_methods_that_cannot_run_are_listed_with_the_cure(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(pairs), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "not run: rdn: " in told and "methods: " in told
    assert "afm" in told.partition("methods: ")[2].splitlines()[0]


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pairs / "q_low.gwy").write_bytes(b"")
    before = sorted(pairs.parent.rglob("*"))
    assert main(["eval", str(pairs), *FAST, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "p1_low.gwy" in told and "p1_high.gwy" in told
    assert "not paired: " in told and "there is no q_high.*" in told
    assert "2 pairs, 1 file without a partner" in told and '"align": "protocol"' in told
    assert sorted(pairs.parent.rglob("*")) == before


def test_sub_folders_are_data_sets_and_a_list_may_be_named(
    tmp_path: Path, no_report: list[Path]
) -> None:
    for name, seed in (("celgard", 1), ("titanium", 2)):
        write_pair(tmp_path / "pairs" / name, "a", coarse(surface(seed)), surface(seed))
    assert main(["eval", str(tmp_path / "pairs"), *FAST]) == 0
    found = results(tmp_path / "pairs-results")
    assert list(found["analyses"]["paper"]) == ["celgard", "titanium"]
    listed = tmp_path / "pairs" / "celgard" / "pairs.csv"
    listed.write_text("id,low,high\nfirst,a_low.gwy,a_high.gwy\n")
    assert main(["eval", str(listed), *FAST]) == 0
    found = results(listed.with_name("pairs-results"))
    assert [one["id"] for one in found["pairs"]] == ["first"]


def test_the_folder_may_be_the_current_one(
    pairs: Path, no_report: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pairs / "p2_low.gwy").unlink()
    monkeypatch.chdir(pairs)
    assert main(["eval", ".", *FAST]) == 0
    assert (pairs.with_name("pairs-results") / "results.json").is_file()


@pytest.mark.parametrize(
    ("pairs", "names", "processes"),
    [(5, ("bicubic", "afm"), 1), (6, ("bicubic", "afm"), 2), (77, ("bicubic", "rcan"), 1)],
)
def test_a_second_process_where_it_pays(pairs: int, names: tuple[str, ...], processes: int) -> None:
    assert _pays(pairs, names) == processes
