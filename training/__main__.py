"""``python -m training fit|score|export``: make, judge and package the shipped weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import corpus


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/afm"))
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="train, or go on after an interruption")
    fit.add_argument("folder", type=Path)
    fit.add_argument("--steps", type=int, default=32_000)
    fit.add_argument("--threads", type=int, default=1)
    fit.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    args = parser.parse_args()
    if args.command == "fit":
        return _fit(args)
    return 2


def _fit(args: argparse.Namespace) -> int:
    import torch

    from afmsr_core.methods.afm_network import AfmNetwork
    from training.batches import Fields
    from training.fit import Recipe, fit
    from training.score import score

    torch.set_num_threads(args.threads)
    held_out = corpus.set_aside_scans(args.corpus)

    def validate(network: AfmNetwork) -> dict[str, float]:
        def upscale(coarse: NDArray[np.float64]) -> NDArray[np.float64]:
            low, high = coarse.min(), coarse.max()
            grey = (coarse - low) / (high - low)
            with torch.inference_mode():
                residual = network(torch.from_numpy(grey[None, None]).float().to(args.device))
            return bicubic(coarse) + residual[0, 0].cpu().numpy() * (high - low)

        figures: dict[str, float] = {}
        for condition in ("clean", "noisy"):
            scores = score(held_out, {"bicubic": bicubic, "afm": upscale}, condition)
            gains = [a.psnr - b.psnr for a, b in zip(scores["afm"], scores["bicubic"], strict=True)]
            figures[f"gain_{condition}_db"] = float(np.mean(gains))
            figures[f"wins_{condition}"] = float(np.mean(np.array(gains) > 0))
        return figures

    fields = Fields(corpus.training_scans(args.corpus))
    network = fit(
        fields,
        Recipe(steps=args.steps),
        args.folder,
        report=lambda line: print(line, flush=True),
        validate=validate,
        device=args.device,
    )
    from safetensors.torch import save_file

    save_file(network.cpu().state_dict(), args.folder / "afm.safetensors")
    return 0


def bicubic(coarse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate as OpenCV does."""
    yres, xres = coarse.shape
    return cv2.resize(coarse, (4 * xres, 4 * yres), interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    sys.exit(main())
