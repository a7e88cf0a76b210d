"""Scans with every point of their lines but fewer lines are upscaled along their slow axis only."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import afmsr
from afmsr_cli.main import main
from afmsr_core import io, large_field
from afmsr_core.averaging import fineness
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError, WeightsError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Grid, Scale, choose, scale_of
from afmsr_core.inference.tiling import MEMORY_BUDGET, Tiles
from afmsr_core.large_field import LargeField
from afmsr_core.levelling import level
from afmsr_core.methods import Network, registry, shipped
from afmsr_core.surfaces import fit_plane
from afmsr_core.upscale import Settings, Upscaler

METHODS = ("bilinear", "bicubic", "lanczos4", "afm")
FACTORS = (LINES_X4, LINES_X2)


def scan_of(
    factor: Scale = LINES_X4, lines: int = 30, points: int = 101, **changes: Any
) -> Channel:
    """Return a tilted, wavy scan with line offsets, square at `factor` times its lines."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:lines, 0:points].astype(float)
    heights = 40.0 + 0.3 * y - 0.1 * x + np.sin(x / 5) * np.cos(factor.cell * y / 7)
    heights += rng.normal(0, 0.05, heights.shape) + rng.normal(0, 0.1, (lines, 1))
    made = Channel(
        heights, 4.0 * points, 4.0 * factor.cell * lines, xoff=30.0, yoff=-4.0, title="Height"
    )
    return made.replace(**changes)


def with_gaps(scan: Channel) -> Channel:
    heights, mask = scan.heights.copy(), np.zeros(scan.heights.shape, bool)
    heights[3, 10:30] = np.nan
    heights[-4:] = np.nan  # stopped
    mask[5:8, 40:50] = True
    return scan.replace(heights=heights, mask=mask)


# --- which scale is taken -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("longer", "scale"),
    [
        (1.0, SQUARE),
        (1.49, SQUARE),
        (1.5, LINES_X2),
        (2.0, LINES_X2),
        (2.82, LINES_X2),
        (2.84, LINES_X4),
        (4.0, LINES_X4),
        (6.0, LINES_X4),
        (6.01, SQUARE),
        (100.0, SQUARE),
    ],
)
def test_the_shape_of_a_pixel_decides(longer: float, scale: Scale) -> None:
    rows, columns = 51, 60
    scan = Channel(np.zeros((rows, columns)), 0.3 * columns, 0.3 * longer * rows)
    assert choose(scan).scale == scale
    assert choose(scan.turned()).scale == (scale.turned if scale.lines else scale)
    for square in (scan.replace(lateral_unit=""), scan.replace(lateral_unit="s")):
        assert choose(square).scale == SQUARE


def test_a_pixel_without_a_size_is_refused() -> None:
    with pytest.raises(FieldError, match="size xreal must be positive, found 5e-324"):
        Channel(np.zeros((4, 4)), 5e-324, 1.0)


def test_the_number_of_pixels_does_not_decide() -> None:
    strip = Channel(np.zeros((128, 512)), 2000.0, 500.0)
    assert choose(strip) == (SQUARE, "")
    lines = strip.replace(yreal=2000.0)
    assert choose(lines).scale == LINES_X4
    stopped = lines.heights.copy()
    stopped[40:] = np.nan
    assert choose(lines.replace(heights=stopped)).scale == LINES_X4


@pytest.mark.parametrize(
    ("asked", "square", "lines", "sideways"),
    [
        ("4", SQUARE, SQUARE, SQUARE),
        ("1x4", LINES_X4, LINES_X4, LINES_X4.turned),
        ("1x2", LINES_X2, LINES_X2, LINES_X2.turned),
    ],
)
def test_what_is_asked_for_is_done(
    asked: str, square: Scale, lines: Scale, sideways: Scale
) -> None:
    even = scan_of(SQUARE)
    wide = even.replace(xreal=even.xreal * 1.2)  # about square: its rows are its lines
    found = [choose(one, asked) for one in (even, wide, scan_of(), scan_of().turned())]
    assert [one.scale for one in found] == [square, square, lines, sideways]
    assert all("as asked for" in one.why for one in found)


def test_the_reason_is_told_where_there_is_something_to_tell() -> None:
    square = Channel(np.zeros((100, 100)), 500.0, 500.0)
    assert choose(square).why == ""
    assert choose(square.replace(yreal=2000.0)).why == (
        "100 x 100 px of 5 x 20 nm: every point of a line was measured, so lines x4"
    )
    assert "so x4 along both axes" in choose(square.replace(yreal=5000.0)).why


@pytest.mark.parametrize("scale", ["4x1", "1x3", "5", 0, 4.0, "lines", True])
def test_other_scales_are_refused_with_those_there_are(scale: Any) -> None:
    with pytest.raises(UsageError, match="choose auto, 1, 2, 3, 4, 1x4, 1x2"):
        afmsr.upscale(scan_of(), scale=scale)
    with pytest.raises(UsageError, match="choose auto, 4, 1x4, 1x2"):
        Upscaler(Settings(scale=str(scale)))
    if "x" in str(scale):
        with pytest.raises(UsageError, match="whose lines run down is turned"):
            Grid(scale)


# --- what is made ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", FACTORS)
def test_size_place_mean_and_tilt_stay(method: str, factor: Scale) -> None:
    scan = with_gaps(scan_of(factor))
    made = afmsr.upscale(scan, method=method)
    assert made.heights.shape == (factor.rows * scan.yres, scan.xres)
    assert made.dx == pytest.approx(made.dy, rel=1e-12)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit"):
        assert getattr(made, name) == getattr(scan, name)
    whole = afmsr.upscale(scan_of(factor), method=method)
    planes = fit_plane(whole.heights), fit_plane(scan_of(factor).heights)
    for one, other in zip(*map(vars, planes), strict=True):
        assert vars(planes[0])[one] == pytest.approx(vars(planes[1])[other], rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", FACTORS)
def test_a_plane_is_a_plane_up_to_the_edges(method: str, factor: Scale) -> None:
    plane = np.add.outer(3.0 * np.arange(12), 7.0 * np.arange(45))
    made = afmsr.upscale(Channel(plane, 45.0, 12.0 * factor.cell), method=method).heights
    y = (np.arange(12 * factor.rows) + 0.5) / factor.rows - 0.5
    np.testing.assert_allclose(made, np.add.outer(3.0 * y, 7.0 * np.arange(45)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", METHODS[:3])
@pytest.mark.parametrize("factor", FACTORS)
def test_interpolations_mix_no_two_points_of_a_line(method: str, factor: Scale) -> None:
    scan = scan_of(factor)
    order = np.random.default_rng(0).permutation(scan.xres)
    plain = {"method": method, "level": "none", "restore_background": False}
    made = afmsr.upscale(scan, **plain).heights
    mixed = afmsr.upscale(scan.replace(heights=scan.heights[:, order]), **plain).heights
    np.testing.assert_array_equal(mixed, made[:, order])


def test_the_network_adds_to_the_cubic_between_lines() -> None:
    """Where the slow axis has nothing to tell, there is nothing to add."""
    profile = np.sin(np.arange(80) / 3.0)
    scan = Channel(np.tile(profile, (40, 1)), 80.0, 160.0)
    made = afmsr.upscale(scan, method="afm", level="none").heights
    assert np.abs(made - profile)[40:-40].max() < 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"level": "plane+rows-median"}, {"protocol": "paper"}])
def test_a_turned_scan_gives_the_turned_result(method: str, options: dict[str, Any]) -> None:
    scan = with_gaps(scan_of())
    made = afmsr.upscale(scan, method=method, **options)
    other = afmsr.upscale(scan.turned(), method=method, **options)
    np.testing.assert_array_equal(other.heights, made.heights.T)
    np.testing.assert_array_equal(other.mask, np.asarray(made.mask).T)
    assert other.title == made.title and (other.xoff, other.yoff) == (made.yoff, made.xoff)
    assert (
        other.history[0].effect == f"rows and columns exchanged, x is y: {made.history[0].effect}"
    )
    assert scale_of(other) == scale_of(made).turned


@pytest.mark.parametrize("factor", FACTORS)
def test_gaps_and_marks_are_as_many_lines(factor: Scale) -> None:
    scan = with_gaps(scan_of(factor))
    made = afmsr.upscale(scan, method="afm")
    for of_result, of_scan in (
        (np.isnan(made.heights), np.isnan(scan.heights)),
        (made.mask, scan.mask),
    ):
        np.testing.assert_array_equal(of_result, np.repeat(of_scan, factor.rows, axis=0))


@pytest.mark.parametrize("method", ["bicubic", "afm"])
def test_one_measured_column_is_enough(method: str) -> None:
    heights = np.full((9, 7), np.nan)
    heights[:, 3] = np.arange(9.0)
    made = afmsr.upscale(Channel(heights, 7.0, 36.0), method=method).heights
    y = (np.arange(36) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(made[:, 3], y, rtol=0, atol=1e-9)
    assert np.isnan(np.delete(made, 3, axis=1)).all()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("points", [203, 404])
def test_tiles_give_the_whole(factor: Scale, points: int) -> None:
    scan = scan_of(factor, lines=120, points=points)
    whole = Upscaler(Settings(threads=1, tile=10_000))(scan)
    step = whole.last_step("upscale")
    assert step is not None and step.settings["tile"] == max(120, -(-points // factor.cell))
    for tile in (32, 50):
        tiled = Upscaler(Settings(threads=1, tile=tile))(scan)
        assert np.abs(tiled.heights - whole.heights).max() <= 1e-5 * np.ptp(whole.heights)


@pytest.mark.parametrize("factor", FACTORS)
def test_tiles_are_square_and_fit_the_budget(factor: Scale) -> None:
    network = registry.get("afm", factor)
    assert isinstance(network, Network)
    tiles = Tiles.for_network(network)
    pixels = (tiles.side + 2 * tiles.halo) ** 2 * tiles.cell
    assert 0.9 * MEMORY_BUDGET <= pixels * network.working_bytes <= 1.1 * MEMORY_BUDGET
    rows, points, _, seen = next(tiles.cover(10_000, 100_000))
    assert points.stop == factor.cell * rows.stop
    assert seen.stop - points.stop == factor.cell * tiles.halo
    assert next(Tiles.for_network(network, shape=(100, 403)).cover(100, 403))[:2] == (
        slice(0, 100), slice(0, 403),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["bicubic", "afm"])
@pytest.mark.parametrize("turn", [False, True])
def test_a_large_result_is_the_same(
    method: str, turn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = with_gaps(scan_of(lines=150, points=310))
    scan = scan.turned() if turn else scan
    want = afmsr.upscale(scan, method=method)
    monkeypatch.setattr(large_field, "LARGE", 1000)
    monkeypatch.setattr("afmsr_core.upscale.upscaler.LARGE", 1000)
    made = afmsr.upscale(scan, method=method)
    assert isinstance(made.heights, LargeField)
    np.testing.assert_allclose(
        np.asarray(made), want.heights, atol=1e-6 * np.ptp(scan_of().heights)
    )
    np.testing.assert_array_equal(made.mask, want.mask)


def test_the_limit_of_a_side_is_that_of_each_side() -> None:
    scan = Channel(np.random.default_rng(0).normal(size=(8, 5000)), 5000.0, 32.0)
    assert afmsr.upscale(scan, method="bicubic").heights.shape == (32, 5000)
    with pytest.raises(FieldError, match="more than 16384 a side"):
        afmsr.upscale(scan, method="bicubic", scale=4)
    with pytest.raises(FieldError, match="5 x 5000 px would become more than 16384 a side at 4x"):
        afmsr.upscale(Channel(np.zeros((5000, 5)), 5.0, 20_000.0), method="bicubic")


def test_levelling_of_lines_goes_along_the_lines() -> None:
    scan = scan_of()
    settings = {"method": "bicubic", "level": "plane+rows-median", "restore_background": False}
    made = afmsr.upscale(scan.turned(), **settings)  # type: ignore[arg-type]
    want = level(scan, "plane+rows-median").channel
    assert np.median(made.heights, axis=0)[2::4] == pytest.approx(
        np.median(want.heights, axis=1), abs=0.05
    )


# --- what is told ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scan", "title", "recorded", "scale"),
    [
        (scan_of(), "Height (lines x4, afm)", "1x4", LINES_X4),
        (scan_of(LINES_X2), "Height (lines x2, afm)", "1x2", LINES_X2),
        (scan_of().turned(), "Height (lines x4, afm)", "4x1", LINES_X4.turned),
        (scan_of(SQUARE), "Height (x4 afm)", 4, SQUARE),
    ],
    ids=["x4", "x2", "turned", "square"],
)
@pytest.mark.parametrize("extension", [".gwy", ".npy"])
def test_title_and_history_tell_and_files_keep_it(
    tmp_path: Path, scan: Channel, title: str, recorded: Any, scale: Scale, extension: str
) -> None:
    source, target = tmp_path / "scan.gwy", tmp_path / f"fine{extension}"
    io.write(source, scan)
    assert main(["upscale", str(source), "-o", str(target), "--quiet"]) == 0
    made = io.read(target)[-1]
    assert made.title == title
    step = made.last_step("upscale")
    assert step is not None and step.settings["scale"] == recorded
    assert f"{scan.xres} x {scan.yres} px of" in step.effect
    assert scale_of(made) == scale and fineness(made) == scale
    assert io.results.is_result([made.replace(history=())])  # by its title alone


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"scale": 1}, (30, 101)),
        ({"scale": 2}, (60, 101)),
        ({"scale": 3}, (90, 101)),
        ({"pixels": 60}, (60, 50)),
        ({"scale": "4", "pixels": 202}, (60, 202)),
    ],
)
def test_fewer_pixels_are_means_of_what_was_made(
    asked: dict[str, Any], shape: tuple[int, int]
) -> None:
    scan = scan_of()
    made = afmsr.upscale(scan, method="bicubic", **asked)
    assert made.heights.shape == shape
    assert fineness(made) == pytest.approx((shape[0] / scan.yres, shape[1] / scan.xres))
    assert made.heights.mean() == pytest.approx(scan.heights.mean(), rel=1e-12)
    assert made.title.endswith(f"bicubic, averaged to {shape[1]} x {shape[0]} px)")


def test_more_or_fewer_pixels_than_there_are_is_refused_with_a_way_out() -> None:
    scan = scan_of()
    with pytest.raises(UsageError, match=r"than the 120 that lines x4 makes.*or choose scale 4"):
        Grid(pixels=240).shape(scan, LINES_X4)
    with pytest.raises(UsageError, match=r"fewer lines than the 30 that were.*give 30 or more"):
        Grid(pixels=29).shape(scan, LINES_X4)
    wide = scan_of(points=400)
    with pytest.raises(UsageError, match=r"fewer lines than the 30 that were.*give 100 or more"):
        Grid(pixels=99).shape(wide.turned(), LINES_X4.turned)
    assert Grid(pixels=100).shape(wide, LINES_X4) == (30, 100)
    assert Grid("4", 240).shape(scan, SQUARE) == (71, 240)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with scans of all kinds."""
    made = tmp_path / "scans"
    made.mkdir()
    for name, scan in {
        "lines": scan_of(),
        "square": scan_of(SQUARE),
        "twice": scan_of(LINES_X2),
        "turned": scan_of().turned(),
    }.items():
        io.write(made / f"{name}.gwy", scan)
    return made


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_line_says_which_it_took_and_why(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    table = tmp_path / "all.csv"
    command = ["upscale", str(folder), "-o", str(tmp_path / "out"), "--json", "--jobs", jobs]
    assert main([*command, "--summary", str(table)]) == 0
    told = capsys.readouterr()
    assert (
        "Height to 101 x 120 px (afm; 101 x 30 px of 4 x 16 nm: every point of a line was "
        "measured, so lines x4)"
    ) in told.err
    assert "Height to 404 x 120 px (afm)" in told.err
    found = {Path(one["input"]).stem: one["channels"][0] for one in json.loads(told.out)}
    assert {name: one["scale"] for name, one in found.items()} == {
        "lines": "1x4", "square": 4, "twice": "1x2", "turned": "4x1",
    }  # fmt: skip
    with table.open(newline="", encoding="utf-8") as rows:
        assert [row["scale"] for row in csv.DictReader(rows)] == ["1x4", "4", "4x1", "1x2"]
    assert "scale_because" not in found["square"]
    for name, one in found.items():
        made = io.read(tmp_path / "out" / f"{name}_x4.gwy")[-1]
        assert made.heights.shape == (one["yres"], one["xres"])
    lines, turned = (io.read(tmp_path / "out" / f"{n}_x4.gwy")[-1] for n in ("lines", "turned"))
    np.testing.assert_array_equal(turned.heights, lines.heights.T)


def test_what_is_asked_for_names_the_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for asked, suffix in (("1x4", "_1x4"), ("4", "_4x4"), ("2", "_x2"), ("auto", "_x4")):
        command = ["upscale", str(folder / "lines.gwy"), "-o", f"{out}/", "--scale", asked]
        assert main([*command, "--method", "bicubic", "--quiet"]) == 0
        assert (out / f"lines{suffix}.gwy").is_file()


def test_what_was_done_at_another_scale_is_not_done(folder: Path, tmp_path: Path) -> None:
    """A run that resumes takes no result of one scale for that of another."""
    out = tmp_path / "out"
    command = ["upscale", str(folder / "lines.gwy"), "-o", f"{out}/", "--method", "bicubic"]
    asked = ("auto", "4", "1x2", "2")
    for one in (*asked, *asked):
        assert main([*command, "--resume", "--quiet", "--scale", one]) == 0
    scales = {path.name: scale_of(io.read(path)[-1]) for path in out.iterdir()}
    assert scales == {
        "lines_x4.gwy": LINES_X4,
        "lines_4x4.gwy": SQUARE,
        "lines_1x2.gwy": LINES_X2,
        "lines_x2.gwy": LINES_X4,
    }
    again = [str(out), "-o", f"{tmp_path / 'again'}/"]  # all of them are results
    assert main(["upscale", *again, "--method", "bicubic", "--quiet"]) in (0, 3)
    assert not (tmp_path / "again").exists()


def test_a_scan_that_is_called_by_its_area_is_no_result(folder: Path, tmp_path: Path) -> None:
    """4x4 may be the scale of a result and the micrometres of a scan: what it holds decides."""
    scans = tmp_path / "named"
    scans.mkdir()
    for name in ("film", "film_4x4", "film_1x2"):
        (scans / f"{name}.gwy").write_bytes((folder / "lines.gwy").read_bytes())
    command = ["upscale", "--method", "bicubic", "--quiet", "--resume", "--preview"]
    assert main([*command, str(scans / "film.gwy"), "--scale", "1x4"]) == 0
    for _ in "12":
        assert main([*command, str(scans), "--scale", "auto"]) == 0
    made = {path.stem for path in scans.glob("*.gwy")} - {"film", "film_4x4", "film_1x2"}
    assert made == {"film_1x4", "film_x4", "film_4x4_x4", "film_1x2_x4"}


# --- networks and their weights --------------------------------------------------------------


def test_a_network_for_square_pixels_refuses_lines_and_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scale in FACTORS:
        with pytest.raises(UsageError, match=r"edsr makes 4x along both axes.*--scale 4 takes"):
            registry.get("edsr", scale)
    with pytest.raises(UsageError, match="--method afm"):
        Upscaler(Settings(method="carn", scale="1x4"))


def test_a_network_refuses_lines_before_it_asks_for_its_weights(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "none"))
    lines, square = folder / "lines.gwy", tmp_path / "square.gwy"
    io.write(square, scan_of(SQUARE))
    upscale = ["upscale", "--method", "edsr", "-o", f"{tmp_path / 'out'}/"]
    assert main([*upscale, str(lines)]) == 2
    told = capsys.readouterr().err
    assert "every point of a line was measured" in told and "--method afm" in told
    assert "weights" not in told and "fetch" not in told
    with pytest.raises(UsageError, match="edsr makes 4x along both axes"):
        afmsr.upscale(lines, method="edsr")
    assert main([*upscale, str(lines), str(square)]) == 4  # which it could take
    assert "makes 4x along both axes" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_only_what_is_needed_is_loaded() -> None:
    upscaler = Upscaler(Settings(threads=1))
    upscaler(scan_of())
    upscaler(scan_of().turned())
    assert upscaler.engines.loaded == (LINES_X4,)
    upscaler(scan_of(SQUARE))
    assert upscaler.engines.loaded == (LINES_X4, SQUARE)
    assert upscaler.weights_sha256(LINES_X2) == shipped.expected_hash("afm_lines2.onnx")
    assert upscaler.weights_sha256() == upscaler.engines.of(upscaler.method).weights_sha256


@pytest.mark.parametrize("name", ["afm.onnx", "afm_lines4.onnx", "afm_lines2.onnx"])
def test_a_wrong_file_is_told_before_the_first_scan(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped.path(""), tmp_path / "data")
    monkeypatch.setattr(shipped, "_DATA", tmp_path / "data")
    (tmp_path / "data" / name).write_bytes(b"no network")
    with pytest.raises(WeightsError, match=rf"{name}: has changed.*install afmsr again"):
        Upscaler(Settings())
    (tmp_path / "data" / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name}: cannot be read"):
        Upscaler(Settings())


def test_weights_of_ones_own_are_those_of_one_scale() -> None:
    pytest.importorskip("torch")
    file = shipped.path("afm_lines4.safetensors")
    upscaler = Upscaler(Settings(weights=file, threads=1))
    made = upscaler(scan_of())
    again = afmsr.upscale(scan_of(), engine="torch", threads=1)
    np.testing.assert_array_equal(made.heights, again.heights)
    with pytest.raises(WeightsError, match=r"holds the weights of afm for lines x4.*--scale 1x4"):
        upscaler(scan_of(SQUARE))
    with pytest.raises(WeightsError, match=r"not the weights of afm for lines x2: .*--scale that"):
        Upscaler(Settings(weights=file, scale="1x2"))
    with pytest.raises(WeightsError, match=r"not the weights of carn: "):
        Upscaler(Settings(method="carn", weights=file))


@pytest.mark.parametrize("factor", FACTORS)
def test_both_engines_agree(factor: Scale) -> None:
    pytest.importorskip("torch")
    for points in (101, 104):
        scan = scan_of(factor, points=points)
        made = [afmsr.upscale(scan, engine=one, threads=1).heights for one in ("onnx", "torch")]  # type: ignore[arg-type]
        assert np.abs(made[0] - made[1]).max() <= 1e-5 * np.ptp(made[0])


def test_descriptors_say_what_ships() -> None:
    for scale in FACTORS:
        method = registry.get("AFM", scale)
        assert isinstance(method, Network) and method.scale == scale
        assert registry.get("afm", scale.turned) is method
        assert method.onnx is not None and shipped.path(method.onnx).is_file()
    assert registry.scales("afm") == (SQUARE, *FACTORS)
    assert registry.scales("edsr") == (SQUARE,) and registry.scales("bicubic") == ()


# --- with a retrace --------------------------------------------------------------------------


def test_lines_that_run_down_are_joined_as_they_run() -> None:
    pytest.importorskip("scipy")
    trace = scan_of(lines=64, points=200)
    noise = np.random.default_rng(9).normal(0, 0.05, trace.heights.shape)
    retrace = trace.replace(heights=np.roll(trace.heights, 1, axis=1) + noise, title="Retrace")
    joint = afmsr.join(trace, retrace)
    turned = afmsr.join(trace.turned(), retrace.turned())
    assert joint.history[-1].name == "join"
    np.testing.assert_array_equal(turned.heights, joint.heights.T)
    assert turned.history[-1].effect.startswith("rows and columns exchanged, x is y: joined with")
    made = afmsr.upscale(joint)
    assert made.title == "Height (lines x4, afm)" and made.history[0].name == "join"
