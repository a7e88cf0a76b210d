"""The first command of the README, in an environment of its own: light, and without torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB = 700  # OpenCV's wheel is 190, SciPy 140; torch would add thousands


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the base install; its folder of programs."""
    folder = tmp_path_factory.mktemp("fresh")
    source = folder / "source"  # a build leaves files behind: not in the checkout
    ignored = shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "runs")
    shutil.copytree(ROOT, source, ignore=ignored)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [programs / "python", "-m", "pip", "install", "--quiet", str(source)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return programs


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def test_demo_ends_with_a_file_that_gwyddion_finds_sound(fresh: Path, tmp_path: Path) -> None:
    done = run(fresh / "afmsr", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "RMSE" in done.stdout
    result = tmp_path / "afmsr-demo" / "simulated_x4.gwy"
    assert result.is_file() and result.with_suffix(".png").is_file()
    if shutil.which("gwyddion") is None:
        pytest.skip("no Gwyddion on this machine to check the result with")
    checked = run(Path("gwyddion"), "--check", str(result), cwd=tmp_path)
    assert checked.stderr.strip() == "" and checked.stdout.strip() == ""


def test_doctor_works_and_says_what_is_missing(fresh: Path, tmp_path: Path) -> None:
    done = run(fresh / "afmsr", "doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "default method: works" in done.stdout
    assert "pip install 'afmsr[torch] @ file:" in done.stdout


def test_a_network_without_torch_says_which_command_installs_it(
    fresh: Path, tmp_path: Path
) -> None:
    example = next(fresh.parent.glob("**/example_low.gwy"))
    done = run(fresh / "afmsr", "upscale", str(example), "--method", "carn", cwd=tmp_path)
    assert done.returncode == 4
    (arguments,) = re.findall(r"pip install '(afmsr\[torch\] @ file:[^']*)'", done.stderr)
    dry = run(fresh / "pip", "install", "--dry-run", "--no-deps", arguments, cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr


def test_install_is_light(fresh: Path) -> None:
    listed = subprocess.run(
        [fresh / "python", "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    installed = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert not installed & {"torch", "torchvision", "pyiqa"}
    files = (file for file in fresh.parent.rglob("*") if file.is_file() and not file.is_symlink())
    assert sum(file.stat().st_size for file in files) < LIMIT_MB * 1e6
