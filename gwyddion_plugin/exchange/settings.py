"""What the user chose last time, kept as JSON in the user's folder for settings."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

__all__ = ["Choices", "load", "path", "store", "user_folder"]

WARM_VARIABLE = "AFMSR_WARM_MINUTES"
_MOST = {"sharpness": 1.0, "seed": (1 << 31) - 1, "realisations": 16}  # as in the protocol


@dataclass(frozen=True)
class Choices:
    """Everything that the dialog asks, and what only the file can change.

    Parameters
    ----------
    method : str
        Name of the method.
    scale : str
        Pixels of the result for one of the scan, in the words of
        :class:`afmsr_core.upscale.Settings`: ``"auto"``, ``"4"``, ``"1x4"`` or ``"1x2"``.
    background : str
        Surface to level by: ``"none"``, ``"plane"`` or ``"poly2"`` to ``"poly9"``.
    rows : str
        Alignment of scan lines: ``"none"``, ``"rows-median"`` or ``"rows-median-diff"``.
    mask : str
        How levelling treats marked pixels: ``"ignore"``, ``"exclude"`` or ``"include"``.
    restore_background : bool
        Put back what levelling took off.
    open_full : bool
        Write the full result to a new file and open it.
    confidence : bool
        Mark the least certain regions of the result, and put what is known about its errors into
        the full result.
    sharpness : float
        From 0, the best guess, to 1: how much is added of a surface drawn at random.
    seed : int
        Of what is drawn.
    realisations : int
        How many such surfaces come as channels of their own: in pygwy only.
    join_retrace : bool
        Join the scan with its retrace first, where Gwyddion lets us see it: in pygwy only.
    name : str
        What the sample is called in such files: they and their channels are named so.
    folder : str
        Where such files go; empty: the folder of the file that was opened last, or the home folder.
    instant : bool
        Whether the preview follows every change.
    shown : str
        What the preview shows: ``"scan"``, ``"result"`` or ``"difference"``.
    zoom : int
        How many times the preview is enlarged: 1, 2 or 4.
    palette : str
        Of the preview; empty: that of Gwyddion's.
    warm_minutes : float
        How long the worker stays in memory after a run; 0: not at all. The environment variable
        ``AFMSR_WARM_MINUTES`` overrides it.
    time_limit : float
        Seconds after which a run is given up.
    """

    method: str = "afm"
    scale: str = "auto"
    background: str = "plane"
    rows: str = "none"
    mask: str = "ignore"
    restore_background: bool = True
    open_full: bool = False
    confidence: bool = False
    sharpness: float = 0.0
    seed: int = 0
    realisations: int = 0
    join_retrace: bool = False
    name: str = ""
    folder: str = ""
    instant: bool = True
    shown: str = "result"
    zoom: int = 1
    palette: str = ""
    warm_minutes: float = 5.0
    time_limit: float = 600.0

    @property
    def level(self) -> str:
        """Levelling in the words of :class:`afmsr_core.upscale.Settings`.

        Examples
        --------
        >>> Choices(rows="rows-median").level, Choices(background="none").level
        ('plane+rows-median', 'none')
        """
        steps = [step for step in (self.background, self.rows) if step != "none"]
        return "+".join(steps) or "none"

    @property
    def keep(self) -> float:
        """Seconds for which the worker may stay in memory."""
        with contextlib.suppress(KeyError, ValueError):
            minutes = float(os.environ[WARM_VARIABLE])
            if 0 <= minutes < inf:
                return 60.0 * minutes
        return 60.0 * self.warm_minutes

    def upscaling(self, masked: bool) -> dict[str, Any]:
        """Return the settings of a request; without a mask there is none to use."""
        return {
            "method": self.method,
            "scale": self.scale,
            "level": self.level,
            "mask": self.mask if masked else "ignore",
            "restore_background": self.restore_background,
        }

    def request(self, masked: bool) -> dict[str, Any]:
        """Return all that a request for a whole field says of these."""
        return {
            "settings": self.upscaling(masked),
            "time_limit": self.time_limit,
            "keep": self.keep,
            "confidence": self.confidence,
            **self.drawn,
        }

    @property
    def drawn(self) -> dict[str, Any]:
        """What a request says of chance; nothing unless something is to be drawn."""
        return {"sharpness": self.sharpness, "seed": self.seed} if self.sharpness else {}


def user_folder(variable: str, below_home: str, on_windows: str) -> Path:
    """Return a folder for afmsr among those of the user, which need not exist.

    Parameters
    ----------
    variable : str
        Of the XDG Base Directory Specification, such as ``XDG_CONFIG_HOME``.
    below_home : str
        Where it is if that is not set.
    on_windows : str
        The variable there, such as ``APPDATA``. On macOS there is one folder for all.
    """
    if sys.platform == "win32":
        variable, below_home = on_windows, "AppData/Roaming"
    elif sys.platform == "darwin":
        below_home = "Library/Application Support"
    named = os.environ.get(variable, "")
    # A relative path is to be ignored, says the XDG specification.
    base = Path(named) if Path(named).is_absolute() else Path.home() / below_home
    return base / "afmsr"


def path() -> Path:
    """Return where the settings are kept."""
    return user_folder("XDG_CONFIG_HOME", ".config", "APPDATA") / "gwyddion.json"


def load() -> Choices:
    """Return the choices of last time; what is missing or makes no sense is as at first."""
    try:
        found = json.loads(path().read_bytes())
    except (OSError, ValueError, RecursionError):
        return Choices()
    if not isinstance(found, dict):
        return Choices()
    kept: dict[str, Any] = {}
    for item in fields(Choices):
        value = found.get(item.name)
        if isinstance(item.default, float) and type(value) is int:
            with contextlib.suppress(OverflowError):
                value = float(value)
        if type(value) is type(item.default) and _makes_sense(item.name, value):
            kept[item.name] = value
    return Choices(**kept)


def _makes_sense(name: str, value: object) -> bool:
    if isinstance(value, bool | str):
        return True
    return isinstance(value, int | float) and 0 <= value <= _MOST.get(name, sys.float_info.max)


def store(choices: Choices) -> None:
    """Keep the choices for next time; a folder that cannot be written to is no reason to fail.

    Written beside and renamed, so that two windows of Gwyddion cannot mix their halves. (Not by
    afmsr_core.io.atomic: to import that package takes longer than the dialog may take to open.)
    """
    target = path()
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(6)}")
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(asdict(choices), indent=1) + "\n", encoding="ascii")
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
