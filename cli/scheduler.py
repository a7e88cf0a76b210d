"""A Dask scheduler that runs already: how to reach it, and whether it has workers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.util
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.errors import (
    AfmsrError,
    MissingExtraError,
    UnreadableFileError,
    UsageError,
    pip_install,
)

__all__ = ["AHEAD", "LOST", "POLL_SECONDS", "RETRIES", "Workers", "connected", "why_it_failed"]

CONNECT_SECONDS = 5.0  # until a scheduler must have answered
WORKERS_SECONDS = 600.0  # without any worker; batch systems take their time to start some
NOTE_SECONDS = 5.0  # without any worker, until that is told
POLL_SECONDS = 1.0
AHEAD = 2  # tasks in flight a worker: one is computed, one is there when it is done
RETRIES = 2  # of what the network did; a worker that died is another matter, see KilledWorker

LOST = (OSError, asyncio.CancelledError, concurrent.futures.CancelledError)
"""What a connection raises that is no more."""


@contextlib.contextmanager
def connected(
    address: str | None, scheduler_file: Path | None, again: str
) -> Iterator[tuple[Any, str]]:
    """Give a client and the scheduler's address as people know it.

    Parameters
    ----------
    address : str or None
        Of the scheduler.
    scheduler_file : Path or None
        What the scheduler wrote about itself; instead of `address`.
    again : str
        What to do once a lost scheduler is there again, for the message.

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
        raise MissingExtraError(f"--dask, --scheduler-file: {pip_install('dask')}")
    if scheduler_file is not None:
        address = _address_in(scheduler_file)
    option = f"--dask {address}" if scheduler_file is None else f"--scheduler-file {scheduler_file}"
    from distributed import Client

    # What it would log about connections is raised here, or mended by itself.
    for noisy in ("distributed", "tornado", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, name="afmsr")
    except LOST as error:
        raise AfmsrError(
            f"{option}: no scheduler answered at {address} within {CONNECT_SECONDS:g} s; start one "
            f"with `dask scheduler`, or check the address and the firewall"
        ) from error
    except (ValueError, TypeError, ImportError) as error:
        raise UsageError(f"{option}: {error}; give an address such as tcp://node1:8786") from error
    try:
        yield client, str(address)
    except LOST as error:
        raise AfmsrError(
            f"the scheduler at {address} was lost; what is finished is kept: start the cluster "
            f"and {again}"
        ) from error
    finally:
        with contextlib.suppress(*LOST):
            client.close(timeout=CONNECT_SECONDS)


def _address_in(scheduler_file: Path) -> str:
    from afmsr_core.io.files import contents

    cure = "give what `dask scheduler --scheduler-file` wrote"
    try:
        found = json.loads(contents(scheduler_file))
        return str(found["address"])
    except UnreadableFileError as error:
        raise UsageError(f"--scheduler-file {error}; or {cure}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--scheduler-file {scheduler_file}: holds no address; {cure}") from error


class Workers:
    """The workers of a scheduler, which may come late.

    Parameters
    ----------
    client, where
        From :func:`connected`.
    program : str
        Who tells that there are none.
    again : str
        What to do once there are some, for the message.
    """

    def __init__(self, client: Any, where: str, program: str, again: str) -> None:
        self._client, self._where, self._program, self._again = client, where, program, again
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
            print(
                f"{self._program}: the scheduler at {self._where} has no workers; waiting for some "
                f"(`dask worker {self._where}`)",
                file=sys.stderr,
            )
        if alone > WORKERS_SECONDS:
            raise AfmsrError(
                f"the scheduler at {self._where} has had no workers for {WORKERS_SECONDS:g} s; "
                f"start some with `dask worker {self._where}` and {self._again}"
            )
        return 0


def why_it_failed(error: BaseException, took: str, cure: str, extras: str) -> str:
    """Return why a task failed for good; raise AfmsrError if all others would fail like it.

    Parameters
    ----------
    error : exception
        Of the task.
    took, cure : str
        What its workers took, and what helps against a lack of memory.
    extras : str
        That a worker needs, as pip names them.
    """
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return f"every worker that took {took} died, perhaps for lack of memory; {cure}"
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("afmsr"):
        raise AfmsrError(
            f"a worker has no afmsr {__version__}: install it there: "
            f"pip install 'afmsr[{extras}]=={__version__}'"
        ) from error
    return f"on the cluster: {type(error).__name__}: {error}"
