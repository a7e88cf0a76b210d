"""Forest: what Ma has learned, and how it is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import WeightsError
from afmsr_core.methods.store import contents, sha256_of
from afmsr_core.metrics.published import MA_URL, read_mat

__all__ = ["FEATURES", "Forest", "Model", "parse", "read_model"]

FEATURES = (18, 45, 75)
"""Features that each of the three forests is asked with: local and global frequencies, space."""

FIELDS = {"left": 0, "right": 1, "threshold": 4, "value": 5, "feature": 6}
"""Places of what is needed in the record of a forest (of the toolbox randomforest-matlab)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Regression trees (L. Breiman, Mach. Learn. 45 (2001) 5, doi 10.1023/A:1010933404324).

    Attributes
    ----------
    left, right : ndarray of int, shape (nodes, trees)
        The node where a tree goes on, counted from 1; 0 at its leaves.
    threshold, value : ndarray of float64, shape (nodes, trees)
        Up to which it goes on at the left, and what it answers there.
    feature : ndarray of int, shape (nodes, trees)
        Which is compared, counted from 1.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    threshold: Floats
    value: Floats
    feature: NDArray[np.int32]

    def predict(self, features: Floats) -> float:
        """Return the mean answer of all trees."""
        nodes, trees = self.left.shape
        every = np.arange(trees)
        node = np.zeros(trees, np.intp)
        for _ in range(nodes):  # no path is longer
            goes_left = features[self.feature[node, every] - 1] <= self.threshold[node, every]
            following = np.where(goes_left, self.left[node, every], self.right[node, every])
            if not following.any():
                break
            node = np.where(following > 0, following - 1, node)
        return float(self.value[node, every].mean())


@dataclass(frozen=True, eq=False)
class Model:
    """Three forests and how their answers are added up.

    Attributes
    ----------
    forests : tuple of Forest
        For :data:`FEATURES`.
    weights : ndarray of float64, shape (4,)
        Of one, and of the three answers.
    sha256 : str
        Of the file.
    """

    forests: tuple[Forest, ...]
    weights: Floats
    sha256: str


def read_model(path: str | Path) -> Model:
    """Read a file in the structure of ``NRQM_model.mat``, whether or not it is Ma's.

    Raises
    ------
    WeightsError
        If the file is damaged or holds something else.
    """
    path = Path(path)
    try:
        state = path.stat()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    return _read_model(path, _sha256(path, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _sha256(path: Path, changed: int, size: int) -> str:
    """Return the hash of a file, once for every state of it: there are tens of megabytes."""
    return sha256_of(path)


@lru_cache(maxsize=2)
def _read_model(path: Path, sha256: str) -> Model:
    """Read a file; one that has changed is another one by its hash."""
    data, found = contents(path)
    if found != sha256:
        raise WeightsError(f"{path}: is being changed; wait until it is complete")
    return parse(data, str(path))


def parse(data: bytes, where: str) -> Model:
    """Return the forests in the bytes of such a file, of which messages speak as `where`.

    Raises as `read_model` does.
    """
    table: Any = read_mat(data, where, MA_URL).get("model")
    try:
        if not {"rf", "linear"} <= set(table.dtype.names or ()):
            raise KeyError("rf, linear")
        records = table["rf"][0, 0]
        forests = tuple(_forest(records[0, i][0, 0], n) for i, n in enumerate(FEATURES))
        weights = np.asarray(table["linear"][0, 0], dtype=np.float64).ravel()
        if weights.shape != (4,) or not np.isfinite(weights).all():
            raise ValueError("'linear' is not 4 numbers")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{where}: holds no parameters of Ma (a table 'model' of 'rf' and 'linear'; {error}); "
            f"get {MA_URL}"
        ) from error
    return Model(forests, weights, hashlib.sha256(data).hexdigest())


def _forest(record: Any, features: int) -> Forest:
    """Return a forest after looking at it: a wrong index must not answer for another node."""
    found = {name: np.asarray(record[place]) for name, place in FIELDS.items()}
    shape = found["left"].shape
    if len(shape) != 2 or 0 in shape or any(one.shape != shape for one in found.values()):
        raise ValueError("the tables of a forest differ in shape")
    whole: dict[str, Any] = {
        name: found[name].astype(np.int32) for name in ("left", "right", "feature")
    }
    inner = (whole["left"] > 0) | (whole["right"] > 0)
    bounds = {"left": shape[0], "right": shape[0], "feature": features}
    for name, most in bounds.items():
        least = 1 if name == "feature" else 0
        if inner.any() and not least <= whole[name][inner].min() <= whole[name].max() <= most:
            raise ValueError(f"{name} of a forest is outside of {least} to {most}")
    return Forest(
        **whole,
        threshold=found["threshold"].astype(np.float64),
        value=found["value"].astype(np.float64),
    )
