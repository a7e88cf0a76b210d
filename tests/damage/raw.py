"""Files of instruments: through our own readers, SurfaceTopography, and each converter.

The files are real ones of the shared data. Most damage goes to their headers, where it does more
than in pixels; the seed alone says which, so that none of it lies in the project.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

from afmsr_core.errors import AfmsrError, FieldError, ReadError

from .mutations import Damaged, mutated

__all__ = ["LIMIT", "check", "generate", "prepare"]

LIMIT = 90.0  # for all readers together; `check` holds each to its own
SLACK = 10.0  # seconds beyond a reader's limit, for a busy machine
SECONDS = 2.0
"""Instead of 10: many a damaged file takes a reader's whole time, and a test has thousands."""
IN_TURN = 4
"""Of so many files, one is read as a user reads it: by all readers, until one has read it."""
HEADER = 6000
"""Bytes; the text headers of Bruker and Nanonis, the tags of Park and JPK lie in them."""
ORIGINALS = (
    "ibw/AR_20211011.ibw", "nanoscope/kpg20080408.007", "nanoscope/old_bruker.002",
    "nanoscope/CL 0deg xcal.0_00000.spm", "nid/NanoSurf_20160301.nid",
    "park_tiff/Park_20210916_034.tiff", "jpk/sample_0.jpk-qi-image", "wsxm/top-1.top",
    "sm4/topo_ABC_Graphite-Sample5_9K_2021_08_13_19_11_10_065.sm4", "sxm/test.sxm", "mi/mi-1.mi",
    "asd/asd_sample_0.asd", "gwy/GwiddionReader_chip.gwy",
)  # fmt: skip


def _originals() -> dict[str, bytes]:
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("AFMSR_SHARED", beside), "data", "afm", "originals")
    return {Path(name).name: (folder / name).read_bytes() for name in ORIGINALS}


def generate(seed: int, count: int) -> Iterator[Damaged]:
    """Yield damaged files, one format after the other."""
    random = Random(seed)
    originals = _originals()
    names, others = list(originals), list(originals.values())
    for number in range(count):
        name = names[number % len(names)]
        data = originals[name]
        if random.random() < 0.8:
            start = mutated(data[:HEADER], random, others)
            # A header that was cut is mostly the end of the file.
            data = start if len(start) < HEADER // 2 else start + data[HEADER:]
        else:
            data = mutated(data, random, others)
        # Splicing one large file behind another makes the reading long and tells nothing.
        yield Damaged(f"d{Path(name).suffix}", data[: 3 << 20] or b"\0")


def prepare(folder: Path) -> None:
    """Load SurfaceTopography, which takes longer than any file, and make limits short."""
    from afmsr_core import io
    from afmsr_core.io.raw import limits

    limits._SECONDS = SECONDS
    for name in ("unknown.spm", "unknown"):
        unknown = folder / name
        unknown.write_bytes(b"?" * 64)
        with contextlib.suppress(AfmsrError):
            io.read(unknown)
        unknown.unlink()


def check(path: Path) -> str:
    """Read a file through each reader alone; of a sample, through all in turn."""
    from afmsr_core.io import raw
    from afmsr_core.io.raw.limits import limit_of

    every = raw.READERS
    ways = [(reader,) for reader in every if reader.find()]
    if zlib.crc32(path.read_bytes()) % IN_TURN == 0:
        ways.append(every)
    most = limit_of(path).seconds + SLACK
    outcomes: list[str] = []
    try:
        for readers in ways[:1] if _is_ours(path) else ways:
            raw.READERS = readers
            _start_again()
            began = time.monotonic()
            outcomes.append(_outcome(path))
            taken = time.monotonic() - began
            if taken > most * len(readers):
                raise TimeoutError(f"{readers[0].name} took {taken:.1f} s of {most:.1f} s")
    finally:
        raw.READERS = every
    if len(_children()) > 1:
        raise ChildProcessError(f"more than one process is left: {_children()}")
    # The word that says most: that a reader was ended, that one read it, or why none did.
    return next(
        (one for one in outcomes if " " in one), min(outcomes, key=lambda one: one != "read")
    )


def _start_again() -> None:
    """Let SurfaceTopography be loaded, which has a limit of its own, if it was ended before."""
    from afmsr_core.io.raw.readers import SURFACE_TOPOGRAPHY

    if SURFACE_TOPOGRAPHY.find():
        with contextlib.suppress(AfmsrError):
            SURFACE_TOPOGRAPHY.read(Path(sys.executable), known=False)


def _is_ours(path: Path) -> bool:
    from afmsr_core.io import raw
    from afmsr_core.io.files import head

    start = head(path, raw.START)
    return any(own.knows(path, start) for own in raw.OWN)


def _outcome(path: Path) -> str:
    from afmsr_core import io
    from afmsr_core.io.channels import unreadable

    try:
        channels = io.read(path)
    except (ReadError, FieldError) as error:
        if "crashed" in str(error) or "did not finish" in str(error) or "memory" in str(error):
            return f"{type(error).__name__}, of a reader that was ended"
        return type(error).__name__
    if not channels and not unreadable(channels):
        raise ValueError("no channel and no error")
    return "read"


def _children() -> list[str]:
    """Return the processes that this one has started and that still run."""
    if sys.platform != "linux":
        return []
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text().split()
    return found
