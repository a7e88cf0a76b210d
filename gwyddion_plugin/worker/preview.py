"""A crop of a scan, upscaled: what the dialogs show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from afmsr_core.grid import choose
from afmsr_core.upscale import Progress, Settings
from gwyddion_plugin.worker import request_values
from gwyddion_plugin.worker.request_scans import drawn_of, given, levelled, settings_of
from gwyddion_plugin.worker.upscalers import estimate, method_for, timed, upscaler_for

__all__ = ["preview"]

_PLAIN = "bicubic"  # method that the difference is from


def preview(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Answer ``preview``, see :mod:`gwyddion_plugin.worker.protocol`."""
    from gwyddion_plugin.worker import preview_pictures

    folder, channel = given(request)
    settings = settings_of(request)
    scale = choose(channel, settings.scale).scale
    # A tilt would hide the detail, and the crop must be levelled as the whole field will be.
    relief = levelled(channel, settings, scale)
    crop = preview_pictures.Crop.around(relief, scale, request_values.place(request, "at"))
    raw = replace(settings, level="none", mask="ignore", restore_background=False)
    upscaler = upscaler_for(raw, channel)
    result, _ = timed(upscaler, crop.seen(relief), progress)
    drawn = drawn_of(request)
    if drawn.sharpness:
        drawn = replace(drawn, realisations=0)
        result, _ = drawn(crop.seen(relief), result, (result.yres, result.xres), upscaler.settings)
    # An interpolation has no device, no engine and no tiles.
    bare = Settings(_PLAIN, "none", restore_background=False, scale=raw.scale)
    plain = upscaler_for(bare, channel)(crop.seen(relief), progress)
    if request_values.flag(request, "fields"):
        shown = preview_pictures.write_fields(folder, relief, crop, result, plain)
    else:
        palette = preview_pictures.palette_of(request_values.name(request, "palette"))
        shown = preview_pictures.write(folder, relief, crop, result, plain, palette)
    return {
        "type": "preview",
        "crop": [crop.left, crop.top, crop.width, crop.height],
        "made": [crop.width * scale.columns, crop.height * scale.rows],
        "seconds_per_pixel": estimate(method_for(settings.method, scale)),
        **shown,
    }
