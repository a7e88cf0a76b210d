"""Pairs on a Dask cluster: the same numbers, whatever happens to the workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")
pytest.importorskip("distributed")

import distributed
from test_evaluation import coarse, surface, write_pair

import afmsr_core.evaluation
import afmsr_core.pairing
import afmsr_core.report
from afmsr_cli.main import main
from afmsr_core.batch import dask
from afmsr_core.errors import AfmsrError, MissingWeightsError, pip_install
from afmsr_core.evaluation import EvaluationSettings, cluster
from afmsr_core.evaluation.many import each

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")

PATIENCE = 60.0  # seconds
COUNT = 4
DEATHS = 2  # of workers, until a pair is given up
METHODS = ("bilinear", "bicubic")
FAST = ("--methods", ",".join(METHODS), "--protocol", "paper")
CHOSEN = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(DEATHS - 1)}


def until(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


class Cluster:
    """A scheduler and workers, each a process of its own; no nanny brings the dead back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"
        )
        until(lambda: self.file.is_file() and self.file.stat().st_size)
        self.address = json.loads(self.file.read_text())["address"]
        self.client = distributed.Client(self.address, set_as_default=False)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        module, file = f"distributed.cli.{what}", ("--scheduler-file", str(self.file))
        with (self.folder / f"{what}{len(self.workers)}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *options, *file],
                stdout=log,
                stderr=log,
                cwd=self.folder,  # not that of the command
                env=os.environ | CHOSEN,
            )

    def add(self, count: int) -> None:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        for _ in range(count):
            name = str(len(self.workers))
            self.workers.append(self._start("dask_worker", *options, "--name", name))
        alive = sum(worker.poll() is None for worker in self.workers)
        until(lambda: len(self.client.nthreads()) == alive)

    def address_of(self, worker: int) -> str:
        pid = self.workers[worker].pid
        return next(one for one, found in self.client.run(os.getpid).items() if found == pid)

    def close(self) -> None:
        self.client.close(timeout=5)
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        found.add(2)
        yield found
    finally:
        found.close()


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afmsr_core.report, "write_report", lambda folder: folder / "report.html")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs in a folder, one of them broken."""
    folder = tmp_path_factory.mktemp("data") / "pairs"
    for seed in range(COUNT):
        write_pair(folder, f"p{seed}", coarse(surface(seed)), surface(seed))
    (folder / "broken_low.gwy").write_bytes(b"")
    (folder / "broken_high.gwy").write_bytes(b"")
    return folder


def records(output: Path) -> dict[str, Any]:
    """Return all records by id, without what the clock says."""
    found = [json.loads(path.read_text()) for path in output.glob("pairs/*.json")]
    return {one["id"]: one | {"seconds": None} for one in found}


@pytest.fixture(scope="module")
def serial(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the records of a run in one process."""
    output = tmp_path_factory.mktemp("serial")
    settings = EvaluationSettings(methods=METHODS, protocols=("paper",))
    afmsr_core.evaluation.begin(settings, output)
    evaluator = afmsr_core.evaluation.Evaluator(settings)
    for pair in afmsr_core.pairing.find_pairs(pairs).pairs:
        afmsr_core.evaluation.outcome_of(pair, evaluator, output)
    return records(output)


def run(pairs: Path, output: Path, *options: str) -> int:
    return main(["eval", str(pairs), "-o", str(output), *FAST, *options])


def test_the_numbers_are_those_of_one_process(
    running: Cluster,
    pairs: Path,
    serial: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(pairs.parent)  # relative names, which mean something else to the workers
    output = Path(os.path.relpath(tmp_path / "out"))
    assert run(Path("pairs"), output, "--dask", running.address) == 1
    out, told = capsys.readouterr()
    assert f"{COUNT} pairs scored, 1 not, 0 taken" in out
    lines = [line for line in told.splitlines() if line.startswith("[")]
    assert sorted(line.split()[1:3] for line in lines) == [
        ["broken", "failed"],
        *([f"p{seed}", "scored"] for seed in range(COUNT)),
    ]
    found = records(output)
    assert found.keys() == serial.keys()
    for name in found.keys() - {"broken"}:
        assert Path(found[name]["low"]["path"]) == Path("pairs", f"{name}_low.gwy")
        paths = {member: serial[name][member] for member in ("low", "high")}
        assert found[name] | paths == serial[name]
    assert not [path for path in output.rglob(".*") if path.is_file()]

    (pairs / "broken_low.gwy").touch()
    assert run(Path("pairs"), output, "--scheduler-file", str(running.file), "--quiet") == 1
    assert f"1 not, {COUNT} taken" in capsys.readouterr().out


def test_networks_are_loaded_once_in_a_worker(running: Cluster, tmp_path: Path) -> None:
    options = ("--methods", "bicubic,afm", "--protocol", "paper", "--quiet")
    held = []
    for name in ("one", "two"):
        for seed in range(4):
            write_pair(tmp_path / name, f"{seed}", coarse(surface(seed)), surface(seed))
        arguments = ["eval", str(tmp_path / name), *options, "--dask", running.address]
        assert main(arguments) == 0
        held.append(running.client.run(_evaluators))
    before, after = held
    assert len(before) == 2 and all(before.values())
    assert after == before and max(map(len, after.values())) <= dask.HELD


def _evaluators() -> list[tuple[str, int]]:
    from afmsr_core.evaluation import cluster

    return [(network, id(one)) for network, one in cluster._evaluators.items()]


_evaluators.__module__ = "__main__"  # sent as code: the workers do not have the tests


def test_a_worker_of_another_version_is_refused(
    running: Cluster,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cluster, "_versions", lambda: {"afmsr": "99.0", "numpy": "0"})
    assert run(pairs, tmp_path / "out", "--dask", running.address, "--quiet") == 1
    told = capsys.readouterr().err
    assert "has other versions: afmsr" in told and "(here 99.0)" in told and "install" in told


def test_a_worker_that_sees_other_weights_is_refused(running: Cluster, tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a", coarse(surface(1)), surface(1))
    settings = EvaluationSettings(methods=METHODS, protocols=("paper",))
    afmsr_core.evaluation.begin(settings, tmp_path / "out")
    refused = running.client.submit(
        cluster._score,
        cluster._versions(),
        "another",
        cluster.pickle.dumps(settings),
        cluster.pickle.dumps((pair, (pair.low, pair.high), "key", "seen", tmp_path / "out")),
    ).result()
    assert isinstance(refused, AfmsrError) and "share its file system" in str(refused)
    assert not list(tmp_path.glob("out/pairs/*"))


def test_an_error_of_a_worker_keeps_its_exit_status() -> None:
    sent = cluster.pickle.dumps(MissingWeightsError("worker x: fetch them"))
    assert cluster.pickle.loads(sent).exit_status == 4


def test_an_interrupt_keeps_what_is_finished(running: Cluster, tmp_path: Path) -> None:
    folder, output = tmp_path / "pairs", tmp_path / "out"
    for seed in range(16):
        write_pair(folder, f"{seed:02d}", coarse(surface(seed)), surface(seed))
    command = [sys.executable, "-m", "afmsr_cli.eval", str(folder), "-o", str(output), *FAST]
    process = subprocess.Popen(
        [*command, "--dask", running.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: list(output.glob("pairs/[0-9]*.json")) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "Traceback" not in told and "interrupted" in told
    until(lambda: not any(running.client.processing().values()))
    until(lambda: not [path for path in output.rglob(".*") if path.is_file()])
    assert 0 < len(records(output)) < 16
    assert {one["status"] for one in records(output).values()} == {"scored"}


# --- from here on one worker is left -----------------------------------------------------


def test_pairs_of_a_worker_that_is_killed_are_done_elsewhere(
    running: Cluster, pairs: Path, serial: dict[str, Any], tmp_path: Path
) -> None:
    output, victim = tmp_path / "out", running.workers[0]
    address = running.address_of(0)
    lost: list[str] = []

    def kill() -> None:
        until(lambda: list(output.glob("pairs/*.json")))
        victim.send_signal(signal.SIGSTOP)  # whatever it holds now, it does not finish
        until(lambda: running.client.processing()[address])
        lost.extend(map(str, running.client.processing()[address]))
        victim.kill()
        victim.wait()

    killer = threading.Thread(target=kill)
    killer.start()
    assert run(pairs, output, "--dask", running.address, "--quiet") == 1  # the broken pair
    killer.join()
    assert lost
    found = records(output)
    assert {name: one["scores"] for name, one in found.items()} == {
        name: one["scores"] for name, one in serial.items()
    }
    assert all(found[name]["status"] == "scored" for name in found.keys() - {"broken"})


def test_a_pair_that_kills_its_workers_is_named_and_the_rest_is_done(
    running: Cluster, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running.add(DEATHS)
    running.client.run(_make_deadly)
    assert run(pairs, tmp_path / "out", "--dask", running.address, "--quiet") == 1
    assert "p1 failed: every worker that took this pair died" in capsys.readouterr().err
    found = records(tmp_path / "out")
    failed = {name for name, one in found.items() if one["status"] == "failed"}
    # A pair that waited beside it on every worker that died is under the same suspicion.
    assert {"broken", "p1"} <= failed and len(failed) <= 3
    assert len(found) == COUNT + 1 and found["p1"].keys() <= found["p2"].keys()
    until(lambda: sum(worker.poll() is None for worker in running.workers) == 1)


def _make_deadly() -> None:
    import os

    from afmsr_core.evaluation import Evaluator

    before = Evaluator.__call__

    def deadly(self: Any, pair: Any, progress: Any = None) -> Any:
        if pair.id == "p1":
            os._exit(9)  # as the system ends what takes too much memory
        return before(self, pair, progress)

    Evaluator.__call__ = deadly


_make_deadly.__module__ = "__main__"


def test_without_workers_the_command_says_so_and_ends(
    running: Cluster,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask, "WORKERS_SECONDS", 1.0)
    monkeypatch.setattr(dask, "NOTE_SECONDS", 0.2)
    for worker in running.workers:
        worker.kill()
        worker.wait()
    until(lambda: not running.client.nthreads())
    assert run(pairs, tmp_path / "out", "--dask", running.address, "--quiet") == 1
    told = capsys.readouterr().err
    assert "waiting" in told and "`dask worker tcp://" in told


def test_a_scheduler_that_dies_is_told(
    running: Cluster,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = dask.Workers.count

    def without_scheduler(self: dask.Workers) -> int:
        running.scheduler.kill()
        running.scheduler.wait()
        return count(self)

    monkeypatch.setattr(dask.Workers, "count", without_scheduler)
    assert run(pairs, tmp_path / "out", "--dask", running.address, "--quiet") == 1
    assert "was lost; what is finished is kept" in capsys.readouterr().err


# --- no cluster --------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    ("options", "status", "word"),
    [
        (("--dask", "tcp://127.0.0.1:{port}"), 1, "no scheduler answered"),
        (("--dask", "nonsense://x"), 2, "give an address"),
        (("--scheduler-file", "{folder}/no.json"), 2, "no such file"),
        (("--scheduler-file", "{folder}/empty.json"), 2, "holds no address"),
        (("--dask", "tcp://127.0.0.1:{port}", "--jobs", "2"), 2, "more workers"),
    ],
)
def test_without_a_cluster_the_cure_is_told_soon(
    options: tuple[str, ...],
    status: int,
    word: str,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1.0)
    (tmp_path / "empty.json").write_text("{}")
    given = [one.format(port=free_port(), folder=tmp_path) for one in options]
    began = time.monotonic()
    assert run(pairs, tmp_path / "out", *given) == status
    assert word in capsys.readouterr().err
    assert time.monotonic() - began < 10


def test_address_and_file_exclude_each_other(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        run(pairs, tmp_path / "out", "--dask", "x:1", "--scheduler-file", "y")
    assert ended.value.code == 2


def test_without_distributed_the_extra_is_named(
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask.importlib.util, "find_spec", lambda name: None)
    settings = EvaluationSettings(methods=METHODS)
    found = afmsr_core.pairing.find_pairs(pairs).pairs
    with pytest.raises(AfmsrError, match=re.escape(pip_install("dask"))) as told:
        list(each(found, settings, tmp_path, scheduler="x:1"))
    assert told.value.exit_status == 4


def test_nothing_to_do_needs_no_cluster(tmp_path: Path) -> None:
    settings = EvaluationSettings(methods=METHODS)
    assert list(each([], settings, tmp_path, scheduler="nobody:1")) == []
