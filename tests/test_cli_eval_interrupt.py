"""Ctrl+C during an evaluation: status 130, finished pairs kept, nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_evaluation import coarse, surface, write_pair

import afmsr_core.report
from afmsr_cli.main import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")

PATIENCE = 100.0  # seconds
COUNT = 12
FAST = ("--methods", "bilinear,bicubic", "--protocol", "paper")


@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["1 job", "2 jobs"])
def test_an_interrupt_keeps_the_pairs_that_are_finished(
    tmp_path: Path,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, output = tmp_path / "pairs", tmp_path / "out"
    for seed in range(COUNT):
        write_pair(folder, f"{seed:02d}", coarse(surface(seed)), surface(seed))
    process = subprocess.Popen(
        [sys.executable, "-m", "afmsr_cli.eval", str(folder), "-o", str(output), *FAST, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + PATIENCE
    while not list(output.glob("pairs/[0-9]*.json")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "Traceback" not in told and "interrupted" in told
    assert not [path for path in output.rglob(".*") if path.is_file()]
    finished = sorted(output.glob("pairs/*.json"))
    assert 0 < len(finished) < COUNT
    for path in finished:
        record = json.loads(path.read_text(encoding="utf-8"))
        assert record["status"] == "scored" and (output / record["fields"]).is_file()
    before = {path: path.stat().st_mtime_ns for path in finished}

    monkeypatch.setattr(afmsr_core.report, "write_report", lambda folder: folder / "report.html")
    assert main(["eval", str(folder), "-o", str(output), *FAST, "--quiet"]) == 0
    assert f"{COUNT} pairs scored, 0 not, {len(finished)} taken" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in finished} == before
