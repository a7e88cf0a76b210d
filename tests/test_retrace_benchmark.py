"""The public benchmark compares independent measurements, registered, and drops what is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from afmsr_core.channel import Channel
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.retrace.__main__ import main
from benchmarks.retrace.pairs import Pair, read_pairs, trained_samples
from benchmarks.retrace.score import CEILING, Outcome, score_pair
from benchmarks.retrace.table import summarise

SIDE = 128
LAG = 5.0  # pixels from trace to retrace
WIDEST = 0.7  # pixels that hysteresis adds across the field


def upscaler(name: str) -> Upscaler:
    return Upscaler(Settings(method=name, restore_background=False, threads=1))


def surface(seed: int, detail: float) -> np.ndarray:
    """Return a surface in nm, larger than a scan on all sides."""
    rough = np.random.default_rng(seed).normal(size=(SIDE + 32, SIDE + 32))
    smooth = ndimage.gaussian_filter(rough, detail)
    return 20 * smooth / smooth.std()


def scans(seed: int, noise: float, detail: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a trace and a retrace with lag, hysteresis, own tilt and own noise."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float) + 16
    rng = np.random.default_rng(seed + 100)
    made = []
    for lag, tilt in ((0.0, 0.1), (LAG, -0.3)):
        at = np.stack([y, x - lag - (lag > 0) * WIDEST * (x - 16) / SIDE])
        heights = ndimage.map_coordinates(surface(seed, detail), at, order=5)
        made.append(heights + tilt * x + rng.normal(0, noise, heights.shape))
    return made[0], made[1]


def pair(trace: np.ndarray, retrace: np.ndarray, sample: str = "one") -> Pair:
    return Pair(f"made__{sample}__height_for", sample, "MIT", trace, retrace, (10.0, 10.0))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six generated pairs in the corpus's form, one of them of two different surfaces."""
    folder = tmp_path_factory.mktemp("corpus")
    for split, licence in (("dev", "GPL-3.0"), ("train", "MIT")):
        fields, index, listed = {}, [], []
        for number in range(6):
            trace, retrace = scans(number, noise=0.3)
            if number == 5:
                retrace = scans(77, noise=0.3)[1]
            mirrored = number == 1
            ids = f"made__s{number}__height_for", f"made__s{number}__height_bac"
            fine = trace, retrace[:, ::-1] if mirrored else retrace
            for key, heights in zip(ids, fine, strict=True):
                scale = float(np.ptp(heights)) / 65535
                fields[key] = np.round((heights - heights.min()) / scale).astype(np.uint16)
                index.append(
                    {
                        "id": key, "file_sha256": key, "sample": f"sample {number}",
                        "category": "made", "source": "made", "quality": "good",
                        "licence": licence if number else "GPL-3.0", "nm_per_px": 10.0,
                        "xres": SIDE, "yres": SIDE, "z_scale_nm": scale,
                        "z_offset_nm": float(heights.min()),
                        "xreal_nm": None if number == 2 else 10.0 * SIDE,
                        "yreal_nm": None if number == 2 else 10.0 * SIDE,
                    }
                )  # fmt: skip
            listed.append(
                {"kind": "trace_retrace", "forward": ids[0], "backward": ids[1],
                 "backward_mirrored": mirrored}
            )  # fmt: skip
        listed.append({"kind": "zoom"})
        np.savez(folder / f"{split}.npz", **fields)
        (folder / f"{split}_index.json").write_text(json.dumps(index))
        (folder / f"pairs_{split}.json").write_text(json.dumps(listed))
    return folder


def test_a_perfect_method_on_a_noiseless_pair_scores_as_the_retrace_does() -> None:
    """The offset of the line that was taken has the right sign and size in every result."""
    trace, retrace = scans(0, noise=0.0)
    outcome = score_pair(pair(trace, retrace), {"bicubic": upscaler("bicubic")})
    assert outcome.reason == ""
    # Without the offset 37 dB would be left, with the wrong sign 31 dB.
    assert outcome.scores[CEILING]["psnr"] > 50
    assert outcome.scores["bicubic"]["psnr"] > 44


def test_a_method_sees_every_fourth_line_and_two_pixels_of_the_retrace() -> None:
    seen: list[Channel] = []
    bicubic = upscaler("bicubic")
    trace, retrace = scans(0, noise=0.3)
    flat = retrace - retrace.mean()

    def spy(low: Channel) -> Channel:
        seen.append(low)
        return bicubic(low)

    score_pair(pair(trace, flat), {"bicubic": spy})
    assert [low.heights.shape for low in seen] == [(SIDE // 4, SIDE // 4)] * 2
    for row, low in zip((1, 2), seen, strict=True):
        taken = flat[row::4].reshape(SIDE // 4, SIDE // 4, 4)[:, :, 1:3].mean(axis=2)
        assert np.ptp(np.diff(low.heights - taken)) < 1e-9 * np.ptp(flat)  # but for the plane
        assert low.dx == 40.0


def test_a_method_on_lines_sees_all_pixels_of_the_same_lines() -> None:
    seen: list[Channel] = []
    linear = Upscaler(Settings(method="bilinear", restore_background=False, scale="1x4"))
    trace, retrace = scans(0, noise=0.0)
    flat = retrace - retrace.mean()

    def spy(low: Channel) -> Channel:
        seen.append(low)
        return linear(low)

    methods = {"bilinear": upscaler("bilinear"), "lines bilinear": spy}
    outcome = score_pair(pair(trace, flat), methods)
    for row, low in zip((1, 2), seen, strict=True):
        assert np.ptp(np.diff(low.heights - flat[row::4])) < 1e-9 * np.ptp(flat)
        assert (low.dx, low.dy) == (10.0, 40.0)
    # Along the lines nothing is lost, and the offset of the line that was taken is made good.
    gain = outcome.scores["lines bilinear"]["psnr"] - outcome.scores["bilinear"]["psnr"]
    assert 1.0 < gain < 6.1


def test_what_lies_further_apart_than_the_rule_is_dropped() -> None:
    trace, retrace = scans(0, noise=0.3)
    bent = np.stack(np.mgrid[0:SIDE, 0:SIDE].astype(float))
    bent[1] += 2.5 * np.sin(bent[0] / 6)  # lines that jump to and fro: no map follows them
    torn = ndimage.map_coordinates(retrace, bent, order=3, mode="nearest")
    methods = {"bicubic": upscaler("bicubic")}
    outcome = score_pair(pair(trace, torn), methods)
    assert "beyond 0.5 px" in outcome.reason
    assert not outcome.scores
    assert score_pair(pair(trace, torn), methods, max_residual=4.0).scores
    assert "beyond" not in score_pair(pair(trace, retrace), methods).reason


def test_run_prints_tables_and_writes_scores_and_figures(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        words = ["--corpus", str(corpus), "--methods", "bilinear,bicubic,afm", "--threads", "1"]
        assert main([*words, "--lines", "-o", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "dev: 5 scans of 5 samples" in printed
    assert "| afm |" in printed and "| lines bicubic |" in printed
    assert "| 512 x 128, cubic between lines |" in printed and "| 128 x 128, afm |" in printed
    assert "- s5 (sample 5): " in printed
    names = ["cases.png", "cases.svg", "gains.png", "gains.svg", "scores.json"]
    assert sorted(path.name for path in folders[0].iterdir()) == names
    for name in names:  # the same bytes every time
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    result = json.loads((folders[0] / "scores.json").read_text())
    assert [bool(one["scores"]) for one in result["pairs"]] == [True] * 5 + [False]
    assert len(result["methods"]["afm"]["weights_sha256"]) == 64
    rows = {row["method"]: row for row in result["tables"][0]["rows"]}
    assert rows[CEILING]["gain"] > rows["lines bicubic"]["gain"]  # a method may have less noise
    assert rows["afm"]["ci_low"] < rows["afm"]["gain"] < rows["afm"]["ci_high"]


def test_a_network_is_not_scored_on_what_it_was_trained_on(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained_samples(corpus) == {f"sample {number}" for number in range(1, 6)}
    words = ["--corpus", str(corpus), "--split", "train", "--methods", "bicubic,afm", "--lines"]
    assert main([*words, "--threads", "1"]) == 0
    first, second = capsys.readouterr().out.split("### ")[1:]
    assert first.startswith("train, methods not trained on it: 5 scans")
    assert "afm" not in first
    assert second.startswith("train, samples that afm was not trained on: 1 scan of 1 sample")
    assert "| afm |" in second


def test_scans_of_one_sample_count_as_one_in_the_interval() -> None:
    rest = {"ssim": 0.9, "rmse": 1.0, "sq": 0.0, "sdq": 0.0, "sharpness": 0.0}
    field = np.zeros((4, 4))
    widths = []
    for samples in (12, 6):
        made = []
        for number in range(12):
            sample = number % samples
            scan = Pair(f"made__{number}__height_for", f"{sample}", "MIT", field, field, (1.0, 1.0))
            gains = {"bicubic": 0.0, "bilinear": float((number % 6) ** 2), CEILING: 3.0}
            scores = {name: {"psnr": 30 + gain, **rest} for name, gain in gains.items()}
            made.append(Outcome(scan, scores=scores))
        row = {row["method"]: row for row in summarise(made, ["bicubic", "bilinear"])}["bilinear"]
        assert (row["scans"], row["samples"]) == (12, samples)
        widths.append(row["ci_high"] - row["ci_low"])
    assert widths[1] > 1.2 * widths[0]  # twice the same says no more than once


def test_bad_input_is_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--corpus", str(tmp_path)]) == 2
    assert "pairs_dev.json" in capsys.readouterr().err
    assert main(["--corpus", str(corpus), "--weights", "carn_m"]) == 2
    assert "METHOD=FILE" in capsys.readouterr().err
    assert main(["--corpus", str(corpus), "--weights", "carn_m=nowhere.pth"]) == 4
    assert "nowhere.pth" in capsys.readouterr().err


def test_a_real_pair_is_aligned_and_scored(shared: Path) -> None:
    pairs = read_pairs(shared / "data" / "afm", "dev")
    assert len(pairs) == 16
    grains = next(one for one in pairs if "perovskite" in one.sample)
    outcome = score_pair(grains, {name: upscaler(name) for name in ("bicubic", "afm")})
    assert outcome.reason == ""
    assert outcome.alignment["shift_px"][0] == pytest.approx(-9.85, abs=0.3)  # of the pair list
    assert outcome.scores["afm"]["psnr"] > outcome.scores["bicubic"]["psnr"]
