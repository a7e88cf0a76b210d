"""Ctrl+F with a worker in memory: the same result, without any process but the one that asks."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from screen import alive, wait_for

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from gwyddion_plugin import repeat
from gwyddion_plugin.exchange import dump, menu
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import protocol

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ROOT = Path(repeat.__file__).parents[1]
LATE = 30.0  # seconds; nothing here takes as long
SLOW = 600  # pixels a side, for which the worker needs a second or more
# What would take longer to import than asking takes.
SLOW_MODULES = {
    "collections", "enum", "json", "pathlib", "re", "site", "socket", "subprocess", "tempfile",
    "typing", "gwyddion_plugin.proxy", "gwyddion_plugin.worker.protocol",
    "gwyddion_plugin.exchange", "afmsr_core",
}  # fmt: skip


def field_file(folder: Path, side: int = 24, masked: bool = False) -> Path:
    path = folder / f"field{side}.dump"
    path.write_bytes(b"")
    rng = np.random.default_rng(3)
    values = rng.normal(0, 5e-9, (side, side)).cumsum(axis=1)
    mask = (values > 0).astype(float).tobytes() if masked else None
    dump.overwrite(path, RawField(side, side, 1e-6, 1.25e-6, "m", "m", values.tobytes(), mask))
    return path


def call(home, file: Path) -> subprocess.CompletedProcess:
    return home.call(home.launcher, "run", "noninteractive", file)


def address_files(home) -> list[Path]:
    return list((home.runtime / "afmsr").glob("*.address"))


@pytest.fixture
def warm(installed, tmp_path: Path, monkeypatch) -> Iterator[int]:
    """A worker that the plug-in has left in memory: its process."""
    installed.variables["AFMSR_WARM_MINUTES"] = "1"
    done = call(installed, field_file(tmp_path))
    assert done.returncode == 0, done.stderr
    (file,) = wait_for(lambda: address_files(installed))
    for name in os.environ:
        if name.startswith(("AFMSR_", "XDG_")):
            monkeypatch.delenv(name)
    for name, text in installed.environment.items():
        monkeypatch.setenv(name, text)
    pid = int(file.read_text().splitlines()[-1])
    yield pid
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


def asked(file: Path, mode: str = "noninteractive") -> bytes | None:
    return repeat.ask(["run", mode, str(file)])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"confidence": True},
        {"sharpness": 0.5, "seed": 3},
        {"mask": "exclude", "background": "poly2", "method": "bicubic", "scale": "1x4"},
    ],
    ids=["first", "confidence", "sharpness", "others"],
)
def test_the_file_is_what_a_new_worker_writes(installed, warm, tmp_path, choices, masked):
    installed.choose(**choices)
    file = field_file(tmp_path, masked=masked)
    assert asked(file).startswith(repeat.DONE)
    found = file.read_bytes()
    installed.variables["AFMSR_WARM_MINUTES"] = "0"
    assert call(installed, field_file(tmp_path, masked=masked)).returncode == 0
    assert file.read_bytes() == found
    made = dump.read(file)
    assert (made.xres, made.yres) == (24 if "scale" in choices else 96, 96)


def test_in_gwyddion(installed, warm, run_in_gwyddion, scan_file, tmp_path):
    rng = np.random.default_rng(1)
    mask = np.zeros((24, 40), bool)
    mask[2:5, 7:9] = True
    source = scan_file(Channel(rng.normal(0, 3, (24, 40)), 900.0, 500.0, title="Z", mask=mask))
    results = []
    for minutes in ("1", "0"):
        installed.variables["AFMSR_WARM_MINUTES"] = minutes
        target = tmp_path / f"out{minutes}.gwy"
        assert run_in_gwyddion(installed, source, target).added == [1]
        results.append(GwyFile.open(target).channel(1))
    np.testing.assert_array_equal(results[0].heights, results[1].heights)
    np.testing.assert_array_equal(results[0].mask, mask.repeat(4, 0).repeat(4, 1))
    assert installed.left_over == [] and not installed.log.exists()


def test_no_other_process_is_started(installed, warm, tmp_path):
    """The launcher's interpreter and packages: the usual way is broken, and nobody notices."""
    start = installed.launcher.with_name("start.py")
    start.write_text(start.read_text().replace("import site\n", "sys.exit('the usual way')\n"))
    assert call(installed, field_file(tmp_path)).returncode == 0
    os.kill(warm, signal.SIGKILL)
    assert "the usual way" in call(installed, field_file(tmp_path)).stderr


def test_nothing_slow_is_imported(warm, tmp_path):
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); from gwyddion_plugin import repeat; "
        f"answer = repeat.ask(sys.argv[1:]); print(answer.startswith(repeat.DONE), *sys.modules)"
    )
    command = [sys.executable, "-IS", "-c", code, "run", "noninteractive", field_file(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LATE)
    answered, *modules = done.stdout.split()
    assert (answered, done.stderr) == ("True", "")
    assert SLOW_MODULES & set(modules) == set()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what glibc does with freed memory")
def test_its_memory_is_there_already(warm, tmp_path):
    """The system does not have to clear the pages of every array anew for every click."""
    file = field_file(tmp_path, side=128)
    faults = [page_faults(warm)]
    for _ in range(5):
        assert asked(field_file(tmp_path, side=128)).startswith(repeat.DONE)
        faults.append(page_faults(warm))
    result = file.stat().st_size / os.sysconf("SC_PAGE_SIZE")
    later = np.diff(faults)[2:]
    assert later.max() < result / 2, later


def page_faults(pid: int) -> int:
    """Return how many pages the system has given a process, see proc(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_names_of_files(warm, tmp_path):
    for name in ("plain", 'quo"ted', "back\\slash", "two  spaces"):
        file = field_file(tmp_path).rename(tmp_path / name)
        assert asked(file).startswith(repeat.DONE), name
        assert dump.read(file).xres == 96, name


def test_names_that_take_the_usual_way(installed, warm, tmp_path):
    for name in ("höhe", "line\nbreak", "\udcff"):
        file = field_file(tmp_path).rename(tmp_path / name)
        assert asked(file) is None, repr(name)
        assert call(installed, file).returncode == 0, repr(name)
        assert dump.read(file).xres == 96, repr(name)


def test_calls_that_are_not_for_it(warm):
    for arguments in (
        [], ["register"], ["run"], ["run", "modal", "/f"], ["run", "sideways", "/f"],
        ["run", "noninteractive", "not/absolute"], ["walk", "noninteractive", "/f"],
    ):  # fmt: skip
        assert repeat.ask(arguments) is None, arguments


@pytest.mark.parametrize(
    ("choices", "words"),
    [({"method": "magic"}, "magic"), ({"method": "afm", "time_limit": 1e-3}, "given up after")],
    ids=["settings", "time limit"],
)
def test_what_the_worker_refuses_is_told_once(installed, warm, tmp_path, choices, words):
    installed.choose(**choices)
    file = field_file(tmp_path, 300)
    before = file.read_bytes()
    done = call(installed, file)
    assert done.returncode > 0
    assert words in done.stderr and str(installed.log) in done.stderr
    assert words in installed.log.read_text()
    assert file.read_bytes() == before
    assert installed.left_over == []


def test_a_damaged_file_stays_as_it_was(installed, warm, tmp_path):
    file = tmp_path / "damaged"
    file.write_bytes(b"garbage")
    assert b"not what Gwyddion writes" in asked(file)
    assert "not what Gwyddion writes" in call(installed, file).stderr
    assert file.read_bytes() == b"garbage"


def test_the_worker_is_killed_meanwhile(installed, warm, tmp_path):
    file = field_file(tmp_path, SLOW)
    process = begin(installed, file)
    os.kill(warm, signal.SIGKILL)
    assert process.wait(LATE) == 0
    assert dump.read(file).xres == 4 * SLOW


def test_the_worker_falls_silent(warm, tmp_path, monkeypatch):
    monkeypatch.setattr(repeat, "_SILENCE", 0.01)  # it speaks ten times a second
    file = field_file(tmp_path, SLOW)
    before = file.read_bytes()
    assert asked(file) is None
    wait_for(lambda: not alive(warm))
    assert file.read_bytes() == before


def test_the_plug_in_is_ended_from_outside(installed, warm, tmp_path):
    """Nobody waits for the result any more, so none is written, and the worker is free again."""
    file = field_file(tmp_path, SLOW)
    before = file.read_bytes()
    for how in (signal.SIGTERM, signal.SIGKILL):
        process = begin(installed, file)
        process.send_signal(how)
        assert process.wait(LATE) == -how
        small = field_file(tmp_path)
        wait_for(lambda: not address_files(installed) or asked(small))  # noqa: B023
        assert file.read_bytes() == before


def begin(home, file: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [home.launcher, "run", "noninteractive", file],
        env=home.environment,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.3)  # until the worker is in the middle of the work
    assert process.poll() is None
    return process


def test_a_worker_of_other_code_leaves(home, tmp_path):
    """As after an update of the package."""
    environment = home.environment
    touched = "{**code(), next(iter(code())): (1, 1)}"
    removed = "{**code(), 'is/no/longer/there.py': (1, 1)}"
    for made_of, answer in (("code()", "ready"), (touched, ""), (removed, "")):
        imports = "from gwyddion_plugin.worker.resident import code, serve"
        serve = f"{imports}; serve(20, {made_of})"
        worker = subprocess.Popen([sys.executable, "-I", "-c", serve], env=environment)
        wait_for(lambda: address_files(home))
        ask = [sys.executable, "-I", "-m", "gwyddion_plugin.worker"]
        done = subprocess.run(
            ask, env=environment, input='{"type": "stop"}\n', capture_output=True, text=True
        )
        told = protocol.decode(done.stdout.splitlines()[0].encode())
        assert told["warm"] is (answer == "ready")
        assert worker.wait(LATE) == 0
        assert address_files(home) == []


def test_it_knows_the_modes_without_a_dialog():
    assert tuple(mode for mode in menu.MODES if mode not in menu.INTERACTIVE) == repeat._MODES


def test_it_knows_what_the_worker_says_first():
    ready = {"type": "ready", "protocol": protocol.VERSION, "afmsr": "1"}
    assert protocol.encode(ready).startswith(repeat._READY)
