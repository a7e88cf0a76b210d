"""Scores as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.score import Score

REFERENCE = "bicubic"
HEADER = (
    "| method | PSNR, dB | gain over bicubic: mean [95 %] | median | wins | SSIM gain "
    "| sharpness | error of Sq | shift, px |\n|---|---|---|---|---|---|---|---|---|\n"
)
SEED = 0
RESAMPLES = 10_000


def table(scores: Mapping[str, Sequence[Score]], reference: str = REFERENCE) -> str:
    """Return a Markdown table of the scores of one condition.

    Parameters
    ----------
    scores : mapping of str to sequence of Score
        From :func:`training.score.score`, `reference` among them.
    reference : str
        What gains are over.
    """
    return HEADER + "".join(_row(name, scores, reference) for name in scores)


def gains(scans: Sequence[str], scores: Mapping[str, Sequence[Score]]) -> str:
    """Return a Markdown table of what every method gains over bicubic on every scan, in dB.

    Parameters
    ----------
    scans : sequence of str
        A name for each.
    scores : mapping of str to sequence of Score
        From :func:`training.score.score`, bicubic among them.
    """
    others = [name for name in scores if name != REFERENCE]
    rows = [f"| scan | {' | '.join(others)} |", "|---|" + "---|" * len(others)]
    for index, scan in enumerate(scans):
        over = scores[REFERENCE][index].psnr
        told = (f"{scores[name][index].psnr - over:+.2f}" for name in others)
        rows.append(f"| {scan} | {' | '.join(told)} |")
    return "\n".join(rows) + "\n"


def wins(scores: Mapping[str, Sequence[Score]], name: str) -> float:
    """Return the share of scans on which `name` beats every interpolation in PSNR."""
    rivals = [scores[rival] for rival in ("bilinear", "bicubic", "lanczos4")]
    beaten = [
        ours.psnr > max(theirs.psnr for theirs in others)
        for ours, *others in zip(scores[name], *rivals, strict=True)
    ]
    return float(np.mean(beaten))


def _row(name: str, scores: Mapping[str, Sequence[Score]], over: str) -> str:
    ours, reference = scores[name], scores[over]
    gain = np.array([a.psnr - b.psnr for a, b in zip(ours, reference, strict=True)])
    ssim = np.mean([a.ssim - b.ssim for a, b in zip(ours, reference, strict=True)])
    low, high = _interval(gain)
    shift = np.median([np.hypot(*score.shift) for score in ours])
    return (
        f"| {name} | {np.mean([s.psnr for s in ours]):.2f} "
        f"| {gain.mean():+.2f} [{low:+.2f}, {high:+.2f}] | {np.median(gain):+.2f} "
        f"| {np.mean(gain > 0):.0%} | {ssim:+.4f} "
        f"| {np.mean([s.sharpness for s in ours]):+.2f} "
        f"| {np.median([abs(s.sq - 1) for s in ours]):.1%} | {shift:.3f} |\n"
    )


def _interval(gain: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over scans."""
    rng = np.random.default_rng(SEED)
    means = rng.choice(gain, (RESAMPLES, gain.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
