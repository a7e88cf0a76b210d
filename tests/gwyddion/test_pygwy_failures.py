"""Where the script for pygwy fails or is cancelled, it says why and adds nothing."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pytest
from pygwy_host import Host, nothing_added

from gwyddion_plugin.worker import protocol

READY = json.dumps({"type": "ready", "protocol": protocol.VERSION})


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
    assert nothing_added(host, report)
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
    assert nothing_added(host, report) and report["errors"] == []
    assert report["waits"][-2:] == [["fraction", 0.3], ["finish", None]]


def test_cancel_of_the_real_worker_leaves_nothing(host: Host) -> None:
    host.add_channel(np.random.default_rng(1).normal(size=(700, 700)) * 1e-9)
    began = time.monotonic()
    report = host.run(cancel_at=0.01)
    assert nothing_added(host, report) and report["errors"] == []
    assert time.monotonic() - began < 20


def test_cancel_does_not_wait_for_a_deaf_worker(host: Host, scan: np.ndarray) -> None:
    _fake(host, "say()\ntime.sleep(60)\n")
    host.add_channel(scan)
    began = time.monotonic()
    report = host.run(cancel_at=0.0)
    assert nothing_added(host, report) and report["errors"] == []
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
