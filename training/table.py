"""Scores as a table to read, and the model card of the shipped network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from training.corpus import SET_ASIDE, Scan
from training.score import BORDER, CONDITIONS, Score

__all__ = ["as_json", "card", "table", "wins"]

REFERENCE = "bicubic"
HEADER = (
    "| method | PSNR, dB | gain over bicubic: mean [95 %] | median | wins | SSIM gain "
    "| sharpness | shift, px |\n|---|---|---|---|---|---|---|---|\n"
)
SEED = 0
RESAMPLES = 10_000


def table(scores: Mapping[str, Sequence[Score]]) -> str:
    """Return a Markdown table of the scores of one condition.

    Parameters
    ----------
    scores : mapping of str to sequence of Score
        From :func:`training.score.score`, bicubic among them.
    """
    return HEADER + "".join(_row(name, scores) for name in scores)


def wins(scores: Mapping[str, Sequence[Score]], name: str) -> float:
    """Return the share of scans on which `name` beats every interpolation in PSNR."""
    rivals = [scores[rival] for rival in ("bilinear", "bicubic", "lanczos4")]
    beaten = [
        ours.psnr > max(theirs.psnr for theirs in others)
        for ours, *others in zip(scores[name], *rivals, strict=True)
    ]
    return float(np.mean(beaten))


def _row(name: str, scores: Mapping[str, Sequence[Score]]) -> str:
    ours, reference = scores[name], scores[REFERENCE]
    gain = np.array([a.psnr - b.psnr for a, b in zip(ours, reference, strict=True)])
    ssim = np.mean([a.ssim - b.ssim for a, b in zip(ours, reference, strict=True)])
    low, high = _interval(gain)
    shift = np.median([np.hypot(*score.shift) for score in ours])
    return (
        f"| {name} | {np.mean([s.psnr for s in ours]):.2f} "
        f"| {gain.mean():+.2f} [{low:+.2f}, {high:+.2f}] | {np.median(gain):+.2f} "
        f"| {np.mean(gain > 0):.0%} | {ssim:+.4f} "
        f"| {np.mean([s.sharpness for s in ours]):+.2f} | {shift:.3f} |\n"
    )


def _interval(gain: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over scans."""
    rng = np.random.default_rng(SEED)
    means = rng.choice(gain, (RESAMPLES, gain.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def card(
    scores: Mapping[str, Mapping[str, Sequence[Score]]],
    quality: Mapping[str, str],
    scored: Sequence[Scan],
    trained: Sequence[Scan],
    data: Path,
    recipe: Mapping[str, object],
    parameters: int,
) -> str:
    """Return the model card as Markdown.

    Parameters
    ----------
    scores : mapping of condition to scores
        On the dev split.
    quality : mapping of condition to str
        Tables of :func:`training.quality.quality_table`.
    scored, trained : sequence of Scan
        What was scored and what was trained on.
    data : Path
        Folder with the shipped weights, for their hashes.
    recipe : mapping
        As written by the training.
    parameters : int
        Trained parameters.
    """
    hashes = "\n".join(
        f"- `{name}`: SHA-256 `{hashlib.sha256((data / name).read_bytes()).hexdigest()}`"
        for name in ("afm.onnx", "afm.safetensors")
    )
    tables = "\n\n".join(
        f"**{condition}** (white noise {CONDITIONS[condition][0]:.1%} and line offsets "
        f"{CONDITIONS[condition][1]:.1%} of the range): the network beats all three "
        f"interpolations on {wins(by_method, 'afm'):.0%} of the scans.\n\n{table(by_method)}"
        for condition, by_method in scores.items()
    )
    looks = "\n".join(f"**{condition}**\n\n{text}" for condition, text in quality.items())
    lost = _losses(scores["clean"], scored)
    credits = "\n".join(f"- {line}" for line in sorted({_credit(scan) for scan in trained}))
    aside = "; ".join(sorted(SET_ASIDE))
    samples = len({scan.sample for scan in trained})
    return f"""# Model card: afm

The default network of afmsr. {parameters:,} parameters: twelve plain residual blocks of 32
features that predict the residual over bicubic interpolation. No layer has a bias and the first
filters have no mean, so a change of datum or unit changes nothing but the datum and unit of the
result. MIT licence.

{hashes}

This page is written by `python -m training card`.

## Use

To upscale AFM height scans 4x along each axis. It was trained on scans sampled as an instrument
samples: one line per row, a dwell along the fast axis, noise, line offsets and scars. It sees
heights normalised by the scan's minimum and maximum after levelling; units do not matter to it.

## Limits

- More pixels are not more resolving power. What lies between two scan lines was not measured;
  the network fills in what is usual on the samples it knows. Check what matters with a zoom scan.
- A small particle that a single line of the coarse scan crosses looks like a scar to it and may be
  flattened, as if it were one.
- Where detail is finer than two pixels of the scan, it is aliased, and no method can undo that.
- It smooths noise a little and weakens scars, but it is not a scar remover.
- Trained on {len(trained)} fields of {samples} samples: a surface unlike all of them may gain
  nothing. On the dev split it lost to bicubic, without noise, on: {lost}.
- No other scale than 4, and no other signal than height was scored (phase, current, ...).

## Scores

Mean over {len(scored)} dev scans, one field of every good file, none of their samples trained on.
The coarse scan is every fourth line (row 1 and row 2 of 4, averaged) with a dwell of 2 pixels.
Every method's result, the interpolations' too, was moved by the known offset of that line before
it was compared. PSNR peak and SSIM data range: the range of the truth. Border of {BORDER} pixels
not scored. Sharpness: mean of ln |DFT| less that of the truth, 0 is as sharp as the truth.
Shift: median best-fit shift of the features, in pixels of the result. 95 %: bootstrap over scans.

{tables}
## Beyond fidelity

Medians over the same scans, row 1 of 4 (`python -m training quality`). Error of Sq: |Sq of the
result / Sq of the truth - 1|. PSD ratio: relief of the result over that of the truth in bands of
the Nyquist frequency of the coarse scan (0 to 1/4, 1/4 to 1/2, 1/2 to 1, beyond). NIQE: 8-bit
grey values, the patches of all scans together, 95 % by bootstrap over scans; lower is closer to
photographs. Scars left: share of the height of scars injected into the coarse scan.

{looks}
## Training

Recipe: `{json.dumps(dict(recipe))}`, Adam with cosine decay, Huber loss on the error in units of
the error that bicubic makes on that field and L1 on its slopes, averaged weights. Generated
surfaces are those of `afmsr_core.simulation`. Where a file has trace and retrace and they align
to 0.5 px, the retrace is also trained on its trace. `python -m training fit FOLDER` repeats it.

Set aside and never trained on, for calibration: {aside}.

Trained on scans under permissive licences only, with thanks to those who published them:

{credits}
"""


def _losses(scores: Mapping[str, Sequence[Score]], scans: Sequence[Scan]) -> str:
    pairs = zip(scores["afm"], scores[REFERENCE], scans, strict=True)
    lost = [
        f"{scan.sample} ({ours.psnr - theirs.psnr:+.2f} dB)"
        for ours, theirs, scan in pairs
        if ours.psnr <= theirs.psnr
    ]
    return "; ".join(lost) or "none"


def _credit(scan: Scan) -> str:
    return f"{scan.source} ({scan.licence.split(' (')[0]}): {scan.sample}"


def as_json(scores: Mapping[str, Mapping[str, Sequence[Score]]]) -> str:
    """Return every score of every scan, for machines."""
    return json.dumps(
        {
            condition: {name: [asdict(score) for score in row] for name, row in by_method.items()}
            for condition, by_method in scores.items()
        },
        indent=1,
    )
