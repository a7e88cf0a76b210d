"""The script for pygwy is one file for Python 2.7, assembled of modules that can be found in it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pygwy_host import Host

import gwyddion_plugin.pygwy
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.worker import protocol

MODULES, FOLDER = gwyddion_plugin.pygwy.MODULES, gwyddion_plugin.pygwy.FOLDER
HEADING = re.compile(
    r"# --- script/(\w+)\.py: its line 1 is line (\d+) here, and (\d+) in what Gwyddion says ---"
)
PUT_BEFORE = b"import gwy\n\n"  # by Gwyddion


def test_compiles_in_python_2_with_the_line_that_gwyddion_puts_before_it(
    python2: str, tmp_path: Path
) -> None:
    script = tmp_path / "afmsr_pygwy.py"
    script.write_bytes(PUT_BEFORE + gwyddion_plugin.pygwy.assembled().encode("ascii"))
    done = subprocess.run(
        [python2, "-m", "py_compile", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_is_ascii_and_needs_neither_numpy_nor_the_future() -> None:
    text = gwyddion_plugin.pygwy.assembled()
    assert "__future__" not in text.replace("no import from __future__", "")
    assert "print" not in text.replace("printed", "")
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(text))  # it happens to be valid in both Pythons
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not imported & {"numpy", "afmsr_core", "gwyddion_plugin"}


def test_every_line_of_a_module_is_where_the_script_says() -> None:
    """So that a line of a traceback can be found in the module that is to be mended."""
    lines = (PUT_BEFORE.decode() + gwyddion_plugin.pygwy.assembled()).splitlines()
    found = [match for line in lines if (match := HEADING.fullmatch(line))]
    assert [match[1] for match in found] == list(MODULES)
    for name, here, in_gwyddion in (match.groups() for match in found):
        begin = int(in_gwyddion) - 1
        assert begin == int(here) + 1
        for number, line in enumerate(_source(name).splitlines(), start=begin):
            assert lines[number] in (line, f"# {line}")


def test_the_script_is_every_module_once_in_an_order_in_which_they_can_run() -> None:
    """In one file they share their names, and what stands below is not there yet."""
    assert sorted(MODULES) == sorted(path.stem for path in FOLDER.glob("*.py"))
    places: dict[str, str] = {}
    for name in MODULES:
        for node in ast.parse(_source(name)).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                for alias in node.names:
                    assert places.get(alias.name) == node.module and not alias.asname
                continue
            for own in _names(node):
                assert own not in places, f"{own}: in {name} and in {places[own]}"
                places[own] = name


def _source(name: str) -> str:
    return (FOLDER / f"{name}.py").read_text(encoding="ascii")


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module gives something."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if not isinstance(node, ast.Assign):
        return []  # an import gives the same everywhere; a list may be added to
    return [name.id for target in node.targets for name in ast.walk(target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]  # fmt: skip


def test_a_traceback_leads_to_the_module(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run(constants={"load_choices": None})
    (error,) = report["errors"]
    lines = (PUT_BEFORE.decode() + gwyddion_plugin.pygwy.assembled()).splitlines()
    (at,) = re.findall(r'File "afmsr_pygwy", line (\d+), in upscale', error)
    above = [match for line in lines[: int(at)] if (match := HEADING.fullmatch(line))][-1]
    line = _source(above[1]).splitlines()[int(at) - int(above[3])]
    assert (above[1], line.strip()) == ("run", "choices = load_choices()")


def test_shares_defaults_protocol_and_menu_with_the_other_plug_in() -> None:
    names = {}
    for node in ast.parse(gwyddion_plugin.pygwy.assembled()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                names[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    assert names["PROTOCOL"] == protocol.VERSION
    assert names["plugin_menu"] == menu.MENU
    assert names["NAME"] + ".py" == gwyddion_plugin.pygwy.FILE_NAME
    for name, value in names["DEFAULTS"].items():
        assert getattr(Choices(), name) == value, name


@pytest.mark.parametrize(
    "word", ["/usr/my env/py'th\"on", "C:\\new\\Müller\\python.exe", "-c", "/h\udcff\u4e2d/\n"]
)
@pytest.mark.parametrize("windows", [False, True])
def test_any_path_survives_in_the_script(python2: str, word: str, windows: bool) -> None:
    literal = gwyddion_plugin.pygwy._literal(word, windows)
    assert literal.isascii()
    code = f"import sys; w = {literal}; sys.stdout.write(repr([ord(c) for c in w]))"
    codes = ast.literal_eval(subprocess.check_output([python2, "-c", code], text=True))
    if windows or word.isascii():
        assert codes == [ord(sign) for sign in word]
    else:
        assert bytes(codes) == os.fsencode(word)
