"""What was done to a channel stays with it, through whatever files it goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gwyfiles import field_3, notes_3, version_3

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel, Step
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.history import META, to_meta
from afmsr_core.io.results import write_results

HEIGHTS = np.random.default_rng(0).normal(50.0, 20.0, (16, 24)).cumsum(axis=1)
MARKUP = Step("note", "1", {"text": "<b> & Höhe"}, "a < b")


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in (*arguments, "--quiet")]) == 0


def steps(channel: Channel) -> list[str]:
    return [step.name for step in channel.history]


def logged(file: GwyFile, number: int) -> list[str]:
    return [entry.partition("(")[0] for entry in file.log(number)]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    io.write(tmp_path / "scan.gwy", Channel(HEIGHTS, 2400.0, 1600.0, title="Height"))
    return tmp_path / "scan.gwy"


def test_what_convert_did_is_in_what_upscale_makes_of_it(scan: Path, tmp_path: Path) -> None:
    levelled, fine = tmp_path / "lev.gwy", tmp_path / "lev_x4.gwy"
    run("convert", scan, "--to", "gwy", "--level", "poly2", "-o", levelled)
    before = io.as_gwy(levelled)
    done = ["proc::afmsr_level", "proc::afmsr_convert"]
    assert logged(before, 0) == done and "poly2" in before.log(0)[0]
    run("upscale", levelled, "--method", "bicubic")
    after = io.as_gwy(fine)
    assert steps(after.channel(0)) == ["level", "convert"]
    assert steps(after.channel(1)) == ["level", "convert", "level", "upscale"]
    # Entries are added for what is new, and the old ones keep their time.
    assert after.log(1)[0] == before.log(0)[0]
    assert logged(after, 1) == [*done, "proc::afmsr_level", "proc::afmsr_upscale"]
    run("convert", fine, "--channel", "1", "--to", "npy", "-o", tmp_path / "fine.npy")
    notes = json.loads((tmp_path / "fine.json").read_text(encoding="utf-8"))
    assert notes["history"][:-1] == [step.as_dict() for step in after.channel(1).history]
    assert notes["history"][-1]["settings"]["source"] == "lev_x4.gwy"
    assert notes["history"][0]["settings"] == {"step": "poly2", "mask": "ignore"}


def test_a_simulated_scan_stays_simulated(tmp_path: Path) -> None:
    run("simulate", "-o", tmp_path, "--size", "64")
    run("upscale", tmp_path / "typical-0000_low.gwy", "--method", "bicubic")
    made = io.read(tmp_path / "typical-0000_low_x4.gwy")
    assert [steps(channel)[0] for channel in made] == ["simulate"] * len(made)
    assert steps(made[-1]) == ["simulate", "level", "upscale"]


def test_a_new_file_holds_the_history_as_it_was_and_without_markup(tmp_path: Path) -> None:
    channel = Channel(HEIGHTS, 2400.0, 1600.0).after(MARKUP)
    io.write(tmp_path / "new.gwy", channel)
    file = io.as_gwy(tmp_path / "new.gwy")
    assert file.channel(0).history == (MARKUP,)
    assert not set("<>&") & set(file.meta(0)[META])


@pytest.mark.parametrize(
    "text", ["oops", "{}", "3", "null", "[3]", '["level"]', '[{"name": "x"}]', "[" * 100_000]
)
def test_metadata_that_make_no_sense_do_not_cost_the_channel(text: str, tmp_path: Path) -> None:
    file = GwyFile.new([]).with_channel(Channel(HEIGHTS, 2400.0, 1600.0), meta={META: text})
    file.save(tmp_path / "edited.gwy")
    (channel,) = io.read(tmp_path / "edited.gwy")
    assert channel.history == ()
    np.testing.assert_allclose(channel.heights, HEIGHTS)


def test_version_3_keeps_it_too(tmp_path: Path) -> None:
    notes = {name: text.encode() for name, text in to_meta([MARKUP]).items()}
    parts = {"/image/0": field_3(HEIGHTS * 1e-9), "/image/0/meta": notes_3(**notes)}
    three = GwyFile.from_bytes(version_3(parts))
    done = Step("upscale", "1")
    write_results(tmp_path / "x.gwy", three, [three.channel(0).after(done)])
    grown = GwyFile.open(tmp_path / "x.gwy")
    assert grown.version == 3
    assert [channel.history for channel in grown.channels()] == [(MARKUP,), (MARKUP, done)]
    assert logged(grown, 1) == [*logged(grown, 0), "image::afmsr_upscale"]
