"""The model card of the shipped networks for line scans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.grid import Scale
from training.card import credits_of
from training.corpus import SET_ASIDE, Scan
from training.export import NAMES
from training.lines import REFERENCE
from training.score import BORDER, CONDITIONS, Score
from training.table import table

OURS = "lines, afm"


@dataclass(frozen=True)
class JudgedLines:
    """Line scans and square scans of the same time, on some scans.

    Attributes
    ----------
    split : str
        Of the corpus: ``"dev"`` or ``"unseen"``.
    scale : Scale
        Of the line scans.
    scans : sequence of Scan
        What was scored.
    scores : mapping of condition to mapping of method to sequence of Score
        From :func:`training.lines.same_time`.
    """

    split: str
    scale: Scale
    scans: Sequence[Scan]
    scores: Mapping[str, Mapping[str, Sequence[Score]]]

    def as_markdown(self) -> str:
        """Return a table of every condition."""
        rows = self.scale.rows
        blocks = [
            f"### Every {'fourth' if rows == 4 else 'second'} line, {self.split} split: "
            f"{len(self.scans)} scans"
        ]
        for condition, by_method in self.scores.items():
            white, lines = CONDITIONS[condition]
            blocks.append(
                f"**{condition}** (white noise {white:.1%} and line offsets {lines:.1%} of the "
                f"range); gains are over bicubic of the square scan of the same time."
            )
            blocks.append(table(by_method, REFERENCE).rstrip())
        return "\n\n".join(blocks)

    def losses(self) -> str:
        """Return the scans without noise on which the network lost to the square scan."""
        scores = self.scores["clean"]
        gains = [a.psnr - b.psnr for a, b in zip(scores[OURS], scores[REFERENCE], strict=True)]
        lost = [
            f"{scan.sample} ({gain:+.2f} dB)"
            for scan, gain in zip(self.scans, gains, strict=True)
            if gain <= 0
        ]
        return "; ".join(lost) or "none"


def line_card(
    judged: Sequence[JudgedLines],
    trained: Sequence[Scan],
    data: Path,
    recipes: Mapping[Scale, Mapping[str, object]],
) -> str:
    """Return the model card as Markdown.

    Parameters
    ----------
    judged : sequence of JudgedLines
        On every split, at every scale.
    trained : sequence of Scan
        What was trained on.
    data : Path
        Folder with the shipped weights.
    recipes : mapping of Scale to mapping
        Of the trainings, as written by them.
    """
    from safetensors.numpy import load_file

    weights = {scale: load_file(data / f"{NAMES[scale]}.safetensors") for scale in recipes}
    sizes = " and ".join(
        f"{sum(values.size for values in one.values()):,} (lines x{scale.rows})"
        for scale, one in weights.items()
    )
    hashes = "\n".join(
        f"- `{name}`: SHA-256 `{hashlib.sha256((data / name).read_bytes()).hexdigest()}`"
        for scale in recipes
        for name in (f"{NAMES[scale]}.onnx", f"{NAMES[scale]}.safetensors")
    )
    made_by = "\n\n".join(
        f"```json\n{json.dumps(recipe, indent=1)}\n```" for recipe in recipes.values()
    )
    lost = "\n".join(f"  - lines x{one.scale.rows}, {one.split}: {one.losses()}" for one in judged)
    shift = max(
        float(np.median([np.hypot(*score.shift) for score in scores[OURS]]))
        for one in judged
        for scores in one.scores.values()
    )
    return f"""# Model card: afm for line scans

The networks that `afm` uses for scans of which every point of a line was measured and only lines
are missing, such as 512 x 128 pixels on a square. {sizes} parameters. They are the
[default network](afm.md) but for the first filters, which take the points of a line together that
make a square (four, or two), and the last, which make the lines between. They add to cubic
interpolation across the lines. No layer has a bias and the first filters have no mean, so a change
of datum or unit changes nothing but the datum and unit of the result. MIT licence.

{hashes}

This page is written by `python -m training card --lines`.

## Use

To upscale scans whose pixels are four times, or twice, as long across the lines as along them, to
square pixels. A line takes the same time however many points it has (in contact and tapping mode),
so such a scan costs the time of a square one with as many lines.

## Limits

- What lies between two lines was not measured; the network fills in what is usual on the samples
  it knows. Check what matters with a zoom scan.
- A particle that only one line crosses looks like a scar, and may be flattened like one. So may
  ridges that run nearly along the lines and are as thin as lines are apart: on 1 of 56 simulated
  scans (a membrane, `afmsr simulate --preset ideal --seed 23 --low 512x128`) the error was half as
  large again as that of cubic interpolation between the lines.
- It moves features by up to {shift:.3f} px in the median, best fit.
- Trained on {len(trained)} fields of {len({scan.sample for scan in trained})} samples, of heights
  only. It lost to bicubic of the square scan of the same time, without noise, on:
{lost}

## Scores

Of every real scan, every fourth (or second) line was taken, with all of its points; for the square
scan, also every fourth (or second) pixel, over a dwell of half of it. Both lines next to the middle
were taken in turn, and scores averaged. Every result was moved by the known offset of that line
before it was compared. PSNR peak and SSIM data range: the range of the truth. A border of {BORDER}
pixels is not scored. Noise is per pixel and of the same size in both kinds of scan. Error of Sq:
median. Shift: median best-fit shift in pixels of the result. 95 %: bootstrap over scans.
`python -m training score --scale 1x4` prints the same.

{(chr(10) * 2).join(one.as_markdown() for one in judged)}

## Training

As that of the [default network](afm.md), whose body they started from, on the scans of two splits:

{made_by}

Set aside and never trained on, for calibration: {"; ".join(sorted(SET_ASIDE))}.

Trained on scans under permissive licences only, with thanks to those who published them:

{credits_of(trained)}
"""
