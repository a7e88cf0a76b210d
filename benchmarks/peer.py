"""A rival engine in an interpreter of its own: ``python peer.py KIND FILE SIDE THREADS``.

It says what it is, or why it refuses, as a line of JSON; then every line that it gets is one run,
answered with its seconds. With two more words, RESULT (``-`` for none) and SCANS, it runs so often,
saves the last result as ``.npy`` and ends. It needs numpy and the rival, nothing of this project:
OpenCV's contrib build cannot be installed beside the one that afmsr uses.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SEED = 0
Run = Callable[[], object]


def opencv(file: str, side: int, threads: int) -> tuple[Run, str]:
    """OpenCV's own class, which takes and gives 8 bits in three colours."""
    import cv2

    if not hasattr(cv2, "dnn_superres"):
        raise RuntimeError("has no dnn_superres, which is in opencv-contrib-python")
    cv2.setNumThreads(threads)
    network = cv2.dnn_superres.DnnSuperResImpl_create()
    network.readModel(file)
    network.setModel(Path(file).name.partition("_")[0].lower(), 4)
    picture = np.random.default_rng(SEED).integers(0, 256, (side, side, 3), np.uint8)
    return lambda: network.upsample(picture), f"OpenCV {cv2.__version__}"


def openvino(file: str, side: int, threads: int) -> tuple[Run, str]:
    import openvino

    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})
    model = core.compile_model(file, "CPU")
    grey = _grey(side)
    return lambda: model(grey)[0], f"OpenVINO {openvino.__version__.partition('-')[0]}"


def onnxruntime(file: str, side: int, threads: int) -> tuple[Run, str]:
    """With the settings of afmsr_core.inference.onnx_engine."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.enable_mem_pattern = False
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name, grey = session.get_inputs()[0].name, _grey(side)
    return lambda: session.run(None, {name: grey})[0], f"ONNX Runtime {onnxruntime.__version__}"


def ncnn(file: str, side: int, threads: int) -> tuple[Run, str]:
    """A ``.ncnn.param`` of pnnx, in full precision; where Winograd's method is used, it chooses."""
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = False
    network.opt.use_fp16_arithmetic = network.opt.use_bf16_storage = False
    network.load_param(file)
    network.load_model(file.removesuffix(".param") + ".bin")
    grey = _grey(side)

    def run() -> np.ndarray:
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(grey[0]))
        _, result = extractor.extract("out0")
        return np.array(result)[None]

    return run, f"ncnn {ncnn.__version__}"


def mnn(file: str, side: int, threads: int) -> tuple[Run, str]:
    """A file of ``mnnconvert``, at the highest of its precisions."""
    import MNN

    config = {"backend": "CPU", "precision": "high", "numThread": threads}
    manager = MNN.nn.create_runtime_manager((config,))
    module = MNN.nn.load_module_from_file(file, ["grey"], ["residual"], runtime_manager=manager)
    grey = _grey(side)

    def run() -> np.ndarray:
        given = MNN.expr.placeholder(list(grey.shape), MNN.expr.NCHW)
        given.write(grey)
        return np.array(MNN.expr.convert(module.forward([given])[0], MNN.expr.NCHW).read())

    return run, f"MNN {MNN.version()}"


def _grey(side: int) -> np.ndarray:
    return np.random.default_rng(SEED).random((1, 1, side, side), dtype=np.float32)


KINDS = {
    "opencv": opencv,
    "openvino": openvino,
    "onnxruntime": onnxruntime,
    "ncnn": ncnn,
    "mnn": mnn,
}


def main(kind: str, file: str, side: str, threads: str, saved: str = "", scans: str = "1") -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # MNN's library greets on standard output
    try:
        run, name = KINDS[kind](file, int(side), int(threads))
        result = run()
    except Exception as error:  # whatever a rival raises is its reason
        print(json.dumps({"refused": str(error).strip().partition("\n")[0][:120]}), file=answers)
        return
    if saved:
        for _ in range(int(scans) - 1):
            result = run()
        np.save(saved, result) if saved != "-" else None
        return
    print(json.dumps({"name": name}), file=answers)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(taken), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
