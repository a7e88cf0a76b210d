"""``afmsr picture`` draws what was asked for, into a file of the size that was asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.large_field import LargeField
from afmsr_core.picture.figures import drawn
from afmsr_core.picture.palettes import GWYDDION, OURS, palette
from afmsr_core.picture.panels import Panel
from afmsr_core.upscale import upscale


def scan(top: float = 9.0, **more: Any) -> Channel:
    heights = np.tile(np.linspace(0.0, top, 32), (32, 1)) + 1e-3 * top * np.eye(32)
    made = {"xreal": 1000.0, "yreal": 1000.0, "title": "Height", **more}
    return Channel(heights, **made)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    phase = scan(40.0, title="Phase", unit="deg")
    mask = np.eye(32, dtype=bool)
    io.write(tmp_path / "scan.gwy", [scan(mask=mask), phase])
    io.write(tmp_path / "tall.gsf", [scan(2150.0)])
    file = io.as_gwy(tmp_path / "scan.gwy")
    made = upscale(file.channel(0), method="bicubic")
    file.with_channel(made, like=0).save(tmp_path / "scan_x4.gwy")
    return tmp_path


def picture(*arguments: object) -> int:
    return main(["picture", *map(str, arguments), "--quiet"])


def svg(*arguments: object) -> list[str]:
    """Draw into an SVG and return the texts in it."""
    target = Path("told.svg")
    assert picture(*arguments, "-o", target, "--force") == 0
    return re.findall(r"<text[^>]*>([^<]*)</text>", target.read_text(encoding="utf-8"))


def test_a_scan_becomes_a_png_beside_it(folder: Path) -> None:
    assert picture("scan.gwy") == 0
    with Image.open(folder / "scan.png") as made:
        assert made.width == round(85 / 25.4 * 300) and made.mode == "RGB"
        assert made.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "a.tiff", "a.tif"])
def test_width_and_dpi_are_those_of_the_file(folder: Path, name: str) -> None:
    assert picture("scan.gwy", "-o", name, "--width", 60, "--dpi", 200) == 0
    data = (folder / name).read_bytes()
    if name.endswith((".png", ".tiff", ".tif")):
        with Image.open(folder / name) as made:
            assert made.width == 472 and made.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    else:
        found = re.search(rb'width="([\d.]+)pt"|MediaBox \[ ?0 0 ([\d.]+)', data)
        assert found and float(found[1] or found[2]) == pytest.approx(60 / 25.4 * 72, abs=0.1)


def test_scan_and_result_stand_side_by_side_in_one_range(folder: Path) -> None:
    told = svg("scan.gwy", "scan_x4.gwy", "--title", "Sample 3")
    for word in ("Sample 3", "Height", "Height (x4 bicubic)", "scan.gwy, 32 × 32 px",
                 "scan_x4.gwy, 128 × 128 px"):  # fmt: skip
        assert word in told
    assert told.count("8 nm") == 1 and told.count("200 nm") == 2
    assert "Colours span 0.5 to 99.5 % of the heights." in told


def test_channels_and_levels_are_chosen_and_told(folder: Path) -> None:
    told = svg("scan.gwy", "--all-channels")
    assert {"Height", "Phase", "8 nm", "40 deg"} <= set(told)
    told = svg("scan.gwy", "--channel", "Phase", "--level", "plane+rows-median")
    assert "Height" not in told and "Levelled by plane, rows-median." in " ".join(told)
    assert {"mask"} <= set(svg("scan.gwy", "--mask")) - set(svg("scan.gwy"))


def test_what_is_in_nm_and_no_height_has_a_range_of_its_own(folder: Path) -> None:
    interval = "Half-width of the 90 % interval, Height"
    small = [scan(0.04, title="Amplitude"), scan(0.05, title=f"{interval} (x4 afm)")]
    io.write(folder / "checked.gwy", [scan(), *small])
    told = svg("checked.gwy", "--all-channels")
    assert {"8 nm", "40 pm", "50 pm"} <= set(told)
    told = svg("checked.gwy", "--all-channels", "--range", "full")
    assert {"8 nm", "40 pm", "50 pm"} <= set(told)
    told = svg("checked.gwy", "--all-channels", "--level", "plane")
    assert "50 pm" in told and "40 pm" not in told, "a half-width has no tilt to take off"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("0:12nm", "as asked for, 0 to 12 nm"),
        ("-0.002:0.012 µm", "as asked for, -2 to 12 nm"),
        ("0nm:0.036um", "as asked for, 0 to 36 nm"),
        ("1%:99%", "1 to 99 % of the heights"),
        ("5:95%", "5 to 95 % of the heights"),
        ("full", "lowest to highest of the heights"),
    ],
)
def test_a_range_is_the_one_that_was_asked_for(folder: Path, wanted: str, told: str) -> None:
    assert f"Colours span {told}." in svg("scan.gwy", f"--range={wanted}")


def test_the_ends_of_the_palette_are_at_the_ends_of_the_range(folder: Path) -> None:
    assert picture("scan.gwy", "--range=2:4nm", "--palette", "violet-yellow") == 0
    seen = np.asarray(Image.open("scan.png"))
    row = seen[seen.shape[0] // 2]
    for end in (0, 255):
        assert (np.abs(row.astype(int) - palette("violet-yellow")[end]).max(axis=1) < 2).sum() > 100


def test_a_range_of_a_file_is_that_of_all(folder: Path) -> None:
    from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

    metre = {"si_unit_xy": GwySIUnit(unitstr="m"), "si_unit_z": GwySIUnit(unitstr="m")}
    heights = scan().heights * 1e-9
    fixed = {"/0/base/range-type": 1, "/0/base/min": 0.0, "/0/base/max": 5e-9}
    looks = {"/0/base/palette": "Gold", **fixed}
    content = {"/0/data": GwyDataField(heights, 1e-6, 1e-6, **metre), **looks}
    (folder / "own.gwy").write_bytes(b"GWYP" + GwyContainer(content).serialize())
    assert "Colours span the range that the file stores." in svg("own.gwy")
    assert "Colours span the range that the file stores." in svg(
        "scan.gwy", "own.gwy", "--range", "own"
    )
    assert "Colours span 0.5 to 99.5 % of the heights." in svg("scan.gwy", "own.gwy")
    assert svg("own.gwy", "scan.gwy").count("8 nm") == 1, "one palette, and so one bar"
    assert "Colours span 0.5 to 99.5 % of the heights." in " ".join(
        svg("own.gwy", "--level", "plane")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("scan.gwy -o scan.gwy", r"scan\.gwy: \.gwy is no format of pictures; end the name"),
        (". -o new.png", r"\.: is a folder; give the scans"),
        ("scan.gwy -o old.png", r"old\.png: exists already; use --force"),
        ("scan.gwy --palette gold", r"Did you mean Gold\?"),
        ("scan.gwy --range 0:12", r"in nm, the range in no unit; give the range in that unit"),
        ("scan.gwy --range 0:12V", r"in nm, the range in V; give"),
        ("scan.gwy --range 0:1e400nm", r"0:1e400nm: an end is larger than any number can be"),
        ("scan.gwy --range 3:1nm", r"--range 3:1nm: the first is to be below the second"),
        ("scan.gwy --range 0nm:1V", r"different units; give both in one"),
        ("scan.gwy --range wide", r"--range wide: give LOW:HIGH with a unit, such as 0:12nm"),
        ("scan.gwy --range 1%:101%", r"percentiles lie between 0% and 100%"),
        ("scan.gwy --range own --level plane", r"heights as they are.*leave one of the two out"),
        ("scan.gwy --range own", r"stores no fixed range of colours; set one in Gwyddion"),
        ("scan.gwy --width 0", r"--width 0: give mm"),
        ("scan.gwy --width nan", r"--width nan: give mm"),
        ("scan.gwy --dpi 9000", r"--dpi 9000: give 30 to 2400"),
        ("scan.gwy --dpi 2400 --width 900", r"--dpi 2400: too many pixels.*write \.pdf"),
    ],
)
def test_a_mistake_is_told_with_its_cure_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    (folder / "old.png").write_bytes(b"old")
    before = sorted(folder.iterdir())
    assert picture(*arguments.split()) == 2
    assert re.search(said, capsys.readouterr().err)
    assert sorted(folder.iterdir()) == before and (folder / "old.png").read_bytes() == b"old"


def test_nothing_is_said_where_matplotlib_cannot_write_its_cache(folder: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "afmsr_cli.main", "picture", "scan.gwy"],
        cwd=folder,
        env={**os.environ, "MPLCONFIGDIR": str(folder / "scan.gwy")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "scan.gwy -> scan.png\n"


def test_a_large_field_is_drawn_from_every_so_many_pixels() -> None:
    field = LargeField((16, 4100), 7.0)
    field[:] = np.linspace(0.0, 9.0, 4100)
    channel = Channel(field, 4100.0, 16.0, title="Height", mask=np.ones((16, 4100), bool))
    panel = Panel.of(channel, mask=True)
    assert panel.heights.shape == (8, 2050) and panel.subtitle == "4100 × 16 px"
    assert panel.mask is not None and panel.mask.shape == (8, 2050)
    assert panel.shown.high == pytest.approx(8.955, abs=0.01) and drawn([panel], dpi=60)


def test_help_names_every_palette(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["picture", "--help"])
    told = re.split(r"[\s,;.]+(?!net)", capsys.readouterr().out)
    assert {*OURS, *GWYDDION} - {"Gray"} <= set(told)
