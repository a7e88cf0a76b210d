"""What a results folder holds, read with patience: whatever is missing is empty, not an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import CorruptFileError, UnreadableFileError, UnsupportedContentError

__all__ = [
    "PROTOCOLS",
    "Fields",
    "Floats",
    "Metric",
    "Record",
    "Results",
    "Score",
    "of_lines",
    "read_results",
    "slug",
    "unique_slugs",
]

Floats = NDArray[np.float64]
Record = Mapping[str, Any]

FORMAT = 1
"""Of `results.json`; another one means other fields."""

PROTOCOLS: Mapping[str, str] = {"nm": "heights in nm", "paper": "8-bit grey values, the paper's"}
"""Protocols in the order of the report."""

SQUARES, UNNAMED = "square scans", "without a name"
"""What the pairs of no data set are called beside line scans, and beside other data sets."""


@dataclass(frozen=True)
class Metric:
    """A metric as the report prints it.

    Attributes
    ----------
    of_heights : bool
        Whether its values are in the unit of the heights. They range over decades with the relief
        of the pairs, so over several pairs they are told as ratios, see `Results.ratios`.
    """

    name: str
    label: str
    unit: str
    lower_is_better: bool | None
    protocol: str
    summary: str
    source: str
    ideal: float | None = None
    of_heights: bool = False

    @property
    def title(self) -> str:
        """Label with unit, for axes."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def arrow(self) -> str:
        """In which direction better is, or where the best value lies."""
        if self.lower_is_better is None:
            return "" if self.ideal is None else f"→\u00a0{self.ideal:g}"
        return "↓" if self.lower_is_better else "↑"


@dataclass(frozen=True)
class Score:
    """One value, or the reason why there is none."""

    value: float | None
    reason: str
    details: Record


@dataclass(frozen=True)
class Fields:
    """Aligned fields of a pair, in nm, all over the same pixels.

    Attributes
    ----------
    low, truth : ndarray, shape (yres, xres)
        The low-resolution scan, enlarged by repeating its pixels, and the high-resolution scan.
    of_methods : dict of str to ndarray
        Results by name of the method.
    pixel_size : tuple of float
        Height and width of a pixel in nm.
    half_width : ndarray or None
        Of the interval of the calibrated method.
    """

    low: Floats | None
    truth: Floats
    of_methods: Mapping[str, Floats]
    pixel_size: tuple[float, float]
    half_width: Floats | None = None


@dataclass(frozen=True, eq=False)
class Results:
    """The contents of ``results.json`` and the way to the fields beside it."""

    folder: Path
    raw: Record

    def records(self, key: str) -> list[Record]:
        """Return the list of records called `key`; empty if there is none."""
        found = self.raw.get(key)
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @cached_property
    def methods(self) -> list[Record]:
        """Every method, those that did not run too."""
        return self.records("methods")

    @cached_property
    def ran(self) -> list[str]:
        """Names of the methods that ran, in their order."""
        return [one["name"] for one in self.methods if one.get("run", True)]

    @cached_property
    def networks(self) -> list[str]:
        """Names of those among them that are networks."""
        kinds = {one["name"]: one.get("kind") for one in self.methods}
        return [name for name in self.ran if kinds[name] == "network"]

    @cached_property
    def labels(self) -> dict[str, str]:
        """Label of every method."""
        return {one["name"]: str(one.get("label") or one["name"]) for one in self.methods}

    def label(self, method: str) -> str:
        """Return the label of a method, or its name where it has none."""
        return self.labels.get(method, method)

    @cached_property
    def pairs(self) -> list[Record]:
        """All pairs, in their order."""
        return self.records("pairs")

    @cached_property
    def data_sets(self) -> list[str]:
        """Names of the data sets, in the order of the pairs."""
        return list(dict.fromkeys(str(pair.get("data_set") or "") for pair in self.pairs))

    def slug(self, start: str, data_set: str, *more: str) -> str:
        """Return the name of a file of a data set; no two data sets share one."""
        return slug(start, unique_slugs(self.data_sets)[data_set] if data_set else "", *more)

    def called(self, data_set: str) -> str:
        """Return what a data set is called; empty if there is but one, without a name."""
        if data_set or not any(self.data_sets):
            return data_set
        if any(map(of_lines, self.pairs)) and not any(map(of_lines, self.pairs_of(""))):
            return SQUARES
        return UNNAMED

    def of(self, data_set: str) -> str:
        """Return the end of a caption on a data set; empty where sets have no names."""
        return f", {name}" if (name := self.called(data_set)) else ""

    def pairs_of(self, data_set: str, status: str | None = "scored") -> list[Record]:
        """Return the pairs of a data set, by default those that were scored."""
        return [
            pair
            for pair in self.pairs
            if str(pair.get("data_set") or "") == data_set and status in (None, pair.get("status"))
        ]

    @cached_property
    def protocols(self) -> list[str]:
        """Protocols with scores."""
        scored = [pair.get("scores") or {} for pair in self.pairs]
        return [name for name in PROTOCOLS if any(name in one for one in scored)]

    def metrics(self, protocol: str) -> list[Metric]:
        """Return the metrics of a protocol, in their order."""
        found = []
        for one in self.records("metrics"):
            if one.get("protocol") == protocol:
                unit = str(one.get("unit") or "")
                found.append(
                    Metric(
                        name=one["name"],
                        label=str(one.get("label") or one["name"]),
                        unit=self.height_unit if unit == "height" else unit,
                        lower_is_better=one.get("lower_is_better"),
                        protocol=protocol,
                        summary=str(one.get("summary") or ""),
                        source=str(one.get("source") or ""),
                        ideal=one.get("ideal"),
                        of_heights=unit == "height",
                    )
                )
        return found

    @cached_property
    def height_unit(self) -> str:
        """Unit of the values of all scored pairs, which an evaluation has alike."""
        scans = [pair.get("high") or {} for pair in self.pairs if pair.get("status") == "scored"]
        return str(scans[0].get("unit", "nm")) if scans else "nm"

    def scale(self, protocol: str) -> str:
        """Return in what the values of a protocol are, for captions."""
        if protocol != "nm" or self.height_unit == "nm":
            return PROTOCOLS[protocol]
        return f"values in {self.height_unit}" if self.height_unit else "values without unit"

    def score(self, pair: Record, protocol: str, method: str, metric: str) -> Score:
        """Return one score of a pair."""
        of_method = ((pair.get("scores") or {}).get(protocol) or {}).get(method)
        if of_method is None:
            return Score(None, "the method gave no result for this pair", {})
        found = of_method.get(metric)
        if found is None:
            return Score(None, "not computed", {})
        value = found.get("value")
        number = None if value is None or not math.isfinite(value) else float(value)
        return Score(number, str(found.get("reason") or ""), found.get("details") or {})

    def values(self, data_set: str, protocol: str, method: str, metric: str) -> Floats:
        """Return the scores of a method on a data set, those that there are."""
        scores = (self.score(p, protocol, method, metric) for p in self.pairs_of(data_set))
        return np.array([one.value for one in scores if one.value is not None], dtype=np.float64)

    @cached_property
    def reference(self) -> str:
        """Name of the method that the others are compared with; empty if no method ran."""
        asked = self.setting("statistics", "reference", default=None)
        plain = (name for name in self.ran if name not in self.networks)
        choices = (asked, "bicubic", *plain, *self.ran)
        return next((str(name) for name in choices if name in self.ran), "")

    def ratios(self, data_set: str, protocol: str, method: str, metric: str) -> Floats:
        """Return the errors of a method over those of the reference, on the pairs with both."""
        found = []
        for pair in self.pairs_of(data_set):
            one, other = (
                self.score(pair, protocol, name, metric).value for name in (method, self.reference)
            )
            if one and other:  # neither absent nor zero
                found.append(abs(one / other))
        return np.array(found, dtype=np.float64)

    def analysis(self, data_set: str, protocol: str, metric: str) -> Record | None:
        """Return the analysis of a metric, or None."""
        found = self.raw.get("analyses") or {}
        for key in (protocol, data_set, metric):
            found = found.get(key) or {}
        return found or None

    def analyses(self, data_set: str, protocol: str) -> Iterator[tuple[Metric, Record]]:
        """Return the metrics that were analysed, with their analyses.

        Those that were compared as ratios have the unit of these, dB.
        """
        for metric in self.metrics(protocol):
            found = self.analysis(data_set, protocol, metric.name)
            if found is not None:
                yield replace(metric, unit="dB") if found.get("ratio") else metric, found

    def fields(self, pair: Record) -> Fields | None:
        """Return the fields of a pair, or None if they were not kept."""
        path = pair.get("fields")
        if not path or not (self.folder / path).is_file():
            return None
        try:
            with np.load(self.folder / path, allow_pickle=False) as file:
                arrays = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
        except (OSError, ValueError, EOFError):
            return None
        truth = arrays.get("high")
        if truth is None or truth.ndim != 2 or truth.size == 0:
            return None
        same = {name: array for name, array in arrays.items() if array.shape == truth.shape}
        sides = np.broadcast_to(arrays.get("pixel_size", np.ones(2)), 2)
        return Fields(
            low=same.get("low"),
            truth=truth,
            of_methods={name: same[name] for name in self.ran if name in same},
            pixel_size=(float(sides[0]), float(sides[1])),
            half_width=same.get("half_width"),
        )

    def setting(self, *keys: str, default: Any) -> Any:
        """Return a resolved setting, or `default` where it was not written."""
        found = self.raw.get("settings")
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return default if found is None else found


def read_results(folder: Path) -> Results:
    """Read the contents of a results folder.

    Parameters
    ----------
    folder : Path
        Holds ``results.json`` and the folder ``pairs``.

    Raises
    ------
    UnreadableFileError, CorruptFileError, UnsupportedContentError
        If ``results.json`` is absent, damaged, or of another format.
    """
    path = folder / "results.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFileError(
            f"{path}: cannot be read ({error.strerror}); give a folder that afmsr-eval wrote"
        ) from error
    except ValueError as error:
        raise CorruptFileError(
            f"{path}: is no JSON ({error}); run afmsr-eval again, it keeps what is finished"
        ) from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise UnsupportedContentError(
            f"{path}: has the format {found!r}, this version reads {FORMAT}; run afmsr-eval again"
        )
    return Results(folder, raw)


def of_lines(pair: Record) -> bool:
    """Return whether the coarse scan of a pair is a line scan."""
    return isinstance(pair.get("scale"), str)


def slug(*words: str) -> str:
    """Return words as one part of a file name.

    Examples
    --------
    >>> slug("Celgard 2400", "p/01", "psnr")
    'celgard-2400-p-01-psnr'
    """
    plain = (re.sub(r"[^a-z0-9_]+", "-", word.lower()).strip("-") for word in words)
    return "-".join(filter(None, plain)) or "all"


def unique_slugs(names: Sequence[str]) -> dict[str, str]:
    """Return a slug for every name, no two alike.

    Examples
    --------
    >>> unique_slugs(["a/1", "a-1", "b"])
    {'a/1': 'a-1', 'a-1': 'a-1-2', 'b': 'b'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = candidate = slug(name)
        count = 1
        while candidate in taken:
            count += 1
            candidate = f"{base}-{count}"
        taken.add(candidate)
        found[name] = candidate
    return found
