"""The tables of docs/developers/trust_measured.md, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.trust.coarse import coarse
from benchmarks.trust.detail import detail
from benchmarks.trust.grains import grains
from benchmarks.trust.intervals import intervals
from benchmarks.trust.natural import niqe
from benchmarks.trust.noisy import noise
from benchmarks.trust.plan import plan
from benchmarks.trust.planted import planted
from benchmarks.trust.quality import quality
from benchmarks.trust.second import second

TABLES: dict[str, Callable[[Path, Mapping[str, Path]], str]] = {
    "noise": noise,
    "coarse": coarse,
    "plan": plan,
    "intervals": intervals,
    "second": second,
    "detail": detail,
    "planted": planted,
    "niqe": niqe,
    "grains": grains,
    "quality": quality,
}
"""From the folder of the corpus, and files that are not ours, to Markdown."""
