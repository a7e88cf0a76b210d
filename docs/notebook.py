"""Make docs/python.ipynb, which shows afmsr in Python: ``python -m docs.notebook``.

The cells are below; they are run here, so that what they show is in the file.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TARGET = Path(__file__).parent / "python.ipynb"

STEPS = (
    (
        """\
# afmsr in Python

A scan is a `Channel`: heights in nm with the size of the area, offsets, unit, mask and history.
`afmsr.read` gives the channels of a file; here it is the simulated scan that ships with afmsr.""",
        """\
import afmsr

coarse, fine = afmsr.example_pair()
(scan,) = afmsr.read(coarse)
scan""",
    ),
    (
        """\
`upscale` takes a channel, a path, an array with its size and unit, or an `xarray.DataArray`.
The result covers the same area with four times the pixels along each axis.""",
        """\
result = afmsr.upscale(scan)
result""",
    ),
    (
        "It says how it came about, and so does every file that it is written to.",
        """\
for step in result.history:
    print(step.name, "-", step.effect)""",
    ),
    (
        """\
## Is it better than interpolation?

The example has a truth: the same simulated surface, scanned with 512 x 512 pixels. Heights are
compared in nm. On real samples, `afmsr-eval` does this with alignment and statistics.""",
        """\
import numpy as np

(truth,) = afmsr.read(fine)
for method in ("bilinear", "bicubic", "afm"):
    error = np.asarray(afmsr.upscale(scan, method=method)) - np.asarray(truth)
    print(f"{method:>8}: RMSE {np.std(error):.3f} nm")""",
    ),
    (
        """\
## Profiles and pictures

`to_pandas` gives a profile, `plot` draws the field with Matplotlib.""",
        """\
import matplotlib.pyplot as plt

figure, (field, line) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(1, 1.4))
result.plot(field)
row = 200
scan.to_pandas(row=row // 4).plot(ax=line, style=".", label="scan")
result.to_pandas(row=row).plot(ax=line, label="result")
truth.to_pandas(row=row).plot(ax=line, label="truth", linewidth=0.8)
line.set_ylabel("nm")
line.legend()
figure.tight_layout()""",
    ),
    (
        "`to_xarray` gives the field with coordinates in nm, to select by place.",
        'result.to_xarray().sel(x=1000, method="nearest").sel(y=slice(500, 520))',
    ),
    (
        """\
## Your own array

Nothing is guessed: an array needs its size and its unit.""",
        """\
heights = np.random.default_rng(0).normal(size=(64, 64)).cumsum(axis=1) * 1e-9
print(afmsr.upscale(heights, size=(1000, 1000), unit="m"))""",
    ),
)
"""What is said and what is run, in turns."""


def notebook() -> nbformat.NotebookNode:
    """Return the notebook, not yet run."""
    made = new_notebook()
    for number, (text, code) in enumerate(STEPS):
        # Else each cell would have a new name each time.
        made.cells.append(new_markdown_cell(text, id=f"text-{number}"))
        made.cells.append(new_code_cell(code, id=f"code-{number}"))
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def executed() -> nbformat.NotebookNode:
    """Return the notebook with what its cells show.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    made = notebook()
    NotebookClient(made, timeout=300, record_timing=False).execute()
    for cell in made.cells:  # a picture needs no text beside it
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}) and "Figure" in output.data["text/plain"]:
                output.data["text/plain"] = ""
    del made.metadata["language_info"]["version"]
    return made


if __name__ == "__main__":
    nbformat.write(executed(), TARGET)
    print(TARGET)
