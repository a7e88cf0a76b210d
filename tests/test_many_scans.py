"""Promise: a folder of scans is done completely, in bounded memory, and a second run goes on."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(
    "others",
    [
        ("--method", "afm"),
        ("--method", "afm", "--sharpness", "0.5"),
        ("--method", "afm", "--realisations", "1"),
        ("--method", "afm", "--realisations", "1", "--seed", "2"),
        ("--level", "plane+rows-median"),
        ("--no-restore-background",),
        ("--mask", "exclude"),
        ("--protocol", "paper"),
        ("--channel", "0"),
        ("--all-channels",),
        ("--with-retrace", "auto"),
        ("--confidence",),
        ("--residual",),
    ],
    ids=" ".join,
)
def test_resume_keeps_no_result_of_other_options(
    tmp_path: Path, others: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    scan, result = tmp_path / "scan.gwy", tmp_path / "result.gwy"
    heights = np.random.default_rng(0).normal(0.0, 2.0, (32, 32)).cumsum(axis=1)
    io.write(scan, [Channel(heights, 320.0, 320.0, title="Height")])
    command = "upscale", str(scan), "-o", str(result), "--threads", "1", "--quiet", "--resume"
    assert main([*command, "--method", "bicubic"]) == 0
    first = result.read_bytes()
    assert main([*command, "--method", "bicubic", *others]) == 2
    told = capsys.readouterr().err
    assert "result.gwy: this result was made with --method bicubic --level plane, and" in told
    assert others[-1] in told and "--force" in told and result.read_bytes() == first
    assert main([*command, "--method", "bicubic", *others, "--force"]) == 0
    second = result.read_bytes()
    assert second != first
    assert main([*command, "--method", "bicubic", *others, "--force"]) == 0
    assert result.read_bytes() == second  # the log tells the time of day: it was left alone


@pytest.mark.parametrize("kind", ["gsf", "npy"])
def test_resume_knows_results_in_every_format(tmp_path: Path, kind: str) -> None:
    (scan,), result = scans(tmp_path / "in", 1), tmp_path / f"result.{kind}"
    assert quick(scan, "-o", result) == 0
    when = result.stat().st_mtime_ns
    assert quick(scan, "-o", result, "--resume") == 0
    assert quick(scan, "-o", result, "--resume", "--level", "none") == 2
    assert result.stat().st_mtime_ns == when
    assert quick(scan, "-o", result, "--resume", "--level", "none", "--force") == 0
    assert result.stat().st_mtime_ns > when


def test_resume_keeps_no_result_of_the_network_of_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (scan,), result = scans(tmp_path / "in", 1), tmp_path / "result.gwy"
    run = "upscale", str(scan), "-o", str(result), "--threads", "1", "--quiet", "--resume"
    assert main([*run]) == 0
    with monkeypatch.context() as other:
        other.setattr("afmsr_core.methods.shipped.expected_hash", lambda name: name)
        assert main([*run]) == 2
    told = capsys.readouterr().err
    assert told.count("--weights shipped:") == 2 and "--force" in told
    assert main([*run]) == 0


@pytest.mark.parametrize("there", [b"", b"GWYPGwyContainer", b"my notes"], ids=repr)
def test_resume_takes_nothing_else_for_a_result(
    tmp_path: Path, there: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (scan,), result = scans(tmp_path / "in", 1), tmp_path / "result.gwy"
    result.write_bytes(there)
    assert quick(scan, "-o", result, "--resume") == 2
    assert "does not tell from which scan" in capsys.readouterr().err
    assert result.read_bytes() == there
    result.write_bytes(scan.read_bytes())  # a scan is no result either
    assert quick(scan, "-o", result, "--resume") == 2


@pytest.mark.parametrize("kind", ["gwy", "gsf", "npy"])
def test_resume_keeps_no_result_of_another_scan(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instruments count anew every day, so that the scans of two days have the same names."""
    monday, tuesday = tmp_path / "monday" / "scan.gwy", tmp_path / "tuesday" / "scan.gwy"
    for path, scan in zip((monday, tuesday), scans(tmp_path / "in", 2), strict=True):
        path.parent.mkdir()
        path.write_bytes(scan.read_bytes())
    result = tmp_path / f"result.{kind}"
    assert quick(monday, "-o", result) == 0
    first = result.read_bytes()
    assert quick(tuesday, "-o", result, "--resume") == 2
    assert f"another scan than {tuesday}" in capsys.readouterr().err
    assert result.read_bytes() == first
    copy = tmp_path / "copy.gwy"  # another file, at another time, of another name; the same scan
    copy.write_bytes(monday.read_bytes())
    assert quick(copy, "-o", result, "--resume") == 0 and result.read_bytes() == first
    assert quick(tuesday, "-o", result, "--resume", "--force") == 0
    heights = io.read(result)[-1].heights
    assert quick(tuesday, "-o", tmp_path / f"anew.{kind}") == 0
    np.testing.assert_array_equal(heights, io.read(tmp_path / f"anew.{kind}")[-1].heights)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_resume_names_a_scan_that_can_no_longer_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (one, other), out = scans(tmp_path / "in", 2), f"{tmp_path}/out/"
    assert quick(one, other, "-o", out) == 0
    one.unlink()
    os.mkfifo(one)
    assert quick(one, other, "-o", out, "--resume") == 1
    told = capsys.readouterr().err
    assert "1 failed, 1 skipped" in told and f"{one}: this is a pipe" in told


def test_resume_goes_on_after_options_were_changed_half_way(tmp_path: Path) -> None:
    paths, out = scans(tmp_path / "in"), tmp_path / "out"
    assert quick(tmp_path / "in", "-o", out, "--quiet") == 0
    first = out / f"{paths[0].stem}_x4.gwy"
    again = "-o", out, "--level", "none", "--quiet"
    assert quick(paths[0], *again, "--force") == 0  # the run that was interrupted
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert quick(tmp_path / "in", *again, "--resume", "--force", "--jobs", "2") == 0
    for path, when in before.items():
        assert (path.stat().st_mtime_ns == when) == (path == first)
    assert quick(tmp_path / "in", *again, "--resume") == 0
