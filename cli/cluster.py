"""Pairs on an existing Dask cluster, which shares its file system with this computer.

The pair is the unit of work, not the pair and method: all methods of a pair are scored on the
area that their alignments have in common, so none can be scored before all are done.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import pickle
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_cli.scheduler import (
    AHEAD,
    LOST,
    POLL_SECONDS,
    RETRIES,
    Workers,
    connected,
    why_it_failed,
)
from afmsr_core import __version__
from afmsr_core.errors import AfmsrError, ReadError, traceback_of

if TYPE_CHECKING:
    from afmsr_core.evaluation import EvaluationSettings, Evaluator
    from afmsr_core.pairing import Pair

__all__ = ["on_cluster"]

VISIBLE_SECONDS = 90.0  # until a file of a worker is seen here: NFS keeps old listings a minute
KEPT = 2  # evaluators in a worker, which may serve several runs at once

AGAIN = "give the same command again"
TOOK = "this pair", "give the workers more, or crop the scans", "eval,dask"


def on_cluster(
    pairs: Sequence[Pair],
    settings: EvaluationSettings,
    folder: Path,
    address: str | None = None,
    scheduler_file: Path | None = None,
) -> Iterator[tuple[Pair, dict[str, Any]]]:
    """Evaluate pairs on a cluster; yield each with its record as it is finished.

    Parameters
    ----------
    pairs : sequence of Pair
        Their files have the same names on the workers.
    settings : EvaluationSettings
        What to do. A worker uses as many threads as it was started with.
    folder : Path
        Of the results; the workers write into it.
    address : str, optional
        Of the scheduler.
    scheduler_file : Path, optional
        What the scheduler wrote about itself; instead of `address`.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    UsageError
        If there is no such file.
    AfmsrError
        If no scheduler answers, there are no workers, or a worker is not fit: other versions,
        other weights, no sight of the files. What is finished is kept.

    Notes
    -----
    When the consumer stops early, what waits is cancelled. What a worker is computing it finishes
    and writes, whole or not at all.
    """
    if not pairs:
        return
    with connected(address, scheduler_file, AGAIN) as (client, where):
        run = _Run(client, where, settings, folder)
        with contextlib.closing(run.finished(pairs)) as finished:
            yield from finished


class _Run:
    """One run on one cluster."""

    def __init__(self, client: Any, where: str, settings: EvaluationSettings, folder: Path) -> None:
        self._client = client
        self._settings = settings
        self._folder = folder
        # A worker has a working directory of its own.
        self._settings_there = _absolute(settings)
        self._pickled = pickle.dumps(self._settings_there)
        self._network = _identity(settings, self._pickled)
        self._workers = Workers(client, where, "afmsr-eval", AGAIN)

    def finished(self, pairs: Sequence[Pair]) -> Generator[tuple[Pair, dict[str, Any]], None, None]:
        """Yield pairs and records in the order of completion."""
        from distributed import TimeoutError as NotYet
        from distributed import wait

        waiting = list(reversed(pairs))
        flying: dict[Any, tuple[Pair, str]] = {}
        try:
            while waiting or flying:
                room = AHEAD * max(1, self._workers.count())
                while waiting and len(flying) < room:
                    pair = waiting.pop()
                    key = _key(pair, self._settings)
                    flying[self._submit(pair, key)] = pair, key
                try:
                    done, _ = wait(
                        list(flying), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED"
                    )
                except NotYet:
                    continue
                for future in done:
                    pair, key = flying.pop(future)
                    yield pair, self._record(pair, key, future)
        finally:
            with contextlib.suppress(*LOST):
                self._client.cancel(list(flying), force=False)

    def _submit(self, pair: Pair, key: str) -> Any:
        seen = _key(pair, self._settings_there)
        files = pair.low.absolute(), pair.high.absolute()
        job = pickle.dumps((pair, files, key, seen, self._folder.absolute()))
        # The same work has the same name: given twice, it is done once.
        content = hashlib.sha256(job + self._network.encode()).hexdigest()
        return self._client.submit(
            _score,
            _versions(),
            self._network,
            self._pickled,
            job,
            key=f"afmsr-{pair.data_set}-{pair.id}-{content[:16]}",
            retries=RETRIES,
        )

    def _record(self, pair: Pair, key: str, future: Any) -> dict[str, Any]:
        """Return the record of a finished pair, of which all is in the folder."""
        from afmsr_core.evaluation.pair import Outcome
        from afmsr_core.evaluation.run import keep

        if future.status == "cancelled":
            raise asyncio.CancelledError
        if future.status == "error":
            reason = why_it_failed(future.exception(), *TOOK)
            outcome = Outcome.failed(pair, reason, traceback_of(future.exception()))
        else:
            record = future.result()
            if isinstance(record, AfmsrError):
                raise record
            if record["status"] == "scored":
                self._await(pair, record)
                return record
            outcome = Outcome(record, {}, record.pop("traceback", None))
        return keep(pair, outcome, key, self._folder) | {"traceback": outcome.traceback}

    def _await(self, pair: Pair, record: Mapping[str, Any]) -> None:
        """Wait until the files of a pair are seen here."""
        fields = self._folder / record["fields"]
        end = time.monotonic() + VISIBLE_SECONDS
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                list(fields.parent.iterdir())  # a listing makes NFS ask its server again
                found = json.loads(fields.with_suffix(".json").read_text(encoding="utf-8"))
                if found["key"] == record["key"] and fields.is_file():
                    return
            if time.monotonic() > end:
                raise AfmsrError(
                    f"{pair.id}: a worker wrote {fields.absolute()}, but it is not here; the "
                    f"workers must share the folder of the results: choose another with -o"
                )
            time.sleep(0.1)


def _absolute(settings: EvaluationSettings) -> EvaluationSettings:
    """Return the same settings with files that are found from any directory."""
    weights = {name: Path(path).absolute() for name, path in settings.weights.items()}
    files = {
        name: str(Path(value).absolute())
        for name, value in settings.metrics.items()
        if name.endswith("_parameters") and value
    }
    own = settings.calibration
    return dataclasses.replace(
        settings,
        weights=weights,
        calibration=None if own is None else own.absolute(),
        metrics={**settings.metrics, **files},
    )


def _identity(settings: EvaluationSettings, pickled: bytes) -> str:
    """Return a hash of the settings and of the networks' files, which may change under a name."""
    from afmsr_core import methods
    from afmsr_core.methods.weights import locate
    from afmsr_core.metrics.parameters import sha256_of

    digest = hashlib.sha256(pickled)
    for name in settings.methods:
        if isinstance(method := methods.get(name), methods.Network):
            digest.update(sha256_of(locate(method, settings.weights.get(name))).encode())
    return digest.hexdigest()


def _key(pair: Pair, settings: EvaluationSettings) -> str:
    from afmsr_core.evaluation.run import key_of

    try:
        return key_of(pair, settings)
    except ReadError:
        return ""  # the evaluation says what is wrong


def _versions() -> dict[str, str | None]:
    """Return the versions of all that scores come from."""
    from afmsr_core.evaluation.run import PACKAGES

    found: dict[str, str | None] = {"afmsr": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


# --- in the workers ----------------------------------------------------------------------

_evaluators: dict[str, Evaluator] = {}
_one_at_a_time = threading.Lock()


def _score(
    versions: Mapping[str, str | None], network: str, settings: bytes, job: bytes
) -> dict[str, Any] | AfmsrError:
    """Evaluate one pair and write the outcome; return its record without the scores.

    A worker that is not fit returns the error: to try again would not help.
    """
    from distributed import get_worker

    worker = get_worker()
    here = _versions()
    if other := [name for name in versions if here.get(name) != versions[name]]:
        told = ", ".join(f"{name} {here.get(name)} (here {versions[name]})" for name in other)
        return AfmsrError(
            f"worker {worker.address} has other versions: {told}; install the same there"
        )
    try:
        with _one_at_a_time:
            return _written(network, settings, job, worker.state.nthreads)
    except AfmsrError as error:
        return type(error)(f"worker {worker.address}: {error}")


def _written(network: str, settings: bytes, job: bytes, threads: int) -> dict[str, Any]:
    from afmsr_core.evaluation import Evaluator
    from afmsr_core.evaluation.run import keep

    pair, files, key, seen, folder = pickle.loads(job)
    there = dataclasses.replace(pair, low=files[0], high=files[1])
    if network not in _evaluators:
        while len(_evaluators) >= KEPT:
            del _evaluators[next(iter(_evaluators))]
        chosen = dataclasses.replace(pickle.loads(settings), threads=threads)
        _evaluators[network] = Evaluator(chosen)
    evaluator = _evaluators[network]
    if _key(there, evaluator.settings) != seen:
        raise AfmsrError(
            f"{pair.id}: the files of the pair, the weights or the parameter files are not those "
            f"of the computer that gave the task; the workers must share its file system"
        )
    outcome = evaluator(there)
    for member in ("low", "high"):  # named as if the pair had been evaluated there
        if member in outcome.record:
            outcome.record[member]["path"] = str(getattr(pair, member))
    record = keep(pair, outcome, key, folder)
    return record | {"scores": {}, "traceback": outcome.traceback}
