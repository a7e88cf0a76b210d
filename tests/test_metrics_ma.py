"""Ma through pyiqa: a parameter file is believed only if it gives the published scores.

No test has Ma's own parameters; a forest made here has their structure. Its scores mean nothing,
and that they reach no table is what is tested.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, MissingExtraError, WeightsError
from afmsr_core.metrics import Value, evaluate, ma

GREY = np.random.default_rng(0).integers(0, 256, (96, 100), dtype=np.uint8)


def forest(features: int, rng: np.random.Generator, trees: int = 3, depth: int = 3) -> object:
    nodes = 2 ** (depth + 1) - 1
    inner = np.arange(nodes) < 2**depth - 1
    child = np.where(inner, 2 * np.arange(nodes) + 2, 0)

    def every(column: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.repeat(column[:, None], trees, axis=1).astype(np.int32)

    zeros = np.zeros((nodes, trees), np.int32)
    best = np.where(inner[:, None], rng.integers(1, features + 1, (nodes, trees)), 0)
    fields = {
        "lDau": every(child),
        "rDau": every(np.where(inner, child + 1, 0)),
        "nodestatus": zeros,
        "nrnodes": zeros[:1],
        "upper": rng.uniform(0, 2, (nodes, trees)),
        "avnode": rng.uniform(1, 10, (nodes, trees)),
        "mbest": best.astype(np.int32),
    }
    made = np.zeros((1, 1), dtype=[(name, "O") for name in fields])
    made[0, 0] = tuple(fields.values())
    return made


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    forests = np.empty((1, 3), dtype=object)
    for i, features in enumerate((18, 45, 75)):
        forests[0, i] = forest(features, rng)
    model = np.zeros((1, 1), dtype=[("rf", "O"), ("linear", "O")])
    model[0, 0] = (forests, np.array([[-3.0], [0.4], [0.4], [0.5]]))
    path = tmp_path_factory.mktemp("ma") / "NRQM_model.mat"
    scipy.io.savemat(path, {"model": model})
    return path


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AFMSR_MA_PARAMETERS", raising=False)
    ma._refusal.cache_clear()
    ma._network.cache_clear()
    yield
    ma._refusal.cache_clear()
    ma._network.cache_clear()


@pytest.fixture
def pyiqa() -> object:
    import torch

    torch.set_num_threads(1)
    return pytest.importorskip("pyiqa", reason="pyiqa is missing: pip install 'afmsr[iqa]'")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration images of 96x96 instead of 512x384 pixels."""
    whole = ma._calibration_image
    monkeypatch.setattr(ma, "_calibration_image", lambda name: whole(name)[:96, :96])


def of(path: Path | None, grey: NDArray[np.uint8] = GREY, name: str = "ma") -> Value:
    return evaluate(grey, grey, 1.0, settings={"ma_parameters": path}, only=[name])[name]


def test_no_score_of_a_synthetic_file_reaches_a_table(
    pyiqa: object, quick: None, synthetic: Path, tmp_path: Path
) -> None:
    assert np.isfinite(ma.raw_score(np.repeat(GREY[..., None], 3, axis=2), synthetic))
    for name in ("ma", "pi"):
        found = of(synthetic, name=name)
        assert found.value is None
        assert "NRQM_model.mat: is not the parameter file of Ma: the calibration image" in (
            found.reason
        )
    assert not (tmp_path / "cache").exists()
    assert ma._refusal.cache_info().hits == 1  # the whole images take a minute
    with pytest.raises(WeightsError, match=r"gets \d+\.\d{4}, and 1\.3932 is published"):
        ma.check_parameters(synthetic)


def test_a_file_that_gives_the_published_scores_is_believed_once_and_for_all(
    pyiqa: object,
    quick: None,
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = [(n, ma.raw_score(ma._calibration_image(n), synthetic)) for n in ("I03", "I04")]
    monkeypatch.setattr(ma, "CALIBRATION", tuple(scores))
    found = of(synthetic)
    expected = ma.raw_score(np.repeat(GREY[..., None], 3, axis=2), synthetic)
    assert found.value == pytest.approx(expected, abs=1e-9)
    digest = hashlib.sha256(synthetic.read_bytes()).hexdigest()
    assert found.details["parameters_sha256"] == digest
    assert found.details["implementation"].startswith("pyiqa 0.1.")
    assert "three equal channels" in found.details["colour"]
    assert found.details["crop"] == [96, 100] and found.details["data_range"] == [0, 255]
    record = tmp_path / "cache" / ma.RECORD
    assert record.read_text() == f"{digest}  NRQM_model.mat\n"

    # In another process the note suffices; a changed file is another file.
    ma._refusal.cache_clear()
    monkeypatch.setattr(ma, "CALIBRATION", (("I03", -99.0),))
    assert of(synthetic).value == found.value
    changed = tmp_path / "changed.mat"
    changed.write_bytes(b"M" + synthetic.read_bytes()[1:].replace(b"Created", b"Changed", 1))
    assert "is not the parameter file of Ma" in of(changed).reason


def test_three_equal_channels_are_what_pyiqa_scores_as_a_picture(
    pyiqa: object, synthetic: Path
) -> None:
    import torch

    metric = pyiqa.create_metric(  # type: ignore[attr-defined]
        "nrqm", pretrained_model_path=str(synthetic), device="cpu"
    )
    picture = torch.from_numpy(np.repeat(GREY[None, None], 3, axis=1) / np.float32(255))
    theirs = float(metric(picture))
    assert ma.raw_score(np.repeat(GREY[..., None], 3, axis=2), synthetic) == pytest.approx(
        theirs, abs=1e-9
    )


def test_the_calibration_images_are_those_that_pip_installs(pyiqa: object, shared: Path) -> None:
    from PIL import Image

    for name, _ in ma.CALIBRATION:
        theirs = np.asarray(Image.open(shared / f"data/iqa/calibration/{name}.bmp").convert("RGB"))
        np.testing.assert_array_equal(ma._calibration_image(name), theirs)


def test_what_ma_cannot_score_has_a_reason(pyiqa: object, synthetic: Path) -> None:
    small = np.zeros((95, 200, 3), np.uint8)
    with pytest.raises(FieldError, match="200x95 pixels is too small for Ma"):
        ma.raw_score(small, synthetic)
    with pytest.raises(FieldError, match="constant"):
        ma.raw_score(np.full((96, 96, 3), 7, np.uint8), synthetic)
    smooth = np.repeat(np.tile(np.arange(96, dtype=np.uint8), (96, 1))[..., None], 3, axis=2)
    try:
        assert np.isfinite(ma.raw_score(smooth, synthetic))
    except FieldError as error:
        assert "too smooth" in str(error)


def test_without_pyiqa_the_cure_names_the_extra_and_its_licence(
    synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(MissingExtraError) as caught:
        ma.raw_score(np.repeat(GREY[..., None], 3, axis=2), synthetic)
    assert "pip install 'afmsr[iqa]'" in str(caught.value)
    assert "PolyForm Noncommercial" in str(caught.value)
    found = of(synthetic)
    assert found.value is None and "afmsr[iqa]" in found.reason


def test_missing_and_wrong_files_are_named_with_the_cure(
    tmp_path: Path, pyiqa: object, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--ma-parameters FILE or AFMSR_MA_PARAMETERS" in of(None).reason
    assert "none.mat: is not a file" in of(tmp_path / "none.mat").reason
    (tmp_path / "page.mat").write_bytes(b"<html>log in first</html>")
    assert "page.mat: cannot be read as a MATLAB file" in of(tmp_path / "page.mat").reason
    scipy.io.savemat(tmp_path / "niqe.mat", {"mu_prisparam": np.ones(36)})
    assert "niqe.mat: holds no parameters of Ma" in of(tmp_path / "niqe.mat").reason
    monkeypatch.setenv("AFMSR_MA_PARAMETERS", str(tmp_path / "env.mat"))
    assert "give that of Ma with AFMSR_MA_PARAMETERS" in of(None).reason


def test_pi_names_both_that_it_lacks() -> None:
    found = of(None, name="pi")
    assert found.value is None
    assert found.reason.startswith("PI needs Ma and NIQE. ma: the parameters of Ma are not on")
    assert "; niqe: " in found.reason


def test_pi_is_made_of_the_values_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from afmsr_core.metrics import prepare
    from afmsr_core.metrics.registry import get

    result, truth, context = prepare(GREY, GREY, 1.0, "paper")
    context.memo.update(
        ma=Value(3.0, details={"implementation": "x"}), niqe=Value(11.0, details={"patches": 9})
    )
    found = get("pi").compute(result, truth, context)
    assert found.value == 9.0
    assert found.details["niqe"] == {"value": 11.0, "patches": 9}
    assert found.details["ma"] == {"value": 3.0, "implementation": "x"}
