"""What a reader said about a file that it read, for the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["sentences"]

_MOST = 3
"""A reader that warns of every line or block says the same in each; the first tell what it is."""

_LONGEST = 200


def sentences(reader: str, said: Iterable[str]) -> Iterator[str]:
    """Yield a few sentences, none twice and none long.

    Examples
    --------
    >>> list(sentences("Gwyddion 2", ["odd unit", "odd unit", " "]))
    ['Gwyddion 2 warns: odd unit.']
    """
    told = list(dict.fromkeys(" ".join(line.split()) for line in said))
    told = [line for line in told if line]
    for line in told[:_MOST]:
        cut = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
        yield f"{reader} warns: {cut.rstrip('.')}."
    if len(told) > _MOST:
        yield f"{reader} warns {len(told) - _MOST} times more."
