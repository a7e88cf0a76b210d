"""Whether methods differ, by how much, and how surely: tests that use the paired design.

`analyse` runs everything on the `Scores` of one metric and data set; docs/statistics.md says
which test answers which question.
"""

from afmsr_core.statistics.analysis import Analysis, MethodSummary, Settings, analyse, summarise
from afmsr_core.statistics.bootstrap import bca_intervals
from afmsr_core.statistics.effects import cliffs_delta, rank_biserial
from afmsr_core.statistics.equivalence import MARGINS, Equivalence, Margin, tost
from afmsr_core.statistics.gains import Gain, Gains, decibels, gains, gains_of_each, ratio
from afmsr_core.statistics.paired import PairedComparison, compare, holm, signed_rank_p
from afmsr_core.statistics.ranks import Friedman, friedman
from afmsr_core.statistics.result import P_FLOOR, PairMatrix, plain
from afmsr_core.statistics.scores import Scores
from afmsr_core.statistics.tukey import blocked_tukey, one_way_tukey
from afmsr_core.statistics.verdicts import Verdict, bold, no_difference

__all__ = [
    "Analysis",
    "Equivalence",
    "Friedman",
    "Gain",
    "Gains",
    "MARGINS",
    "Margin",
    "MethodSummary",
    "P_FLOOR",
    "PairMatrix",
    "PairedComparison",
    "Scores",
    "Settings",
    "Verdict",
    "analyse",
    "bca_intervals",
    "blocked_tukey",
    "bold",
    "cliffs_delta",
    "compare",
    "decibels",
    "friedman",
    "gains",
    "gains_of_each",
    "holm",
    "no_difference",
    "one_way_tukey",
    "plain",
    "rank_biserial",
    "ratio",
    "signed_rank_p",
    "summarise",
    "tost",
]
