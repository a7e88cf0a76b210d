"""`import afmsr`: a path, a channel or an array in, a channel out that shows itself."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

import afmsr
from afmsr_core.arrays import as_channel
from afmsr_core.errors import FieldError, MissingExtraError, UsageError

HEIGHTS = np.random.default_rng(5).normal(50, 20, (12, 20)).cumsum(axis=1)
CHANNEL = afmsr.Channel(HEIGHTS, 2000.0, 900.0, xoff=-30.0, yoff=4.0, title="Height")
QUICK: dict[str, Any] = {"method": "bicubic"}


def file_of(folder: Path, *channels: afmsr.Channel) -> Path:
    afmsr.write(folder / "scan.gwy", channels or [CHANNEL])
    return folder / "scan.gwy"


# --- upscale takes what people hold ------------------------------------------------------------


def test_a_path_a_channel_and_arrays_give_the_same(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    path = file_of(tmp_path)
    want = afmsr.upscale(CHANNEL, **QUICK)
    assert want.heights.shape == (48, 80) and (want.xreal, want.yreal) == (2000.0, 900.0)
    metres = CHANNEL.to_xarray() * 1e-9
    metres.attrs["units"] = "m"
    for given, described in (
        (path, {}),
        (str(path), {"channel": 0}),
        (HEIGHTS, {"size": (900, 2000), "unit": "nm"}),
        (HEIGHTS * 1e-9, {"pixel_size": (75, 100), "unit": "m"}),
        (HEIGHTS.tolist(), {"pixel_size": (75, 100), "unit": "nm"}),
        (CHANNEL.to_xarray(), {}),
        (metres, {}),
    ):
        fine = afmsr.upscale(given, **QUICK, **described)
        np.testing.assert_allclose(fine.heights, want.heights, rtol=1e-12)
        assert (fine.xreal, fine.yreal, fine.unit) == pytest.approx((2000.0, 900.0, "nm"))
    assert xarray.testing.assert_allclose(want.to_xarray(), want.to_xarray()) is None


@pytest.mark.parametrize(
    ("given", "described", "error", "says"),
    [
        (HEIGHTS, {}, UsageError, "size="),
        (HEIGHTS, {"size": (1, 1), "pixel_size": (1, 1), "unit": "nm"}, UsageError, "either"),
        (HEIGHTS, {"size": (900, 2000)}, UsageError, "unit="),
        (HEIGHTS, {"size": 900, "unit": "nm"}, UsageError, "two numbers"),
        (HEIGHTS, {"size": (0, 2000), "unit": "nm"}, FieldError, "must be positive"),
        (HEIGHTS[0], {"size": (1, 1), "unit": "nm"}, FieldError, "rows and columns"),
        (HEIGHTS + 1j, {"size": (1, 1), "unit": "nm"}, FieldError, "real numbers"),
        (CHANNEL, {"unit": "nm"}, UsageError, "has its own"),
        (CHANNEL, {"channel": 0}, UsageError, "no path"),
    ],
)
def test_nothing_is_guessed(
    given: Any, described: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        afmsr.upscale(given, **QUICK, **described)


def test_of_several_channels_one_is_chosen(tmp_path: Path) -> None:
    other = CHANNEL.replace(title="Height 2", number=1)
    path = file_of(tmp_path, CHANNEL, other)
    assert afmsr.upscale(path, channel="Height 2", **QUICK).title == "Height 2 (x4 bicubic)"
    with pytest.raises(UsageError, match="0 'Height', 1 'Height 2'"):
        afmsr.upscale(path, channel="height*", **QUICK)


def test_its_defaults_are_those_of_the_settings_and_of_the_command_line() -> None:
    from afmsr_cli.main import build_parser

    signature = inspect.signature(afmsr.upscale).parameters
    settings = inspect.signature(afmsr.Settings).parameters
    command = vars(build_parser("upscale").parse_args(["upscale", "scan.gwy"]))
    for name, setting in settings.items():
        assert signature[name].default == setting.default == command[name], name


# --- a channel shows itself --------------------------------------------------------------------


def test_a_channel_says_what_it_is() -> None:
    low, high = HEIGHTS.min() / 1000, HEIGHTS.max() / 1000
    said = f"<Channel 'Height': 20 x 12 px, 2 µm x 900 nm, {low:.4g} to {high:.4g} µm>"
    assert repr(CHANNEL) == said
    nothing = CHANNEL.replace(heights=np.full((2, 2), np.nan), title="")
    assert repr(nothing) == "<Channel: 2 x 2 px, 2 µm x 900 nm, not one pixel measured>"
    volts = afmsr.Channel(np.array([[0.0, 2e-3]]), 10.0, 10.0, unit="V")
    assert repr(volts) == "<Channel: 2 x 1 px, 10 nm x 10 nm, 0 to 2 mV>"


def test_a_notebook_shows_a_picture_of_the_area() -> None:
    data = CHANNEL._repr_png_()
    assert data == CHANNEL.as_png(), "the same each time"
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] == round(85 / 25.4 * 150)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


def test_numpy_takes_the_heights() -> None:
    assert np.asarray(CHANNEL) is CHANNEL.heights
    assert np.array(CHANNEL) is not CHANNEL.heights
    assert np.mean(CHANNEL) == HEIGHTS.mean()
    assert np.asarray(CHANNEL, dtype=np.float32).dtype == np.float32


def test_xarray_has_coordinates_units_and_mask_and_comes_back() -> None:
    pytest.importorskip("xarray")
    mask = HEIGHTS > 0
    data = CHANNEL.replace(mask=mask).to_xarray()
    assert data.dims == ("y", "x") and data.attrs == {"units": "nm", "long_name": "Height"}
    assert float(data.x[0]) == 20.0 and float(data.y[-1]) == 4.0 + 900 - 37.5
    assert data.x.attrs == {"units": "nm"}
    for given in (data, data.transpose("x", "y"), data.isel(y=slice(None, None, -1))):
        back = as_channel(given)
        np.testing.assert_array_equal(back.heights, HEIGHTS)
        np.testing.assert_array_equal(back.mask, mask)
        places = (back.xreal, back.yreal, back.xoff, back.yoff)
        assert places == pytest.approx((2000.0, 900.0, -30.0, 4.0)) and back.title == "Height"


def uneven(data: Any) -> Any:
    return data.assign_coords(x=("x", np.asarray(data.x) ** 2, data.x.attrs))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (uneven, "evenly"),
        (lambda data: data.rename(x="column"), "rename"),
        (lambda data: data.drop_attrs(), "units"),
        (lambda data: data.drop_vars("x"), "coordinates"),
        (lambda data: data.isel(x=[0]), "two or more"),
    ],
)
def test_an_xarray_without_a_grid_or_units_is_refused(
    change: Callable[[Any], Any], says: str
) -> None:
    pytest.importorskip("xarray")
    with pytest.raises((FieldError, UsageError), match=says):
        as_channel(change(CHANNEL.to_xarray()))


def test_pandas_gets_a_profile() -> None:
    middle = CHANNEL.to_pandas()
    np.testing.assert_array_equal(middle.to_numpy(), HEIGHTS[6])
    assert middle.name == "Height (nm)" and middle.index.name == "x (nm)"
    assert middle.index[0] == 50.0 and middle.index[-1] == 1950.0
    down = CHANNEL.to_pandas(column=-1)
    np.testing.assert_array_equal(down.to_numpy(), HEIGHTS[:, -1])
    assert down.index.name == "y (nm)" and down.index[0] == 37.5
    for wrong in ({"row": 12}, {"column": 20}, {"row": 1, "column": 1}):
        with pytest.raises(UsageError, match="to_pandas"):
            CHANNEL.to_pandas(**wrong)


def test_matplotlib_draws_it_in_readable_units() -> None:
    figure = Figure()
    axes = CHANNEL.plot(figure.subplots(), vmin=0.0)
    assert axes.get_xlabel() == "x (µm)" and axes.get_title() == "Height"
    assert axes.images[0].get_extent() == pytest.approx([-0.03, 1.97, 0.904, 0.004])
    assert axes.images[0].get_clim()[0] == 0.0 and axes.get_aspect() == 1.0
    figure.draw_without_rendering()
    texts = [one.get_text() for one in axes.child_axes[0].get_yticklabels()]
    assert texts[-1].endswith(" µm") and all("e" not in text for text in texts), "a colour bar"


def test_without_the_optional_package_the_message_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingExtraError, match="pip install xarray"):
        CHANNEL.to_xarray()


def test_the_door_is_light() -> None:
    heavy = ("cv2", "torch", "onnxruntime", "matplotlib", "pandas", "xarray", "scipy", "gwyfile")
    code = f"import sys, afmsr; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
