"""Realiser: draws the surfaces that one scan allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.gaps import filled
from afmsr_core.grid import Scale, choose, is_about_square
from afmsr_core.io.results import REALISATION
from afmsr_core.large_field import LARGE
from afmsr_core.levelling import level
from afmsr_core.realisations.bands import amplitude, band_powers
from afmsr_core.realisations.texture import Texture, shipped
from afmsr_core.surfaces import ROUNDING, Background, fit_plane
from afmsr_core.trust.calibration import shipped as shipped_calibration
from afmsr_core.trust.consistency import sampled
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import LEAST, noise_of

if TYPE_CHECKING:
    from afmsr_core.upscale import Settings

__all__ = ["PERIOD", "Realiser", "agreeing", "check_drawable", "enlarged", "shaped"]

Field = NDArray[np.float64]
Single = NDArray[np.float32]

PERIOD = 32
"""After so many realisations their mean is the result itself: of each, there is the mirror image
half as many later."""

POOLED = 3.0
"""Fine pixels over which the expected error is pooled: how far a measured point is, is not its
matter here, because what is drawn agrees with the measured points anyway."""

CONTRAST = 1.4
"""Exponent of the expected error. It is learnt as a logarithm, which shrinks towards its mean what
evidence tells in part only; so much makes the errors of the samples set aside likeliest."""

ROUNDS = 2  # after which what is drawn agrees with the scan to a thousandth
OF_ROOM = 0.5
"""Share of the expected error at a measured pixel that is drawn there. All of it would be right if
the result were free of the noise of the scan; then realisations would have the noise twice."""

SAME = 0.5
"""Least correlation of a result with the scan that it was made of, at the measured pixels: above
0.9 for real scans and for white noise alone."""

SAME_AREA = 1e-4  # of a side: files keep sizes as decimals of few digits

CHANGED = {"average": "averaged", "sharpen": "sharpened", "realise": "a realisation itself"}
"""Steps after which a result is no longer the best guess on all pixels, which all draws are
about, and what it is then."""

TYPICAL = 0.68  # coverage of an interval of one standard deviation


class Realiser:
    """Surfaces that differ from a result only by what its scan left open.

    Parameters
    ----------
    low : Channel
        The scan as it was read.
    result : Channel
        What :func:`afmsr_core.upscale.upscale` made of it, not averaged.
    settings : Settings
        What it was made with.
    seed : int
        Of all draws, 0 or above. The same seed gives the same surfaces, whatever the tiles and the
        number of processes.
    texture : Texture, optional
        By default the one that ships for the scale.

    Raises
    ------
    UsageError
        If nothing was learnt for this method, these weights and this kind of data.
    FieldError
        If the scan is too small to tell its noise, or flat, the result is too large, or it is the
        result of another scan.

    Notes
    -----
    Conditional simulation, after A. G. Journel, "Geostatistics for conditional simulation of ore
    bodies", Econ. Geol. 1974, 69, 673. A Gaussian field with the power that the full scan is
    expected to have beyond the result's, band by band, is scaled to the expected error from place
    to place; what it would add to the measured pixels is taken off again; and of the noise of the
    scan so much is added as the result leaves room for.
    """

    def __init__(
        self,
        low: Channel,
        result: Channel,
        settings: Settings,
        seed: int = 0,
        texture: Texture | None = None,
    ) -> None:
        if seed < 0:
            raise UsageError(f"seed {seed}: give 0 or above")
        taken = choose(low, settings.scale).scale
        self.result, self.seed = result, seed
        self.sideways = taken.sideways
        upright, made = (low.turned(), result.turned()) if taken.sideways else (low, result)
        self.scale: Scale = taken.upright
        self.texture = texture or _texture_of(low, result, settings, self.scale)

        levelled = level(upright, settings.level, settings.mask)
        relief = levelled.channel.heights
        if _is_flat(relief, upright.heights):
            raise FieldError(
                f"{low.where}: the scan is flat, so there is nothing to draw; leave "
                "out --realisations and --sharpness"
            )
        noise = noise_of(relief, self.scale.cell)
        background = levelled.background if settings.restore_background else Background()
        self._missing = ~np.isfinite(made.heights)
        bare = np.asarray(made.heights) - background.on_grid(*made.heights.shape)
        bare = filled(bare, self._missing)
        powers = band_powers(bare, self.scale, self._missing)
        self._powers = np.maximum(powers, np.finfo(np.float64).eps * powers[0])
        self._expected = self.texture.expected(self._powers, noise)

        calibration = shipped_calibration(self.scale)
        if calibration is None:
            raise UsageError("the calibration that ships is missing; install afmsr again")
        error = calibration.scale_of(gather(relief, made.heights, noise, self.scale, background))
        error = _pooled(filled(error, ~np.isfinite(error)))
        local = error**CONTRAST
        usual = np.sqrt(np.mean(local[~self._missing] ** 2))
        self._local = (local / usual).astype(np.float32)
        again = sampled(bare, self.scale)
        if _likeness(again, relief) < SAME:
            raise FieldError(_another(low, result, "its heights at the measured pixels differ"))
        left = np.nanmean((again - relief) ** 2)
        room = np.sqrt(max(0.0, noise.pixel**2 - float(left)))
        typical = calibration.scales(TYPICAL) * sampled(error, self.scale)
        self._at_measured = (OF_ROOM * np.minimum(typical, room)).astype(np.float32)
        self._variance = float(np.mean(self._at_measured[np.isfinite(relief)] ** 2))

    def deviation(self, number: int) -> Field:
        """Return what a realisation adds to the result.

        Parameters
        ----------
        number : int
            Which, from 1.

        Returns
        -------
        ndarray of float64, shape of the result
            In the unit of the heights, without mean or tilt; NaN where the result is.
        """
        turn, place = divmod(number - 1, PERIOD)
        half = PERIOD // 2
        drawn = self._drawn(turn * half + place % half)
        return self._placed(-drawn if place >= half else drawn)

    def _placed(self, drawn: Field) -> Field:
        """Return what is drawn as the result lies, with its gaps."""
        drawn[self._missing] = np.nan
        return np.ascontiguousarray(drawn.T) if self.sideways else drawn

    def _drawn(self, index: int, typical: bool = False) -> Field:
        ratios, rough, fine = (np.random.default_rng([self.seed, index, i]) for i in range(3))
        of_bands = self._expected if typical else self.texture.drawn(self._expected, ratios)
        powers = self.texture.noise_for(of_bands, self._powers, self._variance)
        field = self._local * shaped(powers, self._local.shape, self.scale, rough)
        field = agreeing(field, self.scale)
        noise = fine.standard_normal(self._at_measured.shape, dtype=np.float32)
        field += enlarged(self._at_measured * noise, field.shape)
        return fit_plane(field, ~self._missing).subtracted_from(field.astype(np.float64))

    def surface(self, number: int, of: int) -> Channel:
        """Return a realisation, whose title and history say that it is one of many.

        Parameters
        ----------
        number, of : int
            Which, from 1, of how many.
        """
        title = f"{REALISATION} {number} of {of}, seed {self.seed}, {self.result.title}"
        settings = {"realisation": number, "of": of, "seed": self.seed}
        words = (
            f"realisation {number} of {of}, seed {self.seed}: one of many surfaces that fit; not "
            f"for single features"
        )
        return self._made(
            self.deviation(number), title, Step("realise", __version__, settings, words)
        )

    def sharpened(self, sharpness: float) -> Channel:
        """Return the result, part of the way to a surface that is as rough as is expected.

        Parameters
        ----------
        sharpness : float
            How much of the way: 0 is the result, 1 the surface. It is drawn as realisations are,
            but for its roughness, in which they differ from each other.

        Raises
        ------
        UsageError
            If it is not in 0..1.
        """
        if not 0 <= sharpness <= 1:
            raise UsageError(f"sharpness {sharpness:g}: give 0 (the best guess) to 1")
        if sharpness == 0:
            return self.result
        last = self.result.last_step("upscale")
        method = str(last.settings["method"]) if last else self.texture.method
        title = f"{self.result.title.removesuffix(f'{method})')}{method}@{sharpness:g})"
        settings = {"sharpness": sharpness, "seed": self.seed}
        words = (
            f"{100 * sharpness:g} % of a surface drawn at random (seed {self.seed}) added: looks "
            f"as sharp as a full scan, is further from it; not for single features"
        )
        step = Step("sharpen", __version__, settings, words)
        return self._made(sharpness * self._placed(self._drawn(0, typical=True)), title, step)

    def _made(self, deviation: Field, title: str, step: Step) -> Channel:
        heights = np.asarray(self.result.heights) + deviation
        return self.result.replace(heights=heights, title=title).after(step)


def shaped(powers: Field, shape: tuple[int, ...], scale: Scale, rng: np.random.Generator) -> Single:
    """Return Gaussian noise with the power of each filter."""
    from scipy import fft

    rows, columns = shape
    whole = fft.next_fast_len(rows, real=True), fft.next_fast_len(columns, real=True)
    white = rng.standard_normal(whole, dtype=np.float32)
    half = fft.rfft2(white) * amplitude(powers, whole, scale)
    return np.asarray(fft.irfft2(half, whole)[:rows, :columns])


def agreeing(field: Single, scale: Scale) -> Single:
    """Take off a field what, scanned as the instrument did, it would add to the scan."""
    for _ in range(ROUNDS):
        again = sampled(field.astype(np.float64), scale).astype(np.float32)
        field = np.subtract(field, enlarged(again, field.shape))
    return field


def enlarged(coarse: Single, shape: tuple[int, ...]) -> Single:
    """Return what is known at the measured pixels on those of a result."""
    import cv2

    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def _is_flat(relief: Field, heights: ArrayLike) -> bool:
    """Whether what levelling leaves of some heights is nothing but their rounding."""
    known = relief[np.isfinite(relief)]
    return float(np.std(known)) <= ROUNDING * float(np.nanmax(np.abs(heights)))


def _pooled(error: Field) -> Field:
    import cv2

    return np.sqrt(cv2.GaussianBlur(error**2, (0, 0), POOLED))


def _texture_of(low: Channel, result: Channel, settings: Settings, scale: Scale) -> Texture:
    """Return what was learnt for a result, or say why nothing was."""
    _check(low, result, settings)
    if changed := [CHANGED[one.name] for one in result.history if one.name in CHANGED]:
        raise UsageError(
            f"{low.where}: realisations are drawn about the best guess on all of its pixels, and "
            f"this result is {changed[-1]}; take the best guess itself, made without --sharpness, "
            f"--scale and --pixels"
        )
    if (result.yres, result.xres) != choose(low, settings.scale).scale.shape(low.yres, low.xres):
        raise FieldError(_another(low, result, f"it has {result.xres} x {result.yres} px"))
    sizes = (result.xreal, low.xreal), (result.yreal, low.yreal)
    if any(abs(one - other) > SAME_AREA * other for one, other in sizes):
        raise FieldError(_another(low, result, "its area is another"))
    step: Any = result.last_step("upscale")
    made = step.settings if step else {}
    texture = shipped(scale)
    name, digest = str(made.get("method", "?")), str(made.get("weights_sha256", ""))
    if texture is None or not texture.fits(name, digest, scale):
        raise UsageError(
            f"{low.where}: realisations and sharpness are learnt for afm with the weights that "
            f"ship, and this result is made by {name}; take --method afm without --weights"
        )
    return texture


def _another(low: Channel, result: Channel, why: str) -> str:
    return (
        f"{low.where}: {result.name!r} is no result of this scan at these settings: {why}; give "
        f"the scan that it was made from, and the settings"
    )


def _likeness(one: Field, other: Field) -> float:
    """Return the correlation of two fields where both are known; 1 where it cannot be told."""
    known = np.isfinite(one) & np.isfinite(other)
    a, b = one[known], other[known]
    if a.size < 2 or not (a.std() > 0 and b.std() > 0):
        return 1.0
    return float(np.corrcoef(a, b)[0, 1])


def check_drawable(low: Channel, settings: Settings) -> None:
    """Refuse what `Realiser` will, as far as that can be told before the method runs.

    Parameters
    ----------
    low : Channel
        The scan. Its heights are not looked at.
    settings : Settings
        What it would be upscaled with.

    Raises
    ------
    UsageError, FieldError
        As of `Realiser`.
    """
    scale = choose(low, settings.scale).scale
    shape = scale.shape(low.yres, low.xres)
    _check(low, low.replace(heights=np.broadcast_to(0.0, shape), mask=None), settings)
    if min(low.yres, low.xres) < LEAST:
        raise FieldError(
            f"{low.where}: {low.xres} x {low.yres} px are too few to tell noise from relief, and "
            f"so what may be drawn; at least {LEAST} x {LEAST} are needed"
        )


def _check(low: Channel, result: Channel, settings: Settings) -> None:
    if settings.protocol != "nm":
        raise UsageError("realisations and sharpness need --protocol nm; 8 bits round the heights")
    if not low.shows_relief:
        raise UsageError(
            f"{low.where}: realisations are learnt on heights, and this channel shows none; choose "
            f"a height channel"
        )
    if not is_about_square(result):
        raise UsageError(
            f"{low.where}: realisations are learnt on results of square pixels; take --scale auto, "
            f"or scan lines two or four points apart"
        )
    if result.heights.size > LARGE:
        raise FieldError(
            f"{low.where}: {result.xres} x {result.yres} px are too many to draw at once; crop the "
            f"scan to {LARGE * low.heights.size / result.heights.size / 1e6:g} Mpx"
        )
