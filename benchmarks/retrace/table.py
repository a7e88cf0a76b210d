"""Scores as tables: one row a method, one row a scan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from afmsr_core.grid import LINES_X4, SQUARE
from afmsr_core.methods import get
from afmsr_core.methods.registry import Kind
from afmsr_core.statistics import Scores, compare
from benchmarks.markdown import table
from benchmarks.retrace.score import CEILING, LINES, Outcome, scale_of

REFERENCE = "bicubic"
COLUMNS = (
    *("method", "PSNR, dB", "gain over bicubic, dB: mean [95 %]", "median", "wins", "SSIM"),
    *("RMSE, nm", "RMSE / bicubic", "Sq bias", "Sdq bias", "sharpness"),
)
SIZES = {SQUARE: "128 x 128", LINES_X4: "512 x 128"}
BETWEEN_LINES = {
    f"{LINES}bilinear": "linear between lines",
    f"{LINES}bicubic": "cubic between lines",
}
SAME_TIME = (
    *("from the same scan time", "PSNR gain over bicubic of 128 x 128, dB: mean [95 %]"),
    *("median", "wins", "SSIM gain"),
)
NOTE = (
    "PSNR, gain, SSIM and sharpness are means over scans; RMSE and the biases of Sq and Sdq are "
    "medians; RMSE / bicubic is a geometric mean. 95 %: bootstrap over samples."
)


def summarise(outcomes: Sequence[Outcome], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row of numbers for every method and for the ceiling.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Dropped pairs are left out.
    methods : sequence of str
        Which, `REFERENCE` among them.

    Returns
    -------
    list of dict
        ``gain`` with ``ci_low`` and ``ci_high`` (bootstrap over samples, None below 5 samples),
        ``median``, ``wins``; means of PSNR, SSIM and sharpness; medians of RMSE and of the biases
        of Sq and Sdq, because heights range from 0.1 nm to micrometres; ``rmse_ratio``: geometric
        mean of the RMSE over the reference's.
    """
    scored = [one for one in outcomes if one.scores]
    if not scored:
        return []
    names = [*methods, CEILING]
    psnr = np.array([[one.scores[name]["psnr"] for name in names] for one in scored])
    scores = Scores(
        psnr,
        names,
        ["network" if name == CEILING else kind_of(name) for name in names],
        higher_is_better=True,
        metric="psnr_nm",
        unit="dB",
        images=[one.pair.id for one in scored],
        clusters=[one.pair.sample for one in scored],
    )
    others = [name for name in names if name != REFERENCE]
    compared = {c.method: c for c in compare(scores, [(name, REFERENCE) for name in others])}
    rows = []
    for column, name in enumerate(names):
        row: dict[str, Any] = {"method": name, "scans": len(scored), "psnr": psnr[:, column].mean()}
        row |= {metric: _of(scored, name, metric).mean() for metric in ("ssim", "sharpness")}
        row |= {
            metric: float(np.median(_of(scored, name, metric))) for metric in ("rmse", "sq", "sdq")
        }
        ratio = _of(scored, name, "rmse") / _of(scored, REFERENCE, "rmse")
        row["rmse_ratio"] = float(np.exp(np.log(ratio).mean()))
        if name in compared:
            one = compared[name]
            gain = psnr[:, column] - psnr[:, names.index(REFERENCE)]
            row |= {"gain": one.difference, "ci_low": one.ci_low, "ci_high": one.ci_high}
            row |= {"median": float(np.median(gain)), "wins": one.wins, "samples": one.units}
        rows.append({key: _plain(value) for key, value in row.items()})
    return rows


def kind_of(name: str) -> Kind:
    """Return of what kind a method is, on whichever scan."""
    return get(name.removeprefix(LINES)).kind


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows of :func:`summarise` as a Markdown table."""
    return table(COLUMNS, map(_cells, rows)) + "\n"


def same_time(rows: Sequence[dict[str, Any]]) -> str:
    """Return what a scan of the same time gives, square or of all pixels of its lines, as Markdown.

    `rows` are those of :func:`summarise`. Sizes are those for a truth of 512 x 512.
    """
    base = next(row for row in rows if row["method"] == REFERENCE)
    told = []
    for row in rows:
        name = row["method"]
        if name not in (REFERENCE, CEILING):
            size = SIZES[scale_of(name)]
            shown = f"{size}, {BETWEEN_LINES.get(name) or name.removeprefix(LINES)}"
            *_, gain, median, wins, _ = _cells(row)[:6]
            told.append((shown, gain, median, wins, f"{row['ssim'] - base['ssim']:+.3f}"))
    return table(SAME_TIME, told) + "\n"


def per_scan(outcomes: Sequence[Outcome], methods: Sequence[str]) -> str:
    """Return bicubic's PSNR and every gain over it, a row a scan, as a Markdown table."""
    others = [name for name in (*methods, CEILING) if name != REFERENCE]
    rows = []
    for one in outcomes:
        if one.scores:
            base = one.scores[REFERENCE]["psnr"]
            gains = [f"{one.scores[name]['psnr'] - base:+.2f}" for name in others]
            residual = f"{one.alignment['residual_px']:.2f}"
            rows.append((one.pair.name, one.pair.sample, residual, f"{base:.2f}", *gains))
    columns = "scan", "sample", "residual, px", f"{REFERENCE}, dB", *others
    return table(columns, rows, words=2) + "\n"


def dropped(outcomes: Sequence[Outcome]) -> str:
    """Return the pairs that were not scored, and why, as a Markdown list."""
    lines = [f"- {o.pair.name} ({o.pair.sample}): {o.reason}\n" for o in outcomes if o.reason]
    return "".join(lines) or "None was dropped.\n"


def _of(outcomes: Sequence[Outcome], name: str, metric: str) -> np.ndarray:
    return np.array([one.scores[name][metric] for one in outcomes])


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    gain, median, wins = "0", "0", ""
    if "gain" in row:
        gain = f"{row['gain']:+.2f}"
        if row["ci_low"] is not None:
            gain += f" [{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]"
        median, wins = f"{row['median']:+.2f}", f"{row['wins']:.0%}"
    name = "*full-resolution retrace*" if row["method"] == CEILING else row["method"]
    return (
        *(name, f"{row['psnr']:.2f}", gain, median, wins, f"{row['ssim']:.3f}"),
        *(f"{row['rmse']:.3g}", f"{row['rmse_ratio']:.3f}", _percent(row["sq"])),
        *(_percent(row["sdq"]), f"{row['sharpness']:+.2f}"),
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"
