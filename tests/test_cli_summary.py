"""A run as a table: a line a channel, with numbers that are those of --json."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import afmsr
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair

SIDE = 48


def scan(seed: int, title: str = "Height", unit: str = "nm") -> Channel:
    heights = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).cumsum(axis=1)
    return Channel(heights, 2000.0, 2000.0, title=title, unit=unit)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scans")
    io.write(made / "a.gwy", [scan(1), scan(2, "Retrace, second")])
    (made / "b.gwy").write_bytes(b"broken")
    io.write(made / "c.gwy", [scan(3)])
    return made


def upscale(folder: Path, out: Path, *options: object) -> int:
    always = ["-o", str(out), "--method", "bicubic", "--all-channels", "--quiet"]
    return main(["upscale", str(folder), *always, *map(str, options)])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_line_a_channel_with_the_numbers_of_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "results.csv"
    assert upscale(folder, tmp_path / "out", "--summary", table, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    rows = rows_of(table)
    assert [(Path(row["file"]).name, row["channel"], row["status"]) for row in rows] == [
        ("a.gwy", "0", "done"), ("a.gwy", "1", "done"), ("b.gwy", "", "failed"),
        ("c.gwy", "0", "done"),
    ]  # fmt: skip
    assert rows[1]["title"] == "Retrace, second" and rows[1]["result"].endswith("out/a_x4.gwy")
    assert "of no format that we know" in rows[2]["error"] and not rows[2]["result"]
    of_json = told[0]["channels"][1]
    for head, value in {
        "noise (nm)": of_json["parameters"]["quality"]["noise_floor"],
        "Sa of scan (nm)": of_json["parameters"]["scan"]["Sa"],
        "Sq of result (nm)": of_json["parameters"]["result"]["Sq"],
        "Sdq of result (nm/nm)": of_json["parameters"]["result"]["Sdq"],
        "grains of scan": of_json["parameters"]["scan"]["hills"]["count"],
        "mean grain diameter of result (nm)": of_json["parameters"]["result"]["hills"]["diameter"],
        "expected error (% of Sq)": 100 * of_json["coarseness"]["expected_error"],
        "width (nm)": 2000.0,
    }.items():
        assert float(rows[1][head]) == pytest.approx(value, rel=1e-5), head
    assert rows[1]["verdict"] == of_json["coarseness"]["verdict"]
    judged = [one["coarseness"] for each in (told[0], told[2]) for one in each["channels"]]
    for row, found in zip([*rows[:2], rows[3]], judged, strict=True):
        assert (row["advised pixels"] == "") == (not found["more_pixels_help"])
        noisy = not found["more_pixels_help"] and found["verdict"] != "fine"
        assert noisy == ("noise" in found["advice"])
    assert "learnt for afm" in of_json["parameters"]["full_scan"]["reason"]
    assert not any(value for head, value in rows[1].items() if "full scan" in head)
    settings = json.loads(rows[1]["settings"])
    assert settings["method"] == rows[1]["method"] == "bicubic"
    assert rows[1]["scale"] == "4"
    assert rows[1]["afmsr"] == afmsr.__version__
    assert upscale(folder, tmp_path / "more", "--summary", tmp_path / "two.csv", "--jobs", 2) == 1
    for one, other in zip(rows, rows_of(tmp_path / "two.csv"), strict=True):
        assert {**one, "result": ""} == {**other, "result": ""}


def test_what_a_full_scan_would_give_has_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(example_pair()[0], tmp_path / "a.gwy")
    table = tmp_path / "t.csv"
    asked = ["upscale", str(tmp_path / "a.gwy"), "--summary", str(table), "--json", "--seed", "3"]
    assert main(asked) == 0
    (channel,) = json.loads(capsys.readouterr().out)[0]["channels"]
    (row,) = rows_of(table)
    full = channel["parameters"]["full_scan"]
    assert full["seed"] == 3
    for name, head in {
        "Sdq": "Sdq of full scan, {} (nm/nm)",
        "Sdr": "Sdr of full scan, {} (%)",
        "S10z": "S10z of full scan, {} (nm)",
        "Sal": "Sal of full scan, {} (nm)",
        "hills.count": "grains of full scan, {}",
        "hills.diameter": "mean grain diameter of full scan, {} (nm)",
        "dales.count": "pores of full scan, {}",
        "dales.diameter": "mean pore diameter of full scan, {} (nm)",
    }.items():
        for end in ("median", "low", "high"):
            value = full["numbers"][name][end]
            assert float(row[head.format(end)]) == pytest.approx(value, rel=1e-5), head
    for of in ("scan", "result"):
        for name in ("S10z", "Sal"):
            value = channel["parameters"][of][name]
            assert float(row[f"{name} of {of} (nm)"]) == pytest.approx(value, rel=1e-5)


def test_a_run_that_goes_on_keeps_what_the_table_says(folder: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out", tmp_path / "results.csv"
    assert upscale(folder, out, "--summary", table) == 1
    before = table.read_text()
    (out / "c_x4.gwy").unlink()
    assert upscale(folder, out, "--summary", table, "--resume") == 1
    assert table.read_text() == before  # lines of a.gwy are kept, of c.gwy made again
    (out / "c_x4.gwy").unlink()
    table.unlink()
    assert upscale(folder, out, "--summary", table, "--resume") == 1
    assert [row["status"] for row in rows_of(table)] == ["skipped", "failed", "done"]


def test_heads_name_a_unit_where_there_is_one(tmp_path: Path) -> None:
    io.write(tmp_path / "in.gwy", [scan(1), scan(2, "Phase", "deg")])
    records = afmsr.upscale_many(
        tmp_path / "in.gwy", method="bicubic", all_channels=True, summary=tmp_path / "s.csv"
    )
    assert [record.status for record in records] == ["done"]
    rows = rows_of(tmp_path / "s.csv")
    assert [row["unit"] for row in rows] == ["nm", "deg"]
    assert "Sa of scan (unit)" in rows[0] and "Sdq of scan (unit/nm)" in rows[0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("there.csv", "exists already"),
        ("s.txt", "s.txt: the name must end with .csv"),
        ("no/s.csv", "no folder"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_first(
    name: str, says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    assert upscale(folder, tmp_path / "out", "--summary", tmp_path / name) == 2
    told = capsys.readouterr().err
    assert says in told and "-o " not in told and not (tmp_path / "out").exists()
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert upscale(folder, tmp_path / "out", "--summary", tmp_path / "s.csv", "--dry-run") == 1
    assert not (tmp_path / "s.csv").exists()
