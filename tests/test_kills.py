"""Promise: whenever a command is killed, nothing half written is taken for whole; see `kills`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as on Linux")

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("command", "runs", "needs"),
    [("upscale", 4, "cv2"), ("fetch", 3, "torch"), ("eval", 2, "statsmodels")],
)
def test_what_is_left_of_killed_commands_is_whole(command: str, runs: int, needs: str) -> None:
    """By the same seed each time, so that a failure can be repeated."""
    pytest.importorskip(needs)
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "--runs", str(runs), "--only", command],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{command}: " in done.stdout and " killed" in done.stdout
