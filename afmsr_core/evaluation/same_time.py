"""Line scans against square ones of the same scan time, on the same truth.

Line by line, a scan of 512 x 128 points takes as long as one of 128 x 128. Which of the two, with
which method, comes nearer to the truth?
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import methods, metrics, statistics
from afmsr_core.errors import AfmsrError, FieldError
from afmsr_core.evaluation.settings import EvaluationSettings
from afmsr_core.evaluation.truth import error_against
from afmsr_core.grid import FINEST
from afmsr_core.statistics.analysis import REFERENCE

__all__ = ["LINES", "SQUARE", "same_time_of"]

Record = Mapping[str, Any]
Field = NDArray[np.float64]
Scores = dict[str, dict[str, float]]  # by scan and method, as SQUARE and LINES say, and metric

SQUARE, LINES = "square", "lines"
"""Before the name of a method: which of the two scans it upscaled, as in ``"lines afm"``."""

LIKENESS = "ssim_nm"
JUDGES = ("high", "exact")
"""Among the fields of a pair: the fine scan, and, where it is known, what the tip traces."""


def same_time_of(
    records: Sequence[Record], settings: EvaluationSettings, folder: Path
) -> list[dict[str, Any]]:
    """Compare line scans with square scans of as many lines, where both have one truth.

    Parameters
    ----------
    records : sequence of mapping
        Of all pairs; those that were scored in nm count.
    settings : EvaluationSettings
        With the methods, the reference and the levels of the tests.
    folder : Path
        Of the results, with the fields: both scans are judged on the pixels that both cover.

    Returns
    -------
    list of dict
        JSON-serialisable; one entry for each data set and sizes of the two scans. ``square`` and
        ``lines``: these sizes, such as ``"512 x 128"``; ``data_set``: that of the square scans;
        ``judged``: by ``"nm"`` and, where it is known, by the ``"exact"`` surface, each with
        ``gains``, of every method on either scan over the reference on the square one
        (:class:`afmsr_core.statistics.Gains`), and ``of_methods``, of every method on the line
        scan over itself on the square one (list of :class:`afmsr_core.statistics.Gain`). Methods
        are called as `SQUARE` and `LINES` say. ``ssim``: means, by the same names. ``left_out``:
        pairs that could not be compared, and why.
    """
    if "nm" not in settings.protocols:
        return []
    groups: dict[tuple[str, str, str], list[tuple[Record, Record]]] = {}
    for square, lines in _of_one_time(records):
        key = str(square["data_set"]), _size(square), _size(lines)
        groups.setdefault(key, []).append((square, lines))
    return [
        {"data_set": key[0], "square": key[1], "lines": key[2], **_compared(two, settings, folder)}
        for key, two in groups.items()
    ]


def _of_one_time(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Yield square scan and line scan of the same truth with the same number of lines."""
    scored = [one for one in records if one["status"] == "scored" and one.get("scale")]
    square: dict[tuple[Any, ...], Record] = {}
    for one in scored:
        if one["scale"] == FINEST:
            for axis in ("yres", "xres"):
                square.setdefault((*_truth(one), axis, one["low"][axis]), one)
    for one in scored:
        if one["scale"] != FINEST:
            axis = "xres" if _sideways(one) else "yres"
            if other := square.get((*_truth(one), axis, one["low"][axis])):
                yield other, one


def _truth(record: Record) -> tuple[str, str]:
    return os.path.normpath(record["high"]["path"]), str(record["high"]["title"])


def _sideways(record: Record) -> bool:
    """Whether the lines of a line scan run down the field."""
    low = record["low"]
    return bool(low["xreal"] / low["xres"] > low["yreal"] / low["yres"])


def _size(record: Record) -> str:
    return f"{record['low']['xres']} x {record['low']['yres']}"


def _compared(
    both: Sequence[tuple[Record, Record]], settings: EvaluationSettings, folder: Path
) -> dict[str, Any]:
    scored: dict[str, Scores] = {}
    left_out: dict[str, str] = {}
    for square, lines in both:
        try:
            scored[str(lines["id"])] = _scores(square, lines, settings.methods, folder)
        except AfmsrError as error:
            left_out[str(lines["id"])] = str(error)
    judged = {"nm": _judged(scored, "high", settings)}
    if any("exact" in values for one in scored.values() for values in one.values()):
        judged["exact"] = _judged(scored, "exact", settings)
    ssim: dict[str, list[float]] = {}
    for one in scored.values():
        for name, values in one.items():
            if LIKENESS in values:
                ssim.setdefault(name, []).append(values[LIKENESS])
    means = {name: float(np.mean(values)) for name, values in ssim.items()}
    return {"judged": judged, "ssim": means, "left_out": left_out}


def _judged(
    scored: Mapping[str, Scores], error: str, settings: EvaluationSettings
) -> dict[str, Any]:
    """Return the gains by one kind of error."""
    kinds = [methods.chosen(name).kind for name in settings.methods]
    square, lines = ([f"{scan} {name}" for name in settings.methods] for scan in (SQUARE, LINES))
    names = [*square, *lines]
    errors = [[one.get(name, {}).get(error, np.nan) for name in names] for one in scored.values()]
    levels = -statistics.decibels(np.reshape(errors, (len(scored), len(names))))
    found = statistics.gains(
        levels,
        names,
        kinds * 2,
        list(scored),
        metric="rmse",
        reference=f"{SQUARE} {_reference(settings)}",
        alpha=settings.statistics.alpha,
        confidence=settings.statistics.confidence,
    )
    of_methods = statistics.gains_of_each(
        levels,
        names,
        list(scored),
        list(zip(lines, square, strict=True)),
        alpha=settings.statistics.alpha,
        confidence=settings.statistics.confidence,
    )
    return {"gains": dict(found.as_dict()), "of_methods": [dict(g.as_dict()) for g in of_methods]}


def _reference(settings: EvaluationSettings) -> str:
    names = settings.methods
    plain = [name for name in names if methods.chosen(name).kind == "interpolation"]
    choices = (settings.statistics.reference, REFERENCE, *plain, *names)
    return next(name for name in choices if name in names)


def _scores(square: Record, lines: Record, names: Sequence[str], folder: Path) -> Scores:
    """Return the errors and SSIM of every method on both scans, on the pixels that both measured.

    Tilt and bow are no part of an error: every scan has its own, so they would decide which of two
    scans is better, though they say nothing of how these were taken.

    Raises
    ------
    FieldError
        If they cover none together, or the fields are gone.
    """
    corners = [_corners(one["crop"]) for one in (square, lines)]
    (top, left), (bottom, right) = np.max(corners, axis=0)[0], np.min(corners, axis=0)[1]
    if bottom <= top or right <= left:
        raise FieldError("the two scans show no part of the truth together; drop one of them")
    shown: dict[str, dict[str, Field]] = {}
    for scan, record in ((SQUARE, square), (LINES, lines)):
        first = _corners(record["crop"])[0]
        window = np.s_[top - first[0] : bottom - first[0], left - first[1] : right - first[1]]
        fields = _fields(folder, record)
        pixel = (fields["pixel_size"][0], fields["pixel_size"][1])
        judged = {name: fields[name] for name in (*names, *JUDGES) if name in fields}
        shown[scan] = {name: field[window] for name, field in judged.items()}
    every = [field for fields in shown.values() for field in fields.values()]
    measured = np.isfinite(every).all(axis=0)
    found: Scores = {}
    for scan, fields in shown.items():
        truths = {
            judge: np.where(measured, fields[judge], np.nan) for judge in JUDGES if judge in fields
        }
        for name in filter(fields.__contains__, names):
            result = fields[name]
            values = {judge: error_against(result, truth) for judge, truth in truths.items()}
            told = metrics.evaluate(result, truths["high"], pixel, "nm", only={LIKENESS})
            if (alike := told[LIKENESS].value) is not None:
                values[LIKENESS] = alike
            found[f"{scan} {name}"] = values
    return found


def _corners(crop: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    top, left, height, width = crop
    return (top, left), (top + height, left + width)


def _fields(folder: Path, record: Record) -> dict[str, Field]:
    path = folder / str(record["fields"])
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise FieldError(f"{path.name}: cannot be read ({error}); run afmsr-eval again") from error
