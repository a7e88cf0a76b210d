"""A figure is as large as it says, and every pixel and number in it is true."""

from __future__ import annotations

import base64
import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.picture.colours import MASK_COLOUR
from afmsr_core.picture.figures import drawn, format_of
from afmsr_core.picture.looks import Look
from afmsr_core.picture.palettes import palette, unmeasured_colour
from afmsr_core.picture.panels import Panel, in_own_range, in_range, in_ranges_of
from afmsr_core.picture.ranges import Range

MM = 1 / 25.4
INK = (0x1B, 0x1F, 0x24)


def channel(top: float, shape: tuple[int, int] = (64, 64), **more: object) -> Channel:
    """A scan of 1 x 1 µm whose columns rise evenly from 0 to `top` nm."""
    heights = np.tile(np.linspace(0.0, top, shape[1]), (shape[0], 1))
    made = {"xreal": 1000.0, "yreal": 1000.0, "title": "Height", **more}
    return Channel(heights, **made)  # type: ignore[arg-type]


def pixels(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def texts(data: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", data.decode())


def like(picture: np.ndarray, colour: tuple[int, ...], off: int = 3) -> np.ndarray:
    return (np.abs(picture.astype(int) - colour) <= off).all(axis=-1)


def box(found: np.ndarray) -> tuple[int, int, int, int]:
    """Rows and columns between which something is."""
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def width_of_image(picture: np.ndarray) -> int:
    """Columns from the left edge of an image without white to the gap beside it."""
    middle = picture[picture.shape[0] // 2]
    inside = np.flatnonzero(~like(middle, (255, 255, 255)))
    return int(inside[np.flatnonzero(np.diff(inside) > 5)[0]] - inside[0])


def scale_bar_of(picture: np.ndarray) -> int:
    """Length in pixels of the one thick black bar: five rows or more of nothing but ink."""
    ink = like(picture, INK, 20)
    thick = ink.copy()
    for shift in range(1, 6):
        thick[:-shift] &= ink[shift:]
    runs = (re.finditer(b"\1+", row.astype(np.uint8).tobytes()) for row in thick)
    return max(len(run[0]) for row in runs for run in row)


# --- heights, whatever their size ------------------------------------------------------------


@pytest.mark.parametrize(("top", "unit"), [(9.0, "nm"), (2150.0, "µm"), (0.036, "pm"), (3e6, "mm")])
def test_heights_are_told_in_a_readable_unit(top: float, unit: str) -> None:
    told = texts(drawn([Panel.of(channel(top))], "svg"))
    numbers = [text for text in told if re.fullmatch(r"−?[\d.\u2009]+( [µnpm]?m)?", text)]
    assert sum(text.endswith(f" {unit}") for text in told) == (2 if unit == "nm" else 1)
    assert len(numbers) >= 4 and not re.search(r"e[+-]\d|um\b", " ".join(told))


def test_scans_of_9_and_2150_nm_share_a_range_and_its_bar() -> None:
    panels = in_ranges_of([Panel.of(channel(9.0)), Panel.of(channel(2150.0))])
    assert panels[0].shown == panels[1].shown
    told = texts(drawn(panels, "svg"))
    assert "2.0 µm" in told and not any(" nm" in text and text != "200 nm" for text in told)
    assert told.count("0.5") == 1, "one colour bar"
    low, high = palette("afm")[[0, 255]].astype(int)
    first, second = (panel.pixels()[0].astype(int) for panel in panels)
    assert np.abs(first - low).max() < 8, "9 nm are next to nothing beside 2,150"
    assert (second[-1] == high).all() and (second[0] == low).all()


def test_other_units_have_a_range_and_a_bar_of_their_own() -> None:
    panels = in_ranges_of([Panel.of(channel(9.0)), Panel.of(channel(40.0, unit="deg"))])
    assert panels[0].shown.high <= 9 < panels[1].shown.high
    told = texts(drawn(panels, "svg"))
    assert "8 nm" in told and "40 deg" in told
    assert "Height: colours span 0.5 to 99.5 % of the values." in " ".join(told)


# --- proportions, lengths and sizes ----------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"), [((8, 64), (1000.0, 1000.0)), ((64, 64), (1000.0, 500.0))]
)
def test_the_picture_has_the_proportions_of_the_area(
    shape: tuple[int, int], size: tuple[float, float]
) -> None:
    one = channel(9.0, shape, xreal=size[0], yreal=size[1])
    one = one.replace(heights=np.full(shape, np.nan))
    picture = pixels(drawn([Panel.of(one)], dpi=200))
    mark = like(picture, unmeasured_colour("afm"))
    mark[int(mark.shape[0] * 0.8) :] &= mark[int(mark.shape[0] * 0.8) :].sum(axis=1)[:, None] > 200
    top, bottom, left, right = box(mark)
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.01)


def test_the_rows_of_8_to_1_pixels_are_8_times_as_high() -> None:
    heights = np.zeros((8, 64))
    heights[::2] = 5.0
    panel = Panel.of(channel(1.0, (8, 64)).replace(heights=heights))
    picture = pixels(drawn([panel.replace(shown=Range(-1.0, 20.0))], dpi=200)).astype(int)
    side = width_of_image(picture)
    changes = np.flatnonzero(np.abs(np.diff(picture[:, 100, 0])) > 30)
    edges = changes[np.diff(changes, prepend=-9) > 2]  # the frame is two pixels of its own
    rows = np.diff(edges)
    assert (np.abs(rows - side / 8) <= 1.5).sum() == 8


@pytest.mark.parametrize(("width", "length"), [(1000.0, 200.0), (70_000.0, 20_000.0)])
def test_the_scale_bar_is_as_long_as_it_says(width: float, length: float) -> None:
    panel = Panel.of(channel(9.0, xreal=width, yreal=width)).replace(shown=Range(-1.0, 20.0))
    label = "200 nm" if width == 1000.0 else "20 µm"
    assert label in texts(drawn([panel], "svg"))
    picture = pixels(drawn([panel], dpi=300))
    side = width_of_image(picture)
    assert scale_bar_of(picture) == pytest.approx(side * length / width, abs=2)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_size_and_dpi_are_in_the_file(kind: str) -> None:
    made = Image.open(io.BytesIO(drawn([Panel.of(channel(9.0))], kind, width=60, dpi=250)))
    assert made.width == round(60 * MM * 250)
    assert made.info["dpi"] == pytest.approx((250, 250), abs=0.5)


def test_vector_files_have_the_size_and_the_pixels_of_the_scan() -> None:
    panel = Panel.of(channel(9.0, (40, 30)))
    svg = drawn([panel], "svg", width=60).decode()
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(60 * MM * 72, abs=0.1)  # type: ignore[index]
    held = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    sizes = {Image.open(io.BytesIO(base64.b64decode(one))).size for one in held}
    assert sizes == {(30, 40), (1, 256)}, "scan and colour bar"
    pdf = drawn([panel], "pdf", width=60)
    box_of = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", pdf)
    assert box_of and float(box_of[1]) == pytest.approx(60 * MM * 72, abs=0.1)
    assert re.search(rb"/Width 30\b", pdf) and re.search(rb"/Height 40\b", pdf)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "tiff"])
def test_the_same_figure_has_the_same_bytes(kind: str) -> None:
    panels = in_ranges_of([Panel.of(channel(9.0)), Panel.of(channel(5.0))])
    first = drawn(panels, kind, title="Two")
    assert drawn(panels, kind, title="Two") == first
    assert b"Two" in first and b"2026" not in first


# --- what must be seen, and told -------------------------------------------------------------


def test_gaps_and_masks_are_marked_and_explained() -> None:
    one = channel(9.0)
    heights, mask = one.heights.copy(), np.zeros((64, 64), bool)
    heights[:16] = np.nan
    mask[32:48] = True
    panel = Panel.of(one.replace(heights=heights, mask=mask), mask=True)
    picture = pixels(drawn([panel], dpi=200))
    rows = like(picture, unmeasured_colour("afm")).sum(axis=1)
    side = rows.max()
    assert (rows == side).sum() == pytest.approx(side / 4, abs=3)
    tinted = (palette("afm")[::4].astype(int) + MASK_COLOUR) // 2
    assert like(panel.pixels()[40, None], tuple(tinted[0])).any()
    assert {"not measured", "mask"} <= set(texts(drawn([panel], "svg")))
    plain = texts(drawn([Panel.of(one)], "svg"))
    assert not {"not measured", "mask"} & set(plain)


def test_a_plane_is_taken_off_only_where_that_is_told() -> None:
    one = channel(9.0)
    assert np.ptp(Panel.of(one).heights) == 9.0
    flat = Panel.of(one, level=True)
    assert np.ptp(flat.heights) < 1e-12
    assert "Less the least-squares plane." in " ".join(texts(drawn([flat], "svg")))


def test_the_look_of_the_file_is_taken_and_an_unknown_palette_is_told() -> None:
    own = Range(-1.0, 4.0, "the range that the file stores")
    panel = Panel.of(channel(9.0, look=Look("Gold", own)))
    assert (panel.palette, panel.shown) == ("Gold", own)
    assert (panel.pixels()[0, -1] == palette("Gold")[255]).all()
    assert "Colours span the range that the file stores." in texts(drawn([panel], "svg"))
    unknown = Panel.of(channel(9.0, look=Look("Mine")))
    assert unknown.palette == "afm"
    assert "palette Mine, which is not known here" in " ".join(texts(drawn([unknown], "svg")))
    assert Panel.of(channel(9.0, look=Look("Gold", own)), level=True).shown != own


def test_a_range_that_is_asked_for_is_that_of_all() -> None:
    own = Range(-1.0, 4.0, "the range that the file stores")
    channels = [channel(9.0), channel(5.0, look=Look("", own))]
    panels = [Panel.of(one) for one in channels]
    assert [one.shown for one in in_own_range(panels, channels)] == [own, own]
    asked = Range(0.0, 3000.0, "as asked for, 0 to 3 µm")
    assert [one.shown for one in in_range(panels, 0.0, 3e3, "nm", "as asked for")] == [asked] * 2
    with pytest.raises(UsageError, match=r"values are in nm, the range in deg; give"):
        in_range(panels, 0.0, 3.0, "deg")
    with pytest.raises(UsageError, match=r"stores no fixed range.*0:12nm"):
        in_own_range(panels, channels[:1])


def test_words_that_do_not_fit_are_wrapped_or_cut_and_dollars_are_dollars() -> None:
    long = channel(9.0, title="A $5 title " + "x" * 300 + "end")
    told = texts(drawn([Panel.of(long), Panel.of(long)], "svg"))
    assert "A $5 title" in told
    cut = next(text for text in told if "…" in text)
    assert cut.startswith("xxx") and cut.endswith("end") and len(cut) < 80


@pytest.mark.filterwarnings("error")
def test_a_title_may_hold_any_sign() -> None:
    odd = Panel.of(channel(9.0, title="高さ \u202eheight\x07\x1b[31m\ud800\ttab"))
    assert "高さ height[31m tab" in texts(drawn([odd], "svg"))
    for kind in ("png", "pdf", "tiff"):
        assert drawn([odd], kind, dpi=50)


def test_an_area_too_narrow_to_be_seen_is_told() -> None:
    line = channel(9.0, (1, 64), yreal=0.1)
    told = "Not in true proportions: the area is too narrow"
    assert told in " ".join(texts(drawn([Panel.of(line)], "svg")))
    assert told not in " ".join(texts(drawn([Panel.of(channel(9.0, (2, 64), yreal=9.0))], "svg")))


def test_nothing_measured_and_one_pixel_can_be_drawn() -> None:
    nothing = channel(9.0).replace(heights=np.full((4, 4), np.nan))
    told = texts(drawn([Panel.of(nothing), Panel.of(channel(1.0, (1, 1)))], "svg"))
    assert "Colours span nothing, as" not in told and "not measured" in told


def test_what_cannot_be_drawn_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match=r"--width 40: too narrow for 4 in a row; give at least"):
        drawn([Panel.of(channel(9.0))] * 4, width=40)
    with pytest.raises(UsageError, match=r"fig\.bmp: \.bmp is no format.*\.png, \.svg, \.pdf or"):
        format_of(Path("fig.bmp"))
    assert format_of(Path("a.TIF")) == "tiff"


def test_figures_drawn_at_once_are_those_drawn_alone() -> None:
    """As the threads of `afmsr upscale --preview` do; Matplotlib's style is the process's."""
    panels = [Panel.of(channel(float(top))) for top in range(3, 15)]
    alone = [drawn([panel], dpi=72) for panel in panels]
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda panel: drawn([panel], dpi=72), panels)) == alone
