"""What a rater sees, in words and numbers; nothing here knows a method."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from afmsr_core.survey.guard import alias
from afmsr_core.survey.store import LastingStore, Plan, Score, now
from afmsr_core.survey.study import HIGHEST, LOWEST, Study, StudySet

__all__ = ["WORDS", "Click", "Desk", "Item", "Progress", "View", "letter"]

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "fidelity": "How faithfully does the result show what the ground truth shows?",
        "quality": "How good is the result as an image by itself: sharp, clear, free of artefacts?",
    }
)
"""What each question asks; the paper gives only the names."""

LONGEST = 24 * 3600.0
"""Seconds that a set can have been in view; a page tells this, so it may tell anything."""

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Item:
    """One result on the page: its letter, its address, and the scores that it has."""

    letter: str
    alias: str
    scores: Mapping[str, int]


@dataclass(frozen=True)
class Click:
    """An answer as the page sends it: `id` is drawn by the page, `item` is an alias."""

    id: str
    item: str
    question: str
    score: int
    seconds: float

    @classmethod
    def of(cls, given: Mapping[str, Any], questions: Collection[str]) -> Click | None:
        """Return the click that some JSON is, or None if it is none."""
        id, item, question, score, seconds = (given.get(one) for one in cls.__match_args__)
        if (
            not isinstance(id, str)
            or not _ID.fullmatch(id)
            or not isinstance(item, str)
            or not isinstance(question, str)
            or question not in questions
            or not isinstance(score, int)
            or isinstance(score, bool)
            or not LOWEST <= score <= HIGHEST
            or not isinstance(seconds, int | float)
            or not 0 <= seconds < math.inf
        ):
            return None
        return cls(id, item, question, score, round(min(seconds, LONGEST), 3))


@dataclass(frozen=True)
class Progress:
    """How far a rater is."""

    answered: tuple[int, ...]  # of each set, in the rater's order
    asked: tuple[int, ...]

    @cached_property
    def done(self) -> int:
        """Answers that are given."""
        return sum(self.answered)

    @cached_property
    def all(self) -> int:
        """Answers that are asked for."""
        return sum(self.asked)

    @property
    def next(self) -> int | None:
        """The first set, from 1, that lacks an answer."""
        sets = zip(self.answered, self.asked, strict=True)
        return next((place for place, (has, asks) in enumerate(sets, 1) if has < asks), None)


@dataclass(frozen=True)
class View:
    """A set as one rater sees it."""

    place: int
    truth: str
    items: tuple[Item, ...]
    comment: str
    of: StudySet

    @property
    def ratio(self) -> float:
        """Width over height, in lengths."""
        rows, columns = self.of.shape
        dy, dx = self.of.pixel or (1.0, 1.0)
        return columns * dx / (rows * dy or 1.0)

    @property
    def across(self) -> float | None:
        """Width in nm, if known."""
        return None if self.of.pixel is None else self.of.shape[1] * self.of.pixel[1]


class Desk:
    """Where one rater after the other sits down: finds for each what is theirs, and only that.

    Parameters
    ----------
    study : Study
        What is shown.
    pepper : str
        Secret of the server; of every rater's names for the images.
    """

    def __init__(self, study: Study, pepper: str) -> None:
        self.study = study
        self.store = LastingStore(study.database)
        self._pepper = pepper
        self._sets = {one.set: one for one in study.sets}
        self._plans: dict[str, tuple[list[Plan], dict[str, tuple[str, str | None]]]] = {}
        self._lock = threading.Lock()

    def plan(self, rater: str) -> list[Plan]:
        """Return the sets of a rater in order."""
        return self._of(rater)[0]

    def find(self, rater: str, name: str) -> tuple[str, str | None] | None:
        """Return what a rater's alias stands for: an image, and its set if it is a result."""
        return self._of(rater)[1].get(name)

    def _of(self, rater: str) -> tuple[list[Plan], dict[str, tuple[str, str | None]]]:
        with self._lock:
            if rater not in self._plans:  # a plan never changes
                plan = self.store.plan(rater)
                names: dict[str, tuple[str, str | None]] = {}
                for one in plan:
                    truth = self._sets[one.set].truth
                    names[self._alias(rater, truth)] = (truth, None)
                    names |= {self._alias(rater, item): (item, one.set) for item in one.items}
                self._plans[rater] = plan, names
            return self._plans[rater]

    def _alias(self, rater: str, name: str) -> str:
        return alias(self._pepper, "image", rater, name)

    def progress(self, rater: str) -> Progress:
        """Return how far a rater is."""
        plan = self.plan(rater)
        counts, questions = self.store.counts(rater), len(self.study.questions)
        return Progress(
            tuple(counts.get(one.set, 0) for one in plan),
            tuple(questions * len(one.items) for one in plan),
        )

    def view(self, rater: str, place: int) -> View | None:
        """Return the set at a place, from 1, as a rater sees it; None if there is none."""
        plan = self.plan(rater)
        if not 1 <= place <= len(plan):
            return None
        one = plan[place - 1]
        given: dict[str, dict[str, int]] = {item: {} for item in one.items}
        for score in self.store.scores(rater):
            if score.set == one.set:
                given[score.item][score.question] = score.score
        items = tuple(
            Item(letter(index), self._alias(rater, item), given[item])
            for index, item in enumerate(one.items)
        )
        shown = self._sets[one.set]
        comment = self.store.comments(rater).get((rater, one.set), "")
        return View(place, self._alias(rater, shown.truth), items, comment, shown)

    def click(self, rater: str, given: Click) -> bool:
        """Keep a click; it is on the disk when this returns. Return whether there is such a result.

        The same click again changes nothing.
        """
        item, of = self.find(rater, given.item) or ("", None)
        if of is None:
            return False
        # The content is part of the name: a name that is used again cannot hide another answer.
        name = f"{rater}/{given.id}/{item}/{given.question}/{given.score}"
        score = Score(rater, of, item, given.question, given.score, given.seconds, now())
        self.store.click(name, score)
        return True


def letter(index: int) -> str:
    """Return the letter of a result: A, B, …, Z, AA.

    Examples
    --------
    >>> letter(0), letter(26)
    ('A', 'AA')
    """
    return (letter(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)
