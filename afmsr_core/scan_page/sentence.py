"""Sentence: what a person must know of a result, said once and in plain words."""

from __future__ import annotations

from afmsr_core.quantity import counted
from afmsr_core.scan_page.subject import Subject, is_interpolation
from afmsr_core.scan_page.trusted import Trusted
from afmsr_core.scan_page.words import digits, rough

__all__ = ["sentence"]

ALIKE = 1.5
"""Over the noise: a change up to this factor above or below it is called about as large."""

SILENT = 1e-4
"""Noise over Sq below which a scan was filtered or computed: of 340 real scans one has less than
5e-4, and that one was filtered. Intervals are learnt on real noise, and vanish without it."""


def sentence(subject: Subject, known: Trusted) -> tuple[str, str, str]:
    """Return one sentence in three parts: is the scan fine enough, what was gained, what to doubt.

    Parameters
    ----------
    subject : Subject
        Scan and result.
    known : Trusted
        Of it.
    """
    return (
        f"{_fine_enough(subject, known)};",
        f"{_gained(subject, known)};",
        f"{_not_to_trust(subject, known)}.",
    )


def _fine_enough(subject: Subject, known: Trusted) -> str:
    found = known.coarseness
    if found is None:
        return "Whether the scan is fine enough cannot be told, because it is too small to judge"
    if not known.sq > 0:
        return "The scan holds nothing to be upscaled, because all of its heights are the same"
    who = "the best guess" if subject.drawn else "the result"
    error = rough(found.expected_error * known.sq, subject.scan.unit)
    share = f"by about {error} (rms), {found.percent} of its roughness Sq"
    if found.verdict == "fine":
        return f"The scan is fine enough: expect {who} to be wrong {share}"
    noisy = not found.more_pixels_help
    cure = "most of that is noise, so scan more slowly or average" if noisy else found.cure
    if found.verdict == "doubtful":
        return f"The scan is only just fine enough: expect {who} to be wrong {share} ({cure})"
    return f"The scan is too {'noisy' if noisy else 'coarse'}: {who} will be wrong {share} ({cure})"


def _gained(subject: Subject, known: Trusted) -> str:
    method = subject.settings.method
    if is_interpolation(method):
        return f"{method} interpolation added pixels to it, not detail"
    who = "the method" if method == "unknown" else f"the network {method}"
    if known.change is None:
        return f"what {who} gained cannot be told"
    who += " and what was drawn at random" if subject.drawn else ""
    told = f"{who} changed bicubic interpolation by {rough(known.change, subject.scan.unit)} (rms)"
    if known.noise is None or _is_silent(known):
        return told
    ratio, noise = known.change / known.noise.pixel, rough(known.noise.pixel, subject.scan.unit)
    if ratio > ALIKE:
        return f"{told}, {digits(ratio, 2)} times the noise of {noise}"
    if ratio >= 1 / ALIKE:
        return f"{told}, about as much as the noise of {noise}"
    return f"{told}, less than the noise of {noise}"


def _not_to_trust(subject: Subject, known: Trusted) -> str:
    if not known.sq > 0:
        return "a working instrument would at least show noise, so look at its other channels"
    check = "check what matters with a zoom scan"
    if known.regions:
        places = counted(len(known.regions), "place")
        check = f"check the {places} under “Where to look again” with a zoom scan"
    interval = known.interval
    if _is_silent(known):
        return (
            f"the scan shows no noise, as if it had been filtered or computed, so nothing in it "
            f"tells how far to trust its heights; {check}"
        )
    if interval is None:
        return f"how far to trust each height is not in this file, so {check}"
    if not interval.calibrated:
        return f"how far to trust each height is not known, as no calibration fits, so {check}"
    usual, worst = (rough(one, subject.scan.unit) for one in (interval.median, interval.high))
    return (
        f"do not trust a step or a grain lower than about {usual}, or {worst} in the least certain "
        f"5 % of the area (the {100 * interval.coverage:g} % interval of the surface), and {check}"
    )


def _is_silent(known: Trusted) -> bool:
    return known.noise is not None and known.noise.pixel <= SILENT * known.sq
