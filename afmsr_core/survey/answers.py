"""What the raters answered, put together with the key: arrays for the tests, and what is left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from afmsr_core.errors import CorruptFileError
from afmsr_core.statistics.result import Floats, Result
from afmsr_core.survey.study import Key, KeyItem, Score, Study

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
    given = {(one.rater, one.item, one.question): one for one in study.scores()}
    everyone = [*dict.fromkeys([*study.raters(), *(rater for rater, _, _ in given)])]
    raters = [
        r for r in everyone if any((r, i, q) in given for i in results for q in study.questions)
    ]
    shape = (len(raters), len(images), len(methods))
    scores = {question: np.full(shape, np.nan) for question in study.questions}
    for row, rater in enumerate(raters):
        for name, one in results.items():
            at = row, of_image[one.data_set, one.pair], of_method[one.method]
            for question in study.questions:
                scores[question][at] = _score(given, rater, name, question)
    name_of = {name: images[of_image[one.data_set, one.pair]] for name, one in items.items()}
    image_of_set = {one.set: name_of[one.items[0]] for one in study.sets if one.items}
    return Answers(
        raters=tuple(raters),
        images=tuple(images),
        data_sets=tuple(data_set for data_set, _ in places),
        methods=methods,
        labels=dict(key.labels),
        scores=scores,
        repeats=_repeats(study, items, given, everyone, name_of),
        catches=_catches(study, items, given, everyone, name_of),
        records=tuple(_record(study, rater, results, given) for rater in everyone),
        comments=tuple(
            Comment(rater=rater, image=image_of_set.get(one, one), text=text)
            for (rater, one), text in sorted(study.comments().items())
        ),
        repeated=sum(bool(one.repeat_of) and not one.catch for one in items.values()),
        caught=sum(one.catch for one in items.values()),
        shown={m: sum(one.method == m for one in results.values()) for m in methods},
    )


Given = Mapping[tuple[str, str, str], Score]


def _score(given: Given, rater: str, item: str, question: str) -> float:
    found = given.get((rater, item, question))
    return float(found.score) if found else math.nan


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


def _repeats(
    study: Study,
    items: Mapping[str, KeyItem],
    given: Given,
    raters: Sequence[str],
    name_of: Mapping[str, str],
) -> tuple[RepeatScore, ...]:
    found = []
    for rater in raters:
        for name, one in items.items():
            if not one.repeat_of or one.catch:
                continue
            for question in study.questions:
                first = _score(given, rater, one.repeat_of, question)
                again = _score(given, rater, name, question)
                if math.isfinite(first) and math.isfinite(again):
                    found.append(
                        RepeatScore(
                            rater=rater,
                            question=question,
                            image=name_of[name],
                            method=one.method,
                            first=first,
                            again=again,
                        )
                    )
    return tuple(found)


def _catches(
    study: Study,
    items: Mapping[str, KeyItem],
    given: Given,
    raters: Sequence[str],
    name_of: Mapping[str, str],
) -> tuple[CatchScore, ...]:
    found = []
    for rater in raters:
        for one in study.sets:
            truths = [name for name in one.items if items[name].catch]
            for question in study.questions:
                rest = [
                    _score(given, rater, name, question) for name in one.items if name not in truths
                ]
                best = max(filter(math.isfinite, rest), default=math.nan)
                found += [
                    CatchScore(
                        rater=rater, question=question, image=name_of[name],
                        score=_score(given, rater, name, question), best=best,
                    )
                    for name in truths
                ]  # fmt: skip
    return tuple(found)


def _record(study: Study, rater: str, results: Mapping[str, KeyItem], given: Given) -> RaterRecord:
    """Return what a rater was asked and has answered."""
    every = [(item, question) for item in study.set_of() for question in study.questions]
    mine = {(item, q): given[rater, item, q] for item, q in every if (rater, item, q) in given}
    of_results = np.array([one.score for (item, _), one in mine.items() if item in results], float)
    times = [one.seconds for one in mine.values() if math.isfinite(one.seconds)]
    complete = sum(
        all((item, q) in mine for item in one.items for q in study.questions) for one in study.sets
    )
    return RaterRecord(
        rater=rater,
        asked=len(every),
        given=len(mine),
        sets=len(study.sets),
        complete=complete,
        mean=float(of_results.mean()) if len(of_results) else math.nan,
        sd=float(of_results.std(ddof=1)) if len(of_results) > 1 else math.nan,
        lowest=float(of_results.min()) if len(of_results) else math.nan,
        highest=float(of_results.max()) if len(of_results) else math.nan,
        seconds=float(np.median(times)) if times else math.nan,
    )
