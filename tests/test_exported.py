"""Promise: torchSR's networks are exported once, give what torch gives, and then need no torch."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.errors import AfmsrError, UsageError, WeightsError
from afmsr_core.inference import engine as engines
from afmsr_core.inference import exported as exporting
from afmsr_core.inference import onnx_engine, open_engine
from afmsr_core.inference.exported import exported, exports_of
from afmsr_core.inference.onnx_engine import OnnxEngine, provider
from afmsr_core.methods import registry, shipped

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("torchsr.models", reason="needs the extra torch")
pytest.importorskip("onnx", reason="needs the extra torch")

Run = Callable[..., tuple[int, str, str]]
TOLERANCE = 2e-5  # of the range
NETWORKS = ("ninasr_b0", "carn_m", "edsr_baseline")  # one of each kind of folding


def network(name: str) -> registry.Network:
    found = registry.get(name)
    assert isinstance(found, registry.Network)
    return found


pytestmark = pytest.mark.usefixtures("cache")


def put(name: str, folder: Path, seed: int = 1) -> None:
    torch.manual_seed(seed)
    folder.mkdir(exist_ok=True)
    torch.save(network(name).build().state_dict(), folder / network(name).weights.name)


def field(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).random((1, 1, *shape), dtype=np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_what_torch_gives(name: str, cache: Path) -> None:
    put(name, cache)
    there = open_engine(network(name), engine="torch", threads=1)
    here = open_engine(network(name), engine="onnx", threads=1)
    assert here.name.startswith("onnxruntime")
    assert here.weights_sha256 == there.weights_sha256
    for shape in ((30, 23), (3, 16), (2, 9), (1, 1)):  # the last two are too thin for the graph
        expected, found = there.run(field(*shape)), here.run(field(*shape))
        assert found.shape == (1, 1, 4 * shape[0], 4 * shape[1])
        assert np.abs(found - expected).max() < TOLERANCE * max(np.ptp(expected), 0.1), shape


def test_an_export_is_made_once_and_named_after_what_it_came_from(cache: Path) -> None:
    put("ninasr_b0", cache)
    export = exported(network("ninasr_b0"))
    file, digest = export.file, export.weights_sha256
    assert file.parent == cache / "exported" and file.read_bytes() == export.model
    assert file.name.startswith(f"ninasr_b0-{digest[:16]}-r2-torch")
    assert file.stem.endswith(f"-{hashlib.sha256(export.model).hexdigest()}")
    assert "-torchsr1." in file.name and "-onnxruntime1." in file.name
    before = file.stat().st_mtime_ns
    old = file.with_name(f"ninasr_b0-{digest[:16]}-r0-torch1.0.onnx")
    old.write_bytes(b"")
    assert exported(network("ninasr_b0")) == export
    assert file.stat().st_mtime_ns == before and old.exists()
    file.unlink()
    exported(network("ninasr_b0"))
    assert not old.exists()  # what other versions made goes when a new one comes


@pytest.mark.parametrize("how", ["one bit", "cut", "another network's"])
def test_an_export_that_has_changed_is_never_used(
    run: Run, cache: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    put("ninasr_b0", cache)
    right = open_engine(network("ninasr_b0"), engine="onnx", threads=1).run(field(9, 9))
    (file,) = exports_of(network("ninasr_b0"))
    model = file.read_bytes()
    if how == "one bit":  # of a weight: it loads, and gives other heights
        at = len(model) // 2
        changed = model[:at] + bytes([model[at] ^ 0x40]) + model[at + 1 :]
    elif how == "cut":
        changed = model[:1000]
    else:
        changed = shipped.path("afm.onnx").read_bytes()
    file.write_bytes(changed)
    assert states(run, "ninasr_b0") == ["unchanged", "wrong"]
    with caplog.at_level(logging.WARNING):
        again = open_engine(network("ninasr_b0"), engine="onnx", threads=1)
    assert "has changed since it was made" in caplog.text and str(file) in caplog.text
    assert np.array_equal(again.run(field(9, 9)), right)
    assert all(
        hashlib.sha256(f.read_bytes()).hexdigest() in f.name
        for f in exports_of(network("ninasr_b0"))
    )
    assert states(run, "ninasr_b0") == ["unchanged", "unchanged"]


def states(run: Run, name: str) -> list[str]:
    """Return what ``afmsr models verify`` finds: the weights first."""
    status, out, _ = run("verify", name, "--json")
    found = [entry["state"] for entry in json.loads(out)]
    assert (status == 0) == (set(found) == {"unchanged"})
    return found


def test_without_torch_a_changed_export_is_refused(cache: Path) -> None:
    put("ninasr_b0", cache)
    file = exported(network("ninasr_b0")).file
    file.write_bytes(file.read_bytes() + b"!")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from afmsr_core.inference import open_engine\n"
        "from afmsr_core.methods import registry\n"
        "open_engine(registry.get('ninasr_b0'), engine='onnx')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and "MissingExtraError" in done.stderr
    assert "has changed since it was made" in done.stderr


def test_weights_that_are_not_finite_are_not_exported(cache: Path) -> None:
    state = network("ninasr_b0").build().state_dict()
    next(reversed(state.values())).view(-1)[0] = float("nan")
    cache.mkdir()
    torch.save(state, cache / network("ninasr_b0").weights.name)
    with pytest.raises(
        WeightsError, match=r"ninasr_b0_x4\.pt: 1 of the \d+ numbers of \S+ are NaN"
    ):
        open_engine(network("ninasr_b0"), engine="onnx")
    assert exports_of(network("ninasr_b0")) == []


def test_once_exported_torch_is_not_loaded(cache: Path) -> None:
    put("ninasr_b0", cache)
    exported(network("ninasr_b0"))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from afmsr_core.inference import open_engine\n"
        "from afmsr_core.methods import registry\n"
        "engine = open_engine(registry.get('ninasr_b0'), engine='onnx', threads=1)\n"
        "print(engine.run(np.ones((1, 1, 8, 8), np.float32)).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 1, 32, 32)"


def test_what_differs_from_torch_is_not_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put("ninasr_b0", cache)
    monkeypatch.setattr(exporting, "TOLERANCE", 0.0)
    with pytest.raises(AfmsrError, match=r"of the range off torch.*--engine torch"):
        open_engine(network("ninasr_b0"), engine="onnx")
    assert list((cache / "exported").glob("*")) == []
    monkeypatch.setattr(engines, "CHOICES", {"ninasr_b0": "onnx"})
    with caplog.at_level(logging.WARNING):
        engine = open_engine(network("ninasr_b0"), engine="auto", device="cpu")
    assert engine.name.startswith("torch")
    assert "of the range off torch" in caplog.text and "torch is used" in caplog.text


def test_auto_is_what_was_measured(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("ninasr_b0", cache)
    for choice, name in (("onnx", "onnxruntime"), ("torch", "torch")):
        monkeypatch.setattr(engines, "CHOICES", {"ninasr_b0": choice})
        engine = open_engine(network("ninasr_b0"), device="cpu", threads=1)
        assert engine.name.startswith(name)


def test_a_cache_that_cannot_be_written_to_leaves_torch(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put("ninasr_b0", cache)
    (cache / "exported").write_bytes(b"")  # in the way
    monkeypatch.setattr(engines, "CHOICES", {"ninasr_b0": "onnx"})
    assert open_engine(network("ninasr_b0"), device="cpu").name.startswith("torch")
    assert "AFMSR_MODEL_DIR" in caplog.text


# --- other devices ----------------------------------------------------------------------------


def test_devices_are_those_that_onnx_runtime_has() -> None:
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert provider("auto", there) == "cuda"
    assert provider("cuda:1", there) == "cuda:1"
    assert provider("auto", ["DmlExecutionProvider", "CPUExecutionProvider"]) == "directml"
    assert provider("auto", ["CoreMLExecutionProvider", "CPUExecutionProvider"]) == "cpu"
    with pytest.raises(UsageError, match="has cuda, cpu; choose one of them"):
        provider("directml", there)


def test_a_device_without_its_driver_is_not_taken_for_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ONNX Runtime lists what it was built with, and goes on silently without it."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there may be a card")
    real = onnx_engine.session
    monkeypatch.setattr(onnx_engine, "session", lambda model, threads, device: real(model, threads))
    monkeypatch.setattr(onnx_engine, "provider", lambda device, available: "cuda")
    afm = network("afm")
    with pytest.raises(UsageError, match="cannot use it here"):
        OnnxEngine(afm, "cuda")
    assert OnnxEngine(afm, "auto").device == "cpu"
