"""Sharpness and realisations in the plug-in: those of the library, and refused with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asking import ask, raw
from test_confidence import scan

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.io.gwy import GwyFile
from afmsr_core.methods import registry
from afmsr_core.realisations import Realiser
from afmsr_core.stopped import without_unmeasured
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.worker import answers, field_files, protocol

ROOT = Path(__file__).parents[2]


def realiser(channel: Channel, seed: int) -> Realiser:
    return Realiser(channel, upscale(channel), Settings(), seed)


def heights(folder: Path, field: dict) -> np.ndarray:
    found = field_files.read(folder, field)
    return np.frombuffer(found.data).reshape(found.yres, found.xres) * 1e9


# --- the worker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("sharpness", "seed"), [(0.5, 0), (1.0, 7)])
def test_the_result_is_that_of_the_library(tmp_path: Path, sharpness: float, seed: int) -> None:
    answer = ask("upscale", tmp_path, scan(), sharpness=sharpness, seed=seed)
    expected = realiser(scan(), seed).sharpened(sharpness)
    assert answer["field"]["title"] == expected.title == f"Height (x4 afm@{sharpness:g})"
    np.testing.assert_allclose(heights(tmp_path, answer["field"]), expected.heights, atol=1e-5)
    steps = {step["name"]: step["settings"] for step in answer["history"]}
    assert steps["sharpen"] == {"sharpness": sharpness, "seed": seed}
    assert any("afmsr_sharpen(" in line for line in answer["log"])


def test_line_scans_and_stopped_scans_are_sharpened_too(tmp_path: Path) -> None:
    lines = scan(32, 128).replace(xreal=1000.0, yreal=1000.0)
    heights_of_stopped = scan(64, 64).heights.copy()
    heights_of_stopped[40:] = 0.0
    stopped = scan(64, 64).replace(heights=heights_of_stopped)
    for channel, title in ((lines, "(lines x4, afm@0.5)"), (stopped, "(x4 afm@0.5)")):
        given = without_unmeasured(channel)
        answer = ask("upscale", tmp_path, channel, sharpness=0.5)
        assert answer["field"]["title"] == f"Height {title}"
        expected = realiser(given, 0).sharpened(0.5).heights
        made, known = heights(tmp_path, answer["field"]), np.isfinite(expected)
        np.testing.assert_allclose(made[known], expected[known], atol=1e-5)
        ask("preview", tmp_path, channel, sharpness=0.5)
    assert not known.all() and answer["field"]["mask"]


def test_realisations_come_behind_what_says_how_far_to_trust_the_result(tmp_path: Path) -> None:
    saved = tmp_path / "full.gwy"
    answer = ask(
        "upscale", tmp_path, scan(), confidence=True, realisations=2, seed=3, save=str(saved)
    )
    titles = [extra["field"]["title"] for extra in answer["extras"]]
    assert [title.split(",")[0] for title in titles] == [
        "Half-width of the 90 % interval",
        "Residual",
        "Residual in sigma",
        "Realisation 1 of 2",
        "Realisation 2 of 2",
    ]
    for number, extra in enumerate(answer["extras"][3:], start=1):
        expected = realiser(scan(), 3).surface(number, 2).heights
        np.testing.assert_allclose(heights(tmp_path, extra["field"]), expected, atol=1e-5)
        assert extra["history"][-1]["name"] == "realise"
    assert titles[3:] == [one.title for one in GwyFile.open(saved).channels()[-2:]]


def test_the_preview_shows_it(tmp_path: Path) -> None:
    def shown(**how: float) -> np.ndarray:
        answer = ask("preview", tmp_path, scan(), fields=True, **how)
        return heights(tmp_path, answer["fields"]["result"])

    plain, half, whole = shown(), shown(sharpness=0.5), shown(sharpness=1.0)
    assert np.std(whole - plain) > 0.01 * np.std(plain)
    np.testing.assert_allclose(2 * (half - plain), whole - plain, atol=1e-6)
    assert np.std(shown(sharpness=1.0, seed=1) - whole) > np.std(whole - plain)
    np.testing.assert_array_equal(shown(seed=5), plain)


def test_the_time_that_is_told_is_longer(tmp_path: Path) -> None:
    request = {"field": field_files.write(tmp_path, raw(scan())), "settings": {"method": "afm"}}
    plain, sharp, many = (
        answers.expected(request | asked) for asked in ({}, {"sharpness": 0.5}, {"realisations": 8})
    )
    assert plain < sharp < many


def not_drawn(channel: Channel, scale: str = "auto") -> dict[str, str]:
    size = {name: getattr(channel, name) for name in ("xres", "yres", "title")}
    metres = {name: getattr(channel, name) / 1e9 for name in ("xreal", "yreal")}
    unit = "m" if channel.unit == "nm" else channel.unit
    field = size | metres | {"unit_xy": "m", "unit_z": unit, "data": "none.raw"}
    request = {"type": "methods", "id": 1, "field": field, "settings": {"scale": scale}}
    listed = answers.ANSWERS["methods"](request, lambda fraction: None)["methods"]
    return {method["name"]: method["not_drawn"] for method in listed}


CANNOT = {
    "no heights": (scan(unit="deg"), "auto", "shows none; choose a height channel"),
    "no heights by its title": (
        scan().replace(title="Amplitude error"),
        "auto",
        "choose a height channel",
    ),
    "pixels that stay long": (scan(), "1x2", "square pixels; take the scale Automatic"),
    "too small": (scan(20, 48), "auto", "at least 24 x 24 are needed"),
}


@pytest.mark.parametrize("why", CANNOT)
def test_what_cannot_be_drawn_is_told_before_and_refused(tmp_path: Path, why: str) -> None:
    channel, scale, words = CANNOT[why]
    assert words in not_drawn(channel, scale)[registry.DEFAULT]
    for asked in ({"sharpness": 0.1}, {"realisations": 1}):
        field = field_files.write(tmp_path, raw(channel)) | {"title": channel.title}
        field["unit_z"] = "m" if channel.unit == "nm" else channel.unit
        request = {"folder": str(tmp_path), "field": field, "settings": {"scale": scale}}
        with pytest.raises((UsageError, FieldError)):
            answers.ANSWERS["upscale"](request | asked, lambda fraction: None)


def test_only_the_method_that_it_is_learnt_for_draws(tmp_path: Path) -> None:
    told = not_drawn(scan())
    assert [name for name, why in told.items() if not why] == [registry.DEFAULT]
    with pytest.raises(UsageError, match="made by bicubic"):
        ask("upscale", tmp_path, scan(), settings={"method": "bicubic"}, sharpness=0.5)


def test_what_does_not_go_together_or_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one"):
        ask("upscale", tmp_path, scan(), sharpness=0.5, confidence=True)
    with pytest.raises(UsageError, match="protocol nm"):
        ask("upscale", tmp_path, scan(), sharpness=0.5, settings={"protocol": "paper"})
    for wrong in (
        {"sharpness": 1.5},
        {"sharpness": -0.1},
        {"sharpness": "much"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": True},
        {"realisations": protocol.MOST_REALISATIONS + 1},
    ):
        (name,) = wrong
        with pytest.raises(protocol.ProtocolError, match=f"{name} is "):
            ask("upscale", tmp_path, scan(), **wrong)


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(tmp_path: Path) -> None:
    """So that Ctrl+F takes no longer than without."""
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from asking import ask\nfrom test_confidence import scan\nfrom pathlib import Path\n"
        "for name in [n for n in sys.modules if n.startswith('afmsr_core.realisations')]:\n"
        "    sys.exit(name + ' by the test')\n"
        "ask('upscale', Path(sys.argv[1]), scan(), sharpness=float(sys.argv[2]))\n"
        "print(*sys.modules)"
    )
    for sharpness in ("0", "0.5"):
        command = [sys.executable, "-c", code, str(tmp_path), sharpness]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
        assert done.returncode == 0, done.stderr
        assert ("afmsr_core.realisations" in done.stdout.split()) == (sharpness != "0")


# --- in the real Gwyddion -------------------------------------------------------------------------


def test_ctrl_f_makes_it_as_sharp_again(installed, run_in_gwyddion, scan_file, tmp_path) -> None:
    installed.choose(sharpness=0.5, seed=3)
    target = tmp_path / "out.gwy"
    assert run_in_gwyddion(installed, scan_file(scan()), target, (0, 0)).added == [1, 2]
    given, *made = GwyFile.open(target).channels()
    expected = realiser(given, 3).sharpened(0.5)
    for one in made:
        np.testing.assert_allclose(one.heights, expected.heights, rtol=0, atol=1e-5)


def test_ctrl_f_on_what_shows_no_heights_adds_nothing(
    installed, run_in_gwyddion, scan_file
) -> None:
    installed.choose(sharpness=0.5)
    answer = run_in_gwyddion(installed, scan_file(scan(unit="deg")))
    assert answer.added == []
    assert "choose a height channel" in installed.log.read_text()
