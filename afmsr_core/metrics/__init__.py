"""Metrics: what a result is worth beside the truth, each a frozen descriptor in a registry.

A metric is one descriptor in one file of this folder (its tuple ``METRICS``). What cannot be
computed is a :class:`Value` without a number and with the reason.
"""

from __future__ import annotations

from afmsr_core.metrics.base import Context, Metric, Setting, Value
from afmsr_core.metrics.evaluation import Reference, evaluate, prepare
from afmsr_core.metrics.registry import get, metrics, names, resolve

__all__ = [
    "Context",
    "Metric",
    "Reference",
    "Setting",
    "Value",
    "evaluate",
    "get",
    "metrics",
    "names",
    "prepare",
    "resolve",
]
