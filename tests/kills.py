"""``python -m tests.kills``: kill commands at random moments and look at what is left.

A process that is killed cannot clean up. Whatever the moment, every output must be whole or
absent, what is left under a hidden name must be taken for nothing, and the same command given
again must finish the work as if nothing had happened.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from webserver import Server, serving

from afmsr_core import io
from afmsr_core.channel import Channel

PRELOADED = (
    *("afmsr_cli.main", "afmsr_cli.upscale", "afmsr_cli.models", "afmsr_cli.eval", "numpy"),
    *("afmsr_core.evaluation", "afmsr_core.report", "afmsr_core.upscale", "onnxruntime", "cv2"),
    *("torch", "pooch", "requests", "matplotlib.figure", "concurrent.futures", "skimage.metrics"),
)
GONE_SECONDS = 20.0  # until the workers of a killed command must have ended


class WrongError(Exception):
    """Something is left that should not be, or something is lost."""


def check(true: bool, what: str) -> None:
    if not true:
        raise WrongError(what)


# --- running and killing -----------------------------------------------------------------

# Forked from a process that has loaded the libraries, so that the moments fall into the work.
_context: Any = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")


def _command(words: Sequence[str], environment: dict[str, str], log: str) -> None:
    os.environ.update(environment)
    with Path(log).open("ab", buffering=0) as said:
        for number in (1, 2):
            os.dup2(said.fileno(), number)
    from afmsr_cli.main import main

    os._exit(main(list(words)))


def started(words: Sequence[object], environment: dict[str, str], log: Path) -> Any:
    process = _context.Process(target=_command, args=([*map(str, words)], environment, str(log)))
    process.start()
    return process


def finished(words: Sequence[object], environment: dict[str, str], log: Path) -> float:
    """Run a command to its end and return how long it took."""
    began = time.monotonic()
    process = started(words, environment, log)
    process.join()
    said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    check(process.exitcode == 0, f"{words} ended with {process.exitcode}: {said}")
    return time.monotonic() - began


def killed(words: Sequence[object], environment: dict[str, str], log: Path, after: float) -> None:
    process = started(words, environment, log)
    process.join(after)
    process.kill()
    process.join()
    mark = f"parent_pid={process.pid},".encode()
    end = time.monotonic() + GONE_SECONDS
    while any(mark in line for line in _command_lines()):
        check(time.monotonic() < end, "workers outlive their command")
        time.sleep(0.02)


def _command_lines() -> Iterator[bytes]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (entry / "cmdline").read_bytes()


# --- the commands ------------------------------------------------------------------------


class Upscale:
    """A folder of scans, in one process or two, with and without more channels and pictures."""

    name = "upscale"
    options: tuple[tuple[str, ...], ...] = (
        (),
        ("--jobs", "2"),
        ("--preview", "--confidence"),
        ("--method", "bicubic", "--jobs", "2", "--preview"),
    )

    def __init__(self, folder: Path) -> None:
        self._scans, self._expected = folder / "scans", dict[str, bytes]()
        self._scans.mkdir()
        self.environment: dict[str, str] = {}
        for seed in range(5):
            heights = np.random.default_rng(seed).normal(size=(80, 90)).cumsum(axis=1)
            channel = Channel(heights, 900.0, 800.0, title="Height")
            io.write(self._scans / f"scan{seed}.gwy", [channel])

    def command(self, output: Path, options: Sequence[str]) -> list[object]:
        words = ("upscale", self._scans, "-o", output, "--resume", "--threads", "1", "--quiet")
        return [*words, *options]

    def learn(self, output: Path, options: Sequence[str]) -> None:
        """Take what a run left alone gives as what is right."""
        self._expected = {path.name: _content(path) for path in output.iterdir()}
        check(len(self._expected) == (10 if "--preview" in options else 5), "results are missing")

    def look(self, output: Path) -> int:
        """Check what a killed run left; return the number of files under hidden names."""
        left = list(output.iterdir()) if output.is_dir() else []
        hidden = [path for path in left if path.name.startswith(".")]
        for path in set(left) - set(hidden):
            check(path.name in self._expected, f"{path.name} is nothing that was asked for")
            check(_content(path) == self._expected[path.name], f"{path.name} is not whole")
        check(not set(io.find_files([output])) & set(hidden), "a leftover is taken for a scan")
        return len(hidden)

    def look_again(self, output: Path, hidden: int) -> None:
        """Check what the same command makes of it."""
        check(self.look(output) <= hidden, "there are more leftovers")
        made = {path.name for path in output.iterdir() if not path.name.startswith(".")}
        check(made == set(self._expected), f"{set(self._expected) - made} are missing")


def _content(path: Path) -> bytes:
    """Return what is in a result, without its log, which has the time of day."""
    if path.suffix != ".gwy":
        return path.read_bytes()
    channels = io.as_gwy(path).channels()
    return b"".join(channel.title.encode() + channel.heights.tobytes() for channel in channels)


class Fetch:
    """The weights of a network, from servers that can continue a download and others."""

    name = "fetch"
    options: tuple[tuple[str, ...], ...] = (("etag", "ranges"), ("etag",), ())

    def __init__(self, folder: Path, server: Server) -> None:
        from weightfiles import weights_of

        self._server, self._models = server, folder / "none"
        server.body, server.pause = weights_of("ninasr_b0"), 0.02
        self.environment = {"AFMSR_MODEL_URL": server.url, "NO_PROXY": "127.0.0.1"}

    def command(self, output: Path, options: Sequence[str]) -> list[object]:
        self._server.etag = '"one"' if "etag" in options else None
        self._server.ranges = "ranges" in options
        self.environment["AFMSR_MODEL_DIR"] = str(output)
        return ["models", "fetch", "ninasr_b0"]

    def learn(self, output: Path, options: Sequence[str]) -> None:
        self.look_again(output, 0)

    def look(self, output: Path) -> int:
        left = {path.name: path for path in output.iterdir()} if output.is_dir() else {}
        if whole := left.pop("ninasr_b0_x4.pt", None):
            check(whole.read_bytes() == self._server.body, "half of a download counts as whole")
            check("ninasr_b0_x4.pt.sha256" in left, "a file has come without its hash")
        left.pop("ninasr_b0_x4.pt.sha256", None)
        for name in left:
            check(name.startswith(".") or name.endswith(".part"), f"{name} is none of ours")
        return len(left)

    def look_again(self, output: Path, hidden: int) -> None:
        check(self.look(output) == 0, "leftovers were not removed by the next fetch")
        check((output / "ninasr_b0_x4.pt").is_file(), "nothing was fetched")


class Evaluate:
    """Pairs of scans, in one process or two."""

    name = "eval"
    options: tuple[tuple[str, ...], ...] = (
        ("--protocol", "paper"),
        ("--protocol", "nm", "--jobs", "2"),
    )

    def __init__(self, folder: Path) -> None:
        from test_evaluation import coarse, surface, write_pair

        self._pairs, self._expected = folder / "pairs", dict[str, Any]()
        self.environment: dict[str, str] = {}
        for seed in range(3):
            truth = surface(seed, 160)
            write_pair(self._pairs, f"p{seed}", coarse(truth), truth)

    def command(self, output: Path, options: Sequence[str]) -> list[object]:
        methods = ("--methods", "bilinear,bicubic")
        return ["eval", self._pairs, "-o", output, "--quiet", *methods, *options]

    def learn(self, output: Path, options: Sequence[str]) -> None:
        self._expected = self._scores(output)
        check(len(self._expected) == 3, "pairs are missing")

    def look(self, output: Path) -> int:
        left = list(output.rglob("*")) if output.is_dir() else []
        hidden = [path for path in left if path.name.startswith(".")]
        for path in set(left) - set(hidden):
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            if path.suffix == ".npz":
                with np.load(path) as fields:
                    check(all(fields[name].size for name in fields), f"{path.name}: no fields")
            if path.suffix == ".html":
                check(path.read_text(encoding="utf-8").rstrip().endswith("</html>"), str(path))
        for name, scores in self._scores(output).items():
            check(scores == self._expected[name], f"{name}: other scores")
        return len(hidden)

    def look_again(self, output: Path, hidden: int) -> None:
        check(self.look(output) <= hidden, "there are more leftovers")
        result = json.loads((output / "results.json").read_text(encoding="utf-8"))
        found = {pair["id"]: pair["scores"] for pair in result["pairs"]}
        check(found == self._expected, "the results are not those of a run left alone")
        check((output / "report.html").is_file(), "there is no report")

    def _scores(self, output: Path) -> dict[str, Any]:
        records = [json.loads(path.read_text()) for path in output.glob("pairs/[!.]*.json")]
        for record in records:
            check(record["status"] == "scored", f"{record['id']}: {record['reason']}")
            check((output / record["fields"]).is_file(), f"{record['id']}: its fields are missing")
        return {record["id"]: record["scores"] for record in records}


# --- all together ------------------------------------------------------------------------


def trial(one: Any, folder: Path, runs: int, seed: int) -> str:
    """Kill so many runs of a command; return what was seen."""
    chance = random.Random(f"{one.name} {seed}")
    took: list[float] = []
    done = finishes = hidden = 0
    for number, options in enumerate(one.options):
        alone = folder / f"{one.name}-alone"
        log = folder / "said.log"
        took.append(finished(one.command(alone, options), one.environment, log))
        one.learn(alone, options)
        shutil.rmtree(alone)
        while done < runs * (number + 1) // len(one.options):
            output = folder / f"{one.name}-{done}"
            # Up to three, each with what the one before has left.
            for _ in range(chance.randint(1, 3)):
                words = one.command(output, options)
                killed(words, one.environment, log, chance.uniform(0.0, took[-1]))
                done += 1
                left = one.look(output)
                hidden += left
            finished(one.command(output, options), one.environment, log)
            one.look_again(output, left)
            finishes += 1
            shutil.rmtree(output)
    times = ", ".join(f"{seconds:.1f} s" for seconds in took)
    return (
        f"{one.name}: {done} killed, left alone they take {times}; {hidden} files were left under "
        f"hidden names; all {finishes} were finished by the next run"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=100, metavar="N", help="to kill, of each command"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--only", choices=("upscale", "fetch", "eval"))
    args = parser.parse_args()
    _context.set_forkserver_preload(list(PRELOADED))
    with tempfile.TemporaryDirectory(prefix="afmsr-kills-") as name, serving() as server:
        folder = Path(name)
        commands = {
            "upscale": lambda: Upscale(folder),
            "fetch": lambda: Fetch(folder, server),
            "eval": lambda: Evaluate(folder),
        }
        for word, command in commands.items():
            if args.only in (None, word):
                try:
                    print(trial(command(), folder, args.runs, args.seed), flush=True)
                except WrongError as wrong:
                    print(f"{word}, seed {args.seed}: {wrong}", file=sys.stderr)
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
