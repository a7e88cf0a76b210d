"""Texture: how rough a surface is below what its scan shows, learnt on scans whose truth is known.

By band of lateral lengths. A log-linear model tells from the result and the noise of the scan how
much power the full scan has over that of the result; how far it was off on samples that neither the
network nor the model had seen, and in which bands at once, is the spread of the draws.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.errors import UsageError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.io.files import contents
from afmsr_core.trust.noise import Noise

__all__ = ["FILES", "Spread", "Texture", "features", "shipped"]

_DATA = Path(__file__).parent.parent / "data"

Field = NDArray[np.float64]

FORMAT = 1
FILES = {
    SQUARE: _DATA / "afm_texture.json",
    LINES_X4: _DATA / "afm_lines4_texture.json",
    LINES_X2: _DATA / "afm_lines2_texture.json",
}
"""Of the default network, which has other weights at each scale."""

FLOOR = 1e-5  # of the lowest band's power: noise below it tells nothing
LOUD = 0.02  # of the root mean square of all bands: noise above it tells less and less
OF_NOISE = 0.1  # of its power that may lie in a band: from here on it shows there
NOISY_BAND = 3  # just below the Nyquist frequency of the lines
LEAST = 0.02  # of a band's power that is always drawn anew


@dataclass(frozen=True)
class Spread:
    """How a number of the full scan follows from that of many realisations.

    Attributes
    ----------
    bias : float
        Median of the logarithm of the true number over the middle one of realisations.
    floor : float
        Standard deviation of that logarithm where realisations do not differ.
    deviations : float
        How many standard deviations the 95 % interval reaches to either side.
    """

    bias: float
    floor: float
    deviations: float

    def interval(self, logarithms: Field) -> tuple[float, float, float]:
        """Return the median and the ends of the 95 % interval of the number.

        Parameters
        ----------
        logarithms : ndarray of float64, shape (n,)
            Of the number of each realisation; two or more.

        Examples
        --------
        >>> [round(end, 2) for end in Spread(0.0, 0.1, 2.0).interval(np.log([2.0, 2.0]))]
        [2.0, 1.64, 2.44]
        """
        middle = float(np.median(logarithms)) + self.bias
        reach = self.deviations * math.hypot(float(np.std(logarithms, ddof=1)), self.floor)
        return math.exp(middle), math.exp(middle - reach), math.exp(middle + reach)


@dataclass(frozen=True)
class Texture:
    """What is learnt of surfaces for one method, with one set of weights, at one scale.

    Attributes
    ----------
    method : str
        Name of the method.
    weights_sha256 : list of str
        Of its weights, in each of the forms in which they ship.
    scale : str
        As it is asked for: ``"4"``, ``"1x4"`` or ``"1x2"``.
    centre, width : list of float
        Means and standard deviations of the features, see `features`.
    intercept : list of float
        For each band: logarithm of the full scan's power over that of the result, at the centre.
    slopes : list of list of float
        For each band, by feature in units of its width.
    root : list of list of float
        Lower triangular square root of the covariance of what the model is off, between bands.
    passed : list of list of float
        For each band, what is left in it of the power of each filter of the noise once it agrees
        with the scan. It follows from the scale alone, as does
    noise_passed : list of float
        For each band, what it gets of white noise of variance 1 that is drawn at the measured
        pixels.
    spreads : dict of str to Spread
        By name of the number.
    samples, scans : int
        What it was learnt on.
    made_from : str
        In words.
    version : str
        Of afmsr.
    """

    method: str
    weights_sha256: list[str]
    scale: str
    centre: list[float]
    width: list[float]
    intercept: list[float]
    slopes: list[list[float]]
    root: list[list[float]]
    passed: list[list[float]]
    noise_passed: list[float]
    spreads: dict[str, Spread]
    samples: int
    scans: int
    made_from: str = ""
    version: str = __version__

    def fits(self, method: str, weights_sha256: str, scale: Scale) -> bool:
        """Whether it was learnt for this method, these weights and this scale."""
        named = (self.method, self.scale) == (method, scale.option)
        return named and weights_sha256 in self.weights_sha256

    def expected(self, powers: Field, noise: Noise) -> Field:
        """Return the logarithm of the full scan's power over that of the result, by band."""
        found = (features(powers, noise) - np.array(self.centre)) / np.array(self.width)
        return np.asarray(np.array(self.intercept) + np.array(self.slopes) @ found)

    def drawn(self, expected: Field, rng: np.random.Generator) -> Field:
        """Return one of the logarithms that may be true."""
        off = rng.standard_normal(len(self.root))
        return np.asarray(expected + np.array(self.root) @ off)

    def noise_for(self, ratios: Field, powers: Field, at_measured: float = 0.0) -> Field:
        """Return the power of each filter of noise that, added to the result, has such ratios.

        Parameters
        ----------
        ratios : ndarray of float64, shape (bands,)
            Logarithms of the power to be reached over that of the result.
        powers : ndarray of float64, shape (bands,)
            Of the result.
        at_measured : float
            Variance of the noise that is drawn at the measured pixels, which is part of it.
        """
        from scipy.optimize import nnls

        wanted = np.maximum(np.expm1(ratios), LEAST) * powers
        weight = 1 / (powers + wanted)  # a share of each band counts alike
        wanted = np.maximum(wanted - at_measured * np.array(self.noise_passed), 0.0)
        found, _ = nnls(np.array(self.passed) * weight[:, None], wanted * weight)
        return np.asarray(found)

    def as_json(self) -> str:
        """Return it as it is kept in a file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Texture:
        """Read a file of :meth:`as_json`.

        Raises
        ------
        UsageError
            If it is none.
        """
        try:
            held = json.loads(contents(path))
            if held.pop("format") != FORMAT:
                raise ValueError("made by another version of afmsr")
            spreads = {name: Spread(**one) for name, one in held.pop("spreads").items()}
            return cls(**held, spreads=spreads)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"{path}: no texture ({error}); install afmsr again") from error


def features(powers: Field, noise: Noise) -> Field:
    """Return what the model reads from a result and its scan.

    How the power falls from band to band, how much the noise of the scan has of it, and whether
    that shows in the finest band that the scan could show.
    """
    logarithms = np.log(powers)
    least = FLOOR * powers[0]
    loud = LOUD**2 * powers.sum()
    squares = (one**2 / (1 + one**2 / loud) for one in (noise.white, noise.lines))
    noises = [math.log(square + least) for square in squares]
    shown = math.log1p(OF_NOISE * noise.white**2 / powers[NOISY_BAND])
    return np.array([*np.diff(logarithms), *(noises - logarithms[0]), shown])


def shipped(scale: Scale = SQUARE) -> Texture | None:
    """Return the texture of the default network at a scale, if it ships."""
    path = FILES[scale.upright]
    return Texture.read(path) if path.is_file() else None
