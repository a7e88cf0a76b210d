"""A scan with every point of its lines, but fewer lines, in Gwyddion: four lines of each."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from asking import ask, raw
from screen import LATE, missing_tools

from afmsr_core.channel import Channel
from afmsr_core.grid import LINES_X4, SQUARE
from afmsr_core.io.gwy import GwyFile
from afmsr_core.levelling import level
from afmsr_core.trust.assessment import assess
from afmsr_core.trust.coarseness import judge
from afmsr_core.trust.noise import noise_of
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.exchange import dump
from gwyddion_plugin.worker import preview, preview_pictures, scan_notes, upscalers


def line_scan(xres: int = 512, yres: int = 128, masked: bool = False) -> Channel:
    """Return a scan of a square area; its lines are rows, or columns if there are fewer of them."""
    rng = np.random.default_rng(5)
    fine = cv2.GaussianBlur(rng.normal(0, 60, (512, 512)), (0, 0), 6.0)
    rows, columns = 512 // yres, 512 // xres
    heights = fine[rows // 2 :: rows, columns // 2 :: columns] + rng.normal(0, 0.1, (yres, xres))
    heights = heights + 0.2 * np.arange(yres)[:, None] + 300
    mask = None
    if masked:
        mask = np.zeros(heights.shape, bool)
        mask[20:30, 40:80] = True
    return Channel(heights, 2000.0, 2000.0, title="Height", mask=mask)


def same(found: Channel, expected: Channel) -> bool:
    """Whether values are those of the library, but for what the way to metres and back rounds."""
    return np.allclose(found.heights, expected.heights, rtol=0, atol=1e-6)


# --- in the real Gwyddion -----------------------------------------------------------------------


def test_512_by_128_and_its_mask(installed, run_in_gwyddion, scan_file, tmp_path):
    """Whichever axis is the slow one, and whatever the channel beside it is."""
    installed.choose(rows="rows-median")
    given = [line_scan(masked=True), line_scan(128, 512), line_scan(128, 128)]
    target = tmp_path / "out.gwy"
    answer = run_in_gwyddion(installed, scan_file(*given), target, (0, 1, 2))
    assert answer.added == [3, 4, 5]
    file = GwyFile.open(target)
    for number, shape in ((0, (512, 512)), (1, (512, 512)), (2, (512, 512))):
        original, added = file.channel(number), file.channel(3 + number)
        assert added.heights.shape == shape and added.xreal == added.yreal == 2000.0
        np.testing.assert_array_equal(original.heights, given[number].heights)
        assert same(added, upscale(original, level="plane+rows-median"))
    np.testing.assert_array_equal(file.channel(3).mask, given[0].mask.repeat(4, axis=0))


def test_the_scale_can_be_forced(installed, run_in_gwyddion, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    source = scan_file(line_scan(128, 32))
    for scale, shape in (("4", (128, 512)), ("1x2", (64, 128))):
        installed.choose(method="bicubic", scale=scale)
        assert run_in_gwyddion(installed, source, target).added == [1]
        assert GwyFile.open(target).channel(1).heights.shape == shape


# --- the worker ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(512, 128), (128, 512)], ids=["rows", "columns"])
def test_the_full_result_has_title_history_and_errors(tmp_path, shape):
    scan, target = line_scan(*shape), tmp_path / "full.gwy"
    settings = {"method": "bicubic", "level": "plane+rows-median"}
    answer = ask("upscale", tmp_path, scan, settings=settings, confidence=True, save=str(target))
    steps = {step["name"]: step for step in answer["history"]}
    assert steps["upscale"]["settings"]["scale"] == ("1x4" if shape[0] == 512 else "4x1")
    assert steps["scan_time"]["settings"] == {"lines_scanned": 128, "lines_of_result": 512}
    assert "1/4 of the time" in steps["scan_time"]["effect"]
    channels = GwyFile.open(target).channels()
    assert channels[1].title == "Height (lines x4, bicubic)"
    result = upscale(scan, **settings)
    found = assess(scan, result, Settings(**settings))
    expected = [result, found.confidence, found.residual, found.residual_sigma]
    for channel, one in zip(channels[1:], expected, strict=True):
        assert channel.heights.shape == one.heights.shape
        np.testing.assert_allclose(channel.heights, one.heights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("at", [None, [3, 0], [401, 127]])
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
def test_the_preview_is_in_the_proportions_of_the_area(tmp_path, at, turned):
    scan = line_scan(128, 512) if turned else line_scan()
    at = at[::-1] if at and turned else at
    settings = {"method": "bicubic", "level": "plane+rows-median"}
    answer = ask("preview", tmp_path, scan, settings=settings, at=at)
    left, top, width, height = answer["crop"]
    assert answer["made"] == [256, 256]
    assert (width, height) == ((64, 256) if turned else (256, 64))
    assert (top if turned else left) % 4 == 0
    pictures = {name: cv2.imread(str(tmp_path / answer[name])) for name in ("before", "after")}
    assert pictures["before"].shape == pictures["after"].shape == (256, 256, 3)
    assert np.ptp(pictures["after"]) > 100


@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
def test_the_preview_shows_what_the_run_will_make(turned):
    """The network takes four points together: begun between them, it is off by 0.7 % of Sq."""
    scan, scale, at = line_scan(), LINES_X4, (203, 60)
    if turned:
        scan, scale, at = scan.turned(), scale.turned, at[::-1]
    how = {"level": "none", "restore_background": False}
    whole = upscale(scan, **how).heights
    crop = preview_pictures.Crop.around(scan, scale, at)
    shown = crop.of_result(scan, upscale(crop.seen(scan), **how))
    rows, columns = scale.shape(crop.top, crop.left)
    expected = whole[rows : rows + 256, columns : columns + 256]
    np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-4 * whole.std())


def test_lines_are_levelled_along_the_lines_before_the_verdict(tmp_path):
    scan = line_scan(128, 512)
    jumps = np.random.default_rng(0).normal(0, 30, 128)  # from line to line, which are columns
    scan = scan.replace(heights=scan.heights + jumps)
    answer = ask("judge", tmp_path, scan, settings={"level": "plane+rows-median"})
    relief = level(scan.turned(), "plane+rows-median").channel.heights
    expected = judge(relief, noise_of(relief, 4), None, LINES_X4)
    assert answer["expected_error"] == pytest.approx(expected.expected_error, rel=1e-6)
    assert answer["pixels"] is None or answer["pixels"] == list(expected.pixels[::-1])
    rough = ask("judge", tmp_path, scan, settings={"level": "plane"})
    assert rough["expected_error"] > 3 * answer["expected_error"]


def test_methods_say_whether_they_take_line_scans(tmp_path):
    answer = ask("methods", tmp_path, line_scan())
    methods = {method["name"]: method for method in answer["methods"]}
    assert (answer["scale"]["rows"], answer["scale"]["columns"]) == LINES_X4
    assert "every point of a line was measured" in answer["scale"]["told"]
    assert answer["scale"]["saved"] == scan_notes.time_saved(512, 128, LINES_X4)
    assert methods["bicubic"]["available"]
    assert not methods["edsr"]["available"] and methods["edsr"]["missing"] == ""
    assert "choose that as the scale" in methods["edsr"]["problem"]
    forced = ask("methods", tmp_path, line_scan(), settings={"scale": "4"})
    assert (forced["scale"]["rows"], forced["scale"]["columns"]) == SQUARE
    assert {method["name"]: method for method in forced["methods"]}["edsr"]["missing"] != ""


def test_no_loading_is_in_the_speed_that_the_dialog_tells(tmp_path, monkeypatch):
    loaded, timed = [], upscalers.timed

    def seen(upscaler, *given):
        loaded.append(upscaler.engines.loaded)
        return timed(upscaler, *given)

    monkeypatch.setattr(preview, "timed", seen)
    ask("preview", tmp_path, line_scan(128, 128), settings={"tile": 256})  # of nobody else
    assert loaded[0] == (SQUARE,)


# --- the dialog ---------------------------------------------------------------------------------

TELL = """
import json, pathlib, sys, tempfile, time
from gwyddion_plugin.window import widgets
from gwyddion_plugin.worker import field_files
from gwyddion_plugin.worker.client import Client, worker_command
from gwyddion_plugin.window.dialog import Dialog
from gwyddion_plugin.exchange.dump import read
from gwyddion_plugin.exchange.settings import Choices
root = widgets.open_root()
field = read(pathlib.Path(sys.argv[1]))
told = []
with tempfile.TemporaryDirectory(prefix="afmsr-") as name:
    folder = pathlib.Path(name)
    client = Client(worker_command())
    dialog = Dialog(root, client, folder, field_files.write(folder, field), Choices("bicubic"))
    widgets.place(root)
    dialog._look()

    def look(note):
        until = time.time() + 20
        while note not in dialog._preview._note["text"] and time.time() < until:
            root.update()
            time.sleep(0.01)
        tree = dialog._methods._tree
        told.append({
            "scale": dialog._scale.get(), "chosen": dialog._chosen().scale,
            "facts": dialog._preview._facts["text"], "note": dialog._preview._note["text"],
            "saved": dialog._saved["text"], "edsr": tree.item("edsr")["values"][0],
        })

    look("256 × 256 px;")
    dialog._scale.set("4x along both axes")
    dialog._scale.event_generate("<<ComboboxSelected>>")
    look("64 × 64 px;")
    dialog._reset()
    told.append(dialog._chosen().scale)
    told.append([name for name in ("numpy", "cv2") if name in sys.modules])
    print(json.dumps(told))
    client.kill()
"""


@pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
def test_the_dialog_says_what_it_takes_and_lets_choose(home, screen, tmp_path):
    file = tmp_path / "field.dump"
    file.write_bytes(b"")
    dump.overwrite(file, raw(line_scan()))
    home.variables["DISPLAY"] = screen.display
    done = subprocess.run(
        [sys.executable, "-c", TELL, file],
        env=home.environment, capture_output=True, text=True, check=False, timeout=3 * LATE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    automatic, forced, reset, heavy = json.loads(done.stdout)
    assert (automatic["scale"], automatic["chosen"]) == ("Automatic: lines x4", "auto")
    assert "512 × 128 px  →  512 × 512 px" in automatic["facts"]
    assert "3.906 × 15.62 nm  →  3.906 nm" in automatic["facts"].replace("15.63", "15.62")
    assert "Every point of a line was measured, so lines x4" in automatic["facts"]
    assert "Levelled, 256 × 64 px" in automatic["note"] and automatic["edsr"] == "not for lines"
    assert (forced["chosen"], reset, heavy) == ("4", "auto", [])
    assert "512 × 128 px  →  2048 × 512 px" in forced["facts"]
    assert "1/16" in forced["saved"] and "1/16" not in automatic["saved"]
    assert forced["edsr"].startswith("needs ")


def test_a_field_without_a_size_is_refused_by_the_worker_and_not_by_the_window():
    from gwyddion_plugin.window.scan_pixels import ScanPixels, scales_for

    field = {"xres": 8, "yres": 2, "xreal": 0.0, "yreal": 1.0, "unit_xy": "m"}
    assert scales_for(ScanPixels.of(field))["auto"] == "Automatic: 4x along both axes"
