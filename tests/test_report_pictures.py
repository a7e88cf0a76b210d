"""Panels of one report show the relief of flat and of high scans, in the form of their area."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from reports import build, load, save, surface

from afmsr_core.report import write_report
from afmsr_core.report.contents import Fields, Results
from afmsr_core.report.panels import panel
from afmsr_core.report.trust_figures import BESIDE_SCARS

HEIGHTS = {"scan-00": 9.0, "scan-01": 2150.0, "scan-02": 0.036}  # nm from lowest to highest
SIZE = 160
IMAGE = re.compile(r'<image x="\S+" y="\S+" width="(\S+)" height="(\S+)" [^>]*base64,([^"]*)"')


def images(svg: str) -> list[tuple[float, float, np.ndarray]]:
    """Return width and height as drawn, and the pixels, of every image of a figure."""
    found = []
    for width, height, data in IMAGE.findall(svg):
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        found.append((float(width), float(height), pixels[..., ::-1].astype(float)))
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results whose scans are 9 nm, 2,150 nm and 36 pm high, with their report."""
    folder = build(tmp_path_factory.mktemp("heights") / "results", 3, ("",), size=SIZE, kept=1,
                   methods=("bicubic", "afm"), chosen=("psnr", "rmse"))  # fmt: skip
    for index, height in enumerate(HEIGHTS.values()):
        path = folder / "pairs" / f"{index}.npz"
        with np.load(path) as file:
            arrays = dict(file)
        factor = height / np.ptp(arrays["high"])
        side = arrays.pop("pixel_size")
        scaled = {name: (one * factor).astype(np.float32) for name, one in arrays.items()}
        np.savez(path, **scaled, pixel_size=side)  # type: ignore[arg-type]
    write_report(folder)
    return folder


@pytest.mark.parametrize("name", HEIGHTS)
def test_every_relief_is_seen_whatever_its_height(report: Path, name: str) -> None:
    svg = (report / "figures" / f"panel-{name}.svg").read_text(encoding="utf-8")
    shown = images(svg)
    index = list(HEIGHTS).index(name)
    with np.load(report / "pairs" / f"{index}.npz") as file:
        truth = file["high"].astype(float)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    design = np.stack([np.ones(SIZE**2), x.ravel(), y.ravel()], axis=1)
    level = truth.ravel() - design @ np.linalg.lstsq(design, truth.ravel(), rcond=None)[0]
    gray = next(  # the truth stands last in the row of whole crops
        pixels for _, _, pixels in shown[3::-1] if pixels.shape[:2] == (SIZE, SIZE)
    ).sum(axis=2)
    assert np.percentile(gray, 98) - np.percentile(gray, 2) > 500  # of 765: black to white
    assert np.corrcoef(gray.ravel(), level)[0, 1] > 0.95


def test_the_colour_bars_tell_the_heights_in_their_own_units(report: Path) -> None:
    for name, unit in (("scan-00", "nm"), ("scan-01", "(?:nm|µm)"), ("scan-02", "pm")):
        svg = (report / "figures" / f"panel-{name}.svg").read_text(encoding="utf-8")
        bar = svg[svg.index(">height<") : svg.index(">result − truth<")]
        assert re.search(rf">[\d.\u2009]+ {unit}</text>", bar), bar[:600]
        assert "e-" not in bar and "um" not in bar


def test_pixels_that_are_not_square_show_a_square_area_square() -> None:
    truth = surface(3, 256)[::8]  # 32 lines of 256 pixels: 8:1
    fields = Fields(truth, truth, {"bicubic": truth + 0.5}, (8.0, 1.0))
    results = Results(Path(), {"format": 1, "methods": [{"name": "bicubic"}], "pairs": []})
    drawn = panel(results, {"id": "a"}, fields, "a", 370)
    whole = [one for one in images(drawn.svg) if one[2].shape[:2] == (32, 256)]
    assert whole and all(width == pytest.approx(height) for width, height, _ in whole)
    gray = whole[0][2].sum(axis=2)  # no line is lost, none is doubled
    assert np.corrcoef(gray.ravel(), truth.ravel())[0, 1] > 0.9


def test_errors_have_no_datum_or_tilt_and_share_symmetric_colours() -> None:
    y, x = np.mgrid[0:64, 0:64].astype(float)
    truth = np.sin(x / 5) * np.cos(y / 7)
    off = 0.1 * np.sin(x / 3)
    fields = Fields(None, truth, {"a": truth + 5 + 0.1 * x, "b": truth + off}, (1.0, 1.0))
    named = [{"name": name, "label": name.upper()} for name in "ab"]
    drawn = panel(Results(Path(), {"format": 1, "methods": named}), {"id": "p"}, fields, "p", 370)
    flat, waves = (images(column[-1].inline)[0][2] for column in drawn.columns[:2])
    assert np.ptp(flat, axis=(0, 1)).max() <= 3 and flat.min() > 235  # white: right
    red, blue = waves[..., 0] - waves[..., 2], off > 0.05
    assert red[blue].mean() > 60 and red[off < -0.05].mean() < -60
    assert np.corrcoef(red.ravel(), off.ravel())[0, 1] > 0.9


def test_heights_beside_scars_are_seen() -> None:
    """A scar on two of 80 lines, far above the relief, is not in the range of the colours."""
    from afmsr_core.picture.ranges import Range

    relief = np.random.default_rng(0).normal(0, 1, (80, 80))
    relief[40:42] += 500
    shown = Range.of([relief], BESIDE_SCARS)
    assert -5 < shown.low < -1 and 1 < shown.high < 5


def test_pairs_in_the_list_and_in_the_panels_are_the_same(report: Path) -> None:
    raw = load(report)
    raw["pairs"][0]["fields"] = None
    save(report, raw)
    text = write_report(report).read_text(encoding="utf-8")
    assert not (report / "figures" / "panel-scan-00.svg").exists()
    assert "panel-scan-00" not in text and "panel-scan-01" in text
