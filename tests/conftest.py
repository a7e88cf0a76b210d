"""What several test files need."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from webserver import Server, serving

# A shell that runs the tests in the background makes them deaf to Ctrl+C, and what they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where the machine promises to have everything (CI), a test that skips has failed to test.
NO_SKIPS = bool(os.environ.get("AFMSR_NO_SKIPS"))
# Not in Debian 12, and not given to every container; the tests say so where it is missing.
MAY_SKIP = ("no Python 2.7", "no right to mount", "no root of Debian")

_skipped: list[str] = []


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, or where AFMSR_SHARED says it is."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("AFMSR_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder; set AFMSR_SHARED")
    return folder


@pytest.fixture
def corpus(shared: Path) -> Path:
    """The folder of real scans, which has a dev split."""
    folder = shared / "data" / "afm"
    if not (folder / "dev.npz").is_file():
        pytest.skip(f"no real data: {folder} has no dev.npz")
    return folder


@pytest.fixture
def judged_scans(corpus: Path) -> list[Any]:
    """Four real scans of two samples, fine ones and coarse ones."""
    from training.corpus import dev_scans

    wanted = ("PTO_Funakubo0005", "PTO_Funakubo0001", "Si_7x7_028", "Si_7x7_032")
    scans = [one for one in dev_scans(corpus) if any(name in one.id for name in wanted)]
    assert len(scans) == len(wanted)
    return scans


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the weights, not made yet; nothing is fetched from afar."""
    from afmsr_core.methods import download

    folder = tmp_path / "cache"
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(folder))
    monkeypatch.setenv("AFMSR_MODEL_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("AFMSR_OFFLINE", raising=False)
    monkeypatch.setattr(download, "BACKOFF", 0.0)
    return folder


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server that has the weights, and misbehaves as it is told."""
    with serving() as found:
        monkeypatch.setenv("AFMSR_MODEL_URL", found.url)
        yield found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``afmsr models``; returns exit status, stdout and stderr."""
    from afmsr_cli import models

    def models_command(*arguments: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        models.add_parser(parser.add_subparsers())
        args = parser.parse_args(["models", *arguments])
        status = args.run(args)
        said = capsys.readouterr()
        return status, said.out, said.err

    return models_command


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if report.skipped and not any(known in reason for known in MAY_SKIP):
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if NO_SKIPS and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nAFMSR_NO_SKIPS is set, and these skipped:", *_skipped, sep="\n  ")
