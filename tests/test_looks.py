"""A channel knows how its file shows it, as long as its values are those of the file."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

from afmsr_core.io.gwy import GwyFile
from afmsr_core.levelling import level
from afmsr_core.picture.looks import Look
from afmsr_core.picture.palettes import palette
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from afmsr_core.trust.assessment import assess
from afmsr_core.upscale import Settings, upscale

OWN = Range(-1.0, 4.0, "the range that the file stores")
FIXED = {"range-type": 1, "min": -1e-9, "max": 4e-9}


def opened(**base: Any) -> GwyFile:
    heights = np.tile(np.linspace(0, 9e-9, 32), (32, 1)) + np.eye(32) * 1e-9
    unit = {"si_unit_xy": GwySIUnit(unitstr="m"), "si_unit_z": GwySIUnit(unitstr="m")}
    items: Any = {"/0/data": GwyDataField(heights, 1e-6, 1e-6, **unit)}
    items |= {f"/0/base/{name.replace('_', '-')}": value for name, value in base.items()}
    return GwyFile.from_bytes(b"GWYP" + GwyContainer(OrderedDict(items)).serialize())


def test_palette_and_fixed_range_are_read_in_the_unit_of_the_heights() -> None:
    channel = opened(palette="Gold", **FIXED).channel(0)
    assert channel.look is not None and channel.look.palette == "Gold"
    assert channel.look.shown is not None and channel.look.shown.words == OWN.words
    ends = channel.look.shown.low, channel.look.shown.high
    assert ends == pytest.approx((OWN.low, OWN.high))
    assert (Panel.of(channel).pixels()[0, -2] == palette("Gold")[255]).all()


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ({}, None),
        ({"palette": "Sky"}, Look("Sky")),
        ({"palette": "Sky", **FIXED, "range-type": 2}, Look("Sky")),
        ({**FIXED, "max": float("nan")}, None),
        ({**FIXED, "max": FIXED["min"]}, None),
        ({"range-type": 1}, None),
        ({"palette": 5}, None),
    ],
)
def test_what_is_not_stored_stays_open(base: dict[str, Any], expected: Look | None) -> None:
    assert opened(**base).channel(0).look == expected


def test_the_palette_of_a_file_of_version_3_is_read(shared: Path) -> None:
    file = GwyFile.open(shared / "gwyddion" / "fixtures" / "v3_by_gwyddion_3.12.gwy")
    look = file.channel(0).look
    assert look is not None and look.palette and look.shown is None


def test_other_values_lose_the_range_and_other_quantities_the_look() -> None:
    channel = opened(palette="Gold", **FIXED).channel(0)
    assert level(channel, "plane").channel.look == Look("Gold")
    assert level(channel, "none").channel.look == channel.look
    bicubic = Settings(method="bicubic")
    result = upscale(channel, method="bicubic")
    assert result.look == channel.look
    assert upscale(channel, method="bicubic", restore_background=False).look == Look("Gold")
    found = assess(channel, result, bicubic)
    assert found.confidence.look is found.residual.look is None


@pytest.mark.parametrize("restored", [True, False])
def test_a_levelled_result_in_a_file_has_no_range_of_other_heights(restored: bool) -> None:
    file = opened(palette="Gold", **FIXED)
    result = upscale(file.channel(0), method="bicubic", restore_background=restored)
    added = file.with_channel(result, like=0)
    parts = b"".join(part for part in added._parts("x.gwy") if isinstance(part, bytes))
    assert (b"/1/base/min\0" in parts) == restored and b"/1/base/palette\0" in parts
