"""A reader that behaves as the name of the file says; the process of readers loads it."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UnsupportedContentError
from afmsr_core.io.channels import Channels, Unreadable
from afmsr_core.io.raw.messages import Reading


class Odd(Exception):
    """An error that only its own package knows."""


def prepare() -> None:
    marker = os.environ.get("ODD_READER_ENDS_UNLESS")
    if marker and not Path(marker).exists():
        Path(marker).touch()
        os._exit(0)


def read(path: Path) -> Reading:
    behave = _BEHAVIOURS.get(path.stem)
    if behave:
        behave()
    heights = np.arange(6.0).reshape(2, 3)
    heights[0, 0] = np.nan
    good = Channel(
        heights, 3.0, 2.0, 0.5, -0.5, "V", "", f"\udcb5 {os.getpid()}", heights > 4,
        (Step("made", "1", {"by": "odd"}, "nothing"),), path, 7, ("It is odd.",),
    )  # fmt: skip
    plain = Channel(np.full((512, 512), float(path.stat().st_size)), 1.0, 1.0, path=path)
    bad = Unreadable(3, "flat", FieldError(f"{path.name}: is flat"))
    return Reading(Channels([good, plain], [bad]), "1.0", "odd")


def _hang() -> None:
    while True:
        time.sleep(0.01)


def _hang_in_c() -> None:
    re.match("(a+)+$", "a" * 60 + "b")  # no other thread gets a turn


def _crash() -> None:
    os.abort()


def _memory() -> None:
    parts = []
    while True:
        parts.append(np.ones(1 << 22))


def _flood() -> None:
    for _ in range(20_000):
        print("flood")
        print("flood", file=sys.stderr)
        os.write(1, b"flood\n")
        os.write(2, b"flood\n")
    logging.getLogger("odd").error("flood")
    warnings.warn("flood", stacklevel=1)


def _foreign() -> None:
    raise Odd("two lines\nof words")


def _curves() -> None:
    raise UnsupportedContentError("curves.x: only curves")


def _interrupt() -> None:
    os.kill(os.getpid(), 2)
    time.sleep(0.05)


_BEHAVIOURS = {
    "hang": _hang, "hang_in_c": _hang_in_c, "crash": _crash, "memory": _memory, "flood": _flood,
    "foreign": _foreign, "curves": _curves, "interrupt": _interrupt,
}  # fmt: skip
