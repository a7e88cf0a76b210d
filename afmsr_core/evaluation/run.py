"""A folder of results: written pair by pair, taken up again, and put together at the end."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core import __version__, methods, metrics, statistics
from afmsr_core.errors import AfmsrError, MissingExtraError, MissingWeightsError, WeightsError
from afmsr_core.evaluation.pair import Evaluator, Outcome
from afmsr_core.evaluation.settings import EvaluationSettings
from afmsr_core.io.atomic import writing
from afmsr_core.methods.weights import locate
from afmsr_core.pairing import Pair

__all__ = ["collect", "keep", "key_of", "methods_at_hand", "outcome_of", "outdated", "runs"]

FORMAT = 1
PACKAGES = ("numpy", "scipy", "opencv-python", "scikit-image", "onnxruntime", "torch", "torchsr")


def methods_at_hand(
    names: Iterable[str], weights: Mapping[str, Path] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the methods that can run here, and why the others cannot, with the cure."""
    ready, missing = [], {}
    for name in names:
        try:
            runs(name, (weights or {}).get(name))
        except (MissingExtraError, MissingWeightsError, WeightsError) as error:
            missing[name] = str(error)
        else:
            ready.append(name)
    return ready, missing


def runs(name: str, weights: Path | None = None) -> None:
    """Raise if a method cannot run here; the message holds the cure.

    Looks only, and loads nothing: torch alone takes seconds.
    """
    method = methods.get(name)
    if not isinstance(method, methods.Network):
        return
    if method.extra and importlib.util.find_spec(method.extra) is None:
        raise MissingExtraError(f"{name}: pip install 'afmsr[{method.extra}]'")
    locate(method, weights)


def key_of(pair: Pair, settings: EvaluationSettings) -> str:
    """Return a hash of all that decides the scores of a pair: files, settings, versions."""
    digest = hashlib.sha256()
    for path in (pair.low, pair.high):
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    decides = {
        "pair": {"id": pair.id, "data_set": pair.data_set, "channel": pair.channel},
        "settings": settings.scoring(),
        "versions": _versions(),
        "weights": {name: _weights_hash(name, settings) for name in settings.methods},
    }
    digest.update(json.dumps(decides, sort_keys=True).encode())
    return digest.hexdigest()


def outdated(pair: Pair, settings: EvaluationSettings, folder: Path) -> bool:
    """Return whether a pair has no outcome in `folder`, or one of other files or settings."""
    try:
        record = json.loads(_record_path(folder, pair).read_text(encoding="utf-8"))
        return bool(record["key"] != key_of(pair, settings))
    except (OSError, ValueError, KeyError):
        return True


def outcome_of(
    pair: Pair,
    evaluator: Evaluator,
    folder: Path,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Evaluate a pair and keep what came of it in `folder`; return its record."""
    return keep(pair, evaluator(pair, progress), evaluator.settings, folder)


def keep(
    pair: Pair, outcome: Outcome, settings: EvaluationSettings, folder: Path
) -> dict[str, Any]:
    """Write an outcome, the fields before the record, so that a record means it is all there."""
    target = _record_path(folder, pair)
    target.parent.mkdir(parents=True, exist_ok=True)
    record = dict(outcome.record)
    if outcome.fields:
        fields = target.with_suffix(".npz")
        with writing(fields, force=True) as file:
            np.savez_compressed(file, allow_pickle=False, **outcome.fields)
        record["fields"] = str(fields.relative_to(folder).as_posix())
    try:
        record["key"] = key_of(pair, settings)
    except OSError:
        record["key"] = ""
    with writing(target, force=True) as file:
        file.write(json.dumps(statistics.plain(record), indent=1).encode())
    return record


def collect(
    pairs: Sequence[Pair],
    settings: EvaluationSettings,
    folder: Path,
    not_run: Mapping[str, str],
    unpaired: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Put the records of all pairs together, test them, and write ``results.json``.

    Parameters
    ----------
    pairs : sequence of Pair
        In the order of the report.
    settings : EvaluationSettings
        As they were evaluated.
    folder : Path
        Of the results.
    not_run : mapping of str to str
        Methods that were not run, and why.
    unpaired : sequence of mapping
        Files without a partner, each ``path`` and ``reason``.

    Returns
    -------
    dict
        What ``results.json`` holds.
    """
    records = [
        json.loads(_record_path(folder, pair).read_text(encoding="utf-8"))
        for pair in pairs
        if _record_path(folder, pair).exists()
    ]
    result = {
        "format": FORMAT,
        "afmsr": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": _versions(),
        "settings": settings.as_dict(),
        "methods": [_method(name, settings, not_run) for name in methods.names()],
        "metrics": [_metric(name) for name in metrics.names()],
        "pairs": records,
        "unpaired": list(unpaired),
        "analyses": _analyses(records, settings),
    }
    result = statistics.plain(result)
    with writing(folder / "results.json", force=True) as file:
        file.write(json.dumps(result, indent=1).encode())
    return result


def _analyses(records: Sequence[Mapping[str, Any]], settings: EvaluationSettings) -> dict[str, Any]:
    scored = [record for record in records if record["status"] == "scored"]
    analyses: dict[str, Any] = {}
    for protocol in settings.protocols:
        analyses[protocol] = {}
        for data_set in dict.fromkeys(record["data_set"] for record in scored):
            rows = [r for r in scored if r["data_set"] == data_set]
            analyses[protocol][data_set] = {
                metric: _analysis(rows, protocol, data_set, metric, settings)
                for metric in metrics.names(protocol)
            }
    return analyses


def _analysis(
    rows: Sequence[Mapping[str, Any]],
    protocol: str,
    data_set: str,
    metric: str,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    descriptor = metrics.get(metric)
    values = np.array(
        [
            [row["scores"][protocol][name][metric]["value"] for name in settings.methods]
            for row in rows
        ],
        dtype=np.float64,  # None becomes NaN: not computed
    )
    kinds = [methods.get(name).kind for name in settings.methods]
    scores = statistics.Scores(
        values,
        settings.methods,
        kinds,
        higher_is_better=descriptor.lower_is_better is False,
        metric=metric,
        data_set=data_set,
        unit=descriptor.unit,
        images=[row["id"] for row in rows],
    )
    try:
        return dict(statistics.plain(statistics.analyse(scores, settings.statistics)))
    except AfmsrError as error:
        return {"metric": metric, "data_set": data_set, "failed": str(error)}


def _method(name: str, settings: EvaluationSettings, not_run: Mapping[str, str]) -> dict[str, Any]:
    method = methods.get(name)
    return {
        "name": name,
        "label": method.label,
        "kind": method.kind,
        "parameters": method.parameters,
        "source": method.source,
        "run": name in settings.methods,
        "why_not": not_run.get(name, "" if name in settings.methods else "not asked for"),
    }


def _metric(name: str) -> dict[str, Any]:
    chosen = metrics.get(name)
    names = ("name", "label", "unit", "lower_is_better", "protocol", "summary", "source")
    return {key: getattr(chosen, key) for key in names}


def _versions() -> dict[str, str]:
    found = {"afmsr": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _weights_hash(name: str, settings: EvaluationSettings) -> str:
    method = methods.get(name)
    if not isinstance(method, methods.Network):
        return ""
    return hashlib.sha256(locate(method, settings.weights.get(name)).read_bytes()).hexdigest()


def _record_path(folder: Path, pair: Pair) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{pair.data_set}_{pair.id}")
    unique = hashlib.sha256(f"{pair.data_set}/{pair.id}".encode()).hexdigest()[:8]
    return folder / "pairs" / f"{safe.strip('_')}-{unique}.json"
