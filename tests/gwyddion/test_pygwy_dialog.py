"""The dialog of the script for pygwy tells what there is, and keeps what was chosen."""

from __future__ import annotations

import numpy as np
import pytest
from pygwy_host import Host, new_channel, nothing_added

from gwyddion_plugin.exchange import menu
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.exchange.settings import load as load_choices


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
    assert new_channel(report)["data/title"].endswith("(x4 bicubic)")


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
    assert new_channel(report)["data/title"].endswith("(x4 bicubic)")


def test_a_scan_that_is_too_small_to_judge_is_upscaled(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan[:9, :9])
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", "wait a second", "gtk-ok"])
    assert any("not judged" in text for text in report["shown"][0]["labels"])
    assert report["errors"] == [] and "data" in new_channel(report)


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
    assert 'level="poly3+rows-median"' in new_channel(again)["data/log"]
    assert 'mask="include"' in new_channel(again)["data/log"]


def test_reset_brings_the_defaults_back(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic", background="none", restore_background=False)
    host.add_channel(scan)
    report = host.run(mode="RUN_INTERACTIVE", user=["wait for methods", "_Reset", "gtk-ok"])
    before, after = report["shown"]
    assert before["combos"]["_Method:"]["active"] == "bicubic"
    assert after["combos"]["_Method:"]["active"].startswith("AFM")
    assert after["combos"]["_Background:"]["active"] == "Plane"
    assert new_channel(report)["data/title"].endswith("(x4 afm)")


def test_cancel_in_the_dialog_changes_nothing(host: Host, scan: np.ndarray) -> None:
    host.add_channel(scan)
    changed = {"_Background:": "None"}
    report = host.run(mode="RUN_INTERACTIVE", user=[changed, "gtk-cancel"])
    assert nothing_added(host, report) and report["errors"] == []
    assert not host.home.settings_file.exists()


def test_ok_before_the_worker_is_up(host: Host, scan: np.ndarray) -> None:
    host.home.choose(method="bicubic")
    host.add_channel(scan)
    report = host.run(mode="RUN_INTERACTIVE", user=["gtk-ok"])
    assert new_channel(report)["data/title"].endswith("(x4 bicubic)")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"method": 3, "mask": null}', '"x"'])
def test_damaged_settings_are_as_at_first(host: Host, scan: np.ndarray, content: str) -> None:
    host.home.choose()
    host.home.settings_file.write_text(content)
    host.add_channel(scan)
    assert new_channel(host.run())["data/title"].endswith("(x4 afm)")
