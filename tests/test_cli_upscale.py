"""``afmsr upscale``: what goes in, what comes out, and what the exit status says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.io.results import META

GWYDDION = shutil.which("gwyddion")


def scan(seed: int = 0, title: str = "Height", number: int = 0, **changes: object) -> Channel:
    heights = np.random.default_rng(seed).normal(50, 20, (12, 20)).cumsum(axis=1)
    channel = Channel(heights, 2000.0, 900.0, xoff=-30.0, yoff=4.0, title=title, number=number)
    return channel.replace(**changes)


def save(path: Path, *channels: Channel) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write(path, channels or [scan()])
    return path


def run(*arguments: object) -> int:
    return main(["upscale", *map(str, arguments), "--threads", "1"])


def quick(*arguments: object) -> int:
    return run(*arguments, "--method", "bicubic")


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


# --- one file --------------------------------------------------------------------------------


def test_a_scan_gets_a_neighbour_with_one_channel_more(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((12, 20)) < 0.2
    source = save(tmp_path / "scan.gwy", scan(mask=mask), scan(1, "Phase", 1, unit="deg"))
    before = source.read_bytes()
    assert run(source) == 0
    assert files(tmp_path) == ["scan.gwy", "scan_x4.gwy"] and source.read_bytes() == before
    old, new = io.as_gwy(source), io.as_gwy(tmp_path / "scan_x4.gwy")
    assert (old.numbers, new.numbers) == ((0, 1), (0, 1, 2))
    for number in old.numbers:
        np.testing.assert_array_equal(new.channel(number).heights, old.channel(number).heights)
        assert new.title(number) == old.title(number) and new.log(number) == old.log(number)
    result, channel = new.channel(2), old.channel(0)
    assert result.title == "Height (x4 afm)" and result.heights.shape == (48, 80)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit"):
        assert getattr(result, name) == getattr(channel, name)
    assert result.heights.mean() == pytest.approx(channel.heights.mean(), rel=1e-12)
    np.testing.assert_array_equal(result.mask, np.kron(mask, np.ones((4, 4), bool)))


def test_log_and_metadata_tell_how_it_came_about(tmp_path: Path) -> None:
    source = save(tmp_path / "scan.gwy", scan(title="Höhe <1> & 2"))
    assert run(source, "--level", "plane+rows-median") == 0
    file = io.as_gwy(tmp_path / "scan_x4.gwy")
    names = [entry.partition("(")[0] for entry in file.log(1)]
    assert names == ["proc::afmsr_level", "proc::afmsr_level", "proc::afmsr_upscale"]
    assert 'method="afm"' in file.log(1)[-1] and "weights_sha256=" in file.log(1)[-1]
    text = file.meta(1)[META]
    assert not set("<>&") & set(text)  # Gwyddion shows it as markup
    steps = json.loads(text)
    assert [step["name"] for step in steps] == ["level", "level", "upscale"]
    assert steps[-1]["settings"]["level"] == "plane+rows-median"
    assert "mean moved by" in steps[-1]["effect"]


@pytest.mark.parametrize("suffix", [".npy", ".gsf"])
def test_other_formats_hold_the_result_alone(tmp_path: Path, suffix: str) -> None:
    source, target = save(tmp_path / "scan.gwy"), tmp_path / f"fine{suffix}"
    assert quick(source, "-o", target) == 0
    (result,) = io.read(target)
    assert quick(source) == 0
    same = io.as_gwy(tmp_path / "scan_x4.gwy").channel(1)
    np.testing.assert_allclose(result.heights, same.heights, rtol=1e-6)
    assert (result.title, result.unit) == ("Height (x4 bicubic)", "nm")
    assert (result.xreal, result.xoff) == pytest.approx((2000.0, -30.0))
    if suffix == ".npy":
        notes = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
        assert notes["history"][-1]["settings"]["method"] == "bicubic"
        assert notes["source"] == {"file": "scan.gwy", "channel": 0}


def test_any_input_format_becomes_a_gwy(tmp_path: Path) -> None:
    for suffix in (".gsf", ".npy"):
        source = save(tmp_path / f"scan{suffix[1:]}{suffix}")
        assert quick(source) == 0
        made = io.as_gwy(source.with_name(f"{source.stem}_x4.gwy"))
        assert [made.title(number) for number in made.numbers] == ["Height", "Height (x4 bicubic)"]


def test_a_preview_shows_scan_and_result_side_by_side(tmp_path: Path) -> None:
    source = save(tmp_path / "scan.gwy")
    assert quick(source, "--preview") == 0
    with Image.open(tmp_path / "scan_x4.png") as picture:
        assert picture.width == round(180 / 25.4 * 200)
        assert picture.text["Title"] == "Height, Height (x4 bicubic)"
        told = "Colours span 0.5 to 99.5 % of the heights. Less the least-squares plane."
        assert picture.text["Description"] == told
        row = np.asarray(picture)[picture.height // 2].mean(axis=1)
    dark = np.flatnonzero(row < 250)
    wide = [
        part for part in np.split(dark, np.flatnonzero(np.diff(dark) > 15) + 1) if len(part) > 300
    ]
    assert len(wide) == 2 and len(wide[0]) == pytest.approx(len(wide[1]), abs=80)


@pytest.mark.parametrize(
    "heights", [np.zeros((1, 1)), np.full((3, 9), 7.0), np.eye(5) * 1e-9, np.array([[1, np.nan]])]
)
def test_a_preview_of_any_field_is_written(tmp_path: Path, heights: np.ndarray) -> None:
    source = save(tmp_path / "a.npy", Channel(heights, 0.3, 5e7))
    assert quick(source, "--preview") == 0 and (tmp_path / "a_x4.png").stat().st_size > 60


# --- channels --------------------------------------------------------------------------------

CHANNELS = [
    scan(0, "Phase", 0, unit="deg"),
    scan(1, "Height (trace)", 1),
    scan(2, "Height (retrace)", 2),
    scan(3, "Current", 3, unit="A"),
]


@pytest.mark.parametrize(
    ("options", "titles"),
    [
        ((), ["Height (trace)"]),
        (("--channel", "0"), ["Phase"]),
        (("--channel", "current"), ["Current"]),
        (("--channel", "height*"), ["Height (trace)", "Height (retrace)"]),
        (("--channel", "3", "--channel", "Phase"), ["Current", "Phase"]),
        (("--channel", "1", "--channel", "height*"), ["Height (trace)", "Height (retrace)"]),
        (("--all-channels",), [channel.title for channel in CHANNELS]),
    ],
)
def test_channels_are_chosen(tmp_path: Path, options: Sequence[str], titles: list[str]) -> None:
    source = save(tmp_path / "scan.gwy", *CHANNELS)
    assert quick(source, *options) == 0
    made = io.as_gwy(tmp_path / "scan_x4.gwy")
    assert [made.title(number) for number in made.numbers[4:]] == [
        f"{title} (x4 bicubic)" for title in titles
    ]


def test_a_channel_that_is_missing_is_answered_with_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "scan.gwy", *CHANNELS)
    assert quick(source, "--channel", "adhesion") == 1
    assert "scan.gwy: no channel 'adhesion'; it holds 0 'Phase' (deg)" in capsys.readouterr().err
    assert files(tmp_path) == ["scan.gwy"]


def test_one_field_formats_refuse_several_channels(tmp_path: Path) -> None:
    source = save(tmp_path / "scan.gwy", *CHANNELS)
    assert quick(source, "--all-channels", "-o", tmp_path / "a.npy") == 1
    assert files(tmp_path) == ["scan.gwy"]


# --- several files ---------------------------------------------------------------------------


def test_below_a_folder_the_structure_is_kept(tmp_path: Path) -> None:
    for name in ("a.gwy", "deep/er/b.gwy", "deep/c.gsf", "größe und Ångström/d 1.gwy"):
        save(tmp_path / "scans" / name)
    single = save(tmp_path / "single file.gwy")
    assert quick(tmp_path / "scans", single, "-o", tmp_path / "out") == 0
    assert files(tmp_path / "out") == [
        "a_x4.gwy",
        "deep/c_x4.gwy",
        "deep/er/b_x4.gwy",
        "größe und Ångström/d 1_x4.gwy",
        "single file_x4.gwy",
    ]


def test_results_of_an_earlier_run_are_left_alone(tmp_path: Path) -> None:
    save(tmp_path / "a.gwy")
    save(tmp_path / "sub" / "b.gwy")
    assert quick(tmp_path, "--preview") == 0
    first = files(tmp_path)
    assert first == ["a.gwy", "a_x4.gwy", "a_x4.png", "sub/b.gwy", "sub/b_x4.gwy", "sub/b_x4.png"]
    assert quick(tmp_path, "--preview", "--force") == 0
    assert files(tmp_path) == first
    assert quick(tmp_path, "-o", tmp_path / "out") == 0
    assert files(tmp_path / "out") == ["a_x4.gwy", "sub/b_x4.gwy"]
    assert quick(tmp_path, "-o", tmp_path / "out", "--force") == 0
    assert files(tmp_path / "out") == ["a_x4.gwy", "sub/b_x4.gwy"]


def test_a_result_that_is_named_is_upscaled_again(tmp_path: Path) -> None:
    save(tmp_path / "a_x4.gwy")
    assert quick(tmp_path / "a_x4.gwy") == 0
    assert files(tmp_path) == ["a_x4.gwy", "a_x4_x4.gwy"]


def test_a_bad_file_is_named_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.gwy")
    (tmp_path / "b.gwy").write_bytes((tmp_path / "a.gwy").read_bytes()[:-9])
    (tmp_path / "c.dat").write_text("no scan")
    save(tmp_path / "d.gwy")
    assert quick(tmp_path, tmp_path / "absent.gwy", "-o", tmp_path / "out") == 1
    told = capsys.readouterr().err
    for name in ("b.gwy", "c.dat", "absent.gwy"):
        assert any(line.startswith("afmsr: ") and name in line for line in told.splitlines())
    assert "Traceback" not in told
    assert files(tmp_path / "out") == ["a_x4.gwy", "d_x4.gwy"]


def test_more_workers_give_the_same_heights(tmp_path: Path) -> None:
    for seed in range(3):
        save(tmp_path / "in" / f"{seed}.gwy", scan(seed))
    for jobs in ("1", "2"):
        arguments = ["upscale", str(tmp_path / "in"), "-o", str(tmp_path / jobs), "--jobs", jobs]
        done = subprocess.run(
            [sys.executable, "-m", "afmsr_cli.main", *arguments, "--json", "--quiet"],
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert [Path(r["input"]).name for r in json.loads(done.stdout)] == [
            *("0.gwy", "1.gwy", "2.gwy")
        ]
    for seed in range(3):
        alone, together = (
            io.as_gwy(tmp_path / jobs / f"{seed}_x4.gwy").channel(1) for jobs in ("1", "2")
        )
        assert alone.heights.tobytes() == together.heights.tobytes()


# --- what is said ----------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_and_tells_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "scan.gwy")
    assert quick(source, source, "--dry-run", "-o", tmp_path / "new", "--preview") == 0
    assert files(tmp_path) == ["scan.gwy"] and not (tmp_path / "new").exists()
    told, progress = capsys.readouterr()
    assert "scan_x4.gwy: Height to 80 x 48 px (bicubic)" in told
    assert progress == ""  # a terminal shows both: everything would stand there twice


def test_json_is_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = save(tmp_path / "ä.gwy"), tmp_path / "absent.gwy"
    assert quick(good, bad, "--json", "--preview", "--quiet") == 1
    done, failed = json.loads(capsys.readouterr().out)
    assert done["input"] == str(good) and done["output"] == str(tmp_path / "ä_x4.gwy")
    assert done["preview"] == str(tmp_path / "ä_x4.png")
    (channel,) = done["channels"]
    assert (channel["xres"], channel["yres"], channel["unit"]) == (80, 48, "nm")
    assert channel["history"][-1]["settings"]["method"] == "bicubic"
    assert failed["input"] == str(bad) and "absent.gwy" in failed["error"]


def test_quiet_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(save(tmp_path / "scan.gwy"), "--quiet", "--preview") == 0
    assert tuple(capfd.readouterr()) == ("", "")


def test_names_that_are_no_text_do_not_stop_it(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("file names are text here")
    save(tmp_path / "a.gwy").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gwy"))
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(tmp_path), "--dry-run"]
    done = subprocess.run(
        [*command, "--method", "bicubic"], env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert b"80 x 48 px" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    sources = [save(tmp_path / f"{'long name ' * 8}{n}.gwy") for n in range(2)]
    command = [sys.executable, "-m", "afmsr_cli.main", "upscale", *map(str, sources), "--json"]
    process = subprocess.Popen(
        [*command, "--dry-run", "--method", "bicubic", "--quiet"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


# --- real files, real Gwyddion ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method"),
    [("PTO_110_Virgin0001", "afm"), ("file_square", "bicubic"), ("file_landscape", "lanczos4")],
)
def test_real_scans_become_files_that_gwyddion_finds_sound(
    shared: Path, tmp_path: Path, name: str, method: str
) -> None:
    source = shared / "data" / "afm" / "originals" / "gwy" / f"{name}.gwy"
    target = tmp_path / "out.gwy"
    assert run(source, "-o", target, "--method", method) == 0
    old, new = io.as_gwy(source), io.as_gwy(target)
    assert new.numbers[: len(old.numbers)] == old.numbers and len(new.numbers) > len(old.numbers)
    for number in old.numbers:
        np.testing.assert_array_equal(new.channel(number).heights, old.channel(number).heights)
    result = new.channel(new.numbers[-1])
    first = io.select(old.channels())[0]
    assert result.title == f"{first.title} (x4 {method})"
    assert result.heights.mean() == pytest.approx(first.heights.mean(), rel=1e-9)
    if GWYDDION is None:
        pytest.skip("Gwyddion 2 is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    checked = subprocess.run(
        [GWYDDION, "--check", str(target)],
        env=environment | {"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
