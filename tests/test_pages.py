"""What the pages promise is there: links, names, and every command that they tell to type."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from afmsr_cli.main import build_parser
from afmsr_core.methods import names

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page
    for where in ("*.md", "docs/**/*.md", "afmsr_core/data/*.md")
    for page in sorted(ROOT.glob(where))
]
VERBS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield page and words of each command in the pages' blocks of shell, comments left out."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                command: list[str] = []
                for word in [*shlex.split(line, comments=True), "&&"]:
                    if word != "&&":
                        command.append(word)
                    elif command:
                        yield page.name, command
                        command = []


COMMANDS = [pytest.param(words, id=f"{page}: {' '.join(words)}") for page, words in commands()]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_are_ones_that_exist(words: list[str]) -> None:
    program, *arguments = words[: words.index(">")] if ">" in words else words
    if program == "afmsr-eval":
        program, arguments = "afmsr", ["eval", *arguments]
    if program == "afmsr":
        build_parser(arguments[0]).parse_args(arguments)  # ends the test where it has an error
    elif program == "make":
        assert {word for word in arguments if "=" not in word} <= VERBS
    elif program == "python" and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1])


def test_pages_tell_commands_of_every_kind() -> None:
    assert {"afmsr", "afmsr-eval", "make", "python"} <= {words[0] for _, words in commands()}


def test_readme_holds_the_command_that_ci_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^python -m pip install .* && python -m pytest$", text, re.M)
    assert len(found) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [x for x in links if "://" not in x and not (page.parent / x).exists()] == []


def test_readme_names_every_method() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in names() if f"`{name}`" not in text] == []


def test_the_layout_in_contributing_names_every_room_of_the_library() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    layout = re.search(r"^## Layout\n\n```\n(.*?)^```", text, re.M | re.S)
    assert layout is not None
    named = {line.split()[0].rstrip("/") for line in layout[1].splitlines() if line[:1] == " "}
    rooms = {path.name for path in (ROOT / "afmsr_core").iterdir() if path.name[:1] != "_"}
    assert sorted(rooms - named - {"py.typed"}) == []
