"""Scans on a Dask cluster.

A task is a few scans, not one: a task costs the scheduler a millisecond or so, whatever it is, and
a small scan is computed in not many more.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from afmsr_core.batch import dask
from afmsr_core.batch.overlapping import overlapping
from afmsr_core.errors import AfmsrError
from afmsr_core.methods import registry

if TYPE_CHECKING:
    from afmsr_core.batch.plan import Job
    from afmsr_core.batch.work import Work
    from afmsr_core.upscale import Settings, Upscaler

__all__ = ["on_cluster"]

SCANS_A_TASK = 8  # 0.1 s of work at 64 x 64 pixels, a minute at 1024 x 1024
ADVICE = dask.Advice(
    again="give the same command with --resume (resume=True)",
    took="this scan",
    cure="give the workers more, or --tile 128",
    extras="dask",
)


def on_cluster(
    jobs: Sequence[Job],
    upscaler: Upscaler,
    work: Work,
    scheduler: dask.Scheduler,
    tell: Callable[[str], object],
) -> Generator[dict[str, Any], None, None]:
    """Upscale scans on a cluster; yield the record of each as it is finished.

    Parameters
    ----------
    jobs : sequence of Job
        Their files have the same names on the workers.
    upscaler : Upscaler
        As here; a worker must have the same version and weights. It uses as many threads as it
        was started with.
    work : Work
        What is done with every file.
    scheduler : str, path or Cluster
        Address, file or cluster.
    tell : callable
        Gets a sentence when workers are waited for.

    Raises
    ------
    MissingExtraError, UsageError
        If distributed is not installed, or there is no such file.
    AfmsrError
        If no scheduler answers, there are no workers, or a worker is not fit. What is finished
        is kept: `--resume` goes on.

    Notes
    -----
    A task may run twice, when a worker dies; it writes the same files again, each whole or not at
    all.
    """
    if not jobs:
        return
    with dask.connected(scheduler, ADVICE) as (client, where):
        workers = dask.Workers(client, where, ADVICE, tell)
        yield from _Run(client, workers, upscaler, work).finished(jobs)


class _Run:
    """One run on one cluster."""

    def __init__(self, client: Any, workers: dask.Workers, upscaler: Upscaler, work: Work) -> None:
        self._client, self._workers = client, workers
        settings = upscaler.settings
        if settings.weights is not None:
            settings = dataclasses.replace(settings, weights=settings.weights.absolute())
        # What is written twice is the same; that nothing else is there was seen to before.
        self._what = pickle.dumps((settings, dataclasses.replace(work, force=True)))
        self._weights = _weights(upscaler)

    def finished(self, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        """Yield records in the order of completion."""
        todo = deque(jobs[i : i + SCANS_A_TASK] for i in range(0, len(jobs), SCANS_A_TASK))
        with closing(dask.in_flight(todo, self._submit, self._client, self._workers)) as landing:
            for chunk, future in landing:
                found = dask.outcome_of(future, ADVICE)
                if isinstance(found, dask.Failure) and len(chunk) > 1:
                    # One by one, after all others, to find out which of them it was.
                    todo.extend([job] for job in chunk)
                    continue
                if isinstance(found, dask.Failure):
                    error = f"{chunk[0].source}: {found.reason}"
                    found = [{"error": error, "traceback": found.traceback}]
                for job, record in zip(chunk, found, strict=True):
                    yield record | {"input": str(job.source), "output": str(job.target)}

    def _submit(self, chunk: Sequence[Job]) -> Any:
        there = [
            dataclasses.replace(job, source=job.source.absolute(), target=job.target.absolute())
            for job in chunk
        ]
        task = pickle.dumps(there)
        # The same work has the same name: given twice, it is done once.
        digest = hashlib.sha256(self._what + task + repr(self._weights).encode()).hexdigest()
        return self._client.submit(
            _upscaled,
            dask.versions_of(),
            self._weights,
            self._what,
            task,
            key=f"afmsr-upscale-{digest[:24]}",
            retries=dask.RETRIES,
        )


# --- in the workers ----------------------------------------------------------------------

_upscalers: dict[bytes, tuple[Upscaler, Work]] = {}


def _upscaled(
    versions: Mapping[str, str | None], weights: Mapping[str, str], what: bytes, task: bytes
) -> list[dict[str, Any]] | AfmsrError:
    """Upscale a few scans and return their records."""

    def do(threads: int) -> list[dict[str, Any]]:
        upscaler, work = dask.held(_upscalers, what, lambda: _made(what, threads))
        if _weights(upscaler) != weights:
            raise AfmsrError(
                f"has other weights of {upscaler.method.name}; give all computers the same model "
                f"folder with AFMSR_MODEL_DIR"
            )
        return list(overlapping(pickle.loads(task), work, upscaler))

    return dask.on_this_worker(do, versions)


def _weights(upscaler: Upscaler) -> dict[str, str]:
    """Return the SHA-256 of the weights by scale, as far as it is known."""
    found = {
        scale.option: upscaler.weights_sha256(scale)
        for scale in registry.scales(upscaler.method.name)
    }
    return {option: digest for option, digest in found.items() if digest}


def _made(what: bytes, threads: int) -> tuple[Upscaler, Work]:
    from afmsr_core.upscale import Upscaler

    settings: Settings
    settings, work = pickle.loads(what)
    return Upscaler(dataclasses.replace(settings, threads=settings.threads or threads)), work
