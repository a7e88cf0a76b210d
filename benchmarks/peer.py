"""A rival engine in an interpreter of its own: ``python peer.py KIND FILE SIDE THREADS``.

It says what it is, or why it refuses, as a line of JSON; then every line that it gets is one run,
answered with its seconds. It needs numpy and the rival, nothing of this project: OpenCV's contrib
build cannot be installed beside the one that afmsr uses.
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
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name, grey = session.get_inputs()[0].name, _grey(side)
    return lambda: session.run(None, {name: grey})[0], f"ONNX Runtime {onnxruntime.__version__}"


def _grey(side: int) -> np.ndarray:
    return np.random.default_rng(SEED).random((1, 1, side, side), dtype=np.float32)


KINDS = {"opencv": opencv, "openvino": openvino, "onnxruntime": onnxruntime}


def main(kind: str, file: str, side: str, threads: str, once: str = "") -> None:
    try:
        run, name = KINDS[kind](file, int(side), int(threads))
        result = run()
    except Exception as error:  # whatever a rival raises is its reason
        print(json.dumps({"refused": str(error).strip().partition("\n")[0][:120]}), flush=True)
        return
    if once:
        np.save(once, result) if once != "-" else None
        return
    print(json.dumps({"name": name}), flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
