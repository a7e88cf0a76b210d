"""Whether the pixels of a scan are small enough, and which would be."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.grid import choose
from afmsr_core.methods import registry
from afmsr_core.upscale import Progress, warnings_for
from gwyddion_plugin.worker import scan_notes
from gwyddion_plugin.worker.dialog_words import in_dialog
from gwyddion_plugin.worker.request_scans import given, levelled, settings_of

__all__ = ["judge"]

_JUDGED = 512  # pixels per side in the middle that are judged: nobody waits for more, some 0.4 s


def judge(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Answer ``judge``, see :mod:`gwyddion_plugin.worker.protocol`."""
    from afmsr_core.gaps import middle
    from afmsr_core.trust.coarseness import judge
    from afmsr_core.trust.noise import noise_of

    _, channel = given(request)
    settings = settings_of(request)
    scale = choose(channel, settings.scale).scale
    flat = levelled(channel, settings, scale)
    upright = flat.turned() if scale.sideways else flat
    relief = middle(upright.heights, _JUDGED)
    progress(0.5)
    found = judge(relief, noise_of(relief, scale.cell), None, scale.upright)
    # As many more on the whole field as on what was judged of it.
    sides = zip(found.pixels, relief.shape[::-1], (upright.xres, upright.yres), strict=True)
    pixels = [round(wanted / has * whole) for wanted, has, whole in sides]
    if scale.sideways:
        pixels.reverse()
    answer = {
        "type": "verdict",
        "verdict": found.verdict,
        "expected_error": found.expected_error,
        "pixels": pixels if found.more_pixels_help else None,
        "lines": pixels[0 if scale.sideways else 1] if scale.lines else None,
        "warnings": [
            in_dialog(told)
            for told in (*channel.warnings, *warnings_for(registry.get(settings.method), channel))
        ],
    }
    progress(0.6)
    return answer | {"told": scan_notes.verdict(answer), "plan": _planned(flat)}


def _planned(flat: Channel) -> str:
    """Say which settings would reach an error in the least time; empty if that cannot be told."""
    from afmsr_core.planning import plan

    if not flat.shows_relief:  # the expected errors were checked on heights only
        return ""
    with contextlib.suppress(FieldError):
        return scan_notes.planned(plan(flat, level="none", asked_side=_JUDGED))
    return ""
