"""Invented and missing features, per method, on real scans of the dev split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.trust.detail import Detail, compare_detail
from afmsr_core.trust.noise import noise_of
from benchmarks.markdown import table
from benchmarks.trust.cases import CONDITIONS, Case, Field, Method, cases
from training import corpus

METHODS = ("bicubic", "lanczos4", "afm")


def compared(case: Case, result: Field) -> Detail:
    """Compare a registered result with the truth, by the noise of both scans."""
    noise, scale = noise_of(case.truth).white, case.scale
    return compare_detail(result, case.right, noise, case.noise.pixel, scale.rows, cell=scale.cell)


def invented_in(case: Case, result: Field) -> tuple[Any, Any]:
    """Return rows and columns of every invented feature of a registered result."""
    found = compared(case, result)
    return found.result.rows[found.invented], found.result.columns[found.invented]


def detail(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the table."""
    methods = {name: Method(name) for name in METHODS}
    if "carn_m" in more:
        methods["carn_m"] = Method("carn_m", more["carn_m"])
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for case in cases(corpus.dev_scans(folder), CONDITIONS):
        for name, method in methods.items():
            found = compared(case, case.registered(method(case.coarse)))
            peak = float(np.ptp(case.right))
            rows[case.condition, name].append({**found.as_dict(), "range": peak})
    words = (
        "## Invented and missing features\n\n"
        "Hills and hollows of up to a few measured pixels, higher than five standard deviations "
        "of what the noise of both scans leaves in them. Invented: in the result, not in the full "
        "scan; missing: the other way round. Rates are means over the scans; heights are medians, "
        "in nm and in % of the range of the scan.\n\n"
    )
    columns = "condition", "method", "invented", "of all in results", "height"
    columns += "missing", "of all true ones", "height"
    told = [(condition, name, *_cells(found)) for (condition, name), found in rows.items()]
    return words + table(columns, told, words=2) + "\n"


def _cells(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield count, share and height of what is invented, and of what is missing."""
    for kind in ("invented", "missing"):
        rate = np.mean([one[f"{kind}_rate"] for one in found if one[f"{kind}_rate"] is not None])
        there = [one for one in found if one[f"{kind}_height"] is not None]
        height = np.median([one[f"{kind}_height"] for one in there]) if there else np.nan
        share = np.median([one[f"{kind}_height"] / one["range"] for one in there] or [np.nan])
        yield str(sum(one[kind] for one in found))
        yield f"{rate:.0%}"
        yield f"{height:.2g} nm ({share:.1%})"
