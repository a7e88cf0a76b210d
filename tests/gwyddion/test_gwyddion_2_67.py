"""The plug-in in Gwyddion 2.67, the one of Debian 13, in a root of that release."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from homes import FUNCTION, HARNESS
from screen import missing_tools, wait_for
from test_headless import pair, scan
from test_window import ACCELERATOR, DIALOG, EXAMPLE, KEY, WINDOW

from afmsr_core.io.gwy import GwyFile
from afmsr_core.upscale import upscale

INSTALLING = ("-m", "gwyddion_plugin.installing")


def test_install_result_and_uninstall(home, trixie, scan_file, tmp_path):
    assert "2.67" in home.call(*trixie.command("gwyddion", "--version")).stdout
    for options in ((), ("--check",)):
        done = home.call(*trixie.command(sys.executable, *INSTALLING, *options))
        assert done.returncode == 0, done.stdout + done.stderr
    mask = np.zeros((24, 40), bool)
    mask[3:9, 20:31] = True
    source, target = scan_file(scan(mask=mask)), tmp_path / "out.gwy"
    command = trixie.command(sys.executable, HARNESS, FUNCTION, source, target, "0")
    done = home.call(*command)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["menu"] == "/_Plug-Ins/_AFM Super-Resolution..."
    assert (told["before"], told["after"]) == ([0], [0, 1])
    original, added = pair(target)
    np.testing.assert_allclose(added.heights, upscale(original).heights, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(added.mask, mask.repeat(4, 0).repeat(4, 1))
    assert (added.xreal, added.unit) == (original.xreal, original.unit)
    check = home.call(*trixie.command("gwyddion", "--check", target))
    assert (check.returncode, check.stderr) == (0, "")
    done = home.call(*trixie.command(sys.executable, *INSTALLING, "--uninstall"))
    assert done.returncode == 0 and not home.launcher.exists()


@pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
def test_its_window_dialog_and_ctrl_f(home, trixie, screen, tmp_path):
    home.gwyddion_dir.mkdir()
    home.install()
    keys = home.gwyddion_dir / "ui" / "accel_map"
    keys.parent.mkdir()
    keys.write_text(ACCELERATOR)
    file = tmp_path / "scan.gwy"
    file.write_bytes(EXAMPLE.read_bytes())
    home.variables["DISPLAY"] = screen.display
    options = ["--new-instance", "--no-splash", "--disable-gl"]
    process = subprocess.Popen(
        trixie.command("gwyddion", *options, file),
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        window = screen.window(WINDOW)
        screen.key(KEY)
        screen.window(DIALOG)
        wait_for(lambda: list(home.runtime.glob("tmp/afmsr-*/overview.ppm")), "a preview")
        screen.sleep(0.5)
        screen.key("Return")
        wait_for(lambda: len(screen.windows(WINDOW)) == 2, "a new channel")
        screen.activate(window)
        screen.key("ctrl+f")
        wait_for(lambda: len(screen.windows(WINDOW)) == 3, "another one")
        before = file.stat().st_mtime_ns
        screen.key("ctrl+s")
        wait_for(lambda: file.stat().st_mtime_ns != before, "saving")
        screen.sleep(0.5)
        original, first, second = GwyFile.open(Path(file)).channels()
        np.testing.assert_array_equal(first.heights, second.heights)
        np.testing.assert_allclose(first.heights, upscale(original).heights, rtol=0, atol=1e-6)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
