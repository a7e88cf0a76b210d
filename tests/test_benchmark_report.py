"""The benchmark's report: what a part prints is what the page and the data hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import clock, machine, real_weights, report, rivals
from benchmarks.parts import NAMES, part

TABLE = """CPU, 2 processors, load 0.1

| way | seconds | ratio | ratio |
|---|---|---|---|
| ours | 0.5 | 1.00 | 1.00 |
| theirs | 0.104 (0.101-0.120) | 2 | 3.5 |

Text | with a bar.
| next |
|---|
"""


def test_tables_are_read_back_as_printed() -> None:
    first, second = report.tables(TABLE)
    assert first["columns"] == ["way", "seconds", "ratio", "ratio"]
    assert first["rows"] == [
        ["ours", 0.5, 1.0, 1.0],
        ["theirs", "0.104 (0.101-0.120)", 2.0, 3.5],
    ]
    assert second == {"columns": ["next"], "rows": []}


def test_only_the_block_of_the_page_changes() -> None:
    page = f"# Mine\n\n{report.BEGIN}\nold\n{report.END}\n\n## Yours\n"
    new = report.filled(page, "new")
    assert new == f"# Mine\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\n## Yours\n"
    assert report.filled(new, "new") == new
    with pytest.raises(SystemExit, match="has no"):
        report.filled("# Nothing marked\n", "new")


def test_the_page_in_the_docs_has_the_block() -> None:
    page = (report.DOCS / "performance.md").read_text(encoding="utf-8")
    report.filled(page, "new")


def test_every_part_of_the_report_exists_and_takes_its_options() -> None:
    import argparse

    for name, command in report.commands(2).items():
        assert name in report.HEADINGS
        module, *rest = command.split()
        if module == "benchmarks":
            parser = argparse.ArgumentParser()
            part(rest[0]).add_options(parser)
            parser.parse_args(rest[1:])
    assert set(report.commands(2)) - {"metrics"} <= set(NAMES)


def test_a_part_goes_from_its_process_to_page_and_data(tmp_path: Path, monkeypatch) -> None:
    page, data = tmp_path / "performance.md", tmp_path / "performance.json"
    page.write_text(f"before {report.BEGIN} {report.END} after", encoding="utf-8")
    short = {"startup": "benchmarks startup --runs 1", "metrics": "benchmarks.no_such_module"}
    monkeypatch.setattr(report, "commands", lambda threads: short)
    import argparse

    parser = argparse.ArgumentParser()
    report.add_options(parser)
    args = parser.parse_args(["--docs", str(tmp_path)])
    with pytest.raises(SystemExit, match="failed: metrics"):
        report.run(args)
    told = json.loads(data.read_text(encoding="utf-8"))
    assert told["seed"] == 0 and told["versions"]["numpy"] and told["machine"]["processors"]
    found = told["parts"]["startup"]
    assert (found["failed"], told["parts"]["metrics"]["failed"]) == (False, True)
    rows = found["tables"][0]["rows"]
    assert rows[0][0] == "python -c 'import argparse'" and 0 < rows[0][1] < 10
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before ") and text.endswith(" after")
    assert f"| {rows[0][0]} | {rows[0][1]:.3f} |" in text
    assert "python -m benchmarks startup --runs 1" in text and "Failed:" in text
    # Again, without what failed: it is kept as it was.
    with pytest.raises(SystemExit, match="choose of startup, metrics"):
        report.run(parser.parse_args(["--docs", str(tmp_path), "--parts", "nonsense"]))


def test_times_are_medians_with_their_spread() -> None:
    taken = iter([9.0, 0.1, 0.4, 0.2])
    call = {"": lambda: clock.Elsewhere(next(taken), 7.0)}
    times = clock.turns(call, 3)[""]
    assert (times.median, times.low, times.high) == (0.2, 0.1, 0.4)
    assert str(times) == "0.200 (0.100-0.400)"
    assert clock.turns({"": lambda: clock.Elsewhere(1.0, 7.0)}, 0, "cpu")[""].median == 7.0


def test_a_rival_answers_from_its_own_interpreter() -> None:
    """Here with ONNX Runtime in this one; OpenCV's contrib build is not here and says so."""
    pytest.importorskip("onnxruntime")
    from afmsr_core import data

    model = Path(data.__file__).parent / "afm.onnx"
    with rivals._peer(sys.executable, "onnxruntime", model, 16, 1) as (call, name):
        assert name.startswith("ONNX Runtime ")
        assert 0 < call().wall < 10
    import cv2

    if not hasattr(cv2, "dnn_superres"):
        with rivals._peer(sys.executable, "opencv", model, 16, 1) as refused:
            assert "opencv-contrib-python" in refused


def test_the_scale_that_is_timed_is_that_of_gwyddion(tmp_path: Path) -> None:
    if shutil.which("gwyddion") is None:
        pytest.skip("Gwyddion 2 is not installed (apt-get install gwyddion)")
    from afmsr_core import data
    from afmsr_core.io.gwy import GwyFile
    from benchmarks import click

    target = tmp_path / "out.gwy"
    job = {
        "source": str(data.example_pair()[0]),
        "target": str(target),
        "runs": 0,
        "calls": {
            "Key": ("scale", {"ratio": 4.0, "interp": click.INTERPOLATIONS["Key (bicubic)"]})
        },
    }
    kept = {
        name: os.environ[name] for name in os.environ if not name.startswith(("XDG_", "DISPLAY"))
    }
    done = subprocess.run(
        [sys.executable, click.INSIDE, json.dumps(job)],
        env=kept | {"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["Key"][0] > 0
    file = GwyFile.open(target)
    assert [channel.heights.shape for channel in file.channels()] == [(128, 128), (512, 512)]
    said = file.log(1)[-1]
    assert all(part in said for part in ("proc::scale(", "ratio=4", "interp=2"))


def test_weights_are_named_for_what_they_are(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("torchsr")
    from afmsr_core.methods import registry

    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "empty"))
    assert real_weights.weights_of(registry.get("afm"), tmp_path) == (None, "shipped")
    file, which = real_weights.weights_of(registry.get("ninasr_b0"), tmp_path)
    assert file is not None and file.is_file() and which == "generated"
    monkeypatch.setenv("AFMSR_SHARED", str(tmp_path))
    assert real_weights.weights_of(registry.get("carn_m"), tmp_path)[1] == "generated"


def test_the_machine_is_described() -> None:
    assert machine.processor()
    assert machine.processors() >= 1
    assert len(machine.versions()["afm.onnx, SHA-256"]) == 64
