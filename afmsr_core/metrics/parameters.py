"""Parameter files of trained quality metrics: how they are fetched, where they are.

None ships with afmsr. They are fetched as weights are (:mod:`afmsr_core.methods.download`), or
whoever has one names it, or puts it into the folder of the weights.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from afmsr_core.errors import MissingWeightsError
from afmsr_core.methods import store
from afmsr_core.methods.store import FetchedFile, sha256_of
from afmsr_core.metrics.base import Setting, optional_path
from afmsr_core.metrics.published import MA_URL, NIQE_URL, ZIP

__all__ = ["MA", "NIQE", "ParametersFile", "fetched", "sha256_of"]


@dataclass(frozen=True)
class ParametersFile:
    """The trained parameters of a metric.

    Attributes
    ----------
    metric : str
        As messages call it.
    option : str
        On the command line.
    files : tuple of FetchedFile
        Files that hold them and count in the folder of the weights, the best first; it is the
        one that is fetched.
    """

    metric: str
    option: str
    files: tuple[FetchedFile, ...]

    @property
    def key(self) -> str:
        """As ``afmsr models fetch`` calls them.

        Examples
        --------
        >>> NIQE.key
        'niqe-parameters'
        """
        return self.files[0].key

    @property
    def url(self) -> str:
        """Where they are published."""
        return self.files[0].url

    @property
    def sha256(self) -> frozenset[str]:
        """Hex digests of files that are known to be the published ones."""
        return frozenset(file.sha256 for file in self.files if file.sha256)

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

    def at_hand(self) -> FetchedFile | None:
        """Return the best file in the folder of the weights, None if there is none."""
        return next((file for file in self.files if store.cached(file).is_file()), None)

    def locate(self, given: Path | None = None) -> Path:
        """Return the file: the one that is given, that of the environment, or the fetched one.

        Raises
        ------
        MissingWeightsError
            If there is none; the message says how to get it. A file that is named and missing
            is never replaced by another.
        WeightsError
            If the fetched one is not what it was when it arrived.
        """
        named = os.environ.get(self.variable)
        for origin, path in ((self.option, given), (self.variable, named and Path(named))):
            if path:
                if not path.expanduser().is_file():
                    raise MissingWeightsError(
                        f"{path}: is not a file; give that of {self.metric} with {origin}"
                    )
                return path.expanduser()
        file = self.at_hand()
        if file is None:
            raise MissingWeightsError(
                f"the parameters of {self.metric} are not on this machine: "
                f"`afmsr models fetch {self.key}`, or name the file with {self.option} FILE or "
                f"{self.variable}"
            )
        path = store.cached(file)
        _unchanged(file, path, path.stat().st_mtime_ns)
        return path


@lru_cache(maxsize=16)
def _unchanged(file: FetchedFile, path: Path, changed: int) -> None:
    """Check a file against the hash that it arrived with, once for every state of it.

    One that somebody put there by hand has none; the metric says which file it used.
    """
    if store.recorded_hash(file) is not None:
        store.verify(file)


def _is_mat(path: Path) -> bool:
    """Whether a file begins as MATLAB's of version 5 to 7 do."""
    with path.open("rb") as file:
        return file.read(19) == b"MATLAB 5.0 MAT-file"


def _is_npz(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == ZIP


def _check_niqe(data: bytes, where: str) -> None:
    from afmsr_core.metrics.niqe import parse

    parse(data, where)


def _check_ma(data: bytes, where: str) -> None:
    from afmsr_core.metrics.ma.forest import parse

    parse(data, where)


def _niqe(name: str, url: str, sha256: str, size: int) -> FetchedFile:
    return FetchedFile(
        key="niqe-parameters",
        name=name,
        url=url,
        licence="free for any purpose with the authors' notice (University of Texas at Austin)",
        noun="parameters",
        accepts=_is_npz if name.endswith(".npz") else _is_mat,
        check=_check_niqe,
        sha256=sha256,
        size=size,
    )


_PIRM = (
    NIQE_URL,
    "fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",
    8347,
)
_BASICSR = (
    "https://raw.githubusercontent.com/XPixelGroup/BasicSR/"
    "8d56e3a045f9fb3e1d8872f92ee4a4f07f886b0a/basicsr/metrics/niqe_pris_params.npz",
    "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
    11850,
)

NIQE = ParametersFile(
    metric="NIQE",
    option="--niqe-parameters",
    files=(
        _niqe("niqe_modelparameters.mat", *_PIRM),
        _niqe("modelparameters.mat", *_PIRM),  # the same under its authors' name
        _niqe("niqe_pris_params.npz", *_BASICSR),  # the same numbers
    ),
)

MA = ParametersFile(
    metric="Ma",
    option="--ma-parameters",
    # Its publisher names no hash. What arrives is recorded, and believed only if it reproduces
    # published scores: see afmsr_core.metrics.ma.
    files=(
        FetchedFile(
            key="ma-parameters",
            name="NRQM_model.mat",
            url=MA_URL,
            licence="see its publisher; pyiqa, which reads it, is PolyForm Noncommercial 1.0.0",
            noun="parameters",
            accepts=_is_mat,
            check=_check_ma,
        ),
    ),
)


def fetched() -> tuple[FetchedFile, ...]:
    """Return every parameter file that counts in the folder of the weights."""
    return NIQE.files + MA.files


_SETTINGS = {
    file.option: Setting(
        file.option.lstrip("-").replace("-", "_"),
        None,
        optional_path,
        f"file with the parameters of {file.metric} (.mat); see docs/metrics.md",
    )
    for file in (NIQE, MA)
}
