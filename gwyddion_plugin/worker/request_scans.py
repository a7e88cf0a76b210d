"""The scan of a request, and what the request wants to be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afmsr_core.batch.drawn import Drawn
from afmsr_core.channel import Channel
from afmsr_core.grid import Scale
from afmsr_core.upscale import Settings
from gwyddion_plugin.worker import protocol, request_values
from gwyddion_plugin.worker.channels import channel_from

__all__ = ["drawn_of", "given", "levelled", "settings_of", "with_retrace"]


def settings_of(request: Mapping[str, Any]) -> Settings:
    """Return the settings of a request, those of the library where it has none."""
    return Settings(**request_values.settings(request))


def given(request: Mapping[str, Any]) -> tuple[Path, Channel]:
    """Return the folder and the channel of a request."""
    folder, field = request_values.name(request, "folder"), request.get("field")
    if not folder or not isinstance(field, dict):
        raise protocol.ProtocolError(
            f"worker protocol: {request['type']} needs a 'folder' and a 'field'; "
            f"see gwyddion_plugin.worker.protocol"
        )
    return Path(folder), channel_from(Path(folder), field)


def with_retrace(request: Mapping[str, Any], folder: Path, channel: Channel) -> Channel:
    """Return the channel, joined with its retrace if the request has that."""
    if request.get("retrace") is None:
        return channel
    from afmsr_core.joining import join

    retrace = request_values.table(request, "retrace")
    number = int(request_values.number(retrace, "number", 0.0))
    return join(channel, channel_from(folder, retrace).replace(number=number))


def drawn_of(request: Mapping[str, Any]) -> Drawn:
    """Return what a request wants to be drawn at random."""
    return Drawn(
        request_values.count(request, "realisations", protocol.MOST_REALISATIONS, least=0),
        request_values.share(request, "sharpness"),
        request_values.count(request, "seed", request_values.MOST_SEED, least=0),
    )


def levelled(channel: Channel, settings: Settings, scale: Scale) -> Channel:
    """Return a channel as it is levelled before the method: line by line, wherever lines run."""
    from afmsr_core.levelling import level

    if scale.sideways:
        return level(channel.turned(), settings.level, settings.mask).channel.turned()
    return level(channel, settings.level, settings.mask).channel
