"""The plug-in says whether a scan is fine enough, and marks where its result is uncertain."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import ask, raw
from screen import LATE, missing_tools

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.io.gwy import GwyFile
from afmsr_core.planning import plan
from afmsr_core.trust.assessment import assess
from afmsr_core.trust.coarseness import Coarseness, judge
from afmsr_core.trust.noise import noise_of
from afmsr_core.trust.regions import FLAGGED
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.worker import answers, field_files, scan_notes

EXAMPLE = Path(__file__).parents[2] / "afmsr_core" / "data" / "example_low.gwy"

needs_screen = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}"
)


def scan(yres: int = 36, xres: int = 48, **changes) -> Channel:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:yres, :xres]
    heights = 20 * np.sin(x / 5) * np.cos(y / 4) + 0.3 * x - 0.1 * y + 900
    heights = heights + rng.normal(0, 0.2, heights.shape) + 9 * ((x - 30) ** 2 + y**2 < 200)
    return Channel(heights, xreal=2000.0, yreal=1500.0, title="Height", **changes)


# --- the worker ---------------------------------------------------------------------------------


def test_the_time_that_is_told_is_that_of_the_method_and_a_little_more(tmp_path: Path) -> None:
    request = {"field": field_files.write(tmp_path, raw(scan())), "settings": {"method": "afm"}}
    plain, both = (answers.expected(request | {"confidence": asked}) for asked in (False, True))
    assert plain < both < 1.5 * plain


def test_the_verdict_is_that_of_the_library(tmp_path: Path) -> None:
    channel = io.select(io.read(EXAMPLE))[0]
    answer = ask("judge", tmp_path, channel, settings={"level": "none"})
    expected = judge(channel.heights, noise_of(channel.heights))
    assert answer["verdict"] == expected.verdict
    assert answer["expected_error"] == pytest.approx(expected.expected_error, rel=1e-6)
    assert answer["pixels"] == list(expected.pixels)
    best = plan(channel, level="none").chosen
    assert f"{best.lines} lines of {best.points} points, " in answer["plan"]


def test_of_a_large_scan_the_middle_is_judged_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rough = rng.normal(0, 5, (1200, 800))  # white: too coarse, and only more noise to come
    fine = np.add.outer(np.arange(1200.0), np.arange(800.0) ** 2 / 800)
    fine[300:900, 100:700] = rough[300:900, 100:700]
    began = time.monotonic()
    answer = ask("judge", tmp_path, Channel(fine, 8000.0, 12000.0), settings={"level": "none"})
    assert time.monotonic() - began < 5
    assert answer["verdict"] == "too coarse"
    assert "too noisy or too coarse" in answer["plan"]


def test_nothing_is_planned_for_what_is_no_height(tmp_path: Path) -> None:
    phase = field_files.write(tmp_path, replace(raw(scan()), unit_z="deg"))
    request = {"type": "judge", "id": 1, "folder": str(tmp_path), "field": phase}
    answer = answers.ANSWERS["judge"](request, lambda fraction: None)
    assert answer["verdict"] and answer["plan"] == ""


@pytest.mark.parametrize("noise_share", [0.1, 0.2, 0.22, 0.5])
def test_more_pixels_are_advised_where_the_library_does(monkeypatch, tmp_path, noise_share):
    found = Coarseness(
        "doubtful", 0.3, 0.1, 0.1, noise_share, 0.1, 0.1, None, None, 1.0, (96, 64)
    )  # fmt: skip
    monkeypatch.setattr("afmsr_core.trust.coarseness.judge", lambda *given: found)
    answer = ask("judge", tmp_path, scan(), settings={})
    assert (answer["pixels"] is None) == ("noise" in found.advice)
    assert ("noise" in scan_notes.verdict(answer)) == ("noise" in found.advice)


def test_a_line_is_short_enough_for_the_dialog() -> None:
    for name in ("doubtful", "too coarse"):
        for pixels in ([1536, 1536], None):
            told = {"verdict": name, "expected_error": 0.29, "pixels": pixels}
            assert len(scan_notes.verdict(told)) <= 76  # what 512 pixels hold


def test_the_extras_are_those_of_the_library(tmp_path: Path) -> None:
    answer = ask("upscale", tmp_path, scan(), settings={"method": "bicubic"}, confidence=True)
    channel = scan()
    settings = Settings(method="bicubic")
    found = assess(channel, upscale(channel, method="bicubic"), settings)
    expected = [found.confidence, found.residual, found.residual_sigma]
    assert len(answer["extras"]) == 3
    for extra, one in zip(answer["extras"], expected, strict=True):
        field = field_files.read(tmp_path, extra["field"])
        assert (field.yres, field.xres) == one.heights.shape
        factor = 1e9 if one.unit == "nm" else 1.0
        values = np.frombuffer(field.data).reshape(one.heights.shape) * factor
        np.testing.assert_allclose(values, one.heights, rtol=1e-6, atol=1e-6)
        assert extra["history"][-1]["name"] == "assess"
    marks = np.frombuffer(field_files.read(tmp_path, answer["extras"][0]["field"]).mask)
    np.testing.assert_array_equal(marks.reshape(144, 192) > 0.5, found.confidence.mask)


def test_without_the_option_nothing_is_assessed(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delattr("afmsr_core.trust.assessment.assess")
    answer = ask("upscale", tmp_path, scan(), settings={"method": "bicubic"})
    assert answer["extras"] == []


def test_a_scan_that_is_too_small_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="do not mark the least certain"):
        ask("upscale", tmp_path, scan(12, 12), settings={"method": "bicubic"}, confidence=True)


# --- in the real Gwyddion -----------------------------------------------------------------------


def test_the_mask_is_over_the_least_certain_regions(
    installed, run_in_gwyddion, scan_file, tmp_path
):
    installed.choose(confidence=True)
    mask = np.zeros((36, 48), bool)
    mask[3:9, 20:31] = True
    source, target = scan_file(scan(), scan(mask=mask)), tmp_path / "out.gwy"
    answer = run_in_gwyddion(installed, source, target, (0, 1))
    assert answer.added == [2, 3]
    given, masked, *added = GwyFile.open(target).channels()
    np.testing.assert_array_equal(masked.mask, mask)
    result = upscale(given)
    expected = assess(given, result, Settings()).confidence.mask
    for channel in added:
        np.testing.assert_allclose(channel.heights, result.heights, rtol=0, atol=1e-6)
        assert 0 < channel.mask.mean() <= FLAGGED + 0.01
        assert (channel.mask == expected).mean() > 0.999
    assert installed.left_over == [] and not installed.log.exists()


def test_a_small_scan_adds_nothing_and_the_log_says_why(installed, run_in_gwyddion, scan_file):
    installed.choose(confidence=True, method="bicubic")
    assert run_in_gwyddion(installed, scan_file(scan(12, 12))).added == []
    assert "do not mark the least certain regions" in installed.log.read_text()


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
with tempfile.TemporaryDirectory(prefix="afmsr-") as name:
    folder = pathlib.Path(name)
    client = Client(worker_command())
    dialog = Dialog(root, client, folder, field_files.write(folder, field), Choices())
    widgets.place(root)
    heavy = [name for name in ("numpy", "scipy", "torch", "cv2") if name in sys.modules]
    height, line, until = root.winfo_reqheight(), dialog._preview._sampling, time.time() + 20
    dialog._look()
    while line["text"].strip() == "" and time.time() < until:
        root.update()
        time.sleep(0.01)
    root.update()
    told, plan = line["text"], dialog._planned["text"]
    dialog._confidence.set(True)
    chosen = dialog._chosen().confidence
    dialog._reset()
    print(json.dumps({"told": told, "plan": plan, "heavy": heavy,
                      "grew": root.winfo_reqheight() - height, "chosen": chosen,
                      "reset": dialog._chosen().confidence}))
    client.kill()
"""


@needs_screen
def test_the_dialog_shows_the_verdict_in_its_line(home, screen, tmp_path: Path) -> None:
    from gwyddion_plugin.exchange import dump

    channel = io.select(io.read(EXAMPLE))[0]
    file = tmp_path / "field.dump"
    file.write_bytes(b"")
    dump.overwrite(file, raw(channel))
    home.variables["DISPLAY"] = screen.display
    done = subprocess.run(
        [sys.executable, "-c", TELL, file],
        env=home.environment, capture_output=True, text=True, check=False, timeout=3 * LATE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    answer = ask("judge", tmp_path, channel, settings={"level": "plane"})
    assert found["told"] == answer["told"] == scan_notes.verdict(answer)
    assert found["plan"].replace("\u00a0", " ") == answer["plan"] != ""
    assert found["heavy"] == [] and found["grew"] == 0
    assert (found["chosen"], found["reset"]) == (True, False)


def test_the_full_result_has_what_is_known_of_its_errors(tmp_path: Path) -> None:
    target = tmp_path / "full.gwy"
    ask("upscale", tmp_path, scan(), settings={}, confidence=True, save=str(target))
    titles = [channel.title for channel in GwyFile.open(target).channels()]
    assert len(titles) == 5
    assert [title.partition(",")[0] for title in titles[2:]] == [
        "Half-width of the 90 % interval", "Residual", "Residual in sigma",
    ]  # fmt: skip
