"""A process that must end at once leaves nothing half written, nor half of a set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

START = """
import os, sys, threading
from pathlib import Path
from afmsr_core.io.atomic import writing, writing_all
from afmsr_core.leftovers import leftover, remove_all, settling
folder = Path(sys.argv[1])
"""


def end(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code, str(folder)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_what_is_half_written_is_removed_and_what_is_whole_stays(tmp_path: Path) -> None:
    code = """
with writing(folder / "whole") as file:
    file.write(b"whole")
with writing_all([folder / "a", folder / "b"]) as files:
    files[0].write(b"half")
    assert len(list(folder.iterdir())) == 3
    remove_all()
    os._exit(7)
"""
    done = end(code, tmp_path)
    assert (done.returncode, done.stderr) == (7, "")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_nothing_new_is_begun_and_no_name_is_given_after_it(tmp_path: Path) -> None:
    """Whoever is at it in another thread meanwhile waits for the end of the process."""
    code = """
remove_all()
def late():
    with writing(folder / "late") as file:
        file.write(b"whole")
thread = threading.Thread(target=late, daemon=True)
thread.start()
thread.join(0.5)
os._exit(7)
"""
    assert end(code, tmp_path).returncode == 7
    assert list(tmp_path.iterdir()) == []


def test_renames_that_belong_together_are_all_done(tmp_path: Path) -> None:
    code = """
begun = threading.Event()
def together():
    with settling():
        begun.set()
        for name in "abc":
            (folder / name).touch()
            threading.Event().wait(0.1)
threading.Thread(target=together, daemon=True).start()
begun.wait()
remove_all()
os._exit(7)
"""
    assert end(code, tmp_path).returncode == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_block_that_was_left_is_not_undone(tmp_path: Path) -> None:
    code = """
with leftover(lambda: (folder / "removed").touch()):
    pass
with leftover(lambda: (folder / "still").touch()):
    remove_all()
    os._exit(7)
"""
    assert end(code, tmp_path).returncode == 7
    assert [path.name for path in tmp_path.iterdir()] == ["still"]
