"""What is no height is upscaled with a warning, and its confidence is never called calibrated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.upscale import Settings, Upscaler, warnings_for
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import field_files
from gwyddion_plugin.worker.answers import ANSWERS
from gwyddion_plugin.worker.channels import field_of

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

SIDE = 64


def channel(unit: str = "nm", title: str = "Height") -> Channel:
    rough = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(SIDE, SIDE)), 2)
    return Channel(20 * rough, 1000.0, 1000.0, unit=unit, title=title, number=0)


NONE = {
    "phase": (channel("deg", "Phase"), "no height but in deg"),
    "current": (channel("A", "TUNA current"), "no height but in A"),
    "no unit": (channel("", "Ratio"), "no height but without unit"),
    "deflection in nm": (channel("nm", "Deflection"), "a signal of the feedback"),
}


@pytest.fixture(scope="module")
def afm() -> Upscaler:
    return Upscaler(Settings(threads=1))


@pytest.mark.parametrize("kind", NONE)
def test_a_network_says_what_it_was_trained_on(kind: str, afm: Upscaler) -> None:
    given, told = NONE[kind]
    (warning,) = afm(given).warnings
    assert warning.startswith("the network afm was trained on heights") and told in warning
    assert warning.endswith("compare with --method bicubic")
    assert Upscaler(Settings(method="bicubic"))(given).warnings == ()  # it was not trained at all
    known = given.replace(warnings=("lines 1 to 3 of 64 were not measured",))
    assert afm(known).warnings == (*known.warnings, warning)


@pytest.mark.parametrize(
    "title", ["Height", "Sample 3", "SAMPLE", "ZSensor", "Topography", "", "PS phase separation"]
)
def test_heights_are_upscaled_without_a_word(title: str, afm: Upscaler) -> None:
    assert channel(title=title).shows_relief
    assert warnings_for(afm.method, channel(title=title)) == ()


@pytest.mark.parametrize(
    "title", ["Amplitude", "NapAmplitude", "AmplitudeError", "deflection (trace)", "Z error"]
)
def test_signals_of_the_feedback_are_known_by_their_titles(title: str) -> None:
    assert not channel(title=title).shows_relief
    first = io.select([channel(title=title), channel(title="Sample 3").replace(number=1)])[0]
    assert first.title == "Sample 3"


@pytest.mark.parametrize("kind", NONE)
def test_its_confidence_is_not_called_calibrated(kind: str, tmp_path: Path, capsys) -> None:
    from afmsr_cli.main import main

    given, _ = NONE[kind]
    io.write(tmp_path / "scan.gwy", given)
    command = ["upscale", str(tmp_path / "scan.gwy"), "--channel", "0", "--confidence", "--json"]
    assert main([*command, "--threads", "1"]) == 0
    told = capsys.readouterr()
    record = json.loads(told.out)[0]
    assert any("afm was trained on heights" in one for one in record["warnings"])
    assert "afm was trained on heights" in told.err
    trust = record["channels"][0]["trust"]
    assert trust["calibrated"] is False and "calibrated on heights" in trust["warning"]
    width = io.read(tmp_path / "scan_x4.gwy")[2]
    assert width.title.startswith("Relative uncertainty")


@pytest.mark.parametrize("kind", NONE)
def test_no_calibration_is_advised_that_would_not_help(kind: str, tmp_path: Path, capsys) -> None:
    """Nor does any sentence name nm: a method without calibration, a channel without heights."""
    from afmsr_cli.main import main

    given, _ = NONE[kind]
    io.write(tmp_path / "scan.gwy", given)
    command = ["upscale", str(tmp_path / "scan.gwy"), "--channel", "0", "--confidence", "--json"]
    assert main([*command, "--threads", "1", "--method", "bicubic"]) == 0
    warning = json.loads(capsys.readouterr().out)[0]["channels"][0]["trust"]["warning"]
    assert "this channel is none" in warning
    assert "nm" not in warning and "afmsr calibrate" not in warning


def test_the_plug_in_says_so_before_and_after(tmp_path: Path) -> None:
    given = field_of(channel("V", "Potential"))
    field = field_files.write(tmp_path, RawField(**{**vars(given), "data": bytes(given.data)}))
    request = {"folder": str(tmp_path), "field": field, "settings": {}, "confidence": True}
    judged = ANSWERS["judge"]({"type": "judge", **request}, lambda fraction: None)
    assert judged["told"].startswith("The network afm was trained on heights, and this is no")
    made = ANSWERS["upscale"]({"type": "upscale", **request}, lambda fraction: None)
    assert "afm was trained on heights" in made["warnings"][0]
    assert made["extras"][0]["field"]["title"].startswith("Relative uncertainty")
    quiet = {**request, "settings": {"method": "bicubic"}}
    judged = ANSWERS["judge"]({"type": "judge", **quiet}, lambda fraction: None)
    assert judged["warnings"] == []
