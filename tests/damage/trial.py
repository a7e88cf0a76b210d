"""Read damaged files one by one and hold every promise that is made about them."""

from __future__ import annotations

import faulthandler
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from afmsr_core.errors import AfmsrError

from .mutations import Damaged

__all__ = ["Broken", "Family", "of"]

MEMORY = 512 << 20  # bytes that one file of some KB may take beyond what was taken before


class Broken(Exception):
    """A damaged file did what none may do."""


class Family(Protocol):
    """What a module of this package offers."""

    LIMIT: float

    @staticmethod
    def prepare(folder: Path) -> None:
        """Do once what is done once, such as imports; the folder is left as it was."""

    @staticmethod
    def generate(seed: int, count: int) -> Iterator[Damaged]:
        """Yield so many damaged files, the same for the same seed."""

    @staticmethod
    def check(path: Path) -> str:
        """Read one as a user would; return what came of it, or raise."""


def of(family: Family, seed: int, count: int) -> str:
    """Read `count` damaged files and return what became of them, as text.

    Raises
    ------
    Broken
        If one raises what is no named error, takes longer than the limit or more memory than
        `MEMORY`, or leaves a file behind. Whatever does not come back at all ends the process
        with a traceback.
    """
    outcomes: Counter[str] = Counter()
    slowest, name = 0.0, ""
    with tempfile.TemporaryDirectory() as scratch:
        folder, temporary = Path(scratch, "files"), Path(scratch, "temporary")
        folder.mkdir()
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        family.prepare(folder)
        before = _peak()
        for number, damaged in enumerate(family.generate(seed, count)):
            told = f"seed {seed}, file {number}, {damaged.name}"
            taken = _try(family, damaged, folder, temporary, told, outcomes)
            if taken > slowest:
                slowest, name = taken, told
    grown = (_peak() - before) // 1024
    lines = [f"{times:7} {outcome}" for outcome, times in outcomes.most_common()]
    lines.append(f"{outcomes.total()} files; the slowest took {slowest:.2f} s ({name})")
    lines.append(f"memory grew by {grown} MB; nothing was left behind")
    return "\n".join(lines)


def _peak() -> int:
    """Return the most memory that this process has held, in kB; 0 on Windows, which has no word."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _try(
    family: Family,
    damaged: Damaged,
    folder: Path,
    temporary: Path,
    told: str,
    outcomes: Counter[str],
) -> float:
    files = {damaged.name: damaged.data, **damaged.beside}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    memory = _peak()
    faulthandler.dump_traceback_later(2 * family.LIMIT, exit=True)
    begin = time.monotonic()
    try:
        outcome = family.check(folder / damaged.name)
    except AfmsrError as error:
        outcome = type(error).__name__
        if type(error) is AfmsrError or not str(error):
            raise Broken(f"{told}: the error has no name or no words: {error!r}") from error
    except Exception as error:
        raise Broken(f"{told}: {type(error).__name__}: {error}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    taken = time.monotonic() - begin
    outcomes[outcome] += 1
    if taken > family.LIMIT:
        raise Broken(f"{told}: took {taken:.1f} s, {family.LIMIT:g} are allowed")
    more = 1024 * (_peak() - memory)
    if more > MEMORY:
        raise Broken(f"{told}: took {more >> 20} MB of memory")
    left = {one.name for one in folder.iterdir()} - set(files)
    if left or any(temporary.iterdir()):
        raise Broken(f"{told}: left behind {sorted(left)} {sorted(temporary.iterdir())}")
    for name in files:
        (folder / name).unlink()
    return taken
