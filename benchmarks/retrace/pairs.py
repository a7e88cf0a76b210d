"""Trace and retrace of the same scans, and which methods were trained on what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from training.corpus import training_scans

SPLITS = ("dev", "train")
KIND = "trace_retrace"

Field = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two measurements of the same lines, in opposite directions.

    Attributes
    ----------
    id : str
        Of the trace in the corpus.
    sample, licence : str
        From the corpus index. Pairs of one sample are not independent.
    trace, retrace : ndarray of float64, shape (yres, xres)
        Heights in nm as measured, neither levelled nor aligned; x runs the same way in both.
    pixel_nm : tuple of float
        Width and height of a pixel.
    size_known : bool
        Whether the file says how large the scan is; if not, `pixel_nm` is (1, 1), which no score
        depends on.
    """

    id: str
    sample: str
    licence: str
    trace: Field
    retrace: Field
    pixel_nm: tuple[float, float]
    size_known: bool = True

    @property
    def name(self) -> str:
        """The scan, without the channel."""
        return self.id.partition("__")[2].removesuffix("__height_for") or self.id


def read_pairs(corpus: Path, split: str) -> list[Pair]:
    """Return all trace/retrace pairs of a split, in the order of the list.

    Parameters
    ----------
    corpus : Path
        Folder with ``dev.npz``, ``dev_index.json``, ``pairs_dev.json``, and the same of train.
    split : str
        One of `SPLITS`.

    Raises
    ------
    UsageError
        If the folder is not such a corpus.
    """
    try:
        index = {entry["id"]: entry for entry in _json(corpus / f"{split}_index.json")}
        listed = [one for one in _json(corpus / f"pairs_{split}.json") if one["kind"] == KIND]
        with np.load(corpus / f"{split}.npz") as bundle:
            return [_pair(one, index, bundle) for one in listed]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{corpus}: cannot be read as a corpus ({error}); give the folder with {split}.npz, "
            f"{split}_index.json and pairs_{split}.json"
        ) from error


def trained_samples(corpus: Path) -> frozenset[str]:
    """Return the samples that the shipped network `afm` was trained on."""
    return frozenset(scan.sample for scan in training_scans(corpus))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _pair(listed: dict[str, Any], index: dict[str, Any], bundle: Any) -> Pair:
    trace, retrace = (
        index[key]["z_offset_nm"] + index[key]["z_scale_nm"] * bundle[key].astype(np.float64)
        for key in (listed["forward"], listed["backward"])
    )
    entry = index[listed["forward"]]
    known = bool(entry["xreal_nm"] and entry["yreal_nm"])
    pixel = (1.0, 1.0)
    if known:
        pixel = entry["xreal_nm"] / entry["xres"], entry["yreal_nm"] / entry["yres"]
    return Pair(
        id=entry["id"],
        sample=entry["sample"],
        licence=entry["licence"],
        trace=trace,
        retrace=retrace[:, ::-1] if listed["backward_mirrored"] else retrace,
        pixel_nm=pixel,
        size_known=known,
    )
