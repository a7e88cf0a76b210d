"""In Gwyddion's real window: menu item, dialog, progress, cancel, result, and the saved file.

Pictures of the screen are kept in AFMSR_TEST_PICTURES (default: runs/pictures in the checkout).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from asking import raw
from screen import LATE, Screen, missing_tools, wait_for

from afmsr_core import io
from afmsr_core.io.gwy import GwyFile
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.exchange import dump, gwyddion_folder, menu, settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.window import help_page

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "afmsr_core" / "data" / "example_low.gwy"
PICTURES = Path(os.environ.get("AFMSR_TEST_PICTURES", ROOT / "runs" / "pictures"))
WINDOW = r"scan\.gwy.*Gwyddion"
DIALOG = f"^{menu.TITLE}$"
KEY = "ctrl+shift+F9"
ACCELERATOR = f'(gtk_accel_path "<proc>/Data Process/Plug-Ins/{menu.TITLE}" "<Primary><Shift>F9")\n'
SLEEP = "import time; time.sleep(60)"

pytestmark = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}"
)


class Program:
    """A running Gwyddion with one file, whose plug-in is bound to a key."""

    def __init__(self, gwyddion: str, home, screen: Screen, folder: Path, scan: Path) -> None:
        self.screen, self.home = screen, home
        keys = home.gwyddion_dir / "ui" / "accel_map"
        keys.parent.mkdir()
        keys.write_text(ACCELERATOR)
        self.file = folder / "scan.gwy"
        shutil.copy(scan, self.file)
        home.variables["DISPLAY"] = screen.display
        options = ["--new-instance", "--no-splash", "--disable-gl"]
        self.process = subprocess.Popen(
            [gwyddion, *options, self.file],
            env=home.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.window = screen.window(WINDOW)

    @property
    def channels(self) -> int:
        return len(self.screen.windows(WINDOW))

    def start_plugin(self) -> str:
        self.screen.activate(self.window)
        self.screen.key(KEY)
        return self.screen.window(DIALOG)

    def plugin_is_over(self) -> bool:
        """Whether Gwyddion has no child any more: the launcher became the plug-in."""
        pid = self.process.pid
        return not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def preview(self) -> None:
        """Wait until the dialog shows one."""
        wait_for(lambda: list(self.home.runtime.glob("tmp/afmsr-*/overview.ppm")), "a preview")
        self.screen.sleep(0.4)

    def save(self) -> GwyFile:
        before = self.file.stat().st_mtime_ns
        self.screen.activate(self.window)
        self.screen.key("ctrl+s")
        wait_for(lambda: self.file.stat().st_mtime_ns != before, "saving")
        self.screen.sleep(0.3)
        return GwyFile.open(self.file)


@pytest.fixture
def program(gwyddion, home, screen, tmp_path) -> Iterator:
    running = []

    def start(home=home, scan: Path = EXAMPLE) -> Program:
        if not home.gwyddion_dir.exists():
            home.gwyddion_dir.mkdir()
            home.install()
        running.append(Program(gwyddion, home, screen, tmp_path, scan))
        return running[-1]

    yield start
    for each in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)  # and the plug-in
        each.process.wait()
    wait_for(lambda: not screen.windows(DIALOG) and not screen.windows(WINDOW), "a clean screen")


@pytest.fixture
def line_scan(tmp_path: Path) -> Path:
    """Every fourth line of the fine scan that ships with afmsr, with every point: 512 x 128 px."""
    (fine,) = io.read(EXAMPLE.with_name("example_high.gsf"))
    scan = tmp_path / "lines.gwy"
    GwyFile.new([fine.replace(heights=fine.heights[2::4])]).save(scan)
    return scan


def test_ok_adds_a_channel_and_ctrl_f_another(program, screen, gwyddion, line_scan):
    running = program(scan=line_scan)
    dialog = running.start_plugin()
    running.preview()
    screen.photograph(PICTURES / "dialog.png", dialog)
    screen.photograph(PICTURES / "dialog-in-gwyddion.png")
    screen.key("Return")
    wait_for(lambda: running.channels == 2, "a new channel")
    screen.sleep(0.5)
    screen.photograph(PICTURES / "result.png")
    screen.activate(running.window)
    screen.key("ctrl+f")
    wait_for(lambda: running.channels == 3, "a third channel, without a dialog")
    file = running.save()
    original, *added = file.channels()
    for channel in added:
        assert channel.heights.shape == (512, 512)
        assert (channel.xreal, channel.unit) == (original.xreal, "nm")
        assert channel.heights.mean() == pytest.approx(original.heights.mean(), rel=1e-9)
    np.testing.assert_array_equal(added[0].heights, added[1].heights)
    given = GwyFile.open(line_scan).channel(0)
    np.testing.assert_array_equal(original.heights, given.heights)
    checked = running.home.call(gwyddion, "--check", running.file)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert running.home.settings_file.exists()
    assert running.home.left_over == []


def test_cancel_in_the_dialog_leaves_no_trace(program, screen):
    running = program()
    running.start_plugin()
    running.preview()
    screen.key("Escape")
    wait_for(running.plugin_is_over, "the end of the plug-in")
    assert running.channels == 1
    assert running.file.read_bytes() == EXAMPLE.read_bytes()
    assert not running.home.settings_file.exists() and not running.home.log.exists()
    assert running.home.left_over == []
    running.start_plugin()  # and it can be called again


def test_cancel_while_it_works(program, screen, breakable):
    home = breakable(SLEEP)
    home.choose(instant=False)
    running = program(home)
    dialog = running.start_plugin()
    screen.key("Return")
    wait_for(lambda: screen.windows(DIALOG) not in ([], [dialog]), "the progress window")
    progress = screen.window(DIALOG)
    assert screen.size(progress)[1] < 200
    screen.sleep(1)
    screen.photograph(PICTURES / "progress.png", progress)
    screen.key("Escape")
    wait_for(running.plugin_is_over, "the end of the plug-in", 5)
    assert running.channels == 1
    assert not home.log.exists()
    assert home.left_over == []


def test_an_error_is_shown_with_its_cure_and_log(program, screen, breakable):
    home = breakable("raise ImportError('no onnx today')")
    home.choose(instant=False)
    running = program(home)
    dialog = running.start_plugin()
    screen.key("Return")
    # On a busy machine the window of the progress, which has the same title, comes first.
    wait_for(home.log.exists, "the log")
    wait_for(lambda: screen.windows(DIALOG) not in ([], [dialog]), "the error window")
    screen.sleep(0.5)
    screen.photograph(PICTURES / "error.png", screen.window(DIALOG))
    assert "no onnx today" in home.log.read_text()
    screen.key("Return")
    wait_for(running.plugin_is_over, "the end of the plug-in")
    assert running.channels == 1


def test_the_full_result_opens_in_a_window_of_its_own(program, screen, home, tmp_path):
    """Named after the sample; what else is in the file is in the data browser, without windows."""
    home.choose(open_full=True, folder=str(tmp_path), name="PS/PMMA 3", confidence=True)
    running = program()
    running.start_plugin()
    screen.key("Return")
    wait_for(lambda: running.channels == 2, "a new channel")
    named = r"^PS_PMMA 3 .*Gwyddion"
    wait_for(lambda: screen.windows(named), "the new file")
    screen.sleep(0.5)
    assert len(screen.windows(named)) == 1
    (written,) = tmp_path.glob("PS_PMMA 3 *.gwy")
    scan, result, *extras = GwyFile.open(written).channels()
    assert (scan.title, result.title) == ("PS/PMMA 3", "PS/PMMA 3 (x4 afm)")
    assert len(extras) == 3 and all("PS/PMMA 3 (x4 afm)" in extra.title for extra in extras)
    assert [step["name"] for step in _history(written)] == ["level", "upscale", "scan_time"]


def test_what_gwyddion_keeps_is_understood(program, screen, home, tmp_path, monkeypatch):
    """It writes its settings and the names of the last files when it ends."""
    running = program()
    screen.sleep(0.5)
    screen.activate(running.window)
    screen.key("ctrl+q")
    running.process.wait(LATE)
    monkeypatch.setenv("HOME", str(home.folder))
    assert gwyddion_folder.last_folder() == tmp_path
    assert gwyddion_folder.default_palette() == "Gray"
    kept = home.gwyddion_dir / "settings"
    default = '"/app/gradients/default" string '
    assert f'{default}"Gray"\n' in kept.read_text()
    kept.write_text(kept.read_text().replace(f'{default}"Gray"', f'{default}"Gwyddion.net"'))
    assert gwyddion_folder.default_palette() == "Gwyddion.net"


def _history(path: Path) -> list[dict]:
    import json

    return json.loads(GwyFile.open(path).meta(1)["afmsr history"])


# --- the dialog alone ---------------------------------------------------------------------------


@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    path = tmp_path / "field.dump"
    path.write_bytes(b"")
    values = np.random.default_rng(3).normal(0, 5e-9, (48, 64))
    mask = (values > 5e-9).astype(float).tobytes()
    dump.overwrite(path, RawField(64, 48, 2e-6, 1.5e-6, "m", "m", values.tobytes(), mask))
    return path


@pytest.fixture
def dialog(installed, screen, field_file) -> Iterator:
    """The plug-in as Gwyddion calls it, with its dialog open."""
    running = []

    def start(**variables: str) -> subprocess.Popen:
        installed.variables |= {"DISPLAY": screen.display} | variables
        process = subprocess.Popen(
            [installed.launcher, "run", "modal", field_file],
            env=installed.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
    wait_for(lambda: not screen.windows(DIALOG), "a clean screen")


def methods_are_listed(home) -> None:
    wait_for(lambda: list(home.runtime.glob("tmp/afmsr-*/overview.ppm")), "a preview")


def test_the_keyboard_is_enough(dialog, installed, screen, monkeypatch):
    process = dialog()
    screen.window(DIALOG)
    methods_are_listed(installed)
    screen.key("Down", "Down")  # bilinear, bicubic
    screen.key(
        "alt+b", "Down", "Down", "Return", pause=0.5
    )  # opens the list: polynomial of degree 2
    screen.key("alt+s", "Down", "Down", "Return", pause=0.5)  # scan lines by median
    screen.key("alt+o")
    assert process.wait(LATE) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(installed.settings_file.parents[1]))
    chosen = settings.load()
    assert (chosen.method, chosen.level) == ("bicubic", "poly2+rows-median")


def test_reset_goes_back_to_the_defaults(dialog, installed, screen, monkeypatch):
    installed.choose(method="bilinear", background="poly3", mask="exclude", time_limit=77)
    process = dialog()
    screen.window(DIALOG)
    methods_are_listed(installed)
    screen.key("alt+r", "Return")
    assert process.wait(LATE) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(installed.settings_file.parents[1]))
    assert settings.load() == settings.Choices(time_limit=77.0)


def test_ctrl_f_marks_the_least_certain_regions_again(dialog, installed, screen, field_file):
    given = field_file.read_bytes()
    process = dialog()
    screen.window(DIALOG)
    methods_are_listed(installed)
    screen.key("alt+m", "Tab", "Tab", "Tab", "space")  # past scale and restoring to the marks
    screen.key("Return")
    assert process.wait(LATE) == 0
    first = dump.read(field_file)
    share = np.frombuffer(first.mask).mean()
    assert len(first.mask) == len(first.data) and 0 < share < 0.16
    field_file.write_bytes(given)
    done = installed.call(installed.launcher, "run", "noninteractive", field_file)
    assert done.returncode == 0, done.stderr
    assert dump.read(field_file) == first


def test_sharpness_is_chosen_and_repeated(dialog, installed, screen, tmp_path):
    (given,) = GwyFile.open(EXAMPLE).channels()
    file = tmp_path / "field.dump"
    written = raw(given)
    dump.overwrite(file, written)
    process = dialog()
    window = screen.window(DIALOG)
    methods_are_listed(installed)
    screen.key("alt+h", *["Right"] * 10, pause=0.2)  # half of the way, in steps of 0.05
    screen.sleep(1.5)
    screen.photograph(PICTURES / "dialog-sharpness.png", window)
    screen.key("Return")
    assert process.wait(LATE) == 0
    first = dump.read(file)
    expected = Realiser(given, upscale(given), Settings(), 0).sharpened(0.5).heights
    values = np.frombuffer(first.data).reshape(expected.shape) * 1e9
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)
    dump.overwrite(file, written)
    done = installed.call(installed.launcher, "run", "noninteractive", file)
    assert done.returncode == 0, done.stderr
    assert dump.read(file) == first


def test_sharpness_gives_way_to_the_marks(dialog, installed, screen, monkeypatch):
    installed.choose(sharpness=0.5)
    process = dialog()
    screen.window(DIALOG)
    methods_are_listed(installed)
    screen.key("alt+m", "Tab", "Tab", "Tab", "space")  # past scale and restoring to the marks
    screen.key("alt+h", "Right", "Return")  # it cannot be moved
    assert process.wait(LATE) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(installed.settings_file.parents[1]))
    chosen = settings.load()
    assert (chosen.confidence, chosen.sharpness) == (True, 0.0)


def test_the_preview_grows_with_the_window_and_what_is_shown_is_kept(
    dialog, installed, screen, field_file, monkeypatch
):
    (given,) = GwyFile.open(EXAMPLE).channels()
    dump.overwrite(field_file, raw(given))
    process = dialog()
    window = screen.window(DIALOG)
    methods_are_listed(installed)
    screen.sleep(0.5)
    screen.photograph(PICTURES / "dialog-small.png", window)
    small = cv2.imread(str(PICTURES / "dialog-small.png"))
    width, height = screen.size(window)
    screen.resize(window, width + 200, height + 140)
    screen.key("alt+d", "alt+2", pause=0.3)  # the difference, enlarged

    def seen(name: str):
        screen.photograph(PICTURES / f"dialog-{name}.png", window)
        return cv2.imread(str(PICTURES / f"dialog-{name}.png"))

    # The scan was grey, the difference is not.
    wait_for(lambda: _coloured(seen("grown")) > 0, "a difference")
    assert _coloured(small) == 0
    assert seen("grown").shape[:2] == (height + 140, width + 200)
    screen.key("Return")
    assert process.wait(LATE) == 0
    monkeypatch.setenv("XDG_CONFIG_HOME", str(installed.settings_file.parents[1]))
    chosen = settings.load()
    assert (chosen.shown, chosen.zoom, chosen.palette) == ("difference", 2, "")


def _coloured(picture) -> int:
    """Return how many pixels of the upper left part, where the preview is, are clearly no grey."""
    shown = picture[60 : picture.shape[0] // 2, 20:400].astype(int)
    return int((np.ptp(shown, axis=2) > 60).sum())


def test_help_opens_its_page(dialog, screen, tmp_path):
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    browser.write_text(
        f'#!/bin/sh\necho "$@" >"{asked}.part"; mv "{asked}.part" "{asked}"; sleep 30\n'
    )
    browser.chmod(0o755)
    process = dialog(BROWSER=str(browser))
    screen.window(DIALOG)
    screen.key("alt+p")
    wait_for(asked.exists, "a page in a browser")
    assert asked.read_text().strip() == help_page.PAGE.as_uri()
    screen.key("Escape")  # the browser holds up nobody
    assert process.wait(LATE) == 130


def test_a_method_that_is_not_ready_cannot_be_chosen(dialog, installed, screen):
    installed.choose(method="edsr")
    process = dialog()
    window = screen.window(DIALOG)
    screen.sleep(2.5)
    screen.photograph(PICTURES / "not-ready.png", window)
    screen.key("Return")
    screen.sleep(0.5)
    assert process.poll() is None
    screen.key("Escape")
    assert process.wait(LATE) == 130


def test_closing_the_window_is_cancel(dialog, screen, field_file):
    before = field_file.read_bytes()
    process = dialog()
    screen.window(DIALOG)
    screen.key("alt+F4")
    assert process.wait(LATE) == 130
    assert field_file.read_bytes() == before


def test_without_a_display_it_runs_with_the_settings_of_last_time(dialog, installed, field_file):
    installed.choose(method="bicubic")
    process = dialog(DISPLAY=":4711")
    _, told = process.communicate(timeout=LATE)
    assert process.returncode == 0
    assert dump.read(field_file).xres == 256
    assert "without a dialog" in told
