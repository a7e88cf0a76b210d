"""Pairs on a Dask cluster.

The pair is the unit of work, not the pair and method: all methods of a pair are scored on the
area that their alignments have in common, so none can be scored before all are done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pickle
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.batch import dask
from afmsr_core.errors import AfmsrError, ReadError
from afmsr_core.evaluation.pair import Evaluator, Outcome
from afmsr_core.evaluation.run import PACKAGES, keep, key_of, weights_of
from afmsr_core.metrics.parameters import sha256_of

if TYPE_CHECKING:
    from afmsr_core.evaluation.settings import EvaluationSettings
    from afmsr_core.pairing import Pair

__all__ = ["on_cluster"]

VISIBLE_SECONDS = 90.0  # until a file of a worker is seen here: NFS keeps old listings a minute
ADVICE = dask.Advice(
    again="give the same command again",
    took="this pair",
    cure="give the workers more, or crop the scans",
    extras="eval,dask",
)


def on_cluster(
    pairs: Sequence[Pair],
    settings: EvaluationSettings,
    folder: Path,
    scheduler: dask.Scheduler,
    tell: Callable[[str], object],
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
    scheduler : str, path or Cluster
        Address, file or cluster.
    tell : callable
        Gets a sentence when workers are waited for.

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
    with dask.connected(scheduler, ADVICE) as (client, where):
        run = _Run(client, dask.Workers(client, where, ADVICE, tell), settings, folder)
        with contextlib.closing(run.finished(pairs)) as finished:
            yield from finished


class _Run:
    """One run on one cluster."""

    def __init__(
        self, client: Any, workers: dask.Workers, settings: EvaluationSettings, folder: Path
    ) -> None:
        self._client, self._workers = client, workers
        self._settings = settings
        self._folder = folder
        # A worker has a working directory of its own.
        self._settings_there = _absolute(settings)
        self._pickled = pickle.dumps(self._settings_there)
        self._network = _identity(settings, self._pickled)
        self._keys: dict[str, str] = {}  # of pairs, by those of their tasks

    def finished(self, pairs: Sequence[Pair]) -> Generator[tuple[Pair, dict[str, Any]], None, None]:
        """Yield pairs and records in the order of completion."""
        flight = dask.in_flight(deque(pairs), self._submit, self._client, self._workers)
        with contextlib.closing(flight) as landing:
            for pair, future in landing:
                yield pair, self._record(pair, self._keys.pop(future.key, ""), future)

    def _submit(self, pair: Pair) -> Any:
        key = _key(pair, self._settings)
        seen = _key(pair, self._settings_there)
        files = pair.low.absolute(), pair.high.absolute()
        exact = None if pair.exact is None else pair.exact.absolute()
        given = dataclasses.replace(pair, exact=exact)
        job = pickle.dumps((given, files, key, seen, self._folder.absolute()))
        # The same work has the same name: given twice, it is done once.
        content = hashlib.sha256(job + self._network.encode()).hexdigest()
        future = self._client.submit(
            _score,
            _versions(),
            self._network,
            self._pickled,
            job,
            key=f"afmsr-{pair.data_set}-{pair.id}-{content[:16]}",
            retries=dask.RETRIES,
        )
        self._keys[future.key] = key
        return future

    def _record(self, pair: Pair, key: str, future: Any) -> dict[str, Any]:
        """Return the record of a finished pair, of which all is in the folder."""
        record = dask.outcome_of(future, ADVICE)
        if isinstance(record, dask.Failure):
            outcome = Outcome.failed(pair, record.reason, record.traceback)
        elif record["status"] == "scored":
            self._await(pair, record)
            return dict(record)
        else:
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
    digest = hashlib.sha256(pickled)
    for path in weights_of(settings):
        digest.update(sha256_of(path).encode())
    return digest.hexdigest()


def _key(pair: Pair, settings: EvaluationSettings) -> str:
    try:
        return key_of(pair, settings)
    except ReadError:
        return ""  # the evaluation says what is wrong


def _versions() -> dict[str, str | None]:
    """Return the versions of all that scores come from."""
    return dask.versions_of(PACKAGES)


# --- in the workers ----------------------------------------------------------------------

_evaluators: dict[str, Evaluator] = {}


def _score(
    versions: Mapping[str, str | None], network: str, settings: bytes, job: bytes
) -> dict[str, Any] | AfmsrError:
    """Evaluate one pair and write the outcome; return its record without the scores."""
    return dask.on_this_worker(lambda threads: _written(network, settings, job, threads), versions)


def _written(network: str, settings: bytes, job: bytes, threads: int) -> dict[str, Any]:
    pair, files, key, seen, folder = pickle.loads(job)
    there = dataclasses.replace(pair, low=files[0], high=files[1])

    def made() -> Evaluator:
        return Evaluator(dataclasses.replace(pickle.loads(settings), threads=threads))

    evaluator = dask.held(_evaluators, network, made)
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
