"""The options of a run, as words: what its results are known by."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from afmsr_core.batch.plan import sha256_of
from afmsr_core.grid import AUTO
from afmsr_core.methods import registry, shipped

if TYPE_CHECKING:
    from afmsr_core.batch.work import Work
    from afmsr_core.upscale import Settings

__all__ = ["options_of"]

DIGITS = 16  # of a hash: 64 bits


def options_of(settings: Settings, work: Work) -> str:
    """Return what the heights in the results of a run depend on, as options of ``afmsr upscale``.

    Parameters
    ----------
    settings : Settings
        How its scans are upscaled.
    work : Work
        What else is done with each.

    Returns
    -------
    str
        Method and levelling, and whatever is not the default. Where it is computed, with which
        tiles and threads, and what is written beside the results is left out. Files of weights
        and calibrations stand there with their hash, so that neither their names nor their
        folders matter; so do weights that ship with afmsr, of which each version has its own.

    Examples
    --------
    >>> from afmsr_core.batch.work import Work
    >>> from afmsr_core.upscale import Settings
    >>> options_of(Settings(method="bicubic", mask="exclude"), Work(which=("Height*",)))
    "--method bicubic --level plane --mask exclude --channel 'Height*'"
    """
    return shlex.join(_words(settings, work))


def _words(settings: Settings, work: Work) -> Iterator[str]:
    grid, drawn, trust = work.grid, work.drawn, work.trust
    yield from ("--method", settings.method, "--level", settings.level)
    told = {
        "--scale": (str(grid.scale), AUTO),
        "--pixels": (grid.pixels, None),
        "--mask": (settings.mask, "ignore"),
        "--protocol": (settings.protocol, "nm"),
        "--weights": (_contents(settings.weights) or _shipped(settings.method), ""),
        "--with-retrace": (work.with_retrace, "no"),
        "--calibration": (_contents(trust.calibration), ""),
        "--realisations": (drawn.realisations, 0),
        "--sharpness": (float(drawn.sharpness), 0.0),
        "--seed": (drawn.seed, 0),
    }
    for name, (value, usual) in told.items():
        if value != usual:
            yield from (name, str(value))
    flags = {
        "--no-restore-background": not settings.restore_background,
        "--all-channels": work.every,
        "--confidence": trust.confidence,
        "--residual": trust.residual,
    }
    yield from (name for name, given in flags.items() if given)
    for channel in work.which or ():
        yield from ("--channel", channel)


def _contents(file: Path | None) -> str:
    """Return by what the contents of a file are known; who needs it says why it cannot be read."""
    if file is None:
        return ""
    return f"sha256:{sha256_of(file)[:DIGITS]}" if file.is_file() else str(file.name)


def _shipped(method: str) -> str:
    """Return by what the weights of a method are known that ship with afmsr; empty if none do."""
    networks = (registry.get(method, scale) for scale in registry.scales(method))
    hashes = "".join(
        shipped.expected_hash(network.weights.name)
        for network in networks
        if isinstance(network, registry.Network) and network.weights.packaged
    )
    return f"shipped:{hashlib.sha256(hashes.encode()).hexdigest()[:DIGITS]}" if hashes else ""
