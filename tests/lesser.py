"""``python -m tests.lesser``: the numerical tests again, as on a processor that can do less.

The libraries choose their kernels by what the processor can do, and other kernels add in another
order. The settings below make them choose those of a machine without AVX-512, and of one without
AVX where a library has such. ONNX Runtime knows no setting and runs as it is.

Arguments are handed on to pytest: ``python -m tests.lesser -x -k niqe``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SETTINGS = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions; with SSE41 they are nearer to AVX-512's
    "ATEN_CPU_CAPABILITY": "default",  # torch's own loops
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",  # torch's products of matrices
    "OPENBLAS_CORETYPE": "Haswell",  # those of NumPy and SciPy: AVX2
    "NPY_DISABLE_CPU_FEATURES": " ".join(
        np.show_config("dicts")["SIMD Extensions"].get("found", ())
    ),
    "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FMA3,AVX",
    "OPENCV_IPP": "sse42",  # Intel's kernels in OpenCV
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",  # exp, log, sin and pow of the C library
    "OMP_NUM_THREADS": "1",
}

FILES = """
    afm_network alignment_zoom cubic exported first_words folding levelling metrics_grains
    metrics_ma metrics_nm metrics_paper metrics_reference metrics_spectrum metrics_streaks
    metrics_surface niqe
    normalisation plane_fit simulation_alignment simulation_figures simulation_tip
    statistics_agreement statistics_truth statistics_tukey statistics_verdicts survey_agreement
    survey_model tiling torch_engine trust_calibration trust_coarseness
    trust_consistency trust_detail trust_noise trust_resolution truth_of_a_pair upscale_invariants
    upscale_pixels
"""  # that compute with these libraries and take seconds


def main() -> int:
    folder = Path(__file__).parent
    files = [str(folder / f"test_{name}.py") for name in FILES.split()]
    command = [sys.executable, "-m", "pytest", *files, *sys.argv[1:]]
    print(
        *(f"{name}='{value}'" for name, value in SETTINGS.items()), "python -m pytest", flush=True
    )
    return subprocess.run(command, cwd=folder.parent, env=os.environ | SETTINGS).returncode


if __name__ == "__main__":
    sys.exit(main())
