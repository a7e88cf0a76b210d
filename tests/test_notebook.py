"""The notebook of the docs runs, and is the one that its script makes."""

from __future__ import annotations

import nbformat

from docs.notebook import TARGET, executed, notebook


def test_it_is_what_its_script_makes() -> None:
    kept = nbformat.read(TARGET, as_version=4)
    made = notebook()
    assert [cell.source for cell in kept.cells] == [cell.source for cell in made.cells]


def test_it_runs_and_shows_a_result_better_than_interpolation() -> None:
    shown = executed()
    nbformat.validate(shown)
    said = [out for cell in shown.cells for out in cell.get("outputs", ())]
    assert sum("image/png" in out.get("data", {}) for out in said) == 3
    text = "".join(out.text for out in said if out.output_type == "stream")
    rmse = {line.split(":")[0].strip(): float(line.split()[-2]) for line in text.splitlines()
            if "RMSE" in line}  # fmt: skip
    assert rmse["afm"] < 0.8 * rmse["bicubic"] < rmse["bicubic"] <= rmse["bilinear"]
