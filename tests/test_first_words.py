"""The report's first words say who wins, by how much, and whether that is more than chance."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.evaluation import EvaluationSettings
from afmsr_core.evaluation.comparison import analyses_of, gains_of
from afmsr_core.metrics.fidelity import EQUAL
from afmsr_core.report import gains, long_tables, tables
from afmsr_core.report.contents import Results
from afmsr_core.report.words import summary
from afmsr_core.statistics import plain

METHODS = ("bilinear", "bicubic", "afm")


def record(name: str, errors: dict[str, float | None], psnr: dict[str, float | None]) -> dict:
    """Return a scored pair: RMSE in nm, PSNR in dB, infinite where there is no error."""

    def told(value: float | None) -> dict:
        if value is None:
            return {"value": None, "reason": "not aligned with the truth", "details": {}}
        if np.isinf(value):
            return {"value": None, "reason": EQUAL, "details": {}}
        return {"value": value, "reason": "", "details": {}}

    nm = {m: {"rmse": told(errors[m])} for m in METHODS}
    paper = {m: {"psnr": told(psnr[m])} for m in METHODS}
    return {"id": name, "data_set": "", "status": "scored", "trust": None, "notes": [],
            "high": {"unit": "nm"}, "scores": {"nm": nm, "paper": paper}}  # fmt: skip


def results(tmp: Path, ratios: list[float | None], *, psnr: list[float] | None = None,
            relief: list[float] | None = None) -> Results:  # fmt: skip
    """Return results in which the error of afm over bicubic's is as given, pair by pair."""
    records = []
    for place, ratio in enumerate(ratios):
        height = relief[place] if relief else 1.0 + place
        errors = {"bicubic": height, "bilinear": 1.5 * height,
                  "afm": None if ratio is None else ratio * height}  # fmt: skip
        grey = psnr[place] if psnr else 30.0
        records.append(record(f"p{place}", errors, dict.fromkeys(METHODS, 30.0) | {"afm": grey}))
    chosen = EvaluationSettings(methods=METHODS)
    kinds = {"afm": "network"}
    raw = {
        "methods": [{"name": m, "label": m, "kind": kinds.get(m, "interpolation")}
                    for m in METHODS],
        "metrics": [
            {"name": "rmse", "label": "RMSE", "unit": "height", "lower_is_better": True,
             "protocol": "nm"},
            {"name": "psnr", "label": "PSNR", "unit": "dB", "lower_is_better": False,
             "protocol": "paper"},
        ],
        "pairs": records,
        "gains": plain(gains_of(records, chosen)),
    }  # fmt: skip
    return Results(tmp, raw)


WIN = [0.90, 0.88, 0.93, 0.91, 0.89, 0.92, 0.90, 0.87]
CASES = {
    "a clear win": (WIN, "afm beats bicubic on all 8 pairs, +0.92 dB in the mean [+0.76, +1.08] "
                    "(RMS error 10 % smaller); more than chance explains (p below 0.001)."),
    "a clear loss": ([1 / one for one in WIN],
                     "afm loses to bicubic on all 8 pairs, −0.92 dB in the mean [−1.08, −0.76] "
                     "(RMS error 11 % larger); more than chance explains (p below 0.001)."),
    "a draw": ([0.9, 1 / 0.9, 0.8, 1 / 0.8, 0.95, 1 / 0.95],
               "afm and bicubic each win 3 of 6 pairs, 0.00 dB in the mean [−1.45, +1.45] "
               "(RMS error the same); no more than chance allows (p = 1)."),
    "not more than chance": ([0.9, 0.95, 1.1, 0.85, 1.02, 0.97],
                             "afm beats bicubic on 4 of 6 pairs, +0.34 dB in the mean "
                             "[−0.49, +1.17] (RMS error 3.8 % smaller); no more than chance "
                             "allows (p = 0.34)."),
    "won, but behind in the mean": ([0.99, 0.98, 0.99, 0.97, 2.0],
                                    "afm beats bicubic on 4 of 5 pairs, but −1.08 dB in the mean "
                                    "[−4.51, +2.35] (RMS error 13 % larger); no more than chance "
                                    "allows (p = 0.43)."),
    "one pair": ([0.955], "afm beats bicubic on the only pair, +0.40 dB (RMS error 4.5 % "
                 "smaller); one pair cannot show whether that is chance."),
    "two pairs": ([0.955, 0.9], "afm beats bicubic on both pairs, +0.66 dB in the mean (RMS error "
                  "7.3 % smaller); two pairs cannot show whether that is chance."),
    "the same": ([1.0] * 3, "afm is as good as bicubic on all 3 pairs; three pairs cannot show "
                 "whether that is chance."),
    "failed on some": ([0.9, None, 0.8, None, 0.95],
                       "afm beats bicubic on all 3 pairs on which both were scored (of 5), "
                       "+1.10 dB in the mean (RMS error 12 % smaller); three pairs cannot show "
                       "whether that is chance."),
    "failed on all": ([None, None], "afm and bicubic have no pair on which both were scored."),
    "ten times as good": ([0.1, 0.1], "afm beats bicubic on both pairs, +20.0 dB in the mean (RMS "
                          "error 90 % smaller); two pairs cannot show whether that is chance."),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_sentence_of_a_network(case: str, tmp_path: Path) -> None:
    ratios, said = CASES[case]
    first, *_ = gains.first_words(results(tmp_path, ratios))
    assert first.title == "Heights in nm" and first.sentences[0] == said


def test_mean_interval_and_chance_are_those_of_the_paired_t_test(tmp_path: Path) -> None:
    from scipy.stats import ttest_1samp

    for ratios in (WIN, [0.9, 0.95, 1.1, 0.85, 1.02, 0.97]):
        told = gains.of_data_set(results(tmp_path, ratios), "", "nm")
        (one,) = (gain for gain in told["against_reference"] if gain["method"] == "afm")
        levels = -20 * np.log10(ratios)
        test = ttest_1samp(levels, 0.0)
        ends = test.confidence_interval(0.95)
        assert one["gains"] == pytest.approx(levels)
        found = (one["mean"], one["low"], one["high"], one["p"])
        assert found == pytest.approx((levels.mean(), ends.low, ends.high, test.pvalue))
        assert (one["chance"] == "beyond") == (test.pvalue < 0.05)


def test_a_result_without_error_counts_as_won_and_not_in_the_mean(tmp_path: Path) -> None:
    found = results(tmp_path, WIN[:6], psnr=[31.0, 31.0, np.inf, 31.0, 30.5, 31.5])
    heights, grey = gains.first_words(found)
    assert grey.title == "8-bit grey values, as in the paper"
    assert grey.sentences[0].startswith("afm beats bicubic on all 6 pairs, +1.00 dB in the mean [")
    assert "1 pair without any error counts as won or lost, but not in the mean." in (
        grey.sentences[0])  # fmt: skip
    assert "without any error" not in heights.sentences[0]
    table = gains.table(found, "", "paper")
    assert table is not None and table.rows[2][2].note.startswith("without any error")


def test_heights_of_9_and_of_2150_nm_count_alike(tmp_path: Path) -> None:
    """One pair of high relief decided every mean in nm: here it is lost, and four are won."""
    found = results(tmp_path, [0.9, 0.9, 0.9, 0.9, 1.1], relief=[0.1, 0.2, 9.0, 9.0, 2150.0])
    errors = [found.score(p, "nm", m, "rmse").value for m in ("bicubic", "afm")
              for p in found.pairs]  # fmt: skip
    assert np.mean(errors[5:]) > np.mean(errors[:5])  # as means in nm, afm is worse
    first, *_ = gains.first_words(found)
    assert first.sentences[0].startswith("afm beats bicubic on 4 of 5 pairs, +0.57 dB in the mean")
    means = next(iter(tables.means(found, "", "nm")))
    cells = {row[0].text: row[1] for row in means.rows}
    assert means.head[1].value == "RMSE ÷ bicubic’s"
    assert cells["afm"].value == pytest.approx((0.9**4 * 1.1) ** 0.2)
    assert cells["bicubic"].value == 1.0
    rows = list(csv.DictReader(io.StringIO(dict(long_tables.longs(found))["summary"])))
    (told,) = (row for row in rows if (row["metric"], row["method"]) == ("rmse", "afm"))
    assert float(told["mean"]) == pytest.approx((0.9**4 * 1.1) ** 0.2)
    assert told["scale"] == "ratio to bicubic"


def test_the_tests_on_heights_are_on_ratios(tmp_path: Path) -> None:
    low, high = (results(tmp_path, WIN, relief=relief).pairs
                 for relief in ([1.0] * 8, [0.1, 9, 2150, 3, 0.5, 88, 700, 1]))  # fmt: skip
    chosen = EvaluationSettings(methods=METHODS, protocols=("nm",))
    every = {"value": None, "reason": "", "details": {}}
    from afmsr_core import metrics

    for records in (low, high):
        for one in records:
            for scores in one["scores"]["nm"].values():
                scores |= {m: every for m in metrics.names("nm") if m not in scores}
    one, other = (analyses_of(records, chosen)["nm"][""]["rmse"] for records in (low, high))
    assert one["ratio"] and one["unit"] == "dB"
    a, b = (found["against_reference"][1] for found in (one, other))
    assert a["method"] == b["method"] == "afm"
    for key in ("difference", "p_t", "wins"):  # whatever the relief
        assert a[key] == pytest.approx(b[key], rel=1e-6)
    margin = a["equivalence"]["margin"]["value"]
    assert margin == pytest.approx(20 * np.log10(1.02))  # 2 % of the error


def test_the_best_method_and_by_how_much(tmp_path: Path) -> None:
    heights, _ = gains.first_words(results(tmp_path, [1.05, 1.04, 1.06, 1.05, 1.03]))
    assert heights.sentences[-1] == (
        "The best of the 3 methods is bicubic, 0.39 dB ahead of afm; more than chance explains "
        "(p = 0.0023, corrected for 3 comparisons)."
    )


def test_nanometres_come_first_and_nothing_is_raw(tmp_path: Path) -> None:
    found = results(tmp_path, WIN)
    said = [*(one for one, _ in summary(found)),
            *(line for _, below in summary(found) for line in below)]  # fmt: skip
    assert [one for one in said if one in ("Heights in nm", "8-bit grey values, as in the paper")] \
        == ["Heights in nm", "8-bit grey values, as in the paper"]  # fmt: skip
    for one in said:
        assert not set("{}_") & set(one) and "nan" not in one.lower() and "None" not in one
    rows = list(csv.DictReader(io.StringIO(dict(gains.longs(found))["gains"])))
    assert len(rows) == 8 * 2 * 2  # pairs, methods but for the reference, protocols
    assert float(rows[8]["error ratio"]) == pytest.approx(WIN[0])
