"""What the worker answers a request, by its type.

The arithmetic is :mod:`afmsr_core.upscale`; the modules here are what is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from afmsr_core.errors import AfmsrError
from afmsr_core.grid import choose
from afmsr_core.upscale import Progress
from gwyddion_plugin.worker import protocol, request_values
from gwyddion_plugin.worker.channels import described
from gwyddion_plugin.worker.method_listing import methods
from gwyddion_plugin.worker.preview import preview
from gwyddion_plugin.worker.request_scans import drawn_of, settings_of
from gwyddion_plugin.worker.results import repeat, upscale
from gwyddion_plugin.worker.upscalers import estimate, method_for
from gwyddion_plugin.worker.verdict import judge

__all__ = ["ANSWERS", "expected"]

Answer = Callable[[Mapping[str, Any], Progress], dict[str, Any]]


def expected(request: Mapping[str, Any]) -> float:
    """Return the seconds that a request will take, roughly; 0 if it does not say enough."""
    settings = settings_of(request)
    if not isinstance(request.get("field"), dict):
        return 0.0
    try:
        scan, drawn = described(request["field"]), drawn_of(request)
        method = method_for(settings.method, choose(scan, settings.scale).scale)
        more = protocol.CONFIDENCE_SECONDS * request_values.flag(request, "confidence")
        more += protocol.drawing_seconds(drawn.realisations + (drawn.sharpness > 0))
        return scan.heights.size * (estimate(method) + more)
    except AfmsrError:  # which the work itself will tell
        return 0.0


def retrace(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Say which of the other channels of a file is the retrace of the one that is shown."""
    from afmsr_core.joining import other_way

    shown = described(request_values.table(request, "field"))
    others = [described(one) for one in request_values.tables(request, "others")]
    found = other_way(shown, others)
    place = next((n for n, one in enumerate(others) if one is found), None)
    return {"type": "retrace", "place": place}


ANSWERS: Mapping[str, Answer] = {
    "methods": methods,
    "upscale": upscale,
    "repeat": repeat,
    "retrace": retrace,
    "preview": preview,
    "judge": judge,
}
"""What answers a request that is work, by its type."""
