"""The design of a survey: which pairs, which again, and in which order each rater sees what.

Orders are Latin squares, turned from rater to rater: among as many sets as there are methods, a
rater sees every method once in every place; among as many raters, so does every set. The squares
are Williams's (Australian Journal of Scientific Research A 1949, 2, 149), in which the neighbours
are balanced too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from afmsr_core.errors import UsageError
from afmsr_core.survey.study import TRUTH, Key, KeyItem, Plan, Study, StudySet

__all__ = ["Draft", "draft_sets", "opaque", "plan_of", "williams"]

ID_BYTES = 8
"""Of an opaque name: 64 bits, so that names neither clash nor can be guessed."""

SHUFFLES = 200
"""Orders of the sets that are drawn until a set and its repeat lie far enough apart."""

APART = 3
"""A set and its repeat are a third of the study apart, if that can be had."""

Pair = tuple[str, str]
"""Data set and identifier."""


@dataclass(frozen=True)
class Draft:
    """A set before its images are made.

    Attributes
    ----------
    set, truth : str
        Opaque names.
    pair : Pair
        Whose images it shows.
    items : dict of str to KeyItem
        By opaque name.
    """

    set: str
    truth: str
    pair: Pair
    items: dict[str, KeyItem]


def opaque(secret: str, what: str) -> str:
    """Return a name that tells nothing about `what` to those who do not know the secret."""
    return hmac.new(
        bytes.fromhex(secret), what.encode("utf-8", "surrogateescape"), hashlib.sha256
    ).hexdigest()[: 2 * ID_BYTES]


def draft_sets(
    pairs: Sequence[Pair],
    methods: Sequence[str],
    *,
    seed: int,
    secret: str,
    sets: int | None = None,
    repeats: int = 0,
    catch: int = 0,
) -> list[Draft]:
    """Choose the pairs and name everything.

    Parameters
    ----------
    pairs : sequence of Pair
        That can take part.
    methods : sequence of str
        Shown in every set.
    seed : int
        Of every choice.
    secret : str
        Hexadecimal, of the names.
    sets : int, optional
        How many pairs to show, as evenly from all data sets as can be; all by default.
    repeats : int
        How many of them to show twice.
    catch : int
        In how many of them to show the truth as one more result.

    Raises
    ------
    UsageError
        If more is asked for than there is.
    """
    chosen = _spread(pairs, len(pairs) if sets is None else sets, seed)
    for option, wanted, there in (
        ("--sets", sets if sets is not None else 1, len(pairs)),
        ("--repeats", repeats, len(chosen)),
        ("--catch", catch, len(chosen)),
    ):
        least = 1 if option == "--sets" else 0
        if not least <= wanted <= there:
            raise UsageError(f"{option} {wanted}: give a number from {least} to {there}")
    again = Random(f"{seed}/repeats").sample(chosen, repeats)
    caught = set(Random(f"{seed}/catch").sample(chosen, catch))
    drafts = []
    for showing, shown in ((0, chosen), (1, again)):
        for pair in shown:
            data_set, name = pair
            with_truth = [TRUTH] if pair in caught and not showing else []
            items = {}
            for method in (*methods, *with_truth):
                here, first = (
                    opaque(secret, f"item {which} {data_set}/{name}/{method}")
                    for which in (showing, 0)
                )
                items[here] = KeyItem(
                    method, name, data_set, first if showing else None, method == TRUTH
                )
            own, truth = (
                opaque(secret, f"{what} {showing} {data_set}/{name}") for what in ("set", "truth")
            )
            drafts.append(Draft(own, truth, pair, items))
    return sorted(drafts, key=lambda draft: draft.set)


def plan_of(study: Study, key: Key, place: int) -> list[Plan]:
    """Return the sets and items in the order that a rater sees.

    Parameters
    ----------
    study, key : Study, Key
        The study and its key; only together they tell the order.
    place : int
        Of the rater among all raters: 0 is the first.

    Returns
    -------
    list of Plan
        The same every time for the same seed.
    """
    methods = sorted({one.method for one in key.items.values() if not one.catch})
    count = len(methods)
    ordered = sorted(study.sets, key=lambda one: _where(one, key))
    cycle = place // count
    draw = Random(f"{key.seed}/squares/{cycle // 2}")
    draw.shuffle(ordered)
    symbols = draw.sample(methods, count)
    plans: dict[str, Plan] = {}
    for start in range(0, len(ordered), count):
        # The square of an odd number of methods needs its mirror to balance the neighbours.
        row = williams(count)[:: (1, -1)[(start // count + cycle) % 2]]
        for turn, one in enumerate(ordered[start : start + count]):
            item_of = {key.items[item].method: item for item in one.items}
            items = [item_of[symbols[(step + turn + place) % count]] for step in row]
            if TRUTH in item_of:
                at = Random(f"{key.seed}/catch/{start + turn}/{place}").randrange(count + 1)
                items.insert(at, item_of[TRUTH])
            plans[one.set] = Plan(one.set, tuple(items))
    pairs = [_where(one, key)[:2] for one in ordered]
    order = _apart(pairs, Random(f"{key.seed}/sets/{place}"))
    return [plans[ordered[index].set] for index in order]


def williams(count: int) -> list[int]:
    """Return the first row of Williams's square; the others add 1, 2, … to it, modulo `count`.

    Examples
    --------
    >>> williams(4)
    [0, 1, 3, 2]
    """
    return [(step + 1) // 2 if step % 2 else -(step // 2) % count for step in range(count)]


def _where(one: StudySet, key: Key) -> tuple[str, str, bool]:
    first = key.items[one.items[0]]
    return first.data_set, first.pair, first.repeat_of is not None


def _spread(pairs: Sequence[Pair], count: int, seed: int) -> list[Pair]:
    """Return `count` pairs, from the data sets in turn."""
    by_set: dict[str, list[Pair]] = {}
    for pair in sorted(pairs):
        by_set.setdefault(pair[0], []).append(pair)
    draw = Random(f"{seed}/pairs")
    turns = [
        (turn, data_set, pair)
        for data_set, members in by_set.items()
        for turn, pair in enumerate(draw.sample(members, len(members)))
    ]
    return [pair for _, _, pair in sorted(turns)][: max(count, 0)]


def _apart(pairs: Sequence[Pair], draw: Random) -> list[int]:
    """Return an order in which no pair is shown again soon after."""
    best: list[int] = []
    widest = -1
    for _ in range(SHUFFLES):
        order = draw.sample(range(len(pairs)), len(pairs))
        last: dict[Pair, int] = {}
        gaps = [len(pairs)]
        for position, index in enumerate(order):
            if pairs[index] in last:
                gaps.append(position - last[pairs[index]])
            last[pairs[index]] = position
        if min(gaps) > widest:
            best, widest = order, min(gaps)
        if widest * APART >= len(pairs):
            break
    return best
