"""The architecture of our own network, for training and for the torch engine.

Kept apart from its descriptor because it needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from afmsr_core.grid import SQUARE, Scale

__all__ = ["HEAD", "N_BLOCKS", "SIDE", "AfmNetwork", "blocks_of", "head_of", "scale_of"]

N_BLOCKS = 14
N_FEATS = 32
HEAD = (3, 3)  # lines and points that the first filters see; more cost next to nothing
SIDE = 3  # of all others
BRANCH_SCALE = 0.1
"""What a block adds at the start of training, so that all of them do not blow up."""


class AfmNetwork(nn.Module):
    """A plain residual network that treats heights as heights.

    It predicts what bicubic interpolation misses. No layer has a bias, and the first filters
    have no mean, so that the result follows any change of datum and unit:
    ``network(a * z + b) == a * network(z)`` for every a > 0 and b. What it makes of a feature
    does not depend on how high the rest of the scan is, nor on how heights were normalised.
    There is no attention: a pixel of the result depends on its surroundings alone.

    A scan of full lines has pixels that are longer across the lines. The first filters take as
    many points of a line together as make a square of it, so that all further layers see the same
    surroundings in both directions, whatever the scale, and cost the same for the same area.

    Source: residual blocks as in Lim et al., "Enhanced Deep Residual Networks for Single Image
    Super-Resolution" (CVPRW 2017), doi 10.1109/CVPRW.2017.151; no bias as in Mohan et al.,
    "Robust and interpretable blind image denoising via bias-free convolutional neural networks"
    (ICLR 2020), arXiv 1906.05478.
    """

    def __init__(
        self,
        blocks: int = N_BLOCKS,
        features: int = N_FEATS,
        scale: Scale = SQUARE,
        head: tuple[int, int] = HEAD,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.points = scale.rows // scale.columns
        self.head = nn.Conv2d(
            1, features, (head[0], head[1] * self.points), stride=(1, self.points), bias=False
        )
        self.body = nn.Sequential(*(_Block(features) for _ in range(blocks)))
        self.tail = nn.Conv2d(features, scale.rows**2, SIDE, padding=SIDE // 2, bias=False)
        self.shuffle = nn.PixelShuffle(scale.rows)
        nn.init.zeros_(self.tail.weight)  # training starts as bicubic

    @classmethod
    def grown_from(
        cls,
        weights: Mapping[str, torch.Tensor],
        blocks: int = N_BLOCKS,
        scale: Scale | None = None,
    ) -> AfmNetwork:
        """Return a network that computes what those of `weights` did, with blocks to spare.

        Parameters
        ----------
        weights : mapping of str to Tensor
            Of a network with as many blocks or fewer. The blocks that it lacks add nothing
            until they are trained.
        blocks : int
            That it shall have.
        scale : Scale, optional
            That it shall have, if another: then it starts as bicubic, with features that are made
            of the mean over as many points of a line as make a square.
        """
        known = scale_of(weights)
        network = cls(blocks, scale=scale or known, head=head_of(weights))
        if scale not in (None, known):
            head = weights["head.weight"].repeat_interleave(network.points, 3) / network.points
            weights = {**weights, "head.weight": head, "tail.weight": network.tail.weight}
        missing, unknown = network.load_state_dict(weights, strict=False)
        spare = [name for name in missing if name.endswith("second.weight")]
        if unknown or len(missing) != 2 * len(spare):
            raise ValueError(f"these are not weights of an AfmNetwork: {[*missing, *unknown]}")
        for name in spare:
            nn.init.zeros_(network.get_parameter(name))
        return network

    @classmethod
    def of(cls, weights: Mapping[str, torch.Tensor]) -> AfmNetwork:
        """Return the network that some weights are of, with them in it."""
        return cls.grown_from(weights, blocks_of(weights))

    @property
    def head_filters(self) -> torch.Tensor:
        """The first filters, which see differences of height and not heights."""
        weight = self.head.weight
        return weight - weight.mean(dim=(2, 3), keepdim=True)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Return the residual over bicubic.

        Parameters
        ----------
        grey : Tensor, shape (n, 1, height, width)
            Heights, in any unit.

        Returns
        -------
        Tensor, shape (n, 1, rows * height, columns * width) of the scale
            To be added to the bicubic interpolation of `grey`.
        """
        height, left = (side // 2 for side in self.head.kernel_size)
        left -= left % self.points
        width = grey.shape[3]
        right = -width % self.points  # what is missing to a whole number of squares
        sides = [left, left + right, height, height]
        edged = functional.pad(grey, sides, mode="replicate")
        features = functional.conv2d(edged, self.head_filters, stride=self.head.stride)
        residual = self.shuffle(self.tail(self.body(features) + features))
        columns = residual.shape[3] // (width + right)
        return residual[..., : columns * width] if right else residual


def blocks_of(weights: Mapping[str, torch.Tensor]) -> int:
    """Return how many blocks the network has that some weights belong to."""
    return sum(name.endswith("first.weight") for name in weights)


def scale_of(weights: Mapping[str, torch.Tensor]) -> Scale:
    """Return the scale of the network that some weights belong to."""
    rows = math.isqrt(weights["tail.weight"].shape[0])
    _, points = _head(weights)
    return Scale(rows, rows // points)


def head_of(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Return lines and squares of a line that the first filters of some weights see."""
    return _head(weights)[0]


def _head(weights: Mapping[str, torch.Tensor]) -> tuple[tuple[int, int], int]:
    """Return the sides of the first filters in squares, and how many points of a line make one."""
    height, width = weights["head.weight"].shape[2:]
    points = width & -width  # the sides are odd, and the points a power of two
    return (height, width // points), points


class _Block(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, SIDE, padding=SIDE // 2, bias=False)
        self.second = nn.Conv2d(features, features, SIDE, padding=SIDE // 2, bias=False)
        nn.init.kaiming_normal_(self.first.weight)
        nn.init.kaiming_normal_(self.second.weight)
        with torch.no_grad():
            self.second.weight.mul_(BRANCH_SCALE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(functional.relu(self.first(x)))
