"""Average two trainings of which one went on from the other."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from afmsr_core.methods.afm_network import AfmNetwork, blocks_of


def blend(before: Path, after: Path, share: float, folder: Path) -> None:
    """Write the weights between two, and how they came about, into `folder`.

    What a network learns further on the same few samples helps on those like them and harms on
    others; a part of the way keeps most of the gain and little of the harm.

    Parameters
    ----------
    before, after : Path
        Folders of trainings; the second went on from the first, maybe with more blocks.
    share : float
        Of the way from the first to the second, from 0 to 1.
    folder : Path
        Gets ``afm.safetensors`` and ``recipe.json``.

    Notes
    -----
    Source: Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022), arXiv 2109.01903.
    """
    from safetensors.torch import load_file, save_file

    trained = load_file(after / "afm.safetensors")
    known = load_file(before / "afm.safetensors")
    start = AfmNetwork.grown_from(known, blocks_of(trained)).state_dict()
    weights = {}
    for name, values in trained.items():
        # A block that the first lacks adds nothing there, whatever its first filters are.
        lacking = name not in known and name.endswith("first.weight")
        weights[name] = values if lacking else torch.lerp(start[name], values, share)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "afm.safetensors")
    recipe = {"blend": share, "of": _recipe(before), "and": _recipe(after)}
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1), encoding="utf-8")


def _recipe(folder: Path) -> object:
    return json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
