"""Calibration: from evidence to an interval in nm that holds as often as it says.

Three steps, all learnt on pairs of a scan and its truth. A log-linear model of the evidence tells
where in a scan the error is large. A second one tells from the kind of surface how large: at the
coverage `AIM`, what the scan's own quantile of the error is. Conformal prediction then finds how
many such scales hold the error in a stated share of the pixels of a scan of a new sample.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.errors import UnreadableFileError, UsageError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.io.files import contents
from afmsr_core.large_field import bands
from afmsr_core.quantity import counted
from afmsr_core.robust import quantile
from afmsr_core.trust.evidence import (
    LENGTHS,
    OF_RESULT,
    OF_SCAN,
    REFERENCE,
    TRAITS,
    Evidence,
)

__all__ = [
    "COVERAGES",
    "FILES",
    "SHIPPED",
    "Calibration",
    "Observation",
    "calibrate",
    "observe",
    "shipped",
]

_DATA = Path(__file__).parent.parent / "data"

Field = NDArray[np.float64]

FORMAT = 4  # of the evidence that it is made of
COVERAGES = (0.5, 0.68, 0.8, 0.9, 0.95)
AIM = 0.9  # coverage at which the quantile of a scan's own errors is predicted
RIDGE = 0.1  # of the exponents within scans: near zero unless the samples agree
PRIOR = 24.0  # samples that say that a trait tells nothing: with so many, half of a weight is left
ROBUST = 0.3  # of a scan's logarithm: what is further off counts less (Huber), ...
ROUNDS = 10  # ... which is settled after so many fits
SAME = 1e-9  # spread of a trait below which it is the same in all scans
USUAL = 2.5  # spreads about the mean of a trait, beyond which nothing more is concluded from it
PIXELS = 2000  # of each scan that are learnt on; neighbours tell little new
TINY = 0.05  # of the white noise: an error below it counts as this, else zeros rule the logarithm
LEAST_SAMPLES = 3
EXACT = 20  # samples from which the correction for their number costs less than 5 points
FILES = {
    SQUARE: _DATA / "afm_calibration.json",
    LINES_X4: _DATA / "afm_lines4_calibration.json",
    LINES_X2: _DATA / "afm_lines2_calibration.json",
}
"""Of the default network, which has other weights at each scale."""

SHIPPED = FILES[SQUARE]


@dataclass(frozen=True, eq=False)
class Observation:
    """Pixels of one pair whose error is known.

    Attributes
    ----------
    sample : str
        Name of the sample; scans of one sample are not independent.
    error : ndarray of float64, shape (n,)
        Result less truth.
    local : ndarray of float64, shape (n, 2 + maps)
        Distances from the measured points, and logarithms of the maps less their means in the scan.
    traits : ndarray of float64, shape (traits,)
        Of the scan, in the order of `afmsr_core.trust.evidence.TRAITS`.
    reference : float
        Mean of the logarithm of the map that errors are told in.
    floor : float
        Error below which only noise decides.
    """

    sample: str
    error: Field
    local: Field
    traits: Field
    reference: float
    floor: float

    @cached_property
    def normal(self) -> tuple[Field, Field]:
        """The normal equations of the logarithm of the error within this scan."""
        target = np.log(np.abs(self.error) + self.floor)
        centred = self.local - self.local.mean(axis=0)
        both = centred.T @ centred, centred.T @ (target - target.mean())
        return both[0] / target.size, both[1] / target.size


@dataclass(frozen=True)
class Calibration:
    """How the error of one method, with one set of weights, follows from the evidence.

    Attributes
    ----------
    method : str
        Name of the method.
    weights_sha256 : list of str
        Of its weights, in each of the forms in which they ship; empty for an interpolation.
    intercept, row_distance, column_distance : float
        Of the logarithm of the scale; distances from the measured points in coarse pixels.
    local : dict of str to float
        By name in `afmsr_core.trust.evidence.LENGTHS`: exponents of the maps over their geometric
        means in the scan. They say where in a scan the error is large.
    traits : dict of str to list of float
        By name in `afmsr_core.trust.evidence.TRAITS`: the mean over the samples and the spread
        about it, and what a spread adds to the logarithm of the scale. They say how large the
        error is in the scan. Beyond `USUAL` spreads nothing more is added.
    quantiles : dict of str to float
        Coverage to the number of scales that holds it.
    samples, scans : int
        What it was learnt on.
    guaranteed : bool
        Whether there were enough samples for a guarantee that holds for their number.
    made_from : str
        In words.
    version : str
        Of afmsr.
    scale : str
        That of the method, as it is asked for: ``"4"``, ``"1x4"`` or ``"1x2"``.
    """

    method: str
    weights_sha256: list[str]
    intercept: float
    row_distance: float
    column_distance: float
    local: dict[str, float]
    traits: dict[str, list[float]]
    quantiles: dict[str, float]
    samples: int
    scans: int
    guaranteed: bool
    made_from: str = ""
    version: str = __version__
    scale: str = SQUARE.option

    def fits(self, method: str, weights_sha256: str, scale: Scale = SQUARE) -> bool:
        """Whether it was made for this method, these weights and this scale."""
        known = self.weights_sha256 or [""]
        return (self.method, self.scale) == (method, scale.option) and weights_sha256 in known

    def scales(self, coverage: float) -> float:
        """Return how many scales hold the error in a share `coverage` of the pixels."""
        found = self.quantiles.get(f"{coverage:g}")
        if found is None:
            raise UsageError(
                f"coverage {coverage:g}: this calibration knows {', '.join(self.quantiles)}"
            )
        return found

    def scale_of(self, evidence: Evidence, times: float = 1.0) -> Field:
        """Return the scale of the error so many `times`, in the unit of the heights."""
        means = evidence.level
        kept = np.array([self.traits[name] for name in TRAITS])
        level = means[REFERENCE] + self.intercept + _told(evidence.traits, kept)
        level -= sum(
            self.local[name] * (means[name] - evidence.unit) for name in (OF_RESULT, *OF_SCAN)
        )
        weights = {name: np.float32(weight) for name, weight in self.local.items()}
        weighted = [weights[name] * evidence.of_scan[name] for name in OF_SCAN]
        local = evidence.enlarged(sum(weighted[1:], start=weighted[0]))
        row_distance, column_distance = evidence.away
        row_distance = np.float32(self.row_distance) * row_distance
        column_distance = np.float32(self.column_distance) * column_distance
        scale = np.empty(local.shape)
        for rows in bands(len(local)):
            part = local[rows]
            part += weights[OF_RESULT] * evidence.disagreement[rows]
            part += row_distance[rows]
            part += column_distance
            np.exp(part, out=part)
            np.multiply(part, times * np.exp(level), out=scale[rows])
        return scale

    def scale_at(self, one: Observation) -> Field:
        """Return the scale of the error at the pixels of an observation."""
        local = [self.row_distance, self.column_distance]
        local += [self.local[name] for name in LENGTHS]
        kept = np.array([self.traits[name] for name in TRAITS])
        return _Model(self.intercept, np.array(local), kept).scale(one)

    def as_json(self) -> str:
        """Return the calibration as it is kept in a file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: str | Path) -> Calibration:
        """Read a calibration.

        Raises
        ------
        UsageError
            If the file is no calibration.
        """
        path = Path(path)
        try:
            held = json.loads(contents(path))
            if held.pop("format") != FORMAT:
                raise ValueError("made by another version of afmsr")
            found = cls(**held)
            if set(found.local) != set(LENGTHS) or set(found.traits) != set(TRAITS):
                raise ValueError("other evidence than this version of afmsr collects")
            found._check_numbers()
        except (UnreadableFileError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"{path}: no calibration ({error}); make one with `afmsr calibrate PAIRS -o FILE`"
            ) from error
        return found

    def _check_numbers(self) -> None:
        """Raise ValueError or TypeError for what no calibration that was made holds."""
        numbers = [self.intercept, self.row_distance, self.column_distance]
        numbers += [*self.local.values(), *self.quantiles.values()]
        numbers += [number for told in self.traits.values() for number in told]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("it holds numbers that are NaN or infinite")
        if not all(len(told) == 3 and told[1] > 0 for told in self.traits.values()):
            raise ValueError("a trait is no mean, spread and weight")
        if not self.quantiles or min(self.quantiles.values()) <= 0:
            raise ValueError("its intervals have no width")
        if self.scale not in {one.option for one in FILES}:
            raise ValueError(f"made at the scale {self.scale}, which no method has")
        if not isinstance(self.weights_sha256, list) or not isinstance(self.guaranteed, bool):
            raise TypeError("a value has another type than it is written with")


def shipped(scale: Scale = SQUARE) -> Calibration | None:
    """Return the calibration of the default network at a scale, if it ships."""
    path = FILES[scale.upright]
    return Calibration.read(path) if path.is_file() else None


def observe(
    evidence: Evidence,
    error: Field,
    sample: str,
    rng: np.random.Generator,
    move: Callable[[Any], Any] = np.asarray,
    pixels: int = PIXELS,
) -> Observation:
    """Draw pixels of a pair to learn from.

    Parameters
    ----------
    evidence : Evidence
        On the result.
    error : ndarray of float64
        Result less truth, registered; NaN where it is unknown.
    sample : str
        Name of the sample.
    rng : numpy.random.Generator
        Draws the pixels.
    move : callable
        Takes a field on the pixels of the result to where the result was moved for `error`.
    pixels : int
        How many.
    """
    shape = evidence.disagreement.shape
    fields = [np.broadcast_to(away, shape) for away in evidence.away]
    fields += [evidence.local(name) for name in LENGTHS]
    there = [move(field) for field in fields]
    known = np.isfinite(error)
    for field in there:
        known &= np.isfinite(field)
    if not known.any():
        raise UsageError(f"{sample}: result and truth have no pixel in common; check the pair")
    drawn = rng.permutation(np.flatnonzero(known))[:pixels]
    local = np.stack([field.ravel()[drawn] for field in there], axis=1).astype(np.float64)
    floor = TINY * math.exp(evidence.noise) + np.finfo(np.float64).tiny
    reference = evidence.level[REFERENCE]
    return Observation(sample, error.ravel()[drawn], local, evidence.traits, reference, floor)


def calibrate(
    observations: Sequence[Observation],
    method: str,
    weights_sha256: Sequence[str],
    made_from: str = "",
    scale: Scale = SQUARE,
    guarantee: bool = True,
) -> Calibration:
    """Learn a calibration.

    Parameters
    ----------
    observations : sequence of Observation
        Of at least three samples, none of which the method was trained on.
    method, weights_sha256, made_from : str
        As in :class:`Calibration`.
    scale : Scale
        At which the method made all of them.
    guarantee : bool
        Whether intervals are made wider, where there are samples enough, for a guarantee that
        holds for their number. Without, they hold as often as they say for samples such as these.

    Raises
    ------
    UsageError
        If there are too few samples.

    Notes
    -----
    Every sample has the same weight, however many scans it has. The scales in the ratios
    ``|error| / scale`` of a sample come from a model learnt without that sample, and the quantile
    is taken over the pooled distributions of all samples (Dunn, Wasserman, Ramdas, J. Am. Stat.
    Assoc. 2023, 118, 2491). So coverage is meant on average over the pixels of a scan of a new
    sample, not for each pixel, and is right as samples become many. From `EXACT` samples on the
    quantile is taken at ``coverage * (n + 1) / n``, which makes the promise exact for
    exchangeable samples (Lee, Barber, Willett, "Distribution-free inference with hierarchical
    data", arXiv 2306.06342); with fewer this would ask for the worst pixels of all.
    """
    samples = sorted({one.sample for one in observations})
    if len(samples) < LEAST_SAMPLES:
        raise UsageError(
            f"{counted(len(samples), 'sample')}: too few to calibrate; give pairs of at least "
            f"{LEAST_SAMPLES}, better of {EXACT} or more"
        )
    ratios: list[Field] = []
    counts = Counter(one.sample for one in observations)
    shares: list[Field] = []
    for sample in samples:
        model = _fit([one for one in observations if one.sample != sample])
        for one in observations:
            if one.sample == sample:
                ratios.append(np.abs(one.error) / model.scale(one))
                shares.append(np.full(one.error.size, 1 / counts[sample] / one.error.size))
    n = len(samples)
    ratio, share = np.concatenate(ratios), np.concatenate(shares) / n
    quantiles, guaranteed = {}, guarantee and n >= EXACT
    for coverage in COVERAGES:
        level = coverage * (n + 1) / n if guaranteed else coverage
        quantiles[f"{coverage:g}"] = _quantile(ratio, share, level)
    model = _fit(observations)
    return Calibration(
        method=method,
        weights_sha256=[digest for digest in weights_sha256 if digest],
        intercept=model.intercept,
        row_distance=float(model.local[0]),
        column_distance=float(model.local[1]),
        local=dict(zip(LENGTHS, model.local[2:].tolist(), strict=True)),
        traits=dict(zip(TRAITS, model.traits.tolist(), strict=True)),
        quantiles=quantiles,
        samples=n,
        scans=len(observations),
        guaranteed=guaranteed,
        made_from=made_from,
        scale=scale.option,
    )


@dataclass(frozen=True, eq=False)
class _Model:
    """The parameters of the scale, in the order of `Observation.local` and `TRAITS`."""

    intercept: float
    local: Field
    traits: Field

    def scale(self, one: Observation) -> Field:
        """Return the scale of the errors of an observation."""
        level = self.intercept + one.reference + _told(one.traits, self.traits)
        return np.asarray(np.exp(level + one.local @ self.local))


def _told(traits: Field, kept: Field) -> float:
    """Return what the traits of a scan add to the logarithm of its scale.

    `kept` has a row for each: mean, spread and weight.
    """
    mean, spread, weight = kept.T
    return float(((traits - mean) / spread).clip(-USUAL, USUAL) @ weight)


def _fit(observations: Sequence[Observation]) -> _Model:
    """Fit the scale, every sample with the same weight.

    First within scans, where there are many pixels, the logarithm of the error by least squares;
    then between them, where there are few, the logarithm of each scan's quantile at `AIM`.
    """
    counts = Counter(one.sample for one in observations)
    weights = np.array([1 / counts[one.sample] / len(counts) for one in observations])
    normal = np.tensordot(weights, [one.normal[0] for one in observations], 1)
    right = weights @ [one.normal[1] for one in observations]
    local = _ridge(normal, right, 2)
    own = []
    for one in observations:
        ratio = np.abs(one.error) * np.exp(-one.local @ local)
        own.append(math.log(quantile(ratio, AIM) + one.floor) - one.reference)
    traits = np.array([one.traits for one in observations])
    intercept, kept = _between(traits, np.array(own), weights, len(counts))
    return _Model(intercept, local, kept)


def _between(traits: Field, target: Field, weights: Field, samples: int) -> tuple[float, Field]:
    """Fit what scans differ by; return the intercept, and mean, spread and weight of each trait.

    Traits that tell nothing sure get no weight: the fewer samples, the less is concluded. A scan
    that is far off, such as a lattice that no noise disturbs, does not bend the rest (Huber).
    """
    mean = weights @ traits
    spread = np.sqrt(weights @ (traits - mean) ** 2)
    spread = np.where(spread > SAME, spread, 1.0)
    scaled = ((traits - mean) / spread).clip(-USUAL, USUAL)
    shrunk = PRIOR / samples * np.eye(len(mean))
    counted = weights
    for _ in range(ROUNDS):
        about, middle = counted @ target, counted @ scaled
        centred = scaled - middle
        normal = centred.T @ (counted[:, None] * centred) + shrunk
        weight = np.linalg.solve(normal, centred.T @ (counted * (target - about)))
        intercept = about - middle @ weight
        off = np.abs(intercept + scaled @ weight - target)
        counted = weights * np.minimum(1.0, ROBUST / np.maximum(off, ROBUST))
        counted = counted / counted.sum()
    return float(intercept), np.stack([mean, spread, weight], axis=1)


def _ridge(normal: Field, right: Field, free: int) -> Field:
    """Solve the normal equations; all but the first `free` unknowns are held near zero.

    A map that is the same everywhere, such as bicubic's disagreement with itself, gets no weight.
    """
    ridge = np.diag([0.0] * free + [RIDGE] * (len(right) - free))
    return np.asarray(np.linalg.lstsq(normal + ridge, right, rcond=None)[0], dtype=np.float64)


def _quantile(values: Field, shares: Field, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(shares[order])
    return float(values[order][min(int(np.searchsorted(reached, level)), values.size - 1)])
