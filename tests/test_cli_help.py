"""Every command explains itself with an example; doctor and demo run."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from afmsr_cli.main import COMMANDS, main, module_of
from afmsr_core import io

CLI = Path(__file__).resolve().parents[1] / "cli"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search(rf"examples?:\n +afmsr[ -]{command}\b", told)
    assert "(default: None)" not in told


def test_the_table_of_commands_is_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and "exit status: 0 done" in told
    for command, summary in COMMANDS.items():
        assert summary in told
        assert "def add_parser" in (CLI / f"{module_of(command)}.py").read_text(encoding="utf-8")
    modules = {
        path.stem
        for path in CLI.glob("*.py")
        if re.search(r"^def add_parser\(commands", path.read_text(encoding="utf-8"), re.M)
    }
    assert modules == set(map(module_of, COMMANDS))


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such"]])
def test_what_is_no_command_is_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from afmsr_core import __version__

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"afmsr {__version__}\n"


def test_demo_upscales_the_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # again, too
        assert main(["demo"]) == 0
    told = capsys.readouterr().out
    result = io.as_gwy(tmp_path / "afmsr-demo" / "simulated_x4.gwy")
    assert result.title(1).endswith("(x4 afm)") and result.channel(1).heights.shape == (512, 512)
    assert (tmp_path / "afmsr-demo" / "simulated_x4.png").is_file()
    errors = dict(re.findall(r"simulated 512 x 512 scan, (\w+): ([\d.]+) nm", told))
    assert float(errors["afm"]) < float(errors["bicubic"])


def test_demo_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file" / "x"), "--method", "bicubic"]) == 1
    assert "the folder cannot be made" in capsys.readouterr().err
    assert main(["demo", "-o", str(tmp_path), "--method", "none"]) == 2


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "default method: works" in told and "weights folder: " in told and "Gwyddion: " in told
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["default_method"] == "works" and found["packages"]["base"]["numpy"]


def test_doctor_survives_a_broken_installation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["doctor"]) == 1
    assert "default method: broken: " in capsys.readouterr().out
