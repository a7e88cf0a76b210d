"""File names that are not UTF-8 get through a whole survey: images, studies, tables, the page."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from surveys import write_images

from afmsr_cli.main import main
from afmsr_core.survey.build import build_study
from afmsr_core.survey.study import Score, Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    images = write_images(tmp_path / "images")
    try:
        (images / "sample 0").rename(images / os.fsdecode(b"sample \xb5"))  # a Latin-1 micro sign
        folder = tmp_path / os.fsdecode(b"study \xfe")
        folder.mkdir()
        folder.rmdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return build_study(images, folder, raters=("anna", "ben", "carl"), seed=7).study


def test_names_that_are_not_utf_8(study: Study, tmp_path: Path) -> None:
    scores = [
        Score(rater, one.set, item, question, 1 + (3 * n + place) % 6, 1.0, "2026-11-27")
        for n, rater in enumerate(study.store.raters())
        for place, one in enumerate(study.store.plan(rater))
        for item in one.items
        for question in study.questions
    ]
    assert study.add_scores(scores) == len(scores)
    assert len(Study.read(study.folder).store.scores()) == len(scores)
    for one in study.store.plan("anna"):
        study.store.comment("anna", one.set, "blurred")
    out = tmp_path / "analysis"
    command = ["survey", "analyse", str(study.folder), "-o", str(out), "--resamples", "100"]
    assert main(command) == 0
    (page,) = out.rglob("*.html")
    assert "sample \\udcb5" in page.read_text(encoding="utf-8")
    for table in out.rglob("*.json"):
        json.loads(table.read_text(encoding="utf-8"))
    table = tmp_path / "scores.csv"
    command = ["survey", "export", str(study.folder), "-o", str(table), "--with-methods"]
    assert main(command) == 0
    assert table.read_text(encoding="utf-8").count("sample \\udcb5") == len(scores) // 4
