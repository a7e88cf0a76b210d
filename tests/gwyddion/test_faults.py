"""Whatever goes wrong: no new channel, a message with the cure, a status that is not zero."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from screen import wait_for

from afmsr_core.channel import Channel
from gwyddion_plugin.exchange import dump
from gwyddion_plugin.exchange.dump import RawField

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

KILL = "import os, signal; os.kill(os.getpid(), signal.{})"


def scan() -> Channel:
    return Channel(np.random.default_rng(3).normal(0, 5, (32, 32)), 1000.0, 1000.0, title="Z")


@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    path = tmp_path / "field.dump"
    path.write_bytes(b"")
    values = np.random.default_rng(3).normal(0, 5e-9, (32, 32)).tobytes()
    dump.overwrite(path, RawField(32, 32, 1e-6, 1e-6, "m", "m", values))
    return path


def fails(home, file: Path, *words: str, **how) -> str:
    """Run the plug-in as Gwyddion does and hold it to its promises."""
    before = file.read_bytes()
    done = home.call(home.launcher, "run", "noninteractive", file, **how)
    assert done.returncode != 0
    assert file.read_bytes() == before
    for word in words:
        assert word in done.stderr
    assert home.left_over == []
    return done.stderr


FAULTS = {
    "ends itself": ("import os; os._exit(7)", ("status 7",)),
    "is killed": (KILL.format("SIGKILL"), ("signal 9", "crop")),
    "raises": ("raise ValueError('boom')", ("boom", "report")),
    "is not installed": ("raise ImportError('no onnx today')", ("no onnx today", "install")),
    "is too large": ("raise MemoryError", ("not enough memory", "crop")),
    "prints": ("import os; os.write(1, b'noise'); raise ValueError('late')", ("late",)),
    "hangs": ("import time; time.sleep(60)", ("given up after 1 s", "bicubic")),
    "is frozen": (KILL.format("SIGSTOP"), ("did not answer within 1 s",)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_worker(breakable, run_in_gwyddion, scan_file, field_file, fault):
    code, words = FAULTS[fault]
    home = breakable(code)
    home.choose(time_limit=1.0)
    fails(home, field_file, *words, str(home.log))
    assert "Traceback" in home.log.read_text()
    answer = run_in_gwyddion(home, scan_file(scan()))
    assert answer.added == []
    assert words[0] in answer.messages


def test_missing_weights(installed, run_in_gwyddion, scan_file, field_file):
    installed.choose(method="carn")
    told = fails(installed, field_file)
    assert "afmsr models fetch carn" in told or "afmsr[torch]" in told
    assert run_in_gwyddion(installed, scan_file(scan())).added == []


def test_a_method_that_does_not_exist(installed, field_file):
    installed.choose(method="magic")
    fails(installed, field_file, "magic", "bicubic")


def test_a_full_disk(installed, run_in_gwyddion, scan_file, field_file):
    """A limit on the size of files stands for it: the same error, in the same place."""
    fails(installed, field_file, "free some space", file_size=20_000)
    assert run_in_gwyddion(installed, scan_file(scan()), file_size=60_000).added == []


def test_a_damaged_file(installed, tmp_path):
    path = tmp_path / "field.dump"
    path.write_bytes(b"garbage")
    fails(installed, path, "not what Gwyddion writes")


@contextmanager
def gone(path: Path) -> Iterator[None]:
    aside = path.with_name("aside")
    path.rename(aside)
    yield
    aside.rename(path)


def test_the_interpreter_is_gone(breakable, run_in_gwyddion, scan_file, field_file):
    home = breakable("")
    with gone(Path(home.python).parents[1]):
        fails(home, field_file, "is gone", "afmsr plugin install")
        assert run_in_gwyddion(home, scan_file(scan())).added == []


def test_the_package_is_gone(breakable, run_in_gwyddion, scan_file, field_file):
    home = breakable("")
    (packages,) = Path(home.python).parents[1].glob("lib/python*/site-packages/packages.pth")
    with gone(packages):
        fails(home, field_file, "no longer installed", "pip install")
        assert run_in_gwyddion(home, scan_file(scan())).added == []


def test_the_plug_in_is_ended_from_outside(breakable, field_file):
    """Nothing is left, and the worker does not outlive it."""
    home = breakable("import time; time.sleep(60)")
    before = field_file.read_bytes()
    for how in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(
            [home.launcher, "run", "noninteractive", field_file],
            env=home.environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        worker = wait_for(lambda of=process: child_of(of.pid))
        time.sleep(0.5)  # until it is in the middle of the work
        process.send_signal(how)
        assert process.wait(60) != 0
        wait_for(lambda pid=worker: not Path(f"/proc/{pid}/cmdline").exists())
        wait_for(lambda: home.left_over == [])
    assert field_file.read_bytes() == before


def child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return int(found[0]) if found else None


def test_a_wrong_call(installed):
    for arguments in ([], ["run"], ["run", "sideways", "file"], ["register", "twice"]):
        done = installed.call(installed.launcher, *arguments)
        assert done.returncode == 2
        assert "Data Process" in done.stderr
