"""NIQE: how far the local statistics of a picture are from those of pristine photographs.

Written from the paper (Mittal, Soundararajan, Bovik, IEEE Signal Process. Lett. 2013, 20, 209,
doi 10.1109/LSP.2012.2227726). Where the paper is silent the choices are those of the authors'
release and of pyiqa, which the paper that afmsr follows used, so that the values agree: patches
of 96 px without overlap, neighbours by wrapping around in a patch, bicubic reduction with
anti-aliasing, covariance over complete patches.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError, WeightsError, needed
from afmsr_core.methods.store import contents
from afmsr_core.metrics.published import NIQE_URL, ZIP, read_mat

__all__ = [
    "FEATURES",
    "PATCH",
    "Model",
    "Score",
    "distance",
    "halved",
    "niqe",
    "patch_features",
    "read_model",
]

PATCH = 96
"""Edge of a patch in pixels: the authors' recommendation, for which the parameters were fitted."""

FEATURES = 36
"""18 numbers of a patch at each of two scales."""

LEAST_PATCHES = 2
"""A covariance needs two; it has full rank from FEATURES + 1 on."""

WINDOW, SIGMA = 7, 7 / 6
"""Gaussian window in pixels for the local mean and deviation (section II.A of the paper)."""

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Along the line, down, and the two diagonals (section II.A)."""

SHAPES = np.arange(200, 10001) / 1000.0
"""Shapes of the asymmetric generalised Gaussian that are tried: 0.2 to 10 by 0.001."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Model:
    """The statistics of pristine photographs.

    Attributes
    ----------
    mean : ndarray of float64, shape (36,)
    covariance : ndarray of float64, shape (36, 36)
    sha256 : str
        Of the file.
    """

    mean: Floats
    covariance: Floats
    sha256: str


@dataclass(frozen=True)
class Score:
    """NIQE and what it rests on.

    Attributes
    ----------
    value : float
        0 for the statistics of pristine photographs, larger for others.
    patches : int
        Whole patches in the picture.
    complete : int
        Those of them with all features, which make the covariance.
    """

    value: float
    patches: int
    complete: int


def read_model(path: str | Path) -> Model:
    """Read a parameter file, as the authors (.mat) or BasicSR (.npz) publish it.

    Raises
    ------
    WeightsError
        If the file is damaged or holds something else.
    """
    data, digest = contents(Path(path))
    return _parsed(data, str(path), digest)


def parse(data: bytes, where: str) -> Model:
    """Return the parameters in the bytes of such a file, of which messages speak as `where`.

    Raises as `read_model` does.
    """
    return _parsed(data, where, hashlib.sha256(data).hexdigest())


@lru_cache(maxsize=4)
def _parsed(data: bytes, where: str, sha256: str) -> Model:
    if data.startswith(ZIP):
        names = ("mu_pris_param", "cov_pris_param")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes raise whatever they hit first
            raise WeightsError(
                f"{where}: cannot be read ({error}); get the parameters again from {NIQE_URL}"
            ) from error
    else:
        names = ("mu_prisparam", "cov_prisparam")
        found = read_mat(data, where, NIQE_URL)
    arrays = [np.asarray(found.get(name, ())) for name in names]
    numbers = all(np.issubdtype(array.dtype, np.number) for array in arrays)
    sizes = [array.size for array in arrays]
    if not numbers or sizes != [FEATURES, FEATURES**2] or not all(map(_finite, arrays)):
        raise WeightsError(
            f"{where}: holds no parameters of NIQE, which are {FEATURES} numbers {names[0]} and "
            f"{FEATURES}x{FEATURES} numbers {names[1]}; get them from {NIQE_URL}"
        )
    mean, covariance = (array.astype(np.float64) for array in arrays)
    return Model(mean.ravel(), covariance.reshape(FEATURES, FEATURES), sha256)


def _finite(array: NDArray[np.number]) -> bool:
    return bool(np.isfinite(array).all())


def niqe(grey: ArrayLike, model: Model) -> Score:
    """Return the NIQE of a grey picture.

    Parameters
    ----------
    grey : array_like, shape (yres, xres)
        Values 0 to 255. Colour is not NIQE's: give the luma, rounded to integers as MATLAB's
        and pyiqa's readers do.
    model : Model
        From :func:`read_model`.

    Returns
    -------
    Score

    Raises
    ------
    FieldError
        If the picture is too small or too smooth for two complete patches.

    Notes
    -----
    Equal to pyiqa 0.1.16 within 1e-3 on its calibration images, and to MATLAB's 5.72957 on
    ``baboon.png`` within 5e-4, as pyiqa is.
    """
    down, across = (n // PATCH for n in np.shape(grey))
    if down * across < LEAST_PATCHES:
        raise FieldError(
            f"a field of {np.shape(grey)[1]}x{np.shape(grey)[0]} pixels holds {down * across} "
            f"whole patches of {PATCH}x{PATCH}; NIQE needs {LEAST_PATCHES} at the least, "
            f"so crop less"
        )
    features = patch_features(grey)
    complete = int(np.isfinite(features).all(axis=1).sum())
    return Score(distance(features, model), len(features), complete)


def patch_features(grey: ArrayLike) -> Floats:
    """Return the features of every whole patch of a picture, as :func:`niqe` takes it.

    Returns
    -------
    ndarray of float64, shape (patches, 36)
        NaN where a patch has none.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.
    """
    needed("scipy", "NIQE")
    picture = np.asarray(grey, dtype=np.float64)
    down, across = (n // PATCH for n in picture.shape)
    if not down * across:
        return np.empty((0, FEATURES))
    picture = picture[: down * PATCH, : across * PATCH]
    coarse = halved(picture / 255.0) * 255.0
    return np.hstack(
        [_features(_normalised(picture), PATCH), _features(_normalised(coarse), PATCH // 2)]
    )


def distance(features: Floats, model: Model) -> float:
    """Return NIQE of the patches of one picture, or of several together.

    Parameters
    ----------
    features : ndarray of float64, shape (patches, 36)
        From :func:`patch_features`.
    model : Model
        From :func:`read_model`.

    Raises
    ------
    FieldError
        If fewer than two patches are complete.
    """
    complete = features[np.isfinite(features).all(axis=1)]
    if len(complete) < LEAST_PATCHES:
        raise FieldError(
            f"{len(complete)} of {len(features)} patches have a structure at all; NIQE needs "
            f"{LEAST_PATCHES} at the least, so take a crop that is not flat"
        )
    away = model.mean - np.nanmean(features, axis=0)
    spread = 0.5 * (model.covariance + np.cov(complete, rowvar=False))
    inverse = np.linalg.pinv(spread, rcond=FEATURES * np.finfo(np.float64).eps)
    return float(np.sqrt(away @ inverse @ away))


def _window() -> Floats:
    """Return the Gaussian window, rounded to 32 bits as in pyiqa.

    Its sum misses 1 by some 1e-8, which decides the sign of what is left of a flat area and
    with it the features there: NIQE of pictures with saturated areas changes by up to 0.6 %.
    """
    x = np.arange(WINDOW) - (WINDOW - 1) / 2
    window = np.exp(-(x[:, None] ** 2 + x**2) / (2 * SIGMA**2))
    return (window / window.sum()).astype(np.float32).astype(np.float64)


def _normalised(picture: Floats) -> Floats:
    """Subtract the local mean and divide by the local deviation plus one."""
    from scipy.ndimage import correlate

    window = _window()
    mean = correlate(picture, window, mode="nearest")
    variance = correlate(picture**2, window, mode="nearest") - mean**2
    return np.asarray((picture - mean) / (np.sqrt(np.abs(variance)) + 1.0))


def halved(picture: Floats) -> Floats:
    """Reduce a picture to half its size as MATLAB's ``imresize(picture, 0.5)`` does.

    Bicubic (Keys 1981, doi 10.1109/TASSP.1981.1163711, a = -1/2), the kernel stretched twofold
    against aliasing, the border mirrored.

    Examples
    --------
    >>> import numpy as np
    >>> halved(np.full((4, 6), 3.0))
    array([[3., 3., 3.],
           [3., 3., 3.]])
    """
    taps = np.arange(8)
    x = np.abs(taps - 3.5) / 2.0
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1.0, -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    weights = np.where(x <= 1.0, near, far)
    weights /= weights.sum()
    for axis in (0, 1):
        n = picture.shape[axis]
        mirrored = np.concatenate([np.arange(n), np.arange(n)[::-1]])
        starts = 2 * np.arange(-(-n // 2)) - 3
        picture = np.stack([picture.take(mirrored[(starts + t) % (2 * n)], axis) for t in taps])
        picture = np.tensordot(weights, picture, axes=1)
    return picture


def _features(normalised: Floats, edge: int) -> Floats:
    """Return the 18 features of every patch, shape (patches, 18); NaN where one has none."""
    from scipy.special import gamma

    rows, columns = (n // edge for n in normalised.shape)
    patches = normalised.reshape(rows, edge, columns, edge).swapaxes(1, 2).reshape(-1, edge, edge)
    shape, left, right = _asymmetric_gaussian(patches)
    features = [shape, 0.5 * (left + right)]
    for neighbour in NEIGHBOURS:
        products = patches * np.roll(patches, neighbour, axis=(1, 2))
        shape, left, right = _asymmetric_gaussian(products)
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def _asymmetric_gaussian(patches: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit an asymmetric generalised Gaussian to each patch by its moments.

    Returns shape, left scale and right scale. Source: Lasmar, Stitou, Berthoumieu,
    ICIP 2009, cited by the paper. A patch without values on one side gives NaN.
    """
    from scipy.special import gamma, gammaln

    values = patches.reshape(len(patches), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (
            np.sqrt((side**2).sum(axis=1) / np.count_nonzero(side, axis=1))
            for side in (np.minimum(values, 0.0), np.maximum(values, 0.0))
        )
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    known = np.exp(2 * gammaln(2 / SHAPES) - gammaln(1 / SHAPES) - gammaln(3 / SHAPES))
    shape = SHAPES[np.abs(known - ratio[:, None]).argmin(axis=1)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale
