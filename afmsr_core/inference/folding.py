"""The same grey result from less arithmetic: what is linear in a torchSR network, done once.

A scan is grey and the networks take and give RGB, so with ``x`` the grey plane:

* The first convolution sees ``(x, x, x)`` less a mean. It becomes one on ``(x, 1)``: the weights
  of the colours summed, and on a plane of ones the weights times the mean. A bias could not stand
  for that plane, because the network pads with zeros after it took the mean off.
* The last convolution and the weighing of RGB to grey become one convolution to grey. The mean is
  added after it: as its bias it would be where the processor starts its sums, and each of their up
  to 2,304 additions would be rounded at the size of the mean instead of that of the detail.
* Between the upsampling convolutions of EDSR, RCAN and RDN is nothing but reordering. From the
  low-resolution features to the 16 sub-pixels of a pixel they are one linear map, which reaches
  two pixels: a 5x5 convolution. The network pads with zeros at three resolutions, so pixels on an
  edge and in a corner have maps of their own, eight more.
* Constant factors of the residual branches go into the weights or into the addition.

Nothing is approximated: results differ by rounding only, and by no more than :data:`ROUNDING` on
any processor. Source of the networks: torchSR 1.0.4.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from afmsr_core.inference.onnx_engine import THINNEST
from afmsr_core.normalisation import REC601

__all__ = ["ROUNDING", "fold"]

# Of the range: how far a result in 32 bits, folded or not, may lie from that in 64 bits. Rounding
# errors of a sum of n terms reach about sqrt(n) 2^-24 of its size (Higham and Mary 2019,
# doi:10.1137/18M1226312): 2.9e-6 for the 2,304 of a 3x3 convolution of 256 channels. Seen with the
# kernels for SSE 4.1, AVX2 and AVX-512: 2.7e-6. The rest is for layers that add up.
ROUNDING = 1e-5

REACH = 2  # pixels; of a folded tail: 1 + 1/2 + 1/4, rounded up
SCALE = 4


def fold(module: nn.Module) -> nn.Module:
    """Return a module that does on grey what `module` does on grey repeated in each colour.

    Parameters
    ----------
    module : Module
        One of torchSR's at 4x, with its weights; it is left as it is and shares most of them.
        Any other module from RGB to RGB gets grey in and out without saving anything.

    Returns
    -------
    Module
        From (n, 1, height, width) to (n, 1, 4 height, 4 width).
    """
    how = _FOLDS.get(type(module).__name__, _Grey)
    return how(module).eval()


class _Grey(nn.Module):
    """Any network from RGB to RGB, on grey."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("weights", torch.tensor(REC601).view(1, 3, 1, 1))

    def forward(self, grey: Tensor) -> Tensor:
        return (self.module(grey.expand(-1, 3, -1, -1)) * self.weights).sum(1, keepdim=True)


# --- pieces ----------------------------------------------------------------------------------


class _WithOnes(nn.Module):
    """Add a plane of ones to the grey one."""

    def forward(self, grey: Tensor) -> Tensor:
        return torch.cat([grey, torch.ones_like(grey)], 1)


class _Mean(nn.Module):
    """Add to grey what a network adds to each colour."""

    def __init__(self, colours: Tensor) -> None:
        super().__init__()
        mix = torch.tensor(REC601, dtype=torch.float64, device=colours.device)
        self.register_buffer("mean", (mix @ colours.double()).float())

    def forward(self, grey: Tensor) -> Tensor:
        return grey + self.mean


class _Residual(nn.Module):
    """Add a branch times a factor."""

    def __init__(self, body: nn.Module, factor: float) -> None:
        super().__init__()
        self.body = body
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x), alpha=self.factor)


class _Upsample(nn.Sequential):
    """CARN's, which is told the scale."""

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__(*parts)

    def forward(self, x: Tensor, scale: int) -> Tensor:
        return super().forward(x)


class _Attention(nn.Module):
    """NinaSR's attention, whose sums over 31x31 pixels are taken along one axis, then the other.

    The averages count only pixels of the field.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        pool, *rest, repeat = block.body
        side, step, pad = pool.kernel_size, pool.stride, pool.padding
        self.rows = nn.AvgPool2d((side, 1), (step, 1), (pad, 0), count_include_pad=False)
        self.columns = nn.AvgPool2d((1, side), (1, step), (0, pad), count_include_pad=False)
        self.rest = nn.Sequential(*rest)
        self.repeat = repeat

    def forward(self, x: Tensor) -> Tensor:
        weights = self.repeat(self.rest(self.columns(self.rows(x))))
        return x * weights[:, :, : x.shape[2], : x.shape[3]]


class _Tail(nn.Module):
    """A linear tail as nine convolutions: of the inside, four edges and four corners."""

    def __init__(self, tail: nn.Module, features: int) -> None:
        super().__init__()
        self.tail = tail  # for fields that are thinner than THINNEST
        weights, bias = _maps(tail, features)
        for row, above in enumerate("tmb"):
            for column, beside in enumerate("lmr"):
                part = _conv(
                    weights[row, column][
                        :, :, _SEEN[row][0] : _SEEN[row][1], _SEEN[column][0] : _SEEN[column][1]
                    ],
                    bias[row, column],
                )
                self.add_module(above + beside, part)
        self.shuffle = nn.PixelShuffle(SCALE)

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < THINNEST:
            return self.tail(x)
        padded = nn.functional.pad(x, (REACH,) * 4)
        lines = []
        for above, rows in zip("tmb", _BANDS, strict=True):
            band = padded[:, :, rows]
            parts = [
                getattr(self, above + beside)(band[..., columns])
                for beside, columns in zip("lmr", _BANDS, strict=True)
            ]
            lines.append(torch.cat(parts, 3))
        return self.shuffle(torch.cat(lines, 2))


# What the maps of the first, the middle and the last pixel of five see of the five, and of a
# padded field: 3 pixels make the first one, all but its padding's outermost make the inner ones.
_SEEN = ((0, 3), (0, 5), (2, 5))
_BANDS = (slice(REACH, REACH + 3), slice(1, -1), slice(-REACH - 3, -REACH))


def _maps(tail: nn.Module, features: int) -> tuple[Tensor, Tensor]:
    """Return the linear maps of a tail from 5x5 pixels to its first, middle and last ones.

    Returns
    -------
    Tensor, shape (3, 3, 16, features, 5, 5)
        By row, column and sub-pixel.
    Tensor, shape (3, 3, 16)
        What comes out of no features.
    """
    side = 2 * REACH + 1
    picked = (0, REACH, side - 1)
    device = next(tail.parameters()).device
    with torch.enable_grad():
        given = torch.zeros(1, features, side, side, device=device, requires_grad=True)
        result = tail(given)
        by_pixel = result.view(side, SCALE, side, SCALE).permute(0, 2, 1, 3)
        rows = []
        for row in picked:
            wanted = torch.zeros(3, SCALE**2, *by_pixel.shape, device=device)
            for column, inner in itertools.product(range(3), range(SCALE**2)):
                wanted[column, inner, row, picked[column], inner // SCALE, inner % SCALE] = 1.0
            (found,) = torch.autograd.grad(
                by_pixel, given, wanted.flatten(0, 1), retain_graph=True, is_grads_batched=True
            )
            rows.append(found.view(3, SCALE**2, features, side, side))
    constant = by_pixel.detach()[::REACH, ::REACH].reshape(3, 3, SCALE**2)
    return torch.stack(rows).detach(), constant


def _conv(weight: Tensor, bias: Tensor | None, padding: int = 0) -> nn.Conv2d:
    """Return a convolution with these weights, float32."""
    outputs, inputs, *kernel = weight.shape
    made = nn.Conv2d(inputs, outputs, tuple(kernel), padding=padding, bias=bias is not None)
    made.weight = nn.Parameter(weight.detach().float().contiguous(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().float().contiguous(), requires_grad=False)
    return made


def _entry(conv: nn.Conv2d, matrix: Tensor | None = None, shift: Tensor | None = None) -> nn.Conv2d:
    """Return the convolution on grey, and ones if colours are shifted, before `conv`.

    Parameters
    ----------
    conv : Conv2d
        On RGB.
    matrix : Tensor, shape (3, 3), optional
        What RGB is multiplied with before.
    shift : Tensor, shape (3,), optional
        What is added then.
    """
    weight = conv.weight.double()
    grey = torch.ones(3, dtype=torch.float64, device=weight.device)
    grey = grey if matrix is None else matrix.double() @ grey
    planes = [grey] if shift is None else [grey, shift.double()]
    folded = torch.stack([torch.einsum("ocyx,c->oyx", weight, plane) for plane in planes], 1)
    return _conv(folded, conv.bias, conv.padding[0])


def _exit(conv: nn.Conv2d, matrix: Tensor | None = None, each: int = 1) -> nn.Conv2d:
    """Return the convolution to grey after `conv` and `matrix`.

    `each` is how many sub-pixels `conv` gives for every colour.
    """
    weight = conv.weight.double()
    mix = torch.tensor(REC601, dtype=torch.float64, device=weight.device)
    mix = mix if matrix is None else mix @ matrix.double()
    folded = torch.einsum("ceiyx,c->eiyx", weight.unflatten(0, (3, each)), mix)
    bias = torch.einsum("ce,c->e", conv.bias.double().view(3, each), mix)
    return _conv(folded, bias, conv.padding[0])


def _before_shuffle(conv: nn.Conv2d) -> nn.Sequential:
    """Return what does before a doubling PixelShuffle what a 3x3 `conv` to grey does after it.

    It multiplies with more zeros, but spares the shuffling and a convolution to one channel over
    four times the pixels, at which processors are slow.
    """
    weight = conv.weight.detach()
    _, inputs, *_ = weight.shape
    wide = weight.new_zeros(2, 2, inputs, 2, 2, 3, 3)  # sub-pixel out, channel, sub-pixel in, place
    for y, x in itertools.product(range(2), repeat=2):
        for v, u in itertools.product(range(3), repeat=2):
            (dy, i), (dx, j) = divmod(y + v - 1, 2), divmod(x + u - 1, 2)
            wide[y, x, :, i, j, dy + 1, dx + 1] = weight[0, :, v, u]
    bias = None if conv.bias is None else conv.bias.repeat(4)
    wider = _conv(wide.reshape(4, 4 * inputs, 3, 3), bias, padding=1)
    return nn.Sequential(wider, nn.PixelShuffle(2))


def _copied(module: nn.Module, **children: nn.Module) -> nn.Module:
    """Return a copy with other children; all else is shared."""
    made = copy.copy(module)
    made._modules = {**module._modules, **children}
    return made


# --- families --------------------------------------------------------------------------------


def _ninasr(module: Any) -> nn.Module:
    shift, conv = module.head
    last, _, unshift = module.tail
    return _copied(
        module,
        head=nn.Sequential(_WithOnes(), _entry(conv, shift=shift.bias.flatten())),
        body=nn.Sequential(*map(_ninasr_block, module.body)),
        tail=nn.Sequential(
            _exit(last, each=SCALE**2), nn.PixelShuffle(SCALE), _Mean(unshift.bias.flatten())
        ),
    )


def _ninasr_block(block: Any) -> nn.Module:
    first, relu, attention, second = block.body
    return _Residual(
        nn.Sequential(
            _conv(first.weight * block.in_scale, first.bias, first.padding[0]),
            relu,
            _Attention(attention),
            _conv(second.weight * (2 * block.out_scale), second.bias, second.padding[0]),
        ),
        1.0,
    )


def _carn(module: Any) -> nn.Module:
    before, after = module.sub_mean.shifter, module.add_mean.shifter
    *upsampling, _ = module.upsample.up4.body  # the last is a PixelShuffle
    return _copied(
        module,
        sub_mean=_WithOnes(),
        entry=_entry(module.entry, before.weight[:, :, 0, 0], before.bias),
        upsample=_Upsample(upsampling),
        exit=_before_shuffle(_exit(module.exit, after.weight[:, :, 0, 0])),
        add_mean=_Mean(after.bias),
    )


def _edsr(module: Any) -> nn.Module:
    # Its forward multiplies by 255 before sub_mean and divides by 255 after add_mean.
    before, after = module.sub_mean, module.add_mean
    upsampler, last = module.tail
    last = _exit(last, after.weight[:, :, 0, 0])
    return _copied(
        module,
        sub_mean=_WithOnes(),
        head=_entry(module.head[0], before.weight[:, :, 0, 0], before.bias),
        body=nn.Sequential(*map(_edsr_block, module.body)),
        tail=_Tail(nn.Sequential(upsampler, last), last.in_channels),
        add_mean=_Mean(after.bias),
    )


def _edsr_block(block: Any) -> nn.Module:
    scaled = getattr(block, "res_scale", None)
    return block if scaled is None else _Residual(block.body, scaled)


def _rdn(module: Any) -> nn.Module:
    last = _exit(module.output)
    return _copied(
        module,
        sfe1=_entry(module.sfe1),
        upscale=nn.Identity(),
        output=_Tail(nn.Sequential(module.upscale, last), module.sfe1.out_channels),
    )


_FOLDS: dict[str, Callable[[Any], nn.Module]] = {
    "NinaSR": _ninasr,
    "CARN": _carn,
    "CARNM": _carn,
    "EDSR": _edsr,
    "RCAN": _edsr,
    "RDN": _rdn,
}
