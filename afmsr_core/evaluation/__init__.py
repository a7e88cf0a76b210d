"""Evaluation: every method on every pair, aligned, scored and compared.

The second corridor: pairs in; scores, tests and a report out.
"""

from __future__ import annotations

from afmsr_core.evaluation.pair import Evaluator
from afmsr_core.evaluation.run import begin, collect, methods_at_hand, outcome_of, outdated, runs
from afmsr_core.evaluation.settings import PROTOCOLS, EvaluationSettings

__all__ = [
    "PROTOCOLS",
    "EvaluationSettings",
    "Evaluator",
    "begin",
    "collect",
    "methods_at_hand",
    "outcome_of",
    "outdated",
    "runs",
]
