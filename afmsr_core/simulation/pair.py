"""A pair: one surface, scanned coarsely and then finely, and what it really is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import UsageError
from afmsr_core.levelling import level
from afmsr_core.pairing.pair import COARSE, EXACT
from afmsr_core.quantity import readable
from afmsr_core.simulation.conditions import Conditions
from afmsr_core.simulation.instrument import MIN_SIDE, Area, Instrument, Pass, Scan
from afmsr_core.simulation.presets import Preset, preset
from afmsr_core.simulation.specimens import SPECIMENS, specimen

__all__ = [
    "DEFAULT_SIZE",
    "MAX_SIZE",
    "SCALE",
    "SimulatedPair",
    "check_size",
    "coarse_sides",
    "simulate_pair",
    "surface_for",
]

Floats = NDArray[np.float64]
Size = tuple[int, int]  # lines, and pixels of each

SCALE = 4  # pixels of the fine scan per pixel of the coarse one
DEFAULT_SIZE = 512
MIN_SIZE = 4 * MIN_SIDE * 2  # the coarse scan of such a pair is 16 pixels wide
MAX_SIZE = 4096

MARGIN = 8
"""A scan's width over the margin of the surface on each side: drift and creep lead into it."""


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """Scans of one surface, and the surface.

    Attributes
    ----------
    channels : mapping of str to tuple of Channel
        Trace and retrace of every scan, as the instrument gives them, in nm, in the order in which
        they were taken: ``"low"`` with fewer lines and pixels, ``"lines"`` with fewer lines only,
        at least one of them, and ``"high"``.
    scans : mapping of str to Scan
        The same scans with their pixel maps: where each pixel really was, in nm from the
        corner of the truth.
    truth : tuple of Channel
        The surface at the pixels of an ideal fine scan, and what the tip makes of it.
    exact : tuple of Channel
        The same two where the pixels of the fine scan's trace really were: its heights without
        noise, scars, background and the loop's faults. The titles are `EXACT`.
    settings : dict
        Everything that was chosen and drawn; JSON-serialisable.
    """

    channels: Mapping[str, tuple[Channel, Channel]]
    scans: Mapping[str, Scan]
    truth: tuple[Channel, Channel]
    exact: tuple[Channel, Channel]
    settings: dict[str, Any]

    @property
    def low(self) -> tuple[Channel, Channel]:
        """Trace and retrace of the scan with fewer lines and pixels."""
        return self.channels["low"]

    @property
    def high(self) -> tuple[Channel, Channel]:
        """Trace and retrace of the fine scan."""
        return self.channels["high"]

    @property
    def low_scan(self) -> Scan:
        """The scan with fewer lines and pixels, with its pixel maps."""
        return self.scans["low"]

    @property
    def high_scan(self) -> Scan:
        """The fine scan with its pixel maps."""
        return self.scans["high"]

    def maps(self) -> tuple[Channel, ...]:
        """Return the pixel maps as channels: x and y of every pass, in nm."""
        found = []
        for side, scan in self.scans.items():
            for way, one in (("trace", scan.trace), ("retrace", scan.retrace)):
                for axis in ("x", "y"):
                    title, channel = f"Map {side} {way} {axis}", self.channels[side][0]
                    found.append(channel.replace(heights=getattr(one, axis), title=title))
        return tuple(found)

    def positions(self, scan: Pass) -> tuple[Floats, Floats]:
        """Return where the pixels of a pass lie on the truth: columns and rows, in pixels."""
        truth = self.truth[0]
        return scan.x / truth.dx - 0.5, scan.y / truth.dy - 0.5


def simulate_pair(
    surface: str | Channel | None = None,
    *,
    size: int = DEFAULT_SIZE,
    low: Sequence[Size] = (),
    preset_name: str = "typical",
    tip: str | None = None,
    seed: int = 0,
    fixed: dict[str, float] | None = None,
) -> SimulatedPair:
    """Scan a surface coarsely and then finely, as an instrument does.

    Parameters
    ----------
    surface : str or Channel, optional
        Name of one of `SPECIMENS`, or heights in nm, of which the middle is scanned and the
        rest is what drift leads to. By default a specimen is drawn.
    size : int
        Pixels and lines of the fine scan, a multiple of 4.
    low : sequence of tuple of int
        Lines and pixels of each coarse scan, in the order in which they are taken, as
        `coarse_sides` allows; by default one with a quarter of both.
    preset_name : str
        Name of one of `PRESETS`.
    tip : str, optional
        Shape of the tip, one of `SHAPES`; by default the preset's.
    seed : int
        The same seed gives the same pair; under another preset, the same surface. Not negative.
    fixed : dict of str to float, optional
        Conditions that are not drawn, by name; see :class:`Conditions`.

    Returns
    -------
    SimulatedPair

    Raises
    ------
    UsageError
        If a name or a number makes no sense, or the surface has too few pixels.
    FieldError
        If the surface is flat, no height, or not known everywhere.
    MissingExtraError
        If scipy is not installed.

    Examples
    --------
    >>> pair = simulate_pair("film", size=64, preset_name="ideal", seed=1)
    >>> pair.low[0].heights.shape, pair.high[0].heights.shape, pair.low[0].title
    ((16, 16), (64, 64), 'Height')
    >>> bool(np.abs(pair.high[0].heights - pair.truth[0].heights).max() < 1e-9)
    True
    """
    sizes = {**coarse_sides(size, low), "high": (size, size)}
    if seed < 0:
        raise UsageError(f"seed {seed}: give a number from 0 on")
    chosen = preset(preset_name)
    # One source each, so that the surface does not depend on the preset.
    for_surface, for_conditions, for_session = (
        np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(3)
    )
    conditions = chosen.draw(for_conditions, **(fixed or {}))
    if isinstance(surface, Channel):
        field, area, what = _of_channel(surface, size)
        shown: dict[str, Any] = {"surface": what}
    else:
        name = surface or str(for_surface.choice([kind.name for kind in SPECIMENS if kind.typical]))
        field, area = surface_for(name, size, conditions, for_surface)
        shown = {"specimen": name}
    instrument = Instrument(
        field, area, conditions, for_session, tip=tip or chosen.tip, frame_lines=size
    )
    scans = {side: instrument.scan(*shape) for side, shape in sizes.items()}
    fine = scans["high"].trace
    settings = {
        "version": __version__,
        "seed": seed,
        "preset": chosen.name,
        "fixed": dict(fixed or {}),
        **shown,
        "size": size,
        "width_nm": area.width,
        "height_nm": area.height,
        **instrument.settings,
        **{side: scan.settings for side, scan in scans.items()},
    }
    return SimulatedPair(
        channels={
            side: _channels(scan, field, area, chosen, settings) for side, scan in scans.items()
        },
        scans=scans,
        truth=_truth(instrument, size, settings),
        exact=_looks(
            instrument,
            (fine.x, fine.y),
            settings,
            EXACT,
            "where the pixels of the fine scan were",
        ),
        settings=settings,
    )


def check_size(size: int) -> None:
    """Make sure that a fine scan can have this side.

    Raises
    ------
    UsageError
        If it is too small, too large, or no multiple of 4.
    """
    if size % SCALE or not MIN_SIZE <= size <= MAX_SIZE:
        raise UsageError(f"size {size}: give a multiple of {SCALE} from {MIN_SIZE} to {MAX_SIZE}")


def coarse_sides(size: int, low: Sequence[Size] = ()) -> dict[str, Size]:
    """Return what the coarse scans of a fine one are called, with their lines and pixels.

    Parameters
    ----------
    size : int
        Pixels and lines of the fine scan.
    low : sequence of tuple of int
        Lines and pixels of each; by default a quarter of both. Each divides `size`, and there are
        no more lines than pixels. One of each name: ``"low"`` with as many lines as pixels,
        ``"lines"`` with fewer.

    Raises
    ------
    UsageError
        If the fine or a coarse scan makes no sense.

    Examples
    --------
    >>> coarse_sides(512), coarse_sides(512, [(128, 512)])
    ({'low': (128, 128)}, {'lines': (128, 512)})
    """
    check_size(size)
    found: dict[str, Size] = {}
    for lines, pixels in low or ((size // SCALE, size // SCALE),):
        shown = f"low {pixels}x{lines}"
        if not MIN_SIDE <= lines <= pixels <= size or size % lines or size % pixels:
            raise UsageError(
                f"{shown}: give pixels and lines that divide {size} and are at least {MIN_SIDE}, "
                f"no more lines than pixels, such as {size // SCALE}x{size // SCALE} or "
                f"{size}x{size // SCALE}"
            )
        if lines == size:
            raise UsageError(f"{shown}: this is the fine scan; give fewer lines")
        side = COARSE[lines < pixels]
        if side in found:
            what = "fewer lines than pixels" if side == "lines" else "as many lines as pixels"
            raise UsageError(
                f"{shown}: a second coarse scan with {what}; take it in a folder of its own, with "
                f"the same seed"
            )
        found[side] = lines, pixels
    return found


def surface_for(
    name: str, size: int, conditions: Conditions, rng: np.random.Generator
) -> tuple[Channel, Area]:
    """Return a generated surface in nm, with its margin."""
    kind, margin = specimen(name), -(-size // MARGIN)
    side, pixel = size + 2 * margin, conditions.pixel
    relief = kind.make(side, side, rng)
    relief = relief * (np.tan(np.deg2rad(conditions.slope)) * pixel / _steepest(relief))
    field = Channel(relief, xreal=side * pixel, yreal=side * pixel, title=kind.name)
    return field, Area(margin * pixel, margin * pixel, size * pixel, size * pixel)


def _steepest(relief: Floats) -> float:
    """Return the 99.9th percentile of the slope, per pixel.

    Where hardly a thousandth of the surface has any, as with few thin chains, the edges count.
    """
    slope = np.hypot(*np.gradient(relief))
    return max(float(np.percentile(slope, 99.9)), 0.3 * float(slope.max()))


def _of_channel(channel: Channel, size: int) -> tuple[Channel, Area, str]:
    """Return a measured surface, levelled, and the area in its middle that leaves a margin."""
    side = min(channel.heights.shape)
    times = side // (size + 2 * -(-size // MARGIN))
    if times < 1:
        fits = side * MARGIN // (MARGIN + 2) // SCALE * SCALE
        raise UsageError(
            f"{channel.where}: {channel.xres} x {channel.yres} pixels are too few for a scan of "
            f"{size} with a margin for drift; "
            + (f"use --size {fits}" if fits >= MIN_SIZE else "choose a larger field")
        )
    levelled = level(channel, "plane").channel
    rows, columns = channel.yres - size * times, channel.xres - size * times
    area = Area(
        columns // 2 * channel.dx,
        rows // 2 * channel.dy,
        size * times * channel.dx,
        size * times * channel.dy,
    )
    return levelled, area, channel.where


def _channels(
    scan: Scan, field: Channel, area: Area, chosen: Preset, settings: dict[str, Any]
) -> tuple[Channel, Channel]:
    made = []
    for title, one in (("Height", scan.trace), ("Height retrace", scan.retrace)):
        yres, xres = one.heights.shape
        relief = readable(settings["range_nm"], "nm")
        effect = (
            f"{xres} x {yres} pixels of a simulated surface, range {relief}, "
            f"under the conditions {chosen.name!r}"
        )
        made.append(_channel(one.heights, title, field, area, settings, effect))
    return made[0], made[1]


def _channel(
    heights: Floats,
    title: str,
    field: Channel,
    area: Area,
    settings: dict[str, Any],
    effect: str,
) -> Channel:
    return Channel(
        heights,
        xreal=area.width,
        yreal=area.height,
        xoff=field.xoff + area.left,
        yoff=field.yoff + area.top,
        title=title,
        history=(Step("simulate", __version__, settings, effect),),
    )


def _truth(instrument: Instrument, size: int, settings: dict[str, Any]) -> tuple[Channel, Channel]:
    """Return the surface, and the surface as the tip traces it, on the ideal fine grid."""
    area = instrument.area
    x, y = np.meshgrid(
        (np.arange(size) + 0.5) / size * area.width, (np.arange(size) + 0.5) / size * area.height
    )
    titles = "Truth", "Truth through the tip"
    return _looks(instrument, (x, y), settings, titles, "on the grid of an ideal scan")


def _looks(
    instrument: Instrument,
    at: tuple[Floats, Floats],
    settings: dict[str, Any],
    titles: tuple[str, str],
    where: str,
) -> tuple[Channel, Channel]:
    """Return the surface, and the surface as the tip traces it, at some x and y."""
    surface, traced = (
        _channel(look(*at), title, instrument.surface, instrument.area, settings, f"{what} {where}")
        for look, title, what in (
            (instrument.bare, titles[0], "the surface"),
            (instrument.under_tip, titles[1], "what the tip traces"),
        )
    )
    return surface, traced
