"""The survey's server loses no click that it confirmed: killed, started again, asked by many."""

from __future__ import annotations

import http.client
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from surveys import Server, Visitor, serving, small_study

from afmsr_cli.main import main
from afmsr_core.survey.store import Store
from afmsr_core.survey.study import Study

MANY = tuple(f"rater-{number:02d}" for number in range(50))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return small_study(tmp_path).study


@pytest.fixture
def server(study: Study) -> Iterator[Server]:
    with serving(study.folder) as running:
        yield running


def visitor(server: Server, rater: str = "anna") -> Visitor:
    one = Visitor(server.port)
    assert one.join(server.links[rater]).status == 200
    return one


def test_a_click_is_a_score(server: Server, study: Study) -> None:
    anna = visitor(server)
    item = anna.items(1)[1]
    answer = anna.click(item, "quality", 5, seconds=2.25)
    assert answer.status == 200 and answer.json == {"saved": True, "done": 1, "all": 24}
    (score,) = study.store.scores()
    first = study.store.plan("anna")[0]
    assert (score.rater, score.set, score.item) == ("anna", first.set, first.items[1])
    assert (score.question, score.score, score.seconds) == ("quality", 5, 2.25)
    page = anna.ask("GET", "/set/1").text
    assert page.count(" checked>") == 1 and 'value="5" checked' in page


def test_the_same_click_again_changes_nothing_and_the_last_one_holds(
    server: Server, study: Study
) -> None:
    anna = visitor(server)
    item, same = anna.items(1)[0], secrets.token_hex(16)
    for _ in range(3):
        assert anna.click(item, score=2, id=same).json["saved"]
    assert anna.click(item, score=6).json == {"saved": True, "done": 1, "all": 24}
    assert anna.click(item, score=2, id=same).json["saved"]  # comes late, was there before
    assert [one.score for one in study.store.scores()] == [6]
    assert anna.click(item, score=4, id=same).json["saved"]  # another answer under the same name
    assert [one.score for one in study.store.scores()] == [4]


def test_a_comment_is_kept_and_taken_back(server: Server, study: Study) -> None:
    anna = visitor(server)
    text = 'Grains <b>merge</b> at the edge; µm & "quotes"\nsecond line'
    assert anna.post("/comment", {"number": 2, "text": text}).json["saved"]
    assert study.store.comments() == {("anna", study.store.plan("anna")[1].set): text}
    assert "<b>merge" not in anna.ask("GET", "/set/2").text
    anna.post("/comment", {"number": 2, "text": " "})
    assert study.store.comments() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"score": score} for score in (0, 7, -1, 3.0, "3", True, None, [3])),
        *({"seconds": seconds} for seconds in (-1, None, "1", 1e400)),
        {"question": "speed"}, {"question": ["fidelity"]}, {"id": "x"}, {"id": 5}, {"item": 5},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_answer_is_refused(quiet: tuple[Server, Visitor], wrong: dict) -> None:
    server, anna = quiet
    answer = anna.click(**({"item": anna.items(1)[0]} | wrong))
    assert answer.status == 400 and answer.json["saved"] is False
    assert Study.read(server.study).store.scores() == []


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Visitor]]:
    study = small_study(tmp_path_factory.mktemp("quiet")).study
    with serving(study.folder) as running:
        yield running, visitor(running)


def test_killed_at_random_no_confirmed_click_is_lost(study: Study) -> None:
    random.seed(3)
    confirmed: dict[tuple[str, str, str], int] = {}
    sent: dict[tuple[str, str, str], set[int]] = {}
    with serving(study.folder) as server:
        links = dict(server.links)
        raters = {rater: visitor(server, rater) for rater in links}
        places = [
            (rater, item, question)
            for rater, one in raters.items()
            for number in range(1, 5)
            for item in one.items(number)
            for question in study.questions
        ]
        real = {
            (rater, alias): item
            for rater, one in raters.items()
            for number, plan in enumerate(study.store.plan(rater), 1)
            for alias, item in zip(one.items(number), plan.items, strict=True)
        }
        for _ in range(4):
            killer, left = None, random.randint(4, 16)  # answers until it is killed, at any moment
            while server.running:
                if left == 0 and killer is None:
                    killer = threading.Timer(random.uniform(0, 0.03), server.kill)
                    killer.start()
                rater, item, question = place = random.choice(places)
                score = random.randint(1, 6)
                sent.setdefault(place, set()).add(score)
                try:
                    answer = raters[rater].click(item, question, score)
                except (OSError, http.client.HTTPException):
                    continue
                assert answer.status == 200
                # A click without an answer may be on the disk or not; this one is.
                confirmed[place], sent[place] = score, {score}
                left -= 1
            assert killer is not None
            killer.join()
            held = {(s.rater, s.item, s.question): s.score for s in study.store.scores()}
            for (rater, alias, question), score in confirmed.items():
                found = held[rater, real[rater, alias], question]
                assert found == score or found in sent[rater, alias, question]
            server.start()
            for one in raters.values():
                one.close()
                assert one.ask("GET", "/set/2").status == 200  # the session holds
    assert len(confirmed) > 10


def test_many_at_once_are_kept_apart(tmp_path: Path) -> None:
    study = small_study(tmp_path, pairs=2, raters=MANY).study
    failed: list[str] = []

    def rate(rater: str) -> None:
        one, draw = visitor(server, rater), random.Random(rater)
        for number in (1, 2):
            for item in one.items(number):
                for question in study.questions:
                    if not one.click(item, question, draw.randint(1, 6)).json["saved"]:
                        failed.append(f"{rater} {item}")
        one.close()

    with serving(study.folder) as server:
        threads = [threading.Thread(target=rate, args=(rater,)) for rater in MANY]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    found = {(s.rater, s.item, s.question): s.score for s in study.store.scores()}
    expected = {}
    for rater in MANY:
        draw = random.Random(rater)
        for plan in study.store.plan(rater):
            for item in plan.items:
                for question in study.questions:
                    expected[rater, item, question] = draw.randint(1, 6)
    assert found == expected


def test_pause_ends_the_session_and_the_link_goes_on(server: Server) -> None:
    anna, elsewhere = visitor(server), visitor(server)
    item = anna.items(3)[0]
    anna.click(item, score=4)
    ended = anna.ask("POST", "/pause", b"", Content_Type="application/x-www-form-urlencoded")
    assert ended.status == 303 and ended.headers["location"] == "/paused"
    assert anna.ask("GET", "/set/3").status == 403
    assert 'value="4" checked' in elsewhere.ask("GET", "/set/3").text  # another machine
    assert 'value="4" checked' in visitor(server).ask("GET", "/set/3").text  # the link again


def test_ctrl_c_leaves_one_file(server: Server, study: Study) -> None:
    anna = visitor(server)
    anna.click(anna.items(1)[0], score=4)
    anna.close()
    assert server.stop() == 0
    alone = study.folder.parent / "alone.sqlite"
    alone.write_bytes(study.database.read_bytes())
    assert [one.score for one in Store(alone).scores()] == [4]


def test_new_links_end_the_old_ones_and_raters_can_be_added(study: Study) -> None:
    with serving(study.folder) as server:
        old, anna = dict(server.links), visitor(server)
    with serving(study.folder, "--new-links", "anna", "--raters", "dora") as server:
        assert set(server.links) == {"anna", "dora"}
        anna.close()
        anna.port = server.port
        assert anna.ask("GET", "/").status == 403
        assert Visitor(server.port).join(old["anna"]).status == 404
        assert visitor(server, "dora").ask("GET", "/set/4").status == 200
        assert Visitor(server.port).join(old["ben"]).status == 200
    assert study.store.raters() == ["anna", "ben", "carl", "dora"]
    assert {one.set for one in study.store.plan("dora")} == {one.set for one in study.sets}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_links_that_could_not_be_shown_are_an_error_and_others_can_be_made(
    study: Study, where: str
) -> None:
    line = f"{sys.executable} -m afmsr_cli.main survey serve '{study.folder}' --port 0 {where}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the links were not written" in done.stderr and "serving" not in done.stderr
    assert "--new-links anna,ben,carl" in done.stderr
    with serving(study.folder, "--new-links", "anna,ben,carl") as server:
        assert visitor(server).ask("GET", "/set/1").status == 200


def test_another_address_is_warned_of_and_all_addresses_need_a_name(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afmsr_core.survey.server.serve", lambda *given: None)
    command = ["survey", "serve", str(study.folder), "--port", "0"]
    assert main(command) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([*command, "--host", "0.0.0.0", "--url", "http://lab-7:8765"]) == 0
    told = capsys.readouterr()
    assert "warning: everybody who reaches 0.0.0.0" in told.err
    assert main([*command, "--host", "0.0.0.0"]) == 2
    assert "--url" in capsys.readouterr().err
    assert main([*command, "--url", "lab-7"]) == 2
    assert main([*command, "--new-links", "nobody"]) == 2


def test_a_port_that_is_taken_is_named(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["survey", "serve", str(study.folder), "--port", port]) == 1
    assert f"--port {port}" in capsys.readouterr().err


def test_sigterm_ends_it_as_ctrl_c_does(server: Server) -> None:
    assert server._process is not None
    server._process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 30
    while server.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server._process.returncode in (0, 130)
