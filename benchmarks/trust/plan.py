"""Planning the scan: ranges learnt on the train split, checked on real scans of the dev split."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from afmsr_core.grid import LINES_X4, SQUARE
from afmsr_core.planning.expected import FACTORS, LIKELY, Quick
from afmsr_core.planning.planned import ENOUGH
from afmsr_core.planning.result import FINER
from afmsr_core.trust.coarseness import FINE
from benchmarks.markdown import table
from benchmarks.trust.cases import FACTOR, Case, Method
from benchmarks.trust.coarse import LEEWAY, decimated, taken
from training import corpus
from training.corpus import Scan

TIMES = (0.25, 0.5, 1.0, 2.0, 4.0)  # lines of a setting over those of the quick scan
READ = {
    "afm": "square, upscaled 4x with afm",
    "bicubic": "square, as it is",
    "lines": "4x the points a line, lines x4 with afm",
}


@dataclass(frozen=True)
class Planned:
    """One setting, planned from one quick scan and made from the same fine scan."""

    scan: Scan
    quick: int
    lines: int
    read: str
    expected: float
    error: float
    tells: bool

    @property
    def finer(self) -> float:
        """Lines of the setting over lines of the quick scan; a quarter, a half, 1, 2 or 4."""
        return 2.0 ** round(math.log2(self.lines / self.quick))

    @property
    def off(self) -> float:
        """True error over the expected."""
        return self.error / self.expected


def plan(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the tables."""
    found = list(planned(corpus.dev_scans(folder), tuple(READ)))
    lines = [
        "## Planning the scan\n",
        f"{len(found)} settings of {len({one.scan.id for one in found})} scans of "
        f"{len({one.scan.sample for one in found})} samples, each planned from one quick scan.\n",
        _table(found),
        _reached(found),
        _reading(found),
        _fitted(folder),
    ]
    return "\n".join(lines) + "\n"


def planned(scans: Sequence[Scan], reads: Sequence[str]) -> Iterator[Planned]:
    """Yield every setting of every scan, planned from every quick scan of the same one."""
    scales = {"lines": LINES_X4}
    methods = {
        read: Method("afm" if read in scales else read, scale=scales.get(read, SQUARE))
        for read in reads
    }
    for _, cases in itertools.groupby(decimated(scans), key=lambda case: case.scan.id):
        made = [(case, {read: _error(case, read, methods) for read in reads}) for case in cases]
        for (quick, _), (case, errors) in itertools.product(made, made):
            asked = Quick(quick.coarse)
            step = len(quick.coarse) / len(case.coarse)
            for read, error in errors.items():
                along = step / FACTOR if read == "lines" else step
                expected = asked.error(step, along, read) * asked.sq
                yield Planned(
                    case.scan, len(quick.coarse), len(case.coarse), read, expected / asked.sq,
                    error / asked.sq, asked.tells_finer,
                )  # fmt: skip


def _error(case: Case, read: str, methods: Mapping[str, Method]) -> float:
    """Return the root mean square error of a setting on the pixels of the fine scan."""
    if read == "lines":
        case = taken(case.scan, case.truth, LINES_X4)
    found = case.registered(methods[read](case.coarse))
    return float(np.sqrt(np.mean((found - case.right) ** 2)))


def _table(found: Sequence[Planned]) -> str:
    rows = []
    for finer, read in itertools.product(TIMES, READ):
        of = [one for one in found if one.finer == finer and one.read == read]
        rows.append((f"{finer:g} times", READ[read], *_row(of)))
    for finer in TIMES:
        of = [one for one in found if one.finer == finer]
        rows.append((f"{finer:g} times", "all", *_row(of)))
    columns = (
        "lines, over the quick scan's", "read", "settings", "rank correlation",
        "expected over true: median", "10 % to 90 %", "within the told range",
    )  # fmt: skip
    return f"{table(columns, rows, words=2)}\n"


def _row(of: Sequence[Planned]) -> tuple[object, ...]:
    rank = stats.spearmanr([one.expected for one in of], [one.error for one in of])[0]
    ratio = [1 / one.off for one in of]
    told = LIKELY.get(max(of[0].finer, min(LIKELY)))
    inside = "not told"
    if told is not None:
        inside = f"{np.mean([told[0] <= one.off <= told[1] for one in of]):.0%}"
    return (
        len(of), f"{rank:.2f}", f"{np.median(ratio):.2f}",
        f"{np.quantile(ratio, 0.1):.2f} to {np.quantile(ratio, 0.9):.2f}", inside,
    )  # fmt: skip


def _reached(found: Sequence[Planned]) -> str:
    """Tell whether the fewest lines that are expected to reach 10 % of Sq do."""
    chosen = []
    key = _quick_and_read
    for _, of in itertools.groupby(sorted(found, key=key), key=key):
        reaching = [
            one
            for one in of
            if one.expected <= ENOUGH * FINE and one.finer <= (FINER if one.tells else 1)
        ]
        if reaching:
            chosen.append(min(reaching, key=lambda one: one.lines))
    right = [sum(one.error <= limit for one in chosen) for limit in (FINE, FINE * LEEWAY)]
    quick = len({(one.scan.id, one.quick) for one in found if not one.tells})
    return (
        f"Fewest lines expected to reach {FINE:.0%} of Sq, by quick scan and way of reading: "
        f"{right[0]} of {len(chosen)} had that or less, {right[1]} had {FINE * LEEWAY:.0%} or "
        f"less. From {quick} of {len({(one.scan.id, one.quick) for one in found})} quick scans "
        f"nothing finer is told.\n"
    )


def _quick_and_read(one: Planned) -> tuple[str, int, str]:
    return one.scan.id, one.quick, one.read


def _reading(found: Sequence[Planned]) -> str:
    """Tell how often the way of reading that was expected to be best for a scan was it."""
    right, cost = [], []
    own = [one for one in found if one.lines == one.quick]
    for _, group in itertools.groupby(own, key=lambda one: (one.scan.id, one.quick)):
        of = list(group)
        taken = min(of, key=lambda one: (one.expected, one.read != "lines"))  # as planned
        best = min(of, key=lambda one: one.error)
        right.append(taken is best)
        cost.append(taken.error / best.error)
    return (
        f"With as many lines as the quick scan, the way of reading that is expected to be best was "
        f"it in {sum(right)} of {len(right)}; its error was {np.median(cost):.2f} times the best "
        f"one's in the median, {np.quantile(cost, 0.9):.2f} times at 90 %.\n"
    )


def _fitted(folder: Path) -> str:
    """Learn factors and ranges again: the networks' on the samples set aside alone."""
    aside = list(planned(corpus.set_aside_scans(folder, corpus.SPLITS), tuple(READ)))
    others = list(planned(corpus.training_scans(folder), ("bicubic",)))
    own = {
        read: _quantile((one for one in aside if one.read == read and one.finer == 1), 0.5)
        for read in READ
    }
    # The factors are in what is expected; times what is left over, over the network's.
    factors = {read: FACTORS[read] * own[read] / own["afm"] for read in READ}
    ranges = {}
    for finer in LIKELY:
        of = [one for one in (*aside, *others) if one.finer == finer]
        low, high = (_quantile(of, share) for share in (0.1, 0.9))
        ranges[finer] = (round(low, 2), round(high, 2))
    samples = len({one.scan.sample for one in (*aside, *others)})
    return (
        f"Learnt on {samples} samples that are not of the dev split: factors "
        f"{ {read: round(value, 2) for read, value in factors.items()} }, in the product "
        f"{FACTORS}; ranges {ranges}, in the product {LIKELY}.\n"
    )


def _quantile(found: Iterable[Planned], share: float) -> float:
    """Return a quantile of the true error over the expected, every sample with the same weight."""
    of = sorted(found, key=lambda one: one.off)
    counts = Counter(one.scan.sample for one in of)
    weights = np.array([1 / counts[one.scan.sample] for one in of])
    place = (np.cumsum(weights) - weights / 2) / weights.sum()
    return float(np.exp(np.interp(share, place, np.log([one.off for one in of]))))
