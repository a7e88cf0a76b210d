"""Parts of a page that can be mailed: one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib import resources

__all__ = [
    "bullets",
    "details",
    "document",
    "facts",
    "figure",
    "header",
    "linked",
    "nav",
    "notes",
    "shipped",
    "titled",
]

ALLOWED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Content security policy of every page: whatever is in it, it loads nothing."""

CODE = re.compile(r"`([^`]+)`")
"""A command, as messages give it."""

LINK = re.compile(r"\b(?:doi:? ?|https?://(?:dx\.)?doi\.org/)(10\.\d{4,9}/[^\s,;)<>]*[^\s,;)<>.])")
"""A DOI as sources are given: ``doi 10.3762/bjnano.16.83``."""


@cache
def shipped(name: str, room: str = __package__) -> str:
    """Return a file of a room, by default of this one, such as ``style.css``."""
    return resources.files(room).joinpath(name).read_text(encoding="utf-8")


def document(title: str, body: str, *, css: str = "", script: str = "") -> str:
    """Return a whole page with the shared style sheets and the script of the tables.

    Parameters
    ----------
    title : str
        A text.
    body : str
        HTML.
    css, script : str
        What this page needs beyond ``style.css``, ``chart.css`` and ``table.js``.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{ALLOWED}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{shipped('style.css')}{shipped('chart.css')}{css}</style>\n</head>\n"
        f"<body>\n{body}\n<script>\n{shipped('table.js')}{script}</script>\n</body>\n</html>\n"
    )


def header(title: str, made_with: str, summary: str) -> str:
    """Return the head of a page; `summary` is HTML, the others are texts."""
    return (
        f'<header><h1>{escape(title)}</h1><p class="meta">{escape(made_with)}</p>'
        f'<section class="summary" aria-label="Summary">{summary}</section></header>'
    )


def nav(links: Sequence[tuple[str, str]]) -> str:
    """Return links to the sections: anchor and title of each."""
    told = "".join(f'<a href="#{anchor}">{escape(title)}</a> ' for anchor, title in links)
    return f'<nav aria-label="Contents">{told}</nav>'


def titled(anchor: str, title: str, inner: str) -> str:
    """Return a section that links lead to; `inner` is HTML."""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{inner}</section>'


def details(title: str, inner: str) -> str:
    """Return HTML that is folded under a title, a text."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def bullets(items: Sequence[str]) -> str:
    """Return texts as a list; nothing if there are none."""
    return f"<ul>{''.join(f'<li>{linked(one)}</li>' for one in items)}</ul>" if items else ""


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Return what is known, each with its name; all are texts."""
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return f"<dl>{told}</dl>"


def notes(title: str, items: Sequence[str]) -> str:
    """Return texts as a list under a line of its own."""
    return f'<div class="notes"><p>{escape(title)}</p>{bullets(items)}</div>'


def figure(name: str, inner: str, caption: str = "") -> str:
    """Return a figure that links lead to; `inner` is HTML or SVG, the others are texts."""
    told = f"<figcaption>{linked(caption)}</figcaption>" if caption else ""
    return f'<figure id="figure-{escape(name)}">{inner}{told}</figure>'


def linked(text: str) -> str:
    """Return a text as HTML, its DOIs as links, commands between backticks as code.

    Examples
    --------
    >>> linked("run `a < b`")
    'run <code>a &lt; b</code>'
    >>> linked("A & B, doi 10.1234/b.5.")
    'A &amp; B, <a href="https://doi.org/10.1234/b.5">doi 10.1234/b.5</a>.'
    """
    parts = []
    end = 0
    for found in LINK.finditer(text):
        parts.append(_with_code(text[end : found.start()]))
        address = f"https://doi.org/{escape(found[1])}"
        parts.append(f'<a href="{address}">{escape(found[0])}</a>')
        end = found.end()
    return "".join([*parts, _with_code(text[end:])])


def _with_code(text: str) -> str:
    return CODE.sub(r"<code>\1</code>", escape(text))
