"""The module in the real Gwyddion 3: a new image in the same file, and nothing else changes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import gwyddion3
import gwyfile
import numpy as np
import pytest
from gwyddion3 import BACKGROUNDS, MENU, ROWS, SCALES
from screen import alive, wait_for
from test_headless import scan

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.exchange.menu import FUNCTION


@pytest.fixture
def run(newer, installed_module) -> Callable[..., gwyddion3.Answer]:
    return lambda *args, **how: gwyddion3.run(installed_module, newer, *args, **how)


@pytest.fixture
def held(newer, installed_module, tmp_path) -> Callable[[Path], dict]:
    """Return what Gwyddion holds, as a file of version 2 has it."""

    def read(path: Path) -> dict:
        two = tmp_path / "two.gwy"
        convert = newer.command("gwyddion3", f"--convert-to-gwy2={two}", path)
        assert installed_module.call(*convert).returncode == 0
        return gwyfile.load(str(two))

    return read


def log_of(kept: dict, number: int) -> list[str]:
    return list(kept[f"/{number}/data/log"]["strings"])


def test_adds_an_image_with_all_that_the_scan_has(run, held, installed_module, scan_file, tmp_path):
    mask = np.zeros((24, 40), bool)
    mask[3:9, 20:31] = True
    source, target = scan_file(scan(xoff=-300.0, yoff=40.0, mask=mask)), tmp_path / "out.gwy"
    original = gwyfile.load(str(source))
    original["/0/base/palette"], original["/0/base/min"], original["/0/base/max"] = (
        "Rust",
        8e-7,
        1e-6,
    )
    original["/0/base/range-type"] = 1
    original["/0/meta"] = gwyfile.objects.GwyContainer({"Operator": "a <b> & c"})
    original.tofile(str(source))
    answer = run(source, target)
    assert answer.menu == {FUNCTION: MENU} and answer.messages == ""
    assert (answer.before, answer.after, answer.shown) == ([0], [0, 1], [0, 1])
    assert answer.titles == {"0": "Height", "1": "Height (x4 afm)"}
    before, added = GwyFile.open(target).channels()
    given = GwyFile.open(source).channel(0)
    np.testing.assert_array_equal(before.heights, given.heights)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit"):
        assert getattr(added, name) == getattr(given, name)
    np.testing.assert_array_equal(added.mask, mask.repeat(4, 0).repeat(4, 1))
    np.testing.assert_allclose(added.heights, upscale(given).heights, rtol=0, atol=1e-6)
    assert added.heights.mean() == pytest.approx(given.heights.mean(), rel=1e-12)
    kept = held(target)
    for key in ("palette", "min", "max", "range-type"):
        assert kept[f"/1/base/{key}"] == original[f"/0/base/{key}"]
    assert kept["/1/meta"]["Operator"] == "a <b> & c"
    history = json.loads(kept["/1/meta"]["afmsr history"])
    assert [step["name"] for step in history] == ["level", "upscale", "scan_time"]
    assert not set("<>&") & set(kept["/1/meta"]["afmsr history"])
    (line,) = log_of(kept, 1)
    for told in (f"image::{FUNCTION}(", 'method="afm"', "weights_sha256=", "scan_time=", "afmsr="):
        assert told in line
    assert installed_module.left_over == []


def test_the_result_is_upscaled_again_and_its_history_grows(run, held, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    answer = run(scan_file(scan(8, 8)), target, (0, 1), {"method": "bicubic"})
    assert answer.titles["2"] == "Height (x4 bicubic) (x4 bicubic)"
    kept = held(target)
    history = json.loads(kept["/2/meta"]["afmsr history"])
    assert [step["name"] for step in history].count("upscale") == 2
    assert len(log_of(kept, 2)) == 2


@pytest.mark.parametrize("unit", ["V", "deg", "", "m/V"])
def test_units_survive(run, scan_file, tmp_path, unit):
    heights = scan().heights * 1e-3
    target = tmp_path / "out.gwy"
    source = scan_file(scan(heights=heights, unit=unit, mask=heights > 0.9))
    run(source, target, settings={"method": "bicubic"})
    original, added = GwyFile.open(target).channels()
    assert (original.unit, added.unit, added.lateral_unit) == (unit, unit, "nm")
    np.testing.assert_allclose(added.heights, upscale(original, method="bicubic").heights)


def test_settings_are_those_of_the_library(run, scan_file, tmp_path):
    """The words that the module sends, list by list."""
    source = scan_file(scan(48, 48))
    given = GwyFile.open(source).channel(0)
    for background, rows, scale, restore in (
        ("poly2", "rows-median", "auto", False),
        ("none", "rows-median-diff", "1x2", True),
        ("poly5", "none", "1x4", True),
        ("none", "none", "4", True),
    ):
        target = tmp_path / f"{background}-{rows}.gwy"
        chosen = {
            "method": "bilinear",
            "background": BACKGROUNDS.index(background),
            "rows": ROWS.index(rows),
            "scale": SCALES.index(scale),
            "restore_background": restore,
        }
        run(source, target, settings=chosen)
        level = "+".join(step for step in (background, rows) if step != "none") or "none"
        how = {"method": "bilinear", "level": level, "restore_background": restore, "scale": scale}
        made = GwyFile.open(target).channel(1)
        np.testing.assert_allclose(made.heights, upscale(given, **how).heights, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 3)])
def test_tiny_fields(run, scan_file, tmp_path, shape):
    target = tmp_path / "out.gwy"
    run(scan_file(scan(*shape)), target, settings={"scale": SCALES.index("4")})
    assert GwyFile.open(target).channel(1).heights.shape == (4 * shape[0], 4 * shape[1])


def test_a_line_scan_gets_lines(run, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    answer = run(scan_file(scan(32, 128, xreal=1000.0, yreal=1000.0)), target)
    assert answer.titles["1"] == "Height (lines x4, afm)"
    assert GwyFile.open(target).channel(1).heights.shape == (128, 128)


def test_confidence_and_residual_come_beside_it_hidden(run, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    answer = run(scan_file(scan(48, 48)), target, settings={"confidence": True})
    assert len(answer.added) == 4 and len(answer.shown) == 2
    result = answer.shown[-1]
    assert answer.titles[str(result)] == "Height (x4 afm)"
    channels = {c.title: c for c in GwyFile.open(target).channels()}
    assert len(channels) == 5, list(channels)
    (width,) = [c for title, c in channels.items() if title.startswith("Half-width")]
    assert width.heights.shape == (192, 192)
    assert 0.1 < width.mask.mean() < 0.2
    assert channels["Height (x4 afm)"].mask is None


def test_a_result_is_sharpened_and_realisations_come_beside_it_hidden(
    run, held, scan_file, tmp_path
):
    source, target = scan_file(scan(48, 48)), tmp_path / "out.gwy"
    answer = run(source, target, settings={"sharpness": 0.5, "realisations": 2, "seed": 7})
    assert len(answer.added) == 3 and len(answer.shown) == 2
    channels = {c.title: c for c in GwyFile.open(target).channels()}
    given = GwyFile.open(source).channel(0)
    realiser = Realiser(given, upscale(given), Settings(), 7)
    for expected in (realiser.sharpened(0.5), realiser.surface(1, 2), realiser.surface(2, 2)):
        made = channels[expected.title]
        np.testing.assert_allclose(made.heights, expected.heights, rtol=0, atol=1e-5)
    assert answer.titles[str(answer.shown[-1])] == "Height (x4 afm@0.5)"
    (line,) = log_of(held(target), answer.shown[-1])
    for told in ("sharpness=0.5", "realisations=2", "seed=7"):
        assert told in line


def test_what_cannot_be_sharpened_is_told(run, scan_file):
    for settings, words in (
        ({"method": "bicubic"}, "made by bicubic; take the method afm"),
        ({"confidence": True}, "choose one"),
    ):
        answer = run(scan_file(scan(48, 48)), settings={"sharpness": 0.5} | settings)
        assert answer.added == [] and words in answer.messages


def test_the_retrace_is_joined(run, held, scan_file, tmp_path):
    rng = np.random.default_rng(5)
    clean = scan(64, 64).heights
    both = [
        Channel(clean + rng.normal(0, 1, clean.shape), 3200, 3200, title=f"Height ({way})")
        for way in ("Trace", "Retrace")
    ]
    target = tmp_path / "out.gwy"
    run(scan_file(*both), target, settings={"method": "bicubic", "join_retrace": True})
    kept = held(target)
    history = json.loads(kept["/2/meta"]["afmsr history"])
    assert history[0]["name"] == "join"
    assert 'joined_with="Height (Retrace)' in log_of(kept, 2)[0]


def test_an_untitled_image_has_a_title_after_all(run, scan_file, tmp_path):
    source = scan_file(scan(8, 8))
    untitled = gwyfile.load(str(source))
    del untitled["/0/data/title"]
    untitled.tofile(str(source))
    answer = run(source, settings={"method": "bicubic"})
    assert answer.titles["1"].endswith("(x4 bicubic)")


def test_files_of_version_3(run, newer, installed_module, scan_file, tmp_path):
    """Saved by Gwyddion 3 as its own, read back, upscaled, saved again, and read by the library."""
    source, target = tmp_path / "three.gwy", tmp_path / "out.gwy"
    convert = newer.command("gwyddion3", f"--convert-to-gwy3={source}", scan_file(scan(xoff=9.0)))
    assert installed_module.call(*convert).returncode == 0
    assert source.read_bytes().startswith(b"GWYQ")
    run(source, target)
    assert target.read_bytes().startswith(b"GWYQ")
    original, added = GwyFile.open(target).channels()
    assert (added.title, added.xoff) == ("Height (x4 afm)", original.xoff)
    np.testing.assert_allclose(added.heights, upscale(original).heights, rtol=0, atol=1e-6)
    check = installed_module.call(*newer.command("gwyddion3", "--check", target))
    assert (check.returncode, check.stderr) == (0, "")


# --- repeated -------------------------------------------------------------------------------------


def address_files(home) -> list[Path]:
    return list((home.runtime / "afmsr").glob("*.address"))


def test_a_worker_stays_in_memory_and_is_asked_again(run, installed_module, scan_file, tmp_path):
    """Three runs, one worker; another program finds it too."""
    installed_module.variables["AFMSR_WARM_MINUTES"] = "1"
    target = tmp_path / "out.gwy"
    answer = run(scan_file(scan()), target, (0, 0, 0))
    (file,) = wait_for(lambda: address_files(installed_module))
    pid = int(file.read_text().splitlines()[-1])
    try:
        _, first, *others = GwyFile.open(target).channels()
        for other in others:
            np.testing.assert_array_equal(other.heights, first.heights)
        assert max(answer.seconds[1:]) < answer.seconds[0]  # nothing is started or loaded again
        assert len(run(scan_file(scan())).added) == 1
        assert alive(pid) and int(file.read_text().splitlines()[-1]) == pid
    finally:
        os.kill(pid, signal.SIGKILL)


# --- what fails changes nothing -------------------------------------------------------------------


FAULTS = {
    "a crash": ("import os; os.abort()", {}, "ended without a result"),
    "a crash that says why": ("raise SystemExit('the disk is on fire')", {}, "the disk is on fire"),
    "a hang": ("import time; time.sleep(60)", {"time_limit": 1.5}, "given up after 1.5 s"),
    "a nonsense method": ("", {"method": "magic"}, "no method is called 'magic'"),
}


@pytest.fixture
def broken(breakable_environment, newer, home, tmp_path_factory) -> Callable[[str], None]:
    """A module whose worker has some lines in place of ONNX Runtime."""
    home.python = breakable_environment.python
    home.gwyddion3_dir.mkdir()
    gwyddion3.install(home, newer)
    code = breakable_environment.faults / "onnxruntime.py"
    yield code.write_text
    code.unlink(missing_ok=True)


def test_faults_are_told_and_the_file_stays_as_it_was(broken, home, newer, scan_file, tmp_path):
    for name, (code, settings, told) in FAULTS.items():
        if code:
            broken(code)
        target = tmp_path / "out.gwy"
        answer = gwyddion3.run(home, newer, scan_file(scan()), target, settings=settings)
        assert answer.added == [], name
        assert told in answer.messages and "No image was added." in answer.messages, name
        assert len(GwyFile.open(target).channels()) == 1
        assert home.left_over == [], name
    python = Path(home.python)
    away = python.rename(python.with_name("away"))
    try:
        answer = gwyddion3.run(home, newer, scan_file(scan()))
    finally:
        away.rename(python)
    assert answer.added == [] and home.left_over == []
    assert "cannot be started" in answer.messages
    assert "run `afmsr plugin install` again" in answer.messages


def test_no_room_for_temporary_files_is_told(run, installed_module, newer, scan_file):
    installed_module.variables["TMPDIR"] = str(installed_module.runtime / "not there")
    answer = run(scan_file(scan()))
    assert answer.added == [] and "set TMPDIR to another folder" in answer.messages
