"""What several test files need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, or where AFMSR_SHARED says it is."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("AFMSR_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder; set AFMSR_SHARED")
    return folder
