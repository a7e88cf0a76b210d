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

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE
from afmsr_core.methods.afm_network import SIDE, scale_of
from afmsr_core.methods.shipped import SUMS

NAMES = {SQUARE: "afm", LINES_X4: "afm_lines4", LINES_X2: "afm_lines2"}
OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.12


def export(weights: Path, folder: Path) -> dict[str, str]:
    """Write weights as safetensors and as ONNX, and the list of all hashes, into `folder`.

    They are named after their scale: ``afm``, ``afm_lines4``, ``afm_lines2``.

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
    name = NAMES[scale_of(load_file(weights))]
    shipped, graph = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    if weights.resolve() != shipped.resolve():
        shutil.copyfile(weights, shipped)
    graph.write_bytes(_graph(load_file(shipped)).SerializeToString(deterministic=True))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (graph, shipped)}
    sums = folder / SUMS
    listed = sums.read_text("ascii").splitlines() if sums.is_file() else []
    known = dict(line.split()[::-1] for line in listed)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted((known | hashes).items()))
    sums.write_text(lines, encoding="ascii")
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

    def conv(
        self, x: str, layer: str, weight: NDArray, pads: int = SIDE // 2, points: int = 1
    ) -> str:
        inputs = [x, self.constant(f"{layer}.weight", weight)]
        kernel = list(weight.shape[2:])
        strided = {"strides": [1, points]} if points > 1 else {}
        return self.op("Conv", *inputs, kernel_shape=kernel, pads=[pads] * 4, **strided)

    def numbers(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))


def _graph(weights: dict[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the network as ONNX; the same arithmetic as ``AfmNetwork.forward``."""
    w = _Writer()
    scale = scale_of(weights)
    head = weights["head.weight"]
    points, border = scale.rows // scale.columns, head.shape[2] // 2
    beside = head.shape[3] // 2 // points * points
    edges = w.numbers("edges", *[0, 0, border, beside] * 2)
    if points > 1:  # to a whole number of squares
        width = w.op("Gather", w.op("Shape", "grey"), w.numbers("third", 3))
        missing = w.op("Mod", w.op("Neg", width), w.numbers("points", points))
        missing = w.op("Concat", w.numbers("no_others", *[0] * 7), missing, axis=0)
        edges = w.op("Add", edges, missing)
    head = head - head.mean(axis=(2, 3), keepdims=True)  # AfmNetwork.head_filters
    features = w.conv(w.op("Pad", "grey", edges, mode="edge"), "head", head, 0, points)
    x = features
    for i in range(sum(name.endswith("first.weight") for name in weights)):
        first, second = f"body.{i}.first", f"body.{i}.second"
        inner = w.op("Relu", w.conv(x, first, weights[f"{first}.weight"]))
        x = w.op("Add", x, w.conv(inner, second, weights[f"{second}.weight"]))
    tail = w.conv(w.op("Add", x, features), "tail", weights["tail.weight"])
    fine = w.op("DepthToSpace", tail, blocksize=scale.rows, mode="CRD")
    if points > 1:
        width = w.op("Mul", width, w.numbers("columns", scale.columns))
        fine = w.op("Slice", fine, w.numbers("first", 0), width, w.numbers("along", 3))
    w.nodes[-1].output[0] = "residual"
    w.nodes[-1].ClearField("name")
    coarse: list[str | int | None] = ["n", 1, "height", "width"]
    sizes: list[str | int | None] = ["n", 1, f"{scale.rows}*height", f"{scale.columns}*width"]
    graph = helper.make_graph(
        w.nodes,
        "afm",
        [helper.make_tensor_value_info("grey", TensorProto.FLOAT, coarse)],
        [helper.make_tensor_value_info("residual", TensorProto.FLOAT, sizes)],
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
