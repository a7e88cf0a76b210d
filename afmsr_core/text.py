"""Text in files of instruments and their programs, which is not always UTF-8."""

from __future__ import annotations

__all__ = ["decoded"]


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
