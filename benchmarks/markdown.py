"""Tables in Markdown, as the parts print them and the pages hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def line(*cells: object) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(columns: Sequence[str], words: int = 1) -> str:
    """Return the head of a table of which the first columns hold words and the others numbers."""
    sides = ["---"] * words + ["---:"] * (len(columns) - words)
    return f"{line(*columns)}\n{line(*sides)}"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    """Return a table."""
    return "\n".join([head(columns, words), *(line(*row) for row in rows)])
