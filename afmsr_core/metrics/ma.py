"""Ma: a score of super-resolution, learned from what people said of photographs (NRQM).

Ma, Yang, Yang, Yang, Comput. Vis. Image Underst. 2017, 158, 1, doi 10.1016/j.cviu.2016.12.009.
Computed by pyiqa 0.1.16, which is under the PolyForm Noncommercial licence 1.0.0, and thus an
extra; nothing in the corridor of `upscale` imports it.

**Which parameters are believed.** Any file of the right structure gives numbers that look like
scores, and its publisher names no hash. So a file counts as Ma's only if it reproduces the
scores that pyiqa publishes for two of its own calibration images, which pip installs with it:
one of the worst quality and one of the best. That takes about a minute, once for a file: its
SHA-256 is then noted in the folder of the weights. A file that fails gives no value at all.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, MissingExtraError, OutputError, WeightsError
from afmsr_core.io.atomic import writing
from afmsr_core.methods.weights import model_dir
from afmsr_core.metrics import parameters
from afmsr_core.metrics.base import Context, Field, Metric, Value

__all__ = ["CALIBRATION", "MA", "METRICS", "check_parameters", "raw_score"]

CALIBRATION = (("I03", 1.3932), ("I04", 8.9419))
"""Images and their Ma, as pyiqa publishes it in ResultsCalibra/calibration_summary.csv."""

TOLERANCE = 0.01
"""Largest difference from them. Another file that scores somewhere between 1 and 10 hits one
within it once in 450 times, both once in 200,000."""

LEAST = 96
"""Shortest side in pixels: its coarsest features, at a quarter of the size, need 25 patches."""

RECORD = "NRQM_model.mat.verified"
"""Hashes of files that passed, one a line, in the folder of the weights."""

CURE = (
    "pip install 'afmsr[iqa]' (it brings pyiqa, which is under PolyForm Noncommercial 1.0.0: "
    "not for commercial use)"
)


def raw_score(rgb: NDArray[np.uint8], path: Path) -> float:
    """Return what pyiqa computes with a parameter file, whatever file that is.

    Nothing of this may reach a table: see :func:`check_parameters`.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (yres, xres, 3)
        Three channels, equal for a grey field: pyiqa scores a single one differently.
    path : Path
        In the structure of ``NRQM_model.mat``.

    Raises
    ------
    FieldError
        If the picture is too small or has no structure.
    MissingExtraError
        If pyiqa is not installed.
    WeightsError
        If the file holds no parameters.
    """
    if min(rgb.shape[:2]) < LEAST:
        raise FieldError(
            f"a field of {rgb.shape[1]}x{rgb.shape[0]} pixels is too small for Ma, which needs "
            f"{LEAST}x{LEAST}; crop less"
        )
    if (rgb == rgb[0, 0]).all():
        raise FieldError("the result is constant, which Ma cannot score")
    network = _network(path, parameters.sha256_of(path))
    import torch

    picture = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / 255.0
    try:
        return float(network(torch.from_numpy(picture)))
    except torch.linalg.LinAlgError as error:
        raise FieldError(
            f"Ma has no value for this field, which is too smooth ({error}); take another crop"
        ) from error


def check_parameters(path: Path) -> str:
    """Return the SHA-256 of a parameter file that is Ma's beyond doubt.

    Raises
    ------
    MissingExtraError
        If pyiqa or its calibration images are not installed.
    WeightsError
        If the file does not give the published scores.
    """
    sha256 = parameters.sha256_of(path)
    if sha256 not in parameters.MA.sha256 and sha256 not in _noted():
        refusal = _refusal(path, sha256)
        if refusal:
            raise WeightsError(refusal)
        _note(path, sha256)
    return sha256


@lru_cache(maxsize=16)
def _refusal(path: Path, sha256: str) -> str:
    """Return why a file is not believed; empty if it is. A refusal is remembered too."""
    for name, published in CALIBRATION:
        found = raw_score(_calibration_image(name), path)
        if not abs(found - published) <= TOLERANCE:
            return (
                f"{path}: is not the parameter file of Ma: the calibration image {name} gets "
                f"{found:.4f}, and {published:.4f} is published; get {parameters.MA.url}"
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


def _calibration_image(name: str) -> NDArray[np.uint8]:
    from importlib.metadata import PackageNotFoundError, files

    import cv2

    with contextlib.suppress(PackageNotFoundError):
        for entry in files("pyiqa") or ():
            if entry.match(f"ResultsCalibra/dist_dir/{name}.bmp"):
                picture = cv2.imread(str(entry.locate()), cv2.IMREAD_COLOR)
                if picture is not None:
                    return np.asarray(picture[..., ::-1], dtype=np.uint8)
    raise MissingExtraError(
        f"the parameters of Ma cannot be checked: pyiqa's calibration image {name} is missing; "
        f"{CURE}"
    )


@lru_cache(maxsize=2)
def _network(path: Path, sha256: str) -> Any:
    """Return pyiqa's metric with this file; the hash is there so that a changed one counts."""
    try:
        pyiqa = importlib.import_module("pyiqa")
    except ImportError as error:
        missing = "pyiqa" if error.name == "pyiqa" else f"pyiqa's {error.name}"
        raise MissingExtraError(f"{missing} is not installed: {CURE}") from error
    model = parameters.read_mat(path, parameters.MA).get("model")
    if not {"rf", "linear"} <= set(getattr(getattr(model, "dtype", None), "names", None) or ()):
        raise WeightsError(
            f"{path}: holds no parameters of Ma (a table 'model' of 'rf' and 'linear'); "
            f"get {parameters.MA.url}"
        )
    with _quiet():
        try:
            return pyiqa.create_metric("nrqm", pretrained_model_path=str(path), device="cpu")
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{path}: holds no parameters of Ma ({error}); get {parameters.MA.url}"
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pyiqa from reporting on stderr that it made a metric."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _ma(result: Field, truth: Field, context: Context) -> Value:
    path = parameters.MA.locate(context.settings["ma_parameters"])
    sha256 = check_parameters(path)
    rgb = np.repeat(result[:, :, None], 3, axis=2)
    return Value(
        raw_score(rgb, path),
        details={
            "data_range": [0, 255],
            "crop": list(result.shape),
            "colour": "the grey plane in three equal channels, scored on their luma (YIQ)",
            "implementation": f"pyiqa {_version()}",
            "parameters_sha256": sha256,
        },
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyiqa")
    except PackageNotFoundError:
        return "of unknown version"


MA = Metric(
    name="ma",
    label="Ma",
    unit="",
    lower_is_better=False,
    range=(0.0, 10.0),
    ideal=10.0,
    summary="quality of super-resolution, learned from scores by people",
    source="Ma et al., Comput. Vis. Image Underst. 2017, 158, 1, doi 10.1016/j.cviu.2016.12.009",
    kind="no-reference",
    protocol="paper",
    function=_ma,
    settings=(parameters.MA.setting,),
    rank=60,
)

METRICS = (MA,)
