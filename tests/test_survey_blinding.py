"""A rater who tries cannot learn which method made what, nor see or change another's answers."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from surveys import METHODS, Server, Visitor, serving, small_study

from afmsr_core.survey import site
from afmsr_core.survey.build import Built
from afmsr_core.survey.guard import Place
from afmsr_core.survey.server import invite
from afmsr_core.survey.site import FAILURES, Site
from afmsr_core.survey.study import Key, Study

TELLING = ("ETag", "Last-Modified", "Accept-Ranges", "Expires", "Age", "Server")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return small_study(tmp_path_factory.mktemp("blind"), pairs=4, repeats=2, catch=2)


@pytest.fixture(scope="module")
def server(built: Built) -> Iterator[Server]:
    with serving(built.study.folder) as running:
        yield running


@pytest.fixture
def anna(server: Server) -> Iterator[Visitor]:
    yield from visitor(server, "anna")


@pytest.fixture
def ben(server: Server) -> Iterator[Visitor]:
    yield from visitor(server, "ben")


def visitor(server: Server, rater: str) -> Iterator[Visitor]:
    one = Visitor(server.port)
    assert one.join(server.links[rater]).status == 200
    yield one
    one.close()


def sets(built: Built) -> range:
    return range(1, len(built.study.sets) + 1)


# --- what the page and its requests tell -----------------------------------------------------


def test_no_answer_of_the_server_names_a_method_a_pair_or_an_item(
    built: Built, anna: Visitor
) -> None:
    key: Key = built.key
    secret = {key.secret, str(key.seed), *key.items, built.study.id, str(built.study.folder)}
    secret |= {one.set for one in built.study.sets} | {one.truth for one in built.study.sets}
    words = {*METHODS, "sample", "repeat", "catch", "truth.png"}  # those are in programs, too
    fixed = ["/static/survey.js", "/static/survey.css"]
    for path in [*fixed, "/", "/paused", "/nothing", *(f"/set/{one}" for one in sets(built))]:
        answer = anna.ask("GET", path)
        told = answer.text + json.dumps(dict(answer.headers))
        telling = secret if path in fixed else secret | words
        assert [word for word in telling if word in told] == [], path


def test_images_of_a_set_differ_in_nothing_but_their_pixels(built: Built, anna: Visitor) -> None:
    for number in sets(built):
        answers = [anna.ask("GET", path) for path in anna.images(number)]
        assert {one.status for one in answers} == {200}
        assert len({len(one.body) for one in answers}) == 1
        heads = [{k: v for k, v in one.headers.items() if k != "date"} for one in answers]
        assert all(head == heads[0] for head in heads)
        assert not {name.lower() for name in TELLING} & set(heads[0])
        assert heads[0]["cache-control"] == "no-store" and "set-cookie" not in heads[0]
        kinds = {tuple(chunks(one.body)) for one in answers}
        assert kinds == {("IHDR", "raNd", "IDAT", "IEND")}


def chunks(png: bytes) -> Iterator[str]:
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8].decode()
        at += 12 + size


def test_a_repeat_and_a_catch_have_no_double(built: Built, anna: Visitor, ben: Visitor) -> None:
    bodies, names = [], []
    for number in sets(built):
        for path in anna.images(number):
            bodies.append(anna.ask("GET", path).body)
            names.append(path)
    images = sum(1 + len(one.items) for one in built.study.sets)
    assert len(set(bodies)) == len(set(names)) == len(bodies) == images
    others = {path for number in sets(built) for path in ben.images(number)}
    assert len(others) == images and not others & set(names)  # no name is anybody else's


def test_an_image_asked_for_again_is_answered_the_same(anna: Visitor) -> None:
    path = anna.images(1)[1]
    first = anna.ask("GET", path)
    for header in ("If_None_Match", "If_Modified_Since", "Range"):
        value = {"Range": "bytes=0-9", "If_None_Match": "*"}.get(header)
        again = anna.ask("GET", path, **{header: value or "Sun, 22 Nov 2099 00:00:00 GMT"})
        assert (again.status, again.body) == (200, first.body)
    head = anna.ask("HEAD", path)
    assert head.status == 200 and head.body == b""
    assert head.headers["content-length"] == str(len(first.body))


def test_the_time_of_an_image_tells_nothing(built: Built, anna: Visitor) -> None:
    """Truths, catch items and repeats come by the same way as the rest, as fast."""
    by_kind: dict[str, list[float]] = {}
    aliases = {
        alias: built.key.items[item]
        for number, plan in enumerate(built.study.store.plan("anna"), 1)
        for alias, item in zip(anna.items(number), plan.items, strict=True)
    }
    for _ in range(6):
        for alias, one in aliases.items():
            began = time.perf_counter()
            anna.ask("GET", f"/image/{alias}")
            kind = "catch" if one.catch else "repeat" if one.repeat_of else one.method
            by_kind.setdefault(kind, []).append(time.perf_counter() - began)
    fastest = {kind: min(times) for kind, times in by_kind.items()}
    usual = statistics.median(time for times in by_kind.values() for time in times)
    assert max(fastest.values()) - min(fastest.values()) < max(usual, 0.02), fastest


def test_orders_differ_between_raters_and_say_nothing_by_place(built: Built) -> None:
    plans = {rater: built.study.store.plan(rater) for rater in built.study.store.raters()}
    assert len({tuple(one.set for one in plan) for plan in plans.values()}) == len(plans)
    for plan in plans.values():
        firsts = {built.key.items[one.items[0]].method for one in plan}
        assert len(firsts) > 1


# --- another rater's answers -------------------------------------------------------------------


def test_anothers_answers_are_out_of_reach(built: Built, anna: Visitor, ben: Visitor) -> None:
    mine, theirs = anna.items(1)[0], ben.items(1)[0]
    assert anna.click(mine, score=6).status == 200
    secret = "nobody else is to read this"
    anna.post("/comment", {"number": 1, "text": secret})
    for number in sets(built):
        page = ben.ask("GET", f"/set/{number}").text
        assert secret not in page and mine not in page and " checked>" not in page
    assert ben.click(mine, score=1).status == 404  # her name for it means nothing to him
    assert ben.ask("GET", f"/image/{mine}").status == 404
    for extra in ({"rater": "anna"}, {"user": "anna"}, {"set": built.study.sets[0].set}):
        ben.click(theirs, score=2, **extra)
    held = {(one.rater, one.score) for one in built.study.store.scores()}
    assert held == {("anna", 6), ("ben", 2)}


def test_a_click_cannot_be_taken_from_another_by_its_name(
    built: Built, anna: Visitor, ben: Visitor
) -> None:
    name = secrets.token_hex(16)
    assert ben.click(ben.items(2)[0], score=1, id=name).status == 200
    assert anna.click(anna.items(2)[0], score=5, id=name).status == 200
    item = built.study.store.plan("anna")[1].items[0]
    wanted = "anna", item, "fidelity"
    held = built.study.store.scores()
    assert [s.score for s in held if (s.rater, s.item, s.question) == wanted] == [5]


def test_without_a_session_there_is_nothing(server: Server, anna: Visitor) -> None:
    item, image = anna.items(1)[0], anna.images(1)[0]
    stranger, (name, _, session) = Visitor(server.port), anna.cookie.partition("=")
    for cookie in ("", f"{name}={session.swapcase()}", "afmsr=1", f"{name}="):
        stranger.cookie = cookie
        for path in ("/", "/set/1", image):
            answer = stranger.ask("GET", path)
            assert answer.status in (403, 429) and b"/image/" not in answer.body
        assert stranger.click(item).status in (403, 429)
    assert anna.ask("GET", "/").status == 200  # a stranger's failures do not lock her out


def test_tokens_are_not_guessed_nor_kept(built: Built, server: Server, anna: Visitor) -> None:
    stranger, token = Visitor(server.port), server.links["anna"].rpartition("/")[2]
    near = [token[:-1] + end for end in "abcdefghijklmnopqrstuvwxyz0123456789" if end != token[-1]]
    found = [stranger.ask("GET", f"/i/{guess}").status for guess in near]
    assert set(found) == {404, 429} and found.index(429) <= FAILURES[0]  # they are slowed down
    assert Visitor(server.port).join(server.links["anna"]).status == 200  # who has it is not
    raw = b"".join(path.read_bytes() for path in built.study.folder.glob("scores.sqlite*"))
    assert token.encode() not in raw  # only its hash is on the disk
    assert anna.cookie.partition("=")[2].encode() not in raw


def test_the_token_leaves_the_address_and_the_cookie_is_shut(server: Server) -> None:
    answer = Visitor(server.port).ask("GET", "/i/" + server.links["carl"].rpartition("/")[2])
    assert 'http-equiv="refresh" content="0;url=/"' in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert server.links["carl"].rpartition("/")[2] not in cookie + answer.text
    head = Visitor(server.port).ask("HEAD", "/i/" + server.links["carl"].rpartition("/")[2])
    assert "set-cookie" not in head.headers  # a mail program that looks at links gets no session


# --- forged requests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        {"X_CSRF_Token": None}, {"X_CSRF_Token": "0" * 32}, {"X_CSRF_Token": "ü"},
        {"Origin": None}, {"Origin": "null"}, {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1"}, {"Origin": "https://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
        {"Host": "evil.example"}, {"Host": "127.0.0.1:1"}, {"Host": "127.0.0.1.evil.example"},
        {"Content_Type": "text/plain"}, {"Content_Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)  # fmt: skip
def test_a_forged_click_is_refused(
    built: Built, anna: Visitor, forged: dict[str, str | None]
) -> None:
    before = built.study.store.scores()
    given = {"id": "0" * 32, "item": anna.items(3)[0], "question": "quality", "score": 1}
    if value := forged.get("X_CSRF_Token"):
        forged = {"X_CSRF_Token": value.encode().decode("latin-1")}
    answer = anna.post("/click", given | {"seconds": 0}, **forged)
    assert answer.status in (400, 403, 415) and answer.json["saved"] is False
    assert built.study.store.scores() == before


def test_another_session_s_csrf_token_is_none(anna: Visitor, ben: Visitor) -> None:
    item = anna.items(1)[0]
    anna.csrf = ben.csrf
    assert anna.click(item).status == 403
    assert anna.ask("POST", "/pause", b"").status == 403
    assert anna.ask("GET", "/").status == 200


def test_a_page_for_another_host_is_refused(anna: Visitor) -> None:
    """DNS rebinding: a foreign name that leads to this address."""
    for host in ("evil.example", f"evil.example:{anna.port}", ""):
        assert anna.ask("GET", "/", Host=host or "x").status == 400
    for host in (f"localhost:{anna.port}", f"LOCALHOST:{anna.port}"):
        assert anna.ask("GET", "/paused", Host=host).status == 200


def test_a_proxy_s_headers_are_not_believed(anna: Visitor) -> None:
    item = anna.items(1)[0]
    answer = anna.click(item, score=3)
    assert answer.status == 200
    given = {"id": "1" * 32, "item": item, "question": "quality", "score": 1, "seconds": 0}
    answer = anna.post(
        "/click", given, Origin="http://evil.example", X_Forwarded_Host="evil.example",
        X_Forwarded_Proto="https", Forwarded="host=evil.example",
    )  # fmt: skip
    assert answer.status == 403


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "FOO"])
def test_other_methods_are_refused(anna: Visitor, method: str) -> None:
    for path in ("/set/1", anna.images(1)[0], "/click", "/static/survey.js", "/i/x"):
        answer = anna.ask(method, path)
        assert answer.status in (400, 404, 405) and anna.cookie not in answer.text
        assert "Max-Forwards" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/image/../study.json", "/image/%2e%2e/study.json", "/image/..%2fscores.sqlite",
        "/image/", "/image", "/static/", "/static", "/static/../server.py",
        "/static/%2e%2e/templates/set.html", "/static/..%5cserver.py", "//etc/passwd",
        "/static//etc/passwd", "/study.json", "/scores.sqlite", "/set/", "/set/0", "/set/7",
        "/set/-1", "/set/99999999999999999999999", "/set/1/", "/study.key.json", "/console",
        "/image/%00", "/set/1%00", "/i/%2e%2e", "/image/" + "a" * 5000,
    ],
    ids=lambda path: path[:40],
)  # fmt: skip
def test_no_path_leads_to_a_file_or_a_listing(anna: Visitor, path: str) -> None:
    answer = anna.ask("GET", path)
    assert answer.status in (308, 400, 404, 414, 429) and b"root:" not in answer.body
    assert len(answer.body) < 1500 and b"Traceback" not in answer.body
    assert b"SQLite" not in answer.body and b'"items"' not in answer.body


def test_images_of_the_folder_have_no_address(built: Built, anna: Visitor) -> None:
    for name in [*built.key.items, *(one.truth for one in built.study.sets)]:
        for path in (f"/image/{name}", f"/image/{name}.png", f"/images/{name}.png"):
            assert anna.ask("GET", path).status == 404


# --- too much ------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused(anna: Visitor) -> None:
    for size in (17_000, 70_000, 3_000_000):
        try:
            answer = anna.ask("POST", "/comment", b'{"number": 1, "text": "' + b"x" * size + b'"}')
        except (OSError, http.client.HTTPException):
            continue  # the server hung up before it had all
        assert answer.status == 413
    assert anna.post("/comment", {"number": 1, "text": "x" * 2001}).status == 400
    assert anna.post("/comment", {"number": 1, "text": "x" * 2000}).status == 200
    assert anna.post("/comment", {"number": True, "text": "x"}).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9000, b'{"id": 1}'])
def test_a_body_that_is_nothing_is_refused(anna: Visitor, body: bytes) -> None:
    for path in ("/click", "/comment"):
        assert anna.ask("POST", path, body).status == 400


def test_a_header_that_is_too_large_is_refused(anna: Visitor) -> None:
    with socket.create_connection(("127.0.0.1", anna.port), timeout=20) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 40_000 + b"\r\n\r\n")
        assert re.match(rb"HTTP/1.\d 4(31|00)", raw.recv(100))


def test_who_asks_too_often_waits_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "CALLS", (6, 0.001))
    study, place = small_study(tmp_path, pairs=1).study, Place.of("127.0.0.1", 80)
    links = invite(study, ["anna", "ben"], place)
    app = Site(study, place).app

    def asks(rater: str, times: int) -> list[int]:
        client = app.test_client()
        host = {"Host": "127.0.0.1:80"}
        client.get(links[rater].removeprefix(place.url), headers=host)
        found = [client.get("/set/1", headers=host) for _ in range(times)]
        assert all("Retry-After" in one.headers for one in found if one.status_code == 429)
        return [one.status_code for one in found]

    assert asks("anna", 9) == [200] * 6 + [429] * 3
    assert asks("ben", 3) == [200] * 3


def test_every_answer_is_armoured(anna: Visitor) -> None:
    for path in ("/", "/set/1", anna.images(1)[0], "/static/survey.js", "/nothing", "/paused"):
        headers = anna.ask("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    page = anna.ask("GET", "/set/1").text
    assert not re.search(r"<script(?! src)|\son\w+=|style=|https?://", page)


def test_the_shared_folder_lacks_the_key(built: Built) -> None:
    study: Path = built.study.folder
    assert sorted(path.name for path in study.iterdir() if "-" not in path.name) == [
        "images", "scores.sqlite", "study.json",
    ]  # fmt: skip
    raw = b"".join(path.read_bytes() for path in study.rglob("*") if path.is_file())
    names = [*METHODS, "sample 0", built.key.secret, str(built.key.seed)]
    assert [name for name in names if name.encode() in raw] == []
    assert not built.key_path.is_relative_to(study)
    assert built.key_path.stat().st_mode & 0o077 == 0
    assert Study.read(study).id == built.key.study
