"""``afmsr upscale``: what goes in, what comes out, and what the exit status says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

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


def test_a_preview_is_a_picture_of_the_result(tmp_path: Path) -> None:
    source = save(tmp_path / "scan.gwy")
    assert quick(source, "--preview") == 0
    picture = cv2.imdecode(np.fromfile(tmp_path / "scan_x4.png", np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] == 80 and picture.shape[0] >= 48 and picture.shape[2] == 3
    assert len(np.unique(picture[:48].reshape(-1, 3), axis=0)) > 20


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
    (tmp_path / "c.txt").write_text("no scan")
    save(tmp_path / "d.gwy")
    assert quick(tmp_path, tmp_path / "absent.gwy", "-o", tmp_path / "out") == 1
    told = capsys.readouterr().err
    for name in ("b.gwy", "c.txt", "absent.gwy"):
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
    assert quick(source, "--dry-run", "-o", tmp_path / "new", "--preview") == 2  # no suffix
    assert quick(source, source, "--dry-run", "-o", tmp_path / "new") == 0
    assert files(tmp_path) == ["scan.gwy"] and not (tmp_path / "new").exists()
    assert "scan_x4.gwy: Height to 80 x 48 px (bicubic)" in capsys.readouterr().out


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


# --- refusals: status 2, 3, 4 ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--method", "bicubik"), "Did you mean bicubic?"),
        (("--level", "plain"), "no step is called 'plain'"),
        (("--tile", "0"), "--tile 0: give a positive number"),
        (("--jobs", "-1"), "--jobs -1: give a positive number"),
        (("--threads", "0"), "--threads 0: give a positive number"),
        (("--device", "warp"), "--device warp: choose auto"),
        (("--method", "bicubic", "--weights", "x.pt"), "it has no weights"),
        (("--engine", "onnx", "--device", "cuda"), "the installed ONNX Runtime has cpu"),
        (("-o", "fine.tiff"), "the name must end with one of .gwy, .gsf, .npy"),
        (("-o", "scan.gwy"), "the output would replace the input"),
    ],
)
def test_usage_that_makes_no_sense_does_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: Sequence[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "scan.gwy")
    assert main(["upscale", "scan.gwy", *options]) == 2
    assert told in capsys.readouterr().err
    assert files(tmp_path) == ["scan.gwy"]


@pytest.mark.parametrize(
    "arguments", [(), ("a.gwy", "--no-such"), ("a.gwy", "--mask", "x"), ("a.gwy", "--jobs", "x"),
                  ("a.gwy", "--channel", "1", "--all-channels")]
)  # fmt: skip
def test_options_that_do_not_exist_are_refused(arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["upscale", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("scan_x4.gwy", ()),
        ("scan_x4.png", ("--preview",)),
        ("fine.npy", ("-o", "fine.npy")),
        ("fine.json", ("-o", "fine.npy")),
    ],
)
def test_an_existing_output_is_kept_unless_forced(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: Sequence[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("scan.gwy"))
    Path(name).write_text("mine")
    assert quick("scan.gwy", *options) == 2
    assert f"{name} exists already; --force overwrites" in capsys.readouterr().err
    assert files(tmp_path) == sorted([name, "scan.gwy"]) and Path(name).read_text() == "mine"
    assert quick("scan.gwy", *options, "--force") == 0
    assert Path(name).read_bytes() != b"mine"


def test_one_existing_output_stops_all(tmp_path: Path) -> None:
    save(tmp_path / "a.gwy")
    save(tmp_path / "b.gwy")
    (tmp_path / "b_x4.gwy").write_text("mine")
    assert quick(tmp_path / "a.gwy", tmp_path / "b.gwy") == 2
    assert files(tmp_path) == ["a.gwy", "b.gwy", "b_x4.gwy"]


def test_outputs_that_collide_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = save(tmp_path / "1" / "a.gwy"), save(tmp_path / "2" / "a.gwy")
    made = save(tmp_path / "1" / "a_x4.gwy")
    assert quick(one, two, "-o", tmp_path / "out") == 2
    assert "would both be written to" in capsys.readouterr().err
    assert quick(one, made, "--force") == 2
    assert f"would replace the input {made}" in capsys.readouterr().err
    assert quick(one, two, "-o", made, "--force") == 2
    assert "several inputs need a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_same_file_twice_is_one_job(tmp_path: Path) -> None:
    source = save(tmp_path / "sub" / "a.gwy")
    assert quick(source, tmp_path / "sub" / ".." / "sub" / "a.gwy", tmp_path) == 0
    assert files(tmp_path) == ["sub/a.gwy", "sub/a_x4.gwy"]


def test_nothing_to_do_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quick(tmp_path) == 3
    assert "no scans found" in capsys.readouterr().err


def test_missing_weights_are_status_4_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "models"))
    source = save(tmp_path / "scan.gwy")
    assert run(source, "--method", "carn") == 4
    assert "afmsr models fetch carn" in capsys.readouterr().err
    assert run(source, "--weights", tmp_path / "none.pt") == 4
    assert files(tmp_path) == ["scan.gwy"]


def test_a_missing_extra_is_status_4_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "torchsr", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(save(tmp_path / "scan.gwy"), "--method", "rdn") == 4
    assert "pip install 'afmsr[torch]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_or_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "scan.gwy")
    (tmp_path / "file").write_text("")
    assert quick(source, "-o", tmp_path / "file" / "x.gwy") == 1
    told = capsys.readouterr().err
    assert "scan.gwy: " in told and "file" in told and "Traceback" not in told
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        locked = Path("/proc")  # not even root may write there
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
    if locked.is_dir():
        assert quick(source, "-o", locked) == 1
        told = capsys.readouterr().err
        assert str(locked) in told and "Traceback" not in told
    assert files(tmp_path) == ["file", "scan.gwy"]


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
