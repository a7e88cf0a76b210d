"""What ships with afmsr: the weights of its network, their model card and an example."""

from __future__ import annotations

from pathlib import Path

__all__ = ["example_pair"]

_HERE = Path(__file__).parent


def example_pair() -> tuple[Path, Path]:
    """Return the simulated example: a 128 x 128 scan (.gwy) and a 512 x 512 scan (.gsf)."""
    return _HERE / "example_low.gwy", _HERE / "example_high.gsf"
