"""Noise with a spectrum: white, and that of drift and feedback, a power of the frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["along_lines", "coloured", "walk"]

Floats = NDArray[np.float64]

ALONG_EXPONENT = 1.15  # spectrum of what differs between trace and retrace along a line
ALONG_CORNER = 0.12  # cycles per pixel of a square scan; beyond, the feedback loop takes it away


def coloured(
    shape: tuple[int, int], exponent: float, rng: np.random.Generator, corner: float = 0.0
) -> Floats:
    """Draw rows of noise whose power falls with a power of the frequency.

    Parameters
    ----------
    shape : tuple of int
        Rows, each independent of the others, and samples of each.
    exponent : float
        Power spectral density goes as ``f ** -exponent``.
    rng : numpy.random.Generator
        Source of randomness.
    corner : float
        Frequency in cycles per sample above which two more powers of it are lost, as behind a
        feedback loop; 0 for none.

    Returns
    -------
    ndarray of float64, shape `shape`
        With mean 0 and standard deviation 1 of each row on average. Rows are not periodic: they
        are halves of longer ones.

    Examples
    --------
    >>> rows = coloured((400, 256), 1.7, np.random.default_rng(0))
    >>> round(float(rows.std()), 1)
    1.0
    """
    rows, samples = shape
    longer = 2 * samples
    f = np.fft.rfftfreq(longer)
    f[0] = np.inf
    power = f**-exponent
    if corner:
        power /= 1 + (f / corner) ** 2
    spectrum = np.sqrt(power) * (
        rng.normal(size=(rows, f.size)) + 1j * rng.normal(size=(rows, f.size))
    )
    drawn = np.fft.irfft(spectrum, longer, axis=1)[:, :samples]
    drawn -= drawn.mean(axis=1, keepdims=True)
    # What a half keeps of the power, on average: cosines that it cannot tell from its mean go.
    k = np.pi * f[1:] * samples
    kept = 1 - (np.sin(k) / (samples * np.sin(np.pi * f[1:]))) ** 2
    expected = np.sqrt(np.sum(power[1:-1] * kept[:-1]) * 4 + power[-1] * kept[-1]) / longer
    return np.asarray(drawn / max(float(expected), np.finfo(float).tiny))


def along_lines(shape: tuple[int, int], rng: np.random.Generator, points: float = 1.0) -> Floats:
    """Draw the noise along scan lines that is not white, with the spectrum of real scans.

    Parameters
    ----------
    shape : tuple of int
        Lines, and pixels of each.
    rng : numpy.random.Generator
        Source of randomness.
    points : float
        Pixels of a line for each line: with n of them it is the same process in time, read out
        n times as often.

    Returns
    -------
    ndarray of float64, shape `shape`
        With mean 0 and standard deviation 1 of each line on average.
    """
    return coloured(shape, ALONG_EXPONENT, rng, ALONG_CORNER / points)


def walk(samples: int, exponent: float, lag: int, rng: np.random.Generator) -> Floats:
    """Draw one row of coloured noise, scaled by its steps.

    Parameters
    ----------
    samples : int
        Length.
    exponent : float
        Of the spectrum; 1.7 is nearly a random walk.
    lag : int
        Samples of one step.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float64, shape (samples,)
        With steps over `lag` samples of standard deviation 1 on average.
    """
    longer = 2 * samples
    f = np.fft.rfftfreq(longer)[1:]
    power = f**-exponent
    spectrum = np.zeros(f.size + 1, dtype=complex)
    spectrum[1:] = np.sqrt(power) * (rng.normal(size=f.size) + 1j * rng.normal(size=f.size))
    drawn = np.fft.irfft(spectrum, longer)[:samples]
    steps = power * (2 * np.sin(np.pi * f * lag)) ** 2
    expected = np.sqrt(4 * np.sum(steps[:-1]) + steps[-1]) / longer
    return np.asarray(drawn / max(float(expected), np.finfo(float).tiny))
