"""Pairs by list: a ``pairs.csv``, of which every fault is named with its line."""

from __future__ import annotations

import csv
import io as textio
import re
from collections.abc import Iterator
from pathlib import Path

from afmsr_core.errors import PairError
from afmsr_core.io.files import contents
from afmsr_core.pairing.pair import Pair

__all__ = ["MANIFEST", "listed"]

MANIFEST = "pairs.csv"
COLUMNS = ("id", "low", "high", "channel", "data set")
REQUIRED = COLUMNS[:3]
MEMBERS = COLUMNS[1:3]


def listed(manifest: Path, data_set: str, channel: str | None) -> Iterator[Pair]:
    """Yield the pairs of a list.

    Parameters
    ----------
    manifest : Path
        The list.
    data_set : str
        Of every pair for which the list names none.
    channel : str or None
        The same.

    Raises
    ------
    PairError
        If the list contradicts itself.
    UnreadableFileError
        If it cannot be read.
    """
    lines = dict[str, int]()
    for number, row in _rows(manifest):
        where = f"{manifest.name}, line {number}"
        for name in REQUIRED:
            if not row[name]:
                raise PairError(f"{where}: the column {name!r} is empty; fill it in")
        if (first := lines.setdefault(row["id"], number)) != number:
            raise PairError(
                f"{where}: id {row['id']!r} is already used in line {first}; give it another"
            )
        low, high = (manifest.parent / row[side] for side in MEMBERS)
        for side, path in zip(MEMBERS, (low, high), strict=True):
            if not path.is_file():
                wrong = "is no file" if path.exists() else "does not exist"
                raise PairError(
                    f"{where}: the {side} scan {row[side]!r} {wrong}; "
                    f"paths are relative to {manifest.name}"
                )
        if low.resolve() == high.resolve():
            raise PairError(f"{where}: low and high are the same file; name two")
        yield Pair(row["id"], low, high, row["channel"] or channel, row["data set"] or data_set)


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and columns of every row that is not blank."""
    try:
        text = contents(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairError(
            f"{manifest.name}: not a text in UTF-8 ({error.reason}); save it as CSV UTF-8"
        ) from error
    header = text.partition("\n")[0]
    comma = max(",;\t", key=header.count)  # spreadsheets of some countries write semicolons
    reader = csv.reader(textio.StringIO(text, newline=""), delimiter=comma)
    try:
        names = [_column(name) for name in next(reader, [])]
        missing = [name for name in REQUIRED if name not in names]
        unknown = [name for name in names if name not in COLUMNS]
        if missing or unknown or len(set(names)) < len(names):
            raise PairError(
                f"{manifest.name}, line 1: found the columns {', '.join(names) or 'none'}; "
                f"the first line must name {', '.join(REQUIRED)} and may name "
                f"{', '.join(COLUMNS[3:])}"
            )
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise PairError(
                    f"{manifest.name}, line {reader.line_num}: {len(row)} columns, the first "
                    f"line names {len(names)}; quote what holds a {comma!r}"
                )
            cells = (cell.strip() for cell in row)
            yield reader.line_num, dict.fromkeys(COLUMNS, "") | dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise PairError(
            f"{manifest.name}, line {reader.line_num}: no CSV ({error}); save it again"
        ) from error


def _column(name: str) -> str:
    """Accept ``Data_Set`` and ``dataset`` for ``data set``."""
    plain = name.strip().casefold()
    squeezed = re.sub(r"[\s_-]", "", plain)
    return next((column for column in COLUMNS if column.replace(" ", "") == squeezed), plain)
