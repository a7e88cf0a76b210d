"""Why a text of numbers is not read: what its user can change about it."""

from __future__ import annotations

import re
from pathlib import Path

from afmsr_core.io.files import head

__all__ = ["cause"]

_LOOKED_AT = 2**16  # Bytes: the header and some rows.
_ROWS = 3
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|nan", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_SIZE = re.compile(r"width|height|xreal|pixel|unit", re.IGNORECASE)


def cause(path: Path) -> str | None:
    """Return what keeps a text of numbers from being read, and the cure; None for other files."""
    data = head(path, _LOOKED_AT)
    if b"\0" in data:
        return None
    lines = data.split(b"\n")[: -1 if len(data) == _LOOKED_AT else None]
    texts = [line.decode("latin-1").strip() for line in lines]
    rows = [
        cells
        for text in texts
        if text and not text.startswith("#")
        for cells in [re.split(r"[;\t ]+", text)]
    ][-_ROWS:]
    if not rows:
        return None
    if all(_is_row_with_commas(cells) for cells in rows):
        return "its numbers have decimal commas; write them with decimal points"
    if not all(_is_row(cells) for cells in rows):
        return None
    if not any(text.startswith("#") and _SIZE.search(text) for text in texts):
        return (
            "it holds numbers without their unit and the size of the scan; save it with the "
            "program that made it as .gwy or .gsf, or as .npy with a JSON file that tells them"
        )
    for number, line in enumerate(lines, 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            return f"its text is not UTF-8 (byte {byte:#04x} in line {number}); save it as UTF-8"
    return None


def _is_row(cells: list[str]) -> bool:
    numbers = [number for cell in cells for number in cell.split(",") if number]
    return all(_NUMBER.fullmatch(number) for number in numbers) and len(numbers) > 1


def _is_row_with_commas(cells: list[str]) -> bool:
    """Return whether commas stand in the numbers: other characters stand between them."""
    commas = [bool(_WITH_COMMA.fullmatch(cell)) for cell in cells]
    numbers = (comma or _NUMBER.fullmatch(cell) for comma, cell in zip(commas, cells, strict=True))
    return len(cells) > 1 and any(commas) and all(numbers)
