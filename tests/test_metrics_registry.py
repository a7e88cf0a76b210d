"""The registry of metrics: frozen descriptors, one file a metric, settings, and no crash."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import afmsr_core.metrics as folder
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.metrics import Value, evaluate, get, metrics, names, resolve
from afmsr_core.metrics.registry import metrics as cached

EXTREMES = """
from afmsr_core.metrics.base import Metric, Setting, Value, positive

FACTOR = Setting("peak_factor", 1.0, positive, "factor of the highest point")

METRICS = (
    Metric(
        name="{name}",
        label="highest point",
        unit="height",
        lower_is_better=None,
        range=(0.0, 1.0),
        summary="the highest point",
        source="a test",
        kind="surface",
        protocol="nm",
        function=lambda result, truth, context: Value(
            context.settings["peak_factor"] * float(result.max())
        ),
        settings=(FACTOR,),
    ),
)
"""


@pytest.fixture
def extra_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules count as modules of the metrics' folder."""
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    before = set(sys.modules)
    cached.cache_clear()
    yield tmp_path
    cached.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("afmsr_core.metrics."):
            del sys.modules[name]
            vars(folder).pop(name.rpartition(".")[2], None)


def test_a_metric_with_its_setting_is_one_file(extra_folder: Path) -> None:
    (extra_folder / "extremes.py").write_text(EXTREMES.format(name="highest"))
    truth = np.zeros((8, 8))
    assert evaluate(truth, truth, 1.0, "nm", only=["highest"])["highest"].value == 0.0
    truth[2, 3] = 5.0
    found = evaluate(truth, truth, 1.0, "nm", {"peak_factor": "2"}, only=["highest"])
    assert found["highest"].value == 10.0
    assert names("nm")[-1] == "highest" and "highest" not in names("paper")


def test_a_name_that_is_taken_is_refused(extra_folder: Path) -> None:
    (extra_folder / "zzz.py").write_text(EXTREMES.format(name="psnr"))
    with pytest.raises(ValueError, match="two metrics are called 'psnr'"):
        metrics()


def test_the_metrics_of_the_paper_come_first_and_in_its_order() -> None:
    assert names("paper") == (
        *("psnr", "ssim", "fourier_sharpness", "gradient_sharpness", "pi", "ma", "niqe"),
    )
    assert names()[: len(names("paper"))] == names("paper")
    assert {"rmse", "mae", "bias", "psnr_nm", "ssim_nm", "sal", "streaks_truth", "streaks_low"} | {
        *("sa", "sq", "ssk", "sku", "sz", "sdq", "sdr"),
        *("psd_coarse", "psd_medium", "psd_fine", "psd_beyond", "hills", "dales"),
    } == set(names("nm"))


def test_every_descriptor_says_what_a_reader_must_know() -> None:
    for name, metric in metrics().items():
        assert metric.name == name == name.lower()
        assert metric.label and metric.summary and metric.source
        low, high = metric.range
        assert low < high
        assert metric.ideal is None or low <= metric.ideal <= high
        assert metric.lower_is_better is not None or metric.ideal is not None
        for setting in metric.settings:
            assert setting.meaning and setting.parse(setting.default) == setting.default


def test_descriptors_values_and_the_registry_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        get("psnr").name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Value(1.0).value = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        metrics()["mine"] = get("psnr")  # type: ignore[index]


@pytest.mark.parametrize("spelling", ["psnr_nm", "PSNR-nm"])
def test_names_forgive_case_and_hyphens(spelling: str) -> None:
    assert get(spelling).name == "psnr_nm"


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'pnsr'\. Did you mean psnr\? There are: psnr, ssim"):
        get("pnsr")
    with pytest.raises(UsageError, match=r"'psnr_peek'\. Did you mean psnr_peak\?"):
        resolve({"psnr_peek": "255"})
    with pytest.raises(UsageError, match=r"protocol 'mm': choose paper or nm"):
        evaluate(np.zeros((9, 9)), np.zeros((9, 9)), 1.0, "mm")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="rmse: is a metric of the protocol nm"):
        evaluate(np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8), 1.0, only=["rmse"])


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"psnr_peak": "256"}, "choose 255 or reference"),
        ({"scale": "-4"}, "give a positive number"),
        ({"scale": "four"}, "give a positive number"),
        ({"scar_width": 1.5}, "give a positive whole number"),
        ({"scar_length": 0}, "give a positive whole number"),
        ({"fast_axis": "z"}, "choose x or y"),
        ({"niqe_parameters": 7}, "give the name of a file"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_cure(settings: dict[str, object], cure: str) -> None:
    (name,) = settings
    with pytest.raises(UsageError, match=f"^{name} = .*{cure}"):
        resolve(settings)


def test_what_is_no_pair_is_refused() -> None:
    grey, heights = np.zeros((32, 32), np.uint8), np.zeros((32, 32))
    with pytest.raises(FieldError, match="align and crop them first"):
        evaluate(grey, grey[:-1], 1.0)
    with pytest.raises(FieldError, match=r"convert with afmsr_core\.normalisation\.to_8bit"):
        evaluate(heights, grey, 1.0)
    with pytest.raises(FieldError, match=r"found the shape \(32,\).*same pixels"):
        evaluate(heights[0], heights[0], 1.0, "nm")
    with pytest.raises(UsageError, match="pixel_size must be positive"):
        evaluate(heights, heights, 0.0, "nm")


FIELDS = {
    "noise": np.random.default_rng(0).normal(100.0, 3.0, (40, 40)),
    "constant": np.full((40, 40), 7.0),
    "zero": np.zeros((40, 40)),
    "NaN": np.full((40, 40), np.nan),
    "a hole": np.where(np.arange(1600).reshape(40, 40) == 820, np.nan, 1.0 + np.eye(40)),
    "infinite": np.where(np.eye(40) > 0, np.inf, 2.0),
    "8 px": np.random.default_rng(1).normal(size=(8, 8)),
    "1 px": np.ones((1, 1)),
    "a line": np.random.default_rng(2).normal(size=(1, 300)),
    "huge": 1e200 * np.random.default_rng(3).normal(size=(40, 40)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("which", FIELDS)
@pytest.mark.parametrize("other", ["itself", "noise"])
def test_no_field_makes_a_metric_crash_or_give_a_number_that_is_none(
    which: str, other: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path))
    result = FIELDS[which]
    truth = result if other == "itself" else np.random.default_rng(9).normal(size=result.shape)
    grey = [np.nan_to_num(np.clip(f, 0, 255)).astype(np.uint8) for f in (result, truth)]
    with np.errstate(over="ignore", invalid="ignore"):
        found = evaluate(*grey, 1.0) | evaluate(
            *(result, truth, 1.0, "nm"), low=truth[::4, ::4], upscaled=result
        )
    assert list(found) == list(names())
    for name, value in found.items():
        assert (value.value is None) == bool(value.reason), name
        assert value.value is None or math.isfinite(value.value), name
    json.dumps({name: value.as_dict() for name, value in found.items()}, allow_nan=False)


def test_values_lie_in_their_range_and_a_perfect_result_has_the_ideal() -> None:
    rng = np.random.default_rng(5)
    truth = np.cumsum(np.cumsum(rng.normal(size=(96, 96)), axis=0), axis=1) / 20
    truth -= np.linspace(0, 1, 96) * (truth[:, -1:] - truth[:, :1])
    for result in (truth, truth + 0.5 * rng.normal(size=truth.shape)):
        for name, value in evaluate(result, truth, 10.0, "nm", only=None).items():
            metric = get(name)
            if value.value is None:
                continue
            assert metric.range[0] <= value.value <= metric.range[1], name
            if result is truth and metric.ideal is not None and not name.startswith("streaks"):
                assert value.value == pytest.approx(metric.ideal, abs=1e-9), name
