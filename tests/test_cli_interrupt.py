"""Ctrl+C and SIGTERM: status 130, nothing half written, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.channel import Channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as on Linux")

PATIENCE = 60.0  # seconds


def scans(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        heights = np.random.default_rng(number).normal(size=(160, 160))
        io.write(folder / f"{number:02d}.gwy", Channel(heights, 1e3, 1e3, title="Height"))
    return folder


def start(folder: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(folder), "-o", str(output)]
    return subprocess.Popen(
        [*command, "--threads", "1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def members(session: int) -> list[int]:
    """Return the processes of a session that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def wait_for(condition: object) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("to_all", [False, True], ids=["kill", "Ctrl+C"])
@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=" ".join)
def test_an_interrupt_leaves_only_whole_files(
    tmp_path: Path, options: tuple[str, ...], to_all: bool
) -> None:
    """A terminal sends Ctrl+C to all processes, `kill -INT` to one."""
    output = tmp_path / "out"
    process = start(scans(tmp_path / "in", 30), output, *options)
    assert wait_for(lambda: any(output.glob("[0-9]*.gwy")))
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert told.rstrip().endswith("afmsr: interrupted; nothing half written is left")
    assert wait_for(lambda: members(process.pid) == [])
    made = [path for path in output.iterdir() if path.is_file()]
    assert 0 < len(made) < 30
    for path in made:
        assert not path.name.startswith(".")
        assert io.as_gwy(path).numbers == (0, 1)


def test_a_batch_systems_sigterm_does_the_same(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(scans(tmp_path / "in", 30), output, "--jobs", "2")
    assert wait_for(lambda: any(output.glob("[0-9]*.gwy")))
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "Traceback" not in told
    assert wait_for(lambda: members(process.pid) == [])
    assert not any(path.name.startswith(".") for path in output.iterdir())


def test_workers_do_not_outlive_a_command_that_is_killed(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(scans(tmp_path / "in", 30), output, "--jobs", "2")
    assert wait_for(lambda: any(output.glob("[0-9]*.gwy")))
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert wait_for(lambda: members(process.pid) == [])


def test_a_worker_that_dies_by_accident_is_replaced(tmp_path: Path) -> None:
    """As when the system takes memory back from whoever has it: no file is to blame."""
    output = tmp_path / "out"
    process = start(scans(tmp_path / "in", 30), output, "--jobs", "2")
    assert wait_for(lambda: any(output.glob("[0-9]*.gwy")))
    for member in members(process.pid):
        if b"spawn_main" in Path(f"/proc/{member}/cmdline").read_bytes():
            os.kill(member, signal.SIGKILL)
            break
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "afmsr: 30 done, 0 failed" in told
    made = list(output.glob("[0-9]*.gwy"))
    assert len(made) == 30 and all(io.as_gwy(path).numbers == (0, 1) for path in made)
    assert wait_for(lambda: members(process.pid) == [])
