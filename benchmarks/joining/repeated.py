"""Real scans that were repeated: one is joined, the trace of the other is the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.joining import join
from afmsr_core.joining.registration import moved_onto
from afmsr_core.levelling import level
from benchmarks.joining.errors import error_inside

SPLITS = ("dev", "train", "extra")
BORDER = 6  # pixels at each edge that do not count


def repeated(corpus: Path) -> Iterator[tuple[str, str, float, float]]:
    """Yield names of a scan and of its repetition, errors of trace and of joint scan in nm.

    Every scan of a chain of repetitions is judged by every other whose two ways are there.
    """
    for split in SPLITS:
        try:
            pairs = json.loads((corpus / f"pairs_{split}.json").read_text(encoding="utf-8"))
            index = json.loads((corpus / f"{split}_index.json").read_text(encoding="utf-8"))
            bundle = np.load(corpus / f"{split}.npz")
        except (OSError, ValueError) as error:
            raise UsageError(f"{corpus}: cannot be read as a corpus ({error})") from error
        back = {
            one.get("forward", one.get("a")): one.get("backward", one.get("b"))
            for one in pairs
            if one["kind"] == "trace_retrace"
        }
        entries = {one["id"]: one for one in index}
        for chain in _chains([(o["a"], o["b"]) for o in pairs if o["kind"] == "repeat"], back):
            yield from _judged(chain, back, entries, bundle)


def _chains(repeats: list[tuple[str, str]], back: dict[str, str]) -> list[list[str]]:
    """Return the scans that show one place and were kept in both directions."""
    chains: list[set[str]] = []
    for pair in repeats:
        if not all(one in back for one in pair):
            continue
        joined = set(pair).union(*(chain for chain in chains if chain & set(pair)))
        chains = [chain for chain in chains if not chain & joined] + [joined]
    return [sorted(chain) for chain in chains]


def _judged(
    chain: list[str], back: dict[str, str], entries: dict, bundle: dict
) -> Iterator[tuple[str, str, float, float]]:
    def channel(name: str) -> Channel:
        entry = entries[name]
        heights = entry["z_offset_nm"] + entry["z_scale_nm"] * bundle[name].astype(np.float64)
        size = entry["xreal_nm"] or entry["xres"], entry["yreal_nm"] or entry["yres"]
        return level(Channel(heights, *size, title=name), "plane").channel

    traces = {name: channel(name) for name in chain}
    joint = {name: join(traces[name], channel(back[name])).heights for name in chain}
    for one, other in permutations(chain, 2):
        truth = moved_onto(traces[one].heights, traces[other].heights)
        if truth is not None:
            alone, both = (
                error_inside(field - truth, np.isfinite(field - truth), BORDER)
                for field in (traces[one].heights, joint[one])
            )
            yield one, other, alone, both
