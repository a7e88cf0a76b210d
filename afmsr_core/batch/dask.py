"""A Dask cluster that runs already and shares its file system with this computer.

What scans and pairs have in common there: reaching the scheduler, keeping a few tasks a worker in
flight, trying again, telling why a task failed for good, and, in a worker, refusing to compute
where the outcome would be another.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from afmsr_core import __version__
from afmsr_core.errors import (
    AfmsrError,
    MissingExtraError,
    UnreadableFileError,
    UsageError,
    pip_install,
    traceback_of,
)

__all__ = [
    "RETRIES",
    "Advice",
    "Cluster",
    "Failure",
    "Scheduler",
    "Workers",
    "connected",
    "held",
    "in_flight",
    "on_this_worker",
    "outcome_of",
    "versions_of",
]

CONNECT_SECONDS = 5.0  # until a scheduler must have answered
WORKERS_SECONDS = 600.0  # without any worker; batch systems take their time to start some
NOTE_SECONDS = 5.0  # without any worker, until that is told
POLL_SECONDS = 1.0
AHEAD = 2  # tasks in flight a worker: one is computed, one is there when it is done
RETRIES = 2  # of what the network did; a worker that died is another matter, see KilledWorker
HELD = 2  # upscalers or evaluators in a worker, which may serve several runs at once

LOST = (OSError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""What a connection raises that is no more."""

T = TypeVar("T")
K = TypeVar("K")


class Cluster(Protocol):
    """A cluster that Python made, such as ``distributed.LocalCluster``."""

    @property
    def scheduler_address(self) -> str:
        """Where its scheduler is, such as ``tcp://node1:8786``."""


Scheduler = str | os.PathLike[str] | Cluster
"""The address as a string, the file that a scheduler wrote about itself as a path, or a cluster."""


@dataclass(frozen=True)
class Advice:
    """What the messages of a run on a cluster say.

    Attributes
    ----------
    again : str
        What to do once a lost scheduler or workers are there again.
    took, cure : str
        What the workers took that died, and what helps against a lack of memory.
    extras : str
        That a worker needs, as pip names them.
    """

    again: str
    took: str
    cure: str
    extras: str


# --- the scheduler -----------------------------------------------------------------------


@contextlib.contextmanager
def connected(scheduler: Scheduler, advice: Advice) -> Iterator[tuple[Any, str]]:
    """Give a client and the scheduler's address as people know it.

    Parameters
    ----------
    scheduler : str, path or Cluster
        Address, file or cluster.
    advice : Advice
        For the messages.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    UsageError
        If address or file are none.
    AfmsrError
        If no scheduler answers, or it is lost meanwhile.
    """
    if importlib.util.find_spec("distributed") is None:
        raise MissingExtraError(f"a Dask cluster needs distributed: {pip_install('dask')}")
    if isinstance(scheduler, os.PathLike):
        address = _address_in(Path(scheduler))
    else:
        address = scheduler if isinstance(scheduler, str) else scheduler.scheduler_address
    from distributed import Client

    # What it would log about connections is raised here, or mended by itself.
    for noisy in ("distributed", "tornado", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, name="afmsr", set_as_default=False)
    except LOST as error:
        raise AfmsrError(
            f"no scheduler answered at {address} within {CONNECT_SECONDS:g} s; start one with "
            f"`dask scheduler`, or check the address and the firewall"
        ) from error
    except (ValueError, TypeError, ImportError) as error:
        raise UsageError(
            f"the address of the scheduler, {address}: {error}; give an address such as "
            f"tcp://node1:8786"
        ) from error
    try:
        yield client, address
    except LOST as error:
        raise AfmsrError(
            f"the scheduler at {address} was lost; what is finished is kept: start the cluster "
            f"and {advice.again}"
        ) from error
    finally:
        with contextlib.suppress(*LOST):
            client.close(timeout=CONNECT_SECONDS)


def _address_in(file: Path) -> str:
    from afmsr_core.io.files import contents

    cure = "give what `dask scheduler --scheduler-file` wrote"
    try:
        found = json.loads(contents(file))
        return str(found["address"])
    except UnreadableFileError as error:
        raise UsageError(f"the file of the scheduler: {error}; or {cure}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: holds no address of a scheduler; {cure}") from error


class Workers:
    """The workers of a scheduler, which may come late.

    Parameters
    ----------
    client, where
        From :func:`connected`.
    advice : Advice
        For the message that there are none.
    tell : callable
        Gets a sentence when they are waited for.
    """

    def __init__(
        self, client: Any, where: str, advice: Advice, tell: Callable[[str], object]
    ) -> None:
        self._client, self._where, self._advice, self._tell = client, where, advice, tell
        self._alone_since: float | None = None
        self._told = False

    def count(self) -> int:
        """Return how many there are; raise AfmsrError if there have been none for too long."""
        count = len(self._client.nthreads())
        if count:
            self._alone_since, self._told = None, False
            return count
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        alone = now - self._alone_since
        if alone > NOTE_SECONDS and not self._told:
            self._told = True
            self._tell(
                f"the scheduler at {self._where} has no workers; waiting for some "
                f"(`dask worker {self._where}`)"
            )
        if alone > WORKERS_SECONDS:
            raise AfmsrError(
                f"the scheduler at {self._where} has had no workers for {WORKERS_SECONDS:g} s; "
                f"start some with `dask worker {self._where}` and {self._advice.again}"
            )
        return 0


# --- tasks -------------------------------------------------------------------------------


def in_flight(
    todo: deque[T], submit: Callable[[T], Any], client: Any, workers: Workers
) -> Generator[tuple[T, Any], None, None]:
    """Submit tasks, a few a worker at a time; yield each and its future as they are done.

    Parameters
    ----------
    todo : deque
        Tasks; is emptied. More may be put into it meanwhile.
    submit : callable
        From a task to its future.
    client : distributed.Client
        What is in flight is cancelled there when the consumer stops early. What a worker is
        computing it finishes.
    workers : Workers
        ``AHEAD`` tasks for each are in flight, so that neither this process nor the scheduler
        grows with the number of tasks.
    """
    flying: dict[Any, T] = {}
    landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
    count, asked = 0, 0.0
    try:
        while todo or flying:
            if not count or time.monotonic() - asked > POLL_SECONDS:
                count, asked = workers.count(), time.monotonic()
            while todo and len(flying) < AHEAD * max(1, count):
                task = todo.popleft()
                future = submit(task)
                flying[future] = task
                future.add_done_callback(landed.put)
            try:
                future = landed.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            yield flying.pop(future), future
    finally:
        with contextlib.suppress(*LOST):
            client.cancel(list(flying), force=False)


@dataclass(frozen=True)
class Failure:
    """Why a task failed for good, and the traceback if nobody foresaw it."""

    reason: str
    traceback: str | None


def outcome_of(future: Any, advice: Advice) -> Any:
    """Return what a finished task gives, or a :class:`Failure`.

    Raises
    ------
    AfmsrError
        If all others would fail like it.
    """
    if future.status == "cancelled":
        raise asyncio.CancelledError
    if future.status == "error":
        error = future.exception()
        return Failure(_why_it_failed(error, advice), traceback_of(error))
    found = future.result()
    if isinstance(found, AfmsrError):
        raise found
    return found


def _why_it_failed(error: BaseException, advice: Advice) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return (
            f"every worker that took {advice.took} died, perhaps for lack of memory; {advice.cure}"
        )
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("afmsr"):
        raise AfmsrError(
            f"a worker has no afmsr {__version__}: install it there: "
            f"pip install 'afmsr[{advice.extras}]=={__version__}'"
        ) from error
    return f"on the cluster: {type(error).__name__}: {error}"


def versions_of(packages: Iterable[str] = ()) -> dict[str, str | None]:
    """Return the versions of afmsr and of packages here; None for one that is not installed."""
    found: dict[str, str | None] = {"afmsr": __version__}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


# --- in the workers ----------------------------------------------------------------------

_one_at_a_time = threading.Lock()


def on_this_worker(do: Callable[[int], T], there: Mapping[str, str | None]) -> T | AfmsrError:
    """Do a task, if this worker is fit for it.

    Parameters
    ----------
    do : callable
        Gets the number of threads that the worker was started with. One is done at a time.
    there : mapping
        Versions of the computer that gave the task, which must be the same here.

    Returns
    -------
    object
        Of `do`. An AfmsrError is returned, not raised: to try again would not help.
    """
    from distributed import get_worker

    worker = get_worker()
    here = versions_of(name for name in there if name != "afmsr")
    try:
        if other := [name for name in there if here[name] != there[name]]:
            told = ", ".join(f"{name} {here[name]} (here {there[name]})" for name in other)
            raise AfmsrError(f"has other versions: {told}; install the same there")
        with _one_at_a_time:
            return do(worker.state.nthreads)
    except AfmsrError as error:
        return type(error)(f"worker {worker.address}: {error}")


def held(cache: dict[K, T], key: K, make: Callable[[], T]) -> T:
    """Return what a worker keeps under a key, or make it, in the place of the oldest."""
    if key not in cache:
        while len(cache) >= HELD:
            del cache[next(iter(cache))]
        cache[key] = make()
    return cache[key]
