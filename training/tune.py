"""Fine-tune the shipped network on a lab's own pairs of coarse and fine scans.

Pairs are split three ways: most train, some say when to stop, some are only judged at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from afmsr_core import __version__, io
from afmsr_core.alignment import align, warp
from afmsr_core.alignment.maps import largest_rectangle
from afmsr_core.errors import AfmsrError, PairError
from afmsr_core.io.atomic import writing
from afmsr_core.methods.afm_network import AfmNetwork
from afmsr_core.pairing import Pair, check_pair, find_pairs
from afmsr_core.surfaces import fit_plane
from afmsr_core.upscale import Settings, Upscaler
from training.batches import Source, batches
from training.corpus import levelled
from training.fields import FACTOR, Measured, bicubic_error
from training.fit import GRADIENT_LIMIT, loss_of

SHARE = 0.2  # of the pairs that stop, and again of those that judge
FEWEST = 3  # pairs: one for each of the three
LARGEST_PATCH = 32  # coarse pixels
SMALLEST_PATCH = 12


@dataclass(frozen=True)
class Tuning:
    """What decides the tuned weights, besides the pairs.

    Parameters
    ----------
    steps : int
        At most; it stops when the stopping pairs have not gained for `patience` checks.
    rate : float
        Adam's learning rate, falling to nearly zero along a cosine.
    frozen_body : bool
        Train the first and the last layer only: for a handful of pairs.
    check_every, patience : int
        Steps between looks at the stopping pairs, and looks without gain before the end.
    seed : int
        Of the split and of the batches.
    """

    steps: int = 2000
    rate: float = 1e-4
    batch: int = 8
    frozen_body: bool = False
    check_every: int = 50
    patience: int = 8
    gradient: float = 0.2
    seed: int = 20251129


def tune(
    folder: Path, weights: Path, tuning: Tuning, output: Path, *, report: Callable[[str], None]
) -> dict[str, Any]:
    """Fine-tune, and judge on pairs that had no say.

    Parameters
    ----------
    folder : Path
        Pairs, laid out as for ``afmsr-eval``.
    weights : Path
        Where to start: the shipped ``afm.safetensors``, or an earlier result.
    tuning : Tuning
        As above.
    output : Path
        Folder; gets ``afm.safetensors`` and ``tuned.json``.
    report : callable
        Gets a line of progress now and then.

    Returns
    -------
    dict
        What ``tuned.json`` holds: the split, the settings, and on the judging pairs the PSNR in
        dB of bicubic, of the network before and after.

    Raises
    ------
    PairError
        Fewer than three pairs can be used.
    """
    from safetensors.torch import load_file, save

    fields, left_out = _read(folder, report)
    if len(fields) < FEWEST:
        raise PairError(
            f"{folder}: {len(fields)} pairs can be used, and tuning needs {FEWEST} (to train, to "
            f"stop, to judge); `afmsr-eval {folder} --dry-run` says what is there"
        )
    rng = np.random.default_rng(tuning.seed)
    names = [str(name) for name in rng.permutation(sorted(fields))]
    few = max(1, round(SHARE * len(names)))
    judging, stopping, training = names[:few], names[few : 2 * few], names[2 * few :]

    torch.manual_seed(tuning.seed)
    network = AfmNetwork.of(load_file(weights))
    before = {name: _psnr(network, fields[name]) for name in judging}
    if tuning.frozen_body:
        network.body.requires_grad_(False)
    best = _copy(network)
    first = reached = _mean_psnr(network, [fields[name] for name in stopping])
    source = Source(({name: [fields[name]] for name in training}, 1.0))
    smallest = min(min(fields[name].coarse.shape) for name in training)
    stream = batches(source, rng, size=tuning.batch, patch=min(LARGEST_PATCH, smallest))
    learning = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=tuning.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, tuning.steps)
    since, step = 0, 0
    while step < tuning.steps and since < tuning.patience:
        batch = next(stream)
        coarse, fine, scale = map(torch.from_numpy, (batch.coarse, batch.fine, batch.scale))
        bicubic = functional.interpolate(coarse, scale_factor=FACTOR, mode="bicubic")
        loss = loss_of((bicubic + network(coarse) - fine) / scale, tuning.gradient)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        step += 1
        if step % tuning.check_every == 0:
            now = _mean_psnr(network, [fields[name] for name in stopping])
            since = 0 if now > reached else since + 1
            if now > reached:
                best, reached = _copy(network), now
            report(f"step {step}: {now - first:+.3f} dB on the stopping pairs")
    network.load_state_dict(best)

    result = {
        "afmsr": __version__,
        "torch": torch.__version__,
        "settings": asdict(tuning),
        "steps": step,
        "pairs": {"trained": training, "stopped": stopping, "judged": judging},
        "left_out": left_out,
        "stopping_gain_db": reached - first,
        "judged": {
            name: {
                "bicubic": _psnr(None, fields[name]),
                "before": before[name],
                "after": _psnr(network, fields[name]),
            }
            for name in judging
        },
    }
    output.mkdir(parents=True, exist_ok=True)
    with writing(output / "afm.safetensors", force=True) as file:
        file.write(save(network.state_dict()))
    with writing(output / "tuned.json", force=True) as file:
        file.write(json.dumps(result, indent=1).encode())
    return result


def _read(
    folder: Path, report: Callable[[str], None]
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Return the pairs that can be used, and why others cannot."""
    bicubic = Upscaler(Settings(method="bicubic", level="plane", restore_background=False))
    fields: dict[str, Measured] = {}
    left_out: dict[str, str] = {}
    for pair in find_pairs(folder).pairs:
        try:
            fields[pair.id] = measured_pair(pair, bicubic)
        except AfmsrError as error:
            left_out[pair.id] = str(error)
            report(f"{pair.id}: left out: {error}")
    return fields, left_out


def measured_pair(pair: Pair, bicubic: Upscaler) -> Measured:
    """Return a pair with its fine scan moved onto the upscaled grid of its coarse one.

    Raises
    ------
    PairError
        It does not align, or what the two have in common is too small to train on.
    """
    low, high = (io.select(io.read(path), pair.channel)[0] for path in (pair.low, pair.high))
    check_pair(low, high)
    if bicubic.scale(low).lines:
        raise PairError(
            f"{pair.id}: a line scan, and the network that is tuned makes 4x along both axes; "
            f"leave it out"
        )
    upscaled = bicubic(low)
    found = align(
        levelled(high.heights),
        upscaled.heights,
        pixel_nm=(upscaled.dx, upscaled.dy),
        result_pixel_nm=(high.dx, high.dy),
    )
    if not found.accepted:
        raise PairError(
            f"{pair.id}: {'; '.join(found.reasons)}; check that both show one area, in the right "
            f"unit, and that neither is mirrored"
        )
    coarse = levelled(low.heights)
    moved = warp(levelled(high.heights), found.matrix, upscaled.heights.shape)
    # Whole coarse pixels whose fine pixels are all there.
    cells = np.isfinite(moved).reshape(low.yres, FACTOR, low.xres, FACTOR)
    there = np.asarray(cells.all(axis=(1, 3))) & np.isfinite(coarse)
    top, left, height, width = largest_rectangle(there)
    if min(height, width) < SMALLEST_PATCH:
        raise PairError(
            f"{pair.id}: {width} x {height} coarse pixels in common, and {SMALLEST_PATCH} are "
            f"needed; scan both at the same place"
        )
    coarse = coarse[top : top + height, left : left + width]
    inside = np.s_[FACTOR * top : FACTOR * (top + height), FACTOR * left : FACTOR * (left + width)]
    fine = moved[inside]
    fine = fine - fit_plane(fine - upscaled.heights[inside]).on_grid(*fine.shape)
    lowest, highest = np.percentile(coarse, [0.1, 99.9])
    span = max(highest - lowest, np.finfo(float).tiny)
    coarse, fine = (coarse - lowest) / span, (fine - lowest) / span
    error = max(bicubic_error(coarse, fine), float(np.finfo(np.float32).eps))
    return Measured(coarse.astype(np.float32), fine.astype(np.float32), error)


def _copy(network: AfmNetwork) -> dict[str, torch.Tensor]:
    return {name: values.clone() for name, values in network.state_dict().items()}


def _mean_psnr(network: AfmNetwork, fields: Sequence[Measured]) -> float:
    return float(np.mean([_psnr(network, field) for field in fields]))


@torch.inference_mode()
def _psnr(network: AfmNetwork | None, field: Measured) -> float:
    """Return the PSNR in dB of the network, or of bicubic; the peak is the range of the truth."""
    coarse = torch.from_numpy(field.coarse)[None, None]
    result = functional.interpolate(coarse, scale_factor=FACTOR, mode="bicubic")
    if network is not None:
        result = result + network(coarse)
    error = result[0, 0].numpy() - field.fine
    return float(20 * np.log10(np.ptp(field.fine) / np.sqrt(np.mean(error**2))))
