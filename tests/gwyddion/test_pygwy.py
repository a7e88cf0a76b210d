"""The script for pygwy adds the channel that afmsr computes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pygwy_host import METADATA, METRE, PALETTE, Host, new_channel, upscaled, values_of

from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE
from afmsr_core.joining import join
from afmsr_core.realisations import Realiser
from afmsr_core.trust.assessment import assess
from afmsr_core.upscale import Settings, upscale
from gwyddion_plugin.exchange import menu
from gwyddion_plugin.exchange.settings import load as load_choices
from gwyddion_plugin.worker import scan_notes
from gwyddion_plugin.worker.client import worker_command

SHARPNESS = "S_harpness:"


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
    new = new_channel(report)
    assert new["data"]["changed"]
    expected = upscaled(scan, method=method)
    np.testing.assert_allclose(
        values_of(new["data"]), expected.heights * METRE, rtol=0, atol=1e-9 * np.ptp(scan)
    )


def test_the_address_is_not_used_where_it_may_be_cut_short(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    new = new_channel(host.run(constants={"WHOLE_ADDRESS": False}))
    expected = upscaled(scan, method="bicubic").heights * METRE
    np.testing.assert_allclose(values_of(new["data"]), expected, rtol=0, atol=1e-18)


def test_size_place_and_units_are_those_of_the_channel(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run()
    old, new = report["items"]["/0/data"], new_channel(report)["data"]
    assert (new["xres"], new["yres"]) == (4 * old["xres"], 4 * old["yres"])
    for name in ("xreal", "yreal", "xoff", "yoff", "unit_xy", "unit_z"):
        assert new[name] == old[name], name
    assert not set(new["units"]) & set(old["units"]), "units are shared, not copied"
    assert np.array_equal(values_of(old), scan), "the original was touched"


@pytest.mark.parametrize("unit", ["V", "deg", "", "A/m"])
def test_values_that_are_no_heights_keep_their_unit(
    host: Host, scan: np.ndarray, unit: str
) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan * 1e6, unit_z=unit)
    new = new_channel(host.run())["data"]
    assert new["unit_z"] == unit
    expected = upscaled(scan, method="bicubic").heights * METRE * 1e6
    np.testing.assert_allclose(values_of(new), expected, rtol=0, atol=1e-12)


def test_a_title_that_is_not_utf_8_is_read(host: Host, scan: np.ndarray) -> None:
    """Gwyddion keeps the bytes of an instrument's header."""
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    new = new_channel(host.run(encoding="latin-1"))
    assert new["data/title"] == "Höhe <1> (x4 bicubic)"


def test_title_palette_range_and_metadata_come_along(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    new = new_channel(host.run())
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
    new = new_channel(host.run())
    assert new["base/palette"] == PALETTE
    assert "base/range-type" not in new and "base/min" not in new
    assert abs(values_of(new["data"]).mean()) < 1e-3 * scan.mean()


def test_earlier_steps_stand_before_the_new_ones(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    step = {"name": "level", "version": "1", "settings": {"degree": 2}, "effect": ""}
    for before, names in (([step], ["level"]), ("edited by hand", [])):
        text = json.dumps(before) if isinstance(before, list) else before
        host.scenario["items"]["/0/meta"] = {**METADATA, "afmsr history": text}
        history = json.loads(new_channel(host.run())["meta"]["afmsr history"])
        assert [one["name"] for one in history] == [*names, "level", "upscale", "scan_time"]


def test_history_is_kept_for_a_channel_without_metadata(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    del host.scenario["items"]["/0/meta"]
    assert "afmsr history" in new_channel(host.run())["meta"]


def test_the_log_names_method_factor_weights_and_the_scan_time_saved(
    host: Host, scan: np.ndarray
) -> None:
    host.add_channel(scan)
    first, second = new_channel(host.run())["data/log"].splitlines()
    assert first == "file::gwyfile()"
    for said in ('method="afm"', 'scale="4"', 'level="plane"', 'restore_background="true"'):
        assert said in second
    sha = upscaled(scan).history[-1].settings["weights_sha256"]
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
    new = new_channel(host.run(pointer=pointer))
    marked = (mask > 0).astype(float)
    assert np.array_equal(values_of(new["mask"]), marked.repeat(4, axis=0).repeat(4, axis=1))
    assert new["mask"]["unit_z"] == ""
    assert new["mask"]["xoff"] == 1e-6
    expected = upscaled(scan, mask > 0, method="bicubic", mask="exclude").heights * METRE
    np.testing.assert_allclose(values_of(new["data"]), expected, rtol=0, atol=1e-18)


def test_pixels_that_were_not_measured_are_marked(host: Host, scan: np.ndarray) -> None:
    scan[5, 7] = np.nan
    host.add_channel(scan)
    new = new_channel(host.run())
    assert np.isfinite(values_of(new["data"])).all()
    assert values_of(new["mask"])[20:24, 28:32].all()
    assert values_of(new["mask"]).sum() == 16


def test_confidence_and_residual_come_as_further_channels(host: Host, scan: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    scan = np.tile(scan, (2, 1)) + rng.normal(0, 2e-10, (48, 36))
    host.add_channel(scan)
    chosen = {"Add con_fidence and residual as channels": True}
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", chosen, "gtk-ok"])
    assert report["errors"] == []
    result, width, residual, sigma = (new_channel(report, number) for number in (1, 2, 3, 4))
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
            values_of(added["data"]), one.heights * factor, rtol=1e-5, atol=atol
        )
        assert "base/min" not in added, "the range is that of heights"
        history = json.loads(added["meta"]["afmsr history"])
        assert history[-1]["name"] == "assess"
    assert (width["data"]["unit_z"], sigma["data"]["unit_z"]) == ("m", "")
    assert np.array_equal(values_of(width["mask"]) > 0.5, expected.confidence.mask)
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
    result, *surfaces = (new_channel(report, number) for number in (1, 2, 3))
    assert result["data/title"] == "Höhe <1> (x4 afm@0.5)"
    assert 'sharpness="0.5"' in result["data/log"] and 'seed="7"' in result["data/log"]
    low = Channel(scan / METRE, xreal=3e-6 / METRE, yreal=4e-6 / METRE, title="Höhe <1>")
    drawn = Realiser(low, upscale(low), Settings(), 7)
    expected = [drawn.sharpened(0.5), drawn.surface(1, 2), drawn.surface(2, 2)]
    for added, one in zip((result, *surfaces), expected, strict=True):
        assert added["data/title"] == one.title
        np.testing.assert_allclose(
            values_of(added["data"]), one.heights * METRE, rtol=0, atol=1e-5 * METRE
        )
    again = host.run()  # Ctrl+F
    assert new_channel(again)["data/title"] == result["data/title"]
    np.testing.assert_array_equal(values_of(new_channel(again)["data"]), values_of(result["data"]))
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
    assert new_channel(report)["data/title"].endswith("(x4 bicubic)")
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
    new = new_channel(report)
    assert (new["data"]["xres"], new["data"]["yres"]) == (128, 128)
    assert new["data/title"] == "Z (lines x4, bicubic)"
    assert 'scale="1x4"' in new["data/log"]
    result = upscale(scan, method="bicubic")
    expected = result.heights * METRE
    np.testing.assert_allclose(values_of(new["data"]), expected, rtol=0, atol=1e-17)
    found = assess(scan, result, Settings(method="bicubic"))
    for number, one in ((2, found.confidence), (3, found.residual)):
        extra = new_channel(report, number)
        assert extra["data/title"] == one.title
        assert (extra["data"]["xoff"], extra["data"]["xreal"]) == (1e-6, 2e-6)
        values = values_of(extra["data"]) / METRE
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
        new = new_channel(again)
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
        new = new_channel(report, 1)
        np.testing.assert_allclose(values_of(new["data"]), expected, rtol=0, atol=1e-15)
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
    new = new_channel(report, 2)
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
    assert "not joined with its retrace 'Z (Backward)'" in new_channel(report, 2)["data/log"]
    expected = upscale(trace, method="bicubic").heights * METRE
    np.testing.assert_allclose(
        values_of(new_channel(report, 2)["data"]), expected, rtol=0, atol=1e-15
    )


def test_works_on_the_channel_that_is_shown(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan, title="Zero")
    host.add_channel(scan[:10, :12], number=12, title="Twelve")
    report = host.run()
    new = new_channel(report)
    assert (new["data"]["xres"], new["data/title"]) == (48, "Twelve (x4 bicubic)")


def test_works_without_a_window_for_progress(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    report = host.run(window=False)
    assert "data" in new_channel(report)
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
    assert report["errors"] == [] and "data" in new_channel(report)


def test_the_interpreter_is_spared_the_variables_of_gwyddions_python(
    host: Host, scan: np.ndarray
) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    host.command = [word for word in host.command if word != "-I"]  # which would ignore them
    report = host.run(environment={"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"})
    assert report["errors"] == [] and "data" in new_channel(report)


def test_a_warm_worker_is_left_in_memory_and_used_again(host: Host, scan: np.ndarray) -> None:
    host.home.variables["AFMSR_WARM_MINUTES"] = "1"
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    stop = "from gwyddion_plugin.worker import resident; print(resident.stop_all())"
    try:
        first = host.run()
        time.sleep(0.5)
        second = host.run()
        assert "data" in new_channel(first) and "data" in new_channel(second)
    finally:
        stopped = host.home.call(sys.executable, "-I", "-c", stop).stdout.strip()
    assert stopped == "1"
