"""Calibration: whether a file holds Ma's own parameters.

Any file of the right structure gives numbers that look like scores, and its publisher names no
hash. So a file counts as Ma's only if it reproduces the scores that pyiqa publishes for two of its
own calibration images: one of the worst quality and one of the best. That takes a few seconds,
once for a file: its SHA-256 is then noted in the folder of the weights. A file that fails gives
no value at all.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import MissingWeightsError, OutputError, WeightsError, pip_install
from afmsr_core.io.atomic import writing
from afmsr_core.methods.weights import model_dir
from afmsr_core.metrics import parameters
from afmsr_core.metrics.ma.forest import Model, read_model
from afmsr_core.metrics.ma.score import raw_score

__all__ = ["IMAGES", "RECORD", "TOLERANCE", "Image", "believed", "grey_of"]


@dataclass(frozen=True)
class Image:
    """A picture whose Ma is known.

    Attributes
    ----------
    name : str
        Of the file.
    sha256 : str
        Of the file.
    published : float
        Its Ma, by pyiqa's ResultsCalibra/calibration_summary.csv.
    """

    name: str
    sha256: str
    published: float


IMAGES = (
    Image("I03.bmp", "bb817e7fef614dcc12b3a99af33ce3d201bc4d56c4827254c0bcc4fa6ea11151", 1.3932),
    Image("I04.bmp", "f3d685983aacd76b2c131579ea60cee345205a1169a4bd2ff5f3039ecf81729e", 8.9419),
)

TOLERANCE = 0.01
"""Largest difference from what is published. Another file that scores somewhere between 1 and 10
hits one within it once in 450 times, both once in 200,000."""

RECORD = "NRQM_model.mat.verified"
"""Hashes of files that passed, one a line, in the folder of the weights."""

PUBLISHED_AT = "https://github.com/chaofengc/IQA-PyTorch/tree/main/ResultsCalibra/dist_dir"


def believed(path: Path) -> Model:
    """Return the model in a file that is Ma's beyond doubt.

    Raises
    ------
    MissingWeightsError
        If a calibration image is missing.
    WeightsError
        If the file does not give the published scores.
    """
    model = read_model(path)
    if model.sha256 not in parameters.MA.sha256 and model.sha256 not in _noted():
        refusal = _refusal(path, model.sha256)
        if refusal:
            raise WeightsError(refusal)
        _note(path, model.sha256)
    return model


def grey_of(image: Image) -> NDArray[np.uint8]:
    """Return the luma of a calibration image: Y of YIQ, rounded, halves to even.

    pyiqa's is computed in 32 bits, where the processor decides which way a half goes. This one is
    exact: only the division leaves the integers.

    Raises
    ------
    MissingWeightsError
        If it is neither in the folder of the weights nor installed with pyiqa.
    """
    import cv2

    for path in _places(image.name):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == image.sha256:
                bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
                thousandths = np.asarray(bgr, dtype=np.int64) @ (114, 587, 299)
                return np.rint(thousandths / 1000).astype(np.uint8)
    raise MissingWeightsError(
        f"the parameters of Ma cannot be checked: the calibration image {image.name} is missing; "
        f"put it from {PUBLISHED_AT} into {model_dir()}, or {pip_install('iqa')}, whose "
        f"pyiqa brings it (PolyForm Noncommercial 1.0.0: not for commercial use)"
    )


def _places(name: str) -> Iterator[Path]:
    """Yield where a calibration image may be; pyiqa's files are found without importing it."""
    from importlib.metadata import PackageNotFoundError, files

    yield model_dir() / name
    with contextlib.suppress(PackageNotFoundError):
        for entry in files("pyiqa") or ():
            if entry.match(f"ResultsCalibra/dist_dir/{name}"):
                yield Path(str(entry.locate()))


@lru_cache(maxsize=16)
def _refusal(path: Path, sha256: str) -> str:
    """Return why a file is not believed; empty if it is. A refusal is remembered too."""
    for image in IMAGES:
        found = raw_score(grey_of(image), read_model(path))
        if not abs(found - image.published) <= TOLERANCE:
            return (
                f"{path}: is not the parameter file of Ma: the calibration image {image.name} "
                f"gets {found:.4f}, and {image.published:.4f} is published; "
                f"get {parameters.MA.url}"
            )
    return ""


def _note(path: Path, sha256: str) -> None:
    """Write down that a file is believed; a cache that cannot be written to stays as it is."""
    known = {**_noted(), sha256: path.name}
    with contextlib.suppress(OutputError, OSError):
        model_dir().mkdir(parents=True, exist_ok=True)
        with writing(model_dir() / RECORD, force=True) as file:
            file.write("".join(f"{one}  {name}\n" for one, name in known.items()).encode())


def _noted() -> dict[str, str]:
    try:
        lines = (model_dir() / RECORD).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {digest: name for digest, _, name in (line.partition("  ") for line in lines)}
