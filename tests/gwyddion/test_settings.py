"""What was chosen is remembered, and a damaged file is not in the way."""

from __future__ import annotations

import json

import pytest

from gwyddion_plugin.exchange import settings
from gwyddion_plugin.exchange.settings import Choices


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "new" / "config"))
    monkeypatch.delenv(settings.WARM_VARIABLE, raising=False)


def test_choices_come_back():
    assert settings.load() == Choices()
    chosen = Choices(method="bicubic", rows="rows-median", open_full=True, folder="/tmp/ü")
    settings.store(chosen)
    assert settings.load() == chosen
    assert [path.name for path in settings.path().parent.iterdir()] == ["gwyddion.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"method": 3, "keep": {}}', "\0"])
def test_a_damaged_file_is_as_none(content):
    settings.path().parent.mkdir(parents=True)
    settings.path().write_text(content)
    assert settings.load() == Choices()


def test_what_makes_sense_is_kept():
    settings.path().parent.mkdir(parents=True)
    settings.path().write_text(json.dumps({"method": "carn", "time_limit": 5, "instant": "yes"}))
    assert settings.load() == Choices(method="carn", time_limit=5.0)


@pytest.mark.parametrize(
    "nonsense", [{"sharpness": 1.5}, {"sharpness": -1.0}, {"seed": -1}, {"seed": 1 << 31}]
)
def test_numbers_that_the_worker_refuses_are_as_at_first(nonsense):
    settings.path().parent.mkdir(parents=True)
    settings.path().write_text(json.dumps({"method": "carn"} | nonsense))
    assert settings.load() == Choices(method="carn")


def test_a_folder_that_cannot_be_written_to_is_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    settings.store(Choices())


def test_the_environment_decides_on_staying_in_memory(monkeypatch):
    assert Choices(warm_minutes=2).keep == 120
    monkeypatch.setenv(settings.WARM_VARIABLE, "0")
    assert Choices(warm_minutes=2).keep == 0


def test_the_settings_of_a_request():
    chosen = Choices(mask="include", background="none", rows="rows-median-diff")
    assert chosen.upscaling(masked=True)["mask"] == "include"
    assert chosen.upscaling(masked=False)["mask"] == "ignore"
    assert chosen.upscaling(masked=True)["level"] == "rows-median-diff"
    assert "sharpness" not in chosen.request(masked=True)
    sharp = Choices(sharpness=0.5, seed=4).request(masked=True)
    assert (sharp["sharpness"], sharp["seed"]) == (0.5, 4)
