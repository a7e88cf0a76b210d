"""Parameter files as their authors publish them: where, and in which format."""

from __future__ import annotations

import io
from typing import Any

from afmsr_core.errors import WeightsError

__all__ = ["MA_URL", "NIQE_URL", "ZIP", "read_mat"]

NIQE_URL = (
    "https://raw.githubusercontent.com/roimehrez/PIRM2018/"
    "d585552a22b4eb95ddcb23a6edb74a0a3a5d6fbf/utils/niqe_release/modelparameters.mat"
)
MA_URL = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/NRQM_model.mat"

ZIP = b"PK\x03\x04"
"""How a zip archive begins, which a ``.npz`` is."""


def read_mat(data: bytes, where: str, url: str) -> dict[str, Any]:
    """Return the variables of a MATLAB file, of which messages speak as `where`.

    Raises
    ------
    WeightsError
        If it is damaged or something else.
    """
    from scipy.io import loadmat

    try:
        return dict(loadmat(io.BytesIO(data)))
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes raise whatever they hit first
        raise WeightsError(
            f"{where}: cannot be read as a MATLAB file ({error}); get it again from {url}"
        ) from error
