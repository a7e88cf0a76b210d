"""What the worker answers a request: the methods, a preview of a crop, a field upscaled, a verdict.

The arithmetic is :mod:`afmsr_core.upscale`; this is what is around it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.batch.drawn import Drawn
from afmsr_core.channel import Channel, Step, names_feedback
from afmsr_core.errors import (
    AfmsrError,
    FieldError,
    MissingExtraError,
    OutputError,
    OutputExistsError,
    UsageError,
    pip_install,
)
from afmsr_core.grid import SQUARE, Scale, choose
from afmsr_core.inference.onnx_engine import usable_threads
from afmsr_core.methods import Method, Network, registry
from afmsr_core.picture import palettes
from afmsr_core.upscale import Progress, Settings, Upscaler, warnings_for
from gwyddion_plugin.exchange import dump
from gwyddion_plugin.worker import protocol, request_values, scan_notes
from gwyddion_plugin.worker.channels import (
    channel_from,
    channel_of,
    described,
    field_of,
    write_channel,
)
from gwyddion_plugin.worker.dialog_words import in_dialog

__all__ = ["ANSWERS", "estimate", "expected"]

Answer = Callable[[Mapping[str, Any], Progress], dict[str, Any]]

# A convolution spends two operations per parameter and pixel; a thread of a laptop does about
# this many a second in ONNX Runtime or torch. Only for estimates before anything was measured.
_SPEED = 8e9
_INTERPOLATION = 2e-7  # seconds per input pixel, levelling included; measured
_FEWEST = 4096  # pixels; a run of fewer measures the overhead, not the speed
_JUDGED = 512  # pixels per side in the middle that are judged: nobody waits for more, some 0.4 s

_UNNAMED = "Scan"  # title of a scan in a file of its own, if nobody named it

PLAIN = "bicubic"
"""Method that a preview's difference is from."""

_rates: dict[tuple[str, Scale], float] = {}


def _upscaler(settings: Settings, channel: Channel) -> Upscaler:
    """Return what upscales a channel, its network loaded: no run is measured with the loading.

    Raises
    ------
    AfmsrError
        If the method lacks something for it.
    """
    scale = choose(channel, settings.scale).scale
    _require(_method(settings.method, scale))
    return _loaded(replace(settings, scale=scale.option))


@lru_cache(maxsize=3)
def _loaded(settings: Settings) -> Upscaler:
    """Return what is loaded; the last ones are kept, for the run after the preview."""
    return Upscaler(settings)


def _method(name: str, scale: Scale) -> Method:
    """Return a method for a scale; if it does not make that, say what to choose in the dialog."""
    method = registry.get(name)
    try:
        return registry.get(name, scale)
    except UsageError as error:
        raise UsageError(
            f"{method.name} makes 4x along both axes only; choose that as the scale, or another "
            f"method, such as {registry.DEFAULT}"
        ) from error


def _settings(request: Mapping[str, Any]) -> Settings:
    return Settings(**request_values.settings(request))


def _given(request: Mapping[str, Any]) -> tuple[Path, Channel]:
    """Return the folder and the channel of a request."""
    folder, field = request_values.name(request, "folder"), request.get("field")
    if not folder or not isinstance(field, dict):
        raise protocol.ProtocolError(
            f"worker protocol: {request['type']} needs a 'folder' and a 'field'; "
            f"see gwyddion_plugin.worker.protocol"
        )
    return Path(folder), channel_from(Path(folder), field)


def _with_retrace(request: Mapping[str, Any], folder: Path, channel: Channel) -> Channel:
    """Return the channel, joined with its retrace if the request has that."""
    if request.get("retrace") is None:
        return channel
    from afmsr_core.joining import join

    retrace = request_values.table(request, "retrace")
    number = int(request_values.number(retrace, "number", 0.0))
    return join(channel, channel_from(folder, retrace).replace(number=number))


def estimate(method: Method) -> float:
    """Return the seconds that an input pixel takes: as measured here, else a guess."""
    measured = _rates.get((method.name, method.scale))
    if measured is not None:
        return measured
    # Of a line scan, a network takes as many points together as are as long as lines are apart.
    work = 2.0 * method.parameters / method.scale.cell / (_SPEED * usable_threads())
    return work + _INTERPOLATION


def expected(request: Mapping[str, Any]) -> float:
    """Return the seconds that a request will take, roughly; 0 if it does not say enough."""
    settings = _settings(request)
    if not isinstance(request.get("field"), dict):
        return 0.0
    try:
        scan, drawn = described(request["field"]), _drawn(request)
        method = _method(settings.method, choose(scan, settings.scale).scale)
        more = protocol.CONFIDENCE_SECONDS * request_values.flag(request, "confidence")
        more += protocol.drawing_seconds(drawn.realisations + (drawn.sharpness > 0))
        return scan.heights.size * (estimate(method) + more)
    except AfmsrError:  # which the work itself will tell
        return 0.0


def _timed(upscaler: Upscaler, channel: Channel, progress: Progress) -> tuple[Channel, float]:
    began = time.monotonic()
    result = upscaler(channel, progress)
    seconds = time.monotonic() - began
    if channel.heights.size >= _FEWEST:
        method = _method(upscaler.method.name, upscaler.scale(channel))
        _rates[method.name, method.scale] = seconds / channel.heights.size
    return result, seconds


# --- methods -------------------------------------------------------------------------------


def _methods(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    scale, taken, not_drawn = SQUARE, None, ""
    if request.get("field") is not None:
        scan = described(request_values.table(request, "field"))
        scale, told = choose(scan, _settings(request).scale)
        saved = scan_notes.time_saved(scan.xres, scan.yres, scale)
        not_drawn = _not_drawn(scan, _settings(request))
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
        method = _method(name, scale)
    except UsageError as error:
        lack = "", str(error)
    else:
        lack = _lack(method)
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


def _lack(method: Method) -> tuple[str, str]:
    """Say what a method lacks on this machine, in a word, and how to get it; empty if ready."""
    try:
        _require(method)
    except MissingExtraError as error:
        return "PyTorch", str(error)
    except AfmsrError as error:
        return "weights", str(error)
    return "", ""


def _require(method: Method) -> None:
    """Raise if a method lacks something, before anything slow is imported to find that out."""
    if not isinstance(method, Network) or method.onnx is not None:
        return
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(
            f"{method.name} needs PyTorch: {sys.executable} -m {pip_install('torch')}"
        )
    from afmsr_core.methods import weights

    weights.locate(method)


# --- upscale -------------------------------------------------------------------------------


def _upscale(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    folder, channel = _given(request)
    channel = _with_retrace(request, folder, channel)
    saved = request_values.name(request, "save")
    if saved:
        _check_room(request, Path(saved), channel)
    result, extras, seconds = _results(request, channel, progress)
    from afmsr_core.io.gwylog import log_entry

    if saved:
        _save(Path(saved), channel, [result, *extras], request_values.name(request, "sample"))
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


def _results(
    request: Mapping[str, Any], channel: Channel, progress: Progress
) -> tuple[Channel, list[Channel], float]:
    """Return the result, what goes with it if that is wanted, and the seconds."""
    drawn, confidence = _drawn(request), request_values.flag(request, "confidence")
    upscaler = _upscaler(_settings(request), channel)
    drawn.check(upscaler.settings.protocol, confidence)
    result, seconds = _timed(upscaler, channel, progress)
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


def _drawn(request: Mapping[str, Any]) -> Drawn:
    """Return what a request wants to be drawn at random."""
    return Drawn(
        request_values.count(request, "realisations", protocol.MOST_REALISATIONS, least=0),
        request_values.share(request, "sharpness"),
        request_values.count(request, "seed", request_values.MOST_SEED, least=0),
    )


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


def _repeat(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
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


def _scan_time(channel: Channel, scale: Scale) -> Step:
    lines = scan_notes.lines_of(channel.xres, channel.yres, scale)
    counted = {"lines_scanned": lines, "lines_of_result": lines * max(scale)}
    saved = scan_notes.time_saved(channel.xres, channel.yres, scale)
    return Step("scan_time", __version__, counted, saved)


def _check_room(request: Mapping[str, Any], target: Path, channel: Channel) -> None:
    """Refuse a file that the results will not fit in, before they are computed."""
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.io.results import Planned, check_results

    scale = choose(channel, _settings(request).scale).scale
    shape = scale.shape(channel.yres, channel.xres)
    planned = [Planned.of(channel, shape)]
    if request_values.flag(request, "confidence"):
        planned += [Planned.of(channel, shape, masked=True), *2 * [Planned.of(channel)]]
    planned += _drawn(request).planned(channel, shape)
    check_results(target, GwyFile.new([channel]), planned)


def _save(target: Path, channel: Channel, results: list[Channel], sample: str) -> None:
    """Write the field and what was made of it to a new file of Gwyddion's, which shows the first.

    Where the field has no title, all are named after the sample. A name that would stand for a
    signal of the feedback is none: whoever reads the file would take the heights for that.
    """
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.io.results import write_results

    if not channel.title:
        named = sample if sample and not names_feedback(sample) else _UNNAMED
        results = [one.replace(title=one.title.replace(channel.name, named, 1)) for one in results]
        channel = channel.replace(title=named)
    try:
        write_results(target, GwyFile.new([channel], shown=False), results, one_window=True)
    except OutputExistsError as error:
        raise OutputError(f"{target}: exists already; choose another name") from error


# --- retrace -------------------------------------------------------------------------------


def _retrace(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Say which of the other channels of a file is the retrace of the one that is shown."""
    from afmsr_core.joining import other_way

    shown = described(request_values.table(request, "field"))
    others = [described(one) for one in request_values.tables(request, "others")]
    found = other_way(shown, others)
    place = next((n for n, one in enumerate(others) if one is found), None)
    return {"type": "retrace", "place": place}


# --- preview -------------------------------------------------------------------------------


def _preview(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from gwyddion_plugin.worker import preview_pictures

    folder, channel = _given(request)
    settings = _settings(request)
    scale = choose(channel, settings.scale).scale
    # A tilt would hide the detail, and the crop must be levelled as the whole field will be.
    relief = _levelled(channel, settings, scale)
    crop = preview_pictures.Crop.around(relief, scale, request_values.place(request, "at"))
    raw = replace(settings, level="none", mask="ignore", restore_background=False)
    upscaler = _upscaler(raw, channel)
    result, _ = _timed(upscaler, crop.seen(relief), progress)
    drawn = _drawn(request)
    if drawn.sharpness:
        drawn = replace(drawn, realisations=0)
        result, _ = drawn(crop.seen(relief), result, (result.yres, result.xres), upscaler.settings)
    # An interpolation has no device, no engine and no tiles.
    bare = Settings(PLAIN, "none", restore_background=False, scale=raw.scale)
    plain = _upscaler(bare, channel)(crop.seen(relief), progress)
    if request_values.flag(request, "fields"):
        shown = preview_pictures.write_fields(folder, relief, crop, result, plain)
    else:
        palette = preview_pictures.palette_of(request_values.name(request, "palette"))
        shown = preview_pictures.write(folder, relief, crop, result, plain, palette)
    return {
        "type": "preview",
        "crop": [crop.left, crop.top, crop.width, crop.height],
        "made": [crop.width * scale.columns, crop.height * scale.rows],
        "seconds_per_pixel": estimate(_method(settings.method, scale)),
        **shown,
    }


def _levelled(channel: Channel, settings: Settings, scale: Scale) -> Channel:
    """Return a channel as it is levelled before the method: line by line, wherever lines run."""
    from afmsr_core.levelling import level

    if scale.sideways:
        return level(channel.turned(), settings.level, settings.mask).channel.turned()
    return level(channel, settings.level, settings.mask).channel


# --- judge ---------------------------------------------------------------------------------


def _judge(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from afmsr_core.gaps import middle
    from afmsr_core.trust.coarseness import judge
    from afmsr_core.trust.noise import noise_of

    _, channel = _given(request)
    settings = _settings(request)
    scale = choose(channel, settings.scale).scale
    levelled = _levelled(channel, settings, scale)
    upright = levelled.turned() if scale.sideways else levelled
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
    return answer | {"told": scan_notes.verdict(answer), "plan": _planned(levelled)}


def _planned(levelled: Channel) -> str:
    """Say which settings would reach an error in the least time; empty if that cannot be told."""
    from afmsr_core.planning import plan

    if not levelled.shows_relief:  # the expected errors were checked on heights only
        return ""
    with contextlib.suppress(FieldError):
        return scan_notes.planned(plan(levelled, level="none", asked_side=_JUDGED))
    return ""


ANSWERS: Mapping[str, Answer] = {
    "methods": _methods,
    "upscale": _upscale,
    "repeat": _repeat,
    "retrace": _retrace,
    "preview": _preview,
    "judge": _judge,
}
"""What answers a request that is work, by its type."""
