"""Scans on an existing Dask cluster, which shares its file system with this computer.

A task is a few scans, not one: a task costs the scheduler a millisecond or so, whatever it is, and
a small scan is computed in not many more.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import pickle
import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
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
from afmsr_cli.upscaling import overlapping
from afmsr_core import __version__
from afmsr_core.errors import AfmsrError, traceback_of

if TYPE_CHECKING:
    from afmsr_cli.inputs import Job
    from afmsr_cli.upscaling import Work
    from afmsr_core.upscale import Settings, Upscaler

__all__ = ["on_cluster"]

SCANS_A_TASK = 8  # 0.1 s of work at 64 x 64 pixels, a minute at 1024 x 1024
KEPT = 2  # upscalers in a worker, which may serve several runs at once
AGAIN = "give the same command with --resume"
TOOK = (
    "this scan",
    "give the workers more, or --tile 128",
    "dask",
)


def on_cluster(
    jobs: Sequence[Job],
    upscaler: Upscaler,
    work: Work,
    address: str | None = None,
    scheduler_file: Path | None = None,
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
    address, scheduler_file
        Of the scheduler; one of the two.

    Raises
    ------
    MissingExtraError, UsageError
        If distributed is not installed, or there is no such file.
    AfmsrError
        If no scheduler answers, there are no workers, or a worker is not fit. What is finished
        is kept: `--resume` goes on.

    Notes
    -----
    ``AHEAD`` tasks a worker are in flight, so that neither this process nor the scheduler grows
    with the number of scans. A task may run twice, when a worker dies; it writes the same files
    again, each whole or not at all.
    """
    if not jobs:
        return
    with connected(address, scheduler_file, AGAIN) as (client, where):
        yield from _Run(client, where, upscaler, work).finished(jobs)


class _Run:
    """One run on one cluster."""

    def __init__(self, client: Any, where: str, upscaler: Upscaler, work: Work) -> None:
        self._client = client
        settings = upscaler.settings
        if settings.weights is not None:
            settings = dataclasses.replace(settings, weights=settings.weights.absolute())
        # What is written twice is the same; that nothing else is there was seen to before.
        self._what = pickle.dumps((settings, dataclasses.replace(work, force=True)))
        self._weights = upscaler.weights_sha256
        self._workers = Workers(client, where, "afmsr", AGAIN)

    def finished(self, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        """Yield records in the order of completion."""
        chunks: Iterator[Sequence[Job]] = iter(
            [jobs[i : i + SCANS_A_TASK] for i in range(0, len(jobs), SCANS_A_TASK)]
        )
        flying: dict[Any, Sequence[Job]] = {}
        landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        left = True
        workers = 0
        asked = 0.0
        try:
            while left or flying:
                if not workers or time.monotonic() - asked > POLL_SECONDS:
                    workers, asked = self._workers.count(), time.monotonic()
                while left and len(flying) < AHEAD * max(1, workers):
                    chunk = next(chunks, None)
                    if chunk is None:
                        left = False
                        break
                    future = self._submit(chunk)
                    flying[future] = chunk
                    future.add_done_callback(landed.put)
                with contextlib.suppress(queue.Empty):
                    future = landed.get(timeout=POLL_SECONDS)
                    chunk = flying.pop(future)
                    if future.status == "error" and len(chunk) > 1:
                        why_it_failed(future.exception(), *TOOK)
                        # One by one, after all others, to find out which of them it was.
                        chunks, left = chain(chunks, ([job] for job in chunk)), True
                    else:
                        yield from self._records(future, chunk)
        finally:
            with contextlib.suppress(*LOST):
                self._client.cancel(list(flying), force=False)

    def _submit(self, chunk: Sequence[Job]) -> Any:
        there = [
            dataclasses.replace(job, source=job.source.absolute(), target=job.target.absolute())
            for job in chunk
        ]
        task = pickle.dumps(there)
        # The same work has the same name: given twice, it is done once.
        digest = hashlib.sha256(self._what + task + str(self._weights).encode()).hexdigest()
        return self._client.submit(
            _upscaled,
            __version__,
            self._weights,
            self._what,
            task,
            key=f"afmsr-upscale-{digest[:24]}",
            retries=RETRIES,
        )

    def _records(self, future: Any, chunk: Sequence[Job]) -> Iterator[dict[str, Any]]:
        if future.status == "cancelled":
            raise asyncio.CancelledError
        if future.status == "error":
            error = future.exception()
            reason, traceback = why_it_failed(error, *TOOK), traceback_of(error)
            found: Any = [
                {"error": f"{job.source}: {reason}", "traceback": traceback} for job in chunk
            ]
        else:
            found = future.result()
        if isinstance(found, AfmsrError):
            raise found
        for job, record in zip(chunk, found, strict=True):
            yield record | {"input": str(job.source), "output": str(job.target)}


# --- in the workers ----------------------------------------------------------------------

_upscalers: dict[bytes, tuple[Upscaler, Work]] = {}
_one_at_a_time = threading.Lock()


def _upscaled(
    version: str, weights: str | None, what: bytes, task: bytes
) -> list[dict[str, Any]] | AfmsrError:
    """Upscale a few scans and return their records.

    A worker that is not fit returns the error: to try again would not help.
    """
    from distributed import get_worker

    worker = get_worker()
    if version != __version__:
        return AfmsrError(
            f"worker {worker.address} has afmsr {__version__}, and here is {version}; install the "
            f"same there"
        )
    try:
        with _one_at_a_time:
            upscaler, work = _ready(what, worker.state.nthreads)
            if upscaler.weights_sha256 != weights:
                return AfmsrError(
                    f"worker {worker.address} has other weights of {upscaler.method.name}; give "
                    f"all computers the same model folder with AFMSR_MODEL_DIR"
                )
            return list(overlapping(pickle.loads(task), work, upscaler))
    except AfmsrError as error:
        return type(error)(f"worker {worker.address}: {error}")


def _ready(what: bytes, threads: int) -> tuple[Upscaler, Work]:
    from afmsr_core.upscale import Upscaler

    if what not in _upscalers:
        while len(_upscalers) >= KEPT:
            del _upscalers[next(iter(_upscalers))]
        settings: Settings
        settings, work = pickle.loads(what)
        upscaler = Upscaler(dataclasses.replace(settings, threads=settings.threads or threads))
        _upscalers[what] = upscaler, work
    return _upscalers[what]
