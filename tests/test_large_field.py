"""Promise: a result that is too large for memory is the same to 6e-8 of its range."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io, large_field
from afmsr_core.channel import Channel
from afmsr_core.errors import OutputError
from afmsr_core.io import gwyencode
from afmsr_core.io.results import write_results
from afmsr_core.large_field import LargeField
from afmsr_core.upscale import Settings, Upscaler
from afmsr_core.upscale import upscaler as corridor

DATUM = 1e6  # nm; float32 alone would keep it to 0.06 nm
RANGE = 10.0


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (large_field, corridor):
        monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(large_field, "RELEASE", 4096)
    monkeypatch.setattr(large_field, "BAND", 16)
    monkeypatch.setattr(gwyencode, "_BLOCK", 300)


def scan(seed: int = 0, holes: bool = False) -> Channel:
    """Return a tilted relief of 10 nm on a datum of 1 mm, with marked and missing pixels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:37, :29]
    heights = DATUM + RANGE * (np.sin(x / 4) * np.cos(y / 5) / 2 + x / 29) + random.random((37, 29))
    if holes:
        heights[5:9, 3:7] = np.nan
    mask = random.random((37, 29)) < 0.1
    return Channel(heights, 290.0, 370.0, title="Height", number=0, mask=mask)


@pytest.mark.parametrize("method", ["afm", "bicubic"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("restore", [True, False])
def test_the_same_heights(
    method: str, holes: bool, restore: bool, request: pytest.FixtureRequest
) -> None:
    tile = 16 if method == "afm" else None
    settings = Settings(method=method, restore_background=restore, tile=tile, threads=1)
    upscaler = Upscaler(settings)
    expected = upscaler(scan(holes=holes))
    assert isinstance(expected.heights, np.ndarray)
    request.getfixturevalue("all_large")
    found = upscaler(scan(holes=holes))
    assert isinstance(found.heights, LargeField)
    assert (found.xres, found.yres, found.dx) == (expected.xres, expected.yres, expected.dx)
    assert found.heights[3:5].dtype == np.float64
    error = np.abs(np.asarray(found.heights) - expected.heights)
    assert np.array_equal(np.isnan(error), np.isnan(expected.heights))
    assert 0 < np.nanmax(error) < 4e-7 * RANGE  # a few roundings, however far the datum


def test_the_papers_protocol(request: pytest.FixtureRequest) -> None:
    for method in ("afm", "bicubic"):
        upscaler = Upscaler(Settings(method=method, protocol="paper", threads=1))
        expected = upscaler(scan()).heights
        with pytest.MonkeyPatch.context() as patch:
            for module in (large_field, corridor):
                patch.setattr(module, "LARGE", 0)
            found = np.asarray(upscaler(scan()).heights)
        assert np.abs(found - expected).max() < 1e-6 * RANGE


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("suffix", [".gwy", ".npy", ".gsf"])
def test_it_is_written_like_any_other(tmp_path: Path, suffix: str) -> None:
    io.write(tmp_path / "scan.gwy", [scan(holes=True)])
    file = io.as_gwy(tmp_path / "scan.gwy")
    result = Upscaler(Settings(threads=1))(file.channel(0))
    assert isinstance(result.heights, LargeField)
    target = tmp_path / f"fine{suffix}"
    write_results(target, file, [result])
    again = io.read(target)[-1]
    whole = np.asarray(result.heights)
    measured = np.isfinite(whole)
    tolerance = 1e-12 * DATUM if suffix != ".gsf" else 1e-7 * DATUM  # GSF holds float32
    np.testing.assert_allclose(again.heights[measured], whole[measured], rtol=0, atol=tolerance)
    if suffix == ".gwy":
        assert np.isnan(again.heights[~measured]).all()  # by the mask, which is nothing else
        assert again.mask is not None and result.mask is not None
        np.testing.assert_array_equal(again.mask, result.mask & measured)
        assert (again.xreal, again.title) == (290.0, "Height (x4 afm)")


def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    field = LargeField((100, 50), 7.0)
    field[:] = np.arange(5000.0).reshape(100, 50)
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []
    assert field[3, 4] == 154.0
    field.datum += 1.0
    assert float((field * 2.0)[3, 4]) == 310.0


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="not reserved on this system")
def test_a_full_disk_is_an_error_before_the_work() -> None:
    with pytest.raises(OutputError, match=r"no room for a temporary file .* TMPDIR"):
        LargeField((1 << 24, 1 << 24))
