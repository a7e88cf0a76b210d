"""The log of a training as a picture."""

from __future__ import annotations

import csv
from pathlib import Path


def draw(folder: Path) -> Path:
    """Draw ``curves.png`` from the ``log.csv`` in `folder`; return where it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([int(r["step"]) for r in rows], [float(r["loss"]) for r in rows], color="#0072b2")
    left.set(xlabel="step", ylabel="loss", title="training")
    judged = [row for row in rows if row["gain_clean_db"]]
    steps = [int(row["step"]) for row in judged]
    for name, colour in (("clean", "#0072b2"), ("noisy", "#d55e00")):
        gains = [float(row[f"gain_{name}_db"]) for row in judged]
        right.plot(steps, gains, "o-", color=colour, label=name)
    right.axhline(0, color="0.6", linewidth=0.8)
    right.set(xlabel="step", ylabel="gain over bicubic, dB", title="samples set aside")
    right.legend(frameon=False)
    target = folder / "curves.png"
    figure.savefig(target, dpi=150)
    return target
