"""What a pass costs by the shape of the network: blocks, features, filters, with random weights.

The first row is what the others are compared with, at the same operations the time tells how
well a processor likes the shape. What a network of a shape learns is another matter:
docs/developers/network.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import clock
from benchmarks.markdown import table

SCALE = 4
EXPAND = 64  # features between two 1x1 filters


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=5)
    parser.add_argument("--side", type=int, default=128, help="of the field (%(default)s)")


def run(args: argparse.Namespace) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    grey = np.random.default_rng(0).random((1, 1, args.side, args.side), np.float32)
    graphs = {name: _graph(*shape) for name, shape in SHAPES.items()}
    calls = {}
    for name, graph in graphs.items():
        session = onnxruntime.InferenceSession(
            graph.bytes, options, providers=["CPUExecutionProvider"]
        )
        calls[name] = lambda s=session: s.run(None, {"grey": grey})  # type: ignore[misc]
    times = clock.turns(calls, args.runs, args.clock)
    first = next(iter(SHAPES))
    rows = []
    for name, graph in graphs.items():
        operations = graph.operations / graphs[first].operations
        ratio = times[name].low / times[first].low
        rows.append([name, f"{operations:.2f}", f"{ratio:.2f}", f"{ratio / operations:.2f}"])
    print(table(["shape", "operations", "time", "time for an operation"], rows))
    print(
        f"{args.side} x {args.side}, {args.threads} thread(s), fastest of {args.runs} runs in turn"
    )


class _Graph:
    """A network as ONNX, as it is written down; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.operations = 0.0  # multiplications for a pixel of the field
        self.cells = 1.0  # of the grid for a pixel of the field
        self.bytes = b""
        self._rng = np.random.default_rng(0)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self, x: str, inner: int, outer: int, side: tuple[int, int] = (3, 3), *,
        group: int = 1, stride: int = 1, edged: bool = False,
    ) -> str:  # fmt: skip
        size = (outer, inner // group, *side)
        spread = np.sqrt(1 / np.prod(size[1:]))
        weights = self._rng.normal(0, spread, size).astype(np.float32)
        self.cells /= stride**2
        self.operations += weights.size * self.cells
        pads = [0] * 4 if edged else [side[0] // 2, side[1] // 2] * 2
        return self.op(
            "Conv", x, self.constant(weights), kernel_shape=side, pads=pads,
            strides=[stride] * 2, group=group,
        )  # fmt: skip


Block = Callable[[_Graph, str, int], str]


def _plain(w: _Graph, x: str, features: int) -> str:
    inner = w.op("Relu", w.conv(x, features, features))
    return w.op("Add", x, w.conv(inner, features, features))


def _depthwise(side: int) -> Block:
    def block(w: _Graph, x: str, features: int) -> str:
        inner = w.conv(x, features, features, (side, side), group=features)
        inner = w.op("Relu", w.conv(inner, features, EXPAND, (1, 1)))
        return w.op("Add", x, w.conv(inner, EXPAND, features, (1, 1)))

    return block


def _grouped(w: _Graph, x: str, features: int) -> str:
    inner = w.op("Relu", w.conv(x, features, features, group=2))
    return w.op("Add", x, w.conv(inner, features, features, (1, 1)))


def _separable(w: _Graph, x: str, features: int) -> str:
    inner = w.op("Relu", w.conv(x, features, features, (3, 1)))
    return w.op("Add", x, w.conv(inner, features, features, (1, 3)))


def _attention(w: _Graph, x: str, features: int) -> str:
    """Return x through a block of SPAN: Wan et al., CVPRW 2024, arXiv 2311.12770."""
    y = x
    for last in (False, False, True):
        y = w.conv(y, features, features)
        y = y if last else w.op("Mul", y, w.op("Sigmoid", y))
    half = w.constant(np.array(0.5, np.float32))
    return w.op("Mul", w.op("Add", x, y), w.op("Sub", w.op("Sigmoid", y), half))


# Name: block, how many, features, side of the first filters, pixels of the field for one of the
# grid along each axis.
SHAPES: dict[str, tuple[Block, int, int, int, int]] = {
    "14 blocks of 32 features": (_plain, 14, 32, 3, 1),
    "6 blocks of 32, first filters 5x5 (`afm`)": (_plain, 6, 32, 5, 1),
    "7 blocks of 32": (_plain, 7, 32, 3, 1),
    "8 blocks of 32": (_plain, 8, 32, 3, 1),
    "7 of 32, first filters 7x7": (_plain, 7, 32, 7, 1),
    "3 blocks of 48": (_plain, 3, 48, 3, 1),
    "7 blocks of 64 on half the grid": (_plain, 7, 64, 4, 2),
    "12 blocks of 24": (_plain, 12, 24, 3, 1),
    "14 blocks of 16": (_plain, 14, 16, 3, 1),
    "14 x (depthwise 7x7, 1x1 to 64 and back)": (_depthwise(7), 14, 32, 3, 1),
    "14 x (depthwise 3x3, 1x1 to 64 and back)": (_depthwise(3), 14, 32, 3, 1),
    "14 x (3x3 in two groups, 1x1)": (_grouped, 14, 32, 3, 1),
    "14 x (3x1, 1x3)": (_separable, 14, 32, 3, 1),
    "5 blocks with attention without parameters (SPAN)": (_attention, 5, 32, 3, 1),
}


def _graph(block: Block, number: int, features: int, head: int, down: int) -> _Graph:
    from onnx import TensorProto, helper

    w = _Graph()
    border = (head - down) // 2
    edges = w.constant(np.array([0, 0, border, border] * 2, np.int64))
    edged = w.op("Pad", "grey", edges, mode="edge")
    first = w.conv(edged, 1, features, (head, head), stride=down, edged=True)
    x = first
    for _ in range(number):
        x = block(w, x, features)
    planes = w.conv(w.op("Add", x, first), features, (SCALE * down) ** 2)
    w.op("DepthToSpace", planes, blocksize=SCALE * down, mode="CRD")
    w.nodes[-1].output[0] = "residual"
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            w.nodes,
            "shape",
            [value("grey", TensorProto.FLOAT, ["n", 1, "height", "width"])],
            [value("residual", TensorProto.FLOAT, ["n", 1, "rows", "columns"])],
            w.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    w.bytes = model.SerializeToString()
    return w
