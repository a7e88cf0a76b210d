"""Which methods there are for a scan, what they lack, and why nothing can be drawn with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, UsageError
from afmsr_core.grid import SQUARE, Scale, choose
from afmsr_core.methods import registry
from afmsr_core.picture import palettes
from afmsr_core.upscale import Progress, Settings
from gwyddion_plugin.worker import request_values, scan_notes
from gwyddion_plugin.worker.channels import described
from gwyddion_plugin.worker.dialog_words import in_dialog
from gwyddion_plugin.worker.request_scans import settings_of
from gwyddion_plugin.worker.upscalers import estimate, lack_of, method_for

__all__ = ["methods"]


def methods(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Answer ``methods``, see :mod:`gwyddion_plugin.worker.protocol`."""
    scale, taken, not_drawn = SQUARE, None, ""
    if request.get("field") is not None:
        scan = described(request_values.table(request, "field"))
        scale, told = choose(scan, settings_of(request).scale)
        saved = scan_notes.time_saved(scan.xres, scan.yres, scale)
        not_drawn = _not_drawn(scan, settings_of(request))
        taken = {"rows": scale.rows, "columns": scale.columns, "told": told, "saved": saved}
    listed = [_listed(name, scale) for name in registry.names()]
    for method in listed:
        default = method["name"] == registry.DEFAULT
        method["not_drawn"] = not_drawn if default else f"learnt for {registry.DEFAULT} only"
    return {
        "type": "methods",
        "default": registry.DEFAULT,
        "methods": listed,
        "scale": taken,
        "palettes": list(palettes.GWYDDION),
    }


def _not_drawn(scan: Channel, settings: Settings) -> str:
    """Say why nothing can be drawn at random of what the default method makes, or nothing."""
    from afmsr_core.realisations import check_drawable

    try:
        check_drawable(scan, replace(settings, method=registry.DEFAULT))
    except AfmsrError as error:
        return in_dialog(str(error).removeprefix(f"{scan.where}: "))
    return ""


def _listed(name: str, scale: Scale) -> dict[str, Any]:
    method, lack = registry.get(name), ("", "")
    try:
        method = method_for(name, scale)
    except UsageError as error:
        lack = "", str(error)
    else:
        lack = lack_of(method)
    return {
        "name": name,
        "label": method.label,
        "summary": method.summary,
        "kind": method.kind,
        "parameters": method.parameters,
        "missing": lack[0],
        "problem": in_dialog(lack[1]),
        "available": not lack[1],
        "seconds_per_pixel": estimate(method),
    }
