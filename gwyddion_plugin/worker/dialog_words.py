"""What the library says, in words of the dialogs: its cures name options of the command line."""

from __future__ import annotations

import re

__all__ = ["in_dialog"]

_COMMAND = re.compile(r"(`[^`]*`)")  # to be typed as it stands
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)(?: ([0-9][0-9.x]*|[A-Z]+\b))?")
_SCALES = {"auto": "Automatic", "4": "4x along both axes", "1x4": "Lines x4", "1x2": "Lines x2"}
_CHOSEN = ("method", "scale", "sharpness", "seed", "realisations", "confidence", "residual")
_PHRASES = (
    (re.compile(r"try --tile 128, or "), ""),  # what a tile is, no dialog asks
    (re.compile(r" without --weights"), ""),  # nor for weights of one's own
    (re.compile(r"(leave out|leave) --scale"), "choose the scale Automatic"),
    (re.compile(r"(?:the )?--scale (auto|4|1x4|1x2)\b"), lambda found: _scale(found[1])),
    (re.compile(r"(?:the )?--method (?!and\b|that\b)([a-z0-9_]+)"), r"the method \1"),
)


def in_dialog(text: str) -> str:
    """Return a message with what the dialogs call the options that it names.

    An option that no dialog has becomes a command. Commands in backticks stay as they are.

    Examples
    --------
    >>> in_dialog("take --scale auto, or another --method")
    'take the scale Automatic, or another method'
    >>> in_dialog("compare with --method bicubic; run `afmsr models fetch --force edsr`")
    'compare with the method bicubic; run `afmsr models fetch --force edsr`'
    >>> in_dialog("leave out --realisations and --sharpness, or give --calibration FILE")
    'leave out realisations and sharpness, or give `afmsr upscale --calibration FILE`'
    """
    parts = _COMMAND.split(text)
    parts[::2] = [_translated(part) for part in parts[::2]]
    return "".join(parts)


def _translated(text: str) -> str:
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    return _OPTION.sub(_named, text)


def _scale(option: str) -> str:
    return f"the scale {_SCALES[option]}"


def _named(found: re.Match[str]) -> str:
    if found[1] in _CHOSEN:
        return found[1] + (f" {found[2]}" if found[2] else "")
    return f"`afmsr upscale {found[0]}`"
