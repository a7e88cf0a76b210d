"""NIQE of photographs and of AFM scans: which of them predicts the true error?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import stats

from afmsr_cli.fit_niqe import write_model
from afmsr_core.errors import FieldError
from afmsr_core.metrics.niqe import Model, read_model
from afmsr_core.metrics.niqe import niqe as score
from afmsr_core.normalisation import Normalisation, to_8bit
from benchmarks.markdown import table
from benchmarks.trust.cases import CONDITIONS, Field, Method, cases
from training import corpus

METHODS = ("bilinear", "bicubic", "lanczos4", "afm")


def niqe(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the table."""
    fields = [s.levelled for s in corpus.training_scans(folder) if s.quality == "good"]
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "afm.npz"
        patches = write_model(fields, target, force=True)
        models = {"AFM scans": read_model(target)}
    if "niqe" in more:
        models["photographs"] = read_model(more["niqe"])
    methods = {name: Method(name) for name in METHODS}
    if "carn_m" in more:
        methods["carn_m"] = Method("carn_m", more["carn_m"])
    values: dict[str, list[list[float]]] = {name: [] for name in models}
    errors: list[list[float]] = []
    for case in cases(corpus.dev_scans(folder), CONDITIONS):
        results = [case.registered(method(case.coarse)) for method in methods.values()]
        spread = float(np.std(case.right))
        errors.append([float(np.sqrt(np.mean((r - case.right) ** 2))) / spread for r in results])
        for name, model in models.items():
            values[name].append([_value(result, model) for result in results])
    words = (
        "## NIQE as a predictor of the true error\n\n"
        f"Fitted to {patches} patches of {len(fields)} good permissive scans of the train split. "
        f"{len(errors)} coarse scans of the dev split. Spearman's correlation of NIQE with the "
        "root mean square error over Sq; 1 would be a perfect predictor, 0 none.\n\n"
    )
    columns = "NIQE of", "across scans, default network"
    columns += (f"within a scan, across {len(methods)} methods (mean)",)
    rows = []
    ours = list(methods).index("afm")
    for name, found in values.items():
        pairs = [(v[ours], e[ours]) for v, e in zip(found, errors, strict=True)]
        known = np.array([pair for pair in pairs if np.isfinite(pair).all()])
        across = stats.spearmanr(known[:, 0], known[:, 1]).statistic
        within = [
            stats.spearmanr(v, e).statistic
            for v, e in zip(found, errors, strict=True)
            if np.isfinite(v).all()
        ]
        rows.append((name, f"{across:+.2f}", f"{np.nanmean(within):+.2f}"))
    return words + table(columns, rows) + "\n"


def _value(result: Field, model: Model) -> float:
    grey = to_8bit(Normalisation.of(result).apply(result)).astype(np.float64)
    try:
        return score(grey, model).value
    except FieldError:
        return float("nan")
