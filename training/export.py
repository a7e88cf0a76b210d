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

from afmsr_core.methods.afm_network import SCALE, SIDE
from afmsr_core.methods.shipped import SUMS

OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12


def export(weights: Path, folder: Path) -> dict[str, str]:
    """Write ``afm.safetensors``, ``afm.onnx`` and the list of their hashes into `folder`.

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
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (graph, shipped)}
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    (folder / SUMS).write_text(lines, encoding="ascii")
    return hashes


class _Writer:
    """Collects nodes and constants; every method returns the name of its result."""

    def __init__(self) -> None:
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

    def conv(self, x: str, layer: str, weight: NDArray, pads: int = SIDE // 2) -> str:
        inputs = [x, self.constant(f"{layer}.weight", weight)]
        return self.op("Conv", *inputs, kernel_shape=[SIDE] * 2, pads=[pads] * 4)


def _graph(weights: dict[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the network as ONNX; the same arithmetic as ``AfmNetwork.forward``."""
    w = _Writer()
    border = SIDE // 2
    edges = w.constant("edges", np.array([0, 0, border, border] * 2, np.int64))
    head = weights["head.weight"]
    head = head - head.mean(axis=(2, 3), keepdims=True)  # AfmNetwork.head_filters
    features = w.conv(w.op("Pad", "grey", edges, mode="edge"), "head", head, pads=0)
    x = features
    for i in range(sum(name.endswith("first.weight") for name in weights)):
        first, second = f"body.{i}.first", f"body.{i}.second"
        inner = w.op("Relu", w.conv(x, first, weights[f"{first}.weight"]))
        x = w.op("Add", x, w.conv(inner, second, weights[f"{second}.weight"]))
    tail = w.conv(w.op("Add", x, features), "tail", weights["tail.weight"])
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
