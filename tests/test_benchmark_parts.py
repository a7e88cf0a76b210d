"""Parts of the benchmark that compare engines, shapes, tiles and builds: tiny, and for real."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core.inference import Tiles
from afmsr_core.methods import Network, registry
from benchmarks import earlier, process, report, rivals, shapes, tiles
from benchmarks.parts import part

ROOT = Path(__file__).resolve().parents[1]


def told(name: str, options: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Run a part with options as on the command line, and return the tables that it prints."""
    parser = argparse.ArgumentParser()
    part(name).add_options(parser)
    part(name).run(parser.parse_args(options.split()))
    return report.tables(capsys.readouterr().out)


# --- tiles ---------------------------------------------------------------------------------


def test_tiles_counts_the_pixels_that_a_network_sees(capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = told("tiles", "--side 160 --small-side 32 --runs 1", capsys)
    network = registry.get(tiles.METHOD)
    assert isinstance(network, Network)
    halo = Tiles.for_network(network, 128, (160, 160)).halo
    sides = min(160, 128 + halo), min(160, 160 - 128 + halo)  # of a tile of 128, and of the rest
    seen = {row[1].removesuffix(", chosen"): row[2] for row in table["rows"]}
    assert seen == {
        "32 x 32": 1.0,
        "160 x 160": 1.0,
        "128 x 128": round(sum(sides) ** 2 / 160**2, 2),
    }
    assert [row[0] for row in table["rows"]] == ["32 x 32", "160 x 160", "160 x 160"]
    assert [row[1].endswith(", chosen") for row in table["rows"]] == [True, True, False]
    first, *others = (row[-2:] for row in table["rows"])
    assert first[1] == 1.0
    for each, ratio in others:
        assert ratio == pytest.approx(each / first[0], rel=0.05)  # both are printed rounded


# --- shapes --------------------------------------------------------------------------------


def test_shapes_count_the_operations_of_a_pixel() -> None:
    """Of the shape that the default network had first: one for each of its 262,944 parameters."""
    pytest.importorskip("onnx")
    graph = shapes._graph(*shapes.SHAPES["14 blocks of 32 features"])
    assert graph.operations == 9 * 32 + 14 * 2 * 9 * 32 * 32 + 9 * 32 * 16 == 262_944
    halved = shapes._graph(*shapes.SHAPES["7 blocks of 64 on half the grid"])
    whole = 16 * 64 + 7 * 2 * 9 * 64 * 64 + 9 * 64 * 64  # on a quarter of the pixels
    assert halved.operations == whole / 4


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_every_shape_is_a_network_that_makes_4x(name: str) -> None:
    pytest.importorskip("onnx")
    import onnxruntime

    graph = shapes._graph(*shapes.SHAPES[name])
    session = onnxruntime.InferenceSession(graph.bytes, providers=["CPUExecutionProvider"])
    grey = np.random.default_rng(1).random((1, 1, 12, 16), np.float32)
    (made,) = session.run(None, {"grey": grey})
    assert made.shape == (1, 1, 48, 64)
    assert np.isfinite(made).all() and np.ptp(made) > 0


def test_shapes_are_told_against_the_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    two = dict(list(shapes.SHAPES.items())[::2][:2])
    monkeypatch.setattr(shapes, "SHAPES", two)
    (table,) = told("shapes", "--side 16 --runs 1", capsys)
    first, second = table["rows"]
    assert [first[0], second[0]] == list(two) and first[1:] == [1.0, 1.0, 1.0]
    operations = (9 * 32 + 7 * 2 * 9 * 32 * 32 + 9 * 32 * 16) / 262_944
    assert second[1] == round(operations, 2)
    assert second[3] == pytest.approx(second[2] / operations, abs=0.02)


# --- rivals --------------------------------------------------------------------------------


def test_rivals_that_are_not_installed_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Here the interpreter of the tests, which has ONNX Runtime, is the one for the rivals."""
    options = f"--side 16 --large-side 8 --runs 1 --peers {sys.executable}"
    parser = argparse.ArgumentParser()
    rivals.add_options(parser)
    rivals.run(parser.parse_args(options.split()))
    out = capsys.readouterr().out
    engines, others = report.tables(out)
    (ours,) = engines["rows"]
    assert ours[0].startswith("ONNX Runtime ") and ours[2] == 1.0
    assert len(ours) == 3 + len(rivals.SCANS) + 3
    assert ours[-1] == 0.0  # off itself
    assert all(f"{engine} (" in out for engine in ("openvino", "ncnn", "mnn"))
    assert [row[1:3] for row in others["rows"]] == 2 * [["afmsr, heights in float64", "16 x 16"]]
    left_out = out.rpartition("Left out: ")[2]
    assert all(f"{name} (" in left_out for name in rivals.SUPERRES)


def test_without_an_interpreter_for_rivals_nothing_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told("rivals", f"--peers {tmp_path / 'none'}", capsys) == []


# --- earlier -------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout of an earlier build, which differs from this one by its version."""
    folder = tmp_path / "checkout"
    for source in earlier.PACKAGES.values():
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source, folder / source, ignore=without)
    init = folder / "afmsr_core" / "__init__.py"
    text = init.read_text(encoding="utf-8")
    assert '__version__ = "' in text
    init.write_text(text.replace('__version__ = "', '__version__ = "0.0.'), encoding="utf-8")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="places of POSIX in a virtual environment")
def test_each_build_runs_its_own_code(checkout: Path, tmp_path: Path) -> None:
    versions = []
    for name, build in (("ours", ROOT), ("theirs", checkout)):
        python = earlier._interpreter(tmp_path / name, build)
        ask = [python, "-I", "-c", "import afmsr_core; print(afmsr_core.__version__)"]
        said = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=True)
        versions.append(said.stdout.strip())
    assert versions[1] == f"0.0.{versions[0]}"


@pytest.mark.skipif(sys.platform == "win32", reason="places of POSIX in a virtual environment")
def test_builds_are_compared_in_pass_command_and_click(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier, "SMALL", 32)
    options = f"{checkout} --side 48 --runs 1 --large-runs 1 --threads 1"
    passes, commands, clicks = told("earlier", options, capsys)
    assert [row[1:3] for row in passes["rows"]] == [[1.0, "32 x 32"], [1.0, "48 x 48"]]
    for _, _, _, theirs, ours, ratio, _ in passes["rows"]:
        assert ratio == pytest.approx(ours / theirs, rel=0.05)
    for table in (commands, clicks):
        names = [row[0] for row in table["rows"]]
        assert names == [earlier.OURS, earlier.EARLIER]
        assert table["rows"][1][2] == table["rows"][1][4] == 1.0
    for row in clicks["rows"]:
        assert all(0 < row[cell] < 30 for cell in (1, 3))


def test_whole_processes_are_told_with_their_processor_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    idle = "import time; time.sleep(0.3)"
    commands = {"busy": [sys.executable, "-c", busy], "idle": [sys.executable, "-c", idle]}
    costs = process.compare(commands, 0)
    process.told(costs, "busy", "process")
    (table,) = report.tables(capsys.readouterr().out)
    (_, _, _, spent, _, _), (_, seconds, _, spared, _, _) = table["rows"]
    assert spent >= 0.3 and seconds >= 0.3 and spared < 0.25
