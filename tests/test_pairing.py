"""Pairing: by name or list, never by order; what stays alone is listed, what is wrong, named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.errors import PairError, UnreadableFileError
from afmsr_core.pairing import check_pair, find_pairs


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def listed(folder: Path, text: str) -> Path:
    made(folder, "1.gwy", "2.gwy", "3.gwy", "4.gwy")
    (folder / "pairs.csv").write_text(text, encoding="utf-8")
    return folder


def ids(folder: Path, **options: Any) -> list[str]:
    return [pair.id for pair in find_pairs(folder, **options).pairs]


def unpaired(folder: Path) -> dict[str, str]:
    return {
        one.path.relative_to(folder).as_posix(): one.reason for one in find_pairs(folder).unpaired
    }


# --- by name -------------------------------------------------------------------------------


def test_names_with_low_and_high(tmp_path: Path) -> None:
    made(tmp_path, "b_HIGH.gwy", "b_Low.spm", "a_low.gwy", "a_high.gwy", "notes.txt", "a.png")
    found = find_pairs(tmp_path, channel="Height")
    assert [(p.id, p.low.name, p.high.name) for p in found.pairs] == [
        ("a", "a_low.gwy", "a_high.gwy"),
        ("b", "b_Low.spm", "b_HIGH.gwy"),
    ]
    assert {p.channel for p in found.pairs} == {"Height"} and found.unpaired == ()


def test_folders_low_and_high(tmp_path: Path) -> None:
    made(tmp_path, "low/1.gwy", "high/1.ibw", "low/2.gwy", "High/3.gwy")
    assert ids(tmp_path) == ["1"]
    assert list(unpaired(tmp_path)) == ["High/3.gwy", "low/2.gwy"]
    assert "no 2.* in the folder high" in unpaired(tmp_path)["low/2.gwy"]


def test_scans_of_lines_are_a_data_set_beside_square_ones_of_the_same_truth(tmp_path: Path) -> None:
    made(
        tmp_path,
        *("a_low.gwy", "a_lines.gwy", "a_high.gwy", "b_Lines.gwy", "b_high.gwy", "c_lines.gwy"),
        *("steel/low/1.gwy", "steel/lines/1.gwy", "steel/high/1.gwy", "truth/a.gwy"),
    )
    found = {pair.id: pair for pair in find_pairs(tmp_path).pairs}
    assert {name: (pair.data_set, pair.low.name) for name, pair in found.items()} == {
        "a": ("", "a_low.gwy"),
        "lines/a": ("lines", "a_lines.gwy"),
        "lines/b": ("lines", "b_Lines.gwy"),
        "steel/1": ("steel", "1.gwy"),
        "steel/lines/1": ("steel/lines", "1.gwy"),
    }
    assert found["a"].high == found["lines/a"].high and found["a"].exact
    assert found["a"].exact == found["lines/a"].exact
    assert found["steel/lines/1"].low.parent.name == "lines"
    assert unpaired(tmp_path) == {"c_lines.gwy": "no partner: there is no c_high.* beside it"}


def test_sub_folders_are_data_sets(tmp_path: Path) -> None:
    made(
        tmp_path,
        *("Celgard/1_low.gwy", "Celgard/1_high.gwy", "titanium/low/1.gwy", "titanium/high/1.gwy"),
        *("deep/er/x_low.gwy", "deep/er/x_high.gwy", "top_low.gwy", "top_high.gwy"),
    )
    found = find_pairs(tmp_path)
    assert {pair.id: pair.data_set for pair in found.pairs} == {
        "Celgard/1": "Celgard",
        "titanium/1": "titanium",
        "deep/er/x": "deep/er",
        "top": "",
    }
    assert set(found.data_sets) == {"", "Celgard", "titanium", "deep/er"}


def test_order_never_pairs(tmp_path: Path) -> None:
    made(tmp_path, "low/a.gwy", "low/b.gwy", "high/c.gwy", "high/d.gwy")
    found = find_pairs(tmp_path)
    assert found.pairs == () and len(found.unpaired) == 4


def test_two_that_could_be_the_same_side_are_ambiguous(tmp_path: Path) -> None:
    made(tmp_path, "a_low.gwy", "a_low.gsf", "a_high.gwy", "b_low.gwy", "b_high.gwy")
    assert ids(tmp_path) == ["b"]
    reasons = unpaired(tmp_path)
    assert list(reasons) == ["a_high.gwy", "a_low.gsf", "a_low.gwy"]
    assert all("ambiguous: a_low.gsf and a_low.gwy" in reason for reason in reasons.values())


def test_a_missing_partner_and_a_name_that_says_nothing(tmp_path: Path) -> None:
    made(tmp_path, "a_low.gwy", "b_high.gwy", "scan.gwy")
    reasons = unpaired(tmp_path)
    assert "there is no a_high.*" in reasons["a_low.gwy"]
    assert "there is no b_low.*" in reasons["b_high.gwy"]
    assert "rename it" in reasons["scan.gwy"]


def test_companions_and_hidden_files_are_no_scans(tmp_path: Path) -> None:
    made(tmp_path, "a_low.npy", "a_low.json", "a_high.npy", "a_high.mask.npy", ".a_low.gwy")
    assert ids(tmp_path) == ["a"] and unpaired(tmp_path) == {}


def test_links_in_a_circle_are_unpaired(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("id,low,high\n")
    (tmp_path / "a.gwy").symlink_to("b.gwy")
    (tmp_path / "b.gwy").symlink_to("a.gwy")
    assert sorted(unpaired(tmp_path)) == ["a.gwy", "b.gwy"]


@pytest.mark.parametrize("name", ["absent", "file.gwy"])
def test_a_folder_that_is_none(tmp_path: Path, name: str) -> None:
    made(tmp_path, "file.gwy")
    with pytest.raises(UnreadableFileError, match="give a folder"):
        find_pairs(tmp_path / name)


def test_an_empty_folder_has_no_pairs(tmp_path: Path) -> None:
    assert find_pairs(tmp_path).pairs == ()


# --- by list -------------------------------------------------------------------------------


def test_a_list_says_everything(tmp_path: Path) -> None:
    text = "id,low,high,channel,Data_Set\nz,1.gwy,2.gwy,Height,Celgard\n\na,3.gwy,4.gwy,,\n"
    found = find_pairs(listed(tmp_path, text), channel="0")
    assert [(p.id, p.low.name, p.channel, p.data_set) for p in found.pairs] == [
        ("z", "1.gwy", "Height", "Celgard"),
        ("a", "3.gwy", "0", ""),
    ]
    assert find_pairs(tmp_path / "pairs.csv", channel="0").pairs == found.pairs


def test_a_spreadsheets_list_is_read(tmp_path: Path) -> None:
    listed(tmp_path, "")
    (tmp_path / "pairs.csv").write_bytes(b"\xef\xbb\xbfID;Low;High\r\n1;1.gwy;2.gwy\r\n")
    assert ids(tmp_path) == ["1"]


def test_what_the_list_does_not_name_is_unpaired(tmp_path: Path) -> None:
    listed(tmp_path, "id,low,high\n1,1.gwy,2.gwy\n")
    assert list(unpaired(tmp_path)) == ["3.gwy", "4.gwy"]


@pytest.mark.parametrize("home", ["results/", "a/b/results/", ""])
def test_results_among_the_pairs_are_no_pairs(tmp_path: Path, home: str) -> None:
    made(tmp_path, "a_low.gwy", "a_high.gwy", "a/b/c_low.gwy", "a/b/c_high.gwy")
    written = "settings.json", "results.json", "pairs/0001.npz", "tables/pairs.csv"
    made(tmp_path, *(home + name for name in written))
    assert ids(tmp_path) == ["a", "a/b/c"]
    if home:
        assert unpaired(tmp_path) == {}
        (tmp_path / home / "results.json").unlink()  # simulated pairs have settings too
        with pytest.raises(PairError, match=r"pairs\.csv, line 1: found the columns x"):
            find_pairs(tmp_path)


def test_a_list_in_a_sub_folder_speaks_for_that_folder(tmp_path: Path) -> None:
    listed(tmp_path / "one", "id,low,high\n1,1.gwy,2.gwy\n2,3.gwy,4.gwy\n")
    made(tmp_path, "two/a_low.gwy", "two/a_high.gwy")
    found = find_pairs(tmp_path)
    assert {(p.id, p.data_set) for p in found.pairs} == {
        ("1", "one"),
        ("2", "one"),
        ("two/a", "two"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"line 1: .*must name id, low, high"),
        ("id,low\n", r"line 1: .*must name"),
        ("id,low,high,colour\n", r"line 1: found the columns id, low, high, colour"),
        ("id,low,high\n1,1.gwy,2.gwy\n1,3.gwy,4.gwy\n", r"line 3: id '1' is already .* line 2"),
        ("id,low,high\n1,1.gwy\n", r"line 2: 2 columns"),
        ("id,low,high\n\n1,,2.gwy\n", r"line 3: the column 'low' is empty"),
        ("id,low,high\n1,1.gwy,9.gwy\n", r"line 2: the high scan '9.gwy' does not exist"),
        ("id,low,high\n1,1.gwy,.\n", r"line 2: the high scan '.' is no file"),
        ("id,low,high\n1,1.gwy,./1.gwy\n", r"line 2: low and high are the same file"),
    ],
)
def test_faults_of_a_list_are_named_with_the_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PairError, match=words):
        find_pairs(listed(tmp_path, text))


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    listed(tmp_path, "")
    (tmp_path / "pairs.csv").write_bytes(b"id,low,high\n\xff\xfe,1.gwy,2.gwy\n")
    with pytest.raises(PairError, match="UTF-8"):
        find_pairs(tmp_path)


def test_the_same_id_in_two_lists(tmp_path: Path) -> None:
    for name in ("one", "two"):
        listed(tmp_path / name, "id,low,high\n1,1.gwy,2.gwy\n")
    with pytest.raises(PairError, match="1: this id stands for"):
        find_pairs(tmp_path)


# --- the channels --------------------------------------------------------------------------

FINE = np.random.default_rng(0).normal(size=(64, 64))
HIGH = Channel(FINE, 100.0, 100.0, title="high")
LOW = Channel(FINE[::4, ::4], 100.0, 100.0, title="low")


def test_a_sound_pair_passes() -> None:
    check_pair(LOW, HIGH)
    check_pair(LOW.replace(xreal=108.0), HIGH)  # scanners are calibrated to some percent


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (HIGH, LOW, "the pair is swapped"),
        (HIGH, HIGH, "both have 64 x 64 pixels"),
        (LOW.replace(unit="V"), HIGH, "unit is 'V' in one and 'nm' in the other"),
        (LOW.replace(lateral_unit="s"), HIGH, "lateral unit is 's'"),
        (LOW.replace(xreal=120.0), HIGH, "different areas, the width is 120 nm and 100 nm"),
        (LOW.replace(yreal=50.0), HIGH, "different areas, the height"),
        (LOW.replace(heights=np.ones((16, 16))), HIGH, "all heights are 1 nm"),
        (LOW, HIGH.replace(heights=np.zeros((64, 64))), "all heights are 0 nm"),
        (LOW.replace(heights=np.full((16, 16), np.nan)), HIGH, "100% of the pixels hold no"),
        (LOW.replace(heights=FINE[:7, :7]), HIGH, "7 x 7 pixels are too few"),
        (LOW.replace(heights=FINE[:8, :65].repeat(2, 1)), HIGH, "more in one direction"),
    ],
)
def test_what_cannot_be_a_pair_is_named(low: Channel, high: Channel, words: str) -> None:
    with pytest.raises(PairError, match=words):
        check_pair(low, high)


def test_the_tolerance_is_a_choice() -> None:
    with pytest.raises(PairError, match="more than 1% apart"):
        check_pair(LOW.replace(xreal=102.0), HIGH, size_tolerance=0.01)


def test_an_exact_surface_belongs_to_the_pair_of_its_name_in_every_layout(tmp_path: Path) -> None:
    names = ("a_low.gwy", "a_high.gwy", "truth/a.gwy", "truth/b.gwy")
    folders = ("set/low/c.gwy", "set/high/c.gwy", "set/truth/C.gwy")
    for name in (*names, *folders):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_pairs(tmp_path)
    assert {pair.id: pair.exact for pair in found.pairs} == {
        "a": tmp_path / "truth/a.gwy", "set/c": tmp_path / "set/truth/C.gwy",
    }  # fmt: skip
    assert not found.unpaired  # the exact surface of no pair is nobody's scan
    listed = tmp_path / "pairs.csv"
    listed.write_text("id,low,high\na,a_low.gwy,a_high.gwy\n")
    for given in (listed, tmp_path):
        one = next(pair for pair in find_pairs(given).pairs if pair.id == "a")
        assert one.exact == tmp_path / "truth/a.gwy"
