"""The script for pygwy, in a real Python 2.7, adds the channel that afmsr computes, or nothing.

The real pygwy is no longer packaged; ``pygwy_stub`` does what it does with a script, and refuses
what it refuses. The worker is the real one.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gwyddion_plugin.pygwy
from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE
from afmsr_core.joining import join
from afmsr_core.realisations import Realiser
from afmsr_core.trust.assessment import assess
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.exchange.settings import load as load_choices
from gwyddion_plugin.worker import protocol, scan_notes
from gwyddion_plugin.worker.client import worker_command

HOST = Path(__file__).with_name("pygwy_stub") / "host.py"
MODULES, FOLDER = gwyddion_plugin.pygwy.MODULES, gwyddion_plugin.pygwy.FOLDER
HEADING = re.compile(
    r"# --- script/(\w+)\.py: its line 1 is line (\d+) here, and (\d+) in what Gwyddion says ---"
)
PUT_BEFORE = b"import gwy\n\n"  # by Gwyddion
METRE = 1e-9  # in nm
PALETTE, METADATA = "Gwyddion.net", {"Speed": "1 Hz"}
SHARPNESS = "S_harpness:"
READY = json.dumps({"type": "ready", "protocol": protocol.VERSION})


@functools.cache
def _python2() -> str | None:
    found = [shutil.which("python2.7"), shutil.which("python2")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += [str(path) for path in sorted(root.glob("versions/2.7*/bin/python2.7"))]
    for program in filter(None, found):
        # A shim of pyenv is there even if no Python 2.7 is chosen.
        done = subprocess.run([program, "-c", "import ctypes"], capture_output=True, check=False)
        if done.returncode == 0:
            return program
    return None


@pytest.fixture(scope="session")
def python2() -> str:
    """A real Python 2.7."""
    program = _python2()
    if program is None:
        pytest.skip("no Python 2.7 on PATH or in pyenv")
    return program


class Host:
    """A Gwyddion with one or two channels, and the script in it."""

    def __init__(self, python2: str, home: Any, folder: Path) -> None:
        self.python2, self.home, self.folder = python2, home, folder
        self.command = worker_command()
        self.scenario = {
            "number": 0, "mode": "RUN_IMMEDIATE", "cancel_at": None, "window": True,
            "pointer": True, "encoding": "utf-8", "user": [], "constants": {}, "environment": {},
            "items": {},
        }  # fmt: skip

    def add_channel(
        self,
        values: np.ndarray,
        mask: np.ndarray | None = None,
        number: int = 0,
        unit_z: str = "m",
        title: str = "Höhe <1>",
    ) -> None:
        field = self._field(f"in-{number}", values, unit_z)
        prefix, items = f"/{number}", self.scenario["items"]
        items |= {
            f"{prefix}/data": field,
            f"{prefix}/data/title": title,
            f"{prefix}/data/log": "file::gwyfile()\n",
            f"{prefix}/base/palette": PALETTE,
            f"{prefix}/base/range-type": 1,
            f"{prefix}/base/min": -1.0,
            f"{prefix}/meta": METADATA,
        }
        if mask is not None:
            items[f"{prefix}/mask"] = self._field(f"mask-{number}", mask, "")
        self.scenario["number"] = number

    def _field(self, name: str, values: np.ndarray, unit_z: str) -> dict[str, Any]:
        path = self.folder / f"{name}.raw"
        path.write_bytes(np.ascontiguousarray(values, "<f8").tobytes())
        yres, xres = values.shape
        return {
            "xres": xres, "yres": yres, "xreal": xres / 12 * 1e-6, "yreal": yres / 12 * 1e-6,
            "xoff": 1e-6, "yoff": -5e-7, "unit_xy": "m", "unit_z": unit_z, "data": str(path),
        }  # fmt: skip

    def run(self, limit: float = 60, **scenario: Any) -> dict[str, Any]:
        script, told = self.folder / "afmsr_pygwy.py", self.folder / "scenario.json"
        script.write_text(gwyddion_plugin.pygwy.script(self.command), encoding="ascii")
        told.write_text(json.dumps(self.scenario | scenario))
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        done = self.home.call(self.python2, HOST, script, told, report, limit=limit)
        assert done.returncode == 0, done.stderr
        found = json.loads(report.read_text())
        assert not any("AssertionError" in error for error in found["errors"]), found["errors"]
        assert found["printed"] == ""  # anything else opens a window in Gwyddion
        assert (found["waiting"], found["threads"], found["timers"]) == (False, 1, 0)
        assert found["sigpipe"], "the host's handling of signals was changed"
        assert self.home.left_over == []
        return found


@pytest.fixture
def host(python2: str, home: Any, tmp_path: Path) -> Host:
    """A Gwyddion without channels."""
    return Host(python2, home, tmp_path)


@pytest.fixture
def scan() -> np.ndarray:
    """Heights in metres: non-square, tilted, with steps."""
    y, x = np.mgrid[:24, :36]
    relief = 4e-9 * np.sin(x / 3) * np.cos(y / 4) + 9e-9 * (x > 20)
    return 2e-6 + relief + 1e-9 * x - 2e-9 * y


def _values(told: dict[str, Any]) -> np.ndarray:
    return np.fromfile(told["data"], "<f8").reshape(told["yres"], told["xres"])


def _added(report: dict[str, Any], before: int = 1) -> dict[str, Any]:
    """Return the items of the new channel, by their key in it."""
    prefix = f"/{before}/"
    return {
        key.removeprefix(prefix): value
        for key, value in report["items"].items()
        if key.startswith(prefix)
    }


def _nothing_added(host: Host, report: dict[str, Any]) -> bool:
    return set(report["items"]) == set(host.scenario["items"])


def _expected(scan: np.ndarray, marked: np.ndarray | None = None, **settings: Any) -> Channel:
    channel = Channel(
        scan / METRE, xreal=3e-6 / METRE, yreal=2e-6 / METRE, mask=marked, title="Höhe <1>"
    )
    return upscale(channel, **settings)


# --- the file -----------------------------------------------------------------------------------


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


# --- the result ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pointer", [True, False], ids=["address", "get_data"])
@pytest.mark.parametrize("method", ["afm", "bicubic"])
def test_adds_the_channel_that_afmsr_computes(
    host: Host, scan: np.ndarray, pointer: bool, method: str
) -> None:
    host.home.choose(method=method)
    host.add_channel(scan)
    report = host.run(pointer=pointer)
    assert report["errors"] == []
    assert report["plugin"] == {
        "type": "PROCESS",
        "menu": menu.MENU,
        "desc": report["plugin"]["desc"],
    }
    new = _added(report)
    assert new["data"]["changed"]
    expected = _expected(scan, method=method)
    np.testing.assert_allclose(
        _values(new["data"]), expected.heights * METRE, rtol=0, atol=1e-9 * np.ptp(scan)
    )


def test_the_address_is_not_used_where_it_may_be_cut_short(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    new = _added(host.run(constants={"WHOLE_ADDRESS": False}))
    expected = _expected(scan, method="bicubic").heights * METRE
    np.testing.assert_allclose(_values(new["data"]), expected, rtol=0, atol=1e-18)


def test_size_place_and_units_are_those_of_the_channel(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run()
    old, new = report["items"]["/0/data"], _added(report)["data"]
    assert (new["xres"], new["yres"]) == (4 * old["xres"], 4 * old["yres"])
    for name in ("xreal", "yreal", "xoff", "yoff", "unit_xy", "unit_z"):
        assert new[name] == old[name], name
    assert not set(new["units"]) & set(old["units"]), "units are shared, not copied"
    assert np.array_equal(_values(old), scan), "the original was touched"


@pytest.mark.parametrize("unit", ["V", "deg", "", "A/m"])
def test_values_that_are_no_heights_keep_their_unit(
    host: Host, scan: np.ndarray, unit: str
) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan * 1e6, unit_z=unit)
    new = _added(host.run())["data"]
    assert new["unit_z"] == unit
    expected = _expected(scan, method="bicubic").heights * METRE * 1e6
    np.testing.assert_allclose(_values(new), expected, rtol=0, atol=1e-12)


def test_a_title_that_is_not_utf_8_is_read(host: Host, scan: np.ndarray) -> None:
    """Gwyddion keeps the bytes of an instrument's header."""
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    new = _added(host.run(encoding="latin-1"))
    assert new["data/title"] == "Höhe <1> (x4 bicubic)"


def test_title_palette_range_and_metadata_come_along(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    new = _added(host.run())
    assert new["data/title"] == "Höhe <1> (x4 afm)"
    assert (new["base/palette"], new["base/range-type"], new["base/min"]) == (PALETTE, 1, -1.0)
    assert new["meta"]["Speed"] == METADATA["Speed"]
    assert not set("<>&") & set(new["meta"]["afmsr history"])
    history = json.loads(new["meta"]["afmsr history"])
    assert [step["name"] for step in history] == ["level", "upscale", "scan_time"]


def test_a_levelled_result_does_not_get_the_range_of_other_heights(
    host: Host, scan: np.ndarray
) -> None:
    host.home.choose(restore_background=False, method="bicubic")
    host.add_channel(scan)
    new = _added(host.run())
    assert new["base/palette"] == PALETTE
    assert "base/range-type" not in new and "base/min" not in new
    assert abs(_values(new["data"]).mean()) < 1e-3 * scan.mean()


def test_earlier_steps_stand_before_the_new_ones(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    step = {"name": "level", "version": "1", "settings": {"degree": 2}, "effect": ""}
    for before, names in (([step], ["level"]), ("edited by hand", [])):
        text = json.dumps(before) if isinstance(before, list) else before
        host.scenario["items"]["/0/meta"] = {**METADATA, "afmsr history": text}
        history = json.loads(_added(host.run())["meta"]["afmsr history"])
        assert [one["name"] for one in history] == [*names, "level", "upscale", "scan_time"]


def test_history_is_kept_for_a_channel_without_metadata(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    del host.scenario["items"]["/0/meta"]
    assert "afmsr history" in _added(host.run())["meta"]


def test_the_log_names_method_factor_weights_and_the_scan_time_saved(
    host: Host, scan: np.ndarray
) -> None:
    host.add_channel(scan)
    first, second = _added(host.run())["data/log"].splitlines()
    assert first == "file::gwyfile()"
    for said in ('method="afm"', 'scale="4"', 'level="plane"', 'restore_background="true"'):
        assert said in second
    sha = _expected(scan).history[-1].settings["weights_sha256"]
    assert f'weights_sha256="{sha}"' in second
    assert f'scan_time="{scan_notes.time_saved(36, 24, SQUARE)}"' in second


@pytest.mark.parametrize("pointer", [True, False])
def test_the_mask_comes_back_upscaled(host: Host, scan: np.ndarray, pointer: bool) -> None:
    mask = np.zeros(scan.shape)
    mask[3:9, 20:31] = 1.0
    mask[12:14, 5:9] = 0.3  # Gwyddion counts every value above 0 as marked
    mask[16, 5:9] = -1.0
    host.home.choose(mask="exclude", method="bicubic")
    host.add_channel(scan, mask)
    new = _added(host.run(pointer=pointer))
    marked = (mask > 0).astype(float)
    assert np.array_equal(_values(new["mask"]), marked.repeat(4, axis=0).repeat(4, axis=1))
    assert new["mask"]["unit_z"] == ""
    assert new["mask"]["xoff"] == 1e-6
    expected = _expected(scan, mask > 0, method="bicubic", mask="exclude").heights * METRE
    np.testing.assert_allclose(_values(new["data"]), expected, rtol=0, atol=1e-18)


def test_pixels_that_were_not_measured_are_marked(host: Host, scan: np.ndarray) -> None:
    scan[5, 7] = np.nan
    host.add_channel(scan)
    new = _added(host.run())
    assert np.isfinite(_values(new["data"])).all()
    assert _values(new["mask"])[20:24, 28:32].all()
    assert _values(new["mask"]).sum() == 16


def test_confidence_and_residual_come_as_further_channels(host: Host, scan: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    scan = np.tile(scan, (2, 1)) + rng.normal(0, 2e-10, (48, 36))
    host.add_channel(scan)
    chosen = {"Add con_fidence and residual as channels": True}
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", chosen, "gtk-ok"])
    assert report["errors"] == []
    result, width, residual, sigma = (_added(report, number) for number in (1, 2, 3, 4))
    assert "mask" not in result and result["data/title"] == "Höhe <1> (x4 afm)"
    low = Channel(scan / METRE, xreal=3e-6 / METRE, yreal=4e-6 / METRE, title="Höhe <1>")
    expected = assess(low, upscale(low), Settings())
    for added, one in (
        (width, expected.confidence),
        (residual, expected.residual),
        (sigma, expected.residual_sigma),
    ):
        assert added["data/title"] == one.title
        factor = METRE if one.unit == "nm" else 1.0
        atol = 1e-5 * factor * np.ptp(one.heights)
        np.testing.assert_allclose(
            _values(added["data"]), one.heights * factor, rtol=1e-5, atol=atol
        )
        assert "base/min" not in added, "the range is that of heights"
        history = json.loads(added["meta"]["afmsr history"])
        assert history[-1]["name"] == "assess"
    assert (width["data"]["unit_z"], sigma["data"]["unit_z"]) == ("m", "")
    assert np.array_equal(_values(width["mask"]) > 0.5, expected.confidence.mask)
    again = host.run()  # Ctrl+F
    assert len([key for key in again["items"] if key.endswith("/data")]) == 5


def test_a_result_is_sharpened_and_realisations_come_beside_it(
    host: Host, scan: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    scan = np.tile(scan, (2, 1)) + rng.normal(0, 2e-10, (48, 36))
    host.add_channel(scan)
    chosen = {SHARPNESS: 0.5, "R_ealisations:": 2, "See_d:": 7}
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", chosen, "gtk-ok"])
    assert report["errors"] == []
    assert any(text.startswith("Detail is drawn at") for text in report["shown"][-1]["labels"])
    result, *surfaces = (_added(report, number) for number in (1, 2, 3))
    assert result["data/title"] == "Höhe <1> (x4 afm@0.5)"
    assert 'sharpness="0.5"' in result["data/log"] and 'seed="7"' in result["data/log"]
    low = Channel(scan / METRE, xreal=3e-6 / METRE, yreal=4e-6 / METRE, title="Höhe <1>")
    drawn = Realiser(low, upscale(low), Settings(), 7)
    expected = [drawn.sharpened(0.5), drawn.surface(1, 2), drawn.surface(2, 2)]
    for added, one in zip((result, *surfaces), expected, strict=True):
        assert added["data/title"] == one.title
        np.testing.assert_allclose(
            _values(added["data"]), one.heights * METRE, rtol=0, atol=1e-5 * METRE
        )
    again = host.run()  # Ctrl+F
    assert _added(again)["data/title"] == result["data/title"]
    np.testing.assert_array_equal(_values(_added(again)["data"]), _values(result["data"]))
    for name, value in host.home.environment.items():
        monkeypatch.setenv(name, value)
    kept = load_choices()
    assert (kept.sharpness, kept.seed, kept.realisations) == (0.5, 7, 2)


def test_sharpness_cannot_be_chosen_where_there_is_none(host: Host, scan: np.ndarray) -> None:
    host.home.choose(sharpness=0.5, realisations=2)
    host.add_channel(np.tile(scan, (2, 1)))
    both = {"Add con_fidence and residual as channels": True}
    user = ["wait for methods", "wait a second", both, "look", {"_Method:": "bicubic"}, "gtk-ok"]
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    confident, interpolated = report["shown"]
    assert {SHARPNESS, JOIN} == set(confident["insensitive"])
    assert any("those of the best guess" in text for text in confident["labels"])
    assert set(interpolated["insensitive"]) == {SHARPNESS, "R_ealisations:", "See_d:", JOIN}
    assert "No sharpness: learnt for afm only." in interpolated["labels"]
    assert _added(report)["data/title"].endswith("(x4 bicubic)")
    assert len([key for key in host.run()["items"] if key.endswith("/data")]) == 5


def _line_scan(host: Host) -> Channel:
    """Put a scan into the file whose lines are four times as far apart as their points."""
    rng = np.random.default_rng(6)
    values = np.cumsum(rng.normal(0, 1e-9, (32, 128)), axis=1)
    host.add_channel(values, title="Z")
    size = {"xreal": 2e-6, "yreal": 2e-6}
    host.scenario["items"]["/0/data"] |= size
    return Channel(values / METRE, *(side / METRE for side in size.values()), title="Z")


def test_a_line_scan_gets_four_lines_of_each(host: Host) -> None:
    host.home.choose(method="bicubic", confidence=True)
    scan = _line_scan(host)
    user = ["wait for methods", "wait a second", "look", {"_Method:": "EDSR (not"}, "look",
            {"_Method:": "bicubic"}, "gtk-ok"]  # fmt: skip
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    automatic, edsr, _ = report["shown"]
    assert automatic["combos"]["Sca_le:"]["active"] == "Automatic"
    assert any(
        "so lines x4. 32 lines scanned instead of 128" in text for text in automatic["labels"]
    )
    assert any("choose that as the scale" in text for text in edsr["labels"])
    new = _added(report)
    assert (new["data"]["xres"], new["data"]["yres"]) == (128, 128)
    assert new["data/title"] == "Z (lines x4, bicubic)"
    assert 'scale="1x4"' in new["data/log"]
    result = upscale(scan, method="bicubic")
    expected = result.heights * METRE
    np.testing.assert_allclose(_values(new["data"]), expected, rtol=0, atol=1e-17)
    found = assess(scan, result, Settings(method="bicubic"))
    for number, one in ((2, found.confidence), (3, found.residual)):
        extra = _added(report, number)
        assert extra["data/title"] == one.title
        assert (extra["data"]["xoff"], extra["data"]["xreal"]) == (1e-6, 2e-6)
        values = _values(extra["data"]) / METRE
        np.testing.assert_allclose(values, one.heights, rtol=1e-5, atol=1e-6)


def test_the_scale_can_be_forced_and_is_remembered(host: Host) -> None:
    host.home.choose(method="bicubic")
    _line_scan(host)
    user = ["wait for methods", {"Sca_le:": "4x along"}, "wait a second", "look",
            {"_Method:": "EDSR (not"}, "look", {"_Method:": "bicubic"}, "gtk-ok"]  # fmt: skip
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    assert any("1/16 of the time" in text for text in report["shown"][0]["labels"])
    assert not any("choose that as the scale" in text for text in report["shown"][1]["labels"])
    for again in (report, host.run()):
        new = _added(again)
        assert (new["data"]["xres"], new["data"]["yres"]) == (512, 128)


JOIN = "_Join with the retrace: less noise, fewer scars"


def _both_ways(host: Host, number: int = 0) -> tuple[Channel, Channel]:
    """Put trace and retrace into the file, in two channels from `number` on."""
    rng = np.random.default_rng(3)
    surface = np.cumsum(np.cumsum(rng.normal(0, 1e-10, (48, 48)), axis=0), axis=1)
    ways = []
    for way, title in ((0, "Z (Forward)"), (1, "Z (Backward)")):
        values = surface + rng.normal(0, 1e-10, surface.shape)
        host.add_channel(values, number=number + way, title=title)
        size = {"xreal": 4e-6 / METRE, "yreal": 4e-6 / METRE}
        ways.append(Channel(values / METRE, **size, title=title, number=number + way))
    host.scenario["number"] = number
    return ways[0], ways[1]


def test_the_scan_is_joined_with_its_retrace(host: Host, scan: np.ndarray) -> None:
    """Found among all channels of the file; Ctrl+F does the same again."""
    host.home.choose(method="bicubic")
    host.add_channel(scan, number=0, title="Z (Backward)")  # of other pixels
    trace, retrace = _both_ways(host, 4)
    user = ["wait for methods", "wait a second", {JOIN: True}, "gtk-ok"]
    first, again = host.run(mode="RUN_INTERACTIVE", user=user), host.run()
    expected = upscale(join(trace, retrace), method="bicubic").heights * METRE
    for report in (first, again):
        assert report["errors"] == report["told"] == []
        new = _added(report, 1)
        np.testing.assert_allclose(_values(new["data"]), expected, rtol=0, atol=1e-15)
        history = json.loads(new["meta"]["afmsr history"])
        assert [step["name"] for step in history] == ["join", "level", "upscale", "scan_time"]
        assert history[0]["settings"]["number"] == 5
        assert 'joined_with="Z (Backward)"' in new["data/log"]


def test_without_a_retrace_there_is_none_to_choose(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic", join_retrace=True)  # once, for another file
    host.add_channel(scan, number=1, title="Phase (Backward)")
    host.add_channel(scan, title="Z (Forward)")
    user = ["wait for methods", "wait a second", "gtk-ok"]
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    assert JOIN in report["shown"][0]["insensitive"]
    new = _added(report, 2)
    assert 'joined_with=""' in new["data/log"] and report["told"] == []


def test_a_retrace_that_shows_something_else_is_told(host: Host) -> None:
    host.home.choose(method="bicubic", join_retrace=True)
    trace, _ = _both_ways(host)
    other = np.random.default_rng(4).normal(0, 1e-9, trace.heights.shape)
    host.add_channel(other, number=1, title="Z (Backward)")
    host.scenario["number"] = 0
    user = ["wait for methods", "wait a second", "gtk-ok"]
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    (told,) = report["told"]
    assert "not joined with its retrace 'Z (Backward)'" in told
    assert "not joined with its retrace 'Z (Backward)'" in _added(report, 2)["data/log"]
    expected = upscale(trace, method="bicubic").heights * METRE
    np.testing.assert_allclose(_values(_added(report, 2)["data"]), expected, rtol=0, atol=1e-15)


def test_works_on_the_channel_that_is_shown(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan, title="Zero")
    host.add_channel(scan[:10, :12], number=12, title="Twelve")
    report = host.run()
    new = _added(report)
    assert (new["data"]["xres"], new["data/title"]) == (48, "Twelve (x4 bicubic)")


def test_works_without_a_window_for_progress(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run(window=False)
    assert "data" in _added(report)
    assert report["waits"] == []


def test_shows_progress_of_its_own_and_ends_it(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    waits = host.run()["waits"]
    assert waits[0] == ["start", "Super-resolution (afm)..."]
    assert [kind for kind, _ in waits].count("finish") == 1 and waits[-1][0] == "finish"
    fractions = [fraction for kind, fraction in waits if kind == "fraction"]
    assert len(fractions) > 2 and fractions == sorted(fractions)


def test_interpreters_with_odd_paths(host: Host, scan: np.ndarray, tmp_path: Path) -> None:
    odd = tmp_path / "a 'b' \"c\" \\ ünï 中"
    odd.mkdir()
    launcher = odd / "python 3"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    launcher.chmod(0o755)
    host.command = [str(launcher), *worker_command()[1:]]
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    report = host.run()
    assert report["errors"] == [] and "data" in _added(report)


def test_the_interpreter_is_spared_the_variables_of_gwyddions_python(
    host: Host, scan: np.ndarray
) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    host.command = [word for word in host.command if word != "-I"]  # which would ignore them
    report = host.run(environment={"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"})
    assert report["errors"] == [] and "data" in _added(report)


def test_a_warm_worker_is_left_in_memory_and_used_again(host: Host, scan: np.ndarray) -> None:
    host.home.variables["AFMSR_WARM_MINUTES"] = "1"
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    stop = "from gwyddion_plugin.worker import resident; print(resident.stop_all())"
    try:
        first = host.run()
        time.sleep(0.5)
        second = host.run()
        assert "data" in _added(first) and "data" in _added(second)
    finally:
        stopped = host.home.call(sys.executable, "-I", "-c", stop).stdout.strip()
    assert stopped == "1"


# --- settings and the dialog --------------------------------------------------------------------


def test_the_dialog_tells_what_there_is_and_what_is_missing(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run(
        mode="RUN_INTERACTIVE",
        user=["wait for methods", "look", {"_Method:": "EDSR (not"}, "look",
              {"_Method:": "bicubic"}, "gtk-ok"],
    )  # fmt: skip
    at_first, missing, last = report["shown"]
    assert at_first["title"] == menu.TITLE
    assert len(at_first["combos"]["_Method:"]["items"]) == 13
    assert at_first["combos"]["_Method:"]["active"].startswith("AFM")
    assert at_first["can_press_ok"] and not missing["can_press_ok"]
    assert any("pip install" in text or "afmsr models" in text for text in missing["labels"])
    assert any("24 lines scanned instead of 96" in text for text in last["labels"])
    assert any("takes about" in text for text in last["labels"])
    assert not last["combos"]["Mas_king:"]["sensitive"]
    assert _added(report)["data/title"].endswith("(x4 bicubic)")


def test_the_dialog_tells_whether_the_scan_is_fine_enough(host: Host, scan: np.ndarray) -> None:
    host.add_channel(np.tile(scan, (2, 1)))
    changed = {"_Method:": "bicubic", "_Background:": "Polynomial, degree 5"}
    user = ["wait for methods", "wait a second", "look", changed, "wait a second", "gtk-ok"]
    report = host.run(mode="RUN_INTERACTIVE", user=user)
    first, second = (
        [text for text in shown["labels"] if text.startswith("Pixels ")]
        for shown in report["shown"]
    )
    assert len(first) == len(second) == 1 and first != second
    assert "% of Sq" in first[0] and "% of Sq" in second[0]
    for shown in report["shown"]:
        assert any("this scan can tell of reaches 10 % of Sq" in text for text in shown["labels"])
    assert _added(report)["data/title"].endswith("(x4 bicubic)")


def test_a_scan_that_is_too_small_to_judge_is_upscaled(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan[:9, :9])
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", "wait a second", "gtk-ok"])
    assert any("not judged" in text for text in report["shown"][0]["labels"])
    assert report["errors"] == [] and "data" in _added(report)


def test_choices_are_remembered_beside_those_of_the_other_plug_in(
    host: Host, scan: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.home.choose(folder="/somewhere", open_full=True)
    host.add_channel(scan, np.ones(scan.shape))
    chosen = {
        "_Method:": "Lanczos4", "_Background:": "Polynomial, degree 3",
        "_Scan lines:": "Align by median", "Mas_king:": "Include",
        "Restore background: same _tilt, datum and mean": False,
    }  # fmt: skip
    host.run(mode="RUN_INTERACTIVE", user=["wait for methods", chosen, "gtk-ok"])
    for name, value in host.home.environment.items():
        monkeypatch.setenv(name, value)
    kept = load_choices()
    assert kept == Choices(
        method="lanczos4", background="poly3", rows="rows-median", mask="include",
        restore_background=False, open_full=True, folder="/somewhere",
    )  # fmt: skip
    again = host.run()
    assert again["shown"] == []  # not interactive: no window
    assert 'level="poly3+rows-median"' in _added(again)["data/log"]
    assert 'mask="include"' in _added(again)["data/log"]


def test_reset_brings_the_defaults_back(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic", background="none", restore_background=False)
    host.add_channel(scan)
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", "_Reset", "gtk-ok"])
    before, after = report["shown"]
    assert before["combos"]["_Method:"]["active"] == "bicubic"
    assert after["combos"]["_Method:"]["active"].startswith("AFM")
    assert after["combos"]["_Background:"]["active"] == "Plane"
    assert _added(report)["data/title"].endswith("(x4 afm)")


def test_cancel_in_the_dialog_changes_nothing(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    changed = {"_Background:": "None"}
    report = host.run(mode="RUN_INTERACTIVE", user=[changed, "gtk-cancel"])
    assert _nothing_added(host, report) and report["errors"] == []
    assert not host.home.settings_file.exists()


def test_ok_before_the_worker_is_up(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    report = host.run(mode="RUN_INTERACTIVE", user=["gtk-ok"])
    assert _added(report)["data/title"].endswith("(x4 bicubic)")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"method": 3, "mask": null}', '"x"'])
def test_damaged_settings_are_as_at_first(host: Host, scan: np.ndarray, content: str) -> None:
    host.home.choose()
    host.home.settings_file.write_text(content)
    host.add_channel(scan)
    assert _added(host.run())["data/title"].endswith("(x4 afm)")


# --- failure and cancel -------------------------------------------------------------------------


def _fake(host: Host, code: str) -> None:
    """Let the script start a worker that does `code` after reading a request."""
    worker = host.folder / "fake.py"
    worker.write_text(
        "import json, sys, time\n"
        f"def say(line={READY!r}): print(line, flush=True)\n"
        "def hear(): return json.loads(sys.stdin.readline() or '{}')\n" + code
    )
    host.command = [sys.executable, "-I", str(worker)]


def _fails(host: Host, *said: str, **scenario: Any) -> dict[str, Any]:
    report = host.run(**scenario)
    assert _nothing_added(host, report)
    (error,) = report["errors"]
    for text in said:
        assert text in error
    return report


def test_cancel_at_30_percent_leaves_nothing(host: Host, scan: np.ndarray) -> None:
    _fake(
        host,
        "say(); hear()\n"
        "say(json.dumps({'type': 'progress', 'id': 1, 'fraction': 0.3}))\n"
        "assert hear()['type'] == 'cancel'\n"
        "say(json.dumps({'type': 'cancelled', 'id': 1})); hear()\n",
    )
    host.add_channel(scan)
    report = host.run(cancel_at=0.3)
    assert _nothing_added(host, report) and report["errors"] == []
    assert report["waits"][-2:] == [["fraction", 0.3], ["finish", None]]


def test_cancel_of_the_real_worker_leaves_nothing(host: Host) -> None:
    host.add_channel(np.random.default_rng(1).normal(size=(700, 700)) * 1e-9)
    began = time.monotonic()
    report = host.run(cancel_at=0.01)
    assert _nothing_added(host, report) and report["errors"] == []
    assert time.monotonic() - began < 20


def test_cancel_does_not_wait_for_a_deaf_worker(host: Host, scan: np.ndarray) -> None:
    _fake(host, "say()\ntime.sleep(60)\n")
    host.add_channel(scan)
    began = time.monotonic()
    report = host.run(cancel_at=0.0)
    assert _nothing_added(host, report) and report["errors"] == []
    assert time.monotonic() - began < 10


def test_missing_interpreter(host: Host, scan: np.ndarray) -> None:
    host.command = ["/nöwhere/bin/python", "-I"]
    host.add_channel(scan)
    for mode in ("RUN_IMMEDIATE", "RUN_INTERACTIVE"):
        _fails(host, "/nöwhere/bin/python", "No such file", "afmsr plugin install", mode=mode)


def test_a_script_that_was_copied_by_hand(host: Host, scan: np.ndarray) -> None:
    host.command = ["@AFMSR_WORKER@"]
    host.add_channel(scan)
    _fails(host, "afmsr plugin install")


def test_a_package_that_is_gone(host: Host, scan: np.ndarray) -> None:
    host.command = [sys.executable, "-I", "-m", "gwyddion_plugin.no_worker"]
    host.add_channel(scan)
    _fails(host, "status 1", "afmsr plugin check", "No module named")


@pytest.mark.parametrize("when", ["at once", "after ready", "while it works"])
@pytest.mark.parametrize("mode", ["RUN_IMMEDIATE", "RUN_INTERACTIVE"])
def test_a_worker_that_dies(host: Host, scan: np.ndarray, when: str, mode: str) -> None:
    code = {
        "at once": "",
        "after ready": "say()\n",
        "while it works": "say(); hear()\nsay(json.dumps({'type': 'progress', 'id': 1, "
        "'fraction': 0.5})); time.sleep(0.2)\n",
    }[when]
    _fake(host, code + "sys.stderr.write('Gröbner said no\\n'); sys.exit(7)\n")
    host.add_channel(scan)
    user = ["wait for the end"] if mode == "RUN_INTERACTIVE" else []
    _fails(host, "status 7", "Gröbner said no", "afmsr plugin check", mode=mode, user=user)


def test_a_worker_that_is_gone_when_ok_is_pressed(host: Host, scan: np.ndarray) -> None:
    """Writing to it must not end Gwyddion, which has no handler for a broken pipe."""
    _fake(host, "say(); import os; os.close(0); time.sleep(4); os._exit(3)\n")
    host.add_channel(scan)
    _fails(host, "status 3", mode="RUN_INTERACTIVE", user=["wait a second", "gtk-ok"])


def test_a_worker_that_hangs_is_ended(host: Host, scan: np.ndarray) -> None:
    _fake(host, "say(); hear()\nsys.stderr.write('deep in thought\\n')\ntime.sleep(60)\n")
    host.home.choose(time_limit=1)
    host.add_channel(scan)
    _fails(host, "within 1 s", "deep in thought", "bicubic", constants={"GRACE": 0.5})


def test_the_time_limit_of_the_real_worker(host: Host) -> None:
    host.home.choose(time_limit=0.5)
    host.add_channel(np.random.default_rng(1).normal(size=(900, 900)) * 1e-9)
    _fails(host, "given up after 0.5 s")


def test_a_worker_of_another_version(host: Host, scan: np.ndarray) -> None:
    _fake(host, f"say({json.dumps({'type': 'ready', 'protocol': 99})!r}); hear(); hear()\n")
    host.add_channel(scan)
    _fails(host, "version 99", "afmsr plugin install")


@pytest.mark.parametrize("line", ["no JSON", "[]", "{}", '"x"', ""])
def test_a_worker_that_talks_nonsense(host: Host, scan: np.ndarray, line: str) -> None:
    _fake(host, f"say({line!r}); hear()\ntime.sleep(60)\n")
    host.add_channel(scan)
    _fails(host, "ended without a result", "afmsr plugin check")


def test_a_result_that_is_too_short(host: Host, scan: np.ndarray) -> None:
    _fake(
        host,
        "say(); request = hear()\n"
        "field = dict(request['field'], xres=144, yres=96, data='data.raw', mask=None)\n"
        "say(json.dumps({'type': 'result', 'id': 1, 'field': field, 'history': []})); hear()\n",
    )
    host.add_channel(scan)
    _fails(host, "864 values instead of 144 x 96")


def test_an_error_of_the_worker_is_shown_with_its_cure(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="nonsense")
    host.add_channel(scan)
    _fails(host, "nonsense", "bicubic")


def test_no_channel(host: Host) -> None:
    _fails(host, "no channel")
