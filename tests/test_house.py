"""The house is in order: lint, types, and what the pages promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "check", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_is_clean(check: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_holds_the_command_that_ci_runs() -> None:
    commands = re.findall(
        r"^python -m pip install .* && python -m pytest$", (ROOT / "README.md").read_text(), re.M
    )
    assert len(commands) == 1


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_readme_names_every_method() -> None:
    from afmsr_core.methods import names

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"`{name}`" not in text] == []


def test_no_page_or_module_names_a_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.cfg", "*.toml", "Makefile"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    pattern = re.compile(r"/(?:root|home|opt|work)/\w")
    guilty = [
        name
        for name in tracked
        if (ROOT / name).is_file() and pattern.search((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert guilty == []
