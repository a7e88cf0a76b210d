"""A reference computes what belongs to the truth once, and gives the same numbers to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.metrics import Reference, evaluate, roughness, spectrum, streaks
from afmsr_core.metrics.base import Field
from afmsr_core.normalisation import Normalisation, to_8bit

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:200, :200]
TRUTH = 40.0 * np.sin(X / 17) * np.cos(Y / 23) + RNG.normal(0, 2, X.shape)
TRUTH[60, 20:90] += 30.0
LOW = TRUTH[::4, ::4].copy()
LOW[20, 5:45] += 25.0


def results() -> list[Field]:
    holed = TRUTH + RNG.normal(0, 1, X.shape)
    holed[5, 7] = np.nan  # a spectrum has no value, the others leave the pixel out
    return [
        TRUTH + 0.1 * X + RNG.normal(0, 1, X.shape),
        np.repeat(np.repeat(LOW, 4, 0), 4, 1),
        holed,
    ]


def test_the_same_numbers_in_nm_as_one_by_one() -> None:
    reference = Reference.of(TRUTH, (3.0, 4.0), "nm", {"scale": 4}, unit="nm", low=LOW)
    for result in results():
        alone = evaluate(result, TRUTH, (3.0, 4.0), "nm", {"scale": 4}, low=LOW, upscaled=result)
        together = reference.evaluate(result, upscaled=result)
        assert {n: v.as_dict() for n, v in together.items()} == {
            n: v.as_dict() for n, v in alone.items()
        }
    assert alone["psd_fine"].value is None and alone["rmse"].value is not None


def test_the_same_numbers_in_grey_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path))
    truth, *grey = (to_8bit(Normalisation.of(TRUTH).apply(one)) for one in (TRUTH, *results()[:2]))
    reference = Reference.of(truth, 1.0)
    for one in grey:
        found = {n: v.as_dict() for n, v in reference.evaluate(one).items()}
        assert found == {n: v.as_dict() for n, v in evaluate(one, truth, 1.0).items()}


def test_what_belongs_to_the_truth_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    for module, name in (
        (spectrum, "power_spectrum"),
        (spectrum, "autocorrelation"),
        (roughness, "roughness_of"),
        (streaks, "find_scars"),
    ):
        genuine = getattr(module, name)

        def counted(
            heights: Field, *rest: object, name: str = name, do: object = genuine
        ) -> object:
            calls.append((name, heights.size))
            return do(heights, *rest)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    reference = Reference.of(TRUTH, 1.0, "nm", low=LOW)
    for result in results()[:2]:
        reference.evaluate(result, upscaled=result)
    counts = {name: [called for called, _ in calls].count(name) for name, _ in calls}
    assert counts == {
        "power_spectrum": 3,
        "autocorrelation": 3,
        "roughness_of": 3,
        "find_scars": 2,  # of the truth and of the low scan, none of the results
    }


def test_nothing_of_one_result_reaches_the_next() -> None:
    reference = Reference.of(TRUTH, 1.0, "nm", low=LOW)
    first, second, _ = results()
    reference.evaluate(first, upscaled=first)
    _, _, context = reference.prepare(second)
    assert not context.memo and not context.shared and context.upscaled is None
    assert reference.context.removed is None and not reference.context.memo
    with pytest.raises(FieldError, match="align and crop"):
        reference.evaluate(second[1:])
    with pytest.raises(UsageError, match="psnr: is a metric of the protocol paper"):
        reference.evaluate(second, only=["psnr"])
