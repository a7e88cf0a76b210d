"""Promise: another device is used only if ONNX Runtime has it and it gives the same heights.

There is no card here, so ONNX Runtime's answers about cards are injected; the network is real.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from afmsr_core.errors import UsageError
from afmsr_core.inference import onnx_engine, run_tiled
from afmsr_core.inference.onnx_engine import PROVIDERS, TOLERANCE, OnnxEngine, session
from afmsr_core.methods import Network, get

PLANES = np.random.default_rng(1).random((1, 1, 9, 11), dtype=np.float32)


def afm() -> Network:
    found = get("afm")
    assert isinstance(found, Network)
    return found


class Card:
    """A session on a card that is off by some share of the range, or has no memory."""

    def __init__(self, real: Any, off: float = 0.0, words: str = "") -> None:
        self._real, self._off, self._words = real, off, words

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def get_inputs(self) -> Any:
        return self._real.get_inputs()

    def run(self, outputs: None, inputs: dict[str, Any]) -> list[Any]:
        if self._words and next(iter(inputs.values())).shape != (1, 1, 37, 45):
            raise RuntimeError(self._words)
        (result,) = self._real.run(outputs, inputs)
        return [result + np.float32(self._off * np.ptp(result))]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a card into this computer."""

    def put(**about: Any) -> None:
        def opened(model: bytes, threads: int | None, device: str = "cpu") -> Any:
            real = session(model, 1)
            return real if device == "cpu" else Card(real, **about)

        there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
        monkeypatch.setattr(onnx_engine, "session", opened)

    return put


@pytest.mark.parametrize(
    ("device", "name", "settings"),
    [
        ("cpu", "CPUExecutionProvider", {}),
        ("cuda", "CUDAExecutionProvider", {"use_tf32": "0"}),
        ("cuda:1", "CUDAExecutionProvider", {"use_tf32": "0", "device_id": "1"}),
        ("directml", "DmlExecutionProvider", {}),
        ("coreml", "CoreMLExecutionProvider", {}),
    ],
)
def test_onnx_runtime_is_asked_for_the_device(
    device: str, name: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def recorded(model: bytes, options: Any, providers: list[Any]) -> object:
        asked.append(SimpleNamespace(options=options, providers=providers))
        return object()

    monkeypatch.setattr(onnxruntime, "InferenceSession", recorded)
    session(b"", 1, device)
    (one,) = asked
    assert one.providers[0] == (name, settings)
    assert one.providers[1:] == ([] if device == "cpu" else ["CPUExecutionProvider"])
    assert one.options.intra_op_num_threads == 1
    assert not one.options.enable_mem_pattern  # which DirectML refuses
    assert settings.keys() - PROVIDERS[device.partition(":")[0]][1].keys() <= {"device_id"}


def test_a_card_that_agrees_is_used_by_itself(card: Any) -> None:
    card(off=0.5 * TOLERANCE)
    assert OnnxEngine(afm()).device == "cuda"
    assert OnnxEngine(afm(), "cpu").device == "cpu"


def test_a_card_that_is_off_is_refused_and_never_taken_by_itself(card: Any) -> None:
    card(off=2 * TOLERANCE)
    with pytest.raises(UsageError, match=r"--device cuda: its results are 2\.\d?e-03"):
        OnnxEngine(afm(), "cuda")
    alone = OnnxEngine(afm(), threads=1)
    assert alone.device == "cpu"
    np.testing.assert_array_equal(alone.run(PLANES), OnnxEngine(afm(), "cpu", 1).run(PLANES))


def test_a_card_without_memory_hands_over_to_the_processor(card: Any) -> None:
    card(words="CUDA error: Failed to allocate memory for requested buffer of size 1")
    engine, parts = OnnxEngine(afm(), "cuda"), []
    _, used = run_tiled(engine, afm(), PLANES[0], lambda rows, cols, values: parts.append(values))
    assert (engine.device, used.device) == ("cuda", "cpu")
    np.testing.assert_array_equal(parts[0], OnnxEngine(afm(), "cpu", 1).run(PLANES)[0])


def test_other_errors_of_a_card_are_not_hidden(card: Any) -> None:
    card(words="an illegal instruction")
    with pytest.raises(RuntimeError, match="illegal"):
        OnnxEngine(afm(), "cuda").run(PLANES)
