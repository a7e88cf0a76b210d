"""On Windows: what the installer writes, how Gwyddion starts it, and how the parts talk.

The Windows job of the workflows runs all of this in Windows itself. Elsewhere the same is held
against what is recorded of Windows: that Gwyddion's user folder has no dot there and takes only
``.exe`` for plug-ins; that pygwy is in Gwyddion's package; that a program of the console opens a
window; that a file which is open can be neither replaced nor removed; that there are no Unix
sockets that a folder would protect, so that a port of the loopback interface stands in for them.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gwyddion_plugin
from gwyddion_plugin import pygwy, repeat
from gwyddion_plugin.exchange import dump, menu, settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.installing import hosts, installer, launcher, plugin_files
from gwyddion_plugin.worker import address, resident
from gwyddion_plugin.worker.client import Client, worker_command

ROOT = Path(__file__).parents[2]
HERE = sys.platform == "win32"
EXE = "afmsr-gwyddion.exe"
CREATE_NO_WINDOW = 0x08000000  # of the Windows API: a program of the console gets no window
LATE = 60.0  # seconds


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder on Windows, or what looks so to the installer."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    if not HERE:
        programs = tmp_path / "Scripts"
        programs.mkdir()
        (programs / EXE).write_bytes(b"MZ program of pip")
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(plugin_files.sysconfig, "get_path", lambda name: str(programs))
    return tmp_path


@pytest.fixture
def own() -> Iterator[dict[str, str]]:
    """An environment with a home of its own."""
    folders = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "TMPDIR")
    dropped = ("XDG_", "AFMSR_", "PYTHON")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(dropped)}
    # Where there are Unix sockets, their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ü ", ignore_cleanup_errors=True) as home:
        yield kept | dict.fromkeys(folders, home)


@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    """What Gwyddion hands to a plug-in: 16 x 12 px."""
    path = tmp_path / "field.dump"
    path.write_bytes(b"")
    values = np.random.default_rng(3).normal(0, 5e-9, (12, 16))
    dump.overwrite(path, RawField(16, 12, 2e-6, 1.5e-6, "m", "m", values.tobytes(), None))
    return path


# --- the installer's paths ------------------------------------------------------------------------


def test_the_user_folder_has_no_dot_but_one_that_has_is_taken(windows: Path) -> None:
    (windows / ".gwyddion").mkdir()
    assert hosts.find()[0] == hosts.Host(windows / ".gwyddion", 2)
    (windows / "gwyddion").mkdir()
    assert hosts.find()[0] == hosts.Host(windows / "gwyddion", 2)


def test_the_plug_in_is_the_program_of_pip_with_its_description(windows: Path) -> None:
    host = hosts.Host(windows / "gwyddion", 2)
    files = plugin_files.PROXY.files(host, launcher.examine())
    assert sorted(files) == [f"plugins/process/afmsr/afmsr.{end}" for end in ("exe", "rgi")]
    assert files["plugins/process/afmsr/afmsr.exe"].content[:2] == b"MZ"
    assert files["plugins/process/afmsr/afmsr.rgi"].content.decode() == menu.REGISTRATION


def test_all_is_installed_and_taken_out_again(windows: Path) -> None:
    """Both routes: the script for pygwy, which is in Gwyddion's package, too."""
    folder, said = windows / "gwyddion", list[str]()
    folder.mkdir()
    installer.install(folder, say=said.append)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    host = hosts.Host(folder, 2)
    assert written == {*plugin_files.names(host), "afmsr-plugin.json"}
    assert {"plugins/process/afmsr/afmsr.exe", "pygwy/afmsr_pygwy.py"} < written
    installer.uninstall(folder, say=said.append)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_settings_and_log_lie_where_windows_keeps_them(
    windows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPDATA", str(windows / "Roaming"))
    assert settings.path() == windows / "Roaming" / "afmsr" / "gwyddion.json"


# --- quoting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "python", [r"C:\Program Files\Python\python.exe", "C:\\new\\Müller's \u4e2d\\pythonw.exe"]
)
def test_a_path_arrives_in_the_script_of_pygwy(windows: Path, python: str) -> None:
    text = pygwy.script([python, "-I", "-m", "gwyddion_plugin.worker"])
    (line,) = [line for line in text.splitlines() if line.startswith("WORKER = ")]
    assert line.isascii()
    assert ast.literal_eval(line.removeprefix("WORKER = ").split("  #")[0]) == [
        *(python, "-I", "-m", "gwyddion_plugin.worker")
    ]


# --- no console window ----------------------------------------------------------------------------


def test_the_program_of_pip_has_no_console(tmp_path: Path) -> None:
    """pip makes the .exe of a GUI script with ``pythonw``, which has none."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    entries = setup["options.entry_points"]
    assert "afmsr-gwyddion = gwyddion_plugin.repeat:main" in entries["gui_scripts"]
    assert "afmsr-gwyddion" not in entries["console_scripts"]
    if HERE:  # the launcher's header says so: subsystem 2 is a window, 3 the console
        program = Path(sysconfig.get_path("scripts"), EXE).read_bytes()
        header = int.from_bytes(program[0x3C:0x40], "little")
        assert int.from_bytes(program[header + 0x5C : header + 0x5E], "little") == 2


def test_every_process_is_started_without_a_window() -> None:
    started = 0
    for room in ("exchange", "worker", "window"):
        for path in (Path(gwyddion_plugin.__file__).parent / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Popen"):
                    started += 1
                    assert "creationflags" in [keyword.arg for keyword in node.keywords], path
    assert started == 2  # the worker, and what opens a file in Gwyddion
    assert f"CREATE_NO_WINDOW = 0x{CREATE_NO_WINDOW:08x}" in pygwy.assembled()


def test_the_worker_is_started_without_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = subprocess.Popen

    def start(*command, creationflags: int, **options):
        seen.append(creationflags)
        return real(*command, creationflags=creationflags if HERE else 0, **options)

    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", CREATE_NO_WINDOW, raising=False)
    monkeypatch.setattr(subprocess, "Popen", start)
    client = Client(worker_command())
    client.kill()
    assert seen == [CREATE_NO_WINDOW]


def test_a_process_without_streams_works_and_says_so_by_its_status(
    own: dict[str, str], field_file: Path
) -> None:
    """As ``pythonw`` starts one: sys.stdout and sys.stderr are None."""
    code = (
        "import sys; sys.stdout = sys.stderr = None; from gwyddion_plugin import repeat\n"
        "sys.exit(repeat.main())"
    )
    for file, status in ((field_file, 0), (field_file.with_name("none"), 1)):
        command = [sys.executable, "-c", code, "run", "noninteractive", str(file)]
        done = subprocess.run(command, env=own, cwd=ROOT, check=False, timeout=LATE)
        assert done.returncode == status
    assert dump.read(field_file).xres == 64
    command = [sys.executable, "-c", code, "nonsense"]
    assert subprocess.run(command, env=own, cwd=ROOT, check=False, timeout=LATE).returncode == 2


# --- files that stay open -------------------------------------------------------------------------


def test_the_result_is_written_into_a_file_that_gwyddion_holds_open(
    own: dict[str, str], field_file: Path
) -> None:
    with field_file.open("rb") as held:
        before = os.fstat(held.fileno())
        code = "import sys; from gwyddion_plugin import repeat; sys.exit(repeat.main())"
        command = [sys.executable, "-c", code, "run", "noninteractive", str(field_file)]
        subprocess.run(command, env=own, cwd=ROOT, check=True, timeout=LATE)
        assert os.path.samestat(before, field_file.stat())  # no other file in its place
        held.seek(0)
        assert held.read() == field_file.read_bytes()
    assert dump.read(field_file).xres == 64


# --- the socket's stand-in ------------------------------------------------------------------------

SERVE = """
import _socket
from gwyddion_plugin.worker import address, resident
address.Address.FAMILY, resident._UNIX = _socket.AF_INET, False
resident.serve(60.0, resident.code())
"""


@pytest.fixture
def port(own: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[address.Address]:
    """A warm worker that listens at a port, as on Windows, and its address."""
    for name in list(os.environ):
        if name not in own and name.startswith(("XDG_", "AFMSR_")):
            monkeypatch.delenv(name)
    for name, text in own.items():
        monkeypatch.setenv(name, text)
    import _socket

    monkeypatch.setattr(tempfile, "tempdir", None)  # it keeps the folder of before
    monkeypatch.setattr(address.Address, "FAMILY", _socket.AF_INET)
    monkeypatch.setattr(resident, "_UNIX", False)
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=own, cwd=ROOT)
    until = time.monotonic() + LATE
    while not Path(address.file()).exists() and time.monotonic() < until:
        time.sleep(0.05)
    yield address.Address.read(address.file())
    process.kill()
    process.wait()


def test_ctrl_f_goes_to_a_port_of_this_machine(port: address.Address, field_file: Path) -> None:
    assert port.place.isdigit() and len(port.token) >= 32
    answer = repeat.ask(["run", "noninteractive", str(field_file)])
    assert answer is not None and answer.startswith(repeat.DONE)
    assert dump.read(field_file).xres == 64


def test_a_stranger_at_the_port_gets_nothing(port: address.Address, field_file: Path) -> None:
    before = field_file.read_bytes()
    stranger = address.Address(port.place, "x" * len(port.token), port.pid)
    with contextlib.closing(stranger.connect()) as connection:
        connection.sendall(stranger.hello)
        with contextlib.suppress(ConnectionError):  # it was closed before all was said
            connection.sendall(b'{"type": "methods", "id": 1}\n')
            assert connection.recv(100) == b""
    assert field_file.read_bytes() == before
    answer = repeat.ask(["run", "noninteractive", str(field_file)])  # its user still does
    assert answer is not None and answer.startswith(repeat.DONE)


# --- as Gwyddion calls it -------------------------------------------------------------------------


def test_the_program_of_pip_does_the_work_from_gwyddions_folder(
    own: dict[str, str], field_file: Path, tmp_path: Path
) -> None:
    """A copy, as installed; the second time a worker is in memory."""
    name = EXE if HERE else EXE.removesuffix(".exe")
    folder = tmp_path / "gwyddion" / "plugins" / "process" / "afmsr"
    folder.mkdir(parents=True)
    program = Path(shutil.copy(Path(sysconfig.get_path("scripts"), name), folder))
    # `afmsr plugin check` asks this, and reads the answer although there is no console.
    command = [program, "register"]
    done = subprocess.run(command, env=own, check=True, capture_output=True, text=True)
    assert done.stdout == menu.REGISTRATION
    given = field_file.read_bytes()
    own["AFMSR_WARM_MINUTES"] = "1"
    for _ in range(2):
        field_file.write_bytes(given)
        subprocess.run(
            [program, "run", "noninteractive", field_file], env=own, check=True, timeout=LATE
        )
        result = dump.read(field_file)
        assert (result.xres, result.yres, result.xreal) == (64, 48, 2e-6)
    code = "from gwyddion_plugin.worker import resident; print(resident.stop_all())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=own, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "1"


def test_its_launcher_is_one_file_with_the_call_inside() -> None:
    """So that a copy of it needs nothing beside it."""
    name = EXE if HERE else EXE.removesuffix(".exe")
    program = Path(sysconfig.get_path("scripts"), name)
    if HERE:
        with zipfile.ZipFile(program) as archive:
            text = archive.read("__main__.py").decode()
    else:
        text = program.read_text()
    assert "from gwyddion_plugin.repeat import main" in text
