"""Small studies, real server processes and plain HTTP, for the tests of the survey."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from afmsr_core.survey.build import Built, build_study

METHODS = ("bicubic", "rcan", "rdn")
START = 40.0  # seconds that a loaded machine may take


def write_images(folder: Path, pairs: int = 4, size: int = 48) -> Path:
    """Write images: per pair a truth and a result a method, each blurred its own way."""
    for pair in range(pairs):
        random = np.random.default_rng(pair)
        noise = random.normal(size=(size, size))
        truth = 128 + 60 * cv2.GaussianBlur(noise, (0, 0), 1.5) * 3
        one = folder / f"sample {pair}"
        one.mkdir(parents=True)
        cv2.imwrite(str(one / "truth.png"), truth.clip(0, 255).astype(np.uint8))
        for blur, method in enumerate(METHODS, 1):
            result = cv2.GaussianBlur(truth, (0, 0), blur)
            cv2.imwrite(str(one / f"{method}.png"), result.clip(0, 255).astype(np.uint8))
    return folder


def small_study(folder: Path, pairs: int = 4, **options: Any) -> Built:
    """Build a study of a few small images in `folder`."""
    options = {"raters": ("anna", "ben", "carl"), "seed": 7_142_857} | options
    return build_study(write_images(folder / "images", pairs), folder / "study", **options)


class Server:
    """`afmsr survey serve` as its own process, on a free port that it keeps when started again."""

    def __init__(self, study: Path, *options: str) -> None:
        self.study, self.options, self.port = study, options, 0
        self.links: dict[str, str] = {}
        self.told = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.told = ""
        command = [sys.executable, "-m", "afmsr_cli.main", "survey", "serve", str(self.study)]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port), *self.options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        timer = threading.Timer(START, self._process.kill)
        timer.start()
        assert self._process.stderr is not None and self._process.stdout is not None
        for line in self._process.stderr:
            self.told += line
            if found := re.search(r"serving .* at \S+:(\d+);", line):
                self.port = self.port or int(found[1])
                break
        else:
            raise AssertionError(self.told)
        timer.cancel()
        # The links are on stdout before that line is on stderr; little comes on stderr later.
        made = re.search(r"^(\d+) links", self.told, re.M)
        for _ in range(int(made[1]) if made else 0):
            rater, _, link = self._process.stdout.readline().strip().partition("\t")
            self.links[rater] = link

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def stop(self) -> int:
        """End it as Ctrl+C does; return the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=START)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self._process.returncode

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@contextmanager
def serving(study: Path, *options: str) -> Iterator[Server]:
    server = Server(study, *options)
    try:
        server.start()
        yield server
    finally:
        if server.running:
            server.kill()


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """One browser, as far as HTTP goes: a cookie, the token of the page, one connection."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie, self.csrf = port, "", ""
        self._connection: http.client.HTTPConnection | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """Send a request; a header that is None is left out."""
        told: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            told |= {"Origin": self.origin, "X-CSRF-Token": self.csrf}
            told |= {"Content-Type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {name: value for name, value in told.items() if value}
            self._connection.request(method, path, body, sent)
            return Answer(self._connection.getresponse())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def join(self, link: str) -> Answer:
        answer = self.ask("GET", urlsplit(link).path)
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            found = re.search(r'name="csrf" value="(\w+)"', self.ask("GET", "/").text)
            assert found
            self.csrf = found[1]
        return answer

    def items(self, number: int) -> list[str]:
        """Return the aliases of the results of a set."""
        page = self.ask("GET", f"/set/{number}").text
        return list(dict.fromkeys(re.findall(r'data-item="(\w+)"', page)))

    def images(self, number: int) -> list[str]:
        """Return the addresses of all images of a set, the truth first."""
        return re.findall(r'src="(/image/\w+)"', self.ask("GET", f"/set/{number}").text)

    def click(self, item: str, question: str = "fidelity", score: Any = 3, **more: Any) -> Answer:
        given = {"id": secrets.token_hex(16), "item": item, "question": question, "score": score}
        return self.post("/click", given | {"seconds": 1.5} | more)

    def post(self, path: str, given: Any, **headers: str | None) -> Answer:
        return self.ask("POST", path, json.dumps(given).encode(), **headers)
