"""What becomes of a scan: its result, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError
from afmsr_core.grid import Scale
from afmsr_core.upscale import Progress, Settings
from gwyddion_plugin.exchange import dump
from gwyddion_plugin.worker import full_result, protocol, request_values, scan_notes
from gwyddion_plugin.worker.channels import channel_of, field_of, write_channel
from gwyddion_plugin.worker.dialog_words import in_dialog
from gwyddion_plugin.worker.request_scans import drawn_of, given, settings_of, with_retrace
from gwyddion_plugin.worker.upscalers import timed, upscaler_for

__all__ = ["repeat", "upscale"]


def upscale(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Answer ``upscale``, see :mod:`gwyddion_plugin.worker.protocol`."""
    folder, channel = given(request)
    channel = with_retrace(request, folder, channel)
    saved = request_values.name(request, "save")
    if saved:
        full_result.check_room(request, Path(saved), channel)
    result, extras, seconds = _results(request, channel, progress)
    from afmsr_core.io.gwylog import log_entry

    if saved:
        sample = request_values.name(request, "sample")
        full_result.save(Path(saved), channel, [result, *extras], sample)
    return {
        "type": "result",
        "field": write_channel(folder, result),
        "history": [step.as_dict() for step in result.history],
        "log": [log_entry(f"afmsr_{step.name}", step.settings) for step in result.history],
        "seconds": seconds,
        "saved": saved or None,
        "warnings": [in_dialog(told) for told in result.warnings],
        "extras": [
            {
                "field": write_channel(folder, extra, names),
                "history": [step.as_dict() for step in extra.history],
            }
            for extra, names in zip(extras, protocol.EXTRAS, strict=False)
        ],
    }


def repeat(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Answer Gwyddion's call without a dialog: put the result into the file that it named."""
    file = request_values.name(request, "file")
    if not file:
        raise protocol.ProtocolError("worker protocol: repeat needs a 'file'")
    field = dump.read(Path(file))
    if field.mask is None:
        request = {**request, "settings": {**request_values.settings(request), "mask": "ignore"}}
    result, extras, seconds = _results(request, channel_of(field), progress)
    if request_values.flag(request, "confidence"):  # Gwyddion takes one field back, and its mask
        result = result.replace(mask=extras[0].mask)
    dump.overwrite(Path(file), field_of(result))
    return {"type": "result", "seconds": seconds}


def _results(
    request: Mapping[str, Any], channel: Channel, progress: Progress
) -> tuple[Channel, list[Channel], float]:
    """Return the result, what goes with it if that is wanted, and the seconds."""
    drawn, confidence = drawn_of(request), request_values.flag(request, "confidence")
    upscaler = upscaler_for(settings_of(request), channel)
    drawn.check(upscaler.settings.protocol, confidence)
    result, seconds = timed(upscaler, channel, progress)
    surfaces: list[Channel] = []
    if drawn.asked:
        shape = result.yres, result.xres
        result, surfaces = drawn(channel, result, shape, upscaler.settings)
    result = result.after(_scan_time(channel, upscaler.scale(channel)))
    extras: list[Channel] = []
    if confidence:
        extras = _extras(channel, result, upscaler.settings)
    progress(1.0)  # nothing is written that nobody wants any more
    return result, [*extras, *surfaces], seconds


def _extras(channel: Channel, result: Channel, settings: Settings) -> list[Channel]:
    """Return the half-width of the interval around each height, and the residuals."""
    from afmsr_core.trust.assessment import assess

    try:
        found = assess(channel, result, settings)
    except FieldError as error:
        raise FieldError(f"{error}, or do not mark the least certain regions") from error
    extras = [found.confidence, found.residual]
    if found.noise.pixel > 0:  # without noise there is no sigma
        extras.append(found.residual_sigma)
    # Without a number: palette and range of the heights are not theirs.
    return [extra.replace(number=None) for extra in extras]


def _scan_time(channel: Channel, scale: Scale) -> Step:
    lines = scan_notes.lines_of(channel.xres, channel.yres, scale)
    counted = {"lines_scanned": lines, "lines_of_result": lines * max(scale)}
    saved = scan_notes.time_saved(channel.xres, channel.yres, scale)
    return Step("scan_time", __version__, counted, saved)
