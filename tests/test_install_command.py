"""The command in the cures installs the same afmsr again, wherever pip had it from."""

from __future__ import annotations

import json
from importlib import metadata
from types import SimpleNamespace

import pytest

from afmsr_core.errors import pip_install

ORIGINS = {
    "a release": (None, "pip install 'afmsr[torch]'"),
    "a checkout that is edited": (
        {"url": "file:///a%20b/afmsr", "dir_info": {"editable": True}},
        "pip install -e '/a b/afmsr[torch]'",
    ),
    "a checkout": (
        {"url": "file:///a%20b/afmsr", "dir_info": {}},
        "pip install 'afmsr[torch] @ file:///a%20b/afmsr'",
    ),
    "a repository": (
        {"url": "https://host/afmsr", "vcs_info": {"vcs": "git", "commit_id": "12"}},
        "pip install 'afmsr[torch] @ git+https://host/afmsr'",
    ),
    "a wheel": (
        {"url": "file:///dist/afmsr-1-py3-none-any.whl", "archive_info": {}},
        "pip install 'afmsr[torch] @ file:///dist/afmsr-1-py3-none-any.whl'",
    ),
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_it_names_where_this_one_came_from(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told, command = ORIGINS[origin]
    of_pip = SimpleNamespace(read_text=lambda name: json.dumps(told) if told else None)
    of_setuptools = SimpleNamespace(read_text=lambda name: None)  # as a checkout has beside it
    monkeypatch.setattr(metadata, "distributions", lambda name: [of_setuptools, of_pip])
    assert pip_install("torch") == command
    assert pip_install() == command.replace("[torch]", "")
