"""What the raters answered, put together with the key: arrays for the tests, and what is left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from afmsr_core.errors import CorruptFileError
from afmsr_core.statistics.result import Floats, Result
from afmsr_core.survey.study import Key, KeyItem, Study

__all__ = ["Answers", "CatchScore", "Comment", "RaterRecord", "RepeatScore", "answers"]


@dataclass(frozen=True, kw_only=True)
class RepeatScore(Result):
    """A result that a rater was shown twice, and scored both times."""

    rater: str
    question: str
    image: str
    method: str
    first: float
    again: float


@dataclass(frozen=True, kw_only=True)
class CatchScore(Result):
    """The truth, shown as if it were a result: what it got, and the best result beside it.

    Attributes
    ----------
    score : float
        Of the truth; NaN if the rater gave none.
    best : float
        Highest score that the rater gave to a result of the same set; NaN if there is none.
    """

    rater: str
    question: str
    image: str
    score: float
    best: float


@dataclass(frozen=True, kw_only=True)
class RaterRecord(Result):
    """What a rater was asked and has answered.

    Attributes
    ----------
    rater : str
        Name.
    asked, given : int
        Number of scores, those of repeats and catch items included.
    sets, complete : int
        Number of sets, and of those with every score.
    mean, sd : float
        Of the scores of results at their first showing; SD with ddof = 1.
    lowest, highest : float
        Of the same.
    seconds : float
        Median time from the set's opening to a score; NaN on paper.
    """

    rater: str
    asked: int
    given: int
    sets: int
    complete: int
    mean: float
    sd: float
    lowest: float
    highest: float
    seconds: float

    @property
    def constant(self) -> bool:
        """Whether the rater gave one and the same score to everything."""
        return self.given > 1 and self.lowest == self.highest


@dataclass(frozen=True, kw_only=True)
class Comment(Result):
    """What a rater wrote about a set."""

    rater: str
    image: str
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The answers of a study.

    Attributes
    ----------
    raters : tuple of str
        Those with a score of a result.
    images, data_sets : tuple of str
        Every image that was shown, and its data set; ordered by both.
    methods : tuple of str
        Every method in the key, the truth left out.
    labels : mapping of str to str
        Label of each method.
    scores : mapping of str to ndarray, shape (raters, images, methods)
        By question; of first showings; NaN where there is none.
    repeats, catches, records, comments
        What is not in `scores`.
    """

    raters: tuple[str, ...]
    images: tuple[str, ...]
    data_sets: tuple[str, ...]
    methods: tuple[str, ...]
    labels: Mapping[str, str]
    scores: Mapping[str, Floats]
    repeats: tuple[RepeatScore, ...] = ()
    catches: tuple[CatchScore, ...] = ()
    records: tuple[RaterRecord, ...] = ()
    comments: tuple[Comment, ...] = ()
    repeated: int = 0
    """Number of results that are shown twice."""
    caught: int = 0
    """Number of catch items."""
    shown: Mapping[str, int] = field(default_factory=dict)
    """Number of images that a method has a result of, by method."""

    def label(self, method: str) -> str:
        """Return how a method is called in tables and figures."""
        return self.labels.get(method, method)


def answers(study: Study, key: Key) -> Answers:
    """Put the scores of a study together with its key.

    Raises
    ------
    UnsupportedContentError
        If the key is of another study.
    CorruptFileError
        If the key has two items of the same method and image, neither the other's repeat.
    """
    key.check(study)
    items = {name: key.items[name] for name in study.set_of()}
    results = {name: one for name, one in items.items() if not one.catch and not one.repeat_of}
    places = sorted({(one.data_set, one.pair) for one in items.values()})
    of_image = {place: index for index, place in enumerate(places)}
    images = _names(places)
    methods = _in_order(key, {one.method for one in items.values() if not one.catch})
    of_method = {method: index for index, method in enumerate(methods)}
    if len({(one.data_set, one.pair, one.method) for one in results.values()}) < len(results):
        raise CorruptFileError(
            f"{study.folder}: the key has two items of one method and image that are no repeats; "
            "build the study again"
        )
    image_of = {name: images[of_image[one.data_set, one.pair]] for name, one in items.items()}
    given = _Given(study, items, image_of)
    raters = [
        rater
        for rater in given.raters
        if any((rater, item, q) in given.scores for item in results for q in study.questions)
    ]
    shape = (len(raters), len(images), len(methods))
    scores = {question: np.full(shape, np.nan) for question in study.questions}
    for row, rater in enumerate(raters):
        for name, one in results.items():
            at = row, of_image[one.data_set, one.pair], of_method[one.method]
            for question in study.questions:
                scores[question][at] = given.score(rater, name, question)
    image_of_set = {one.set: image_of[one.items[0]] for one in study.sets if one.items}
    return Answers(
        raters=tuple(raters),
        images=tuple(images),
        data_sets=tuple(data_set for data_set, _ in places),
        methods=methods,
        labels=dict(key.labels),
        scores=scores,
        repeats=tuple(given.repeats()),
        catches=tuple(given.catches()),
        records=tuple(given.record(rater, results) for rater in given.raters),
        comments=tuple(
            Comment(rater=rater, image=image_of_set.get(one, one), text=text)
            for (rater, one), text in sorted(study.store.comments().items())
        ),
        repeated=len(given.shown_again),
        caught=sum(one.catch for one in items.values()),
        shown={m: sum(one.method == m for one in results.values()) for m in methods},
    )


def _names(places: Sequence[tuple[str, str]]) -> list[str]:
    """Return names of images: the pair's, with the data set where two pairs share a name."""
    pairs = [pair for _, pair in places]
    return [
        f"{data_set}/{pair}" if data_set and pairs.count(pair) > 1 else pair
        for data_set, pair in places
    ]


def _in_order(key: Key, methods: set[str]) -> tuple[str, ...]:
    """Return methods in the order of the registry; unknown ones as the key's labels have them."""
    from afmsr_core.methods import names

    known = [name for name in names() if name in methods]
    listed = [name for name in key.labels if name in methods and name not in known]
    return (*known, *listed, *sorted(methods - {*known, *listed}))


class _Given:
    """The scores that hold, and the items that they are of."""

    def __init__(
        self, study: Study, items: Mapping[str, KeyItem], image_of: Mapping[str, str]
    ) -> None:
        self.study, self.items, self.image_of = study, items, image_of
        self.scores = {(one.rater, one.item, one.question): one for one in study.store.scores()}
        scored = (rater for rater, _, _ in self.scores)
        self.raters = list(dict.fromkeys([*study.store.raters(), *scored]))
        self.shown_again = {n: one for n, one in items.items() if one.repeat_of and not one.catch}

    def score(self, rater: str, item: str | None, question: str) -> float:
        found = self.scores.get((rater, item or "", question))
        return float(found.score) if found else math.nan

    def repeats(self) -> Iterator[RepeatScore]:
        """Yield what was scored both times."""
        for rater, (name, one) in product(self.raters, self.shown_again.items()):
            for question in self.study.questions:
                first = self.score(rater, one.repeat_of, question)
                again = self.score(rater, name, question)
                if math.isfinite(first) and math.isfinite(again):
                    yield RepeatScore(
                        rater=rater, question=question, image=self.image_of[name],
                        method=one.method, first=first, again=again,
                    )  # fmt: skip

    def catches(self) -> Iterator[CatchScore]:
        """Yield what every rater gave to every catch item, or did not."""
        for rater, one, question in product(self.raters, self.study.sets, self.study.questions):
            beside = [
                self.score(rater, name, question)
                for name in one.items
                if not self.items[name].catch
            ]
            best = max(filter(math.isfinite, beside), default=math.nan)
            for name in one.items:
                if self.items[name].catch:
                    yield CatchScore(
                        rater=rater, question=question, image=self.image_of[name],
                        score=self.score(rater, name, question), best=best,
                    )  # fmt: skip

    def record(self, rater: str, results: Mapping[str, KeyItem]) -> RaterRecord:
        """Return what a rater was asked and has answered."""
        questions = self.study.questions
        mine = {
            (item, q): self.scores[rater, item, q]
            for item, q in product(self.items, questions)
            if (rater, item, q) in self.scores
        }
        of_results = np.array([one.score for (item, _), one in mine.items() if item in results])
        times = [one.seconds for one in mine.values() if math.isfinite(one.seconds)]
        some = len(of_results) > 0
        return RaterRecord(
            rater=rater,
            asked=len(self.items) * len(questions),
            given=len(mine),
            sets=len(self.study.sets),
            complete=sum(
                all(place in mine for place in product(one.items, questions))
                for one in self.study.sets
            ),
            mean=float(of_results.mean()) if some else math.nan,
            sd=float(of_results.std(ddof=1)) if len(of_results) > 1 else math.nan,
            lowest=float(of_results.min()) if some else math.nan,
            highest=float(of_results.max()) if some else math.nan,
            seconds=float(np.median(times)) if times else math.nan,
        )
