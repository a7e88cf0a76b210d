"""Gwyddion 3 in Debian's next release: the module is compiled, checked, and taken out again."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from gwyddion3 import INSTALLING, version
from screen import alive, wait_for
from test_installer import snapshot

from afmsr_core.errors import MissingExtraError, OutputError, OutputExistsError, UsageError
from gwyddion_plugin.installing import hosts, installer, launcher, module, plugin_files
from gwyddion_plugin.installing.__main__ import main
from gwyddion_plugin.installing.check import check
from gwyddion_plugin.installing.state import state


def test_install_check_uninstall_leaves_a_home_as_it_was(home, newer):
    (home.gwyddion3_dir / "ui").mkdir(parents=True)
    (home.gwyddion3_dir / "settings").write_text("mine")
    before = snapshot(home.folder)
    home.variables |= {"CC": "gcc -g0", "CFLAGS": "-Werror"}
    program = newer.command(sys.executable, *INSTALLING)  # finds the folder by itself
    done = home.call(*program, limit=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Data Process > Basic Operations > AFM Super-Resolution..." in done.stdout
    made = home.gwyddion3_dir / module.MODULE
    compiled = made.stat().st_mtime_ns
    again = home.call(*program)
    assert again.returncode == 0 and "up to date" in again.stdout
    assert made.stat().st_mtime_ns == compiled
    checked = home.call(*program, "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = version(newer)
    for told in ("3 files", "unchanged", f"module: for Gwyddion {found}", "128 x 128 px"):
        assert told in checked.stdout
    about = json.loads((home.gwyddion3_dir / module.ABOUT).read_text())
    assert about["gwyddion"] == found
    assert home.call(*program, "--uninstall").returncode == 0
    assert snapshot(home.folder) == before
    assert home.left_over == []


def test_check_says_that_another_version_runs(home, newer, installed_module):
    home = installed_module
    about = home.gwyddion3_dir / module.ABOUT
    manifest = home.gwyddion3_dir / "afmsr-plugin.json"
    old = about.read_bytes()
    about.write_bytes(old.replace(version(newer).encode(), b"3.1"))
    changed = manifest.read_text().replace(digest(old), digest(about.read_bytes()))
    manifest.write_text(changed)
    done = home.call(*newer.command(sys.executable, *INSTALLING, "--check"))
    assert done.returncode == 1
    assert f"for Gwyddion 3.1, and gwyddion3 is {version(newer)}, which does not" in done.stdout


def test_check_says_that_gwyddion_cannot_load_it(home, newer, installed_module):
    """Outside the root there are no libraries of Gwyddion 3."""
    program = [sys.executable, *INSTALLING, "--gwyddion-dir", home.gwyddion3_dir, "--check"]
    done = installed_module.call(*program)
    assert done.returncode == 1
    assert "module: does not load (OSError: libgwy" in done.stdout


# --- what is missing ----------------------------------------------------------------------------


@pytest.fixture
def interpreter(monkeypatch):
    found = launcher.Interpreter(sys.executable, (), True)
    monkeypatch.setattr(launcher, "examine", lambda: found)


PACKAGES = "apt-get install gcc libc6-dev pkgconf libgwyddion-dev libgtk-3-dev"


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([], "no C compiler"),
        (["cc"], "no pkg-config"),
        (["cc", "pkg-config"], "no headers .*libgwyapp3"),
    ],
)
def test_what_is_missing_is_named_with_its_packages(
    tmp_path, monkeypatch, interpreter, tools, told
):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in tools:
        script = "#!/bin/sh\necho 'Package libgwyapp3 was not found' >&2\nexit 1\n"
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CC", raising=False)
    folder = tmp_path / ".gwyddion3"
    folder.mkdir()
    with pytest.raises(MissingExtraError, match=f"(?s){told}.*{PACKAGES}"):
        installer.install(folder, say=lambda line: None)
    assert list(folder.iterdir()) == []
    assert "not installed" in state(folder)[str(folder)]


def test_gwyddion_2_is_served_where_3_cannot_be(tmp_path, monkeypatch, interpreter):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("PATH", "")
    (tmp_path / ".gwyddion").mkdir()
    (tmp_path / ".gwyddion3").mkdir()
    said: list[str] = []
    installer.install(say=said.append)
    assert (tmp_path / ".gwyddion" / "plugins" / "process" / "afmsr" / "afmsr").exists()
    assert any(".gwyddion3: no C compiler" in line and PACKAGES in line for line in said)
    assert [host.generation for host in hosts.find()] == [2, 3]


# --- compilers, and what they are told ----------------------------------------------------------

COMPILER = """#!/bin/sh
echo "${0##*/}" "$@" > "%s"
while [ $# -gt 0 ]; do [ "$1" != -o ] || echo built > "$2"; shift; done
"""
PKG_CONFIG = """#!/bin/sh
case $1 in --modversion) echo 3.11 ;; --cflags) echo "-I/some/include %s" ;; esac
"""


@dataclass
class Tools:
    """A folder that is PATH, of programs that stand for compiler and pkg-config."""

    folder: Path
    told: Path

    def add(self, name: str, script: str) -> Path:
        program = self.folder / name
        program.write_text(script)
        program.chmod(0o755)
        return program

    def add_compiler(self, name: str) -> Path:
        return self.add(name, COMPILER % self.told)


@pytest.fixture
def tools(tmp_path, monkeypatch, interpreter) -> Tools:
    folder = tmp_path / "my programs"
    folder.mkdir()
    made = Tools(folder, tmp_path / "told")
    made.add("pkg-config", PKG_CONFIG % "")
    monkeypatch.setenv("PATH", str(folder))
    for variable in ("CC", "CFLAGS"):
        monkeypatch.delenv(variable, raising=False)
    return made


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / ".gwyddion3"
    made.mkdir()
    return made


def install(folder: Path) -> None:
    installer.install(folder, say=lambda line: None)


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("gcc -m64", "gcc -m64 -std"),
        ("ccache gcc", "ccache gcc -std"),
        ("{folder}/gcc", "gcc -std"),
        ("'{folder}/gcc' '-DX=a b'", "gcc -DX=a b -std"),
        (" ", "cc -std"),
    ],
)
def test_a_compiler_may_have_arguments(tools, folder, monkeypatch, given, called):
    for name in ("cc", "gcc", "ccache"):
        tools.add_compiler(name)
    monkeypatch.setenv("CC", given.format(folder=tools.folder))
    monkeypatch.setenv("CFLAGS", "-g '-DY=c d'")
    install(folder)
    assert (folder / module.MODULE).read_text() == "built\n"
    told = tools.told.read_text()
    assert told.startswith(called) and " -g -DY=c d -o " in told and "-I/some/include" in told


def test_a_compiler_that_is_not_there_is_named(tools, folder, monkeypatch):
    tools.add_compiler("cc")
    monkeypatch.setenv("CC", "nocc -m64")
    with pytest.raises(MissingExtraError, match="'nocc'; correct CC or unset it, then run"):
        install(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("variable", ["CC", "CFLAGS"])
def test_quotes_that_do_not_close_are_told_of(tools, folder, monkeypatch, variable):
    tools.add_compiler("cc")
    monkeypatch.setenv(variable, 'cc -DX="')
    with pytest.raises(UsageError, match=f"{variable} is 'cc -DX=\"'.*No closing.*; correct its"):
        install(folder)
    assert list(folder.iterdir()) == []


def test_quotes_of_pkg_config_that_do_not_close_are_told_of(tools, folder):
    tools.add_compiler("cc")
    tools.add("pkg-config", PKG_CONFIG % "'")
    with pytest.raises(
        MissingExtraError, match=r"pkg-config says .*No closing.*correct their \.pc"
    ):
        install(folder)
    assert list(folder.iterdir()) == []


def hanging(note: Path) -> str:
    """A program that waits for another, as a compiler does, and notes its number."""
    return (
        f'#!/bin/sh\n"{shutil.which("sleep", path=os.defpath)}" 600 &\necho $! > "{note}"\nwait\n'
    )


@pytest.mark.parametrize(("name", "limit"), [("cc", "_LIMIT"), ("pkg-config", "_ANSWER_LIMIT")])
def test_a_tool_that_hangs_is_ended_with_all_that_it_started(
    tools, folder, monkeypatch, tmp_path, name, limit
):
    tools.add_compiler("cc")
    tools.add(name, hanging(tmp_path / "number"))
    monkeypatch.setattr(module, limit, 4.0)
    with pytest.raises(MissingExtraError, match=f"{name}: did not end within 4 s; see that"):
        install(folder)
    assert list(folder.iterdir()) == []
    number = int((tmp_path / "number").read_text())
    wait_for(lambda: not alive(number), "its end")


def test_a_compiler_that_makes_nothing_is_told_of(tools, folder, monkeypatch):
    """As ``-fsyntax-only`` has it."""
    tools.add("cc", "#!/bin/sh\n")
    monkeypatch.setenv("CFLAGS", "-fsyntax-only")
    with pytest.raises(MissingExtraError, match=r"-fsyntax-only: makes no module .*; correct CC"):
        install(folder)
    assert list(folder.iterdir()) == []


def test_a_tool_that_does_not_start_is_named(tools, folder):
    tools.add("cc", "#!/nowhere/sh\n")
    with pytest.raises(MissingExtraError, match=r"cc: does not start \(No such file.*; see that"):
        install(folder)
    assert list(folder.iterdir()) == []


def test_check_says_that_gwyddion_hangs(tools, folder, monkeypatch, tmp_path):
    tools.add_compiler("cc")
    install(folder)
    tools.add("gwyddion3", hanging(tmp_path / "number"))
    monkeypatch.setattr(module, "_ANSWER_LIMIT", 1.0)
    said: list[str] = []
    assert not check(folder, said.append)
    assert "gwyddion3: did not end within 1 s; see that" in said[-1]


def test_an_interpreter_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(launcher, "_LIMIT", 0.001)
    with pytest.raises(MissingExtraError, match=r"did not end within 0\.001 s; .*try again"):
        launcher.examine()


# --- a module that is not as it was installed -----------------------------------------------------


def test_all_commands_tell_the_same_of_a_module_that_was_changed(tools, folder):
    tools.add_compiler("cc")
    install(folder)
    made = folder / module.MODULE
    made.write_bytes(made.read_bytes() + b"junk\n")
    why = f"{made}: was changed after it was installed"
    cure = "move it out of Gwyddion's folder, then run `afmsr plugin"
    for _ in range(2):
        said: list[str] = []
        assert not check(folder, said.append)
        assert said == [f"{why}; {cure} install`"] == list(state(folder).values())
        with pytest.raises(OutputExistsError, match=re.escape(f"{why}; {cure} install` again")):
            install(folder)
        # Twice: what is left is told of until it is gone.
        options = ["--gwyddion-dir", str(folder), "--uninstall"]
        assert main(options) == 1
        with pytest.raises(OutputError, match=re.escape(f"{why}, and is left; {cure} uninstall`")):
            installer.uninstall(folder, say=said.append)
        assert sorted(path.name for path in folder.rglob("*.*")) == ["afmsr-plugin.json", made.name]
    made.rename(folder.parent / "kept.so")
    install(folder)  # the cure is true
    assert made.read_text() == "built\n"
    assert main(options) == 0
    assert list(folder.iterdir()) == []


def test_a_module_that_no_list_names_is_told_of(tools, folder):
    """As after an uninstall that forgot what it left."""
    tools.add_compiler("cc")
    install(folder)
    (folder / "afmsr-plugin.json").unlink()
    said: list[str] = []
    assert not check(folder, said.append)
    names = [f"{folder / name}: is not in the list of" for name in plugin_files.names(HOST)]
    assert [line.partition(" what")[0] for line in said] == names
    with pytest.raises(OutputError, match=f"{module.MODULE}: is not in the list .*, and is left"):
        installer.uninstall(folder, say=said.append)
    for name in plugin_files.names(HOST):
        (folder / name).unlink()
    said.clear()
    installer.uninstall(folder, say=said.append)
    assert said == ["nothing is installed"]
    install(folder)


HOST = hosts.Host(Path(), 3)


def digest(content: bytes) -> str:
    from gwyddion_plugin.installing.manifest import digest as of

    return of(content)
