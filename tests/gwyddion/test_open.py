"""``afmsr upscale --open`` hands the finished file to the running program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from afmsr_core.data import example_pair

PROGRAM = """#!/bin/sh
printf '%s\\n' "$@" > "$LOG.part" && mv "$LOG.part" "$LOG"
sleep 5
"""


def upscale(tmp_path: Path, path: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    result = tmp_path / "füne result.gwy"
    command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(example_pair()[0])]
    done = subprocess.run(
        [*command, "-o", str(result), "--method", "bicubic", "--open", "--quiet"],
        env={**os.environ, "PATH": path, "LOG": str(tmp_path / "asked")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done, result


@pytest.mark.parametrize("name", ["gwyddion", "gwyddion3"])
def test_the_running_program_is_asked_to_open_the_result(tmp_path: Path, name: str) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("sh", "mv", "sleep"):
        (programs / tool).symlink_to(str(shutil.which(tool)))
    program = programs / name
    program.write_text(PROGRAM)
    program.chmod(0o755)
    done, result = upscale(tmp_path, str(programs))
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 15
    while not (tmp_path / "asked").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "asked").read_text().splitlines() == ["--remote-existing", str(result)]


def test_without_gwyddion_the_result_is_written_and_the_user_told(tmp_path: Path) -> None:
    done, result = upscale(tmp_path, str(tmp_path))
    assert done.returncode == 0 and result.is_file()
    assert "no Gwyddion is installed" in done.stderr
