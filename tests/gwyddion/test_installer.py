"""The installer writes what it says, replaces what it wrote, and removes exactly that."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from afmsr_core import __version__
from afmsr_core.errors import CorruptFileError, OutputError, OutputExistsError, UsageError
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.installing import hosts, installer, launcher, plugin_files
from gwyddion_plugin.installing.state import state

ROOT = Path(__file__).parents[2]


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    """Every path below a folder, with its mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "gwyddion of Łukasz 'x' \"y\" $HOME"
    path.mkdir()
    return path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def one_interpreter(monkeypatch):
    """What is found out about the interpreter does not change from test to test."""
    found = launcher.Interpreter(sys.executable, (), True)
    monkeypatch.setattr(launcher, "examine", lambda: found)


# --- a fresh home, the real commands --------------------------------------------------------


@pytest.mark.parametrize("exists", [True, False])
def test_install_check_uninstall_leaves_a_home_as_it_was(home, gwyddion, exists):
    if exists:
        (home.gwyddion_dir / "plugins").mkdir(parents=True)
        (home.gwyddion_dir / "settings").write_text("mine")
    before = snapshot(home.folder)
    program = [sys.executable, ROOT / "install_plugin.py"]
    done = home.call(*program)
    assert done.returncode == 0, done.stderr
    assert "Data Process > Plug-Ins > AFM Super-Resolution..." in done.stdout
    checked = home.call(*program, "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for told in ("unchanged", "32 x 32 px to 128 x 128 px", "Gwyddion shows", "dialog:"):
        assert told in checked.stdout
    done = home.call(*program, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert snapshot(home.folder) == before
    assert home.left_over == [] and not (home.runtime / "afmsr").exists()


def test_the_command_is_the_same(home):
    afmsr = [sys.executable, "-m", "afmsr_cli.main", "plugin"]
    home.gwyddion_dir.mkdir()
    assert home.call(*afmsr, "install").returncode == 0
    assert home.launcher.exists()
    assert home.call(*afmsr, "uninstall").returncode == 0
    assert list(home.gwyddion_dir.iterdir()) == []


def test_check_says_what_is_wrong(installed):
    check = [sys.executable, "-m", "gwyddion_plugin.installing", "--check"]
    installed.choose(method="magic")
    done = installed.call(*check)
    assert done.returncode == 1
    assert "no method is called 'magic'" in done.stdout
    (installed.launcher.parent / "start.py").write_text("changed")
    done = installed.call(*check)
    assert done.returncode == 1
    assert "start.py: was changed after it was installed; move it out of" in done.stdout


# --- what is written ------------------------------------------------------------------------


def test_one_file_is_executable_and_the_description_is_beside_it(folder, said):
    installer.install(folder, say=said.append)
    plugin = folder / "plugins" / "process" / "afmsr"
    files = {path.name: path for path in plugin.iterdir()}
    assert sorted(files) == ["afmsr", "afmsr.rgi", "start.py"]
    assert [name for name, path in files.items() if path.stat().st_mode & 0o111] == ["afmsr"]
    assert files["afmsr.rgi"].read_text() == menu.REGISTRATION
    lines = menu.REGISTRATION.splitlines()
    assert lines[1].startswith("/") and lines[2] == "interactive noninteractive"


def test_dry_run_writes_nothing(folder, said):
    installer.install(folder, dry_run=True, say=said.append)
    assert list(folder.iterdir()) == []
    assert sum("would write" in line for line in said) == 3
    installer.install(folder, say=said.append)
    before = snapshot(folder)
    installer.uninstall(folder, dry_run=True, say=said.append)
    assert snapshot(folder) == before


def test_again_changes_nothing(folder, said):
    installer.install(folder, say=said.append)

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = times()
    said.clear()
    installer.install(folder, say=said.append)
    assert any("up to date" in line for line in said)
    assert times() == before  # so that it can be said of a home that is read-only, too


def test_the_state_is_told_in_words(folder, said, monkeypatch):
    def told() -> str:
        return state(folder)[str(folder)]

    assert told().startswith("not installed; run")
    installer.install(folder, say=said.append)
    assert told() == f"of this afmsr {__version__}"
    with monkeypatch.context() as other:
        other.setattr(launcher, "examine", lambda: launcher.Interpreter("/other/py", (), True))
        assert "of another installation of afmsr" in told()
    with monkeypatch.context() as newer:
        newer.setattr("gwyddion_plugin.installing.state.__version__", "9.9")
        assert told().startswith(f"of afmsr {__version__}, and this is 9.9; run")
    (folder / "plugins/process/afmsr/start.py").unlink()
    assert told().endswith("start.py: missing; run `afmsr plugin install`")
    (folder / "plugins/process/afmsr/afmsr").unlink()
    assert told().endswith("(and 1 more: `afmsr plugin check` lists them)")


def test_an_upgrade_replaces_and_removes(folder, said, monkeypatch):
    more = plugin_files.MenuItem(
        "old", "x", lambda host, python: {"pygwy/old/old.py": plugin_files.File(b"1")}
    )
    with monkeypatch.context() as old:
        old.setattr(plugin_files, "MENU_ITEMS", (plugin_files.PROXY, more))
        installer.install(folder, say=said.append)
    assert (folder / "pygwy" / "old" / "old.py").exists()
    other = launcher.Interpreter("/elsewhere/python", (), True)
    monkeypatch.setattr(launcher, "examine", lambda: other)
    installer.install(folder, say=said.append)
    assert "/elsewhere/python" in (folder / plugin_files.PROXY_FOLDER / "afmsr").read_text()
    assert not (folder / "pygwy" / "old" / "old.py").exists()
    installer.uninstall(folder, say=said.append)
    assert list(folder.iterdir()) == []


def test_what_others_wrote_is_not_touched(folder, said):
    foreign = folder / plugin_files.PROXY_FOLDER / "afmsr"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("theirs")
    before = snapshot(folder)
    with pytest.raises(OutputExistsError, match=r"not in the list .*; move it out of"):
        installer.install(folder, say=said.append)
    with pytest.raises(OutputError, match=r"not in the list .*, and is left; move it out of"):
        installer.uninstall(folder, say=said.append)
    assert "not in the list" in state(folder)[str(folder)]
    assert snapshot(folder) == before


def test_what_was_changed_stays(folder, said):
    installer.install(folder, say=said.append)
    start = folder / plugin_files.PROXY_FOLDER / "start.py"
    start.write_text("my own")
    with pytest.raises(OutputExistsError, match="was changed"):
        installer.install(folder, say=said.append)
    said.clear()
    installer.uninstall(folder, dry_run=True, say=said.append)
    assert [line.split(f" {folder}")[0] for line in said] == ["would remove"] * 2 + ["would leave"]
    for _ in range(2):  # it is told of until it is gone
        with pytest.raises(OutputError, match=r"start\.py: was changed .* is left; move it out of"):
            installer.uninstall(folder, say=said.append)
        left = {path.name for path in folder.rglob("*") if path.is_file()}
        assert left == {"start.py", "afmsr-plugin.json"}
        assert "start.py: was changed" in state(folder)[str(folder)]
    start.unlink()
    assert state(folder)[str(folder)].startswith("not installed")
    installer.uninstall(folder, say=said.append)
    assert list(folder.iterdir()) == []


def test_a_changed_file_of_an_older_version_is_told_of_until_it_is_gone(folder, said, monkeypatch):
    name = "pygwy/old.py"
    more = plugin_files.MenuItem("old", "x", lambda host, python: {name: plugin_files.File(b"1")})
    with monkeypatch.context() as old:
        old.setattr(plugin_files, "MENU_ITEMS", (plugin_files.PROXY, more))
        installer.install(folder, say=said.append)
    (folder / name).write_text("my own")
    monkeypatch.setattr(plugin_files, "MENU_ITEMS", (plugin_files.PROXY,))
    for _ in range(2):
        said.clear()
        installer.install(folder, say=said.append)
        assert any(line.startswith("leaving") and "move it out of" in line for line in said)
        assert "old.py: was changed" in state(folder)[str(folder)]
    (folder / name).unlink()
    installer.install(folder, say=said.append)
    assert state(folder)[str(folder)] == f"of this afmsr {__version__}"


def test_the_places_that_are_looked_at_are_those_that_are_written(tmp_path):
    (tmp_path / "pygwy").mkdir()
    host = hosts.Host(tmp_path, 2)
    written = [item.files(host, launcher.examine()) for item in plugin_files.MENU_ITEMS]
    assert sorted(plugin_files.names(host)) == sorted(name for files in written for name in files)


def test_a_manifest_cannot_lead_out(folder, said, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    manifest = {"afmsr": "0", "files": {"../precious": digest}, "folders": []}
    (folder / "afmsr-plugin.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError, match="leads out"):
        installer.uninstall(folder, say=said.append)
    assert precious.exists()


def test_uninstall_without_install(folder, said):
    installer.uninstall(folder, say=said.append)
    assert said == ["nothing is installed"]


# --- where ----------------------------------------------------------------------------------


def test_folders_of_each_system(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="--gwyddion-dir"):
        hosts.find()
    (tmp_path / ".gwyddion").mkdir()
    assert hosts.find() == [hosts.Host(tmp_path / ".gwyddion", 2)]
    (tmp_path / ".gwyddion3").mkdir()
    assert hosts.find()[1] == hosts.Host(tmp_path / ".gwyddion3", 3)


def test_a_slip_of_the_user_makes_no_folders(tmp_path, said):
    with pytest.raises(Exception, match="check --gwyddion-dir"):
        installer.install(tmp_path / "not" / "there", say=said.append)
    assert list(tmp_path.iterdir()) == []


def test_packages_out_of_sight_of_an_isolated_interpreter(home, tmp_path):
    """As after ``pip install --user``: the paths are written into the launcher."""
    import venv

    environment = tmp_path / "bare"
    venv.create(environment, symlinks=True, with_pip=False)
    here = [path for path in sys.path if path.endswith("site-packages")]
    home.python = str(environment / "bin" / "python")
    home.variables["PYTHONPATH"] = ":".join([str(ROOT), *here])
    home.gwyddion_dir.mkdir()
    told = home.install()
    assert "the paths are written out" in told
    del home.variables["PYTHONPATH"]
    assert home.call(home.launcher, "register").stdout == menu.REGISTRATION
    example = tmp_path / "field.dump"
    from gwyddion_plugin.exchange import dump
    from gwyddion_plugin.exchange.dump import RawField

    example.write_bytes(b"")
    dump.overwrite(example, RawField(4, 4, 1.0, 1.0, "m", "m", bytes(128)))
    done = home.call(home.launcher, "run", "noninteractive", example)
    assert done.returncode == 0, done.stderr
    assert dump.read(example).xres == 16
