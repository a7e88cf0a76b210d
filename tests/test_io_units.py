"""Units of files are understood: prefixes, words, twins of signs, products; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afmsr_core.io.units import from_file, is_known, to_si

WORDS = {
    (1.0, "m"): ("meters", "metre"),
    (1e-6, "m"): ("micrometers", "Micron", "microns", "(µm)"),
    (1e-9, "m"): ("nanometers", "Nanometer", "nanometres", "[nm]"),
    (1e-10, "m"): ("Angstroms", "angstrom", "Ångström"),
    (1e-12, "m"): ("picometers",),
    (1.0, "deg"): ("degrees", "Degree", "Deg"),
    (1.0, "V"): ("Volts",),
    (1e-3, "V"): ("millivolts",),
    (1.0, "A"): ("Amps", "A"),  # ampere, never ångström
    (1e-9, "A"): ("nanoamperes", "nA"),
    (1e-9, "N"): ("nanonewtons",),
    (1.0, "N/m"): ("newtons/meter",),
    (1.0, "Hz"): ("Hertz",),
    (1e3, "Hz"): ("kilohertz",),
}


@pytest.mark.parametrize(
    ("unit", "factor", "base"),
    [
        ("m", 1, "m"),
        (" nm ", 1e-9, "m"),
        ("mm", 1e-3, "m"),
        ("µm", 1e-6, "m"),
        ("μm", 1e-6, "m"),
        ("um", 1e-6, "m"),
        ("cm", 1e-2, "m"),
        ("km", 1e3, "m"),
        ("Å", 1e-10, "m"),
        ("micron", 1e-6, "m"),
        ("cd", 1, "cd"),
        ("min", 1, "min"),
        ("Pa", 1, "Pa"),
        ("mPa", 1e-3, "Pa"),
        ("GPa", 1e9, "Pa"),
        ("kHz", 1e3, "Hz"),
        ("das", 10, "s"),
        ("kΩ", 1e3, "Ohm"),
        ("°", 1, "deg"),
        ("%", 1, "%"),
        ("1", 1, ""),
        ("", 1, ""),
        ("nm/V", 1e-9, "m/V"),
        ("V/nm", 1e9, "V/m"),
        ("nm^2", 1e-18, "m^2"),
        ("mV nm^-1", 1e6, "V m^-1"),
        ("1/um", 1e6, "1/m"),
        ("N/m", 1, "N/m"),
        ("a.u.", 1, "a.u."),
        ("pH", 1, "pH"),
        ("counts", 1, "counts"),
        ("m/(s V)", 1, "m/(s V)"),
        ("mV^0.5", 1, "mV^0.5"),
        ("m^99999", 1, "m^99999"),
        ("Gm^99999", 1, "Gm^99999"),
    ],
)
def test_units_lose_their_prefix(unit: str, factor: float, base: str) -> None:
    found = to_si(unit)
    assert found[0] == pytest.approx(factor, rel=1e-12)
    assert found[1] == base


@pytest.mark.parametrize("word", [word for words in WORDS.values() for word in words])
def test_names_of_units_are_understood(word: str) -> None:
    factor, base = next(unit for unit, words in WORDS.items() if word in words)
    assert to_si(word) == (pytest.approx(factor, rel=1e-12), base)
    assert is_known(word)


@pytest.mark.parametrize("unit", ["a.u.", "counts", "nm]", "nanometre units", "NM", "mm?", "m/(s)"])
def test_what_is_not_understood_is_left_as_it_is(unit: str) -> None:
    assert from_file(unit) == (1.0, unit)
    assert not is_known(unit)


def test_lengths_are_in_nm_and_nm_are_exact() -> None:
    assert from_file("nm") == (1.0, "nm")
    assert from_file("um") == (1e3, "nm")
    assert from_file("m") == (1e9, "nm")
    assert from_file("Angstrom") == (0.1, "nm")
    assert from_file("m^2") == (1.0, "m^2")


@given(st.text(max_size=12))
def test_no_text_is_too_strange(unit: str) -> None:
    factor, base = to_si(unit)
    assert factor > 0
    # What has lost its prefixes has none left to lose.
    assert to_si(base)[1] == base.strip()
