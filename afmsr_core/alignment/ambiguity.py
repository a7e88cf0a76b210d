"""Whether another place of the truth would fit as well: on a lattice, one period away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment.area import shrink
from afmsr_core.surfaces import fit_polynomial

__all__ = ["AMBIGUOUS", "Rival", "find_rival"]

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]

AMBIGUOUS = 0.8
"""From this ratio on a pair may be aligned one period off.

Of the 53 real scans of the dev split against their own every fourth pixel, the eight of lattices
and gratings have 0.98 and more, all others 0.65 and less.
"""
VALLEY = 0.5
"""A rival is parted from the best place by a valley below this share of the best correlation.
Without it the broad peak of a smooth surface would be its own rival."""

SEEN = 0.5
"""Least share of the common area on which a rival is judged. With less, a few large features
decide, and noise correlates by chance. No shift by more than half a side has more."""

LEVELS = (4, 2, 1)
"""Truth pixels per side that are averaged; at 4x the result holds nothing finer than 4."""

LEAST = 32  # pixels of a shrunk side, below which the next finer level is taken


@dataclass(frozen=True)
class Rival:
    """The best other place.

    Attributes
    ----------
    ratio : float
        Its correlation by that where the map puts the result; 0 if there is no other place.
    shift_px : tuple of float
        (x, y) from here to there, in pixels of the truth.
    """

    ratio: float
    shift_px: tuple[float, float]


def find_rival(warped: Field, truth: Field, valid: Mask, background: int) -> Rival | None:
    """Look for another shift at which a warped result matches its truth.

    Parameters
    ----------
    warped, truth : ndarray of float64, shape (yres, xres)
        On the pixels of the truth; finite where `valid`.
    valid : ndarray of bool, shape (yres, xres)
        The common area.
    background : int
        Total degree of the polynomial by which they may differ.

    Returns
    -------
    Rival or None
        None if the two do not correlate where the map puts them.

    Notes
    -----
    The normalised correlation over the pixels that both have, at every shift, by Fourier
    transforms of values and masks.

    References
    ----------
    Padfield 2012, "Masked object registration in the Fourier domain", doi
    10.1109/TIP.2011.2181402.
    """
    from scipy import ndimage

    level = next((n for n in LEVELS if min(truth.shape) // n >= LEAST), 1)
    blocks = level, level
    measured = shrink(valid.astype(np.float64), blocks) > 0.99
    if np.count_nonzero(measured) < LEAST:
        return None
    one, two = (
        _levelled(shrink(np.where(valid, field, _mean(field, valid)), blocks), measured, background)
        for field in (warped, truth)
    )
    scores, share = _correlations(one, two, measured)
    here = scores.shape[0] // 2, scores.shape[1] // 2
    near = np.s_[here[0] - 1 : here[0] + 2, here[1] - 1 : here[1] + 2]
    best = float(scores[near].max())
    if best <= 0:
        return None
    scores = np.where(share >= SEEN, scores, 0.0)
    peaks, _ = ndimage.label(scores > VALLEY * best)
    others = np.where(np.isin(peaks, (0, *np.unique(peaks[near]))), 0.0, scores)
    row, column = np.unravel_index(int(np.argmax(others)), others.shape)
    highest = float(others[row, column])
    if highest <= 0:
        return Rival(0.0, (0.0, 0.0))
    shift = float((column - here[1]) * level), float((row - here[0]) * level)
    return Rival(highest / best, shift)


def _mean(field: Field, valid: Mask) -> float:
    return float(np.mean(field[valid]))


def _levelled(field: Field, measured: Mask, background: int) -> Field:
    """Take a polynomial off; what was not measured becomes 0."""
    fitted = fit_polynomial(field, background, measured)
    return np.where(measured, fitted.subtracted_from(field), 0.0)


def _correlations(one: Field, two: Field, measured: Mask) -> tuple[Field, Field]:
    """Return the correlation at shifts of `two` over `one`, and the share of common pixels.

    No shift is in the middle. Where one of the two has no relief, the correlation is 0. Shifts by
    more than half a side, which have half of the pixels at most, are left out.
    """
    from scipy import fft

    # As large as that no shift of up to half a side is also a longer one the other way.
    halves = [side // 2 for side in one.shape]
    size = [
        fft.next_fast_len(side + half, real=True)
        for side, half in zip(one.shape, halves, strict=True)
    ]
    kept = tuple(
        slice(whole // 2 - half, whole // 2 + half + 1)
        for whole, half in zip(size, halves, strict=True)
    )
    mask = measured.astype(np.float64)

    def spectrum(field: Field) -> NDArray[np.complex128]:
        return np.asarray(fft.rfft2(field, size))

    a, b, m = spectrum(one), spectrum(two), spectrum(mask)
    aa, bb = spectrum(one**2), spectrum(two**2)

    def sums(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> Field:
        return np.asarray(fft.fftshift(fft.irfft2(left * np.conj(right), size))[kept])

    count = np.maximum(sums(m, m), 1.0)
    of_one, of_two = sums(a, m), sums(m, b)
    spread = np.maximum(sums(aa, m) - of_one**2 / count, 0.0)
    spread *= np.maximum(sums(m, bb) - of_two**2 / count, 0.0)
    least = 1e-6 * float(spread.max())
    products = sums(a, b) - of_one * of_two / count
    scores = np.where(spread > least, products / np.sqrt(np.maximum(spread, least)), 0.0)
    return scores, count / float(np.count_nonzero(measured))
