"""Tiles give what the whole field gives, also after running out of memory, and can be stopped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.batch.plan import Job
from afmsr_core.batch.work import Work
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.errors import Cancelled, UsageError
from afmsr_core.grid import SQUARE
from afmsr_core.inference import open_engine, run_tiled
from afmsr_core.inference.engine import Engine
from afmsr_core.inference.tiling import MEMORY_BUDGET, Tiles
from afmsr_core.methods import Network, get
from afmsr_core.upscale import Settings, Upscaler, upscale

TOLERANCE = 1e-4  # of the range
GREY = np.random.default_rng(2).random((200, 180), dtype=np.float32)
SMOOTH = cv2.GaussianBlur(GREY, (0, 0), 2.0)
AFM = get("afm")
assert isinstance(AFM, Network)


@cache
def upscaler(tile: int | None) -> Upscaler:
    return Upscaler(Settings(tile=tile, threads=1, scale="4"))


def whole(scan: Channel) -> np.ndarray:
    return upscaler(100_000)(scan).heights


def real_scan(shared: Path, crop: tuple[slice, slice]) -> Channel:
    path = shared / "data" / "afm" / "originals" / "gwy" / "PTO_110_Virgin0001.gwy"
    channel = io.select(io.read(path))[0]
    return Channel(channel.heights[crop], channel.xreal, channel.yreal)


# --- tiles and the whole field agree ---------------------------------------------------------


@pytest.mark.parametrize(
    ("crop", "tiles"),
    [
        (np.s_[:240, :160], (112, 150)),
        (np.s_[3:100, 60:253], (50,)),
        (np.s_[:33, :251], (16, 128)),
    ],
)
def test_tiles_of_a_real_scan_give_the_whole(
    shared: Path, crop: tuple[slice, slice], tiles: tuple[int, ...]
) -> None:
    scan = real_scan(shared, crop)
    reference = whole(scan)
    for tile in tiles:
        tiled = upscaler(tile)(scan).heights
        assert np.abs(tiled - reference).max() <= TOLERANCE * np.ptp(reference), tile


@pytest.mark.parametrize("shape", [(130, 97), (1, 200), (200, 1), (17, 16)])
def test_tiles_of_noise_give_the_whole(shape: tuple[int, int]) -> None:
    scan = Channel(np.random.default_rng(0).normal(size=shape), 1.0, 1.0)
    reference = whole(scan)
    for tile in (16, 64) if min(shape) < 20 else (48,):
        tiled = upscaler(tile)(scan).heights
        assert np.abs(tiled - reference).max() <= TOLERANCE * np.ptp(reference), tile


def test_tiles_of_the_roughest_noise_give_the_whole() -> None:
    """Uniform noise fills [0, 1] evenly, so the network does more to it than to any scan."""
    reference, _, _ = run_with(Cramped(1 << 40), GREY)
    result, _, _ = run_with(Cramped(1 << 40), GREY, side=112)
    assert np.abs(result - reference).max() <= TOLERANCE


def test_seams_are_not_rougher_than_the_rest(shared: Path) -> None:
    scan = real_scan(shared, np.s_[:160, :160])
    reference, tiled = whole(scan), upscaler(64)(scan).heights
    error = np.abs(tiled - reference)
    seams = np.concatenate([error[[255, 256]].ravel(), error[:, [255, 256]].ravel()])
    assert seams.max() <= TOLERANCE * np.ptp(reference)
    jump = np.abs(np.diff(tiled, axis=0))[255] - np.abs(np.diff(reference, axis=0))[255]
    assert np.abs(jump).max() <= 2 * TOLERANCE * np.ptp(reference)


def test_a_tile_larger_than_the_field_is_the_field() -> None:
    scan = Channel(np.random.default_rng(1).normal(size=(40, 56)), 1.0, 1.0)
    made = upscaler(100_000)(scan)
    assert made.history[-1].settings["tile"] == 56
    np.testing.assert_array_equal(made.heights, upscaler(None)(scan).heights)


def test_every_pixel_is_in_one_tile_and_sees_its_halo() -> None:
    for side, halo, yres, xres in ((16, 64, 50, 47), (32, 16, 32, 33), (7, 0, 20, 1)):
        covered = np.zeros((yres, xres), int)
        for rows, cols, seen_rows, seen_cols in Tiles(side, halo).cover(yres, xres):
            covered[rows, cols] += 1
            for part, seen, size in ((rows, seen_rows, yres), (cols, seen_cols, xres)):
                assert seen.start == max(0, part.start - halo)
                assert seen.stop == min(size, part.stop + halo)
        assert (covered == 1).all()


@pytest.mark.parametrize("side", [725, 1024, 2048, 4099])
def test_tiles_that_are_chosen_are_equal(side: int) -> None:
    tiles = Tiles.for_network(AFM, shape=(side, side))
    heights = {rows.stop - rows.start for rows, _, _, _ in tiles.cover(side, side)}
    assert max(heights) - min(heights) < len(range(0, side, tiles.side)), heights


def test_tiles_are_chosen_by_memory() -> None:
    small = Tiles.for_network(AFM, shape=(256, 256))
    assert small.side == 256
    large = Tiles.for_network(AFM, shape=(4096, 4096))
    assert large.side % AFM.align == 0
    assert (large.side + 2 * large.halo) ** 2 * AFM.working_bytes <= 1.1 * MEMORY_BUDGET
    with pytest.raises(UsageError, match="--tile 0: give a number of pixels"):
        Tiles.for_network(AFM, 0)


# --- running out of memory -------------------------------------------------------------------


class Cramped:
    """The real engine on a device that holds only so many pixels at a time."""

    name, weights_sha256 = "cramped", "0" * 64

    def __init__(self, pixels: int, device: str = "cpu", cpu: int = 1 << 40) -> None:
        self.device, self._pixels, self._cpu = device, pixels, cpu
        self._real = open_engine(AFM, threads=1)
        self.sizes: list[tuple[int, int]] = []

    def run(self, planes: np.ndarray) -> np.ndarray:
        _, _, height, width = planes.shape
        self.sizes.append((height, width))
        if height * width > self._pixels:
            raise MemoryError(f"{height} x {width}")
        return self._real.run(planes)

    def rest(self) -> None:
        self._real.rest()

    def on_cpu(self) -> Engine:
        return Cramped(self._cpu)


def run_with(
    engine: Engine,
    grey: np.ndarray,
    *,
    halo: int | None = AFM.halo,
    side: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[np.ndarray, Tiles, str]:
    result = np.full((4 * grey.shape[0], 4 * grey.shape[1]), np.nan)

    def store(rows: slice, cols: slice, values: np.ndarray) -> None:
        result[rows, cols] = values[0]

    network = replace(AFM, halo=halo)
    tiles, ran_on = run_tiled(engine, network, grey[None], store, side=side, progress=progress)
    return result, tiles, ran_on.device


def test_tiles_are_halved_until_they_fit() -> None:
    reference, _, _ = run_with(Cramped(1 << 40), SMOOTH)
    engine = Cramped(150 * 150)
    result, tiles, device = run_with(engine, SMOOTH, halo=48)
    assert engine.sizes[0] == (200, 180) and tiles.side < 200 and device == "cpu"
    assert np.abs(result - reference).max() <= TOLERANCE


def test_the_processor_takes_over_from_a_device_without_memory() -> None:
    reference, _, _ = run_with(Cramped(1 << 40), GREY)
    result, _, device = run_with(Cramped(100, device="cuda:0"), GREY)
    assert device == "cpu"
    np.testing.assert_array_equal(result, reference)


def test_the_provenance_names_the_device_that_did_the_work() -> None:
    worker = Upscaler(Settings(threads=1))
    worker.engines._loaded[SQUARE] = Cramped(100, device="cuda:0")
    told = worker(Channel(GREY[:64, :64], 1.0, 1.0)).history[-1].settings
    assert told["device"] == "cpu"


def test_memory_that_does_not_suffice_for_the_smallest_tile_is_an_error() -> None:
    with pytest.raises(MemoryError):
        run_with(Cramped(100), GREY)
    with pytest.raises(MemoryError):
        run_with(Cramped(100, device="cuda:0", cpu=100), GREY)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
def test_a_real_lack_of_memory_is_survived_in_silence() -> None:
    """ONNX Runtime itself, with 60 MB left for a field that wants 110 MB."""
    code = """
import re, resource, numpy as np
from dataclasses import replace
from afmsr_core.inference import open_engine, run_tiled
from afmsr_core.methods import get
network = replace(get("afm"), halo=16)
engine = open_engine(network, threads=1)
def tile(side):
    planes = np.random.default_rng(0).random((1, side, side), dtype=np.float32)
    return run_tiled(engine, network, planes, lambda rows, cols, values: None)[0].side
tile(16)
used = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
print(tile(448))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 448


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what the process holds")
def test_layers_take_memory_from_each_other_and_give_it_back() -> None:
    """A tile pages in what it needs once, not once a layer, and nothing of it stays behind."""
    code = """
import resource, numpy as np
from afmsr_core.inference import open_engine, run_tiled
from afmsr_core.methods import get
network = get("afm")
engine = open_engine(network, threads=1)
def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def run(side):
    planes = np.random.default_rng(0).random((1, side, side), dtype=np.float32)
    run_tiled(engine, network, planes, lambda rows, cols, values: None)
run(16)
before, faults = held(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
run(512)
paged = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
print(paged * resource.getpagesize() / 512**2, (held() - before) / 512**2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    paged, held = map(float, done.stdout.split())  # bytes a pixel
    assert paged < 1500, "a feature map is 128 bytes a pixel, and there are some thirty"
    assert held < 64


# --- progress and stopping -------------------------------------------------------------------


def is_orderly(fractions: list[float]) -> bool:
    rising = all(a <= b for a, b in pairwise(fractions))
    return rising and fractions[-1] == 1.0 and 0.0 <= fractions[0] <= 1.0


@pytest.mark.parametrize(("method", "tile"), [("afm", 48), ("bicubic", None)])
def test_progress_rises_to_one(method: str, tile: int | None) -> None:
    told: list[float] = []
    upscale(Channel(GREY, 1.0, 1.0), method=method, tile=tile, threads=1, progress=told.append)
    assert is_orderly(told)
    if method == "afm":
        assert len(told) > 10


def test_progress_never_falls_when_tiles_are_done_again() -> None:
    class Shrinking(Cramped):
        def run(self, planes: np.ndarray) -> np.ndarray:
            if len(self.sizes) == 2:
                self._pixels = 100 * 100
            return super().run(planes)

    told: list[float] = []
    engine = Shrinking(1 << 40)
    run_with(engine, GREY, halo=16, side=112, progress=told.append)
    assert engine.sizes[2] > engine.sizes[3] and is_orderly(told)


def stop(fraction: float) -> None:
    if fraction >= 0.3:
        raise Cancelled("enough")


def test_stopping_stops() -> None:
    for method, tile in (("afm", 64), ("bicubic", None)):
        with pytest.raises(Cancelled):
            upscale(Channel(GREY, 1.0, 1.0), method=method, tile=tile, threads=1, progress=stop)


def test_stopping_the_command_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "out" / "scan_x4.gwy"
    with pytest.raises(Cancelled):
        Work(preview=True)(Job(example_pair()[0], target), upscaler(64), within=stop)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
