"""Promise: a network runs with its own weights, where it was asked to, or says why not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core.errors import MissingWeightsError, UsageError, WeightsError, pip_install
from afmsr_core.inference.engine import open_engine
from afmsr_core.methods import registry, weights

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("torchsr", reason="needs the extra torch")

from afmsr_core.inference import torch_engine  # noqa: E402 - needs torch
from afmsr_core.inference.torch_engine import TorchEngine  # noqa: E402 - needs torch

B0 = registry.get("ninasr_b0")
AFM = registry.get("afm")
assert isinstance(B0, registry.Network)
assert isinstance(AFM, registry.Network)


pytestmark = pytest.mark.usefixtures("cache")


def state(network: registry.Network = B0) -> dict[str, Any]:
    torch.manual_seed(3)
    found: dict[str, Any] = network.build().state_dict()
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.pt"
    torch.save(state(), path)
    return path


# --- weights ----------------------------------------------------------------------------------


def test_without_weights_nothing_runs() -> None:
    with pytest.raises(MissingWeightsError, match="afmsr models fetch ninasr_b0"):
        TorchEngine(B0)


def test_the_hash_of_a_file_put_there_by_hand_is_recorded_at_first_use(
    cache: Path, file: Path
) -> None:
    cache.mkdir()
    file.rename(cache / B0.weights.name)
    engine = TorchEngine(B0, "cpu")
    assert weights.expected_hash(B0) == engine.weights_sha256
    torch.save({key: value + 1 for key, value in state().items()}, cache / B0.weights.name)
    with pytest.raises(WeightsError, match="has changed"):
        TorchEngine(B0, "cpu")


def test_a_hash_is_not_recorded_of_weights_that_do_not_fit(cache: Path) -> None:
    cache.mkdir()
    torch.save({"a": torch.ones(1)}, cache / B0.weights.name)
    with pytest.raises(WeightsError, match="not the weights of ninasr_b0"):
        TorchEngine(B0, "cpu")
    assert weights.expected_hash(B0) is None


def test_a_file_of_the_users_leaves_the_cache_alone(cache: Path, file: Path) -> None:
    engine = open_engine(B0, weights=file)
    assert engine.weights_sha256 == weights.verify(B0, file)
    assert not cache.exists()


@pytest.mark.parametrize("kind", ["missing", "shape", "extra", "another network"])
def test_weights_of_another_network_name_the_first_difference(tmp_path: Path, kind: str) -> None:
    content = state()
    name = "body.0.body.0.weight"
    expected = {
        "missing": f"{name} is missing",
        "shape": rf"{name} has the shape \(1, 2\), not \(32, 16, 3, 3\)",
        "extra": "surprise has no place in it",
        "another network": "head.0.bias is missing",
    }[kind]
    if kind == "missing":
        del content[name]
    elif kind == "shape":
        content[name] = torch.ones(1, 2)
    elif kind == "extra":
        content["surprise"] = torch.ones(1)
    else:
        content = state(registry.get("carn_m"))  # type: ignore[arg-type]
    path = tmp_path / "odd.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=expected):
        TorchEngine(B0, "cpu", path)


def test_half_precision_weights_run_in_single(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "half.pt"
    torch.save({key: value.half() for key, value in state().items()}, path)
    planes = np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32)
    half, single = (TorchEngine(B0, "cpu", which).run(planes) for which in (path, file))
    assert half.dtype == np.float32
    assert 0 < np.abs(half - single).max() < 1e-2 * np.ptp(single)


# --- running ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_results_are_the_same_each_time_and_need_no_gradients(file: Path) -> None:
    planes = np.random.default_rng(0).random((2, 3, 5, 9), dtype=np.float32)
    planes.setflags(write=False)
    first = TorchEngine(B0, "cpu", file)
    result = first.run(planes)
    assert result.shape == (2, 3, 20, 36)
    assert result.dtype == np.float32
    assert np.array_equal(result, first.run(planes))
    assert np.array_equal(result, TorchEngine(B0, "cpu", file).run(planes))
    assert np.allclose(result[:1], first.run(planes[:1]), atol=1e-5)


def test_its_name_and_device(file: Path) -> None:
    engine = TorchEngine(B0, "cpu", file, threads=1)
    assert engine.name.startswith("torch 2.")
    assert "+" not in engine.name
    assert engine.device == "cpu"
    assert engine.on_cpu() is engine
    assert torch.get_num_threads() == 1


def test_auto_is_the_best_device_that_is_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(torch_engine._device("auto")) in ("cpu", "cuda:0", "mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(torch_engine._device("auto")) == "cuda:0"
    assert str(torch_engine._device("cuda")) == "cuda:0"
    assert str(torch_engine._device("cuda:1")) == "cuda:1"
    with pytest.raises(UsageError, match="choose one of auto, cpu, cuda:0, cuda:1"):
        torch_engine._device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert str(torch_engine._device("auto")) == "mps"


@pytest.mark.parametrize("device", ["cuda:7", "tpu", "cpu:0", "", "cuda:-1"])
def test_a_device_that_is_not_there(file: Path, device: str) -> None:
    with pytest.raises(UsageError, match="not on this machine; choose one of auto, cpu"):
        TorchEngine(B0, device, file)


class Greedy(torch.nn.Module):
    def forward(self, planes: Any) -> Any:
        return torch.empty(1 << 46)  # the processor's allocator really refuses


class Card(torch.nn.Module):
    def forward(self, planes: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


class Watch(torch.nn.Module):
    def forward(self, planes: Any) -> Any:
        flags = torch.backends.cudnn
        self.seen = (flags.enabled, flags.deterministic, flags.allow_tf32)
        self.ready = torch.is_inference_mode_enabled() and planes.is_contiguous(
            memory_format=torch.channels_last
        )
        return planes


class Broken(torch.nn.Module):
    def forward(self, planes: Any) -> Any:
        raise RuntimeError("something else")


def test_running_out_of_memory_is_a_memory_error(file: Path) -> None:
    engine = TorchEngine(B0, "cpu", file)
    planes = np.zeros((1, 3, 8, 8), np.float32)
    for module in (Greedy(), Card()):
        engine._module = module
        with pytest.raises(MemoryError, match="8x8 pixels need more memory than cpu has"):
            engine.run(planes)
    engine._module = Broken()
    with pytest.raises(RuntimeError, match="something else"):
        engine.run(planes)


def test_cards_compute_in_full_precision(file: Path) -> None:
    engine = TorchEngine(B0, "cpu", file)
    engine._module = watch = Watch()
    before = torch.backends.cudnn.allow_tf32
    engine.run(np.zeros((1, 3, 8, 8), np.float32))
    assert watch.seen == (True, True, False)
    assert watch.ready
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_card_that_is_full_falls_back_to_the_processor(file: Path) -> None:
    engine = TorchEngine(B0, "cpu", file)
    engine.device = "cuda:0"  # as if
    other = engine.on_cpu()
    assert other is not engine
    assert other.device == "cpu"
    assert other.weights_sha256 == engine.weights_sha256


# --- our own network --------------------------------------------------------------------------


def test_our_own_network_runs_from_safetensors(tmp_path: Path) -> None:
    """With weights that a test made: the last convolution starts at zero, so not zero here."""
    from safetensors.torch import save_file

    content = state(AFM)
    content["tail.weight"] = torch.randn_like(content["tail.weight"])
    path = tmp_path / "afm.safetensors"
    save_file(content, path)
    engine = open_engine(AFM, engine="torch", weights=path)
    result = engine.run(np.random.default_rng(0).random((1, 1, 17, 33), dtype=np.float32))
    assert result.shape == (1, 1, 68, 132)
    assert np.ptp(result) > 0


def test_our_own_network_is_the_same_in_both_engines() -> None:
    """The shipped weights in torch, and the same as ONNX: within 1e-5 of the range."""
    planes = np.random.default_rng(0).random((1, 1, 40, 24), dtype=np.float32)
    ours, onnx = (open_engine(AFM, engine=kind).run(planes) for kind in ("torch", "onnx"))
    assert np.ptp(ours) > 0
    assert np.abs(ours - onnx).max() < 1e-5


# --- what is not installed --------------------------------------------------------------------


@pytest.mark.parametrize("module", ["torch", "torchsr", "safetensors"])
def test_a_missing_package_is_named_with_the_command(module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from afmsr_core.errors import MissingExtraError\n"
        "from afmsr_core.inference.engine import open_engine\n"
        "from afmsr_core.methods import registry\n"
        "try: open_engine(registry.get('carn_m'), engine='torch')\n"
        "except MissingExtraError as error: print(error, error.exit_status)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert module in found.stdout
    assert f"{pip_install('torch')} 4" in found.stdout


def test_a_network_of_somebody_else_is_one_descriptor(file: Path) -> None:
    other = replace(B0, name="mine", weights=registry.WeightsFile("mine.pt", url="https://a.b/c"))
    assert TorchEngine(other, "cpu", file).run(np.zeros((1, 3, 4, 4), np.float32)).shape[-1] == 16
