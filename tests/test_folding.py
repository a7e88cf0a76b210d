"""Promise: less arithmetic gives the same heights, but for rounding, borders included.

Processors add in different orders and round differently. So the folded network and the whole one
are compared with the whole one in 64 bits, from which neither may be farther than rounding goes.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core.methods import registry
from afmsr_core.methods.torchsr import METHODS
from afmsr_core.normalisation import REC601

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("torchsr.models", reason="needs the extra torch")

from afmsr_core.inference.folding import ROUNDING, fold  # noqa: E402 - needs torch
from afmsr_core.methods.weights import load_state  # noqa: E402 - beside it

SHAPES = ((20, 27), (5, 9), (1, 6), (4, 2), (3, 3), (1, 1))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Fields of a few pixels: threads would wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(name: str) -> registry.Network:
    found = registry.get(name)
    assert isinstance(found, registry.Network)
    return found


def seeded(name: str) -> Any:
    """Return a network with generated weights, in tests only.

    A mean that is not torchSR's own shows whether the shift is the one of the weights' file.
    """
    torch.manual_seed(1)
    module = network(name).build().eval()
    for key, values in module.state_dict().items():
        if "mean" in key or (name.startswith("ninasr") and key.endswith("0.0.bias")):
            values += 0.05 * torch.rand_like(values)
    return module


def grey(*shape: int) -> np.ndarray:
    """Return grains and noise, which reach every edge."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    grains = np.sin(x / 3.1) * np.cos(y / 4.7) > 0.2
    noise = np.random.default_rng(0).normal(0, 0.03, shape)
    return np.asarray(0.2 + 0.6 * grains + noise, dtype=np.float32)


def plain(module: Any, field: np.ndarray) -> np.ndarray:
    """Return what torchSR and the paper do: the plane three times, then RGB to grey."""
    with torch.inference_mode():
        planes = torch.from_numpy(np.repeat(field[None, None], 3, axis=1))
        return np.tensordot(np.array(REC601), module(planes)[0].double().numpy(), 1)


def exact(module: Any, field: np.ndarray) -> np.ndarray:
    """Return what the whole network gives in 64 bits."""
    return plain(copy.deepcopy(module).double(), field.astype(np.float64))


def folded(module: Any, field: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        result: np.ndarray = module(torch.from_numpy(field[None, None]))[0, 0].numpy()
        return result


def off(module: Any, less: Any, shape: tuple[int, int]) -> float:
    """Return the larger error, as a part of the range: of the result, or of a thin scan, 1."""
    field = grey(*shape)
    expected, whole, found = exact(module, field), plain(module, field), folded(less, field)
    assert found.shape == expected.shape == (4 * shape[0], 4 * shape[1])
    assert np.ptp(expected) > 1e-4
    errors = np.abs(np.stack([whole, found]) - expected)
    return float(errors.max() / (np.ptp(expected) if min(shape) > 2 else 1.0))


@pytest.mark.parametrize("name", [method.name for method in METHODS if method.name != "edsr"])
def test_generated_weights_of_every_network(name: str) -> None:
    module = seeded(name)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    less = fold(module)
    shapes = SHAPES[1:3] if network(name).count > 9e6 else SHAPES
    for shape in shapes:
        assert off(module, less, shape) < ROUNDING, shape
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), key  # left as it was


def test_edges_and_corners_alone() -> None:
    """Where zero padding at three resolutions acts: each row and column of a linear tail."""
    torch.manual_seed(2)
    module = import_module("torchsr.models.edsr").EDSR(1, 8, 4, 1.0).eval()
    expected, found = exact(module, grey(9, 7)), folded(fold(module), grey(9, 7))
    error = np.abs(found - expected) / np.ptp(expected)
    for edge in (error[:4], error[-4:], error[:, :4], error[:, -4:]):
        assert edge.max() < ROUNDING
    assert error.max() < ROUNDING


def test_the_real_carn_m(shared: Path) -> None:
    module = seeded("carn_m")
    module.load_state_dict(load_state(shared / "data/weights/carn_m.pth"))
    less = fold(module)
    for shape in SHAPES[:3]:
        assert off(module, less, shape) < ROUNDING


def test_the_real_edsr(shared: Path, tmp_path: Path) -> None:
    file, source = tmp_path / "edsr.safetensors", shared / "data/weights"
    command = [sys.executable, source / "convert_edsr.py", source / "EDSR_x4.pb", file]
    subprocess.run(command, check=True, timeout=600)
    module = network("edsr").build().eval()
    module.load_state_dict(load_state(file), assign=True)
    file.unlink()
    assert off(module, fold(module), (9, 7)) < ROUNDING


def test_less_is_computed() -> None:
    """Multiplications of the convolutions of the whole: the tail is a third of EDSR-baseline."""
    from torch.utils.flop_counter import FlopCounterMode

    counts = []
    module = seeded("edsr_baseline")
    for network_, colours in ((module, 3), (fold(module), 1)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network_(torch.zeros(1, colours, 32, 32))
        counts.append(counter.get_total_flops())
    assert counts[0] / counts[1] > 1.5


def test_a_network_of_another_kind_runs_as_it_is() -> None:
    class Other(torch.nn.Module):
        def forward(self, planes: Any) -> Any:
            weights = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
            return torch.nn.functional.interpolate(planes * weights, scale_factor=4)

    assert off(Other(), fold(Other()), (5, 6)) < ROUNDING
