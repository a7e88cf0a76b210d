"""``afmsr simulate`` writes pairs that ``afmsr-eval`` takes, and never half of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the extra `eval` is not installed")

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.pairing import find_pairs
from afmsr_core.pairing.pair import EXACT


def simulate(folder: Path, *options: str) -> int:
    return main(["simulate", "-o", str(folder), "--size", "64", "--quiet", *options])


def test_pairs_are_found_with_the_trace_first(tmp_path: Path) -> None:
    assert simulate(tmp_path, "--pairs", "2", "--seed", "7") == 0
    found = find_pairs(tmp_path)
    assert [pair.id for pair in found.pairs] == ["typical-0007", "typical-0008"]
    assert not found.unpaired
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    for pair in found.pairs:
        low, high = (io.read(path) for path in (pair.low, pair.high))
        assert [channel.title for channel in high] == ["Height", "Height retrace"]
        assert io.select(low)[0].title == io.select(high)[0].title == "Height"
        assert low[0].xreal == pytest.approx(high[0].xreal) and low[0].xres == 16
        kept = json.loads(io.GwyFile.open(pair.high).meta(0)["afmsr history"])
        assert kept[-1]["settings"] == settings[pair.id]
        assert settings[pair.id]["seed"] == int(pair.id[-4:])
        assert settings[pair.id]["conditions"]["white"] > 0


def test_both_coarse_scans_of_one_time_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("-o", str(tmp_path), "--size", "64", "--low", "64x16", "--low", "16x16")
    assert main(["simulate", *options, "--truth"]) == 0
    assert "16 x 16, 64 x 16 and 64 x 64 px" in capsys.readouterr().err
    sizes = {
        side: io.read(tmp_path / f"typical-0000_{side}.gwy")[0].heights.shape
        for side in ("low", "lines", "high")
    }
    assert sizes == {"low": (16, 16), "lines": (16, 64), "high": (64, 64)}
    titles = [channel.title for channel in io.read(tmp_path / "truth" / "typical-0000.gwy")]
    assert "Map lines trace x" in titles and "Map low trace x" in titles
    settings = settings_of(tmp_path)["typical-0000"]
    assert [settings[side]["xres"] for side in ("lines", "low", "high")] == [64, 16, 64]


@pytest.mark.parametrize("low", ["64", "64x", "64 x 16 x 1", "64x15", "64x64", "-64x16"])
def test_a_size_of_the_coarse_scan_that_cannot_be_is_usage(
    tmp_path: Path, low: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(tmp_path / "new", f"--low={low}") == 2
    assert "low" in (told := capsys.readouterr().err) and "give" in told
    assert not (tmp_path / "new").exists()


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert simulate(tmp_path / name, "--seed", "3", "--truth") == 0
    for file in ("typical-0003_low.gwy", "typical-0003_high.gwy", "truth/typical-0003.gwy"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_exact_surface_lies_beside_every_pair_and_is_no_scan_of_it(tmp_path: Path) -> None:
    assert simulate(tmp_path, "--set", "bow=0", "--set", "tilt=0", "--set", "line_step=0") == 0
    pair, *others = find_pairs(tmp_path).pairs
    assert not others and pair.exact == tmp_path / "truth" / "typical-0000.gwy"
    surface, traced = io.read(pair.exact)
    assert (surface.title, traced.title) == EXACT
    high = io.read(pair.high)[0]
    assert np.array_equal(traced.heights.shape, high.heights.shape)
    off = high.heights - traced.heights
    settings = settings_of(tmp_path)["typical-0000"]
    noise = np.hypot(settings["conditions"]["white"], settings["conditions"]["correlated"])
    assert np.median(np.abs(off)) < settings["range_nm"] * noise
    # A dilated surface is never below the bare one.
    assert (traced.heights >= surface.heights - 1e-6).all()


def test_the_truth_lies_apart_with_the_maps(tmp_path: Path) -> None:
    options = ("--truth", "--preset", "ideal", "--specimen", "film", "--tip", "pyramid")
    assert simulate(tmp_path, *options) == 0
    truth = io.read(tmp_path / "truth" / "ideal-0000.gwy")
    titles = [channel.title for channel in truth]
    assert titles[:3] == ["Truth", "Truth through the tip", "Map low trace x"]
    assert len(titles) == 12 and tuple(titles[-2:]) == EXACT
    high = io.read(tmp_path / "ideal-0000_high.gwy")[0]
    for surface in (truth[0], *truth[-2:]):
        assert np.abs(surface.heights - high.heights).max() < 1e-6
    found = find_pairs(tmp_path)
    assert len(found.pairs) == 1 and not found.unpaired


def test_a_measured_field_is_scanned(tmp_path: Path) -> None:
    from afmsr_core.data import example_pair

    surface = str(example_pair()[1])
    assert simulate(tmp_path, "--surface", surface, "--set", "white=0", "--set", "scars=0") == 0
    settings = json.loads((tmp_path / "settings.json").read_text())["typical-0000"]
    assert settings["surface"].startswith("example_high.gsf")
    assert settings["conditions"]["white"] == settings["conditions"]["scars"] == 0


def settings_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "settings.json").read_text(encoding="utf-8"))


def test_a_folder_grows_and_keeps_the_settings_of_every_pair(tmp_path: Path) -> None:
    assert simulate(tmp_path, "--seed", "0") == 0
    first = settings_of(tmp_path)
    assert simulate(tmp_path, "--seed", "1") == 0
    both = settings_of(tmp_path)
    assert list(both) == ["typical-0000", "typical-0001"]
    assert both["typical-0000"] == first["typical-0000"]
    assert simulate(tmp_path, "--seed", "1", "--specimen", "film", "--force") == 0
    again = settings_of(tmp_path)
    assert again["typical-0000"] == first["typical-0000"]
    assert again["typical-0001"]["specimen"] == "film"


def test_an_interrupted_run_has_the_settings_of_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afmsr_core.simulation import pair

    real = pair.simulate_pair

    def stopped(*args: Any, seed: int, **options: Any) -> Any:
        if seed == 1:
            raise KeyboardInterrupt
        return real(*args, seed=seed, **options)

    monkeypatch.setattr(pair, "simulate_pair", stopped)
    assert simulate(tmp_path, "--pairs", "3") == 130
    assert [one.id for one in find_pairs(tmp_path).pairs] == list(settings_of(tmp_path))


KILLED = """
import os, signal, sys
from afmsr_core.io.gwy import GwyFile
real, seen = GwyFile.write_to, []
def write_to(self, file, name):
    seen.append(name)
    if len(seen) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, file, name)
GwyFile.write_to = write_to
from afmsr_cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("again", [(), ("--force",)])
def test_a_killed_run_leaves_whole_pairs(again: tuple[str, ...], tmp_path: Path) -> None:
    """It dies while the second of three pairs is written: low is on the disk, high is not."""
    options = ("--size", "64", "--quiet", "--pairs", "3", "--truth")
    if again:  # over an older run with other surfaces
        assert simulate(tmp_path, *options, "--specimen", "film") == 0
    old = {path.name: path.read_bytes() for path in tmp_path.rglob("*.gwy")}
    command = [sys.executable, "-c", KILLED, "simulate", "-o", str(tmp_path), *options, *again]
    done = subprocess.run([*command, "--specimen", "grains"], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    shown = [one for one in tmp_path.rglob("*.gwy") if not one.name.startswith(".")]
    new = {one.name.partition(".")[0] for one in shown if one.read_bytes() != old.get(one.name)}
    assert new == {"typical-0000", "typical-0000_low", "typical-0000_high"}
    kept = {name: one["specimen"] for name, one in settings_of(tmp_path).items()}
    assert kept["typical-0000"] == "grains" and len(kept) == (3 if again else 1)
    assert kept.get("typical-0001", "film") == "film"
    pairs = find_pairs(tmp_path)
    assert not pairs.unpaired and len(pairs.pairs) == len(kept)
    if not again:  # it can be taken up where it ended
        assert simulate(tmp_path, "--pairs", "2", "--seed", "1", "--truth") == 0
        assert len(find_pairs(tmp_path).pairs) == 3


def test_a_pair_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = io.GwyFile.write_to

    def full(self: io.GwyFile, file: Any, name: str) -> None:
        if name == "typical-0001_high.gwy":
            raise OSError(28, "No space left on device")
        real(self, file, name)

    monkeypatch.setattr(io.GwyFile, "write_to", full)
    assert simulate(tmp_path, "--pairs", "3") == 1
    assert [one.id for one in find_pairs(tmp_path).pairs] == ["typical-0000", "typical-0002"]
    assert "disk is full" in settings_of(tmp_path)["typical-0001"]["error"]
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("text", ["oops", "[]", '{"typical-0000": 3}', '{"methods": {}}'])
def test_a_settings_file_of_others_is_kept(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text(text)
    assert simulate(tmp_path) == 2
    assert "was not written by afmsr simulate" in capsys.readouterr().err
    assert (tmp_path / "settings.json").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_nothing_is_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path) == 0
    before = (tmp_path / "typical-0000_low.gwy").read_bytes()
    assert simulate(tmp_path, "--specimen", "film") == 2
    assert "--force overwrites" in capsys.readouterr().err
    assert (tmp_path / "typical-0000_low.gwy").read_bytes() == before
    assert simulate(tmp_path, "--specimen", "film", "--force") == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pairs", "0"), "--pairs 0"), (("--size", "63"), "size 63"),
        (("--seed", "-1"), "--seed -1"), (("--preset", "none"), "typical"),
        (("--specimen", "none"), "film"), (("--set", "none=1"), "There are: pixel"),
        (("--set", "white=much"), "give a number"), (("--set", "white=-1"), "white -1"),
        (("--channel", "1"), "--surface"), (("--tip", "ball"), "parabolic, cone, pyramid"),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_usage_and_writes_nothing(
    options: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(tmp_path / "out", *options) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_bad_surface_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = tmp_path / "flat.gsf"
    from afmsr_core.channel import Channel

    io.write(flat, Channel(np.zeros((100, 100)), xreal=1000.0, yreal=1000.0))
    assert simulate(tmp_path / "out", "--surface", str(flat)) == 1
    assert "flat.gsf" in capsys.readouterr().err
    assert simulate(tmp_path / "other", "--surface", str(tmp_path / "none.gsf")) == 1
    assert not (tmp_path / "other").exists()


def test_eval_runs_on_what_was_simulated(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels", reason="the extra `eval` is not installed")
    pairs, results = tmp_path / "pairs", tmp_path / "results"
    options = ["--size", "128", "--specimen", "film", "--seed", "1", "--truth"]
    assert main(["simulate", "-o", str(pairs), "--quiet", *options]) == 0
    asked = ["--methods", "bilinear,bicubic", "--protocol", "nm", "--quiet"]
    assert main(["eval", str(pairs), "-o", str(results), *asked]) == 0
    assert (results / "report.html").is_file()


def test_without_its_extra_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)  # as if it were not installed
    there = tmp_path / "there"
    there.mkdir()
    for folder in (tmp_path / "new" / "pairs", there):
        assert main(["simulate", "-o", str(folder), "--size", "128", "--quiet"]) == 4
        assert "eval" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
