"""Make the simulated example pair that ships with afmsr: ``python -m training example``.

A rough film with grains, particles and a few fibrils, 2 µm wide, scanned twice as an instrument
would: 128 x 128 with noise, and 512 x 512 with less. It is simulated and called so everywhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.channel import Channel, Step
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan

SEED = 7
SIDE = 2048  # pixels of the surface, so that both scans sample something finer than themselves
WIDTH = 2000.0  # nm
LOW_FACTOR, HIGH_FACTOR = Scale(16, 16), SQUARE


def make_example(folder: Path) -> None:
    """Write ``example_low.gwy`` and ``example_high.gsf`` into `folder`."""
    from afmsr_core import io

    rng = np.random.default_rng(SEED)
    surface = _surface(rng)
    low = coarse_scan(
        surface,
        Acquisition(factor=LOW_FACTOR, row=8, dwell=8, noise=0.004, line_noise=0.004, scars=4.0),
        rng,
    )
    high = coarse_scan(
        surface, Acquisition(factor=HIGH_FACTOR, row=2, dwell=2, noise=0.001, line_noise=0.001), rng
    )
    step = Step("simulate", "1", {"seed": SEED}, "simulated scan of a generated surface")
    low_channel = Channel(low + _tilt(low.shape), WIDTH, WIDTH, title="Height (simulated)")
    high_channel = Channel(high + _tilt(high.shape), WIDTH, WIDTH, title="Height (simulated)")
    io.write(folder / "example_low.gwy", [low_channel.after(step)], force=True)
    io.write(folder / "example_high.gsf", [high_channel], force=True)


def _surface(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return heights in nm, shape (SIDE, SIDE)."""
    film = _self_affine(rng, roughness=2.0, hurst=0.8, longest=0.2)
    grains = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 32, mode="wrap")
    film += 6.0 * np.tanh(grains / grains.std())
    y, x = np.mgrid[0:SIDE, 0:SIDE] * (WIDTH / SIDE)
    for _ in range(60):
        radius = 18 * np.exp(rng.normal(0, 0.35))
        centre = rng.uniform(0, WIDTH, 2)
        square = radius**2 - (x - centre[0]) ** 2 - (y - centre[1]) ** 2
        film = np.maximum(film, 0.8 * np.sqrt(np.clip(square, 0, None)) - 4)
    for _ in range(5):
        film += 5.0 * np.exp(-(_distance_to_fibril(rng, x, y) ** 2) / (2 * 9.0**2))
    return film


def _self_affine(
    rng: np.random.Generator, roughness: float, hurst: float, longest: float
) -> NDArray[np.float64]:
    """Return a self-affine film by spectral synthesis; `longest` wave as share of the width."""
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    frequency = np.maximum(np.hypot(fy, fx), 1 / (SIDE * longest))
    amplitude = frequency ** -(hurst + 1)
    phases = np.exp(2j * np.pi * rng.random(amplitude.shape))
    film = np.fft.irfft2(amplitude * phases, s=(SIDE, SIDE))
    return film * (roughness / film.std())


def _distance_to_fibril(
    rng: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3) * WIDTH
    along = (x - WIDTH / 2) * np.cos(angle) + (y - WIDTH / 2) * np.sin(angle)
    across = -(x - WIDTH / 2) * np.sin(angle) + (y - WIDTH / 2) * np.cos(angle) - offset
    bend = 60 * np.sin(along / rng.uniform(150, 350) + rng.uniform(0, 6))
    return across - bend


def _tilt(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the tilt of the sample on its stage: 35 nm over the scan, as raw scans have."""
    y, x = ((np.arange(n) + 0.5) / n - 0.5 for n in shape)
    return 30.0 * x[None] + 18.0 * y[:, None] + 120.0
