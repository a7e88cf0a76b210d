"""The survey's server goes on where clients, pipes and texts are not as they should be."""

from __future__ import annotations

import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from surveys import Server, Visitor, serving, small_study

from afmsr_cli.main import main
from afmsr_core.errors import UnsupportedContentError, UsageError
from afmsr_core.survey.build import add_raters
from afmsr_core.survey.connections import HALF, MOST
from afmsr_core.survey.log import LINES, Seldom
from afmsr_core.survey.store import Store
from afmsr_core.survey.study import Study

ANSWERS, TOGETHER = 1600, 20  # a line for each would fill a pipe of 64 KiB
LONE = chr(0xD83D)  # the first half of an emoji
HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
BODY = (
    b"POST /click HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 500\r\n\r\n{"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real process; from here on nobody reads its stdout and stderr."""
    with serving(small_study(tmp_path_factory.mktemp("rough")).study.folder) as running:
        yield running


@pytest.fixture
def anna(server: Server) -> Visitor:
    return session(server)


def session(server: Server) -> Visitor:
    """Return a browser of Anna's: each may ask some 200 times at once."""
    one = Visitor(server.port)
    assert one.join(server.links["anna"]).status == 200
    return one


# --- pipes that nobody reads -------------------------------------------------------------------


def test_thousands_of_answers_while_nobody_reads_its_pipes(server: Server) -> None:
    saved: list[bool] = []

    def answer(count: int) -> None:
        one = session(server)
        item = one.items(1)[0]
        while count:
            told = one.click(item)
            if told.status == 429:  # asked too often: that is another promise
                time.sleep(0.1)
                continue
            saved.append(told.json["saved"])
            count -= 1

    threads = [
        threading.Thread(target=answer, args=(ANSWERS // TOGETHER,)) for _ in range(TOGETHER)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert saved == [True] * ANSWERS


def test_lines_that_nobody_reads_are_dropped() -> None:
    reads, writes = os.pipe()
    logger = logging.getLogger("test of lines that nobody reads")
    logger.addHandler(Seldom(writes))
    logger.propagate = False
    began = time.monotonic()
    for number in range(5000):
        logger.error("failure %d %s", number, "x" * 1000)
    assert time.monotonic() - began < 5
    time.sleep(0.2)
    assert os.read(reads, 1 << 20).count(b"failure") == LINES[0]  # and the first of them


# --- half a request ----------------------------------------------------------------------------


def opened(server: Server, count: int, sent: bytes) -> list[socket.socket]:
    found = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        one.sendall(sent)
        found.append(one)
    return found


@pytest.mark.parametrize("count", [150, MOST + 150])
@pytest.mark.parametrize("sent", [b"", HEAD, BODY], ids=["nothing", "head", "body"])
def test_requests_that_do_not_end_keep_nobody_out(server: Server, sent: bytes, count: int) -> None:
    resource = pytest.importorskip("resource", reason="Unix only")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * count:
        pytest.skip("too few files may be open here")
    rude = opened(server, count, sent)
    try:
        began = time.monotonic()
        assert Visitor(server.port).ask("GET", "/paused").status == 200
        assert time.monotonic() - began < 2
    finally:
        for one in rude:
            one.close()


def test_a_byte_now_and_then_does_not_keep_a_connection(server: Server) -> None:
    (slow,) = opened(server, 1, HEAD)
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 3 * HALF:
            time.sleep(0.5)
            slow.sendall(b"x")
    assert HALF - 1 < time.monotonic() - began < 2 * HALF


def test_one_who_waits_longest_makes_room(server: Server) -> None:
    """A rater whose browser keeps its connections is not shut out by newer ones."""
    rude = opened(server, 150, HEAD)
    keeps = Visitor(server.port)
    try:
        for _ in range(5):
            rude += opened(server, MOST // 8, HEAD)
            assert keeps.ask("GET", "/paused").status == 200  # on the same connection
    finally:
        for one in rude:
            one.close()


# --- texts that cannot be kept -----------------------------------------------------------------


def test_half_of_a_character_is_refused_with_the_reason(server: Server, anna: Visitor) -> None:
    assert anna.post("/comment", {"number": 3, "text": "Grains 😀"}).json == {"saved": True}
    for text in (LONE, f"Grains {LONE}merge", f"{chr(0xDE00)}{LONE}"):
        answer = anna.post("/comment", {"number": 3, "text": text})
        assert answer.status == 400 and answer.json["saved"] is False
        assert "half of a character" in answer.json["reason"]
    study = Study.read(server.study)
    third = study.store.plan("anna")[2].set
    assert study.store.comments()["anna", third] == "Grains 😀"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/i/%ed%a0%bd", {}),
        ("GET", "/i/%ff%fe", {}),
        ("GET", "/image/%ed%a0%bd", {}),
        ("GET", "/", {"Cookie": "COOKIE=\xed\xa0\xbd"}),
        ("GET", "/", {"Cookie": "\xff\xfe\xfd"}),
        ("POST", "/click", {"X_CSRF_Token": "\xed\xa0\xbd"}),
        ("POST", "/pause", {"X_CSRF_Token": None}),
    ],
)
def test_bytes_that_are_no_text_are_refused(
    server: Server, anna: Visitor, method: str, path: str, headers: dict[str, str | None]
) -> None:
    one = Visitor(server.port)
    one.cookie, one.csrf = anna.cookie, anna.csrf
    name = anna.cookie.partition("=")[0]
    headers = {key: value and value.replace("COOKIE", name) for key, value in headers.items()}
    answer = one.ask(method, path, b'{"item": "\\ud83d"}' if method == "POST" else None, **headers)
    assert 400 <= answer.status < 500
    assert anna.ask("GET", "/").status == 200


def test_click_fields_that_are_no_text_are_refused(anna: Visitor) -> None:
    for wrong in ({"item": LONE}, {"question": LONE}, {"id": LONE * 32}):
        assert anna.click(**({"item": anna.items(1)[0]} | wrong)).status in (400, 404)


def test_names_and_titles_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    built = small_study(tmp_path)
    with pytest.raises(UsageError, match=r"--raters .*half of a character"):
        add_raters(built.study, built.key, ["dora", f"{LONE}"])
    assert "dora" not in built.study.store.raters()
    with pytest.raises(UnsupportedContentError, match="half of a character"):
        Store(built.study.database).comment("anna", "set", LONE)
    folder = tmp_path / "images"
    command = ["survey", "build", str(folder), "-o", str(tmp_path / "other"), "--title", LONE]
    assert main(command) == UsageError.exit_status
    assert not (tmp_path / "other").exists()


# --- modes -------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_scores_and_key_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        built = small_study(tmp_path)
        assert mode(built.key_path) == 0o600
        assert mode(built.study.database) == 0o600
        built.study.database.chmod(0o666)  # as an earlier release left it
        with serving(built.study.folder) as server:
            one = Visitor(server.port)
            one.join(server.links["anna"])
            assert one.click(one.items(1)[0]).json["saved"]
            beside = sorted(built.study.folder.glob("scores.sqlite*"))
            assert len(beside) == 3  # -wal and -shm
            assert [mode(path) for path in beside] == [0o600] * 3
    finally:
        os.umask(before)
