"""An installed plug-in in a home folder of its own, and the real program to run it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gwyddion3
import numpy as np
import pytest
from homes import FUNCTION, HARNESS, Home
from pygwy_host import Host, python_2_7
from roots import NEWEST, NoRootError, Root, root
from screen import Screen

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile


@pytest.fixture(scope="session")
def gwyddion() -> str:
    """The real program."""
    found = shutil.which("gwyddion")
    if found is None:
        pytest.skip("Gwyddion 2 is not installed (apt-get install gwyddion)")
    return found


def _root(name: str) -> Root:
    try:
        return root(name)
    except NoRootError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def newer() -> Root:
    """Debian's next release, which has Gwyddion 3 only."""
    return _root(NEWEST)


@pytest.fixture(scope="session")
def trixie() -> Root:
    """Debian 13, which has Gwyddion 2.67."""
    return _root("trixie")


@pytest.fixture(scope="session")
def python2() -> str:
    """A real Python 2.7."""
    program = python_2_7()
    if program is None:
        pytest.skip("no Python 2.7 on PATH or in pyenv")
    return program


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home folder with nothing in it."""
    folder = tmp_path / "häuser of the user"
    folder.mkdir()
    # The path of a socket has at most 107 bytes, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as runtime:
        yield Home(folder, Path(runtime))


@pytest.fixture(scope="session")
def plug_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the installer writes into Gwyddion's folder; no path of that folder is in it."""
    return installed_with(sys.executable, tmp_path_factory)


def installed_with(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    home = Home(folder, folder, python)
    home.gwyddion_dir.mkdir()
    home.install()
    return home.gwyddion_dir


@pytest.fixture
def installed(home: Home, plug_in: Path) -> Home:
    """A home folder with the plug-in."""
    shutil.copytree(plug_in, home.gwyddion_dir)
    return home


@pytest.fixture(scope="session")
def module(newer: Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the installer writes into the folder of Gwyddion 3."""
    folder = tmp_path_factory.mktemp("module")
    home = Home(folder, folder)
    home.gwyddion3_dir.mkdir()
    gwyddion3.install(home, newer)
    return home.gwyddion3_dir


@pytest.fixture
def installed_module(home: Home, module: Path) -> Home:
    """A home folder with the module of Gwyddion 3."""
    return gwyddion3.copy_module(module, home)


@dataclass
class Answer:
    """What the real program did."""

    before: list[int]
    after: list[int]
    menu: str
    messages: str

    @property
    def added(self) -> list[int]:
        return [number for number in self.after if number not in self.before]


@pytest.fixture
def run_in_gwyddion(gwyddion: str) -> Callable[..., Answer]:
    """Run the installed plug-in on channels of a file, in the real libraries."""

    def run(
        home: Home, source: Path, target: Path | None = None, numbers: tuple[int, ...] = (0,), **how
    ) -> Answer:
        done = home.call(
            sys.executable, HARNESS, FUNCTION, source, target or "-", *map(str, numbers), **how
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["exists"], done.stderr
        if target is not None:
            check = home.call(gwyddion, "--check", target)
            assert (check.returncode, check.stderr) == (0, "")
        return Answer(told["before"], told["after"], told["menu"], done.stderr)

    return run


@pytest.fixture
def scan_file(tmp_path: Path) -> Callable[..., Path]:
    """Write channels to a file."""

    def write(*channels: Channel) -> Path:
        path = tmp_path / "scan.gwy"
        GwyFile.new(channels).save(path, force=True)
        return path

    return write


@dataclass
class Breakable:
    """A virtual environment that sees the packages of this one, and the plug-in made with it.

    What lies in `faults` comes before all packages.
    """

    python: str
    faults: Path
    plug_in: Path


@pytest.fixture(scope="session")
def breakable_environment(tmp_path_factory: pytest.TempPathFactory) -> Breakable:
    """An environment whose packages can be replaced."""
    folder = tmp_path_factory.mktemp("broken env")
    venv.create(folder, symlinks=True, with_pip=False)
    python, faults = str(folder / "bin" / "python"), tmp_path_factory.mktemp("faults")
    (packages,) = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in here]
    (packages / "packages.pth").write_text("\n".join(lines) + "\n")
    (packages / "aaa_faults.pth").write_text(f"import sys; sys.path.insert(0, {str(faults)!r})\n")
    return Breakable(python, faults, installed_with(python, tmp_path_factory))


@pytest.fixture
def breakable(home: Home, breakable_environment: Breakable) -> Iterator[Callable[[str], Home]]:
    """An installed plug-in whose ONNX Runtime is replaced by some lines, after installing."""
    home.python = breakable_environment.python
    shutil.copytree(breakable_environment.plug_in, home.gwyddion_dir)
    module = breakable_environment.faults / "onnxruntime.py"

    def broken(code: str) -> Home:
        module.write_text(code)
        return home

    yield broken
    module.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    """A screen of its own."""
    screen = Screen()
    yield screen
    screen.close()


@pytest.fixture
def host(python2: str, home: Home, tmp_path: Path) -> Host:
    """A Gwyddion with pygwy, without channels."""
    return Host(python2, home, tmp_path)


@pytest.fixture
def scan() -> np.ndarray:
    """Heights in metres: non-square, tilted, with steps."""
    y, x = np.mgrid[:24, :36]
    relief = 4e-9 * np.sin(x / 3) * np.cos(y / 4) + 9e-9 * (x > 20)
    return 2e-6 + relief + 1e-9 * x - 2e-9 * y
