"""The network that ships: the same in ONNX and torch, small, identified, better than bicubic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.inference import Engine, open_engine
from afmsr_core.methods import Network, get, shipped
from afmsr_core.methods.weights import cached
from afmsr_core.upscale import upscale

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
pytest.importorskip("torchsr", reason="the extra `torch` is not installed")

AFM = get("afm")
assert isinstance(AFM, Network)
FILES = [cached(AFM), cached(AFM).with_name(str(AFM.onnx))]
SIZES = [
    (1, 1),
    (1, 33),
    (33, 1),
    (2, 2),
    (3, 5),
    (15, 17),
    (16, 16),
    (47, 64),
    (128, 96),
    (31, 129),
]


@pytest.fixture(scope="module")
def engines() -> tuple[Engine, Engine]:
    onnx = open_engine(AFM, engine="onnx", threads=1)
    return onnx, open_engine(AFM, engine="torch", device="cpu", threads=1)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_onnx_gives_what_torch_gives(engines: tuple[Engine, Engine], size: tuple[int, int]) -> None:
    planes = np.random.default_rng(0).random((1, 1, *size), dtype=np.float32)
    onnx, torch_ = (engine.run(planes) for engine in engines)
    assert onnx.shape == torch_.shape == (1, 1, 4 * size[0], 4 * size[1])
    assert np.abs(onnx - torch_).max() <= 1e-5  # of the range, which is 1
    # A network that does nothing would agree too; of a constant there is nothing to make.
    assert (np.abs(onnx).max() > 1e-4) == (planes.size > 1)


@pytest.mark.parametrize("head", [(3, 3), (5, 7)], ids=str)
@pytest.mark.parametrize("scale", [LINES_X4, LINES_X2], ids=str)
def test_a_network_for_lines_as_onnx_gives_what_torch_gives(
    scale: Scale, head: tuple[int, int], tmp_path: Path
) -> None:
    """Lines of any length: what is missing to a whole number of squares is cut off again."""
    import onnxruntime
    from safetensors.torch import save_file

    from afmsr_core.methods.afm_network import AfmNetwork, scale_of
    from training.export import export

    torch.manual_seed(0)
    network = AfmNetwork(2, scale=scale, head=head)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    assert scale_of(network.state_dict()) == scale
    save_file(network.state_dict(), tmp_path / "trained.safetensors")
    (tmp_path / shipped.SUMS).write_text("00  afm.onnx\n", encoding="ascii")
    written = export(tmp_path / "trained.safetensors", tmp_path)
    sums = (tmp_path / shipped.SUMS).read_text(encoding="ascii")
    assert sums.startswith("00  afm.onnx\n") and len(sums.splitlines()) == 3
    session = onnxruntime.InferenceSession(tmp_path / min(written))
    for size in ((9, 32), (9, 33), (5, 35), (3, 1), (1, 6)):
        grey = np.random.default_rng(0).random((1, 1, *size), dtype=np.float32)
        found = session.run(None, {"grey": grey})[0]
        with torch.inference_mode():
            expected = network(torch.from_numpy(grey)).numpy()
        assert found.shape == (1, 1, scale.rows * size[0], scale.columns * size[1])
        assert np.abs(found - expected).max() <= 1e-5 and np.ptp(expected) > 1e-3


def test_both_engines_upscale_a_scan_alike() -> None:
    scan = Channel(np.random.default_rng(1).normal(size=(40, 50)), 1.0, 1.0)
    onnx, torch_ = (upscale(scan, engine=engine, threads=1) for engine in ("onnx", "torch"))
    difference = np.abs(onnx.heights - torch_.heights).max()
    assert difference <= 1e-5 * np.ptp(scan.heights)
    engines = [channel.history[-1].settings["engine"] for channel in (onnx, torch_)]
    assert engines[0].startswith("onnxruntime ") and engines[1].startswith("torch ")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_the_result_names_the_weights_that_made_it(engine: str) -> None:
    result = upscale(Channel(np.eye(8), 1.0, 1.0), engine=engine, threads=1)
    used = FILES[1] if engine == "onnx" else FILES[0]
    digest = hashlib.sha256(used.read_bytes()).hexdigest()
    assert result.history[-1].settings["weights_sha256"] == digest


def test_the_files_are_small_and_there() -> None:
    for file in FILES:
        assert 100_000 < file.stat().st_size < 2_000_000, file.name


def test_it_has_as_many_parameters_as_it_says() -> None:
    module = AFM.build()
    assert sum(parameter.numel() for parameter in module.parameters()) == AFM.parameters


@pytest.mark.parametrize("scale", [SQUARE, LINES_X4, LINES_X2], ids=str)
def test_nothing_farther_than_its_halo_matters(scale: Scale) -> None:
    """Tiles overlap by as much; a pixel more would be waste, one less a seam."""
    network = get("afm", scale)
    assert isinstance(network, Network) and network.halo is not None
    side = network.halo + 2
    planes = torch.rand(1, 1, 2 * side + 1, scale.cell * (2 * side + 1))
    planes.requires_grad_()
    module = network.build()
    torch.nn.init.normal_(module.tail.weight, std=0.1)
    rows, columns = scale.rows * side, scale.rows * side  # a square of the result
    module(planes)[0, 0, rows : rows + scale.rows, columns : columns + scale.rows].sum().backward()
    reach = []
    for axis, size in ((1, 1), (0, scale.cell)):
        seen = planes.grad[0, 0].abs().sum(axis).nonzero() // size
        assert int(seen.min()) + int(seen.max()) == 2 * side  # the same on both sides
        reach.append(side - int(seen.min()))
    assert max(reach) == network.halo


def test_it_starts_as_bicubic() -> None:
    """Untrained, the residual is zero whatever goes in."""
    planes = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not AFM.build()(planes).any()


def test_a_grown_network_computes_what_the_smaller_did() -> None:
    from afmsr_core.methods.afm_network import AfmNetwork

    torch.manual_seed(0)
    small = AfmNetwork(blocks=3)
    torch.nn.init.normal_(small.tail.weight)  # untrained, it is zero
    grown = AfmNetwork.grown_from(small.state_dict(), blocks=5)
    assert len(grown.body) == 5
    planes = torch.rand(1, 1, 12, 15)
    with torch.inference_mode():
        assert torch.equal(grown(planes), small(planes)) and grown(planes).any()


def test_foreign_weights_are_not_grown() -> None:
    from afmsr_core.methods.afm_network import AfmNetwork

    weights = {**AfmNetwork(blocks=3).state_dict(), "body.1.third.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"body\.1\.third"):
        AfmNetwork.grown_from(weights)


def test_datum_and_unit_of_the_heights_do_not_matter(engines: tuple[Engine, Engine]) -> None:
    """``network(a z + b) == a network(z)``: what is made of a feature is not a matter of range."""
    planes = np.random.default_rng(2).random((1, 1, 40, 50), dtype=np.float32)
    for engine in engines:
        residual = engine.run(planes)
        changed = engine.run(np.float32(3.5) * planes - np.float32(0.7)) / 3.5
        assert np.abs(changed - residual).max() <= 1e-5 * np.abs(residual).max()


def test_weights_of_another_network_are_not_run(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from afmsr_core.errors import WeightsError

    save_file({"head.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not the weights of afm"):
        upscale(Channel(np.eye(8), 1.0, 1.0), weights=tmp_path / "other.safetensors")


def test_it_beats_bicubic_on_real_scans_it_never_saw(shared: Path) -> None:
    """A few of the scans of `python -m training score`, registered; all 27 are in the card."""
    pytest.importorskip("statsmodels", reason="the extra `eval` is not installed")
    from training.corpus import dev_scans
    from training.score import score

    chosen = [scan for scan in dev_scans(shared / "data" / "afm") if scan.heights.size <= 256**2]

    def by(method: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda coarse: upscale(Channel(coarse, 1.0, 1.0), method=method, threads=1).heights

    methods = {method: by(method) for method in ("bicubic", "afm")}
    for condition in ("clean", "noisy"):
        scores = score(chosen[:4], methods, condition)
        gains = [
            ours.psnr - plain.psnr
            for ours, plain in zip(scores["afm"], scores["bicubic"], strict=True)
        ]
        assert len(gains) == 4 and np.mean(gains) > 0.0, gains
        moved = np.array([ours.shift for ours in scores["afm"]])
        moved -= [plain.shift for plain in scores["bicubic"]]  # what the scan itself adds
        assert np.abs(moved.mean(axis=0)).max() < 0.05, "features are moved"


def test_export_lists_the_hashes_that_are_checked_at_every_start(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs the extra torch")
    from training.export import export

    hashes = export(cached(AFM), tmp_path)
    listed = (tmp_path / shipped.SUMS).read_text().splitlines()
    assert listed == [f"{digest}  {name}" for name, digest in hashes.items()]
    for name, digest in hashes.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
        assert shipped.read(name)[1] == shipped.expected_hash(name)
