"""A calibration is learnt on samples that its network has not seen, and checked on others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from afmsr_core.grid import SQUARE, Scale
from afmsr_core.methods import registry
from afmsr_core.trust.calibration import FILES, Calibration
from benchmarks.trust.learn import (
    CARDS,
    STOOD_IN,
    seen_by_the_first_alone,
    trained_splits,
)
from training import corpus

AT = pytest.mark.parametrize("scale", registry.scales("afm"), ids=lambda scale: scale.option)


def test_the_splits_are_those_of_the_recipes() -> None:
    recipe = (
        '```json\n{"blend": 0.3, "of": {"splits": ["train"]}, "and": {"splits": ["extra"]}}\n```'
    )
    assert trained_splits(f"# Card\n\n{recipe}\n") == ("extra", "train")
    assert trained_splits('```json\n{"of": {"steps": 2}}\n```\n') == ("train",)
    for name in ("polyelectrolyte multilayer film PE1 (no layers), 5 um", "GV008 film on GdScO3"):
        assert corpus.material(name) in corpus.MATERIALS
    assert corpus.material("PET film, 10 um") == "PET film, 10 um"


@AT
def test_no_sample_is_on_two_sides(scale: Scale, shared: Path) -> None:
    folder = shared / "data" / "afm"
    splits = trained_splits(CARDS[scale].read_text(encoding="utf-8"))
    learnt_on = {scan.sample for scan in corpus.unseen_permissive_scans(folder, splits)}
    trained_on = {scan.sample for scan in corpus.training_scans(folder, splits)}
    checked_on = {scan.sample for scan in corpus.restricted_scans(folder)}
    checked_on |= {scan.sample for scan in corpus.dev_scans(folder)}
    assert learnt_on >= corpus.SET_ASIDE
    assert not learnt_on & trained_on and not learnt_on & checked_on
    assert not checked_on & trained_on
    found = Calibration.read(FILES[scale])
    stood_in = re.search(STOOD_IN.format(r"(\d+)", "[0-9a-f]{64}"), found.made_from)
    others = int(stood_in[1]) if stood_in else 0
    assert found.samples - others <= len({corpus.material(sample) for sample in learnt_on})


def test_what_stands_in_for_a_network_has_not_seen_the_sample_either(shared: Path) -> None:
    folder = shared / "data" / "afm"
    left = seen_by_the_first_alone(folder, corpus.SPLITS, ("train",))
    samples = {scan.sample for scan in left}
    assert len({corpus.material(sample) for sample in samples}) >= 17
    assert not samples & {scan.sample for scan in corpus.training_scans(folder, ("train",))}
    assert not samples & corpus.SET_ASIDE
    assert seen_by_the_first_alone(folder, ("train",), corpus.SPLITS) == []
    found = Calibration.read(FILES[SQUARE])
    stood_in = re.search(STOOD_IN.format(r"(\d+)", "[0-9a-f]{64}"), found.made_from)
    assert stood_in and found.samples == 41 and int(stood_in[1]) == 17
