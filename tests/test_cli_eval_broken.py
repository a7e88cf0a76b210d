"""Every broken folder gets the message that its owner needs, and the right exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import SIDE, coarse, surface, write_pair

import afmsr_core.report
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel

FAST = ("--quiet", "--methods", "bicubic", "--protocol", "nm")


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afmsr_core.report, "write_report", lambda folder: folder / "report.html")


def good(folder: Path, name: str = "good") -> None:
    write_pair(folder, name, coarse(surface(1)), surface(1))


def pair_of(low: Callable[[], np.ndarray], high: Callable[[], np.ndarray]) -> Callable[..., None]:
    return lambda folder: write_pair(folder, "bad", low(), high(), suffix=".npy") and None


def scan(path: Path, heights: np.ndarray, size: float = 1000.0, unit: str = "nm") -> None:
    io.write(path, Channel(heights, size, size, unit=unit, title="Height"), force=True)


def fine() -> np.ndarray:
    return surface(1)


def low() -> np.ndarray:
    return coarse(surface(1))


def other_area(folder: Path) -> None:
    scan(folder / "bad_low.gwy", low(), 5000.0)
    scan(folder / "bad_high.gwy", fine(), 3000.0)


def other_unit(folder: Path) -> None:
    scan(folder / "bad_low.gwy", low())
    scan(folder / "bad_high.gwy", fine(), unit="V")


def empty_file(folder: Path) -> None:
    scan(folder / "bad_high.gwy", fine())
    (folder / "bad_low.gwy").write_bytes(b"")


def cut_short(folder: Path) -> None:
    write_pair(folder, "bad", low(), fine())
    path = folder / "bad_high.gwy"
    path.write_bytes(path.read_bytes()[:3000])


def another_format(folder: Path) -> None:
    scan(folder / "bad_high.gwy", fine())
    (folder / "bad_low.gwy").write_text("Dear diary")


def no_sidecar(folder: Path) -> None:
    scan(folder / "bad_high.gwy", fine())
    np.save(folder / "bad_low.npy", low())


def link_to_nothing(folder: Path) -> None:
    scan(folder / "bad_high.gwy", fine())
    (folder / "bad_low.gwy").symlink_to(folder / "absent.gwy")


def parabola() -> np.ndarray:
    return 1e-3 * np.square(np.arange(SIDE) - SIDE / 2) + np.zeros((SIDE, 1))


def noise(seed: int, side: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(side, side))


ONE_BAD_PAIR: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "empty file": (empty_file, "failed", "bad_low.gwy"),
    "cut short": (cut_short, "failed", "bad_high.gwy"),
    "another format": (another_format, "failed", "bad_low.gwy"),
    "no sidecar": (no_sidecar, "failed", "put a file bad_low.json beside it"),
    "link to nothing": (link_to_nothing, "failed", "there is no such file"),
    "different areas": (other_area, "rejected", "different areas"),
    "mixed units": (other_unit, "failed", "no channel with heights; it holds 0 'Height' (V)"),
    "swapped": (pair_of(fine, low), "rejected", "the pair is swapped"),
    "same resolution": (pair_of(fine, fine), "rejected", "both have 128 x 128 pixels"),
    "other surface": (
        pair_of(low, lambda: surface(99)), "rejected", "check that both show the same area"
    ),
    "no features": (
        pair_of(lambda: coarse(parabola()), parabola), "rejected", "could not be aligned"
    ),
    "only noise": (
        pair_of(lambda: noise(1, 32), lambda: noise(2, 128)), "rejected", "could not be aligned"
    ),
    "constant": (
        pair_of(low, lambda: np.full((128, 128), 3.0)), "rejected", "all heights are 3 nm"
    ),
    "constant once levelled": (
        pair_of(low, lambda: np.add.outer(np.arange(128.0), np.arange(128.0))),
        "rejected", "",
    ),
    "NaN": (
        pair_of(low, lambda: np.full((128, 128), np.nan)), "rejected", "hold no value (NaN)"
    ),
    "mostly NaN": (
        pair_of(lambda: np.where(np.arange(32) < 20, np.nan, low()), fine),
        "rejected", "at most 50% may",
    ),
    "4 px": (
        pair_of(lambda: low()[:4, :4], lambda: fine()[:16, :16]), "rejected", "pixels are too few"
    ),
    "8 px": (pair_of(lambda: low()[:8, :8], lambda: fine()[:32, :32]), "rejected", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_BAD_PAIR, ids=str)
def test_one_bad_pair_is_named_and_does_not_stop_the_rest(
    tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, status, words = ONE_BAD_PAIR[case]
    folder = tmp_path / "pairs"
    good(folder)
    spoil(folder)
    assert main(["eval", str(folder), *FAST]) == 1
    told = capsys.readouterr()
    line = next(one for one in told.err.splitlines() if one.startswith("afmsr-eval: bad"))
    assert line.startswith(f"afmsr-eval: bad {status}: ") and words in line, line
    assert "Traceback" not in told.err and "fault of afmsr" not in told.err
    assert "1 pair scored, 1 not" in told.out
    records = json.loads((tmp_path / "pairs-results" / "results.json").read_text())["pairs"]
    assert {one["id"]: one["status"] for one in records} == {"good": "scored", "bad": status}


def test_a_wrong_channel_fails_every_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good(tmp_path / "pairs")
    assert main(["eval", str(tmp_path / "pairs"), *FAST, "--channel", "Phase"]) == 1
    told = capsys.readouterr().err
    assert "good failed" in told and "Phase" in told and "Height" in told


def test_a_channel_of_mixed_units_rejects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs").mkdir()
    other_unit(tmp_path / "pairs")
    assert main(["eval", str(tmp_path / "pairs"), *FAST, "--channel", "Height"]) == 1
    assert "the unit is 'nm' in one and 'V' in the other" in capsys.readouterr().err


def test_a_crop_larger_than_the_scans_rejects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good(tmp_path / "pairs")
    assert main(["eval", str(tmp_path / "pairs"), *FAST, "--crop", "370"]) == 1
    assert "smaller than --crop 370" in capsys.readouterr().err


# --- the folder itself -------------------------------------------------------------------


def test_a_file_without_a_partner_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pairs"
    good(folder)
    (folder / "good_high.gwy").rename(folder / "godo_high.gwy")
    assert main(["eval", str(folder), *FAST]) == 3
    told = capsys.readouterr().err
    assert "there is no good_high.*" in told and "there is no godo_low.*" in told
    assert "no pairs in" in told and not (tmp_path / "pairs-results").exists()
    good(folder, "other")
    assert main(["eval", str(folder), *FAST]) == 0
    assert "there is no good_high.*" in capsys.readouterr().err


def test_a_folder_without_scans_is_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "notes.txt").write_text("nothing here")
    assert main(["eval", str(tmp_path / "pairs"), *FAST]) == 3
    assert main(["eval", str(tmp_path / "pairs"), *FAST, "--dry-run"]) == 3
    assert "give a folder with NAME_low and NAME_high" in capsys.readouterr().err


def test_two_files_for_one_side_are_no_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pairs"
    good(folder)
    scan(folder / "good_low.gsf", low())
    assert main(["eval", str(folder), *FAST]) == 3
    assert "ambiguous" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("id,low,high\na,good_low.gwy,good_high.gwy\na,good_low.gwy,good_high.gwy", "line 3"),
        ("id,low,high\na,gone_low.gwy,good_high.gwy", "does not exist"),
        ("id,low,high\na,good_low.gwy,good_low.gwy", "are the same file"),
        ("low,high\ngood_low.gwy,good_high.gwy", "must name id, low, high"),
        ("", "must name id, low, high"),
    ],
    ids=["duplicate ids", "missing file", "same file", "no id", "empty"],
)
def test_a_list_that_contradicts_itself_is_told_with_its_line(
    tmp_path: Path, rows: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good(tmp_path / "pairs")
    (tmp_path / "pairs" / "pairs.csv").write_text(rows)
    assert main(["eval", str(tmp_path / "pairs"), *FAST]) == 1
    told = capsys.readouterr().err
    assert words in told and "pairs.csv" in told and "Traceback" not in told


@pytest.mark.parametrize("name", ["absent", "pairs/good_low.gwy"])
def test_what_is_no_folder_is_told(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good(tmp_path / "pairs")
    assert main(["eval", str(tmp_path / name), *FAST]) == 1
    assert "give a folder with NAME_low and NAME_high" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good(tmp_path / "pairs")
    (tmp_path / "taken").write_text("a file")
    assert main(["eval", str(tmp_path / "pairs"), *FAST, "-o", str(tmp_path / "taken")]) == 1
    told = capsys.readouterr().err
    assert "choose another folder with -o" in told and "Traceback" not in told
    assert (tmp_path / "taken").read_text() == "a file"
