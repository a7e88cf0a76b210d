"""Forms that were filled in by hand or in a spreadsheet, read back as scores."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afmsr_core.errors import CorruptFileError, UnsupportedContentError
from afmsr_core.io.files import contents
from afmsr_core.survey.page import letter
from afmsr_core.survey.store import now
from afmsr_core.survey.study import HIGHEST, LOWEST, Score, Study
from afmsr_core.survey.tables import ANSWER, PLACE, RISKY, SECRETS

__all__ = ["Filled", "merged", "read_scores"]

SPREADSHEETS: Mapping[bytes, str] = {
    b"PK\x03\x04": "a spreadsheet (XLSX or ODS)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (XLS)",
}
MOST = 20
"""Faulty lines that one message names."""


@dataclass(frozen=True)
class Filled:
    """What a filled-in form holds.

    Attributes
    ----------
    scores : tuple of Score
        With the comment of their set.
    comments : dict of (str, str) to str
        By rater and set, of sets without a score.
    empty : int
        Number of cells for a score that were left empty.
    """

    scores: tuple[Score, ...]
    comments: dict[tuple[str, str], str]
    empty: int

    def add_to(self, study: Study, *, force: bool = False) -> int:
        """Add the scores and comments to a study; return how many scores were new or changed.

        Raises
        ------
        UnsupportedContentError
            If a score contradicts one in the study, without `force`; then nothing was added.
        """
        changed = study.add_scores(self.scores, force)
        known = set(study.store.raters())
        for (rater, set_), text in self.comments.items():
            if rater in known:  # one who scored nothing and was not invited is nobody
                study.store.comment(rater, set_, text)
        return changed


def merged(files: Sequence[tuple[Path, Filled]]) -> Filled:
    """Return what several forms hold together.

    Raises
    ------
    UnsupportedContentError
        If two files contradict each other.
    """
    first: dict[tuple[str, str, str], tuple[Path, Score]] = {}
    comments: dict[tuple[str, str], str] = {}
    for path, filled in files:
        comments |= filled.comments
        for one in filled.scores:
            before, other = first.setdefault((one.rater, one.item, one.question), (path, one))
            if other.score != one.score:
                raise UnsupportedContentError(
                    f"{path}: {one.question} of item {one.item} by {one.rater} is {one.score}, but "
                    f"{other.score} in {before}; correct one of the two"
                )
    scores = tuple(score for _, score in first.values())
    return Filled(scores, comments, sum(filled.empty for _, filled in files))


def read_scores(
    path: str | Path, study: Study, *, rater: str | None = None, force: bool = False
) -> Filled:
    """Read a form that was filled in on paper and typed, or in a spreadsheet and saved as CSV.

    Separators (comma, semicolon, tab) and encodings (UTF-8, UTF-16, Windows) are found out. An
    empty cell is no score. Columns that tell what an item is are not looked at.

    Parameters
    ----------
    path : path
        The file; wide or long.
    study : Study
        Whose items it names.
    rater : str, optional
        Whose scores they are, for a file without a column ``rater``.
    force : bool
        Accept scores that contradict those in the study.

    Raises
    ------
    UnreadableFileError, CorruptFileError, UnsupportedContentError
        If the file cannot be read, is no CSV, or a line cannot be taken; the message names every
        such line and its cure.
    """
    path = Path(path)
    lines = _lines(path)
    number, head = next(lines, (1, []))
    reader = _Reader(path, study, [cell.strip().lower() for cell in head], rater, force)
    for number, cells in lines:
        try:
            reader.take(number, cells)
        except ValueError as error:
            reader.problems.append(f"line {number}: {error}")
    if reader.problems:
        raise UnsupportedContentError(_told(path, reader.problems))
    return reader.filled()


def _told(path: Path, problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return f"{path}, {problems[0]}; nothing was imported"
    more = [f"and {len(problems) - MOST} more"] if len(problems) > MOST else []
    listed = "\n  ".join([*problems[:MOST], *more])
    return f"{path}: {len(problems)} lines cannot be taken; nothing was imported\n  {listed}"


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of every line that is not empty."""
    text = _text(path)
    start = text.split("\n", 1)[0].strip().lower()
    skipped = 1 if start.startswith("sep=") else 0
    lines = list(io.StringIO(text))[skipped:]
    first = lines[0] if lines else ""
    separator = start[4:5] if skipped else max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=separator or ",", strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + skipped, cells
    except csv.Error as error:
        raise CorruptFileError(
            f"{path}, line {reader.line_num + skipped}: is no CSV ({error}); save it again as CSV"
        ) from error


def _text(path: Path) -> str:
    data = contents(path)
    for start, what in SPREADSHEETS.items():
        if data.startswith(start):
            raise UnsupportedContentError(
                f"{path}: is {what}; save its sheet as CSV there and import that"
            )
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
        break
    raise CorruptFileError(f"{path}: is no text; save the table as CSV in UTF-8")


class _Reader:
    """Turns lines into scores; ValueError says what is wrong with one."""

    def __init__(
        self, path: Path, study: Study, head: list[str], rater: str | None, force: bool
    ) -> None:
        self.path, self.study, self.head = path, study, head
        self.rater, self.force = rater, force
        self.problems: list[str] = []
        self.empty = 0
        self.sets = study.set_of()
        self.known = {one.set for one in study.sets}
        self.held = {(s.rater, s.item, s.question): s.score for s in study.store.scores()}
        self.plans: dict[str, dict[tuple[int, str], str]] = {}
        self.taken: dict[tuple[str, str, str], tuple[int, Score]] = {}
        self.comments: dict[tuple[str, str], list[str]] = {}
        self.at = now()
        self.wide = self._check()

    def _check(self) -> bool:
        """Check the heads of the columns; return whether the form is wide."""
        questions = self.study.questions
        allowed = {*ANSWER, *SECRETS, *PLACE, *questions, ""}
        where = f"{self.path}, line 1"
        if not any(self.head):
            raise UnsupportedContentError(
                f"{self.path}: is empty; fill in what afmsr survey export --form writes"
            )
        if unknown := [name for name in self.head if name not in allowed]:
            raise UnsupportedContentError(
                f"{where}: column {unknown[0]!r} is not known; there are "
                f"{', '.join(sorted(allowed - {''}))}: rename or delete it"
            )
        if twice := [name for name in self.head if name and self.head.count(name) > 1]:
            raise UnsupportedContentError(f"{where}: column {twice[0]!r} comes twice; delete one")
        wide = any(name in self.head for name in questions)
        long = "score" in self.head or "question" in self.head
        if wide == long or (long and not {"score", "question"} <= set(self.head)):
            raise UnsupportedContentError(
                f"{where}: needs either columns {' and '.join(questions)} (one result a line), or "
                "question and score (one score a line)"
            )
        if "rater" not in self.head and not self.rater:
            raise UnsupportedContentError(
                f"{where}: there is no column rater; add one, or give the name with --rater"
            )
        if "item" not in self.head and not set(PLACE) <= set(self.head):
            raise UnsupportedContentError(
                f"{where}: needs a column item, or sheet and letter, to name the result"
            )
        return wide

    def take(self, number: int, cells: Sequence[str]) -> None:
        """Take the scores of one line."""
        if any(cell.strip() for cell in cells[len(self.head) :]):
            raise ValueError(
                f"has {len(cells)} cells for {len(self.head)} columns; put quotes around a comment "
                "that holds separators"
            )
        row = {name: _plain(cell) for name, cell in zip(self.head, cells, strict=False) if name}
        if self.wide:
            asked = [
                (name, row.get(name, "")) for name in self.study.questions if name in self.head
            ]
        else:
            asked = [(row.get("question", "").lower(), row.get("score", ""))]
        comment = row.get("comment", "")
        given = [(question, text) for question, text in asked if text]
        self.empty += len(asked) - len(given) if row.get("item") or row.get("sheet") else 0
        if not given and not comment:
            return
        rater = row.get("rater") or self.rater or ""
        if not rater:
            raise ValueError("has no rater; give the name in the column rater")
        item = self._item(row, rater)
        set_ = self._set(row, item)
        if given and not item:
            raise ValueError("has a score, but no item; fill in item, or sheet and letter")
        if comment:
            texts = self.comments.setdefault((rater, set_), [])
            texts += [comment] if comment not in texts else []
        for question, text in given:
            self._take(number, rater, set_, item, question, text, row)

    def _take(
        self, number: int, rater: str, set_: str, item: str, question: str, text: str, row: Any
    ) -> None:
        if question not in self.study.questions:
            raise ValueError(
                f"asks {question!r}; the questions are {', '.join(self.study.questions)}"
            )
        score = Score(
            rater, set_, item, question, _whole(text, question),
            _seconds(row.get("seconds", "")), row.get("at") or self.at,
        )  # fmt: skip
        place = rater, item, question
        before, first = self.taken.get(place, (0, score))
        if first.score != score.score:
            raise ValueError(
                f"{question} of item {item} by {rater} is {score.score}, but {first.score} on line "
                f"{before}; keep one"
            )
        held = self.held.get(place, score.score)
        if held != score.score and not self.force:
            raise ValueError(
                f"{question} of item {item} by {rater} is {score.score}, but the study holds "
                f"{held}; correct the line, or use --force to replace it"
            )
        self.taken[place] = number, first

    def _item(self, row: Mapping[str, str], rater: str) -> str:
        """Return the item of a line; empty if it names none."""
        item, sheet, sign = (row.get(name, "") for name in ("item", *PLACE))
        if item and item not in self.sets:
            raise ValueError(f"the study has no item {item!r}; check it against the form")
        if not (sheet and sign):
            return item
        if rater not in self.plans:
            self.plans[rater] = {
                (number, letter(place)): one
                for number, plan in enumerate(self.study.store.plan(rater), 1)
                for place, one in enumerate(plan.items)
            }
        plan = self.plans[rater]
        if not plan:
            if item:
                return item
            raise ValueError(
                f"rater {rater!r} has no sheets in this study; correct the name, or fill in item"
            )
        try:
            found = plan[int(sheet), sign.upper()]
        except (KeyError, ValueError):
            last = max(number for number, _ in plan)
            raise ValueError(
                f"{rater} has no sheet {sheet!r} with a letter {sign!r}; sheets are 1 to {last}, "
                "letters as printed on them"
            ) from None
        if item and item != found:
            raise ValueError(
                f"item {item} is not what {rater} sees as {sign} on sheet {sheet} ({found}); "
                "the lines may have been shifted: correct one of the two"
            )
        return found

    def _set(self, row: Mapping[str, str], item: str) -> str:
        set_ = row.get("set", "")
        if item and set_ and set_ != self.sets[item]:
            raise ValueError(
                f"item {item} is of set {self.sets[item]}, not {set_}; the lines may have been "
                "shifted: correct one of the two"
            )
        if not item and set_ not in self.known:
            raise ValueError(
                f"names no item and no set of this study ({set_!r}); fill in item, or sheet and "
                "letter"
            )
        return self.sets[item] if item else set_

    def filled(self) -> Filled:
        """Return what was read, each score with the comment of its set."""
        told = {place: " / ".join(texts) for place, texts in self.comments.items()}
        scores = tuple(
            replace(one, comment=told.get((one.rater, one.set))) for _, one in self.taken.values()
        )
        scored = {(one.rater, one.set) for one in scores}
        alone = {place: text for place, text in told.items() if place not in scored}
        return Filled(scores, alone, self.empty)


def _plain(cell: str) -> str:
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(RISKY) else text


def _whole(text: str, question: str) -> int:
    """Return a score; spreadsheets write 5 as 5.0 or 5,0 too."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not (value == value and value in range(LOWEST, HIGHEST + 1)):
        raise ValueError(
            f"{question} is {text!r}; give a whole number from {LOWEST} to {HIGHEST}, or nothing"
        )
    return int(value)


def _seconds(text: str) -> float:
    try:
        value = float(text.replace(",", ".")) if text else math.nan
    except ValueError:
        raise ValueError(f"seconds is {text!r}; give a number, or nothing") from None
    return value if math.isfinite(value) and value >= 0 else math.nan
