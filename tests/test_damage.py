"""A tenth of the damaged files of ``python -m tests.damage``, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = {"native": 3000}  # of 30,000


@pytest.mark.parametrize("family", FILES)
def test_every_promise_about_damaged_files_holds(family: str) -> None:
    command = [sys.executable, "-m", "tests.damage", family, "--files", str(FILES[family])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # Refusal and success are both reached, or nothing was tested.
    assert "CorruptFileError" in done.stdout and "read, upscaled and read again" in done.stdout


def test_the_same_seed_makes_the_same_files() -> None:
    told = (
        "import hashlib; from tests.damage import native; "
        "print(hashlib.sha256(repr(list(native.generate(7, 50))).encode()).hexdigest())"
    )
    command = [sys.executable, "-c", told]
    said = [subprocess.run(command, cwd=ROOT, capture_output=True, check=True) for _ in range(2)]
    assert said[0].stdout == said[1].stdout
