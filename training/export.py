"""Turn trained weights into what ships: safetensors, and ONNX for running without torch.

The graph is written node by node. It is small, the same bytes for the same weights, of any
input size, and needs no tracing.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from torchsr.models.ninasr import NinaSR

from afmsr_core.methods.afm_network import MID_GREY, N_FEATS, N_RESBLOCKS, SCALE

__all__ = ["export"]

OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12


def export(weights: Path, folder: Path) -> dict[str, str]:
    """Write ``afm.safetensors`` and ``afm.onnx`` into `folder`.

    Parameters
    ----------
    weights : Path
        Trained weights as safetensors.
    folder : Path
        Where the package keeps its data.

    Returns
    -------
    dict of str
        SHA-256 of each file.
    """
    shipped, graph = folder / "afm.safetensors", folder / "afm.onnx"
    if weights.resolve() != shipped.resolve():
        shutil.copyfile(weights, shipped)
    graph.write_bytes(_graph(load_file(shipped)).SerializeToString(deterministic=True))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (shipped, graph)}


class _Writer:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: NDArray) -> str:
        if all(tensor.name != name for tensor in self.constants):
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(f"number_{value!r}", np.array(value, np.float32))

    def conv(self, x: str, layer: str) -> str:
        weight = self._weights[f"{layer}.weight"]
        inputs = [self.constant(f"{layer}.weight", weight)]
        if f"{layer}.bias" in self._weights:
            inputs.append(self.constant(f"{layer}.bias", self._weights[f"{layer}.bias"]))
        side = weight.shape[-1]
        return self.op("Conv", x, *inputs, kernel_shape=[side] * 2, pads=[side // 2] * 4)


def _graph(weights: dict[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the network as ONNX; the same arithmetic as ``AfmNetwork.forward``."""
    w = _Writer(weights)
    blocks = NinaSR.make_body(N_RESBLOCKS, N_FEATS, expansion=2.0)
    features = w.conv(w.op("Sub", "grey", w.number(MID_GREY)), "head")
    x = features
    for i, block in enumerate(blocks):
        inner = w.conv(w.op("Mul", x, w.number(block.in_scale)), f"body.{i}.body.0")
        inner = _attention(w, w.op("Relu", inner), f"body.{i}.body.2.body", block.body[2].body[0])
        inner = w.conv(inner, f"body.{i}.body.3")
        x = w.op("Add", w.op("Mul", inner, w.number(2 * block.out_scale)), x)
    tail = w.conv(w.op("Add", x, features), "tail")
    w.nodes.append(
        helper.make_node("DepthToSpace", [tail], ["residual"], blocksize=SCALE, mode="CRD")
    )
    coarse: list[str | int | None] = ["n", 1, "height", "width"]
    fine: list[str | int | None] = ["n", 1, f"{SCALE}*height", f"{SCALE}*width"]
    graph = helper.make_graph(
        w.nodes,
        "afm",
        [helper.make_tensor_value_info("grey", TensorProto.FLOAT, coarse)],
        [helper.make_tensor_value_info("residual", TensorProto.FLOAT, fine)],
        w.constants,
    )
    model = helper.make_model(
        graph,
        producer_name="afmsr",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _attention(w: _Writer, x: str, layer: str, pool: object) -> str:
    """Weigh the planes of `x` by what they average to nearby."""
    side, stride, pad = (_int(pool, name) for name in ("kernel_size", "stride", "padding"))
    weight = w.op(
        "AveragePool",
        x,
        kernel_shape=[side] * 2,
        strides=[stride] * 2,
        pads=[pad] * 4,
        count_include_pad=0,
    )
    weight = w.conv(w.op("Relu", w.conv(weight, f"{layer}.1")), f"{layer}.3")
    weight = w.op("Sigmoid", weight)
    scales = w.constant("attention.scales", np.array([1, 1, stride, stride], np.float32))
    weight = w.op("Resize", weight, "", scales, mode="nearest", nearest_mode="floor",
                  coordinate_transformation_mode="asymmetric")  # fmt: skip
    weight = w.op(
        "Slice",
        weight,
        w.constant("attention.from", np.array([0, 0], np.int64)),
        w.op("Slice", w.op("Shape", x), *(w.constant(f"shape.{k}", np.array([k])) for k in (2, 4))),
        w.constant("attention.axes", np.array([2, 3], np.int64)),
    )
    return w.op("Mul", weight, x)


def _int(module: object, name: str) -> int:
    value = getattr(module, name)
    return int(value[0] if isinstance(value, tuple) else value)
