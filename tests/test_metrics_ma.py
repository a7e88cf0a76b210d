"""Ma, our own: equal to pyiqa, and a file is believed only if it gives the published scores.

No test has Ma's own parameters; a forest of random numbers has their structure. Its scores mean
nothing, and that they reach no table is tested too.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, WeightsError, pip_install
from afmsr_core.metrics import Value, evaluate, ma
from afmsr_core.metrics.ma import calibration, forest, score
from afmsr_core.metrics.ma.pyramid import steerable_pyramid
from afmsr_core.metrics.ma.shapes import gaussian_shape
from benchmarks.metrics import scan_like, structure_only

Grey = NDArray[np.uint8]

GREY = np.random.default_rng(0).integers(0, 256, (96, 100), dtype=np.uint8)

# pyiqa 0.1.16 with torch 2.14.1 and the synthetic file, on the luma of its calibration images.
PYIQA = {
    "I03": 4.135068639291176,
    "I04": 4.111973262742605,
    "I06": 3.9448816592971174,
    "I08": 4.154559854433005,
    "I19": 4.110205645162205,
}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ma") / "NRQM_model.mat"
    return structure_only(path, trees=200, depth=8)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AFMSR_MA_PARAMETERS", raising=False)
    calibration._refusal.cache_clear()
    yield
    calibration._refusal.cache_clear()


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Path) -> Path:
    """The calibration images in the folder of the weights, as somebody without pyiqa has them.

    Only a corner of them is scored.
    """
    whole = calibration.grey_of
    monkeypatch.setattr(calibration, "grey_of", lambda image: whole(image)[:96, :96])
    folder = tmp_path / "cache"
    folder.mkdir()
    for image in calibration.IMAGES:
        content = (shared / "data/iqa/calibration" / image.name).read_bytes()
        (folder / image.name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def theirs(synthetic: Path) -> Iterator[Callable[[Grey], float]]:
    """pyiqa's score of a grey picture by the synthetic file."""
    pytest.importorskip("pyiqa", reason="pyiqa is missing: pip install 'afmsr[iqa]'")
    import torch

    from benchmarks.metrics import theirs

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield theirs("nrqm", synthetic)
    torch.set_num_threads(threads)


def of(path: Path | None, grey: Grey = GREY, name: str = "ma") -> Value:
    return evaluate(grey, grey, 1.0, settings={"ma_parameters": path}, only=[name])[name]


# --- the same numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("image", PYIQA)
def test_equal_to_pyiqa_on_its_calibration_images(
    shared: Path, synthetic: Path, image: str
) -> None:
    grey = luma(shared / f"data/iqa/calibration/{image}.bmp")
    found = ma.raw_score(grey, ma.read_model(synthetic))
    assert found == pytest.approx(PYIQA[image], abs=1e-6)


def luma(path: Path) -> Grey:
    """Y of YIQ, rounded, halves to even."""
    from PIL import Image

    rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.int64)
    return np.rint(rgb @ (299, 587, 114) / 1000).astype(np.uint8)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("noise", (96, 100)), ("scan", (101, 112)), ("bicubic", (110, 97)), ("photograph", (97, 98))],
)
def test_equal_to_the_pyiqa_that_is_installed(
    theirs: Callable[[Grey], float],
    synthetic: Path,
    shared: Path,
    kind: str,
    shape: tuple[int, int],
) -> None:
    make: dict[str, Callable[[], Grey]] = {
        "noise": lambda: GREY,
        "scan": lambda: scan_like(200),
        "bicubic": enlarged,
        "photograph": lambda: luma(shared / "data/iqa/calibration/I08.bmp"),
    }
    grey = make[kind]()[: shape[0], : shape[1]]
    assert grey.shape == shape
    ours = ma.raw_score(grey, ma.read_model(synthetic))
    assert ours == pytest.approx(theirs(np.ascontiguousarray(grey)), abs=1e-6)


def enlarged() -> Grey:
    """A scan at a quarter of the pixels, enlarged: smooth, but for the rounding to 8 bits."""
    import cv2

    small = scan_like(200)[::4, ::4].astype(np.float64)
    large = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return large.clip(0, 255).round().astype(np.uint8)


def test_the_shape_of_a_distribution() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.normal(size=200_000), rng.laplace(size=200_000), np.ones(200_000)])
    found = gaussian_shape(rows)
    assert found[:2] == pytest.approx([2.0, 1.0], abs=0.02)
    assert found[2] == 10.0


@pytest.mark.parametrize("shape", [(96, 100), (97, 131)])
def test_the_pyramid_keeps_all_and_knows_directions(shape: tuple[int, int]) -> None:
    # Of a wave between a half and the whole of the Nyquist frequency the squares of the finest
    # details and of the finer bands add up to that of the wave.
    y, x = (n / m for n, m in zip(np.mgrid[: shape[0], : shape[1]], shape, strict=True))
    for down, across, strongest in ((0.0, 0.31, 0), (0.32, 0.0, 3), (0.3, 0.02, 3)):
        waves = int(down * shape[0]) * y + int(across * shape[1]) * x
        wave = np.sin(2 * np.pi * waves + 0.3)
        pyramid = steerable_pyramid(wave)
        energies = [float(np.sum(band**2)) for band in pyramid.bands[0]]
        assert np.sum(pyramid.fine**2) + sum(energies) == pytest.approx(np.sum(wave**2), rel=1e-3)
        assert int(np.argmax(energies)) == strongest
    assert {band.shape for band in pyramid.bands[1]} == {tuple((n + 1) // 2 for n in shape)}


def test_a_forest_answers_as_its_trees_are_written(synthetic: Path) -> None:
    one = ma.read_model(synthetic).forests[0]
    features = np.random.default_rng(1).uniform(0, 2, score.features(GREY)[0].size)
    answers = []
    for tree in range(one.left.shape[1]):
        node = 0
        while one.left[node, tree]:
            goes_left = features[one.feature[node, tree] - 1] <= one.threshold[node, tree]
            node = (one.left if goes_left else one.right)[node, tree] - 1
        answers.append(one.value[node, tree])
    assert one.predict(features) == pytest.approx(np.mean(answers), rel=1e-14)


def test_what_ma_cannot_score_has_a_reason(synthetic: Path) -> None:
    model = ma.read_model(synthetic)
    with pytest.raises(FieldError, match="200x95 pixels is too small for Ma"):
        ma.raw_score(np.zeros((95, 200), np.uint8), model)
    with pytest.raises(FieldError, match="constant"):
        ma.raw_score(np.full((96, 96), 7, np.uint8), model)
    with pytest.raises(FieldError, match="so smooth"):
        ma.raw_score(np.tile(np.arange(96, dtype=np.uint8), (96, 1)), model)


# --- which file is believed ------------------------------------------------------------------


def test_no_score_of_a_synthetic_file_reaches_a_table(images: Path, synthetic: Path) -> None:
    assert np.isfinite(ma.raw_score(GREY, ma.read_model(synthetic)))
    for name in ("ma", "pi"):
        found = of(synthetic, name=name)
        assert found.value is None
        assert "NRQM_model.mat: is not the parameter file of Ma: the calibration image" in (
            found.reason
        )
    assert not (images / calibration.RECORD).exists()
    assert calibration._refusal.cache_info().hits == 1
    with pytest.raises(WeightsError, match=r"gets -?\d+\.\d{4}, and 1\.3932 is published"):
        ma.believed(synthetic)


def test_a_file_that_gives_the_published_scores_is_believed_once_and_for_all(
    images: Path, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ma.read_model(synthetic)
    known = tuple(
        replace(one, published=ma.raw_score(calibration.grey_of(one), model))
        for one in calibration.IMAGES
    )
    monkeypatch.setattr(calibration, "IMAGES", known)
    found = of(synthetic)
    assert found.value == ma.raw_score(GREY, model)
    digest = hashlib.sha256(synthetic.read_bytes()).hexdigest()
    assert found.details["parameters_sha256"] == digest
    assert found.details["implementation"] == "afmsr"
    assert "three equal channels" in found.details["colour"]
    assert found.details["crop"] == [96, 100] and found.details["data_range"] == [0, 255]
    assert (images / calibration.RECORD).read_text() == f"{digest}  NRQM_model.mat\n"

    # In another process the note suffices; a changed file is another file.
    calibration._refusal.cache_clear()
    wrong = tuple(replace(one, published=-99.0) for one in known)
    monkeypatch.setattr(calibration, "IMAGES", wrong)
    assert of(synthetic).value == found.value
    changed = tmp_path / "changed.mat"
    changed.write_bytes(b"M" + synthetic.read_bytes()[1:].replace(b"Created", b"Changed", 1))
    assert "is not the parameter file of Ma" in of(changed).reason


def test_one_image_that_agrees_by_chance_is_not_enough(
    images: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = calibration.IMAGES
    score = ma.raw_score(calibration.grey_of(first), ma.read_model(synthetic))
    monkeypatch.setattr(calibration, "IMAGES", (replace(first, published=score), second))
    assert "image I04.bmp gets" in of(synthetic).reason


def test_the_calibration_images_are_found_in_the_folder_or_with_pyiqa(
    tmp_path: Path, shared: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = calibration.IMAGES[0]
    expected = luma(shared / "data/iqa/calibration" / image.name)
    pytest.importorskip("pyiqa", reason="pyiqa is missing: pip install 'afmsr[iqa]'")
    np.testing.assert_array_equal(calibration.grey_of(image), expected)

    cache = tmp_path / "cache"
    monkeypatch.setattr(calibration, "_places", lambda name: [cache / name])
    reason = of(synthetic).reason
    assert "calibration image I03.bmp is missing" in reason and str(cache) in reason
    assert pip_install("iqa") in reason and "not for commercial use" in reason
    cache.mkdir()
    content = (shared / "data/iqa/calibration" / image.name).read_bytes()
    (cache / image.name).write_bytes(content[:-1] + b"x")  # another picture calibrates nothing
    assert "calibration image I03.bmp is missing" in of(synthetic).reason
    (cache / image.name).write_bytes(content)
    np.testing.assert_array_equal(calibration.grey_of(image), expected)


def test_pyiqa_is_not_needed(synthetic: Path) -> None:
    program = (
        "import sys; sys.modules['pyiqa'] = sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from afmsr_core.metrics import ma\n"
        "grey = np.random.default_rng(0).integers(0, 256, (96, 100), dtype=np.uint8)\n"
        "print(ma.raw_score(grey, ma.read_model(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(synthetic)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == ma.raw_score(GREY, ma.read_model(synthetic))


def test_missing_and_wrong_files_are_named_with_the_cure(
    tmp_path: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--ma-parameters FILE or AFMSR_MA_PARAMETERS" in of(None).reason
    assert "none.mat: is not a file" in of(tmp_path / "none.mat").reason
    (tmp_path / "page.mat").write_bytes(b"<html>log in first</html>")
    assert "page.mat: cannot be read as a MATLAB file" in of(tmp_path / "page.mat").reason
    scipy.io.savemat(tmp_path / "niqe.mat", {"mu_prisparam": np.ones(36)})
    assert "niqe.mat: holds no parameters of Ma" in of(tmp_path / "niqe.mat").reason
    monkeypatch.setenv("AFMSR_MA_PARAMETERS", str(tmp_path / "env.mat"))
    assert "give that of Ma with AFMSR_MA_PARAMETERS" in of(None).reason


@pytest.mark.parametrize("field", ["lDau", "mbest", "upper"])
def test_a_forest_with_a_wrong_index_is_refused(
    tmp_path: Path, synthetic: Path, field: str
) -> None:
    model = scipy.io.loadmat(synthetic)["model"]
    record = model["rf"][0, 0][0, 1]
    table = record[field][0, 0]
    record[field][0, 0] = table[1:] if field == "upper" else table + np.int32(9999) * (table > 0)
    scipy.io.savemat(tmp_path / "wrong.mat", {"model": model})
    with pytest.raises(WeightsError, match=r"wrong\.mat: holds no parameters of Ma"):
        forest.read_model(tmp_path / "wrong.mat")


# --- PI --------------------------------------------------------------------------------------


def test_pi_names_both_that_it_lacks() -> None:
    found = of(None, name="pi")
    assert found.value is None
    assert found.reason.startswith("PI is made of Ma and NIQE; the parameters of Ma are not on")
    assert "; the parameters of NIQE are not on" in found.reason


def test_pi_is_made_of_the_values_beside_it() -> None:
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
