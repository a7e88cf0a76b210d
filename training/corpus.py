"""Real height fields for training and scoring, and which of them may be used for what.

The corpus is a folder with ``train.npz``, ``dev.npz`` and an index of each (licence, sample,
category, scale). Heights are stored as ``z_offset_nm + z_scale_nm * uint16``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from afmsr_core.surfaces import fit_plane

# Licences under which weights trained on a scan may ship with ours (MIT).
PERMISSIVE = ("MIT", "BSD", "Apache-2.0", "CC-BY-4.0")

# Samples that are never trained on: kept for calibrating the confidence of the shipped network.
# Every fifth of the permissive samples, by sample and not by scan, one or two of each category.
SET_ASIDE = frozenset(
    {
        "PET film, 10 um",
        "thick PZT film",
        "rough film 300 nm",
        "rough surface 10 um b",
        "flake edge 20 um",
        "calibration grid 85 um",
        "PTO(110) film with sparse particles 10 um",
        "STM atoms 4 nm",
        # Of the further samples that came later (split "extra"), every fifth.
        "Anasys tapping mode sample 2 um",
        "Anasys tapping AFM-IR sample (10 and 4 um)",
        "GV007 film on GdScO3",
        "GV007 film on SrTiO3",
        "GV013 SrTiO3 film on SrTiO3",
        "GV051 sample (25-100 um)",
        "GdScO3 substrate",
        "NdScO3 substrate",
        "hystorian test file test_nanonis.000",
        "pycroscopy example 30 um",
        "slippy AFM example surface",
        "STM molecule/atoms 5 nm",
        "FeSe surface, STM 20 nm",
        "graphite terrace with lattice, STM 11.5 nm 512 px",
        "WSxM jumping-mode example 15 um",
        "spm-tools example 20 um",
    }
)
SPLITS = ("train", "extra")

# Samples that are one material, treated in other ways, by how their names begin.
MATERIALS = (
    "polyelectrolyte multilayer film",
    "ultrasonically modified brass",
    "artificial spin ice",
    "E. coli bacteria",
    "GV008 film",
    "afm-miner",
    "SrTiO3 film",  # all of m3_learning, films and their substrates
    "SrTiO3 substrate (",
)


@dataclass(frozen=True)
class Scan:
    """One real height field.

    Attributes
    ----------
    id, file_sha256, sample, category, licence, source, quality : str
        From the corpus index; the hash is that of the original file.
    heights : ndarray of float64, shape (yres, xres)
        In nm, as measured, not levelled.
    nm_per_px : float
        Pixel size.
    """

    id: str
    file_sha256: str
    sample: str
    category: str
    licence: str
    source: str
    quality: str
    nm_per_px: float
    heights: NDArray[np.float64]

    @property
    def levelled(self) -> NDArray[np.float64]:
        """Heights less their least-squares plane, in nm."""
        return levelled(self.heights)

    def middle(self, side: int) -> Scan:
        """Return the middle of the scan, at most `side` pixels along each axis."""
        top, left = (max(0, (length - side) // 2) for length in self.heights.shape)
        return replace(self, heights=self.heights[top : top + side, left : left + side])

    @property
    def permissive(self) -> bool:
        """Whether weights trained on this scan may ship."""
        return self.licence.startswith(PERMISSIVE)


@dataclass(frozen=True)
class TracePair:
    """The same lines measured there and back.

    Attributes
    ----------
    sample : str
        From the corpus index.
    trace, retrace : ndarray of float64, shape (yres, xres)
        Heights in nm; x runs the same way in both.
    pixel_nm : tuple of float
        Width and height of a pixel.
    """

    sample: str
    trace: NDArray[np.float64]
    retrace: NDArray[np.float64]
    pixel_nm: tuple[float, float]


def levelled(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `heights` less their least-squares plane."""
    return fit_plane(heights).subtracted_from(heights)


_NAMES = ("id", "file_sha256", "sample", "category", "licence", "source", "quality")


def _read(folder: Path, split: str) -> Iterator[Scan]:
    index = folder / f"{split}_index.json"
    if not index.is_file():
        raise UsageError(f"{index}: no such corpus; give the folder with --corpus")
    entries = {entry["id"]: entry for entry in json.loads(index.read_text(encoding="utf-8"))}
    with np.load(folder / f"{split}.npz") as bundle:
        for key in bundle.files:
            e = entries[key]
            heights = e["z_offset_nm"] + e["z_scale_nm"] * bundle[key].astype(np.float64)
            named = {name: e[name] for name in _NAMES}
            yield Scan(**named, nm_per_px=e["nm_per_px"], heights=heights)


def training_scans(folder: Path, splits: Sequence[str] = ("train",)) -> list[Scan]:
    """Return the permissive training scans of some of `SPLITS`, less the samples set aside."""
    scans = (scan for split in splits for scan in _read(folder, split) if scan.permissive)
    return [s for s in scans if s.sample not in SET_ASIDE and s.quality != "artefact"]


def training_pairs(folder: Path) -> list[TracePair]:
    """Return trace and retrace of the training scans, where the file has both."""
    listed = json.loads((folder / "pairs_train.json").read_text(encoding="utf-8"))
    backward = {
        one["forward"]: (one["backward"], one["backward_mirrored"])
        for one in listed
        if one["kind"] == "trace_retrace"
    }
    scans = {scan.id: scan for scan in _read(folder, "train")}
    pairs = []
    for trace in training_scans(folder):
        if trace.id in backward:
            key, mirrored = backward[trace.id]
            retrace = scans[key].heights[:, ::-1] if mirrored else scans[key].heights
            pixel = trace.nm_per_px or 1.0  # unknown in some files; the alignment is in pixels
            pairs.append(TracePair(trace.sample, trace.heights, retrace, (pixel, pixel)))
    return pairs


def set_aside_scans(folder: Path, splits: Sequence[str] = ("train",)) -> list[Scan]:
    """Return the permissive scans of the samples of some of `SPLITS` kept for calibration."""
    scans = [s for split in splits for s in _read(folder, split) if s.sample in SET_ASIDE]
    missing = SET_ASIDE - {scan.sample for scan in scans}
    if missing and set(splits) == set(SPLITS):
        raise UsageError(f"{folder}: the corpus lacks the set-aside samples {sorted(missing)}")
    return scans


def unseen_permissive_scans(folder: Path, trained_on: Sequence[str]) -> list[Scan]:
    """Return the permissive scans of samples that a network trained on some splits has not seen."""
    seen = {scan.sample for scan in training_scans(folder, trained_on)}
    scans = (scan for split in SPLITS for scan in _read(folder, split) if scan.permissive)
    return [s for s in scans if s.sample not in seen and s.quality != "artefact"]


def restricted_scans(folder: Path) -> list[Scan]:
    """Return the scans of samples of the train split whose licence keeps them out of what ships."""
    kept = {scan.sample for scan in _read(folder, "train") if scan.permissive}
    return [
        scan
        for scan in _read(folder, "train")
        if scan.sample not in kept and scan.quality != "artefact"
    ]


def material(sample: str) -> str:
    """Return what a sample is made of, where several are of one material; else its own name."""
    return next((name for name in MATERIALS if sample.startswith(name)), sample)


def aside_scans(folder: Path, splits: Sequence[str] = SPLITS) -> list[Scan]:
    """Return one field of every sample set aside: the 45 sides of one tell little more than one."""
    first: dict[str, Scan] = {}
    for scan in set_aside_scans(folder, splits):
        first.setdefault(scan.sample, scan)
    return list(first.values())


def dev_scans(folder: Path) -> list[Scan]:
    """Return one good field of every good dev file: 27 of them, for reporting only."""
    first: dict[str, Scan] = {}
    for scan in _read(folder, "dev"):
        if scan.quality == "good":
            first.setdefault(scan.file_sha256, scan)
    return list(first.values())


def unseen_scans(folder: Path) -> list[Scan]:
    """Return one field of every sample of the train split that nothing was trained on.

    Those whose licence does not allow it, and those set aside: as far from the training as the
    dev split, and not looked at when the network was designed, but for the eight set aside.
    """
    trained = {scan.sample for scan in training_scans(folder)}
    first: dict[str, Scan] = {}
    for scan in _read(folder, "train"):
        if scan.quality != "artefact" and scan.sample not in trained:
            first.setdefault(scan.sample, scan)
    return list(first.values())
