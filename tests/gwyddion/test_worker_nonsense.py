"""Whatever is said to the worker, it answers with an error, says nothing else, and lives on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.worker import field_files, protocol

COLD = [sys.executable, "-I", "-m", "gwyddion_plugin.worker", "--cold"]
LATE = 30.0  # seconds; a request with something wrong takes milliseconds


class Worker:
    """A real worker; who waits longer than `LATE` for it is told so, and does not hang."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                COLD,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
            )
        assert self.hear()["type"] == "ready"

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        late = threading.Timer(LATE, self.process.kill)
        late.start()
        line = self.process.stdout.readline()
        late.cancel()
        assert line, f"no answer; {self.log.read_text(errors='replace')[-2000:]}"
        found: dict[str, Any] = json.loads(line)
        return found

    def answer(self, data: bytes) -> dict[str, Any]:
        self.send(data)
        while (message := self.hear())["type"] == "progress":
            pass
        return message

    def lives(self) -> bool:
        answer = self.answer(b'{"type": "methods", "id": "still"}\n')
        return (answer["type"], answer["id"]) == ("methods", "still")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("nonsense")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AFMSR_")
    }
    places = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    one = Worker(environment | places, folder / "stderr")
    yield one
    one.process.kill()
    one.process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "request"
    path.mkdir(mode=0o700)
    return path


def request(where: Path, /, **changes: Any) -> dict[str, Any]:
    """Return a request that is right, but for the changes; those in `field` and `settings` too."""
    values = np.random.default_rng(0).normal(0, 5e-9, (16, 16)).tobytes()
    field = field_files.write(where, RawField(16, 16, 1e-6, 1e-6, "m", "m", values, values))
    right = {"field": field, "settings": {"method": "bicubic"}}
    for key in right:
        if isinstance(changes.get(key), dict):
            changes[key] = right[key] | changes[key]
    return {"type": "upscale", "id": 7, "folder": str(where), **right, **changes}


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


RUBBISH = [
    b"\n", b"null\n", b"[]\n", b"3\n", b'"methods"\n', b"{}\n", b'{"type": 3}\n', b"{'type': 1}\n",
    b'{"type": "methods"\n', b"\x00\xff\xfe\x80\n", b"GET / HTTP/1.1\r\n", b"[" * 100_000 + b"\n",
    b'{"type": "methods", "id": NaN}\n', b'{"type": "methods", "id": {"a": 1}}\n',
    b'{"type": "methods", "id": ' + b"9" * 5000 + b"}\n",
    b"x" * (3 * protocol.LONGEST_LINE) + b"\n",
    b'{"type": "methods", "x": "' + b"y" * protocol.LONGEST_LINE + b'"}\n',
]  # fmt: skip


@pytest.mark.parametrize("said", RUBBISH, ids=lambda said: repr(said[:20]))
def test_what_is_no_message_gets_one_error(worker: Worker, said: bytes) -> None:
    answer = worker.answer(said)
    assert (answer["type"], answer["id"], answer["kind"]) == ("error", None, "ProtocolError")
    assert answer["message"].startswith("worker protocol: ") and len(answer["message"]) < 300
    assert worker.lives()


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_get_an_error_a_line(worker: Worker, seed: int) -> None:
    drawn = random.Random(seed)
    lines = [drawn.randbytes(drawn.randrange(1, 400)).replace(b"\n", b"") for _ in range(200)]
    worker.send(b"".join(one + b"\n" for one in lines))
    assert {worker.hear()["kind"] for _ in lines} == {"ProtocolError"}
    assert worker.lives()


HUGE = 10**400
WRONG: dict[str, list[Any]] = {
    "type": ["", "delete", "Upscale", "\ud83d"],
    "folder": [None, 3, [], "", "/nowhere", "a\0b", "\ud83d", "/dev"],
    "field": [None, 3, [], "data.raw"],
    "settings": [3, [1], "fast", {"weights": "/etc/passwd"}, {"method": None, "x": 1}],
    "time_limit": ["3", [], {}, True, float("nan"), float("inf"), -1, HUGE],
    "keep": ["3", [], float("nan"), -float("inf"), -5, HUGE],
    "save": [3, [], {"a": 1}, "a\0b", True, "/nowhere/x.gwy", "/dev/null", "/"],
    "confidence": ["no", 1, [], {}],
    "retrace": [3, "mask.raw", {}, [{}], {"xres": "16", "yres": 16, "data": "data.raw"}],
}
WRONG_FIELD: dict[str, list[Any]] = {
    "xres": [None, 0, -1, 15, 17, "16", 16.0, True, 1 << 40, HUGE, float("nan"), []],
    "xreal": [None, 0, -1, "1", float("nan"), float("inf"), HUGE, {}],
    "yoff": ["0", float("nan"), HUGE, []],
    "unit_z": [3, [], {}],
    "title": [3, [], {"a": 1}],
    "data": [None, 3, "", ".", "..", "../x", "/dev/zero", "absent.raw", "a\0b", "\ud83d", []],
    "mask": [3, "../x", "absent.raw", ["mask.raw"]],
}
WRONG_SETTINGS: dict[str, list[Any]] = {
    "method": ["best", 3, [], {}, "a\0b", ""],
    "level": ["flat", 3, [], "plane+"],
    "mask": ["half", 3, []],
    "restore_background": ["yes", 0, []],
    "protocol": ["cm", 8, {}],
    "device": ["tpu", 3, ["cpu"]],
    "engine": ["steam", 3],
    "tile": [0, -1, "64", 1.5, True, HUGE],
    "threads": [0, -3, "2", 0.5, 10**9],
}
CHANGES = [
    *({key: value} for key, values in WRONG.items() for value in values),
    *({"field": {key: value}} for key, values in WRONG_FIELD.items() for value in values),
    *({"settings": {key: value}} for key, values in WRONG_SETTINGS.items() for value in values),
]


def test_every_value_that_is_wrong_gets_an_error_that_names_it(
    worker: Worker, folder: Path
) -> None:
    before = worker.log.stat().st_size
    for change in CHANGES:
        answer = worker.answer(line(request(folder, **change)))
        shown = repr(change)[:80]
        assert (answer["type"], answer["id"]) == ("error", 7), shown
        assert answer["kind"] != "WorkerError" and answer["detail"] == "", (shown, answer)
        assert {";", ":"} & set(answer["message"]) and len(answer["message"]) < 500, (shown, answer)
    assert worker.answer(line(request(folder)))["type"] == "result"
    assert worker.log.stat().st_size - before < 10_000


@pytest.mark.parametrize("kind", ["preview", "judge", "repeat", "retrace"])
def test_other_requests_refuse_it_too(worker: Worker, folder: Path, kind: str) -> None:
    changes: list[dict[str, Any]] = [{"settings": 3}, {"settings": {"method": []}}]
    if kind == "retrace":
        field = request(folder)["field"]
        changes = [{"others": others} for others in (None, 3, {}, [1], [field, {"xres": "16"}])]
        changes += [{"field": {"title": []}, "others": []}, {"field": None, "others": [field]}]
    elif kind == "repeat":
        changes += [{"file": file} for file in (None, 3, "", "a\0b", "/nowhere", "/dev/zero", "/")]
        changes += [{"time_limit": "3"}, {"keep": float("nan")}, {"confidence": "no"}]
    else:
        changes += [{"folder": None}, {"field": {"xres": "16"}}, {"field": {"data": "absent.raw"}}]
    if kind == "preview":
        changes += [{"at": at} for at in (3, [1], "ab", [1, "2"], [1, float("nan")], {"0": 1})]
    for change in changes:
        answer = worker.answer(line(request(folder, **{"type": kind} | change)))
        assert (answer["type"], answer["id"]) == ("error", 7), change
        assert answer["kind"] != "WorkerError" and answer["detail"] == "", (change, answer)
    assert worker.lives()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_not_waited_for(worker: Worker, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "itself").symlink_to(folder)
    for name in ("pipe", "zero", "itself"):
        for key in ("data", "mask"):
            answer = worker.answer(line(request(folder, field={key: name})))
            assert (answer["type"], answer["kind"]) == ("error", "UnreadableFileError"), answer
        asked = {"type": "repeat", "id": 8, "file": str(folder / name)}
        assert worker.answer(line(asked))["kind"] == "UnreadableFileError"
        answer = worker.answer(line(request(folder, save=str(folder / name))))
        assert answer["kind"] in ("OutputError", "UsageError"), answer
    assert worker.lives()


def test_too_many_requests_are_refused_and_not_kept(worker: Worker, folder: Path) -> None:
    many = 200
    worker.send(line(request(folder)) * many)
    answers: list[str] = []
    while len(answers) < many:
        message = worker.hear()
        if message["type"] != "progress":
            answers.append(message["type"])
    assert set(answers) <= {"result", "error"} and answers.count("result") >= 1
    assert worker.lives()


@pytest.mark.parametrize("said", [b"", b'{"type": "upsc', b"\x00\xff", b'{"type": "nothing"}\n'])
def test_half_a_request_and_then_the_end(worker: Worker, tmp_path: Path, said: bytes) -> None:
    environment = dict(os.environ, HOME=str(tmp_path))
    other = Worker(environment, tmp_path / "stderr")
    out, _ = other.process.communicate(said, timeout=LATE)
    # A request that has begun and goes on for longer than a client waits is broken off.
    assert other.process.returncode in ((0, 1) if said.endswith(b"\n") else (0,))
    answers = [json.loads(one)["type"] for one in out.splitlines()]
    # A client whose input ends is gone: a whole request that has not begun by then is dropped.
    assert answers == ["error"] * bool(said) or (answers == [] and said.endswith(b"\n"))
    assert (tmp_path / "stderr").read_bytes() == b""


def test_times_that_the_settings_hold_are_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes in ("nan", "inf", "-1", "soon"):
        monkeypatch.setenv("AFMSR_WARM_MINUTES", minutes)
        assert Choices(warm_minutes=2.0).keep == 120.0
