"""``afmsr doctor``: what is here, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from afmsr_core import __version__

__all__ = ["add_parser", "run"]

# Packages that each part of afmsr needs; "" is the base install.
PARTS: dict[str, tuple[str, ...]] = {
    "": (
        "numpy",
        "scipy",
        "opencv-python",
        "onnxruntime",
        "gsffile",
        "platformdirs",
        "pooch",
        "matplotlib",
        "argcomplete",
    ),
    "torch": ("torch", "torchvision", "torchsr", "safetensors"),
    "eval": ("statsmodels",),
    "raw": ("SurfaceTopography", "gwyddionpy-converter"),
    "dask": ("distributed",),
    "survey": ("flask", "waitress"),
}

_EPILOG = """\
examples:
  afmsr doctor           a page to read, or to paste into a bug report
  afmsr doctor --json
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        description="Say what is installed, what is missing and how to get it.",
        epilog=_EPILOG,
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; exit status 1 if the base install is broken."""
    found = _examine()
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        _show(found)
    return 0 if found["default_method"] == "works" else 1


def _examine() -> dict[str, Any]:
    from afmsr_core.methods import weights

    return {
        "afmsr": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processors": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "packages": {part or "base": _versions(packages) for part, packages in PARTS.items()},
        "devices": _devices(),
        "weights_folder": str(weights.model_dir()),
        "gwyddion": _gwyddion(),
        "plugin": _plugin(),
        "completion": _completion(),
        "readers": _readers(),
        "default_method": _try_default(),
    }


def _versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _devices() -> list[str]:
    devices = ["cpu"]
    if importlib.util.find_spec("torch"):
        try:
            import torch

            devices += [f"cuda:{n}" for n in range(torch.cuda.device_count())]
            if torch.backends.mps.is_available():
                devices.append("mps")
        except Exception as error:  # a driver or library that does not fit
            devices.append(f"torch is broken: {error!r}")
    return devices


def _gwyddion() -> dict[str, str]:
    found = {}
    for program in ("gwyddion", "gwyddion3"):
        if path := shutil.which(program):
            try:
                answer = subprocess.run(
                    [path, "--version"], capture_output=True, text=True, timeout=20, check=False
                )
                found[path] = answer.stdout.strip().splitlines()[0] if answer.stdout else "?"
            except (OSError, subprocess.TimeoutExpired) as error:
                found[path] = f"does not answer: {error}"
    return found


def _plugin() -> dict[str, str]:
    """Return of each user folder of Gwyddion what is installed there."""
    from gwyddion_plugin.installing.state import state

    return state()


def _completion() -> str | None:
    """Return the shell whose Tab key completes our commands, as far as its own place tells."""
    from .completion import PLACES

    shell = Path(os.environ.get("SHELL", "")).name
    place = PLACES.get(shell)
    return shell if place and Path(place).expanduser().is_file() else None


def _readers() -> dict[str, str | None]:
    """Return who reads files of instruments, in the order of asking, and in which version."""
    from afmsr_core.io.raw import READERS

    return {reader.name: reader.installed for reader in READERS}


def _try_default() -> str:
    """Upscale a few pixels and a few lines with the default method: the check that counts."""
    import numpy as np

    from afmsr_core.channel import Channel
    from afmsr_core.errors import AfmsrError
    from afmsr_core.upscale import upscale

    try:
        for height in (160.0, 320.0, 640.0):  # square pixels, lines x2, lines x4
            upscale(Channel(np.eye(16), 160.0, height))
    except Exception as error:  # whatever it is, this is the page that must tell it
        return f"broken: {error}" if isinstance(error, AfmsrError) else f"broken: {error!r}"
    return "works"


def _show(found: dict[str, Any]) -> None:
    from afmsr_core.errors import pip_install

    print(f"afmsr {found['afmsr']} on Python {found['python']}")
    print(f"{found['system']}, {found['processors']} processors, {', '.join(found['devices'])}")
    print(f"default method: {found['default_method']}")
    for part, versions in found["packages"].items():
        missing = [package for package, version in versions.items() if version is None]
        listed = ", ".join(
            f"{package} {version}" for package, version in versions.items() if version
        )
        print(f"{part}: {listed or 'not installed'}")
        if missing:
            command = pip_install("" if part == "base" else part)
            print(f"  missing {', '.join(missing)}: {command}")
    print(f"weights folder: {found['weights_folder']}")
    here = [f"{name} ({version})" for name, version in found["readers"].items() if version]
    print(f"readers of instrument files, in this order: {', '.join(['afmsr', *here])}")
    if not here:
        print(f"  missing SurfaceTopography or any Gwyddion: {pip_install('raw')}")
    for path, version in found["gwyddion"].items():
        print(f"Gwyddion: {version} ({path})")
    if not found["gwyddion"]:
        print("Gwyddion: not found; afmsr works without, results open in it elsewhere")
    for folder, state in found["plugin"].items():
        print(f"plug-in in {folder}: {state}")
    shell = found["completion"]
    print(f"Tab key: {f'completes in {shell}' if shell else 'see afmsr completion --help'}")
