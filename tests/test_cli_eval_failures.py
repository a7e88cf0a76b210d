"""Whatever happens to one pair is that pair's failure; what readers warn of is a note."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import coarse, surface, write_pair

COUNT = 3
BAD = "p1"
START = f"""
import os, signal
from afmsr_core import io
read = io.read

def doubtful(path):
    if path.name.startswith("{BAD}_high"):
        {{fault}}
    said = ("3 lines at the top were not measured.",) if path.name == "p0_low.gwy" else ()
    return [channel.replace(warnings=said) for channel in read(path)]

io.read = doubtful
"""


def evaluate(tmp_path: Path, fault: str, *options: str) -> tuple[dict[str, Any], str, Path]:
    """Return results, stderr and the folder of logs of a run in which one pair goes wrong."""
    for seed in range(COUNT):
        write_pair(tmp_path / "pairs", f"p{seed}", coarse(surface(seed)), surface(seed))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(START.format(fault=fault))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "afmsr_cli.eval", str(tmp_path / "pairs"), "--quiet"),
            *("-o", str(tmp_path / "out"), "--methods", "bicubic", "--protocol", "paper", *options),
        ],
        env=os.environ
        | {"PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "2 pairs scored, 1 not, 0 taken from an earlier run" in done.stdout
    result = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [pair["status"] for pair in result["pairs"]] == ["scored", "failed", "scored"]
    return result, done.stderr, tmp_path / "cache" / "afmsr" / "logs"


@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["1 job", "2 jobs"])
@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is named as on Linux")
def test_a_fault_is_told_with_its_traceback_and_notes_go_into_the_report(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    result, said, logs = evaluate(tmp_path, "raise ZeroDivisionError('by zero')", *options)
    reason = result["pairs"][1]["reason"]
    assert reason.startswith("p1: ZeroDivisionError: by zero; this is a fault of afmsr")
    assert f"afmsr-eval: p1 failed: {reason}" in said
    (log,) = logs.iterdir()
    assert f"afmsr-eval: tracebacks are in {log}" in said
    assert "sitecustomize.py" in log.read_text()
    for path in (tmp_path / "out").rglob("*.json"):  # which may be handed on
        assert "sitecustomize" not in path.read_text()

    note = "p0_low.gwy, channel 0 'Height': 3 lines at the top were not measured."
    assert [pair["notes"] for pair in result["pairs"]] == [[note], [], []]
    assert said.count(note) == 1 and f"afmsr-eval: warning: p0: {note}" in said
    page = (tmp_path / "out" / "report.html").read_text()
    assert "3 lines at the top were not measured." in page


@pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")
def test_a_pair_that_kills_its_process_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    fault = "os.kill(os.getpid(), signal.SIGKILL)"
    result, said, logs = evaluate(tmp_path, fault, "--jobs", "2")
    reason = result["pairs"][1]["reason"]
    assert reason.startswith("p1: the process that was at it died twice (SIGKILL")
    assert reason in said and not logs.exists()
