"""A part of the damaged files of ``python -m tests.damage``, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Of 30,000, 10,000 and 20,000, side by side: a reader that does not come back takes its whole time,
# here 2 s.
SEEDS = {"native": (1,), "raw": (1, 2), "third": (1,)}
FILES = {"native": 2000, "raw": 350, "third": 600}
READ = {
    "native": "read, upscaled and read again",
    "raw": " read\n",
    "third": "read, upscaled and read again",
}


@pytest.mark.parametrize("family", FILES)
def test_every_promise_about_damaged_files_holds(family: str, shared: Path) -> None:
    command = [sys.executable, "-m", "tests.damage", family, "--files", str(FILES[family])]
    environment = {**os.environ, "AFMSR_SHARED": str(shared)}
    runs = [
        subprocess.Popen(
            [*command, "--seed", str(seed)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for seed in SEEDS[family]
    ]  # fmt: skip
    answers = [run.communicate() for run in runs]  # of all, before anything is held against one
    for run, (said, complained) in zip(runs, answers, strict=True):
        assert run.returncode == 0, complained[-3000:]
        # Refusal and success are both reached, or nothing was tested.
        assert "CorruptFileError" in said and READ[family] in said


def test_the_same_seed_makes_the_same_files() -> None:
    told = (
        "import hashlib; from tests.damage import native; "
        "print(hashlib.sha256(repr(list(native.generate(7, 50))).encode()).hexdigest())"
    )
    command = [sys.executable, "-c", told]
    said = [subprocess.run(command, cwd=ROOT, capture_output=True, check=True) for _ in range(2)]
    assert said[0].stdout == said[1].stdout
