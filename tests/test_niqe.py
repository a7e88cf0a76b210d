"""NIQE, our own: equal to pyiqa and near MATLAB's on their images, and honest about small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, WeightsError
from afmsr_core.metrics import evaluate
from afmsr_core.metrics.niqe import Model, halved, niqe, read_model

Grey = NDArray[np.float64]

# pyiqa 0.1.16 with torch 2.14.1, on the luma of its calibration images.
PYIQA = {"I03": 15.658134, "I04": 3.654908, "I06": 3.233530, "I08": 3.192165, "I19": 9.072738}
# The same column in the table that pyiqa publishes: of their luma in 32 bits, in which the
# processor decides where a half goes. 162 of the pixels of I03 are halves; all up or all down
# gives 15.673 and 15.674.
PUBLISHED = {"I03": 15.6538, "I04": 3.6549, "I06": 3.2342, "I08": 3.1922, "I19": 9.0722}
HALVES = 0.021


def rgb_of(path: Path) -> NDArray[np.int64]:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int64)


def luma(rgb: NDArray[np.int64]) -> Grey:
    """Y of YIQ, rounded, halves to even: exact, since only the division leaves the integers."""
    return np.rint(rgb @ (299, 587, 114) / 1000)


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data/iqa"


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return read_model(folder / "niqe_modelparameters.mat")


@pytest.mark.parametrize("image", PYIQA)
def test_equal_to_pyiqa_on_its_calibration_images(folder: Path, model: Model, image: str) -> None:
    score = niqe(luma(rgb_of(folder / f"calibration/{image}.bmp")), model)
    assert score.value == pytest.approx(PYIQA[image], abs=1e-3)
    assert score.value == pytest.approx(PUBLISHED[image], abs=HALVES)
    assert score.patches == score.complete == 20


def test_near_matlab_on_baboon(folder: Path, model: Model) -> None:
    y = rgb_of(folder / "baboon.png") @ (65_481, 128_553, 24_966) / 255_000 + 16
    score = niqe(np.rint(y), model)
    assert score.value == pytest.approx(5.72957338, abs=5e-4)  # MATLAB R2021a
    assert score.value == pytest.approx(5.72997, abs=1e-5)  # pyiqa
    assert score.patches == 25


def test_equal_to_the_pyiqa_that_is_installed_on_scans(folder: Path, model: Model) -> None:
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is not installed: pip install 'afmsr[iqa]'")
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        file = str(folder / "niqe_modelparameters.mat")
        metric = pyiqa.create_metric("niqe", pretrained_model_path=file, device="cpu")
        rng = np.random.default_rng(0)
        y, x = np.mgrid[:370, :370]
        scan = 128 + 90 * np.sin(x / 17) * np.cos(y / 23) + rng.normal(0, 6, x.shape)
        saturated = np.where(scan > 190, 255, scan)  # flat areas, where rounding decides
        for field in (scan, saturated):
            grey = field.clip(0, 255).astype(np.uint8)
            theirs = float(metric(torch.from_numpy(grey[None, None] / np.float32(255))))
            assert niqe(grey, model).value == pytest.approx(theirs, abs=1e-3)
    finally:
        torch.set_num_threads(threads)


def test_the_npz_holds_the_same_parameters(folder: Path, model: Model) -> None:
    other = read_model(folder / "niqe_pris_params.npz")
    np.testing.assert_array_equal(other.mean, model.mean)
    np.testing.assert_array_equal(other.covariance, model.covariance)
    assert other.sha256 != model.sha256


def test_the_metric_says_what_it_rests_on(folder: Path) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (370, 370), dtype=np.uint8)
    file = folder / "niqe_modelparameters.mat"
    settings = {"niqe_parameters": str(file)}
    found = evaluate(grey, grey, 1.0, settings=settings, only=["niqe"])["niqe"]
    assert found.value is not None
    assert found.details["patches"] == 9 and found.details["features"] == 36
    assert found.details["crop"] == [370, 370] and found.details["data_range"] == [0, 255]
    assert "grey" in found.details["colour"]
    assert found.details["parameters_published"] is True
    assert found.details["parameters_sha256"].startswith("fa2aa4d12dd9595c")


def test_halving_is_that_of_a_cubic_kernel_and_keeps_planes() -> None:
    y, x = np.mgrid[:16, :20].astype(float)
    small = halved(3 * x - 2 * y)
    assert small.shape == (8, 10)
    expected = 3 * (2 * np.mgrid[:8, :10][1] + 0.5) - 2 * (2 * np.mgrid[:8, :10][0] + 0.5)
    np.testing.assert_allclose(small[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-12)
    impulse = np.zeros((1, 16))
    impulse[0, 8] = 1.0
    # Keys' kernel, stretched twofold and normalised, at ±1/4, ±3/4, ±5/4, ±7/4 pixel.
    keys = np.array([-0.0234375, -0.0703125, 0.2265625, 0.8671875])
    assert halved(np.tile(impulse, (16, 1)))[4, 4] == pytest.approx(keys[3] / keys.sum() / 2)


@pytest.mark.filterwarnings("error")
def test_what_is_too_small_or_flat_has_no_value(model: Model) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    for crop in (noise[:95], noise[:, :95], noise[:100, :191], noise[:8, :8], noise[:1]):
        with pytest.raises(FieldError, match="NIQE needs 2 at the least, so crop less"):
            niqe(crop, model)
    assert niqe(noise[:100, :192], model).patches == 2
    with pytest.raises(FieldError, match="take a crop that is not flat"):
        niqe(np.zeros((192, 192), np.uint8), model)


def test_missing_and_wrong_files_are_named_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AFMSR_NIQE_PARAMETERS", raising=False)
    grey = np.random.default_rng(0).integers(0, 256, (192, 192), dtype=np.uint8)

    def found(path: Path | None = None) -> str:
        settings = {"niqe_parameters": path}
        value = evaluate(grey, grey, 1.0, settings=settings, only=["niqe"])["niqe"]
        assert value.value is None
        return value.reason

    assert "--niqe-parameters FILE or AFMSR_NIQE_PARAMETERS" in found()
    assert "give that of NIQE with --niqe-parameters" in found(tmp_path / "none.mat")
    monkeypatch.setenv("AFMSR_NIQE_PARAMETERS", str(tmp_path / "none.mat"))
    assert "give that of NIQE with AFMSR_NIQE_PARAMETERS" in found()

    for name in ("broken.mat", "broken.npz"):
        (tmp_path / name).write_bytes(b"<html>log in first</html>")
        assert f"{name}: cannot be read" in found(tmp_path / name)
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    scipy.io.savemat(tmp_path / "other.mat", {"mu_prisparam": np.ones(36)})
    nan = np.full((36, 36), np.nan)
    scipy.io.savemat(tmp_path / "nan.mat", {"mu_prisparam": np.ones(36), "cov_prisparam": nan})
    for name in ("other.npz", "other.mat", "nan.mat"):
        assert f"{name}: holds no parameters of NIQE" in found(tmp_path / name)
        with pytest.raises(WeightsError):
            read_model(tmp_path / name)


def test_parameters_are_found_in_the_cache_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (192, 192), dtype=np.uint8)
    made = {"mu_prisparam": np.zeros(36), "cov_prisparam": np.eye(36)}
    scipy.io.savemat(tmp_path / "modelparameters.mat", made)
    scipy.io.savemat(tmp_path / "mine.mat", made | {"mu_prisparam": np.full(36, 9.0)})
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path))
    monkeypatch.delenv("AFMSR_NIQE_PARAMETERS", raising=False)
    cached = evaluate(grey, grey, 1.0, only=["niqe"])["niqe"]
    assert cached.value is not None and cached.details["parameters_published"] is False
    monkeypatch.setenv("AFMSR_NIQE_PARAMETERS", str(tmp_path / "mine.mat"))
    named = evaluate(grey, grey, 1.0, only=["niqe"])["niqe"]
    assert named.value is not None and named.value > cached.value
