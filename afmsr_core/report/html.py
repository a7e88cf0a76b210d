"""Parts of a page that can be mailed: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from afmsr_core.report.drawing import Picture

__all__ = ["BESIDE", "bullets", "document", "figure", "header", "nav", "notes", "titled"]

MIME = {"svg": "image/svg+xml", "jpg": "image/jpeg", "png": "image/png"}

BESIDE = (
    "The tables are beside this page in tables/ (CSV in full precision, Markdown, LaTeX for "
    "booktabs), the figures in figures/ (PNG, SVG)"
)


def document(title: str, css: str, body: str) -> str:
    """Return a whole page; `body` is HTML, `title` a text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def header(title: str, made_with: str, summary: str) -> str:
    """Return the head of a page; `summary` is a list in HTML, the others are texts."""
    return (
        f'<header><h1>{escape(title)}</h1><p class="meta">{escape(made_with)}</p>'
        f'<section class="summary" aria-label="Summary">{summary}</section></header>'
    )


def nav(links: Sequence[tuple[str, str]]) -> str:
    """Return links to the sections: anchor and title of each."""
    told = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title in links)
    return f'<nav aria-label="Contents">{told}</nav>'


def titled(anchor: str, title: str, inner: str) -> str:
    """Return a section that links lead to; `inner` is HTML."""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{inner}</section>'


def bullets(items: Sequence[str]) -> str:
    """Return texts as a list; nothing if there are none."""
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>" if items else ""


def notes(title: str, items: Sequence[str]) -> str:
    """Return texts as a list under a line of its own."""
    return f'<div class="notes"><p>{escape(title)}</p>{bullets(items)}</div>'


def figure(picture: Picture) -> str:
    """Return a figure, which the page holds, with its caption."""
    data = base64.b64encode(picture.files[picture.shown]).decode("ascii")
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return (
        f'<figure id="figure-{escape(picture.name)}"><img width="{picture.width}" '
        f'alt="{escape(picture.alt)}" src="data:{MIME[picture.shown]};base64,{data}">'
        f"{caption}</figure>"
    )
