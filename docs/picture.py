"""Make the picture of the README and the gallery: ``python -m docs.picture CORPUS``.

The scans are those of the dev split, which nothing was trained on, whose licence lets us show them
and whose file gives a size. Which of them the README shows is no matter of taste: sorted by the
gain of full lines over bicubic of a square scan of the same time, the one in the middle and the one
three quarters up. The gallery has one scan of every sample, the one in the middle of that sample's,
from the smallest gain to the largest.
"""

from __future__ import annotations

import io
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from afmsr_core.channel import Channel
from afmsr_core.grid import LINES_X4
from afmsr_core.picture.figures import drawn
from afmsr_core.picture.palettes import ERROR
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from afmsr_core.upscale import upscale
from training.corpus import Scan, dev_scans
from training.score import BORDER, FACTOR

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
BEGIN, END = "<!-- scans: written by python -m docs.picture -->", "<!-- end of scans -->"
METHODS = ("bicubic", "afm")  # of the square scan
LINES = "afm on full lines"
SHARES = (0.5, 0.75)  # of the way from the smallest gain to the largest: what the README shows
SIDE = 128  # pixels of the full scan that are shown, from its middle
DPI, WIDTH = 130.0, 180.0  # mm
WIDER = 230.0  # of the README, which has five panels in a row
Heights = NDArray[np.float64]
INSIDE = np.s_[BORDER:-BORDER, BORDER:-BORDER]


@dataclass(frozen=True)
class Shown:
    """A scan, its coarse scan, and what the methods make of that.

    Attributes
    ----------
    scan : Scan
        From the corpus.
    fine, coarse, lines : ndarray of float64
        The full scan less its plane, the coarse one, and every fourth line of it, in nm.
    results : dict of str to ndarray of float64, shape of `fine`
        By method, and of `lines` by the default one; moved by the known offset of the lines.
    """

    scan: Scan
    fine: Heights
    coarse: Heights
    lines: Heights
    results: dict[str, Heights]

    @classmethod
    def of(cls, scan: Scan) -> Shown:
        fine = scan.levelled
        fine = fine[: fine.shape[0] // FACTOR * FACTOR, : fine.shape[1] // FACTOR * FACTOR]
        side = [float(scan.nm_per_px * length) for length in fine.shape[::-1]]

        def scanned(acquisition: Acquisition) -> Heights:
            return np.asarray(coarse_scan(fine, acquisition, np.random.default_rng(0)))

        def upscaled(taken: Heights, acquisition: Acquisition, method: str) -> Heights:
            result = upscale(Channel(taken, *side, title="Height"), method=method).heights
            return np.asarray(ndimage.shift(result, acquisition.offset, mode="nearest"))

        square, full = Acquisition(row=1), Acquisition(factor=LINES_X4, row=1, dwell=1)
        coarse, lines = scanned(square), scanned(full)
        results = {name: upscaled(coarse, square, name) for name in METHODS}
        results[LINES] = upscaled(lines, full, "afm")
        return cls(scan, fine, coarse, lines, results)

    def error(self, method: str) -> Heights:
        """Size of the error of a method, in nm."""
        return np.abs(self.results[method] - self.fine)

    def rmse(self, method: str) -> float:
        """Root mean square error of a method, in nm."""
        return float(np.sqrt(np.mean(self.error(method)[INSIDE] ** 2)))

    def gain(self, method: str = "afm") -> float:
        """By how many dB a result is nearer to the full scan than bicubic of the square scan."""
        return float(20 * np.log10(self.rmse("bicubic") / self.rmse(method)))

    @property
    def name(self) -> str:
        """The sample, as one reads it."""
        name = self.scan.sample.replace(" um", " µm")
        return name if "/" in name.split()[0] else name[0].upper() + name[1:]

    @property
    def words(self) -> str:
        """What it is, and where it is from."""
        licence = self.scan.licence.split(" (")[0]
        return f"{self.name} ({self.scan.source}, {licence})"


def main(corpus: Path) -> None:
    usable = [scan for scan in dev_scans(corpus) if scan.permissive and scan.nm_per_px]
    shown = [Shown.of(scan) for scan in usable]
    ranked = sorted(shown, key=lambda one: one.gain(LINES))
    chosen = [ranked[round(share * (len(ranked) - 1))] for share in SHARES]
    panels = [panel for one in chosen for panel in _fields(one, whole=False)]
    _save(panels, "real_scan.png", width=WIDER, columns=len(panels) // len(chosen))
    for number, one in enumerate(ranked, 1):
        print(f"{number:2} of {len(ranked)}: {one.gain(LINES):+.2f} dB, {one.words}")
    for share, one in zip(SHARES, chosen, strict=True):
        print(f"README, {share:.0%} of the way up: {one.gain(LINES):+.2f} dB, {one.words}")
    _gallery(sorted(shown, key=lambda one: one.gain()))


def _save(
    panels: Sequence[Panel], name: str, width: float = WIDTH, columns: int | None = None
) -> None:
    """Draw panels into docs/images; as WebP, a fifth of the bytes."""
    png = drawn(panels, width=width, dpi=DPI, columns=columns)
    if name.endswith(".png"):
        (IMAGES / name).write_bytes(png)
    else:
        Image.open(io.BytesIO(png)).convert("RGB").save(IMAGES / name, quality=88, method=6)


def _gallery(ranked: Sequence[Shown]) -> None:
    """Write the pictures of the gallery, and its page between the marks."""
    samples: dict[str, list[Shown]] = defaultdict(list)
    for one in ranked:
        samples[one.scan.sample].append(one)
    parts = []
    for number, one in enumerate(
        sorted((all_[len(all_) // 2] for all_ in samples.values()), key=lambda one: one.gain()), 1
    ):
        name = f"gallery-{number:02}.webp"
        _save(_fields(one, whole=True), name)
        parts.append(
            f"## {one.gain():+.2f} dB: {one.name}\n\n![{one.words}](images/{name})\n\n"
            f"{one.words}, {' x '.join(map(str, one.scan.heights.shape[::-1]))} px."
        )
    page = DOCS / "gallery.md"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}", "utf-8")


def _fields(one: Shown, whole: bool) -> list[Panel]:
    """Return scan, results, truth and errors as panels; or, of the middle, what full lines add."""
    part = np.s_[:, :] if whole else _middle(one.fine.shape)
    heights = Range.of([one.fine[part]])
    judged = METHODS if whole else ("bicubic", LINES)
    top = Range.of([one.error(name)[INSIDE] for name in judged], (0.0, 99.0)).high
    wrong = Range(0.0, top, "0 to 99 % of the errors")
    area = [one.scan.nm_per_px * side for side in one.fine[part].shape[::-1]]

    def panel(field: Heights, title: str, below: str) -> Panel:
        return Panel(field[part], *area, heights, title=title, subtitle=below)

    enlarged = np.kron(one.coarse, np.ones((FACTOR, FACTOR)))
    scan = panel(enlarged, "Coarse scan", f"every {FACTOR}th line")
    bicubic = panel(one.results["bicubic"], "Bicubic", "interpolation")
    upscaled = panel(one.results["afm"], "Upscaled by afm", f"{one.gain():+.1f} dB over bicubic")
    errors = [
        panel(
            one.error(name),
            f"Error of {name if whole else name.split()[0]}",
            f"RMSE {one.rmse(name):.3g} nm",
        ).replace(shown=wrong, palette=ERROR)
        for name in judged
    ]
    if not whole:
        drawn_out = np.repeat(one.lines, FACTOR, axis=0)
        return [
            scan.replace(title="Square scan", subtitle="1/16 of the pixels"),
            panel(drawn_out, "Full lines", "1/4, in the same time"),
            panel(one.results[LINES], "Upscaled by afm", f"full lines, {one.gain(LINES):+.1f} dB"),
            *errors,
        ]
    return [scan, bicubic, upscaled, panel(one.fine, "Full scan", "the truth"), *errors]


def _middle(shape: tuple[int, ...]) -> Any:
    rows, columns = ((side - SIDE) // 2 // FACTOR * FACTOR for side in shape)
    return np.s_[rows : rows + SIDE, columns : columns + SIDE]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
