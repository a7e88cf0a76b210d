"""Training is reproducible, resumable, and keeps to the licences and to the samples set aside."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.methods.afm_network import AfmNetwork
from afmsr_core.simulation.acquisition import Acquisition
from training import corpus
from training.bad_lines import with_bad_lines
from training.batches import Source, batches
from training.fields import generated_fields, of_itself, real_fields
from training.fit import CHECKPOINT_EVERY, Recipe, fit
from training.lessons import about as known
from training.lessons import lessons, teach
from training.score import best_shift, interpolated, score
from training.table import gains, table, wins


@pytest.fixture(scope="module")
def scans() -> list[corpus.Scan]:
    """Two generated scans, so that training itself needs no real data."""
    rng = np.random.default_rng(0)
    made = []
    for name in ("one", "two"):
        y, x = np.mgrid[0:160, 0:160] / rng.uniform(3, 9)
        heights = np.sin(x) * np.cos(y) + 0.1 * rng.normal(size=x.shape)
        made.append(
            corpus.Scan(
                id=name, file_sha256=name, sample=name, category="", licence="MIT", source="",
                quality="good", nm_per_px=1.0, heights=heights,
            )
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def source(scans: list[corpus.Scan]) -> Source:
    return Source((real_fields(scans, []), 1.0))


def test_nothing_without_a_permissive_licence_is_trained_on(shared: Path) -> None:
    trained = corpus.training_scans(shared / "data" / "afm")
    assert len(trained) > 30
    assert not [scan.licence for scan in trained if "GPL" in scan.licence]


@pytest.mark.parametrize("splits", [("train",), corpus.SPLITS], ids=str)
def test_samples_set_aside_are_never_trained_on(shared: Path, splits: tuple[str, ...]) -> None:
    folder = shared / "data" / "afm"
    trained, aside = corpus.training_scans(folder, splits), corpus.set_aside_scans(folder, splits)
    assert not {scan.sample for scan in trained} & {scan.sample for scan in aside}
    share = len({s.sample for s in aside}) / len({s.sample for s in trained + aside})
    assert 0.15 < share < 0.3


def test_dev_files_are_not_in_the_training(shared: Path) -> None:
    folder = shared / "data" / "afm"
    dev = {scan.file_sha256 for scan in corpus.dev_scans(folder)}
    assert len(dev) == 27
    assert not dev & {scan.file_sha256 for scan in corpus.training_scans(folder)}


def test_unseen_samples_are_in_no_training(shared: Path) -> None:
    folder = shared / "data" / "afm"
    unseen = {scan.sample for scan in corpus.unseen_scans(folder)}
    assert len(unseen) > 25
    assert not unseen & {scan.sample for scan in corpus.training_scans(folder)}
    assert not unseen & {scan.sample for scan in corpus.dev_scans(folder)}


@pytest.mark.parametrize("scale", [SQUARE, LINES_X4, LINES_X2], ids=str)
def test_truth_is_registered_to_the_coarse_scan(scans: list[corpus.Scan], scale: Scale) -> None:
    source = Source((real_fields(scans, [], scale), 1.0))
    rng = np.random.default_rng(0)
    batch = next(batches(source, rng, size=16, patch=96 // scale.rows, scale=scale))
    shifts = []
    for coarse, fine in zip(batch.coarse, batch.fine, strict=True):
        assert fine[0].shape == (96, 96)
        upscaled = interpolated(coarse[0], scale)
        shifts.append(best_shift(upscaled.astype(float), fine[0].astype(float)))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.05


def test_a_retrace_is_trained_on_its_trace() -> None:
    """The trace lies some pixels off; the truth of a patch must not."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    surface = ndimage.gaussian_filter(rng.normal(size=(280, 290)), 4)
    surface *= 10 / surface.std()
    trace, retrace = (
        surface[10:266, left : left + 256] + rng.normal(0, 0.05, (256, 256)) for left in (12, 17)
    )
    pair = corpus.TracePair("made", trace, retrace, (1.0, 1.0))
    [field] = real_fields([], [pair])["made"]
    for row, truth in field.truths.items():
        expected = ndimage.shift(field.fine, (1.5 - row, 0), order=5, mode="nearest")
        assert np.abs(best_shift(truth.astype(float), expected.astype(float))).max() < 0.1
        assert not np.array_equal(truth, expected)  # noise of its own


def test_generated_fields_are_the_same_for_the_same_seed() -> None:
    once, again, other = (generated_fields(1, seed) for seed in (1, 1, 2))
    for kind, [field] in once.items():
        assert np.array_equal(field.fine, again[kind][0].fine)
        assert not np.array_equal(field.fine, other[kind][0].fine)


def test_a_kind_that_is_named_is_generated_alone() -> None:
    assert list(generated_fields(2, 0, kinds=["lattice"])) == ["lattice"]
    assert not {"lattice", "edges"} & set(generated_fields(1, 0))


def test_bad_lines_are_narrow_and_stand_in_the_truth_too() -> None:
    y, x = np.mgrid[0:200, 0:200] / 40
    smooth = of_itself(np.sin(x) + np.cos(y), SQUARE)
    (spoiled,) = with_bad_lines({"smooth": [smooth]}, seed=5)["smooth"]

    def jumps(heights: NDArray[np.floating]) -> NDArray[np.bool_]:
        curve = np.abs(np.diff(heights, n=2, axis=0))
        return np.asarray((curve > 10 * np.abs(np.diff(smooth.fine, n=2, axis=0)).max()).any(1))

    bad = jumps(spoiled.fine)
    assert not jumps(smooth.fine).any()
    assert 0 < bad.sum() < 60  # of 200 lines, three or four for each bad one
    assert np.convolve(bad, np.ones(9), "valid").max() < 9
    for row, truth in spoiled.truths.items():
        assert jumps(truth)[bad].mean() > 0.9, row


def test_a_network_for_lines_starts_from_one_for_squares_as_bicubic() -> None:
    torch.manual_seed(0)
    known = AfmNetwork(2)
    torch.nn.init.normal_(known.tail.weight)
    grown = AfmNetwork.grown_from(known.state_dict(), 2, LINES_X4)
    flat = torch.rand(1, 1, 6, 5).repeat_interleave(4, dim=3)  # all points of a square alike
    assert torch.equal(grown(flat), torch.zeros(1, 1, 24, 20))
    assert torch.equal(grown.body[1].first.weight, known.body[1].first.weight)
    inner = grown.head(flat)
    assert torch.allclose(inner, known.head(flat[..., ::4]), atol=1e-6)


def test_all_kinds_of_fields_are_drawn_in_their_shares(scans: list[corpus.Scan]) -> None:
    real, generated = real_fields(scans, []), generated_fields(1, 0)
    kinds = list(generated)
    first, second = ({kind: generated[kind]} for kind in kinds[:2])
    mixed = Source((first, 0.25), ({}, 0.5), (second, 0.1), (real, 1.0))
    rng = np.random.default_rng(0)
    drawn = [id(mixed.draw(rng)) for _ in range(2000)]
    for kind, share in zip(kinds, (0.25, 0.1), strict=False):
        assert abs(np.mean([one == id(generated[kind][0]) for one in drawn]) - share) < 0.03


def test_a_lesson_lies_between_the_truth_and_the_teacher(
    scans: list[corpus.Scan], tmp_path: Path
) -> None:
    """Written once, taken up where it stopped, with fresh noise on a scan that had none."""
    fields, said = real_fields(scans, []), []

    def teacher(coarse: np.ndarray) -> np.ndarray:
        said.append(coarse)
        return interpolated(coarse, SQUARE) + 1

    about = {"teacher": "bicubic and one", "weights_sha256": "0"}
    for number in (3, 5):  # interrupted, and taken up
        teach(fields, teacher, tmp_path, number=number, seed=7, about=about, report=print)
    assert len(said) == 5
    assert known(tmp_path) == {**about, "number": 5, "seed": 7}
    truths, taught, mixed = (lessons(tmp_path, trust) for trust in (0.0, 1.0, 0.5))
    assert {sample: len(of) for sample, of in truths.items()} == {"one": 3, "two": 2}
    rng = np.random.default_rng(0)
    for sample, of in truths.items():
        for truth, told, lesson in zip(of, taught[sample], mixed[sample], strict=True):
            assert np.allclose(lesson.fine, (truth.fine + told.fine) / 2, atol=1e-6)
            assert np.allclose(told.fine - 1, interpolated(lesson.coarse, SQUARE), atol=1e-5)
            window = lesson.window(8, rng)
            coarse, fine = lesson.scanned(window, Acquisition(row=1, noise=0.01), rng)
            assert fine.shape == (32, 32) and np.array_equal(fine, lesson.fine[window])
            rows, columns = (slice(one.start // 4, one.stop // 4) for one in window)
            added = coarse - lesson.coarse[rows, columns]
            assert 0.007 < added.std() < 0.013


def test_interrupted_training_ends_with_the_same_weights(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.CHECKPOINT_EVERY", 3)
    torch.set_num_threads(1)
    recipe = Recipe(steps=8, batch=2, patch=8)

    def train(folder: Path, stop_at: int | None = None) -> dict[str, torch.Tensor]:
        def report(line: str) -> None:
            if stop_at and line.startswith(f"step {stop_at},"):
                raise KeyboardInterrupt

        network = fit(source, recipe, folder, report=report, validate=lambda network: {})
        return network.state_dict()

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", stop_at=6)
    resumed = train(tmp_path / "parts")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    rows = list(csv.reader((tmp_path / "parts" / "log.csv").open()))
    assert [row[0] for row in rows[1:]] == ["3", "6", "8"]


def test_a_checkpoint_of_another_recipe_is_refused(source: Source, tmp_path: Path) -> None:
    settings = {"report": lambda line: None, "validate": lambda network: {}}
    fit(source, Recipe(steps=1, batch=1, patch=8), tmp_path, **settings)
    with pytest.raises(ValueError, match="another recipe"):
        fit(source, Recipe(steps=2, batch=1, patch=8), tmp_path, **settings)
    assert CHECKPOINT_EVERY > 1


def test_scores_are_registered(scans: list[corpus.Scan]) -> None:
    """The perfect method, which knows the scan, is not punished for the half pixel."""
    from scipy import ndimage

    truths = {scan.levelled.shape: scan.levelled for scan in scans[:1]}

    def knows(coarse: np.ndarray) -> np.ndarray:
        fine = truths[coarse.shape[0] * 4, coarse.shape[1] * 4]
        # The line that was taken is found by comparing, as the method is not told.
        row = min((1, 2), key=lambda r: float(np.abs(fine[r::4, 1::4] - coarse).mean()))
        return ndimage.shift(fine, (1.5 - row, 0), order=5, mode="nearest")

    def bicubic(coarse: np.ndarray) -> np.ndarray:
        return np.repeat(np.repeat(coarse, 4, 0), 4, 1)

    names = ("bilinear", "bicubic", "lanczos4")
    methods = {**dict.fromkeys(names, bicubic), "afm": knows}
    scores = score(scans[:1], methods, "clean")
    assert scores["afm"][0].psnr > scores["bicubic"][0].psnr + 5
    assert np.hypot(*scores["afm"][0].shift) < 0.02
    assert wins(scores, "afm") == 1.0
    assert "| afm |" in table(scores)
    gain = scores["afm"][0].psnr - scores["bicubic"][0].psnr
    assert f"| one | +0.00 | +0.00 | {gain:+.2f} |" in gains(["one"], scores)
