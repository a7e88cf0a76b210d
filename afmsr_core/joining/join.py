"""The join itself: a channel and its retrace in, one channel on the pixels of the trace out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.grid import is_sideways
from afmsr_core.joining.partner import misfit, titled_other_way
from afmsr_core.quantity import readable
from afmsr_core.surfaces import fit_plane

if TYPE_CHECKING:
    from afmsr_core.joining.registration import Registration
    from afmsr_core.joining.weighing import Weighed

__all__ = ["join", "joined_with", "with_partner", "with_partners"]

SMALLEST = 32
"""Pixels a side, below which there are too few to tell noise from a wrong offset."""

SAME = 0.7
"""Least correlation, without the backgrounds. Two of one scan reach 0.8 even where the relief is
half noise; neighbouring structures of a lattice, one unit off, do not."""


def join(trace: Channel, retrace: Channel) -> Channel:
    """Join a trace with its retrace: less noise, and without what only one of them saw.

    The retrace is moved onto the trace by the hysteresis that is measured between them, to
    fractions of a pixel. Where both agree within their noise, the result is their mean, weighted
    by inverse variances; where relief or a position between pixels makes the retrace less sure, it
    weighs less; where they differ beyond that, one is taken alone: the retrace where the lines
    above and below say that the trace has a scar or has jumped, else the trace.

    Parameters
    ----------
    trace, retrace : Channel
        Of the same lines, in one unit, with the same pixels and size; the retrace may be stored
        as it was measured, from right to left. NaN marks pixels that were not measured. The lines
        are rows, or columns where pixels are longer along x.

    Returns
    -------
    Channel
        On the pixels of the trace, with its title, mask, mean, tilt and bow; its history ends
        with ``join``. Pixels that only the retrace has are the retrace's. Where the retrace does
        not fit, the trace as it is, with a warning that says why.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> surface = np.cumsum(np.cumsum(rng.normal(size=(64, 64)), axis=0), axis=1)
    >>> there, back = (Channel(surface + rng.normal(size=(64, 64)), 64.0, 64.0) for _ in "12")
    >>> joint = join(there, back)
    >>> joint.history[-1].name, bool(np.isclose(joint.heights.mean(), there.heights.mean()))
    ('join', True)
    >>> bool(np.std(joint.heights - surface) < 0.85 * np.std(there.heights - surface))
    True
    """
    from afmsr_core.joining.registration import is_as_high, register
    from afmsr_core.joining.weighing import weigh

    if reason := misfit(trace, retrace) or _unfit(trace):
        return _alone(trace, retrace.name, reason)
    if is_sideways(trace):
        return join(trace.turned(), retrace.turned()).turned(since=len(trace.history))
    one, other = (np.asarray(channel.heights, dtype=np.float64) for channel in (trace, retrace))
    measured = np.isfinite(one)
    if not measured.any() or not np.isfinite(other).any():
        return _alone(trace, retrace.name, "not one pixel is measured in one of the two")
    plane = fit_plane(one)
    levelled = plane.subtracted_from(one)
    # Off with the retrace's own tilt, which is mirrored with it where it is mirrored.
    back = fit_plane(other).subtracted_from(other)
    found = register(levelled, back)
    if found is None:
        return _alone(trace, retrace.name, "they do not show the same")
    if found.correlation < SAME:
        reason = f"they correlate by {found.correlation:.2f} only, at least {SAME} is needed"
        return _alone(trace, retrace.name, reason)
    if not is_as_high(found.height, SAME):
        times = readable(found.height, "", 2)
        reason = f"its relief is {times} times as high: the scale of one of the two is wrong"
        return _alone(trace, retrace.name, reason)
    weighed = weigh(levelled, back[:, ::-1] if found.mirrored else back, found.moved)
    joint = weighed.joint + (one - levelled if measured.all() else plane.on_grid(*one.shape))
    joint += float(np.mean((one - joint)[measured]))
    step = _step(trace, retrace, found, weighed)
    return trace.replace(heights=joint).after(step)


def with_partner(channel: Channel, channels: Iterable[Channel], rule: str) -> Channel:
    """Return a channel joined with its retrace, as a rule says.

    Parameters
    ----------
    channel : Channel
        Of a file.
    channels : iterable of Channel
        All of that file.
    rule : str
        ``"no"``; ``"auto"`` finds the retrace by its title; anything else is its number, title or
        pattern.

    Raises
    ------
    ChannelNotFoundError
        If there is no channel of that name.
    """
    if rule == "no":
        return channel
    if rule != "auto":
        return _named(channel, list(channels), rule)
    found = titled_other_way(channel, channels)
    fitting = [one for one in found if not misfit(channel, one)]
    if len(fitting) == 1:
        return join(channel, fitting[0])
    if len(fitting) > 1:
        titles = ", ".join(one.name for one in fitting)
        return _alone(channel, "", f"several channels may be it: {titles}; name one")
    if found:
        return _alone(channel, found[0].name, misfit(channel, found[0]))
    return _alone(channel, "", "no title in the file names it")


def joined_with(channel: Channel) -> Mapping[str, Any] | None:
    """Return how a channel was joined with its retrace, as its history has it, or None."""
    step = channel.last_step("join")
    return step.settings if step else None


def with_partners(
    wanted: Sequence[Channel], channels: Sequence[Channel], rule: str
) -> list[Channel]:
    """Return channels of a file, each joined with its retrace; as of `with_partner`."""
    return [with_partner(channel, channels, rule) for channel in wanted]


def _named(channel: Channel, channels: Sequence[Channel], rule: str) -> Channel:
    from afmsr_core import io

    found = [one for one in io.select(channels, rule) if one.number != channel.number]
    if len(found) == 1:
        return join(channel, found[0])
    if found:
        titles = ", ".join(one.name for one in found)
        return _alone(channel, "", f"{rule!r} fits several channels: {titles}; name one")
    return _alone(channel, "", f"{rule!r} is this channel itself")


def _unfit(channel: Channel) -> str:
    """Return why a channel is none whose two directions show the same, or an empty string."""
    if not channel.shows_relief:
        return "it is no height: a signal of the feedback differs in both directions"
    if min(channel.heights.shape) < SMALLEST:
        return f"{channel.xres} x {channel.yres} pixels are too few, {SMALLEST} a side are needed"
    return ""


def _alone(channel: Channel, partner: str, reason: str) -> Channel:
    other = f"its retrace {partner!r}" if partner else "the other direction"
    return channel.replace(
        warnings=(*channel.warnings, f"used alone, not joined with {other}: {reason}")
    )


def _step(trace: Channel, retrace: Channel, found: Registration, weighed: Weighed) -> Step:
    along, across = found.along[0], found.across[0]
    places = (0, len(along) // 2, -1)
    offsets = [round(float(along[place]), 3) for place in places]
    settings = {
        "retrace": retrace.title,
        "number": retrace.number,
        "mirrored": found.mirrored,
        "offset_px": offsets,
        "across_px": [round(float(across[place]), 3) for place in places],
        "correlation": round(found.correlation, 4),
        "noise": list(weighed.noise),
        "trace_alone": round(weighed.alone[0], 4),
        "retrace_alone": round(weighed.alone[1], 4),
        "jumped_lines": list(weighed.jumped),
    }
    noise = " and ".join(readable(one, trace.unit) for one in weighed.noise)
    effect = (
        f"joined with {retrace.name!r}, moved by {offsets[0]:+.2f}, {offsets[1]:+.2f} and "
        f"{offsets[2]:+.2f} px at the left, in the middle and at the right; noise of trace and "
        f"retrace: {noise}; trace alone on {weighed.alone[0]:.1%} of the pixels, retrace alone on "
        f"{weighed.alone[1]:.1%}"
    )
    return Step("join", __version__, settings, effect)
