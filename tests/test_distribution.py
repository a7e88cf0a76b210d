"""Wheel and sdist hold what they should and nothing else; types travel with them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from afmsr_cli.doctor import PARTS
from gwyddion_plugin import pygwy

ROOT = Path(__file__).resolve().parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
PLACES = {"afmsr_cli": "cli"}  # where a package lies, if not under its own name
PACKAGES = {name.partition(".")[0] for name in SETUP["options"]["packages"].split()}
PAPERS = {
    *("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "SECURITY.md"),
    *("setup.cfg", "pyproject.toml", "MANIFEST.in", "install_plugin.py"),
}
LIMIT = 8e6  # bytes of a wheel, most of them three networks, each twice, and the example


def named(requirements: str) -> set[str]:
    """Return the packages that a field of setup.cfg requires."""
    return set(re.findall(r"^[\w-]+", requirements, re.MULTILINE))


def test_doctor_looks_for_all_that_the_base_requires() -> None:
    assert set(PARTS[""]) == named(SETUP["options"]["install_requires"])


@pytest.mark.parametrize("extra", [part for part in PARTS if part])
def test_doctor_looks_for_what_an_extra_requires(extra: str) -> None:
    assert set(PARTS[extra]) <= named(SETUP["options.extras_require"][extra])


def files() -> list[str]:
    """Return what git has, or would take, of this checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def sources() -> set[str]:
    folders = {PLACES.get(name, name) for name in PACKAGES}
    return {name for name in files() if PurePosixPath(name).parts[0] in folders}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("distribution")
    for name in files():  # a build leaves files behind: not in the checkout
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    build = [sys.executable, "-m", "build", "--outdir", folder / "dist", folder / "source"]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def test_sdist_is_what_a_wheel_is_built_from_and_its_papers(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {str(PurePosixPath(*PurePosixPath(item.name).parts[1:]))
                for item in archive if item.isfile()}  # fmt: skip
    made = {name for name in held if name == "PKG-INFO" or name.startswith("afmsr.egg-info/")}
    assert held - made == sources() | PAPERS


def test_wheel_is_the_packages_and_their_metadata(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl") and wheel.stat().st_size < LIMIT
    held = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in held if ".dist-info/" in name}
    assert {PurePosixPath(name).name for name in metadata} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"),
        *("LICENSE", "COPYING", "NOTICE"),
    }
    back = {folder: package for package, folder in PLACES.items()}
    expected = (PurePosixPath(name).parts for name in sources())
    assert held - metadata == {"/".join((back.get(top, top), *rest)) for top, *rest in expected}


def test_every_package_says_that_it_is_typed(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert {f"{name}/py.typed" for name in PACKAGES} <= set(zipfile.ZipFile(wheel).namelist())


def test_an_installed_wheel_assembles_the_script_of_pygwy(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from gwyddion_plugin import pygwy\n"
        f"assert pygwy.__file__.startswith({str(tmp_path)!r})\n"
        "sys.stdout.write(pygwy.assembled())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, pygwy.assembled()), done.stderr
