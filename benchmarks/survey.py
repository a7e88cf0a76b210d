"""Many raters at once on ``afmsr survey serve``: how long each kind of request takes.

Every rater opens sets of a truth and three results of the paper's size, loads all images, and
clicks every answer with a pause in between; a click is answered when it is on the disk. Raters are
threads of this process, which takes its share of the same processors.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.markdown import head, line

SIDE = 370  # pixels, as in the paper
METHODS = ("bicubic", "rcan", "rdn")
PAIRS = 12
SHARES = (50, 90, 95, 99, 100)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--raters", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--pause", type=float, default=2.0, help="mean s between clicks (2.0)")
    parser.add_argument("--seconds", type=float, default=30.0, help="to go on (%(default)s)")


def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        study = _study(Path(folder), args.raters)
        command = [sys.executable, "-m", "afmsr_cli.main", "survey", "serve", str(study)]
        server = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            for line in server.stderr:
                if "serving" in line:
                    break
            links = [server.stdout.readline().split("\t")[1].strip() for _ in range(args.raters)]
            end = time.monotonic() + args.seconds
            raters = [_Rater(link, args.pause, end) for link in links]
            for rater in raters:
                rater.start()
            for rater in raters:
                rater.join()
        finally:
            server.terminate()
            server.communicate()
        _print(raters, args, _held(study))


class _Rater(threading.Thread):
    """One rater: opens sets, loads images, thinks, clicks."""

    def __init__(self, link: str, pause: float, end: float) -> None:
        super().__init__()
        parts = urlsplit(link)
        self.place, self.path, self.pause, self.end = parts.netloc, parts.path, pause, end
        self.cookie = self.csrf = ""
        self.times: dict[str, list[float]] = {"page": [], "image": [], "click": []}
        self.failed = 0
        self.answers: set[tuple[str, str]] = set()

    def run(self) -> None:
        self.wire = http.client.HTTPConnection(self.place, timeout=60)
        time.sleep(random.uniform(0, 2 * self.pause))  # not all at the same moment
        self.cookie = self.ask("page", self.path)[1]["Set-Cookie"].partition(";")[0]
        number = 0
        while time.monotonic() < self.end:
            number = number % PAIRS + 1
            page = self.ask("page", f"/set/{number}")[0].decode()
            self.csrf = re.search(r'name="csrf" content="(\w+)"', page)[1]
            for address in re.findall(r'src="(/image/\w+)"', page):
                self.ask("image", address)
            for item, question in re.findall(r'data-item="(\w+)" data-question="(\w+)"', page):
                time.sleep(random.expovariate(1 / self.pause))
                if time.monotonic() > self.end:
                    break
                click = {"id": secrets.token_hex(16), "item": item, "question": question}
                click |= {"score": random.randint(1, 6), "seconds": 1.0}
                if json.loads(self.ask("click", "/click", click)[0])["saved"]:
                    self.answers.add((item, question))
        self.wire.close()

    def ask(self, kind: str, path: str, given: dict | None = None) -> tuple[bytes, dict[str, str]]:
        headers = {"Cookie": self.cookie}
        if given:
            headers |= {"Origin": f"http://{self.place}", "X-CSRF-Token": self.csrf}
            headers |= {"Content-Type": "application/json"}
        began = time.perf_counter()
        self.wire.request(
            "POST" if given else "GET", path, json.dumps(given) if given else None, headers
        )
        response = self.wire.getresponse()
        body = response.read()
        self.times[kind].append(time.perf_counter() - began)
        self.failed += response.status != 200
        return body, dict(response.getheaders())


def _study(folder: Path, raters: int) -> Path:
    from afmsr_core.survey.build import build_study
    from afmsr_core.survey.png import plain_png

    draw = np.random.default_rng(0)
    for pair in range(PAIRS):
        one = folder / "images" / f"pair-{pair}"
        one.mkdir(parents=True)
        for name in ("truth", *METHODS):
            pixels = draw.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            (one / f"{name}.png").write_bytes(plain_png(pixels, b""))
    names = [f"rater-{number}" for number in range(raters)]
    return build_study(folder / "images", folder / "study", raters=names).study.folder


def _held(study: Path) -> int:
    from afmsr_core.survey.study import Study

    return len(Study.read(study).store.scores())


def _print(raters: list[_Rater], args: argparse.Namespace, held: int) -> None:
    print(
        f"{args.raters} raters, a click every {args.pause:g} s each, for {args.seconds:g} s; "
        f"images of {SIDE} x {SIDE} px\n"
    )
    print(head(("request", "number", *(f"{share} %, ms" for share in SHARES))))
    every = {kind: [t for one in raters for t in one.times[kind]] for kind in raters[0].times}
    every["all"] = [t for times in every.values() for t in times]
    for kind, times in every.items():
        cells = (f"{1e3 * one:.0f}" for one in np.percentile(times, SHARES))
        print(line(kind, len(times), *cells))
    confirmed = sum(len(one.answers) for one in raters)
    failed = sum(one.failed for one in raters)
    print(f"\n{failed} failed; {confirmed} answers confirmed, {held} in the study")
