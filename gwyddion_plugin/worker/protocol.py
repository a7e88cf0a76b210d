"""How a program asks the worker for work: protocol version 1.

Start ``python -I -m gwyddion_plugin.worker`` and speak to it through its stdin and stdout. Its
stderr is for people; send it to a file, never to a pipe that nobody reads. On POSIX the pipes
must not leak into other children (Python 2.7: ``close_fds=True``).

**Messages** are JSON objects, one a line, in ASCII (``json.dumps`` as it is by default), ended
by a newline. **Fields** are files of raw doubles, little-endian, row after row, in a folder of
the client's own that only its user may enter (``tempfile.mkdtemp``). The client makes the folder
and removes it. So a Python 2.7 script without numpy can speak the protocol.

The worker first says ``{"type": "ready", "protocol": 1, "afmsr": VERSION, "pid": N, "warm": B,
"address": PATH}``. Where it stays in memory, the file PATH says where it listens, see
:mod:`gwyddion_plugin.worker.address`: a client that lives on can go there itself the next time.
Then the client sends requests, one at a time, each with an ``id`` (a whole number or a text) that
the answers repeat. Every request ends with exactly one answer of its own type's kind, ``error`` or
``cancelled``; what is no request is answered with an ``error`` too, and the worker goes on.

``{"type": "methods", "id": 1, "field": FIELD, "settings": {"scale": S}}``
    asks what can be done with a field; it may be left out, and so may the settings. Only the
    description of the field counts: its file need not be there. The answer is ``{"type":
    "methods", "id": 1, "default": NAME, "methods": [...], "scale": {...}}``, for each method:
    ``name``, ``label``, ``summary``, ``kind`` (``interpolation`` or ``network``), ``parameters``,
    ``available``, ``missing`` (``""``, ``PyTorch`` or ``weights``), ``problem`` (what is missing
    and how to get it, or ``""``), ``seconds_per_pixel`` (of input; measured where it ran before,
    else a guess) and ``not_drawn`` (why nothing can be drawn at random of the field with it, so
    that ``sharpness`` and ``realisations`` would be refused, or ``""``). ``palettes`` are those of
    Gwyddion's that a preview can have, by name.
    ``scale`` says, if there is a field, how it will be taken: ``rows`` and ``columns`` of the
    result for one of the field, and for the user ``told``, how that was chosen (``""`` for 4x along
    both axes), and ``saved``, what scan time it saves. A method that does not make this scale has
    that as its problem.

``{"type": "upscale", "id": 2, "folder": PATH, "field": FIELD, "settings": {...}, ...}``
    with FIELD = ``{"xres", "yres", "xreal", "yreal", "unit_xy", "unit_z", "data": NAME}`` and,
    where there are such, ``"xoff"``, ``"yoff"``, ``"title"`` and ``"mask": NAME``. Sizes and
    values are in base SI units (``m``, never ``nm``); ``""`` or ``"1"`` is dimensionless. A pixel
    of the mask is marked where its double is above 0, as Gwyddion counts. NAME is a file name in
    the folder.
    ``settings`` are those of :class:`afmsr_core.upscale.Settings` that a request may name, see
    `SETTINGS`; all may be left out. Other keys, all of them optional:

    ``time_limit``
        seconds after which the worker gives up and exits.
    ``save``
        path of a ``.gwy`` to write with the field, the result, its title, history and log. The
        file must not exist. Gwyddion shows the result; the rest is in its data browser.
    ``sample``
        what the channels of that file are called, where the field has no title.
    ``keep``
        seconds for which the worker may stay in memory after the client has closed its stdin, so
        that the next ``worker`` that is started finds it and hands over to it. 0 by default.
    ``confidence``
        true: say also how far the result is to be trusted. The answer then has
        ``"extras": [{"field": FIELD, "history": [...]}, ...]``: the
        half-width of the interval around each height, whose mask marks the least certain regions;
        the residual, on the pixels of the scan; and, if the scan has noise, the same in sigma.
        ``save`` writes them too.
    ``sharpness``
        from 0, the best guess, to 1: how much of the first realisation is added, surfaces drawn at
        random of which :mod:`afmsr_core.realisations` tells. The result's title and history say so.
        Not together with ``confidence``, which is about the best guess.
    ``realisations``
        how many of them come too, 0 to `MOST_REALISATIONS`: at the end of ``"extras"``.
    ``seed``
        of what is drawn, a whole number from 0 on; 0 by default.
    ``retrace``
        FIELD, and in it ``"number"`` of the channel in its file, of the same lines scanned the
        other way, see ``{"type": "retrace"}``: the two are joined first, as
        :func:`afmsr_core.joining.join` does it. The history then has a step ``join``; where they do
        not fit, it has none, and ``warnings`` says why.

    While it works: ``{"type": "progress", "id": 2, "fraction": 0.25}``, several a second; the
    fraction is partly an estimate and never falls. Then ``{"type": "result", "id": 2, "field":
    FIELD, "history": [...], "log": [...], "seconds": S, "saved": PATH or null, "warnings":
    [...]}``; the files ``result.raw`` and ``result-mask.raw`` that FIELD names are complete.
    ``log`` holds lines in the form of Gwyddion's own log, ``warnings`` sentences that the user must
    be told. The result has no NaN: pixels that were NaN, or in lines that were never measured,
    have the mean of the others and are marked in the mask.

``{"type": "repeat", "id": 2, "file": PATH}``
    answers Gwyddion 2's call of its plug-in without a dialog, for :mod:`gwyddion_plugin.repeat`:
    the worker reads the file that Gwyddion wrote, upscales the field with the settings that the
    user chose last, and overwrites the file. The answer is ``{"type": "result", "id": 2,
    "seconds": S}``; after an ``error`` the file is as it was. ``settings``, ``time_limit``,
    ``keep``, ``confidence``, ``sharpness`` and ``seed`` are taken from the user's choices where the
    request has none.

``{"type": "retrace", "id": 7, "field": FIELD, "others": [FIELD, ...]}``
    asks which of the other channels of a file holds the same lines scanned the other way. Only
    the descriptions count: the files need not be there. The answer ``{"type": "retrace", "id": 7,
    "place": N or null}`` has the place among the others, from 0 on.

``{"type": "preview", "id": 3, "folder": PATH, "field": FIELD, "settings": {...}, "at": [X, Y]}``
    upscales a crop around the pixel (X, Y) of the levelled field. With ``sharpness`` and ``seed``
    something is drawn for the crop alone; the result has other detail there. The answer
    ``{"type": "preview", "id": 3, "before": NAME, "after": NAME, "difference": NAME, "overview":
    NAME, "bars": {"heights": NAME, "difference": NAME}, "ends": {"heights": [LOW, HIGH],
    "difference": [LOW, HIGH]}, "crop": [LEFT, TOP, WIDTH, HEIGHT], "made": [WIDTH, HEIGHT],
    "seconds_per_pixel": S}`` names pictures (binary PPM) in the folder: the crop, what the method
    adds to a bicubic interpolation, the whole scan, and the palettes, from the highest colour down,
    with the heights at their ends as texts; then the pixels of the crop before and after.
    ``"palette"`` of the request is one of ``palettes``. With ``"fields": true``
    there are no pictures; the answer then has ``"fields": {"scan": FIELD, "result": FIELD,
    "difference": FIELD, "overview": FIELD}``, the levelled crop before and after, what the method
    adds to a bicubic interpolation, and the whole scan in few pixels; ``"ranges": {NAME: {"low": Z,
    "high": Z}}`` for their colours; and ``"part": {"left", "top", "width", "height"}``, the place
    of the crop as shares of the scan.

``{"type": "judge", "id": 4, "folder": PATH, "field": FIELD, "settings": {...}}``
    asks whether the pixels of the scan are small enough. The answer ``{"type": "verdict", "id": 4,
    "verdict": V, "expected_error": E, "pixels": [COLUMNS, ROWS] or null, "lines": N or null,
    "warnings": [...], "told": LINES, "plan": TEXT}`` has one of ``fine``, ``doubtful`` and ``too
    coarse``, the error of the result over Sq that is to be expected, the number of pixels that
    would do (null if more pixels do not help against noise) and, of a line scan, which of them are
    lines, sentences that the user must be told of the scan, such as that lines were not measured,
    and all of that in lines for the user. ``plan`` is a sentence on which settings would reach an
    error of 10 % of Sq in the least time, ``""`` where that cannot be told.

``{"type": "cancel"}``
    stops the running request, which ends with ``{"type": "cancelled", "id": N}``. A worker that
    is deep in a computation says so and exits; start another when you need one. Between requests
    it does nothing.

``{"type": "quit"}``
    or the end of stdin: the worker exits, or stays in memory for ``keep`` seconds. If a request
    was running, it is given up, and the worker removes its files and the folder.

``{"type": "stop"}``
    is ``quit`` without staying in memory.

An error is ``{"type": "error", "id": N or null, "kind": NAME, "message": TEXT, "detail": TEXT,
"exit_status": S}``: ``kind`` is a class of :mod:`afmsr_core.errors` or of Python, ``message`` is
for the user and ends with the cure, ``detail`` is a traceback or ``""``. The worker goes on, but
for the kind ``TimeLimitError``. If stdout ends without an answer, the worker died: tell the user
so, with what it wrote to stderr.

Unknown keys are ignored, so that fields may be added. A change that breaks clients raises
`VERSION`; a client must not talk to a worker of another version.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from afmsr_core.errors import AfmsrError, UsageError

__all__ = [
    "CONFIDENCE_SECONDS",
    "DRAWING_SECONDS",
    "DRAW_SECONDS",
    "EXTRAS",
    "LONGEST_LINE",
    "MOST_REALISATIONS",
    "PREVIEW_FIELDS",
    "PREVIEW_MASK",
    "RESULT",
    "RESULT_MASK",
    "SETTINGS",
    "VERSION",
    "ProtocolError",
    "TimeLimitError",
    "WorkerError",
    "decode",
    "drawing_seconds",
    "encode",
    "file_name",
    "is_path",
]

VERSION = 1
RESULT, RESULT_MASK = "result.raw", "result-mask.raw"
MOST_REALISATIONS = 16
"""Each is a channel as large as the result; `afmsr upscale` writes more."""
EXTRAS = tuple(
    (f"extra-{n}.raw", f"extra-{n}-mask.raw") for n in range(1, 3 + MOST_REALISATIONS + 1)
)
"""Files of the further channels, each with that of its mask."""
PREVIEW_FIELDS = {
    name: f"preview-{name}.raw" for name in ("scan", "result", "difference", "overview")
}
PREVIEW_MASK = "preview-mask.raw"
"""Files of a preview; the mask, of pixels that were not measured, nobody shows."""
CONFIDENCE_SECONDS = 1e-6
"""What confidence takes per pixel of the scan, whatever the method; `benchmarks confidence`."""
DRAWING_SECONDS, DRAW_SECONDS = 2.2e-6, 1.3e-6
"""What it takes per pixel of the scan to draw at all, and each surface besides; measured."""
LONGEST_LINE = 1 << 20  # bytes; the longest honest message, a history, has a few thousand
SETTINGS = (
    "method",
    "scale",
    "level",
    "mask",
    "restore_background",
    "protocol",
    "device",
    "engine",
    "tile",
    "threads",
)
"""Settings that a request may name."""


class ProtocolError(AfmsrError):
    """One side said what the other does not understand."""


class WorkerError(AfmsrError):
    """The worker cannot be started, died, or failed at something that we did not foresee."""


class TimeLimitError(AfmsrError):
    """A request took longer than it was allowed to."""


def drawing_seconds(surfaces: int) -> float:
    """Return what it takes per pixel of the scan to draw so many surfaces at random."""
    return DRAWING_SECONDS + DRAW_SECONDS * surfaces if surfaces else 0.0


def encode(message: Mapping[str, Any]) -> bytes:
    r"""Return a message as a line.

    Examples
    --------
    >>> encode({"type": "cancel", "why": "µ"})
    b'{"type": "cancel", "why": "\\u00b5"}\n'
    """
    return json.dumps(message).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the message in a line.

    Raises
    ------
    ProtocolError
        If the line is not a JSON object with a ``type``.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(_not_understood(line)) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(_not_understood(line))
    if not _repeatable(message.get("id")):
        raise ProtocolError(f"{_not_understood(line)}; an 'id' is a whole number or a text")
    return message


def _repeatable(number: object) -> bool:
    """Whether an answer can have this id: JSON has no NaN, and nobody needs a table."""
    return number is None or isinstance(number, int | str)


def _not_understood(line: bytes) -> str:
    shown = line[:60].decode("ascii", "replace").rstrip()
    return (
        f"worker protocol: {shown!r} is not a message; send one JSON object with a 'type' a line "
        f"(see gwyddion_plugin.worker.protocol)"
    )


def is_path(text: str) -> bool:
    """Return whether the system takes a text as a path: without NUL and half characters."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def file_name(name: object) -> str:
    """Return `name` if it is a plain file name, which cannot lead out of the folder.

    Raises
    ------
    UsageError
        If it is not.
    """
    if not isinstance(name, str) or not name or name.startswith("."):
        raise UsageError(f"worker protocol: {name!r} is not a file name; give one such as data.raw")
    if any(sign in name for sign in "/\\:") or not is_path(name):
        raise UsageError(f"worker protocol: {name!r} is a path; give a name in the folder")
    return name
