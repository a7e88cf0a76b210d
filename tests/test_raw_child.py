"""What a foreign reader does happens to its process alone, and ends in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.data import example_pair
from afmsr_core.errors import (
    Cancelled,
    CorruptFileError,
    MissingReaderError,
    UnsupportedContentError,
)
from afmsr_core.io.raw.child import Child
from afmsr_core.io.raw.limits import Limit, limit_of
from afmsr_core.io.raw.messages import Reading

HERE = Path(__file__).parent
ENOUGH = Limit(20.0, 1 << 30)
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.syspath_prepend(str(HERE))
    one = Child()
    yield one
    one.end()


def read(one: Child, folder: Path, name: str, limit: Limit = ENOUGH) -> Reading:
    path = folder / f"{name}.x"
    path.write_bytes(b"1" * (len(name) + 1))
    return one.read(path, "odd_reader", "Odd", limit)


def pid_of(found: Reading) -> int:
    return int(found.channels[0].title.split()[1])


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"  # ended, nobody asked yet


def soon(condition: object, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_all_that_a_channel_is_comes_back(reader: Child, tmp_path: Path) -> None:
    found = read(reader, tmp_path, "fine")
    first, second = found.channels
    assert (found.version, found.format) == ("1.0", "odd")
    np.testing.assert_array_equal(first.heights, [[np.nan, 1, 2], [3, 4, 5]])
    assert first.mask is not None and first.mask.tolist() == [[False] * 3, [False, False, True]]
    assert (first.xreal, first.yreal, first.xoff, first.yoff) == (3.0, 2.0, 0.5, -0.5)
    assert (first.unit, first.lateral_unit, first.number) == ("V", "", 7)
    assert first.title.startswith("\udcb5 ") and first.warnings == ("It is odd.",)
    assert first.history[0].as_dict() == {
        "name": "made", "version": "1", "settings": {"by": "odd"}, "effect": "nothing",
    }  # fmt: skip
    assert first.path == second.path == tmp_path / "fine.x"
    assert second.heights.shape == (512, 512) and (second.heights == 5).all()
    (bad,) = found.channels.unreadable
    assert (bad.number, bad.title, str(bad.error)) == (3, "flat", "fine.x: is flat")


def test_one_process_reads_all_files_also_after_errors(reader: Child, tmp_path: Path) -> None:
    first = pid_of(read(reader, tmp_path, "a"))
    with pytest.raises(UnsupportedContentError, match=r"^curves\.x: only curves$"):
        read(reader, tmp_path, "curves")
    with pytest.raises(
        CorruptFileError, match=r"foreign\.x: Odd fails on it \(Odd: two lines of words\); take"
    ):
        read(reader, tmp_path, "foreign")
    read(reader, tmp_path, "flood")
    if os.name == "posix":
        read(reader, tmp_path, "interrupt")  # which a terminal sends to all
    assert pid_of(read(reader, tmp_path, "b")) == first != os.getpid()


@posix
@pytest.mark.parametrize(
    ("name", "limit", "message"),
    [
        ("hang", Limit(0.5, 1 << 30), r"did not finish within 0 s, its limit"),
        ("hang_in_c", Limit(0.5, 1 << 30), r"did not finish within 0 s, its limit"),
        ("crash", ENOUGH, r"crashed on it \(signal 6\)"),
        ("memory", Limit(20.0, 1 << 28), r"needs more than 0\.3 GB of memory, its limit"),
    ],
)
def test_a_reader_beyond_its_limit_is_named_and_the_next_file_read(
    name: str, limit: Limit, message: str, reader: Child, tmp_path: Path
) -> None:
    read(reader, tmp_path, "warm")
    began = time.monotonic()
    with pytest.raises(CorruptFileError, match=rf"^{name}\.x: Odd {message}.*; take the file"):
        read(reader, tmp_path, name, limit)
    assert time.monotonic() - began < 5
    assert len(read(reader, tmp_path, "fine").channels) == 2


def test_a_reader_that_cannot_be_loaded_is_missing(reader: Child, tmp_path: Path) -> None:
    (tmp_path / "a.x").touch()
    with pytest.raises(MissingReaderError, match=r"a\.x: Odd cannot be loaded \(ModuleNotFound"):
        reader.read(tmp_path / "a.x", "no_such_reader", "Odd", ENOUGH)
    assert read(reader, tmp_path, "fine")


def test_a_reader_that_takes_forever_to_load_is_missing(
    reader: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afmsr_core.io.raw.child._START", 0.01)
    with pytest.raises(MissingReaderError, match=r"Odd cannot be loaded \(no answer in 0 s\)"):
        read(reader, tmp_path, "fine")


def test_a_process_that_ended_idle_is_started_again(
    reader: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_READER_ENDS_UNLESS", str(tmp_path / "marker"))
    assert read(reader, tmp_path, "fine")
    reader.end()
    monkeypatch.setenv("ODD_READER_ENDS_UNLESS", str(tmp_path / "absent" / ".." / "no" / "x"))
    with pytest.raises(MissingReaderError, match="Odd cannot be loaded"):
        read(reader, tmp_path, "fine")


def test_threads_take_turns(reader: Child, tmp_path: Path) -> None:
    names = ["x" * n for n in range(1, 25)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: read(reader, tmp_path, name), names))
    assert [one.channels[1].heights[0, 0] for one in found] == [len(name) + 1 for name in names]
    assert len({pid_of(one) for one in found}) == 1


@posix
def test_end_gives_up_the_file_and_the_next_is_read(reader: Child, tmp_path: Path) -> None:
    pid = pid_of(read(reader, tmp_path, "fine"))
    ender = threading.Timer(0.3, reader.end)
    ender.start()
    with pytest.raises(Cancelled):
        read(reader, tmp_path, "hang")
    ender.join()
    assert soon(lambda: is_gone(pid))
    assert pid_of(read(reader, tmp_path, "fine")) != pid


# A process that reads one file and tells, before, the process of its reader.
COMMAND = """
import sys
from pathlib import Path
from afmsr_core.io.raw.child import CHILD
from afmsr_core.io.raw.limits import Limit
one = lambda name, seconds: CHILD.read(Path(name), "odd_reader", "Odd", Limit(seconds, 1 << 30))
print(one(sys.argv[1], 20).channels[0].title.split()[1], flush=True)
one(sys.argv[2], float(sys.argv[3]))
"""


def started(folder: Path, name: str, seconds: float = 60) -> tuple[subprocess.Popen[str], int]:
    for one in ("fine", name):
        (folder / f"{one}.x").write_bytes(b"1")
    arguments = [str(folder / "fine.x"), str(folder / f"{name}.x"), str(seconds)]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, int(process.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("name", "seconds", "patience"), [("hang", 60, 2), ("hang_in_c", 1, 8)], ids=str
)
def test_it_ends_with_a_process_that_is_killed(
    name: str, seconds: float, patience: float, tmp_path: Path
) -> None:
    process, pid = started(tmp_path, name, seconds)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    assert soon(lambda: is_gone(pid), patience)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_both_at_once(tmp_path: Path) -> None:
    process, pid = started(tmp_path, "hang")
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - began < 2
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    assert soon(lambda: is_gone(pid), 1)


def test_what_a_library_prints_goes_nowhere(tmp_path: Path) -> None:
    process, _ = started(tmp_path, "flood")
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_starts_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import os, sys
from pathlib import Path
from afmsr_core.io.raw.child import CHILD
from afmsr_core.io.raw.limits import Limit
read = lambda: CHILD.read(Path(sys.argv[1]), "odd_reader", "Odd", Limit(20, 1 << 30)).channels[0]
before = read().title
if os.fork() == 0:
    status = int(read().title == before)
    CHILD.end()
    os._exit(status)
status = os.waitstatus_to_exitcode(os.wait()[1])
sys.exit(status or read().title != before)
"""
    (tmp_path / "fine.x").write_bytes(b"1")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "fine.x")],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_native_files_start_no_process() -> None:
    code = (
        "import sys; from afmsr_core import io; io.prepare(sys.argv[1]); io.read(sys.argv[1]); "
        "sys.exit('afmsr_core.io.raw.child' in sys.modules or 'subprocess' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(example_pair()[0])], check=True, timeout=60)


def test_limits_grow_with_the_file(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"1")
    with large.open("wb") as file:
        file.truncate(64 << 20)
    assert limit_of(large).seconds > 5 * limit_of(small).seconds > 5
    assert limit_of(large).memory >= limit_of(small).memory + 32 * (64 << 20)
    assert limit_of(small, known=False).seconds < 3
