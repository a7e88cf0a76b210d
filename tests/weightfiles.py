"""Files with weights that load into their networks: random numbers, as torchSR lays them out."""

from __future__ import annotations

import io
from functools import lru_cache

from afmsr_core.methods import registry


@lru_cache(maxsize=8)
def weights_of(name: str, seed: int = 1) -> bytes:
    """Return a file in torch's format, as its publisher would have it."""
    import torch

    network = registry.get(name)
    assert isinstance(network, registry.Network)
    torch.manual_seed(seed)
    file = io.BytesIO()
    torch.save(network.build().state_dict(), file)
    return file.getvalue()
