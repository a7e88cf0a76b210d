"""A file of Gwyddion 3 stays one: a channel is added in its form, all else keeps its bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import gwyfiles
import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import CorruptFileError
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.history import META, to_meta
from afmsr_core.io.results import write_results
from afmsr_core.picture.looks import Look

HEAD = len(b"GWYQGwyFile\0") + 8
HEIGHTS = np.sin(np.arange(48.0)).reshape(6, 8)  # nm
MARKED = np.arange(48).reshape(6, 8) % 5 == 0
SIZE, OFFSET = (2e-6, 1.5e-6), (3e-7, -1e-7)
FIELD = gwyfiles.placed_3(HEIGHTS / 1e9, SIZE, OFFSET)
LOG = b'file::gwyfile(filename="x")@2026-01-02 03:04:05.000000Z'
# What a channel is shown in, with the names behind "/image/0/".
LOOKS = {
    "palette": ("s", b"Gold"),
    "color-mapping": ("i", 1),
    "range/min": ("d", -5e-10),
    "range/max": ("d", 7e-10),
    "real-square": ("b", True),
    "mask-color": gwyfiles.colour(0.1, 0.2, 0.3, 0.4),
}
NOTES = {"Tip": ("s", b"sharp"), "Angle": ("s", "30°".encode()), "count": ("d", 3.0)}


def everything() -> dict[str, Any]:
    """Return what a file of Gwyddion 3 holds, in the order in which it is saved, by name."""
    return {
        "/filename": ("s", b"scan.gwy"),
        "/graph/1": gwyfiles.graph_3(),
        "/image/0": FIELD,
        **{f"/image/0/{name}": part for name, part in sorted(LOOKS.items())},
        "/image/0/log": gwyfiles.log(LOG),
        "/image/0/mask": gwyfiles.mask_3(np.cumsum(MARKED).reshape(6, 8) * MARKED),
        "/image/0/meta": ("o", ("GwyDict", NOTES)),
        "/image/0/selection/line": (
            "o",
            ("GwySelectionLine", {"max": ("i", 16), "data": ("D", [1e-7, 2e-7, 3e-7, 4e-7])}),
        ),
        "/image/0/show": gwyfiles.placed_3(HEIGHTS, SIZE, OFFSET, unit=b""),
        "/image/0/title": ("s", "Höhe".encode()),
        "/image/0/view": ("o", ("GwyGLSetup", {"rot_x": ("d", 0.5)})),
        "/image/0/visible": ("b", True),
        "/image/7": gwyfiles.field_3(HEIGHTS, SIZE, unit=b"deg"),
        "/image/7/palette": ("s", b"/image/0/palette"),
        "/image/7/title": ("s", b"Z"),
        "/later/0": ("o", ("GwyLater", {"colours": ("O", []), "small": ("H", [1, 2])})),
        "/sps/0": ("o", ("GwySpectra", {"coords": ("D", [1e-7, 2e-7]), "selected": ("I", [0])})),
        "/volume/0": gwyfiles.volume_3(),
        "/volume/0/title": ("s", b"map"),
        "/xyz/0": ("o", ("GwyScatter", {"nvalues": ("i", 1), "data": ("D", [1.0, 2.0, 3.0])})),
        "__links__": ("S", [b"/image/7/palette"]),
    }


def opened(parts: dict[str, Any]) -> GwyFile:
    return GwyFile.from_bytes(gwyfiles.version_3(parts))


def saved(file: GwyFile, folder: Path) -> bytes:
    file.save(folder / "saved.gwy", force=True)
    return (folder / "saved.gwy").read_bytes()


def result(**changes: Any) -> Channel:
    heights = np.arange(12.0).reshape(3, 4)
    mask = np.eye(3, 4, dtype=bool)
    made = Channel(heights, 2000.0, 1500.0, xoff=300.0, yoff=-100.0, title="Höhe (x4 afm)")
    return made.replace(mask=mask, **changes)


# --- reading ---------------------------------------------------------------------------------


def test_a_file_with_all_that_gwyddion_3_saves_is_read() -> None:
    file = opened(everything())
    assert (file.version, file.numbers) == (3, (0, 7))
    channel = file.channel(0)
    np.testing.assert_allclose(channel.heights, HEIGHTS, rtol=1e-14)
    np.testing.assert_array_equal(channel.mask, MARKED)
    assert [channel.xreal, channel.yreal] == pytest.approx([2000, 1500])
    assert [channel.xoff, channel.yoff] == pytest.approx([300, -100])
    assert (channel.title, channel.unit, channel.lateral_unit) == ("Höhe", "nm", "nm")
    assert file.log(0) == (LOG.decode(),)
    assert file.meta(0) == {"Tip": "sharp", "Angle": "30°"}
    assert (file.channel(7).unit, file.channel(7).title) == ("deg", "Z")


def test_the_fixed_range_of_colours_is_read() -> None:
    look = opened(everything()).channel(0).look
    assert look is not None and look.palette == "Gold" and look.shown is not None
    assert (look.shown.low, look.shown.high) == pytest.approx((-0.5, 0.7))
    free = everything() | {"/image/0/color-mapping": ("i", 2)}
    assert opened(free).channel(0).look == Look("Gold")


def test_a_name_that_stands_for_another_is_followed() -> None:
    file = opened(everything())
    assert file.channel(7).look == Look("Gold")
    chain = everything() | {
        "/image/8": FIELD,
        "/image/8/palette": ("s", b"/image/7/palette"),
        "/image/8/title": ("s", b"/image/0/title"),  # not listed: this is its title
        "__links__": ("S", [b"/image/8/palette", b"/image/7/palette", b"/image/0", b"/none"]),
    }
    channel = opened(chain).channel(8)
    assert (channel.look, channel.title) == (Look("Gold"), "/image/0/title")


@pytest.mark.parametrize("target", [b"/image/7/palette", b"/image/8/palette", b"/none", b""])
def test_names_that_lead_nowhere_do_not_cost_the_channel(target: bytes, tmp_path: Path) -> None:
    parts = everything() | {
        "/image/7/palette": ("s", target),
        "/image/8/palette": ("s", b"/image/7/palette"),
        "__links__": ("S", [b"/image/7/palette", b"/image/8/palette"]),
    }
    file = opened(parts)
    assert file.channel(7).look is None
    grown = file.with_channel(result(), like=7)
    assert grown.numbers == (0, 7, 9)
    assert b"/image/9/palette" not in saved(grown, tmp_path)


def test_of_two_with_one_name_the_last_counts_and_both_stay(tmp_path: Path) -> None:
    twice = [(name, everything()) for name in ("first", "last")]
    body = b""
    for title, parts in twice:
        parts["/image/0/title"] = ("s", title.encode())
        body += gwyfiles.version_3(parts)[HEAD:]
    file = GwyFile.from_bytes(b"GWYQGwyFile\0" + struct.pack("<Q", len(body)) + body)
    assert file.title(0) == "last"
    assert saved(file.with_channel(result(), 0), tmp_path)[HEAD : HEAD + len(body)] == body


# --- writing ---------------------------------------------------------------------------------


def test_the_file_becomes_what_gwyddion_3_would_have_saved(tmp_path: Path) -> None:
    old = everything()
    file = opened(old).with_channel(
        result(look=opened(old).channel(0).look),
        like=0,
        log=['image::afmsr_upscale(method="afm")@2026-01-02 03:04:05.000000Z'],
        meta={"afmsr history": "[]", "Tip": "blunt"},
    )
    size = gwyfiles.placed_3(np.arange(12.0).reshape(3, 4) / 1e9, SIZE, OFFSET)
    line = b'image::afmsr_upscale(method="afm")@2026-01-02 03:04:05.000000Z'
    new = {
        **{f"/image/8/{name}": part for name, part in LOOKS.items()},
        "/image/8": size,
        "/image/8/log": gwyfiles.log(LOG, line),
        "/image/8/title": ("s", "Höhe (x4 afm)".encode()),
        "/image/8/visible": ("b", True),
        "/image/8/mask": gwyfiles.mask_3(np.eye(3, 4)),
        "/image/8/meta": (
            "o",
            ("GwyDict", NOTES | {"Tip": ("s", b"blunt"), "afmsr history": ("s", b"[]")}),
        ),
    }
    assert saved(file, tmp_path) == gwyfiles.version_3(old | new)


def test_a_linked_palette_is_copied_as_what_it_stands_for(tmp_path: Path) -> None:
    file = opened(everything()).with_channel(result(), like=7)
    written = saved(file, tmp_path)
    assert written.count(b"/image/8/palette\0sGold\0") == 1
    assert GwyFile.open(tmp_path / "saved.gwy").channel(8).look == Look("Gold")


def test_several_results_in_one_file(tmp_path: Path) -> None:
    old = gwyfiles.version_3(everything())
    file, made = GwyFile.from_bytes(old), result(number=0)
    step = Step("upscale", "1", {"method": "afm"}, "a < b")
    done = made.after(step)
    titles = ["Höhe (x4 afm)", "Half-width Höhe (x4 afm)", "Residual Höhe (x4 afm)"]
    results = [done.replace(title=title, unit="nm") for title in titles]
    write_results(tmp_path / "x.gwy", file, results)
    assert (tmp_path / "x.gwy").read_bytes()[HEAD : len(old)] == old[HEAD:]
    again = GwyFile.open(tmp_path / "x.gwy")
    assert (again.version, again.numbers) == (3, (0, 7, 8, 9, 10))
    assert [again.title(number) for number in (8, 9, 10)] == titles
    for channel in again.channels()[2:]:
        np.testing.assert_allclose(channel.heights, made.heights, rtol=1e-14)
        np.testing.assert_array_equal(channel.mask, made.mask)
        assert channel.history == (step,)
    before, line = again.log(8)
    assert before == LOG.decode() and line.startswith('image::afmsr_upscale(method="afm")@')


def test_pixels_that_were_not_measured_become_mean_and_mask(tmp_path: Path) -> None:
    heights = np.arange(12.0).reshape(3, 4)
    heights[0, 1] = np.nan
    saved(opened(everything()).with_channel(result(heights=heights).replace(mask=None)), tmp_path)
    (*_, stored) = GwyFile.open(tmp_path / "saved.gwy").channels(as_stored=True)
    assert np.argwhere(stored.mask).tolist() == [[0, 1]]
    assert stored.heights[0, 1] == pytest.approx(np.nanmean(heights))
    (*_, read) = io.read(tmp_path / "saved.gwy")
    np.testing.assert_allclose(read.heights, heights)


def test_a_range_of_other_heights_is_not_taken_over(tmp_path: Path) -> None:
    saved(opened(everything()).with_channel(result(look=Look("Gold")), like=0), tmp_path)
    file = GwyFile.open(tmp_path / "saved.gwy")
    assert file.channel(8).look == Look("Gold")
    assert b"/image/8/color-mapping" not in (tmp_path / "saved.gwy").read_bytes()


def test_left_overs_of_a_removed_image_are_not_inherited() -> None:
    parts = everything() | {"/image/8/title": ("s", b"gone"), "/image/9": ("s", b"no field")}
    parts |= {"/image/4000000000/title": ("s", b"far away"), "/volume/10/title": ("s", b"other")}
    file = opened(parts)
    assert file.numbers == (0, 7)
    assert file.with_channel(result()).with_channel(result()).numbers == (0, 7, 10, 11)


def test_what_no_version_2_could_hold_is_not_refused() -> None:
    opened(everything()).check_room(2**33, "large.gwy")


def test_text_that_is_not_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    parts = everything() | {"/image/0/meta": gwyfiles.notes_3(Angle=b"30\xb0")}
    parts["/image/0/log"] = gwyfiles.log(b"x(30\xb0)")
    written = saved(opened(parts).with_channel(result(), like=0), tmp_path)
    assert written.count(b"Angle\0s30\xb0\0") == 2 and written.count(b"x(30\xb0)\0") == 2
    assert GwyFile.open(tmp_path / "saved.gwy").meta(8) == {"Angle": "30°"}


# --- what a later Gwyddion may write ---------------------------------------------------------


def later(**where: tuple[str, Any]) -> dict[str, Any]:
    return everything() | {name.replace("__", "/"): part for name, part in where.items()}


def test_a_type_code_to_come_inside_what_we_do_not_read_stays_as_it_is(tmp_path: Path) -> None:
    curve = ("GwyGraphCurveModel", {"xdata": ("D", [0.0]), "style": ("z", b"\0\1\2anything")})
    parts = later(__graph__1=("o", ("GwyGraphModel", {"curves": ("O", [curve])})))
    old = gwyfiles.version_3(parts)
    new = saved(GwyFile.from_bytes(old).with_channel(result(), like=0), tmp_path)
    assert new[HEAD : len(old)] == old[HEAD:]
    assert GwyFile.open(tmp_path / "saved.gwy").numbers == (0, 7, 8)


@pytest.mark.parametrize("name", ["__image__7", "__image__7__mask", "__image__7__meta"])
def test_a_type_code_to_come_in_what_we_read_costs_that_channel(name: str) -> None:
    _, (kind, parts) = FIELD
    # Behind it come the units: to go on without them would be a wrong value.
    field = {"xres": parts["xres"], "later": ("z", b"\1"), **parts}
    file = opened(later(**{name: ("o", (kind, field))}))
    with pytest.raises(CorruptFileError, match="type code 'z' is unknown"):
        file.channel(7)
    assert [channel.number for channel in file.channels()] == [0]


def test_a_type_code_to_come_where_no_end_is_known_is_refused() -> None:
    with pytest.raises(CorruptFileError, match=r"at byte \d+: type code 'z' is unknown"):
        opened(later(__later=("z", b"\1")))


def test_one_object_that_cannot_be_titled_does_not_hide_the_others() -> None:
    inside = ("o", ("GwyLater", {"later": ("z", b"\1")}))
    file = opened(later(__image__7__title=inside, __image__7__palette=inside))
    assert [channel.title for channel in file.channels()] == ["Höhe", ""]


def nested(depth: int) -> bytes:
    """Return components that are objects in each other."""
    data, head = b"", b"x\0oA\0"
    for inside in range(depth - 1, -1, -1):
        data += head + struct.pack("<Q", inside * (len(head) + 8))
    return data


@pytest.mark.parametrize("depth", [64, 65, 5000])
def test_nesting_has_a_limit(depth: int) -> None:
    body = nested(depth)
    data = b"GWYQGwyFile\0" + struct.pack("<Q", len(body)) + body
    if depth <= 64:
        GwyFile.from_bytes(data)
    else:
        with pytest.raises(CorruptFileError, match="nested deeper than 64"):
            GwyFile.from_bytes(data)


@pytest.mark.parametrize("code", "CHIQFDSO")
def test_a_count_beyond_all_memory_is_refused(code: str) -> None:
    for count in (2**61, 2**63, 2**64 - 1):
        body = b"x\0" + code.encode() + struct.pack("<Q", count) + b"\0" * 64
        with pytest.raises(CorruptFileError, match=r"claims|fewer|ends|left"):
            GwyFile.from_bytes(b"GWYQGwyFile\0" + struct.pack("<Q", len(body)) + body)


# --- the commands ----------------------------------------------------------------------------


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A file of version 3 with a scan large enough for every command."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:48, :64]
    heights = 20 * np.sin(x / 5) * np.cos(y / 6) + random.normal(size=x.shape)
    step = Step("level", "1", {"degree": 1}, "removed 3 nm")
    meta = {name: ("s", text.encode()) for name, text in to_meta([step]).items()}
    parts = everything() | {
        "/image/0": gwyfiles.placed_3(heights / 1e9, (2e-6, 1.5e-6), OFFSET),
        "/image/0/mask": gwyfiles.mask_3(heights > 18),
        "/image/0/meta": ("o", ("GwyDict", NOTES | meta)),
    }
    path = tmp_path / "scan.gwy"
    path.write_bytes(gwyfiles.version_3(parts))
    return path


def ran(*arguments: str | Path) -> None:
    assert main(list(map(str, arguments))) == 0


def test_upscaling_keeps_the_file_and_its_version(scan: Path) -> None:
    old = scan.read_bytes()
    ran("upscale", scan, "--confidence", "--residual")
    assert scan.read_bytes() == old
    written = scan.with_name("scan_x4.gwy")
    assert written.read_bytes()[HEAD : len(old)] == old[HEAD:]
    file = GwyFile.open(written)
    assert file.version == 3
    source, _, made, *extras = file.channels()
    assert made.title == "Höhe (x4 afm)" and made.heights.shape == (192, 256)
    assert all(one.title.startswith("Residual") for one in extras[1:]) and len(extras) == 3
    assert extras[0].title.startswith("Half-width")
    assert [made.xreal, made.yreal, made.xoff, made.yoff] == pytest.approx(
        [source.xreal, source.yreal, source.xoff, source.yoff]
    )
    assert made.mask is not None and made.mask.any() and made.look == source.look
    assert made.history[0].name == "level" and made.last_step("upscale")
    assert file.log(8)[-1].startswith("image::afmsr_upscale(")
    assert json.loads(file.meta(8)[META])[0]["name"] == "level"


def test_a_result_is_upscaled_once_more(scan: Path, tmp_path: Path) -> None:
    ran("upscale", scan, "--method", "bicubic", "--channel", "7", "--scale", "2")
    once = scan.with_name("scan_x2.gwy")
    ran("upscale", once, "--method", "bicubic", "--all-channels", "-o", tmp_path / "twice.gwy")
    before, after = once.read_bytes(), (tmp_path / "twice.gwy").read_bytes()
    assert after[HEAD : len(before)] == before[HEAD:]
    file = GwyFile.open(tmp_path / "twice.gwy")
    assert (file.version, file.numbers) == (3, (0, 7, 8, 9, 10, 11))
    assert (file.channel(11).unit, file.channel(11).look) == ("deg", Look("Gold"))


def test_what_reads_results_reads_those_of_version_3(scan: Path, tmp_path: Path) -> None:
    ran("upscale", scan, "--method", "bicubic", "--confidence")
    made = scan.with_name("scan_x4.gwy")
    ran("report", made, "-o", tmp_path / "page.html")
    ran("picture", made, "-o", tmp_path / "figure.png")
    ran("convert", scan, "--to", "npy", "-o", tmp_path / "arrays")
    ran("verify", made, scan, "-o", tmp_path / "checked.gwy")
    assert GwyFile.open(tmp_path / "checked.gwy").version == 2  # a new file
    # A folder's results are not upscaled again.
    ran("upscale", tmp_path, "--method", "bicubic", "-o", tmp_path / "all", "--force")
    assert [path.name for path in (tmp_path / "all").glob("*scan*.gwy")] == ["scan_x4.gwy"]
