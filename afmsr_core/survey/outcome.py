"""What an analysis of a study finds: settings, and results from one pair up to all questions."""

from __future__ import annotations

from dataclasses import dataclass

from afmsr_core.statistics import Friedman, PairedComparison, PairMatrix
from afmsr_core.statistics.bootstrap import Settings
from afmsr_core.statistics.result import Floats, Result
from afmsr_core.survey.agreement import Agreement, Repeatability
from afmsr_core.survey.cumulative import CumulativeModel

__all__ = [
    "FRIEDMAN",
    "MODEL",
    "QuestionAnalysis",
    "Settings",
    "SurveyAnalysis",
    "SurveyPair",
    "SurveySummary",
]

MODEL, FRIEDMAN = "cumulative logit model", "Friedman and Wilcoxon on raters × images"
"""What decides: the first, or where it has no finite estimate the second."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SurveySummary(Result):
    """The scores of a method: all first showings, of all raters and images.

    Attributes
    ----------
    method : str
        Name.
    n : int
        Number of scores.
    mean, sd, median : float
        SD with ddof = 1, NaN for a single score.
    shares : ndarray, shape (6,)
        Share of each score from 1 to 6.
    by_rater : ndarray, shape (raters,)
        Mean of every rater.
    by_data_set : dict of str to float
        Mean over the images of every data set.
    """

    method: str
    n: int
    mean: float
    sd: float
    median: float
    shares: Floats
    by_rater: Floats
    by_data_set: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class SurveyPair(Result):
    """Two methods, by one question.

    Attributes
    ----------
    blocks : PairedComparison
        First against second where a rater has scored both on an image; each rater and image is
        a block.
    images : PairedComparison
        The same with each image as one block, of the mean over raters; its interval of the
        difference resamples images.
    odds_ratio, low, high : float
        By the model: odds of a higher score of the first, with Wald's interval.
    p_model, p_model_holm : float
        Of the model, raw and by Holm over all pairs.
    p_tukey, p_nemenyi : float
        One-way Tukey as in the paper; Nemenyi on raters and images as blocks.
    p : float
        Of what decides, after Holm.
    better : str
        The method that is better at the level; empty if no difference is shown.
    """

    first: str
    second: str
    blocks: PairedComparison
    images: PairedComparison
    odds_ratio: float
    low: float
    high: float
    p_model: float
    p_model_holm: float
    p_tukey: float
    p_nemenyi: float
    p: float
    better: str


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionAnalysis(Result):
    """Everything about one question.

    Attributes
    ----------
    summaries : tuple of SurveySummary
        Of every method.
    one_way : PairMatrix
        Tukey's HSD as in the paper: every score for itself.
    model : CumulativeModel
        With a rater's leniency and an image's difficulty taken out.
    blocks, images : Friedman
        Raters and images as blocks; images as blocks, averaged over raters.
    pairs : tuple of SurveyPair
        Of all methods with scores.
    decided_by : str
        `MODEL` or `FRIEDMAN`.
    p_any : float
        Of any difference between methods, by what decides.
    why : str
        Why that decides.
    agreement : Agreement
        Between raters.
    notes : tuple of str
        What to know before reading the numbers.
    """

    question: str
    summaries: tuple[SurveySummary, ...]
    one_way: PairMatrix
    model: CumulativeModel
    blocks: Friedman
    images: Friedman
    pairs: tuple[SurveyPair, ...]
    decided_by: str
    p_any: float
    why: str
    agreement: Agreement
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SurveyAnalysis(Result):
    """Everything about a study.

    Attributes
    ----------
    settings : Settings
        With which it was computed.
    questions : tuple of QuestionAnalysis
        One for each question.
    repeatability : dict of str to dict of str to Repeatability
        By question, then by rater; under ``""`` that of all raters together.
    notes : tuple of str
        What is in no test, and by which rule.
    """

    settings: Settings
    questions: tuple[QuestionAnalysis, ...]
    repeatability: dict[str, dict[str, Repeatability]]
    notes: tuple[str, ...]
