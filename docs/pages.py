"""Hooks of the documentation site: pages that are made, and links into the repository.

MkDocs calls the functions whose names begin with ``on_``. Commands come from their parsers, the
page on Python from the notebook, the papers of the repository (changelog, model card, ...) from
where they lie. A link to a file of the repository becomes one to its page, or to the repository
where the site names one.
"""

from __future__ import annotations

import argparse
import base64
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
COMMANDS = "reference/commands.md"
NOTEBOOK = "how-to/python.md"
# Papers that lie elsewhere in the repository, and the page that each becomes.
PAPERS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "developers/contributing.md",
    "SECURITY.md": "developers/security.md",
    "afmsr_core/data/afm.md": "model-card.md",
    "afmsr_core/data/afm_lines.md": "model-card-lines.md",
}
PAGES = PAPERS | {"docs/python.ipynb": NOTEBOOK}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made: dict[str, str | bytes] = {COMMANDS: commands_page(), **notebook_page()}
    made |= {page: (ROOT / paper).read_text(encoding="utf-8") for paper, page in PAPERS.items()}
    for page, content in made.items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Show names that docstrings give a role, such as :class:`Channel`, as code alone."""
    return re.sub(r":(?:class|func|meth|mod|data|attr):(<code>)~?", r"\1", html)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Turn links into the repository into links of the site."""
    uri = page.file.src_uri
    source = next((paper for paper, made in PAPERS.items() if made == uri), DOCS + uri)
    return _LINK.sub(lambda link: _resolved(link, source, uri, config.repo_url or ""), markdown)


def _resolved(link: re.Match[str], source: str, uri: str, repository: str) -> str:
    """Return a link as it is on the site; `source` is where its page lies in the repository."""
    picture, text, target = link.groups()
    path, hash_, anchor = target.partition("#")
    if not path or "://" in path:
        return link[0]
    there = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    page = PAGES.get(there) or (there[len(DOCS) :] if there.startswith(DOCS) else None)
    if page and not page.endswith((".py", ".ipynb", ".json")):
        return (
            f"{picture}[{text}]({posixpath.relpath(page, posixpath.dirname(uri))}{hash_}{anchor})"
        )
    if not (ROOT / there).exists():
        return link[0]  # MkDocs names it
    return f"[{text}]({repository}/blob/main/{there}{hash_}{anchor})" if repository else text


def notebook_page() -> dict[str, str | bytes]:
    """Return docs/python.ipynb as a page, with its pictures beside it."""
    notebook = json.loads((ROOT / DOCS / "python.ipynb").read_text(encoding="utf-8"))
    pictures: dict[str, str | bytes] = {}
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        texts = []
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                name = f"python-{len(pictures) + 1}.png"
                pictures[posixpath.join(posixpath.dirname(NOTEBOOK), name)] = base64.b64decode(
                    "".join(data["image/png"])
                )
                parts.append(f"![What the lines above show]({name})")
            else:
                texts.append("".join(output.get("text") or data["text/plain"]).rstrip("\n"))
        if texts:
            parts.append("```text\n" + "\n".join(texts) + "\n```")
    parts.append("This page is the notebook `docs/python.ipynb`, as it ran.")
    return {NOTEBOOK: "\n\n".join(parts), **pictures}


def commands_page() -> str:
    """Return the reference of the command line, from its parsers."""
    from afmsr_cli.main import COMMANDS as NAMES
    from afmsr_cli.main import build_parser

    parts = [
        "# Commands\n\nMade from the commands themselves: `afmsr COMMAND --help` says the same.\n",
        *_command(build_parser(), level=2, inner=False),
    ]
    for name in NAMES:
        parts += _command(_inner(build_parser(name))[name], level=2)
    return "\n".join(parts)


def _inner(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _command(parser: argparse.ArgumentParser, level: int, inner: bool = True) -> Iterator[str]:
    """Yield what a parser says of itself, and below it what its commands do."""
    yield f"{'#' * level} {parser.prog}\n"
    if parser.description:
        laid_out = "\n" in parser.description.strip()
        yield (_verbatim if laid_out else _plain)(parser.description) + "\n"
    yield _verbatim(parser.format_usage()) + "\n"
    for group in parser._action_groups:
        rows = [
            f"| {_invocation(action)} | {_help(action, parser)} |"
            for action in group._group_actions
            if action.help not in (argparse.SUPPRESS, None)
            and not isinstance(action, argparse._HelpAction)
        ]
        if rows:
            yield f"| {group.title} | |\n|---|---|\n" + "\n".join(rows) + "\n"
    if parser.epilog:
        yield _verbatim(parser.epilog) + "\n"
    if inner:
        for one in _inner(parser).values():
            yield from _command(one, level + 1)


def _invocation(action: argparse.Action) -> str:
    """Return how an option or argument is written."""
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    value = value if isinstance(value, str) else " ".join(value)
    if not action.option_strings:
        return f"`{value}`"
    return f"`{', '.join(action.option_strings)}{'' if action.nargs == 0 else ' ' + value}`"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Return the help of an option with its default filled in."""
    return _plain((action.help or "") % (vars(action) | {"prog": parser.prog}))


def _verbatim(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it stands, in one line."""
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", " ".join(text.split()))
