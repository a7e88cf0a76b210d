"""Generated surfaces: what a virtual AFM scans when there is no real surface at hand.

They are exact in the sense that matters: the truth is known at every pixel. Heights are fractions
of the surface's own range; the instrument gives them nanometres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPECIMENS", "Specimen", "specimen"]

Heights = NDArray[np.float64]

OUTER_SCALE = (0.05, 0.5)
"""Correlation lengths of a rough film, as fractions of the field; drawn log-uniformly."""

EDGE_WIDTH = (0.4, 1.6)
"""Standard deviation of the rounding of edges, in pixels: real scans are some three times
oversampled (Fourier ring correlation of trace and retrace, median 0.17 cycles/px)."""


@dataclass(frozen=True)
class Specimen:
    """A kind of surface.

    Parameters
    ----------
    name, summary : str
        For the command line.
    make : callable
        From (yres, xres, rng) to heights of shape (yres, xres), between 0 and 1.
    typical : bool
        Whether it is among those that one is drawn from where none is named.
    """

    name: str
    summary: str
    draw: Callable[[int, int, np.random.Generator], Heights]
    typical: bool = True

    def make(self, yres: int, xres: int, rng: np.random.Generator) -> Heights:
        """Return heights of shape (yres, xres), from 0 to 1."""
        heights = self.draw(yres, xres, rng)
        low, high = float(heights.min()), float(heights.max())
        return (heights - low) / max(high - low, np.finfo(float).tiny)


def specimen(name: str) -> Specimen:
    """Return the kind of that name.

    Raises
    ------
    UsageError
        There is none.
    """
    from afmsr_core.errors import UsageError, did_you_mean

    for kind in SPECIMENS:
        if kind.name == name:
            return kind
    names = [kind.name for kind in SPECIMENS]
    raise UsageError(
        f"no specimen is called {name!r}.{did_you_mean(name, names)} There are: {', '.join(names)}"
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _coordinates(yres: int, xres: int, angle: float) -> tuple[Heights, Heights]:
    """Return coordinates in pixels along and across a direction, from the centre."""
    y, x = np.mgrid[0:yres, 0:xres].astype(float)
    y -= (yres - 1) / 2
    x -= (xres - 1) / 2
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _blur(heights: Heights, sigma: float) -> Heights:
    import cv2

    blurred: Heights = cv2.GaussianBlur(heights, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred


def _rounded(heights: Heights, rng: np.random.Generator) -> Heights:
    return _blur(heights, _log_uniform(rng, *EDGE_WIDTH))


def _rough(
    yres: int,
    xres: int,
    rng: np.random.Generator,
    *,
    hurst: float | None = None,
    correlation: float | None = None,
    aspect: float = 1.0,
) -> Heights:
    """Self-affine relief by spectral synthesis: flat below 1/correlation, then a power law."""
    hurst = rng.uniform(0.3, 1.0) if hurst is None else hurst
    if correlation is None:
        correlation = min(yres, xres) * _log_uniform(rng, *OUTER_SCALE)
    # Twice the size, and a corner of it: a periodic surface would be no surface.
    rows, columns = 2 * yres, 2 * xres
    angle = rng.uniform(0, np.pi)
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    along = fx * np.cos(angle) + fy * np.sin(angle)
    across = (fy * np.cos(angle) - fx * np.sin(angle)) * aspect
    power = (1 + (2 * np.pi * correlation) ** 2 * (along**2 + across**2)) ** (-(hurst + 1))
    # The tip and the feedback see little beyond a third of the sampling rate.
    power *= np.exp(-((fx**2 + fy**2) / 0.25**2))
    spectrum = np.sqrt(power) * np.exp(2j * np.pi * rng.random(power.shape))
    heights: Heights = np.fft.irfft2(spectrum, (rows, columns))[:yres, :xres]
    return heights / max(float(heights.std()), np.finfo(float).tiny)


def _texture(yres: int, xres: int, rng: np.random.Generator, share: float = 0.1) -> Heights:
    """Return fine roughness to lie upon everything else, as a share of its range."""
    strength = share * rng.random() ** 2 / 4
    correlation = _log_uniform(rng, 2, 20)
    return strength * _rough(yres, xres, rng, correlation=correlation)


def _film(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    heights = _rough(yres, xres, rng, aspect=_log_uniform(rng, 0.3, 1.0))
    skew = rng.uniform(-0.5, 0.5)  # wear or growth: plateaus with pits, or peaks on a floor
    return np.asarray(np.sinh(skew * heights) / skew if abs(skew) > 0.05 else heights)


def _nearest_seeds(
    yres: int, xres: int, spacing: float, rng: np.random.Generator, count: int
) -> tuple[Heights, NDArray[np.intp], int]:
    """Return distances to, and indices of, the `count` nearest of randomly placed seeds."""
    from scipy.spatial import cKDTree

    n = max(4, int(yres * xres / spacing**2))
    seeds = rng.uniform((-spacing, -spacing), (yres + spacing, xres + spacing), (n, 2))
    pixels = np.moveaxis(np.mgrid[0:yres, 0:xres], 0, -1).reshape(-1, 2).astype(float)
    bend = spacing * rng.uniform(0, 0.2)
    pixels += bend * np.stack(
        [_rough(yres, xres, rng, hurst=1.0, correlation=spacing).ravel() for _ in range(2)], axis=1
    )
    distances, indices = cKDTree(seeds).query(pixels, k=count)
    return (
        distances.reshape(yres, xres, count),
        indices.reshape(yres, xres, count),
        n,
    )


def _grains(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    spacing = _log_uniform(rng, 6, min(yres, xres) / 4)
    distances, indices, n = _nearest_seeds(yres, xres, spacing, rng, 2)
    groove = (distances[..., 1] - distances[..., 0]) / spacing  # 0 on a boundary
    sharpness = _log_uniform(rng, 1, 8)
    dome = np.tanh(sharpness * groove)
    level = rng.normal(0, rng.uniform(0, 1.0), n)[indices[..., 0]]
    tilt = rng.normal(0, rng.uniform(0, 0.5), (n, 2))[indices[..., 0]]
    along, across = _coordinates(yres, xres, 0.0)
    facets = (tilt[..., 0] * across + tilt[..., 1] * along) / spacing
    facets -= facets.mean()
    heights = dome + level * np.minimum(1, 4 * groove) + 0.3 * facets * np.minimum(1, 4 * groove)
    return _rounded(heights + _texture(yres, xres, rng, 0.5), rng)


def _membrane(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Stretched porous film: fibrils along one direction between lamellae, pores beneath."""
    angle = rng.uniform(0, np.pi)
    width = _log_uniform(rng, 3, 16)
    _, across = _coordinates(yres, xres, angle)
    bend = width * rng.uniform(0.2, 1) * _rough(yres, xres, rng, hurst=1.0)
    phase = 2 * np.pi * (across + bend) / (2 * width)
    fibrils = np.abs(np.cos(phase + 0.5 * _rough(yres, xres, rng, correlation=4 * width)))
    lamellae = _rough(yres, xres, rng, hurst=1.0, correlation=5 * width, aspect=0.3)
    closed = 1 / (1 + np.exp(-4 * (lamellae - rng.uniform(-0.5, 0.5))))
    heights = np.maximum(fibrils, 1.1 * closed) + 0.3 * _rough(yres, xres, rng, hurst=0.8)
    return _rounded(heights + _texture(yres, xres, rng, 0.3), rng)


def _particles(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Spherical caps of several sizes on a substrate, from single ones to a dense layer."""
    heights = rng.uniform(0, 0.15) * _rough(yres, xres, rng)
    radius = _log_uniform(rng, 2, min(yres, xres) / 12)
    spread = rng.uniform(0, 0.6)
    cover = _log_uniform(rng, 0.003, 0.6)
    n = int(np.clip(cover * yres * xres / (np.pi * radius**2), 1, 4000))
    flat = rng.uniform(0.3, 1.0)
    for _ in range(n):
        r = float(np.clip(radius * np.exp(rng.normal(0, spread)), 1.2, min(yres, xres) / 3))
        cy, cx = rng.uniform(0, yres), rng.uniform(0, xres)
        top, left = max(0, int(cy - r)), max(0, int(cx - r))
        window = np.s_[top : int(cy + r) + 2, left : int(cx + r) + 2]
        view = heights[window]
        y = np.arange(top, top + view.shape[0])[:, None] - cy
        x = np.arange(left, left + view.shape[1])[None, :] - cx
        cap = flat * r / radius * np.sqrt(np.maximum(0, 1 - (y**2 + x**2) / r**2))
        np.maximum(view, cap, out=view, where=cap > 0)
    if rng.random() < 0.15:  # pits instead
        heights = -heights
    return _rounded(heights + _texture(yres, xres, rng, 0.2), rng)


def _steps(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Atomic terraces: a slowly varying height, cut to whole steps."""
    n = _log_uniform(rng, 2, 24)
    along, _ = _coordinates(yres, xres, rng.uniform(0, 2 * np.pi))
    miscut = rng.uniform(0, 1)
    vicinal = n * (
        miscut * along / max(yres, xres) + (1 - miscut) * 0.3 * _rough(yres, xres, rng, hurst=1.0)
    )
    vicinal += rng.uniform(0, 0.15) * _rough(yres, xres, rng, correlation=_log_uniform(rng, 3, 30))
    terraces = np.floor(vicinal)
    leaning = rng.choice([0.0, rng.uniform(0, 0.5)])
    return _rounded(terraces + leaning * (vicinal - terraces) + _texture(yres, xres, rng), rng)


def _grating(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Lines, or pits and posts in two directions, with side walls of some slope."""
    pitch = _log_uniform(rng, 8, min(yres, xres) / 2.5)
    angle = rng.normal(0, 0.05) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    duty = rng.uniform(0.25, 0.75)
    slope = _log_uniform(rng, 0.5, pitch / 4)

    def wave(position: Heights) -> Heights:
        within = np.abs((position / pitch) % 1.0 - 0.5) * pitch
        return np.asarray(np.clip((duty * pitch / 2 - within) / slope + 0.5, 0, 1))

    along, across = _coordinates(yres, xres, angle)
    along = along + rng.uniform(0, pitch)
    shape = rng.integers(3)
    heights = wave(along)
    if shape == 1:
        heights = heights * wave(across)
    elif shape == 2:
        heights = np.maximum(heights, wave(across))
    heights = heights + rng.uniform(0, 0.05) * _rough(yres, xres, rng)
    return _rounded(heights + _texture(yres, xres, rng, 0.3), rng)


def _chains(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Fibres or DNA-like chains: persistent random walks with a round cross-section."""
    import cv2

    width = _log_uniform(rng, 1.5, 10)
    persistence = width * _log_uniform(rng, 3, 60)
    n = int(np.clip(_log_uniform(rng, 1, 60) * (4 / width), 1, 80))
    ridge = np.zeros((yres, xres))
    for _ in range(n):
        steps = int(min(3 * max(yres, xres), _log_uniform(rng, 20, 1500)))
        angles = rng.uniform(0, 2 * np.pi) + np.cumsum(
            rng.normal(0, np.sqrt(1 / persistence), steps)
        )
        path = np.stack([np.cumsum(np.cos(angles)), np.cumsum(np.sin(angles))], axis=1)
        path += rng.uniform((0, 0), (xres, yres))
        line = np.zeros((yres, xres), np.uint8)
        # Sub-pixel ends: four bits of fraction.
        points = np.round(path * 16).astype(np.int32)[:, None]
        cv2.polylines(line, [points], False, 255, 1, cv2.LINE_AA, shift=4)
        distance = cv2.distanceTransform(255 - (line > 100) * np.uint8(255), cv2.DIST_L2, 5)
        profile = np.sqrt(np.maximum(0, 1 - np.minimum(distance / width, 1.0) ** 2))
        profile *= rng.uniform(0.7, 1.0)
        over = rng.uniform(0, 0.8)  # how far one chain climbs over another
        ridge = np.maximum(np.maximum(ridge, profile), over * (ridge + profile))
    heights = ridge + rng.uniform(0, 0.15) * _rough(yres, xres, rng)
    return _rounded(heights + _texture(yres, xres, rng, 0.3), rng)


def _flakes(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Polygons, discs and bars of all sizes, one upon or instead of another: edges everywhere."""
    import cv2

    heights = np.zeros((yres, xres))
    smallest = _log_uniform(rng, 2, 16)
    replace = rng.random() < 0.5
    for _ in range(int(_log_uniform(rng, 50, 1500))):
        # Sizes by an inverse cube law: the statistics do not change with scale.
        size = min(smallest / np.sqrt(1 - rng.random() * 0.999), min(yres, xres) / 2)
        centre = rng.uniform((0, 0), (xres, yres))
        corners = int(rng.choice([3, 4, 4, 5, 6, 24]))
        turn = (
            np.sort(rng.uniform(0, 2 * np.pi, corners))
            if corners < 7
            else (np.linspace(0, 2 * np.pi, corners, endpoint=False))
        )
        radii = size * (rng.uniform(0.5, 1, corners) if corners < 7 else np.ones(corners))
        stretch = np.array([1.0, _log_uniform(rng, 0.15, 1.0)])
        shape = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radii[:, None] * stretch
        angle = rng.uniform(0, np.pi)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = np.round((shape @ rotation + centre) * 16).astype(np.int32)[:, None]
        mask = np.zeros((yres, xres), np.uint8)
        cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, shift=4)
        share = mask / 255.0
        level = rng.normal()
        heights = heights * (1 - share) + level * share if replace else heights + level * share
    return _rounded(heights + _texture(yres, xres, rng, 0.5), rng)


def _lattice(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Bumps, posts or pits on a square or hexagonal lattice, or crossed waves, bent a little.

    Its period is down to about two pixels of a scan that is four times coarser.
    """
    period = _log_uniform(rng, 8.4, 22)
    angle = rng.normal(0, 0.05) if rng.random() < 0.4 else rng.uniform(0, np.pi)
    along, across = _coordinates(yres, xres, angle)
    bend = period * rng.uniform(0, 0.15)
    along, across = (
        axis
        + rng.uniform(0, period)
        + bend * _rough(yres, xres, rng, hurst=1.0, correlation=6 * period)
        for axis in (along, across)
    )
    between = period * rng.choice([1.0, np.sqrt(3) / 2, rng.uniform(0.7, 1.4)])  # of the rows
    row = np.floor(across / between)
    column = along / period + rng.choice([0.0, 0.5]) * (row % 2)
    distance = np.hypot((column % 1 - 0.5) * period, (across / between % 1 - 0.5) * between)
    radius = period * rng.uniform(0.2, 0.5)
    shape = rng.integers(4)
    if shape == 0:
        heights = np.sqrt(np.maximum(0, 1 - (distance / radius) ** 2))
    elif shape == 1:
        heights = np.exp(-((distance / (0.6 * radius)) ** 2))
    elif shape == 2:
        wall = _log_uniform(rng, 0.5, period / 4)
        heights = np.clip((radius - distance) / wall + 0.5, 0, 1)
    else:
        waves = np.cos(2 * np.pi * across / between) if rng.random() < 0.7 else 0.0
        heights = np.cos(2 * np.pi * along / period) + waves
    if shape < 3:  # no two of them are quite the same height
        i, j = (np.floor(one).astype(int) for one in (row, column))
        i, j = i - i.min(), j - j.min()
        own = rng.uniform(0, 0.2) * rng.normal(size=(i.max() + 1, j.max() + 1))
        heights = heights * (1 + own[i, j])
    if rng.random() < 0.35:  # pits instead
        heights = -heights
    ground = rng.uniform(0, 0.3) * heights.std() * _rough(yres, xres, rng, hurst=1.0)
    return _rounded(heights + ground + _texture(yres, xres, rng, 0.2), rng)


def _edges(yres: int, xres: int, rng: np.random.Generator) -> Heights:
    """Long edges, wedges and shoulders, a few, often along or across the lines of a scan."""
    heights = np.zeros((yres, xres))
    side = max(yres, xres)
    for _ in range(int(rng.integers(2, 9))):
        near = rng.normal(0, 0.03)
        angle = rng.choice([near, np.pi / 2 + near, rng.uniform(0, np.pi)], p=[0.4, 0.18, 0.42])
        _, across = _coordinates(yres, xres, angle)
        wander = rng.uniform(0, 3) * rng.random()
        across = across - rng.uniform(-0.6, 0.6) * side
        across += wander * _rough(yres, xres, rng, hurst=1.0, correlation=_log_uniform(rng, 4, 60))
        width = _log_uniform(rng, 0.4, 6)
        if rng.random() < 0.6:
            step = np.clip(across / width + 0.5, 0, 1)
        else:
            step = 1 / (1 + np.exp(-np.clip(4 * across / width, -50, 50)))
        beyond = rng.integers(3)
        if beyond == 1:  # a wedge
            step = step * (1 + rng.normal() * across / side)
        elif beyond == 2:  # a shoulder that falls off
            step = step * np.exp(-np.maximum(across, 0) / _log_uniform(rng, 3, side))
        heights += rng.normal() * step
    heights += rng.uniform(0, 0.25) * heights.std() * _rough(yres, xres, rng)
    return _rounded(heights + _texture(yres, xres, rng, 0.3) * np.ptp(heights), rng)


SPECIMENS = (
    Specimen("film", "rough film, self-affine", _film),
    Specimen("grains", "polycrystalline grains with grooves between them", _grains),
    Specimen("membrane", "porous membrane with fibrils and lamellae", _membrane),
    Specimen("particles", "particles on a substrate", _particles),
    Specimen("steps", "terraces with atomic steps", _steps),
    Specimen("grating", "grating, or pits and posts", _grating),
    Specimen("chains", "fibres and DNA-like chains", _chains),
    Specimen("flakes", "flakes and islands with sharp edges", _flakes),
    Specimen("lattice", "bumps or pits on a fine lattice; only if named", _lattice, typical=False),
    Specimen("edges", "long edges and wedges; only if named", _edges, typical=False),
)
