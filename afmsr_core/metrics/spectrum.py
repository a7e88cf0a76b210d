"""Spectrum: how much of the truth's roughness a result has at every length, and how far it reaches.

The power spectral density tells at which lateral lengths relief is missing or invented; the
autocorrelation length is one number for the lateral size of the relief.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.metrics.base import Context, Field, Metric, Setting, Value, positive
from afmsr_core.surfaces import ROUNDING, fit_plane

__all__ = [
    "BANDS",
    "METRICS",
    "Spectrum",
    "autocorrelation",
    "autocorrelation_length",
    "hann",
    "power_spectrum",
]

BANDS = (
    ("psd_coarse", "PSD ratio, coarse", 0.0, 0.25),
    ("psd_medium", "PSD ratio, medium", 0.25, 0.5),
    ("psd_fine", "PSD ratio, fine", 0.5, 1.0),
    ("psd_beyond", "PSD ratio, beyond", 1.0, np.inf),
)
"""Bands as fractions of the Nyquist frequency of the low-resolution scan.

The first three were measured by it, ever less surely: aliasing falls into the upper half first.
What lies beyond 1 it never saw; a method must invent it or leave it out. Of a line scan the
frequency is that of its lines, as of a square scan with as many: between the lines it never saw
what lies beyond, along them it did.
"""

LEAST = 8
"""A band is compared where it holds so many Fourier coefficients in each field."""

SAL = 0.2
"""Height of the autocorrelation at the length Sal, the default of ISO 25178-3."""

LENGTH = "autocorrelation length"
"""Where a context keeps Sal."""

RAYS = 180
"""Directions in which the autocorrelation is followed, over half a turn."""

SCALE = Setting(
    "scale",
    4.0,
    positive,
    "pixels of the truth for one of the low-resolution scan, along the axis where that is coarser",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The power spectral density of a field, at the frequencies that are not negative across.

    The heights are real, so a frequency has the power of its opposite.

    Attributes
    ----------
    radius : ndarray of float64, shape (yres, xres // 2 + 1)
        Spatial frequency of every coefficient in 1/nm, from its distance to zero.
    density : ndarray of float64, shape (yres, xres // 2 + 1)
        In the square of the heights' unit times nm². Its sum times `cell`, with the opposites, is
        the mean square of the heights under the window.
    cell : float
        Area of one coefficient in the plane of frequencies, in 1/nm².
    times : ndarray of int64, shape (xres // 2 + 1,)
        How often a column counts: twice, but where it holds its own opposites.
    """

    radius: Floats
    density: Floats
    cell: float
    times: NDArray[np.int64]

    def power(self, low: float, high: float) -> tuple[float, int]:
        """Return the power between two frequencies in 1/nm, `low` excluded, and how many share it.

        In the square of the heights' unit; the power of all frequencies is Sq squared.
        """
        near = np.s_[:, : np.searchsorted(self.radius[0], high, side="right")]
        radius = self.radius[near]
        inside = (radius > low) & (radius <= high)
        columns = np.where(inside, self.density[near], 0.0).sum(axis=0)
        times = self.times[: len(columns)]
        return float(columns @ times * self.cell), int(inside.sum(axis=0) @ times)

    def radial(self) -> tuple[Floats, Floats]:
        """Return frequencies in 1/nm and the density averaged over all directions, for curves.

        One ring for each multiple of the coarser step of the frequencies, up to the frequency
        that both axes reach.
        """
        step = max(float(self.radius[0, 1]), float(self.radius[1, 0]))
        rings = np.rint(self.radius / step).astype(int).ravel()
        count = int(min(self.radius[0].max(), self.radius[:, 0].max()) / step + 0.5)
        times = np.broadcast_to(self.times.astype(np.float64), self.radius.shape)
        number, total = (
            np.bincount(rings, each.ravel(), count + 1)[1 : count + 1]
            for each in (times, times * self.density)
        )
        return step * np.arange(1.0, count + 1.0), np.asarray(total / number, dtype=np.float64)


def power_spectrum(
    heights: ArrayLike, pixel_size: tuple[float, float], window: bool = True
) -> Spectrum:
    """Return the power spectral density of a field, after taking its own plane off.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Finite everywhere, at least 4x4 pixels.
    pixel_size : tuple of float
        Height and width of a pixel, in nm.
    window : bool
        Whether to taper the borders with Hann's window, in both directions, so that their
        mismatch does not spread over all frequencies; its loss of power is made good.

    Raises
    ------
    FieldError
        If a pixel is not finite or the field is too small.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(256, 256))
    >>> round(power_spectrum(noise, (1.0, 1.0)).power(0.0, 1.0)[0], 1)
    1.0
    """
    from scipy import fft

    heights = np.asarray(heights, dtype=np.float64)
    if min(heights.shape) < 4:
        raise FieldError(
            f"a field of {heights.shape[1]}x{heights.shape[0]} pixels has no spectrum; crop less"
        )
    holes = int(np.sum(~np.isfinite(heights)))
    if holes:
        raise FieldError(
            f"{holes} pixels are not finite, and a spectrum needs them all; fill them or crop more"
        )
    level = fit_plane(heights).subtracted_from(heights)
    yres, xres = level.shape
    if window:
        level *= hann(yres)[:, None]
        level *= hann(xres)
    dy, dx = pixel_size
    half = fft.rfft2(level)
    power = half.real**2 + half.imag**2
    power *= (dy * dx) / (yres * xres)
    times = np.full(power.shape[1], 2)
    times[[0, -1] if xres % 2 == 0 else 0] = 1
    return Spectrum(_radius(level.shape, (dy, dx)), power, 1.0 / (yres * dy * xres * dx), times)


@lru_cache(maxsize=2)  # all methods of a pair have the same
def _radius(shape: tuple[int, int], pixel_size: tuple[float, float]) -> Floats:
    """Return the distance of every coefficient from frequency zero; not to be written to."""
    from scipy import fft

    y, x = fft.fftfreq(shape[0], pixel_size[0]), fft.rfftfreq(shape[1], pixel_size[1])
    radius = np.hypot(y[:, None], x)
    radius.flags.writeable = False
    return np.asarray(radius)


def hann(length: int) -> Floats:
    """Return Hann's window, periodic, of mean square 1; ``scipy.signal`` is slow to import."""
    window = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, length + 1)[:-1])
    return np.asarray(window / np.sqrt(np.mean(window**2)))


def autocorrelation(heights: ArrayLike) -> Floats:
    """Return the normalised autocorrelation of a field, after taking its own plane off.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Pixels that are not finite do not count.

    Returns
    -------
    ndarray of float64, shape (2 * (yres // 2) + 1, 2 * (xres // 2) + 1)
        Mean product of all pairs of pixels at a distance of up to half the field, over the mean
        square; 1 in the middle, at distance zero.

    Raises
    ------
    FieldError
        If no pixel is finite or the field is flat.

    References
    ----------
    ISO 25178-2:2021: over the area in which the shifted fields overlap.
    """
    from scipy import fft

    heights = np.asarray(heights, dtype=np.float64)
    level = fit_plane(heights).subtracted_from(heights)
    used = np.isfinite(level)
    level = np.where(used, level, 0.0)
    if np.sqrt(np.mean(level**2)) <= ROUNDING * np.nanmax(np.abs(heights)):
        raise FieldError("the field is flat, so that nothing correlates; choose another crop")
    # Room for distances of up to half the field, beyond which nothing is asked for.
    shape = [fft.next_fast_len(n + n // 2, real=True) for n in level.shape]
    down = np.arange(level.shape[0] // 2 + 1)
    across = np.arange(-(level.shape[1] // 2), level.shape[1] // 2 + 1)

    def correlated(field: Floats) -> Floats:
        """Return sums of products at distances `down` and `across`; no line is only zeros."""
        spectrum = fft.fft(fft.rfft(field, shape[1]), shape[0], axis=0, overwrite_x=True)
        power = spectrum.real**2 + spectrum.imag**2
        lines = fft.ifft(power, axis=0)[down]
        return np.asarray(fft.irfft(lines, shape[1])[:, across])

    if used.all():
        pairs = np.outer(level.shape[0] - down, level.shape[1] - np.abs(across))
    else:
        pairs = np.rint(correlated(used.astype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(pairs > 0, correlated(level) / pairs, 0.0)
    mean /= mean[0, len(across) // 2]
    return np.concatenate([mean[:0:-1, ::-1], mean])  # the opposite way it is the same


def autocorrelation_length(heights: ArrayLike, pixel_size: tuple[float, float]) -> float:
    """Return Sal: the shortest distance at which the autocorrelation has fallen to 0.2, in nm.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
    pixel_size : tuple of float
        Height and width of a pixel, in nm.

    Raises
    ------
    FieldError
        If the field is flat, or so smooth that it never falls so far within half the field.

    References
    ----------
    ISO 25178-2:2021, spatial parameters. Between pixels the autocorrelation is interpolated
    linearly.
    """
    from scipy.ndimage import map_coordinates

    acf = autocorrelation(heights)
    middle = np.array([n // 2 for n in acf.shape], dtype=np.float64)
    size = np.array(pixel_size)
    reach = float((middle * size).min())
    step = 0.5 * float(size.min())
    distance = np.arange(0.0, reach + 0.5 * step, step)
    angles = np.arange(RAYS) * np.pi / RAYS
    directions = np.stack([np.sin(angles), np.cos(angles)])
    places = middle[:, None, None] + directions[:, :, None] * distance / size[:, None, None]
    along = map_coordinates(acf, places, order=1, mode="nearest")
    below = along < SAL
    rays = np.flatnonzero(below.any(axis=1))
    if not rays.size:
        raise FieldError(
            f"the autocorrelation stays above {SAL} over half the field: the relief is larger "
            f"than the field shows; scan or crop a larger area"
        )
    at = below[rays].argmax(axis=1)
    before, after = along[rays, at - 1], along[rays, at]
    return float((step * (at - 1 + (before - SAL) / (before - after))).min())


# --- the metrics -----------------------------------------------------------------------------


def _band(low: float, high: float, result: Field, truth: Field, context: Context) -> Value:
    dy, dx = context.pixel_size
    nyquist = 0.5 / (context.settings["scale"] * max(dy, dx))
    # Rings beyond the Nyquist frequency of an axis would hold the corners only.
    edges = [low * nyquist, min(high * nyquist, 0.5 / max(dy, dx))]
    powers = {}
    sides = (("result", result, context.once), ("truth", truth, context.once_for_pair))
    for name, heights, once in sides:
        make = partial(power_spectrum, heights, context.pixel_size)
        spectrum = once("spectrum", make)
        powers[name], number = once(f"power {low} to {high}", partial(spectrum.power, *edges))
    details = {
        "band": [low, None if np.isinf(high) else high],
        "frequencies_per_nm": edges,
        "coefficients": number,
        "window": "Hann",
        "unit": f"{context.unit}²",
        **powers,
    }
    if number < LEAST:
        return Value(
            None,
            f"the band holds {number} Fourier coefficients, and {LEAST} are the least to compare; "
            f"crop less",
            details,
        )
    # What is left of a field without relief is rounding.
    if powers["truth"] <= (ROUNDING * np.abs(truth).max()) ** 2:
        return Value(None, "the truth has no relief in this band: there is no ratio", details)
    return Value(powers["result"] / powers["truth"], details=details)


def _sal(result: Field, truth: Field, context: Context) -> Value:
    both = {}
    sides = (("result", result, context.once), ("truth", truth, context.once_for_pair))
    for name, heights, once in sides:
        try:
            make = partial(autocorrelation_length, heights, context.pixel_size)
            both[name] = once(LENGTH, make)
        except FieldError as error:
            raise FieldError(f"{name}: {error}") from error
    ratio = both["result"] / both["truth"]
    bias = both["result"] - both["truth"]
    return Value(
        ratio, details={"unit": "nm", **both, "bias": bias, "ratio": ratio, "threshold": SAL}
    )


METRICS = (
    *(
        Metric(
            name=name,
            label=label,
            lower_is_better=None,
            range=(0.0, np.inf),
            ideal=1.0,
            summary="relief of the result over the truth's, "
            + (f"{low:g} to {high:g} of" if np.isfinite(high) else f"above {low:g} times")
            + " the Nyquist frequency of the low-resolution scan",
            source="afmsr, docs/metrics.md",
            kind="surface",
            protocol="nm",
            function=partial(_band, low, high),
            settings=(SCALE,),
            rank=210 + 10 * i,
        )
        for i, (name, label, low, high) in enumerate(BANDS)
    ),
    Metric(
        name="sal",
        label="Sal ratio",
        lower_is_better=None,
        range=(0.0, np.inf),
        ideal=1.0,
        summary="autocorrelation length of the result over the truth's",
        source="ISO 25178-2:2021",
        kind="surface",
        protocol="nm",
        function=_sal,
        rank=200,
    ),
)
