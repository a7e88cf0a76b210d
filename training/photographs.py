"""Photographs to train on: what networks of the field learn from, and the rival of AFM scans.

Weights trained on them do not ship: they answer what training on AFM scans is worth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from afmsr_core.errors import UsageError
from training.fields import FACTOR, LOSS_FLOOR, Measured, bicubic_error

SUFFIXES = (".jpg", ".png")
GREYS = 255.0


def photographs(folder: Path) -> dict[str, list[Measured]]:
    """Return photographs and what bicubic down-sampling with anti-aliasing makes of them.

    This is how torchSR's networks were trained (DIV2K, "bicubic"), and how no microscope scans.

    Parameters
    ----------
    folder : Path
        With images, of which the grey values are taken; folders in it are searched too.

    Returns
    -------
    dict of str to list of Measured
        By name of the file.

    Raises
    ------
    UsageError
        There is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(f"{folder}: no photographs ({', '.join(SUFFIXES)}) in it")
    return {str(path.relative_to(folder)): [_photograph(path)] for path in files}


def _photograph(path: Path) -> Measured:
    import cv2
    import torch
    from torch.nn import functional

    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UsageError(f"{path}: not a readable image; remove it or save it again")
    height, width = (side // FACTOR * FACTOR for side in image.shape)
    fine = (image[:height, :width] / GREYS).astype(np.float32)
    coarse = functional.interpolate(
        torch.from_numpy(fine)[None, None],
        scale_factor=1 / FACTOR,
        mode="bicubic",
        antialias=True,
    )[0, 0].numpy()
    return Measured(coarse, fine, max(bicubic_error(coarse, fine), LOSS_FLOOR))
