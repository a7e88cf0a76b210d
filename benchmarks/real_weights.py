"""Weights for the networks: real ones where they are at hand, else generated ones.

The time of a network does not depend on its weights; what its engines agree on does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from afmsr_core.errors import MissingWeightsError
from afmsr_core.methods import Network
from afmsr_core.methods.weights import locate

SEED = 0
SHARED = {"carn_m": "carn_m.pth"}
CONVERTED = {"edsr": ("convert_edsr.py", "EDSR_x4.pb")}


def shared_weights() -> Path:
    """Return the folder of real weights beside the checkout, or where AFMSR_SHARED says it is."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("AFMSR_SHARED", beside)) / "data" / "weights"


def weights_of(network: Network, folder: Path) -> tuple[Path | None, str]:
    """Return a file with weights and what they are; no file where the package or cache has them.

    What must be converted or generated is written into `folder`.
    """
    if network.weights.packaged:
        return None, "shipped"
    try:
        return locate(network), "torchSR's"
    except MissingWeightsError:
        pass
    source = shared_weights()
    if network.name in SHARED and (file := source / SHARED[network.name]).is_file():
        return file, f"real ({file.name})"
    converter, original = (source / name for name in CONVERTED.get(network.name, ("", "")))
    target = folder / f"{network.name}.safetensors"
    if network.name in CONVERTED and converter.is_file() and original.is_file():
        command = [sys.executable, str(converter), str(original), str(target)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return target, f"real ({original.name})"
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    save_file(network.build().state_dict(), target)
    return target, "generated"
