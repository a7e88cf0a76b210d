"""Progress: how long it still takes, second by second, and never on a line with anything else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from terminals import at_terminal

from afmsr_cli import progress as progress_module
from afmsr_cli.progress import Progress
from afmsr_core import io
from afmsr_core.channel import Channel

WIPE = "\r\x1b[K"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scans")
    x = np.sin(np.arange(160) / 9.0)
    heights = np.add.outer(x, x) + np.random.default_rng(0).normal(0, 0.01, (160, 160))
    channels = [Channel(heights, 1000.0, 1000.0, title=title) for title in ("Height", "Retrace")]
    io.write(made / "good.gwy", channels)
    (made / "bad.gwy").write_bytes(b"broken")
    return made


def command(folder: Path, *options: str) -> list[str]:
    scans = [str(folder / name) for name in ("bad.gwy", "good.gwy")]
    more = ["-o", f"{folder / 'out'}/", "--force", "--tile", "64", "--threads", "1", *options]
    return [sys.executable, "-m", "afmsr_cli.main", "upscale", *scans, *more]


def expected(folder: Path, seen: list[str]) -> None:
    """Check the lines that stand at the end, one by one."""
    patterns = [
        rf"\[1/2\] {folder}/bad.gwy: failed( +\(\d+ s left\))?",
        rf"\[2/2\] {folder}/good.gwy -> \S+: Height to 640 x 640 px \(afm\), Retrace to .*",
        r" {4}Height: fine: heights off by (about|less than) \d+ % of Sq",
        r" {4}Retrace: fine: heights off by (about|less than) \d+ % of Sq",
        "afmsr: 1 done, 1 failed",
        rf"afmsr: {folder}/bad.gwy: of no format that we know; .*",
    ]
    assert len(seen) == len(patterns), seen
    for line, pattern in zip(seen, patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)


def test_a_terminal_counts_the_seconds_and_keeps_lines_apart(folder: Path) -> None:
    with at_terminal(command(folder, "--all-channels"), os.environ) as terminal:
        seen = terminal.rest()
    lines = seen.split("\r\n")
    assert lines.pop() == ""
    expected(folder, [line.rpartition(WIPE)[2] for line in lines])
    moving = [part for line in lines for part in line.split(WIPE)[:-1] if part]
    told = r"\d of 2 done, (\d+ min )?\d+ s (left|so far)(, (good|bad)\.gwy)?"
    assert [one for one in moving if not re.fullmatch(told, one)] == []
    assert any("s left, good.gwy" in one for one in moving)


def test_a_pipe_gets_whole_lines_only(folder: Path) -> None:
    done = subprocess.run(
        command(folder, "--all-channels"), stderr=subprocess.PIPE, text=True, timeout=100
    )
    assert done.returncode == 1 and "\r" not in done.stderr and "\x1b" not in done.stderr
    expected(folder, done.stderr.splitlines())


def test_time_left_is_what_it_took_so_far_and_runs_down(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    drawn: list[str] = []
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress_module, "draw", drawn.append)
    monkeypatch.setattr(progress_module.sys.stderr, "isatty", lambda: True)
    with Progress(1) as progress:
        hear = progress.within("scan.gwy")
        assert hear is not None
        for second, fraction in (
            (0, None),
            (10, 0.25),
            (11, None),
            (40, 0.5),
            (41, 0.5),
            (90, None),
        ):
            clock[0] = 100.0 + second
            hear(fraction) if fraction is not None else progress._draw()
    assert drawn[1:-1] == [
        "0% done, 0 s so far, scan.gwy",
        "25% done, 30 s left, scan.gwy",
        "25% done, 29 s left, scan.gwy",
        "50% done, 40 s left, scan.gwy",
        "50% done, 41 s left, scan.gwy",
        "50% done, 1 min 30 s so far, scan.gwy",  # longer than was thought
    ]
    assert drawn[-1] == ""
