"""Which engine is the fastest for a network on a processor: measured, not guessed.

Written by ``python -m benchmarks forward --choose``, a part of ``make bench``.
"""

__all__ = ["CHOICES"]

CHOICES: dict[str, str] = {
    "ninasr_b0": "onnx",
    "ninasr_b1": "onnx",
    "ninasr_b2": "onnx",
    "carn": "onnx",
    "rcan": "onnx",
    "rdn": "onnx",
    "edsr": "onnx",
    "carn_m": "onnx",
    "edsr_baseline": "onnx",
}
