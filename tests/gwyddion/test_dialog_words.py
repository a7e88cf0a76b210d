"""What a dialog shows names what the dialog has, not options of the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asking import ask
from test_confidence import scan

from gwyddion_plugin.worker.dialog_words import in_dialog

CORE = Path(__file__).parents[2] / "afmsr_core"
# What the worker runs: no command, and nothing that compares or publishes.
ROOMS = (
    *("upscale", "methods", "realisations", "trust", "joining", "inference", "io", "planning"),
    *("averaging.py", "channel.py", "errors.py", "gaps.py", "grid.py", "levelling.py"),
    *("normalisation.py", "stopped.py", "batch/drawn.py"),
)
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from [CORE / room] if room.endswith(".py") else sorted((CORE / room).rglob("*.py"))


def messages(path: Path) -> Iterator[str]:
    """Yield the texts of a module that name options, docstrings and commands aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    docstrings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    parts = {id(part) for node in whole for part in node.values} | set(map(id, docstrings))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "4" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in parts:
            text = str(node.value)
        else:
            continue
        if " " in text and OPTION.search(text):
            yield text


def test_no_message_that_can_reach_a_dialog_names_an_option() -> None:
    found = [text for path in modules() for text in messages(path)]
    assert len(found) > 20, "the messages were not found"
    for text in found:
        outside = re.sub(r"`[^`]*`", "", in_dialog(text))
        assert not OPTION.search(outside), in_dialog(text)


EXAMPLES = {
    "try --tile 128, or crop the scan": "crop the scan",
    "take --method afm without --weights": "take the method afm",
    "the --method and --scale that they belong to": "the method and scale that they belong to",
    "--scale 4 takes the scan so": "the scale 4x along both axes takes the scan so",
    "or choose --method afm": "or choose the method afm",
    "leave out --scale, or crop": "choose the scale Automatic, or crop",
    "give --method afm --sharpness 0.5.": "give the method afm sharpness 0.5.",
    "--confidence and --residual tell": "confidence and residual tell",
    "a scan--and more; my--scale.gwy": "a scan--and more; my--scale.gwy",
}


@pytest.mark.parametrize("said", EXAMPLES)
def test_examples(said: str) -> None:
    assert in_dialog(said) == EXAMPLES[said]


def test_reasons_and_warnings_of_the_worker_are_so(tmp_path: Path) -> None:
    odd = scan(64, 64, unit="deg")
    verdict = ask("judge", tmp_path, odd, settings={})
    given = ask("upscale", tmp_path, odd.replace(title="Deflection"), settings={})
    for told in (*verdict["warnings"], *given["warnings"], verdict["told"]):
        assert not OPTION.search(told)
    assert any("compare with the method bicubic" in told for told in given["warnings"])
    assert np.isfinite(given["seconds"])
