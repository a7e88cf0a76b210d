"""Promise: a folder of scans is done completely, in bounded memory, and a second run goes on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.batch import overlapping as module
from afmsr_core.batch.overlapping import AHEAD, overlapping
from afmsr_core.batch.plan import Job
from afmsr_core.batch.work import Work
from afmsr_core.channel import Channel
from afmsr_core.upscale import Settings, Upscaler

COUNT = 12


def scans(folder: Path, count: int = COUNT) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for seed in range(count):
        heights = np.random.default_rng(seed).normal(seed, 2.0, (9, 7)).cumsum(axis=1)
        paths.append(folder / f"scan{seed:02}.gwy")
        io.write(paths[-1], [Channel(heights, 70.0, 90.0, title="Height")])
    return paths


def bicubic() -> Upscaler:
    return Upscaler(Settings(method="bicubic"))


def quick(*arguments: object) -> int:
    return main(["upscale", *map(str, arguments), "--method", "bicubic"])


def content(path: Path) -> tuple[bytes, str, dict[str, str]]:
    """Return what is in a result, without its log, which has the time of day."""
    file = io.as_gwy(path)
    channel = file.channel(1)
    return channel.heights.tobytes(), channel.title, dict(file.meta(1))


def nobody(name: str) -> None:
    return None


def test_overlapping_is_the_same_in_the_same_order(tmp_path: Path) -> None:
    paths = scans(tmp_path / "in")
    paths[4].write_bytes(b"broken")
    outputs = [[tmp_path / kind / path.name for path in paths] for kind in ("one", "two")]
    work, upscaler = Work(), bicubic()
    one = [work(Job(*both), upscaler) for both in zip(paths, outputs[0], strict=True)]
    jobs = [Job(*both) for both in zip(paths, outputs[1], strict=True)]
    two = list(overlapping(jobs, work, upscaler, nobody))
    assert [record["input"] for record in two] == [str(path) for path in paths]
    assert ["error" in record for record in two] == [index == 4 for index in range(COUNT)]
    for a, b in zip(one, two, strict=True):
        assert a | {"output": ""} == b | {"output": ""}
        if "error" not in a:
            assert content(Path(a["output"])) == content(Path(b["output"]))


class Watched(Work):
    """Counts the scans that are in memory, and is slow to write."""

    def read(self, job: Job) -> Any:
        with LOCK:
            SEEN.append(("read", threading.get_ident()))
            COUNTS["now"] += 1
            COUNTS["most"] = max(COUNTS["most"], COUNTS["now"])
        return super().read(job)

    def write(self, task: Any) -> dict[str, Any]:
        time.sleep(0.02)
        record = super().write(task)
        with LOCK:
            SEEN.append(("write", threading.get_ident()))
            COUNTS["now"] -= 1
        return record


LOCK = threading.Lock()
SEEN: list[tuple[str, int]] = []
COUNTS = {"now": 0, "most": 0}


@pytest.mark.parametrize("large", [False, True])
def test_few_scans_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """However slow the disk is; and of large ones the result of one."""
    SEEN.clear()
    COUNTS.update(now=0, most=0)
    if large:
        monkeypatch.setattr(module, "LARGE", 0)
    jobs = [Job(path, tmp_path / "out" / path.name) for path in scans(tmp_path / "in")]
    assert len(list(overlapping(jobs, Watched(), bicubic(), nobody))) == COUNT
    # Read, computed, waiting to be written; and one on its way between them.
    assert 1 <= COUNTS["most"] <= (AHEAD + 1 if large else 2 * AHEAD + 2)
    threads = {kind: {one for what, one in SEEN if what == kind} for kind in ("read", "write")}
    assert not threads["read"] & threads["write"]
    assert threading.get_ident() not in threads["read"] | threads["write"]


def test_stopping_early_leaves_whole_files_and_no_threads(tmp_path: Path) -> None:
    jobs = [Job(path, tmp_path / "out" / path.name) for path in scans(tmp_path / "in")]
    before = threading.active_count()
    running = overlapping(jobs, Work(), bicubic(), nobody)
    next(running)
    running.close()
    assert threading.active_count() == before
    written = list((tmp_path / "out").iterdir())
    assert 1 <= len(written) < COUNT
    for path in written:
        assert io.as_gwy(path).numbers == (0, 1)  # and no temporary file


def test_resume_does_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths, out = scans(tmp_path / "in"), tmp_path / "out"
    assert quick(tmp_path / "in", "-o", out, "--quiet") == 0
    done = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    lost = out / f"{paths[3].stem}_x4.gwy"
    lost.unlink()
    assert quick(tmp_path / "in", "-o", out) == 2  # without --resume, as ever: they exist
    assert quick(tmp_path / "in", "-o", out, "--resume") == 0
    assert f"{COUNT - 1} of {COUNT} are done already" in capsys.readouterr().err
    for path, when in done.items():
        assert (path.stat().st_mtime_ns == when) == (path != lost)
    assert quick(tmp_path / "in", "-o", out, "--resume", "--quiet") == 0
    # A preview that is missing is work that is left.
    assert quick(tmp_path / "in", "-o", out, "--resume", "--preview", "--quiet") == 0
    assert len(list(out.glob("*.png"))) == COUNT
    assert quick(tmp_path / "in", "-o", out, "--resume", "--force") == 2
    assert "choose one" in capsys.readouterr().err
