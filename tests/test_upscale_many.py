"""`afmsr.upscale_many`: what `afmsr upscale` does with many scans, from Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_many_scans import content, scans

import afmsr
from afmsr_cli.main import build_parser, main
from afmsr_core.errors import Cancelled, OutputExistsError, UsageError

COUNT, BAD = 5, 3
QUICK: dict[str, Any] = {"method": "bicubic", "threads": 1}


def broken(folder: Path) -> list[Path]:
    paths = scans(folder, COUNT)
    paths[BAD].write_bytes(b"broken")
    return paths


@pytest.fixture(scope="module")
def want(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the command line writes."""
    folder = tmp_path_factory.mktemp("want")
    broken(folder / "in")
    options = ["--method", "bicubic", "--threads", "1", "--quiet"]
    assert main(["upscale", str(folder / "in"), "-o", str(folder / "out"), *options]) == 1
    return written(folder / "out")


def written(folder: Path) -> dict[str, object]:
    return {path.name: content(path) for path in folder.iterdir()}


def check(records: list[afmsr.Upscaled], paths: list[Path]) -> None:
    """All are done but the broken one, which says so."""
    assert [one.input for one in records] == paths
    for one in records:
        assert (one.status == "failed") == (one.input == paths[BAD]) == (one.error is not None)
    assert str(paths[BAD]) in str(records[BAD].error) and records[BAD].channels == ()
    first = records[0]
    assert first.status == "done" and first.output.name == "scan00_x4.gwy"
    (channel,) = first.channels
    assert (channel["title"], channel["xres"], channel["yres"]) == ("Height", 28, 36)


@pytest.mark.parametrize("jobs", [1, 2])
def test_it_writes_what_the_command_line_writes(
    tmp_path: Path, want: dict[str, object], jobs: int
) -> None:
    paths, told = broken(tmp_path / "in"), list[afmsr.Upscaled]()
    records = afmsr.upscale_many(paths, tmp_path / "out", jobs=jobs, progress=told.append, **QUICK)
    check(records, paths)
    assert sorted(told, key=lambda one: one.input) == records
    assert written(tmp_path / "out") == want


def test_a_cluster_computes_the_same(tmp_path: Path, want: dict[str, object]) -> None:
    distributed = pytest.importorskip("distributed")
    paths = broken(tmp_path / "in")
    options = {"threads_per_worker": 1, "dashboard_address": None, "processes": True}
    with distributed.LocalCluster(n_workers=2, **options) as cluster:
        records = afmsr.upscale_many(paths, tmp_path / "a", scheduler=cluster, **QUICK)
        check(records, paths)
        address = cluster.scheduler_address
        check(afmsr.upscale_many(paths, tmp_path / "b", scheduler=address, **QUICK), paths)
    assert written(tmp_path / "a") == written(tmp_path / "b") == want


def test_a_second_run_goes_on_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    paths, out = scans(tmp_path / "in", COUNT), tmp_path / "out"
    stopped = list[afmsr.Upscaled]()

    def stop(record: afmsr.Upscaled) -> None:
        stopped.append(record)
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        afmsr.upscale_many(tmp_path / "in", out, progress=stop, **QUICK)
    assert [one.input for one in stopped] == paths[:1]
    there = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert 1 <= len(there) < COUNT
    with pytest.raises(OutputExistsError, match="exist"):
        afmsr.upscale_many(paths, out, **QUICK)
    records = afmsr.upscale_many(paths, out, resume=True, **QUICK)
    assert {one.output for one in records if one.status == "skipped"} == set(there)
    assert {one.status for one in records} == {"skipped", "done"}
    assert {path: path.stat().st_mtime_ns for path in there} == there
    again = afmsr.upscale_many(paths, out, force=True, preview=True, **QUICK)
    assert {one.status for one in again} == {"done"} and len(list(out.glob("*.png"))) == COUNT


def test_channels_and_trust_are_those_that_were_asked_for(tmp_path: Path) -> None:
    high, low = (afmsr.read(path)[0] for path in reversed(afmsr.example_pair()))
    scan = tmp_path / "scan.gwy"
    afmsr.write(scan, [low, low.replace(title="Again", number=1)])
    (one,) = afmsr.upscale_many(scan, confidence=True, channel=1, threads=1)
    assert one.output == tmp_path / "scan_x4.gwy" and one.channels[0]["title"] == "Again"
    assert one.channels[0]["trust"] and "history" not in one.channels[0]
    titles = [channel.title for channel in afmsr.read(one.output)]
    assert len(titles) == 4 and high.heights.shape == (512, 512)
    (one,) = afmsr.upscale_many([scan], tmp_path / "all.npy", all_channels=True, **QUICK)
    assert one.status == "failed" and "npy" in str(one.error)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"jobs": 0}, "jobs=0"),
        ({"channel": 0, "all_channels": True}, "choose one"),
        ({"calibration": "ours.json"}, "give both"),
        ({"residual": True, "protocol": "paper"}, "need"),
        ({"level": "nonsense"}, "nonsense"),
        ({"method": "nonsense"}, "nonsense"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        afmsr.upscale_many(scans(tmp_path, 1), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_its_defaults_are_those_of_one_scan_and_of_the_command_line() -> None:
    many = inspect.signature(afmsr.upscale_many).parameters
    command = vars(build_parser("upscale").parse_args(["upscale", "scan.gwy"]))
    for name, parameter in inspect.signature(afmsr.Settings).parameters.items():
        assert many[name].default == parameter.default, name
    elsewhere = {"paths": "files", "out": "output", "scheduler": "dask"}
    for name, parameter in many.items():
        if name not in ("paths", "progress"):
            assert parameter.default == command[elsewhere.get(name, name)], name
    # What only people at a terminal want, or what the return value and `progress` are for.
    left = {"command", "run", "dry_run", "json", "quiet", "open", "scheduler_file"}
    assert {elsewhere.get(name, name) for name in many} - {"progress"} == command.keys() - left


def test_in_a_script_processes_need_the_usual_guard(tmp_path: Path) -> None:
    scans(tmp_path / "in", 2)
    script = tmp_path / "script.py"
    script.write_text(
        "import afmsr\n"
        "if __name__ == '__main__':\n"
        "    found = afmsr.upscale_many('in', 'out', method='bicubic', jobs=2)\n"
        "    print([one.status for one in found])\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("['done', 'done']\n", "")


def test_what_was_upscaled_before_is_told(tmp_path: Path) -> None:
    """Noise and advice would take its pixels for measured, and call it fine."""
    (scan,) = scans(tmp_path, 1)
    (once,) = afmsr.upscale_many(scan, tmp_path / "once.gwy", **QUICK)
    assert once.warnings == ()
    for channel, again in ((0, False), (1, True)):
        (twice,) = afmsr.upscale_many(
            once.output, tmp_path / f"{channel}.gwy", channel=channel, **QUICK
        )
        assert any("it was upscaled before" in one for one in twice.warnings) == again
