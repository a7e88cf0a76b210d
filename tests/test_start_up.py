"""Commands start fast: nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from afmsr_core.data import example_pair
from afmsr_core.starting import BLAS_WAIT, BLAS_WAIT_VARIABLE

HEAVY = {
    *("numpy", "torch", "torchsr", "torchvision", "onnxruntime", "cv2", "scipy", "skimage"),
    *("matplotlib", "pooch", "requests", "gwyfile", "gsffile", "SurfaceTopography", "safetensors"),
    "pyiqa",
}
# Small ones, but one scan needs none of them, and each takes others along.
SMALL = {"concurrent", "logging", "multiprocessing", "secrets", "difflib"}
NOT_IN_UPSCALE = (HEAVY | SMALL) - {"numpy", "onnxruntime"}
LIMIT_SECONDS = 0.8  # of processor time, which neighbours on the machine change little
LIMIT_MB = 150


def modules_after(code: str, *arguments: str, cwd: Path | None = None) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after running `code`."""
    tail = """
import json, sys
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code + tail, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


COMMAND = """
import sys
from afmsr_cli.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as ended:
    status = ended.code
assert status in (0, None), status
"""


def test_the_library_itself_is_light() -> None:
    assert modules_after("import afmsr_core, afmsr_core.errors") & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("upscale", "--help"), ("convert", "--help"), ("demo", "--help"),
     ("doctor", "--help")],
    ids=" ".join,
)  # fmt: skip
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert modules_after(COMMAND, *arguments) & HEAVY == set()


def test_upscaling_loads_only_what_it_uses(tmp_path: Path) -> None:
    arguments = ("upscale", str(example_pair()[0]), "-o", str(tmp_path / "x4.gwy"), "--quiet")
    loaded = modules_after(COMMAND, *arguments)
    assert loaded & NOT_IN_UPSCALE == set()
    assert "onnxruntime" in loaded


@pytest.mark.parametrize(("method", "used"), [("bicubic", set()), ("lanczos4", {"cv2"})])
def test_interpolations_load_no_engine(method: str, used: set[str], tmp_path: Path) -> None:
    arguments = ("upscale", str(example_pair()[0]), "-o", str(tmp_path / "x4.gwy"))
    loaded = modules_after(COMMAND, *arguments, "--method", method, "--quiet")
    assert loaded & (HEAVY - {"numpy"}) == used


@pytest.mark.parametrize(("wanted", "expected"), [(None, str(BLAS_WAIT)), ("20", "20")])
def test_threads_of_blas_are_told_not_to_wait_before_they_start(
    wanted: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenBLAS reads the variable when numpy loads it; what the user has set stays."""
    monkeypatch.delenv(BLAS_WAIT_VARIABLE, raising=False)
    if wanted is not None:
        monkeypatch.setenv(BLAS_WAIT_VARIABLE, wanted)
    watch = f"""
import os, sys
class Watch:
    def find_spec(self, name, *others):
        if name == "numpy":
            print("numpy is loaded with", os.environ.get({BLAS_WAIT_VARIABLE!r}))
sys.meta_path.insert(0, Watch())
"""
    arguments = ("upscale", str(example_pair()[0]), "-o", str(tmp_path / "x4.gwy"))
    for code, given in (
        (COMMAND, (*arguments, "--method", "bicubic", "--quiet")),
        ("from gwyddion_plugin.worker.__main__ import main; main(); import numpy", ("--cold",)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", watch + code, *given],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        assert f"numpy is loaded with {expected}" in done.stdout + done.stderr


def test_trust_is_loaded_for_those_who_ask(tmp_path: Path) -> None:
    code = f"{COMMAND}\nprint('afmsr_core.trust.assessment' in sys.modules)"
    command = [sys.executable, "-c", code, "upscale", str(example_pair()[0]), "--quiet", "--force"]
    command += ["-o", str(tmp_path / "x4.gwy")]
    for options, expected in (([], "False"), (["--residual"], "True")):
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=100)
        assert (done.stdout.strip(), done.stderr) == (expected, "")


# Runs a command as the child of a small process: Linux counts the memory of a large parent, which
# a test run is, as the child's own peak.
METER = """
import json, resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss * (1024 if sys.platform == "linux" else 1)
print(json.dumps([status, time.monotonic() - began, used.ru_utime + used.ru_stime, peak]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measured with getrusage")
def test_upscaling_128_pixels_takes_little_time_and_memory(tmp_path: Path) -> None:
    """The whole process with the default network, and without torch within its reach."""
    code = "import sys; sys.modules['torch'] = None\n" + COMMAND
    arguments = ["upscale", str(example_pair()[0]), "-o", str(tmp_path / "x4.gwy"), "--quiet"]
    command = [sys.executable, "-c", METER, sys.executable, "-c", code, *arguments, "--force"]
    seconds, megabytes = [], []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        status, wall, processor, peak = json.loads(done.stdout)
        assert (status, done.stderr) == (0, "")
        seconds.append(min(wall, processor))
        megabytes.append(peak / 1e6)
    assert min(seconds) <= LIMIT_SECONDS
    assert max(megabytes) <= LIMIT_MB
