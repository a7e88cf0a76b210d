"""Promise: ``afmsr models`` tells what is ready and how to get what is not."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from webserver import serving_folder
from weightfiles import weights_of

from afmsr_cli import models
from afmsr_core.errors import (
    DownloadError,
    MissingWeightsError,
    UnknownMethodError,
    UsageError,
    WeightsError,
    pip_install,
)
from afmsr_core.inference import open_engine
from afmsr_core.methods import registry, shipped

pytest.importorskip("torch", reason="needs the extra torch")


Run = Callable[..., tuple[int, str, str]]


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The address of a folder with the files of CARN and CARN-M."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "carn.pt").write_bytes(weights_of("carn"))
    (folder / "carn_m.pt").write_bytes(weights_of("carn_m"))
    with serving_folder(folder) as address:
        yield address


def test_list_shows_every_method_and_its_cure(run: Run) -> None:
    status, out, _ = run("list")
    assert status == 0
    for name in registry.names():
        assert f"\n{name} " in out
    (carn,) = (line for line in out.splitlines() if line.startswith("carn "))
    assert "1,591,939" in carn
    assert "missing" in carn
    assert "afmsr models fetch carn" in carn


def test_list_for_machines(run: Run, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("fetch", "carn", "--mirror", mirror)
    monkeypatch.setitem(models.PARTS, "torch", ("no-such-package",))
    _, out, _ = run("list", "--json")
    found = {entry["name"]: entry for entry in json.loads(out)}
    lines = ("afm for lines x4", "afm for lines x2")
    assert tuple(found) == (*registry.names(), *lines, "niqe-parameters", "ma-parameters")
    assert [found[name]["scale"] for name in ("afm", *lines)] == [4, "1x4", "1x2"]
    assert found["bicubic"]["ready"] is True
    assert found["afm"]["weights"] == "shipped"
    assert found["carn"]["weights"] == "in cache"
    assert found["carn"]["cure"] == pip_install("torch")
    assert found["carn_m"]["cure"] == f"{pip_install('torch')} && afmsr models fetch carn_m"


def test_fetch_prints_paths_on_stdout_and_progress_on_stderr(
    run: Run, mirror: str, cache: Path
) -> None:
    status, out, err = run("fetch", "carn", "CARN-M", "carn", "bicubic", "--mirror", mirror)
    assert status == 0
    assert out.splitlines() == [str(cache / "carn.pt"), str(cache / "carn_m.pt")]
    assert "carn.pt: 6.4 of 6.4 MB" in err
    assert "MB/s" in err
    assert "bicubic: an interpolation" in err
    assert run("fetch", "carn", "--quiet")[1:] == (f"{cache / 'carn.pt'}\n", "")


def test_fetch_goes_on_after_a_failure_and_tells(run: Run, mirror: str, cache: Path) -> None:
    status, out, err = run("fetch", "edsr", "carn_m", "--mirror", mirror)
    assert status == DownloadError.exit_status == 4
    assert out == f"{cache / 'carn_m.pt'}\n"
    assert "404" in err and "edsr_x4.pt" in err and "afmsr models import" in err


def test_fetch_all_offline_needs_no_server(run: Run) -> None:
    status, _, err = run("fetch", "all", "--offline")
    assert status == MissingWeightsError.exit_status
    assert "bicubic" not in err
    for name in ("ninasr_b0", "edsr_baseline"):
        assert f"afmsr: {name}: " in err


def test_fetch_of_an_unknown_method(run: Run) -> None:
    with pytest.raises(UnknownMethodError, match="Did you mean carn"):
        run("fetch", "carm")


def test_verify_tells_what_changed(run: Run, mirror: str, cache: Path) -> None:
    run("fetch", "carn", "carn_m", "--mirror", mirror)
    status, out, _ = run("verify", "carn", "carn_m")
    assert status == 0
    assert out.count("unchanged") == 2
    (cache / "carn.pt").write_bytes(weights_of("carn") + b"!")
    status, out, _ = run("verify", "carn", "carn_m", "edsr", "--json")
    assert status == 4
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert [found[name]["state"] for name in ("carn", "carn_m", "edsr")] == [
        "wrong",
        "unchanged",
        "missing",
    ]
    assert "--force carn" in found["carn"]["problem"]


def test_verify_looks_at_what_is_here(run: Run, mirror: str) -> None:
    run("fetch", "carn", "--mirror", mirror)
    _, out, _ = run("verify", "--json")
    ours = [f"afm{lines}" for lines in ("", " for lines x4", " for lines x2")]
    shipped = {f"{name}{kind}" for name in ours for kind in ("", " as ONNX")}
    assert {entry["name"] for entry in json.loads(out)} == {"carn", *shipped}


@pytest.mark.parametrize("kind", ["recorded", "put there by hand"])
def test_verify_finds_what_does_not_load(run: Run, cache: Path, kind: str) -> None:
    cache.mkdir()
    half = weights_of("carn_m")[:100_000]
    (cache / "carn_m.pt").write_bytes(half)
    if kind == "recorded":
        digest = hashlib.sha256(half).hexdigest()
        (cache / "carn_m.pt.sha256").write_text(f"{digest}  carn_m.pt\n")
    status, out, _ = run("verify", "carn_m")
    assert status == 4
    assert out.startswith("carn_m: wrong, ") and "cannot be read as weights" in out


def test_verify_covers_what_ships(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit of a weight: both files load as before, and give other heights."""
    status, out, _ = run("verify", "afm")
    assert status == 0 and out.count("unchanged") == 6
    folder = tmp_path / "data"
    shutil.copytree(shipped.path(""), folder)
    monkeypatch.setattr(shipped, "_DATA", folder)
    for file in (*folder.glob("*.onnx"), *folder.glob("*.safetensors")):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0x40
        file.write_bytes(data)
    status, out, _ = run("verify", "afm")
    assert status == 4 and out.count("wrong") == 6 and out.count("install afmsr again") == 6
    for engine, scale in itertools.product(("onnx", "torch"), registry.scales("afm")):
        with pytest.raises(
            WeightsError, match=r"has changed: .* was published; install afmsr again"
        ):
            open_engine(registry.get("afm", scale), engine=engine)  # type: ignore[arg-type]


def test_path(run: Run, cache: Path, mirror: str) -> None:
    assert run("path") == (0, f"{cache}\n", "")
    with pytest.raises(MissingWeightsError):
        run("path", "carn")
    run("fetch", "carn", "--mirror", mirror)
    assert run("path", "carn") == (0, f"{cache / 'carn.pt'}\n", "")


def test_import(run: Run, cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "carn_m.pt"
    source.write_bytes(weights_of("carn_m"))
    assert run("import", str(source)) == (0, f"carn_m: {cache / 'carn_m.pt'}\n", "")
    with pytest.raises(UsageError):
        run("import", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("action", ["", "list", "fetch", "verify", "path", "import"])
def test_help_has_an_example(run: Run, capsys: pytest.CaptureFixture[str], action: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*action.split(), "--help")
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "example" in said
    assert f"afmsr models {action}" in said


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, argparse; from afmsr_cli import models\n"
        "parser = argparse.ArgumentParser(); models.add_parser(parser.add_subparsers())\n"
        "for words in (['list'], ['path'], ['list', '--json']):\n"
        "    args = parser.parse_args(['models', *words]); args.run(args)\n"
        "heavy = {'torch', 'requests', 'cv2', 'onnxruntime', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
