"""The architecture of our own network, for training and for the torch engine.

Kept apart from its descriptor because it needs torch and torchSR.
"""

from __future__ import annotations

import torch
from torch import nn
from torchsr.models.ninasr import NinaSR

__all__ = ["AfmNetwork"]

N_RESBLOCKS = 10  # as NinaSR-B0
N_FEATS = 16  # as NinaSR-B0
SCALE = 4
MID_GREY = 0.5


class AfmNetwork(nn.Module):
    """The body of torchSR's NinaSR-B0 between a grey head and a grey tail.

    It predicts what bicubic interpolation misses, not the heights themselves. The last
    convolution starts at zero, so training starts as bicubic and can only move away from it
    for a reason.

    Source: Gouvine, G. "Super-Resolution Networks for Pytorch" (2021), doi
    10.5281/zenodo.4868308.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, N_FEATS, 3, padding=1)
        self.body = NinaSR.make_body(N_RESBLOCKS, N_FEATS, expansion=2.0)
        self.tail = nn.Conv2d(N_FEATS, SCALE**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(SCALE)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Return the residual over bicubic.

        Parameters
        ----------
        grey : Tensor, shape (n, 1, height, width)
            Heights normalised to about [0, 1].

        Returns
        -------
        Tensor, shape (n, 1, 4 * height, 4 * width)
            To be added to the bicubic interpolation of `grey`.
        """
        features = self.head(grey - MID_GREY)
        return self.shuffle(self.tail(self.body(features) + features))
