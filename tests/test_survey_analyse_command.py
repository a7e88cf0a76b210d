"""``afmsr survey analyse | export | import``: from scores to a page, and to CSV and back."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from simulated_studies import empty_study, fill

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_cli.main import main
from afmsr_core.survey.study import Key, Study, key_path

EFFECTS = {"bicubic": -1.5, "rcan": 1.0, "my_method": 1.0}
EVIL = "<script>alert(1)</script> & more"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Key, Path]:
    folder = tmp_path_factory.mktemp("survey")
    study, key = empty_study(
        folder / "study", tuple(EFFECTS), repeats=1, catch=2, images=8, data_sets=2
    )
    fill(study, key, EFFECTS)
    study.store.comment("anna", study.sets[0].set, EVIL)
    assert main(["survey", "analyse", str(study.folder), "--resamples", "200"]) == 0
    return study, key, folder / "study-analysis"


class Tags(HTMLParser):
    """What a page is made of, and what it loads."""

    void = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.open += [tag] if tag not in self.void else []
        self.loads += [str(v) for k, v in attrs if k in ("src", "href") and v and v[0] != "#"]
        self.alts += [str(v) for k, v in attrs if k == "alt"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(made: tuple[Study, Key, Path]) -> None:
    page = (made[2] / "analysis.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == [] and page.count("<script>") == 1
    kinds = ("data:image/svg+xml;base64,", "data:,", "tables/", "https://doi.org/")
    assert all(one.startswith(kinds) for one in tags.loads)
    assert len(tags.alts) == 2 and all(tags.alts)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    for words in ("Krippendorff", "catch items", "shown twice", "cumulative logit model, p"):
        assert words in page


def test_the_tables_hold_the_numbers(made: tuple[Study, Key, Path]) -> None:
    study, key, folder = made
    names = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert names == {
        *("survey-scores", "survey-shares", "survey-data-sets", "survey-tests"),
        *("survey-pairs-fidelity", "survey-pairs-quality", "survey-agreement"),
        *("survey-raters", "survey-rater-means", "survey-repeats", "survey-catch"),
    }
    for name in names:
        for ending in ("md", "tex"):
            assert (folder / "tables" / f"{name}.{ending}").stat().st_size
    with (folder / "tables" / "survey-scores.csv").open() as file:
        rows = {row["Method"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["bicubic", "rcan", "my_method", "truth"]
    first = [
        one.score
        for one in study.store.scores()
        if one.question == "quality"
        and key.items[one.item].method == "rcan"
        and not key.items[one.item].repeat_of
    ]
    assert float(rows["rcan"]["quality mean"]) == pytest.approx(sum(first) / len(first), rel=1e-12)
    assert rows["rcan"]["quality n"] == str(len(first)) == "24"
    tex = (folder / "tables" / "survey-tests.tex").read_text()
    assert all(ord(sign) < 128 for sign in tex.replace("²", "")), "pdflatex knows ASCII"


def test_the_json_tells_how_it_was_made(made: tuple[Study, Key, Path]) -> None:
    study, key, folder = made
    found = json.loads((folder / "analysis.json").read_text())
    assert found["study"] == study.id and found["seed of the orders"] == key.seed
    assert found["settings"] == {"alpha": 0.05, "confidence": 0.95, "resamples": 200, "seed": 0}
    assert {"afmsr", "numpy", "scipy", "statsmodels"} <= set(found["versions"])
    assert re.fullmatch(r"[0-9a-f]{64}", found["sha256 of the scores"])
    questions = found["analysis"]["questions"]
    assert [one["question"] for one in questions] == ["fidelity", "quality"]
    assert found["answers"]["methods"] == ["bicubic", "rcan", "my_method"]


def test_again_gives_the_same_bytes(made: tuple[Study, Key, Path]) -> None:
    study, _, folder = made
    again = folder.with_name("again")
    key = str(key_path(study.folder))
    assert main(["survey", "analyse", str(study.folder), "-o", str(again), "--key", key,
                 "--resamples", "200"]) == 0  # fmt: skip
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 30
    assert [f for f in files if (folder / f).read_bytes() != (again / f).read_bytes()] == []


def test_nothing_that_unblinds_goes_where_raters_look(
    made: tuple[Study, Key, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    study = made[0]
    inside = str(study.folder / "result")
    for command in (["analyse"], ["export", "--with-methods"]):
        assert main(["survey", *command, str(study.folder), "-o", inside]) == 2
        assert "lies in the study folder, which raters may see" in capsys.readouterr().err
    assert not (study.folder / "result").exists()
    assert main(["survey", "export", str(study.folder)]) == 0
    assert "my_method" not in capsys.readouterr().out
    assert main(["survey", "export", str(study.folder), "--with-methods"]) == 0
    assert "my_method" in capsys.readouterr().out


def test_without_key_or_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, _ = empty_study(tmp_path / "study")
    folder = str(study.folder)
    assert main(["survey", "analyse", folder]) == 3
    assert "has no scores of results yet; send the raters" in capsys.readouterr().err
    assert main(["survey", "export", folder]) == 3
    key_path(study.folder).unlink()
    assert main(["survey", "analyse", folder]) == 1
    assert "give the key that afmsr survey build wrote, with --key" in capsys.readouterr().err
    assert main(["survey", "analyse", str(tmp_path / "none")]) == 1
    assert main(["survey", "analyse", folder, "--alpha", "2"]) == 2
    assert main(["survey", "export", folder, "--rater", "anna"]) == 2


def test_paper_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, _ = empty_study(tmp_path / "study")
    folder, form = str(study.folder), tmp_path / "form.csv"
    assert main(["survey", "export", folder, "--form", "--rater", "anna", "-o", str(form)]) == 0
    assert main(["survey", "export", folder, "--form", "-o", str(form)]) == 2  # exists
    typed = re.sub(r",,,$", ",4,3,", form.read_text(), flags=re.M)
    form.write_text(typed)
    assert main(["survey", "import", folder, str(form), "--dry-run"]) == 0
    assert study.store.scores() == []
    assert main(["survey", "import", folder, str(form)]) == 0
    assert "72 scores read, 72 new or changed, 0 cells empty" in capsys.readouterr().out
    assert {(one.question, one.score) for one in study.store.scores()} == {
        ("fidelity", 4),
        ("quality", 3),
    }
    form.write_text(typed.replace(",4,3,", ",5,9,", 1))
    assert main(["survey", "import", folder, str(form), "--force"]) == 1
    assert "line 2: quality is '9'" in capsys.readouterr().err
    assert 5 not in {one.score for one in study.store.scores()}  # all or nothing
