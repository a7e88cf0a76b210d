"""Upscaled channels in a file: written beside what they came from, and found again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import AfmsrError, UsageError
from afmsr_core.grid import TITLED, scales_of
from afmsr_core.io.atomic import check_target
from afmsr_core.io.files import mapped
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.history import META, from_meta, log_of, to_meta

__all__ = [
    "HALF_WIDTH",
    "Made",
    "META",
    "Planned",
    "REALISATION",
    "RESIDUAL",
    "UNCERTAINTY",
    "check_results",
    "conversion",
    "converted_from",
    "drawn_at_random",
    "half_width_of",
    "is_extra",
    "is_result",
    "made_by",
    "results_in",
    "scan_title",
    "write_results",
]

HALF_WIDTH, UNCERTAINTY, RESIDUAL = "Half-width", "Relative uncertainty", "Residual"
REALISATION = "Realisation"
"""How the titles begin of what is written beside a result: of the interval around its heights, of
the same where no calibration fits, of what it leaves at the measured pixels, and of surfaces drawn
at random among those that the scan allows."""

CONVERT = "convert"
"""The step of a history that names the file which a channel was converted from."""


DRAWN = ("sharpen", "realise")
"""Steps after which a result is no best guess: a surface drawn at random is part of it."""


class Made(NamedTuple):
    """What the heights of a result follow from, as its history tells.

    Attributes
    ----------
    options : str
        Of the run, as of :func:`afmsr_core.batch.options.options_of`.
    scan : str
        SHA-256 of the file that it was made from.
    """

    options: str
    scan: str

    @classmethod
    def of(cls, step: Step) -> Made | None:
        """Return what a step of a history tells of it; None if it does not."""
        options, scan = (step.settings.get(name) for name in ("options", "scan_sha256"))
        return cls(options, scan) if isinstance(options, str) and isinstance(scan, str) else None

    def noted(self, step: Step) -> Step:
        """Return a step of a history that tells it."""
        told = {"options": self.options, "scan_sha256": self.scan}
        return replace(step, settings={**step.settings, **told})


class Planned(NamedTuple):
    """A result before it is computed: its rows and columns, and whether it will have a mask."""

    yres: int
    xres: int
    masked: bool

    @classmethod
    def of(
        cls, channel: Channel, shape: tuple[int, int] | None = None, masked: bool | None = None
    ) -> Planned:
        """Return what a channel becomes that gets so many rows and columns."""
        if masked is None:  # Gwyddion's files say by a mask what was not measured.
            masked = channel.mask is not None or not bool(np.isfinite(channel.heights).all())
        return cls(*(shape or (channel.yres, channel.xres)), masked)


def check_results(target: Path, file: GwyFile, planned: Sequence[Planned]) -> None:
    """Refuse, before anything is computed, results that `write_results` could not write.

    Parameters
    ----------
    target : Path
        Where they will go.
    file : GwyFile
        What they will be made from.
    planned : sequence of Planned
        All that will be written beside it.

    Raises
    ------
    UsageError
        If the format holds one channel and more are planned.
    OutputError
        If a ``.gwy`` would exceed 4 GiB, or the target cannot be written to by its very name.
    """
    check_target(target, force=True)
    if target.suffix.lower() == ".gwy":
        pixels = sum(one.yres * one.xres * (1 + one.masked) for one in planned)
        file.check_room(pixels, target.name)
    elif len(planned) != 1:
        raise UsageError(
            f"{target.name}: {target.suffix} holds one channel, {len(planned)} would be written; "
            f"choose one, or write .gwy"
        )


def write_results(
    target: Path,
    file: GwyFile,
    results: Sequence[Channel],
    force: bool = False,
    one_window: bool = False,
) -> None:
    """Write results in the format that the target's extension names.

    Parameters
    ----------
    target : Path
        A ``.gwy`` becomes a copy of `file` with the results added, each with the palette,
        range, metadata and log of the channel it was made from, and what was done since; every
        other format holds the results alone.
    file : GwyFile
        What the results were made from.
    results : sequence of Channel
        What to add; ``number`` tells from which channel of `file` each was made.
    force : bool
        Overwrite the target if it exists.
    one_window : bool
        Gwyddion opens a window for the first result alone; the others are in its data browser.

    Raises
    ------
    OutputError
        If the target cannot be written; it is then as it was before.
    """
    if target.suffix.lower() != ".gwy":
        from afmsr_core import io

        io.write(target, list(results), force=force)
        return
    for place, result in enumerate(results):
        like = result.number
        known = () if like is None else from_meta(file.meta(like))
        file = file.with_channel(
            result,
            like=like,
            log=log_of(result.history[len(known) :], file.layout.function),
            meta=to_meta(result.history),
            shown=place == 0 or not one_window,
        )
    file.save(target, force=force)


def is_extra(channel: Channel) -> bool:
    """Whether a channel tells of a result instead of being one: a half-width, a residual."""
    return channel.title.startswith((HALF_WIDTH, UNCERTAINTY, RESIDUAL, REALISATION))


def results_in(channels: Sequence[Channel]) -> list[Channel]:
    """Return the channels that are upscaled, as their titles or histories tell."""
    return [
        channel
        for channel in channels
        if not is_extra(channel)
        and ("(x" in channel.title or "(lines x" in channel.title or channel.last_step("upscale"))
    ]


def is_result(channels: Iterable[Channel]) -> bool:
    """Whether afmsr upscaled one of these channels of a file, or tells of what it upscaled.

    Stricter than `results_in`: instruments give titles with brackets, too, and a scan that is taken
    for a result would be passed over.
    """
    return any(scales_of(channel) for channel in channels)


def drawn_at_random(channel: Channel) -> str:
    """Return what is to be known of a surface that is drawn at random; empty of a best guess.

    Examples
    --------
    >>> sharp = Channel(np.zeros((2, 2)), 1.0, 1.0, title="Height (x4 afm@0.5)")
    >>> drawn_at_random(sharp).rpartition(". ")[2], drawn_at_random(sharp.replace(title="a@b"))
    ('This is not the best guess of the heights.', '')
    """
    step = next((one for one in channel.history[::-1] if one.name in DRAWN), None)
    upscaled = TITLED.search(channel.title)
    if step is not None:
        told = step.effect[:1].upper() + step.effect[1:]
    elif channel.title.startswith(REALISATION) or (
        upscaled is not None and "@" in channel.title[upscaled.start() :]
    ):
        told = f"{channel.title}: one of many surfaces that fit; not for single features"
    else:
        return ""
    return f"{told}. This is not the best guess of the heights."


def made_by(path: Path) -> Made | None:
    """Return what a result was made by; None if the file does not tell.

    Of several results in a ``.gwy``, that of the last: a scan may be a result itself.
    """
    try:
        for history in _histories(path):
            steps = [step for step in history if step.name == "upscale"]
            if steps:
                return Made.of(steps[-1])
    except AfmsrError:  # damaged, or something else
        pass
    return None


def _histories(path: Path) -> Iterator[tuple[Step, ...]]:
    """Yield the histories of the channels of a file, last channels first, without the heights."""
    if path.suffix.lower() != ".gwy":
        from afmsr_core import io

        yield from (channel.history for channel in reversed(io.read(path)))
        return
    with mapped(path) as data:
        file = GwyFile.from_bytes(data, path)
        yield from (from_meta(file.meta(number)) for number in reversed(file.numbers))


def scan_title(title: str) -> str:
    """Return the title of a channel without what is said there of how it was upscaled.

    Examples
    --------
    >>> scan_title("Height (x4 afm)"), scan_title("Height (lines x4, afm)"), scan_title("Height")
    ('Height', 'Height', 'Height')
    """
    found = TITLED.search(title)
    return title if found is None else title[: found.start()].rstrip()


def conversion(channel: Channel, digest: str) -> Channel:
    """Return a channel whose history says from which file it was converted.

    Parameters
    ----------
    channel : Channel
        As it was read, or levelled since.
    digest : str
        SHA-256 of the bytes of its file.
    """
    source = channel.path.name if channel.path else ""
    settings = {"source": source, "sha256": digest, "channel": channel.number}
    return channel.after(Step(CONVERT, __version__, settings, f"from {source}"))


def converted_from(channels: Iterable[Channel]) -> tuple[str, str] | None:
    """Return name and SHA-256 of the file that ``afmsr convert`` made these channels from."""
    for channel in channels:
        if step := channel.last_step(CONVERT):
            return str(step.settings.get("source")), str(step.settings.get("sha256"))
    return None


def half_width_of(channels: Sequence[Channel], result: Channel) -> Channel | None:
    """Return the half-width of the interval around a result's heights, the last if several fit.

    Where the method has no calibration, that is the relative uncertainty.
    """
    fitting = [
        channel
        for channel in channels
        if channel.title.startswith((HALF_WIDTH, UNCERTAINTY))
        and channel.title.endswith(result.title)
        and channel.heights.shape == result.heights.shape
    ]
    return fitting[-1] if fitting else None
