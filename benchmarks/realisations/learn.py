"""Learn what realisations are drawn from, and how far their numbers may be off."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from afmsr_core.grid import Scale
from afmsr_core.io.atomic import writing
from afmsr_core.realisations.bands import band_powers, edges, filters
from afmsr_core.realisations.numbers import DRAWS, told
from afmsr_core.realisations.realiser import agreeing, enlarged, shaped
from afmsr_core.realisations.texture import FILES, Spread, Texture, features
from benchmarks.markdown import head, line
from benchmarks.realisations.cases import Made, few, made
from benchmarks.trust.cases import AUGMENTED, CONDITIONS
from training import corpus

Field = NDArray[np.float64]

RIDGE = 0.1  # of the weight of all; features are in units of their deviation
ROUNDS = 8  # of reweighting, which makes least squares a median
KINK = 0.7  # of the robust deviation: beyond it an observation counts by its distance alone
FOLDS = 12  # of samples, each predicted by a model that has not seen it
PER_SAMPLE = 2  # scans, at most, where every sample counts alike
UNSEEN = 3.0  # weight of a sample that the network was not trained on
OUTLIERS = 2.5  # robust deviations beyond which what the model is off counts as this
SIDE, FIELDS = 512, 8  # of noise, from which the passed powers are taken
COVERAGE = 0.95
FREEDOM = 4.0  # degrees, of Student's distribution of what numbers are off: tails as samples have
TINY = 1e-4  # least deviation of a number's logarithm
LIFTED = "Sdq"
FILES_OF = {scale.option: scale for scale in FILES}
MADE_FROM = (
    "the permissive samples of training/corpus.py, scanned again with every {}th line, without "
    "noise and with two levels of it; what the model is off, on those set aside, by models that "
    "had not seen them"
)


@dataclass(frozen=True)
class Observed:
    """What is known of one case without its heights."""

    sample: str
    aside: bool
    features: Field
    ratios: Field


def learn(folder: Path, scale: Scale) -> Texture:
    """Learn the texture of the default network at a scale and write the file that ships."""
    aside = corpus.set_aside_scans(folder, corpus.SPLITS)
    seen = few(corpus.training_scans(folder, corpus.SPLITS), PER_SAMPLE)
    observed = [_observed(one, True) for one in made(aside, AUGMENTED, scale, halved=True)]
    observed += [_observed(one, False) for one in made(seen, AUGMENTED, scale, halved=True)]
    drawn = list(made([*few(aside, 1), *few(seen, 1)], CONDITIONS, scale))
    target = FILES[scale]
    texture = _texture(observed, scale, _digests(drawn[0], target), passed(scale))
    # Twice: power goes with the square of slopes.
    lift = 2 * _spreads(list(made(aside, CONDITIONS, scale)), observed, texture, 0.0)[LIFTED].bias
    spreads = _spreads(drawn, observed, texture, lift)
    texture = replace(_lifted(texture, lift), spreads=spreads)
    with writing(target, force=True) as file:
        file.write(texture.as_json().encode())
    print(f"## {scale.titled(texture.method)}\n")
    print(f"{target.name}: {texture.samples} samples, {texture.scans} coarse scans")
    print(f"finer than the scan, lifted by {100 * np.expm1(lift):.1f} % for the sake of {LIFTED}")
    off = np.sqrt((np.array(texture.root) ** 2).sum(axis=1))
    bands = [f"{low:g} to {high:g}" for low, high in pairwise(edges(scale))]
    print("\n" + head(("band, of the Nyquist frequency", "off by a factor of (1 sigma)")))
    for band, sigma in zip(bands, off, strict=True):
        print(line(band, f"{np.exp(sigma):.2f}"))
    print("\n" + head(("number", "bias", "least deviation", "deviations for 95 %")))
    for name, spread in spreads.items():
        bias, floor = (f"{100 * np.expm1(one):+.1f} %" for one in (spread.bias, spread.floor))
        print(line(name, bias, floor, f"{spread.deviations:.1f}"))
    print()
    return texture


def _digests(one: Made, target: Path) -> list[str]:
    torch_form = target.with_name(target.name.replace("_texture.json", ".safetensors"))
    ran = str(one.result.history[-1].settings["weights_sha256"])
    return [ran, hashlib.sha256(torch_form.read_bytes()).hexdigest()]


def _observed(one: Made, aside: bool) -> Observed:
    found = features(one.powers, one.case.noise)
    return Observed(one.case.scan.sample, aside, found, np.log(one.right / one.powers))


def passed(scale: Scale) -> Field:
    """Return what agreeing with the scan leaves of the power of each filter, by band."""
    count = len(filters(np.ones(1), scale))
    found = np.zeros((len(edges(scale)) - 1, count))
    for i, powers in enumerate(np.eye(count)):
        for k in range(FIELDS):
            noise = shaped(powers, (SIDE, SIDE), scale, np.random.default_rng([i, k]))
            found[:, i] += band_powers(agreeing(noise, scale), scale) / FIELDS
    return found


def noise_passed(scale: Scale) -> Field:
    """Return what each band gets of white noise of variance 1 at the measured pixels."""
    coarse = SIDE // scale.rows, SIDE // scale.columns
    found = np.zeros(len(edges(scale)) - 1)
    for k in range(FIELDS):
        noise = np.random.default_rng(k).standard_normal(coarse, dtype=np.float32)
        found += band_powers(enlarged(noise, (SIDE, SIDE)), scale) / FIELDS
    return found


def _texture(
    observed: Sequence[Observed], scale: Scale, digests: Sequence[str], left: Field
) -> Texture:
    """Fit the model to all, and tell from those set aside how far it is off."""
    off = np.array([one.ratios for one in observed if one.aside])
    aside = [one for one in observed if one.aside]
    for fold in _folds(observed):
        model = _fitted([one for one in observed if one.sample not in fold])
        for i, one in enumerate(aside):
            if one.sample in fold:
                off[i] = one.ratios - model(one.features)
    middle = np.median(off, axis=0)
    off -= middle
    most = OUTLIERS * 1.4826 * np.median(np.abs(off), axis=0)
    off = np.clip(off, -most, most)
    weights = _weights(aside)
    covariance = (off * weights[:, None]).T @ off / weights.sum()
    least = 1e-6 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    model = _fitted(observed)
    return Texture(
        method="afm",
        weights_sha256=list(digests),
        scale=scale.option,
        centre=model.centre.tolist(),
        width=model.width.tolist(),
        intercept=(model.intercept + middle).tolist(),
        slopes=model.slopes.tolist(),
        root=np.linalg.cholesky(covariance + least).tolist(),
        passed=left.tolist(),
        noise_passed=noise_passed(scale).tolist(),
        spreads={},
        samples=len({one.sample for one in observed}),
        scans=len(observed),
        made_from=MADE_FROM.format(scale.rows),
    )


def _folds(observed: Sequence[Observed]) -> list[set[str]]:
    samples = sorted({one.sample for one in observed})
    return [set(samples[i::FOLDS]) for i in range(FOLDS)]


def _weights(observed: Sequence[Observed]) -> Field:
    """Every sample has the same weight, but for those that the network has not seen."""
    counts = Counter(one.sample for one in observed)
    return np.array([(UNSEEN if one.aside else 1.0) / counts[one.sample] for one in observed])


@dataclass(frozen=True, eq=False)
class _Model:
    """Linear in the features."""

    centre: Field
    width: Field
    intercept: Field
    slopes: Field

    def __call__(self, found: Field) -> Field:
        return np.asarray(self.intercept + self.slopes @ ((found - self.centre) / self.width))


def _fitted(observed: Sequence[Observed]) -> _Model:
    """Fit medians: least squares, where what is far off counts by its distance alone."""
    weights = _weights(observed)
    x, y = (np.array([getattr(one, name) for one in observed]) for name in ("features", "ratios"))
    centre = weights @ x / weights.sum()
    width = np.sqrt(weights @ (x - centre) ** 2 / weights.sum())
    design = np.column_stack([np.ones(len(x)), (x - centre) / width])
    ridge = RIDGE * weights.sum() * np.diag([0.0] + [1.0] * x.shape[1])
    found = []
    for column in y.T:
        weight = weights
        for _ in range(ROUNDS):
            weighted = design * weight[:, None]
            solved = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ column)
            off = np.abs(column - design @ solved)
            kink = KINK * 1.4826 * np.median(off)
            weight = weights / np.maximum(1.0, off / kink)
        found.append(solved)
    solved = np.array(found)
    return _Model(centre, width, solved[:, 0], solved[:, 1:])


def _lifted(texture: Texture, lift: float) -> Texture:
    """Return a texture with so much more power, as a logarithm, in the bands the scan has not."""
    finer = np.array(edges(FILES_OF[texture.scale]))[:-1] >= 1
    return replace(texture, intercept=(np.array(texture.intercept) + lift * finer).tolist())


def _spreads(
    cases: Sequence[Made], observed: Sequence[Observed], texture: Texture, lift: float
) -> dict[str, Spread]:
    """Learn how the numbers of the truth lie about those of realisations of unseen samples."""
    digests, left = texture.weights_sha256, np.array(texture.passed)
    scale = cases[0].case.scale
    found: dict[str, list[tuple[str, float, float]]] = {}
    for fold in _folds(observed):
        mine = [one for one in cases if one.case.scan.sample in fold]
        if not mine:
            continue
        others = [one for one in observed if one.sample not in fold]
        of_fold = _lifted(_texture(others, scale, digests, left), lift)
        for one in mine:
            realiser = one.realiser(of_fold)
            best = np.asarray(one.result.heights)
            each = [one.numbers(best + realiser.deviation(k + 1)) for k in range(DRAWS)]
            for name, right in one.numbers(one.case.truth).items():
                values = told(each, name)
                if values is not None:
                    off = right - float(np.median(values))
                    spread = float(np.std(values, ddof=1))
                    found.setdefault(name, []).append((one.case.scan.sample, off, spread))
    return {name: _spread(rows) for name, rows in sorted(found.items())}


def _spread(rows: Sequence[tuple[str, float, float]]) -> Spread:
    """Fit Student's distribution, of a scale that follows the spread of realisations.

    The interval reaches so many of these scales that it holds the number on 95 % of the samples.
    """
    counts = Counter(sample for sample, _, _ in rows)
    weights = np.array([1 / counts[sample] for sample, _, _ in rows])
    off, spread = (np.array([row[i] for row in rows]) for i in (1, 2))
    bias = _quantile(off, weights, 0.5)
    rest = np.abs(off - bias)
    most = max(float(rest.max()), TINY)

    def unlikely(parameters: Field) -> float:
        factor, floor = np.exp(parameters)
        sigma = np.hypot(factor * spread, floor)
        tails = 0.5 * (FREEDOM + 1) * np.log1p((rest / sigma) ** 2 / FREEDOM)
        return float(weights @ (np.log(sigma) + tails))

    start = np.log([1.0, max(float(np.median(rest)), TINY)])
    bounds = [(np.log(0.3), np.log(10.0)), (np.log(TINY), np.log(most))]
    found = optimize.minimize(unlikely, start, method="Nelder-Mead", bounds=bounds)
    factor, floor = np.exp(found.x)
    reach = _quantile(rest / np.hypot(factor * spread, floor), weights, COVERAGE)
    return Spread(bias, float(floor / factor), float(factor * reach))


def _quantile(values: Field, weights: Field, level: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, level)), len(values) - 1)])
