"""JPK's images and movies in HDF5: every frame a channel, the top line first, scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import CorruptFileError, FieldError, UnsupportedContentError
from tests.instrument_files import jpk_hdf5, relief

pytest.importorskip("h5py", reason="the extra 'raw' is not installed")

FRAMES = np.stack([relief(24, 32), relief(24, 32) + 3])
SIGNALS = {
    "Error Signal": (FRAMES, "V"),
    "Height": (FRAMES, "m"),
    "Height (retrace)": (FRAMES + 7, "m"),
}


def test_values_sizes_and_names(tmp_path: Path) -> None:
    jpk_hdf5(tmp_path / "a.h5-jpk", SIGNALS)
    channels = io.read(tmp_path / "a.h5-jpk")
    assert [(channel.number, channel.title, channel.unit) for channel in channels] == [
        (0, "Error Signal frame 0", "V"),
        (1, "Error Signal frame 1", "V"),
        (2, "Height frame 0", "nm"),
        (3, "Height frame 1", "nm"),
        (4, "Height (retrace) frame 0", "nm"),
        (5, "Height (retrace) frame 1", "nm"),
    ]
    for channel in channels:
        assert (channel.xreal, channel.yreal) == pytest.approx((150, 100))
    np.testing.assert_allclose(channels[0].heights, FRAMES[0] * 0.5 + 10)
    np.testing.assert_allclose(channels[3].heights, (FRAMES[1] * 0.5 + 10) * 1e9)
    np.testing.assert_allclose(channels[4].heights, ((FRAMES[0] + 7) * 0.5 + 10) * 1e9)
    (chosen,) = io.select(channels)
    assert chosen.title == "Height frame 0"
    assert any("first of 2 frames" in warning for warning in chosen.warnings)


@pytest.mark.parametrize(
    ("angle", "origin"), [(0.0, (-75 + 40, -50 - 30)), (np.pi / 2, (50 + 40, -75 - 30))]
)
def test_the_offset_is_where_the_grid_begins(
    angle: float, origin: tuple[float, float], tmp_path: Path
) -> None:
    place = {"xcenter": 4e-8, "ycenter": -3e-8, "theta": angle}
    jpk_hdf5(tmp_path / "a.h5-jpk", {"Height": (FRAMES, "m")}, **place)
    for channel in io.read(tmp_path / "a.h5-jpk"):
        assert (channel.xoff, channel.yoff) == pytest.approx(origin)


def test_a_single_image_has_no_frame(tmp_path: Path) -> None:
    jpk_hdf5(tmp_path / "a.h5-jpk", {"Height": (FRAMES[:1], "m")})
    (channel,) = io.read(tmp_path / "a.h5-jpk")
    assert (channel.title, channel.warnings) == ("Height", ())


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "a.h5-jpk"
    jpk_hdf5(path, SIGNALS)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptFileError, match=r"a\.h5-jpk: damaged"):
        io.read(path)
    jpk_hdf5(path, SIGNALS, reflect=b"true")
    with pytest.raises(UnsupportedContentError, match="mirrored"):
        io.read(path)
    jpk_hdf5(path, SIGNALS, ulength=0.0)
    with pytest.raises(FieldError, match="xreal"):
        io.read(path)
    with h5py.File(path, "w") as file:
        file.create_group("Measurement_000")
    with pytest.raises(UnsupportedContentError, match="holds no image"):
        io.read(path)
