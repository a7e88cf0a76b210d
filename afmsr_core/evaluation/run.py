"""A folder of results: written pair by pair, taken up again, and put together at the end."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core import __version__, methods, metrics, statistics
from afmsr_core.errors import (
    AfmsrError,
    MissingExtraError,
    MissingWeightsError,
    OutputError,
    WeightsError,
    described,
    needed,
    pip_install,
    traceback_of,
)
from afmsr_core.evaluation.comparison import analyses_of, gains_of
from afmsr_core.evaluation.pair import Evaluator, Outcome
from afmsr_core.evaluation.same_time import same_time_of
from afmsr_core.evaluation.settings import EvaluationSettings
from afmsr_core.io.atomic import writing
from afmsr_core.io.files import contents
from afmsr_core.methods import registry
from afmsr_core.methods.weights import locate
from afmsr_core.metrics.parameters import MA, NIQE, sha256_of
from afmsr_core.pairing import Pair
from afmsr_core.realisations import FILES as TEXTURES
from afmsr_core.trust.calibration import FILES

__all__ = [
    "begin",
    "collect",
    "keep",
    "key_of",
    "methods_at_hand",
    "outcome_of",
    "outdated",
    "runs",
    "weights_of",
]

FORMAT = 1
PACKAGES = (  # what scores come from
    *("numpy", "scipy", "opencv-python", "onnxruntime", "torch", "torchsr"),
)
TRUST = 4
"""Of what a record says of trust; a record of another one is computed again. 3: the noise of the
truth, and the exact surface. 4: S10z and Sal among the numbers."""
ALIGNMENT = 3
"""Of how pairs are read and aligned; a record of another one is computed again. 2: lines that were
never measured are left out, and unequal grids are right. 3: line scans become finer along one axis.
"""
TESTS = 2
"""Of the tests on scores; results of others are tested again. 2: errors in heights are compared as
ratios."""
RESULTS = "results.json"
SETTINGS = "settings.json"
COMPANIONS = (".json", ".mask.npy")  # of an array: its unit, size and mask


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
    method = methods.chosen(name).method
    if not isinstance(method, methods.Network):
        return
    if method.extra and importlib.util.find_spec(method.extra) is None:
        raise MissingExtraError(f"{name}: {pip_install(method.extra)}")
    locate(method, weights)


def begin(settings: EvaluationSettings, folder: Path) -> None:
    """Make a folder of results and write the settings into it, before hours are spent.

    Raises
    ------
    OutputError
        If the system refuses.
    MissingExtraError
        If SciPy is not installed.
    """
    needed("scipy", "the evaluation")
    records = folder / "pairs"
    try:
        records.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{records}: cannot be made ({error.strerror}); choose another folder with -o"
        ) from error
    _write(folder / SETTINGS, statistics.plain(settings.as_dict()))


def key_of(pair: Pair, settings: EvaluationSettings) -> str:
    """Return a hash of all that decides the scores of a pair: files, settings, versions.

    Raises
    ------
    UnreadableFileError
        If a file is absent, or the system does not let us read it.
    """
    digest = hashlib.sha256(_decisive(settings).encode())
    digest.update(json.dumps([pair.id, pair.data_set, pair.channel]).encode())
    for path in filter(None, (pair.low, pair.high, pair.exact)):
        digest.update(hashlib.sha256(contents(path)).digest())
        # Of a link, companions may stand beside it or beside what it leads to.
        for place in (path, path.resolve()) if path.is_symlink() else (path,):
            for companion in map(place.with_suffix, COMPANIONS):
                if companion.is_file():
                    digest.update(hashlib.sha256(contents(companion)).digest())
    return digest.hexdigest()


def outdated(pair: Pair, settings: EvaluationSettings, folder: Path) -> bool:
    """Return whether a pair has no outcome in `folder`, or one of other files or settings.

    A pair that failed is tried again: a file may have been made readable, memory be free. One
    that was rejected is not.
    """
    try:
        record = json.loads(_record_path(folder, pair).read_text(encoding="utf-8"))
        if record["status"] == "failed" or record["key"] != key_of(pair, settings):
            return True
        return record["fields"] is not None and not (folder / record["fields"]).is_file()
    except (OSError, ValueError, KeyError, TypeError, AfmsrError):
        return True


def outcome_of(
    pair: Pair,
    evaluator: Evaluator,
    folder: Path,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Evaluate a pair and keep what came of it in `folder`.

    Returns
    -------
    dict
        Its record. A ``"traceback"`` in it, of an error that nobody foresaw, is not written.

    Raises
    ------
    OutputError
        If the system refuses to write into `folder`.
    """
    try:
        key = key_of(pair, evaluator.settings)  # before: a file that changes meanwhile is stale
    except Exception:
        key = ""  # the evaluation says what is wrong
    outcome = evaluator(pair, progress)
    try:
        record = keep(pair, outcome, key, folder)
    except AfmsrError:
        raise
    except Exception as error:  # such as a lack of memory while it is packed
        reason = f"{pair.id}: {described(error, 'with the two files')}"
        outcome = Outcome.failed(pair, reason, traceback_of(error))
        record = keep(pair, outcome, key, folder)
    return record if outcome.traceback is None else record | {"traceback": outcome.traceback}


def keep(pair: Pair, outcome: Outcome, key: str, folder: Path) -> dict[str, Any]:
    """Write an outcome, the fields before the record, so that a record means it is all there."""
    target = _record_path(folder, pair)
    record = outcome.record | {"key": key}
    if outcome.fields:
        fields = target.with_suffix(".npz")
        with writing(fields, force=True) as file:
            # As they are: compressed they would be a fifth smaller, and take longer than to score.
            np.savez(file, allow_pickle=False, **outcome.fields)
        record["fields"] = fields.relative_to(folder).as_posix()
    _write(target, statistics.plain(record))
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
        What ``results.json`` holds; it is left as it is if nothing has changed.
    """
    records = _of_one_quantity(
        [
            json.loads(_record_path(folder, pair).read_text(encoding="utf-8"))
            for pair in pairs
            if _record_path(folder, pair).exists()
        ]
    )
    scored: dict[str, Any] = {
        "format": FORMAT,
        "tests": TESTS,
        "afmsr": __version__,
        "versions": _versions(),
        "settings": settings.as_dict(),
        "methods": [_method(one, settings, not_run) for one in _listed(settings)],
        "metrics": [_metric(name) for name in metrics.names()],
        "pairs": records,
        "unpaired": list(unpaired),
    }
    result: dict[str, Any] = statistics.plain(scored)
    inputs = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
    if (known := _known(folder)).get("inputs") == inputs:
        return known
    found = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "inputs": inputs,
        "gains": gains_of(records, settings),
        "same_time": same_time_of(records, settings, folder),
        "analyses": analyses_of(records, settings),
    }
    result |= statistics.plain(found)
    _write(folder / RESULTS, result)
    return result


def _of_one_quantity(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reject the pairs in another unit than the rest: nm and degrees have no mean.

    Heights go before other quantities, and then what most of the scored pairs hold.
    """
    held = Counter(_unit(record) for record in records if record["status"] == "scored")
    if len(held) < 2:
        return list(records)
    kept = "nm" if "nm" in held else held.most_common(1)[0][0]
    return [
        record | {"status": "rejected", "reason": _other_quantity(record, kept), "scores": {}}
        if record["status"] == "scored" and _unit(record) != kept
        else record
        for record in records
    ]


def _other_quantity(record: Mapping[str, Any], kept: str) -> str:
    here, others = (f"in {unit}" if unit else "without unit" for unit in (_unit(record), kept))
    return (
        f"its values are {here}, those of other pairs {others}, and means and tests are of one "
        f"quantity; evaluate it in a folder of its own"
    )


def _unit(record: Mapping[str, Any]) -> str:
    return str(record["high"]["unit"])


def _known(folder: Path) -> dict[str, Any]:
    """Return the results that are there, if there are."""
    try:
        found = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _listed(settings: EvaluationSettings) -> list[methods.Choice]:
    """Return all methods, each before its sharpened ones, which are listed if they ran."""
    listed = {one.name: one for one in (*map(methods.chosen, methods.names()), *settings.choices)}
    order = methods.names()
    return sorted(listed.values(), key=lambda one: (order.index(one.method.name), one.sharpness))


def _method(
    choice: methods.Choice, settings: EvaluationSettings, not_run: Mapping[str, str]
) -> dict[str, Any]:
    name, method = choice.name, choice.method
    return {
        "name": name,
        "label": choice.label,
        "kind": method.kind,
        "parameters": method.parameters,
        "source": method.source,
        "run": name in settings.methods,
        "why_not": not_run.get(name, "" if name in settings.methods else "not asked for"),
    }


def _metric(name: str) -> dict[str, Any]:
    chosen = metrics.get(name)
    names = ("name", "label", "unit", "lower_is_better", "ideal", "kind", "protocol", "summary")
    return {key: getattr(chosen, key) for key in (*names, "source")}


@cache
def _versions() -> Mapping[str, str]:
    found = {"afmsr": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def weights_of(settings: EvaluationSettings) -> list[Path]:
    """Return the files of all networks of an evaluation, of one name those for every scale."""
    names = {one.method.name for one in settings.choices}
    return [
        locate(network, settings.weights.get(network.name))
        for network in registry.networks()
        if network.name in names
    ]


def _decisive(settings: EvaluationSettings) -> str:
    """Return what decides the scores of all pairs, as text."""
    calibrations = [settings.calibration] if settings.calibration else FILES.values()
    learnt = (*calibrations, *(TEXTURES.values() if settings.draws else ()))
    files = [*weights_of(settings), *(path for path in learnt if path.is_file())]
    chosen = metrics.resolve(settings.metrics)
    for parameters in (NIQE, MA):
        with contextlib.suppress(MissingWeightsError, WeightsError):  # no score, and a reason
            files.append(parameters.locate(chosen[parameters.setting.name]))
    return json.dumps(
        {
            "format": FORMAT,
            "trust": TRUST,
            "alignment": ALIGNMENT,
            "settings": settings.scoring(),
            "versions": dict(_versions()),
            "files": [_file_hash(path, path.stat().st_mtime_ns) for path in files],
        },
        sort_keys=True,
    )


@cache
def _file_hash(path: Path, changed: int) -> str:
    return sha256_of(path)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    """Write plain data as JSON, a line for each of its entries, and of those of a list."""
    lines = [f"{json.dumps(key)}: {_lines(one)}" for key, one in value.items()]
    with writing(path, force=True) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _lines(value: Any) -> str:
    # Indented throughout, it is five times as slow: only then json works in Python.
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"


def _record_path(folder: Path, pair: Pair) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{pair.data_set}_{pair.id}")
    unique = hashlib.sha256(os.fsencode(f"{pair.data_set}/{pair.id}")).hexdigest()[:8]
    return folder / "pairs" / f"{safe.strip('_')}-{unique}.json"
