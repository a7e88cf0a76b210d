"""A report is written whatever is missing in the results, and the same every time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from reports import analyses_of, build, load, save

from afmsr_core.errors import CorruptFileError, UnreadableFileError, UnsupportedContentError
from afmsr_core.report import write_report


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small results folder without a report."""
    return build(
        tmp_path_factory.mktemp("template") / "results", 2, ("",), size=160, kept=1,
        methods=("bicubic", "lanczos4", "carn", "afm"), chosen=("psnr", "ma", "rmse", "sq"),
    )  # fmt: skip


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be changed."""
    return Path(shutil.copytree(template, tmp_path / "results"))


def test_the_same_results_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(small, other)
    for folder in (small, other):
        write_report(folder)
    files = [p.relative_to(small) for p in sorted(small.rglob("*")) if p.is_file()]
    assert len(files) > 20
    for path in files:
        assert (small / path).read_bytes() == (other / path).read_bytes(), path


# --- whatever is missing -----------------------------------------------------------------


def without_analyses(raw: dict[str, Any], folder: Path) -> None:
    raw["analyses"] = {}


def one_pair_only(raw: dict[str, Any], folder: Path) -> None:
    raw["pairs"] = raw["pairs"][:1]
    raw["analyses"] = analyses_of(raw["pairs"], ("psnr", "rmse"))


def all_failed(raw: dict[str, Any], folder: Path) -> None:
    raw["pairs"] = raw["pairs"][-2:]
    raw["analyses"] = {}


def no_fields(raw: dict[str, Any], folder: Path) -> None:
    shutil.rmtree(folder / "pairs")


def damaged_fields(raw: dict[str, Any], folder: Path) -> None:
    (folder / "pairs" / "0.npz").write_bytes(b"PK nothing")


def nearly_nothing(raw: dict[str, Any], folder: Path) -> None:
    for key in set(raw) - {"format"}:
        del raw[key]


def a_method_without_results(raw: dict[str, Any], folder: Path) -> None:
    for pair in raw["pairs"][:2]:
        for scores in pair["scores"].values():
            del scores["carn"]


def one_protocol(raw: dict[str, Any], folder: Path) -> None:
    for pair in raw["pairs"]:
        pair["scores"].pop("nm", None)


BROKEN = [without_analyses, one_pair_only, all_failed, no_fields, damaged_fields, nearly_nothing,
          a_method_without_results, one_protocol]  # fmt: skip


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_what_is_missing_is_no_error(harm: Any, small: Path) -> None:
    raw = load(small)
    harm(raw, small)
    save(small, raw)
    text = write_report(small).read_text(encoding="utf-8")
    told = re.sub(r'base64,[^"]*', "", text.partition("<script>")[0])
    assert "<h1>" in told and "nan" not in re.findall(r"\w+", told.lower())
    if harm is all_failed:
        assert "copy it again" in text and "No pair of this data set was scored" in text


def test_what_is_no_results_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="give a folder that afmsr-eval wrote"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(CorruptFileError, match="run afmsr-eval again"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"format": 99}')
    with pytest.raises(UnsupportedContentError, match="format 99"):
        write_report(tmp_path)
