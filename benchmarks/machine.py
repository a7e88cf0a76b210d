"""What a measurement was made on and with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    *("afmsr", "numpy", "onnxruntime", "opencv-python", "torch", "torchvision", "torchsr", "onnx"),
    *("scipy", "gwyfile", "distributed", "pyiqa", "matplotlib"),
)


def processor() -> str:
    """Return the processor's name."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(line for line in file if "model name" in line).partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def described() -> dict[str, object]:
    """Return the machine: processor, how many may be used, memory, system."""
    found: dict[str, object] = {
        "processor": processor(),
        "processors": processors(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory GB"] = round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1
        )
    return found


def versions() -> dict[str, str]:
    """Return the versions of what takes part, and the hash of the default network."""
    from afmsr_core import data

    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if program := shutil.which("gwyddion"):
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        found["gwyddion"] = told.stdout.partition(" ")[2].partition(" ")[0]
    model = Path(data.__file__).parent / "afm.onnx"
    found["afm.onnx, SHA-256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    return found
