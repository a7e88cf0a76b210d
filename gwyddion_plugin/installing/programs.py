"""Programs that are needed to install and to check, run to their end or to a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from afmsr_core.errors import MissingExtraError

__all__ = ["run"]


def run(
    command: Sequence[str],
    limit: float,
    cure: str,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program that asks nothing, and return its status and what it wrote.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    limit : float
        Seconds after which it is ended, with all that it started.
    cure : str
        What the user can do if it does not start or does not end.
    folder : Path, optional
        Where it runs.
    variables : mapping, optional
        Additions to the environment.

    Raises
    ------
    MissingExtraError
        If it does not start, or does not end in time.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | (variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a compiler is several processes, which are ended together
        )
    except OSError as error:
        raise MissingExtraError(
            f"{command[0]}: does not start ({error.strerror}); {cure}"
        ) from error
    with process:
        try:
            out, err = process.communicate(timeout=limit)
        except BaseException as error:
            _kill(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise MissingExtraError(
                    f"{command[0]}: did not end within {limit:g} s; {cure}"
                ) from error
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _kill(process: subprocess.Popen[str]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # they ended just now
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
