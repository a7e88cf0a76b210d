"""What README and tutorial tell to type runs, in that order, in a new folder, and says as much."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/tutorial.md")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.M | re.S)
# `python -m pip` and `python -m pytest` are what CI does before, and what runs this test: here
# they do nothing, so that `pip install . && afmsr demo` runs the demo of what is installed. What
# the extra `eval` brings cannot be imported before the page says how to install it.
HIDE = """
import sys
sys.modules.update(dict.fromkeys(("skimage", "statsmodels")))
"""
PRELUDE = """
set -euo pipefail
python() {
    case "$*" in *"pip install"*"[eval"*) unset PYTHONPATH ;; esac
    case "${2-}" in pip|pytest) ;; *) command python "$@" ;; esac
}
set -x
"""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def script(page: str, folder: Path) -> str:
    """Return the blocks of a page as one script, those of Python as files that it runs."""
    parts = [PRELUDE]
    for number, (language, block) in enumerate(BLOCK.findall(text_of(page))):
        if language == "python":
            file = folder / f"block{number}.py"
            file.write_text(block, encoding="utf-8")
            block = f"python {file}\n"
        parts.append(block)
    return "".join(parts)


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are for a shell of Unix")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs_in_order(page: str, tmp_path: Path) -> None:
    pytest.importorskip("statsmodels", reason="the extra `eval` is not installed")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (tmp_path / ".gwyddion").mkdir()  # as Gwyddion leaves it when it first runs
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(hidden),
        "HOME": str(tmp_path),  # of a user without Gwyddion's settings, or ours
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    done = subprocess.run(
        ["bash", "-c", script(page, tmp_path)],
        cwd=fresh, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    said = {line.strip() for line in (done.stdout + done.stderr).splitlines()}
    shown = "".join(re.findall(r"^```text\n(.*?)^```", text_of(page), re.M | re.S))
    assert [line for line in shown.splitlines() if line.strip() not in said] == []
