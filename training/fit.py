"""Train the AFM network: seeded, with checkpoints, resumable to the same weights."""

from __future__ import annotations

import copy
import csv
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE
from afmsr_core.methods.afm_network import HEAD, N_BLOCKS, AfmNetwork
from training.batches import Noise, Source, batches


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, besides the corpus.

    Parameters
    ----------
    scale : str
        Key of `SCALES`.
    splits : list of str
        Of the corpus.
    blocks : int
        Of the network.
    head : tuple of int
        Lines and points of a line that its first filters see.
    steps : int
        Optimiser steps; the learning rate follows a cosine from `rate` to nearly zero.
    batch, patch : int
        Patches per step, and the lines of the coarse scan in each.
    rate : float
        Adam's learning rate.
    decay : float
        Of the exponential moving average of the weights, which is what ships.
    generated : float
        Share of patches from generated surfaces, the rest being from real scans.
    per_kind : int
        Generated surfaces of each kind.
    kinds : dict of str to float
        Shares of patches from single kinds of generated surfaces besides, each with
        `PER_NAMED_KIND` surfaces of its own.
    bad_lines : float
        Share of patches from fields with single bad lines.
    gradient : float
        Weight of the error of the slopes beside that of the heights. It keeps edges from being
        smoothed where the heights alone would not mind.
    noise : Noise
        That is added to the scans.
    seed : int
        Of weights and batches.
    start : str
        SHA-256 of the weights that training started from; empty if from scratch.
    lessons : dict of str to str or int
        What ``lessons.json`` says of those that it learned from besides; empty for none.
    trust : float
        How much of the way from the truth to what the teacher made the target of a lesson lies.
    lesson_share : float
        Share of patches from lessons.
    photographs : str
        Folder of the photographs that it trained on instead of scans; empty for scans.
    """

    scale: str = "4"
    splits: tuple[str, ...] = ("train",)
    blocks: int = N_BLOCKS
    head: tuple[int, int] = HEAD
    steps: int = 20_000
    batch: int = 8
    patch: int = 32
    rate: float = 1e-3
    decay: float = 0.999
    generated: float = 0.4
    per_kind: int = 60
    kinds: dict[str, float] = field(default_factory=dict)
    bad_lines: float = 0.0
    gradient: float = 0.2
    noise: Noise = field(default_factory=Noise)
    seed: int = 20251129
    start: str = ""
    lessons: dict[str, str | int] = field(default_factory=dict)
    trust: float = 0.6
    lesson_share: float = 0.0
    photographs: str = ""


SCALES = {"4": SQUARE, "1x4": LINES_X4, "1x2": LINES_X2}
SURFACES = 20251129  # seed of the generated surfaces
NAMED = 20261128  # seed of those of single kinds
PER_NAMED_KIND = 300
BAD_LINES = 20261128  # seed of bad lines
WARM_UP = 500
CHECKPOINT_EVERY = 1000
GRADIENT_LIMIT = 1.0
OUTLIER = 3.0  # in units of bicubic's error: beyond, the loss grows linearly, as scars demand


def fit(
    source: Source,
    recipe: Recipe,
    folder: Path,
    *,
    report: Callable[[str], None],
    validate: Callable[[AfmNetwork], dict[str, float]],
    device: str = "cpu",
    start: Mapping[str, torch.Tensor] | None = None,
) -> AfmNetwork:
    """Train, or go on with training that was interrupted in `folder`.

    Parameters
    ----------
    source : Source
        Where patches are drawn from.
    recipe : Recipe
        As above; a checkpoint of another recipe is refused.
    folder : Path
        Gets ``checkpoint.pt``, ``log.csv`` and ``recipe.json``.
    report : callable
        Gets a line of progress now and then.
    validate : callable
        Figures of the averaged weights, for the log.
    device : str
        As torch names it.
    start : mapping of str to Tensor, optional
        Weights to start from; of a network with fewer blocks they are grown.

    Returns
    -------
    AfmNetwork
        With the averaged weights, in evaluation mode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    scale = SCALES[recipe.scale]
    network = (
        AfmNetwork(recipe.blocks, scale=scale, head=recipe.head)
        if start is None
        else AfmNetwork.grown_from(start, recipe.blocks, scale)
    )
    network = network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, recipe))
    first = _resume(folder, recipe, network, average, optimiser, schedule)

    began, loss_sum, validation_due = time.monotonic(), 0.0, max(1, recipe.steps // 6)
    for step in range(first, recipe.steps):
        # A generator of its own for each block of steps makes a resumed run the same run.
        if step == first or step % CHECKPOINT_EVERY == 0:
            rng = np.random.default_rng([recipe.seed, step // CHECKPOINT_EVERY])
            stream = batches(
                source, rng, size=recipe.batch, patch=recipe.patch, noise=recipe.noise, scale=scale
            )
        batch = next(stream)
        coarse, fine, easy = (
            torch.from_numpy(part).to(device) for part in (batch.coarse, batch.fine, batch.scale)
        )
        coarse = coarse.contiguous(memory_format=torch.channels_last)  # 1.5 times faster on CPUs
        bicubic = functional.interpolate(coarse, scale_factor=tuple(scale), mode="bicubic")
        error = (bicubic + network(coarse) - fine) / easy
        loss = loss_of(error, recipe.gradient)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        _average(average, network, min(recipe.decay, (1 + step) / (10 + step)))
        loss_sum += float(loss.detach())

        done = step + 1
        if done % CHECKPOINT_EVERY == 0 or done == recipe.steps:
            figures = {"step": done, "loss": loss_sum / ((done - 1) % CHECKPOINT_EVERY + 1)}
            loss_sum = 0.0
            if done % validation_due < CHECKPOINT_EVERY or done == recipe.steps:
                figures |= validate(average.eval())
            _save(folder, recipe, done, network, average, optimiser, schedule)
            _log(folder, figures)
            left = (time.monotonic() - began) / (done - first) * (recipe.steps - done)
            text = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            report(f"{text}; {left / 60:.0f} min left")
    return average.eval()


def loss_of(error: torch.Tensor, gradient: float) -> torch.Tensor:
    """Return the loss of an error in units of bicubic's; `gradient` weighs its slopes."""
    heights = functional.huber_loss(error, torch.zeros_like(error), delta=OUTLIER)
    slopes = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return heights + gradient * slopes


def _rate(step: int, recipe: Recipe) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    return float(warm * (0.005 + 0.995 * 0.5 * (1 + np.cos(np.pi * step / recipe.steps))))


@torch.no_grad()
def _average(average: AfmNetwork, network: AfmNetwork, decay: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def _save(folder: Path, recipe: Recipe, step: int, *parts: object) -> None:
    target = folder / "checkpoint.pt"
    temporary = target.with_suffix(".partial")
    states = [part.state_dict() for part in parts]  # type: ignore[attr-defined]
    torch.save({"recipe": asdict(recipe), "step": step, "states": states}, temporary)
    temporary.replace(target)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1), encoding="utf-8")


def _resume(folder: Path, recipe: Recipe, *parts: object) -> int:
    target = folder / "checkpoint.pt"
    if not target.is_file():
        return 0
    saved = torch.load(target, weights_only=True)
    if saved["recipe"] != asdict(recipe):
        raise ValueError(f"{target} is of another recipe; give another folder or remove it")
    for part, state in zip(parts, saved["states"], strict=True):
        part.load_state_dict(state)  # type: ignore[attr-defined]
    return int(saved["step"])


def _log(folder: Path, figures: dict[str, float]) -> None:
    path = folder / "log.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["step", "loss", "gain_clean_db", "gain_noisy_db", "wins_clean"])
        names = ("step", "loss", "gain_clean_db", "gain_noisy_db", "wins_clean")
        writer.writerow([figures.get(name, "") for name in names])
