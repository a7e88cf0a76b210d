"""What a reader found in a file, as bytes on a pipe: a line of JSON, then the arrays.

Nothing is pickled. What comes from the process of a foreign reader is numbers and text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afmsr_core import errors
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError
from afmsr_core.io.channels import Channels, Unreadable, unreadable
from afmsr_core.io.history import steps_of

__all__ = ["Reading", "receive", "receive_reading", "send", "send_error", "send_reading"]

_PLAIN = ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit", "title", "number")


class Reading(NamedTuple):
    """What a reader made of a file.

    Attributes
    ----------
    channels : Channels
        Its images.
    version : str
        Of the reader.
    format : str
        As the reader calls it; empty if it does not tell.
    """

    channels: Channels
    version: str
    format: str


def send(stream: BinaryIO, told: dict[str, Any]) -> None:
    """Write a line of JSON."""
    stream.write(json.dumps(told).encode("ascii") + b"\n")
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any]:
    """Return what a line of JSON tells.

    Raises
    ------
    EOFError
        If the stream ends first.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    told: dict[str, Any] = json.loads(line)
    return told


def send_error(stream: BinaryIO, error: AfmsrError) -> None:
    """Write an error of ours, by its name."""
    send(stream, {"error": _told(error)})


def send_reading(stream: BinaryIO, reading: Reading) -> None:
    """Write what a reader found."""
    channels = [
        {name: getattr(channel, name) for name in _PLAIN}
        | {
            "shape": channel.heights.shape,
            "masked": channel.mask is not None,
            "history": [step.as_dict() for step in channel.history],
            "warnings": channel.warnings,
        }
        for channel in reading.channels
    ]
    bad = [(one.number, one.title, _told(one.error)) for one in unreadable(reading.channels)]
    told = {"channels": channels, "bad": bad, "version": reading.version, "format": reading.format}
    send(stream, told)
    for channel in reading.channels:
        stream.write(np.ascontiguousarray(channel.heights).data)
        if channel.mask is not None:
            stream.write(np.ascontiguousarray(channel.mask).data)
    stream.flush()


def receive_reading(stream: BinaryIO, path: Path) -> Reading | AfmsrError:
    """Return what `send_reading` wrote of the file `path`, or the error that was sent.

    Raises
    ------
    EOFError
        If the stream ends first.
    """
    told = receive(stream)
    if "error" in told:
        return _error(*told["error"])
    channels = []
    for one in told["channels"]:
        heights = _array(stream, one["shape"], np.float64)
        mask = _array(stream, one["shape"], np.bool_) if one["masked"] else None
        history, warnings = tuple(steps_of(one["history"])), tuple(one["warnings"])
        plain = {name: one[name] for name in _PLAIN}
        kept = {"history": history, "warnings": warnings, "path": path, **plain}
        channels.append(Channel(heights, mask=mask, **kept))
    bad = [Unreadable(number, title, _error(*error)) for number, title, error in told["bad"]]
    return Reading(Channels(channels, bad), told["version"], told["format"])


def _array(stream: BinaryIO, shape: list[int], kind: type) -> NDArray[Any]:
    array: NDArray[Any] = np.empty(shape, kind)
    view = memoryview(array.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
    while view:
        got = stream.readinto(view)  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        view = view[got:]
    return array


def _told(error: AfmsrError) -> tuple[str, str]:
    return type(error).__name__, str(error)


def _error(name: str, message: str) -> AfmsrError:
    kind = getattr(errors, name) if name in errors.__all__ else AfmsrError
    error: AfmsrError = kind(message)
    return error
