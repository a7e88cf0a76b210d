"""A request of the worker, answered in this process."""

from __future__ import annotations

from pathlib import Path

from afmsr_core.channel import Channel, marked
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import answers, field_files


def raw(channel: Channel) -> RawField:
    """Return a channel as Gwyddion hands it out."""
    values = (channel.heights / 1e9).tobytes()
    size = channel.xreal / 1e9, channel.yreal / 1e9
    mask = None if channel.mask is None else marked(channel.mask).astype("<f8").tobytes()
    return RawField(channel.xres, channel.yres, *size, "m", "m", values, mask)


def ask(kind: str, folder: Path, channel: Channel, **content) -> dict:
    """Let a job of the worker do a request."""
    field = field_files.write(folder, raw(channel)) | {"title": channel.title}
    request = {"type": kind, "id": 1, "folder": str(folder), "field": field, **content}
    return answers.ANSWERS[kind](request, lambda fraction: None)
