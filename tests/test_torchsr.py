"""Promise: the paper's networks are torchSR's, with their own weights, whole or in tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from webserver import serving_folder

from afmsr_core.inference.tiling import run_tiled
from afmsr_core.methods import download, registry, weights
from afmsr_core.methods.torchsr import METHODS

torch = pytest.importorskip("torch", reason="needs the extra torch")
pytest.importorskip("torchsr.models", reason="needs the extra torch")

from afmsr_core.inference.torch_engine import TorchEngine  # noqa: E402 - needs torch

NAMES = tuple(network.name for network in METHODS)
BOUNDED = ("carn", "rdn", "carn_m", "edsr_baseline")  # halo is the formal radius


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a local web server serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with serving_folder(folder) as address:
        monkeypatch.setenv("AFMSR_MODEL_URL", address)
        yield folder


def network(name: str) -> registry.Network:
    found = registry.get(name)
    assert isinstance(found, registry.Network)
    return found


def engine_for(name: str, file: Path | None = None) -> TorchEngine:
    return TorchEngine(network(name), "cpu", file, threads=1)


def seeded(name: str, seed: int = 1) -> torch.nn.Module:
    """Return a network with generated weights, in tests only."""
    torch.manual_seed(seed)
    return network(name).build().eval()


def whole_and_tiled(
    engine: TorchEngine, planes: NDArray[np.float32], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return the result at once, the result in tiles, and the tiles' halo."""
    whole = engine.run(planes[None])[0]
    tiled = np.full_like(whole, np.nan)

    def store(rows: slice, cols: slice, values: NDArray[np.float32]) -> None:
        tiled[:, rows, cols] = values

    tiles, _ = run_tiled(engine, network_of(engine), planes, store, side=side)
    return whole, tiled, tiles.halo


def network_of(engine: TorchEngine) -> registry.Network:
    return engine._network


def scan(yres: int, xres: int, colours: int = 3) -> NDArray[np.float32]:
    """Return grains and noise in [0, 1], the same in each colour."""
    y, x = np.mgrid[:yres, :xres]
    grains = np.sin(x / 3.1) * np.cos(y / 4.7) > 0.2
    noise = np.random.default_rng(0).normal(0, 0.03, (yres, xres))
    plane = 0.2 + 0.6 * grains + noise
    return np.repeat(plane[None], colours, axis=0).astype(np.float32)


def test_there_are_the_papers_seven_and_two_relatives() -> None:
    assert NAMES[:7] == ("ninasr_b0", "ninasr_b1", "ninasr_b2", "carn", "rcan", "rdn", "edsr")
    assert set(NAMES[7:]) == {"carn_m", "edsr_baseline"}
    for method in METHODS:
        assert method.extra == "torch"
        assert method.working_bytes > 1000
        assert method.weights.url and not method.weights.packaged


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_fetched_loaded_and_run(name: str, mirror: Path, cache: Path) -> None:
    """Served, fetched and read back, it gives what torchSR's own module gives."""
    module = seeded(name)
    served = mirror / network(name).weights.name
    torch.save(module.state_dict(), served)

    own = getattr(module, "url", None) or import_module("torchsr.models.carn").urls[name]
    assert network(name).weights.url == own  # the file that torchSR itself would fetch
    trained = sum(part.numel() for part in module.parameters() if part.requires_grad)
    assert network(name).parameters == trained

    path = download.fetch(weights.file_of(network(name)))
    assert path.stat().st_size == served.stat().st_size
    engine = engine_for(name)
    assert engine.weights_sha256 == weights.expected_hash(network(name))
    planes = np.random.default_rng(2).random((1, 3, 24, 20), dtype=np.float32)
    result = engine.run(planes)
    assert result.shape == (1, 3, 96, 80)
    with torch.inference_mode():
        expected = module(torch.from_numpy(planes)).numpy()
    assert np.ptp(expected) > 0
    assert np.abs(result - expected).max() < 1e-4 * np.ptp(expected)
    for file in (served, path):  # up to 172 MB each
        file.unlink()


# --- tiles ------------------------------------------------------------------------------------


def thin(name: str) -> torch.nn.Module:
    """Return a network of the same geometry with few channels, where its class allows it."""
    if name == "rdn":
        return import_module("torchsr.models.rdn").RDN(4, G0=2, D=16, C=8, G=2).eval()
    if name == "edsr":
        return import_module("torchsr.models.edsr").EDSR(32, 2, 4, 1.0).eval()
    if name == "rcan":
        return import_module("torchsr.models.rcan").RCAN(2, 2, 16, 16, 4).eval()
    return seeded(name)


def touched(module: torch.nn.Module, length: int) -> NDArray[np.bool_]:
    """Return which output rows depend on the middle one of `length` input rows.

    A NaN shows it: whatever it is multiplied with, it stays NaN. In float64, because float32
    convolutions may work on blocks of pixels.
    """
    field = torch.full((1, 3, length, 1), 0.5, dtype=torch.float64)
    field[..., length // 2, :] = torch.nan
    with torch.inference_mode():
        result: NDArray[np.bool_] = module.double()(field).isnan().amax(dim=(0, 1, 3)).numpy()
    return result


@pytest.mark.parametrize(("name", "radius"), [*((n, None) for n in BOUNDED), ("edsr", 68)])
def test_the_halo_is_the_formal_radius(name: str, radius: int | None) -> None:
    """Of EDSR a smaller one was measured; see the test with its real weights."""
    halo = network(name).halo
    radius = radius or halo
    assert radius is not None and halo is not None and halo <= radius
    length = 2 * radius + 41
    rows = np.flatnonzero(touched(thin(name), length)) // 4
    assert max(length // 2 - rows[0], rows[-1] - length // 2) == radius


def test_rcan_sees_the_whole_field() -> None:
    """Why RCAN has no halo."""
    assert network("rcan").halo is None
    assert touched(thin("rcan"), 200).all()


@pytest.mark.parametrize(("name", "blocks"), [("ninasr_b0", 10), ("ninasr_b1", 26)])
def test_ninasr_reaches_far_formally(name: str, blocks: int) -> None:
    """Why its halo is a measured one."""
    rows = np.flatnonzero(touched(seeded(name), 64 * blocks + 80)) // 4
    assert rows[-1] - rows[0] > 32 * blocks


@pytest.mark.parametrize("name", ["carn", "edsr_baseline"])
def test_tiles_equal_the_whole(name: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save(seeded(name).state_dict(), file)
    engine = engine_for(name, file)
    whole, tiled, halo = whole_and_tiled(engine, scan(100, 16), side=24)
    assert halo == network(name).halo
    assert np.abs(whole - tiled).max() < 1e-5 * np.ptp(whole)


@pytest.mark.parametrize("name", ["ninasr_b0", "ninasr_b1"])
def test_tiles_of_ninasr_equal_the_whole_to_a_tolerance(name: str, tmp_path: Path) -> None:
    """They reach further than their halo, but hardly; and tiles must start on their grid."""
    file = tmp_path / "weights.pt"
    torch.save(seeded(name).state_dict(), file)
    engine = engine_for(name, file)
    planes = scan(250, 24)
    whole, tiled, halo = whole_and_tiled(engine, planes, side=50)  # rounded up to 64
    assert halo == 64
    assert np.abs(whole - tiled).max() < 1e-4 * np.ptp(whole)
    astray = engine.run(planes[None, :, 8:])[0]  # off the grid, the same pixels differ
    assert np.abs(whole[:, 400:800] - astray[:, 368:768]).max() > 1e-4 * np.ptp(whole)


# --- real weights -----------------------------------------------------------------------------


def read_rgb(path: Path) -> NDArray[np.uint8]:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[..., ::-1], dtype=np.uint8)


def luma(rgb: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return Y of MATLAB's rgb2ycbcr, 16 to 235 (ITU-R BT.601), from 0 to 255."""
    y: NDArray[np.float64] = (
        16.0 + rgb.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255.0
    )
    return y


def psnr(result: NDArray[np.generic], truth: NDArray[np.generic], border: int = 4) -> float:
    """Return the usual figure of super-resolution papers, in dB."""
    inner = (slice(border, -border), slice(border, -border))
    error = np.round(luma(result))[inner] - np.round(luma(truth))[inner]
    return 20 * math.log10(255 / math.sqrt(float(np.mean(error**2))))


def to_rgb(planes: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.round(np.clip(planes[0].transpose(1, 2, 0), 0, 1) * 255.0)


def test_the_real_carn_m_reproduces_its_published_psnr(shared: Path) -> None:
    """31.88 dB on Set5 at 4x, Y channel, as torchSR and the authors publish it."""
    engine = engine_for("carn_m", shared / "data/weights/carn_m.pth")
    assert engine.weights_sha256.startswith("d48a759a84509351")
    scores = []
    for low in sorted((shared / "data/natural/Set5").glob("*_LR.png")):
        truth = read_rgb(low.with_name(low.name.replace("_LR", "_HR")))
        planes = read_rgb(low).astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        scores.append(psnr(to_rgb(engine.run(np.ascontiguousarray(planes))), truth))
    assert len(scores) == 5
    assert float(np.mean(scores)) == pytest.approx(31.88, abs=0.02)


def test_the_real_carn_m_in_tiles(shared: Path) -> None:
    engine = engine_for("carn_m", shared / "data/weights/carn_m.pth")
    whole, tiled, _ = whole_and_tiled(engine, scan(70, 16), side=24)
    assert np.abs(whole - tiled).max() < 1e-5 * np.ptp(whole)


def test_the_real_edsr_from_a_file_of_the_users(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """OpenCV's EDSR runs through --weights, beats bicubic, and its measured halo holds."""
    import subprocess
    import sys

    import cv2

    file = tmp_path_factory.mktemp("edsr") / "edsr_x4.safetensors"
    source = shared / "data/weights"
    command = [sys.executable, source / "convert_edsr.py", source / "EDSR_x4.pb", file]
    subprocess.run(command, check=True, timeout=120)
    engine = engine_for("edsr", file)
    file.unlink()

    # Made as its authors made their training images: sampled, not averaged.
    truth = read_rgb(shared / "data/natural/Set5/img_003_SRF_4_HR.png")[40:136, 60:156]
    low = cv2.resize(truth, (24, 24), interpolation=cv2.INTER_CUBIC)
    planes = np.ascontiguousarray(low.astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255))
    bicubic = cv2.resize(low, (96, 96), interpolation=cv2.INTER_CUBIC)
    assert psnr(to_rgb(engine.run(planes)), truth) > psnr(bicubic, truth) + 0.5

    whole, tiled, halo = whole_and_tiled(engine, scan(56, 16), side=16)
    assert halo == 24
    assert np.abs(whole - tiled).max() < 1e-4 * np.ptp(whole)
