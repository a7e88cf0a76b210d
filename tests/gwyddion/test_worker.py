"""The worker keeps its protocol, its time limit and its secrets."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from screen import alive, wait_for

from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import field_files, protocol

COLD = [sys.executable, "-I", "-m", "gwyddion_plugin.worker", "--cold"]
LATE = 20.0  # seconds; nothing here takes as long


class Worker:
    """The client in its simplest form, as a script without this package would write it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.ready = self.hear()

    def say(self, **message) -> None:
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict:
        line = self.process.stdout.readline()
        return json.loads(line) if line else {}

    def answer(self) -> dict:
        while (message := self.hear()).get("type") == "progress":
            self.progress = message
        return message

    def leave(self) -> int:
        self.process.stdin.close()
        status = self.process.wait(LATE)
        self.process.stdout.close()
        return status


@pytest.fixture
def start(home) -> Iterator:
    workers = []

    def begin(*command: str, **variables: str) -> Worker:
        home.variables |= variables
        workers.append(Worker(list(command) or COLD, home.environment))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "ürequest"
    path.mkdir(mode=0o700)
    return path


def field(folder: Path, side: int = 16, **changes) -> dict:
    values = np.random.default_rng(0).normal(0, 5e-9, (side, side))
    mask = (values > 0).astype(float).tobytes()
    field = RawField(side, side, 1e-6, 1.25e-6, "m", "m", values.tobytes(), mask)
    return field_files.write(folder, field)


def test_it_introduces_itself(start):
    worker = start()
    assert worker.ready.pop("pid") == worker.process.pid
    assert worker.ready.pop("afmsr")
    assert worker.ready.pop("address").endswith(".address")
    assert worker.ready == {"type": "ready", "protocol": 1, "warm": False}
    assert worker.leave() == 0


def test_a_field_goes_in_and_comes_out(start, folder):
    worker = start()
    described = field(folder) | {"xoff": -3e-7, "yoff": 1e-7, "title": "Höhe"}
    worker.say(type="upscale", id=5, folder=str(folder), field=described)
    answer = worker.answer()
    assert (answer["type"], answer["id"]) == ("result", 5)
    out = answer["field"]
    assert (out["xres"], out["yres"], out["xreal"], out["yreal"]) == (64, 64, 1e-6, 1.25e-6)
    assert (out["xoff"], out["yoff"]) == pytest.approx((-3e-7, 1e-7), rel=1e-12)
    assert (out["unit_xy"], out["unit_z"], out["title"]) == ("m", "m", "Höhe (x4 afm)")
    result = field_files.read(folder, out)
    values = np.frombuffer(result.data)
    assert values.mean() == pytest.approx(np.fromfile(folder / "data.raw").mean(), abs=1e-20)
    assert set(np.frombuffer(result.mask)) == {0.0, 1.0}
    steps = [step["name"] for step in answer["history"]]
    assert steps == ["level", "upscale", "scan_time"]
    assert "16 lines scanned instead of 64" in answer["history"][-1]["effect"]
    assert answer["log"][-1].startswith("proc::afmsr_scan_time(lines_scanned=16,")
    assert worker.leave() == 0


def test_pixels_that_are_nan_are_marked_and_numbers(start, folder):
    worker = start()
    described = field(folder) | {"mask": None}
    values = np.fromfile(folder / "data.raw")
    values[37] = np.nan
    values.tofile(folder / "data.raw")
    worker.say(type="upscale", id=1, folder=str(folder), field=described, settings={})
    result = field_files.read(folder, worker.answer()["field"])
    assert np.isfinite(np.frombuffer(result.data)).all()
    assert np.frombuffer(result.mask).sum() == 16


def test_methods_say_what_is_missing(start):
    worker = start()
    worker.say(type="methods", id=1)
    answer = worker.answer()
    methods = {method["name"]: method for method in answer["methods"]}
    assert methods[answer["default"]]["available"]
    assert methods["bicubic"]["available"] and methods["bicubic"]["missing"] == ""
    assert not methods["edsr"]["available"]
    assert methods["edsr"]["missing"] in ("weights", "PyTorch")
    assert (
        "afmsr models fetch edsr" in methods["edsr"]["problem"]
        or "pip" in methods["edsr"]["problem"]
    )
    assert all(method["seconds_per_pixel"] > 0 for method in methods.values())


def test_a_preview_is_pictures(start, folder):
    worker = start()
    described = field(folder, 80)
    given = {"type": "preview", "folder": str(folder), "field": described, "at": [0, 79]}
    worker.say(id=1, **given)
    answer = worker.answer()
    assert answer["crop"] == [0, 16, 64, 64]
    assert answer["made"] == [256, 256]
    # The area is 1.25 times as high as wide.
    for name, side in (("before", 256), ("after", 256), ("difference", 256), ("overview", 128)):
        picture = (folder / answer[name]).read_bytes()
        assert picture.startswith(b"P6 %d %d 255\n" % (round(side / 1.25), side))
    worker.say(id=2, fields=True, **given)
    ranges = worker.answer()["ranges"]
    for name, of in (("heights", "result"), ("difference", "difference")):
        told = [float(end.removesuffix(" nm")) for end in answer["ends"][name]]
        assert told == pytest.approx([1e9 * ranges[of][end] for end in ("low", "high")], rel=6e-3)


def test_a_preview_has_the_palette_that_is_asked_for(start, folder):
    worker = start()
    given = {"type": "preview", "folder": str(folder), "field": field(folder, 80)}
    worker.say(type="methods", id=0)
    palettes = worker.answer()["palettes"]
    assert "Gray" in palettes and "Gwyddion.net" in palettes
    shown = {}
    for name in ("", "Gray", "Gwyddion.net", "one of the user's own"):
        worker.say(id=name, palette=name, **given)
        answer = worker.answer()
        shown[name] = _pixels(folder / answer["after"])
        difference = _pixels(folder / answer["difference"])
        bar = _pixels(folder / answer["bars"]["heights"])
        assert bar.shape == (256, 3) and {*map(tuple, shown[name])} <= {*map(tuple, bar)}
    assert np.ptp(shown["Gray"], axis=1).max() == 0 < np.ptp(shown["Gray"])
    assert np.ptp(difference, axis=1).max() > 0  # which has a palette of its own
    np.testing.assert_array_equal(shown["one of the user's own"], shown["Gray"])
    assert (shown["Gwyddion.net"] != shown["Gray"]).any()
    assert (shown[""] != shown["Gwyddion.net"]).any()
    np.testing.assert_array_equal(bar[[0, -1]], [[255] * 3, [0] * 3])  # the highest on top


def _pixels(path):
    return np.frombuffer(path.read_bytes().split(b"255\n", 1)[1], np.uint8).reshape(-1, 3)


def test_a_preview_is_fields_for_who_has_colours_of_their_own(start, folder):
    worker = start()
    described = field(folder, 80)
    given = {"type": "preview", "folder": str(folder), "field": described, "at": [0, 79]}
    worker.say(id=1, fields=True, **given)
    answer = worker.answer()
    shapes = {"scan": (64, 64), "result": (256, 256), "difference": (256, 256)}
    shown = {
        name: np.fromfile(folder / answer["fields"][name]["data"]).reshape(shape)
        for name, shape in shapes.items()
    }
    settings = {"method": "bicubic"}
    worker.say(id=2, fields=True, settings=settings, **given)
    plain = worker.answer()["fields"]
    bicubic = np.fromfile(folder / plain["result"]["data"]).reshape(256, 256)
    np.testing.assert_allclose(shown["difference"], shown["result"] - bicubic, atol=1e-18)
    assert not np.fromfile(folder / plain["difference"]["data"]).any()
    assert answer["part"] == {"left": 0.0, "top": 0.2, "width": 0.8, "height": 0.8}
    ranges = answer["ranges"]
    assert ranges["scan"] == ranges["result"]
    assert np.isclose(ranges["difference"]["high"], abs(shown["difference"]).max())
    assert shown["scan"].min() <= ranges["scan"]["low"] < ranges["scan"]["high"]
    whole = answer["fields"]["overview"]
    assert (whole["xreal"], whole["yreal"]) == (described["xreal"], described["yreal"])
    assert (whole["xres"], whole["yres"]) == (102, 128)


def test_the_full_result_is_saved(start, folder, tmp_path):
    from afmsr_core.io.gwy import GwyFile

    worker = start()
    target = tmp_path / "füll.gwy"
    request = {"type": "upscale", "folder": str(folder), "field": field(folder)}
    worker.say(**request, id=1, save=str(target))
    assert worker.answer()["saved"] == str(target)
    file = GwyFile.open(target)
    assert [channel.heights.shape for channel in file.channels()] == [(16, 16), (64, 64)]
    assert any("afmsr_scan_time" in entry for entry in file.log(1))
    assert "8-bit" not in file.meta(1)["afmsr history"]
    assert [channel.title for channel in file.channels()] == ["Scan", "Scan (x4 afm)"]
    worker.say(**request, id=2, save=str(target))
    assert "choose another name" in worker.answer()["message"]


def test_the_channels_of_the_full_result_are_named_after_the_sample(start, folder, tmp_path):
    from afmsr_core.io.gwy import GwyFile

    worker = start()
    request = {"type": "upscale", "folder": str(folder), "field": field(folder, 32)}
    named = {"PS/PMMA": "PS/PMMA", "": "Scan", "Amplitude 3": "Scan", "Ünit 1 (x4)": "Ünit 1 (x4)"}
    for number, (sample, title) in enumerate(named.items()):
        target = tmp_path / f"{number}.gwy"
        worker.say(**request, id=number, save=str(target), sample=sample, confidence=True)
        assert worker.answer()["saved"] == str(target)
        scan, result, width, *residuals = GwyFile.open(target).channels()
        assert (scan.title, result.title) == (title, f"{title} (x4 afm)")
        assert scan.shows_relief and result.shows_relief
        assert width.title == f"Half-width of the 90 % interval, {title} (x4 afm)"
        assert residuals
        shown = dict(_flags(target))
        assert shown == {number: number == 1 for number in range(3 + len(residuals))}


def _flags(path):
    """Yield the number of each channel, and whether Gwyddion opens a window for it."""
    from tests import gwyfiles

    for name, (code, value) in gwyfiles.parsed(path.read_bytes()).items():
        if name.endswith("/data/visible"):
            assert code == "b"
            yield int(name.split("/")[1]), bool(value)


WRONG = {
    "no JSON": (b"hello\n", "is not a message"),
    "no object": (b"[1]\n", "is not a message"),
    "no type": (b"{}\n", "is not a message"),
    "deep": (b"[" * 100_000 + b"\n", "is not a message"),
    "unknown": (b'{"type": "sing", "id": 9}\n', "no request is called 'sing'"),
    "no field": (b'{"type": "upscale", "id": 9, "folder": "/"}\n', "needs a 'folder'"),
    "a path": (b'{"type":"upscale","id":9,"folder":"/","field":{"xres":1,"yres":1,"xreal":1,'
               b'"yreal":1,"data":"etc/passwd"}}\n', "is a path"),
    "a way out": (b'{"type":"upscale","id":9,"folder":"/","field":{"xres":1,"yres":1,"xreal":1,'
                  b'"yreal":1,"data":"../passwd"}}\n', "is not a file name"),
    "settings": (b'{"type":"upscale","id":9,"folder":"/","field":{"xres":1,"yres":1},'
                 b'"settings":{"weights":"/x"}}\n', "name only method"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_nonsense_is_answered_and_survived(start, wrong):
    line, told = WRONG[wrong]
    worker = start()
    worker.process.stdin.write(line)
    worker.process.stdin.flush()
    answer = worker.answer()
    assert answer["type"] == "error"
    assert told in answer["message"]
    worker.say(type="methods", id=2)
    assert worker.answer()["id"] == 2
    assert worker.leave() == 0


def test_a_field_that_is_too_short(start, folder):
    worker = start()
    described = field(folder) | {"yres": 17}
    worker.say(type="upscale", id=1, folder=str(folder), field=described)
    answer = worker.answer()
    assert (answer["kind"], answer["exit_status"]) == ("CorruptFileError", 1)


@pytest.fixture
def sleepy(breakable):
    """The command of a worker whose engine sleeps for a minute."""
    home = breakable("import time; time.sleep(60)")
    return [home.python, *COLD[1:]]


def test_cancel(start, sleepy, folder):
    worker = start(*sleepy)
    worker.say(type="upscale", id=1, folder=str(folder), field=field(folder))
    assert worker.hear()["type"] == "progress"
    began = time.monotonic()
    worker.say(type="cancel")
    assert worker.answer() == {"type": "cancelled", "id": 1}
    assert worker.process.wait(LATE) != 0  # it could not stop in another way
    assert time.monotonic() - began < 2
    assert not (folder / protocol.RESULT).exists()


def test_cancel_between_requests_is_nothing(start):
    worker = start()
    worker.say(type="cancel")
    worker.say(type="methods", id=1)
    assert worker.answer()["type"] == "methods"


def test_progress_never_falls(start, sleepy, folder):
    worker = start(*sleepy)
    worker.say(type="upscale", id=1, folder=str(folder), field=field(folder))
    fractions = [worker.hear()["fraction"] for _ in range(12)]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction < 1 for fraction in fractions)


def test_time_limit(start, sleepy, folder):
    worker = start(*sleepy)
    worker.say(type="upscale", id=1, folder=str(folder), field=field(folder), time_limit=0.5)
    answer = worker.answer()
    assert (answer["kind"], answer["id"]) == ("TimeLimitError", 1)
    assert worker.process.wait(LATE) != 0


def test_a_client_that_dies_leaves_nothing(start, sleepy, folder):
    worker = start(*sleepy)
    worker.say(type="upscale", id=1, folder=str(folder), field=field(folder))
    worker.hear()
    assert worker.leave() != 0
    assert not folder.exists()


def test_a_folder_of_others_is_not_cleared(start, sleepy, folder):
    folder.chmod(0o755)
    worker = start(*sleepy)
    worker.say(type="upscale", id=1, folder=str(folder), field=field(folder))
    worker.hear()
    worker.leave()
    assert (folder / "data.raw").exists()


@pytest.mark.parametrize("locale", ["C", "de_DE.UTF-8", "tr_TR.ISO-8859-9", "nonsense"])
def test_the_locale_does_not_matter(start, folder, locale):
    worker = start(LC_ALL=locale, LANG=locale, PYTHONIOENCODING="utf-16", PYTHONPATH="/nowhere")
    described = field(folder) | {"title": "Höhe µ"}
    request = {"type": "upscale", "id": 1, "folder": str(folder), "field": described}
    worker.say(**request, settings={"method": "bicubic"})
    assert worker.answer()["field"]["title"] == "Höhe µ (x4 bicubic)"


# --- staying in memory ---------------------------------------------------------------------------

WARM = COLD[:-1]


def run(worker: Worker, folder: Path, **how) -> None:
    request = {"type": "upscale", "id": 1, "folder": str(folder), "field": field(folder)}
    worker.say(**request, settings={"method": "bicubic"}, **how)
    assert worker.answer()["type"] == "result"


def address(home) -> Path | None:
    return next((home.runtime / "afmsr").glob("*.address"), None)


@pytest.fixture
def warm(start, home, folder) -> int:
    """A worker in memory: its process."""
    worker = start(*WARM)
    run(worker, folder, keep=30)
    worker.process.stdin.close()
    wait_for(lambda: address(home) is not None)
    return worker.process.pid


def test_the_next_client_finds_it(start, warm, folder, home):
    for _ in range(2):
        worker = start(*WARM)
        assert (worker.ready["pid"], worker.ready["warm"]) == (warm, True)
        run(worker, folder, keep=30)
        assert worker.leave() == 0
    assert alive(warm)


def test_only_its_user_can_reach_it(warm, home):
    place = home.runtime / "afmsr"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()} == {0o600}


def test_it_wants_the_token(warm, home):
    place, right, _ = address(home).read_text().split("\n")
    for token in ("", "x" * len(right), "\ud83d", None):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LATE)
            connection.connect(place)
            connection.sendall(protocol.encode({"type": "hello", "token": token}))
            assert connection.recv(100) == b""
    assert alive(warm)


def test_it_is_private_or_not_used(start, warm, home):
    (home.runtime / "afmsr").chmod(0o755)
    assert start(*WARM).ready["warm"] is False


def test_one_that_is_busy_is_not_waited_for(start, warm, folder):
    busy = start(*WARM)
    other = start(*WARM)
    assert (busy.ready["warm"], other.ready["warm"]) == (True, False)


def test_one_that_is_frozen_is_not_waited_for(start, warm, folder):
    os.kill(warm, signal.SIGSTOP)
    assert start(*WARM).ready["warm"] is False
    os.kill(warm, signal.SIGKILL)


def test_after_it_was_killed_the_next_one_works(start, warm, folder):
    os.kill(warm, signal.SIGKILL)
    worker = start(*WARM)
    assert worker.ready["warm"] is False
    run(worker, folder, keep=30)


def test_it_ends_when_idle_and_leaves_nothing(start, home, folder):
    worker = start(*WARM)
    run(worker, folder, keep=0.5)
    assert worker.leave() == 0
    assert not (home.runtime / "afmsr").exists()


def test_it_ends_when_told_and_leaves_nothing(warm, home):
    os.kill(warm, signal.SIGTERM)
    wait_for(lambda: not (home.runtime / "afmsr").exists())


def test_it_can_be_turned_off(start, warm, home, folder):
    worker = start(*WARM)
    run(worker, folder, keep=0)
    worker.leave()
    wait_for(lambda: not (home.runtime / "afmsr").exists())


def test_another_environment_is_another_worker(start, warm):
    assert start(*WARM, AFMSR_MODEL_DIR="/elsewhere").ready["warm"] is False


def test_it_keeps_no_file_of_the_client(warm):
    open_files = {str(link.readlink()) for link in Path(f"/proc/{warm}/fd").iterdir()}
    kept = [name for name in open_files if name.startswith("pipe:") or "/dev/pts" in name]
    assert kept == []
    assert Path(f"/proc/{warm}/cwd").readlink() == Path("/")
