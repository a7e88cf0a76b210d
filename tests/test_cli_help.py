"""Every command explains itself with an example; doctor and demo run."""

from __future__ import annotations

import argparse
import doctest
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from afmsr_cli import parser, progress, streams
from afmsr_cli.main import COMMANDS, build_parser, main, module_of
from afmsr_core import io
from afmsr_core.data import example_pair

CLI = Path(__file__).resolve().parents[1] / "cli"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search(rf"examples?:\n +afmsr[ -]{command}\b", told)
    assert "(default: None)" not in told


def helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield name and help of a parser, and of the actions that it has."""
    yield parser.prog, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from helps(inner)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_fits_a_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, told in helps(build_parser(command)):
        assert max(map(len, told.splitlines())) <= 80, name
        assert told.index("\n\n") < 4 * 80 and "%%" not in told
        if name.startswith(f"afmsr {command}"):
            assert re.search(rf"examples?:\n +{name.replace('afmsr ', 'afmsr[ -]')}\b", told), name
            assert "gwyddion's" not in told  # a name keeps its capital


def test_the_helpers_of_the_help_do_as_they_say() -> None:
    for module in (parser, progress, streams):
        assert doctest.testmod(module).failed == 0


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


@pytest.mark.parametrize("arguments", [[], ["survey"], ["models"], ["plugin"]])
def test_a_name_alone_shows_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was done, which a script that left the command out must be able to see."""
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out.startswith("usage: afmsr") and "examples:" in told.out and told.err == ""


TYPOS = {
    "upscal": "afmsr: there is no command 'upscal'. Did you mean upscale?",
    "xyz": "afmsr: there is no command 'xyz'. There are: demo, doctor, ",
    "--vresion": "afmsr: there is no option --vresion. Did you mean --version?",
    "survey bild": "afmsr survey: there is no action 'bild'. Did you mean build?",
    "upscale a -o b/ c": "upscale: c: nothing takes this here; name all files together, before the",
    "upscale a --metod=afm": "upscale: there is no option --metod. Did you mean --method?",
    "upscale a --mask exlude": "--mask: 'exlude' is no choice. Did you mean exclude? Choose ig",
    "upscale a --level Plane": "no step is called 'Plane'. Did you mean plane? Choose none, ",
    "upscale a --method Bicubik": "no method is called 'Bicubik'. Did you mean bicubic?",
    "upscale {scan} --channel Heigth*": "'Heigth*'. Did you mean Height (simulated)? It holds 0",
    "simulate -o x --preset typcal": "no preset is called 'typcal'. Did you mean typical? The",
    "simulate -o x --specimen chain": "no specimen is called 'chain'. Did you mean chains? The",
    "simulate -o x --tip cones": "no tip is called 'cones'. Did you mean cone? There are: ",
    "simulate -o x --set scar=1": "no condition is called 'scar'. Did you mean scars? There ",
}


@pytest.mark.parametrize("typed", TYPOS)
def test_typos_get_a_suggestion(
    typed: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = typed.format(scan=example_pair()[0]).split()
    try:
        status = main([*words, *(["--quiet"] if "{" in typed else [])])
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr().err
    assert status == (1 if "{" in typed else 2) and TYPOS[typed] in said and "usage:" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from afmsr_core import __version__

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"afmsr {__version__}\n"


UNITS = {"nm": 1.0, "pm": 1e-3}


def test_demo_upscales_the_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0 and "replaced" not in capsys.readouterr().out
    assert main(["demo"]) == 0  # again, too
    told = capsys.readouterr().out
    assert "replaced, from before: simulated_x4.gwy and simulated_x4.png" in told
    made_from = [tmp_path / "afmsr-demo" / name for name in ("example_low.gwy", "example_high.gsf")]
    assert [a.read_bytes() for a in made_from] == [b.read_bytes() for b in example_pair()]
    result = io.as_gwy(tmp_path / "afmsr-demo" / "simulated_x4.gwy")
    assert result.title(1).endswith("(x4 afm)") and result.channel(1).heights.shape == (512, 512)
    picture = tmp_path / "afmsr-demo" / "simulated_x4.png"
    picture.unlink()
    assert main(["demo", "--method", "bicubic"]) == 0 and picture.is_file()
    found = re.findall(r"simulated 512 x 512 scan, (\w+): ([\d.]+) (nm|pm)", told)
    errors = {method: float(value) * UNITS[unit] for method, value, unit in found}
    assert errors["afm"] < errors["bicubic"]


@pytest.mark.parametrize("name", ["simulated_x4.gwy", "simulated_x4.png", "example_high.gsf"])
@pytest.mark.parametrize("work", ["other", "edited"])
def test_demo_keeps_what_it_did_not_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, work: str
) -> None:
    demo = ["demo", "-o", str(tmp_path), "--method", "bicubic"]
    path = tmp_path / name
    if work == "other":
        path.write_bytes(b"mine")
    else:
        assert main(demo) == 0
        if path.suffix == ".gwy":  # somebody levelled the result and saved it: it looks the same
            result = io.as_gwy(path).channel(1)
            levelled = result.replace(heights=result.heights - result.heights.mean())
            file = io.as_gwy(example_pair()[0])
            file.with_channel(levelled, like=0, log=["proc::fix_zero()"]).save(path, force=True)
        else:
            path.write_bytes(path.read_bytes() + b"mine")
    mine = path.read_bytes()
    assert main(demo) == 2
    assert f"{path}: the demo did not write what is there" in capsys.readouterr().err
    assert path.read_bytes() == mine
    assert main([*demo, "--force"]) == 0 and path.read_bytes() != mine
    assert main([*demo[:-1], "bilinear"]) == 0  # its own, of whatever method


def test_demo_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file" / "x"), "--method", "bicubic"]) == 1
    assert "the folder cannot be made" in capsys.readouterr().err
    assert main(["demo", "-o", str(tmp_path), "--method", "none"]) == 2


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "default method: works" in told and "weights folder: " in told and "Gwyddion: " in told
    assert "Tab key: " in told
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["default_method"] == "works" and found["packages"]["base"]["numpy"]


def test_doctor_survives_a_broken_installation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["doctor"]) == 1
    assert "default method: broken: " in capsys.readouterr().out
