"""Whatever happens to one file is that file's failure: named, explained, and the rest is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_many_scans import scans

from afmsr_cli.errorlog import LOGS, kept
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError

COUNT = 25  # so that with two processes a turn has three
BAD = "scan04"
# As a sitecustomize, it comes into every process, also into workers: reading one of the files
# goes wrong in a way that nobody foresaw.
FAULT = f"""
import os, signal, sys
from pathlib import Path
from afmsr_core import io
read = io.as_gwy

def recursion():
    recursion()

def as_gwy(path):
    if Path(path).stem == "{BAD}":
        {{fault}}
    return read(path)

io.as_gwy = as_gwy
"""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "afmsr" / "logs"


def faulty(tmp_path: Path, fault: str, *options: str) -> subprocess.CompletedProcess[str]:
    paths = scans(tmp_path / "in", COUNT)
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(FAULT.format(fault=fault))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "afmsr_cli.main", "upscale", str(tmp_path / "in")),
            *("-o", str(tmp_path / "out"), "--method", "bicubic", *options),
        ],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=100,
    )
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {f"{path.stem}_x4.gwy" for path in paths if path.stem != BAD}
    for name in made:
        assert io.as_gwy(tmp_path / "out" / name).numbers == (0, 1)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    return done


@pytest.mark.skipif(sys.platform == "win32", reason="the cache folder is named as on Linux")
@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["1 job", "2 jobs"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise ValueError('no such\\nthing')", "ValueError: no such thing; this is a fault of"),
        ("raise MemoryError", "not enough memory; try --tile 128"),
        ("recursion()", "RecursionError: maximum recursion depth exceeded"),
    ],
    ids=["bug", "memory", "recursion"],
)
def test_the_file_is_named_and_the_traceback_is_in_a_log(
    tmp_path: Path, logs: Path, fault: str, reason: str, options: tuple[str, ...]
) -> None:
    done = faulty(tmp_path, fault, *options)
    *_, counts, failure, where = done.stderr.splitlines()
    assert counts == f"afmsr: {COUNT - 1} done, 1 failed"
    assert failure.startswith(f"afmsr: {tmp_path}/in/{BAD}.gwy: ") and reason in failure
    (log,) = logs.iterdir()
    assert where == f"afmsr: tracebacks are in {log}"
    told = log.read_text()
    assert f"{BAD}.gwy" in told.splitlines()[0] and "Traceback (most recent call last)" in told
    assert "sitecustomize.py" in told
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")
def test_a_file_that_kills_its_process_is_named_and_the_others_are_done(
    tmp_path: Path, logs: Path
) -> None:
    # It dies half through writing: what it leaves is removed.
    half = f"from afmsr_core.io import atomic; out = Path({str(tmp_path / 'out')!r})"
    write = "atomic._temporary(out / f'{Path(path).stem}_x4.gwy')[1].write(b'half')"
    kill = f"{half}; out.mkdir(exist_ok=True); {write}; os.kill(os.getpid(), signal.SIGKILL)"
    done = faulty(tmp_path, kill, "--jobs", "2", "--json")
    *_, counts, failure = done.stderr.splitlines()
    assert counts == f"afmsr: {COUNT - 1} done, 1 failed"
    assert f"{BAD}.gwy: the process that was at it died twice (SIGKILL, perhaps" in failure
    assert "fewer --jobs" in failure
    assert not logs.exists()
    records = json.loads(done.stdout)
    assert [Path(one["input"]).stem for one in records] == [f"scan{n:02}" for n in range(COUNT)]
    assert [one["status"] for one in records].count("done") == COUNT - 1


@pytest.mark.skipif(sys.platform != "linux", reason="sends signals as on Linux")
def test_processes_that_cannot_begin_are_an_error(tmp_path: Path, logs: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.argv: os._exit(9)"
    )
    scans(tmp_path / "in", COUNT)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "afmsr_cli.main", "upscale", str(tmp_path / "in")),
            *("-o", str(tmp_path / "out"), "--method", "bicubic", "--jobs", "2"),
        ],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "afmsr: worker processes end before they begin (exit status 9); try --jobs 1\n"
    )


def test_an_error_with_a_cure_needs_no_log(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = scans(tmp_path / "in", 3)
    paths[1].write_bytes(b"broken")
    command = ["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--method", "bicubic"]
    assert main([*command, "--quiet"]) == 1
    counts, failure = capsys.readouterr().err.splitlines()
    assert counts == "afmsr: 2 done, 1 failed" and failure.startswith(f"afmsr: {paths[1]}: ")
    assert not logs.exists()


def test_files_of_one_name_in_several_folders_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "in" / day / "damaged" for day in ("monday", "tuesday")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"GWYPdamaged")
    assert main(["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--quiet"]) == 1
    failures = capsys.readouterr().err.splitlines()[1:]
    assert [told.partition(": ")[2].partition(": ")[0] for told in failures] == [*map(str, paths)]


def test_what_an_earlier_run_did_is_counted_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = scans(tmp_path / "in", 4)
    paths[2].write_bytes(b"broken")
    command = ["upscale", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--method", "bicubic"]
    assert main(command) == 1
    (tmp_path / "out" / "scan00_x4.gwy").unlink()
    capsys.readouterr()
    assert main([*command, "--resume", "--json"]) == 1
    told, said = capsys.readouterr()
    assert [(Path(one["input"]).name, one["status"]) for one in json.loads(told)] == [
        *(("scan00.gwy", "done"), ("scan01.gwy", "skipped")),
        *(("scan02.gwy", "failed"), ("scan03.gwy", "skipped")),
    ]
    assert "afmsr: 1 done, 1 failed, 2 skipped\n" in said
    assert f"{paths[2]}: failed" in said and said.count("of no format that we know") == 1


def test_one_file_needs_no_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = scans(tmp_path / "in", 1)
    assert main(["upscale", str(path), "--method", "bicubic"]) == 0
    assert "done" not in capsys.readouterr().err
    path.write_bytes(b"broken")
    assert main(["upscale", str(path), "--method", "bicubic", "--force", "--quiet"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_convert_does_the_same(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, read = scans(tmp_path / "in", 3), io.read

    def broken(path: Path) -> list[Channel]:
        if path == paths[1]:
            raise ZeroDivisionError("by zero")
        return read(path)

    monkeypatch.setattr(io, "read", broken)
    out = tmp_path / "out"
    assert main(["convert", str(tmp_path / "in"), "--to", "npy", "-o", str(out), "--json"]) == 1
    told, said = capsys.readouterr()
    assert [one["status"] for one in json.loads(told)] == ["done", "failed", "done"]
    assert "afmsr: 2 done, 1 failed" in said and "ZeroDivisionError: by zero" in said
    (log,) = logs.iterdir()
    assert f"tracebacks are in {log}" in said
    assert sorted(path.name for path in out.glob("*.npy")) == ["scan00.npy", "scan02.npy"]


def test_a_fault_outside_of_any_file_is_one_line_and_a_log(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from afmsr_core.batch import many

    def planned(*arguments: object, **options: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(many, "planned", planned)
    assert main(["upscale", "scan.gwy"]) == 1
    fault, where = capsys.readouterr().err.splitlines()
    assert fault.startswith("afmsr: KeyError: 'lost'; this is a fault of afmsr, please report it")
    (log,) = logs.iterdir()
    assert where.endswith(str(log))
    assert "upscale scan.gwy" in log.read_text() and "in planned" in log.read_text()
    monkeypatch.setenv("AFMSR_TRACEBACK", "1")
    assert main(["upscale", "scan.gwy"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert len(list(logs.iterdir())) == 1  # of this process, appended


def test_logs_are_few(logs: Path) -> None:
    logs.mkdir(parents=True)
    for number in range(LOGS + 5):
        (logs / f"afmsr-2001-01-01T0000{number:02}-1.log").touch()
    newest = kept("scan.gwy", "Traceback")
    found = sorted(logs.iterdir())
    assert len(found) == LOGS and found[-1] == newest


def test_a_log_goes_elsewhere_where_the_cache_is_none(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = kept("scan.gwy", "Traceback")
    assert path is not None and path.parent == tmp_path and path.is_file()


# --- warnings ----------------------------------------------------------------------------


@pytest.fixture
def doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is read say something, as readers do of a stopped scan."""
    channels = io.GwyFile.channels

    def warning(self: object, **options: object) -> object:
        found = channels(self, **options)  # type: ignore[arg-type]
        said = [one.replace(warnings=("3 lines at the top were not measured.",)) for one in found]
        found[:] = said
        return found

    monkeypatch.setattr(io.GwyFile, "channels", warning)


@pytest.mark.usefixtures("doubtful")
@pytest.mark.parametrize(
    "command", [("upscale", "--method", "bicubic"), ("convert", "--to", "csv")]
)
def test_warnings_are_told_once_a_file_also_to_the_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    paths = scans(tmp_path / "in", 2)
    options = (str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--quiet", "--json")
    assert main([*command, *options]) == 0
    told, said = capsys.readouterr()
    sentence = "channel 0 'Height': 3 lines at the top were not measured."
    assert said.splitlines() == [f"afmsr: warning: {path}, {sentence}" for path in paths]
    assert [record["warnings"] for record in json.loads(told)] == [[sentence]] * 2


@pytest.mark.usefixtures("doubtful")
def test_a_file_that_fails_has_its_warnings_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = scans(tmp_path / "in", 1)

    def refuse(*arguments: object) -> None:
        raise FieldError("scan00.gwy: no")

    monkeypatch.setattr("afmsr_core.upscale.Upscaler.begin", refuse)
    assert main(["upscale", str(path), "--method", "bicubic", "--quiet"]) == 1
    warning, failure = capsys.readouterr().err.splitlines()
    assert "3 lines at the top" in warning and failure == f"afmsr: {path}: no"


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_what_is_no_file_among_the_inputs_is_a_failure_at_once(tmp_path: Path) -> None:
    """Nobody writes into the pipe: whoever opens it waits for ever."""
    import socket

    paths = scans(tmp_path / "in", 3)
    pipe, device = tmp_path / "in" / "pipe.gwy", Path("/dev/zero")
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "in" / "socket.gwy"))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "afmsr_cli.main", "upscale", str(tmp_path / "in")),
                *(str(pipe), str(device), "-o", str(tmp_path / "out"), "--method", "bicubic"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == [f"{path.stem}_x4.gwy" for path in paths]
    assert "afmsr: 3 done, " in done.stderr
    for name in ("pipe.gwy: ", "/dev/zero: "):
        assert name in done.stderr


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir('here'); os.chdir('here'); os.rmdir('../here')\n"
        "from afmsr_cli.main import main; sys.exit(main(['upscale', 'a.gwy']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    told = "afmsr: the folder in which you are is no longer there; change to one that is (cd)\n"
    assert (done.returncode, done.stderr) == (1, told)
