"""Real scans that were repeated: one is joined, another is the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.alignment import warp
from afmsr_core.alignment.area import fit_map, shrinkings
from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.joining import join
from afmsr_core.joining.registration import register
from afmsr_core.levelling import level
from afmsr_core.surfaces import fit_polynomial
from benchmarks.joining.errors import error_inside

Field = NDArray[np.float64]

SPLITS = ("dev", "train", "extra")
BORDER = 6  # pixels at each edge that do not count

ALSO = {
    ("matlab-nanonis__Si_7x7_028.sxm__height_for", "matlab-nanonis__Si_7x7_032.sxm__height_for"): (
        11.0,
        56.0,
    ),
}
"""Scans of one place that no list of repeats has, and by how many pixels x and y of the first have
to be changed to be in the second. Found by correlating all scans of one size that were kept in
both directions. Left out are two of G80SXM (correlation 0.61), which show one place in other
contrast; whatever else correlates are gratings and lattices of other places."""

BANDS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1.0)  # cycles per line
QUARTERS = 4  # classes of roughness


@dataclass(frozen=True)
class Judged:
    """A scan that was joined, judged by another of the same place.

    Attributes
    ----------
    scan, truth : str
        Names of both.
    way : str
        What was joined with the other way: ``"trace"`` or ``"retrace"``.
    alone, joint : tuple of float
        Errors in nm, against the same way of the truth, and against both of its ways.
    at_best : float
        Error against the same way with weights that are fitted to that truth.
    """

    scan: str
    truth: str
    way: str
    alone: tuple[float, float]
    joint: tuple[float, float]
    at_best: float

    @property
    def changes(self) -> tuple[float, float, float]:
        """Changes of the error in dB: by the same way, by both ways, and the first at best."""
        same, both = (
            float(20 * np.log10(after / before))
            for before, after in zip(self.alone, self.joint, strict=True)
        )
        return same, both, float(20 * np.log10(self.at_best / self.alone[0]))


def repeated(corpus: Path) -> Iterator[Judged]:
    """Judge every scan of a chain of repetitions by every other whose two ways are there.

    Yields
    ------
    Judged
        For each, the trace and then the retrace.

    Raises
    ------
    UsageError
        If the folder is no corpus.
    """
    for split in SPLITS:
        try:
            pairs = json.loads((corpus / f"pairs_{split}.json").read_text(encoding="utf-8"))
            index = json.loads((corpus / f"{split}_index.json").read_text(encoding="utf-8"))
            bundle = np.load(corpus / f"{split}.npz")
        except (OSError, ValueError) as error:
            raise UsageError(f"{corpus}: cannot be read as a corpus ({error})") from error
        back = {
            one.get("forward", one.get("a")): one.get("backward", one.get("b"))
            for one in pairs
            if one["kind"] == "trace_retrace"
        }
        entries = {one["id"]: one for one in index}
        listed = [(one["a"], one["b"]) for one in pairs if one["kind"] == "repeat"]
        for chain in _chains([*listed, *ALSO], back):
            yield from _judged(chain, back, entries, bundle)


def _chains(repeats: list[tuple[str, str]], back: dict[str, str]) -> list[list[str]]:
    """Return the scans that show one place and were kept in both directions."""
    chains: list[set[str]] = []
    for pair in repeats:
        if not all(one in back for one in pair):
            continue
        joined = set(pair).union(*(chain for chain in chains if chain & set(pair)))
        chains = [chain for chain in chains if not chain & joined] + [joined]
    return [sorted(chain) for chain in chains]


def _judged(
    chain: list[str], back: dict[str, str], entries: dict, bundle: dict
) -> Iterator[Judged]:
    def channel(name: str) -> Channel:
        entry = entries[name]
        heights = entry["z_offset_nm"] + entry["z_scale_nm"] * bundle[name].astype(np.float64)
        size = entry["xreal_nm"] or entry["xres"], entry["yreal_nm"] or entry["yres"]
        return level(Channel(heights, *size, title=name), "plane").channel

    scans = {name: (channel(name), channel(back[name])) for name in chain}
    for way in (0, 1):
        joint = {name: join(*(scan if way == 0 else scan[::-1])) for name, scan in scans.items()}
        for one, other in permutations(chain, 2):
            field, second = (scans[one][place].heights for place in (way, 1 - way))
            truths = [
                _onto(field, scans[other][place].heights, *_offset(one, other))
                for place in (way, 1 - way)
            ]
            errors = [
                [_error(heights - truth) for truth in truths]
                for heights in (field, joint[one].heights)
            ]
            alone, both = ((each[0], float(np.hypot(*each))) for each in errors)
            at_best = _at_best(field, second, truths[0])
            yield Judged(one, other, ("trace", "retrace")[way], alone, both, at_best)


def _offset(one: str, other: str) -> tuple[float, float]:
    if (other, one) in ALSO:
        x, y = ALSO[other, one]
        return -x, -y
    return ALSO.get((one, other), (0.0, 0.0))


def _onto(field: Field, truth: Field, x: float, y: float) -> Field:
    """Return a truth on the pixels of a scan, by an affine map: drift between two frames is one."""
    start = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    steps = shrinkings(field.shape, truth.shape, start)
    fit = fit_map(truth, field, start, "affine", background=2, steps=steps)
    if fit is None:
        raise UsageError("two scans that are listed as repeats do not show one place")
    return warp(truth, fit.matrix, field.shape)


def _error(error: Field) -> float:
    return error_inside(error, np.isfinite(error), BORDER)


def _at_best(field: Field, other: Field, truth: Field) -> float:
    """Return the error of a scan less the best parts of its difference to the other way.

    That is no bound for joins of every kind, and 16 numbers fit some of the truth's own error. The
    parts are the bands of the difference across the lines, in each quarter of roughness.
    """
    found = register(field, other)
    if found is None:
        return _error(field - truth)
    known = np.isfinite(found.moved)
    bend = fit_polynomial(field - found.moved, 2, known).on_grid(*field.shape)
    difference = np.where(known, field - found.moved - bend, 0.0)
    rough = ndimage.uniform_filter(np.abs(ndimage.laplace(field)), 5)
    limits = np.quantile(rough, np.linspace(0, 1, QUARTERS + 1)[1:-1])
    quarter = np.searchsorted(limits, rough)
    spectrum = np.fft.rfft(np.concatenate([difference, difference[::-1]]), axis=0)
    frequency = np.fft.rfftfreq(2 * len(field))[:, None]
    parts = []
    for low, high in pairwise(BANDS):
        inside = np.where((frequency >= low) & (frequency < high), spectrum, 0.0)
        band = np.fft.irfft(inside, n=2 * len(field), axis=0)[: len(field)]
        parts += [np.where(quarter == n, band, 0.0) for n in range(QUARTERS)]
    error = field - truth
    counts = np.zeros_like(known)
    counts[BORDER:-BORDER, BORDER:-BORDER] = True
    counts &= np.isfinite(error)
    flat = fit_polynomial(error, 2, counts).subtracted_from(error)[counts]
    weights = np.linalg.lstsq(np.stack([part[counts] for part in parts], 1), flat, rcond=None)[0]
    return _error(error - np.tensordot(weights, parts, 1))
