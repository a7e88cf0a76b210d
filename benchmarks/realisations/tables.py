"""The tables of docs/developers/realisations.md, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import Scale
from afmsr_core.realisations import PERIOD
from afmsr_core.realisations.numbers import DRAWS, told
from afmsr_core.trust.consistency import sampled
from benchmarks.markdown import table
from benchmarks.realisations.cases import Made, made
from benchmarks.trust.cases import CONDITIONS
from benchmarks.trust.detail import compared
from training import corpus

Field = NDArray[np.float64]

NOMINAL = 0.9  # of the interval that the spread of realisations is compared with
DEVIATIONS = 1.6449  # that it reaches, were heights normal
FEW = 10  # grains of the truth below which a count tells nothing
SHOWN = {
    "Sa": "Sa", "Sq": "Sq", "S10z": "S10z", "Sdq": "Sdq", "Sdr": "Sdr", "Sal": "Sal",
    "hills.count": "grains, count", "hills.width": "grains, width",
    "hills.height": "grains, height", "dales.count": "pores, count",
    "dales.width": "pores, width", "dales.height": "pores, height",
    "psd_fine": "power, fine", "psd_beyond": "power, beyond",
}  # fmt: skip


def scans_of(folder: Path, which: str) -> list[corpus.Scan]:
    """Return the scans to judge on: of the dev split, or of samples that nothing has seen."""
    if which == "dev":
        return corpus.dev_scans(folder)
    return [one for one in corpus.unseen_scans(folder) if one.sample not in corpus.SET_ASIDE]


def surfaces(folder: Path, which: str, scale: Scale) -> str:
    """Return what realisations are like, beside the full scan and the result."""
    rows = defaultdict(list)
    for one in made(scans_of(folder, which), CONDITIONS, scale):
        rows[one.case.condition].append(_surface(one))
    words = (
        f"## Surfaces, {scale.titled('afm')}, {which}\n\n"
        f"Medians over the coarse scans, in brackets the quartiles; of each scan the middle of "
        f"{DRAWS} realisations, of their mean that of {PERIOD}. Power, Sdq and Sdr: over those of "
        f"the full scan. PSNR: less than that of the result. Scanned again: what differs from the "
        f"scan, in standard deviations of its noise. Held: the share of the pixels in which the "
        f"full scan lies within {DEVIATIONS:g} standard deviations of {PERIOD} realisations, "
        f"{NOMINAL:.0%} of a normal distribution.\n\n"
    )
    names = list(next(iter(rows.values()))[0])
    told_of = []
    for name in names:
        cells = []
        for found in rows.values():
            low, middle, high = np.nanquantile([one[name] for one in found], [0.25, 0.5, 0.75])
            cells.append(f"{middle:.2f} [{low:.2f}, {high:.2f}]")
        told_of.append((name, *cells))
    columns = [f"{condition} ({len(found)})" for condition, found in rows.items()]
    return words + table(("", *columns), told_of) + "\n"


def _surface(one: Made) -> dict[str, float]:
    case, best = one.case, np.asarray(one.result.heights)
    realiser = one.realiser()
    drawn = [realiser.deviation(number + 1) for number in range(PERIOD)]
    true = one.numbers(case.truth)
    error = case.registered(best) - case.right
    off = _rms(error)
    each = defaultdict(list)
    for deviation in drawn[:DRAWS]:
        numbers = one.numbers(best + deviation)
        for name in ("psd_fine", "psd_beyond", "Sdq", "Sdr"):
            each[SHOWN[name]].append(np.exp(numbers[name] - true[name]))
        moved = case.registered(best + deviation)
        each["PSNR, dB"].append(20 * np.log10(_rms(moved - case.right) / off))
        again = sampled(best + deviation, case.scale) - case.coarse
        each["scanned again, sigma"].append(_rms(again) / case.noise.pixel)
    found = {name: float(np.median(values)) for name, values in each.items()}
    mean = case.registered(best + np.mean(drawn, axis=0)) - case.right
    found["PSNR of the mean, dB"] = 20 * np.log10(_rms(mean) / off)
    spread = case.registered(np.std(drawn, axis=0))
    found["held"] = float(np.mean(np.abs(error) <= DEVIATIONS * spread))
    again = sampled(best, case.scale) - case.coarse
    found["result: scanned again, sigma"] = _rms(again) / case.noise.pixel
    numbers = one.numbers(best)
    found |= {
        f"result: {SHOWN[name]}": float(np.exp(numbers[name] - true[name]))
        for name in ("psd_fine", "psd_beyond", "Sdq", "Sdr")
    }
    first, second = (compared(case, case.registered(best + field)) for field in drawn[:2])
    found["invented features of one"] = float(first.invented.sum())
    found["of them, another has too"] = _shared(first, second)
    found["result: invented features"] = float(compared(case, case.registered(best)).invented.sum())
    return found


def _shared(first: object, second: object) -> float:
    """Return the share of what one realisation invents that another has in the same direction."""
    where = []
    for found in (first, second):
        features, invented = found.result, found.invented  # type: ignore[attr-defined]
        parts = features.rows, features.columns, np.sign(features.heights)
        where.append(np.stack([part[invented] for part in parts], axis=1))
    if not len(where[0]):
        return float("nan")
    near = np.abs(where[0][:, None] - where[1][None]).max(axis=2) <= 2
    return float(near.any(axis=1).mean())


def _rms(field: Field) -> float:
    return float(np.sqrt(np.mean(field**2)))


def numbers(folder: Path, which: str, scale: Scale) -> str:
    """Return how often the full scan's numbers lie in their intervals, and how wide these are."""
    found = defaultdict(list)
    for one in made(scans_of(folder, which), CONDITIONS, scale):
        best, realiser = np.asarray(one.result.heights), one.realiser()
        true, result = one.numbers(one.case.truth), one.numbers(best)
        each = [one.numbers(best + realiser.deviation(k + 1)) for k in range(DRAWS)]
        for name in SHOWN:
            kind = name.partition(".")[0]
            count = true.get(f"{kind}.count")
            if "." in name and (count is None or np.exp(count) < FEW):
                continue
            values = told(each, name)
            if values is None or name not in true or name not in result:
                continue
            ends = np.log(realiser.texture.spreads[name].interval(values))
            found[name, one.case.condition].append(
                (*(ends - true[name]), result[name] - true[name])
            )
    words = (
        f"## Numbers, {scale.titled('afm')}, {which}\n\n"
        f"Over those of the full scan: medians over the coarse scans, in brackets the quartiles. "
        f"In: the share of the scans whose full scan's number lies in the 95 % interval; width: "
        f"half of it, in the median.\n\n"
    )
    rows = []
    for (name, condition), values in found.items():
        off = np.array(values)
        inside = np.mean((off[:, 1] <= 0) & (off[:, 2] >= 0))
        width = np.median(np.expm1((off[:, 2] - off[:, 1]) / 2))
        rows.append(
            (SHOWN[name], condition, len(off), _ratio(off[:, 3]), _ratio(off[:, 0]),
             f"{inside:.0%}", f"{width:.1%}")
        )  # fmt: skip
    columns = ("", "", "scans", "result", "realisations", "in", "width")
    return words + table(columns, rows, words=2) + "\n"


def _ratio(logarithms: Sequence[float] | Field) -> str:
    low, middle, high = np.exp(np.quantile(logarithms, [0.25, 0.5, 0.75]))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


TABLES: Mapping[str, Callable[[Path, str, Scale], str]] = {
    "surfaces": surfaces,
    "numbers": numbers,
}
"""From the folder of the corpus, which scans of it, and the scale, to Markdown."""
