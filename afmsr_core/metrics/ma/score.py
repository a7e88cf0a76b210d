"""Score: the Ma of a grey picture by a model, whichever it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.metrics.ma.forest import Model
from afmsr_core.metrics.ma.frequencies import local_frequencies
from afmsr_core.metrics.ma.mixture import global_frequencies

__all__ = ["LEAST", "features", "raw_score"]

LEAST = 96
"""Shortest side in pixels: its coarsest features, at a quarter of the size, need 25 patches."""

PATCH = 5
"""Edge of a patch in pixels, of which the singular values are taken."""

HALVINGS = 2
"""How often a picture is halved for the features of coarser scales."""

Floats = NDArray[np.float64]


def raw_score(grey: ArrayLike, model: Model) -> float:
    """Return what a model says of a picture.

    Nothing of this may reach a table unless the model is known to be Ma's: see
    :func:`afmsr_core.metrics.ma.believed`.

    Parameters
    ----------
    grey : array_like, shape (yres, xres)
        Values 0 to 255, whole numbers.
    model : Model
        From :func:`afmsr_core.metrics.ma.read_model`.

    Raises
    ------
    FieldError
        If the picture is too small, too smooth or constant.

    Notes
    -----
    Equal to pyiqa 0.1.16 within 1e-6, given three equal channels.
    """
    answers = [
        forest.predict(part) for forest, part in zip(model.forests, features(grey), strict=True)
    ]
    return float(np.array([1.0, *answers]) @ model.weights)


def features(grey: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the features of a picture: local and global frequencies, and of its space.

    Parameters and errors as :func:`raw_score`.

    Returns
    -------
    tuple of ndarray of float64, shapes (18,), (45,), (75,)
    """
    picture = np.asarray(grey, dtype=np.float64)
    if min(picture.shape) < LEAST:
        raise FieldError(
            f"a field of {picture.shape[1]}x{picture.shape[0]} pixels is too small for Ma, which "
            f"needs {LEAST}x{LEAST}; crop less"
        )
    if (picture == picture[0, 0]).all():
        raise FieldError("the result is constant, which Ma cannot score")
    scales = [picture / 255.0]
    for _ in range(HALVINGS):
        scales.append(_halved(scales[-1]))
    return (
        np.concatenate([local_frequencies(one) for one in scales]),
        global_frequencies(picture),
        np.concatenate([_singular_values(one) for one in scales]),
    )


def _halved(picture: Floats) -> Floats:
    """Blur a picture by half a pixel, as if it were zero outside, and take every second pixel."""
    from scipy.ndimage import correlate

    x = np.arange(-1, 2)
    window = np.exp(-(x[:, None] ** 2 + x**2) / (2 * 0.5**2))
    window = (window / window.sum()).astype(np.float32).astype(np.float64)  # as in pyiqa
    return np.asarray(correlate(picture, window, mode="constant")[1::2, 1::2])


def _singular_values(picture: Floats) -> Floats:
    """Return the 25 singular values of all patches, one a row; section 3.3 of the paper."""
    down, across = (-(-n // PATCH) for n in picture.shape)
    lacking = [(0, m * PATCH - n) for m, n in zip((down, across), picture.shape, strict=True)]
    patches = np.pad(picture, lacking).reshape(down, PATCH, across, PATCH).swapaxes(1, 2)
    values = np.linalg.svd(patches.reshape(-1, PATCH * PATCH), compute_uv=False)
    return np.asarray(values, dtype=np.float64)
