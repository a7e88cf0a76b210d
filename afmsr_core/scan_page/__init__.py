"""Scan page: one scan and its result on one page, to look at, to measure and to doubt."""

from __future__ import annotations

from afmsr_core.scan_page.writing import report

__all__ = ["report"]
