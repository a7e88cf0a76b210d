"""Whether stdout and stderr can be written to decides nothing about the files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_many_scans import scans

from afmsr_core import io
from afmsr_core.channel import Channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and a shell")

COUNT = 3
AWAY = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| head -c 0"]


def afmsr(line: str, module: str = "main") -> subprocess.CompletedProcess[str]:
    """Run a command in a shell; its exit status is that of afmsr, also in a pipe."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m afmsr_cli.{module} {line}"],
        capture_output=True,
        text=True,
        timeout=100,
    )


def whole(folder: Path, count: int) -> bool:
    made = list(folder.iterdir())
    return len(made) == count and all(io.as_gwy(path).numbers == (0, 1) for path in made)


@pytest.mark.parametrize(("where", "jobs"), [*((where, 1) for where in AWAY), (">&- 2>&-", 2)])
def test_results_are_complete(tmp_path: Path, where: str, jobs: int) -> None:
    """Nor is anything that libraries print written into a result, where a stream was closed."""
    scans(tmp_path / "in", COUNT)
    line = f"upscale {tmp_path}/in -o {tmp_path}/out --threads 1 --jobs {jobs}"
    done = afmsr(f"{line} {where}")
    assert done.returncode == 0, done.stderr
    assert whole(tmp_path / "out", COUNT)


@pytest.mark.parametrize("where", [">&- 2>&-", "2>/dev/full", ">/dev/full"])
def test_a_failed_file_is_told_by_the_status_at_least(tmp_path: Path, where: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.gwy").write_bytes(b"broken")
    scans(tmp_path / "in", COUNT)
    done = afmsr(f"upscale {tmp_path}/in -o {tmp_path}/out --method bicubic {where}")
    assert done.returncode == 1
    assert whole(tmp_path / "out", COUNT)
    assert ("bad.gwy" in done.stderr) == ("2>" not in where)


def test_titles_and_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    channel = Channel(np.random.default_rng(0).random((8, 8)), 9, 9, title="\x1b]0;a\x07 \x9b2J\rb")
    io.write(tmp_path / "c\x1b[2Jd.gwy", [channel])
    done = afmsr(f"upscale {tmp_path}/*.gwy --method bicubic")
    assert done.returncode == 0, done.stderr
    assert r"c\x1b[2Jd.gwy" in done.stderr
    assert r"\x1b]0;a\x07 \x9b2J b to 32 x 32 px" in done.stderr
    assert not {"\x1b", "\x07", "\x9b", "\r"} & {*done.stderr}


@pytest.mark.parametrize(
    ("where", "told"),
    [(">&-", "it is closed"), (">/dev/full", "No space left on device"), ("| head -c 0", "")],
)
def test_an_answer_that_was_asked_for_and_lost_is_an_error(
    tmp_path: Path, where: str, told: str
) -> None:
    scans(tmp_path / "in", COUNT)
    line = f"upscale {tmp_path}/in -o {tmp_path}/out --method bicubic --quiet"
    done = afmsr(f"{line} --json {where}")
    assert done.returncode == 1
    assert told in done.stderr and done.stderr.count("\n") == bool(told)
    assert whole(tmp_path / "out", COUNT)
    for command in ("models list", f"{line} --dry-run --force", f"convert {tmp_path}/in/scan00.gwy "
                    f"--to csv -o {tmp_path}/a.csv --json"):  # fmt: skip
        assert afmsr(f"{command} {where}").returncode == 1
    assert (tmp_path / "a.csv").is_file()


def test_words_for_stderr_do_not_come_to_stdout(tmp_path: Path) -> None:
    """As Python does by itself when stderr is closed."""
    scans(tmp_path / "in", 1)
    (tmp_path / "in" / "bad.gwy").write_bytes(b"broken")
    done = afmsr(f"upscale {tmp_path}/in -o {tmp_path}/out --method bicubic --json 2>&-")
    assert done.returncode == 1 and len(json.loads(done.stdout)) == 2


@pytest.mark.parametrize("where", [">&- 2>&-", "2>/dev/full", "| head -c 0"])
def test_an_evaluation_is_complete(tmp_path: Path, where: str) -> None:
    for extra in ("scipy", "skimage", "statsmodels"):
        pytest.importorskip(extra)
    from test_evaluation import coarse, surface, write_pair

    write_pair(tmp_path / "pairs", "a", coarse(surface(1)), surface(1))
    line = f"{tmp_path}/pairs -o {tmp_path}/out --methods bicubic --protocol paper"
    done = afmsr(f"{line} {where}", "eval")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [pair["status"] for pair in result["pairs"]] == ["scored"]
    assert (tmp_path / "out" / "report.html").read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_the_plug_ins_worker_starts(where: str) -> None:
    """As a desktop may start it; it ends when its client has nothing to say."""
    command = f"{sys.executable} -I -m gwyddion_plugin.worker --cold"
    done = subprocess.run(["bash", "-c", f"{command} </dev/null {where}"], timeout=60)
    assert done.returncode == 0
