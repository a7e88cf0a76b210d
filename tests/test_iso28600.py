"""Images in the text of ISO 28600: values, sizes, offsets and units as the header says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import CorruptFileError, FieldError, UnsupportedContentError
from tests.instrument_files import iso28600, relief

HEIGHTS = relief(24, 32)


@pytest.mark.parametrize(
    ("unit", "factor", "held"), [("m", 1e9, "nm"), ("um", 1e3, "nm"), ("A", 1, "A"), ("n", 1, "")]
)
def test_an_image(unit: str, factor: float, held: str, tmp_path: Path) -> None:
    iso28600(tmp_path / "a.spm", HEIGHTS, unit)
    (channel,) = io.read(tmp_path / "a.spm")
    np.testing.assert_allclose(channel.heights, HEIGHTS * factor, rtol=1e-14)
    assert (channel.unit, channel.lateral_unit, channel.title) == (held, "nm", "Topography")
    assert (channel.xreal, channel.yreal, channel.xoff, channel.yoff) == (300, 200, 40, 70)


def test_several_channels_stand_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    iso28600(path, HEIGHTS)
    lines = path.read_text().splitlines()
    lines[7], lines[93], lines[97], lines[98] = "MAP_MC", "2", "Current", "nA"
    pixels = [f"{line}, {float(line) + 1}" for line in lines[128:-1]]
    path.write_text("\r\n".join([*lines[:128], *pixels, lines[-1]]))
    height, current = io.read(path)
    np.testing.assert_allclose(height.heights, HEIGHTS * 1e9)
    np.testing.assert_allclose(current.heights, (HEIGHTS + 1) * 1e-9)
    assert (height.title, current.title, current.unit) == ("Topography", "Current", "A")


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    iso28600(path, HEIGHTS)
    text = path.read_text()
    for old, new, error, message in (
        ("MAP_SC", "SPEC_SC", UnsupportedContentError, "only spectra"),
        ("REGULAR MAPPING", "IRREGULAR MAPPING", UnsupportedContentError, "on no grid"),
        ("\n32\n", "\nmany\n", CorruptFileError, "many"),
        ("\n32\n", "\n33\n", CorruptFileError, "768 values where 792"),
        ("end of header\n", "end of header\nx", CorruptFileError, "not a number"),
        ("\n300\n200\n", "\n0\n200\n", FieldError, "xreal"),
    ):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(error, match=message):
            io.read(path)
    path.write_text(text[:300])
    with pytest.raises(CorruptFileError, match="of 128 lines"):
        io.read(path)
    path.write_text(text[:-4000])
    with pytest.raises(CorruptFileError, match="where 768 are expected"):
        io.read(path)
