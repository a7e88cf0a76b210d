"""Scans on a Dask cluster: the same files, also when workers die in the middle."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")
pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from test_cli_eval_dask import DEATHS, Cluster, until
from test_many_scans import content, scans

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.batch import cluster, dask
from afmsr_core.batch.cluster import SCANS_A_TASK
from afmsr_core.batch.many import each
from afmsr_core.batch.plan import Job
from afmsr_core.batch.work import Work
from afmsr_core.errors import AfmsrError
from afmsr_core.upscale import Settings, Upscaler

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")

COUNT = 3 * SCANS_A_TASK + 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        found.add(2)
        yield found
    finally:
        found.close()


def there(jobs: list[Job], running: Cluster) -> Iterator[dict[str, Any]]:
    return each(jobs, Work(), Settings(method="bicubic"), scheduler=running.address)


def outputs(folder: Path) -> dict[str, object]:
    return {path.name: content(path) for path in folder.iterdir()}


def test_the_same_files_and_a_broken_one_is_named(
    tmp_path: Path, running: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = scans(tmp_path / "in", COUNT)
    paths[5].write_bytes(b"broken")
    (square,) = io.read(paths[2])
    io.write(paths[2], square.replace(yreal=4 * square.yreal), force=True)  # a line scan
    io.write(paths[3], square.replace(xreal=2 * square.xreal), force=True)  # and one that is turned
    common = ["upscale", str(tmp_path / "in"), "--threads", "1", "--quiet"]
    tables = tmp_path / "here.csv", tmp_path / "there.csv"
    assert main([*common, "-o", str(tmp_path / "here"), "--summary", str(tables[0])]) == 1
    capsys.readouterr()
    there = ["-o", str(tmp_path / "there"), "--scheduler-file", str(running.file)]
    assert main([*common, *there, "--summary", str(tables[1])]) == 1
    assert tables[0].read_text() == tables[1].read_text().replace("/there/", "/here/")
    assert paths[5].name in capsys.readouterr().err
    assert outputs(tmp_path / "here") == outputs(tmp_path / "there")
    titles = [io.read(tmp_path / "there" / f"{path.stem}_x4.gwy")[-1].title for path in paths[1:4]]
    assert [title.rpartition("(")[2] for title in titles] == [
        "x4 afm)", "lines x4, afm)", "lines x2, afm)",
    ]  # fmt: skip
    assert main([*common, *there, "--resume"]) == 1  # only the broken one is tried again


def test_few_tasks_are_in_flight(
    tmp_path: Path, running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SCANS_A_TASK", 1)
    jobs = [Job(path, tmp_path / "out" / path.name) for path in scans(tmp_path / "in", COUNT)]
    most = 0
    submit = cluster._Run._submit
    flying = []

    def counted(run: object, chunk: object) -> object:
        nonlocal most
        future = submit(run, chunk)  # type: ignore[arg-type]
        flying.append(future)
        most = max(most, sum(not one.done() for one in flying))
        return future

    monkeypatch.setattr(cluster._Run, "_submit", counted)
    assert len(list(there(jobs, running))) == COUNT
    assert most <= dask.AHEAD * 2 < COUNT


def test_a_dead_workers_scans_are_done_by_another(tmp_path: Path, running: Cluster) -> None:
    jobs = [Job(path, tmp_path / "out" / path.name) for path in scans(tmp_path / "in", COUNT)]
    running.add(1)
    done = there(jobs, running)
    records = [next(done)]
    os.kill(running.workers[-1].pid, signal.SIGKILL)
    records += done
    assert len(records) == COUNT and not any("error" in record for record in records)
    # What a killed process was just writing stays behind under a hidden name, never under that of
    # a result.
    written = [name for name in outputs(tmp_path / "out") if not name.startswith(".")]
    assert sorted(written) == sorted(job.target.name for job in jobs)
    running.workers[-1].wait()
    until(lambda: len(running.client.nthreads()) == 2)


def test_a_worker_with_other_weights_is_refused(tmp_path: Path, running: Cluster) -> None:
    jobs = [Job(path, tmp_path / "out" / path.name) for path in scans(tmp_path / "in", 1)]
    upscaler = Upscaler(Settings(threads=1))
    upscaler.engines.of(upscaler.method).weights_sha256 = "0" * 64  # type: ignore[arg-type] # as if
    with pytest.raises(AfmsrError, match="has other weights of afm"):
        list(cluster.on_cluster(jobs, upscaler, Work(), running.address, print))


def test_a_scan_that_kills_its_workers_costs_no_other(
    tmp_path: Path, running: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = scans(tmp_path / "in", COUNT)
    running.add(2 * DEATHS)
    running.client.run(_make_deadly, paths[5].name)
    options = ["--method", "bicubic", "--quiet", "--scheduler-file", str(running.file), "--json"]
    assert main(["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *options]) == 1
    told, said = capsys.readouterr()
    assert f"afmsr: {COUNT - 1} done, 1 failed" in said
    assert f"{paths[5]}: every worker that took this scan died" in said
    records = json.loads(told)
    assert [one["status"] for one in records] == ["done"] * 5 + ["failed"] + ["done"] * (COUNT - 6)
    assert [Path(one["input"]) for one in records] == paths
    made = {path.stem for path in (tmp_path / "out").glob("[!.]*.gwy")}
    assert made == {f"{path.stem}_x4" for path in paths if path != paths[5]}


def _make_deadly(name: str) -> None:
    import os

    from afmsr_core.batch.work import Work

    before = Work.read

    def deadly(self: object, job: object) -> object:
        if job.source.name == name:  # type: ignore[attr-defined]
            os._exit(9)  # as the system ends what takes too much memory
        return before(self, job)  # type: ignore[arg-type]

    Work.read = deadly  # type: ignore[assignment, method-assign]


_make_deadly.__module__ = "__main__"
