"""A pair is scored as the protocols say, and what cannot be scored is said, never made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage")

from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import afmsr_core.evaluation.pair as room
import afmsr_core.evaluation.scene as scene_room
from afmsr_core import io, metrics
from afmsr_core.alignment import Crop, align
from afmsr_core.channel import Channel
from afmsr_core.errors import Cancelled, PairError, UsageError
from afmsr_core.evaluation import EvaluationSettings, Evaluator
from afmsr_core.pairing import Pair
from afmsr_core.statistics import Settings as StatisticsSettings
from afmsr_core.upscale import upscale

METHODS = ("bilinear", "bicubic")
SIDE = 128  # pixels of the truth
EDGE = 4  # pixels that the crop leaves out on every side


def surface(seed: int, side: int = SIDE, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Return smooth hills of some 60 nm on a tilted sample, moved by `shift` (rows, columns)."""
    random = np.random.default_rng(seed)
    padded = random.normal(size=(side + 32, side + 32))
    hills = 100 * ndimage.gaussian_filter(padded, 5) + 10 * ndimage.gaussian_filter(padded[::-1], 2)
    moved = ndimage.shift(hills, shift, order=5, mode="reflect")[16:-16, 16:-16]
    return moved + 0.2 * np.arange(side) + 0.1 * np.arange(side)[:, None] + 40


def coarse(heights: np.ndarray) -> np.ndarray:
    rows, columns = (size // 4 for size in heights.shape)
    return heights.reshape(rows, 4, columns, 4).mean(axis=(1, 3))


def write_pair(
    folder: Path,
    name: str,
    low: np.ndarray,
    high: np.ndarray,
    size: float = 1000.0,
    suffix: str = ".gwy",
) -> Pair:
    """Write two scans of the same area and return their pair; only .npy holds NaN."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{name}_low{suffix}", folder / f"{name}_high{suffix}"
    for path, heights in zip(paths, (low, high), strict=True):
        io.write(path, Channel(heights, size, size, title="Height"), force=True)
    return Pair(name, *paths)


def settings(**changes: Any) -> EvaluationSettings:
    return EvaluationSettings(**({"methods": METHODS} | changes))


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(settings())


def test_what_networks_run_on_does_not_matter_to_interpolations(tmp_path: Path) -> None:
    asked = settings(device="cuda", engine="torch")
    pair = write_pair(tmp_path, "a", coarse(surface(1)), surface(1))
    assert Evaluator(asked)(pair).record["status"] == "scored"


# --- the numbers -------------------------------------------------------------------------


def levelled(heights: np.ndarray) -> np.ndarray:
    """Take the least-squares plane off, without the library."""
    rows, columns = np.indices(heights.shape).reshape(2, -1)
    terms = np.stack([np.ones(rows.size), rows, columns], axis=1)
    plane = terms @ np.linalg.lstsq(terms, heights.ravel(), rcond=None)[0]
    return heights - plane.reshape(heights.shape)


def bytes_of(heights: np.ndarray) -> np.ndarray:
    low, high = heights.min(), heights.max()
    return np.rint(np.clip((heights - low) / (high - low), 0, 1) * 255).astype(np.uint8)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> tuple[slice, slice]:
    """Make every alignment the identity, and return the crop."""
    crop = Crop(EDGE, EDGE, SIDE - 2 * EDGE, SIDE - 2 * EDGE)

    def known(*fields: Any, **options: Any) -> Any:
        found = align(*fields, **options)
        return dataclasses.replace(found, matrix=np.eye(3), crop=crop, accepted=True)

    monkeypatch.setattr(scene_room, "align", known)
    return crop.slices


FLAGS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


@pytest.mark.parametrize("peak", ["255", "reference"])
def test_the_papers_numbers_are_those_of_an_independent_computation(
    tmp_path: Path, identity: tuple[slice, slice], peak: str
) -> None:
    high = surface(1)
    low = coarse(high) + np.random.default_rng(2).normal(0, 0.5, (SIDE // 4, SIDE // 4))
    found = Evaluator(settings(protocols=("paper",), metrics={"psnr_peak": peak}))(
        write_pair(tmp_path, "a", low, high)
    ).record
    assert found["status"] == "scored", found["reason"]
    assert found["crop"] == [EDGE, EDGE, SIDE - 2 * EDGE, SIDE - 2 * EDGE]
    truth = bytes_of(levelled(high))[identity]
    for name in METHODS:
        grey = cv2.resize(bytes_of(levelled(low)), (SIDE, SIDE), interpolation=FLAGS[name])
        result = grey[identity]
        rest = result.astype(float) - truth
        top = 255 if peak == "255" else truth.max()
        want = {
            "psnr": 20 * np.log10(top / np.sqrt(np.mean(rest**2))),
            "ssim": structural_similarity(result, truth, data_range=255),
            "fourier_sharpness": np.mean(np.log(np.abs(np.fft.fft2(result.astype(float))))),
        }
        if peak == "255":
            by_skimage = peak_signal_noise_ratio(truth, result, data_range=255)
            assert want["psnr"] == pytest.approx(by_skimage, rel=1e-12)
        scores = found["scores"]["paper"][name]
        for metric, value in want.items():
            assert scores[metric]["value"] == pytest.approx(value, rel=1e-9), metric


def test_the_numbers_in_nm_are_those_of_an_independent_computation(
    tmp_path: Path, identity: tuple[slice, slice]
) -> None:
    high = surface(3)
    low = 1.02 * coarse(high) + 5 - 0.3 * np.arange(SIDE // 4)  # gain, datum and tilt of its own
    found = Evaluator(settings(protocols=("nm",)))(write_pair(tmp_path, "a", low, high)).record
    assert found["status"] == "scored", found["reason"]
    truth = levelled(high)[identity]
    for name in METHODS:
        fine = cv2.resize(levelled(low), (SIDE, SIDE), interpolation=FLAGS[name])
        rest = levelled(fine[identity] - truth)  # the plane of the difference; never the gain
        result = truth + rest
        want = {
            "rmse": np.sqrt(np.mean(rest**2)),
            "mae": np.mean(np.abs(rest)),
            "bias": np.mean(fine[identity] - truth),
            "psnr_nm": 20 * np.log10(np.ptp(truth) / np.sqrt(np.mean(rest**2))),
            "sq": levelled(result).std() / levelled(truth).std(),
        }
        scores = found["scores"]["nm"][name]
        for metric, value in want.items():
            assert scores[metric]["value"] == pytest.approx(value, rel=1e-4, abs=1e-4), metric


def test_a_network_runs_once_and_its_bytes_are_those_of_the_corridor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's protocol takes the network's floats through bytes, as ``upscale`` does."""
    low = coarse(surface(11, 192))
    low[3, 3:6] = np.nan
    pair = write_pair(tmp_path, "a", low, surface(11, 192), suffix=".npy")
    evaluator = Evaluator(settings(methods=("afm", "bicubic"), threads=1))
    aligned: list[np.ndarray] = []

    def noted(result: np.ndarray, *fields: Any, **options: Any) -> Any:
        aligned.append(result)
        return align(result, *fields, **options)

    monkeypatch.setattr(scene_room, "align", noted)
    record = evaluator(pair).record
    assert record["status"] == "scored", record["reason"]
    assert "paper afm" in record["seconds"] and "nm afm" not in record["seconds"]
    scan = io.select(io.read(pair.low))[0]
    options: dict[str, Any] = {"method": "afm", "restore_background": False, "threads": 1}
    want = upscale(scan, protocol="paper", **options).heights
    found = aligned[1]  # the first is the shared one
    assert (np.isnan(found) == np.isnan(want)).all() and np.isnan(found).any()
    assert np.nanmax(np.abs(found - want)) < 1e-9


def test_a_known_shift_is_found_and_undone(tmp_path: Path, evaluator: Evaluator) -> None:
    """The pair of scans lies 3.3 px and -2.2 px apart, in pixels of the truth."""
    pair = write_pair(tmp_path, "a", coarse(surface(5, shift=(3.3, -2.2))), surface(5))
    outcome = evaluator(pair)
    record = outcome.record
    assert record["status"] == "scored", record["reason"]
    across, down = record["alignment"]["shift_px"]
    assert np.hypot(across - -2.2, down - 3.3) < 0.3
    assert record["scores"]["nm"]["bicubic"]["rmse"]["value"] < 1.0  # 9 nm if not aligned
    same = write_pair(tmp_path, "b", coarse(surface(5)), surface(5))
    ideal = evaluator(same).record["scores"]["paper"]["bicubic"]["psnr"]["value"]
    assert record["scores"]["paper"]["bicubic"]["psnr"]["value"] == pytest.approx(ideal, abs=2.0)


def test_the_fields_that_are_kept_are_those_that_were_scored(
    tmp_path: Path, evaluator: Evaluator
) -> None:
    outcome = evaluator(write_pair(tmp_path, "a", coarse(surface(7)), surface(7), 2000.0))
    fields, record = outcome.fields, outcome.record
    assert set(fields) == {"high", "low", *METHODS, "pixel_size"}
    assert fields["pixel_size"].tolist() == [2000 / SIDE] * 2
    top, left, height, width = record["crop"]
    for name in ("high", "low", *METHODS):
        assert fields[name].dtype == np.float32 and fields[name].shape == (height, width)
        assert np.isfinite(fields[name]).all()
    want = levelled(surface(7))[top : top + height, left : left + width]
    assert np.abs(fields["high"] - want).max() < 1e-4
    rest = levelled(fields["bicubic"].astype(float) - fields["high"])
    rmse = record["scores"]["nm"]["bicubic"]["rmse"]["value"]
    assert np.sqrt(np.mean(rest**2)) == pytest.approx(rmse, rel=1e-4)


def test_every_metric_of_both_protocols_is_there_with_a_value_or_a_reason(
    tmp_path: Path, evaluator: Evaluator
) -> None:
    record = evaluator(write_pair(tmp_path, "a", coarse(surface(8)), surface(8))).record
    for protocol in ("paper", "nm"):
        assert list(record["scores"][protocol]) == list(METHODS)
        for scores in record["scores"][protocol].values():
            assert tuple(scores) == metrics.names(protocol)
            for score in scores.values():
                assert (score["value"] is None) == bool(score["reason"])


def test_the_levelling_is_that_of_both_members(tmp_path: Path) -> None:
    """Without levelling the tilt is part of the heights: of the kept coarse scan too."""
    pair = write_pair(tmp_path, "a", coarse(surface(7)), surface(7))
    fields = Evaluator(settings(level="none"))(pair).fields
    for name in ("high", "low", "bicubic"):
        assert float(fields[name].mean()) > 30


# --- alignment ---------------------------------------------------------------------------


@pytest.mark.parametrize("align_by", ["protocol", "shared", "per-method"])
def test_each_protocol_aligns_as_it_says(tmp_path: Path, align_by: str) -> None:
    pair = write_pair(tmp_path, "a", coarse(surface(4)), surface(4))
    for protocol in ("paper", "nm"):
        own = align_by == "per-method" or (align_by == "protocol" and protocol == "paper")
        record = Evaluator(settings(protocols=(protocol,), align=align_by))(pair).record
        assert record["status"] == "scored" and record["alignment"]["accepted"]
        assert list(record["alignment_per_method"]) == (list(METHODS) if own else [])


def test_what_cannot_be_aligned_is_rejected_and_never_scored(
    tmp_path: Path, evaluator: Evaluator
) -> None:
    outcome = evaluator(write_pair(tmp_path, "a", coarse(surface(1)), surface(99)))
    assert outcome.record["status"] == "rejected"
    assert "could not be aligned" in outcome.record["reason"]
    assert outcome.record["scores"] == {} and outcome.fields == {}
    assert outcome.record["alignment"]["accepted"] is False


@pytest.mark.parametrize("how", ["rejected", "raises"])
def test_a_method_that_cannot_be_aligned_has_empty_cells_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    calls = []

    def second_fails(*fields: Any, **options: Any) -> Any:
        calls.append(fields)
        found = align(*fields, **options)
        if len(calls) != 2:  # the shared one is first, then bilinear
            return found
        if how == "raises":
            raise PairError("result: all heights are the same")
        return dataclasses.replace(found, accepted=False, reasons=("residual 9.00 px beyond 2 px",))

    monkeypatch.setattr(scene_room, "align", second_fails)
    pair = write_pair(tmp_path, "a", coarse(surface(4)), surface(4))
    outcome = Evaluator(settings(protocols=("paper",)))(pair)
    scores = outcome.record["scores"]["paper"]
    assert outcome.record["status"] == "scored"
    assert scores["bicubic"]["psnr"]["value"] > 20
    wanted = "all heights are the same" if how == "raises" else "residual 9.00 px"
    for score in scores["bilinear"].values():
        assert score["value"] is None and wanted in score["reason"]
    assert "bilinear" not in outcome.fields and "bicubic" in outcome.fields


def test_a_crop_is_the_same_square_for_all_methods(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, "a", coarse(surface(4)), surface(4))
    record = Evaluator(settings(crop=94))(pair).record
    assert record["crop"][2:] == [94, 94]
    score = record["scores"]["paper"]["bilinear"]["psnr"]
    assert score["details"]["crop"] == [94, 94]
    record = Evaluator(settings(crop=126))(pair).record
    assert record["status"] == "rejected" and "--crop 126" in record["reason"]


# --- what goes wrong ---------------------------------------------------------------------


def test_pixels_without_a_value_are_left_out(tmp_path: Path, evaluator: Evaluator) -> None:
    low, high = coarse(surface(6)), surface(6)
    low[0, :5], high[-3:, 40:] = np.nan, np.nan
    record = evaluator(write_pair(tmp_path, "a", low, high, suffix=".npy")).record
    assert record["status"] == "scored", record["reason"]
    assert record["crop"][0] + record["crop"][2] <= SIDE - 3  # the lines without a value
    for protocol, metric in (("paper", "psnr"), ("nm", "rmse")):
        assert record["scores"][protocol]["bicubic"][metric]["value"] is not None


def test_a_fault_takes_one_pair_and_a_request_to_stop_is_none(
    tmp_path: Path, evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = write_pair(tmp_path, "a", coarse(surface(4)), surface(4))

    def stop(fraction: float) -> None:
        raise Cancelled("told to stop")

    with pytest.raises(Cancelled):
        evaluator(pair, stop)
    for error, words in ((ZeroDivisionError("x"), "fault of afmsr"), (MemoryError(), "memory")):

        def fail(*_: Any, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(room, "check_pair", fail)
        record = evaluator(pair).record
        assert record["status"] == "failed" and words in record["reason"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocols": ("bytes",)}, "protocol bytes: choose paper or nm"),
        ({"align": "none"}, "choose protocol or shared or per-method"),
        ({"crop": 0}, "crop 0: give the side"),
        ({"crop": "370"}, "crop '370': give the side"),
        ({"level": "planes"}, "no step is called 'planes'"),
        ({"methods": ()}, "no method can run"),
        ({"metrics": {"peak": "255"}}, "no setting of a metric is called 'peak'"),
        ({"statistics": StatisticsSettings(reference="rcan")}, "'rcan': is not among the methods"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_found_before_anything_is_computed(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        settings(**changes)


def test_all_that_decides_a_score_is_written_down() -> None:
    told = settings().as_dict()
    for field in dataclasses.fields(EvaluationSettings):
        if field.name != "threads":  # a speed, no choice
            assert field.name in told
    assert "bicubic" in told["conventions"]["shared alignment"]
    assert told["metrics"]["psnr_peak"] == "255" and told["alignment"]["ratio"] == 0.75


def test_a_pair_need_not_be_square_nor_four_to_one(tmp_path: Path, evaluator: Evaluator) -> None:
    """The bands of the spectra follow the pair's own ratio of pixel sizes."""
    high = surface(1, 192)[:144]
    low = high.reshape(48, 3, 64, 3).mean(axis=(1, 3))
    record = evaluator(write_pair(tmp_path, "a", low, high)).record
    assert record["status"] == "scored", record["reason"]
    assert record["scores"]["nm"]["bicubic"]["rmse"]["value"] < 0.6
    details = record["scores"]["nm"]["bicubic"]["psd_fine"]["details"]
    coarser = 1000 / 48  # nm between lines, where the low scan has fewest
    assert details["frequencies_per_nm"][1] == pytest.approx(0.5 / coarser, rel=0.01)
