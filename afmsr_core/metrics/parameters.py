"""Parameter files of trained quality metrics: where they are on this machine.

None ships with afmsr. Whoever has one names it, or puts it into the folder of the weights
(:func:`afmsr_core.methods.weights.model_dir`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afmsr_core.errors import MissingWeightsError, WeightsError
from afmsr_core.methods.weights import model_dir
from afmsr_core.metrics.base import Setting, optional_path

__all__ = ["MA", "NIQE", "ParametersFile", "read_mat", "sha256_of"]


@dataclass(frozen=True)
class ParametersFile:
    """The trained parameters of a metric.

    Attributes
    ----------
    metric : str
        As messages call it.
    option : str
        On the command line.
    names : tuple of str
        File names that count in the folder of the weights, the best first.
    url : str
        Where it is published.
    sha256 : frozenset of str
        Hex digests of files that are known to be the published one.
    """

    metric: str
    option: str
    names: tuple[str, ...]
    url: str
    sha256: frozenset[str] = frozenset()

    @property
    def variable(self) -> str:
        """Variable of the environment that may name the file.

        Examples
        --------
        >>> NIQE.variable
        'AFMSR_NIQE_PARAMETERS'
        """
        return f"AFMSR_{self.option.lstrip('-').replace('-', '_').upper()}"

    @property
    def setting(self) -> Setting:
        """The setting that names the file."""
        return _SETTINGS[self.option]

    def locate(self, given: Path | None = None) -> Path:
        """Return the file: the one that is given, that of the environment, or the cached one.

        Raises
        ------
        MissingWeightsError
            If there is none; the message says how to get it. A file that is named and missing
            is never replaced by another.
        """
        named = os.environ.get(self.variable)
        for origin, path in ((self.option, given), (self.variable, named and Path(named))):
            if path:
                if not path.expanduser().is_file():
                    raise MissingWeightsError(
                        f"{path}: is not a file; give that of {self.metric} with {origin}"
                    )
                return path.expanduser()
        for name in self.names:
            if (model_dir() / name).is_file():
                return model_dir() / name
        raise MissingWeightsError(
            f"the parameters of {self.metric} are not on this machine: get {self.url} and name "
            f"it with {self.option} FILE or {self.variable}, or put it into {model_dir()}"
        )


NIQE = ParametersFile(
    metric="NIQE",
    option="--niqe-parameters",
    names=("niqe_modelparameters.mat", "modelparameters.mat", "niqe_pris_params.npz"),
    url=(
        "https://raw.githubusercontent.com/roimehrez/PIRM2018/"
        "d585552a22b4eb95ddcb23a6edb74a0a3a5d6fbf/utils/niqe_release/modelparameters.mat"
    ),
    sha256=frozenset(
        {
            "fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",  # .mat
            "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",  # same as npz
        }
    ),
)

MA = ParametersFile(
    metric="Ma",
    option="--ma-parameters",
    names=("NRQM_model.mat",),
    url="https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/NRQM_model.mat",
)

_SETTINGS = {
    file.option: Setting(
        file.option.lstrip("-").replace("-", "_"),
        None,
        optional_path,
        f"file with the parameters of {file.metric} (.mat); see docs/metrics.md",
    )
    for file in (NIQE, MA)
}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check its mode") from error
    return digest.hexdigest()


def read_mat(path: Path, file: ParametersFile) -> dict[str, Any]:
    """Return the variables of a MATLAB file.

    Raises
    ------
    WeightsError
        If it is damaged or something else.
    """
    from scipy.io import loadmat

    try:
        return dict(loadmat(path))
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes raise whatever they hit first
        raise WeightsError(
            f"{path}: cannot be read as a MATLAB file ({error}); get it again from {file.url}"
        ) from error
