"""Planning: from one quick scan, which settings of the next reach an error in the least time."""

from __future__ import annotations

from afmsr_core.planning.planned import plan
from afmsr_core.planning.result import Plan

__all__ = ["Plan", "plan"]
