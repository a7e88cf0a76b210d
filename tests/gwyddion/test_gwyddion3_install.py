"""Gwyddion 3 in Debian's next release: the module is compiled, checked, and taken out again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from gwyddion3 import INSTALLING, version
from test_installer import snapshot

from afmsr_core.errors import MissingExtraError
from gwyddion_plugin.installing import hosts, installer, launcher, module
from gwyddion_plugin.installing.state import state


def test_install_check_uninstall_leaves_a_home_as_it_was(home, forky):
    (home.gwyddion3_dir / "ui").mkdir(parents=True)
    (home.gwyddion3_dir / "settings").write_text("mine")
    before = snapshot(home.folder)
    home.variables["CFLAGS"] = "-Werror"
    program = forky.command(sys.executable, *INSTALLING)  # finds the folder by itself
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
    found = version(forky)
    for told in ("3 files", "unchanged", f"module: for Gwyddion {found}", "128 x 128 px"):
        assert told in checked.stdout
    about = json.loads((home.gwyddion3_dir / module.ABOUT).read_text())
    assert about["gwyddion"] == found
    assert home.call(*program, "--uninstall").returncode == 0
    assert snapshot(home.folder) == before
    assert home.left_over == []


def test_check_says_that_another_version_runs(home, forky, installed_module):
    home = installed_module
    about = home.gwyddion3_dir / module.ABOUT
    manifest = home.gwyddion3_dir / "afmsr-plugin.json"
    old = about.read_bytes()
    about.write_bytes(old.replace(version(forky).encode(), b"3.1"))
    changed = manifest.read_text().replace(digest(old), digest(about.read_bytes()))
    manifest.write_text(changed)
    done = home.call(*forky.command(sys.executable, *INSTALLING, "--check"))
    assert done.returncode == 1
    assert f"for Gwyddion 3.1, and gwyddion3 is {version(forky)}, which does not" in done.stdout


def test_check_says_that_gwyddion_cannot_load_it(home, forky, installed_module):
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


def digest(content: bytes) -> str:
    from gwyddion_plugin.installing.manifest import digest as of

    return of(content)
