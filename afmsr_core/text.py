"""Text in files of instruments, programs and people, which is not always as we would write it."""

from __future__ import annotations

import re

__all__ = ["decimal_comma", "decoded", "table_of_numbers"]

_COMMA = r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?"
_POINT = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan"
_ROWS = 2  # a table has at least so many rows, of at least so many numbers each


def decoded(text: bytes) -> str:
    r"""Return text as UTF-8, or as Latin-1 where it is not that.

    Instruments write their headers in the code page of their computer, mostly Latin-1 or the
    Windows-1252 that contains it, and Gwyddion copies the bytes into its files as they are. Latin-1
    gives every byte a character, so nothing is refused and nothing lost; degree, micro,
    plus-minus and ångström signs stand at the same place in both.

    Examples
    --------
    >>> decoded(b"30\xb0"), decoded(b"30\xc2\xb0")
    ('30°', '30°')
    """
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def decimal_comma(text: str) -> str:
    """Return what to say of a number that has a comma for its point; empty if it has none.

    Examples
    --------
    >>> decimal_comma(" 1,5e-6"), decimal_comma("1.5")
    (' (with a decimal comma: write 1.5e-6)', '')
    """
    text = text.strip()
    if not re.fullmatch(_COMMA, text):
        return ""
    return f" (with a decimal comma: write {text.replace(',', '.')})"


def table_of_numbers(text: bytes) -> str:
    r"""Return what to say of a file that begins so, if it is a table of numbers; else nothing.

    Parameters
    ----------
    text : bytes
        The first bytes of the file; the last line may be cut.

    Examples
    --------
    >>> table_of_numbers(b"# nm\n1,5;2,5\n3,5;4,5\n")[:40]
    'a table of numbers with decimal commas, '
    >>> table_of_numbers(b"some words\nand more\n")
    ''
    """
    lines = [line.strip() for line in decoded(text).splitlines()]
    complete = lines if text.endswith(b"\n") else lines[:-1]
    for number, separator, words in (
        (_COMMA, r"[\s;]+", " with decimal commas"),
        (_POINT, r"[\s;,]+", ""),
    ):
        row = re.compile(rf"(?:{number})(?:{separator}(?:{number}))+[\s;,]*", re.I)
        if sum(row.fullmatch(line) is not None for line in complete) >= _ROWS:
            return (
                f"a table of numbers{words}, which tells neither their unit nor the size; import "
                f"it in Gwyddion, which asks for both and for the decimal sign, and save it as .gwy"
            )
    return ""
