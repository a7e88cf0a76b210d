"""One page about one scan: what it says is what the file holds, and a keyboard reads it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from chromium import Tab, browsing

import afmsr
from afmsr_cli.main import main
from afmsr_core.averaging import averaged
from afmsr_core.data import example_pair
from afmsr_core.errors import ChannelNotFoundError, FieldError, UsageError
from afmsr_core.metrics import numbers as all_numbers
from afmsr_core.metrics.grains import Rule
from afmsr_core.metrics.numbers import numbers_of_both
from afmsr_core.realisations import Realiser
from afmsr_core.realisations import numbers as full_scans
from afmsr_core.realisations.numbers import full_scan_of
from afmsr_core.scan_page.fields import GAP, Steps, thinned
from afmsr_core.scan_page.next_time import next_time
from afmsr_core.scan_page.page import page
from afmsr_core.scan_page.sentence import sentence
from afmsr_core.scan_page.subject import subject_of, subject_of_file
from afmsr_core.scan_page.trusted import trusted
from afmsr_core.scan_page.words import digits, rough
from afmsr_core.surfaces import Plane, fit_plane

TITLE = "<script>faults.push('title')</script> & \"Height\""
RNG = np.random.default_rng(16)


def relief(rows: int, columns: int, wide: float = 5.0) -> np.ndarray:
    """Return smooth hills with a standard deviation of 1."""
    hills = cv2.GaussianBlur(RNG.normal(size=(rows, columns)), (0, 0), wide)
    return hills / hills.std()


def scan_of(rows: int = 64, columns: int = 128, **more: Any) -> afmsr.Channel:
    """Return a scan with datum, tilt and noise: 20 nm of hills at 3 µm, pixels 2 to 1."""
    heights = 3000.0 + 20.0 * relief(rows, columns) + RNG.normal(0.0, 0.5, (rows, columns))
    heights += np.linspace(0.0, 300.0, columns)
    told = {"xreal": 1280.0, "yreal": 1280.0, "title": "Height"}
    return afmsr.Channel(heights, **(told | more))


SCAN = scan_of(xoff=5e4, yoff=-200.0, yreal=640.0, title=TITLE)
MASK = np.zeros(SCAN.heights.shape, bool)
MASK[10:20, 30:60] = True
SCAN = SCAN.replace(mask=MASK)
LONG = scan_of(16, 276)  # whose result is wider than a page shows pixels


# --- the page in a browser -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a result and its page, one of volts, and one with gaps."""
    made = tmp_path_factory.mktemp("page")
    afmsr.write(made / "scan.gwy", SCAN)
    command = ["upscale", str(made / "scan.gwy"), "--confidence", "--report", "--quiet"]
    assert main([*command, "--scale", "4", "-o", str(made / "scan_x4.gwy")]) == 0
    volts = scan_of(32, 32, unit="V", title="Potential")
    volts = volts.replace(heights=1e-8 * (volts.heights - 3000.0))
    afmsr.report(afmsr.upscale(volts, method="bilinear"), made / "volts.html", scan=volts)
    gaps = scan_of(32, 32)
    gaps.heights[16:20] = np.nan
    afmsr.report(afmsr.upscale(gaps), made / "gaps.html", scan=gaps)
    afmsr.report(afmsr.upscale(LONG, method="bilinear", scale=4), made / "long.html", scan=LONG)
    return made


WATCH = """window.faults = []; const fault = (event) => faults.push(String(
  event.message || event.reason || event.violatedDirective));
for (const name of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  addEventListener(name, fault); document.addEventListener(name, fault); }
const told = console.error; console.error = (...all) => { faults.push(all.join()); told(...all); };
"""
READY = "document.getElementById('views')?.dataset.ready"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        found.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        yield found


def opened(tab: Tab, page: Path, width: int = 1280, scheme: str = "light") -> None:
    tab.size(width, 900)
    tab.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    tab.go(page.as_uri())
    tab.until(f"location.href === {json.dumps(page.as_uri())} && {READY}")


def text(tab: Tab, part: str) -> str:
    return str(tab.js(f"document.querySelector('[data-part=\"{part}\"]').textContent"))


def picture(tab: Tab, view: str) -> str:
    """Return what a view shows, once it is drawn."""
    wait = "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    one = f"document.querySelector('[data-part=\"canvas-{view}\"]').toDataURL()"
    return str(tab.js(f"(async () => {{ {wait}; return {one}; }})()"))


def number(told: str) -> float:
    found = re.match(r"[−\d.]+", told)
    assert found, told
    return float(found[0].replace("−", "-"))


def test_the_page_is_walked_by_keyboard(tab: Tab, folder: Path) -> None:
    opened(tab, folder / "scan_x4.html")
    result, half_width = afmsr.read(folder / "scan_x4.gwy")[1:]
    for _ in range(15):  # from the top of the page
        tab.key("Tab")
        if tab.js("document.activeElement.dataset.part") == "canvas-scan":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.js("document.activeElement.dataset.part") == "canvas-scan"
    assert tab.js(outline) == "solid"

    # The cursor starts in the middle: three pixels right, one up.
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp"):
        tab.key(key, shift=True)
    row, column = result.yres // 2 - 1, result.xres // 2 + 3
    whole = picture(tab, "result")
    for view, field in (("result", result), ("half_width", half_width)):
        told = text(tab, f"read-{view}")
        assert told.endswith(" nm")
        assert number(told) == pytest.approx(field.heights[row, column], abs=0.01), view
    scan = number(text(tab, "read-scan"))
    assert scan == pytest.approx(SCAN.heights[row // 4, column // 4], abs=0.01)
    difference = number(text(tab, "read-result")) - number(text(tab, "read-bicubic"))
    assert number(text(tab, "read-difference")) == pytest.approx(difference, abs=0.02)
    tab.until("document.querySelector('[data-part=told]').textContent.includes('result (afm) 3')")

    bicubic = picture(tab, "bicubic")
    tab.key("f")
    assert picture(tab, "result") == bicubic != whole
    tab.key("f")
    assert picture(tab, "result") == whole

    bars = "[...document.querySelectorAll('[data-part=bar-text]')].map((one) => one.textContent)"
    before = tab.js(bars)
    for _ in range(4):
        tab.key("+")
    near = picture(tab, "result")
    after = tab.js(bars)
    assert near != whole and len(set(after)) == len(set(before)) == 1 and after != before
    tab.key("ArrowRight")
    assert picture(tab, "result") != near
    ticks = "document.querySelector('[data-part=profile]').textContent"
    assert "x (µm)" in tab.js(ticks)
    tab.key("p")
    picture(tab, "result")
    assert "y (µm)" in tab.js(ticks) and text(tab, "line").startswith("Along the column")
    tab.key("p")
    tab.key("0")
    assert picture(tab, "result") == whole

    # Colours less the plane, or of all that the file holds.
    assert number(text(tab, "low")) < 0
    tab.key("t")
    picture(tab, "result")
    assert number(text(tab, "low")) > 2900
    tab.key("t")
    marked = picture(tab, "scan")
    tab.key("m")
    assert picture(tab, "scan") != marked
    tab.key("m")

    tab.js("document.querySelector('button[data-place]').focus()")
    tab.key("Enter")
    near = picture(tab, "result")
    told = tab.js("document.querySelector('button[data-place]').textContent")
    assert told.startswith(f"{text(tab, 'read-place')}, ") and near != whole
    assert "on the stage" in told

    tab.key("0")
    box = "document.querySelector('[data-part=canvas-scan]').getBoundingClientRect()"
    x, y = tab.js(f"[{box}.x + {box}.width / 3, {box}.y + {box}.height / 3]")
    tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-600)
    picture(tab, "result")
    assert tab.js(bars) != before
    assert tab.js("faults") == []
    assert [one["url"] for one in tab.requests] == [(folder / "scan_x4.html").as_uri()]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_the_page_fits(tab: Tab, folder: Path, width: int, scheme: str) -> None:
    opened(tab, folder / "scan_x4.html", width, scheme)
    wide = tab.js(
        "[...document.querySelectorAll('body *')].filter((one) => !one.closest('.sr') && "
        "one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.outerHTML)"
    )
    assert wide == []
    tables = "[...document.querySelectorAll('.table')]"
    cut = f"{tables}.filter((one) => one.scrollWidth > one.clientWidth)"
    assert tab.js(f"{cut}.map((one) => one.outerHTML)") == []
    paper = tab.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(paper) < 200) == (scheme == "dark")
    assert tab.js("faults") == []


def test_the_page_prints_on_two_sheets_and_is_light(tab: Tab, folder: Path) -> None:
    opened(tab, folder / "scan_x4.html")
    printed = tab.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
    sheets = re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed))
    assert 1 <= len(sheets) <= 2
    # 512 x 256 px with half-width here; the limit is 3 MB for 512 x 512.
    assert (folder / "scan_x4.html").stat().st_size < 1.5e6


def test_other_units_and_gaps_are_read(tab: Tab, folder: Path) -> None:
    opened(tab, folder / "volts.html")
    assert text(tab, "read-result").endswith(" µV") or text(tab, "read-result").endswith(" nV")
    assert "Less the plane" not in tab.js("document.body.textContent")
    assert "afmsr upscale SCAN --confidence" in tab.js("document.body.textContent")
    opened(tab, folder / "gaps.html")
    assert text(tab, "read-scan") == text(tab, "read-result") == "not measured"
    opened(tab, folder / "long.html")
    assert "mean of 2 x 2 px" in tab.js("document.body.textContent")
    means = afmsr.upscale(LONG, method="bilinear").heights[32:34, 552:554]
    assert number(text(tab, "read-result")) == pytest.approx(means.mean(), abs=0.01)
    assert tab.js("faults") == []


# --- what a full scan would give ------------------------------------------------------------------


def numbers_on(html: str) -> dict[str, list[str]]:
    """Return the table of the numbers: the cells of each row by its head."""
    table = html.partition('<section id="numbers">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    return {re.sub(" \\(.*", "", head): rest for head, *rest in cells}


def test_the_page_says_what_a_full_scan_would_give(tmp_path: Path) -> None:
    path = tmp_path / "scan.gwy"
    shutil.copy(example_pair()[0], path)
    (scan,) = afmsr.read(path)
    settings = afmsr.Settings()
    best = afmsr.Upscaler(settings)(scan)
    told = numbers_of_both(scan, best, "plane")
    rule = Rule(**told["grain_rule"])
    full = full_scan_of(scan, best, settings, rule, 7)["numbers"]

    # Whatever becomes of the result, the numbers are about the best guess.
    for options in ([], ["--sharpness", "0.5"], ["--scale", "2"]):
        target = tmp_path / f"fine{len(options)}{options[-1:]}.gwy"
        asked = [*options, "--seed", "7", "--report", "--quiet", "-o", str(target)]
        assert main(["upscale", str(path), *asked]) == 0
        html = target.with_suffix(".html").read_text(encoding="utf-8")
        rows = numbers_on(html)
        assert rows["Number"][-1].startswith("A full scan would give")
        for head, name in {
            "Sa, mean height": "Sa",
            "Sdq, root mean square slope": "Sdq",
            "Sdr, added area": "Sdr",
            "S10z, ten point height": "S10z",
            "Sal, autocorrelation length": "Sal",
            "Grains, mean diameter": "hills.diameter",
            "Grains, mean height": "hills.height",
            "Pores, mean diameter": "dales.diameter",
        }.items():
            median, low, high = (digits(full[name][end]) for end in ("median", "low", "high"))
            assert rows[head][-1] == f"{median} <small>[{low}, {high}]</small>", head
        for head, kind in (("Grains, count", "hills"), ("Pores, count", "dales")):
            ends = (f"{full[f'{kind}.count'][end]:.0f}" for end in ("median", "low", "high"))
            assert rows[head][-1] == "{} <small>[{}, {}]</small>".format(*ends)
        assert rows["S10z, ten point height"][0] == digits(told["scan"]["S10z"])
        assert rows["Sal, autocorrelation length"][0] == digits(told["scan"]["Sal"])
        said = ("of this very place, with 512 x 512 pixels; not of another place", "(seed 7)")
        for words in (*said, "S-filter (ISO 25178-3): the pixel of 3.906 nm", "no L-filter"):
            assert words in html.replace("3.91 nm", "3.906 nm"), words


@pytest.mark.parametrize("more", [[], ["--scale", "2"], ["--sharpness", "0.5"]], ids=" ".join)
def test_page_and_json_tell_the_same_numbers_and_find_them_once(
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scan, fine = tmp_path / "scan.gwy", tmp_path / "fine.gwy"
    (low,) = afmsr.read(example_pair()[0])
    part = afmsr.Channel(low.heights[:48, :48], 48 * low.dx, 48 * low.dy, title="Height")
    afmsr.write(scan, [part])
    command = ["upscale", str(scan), "-o", str(fine), "--seed", "3", "--quiet", *more, "--force"]
    assert main([*command, "--report"]) == 0
    alone = numbers_on(fine.with_suffix(".html").read_text(encoding="utf-8"))
    calls = []
    for module, name in ((full_scans, "full_scan"), (all_numbers, "numbers_of_both")):
        right = getattr(module, name)

        def counted(*given: Any, right: Any = right, name: str = name) -> Any:
            calls.append(name)
            return right(*given)

        monkeypatch.setattr(module, name, counted)
    assert main([*command, "--report", "--json", "--realisations", "1"]) == 0
    assert sorted(calls) == ["full_scan", "numbers_of_both"]
    rows = numbers_on(fine.with_suffix(".html").read_text(encoding="utf-8"))
    assert rows == alone
    (record,) = json.loads(capsys.readouterr().out)
    told = record["channels"][0]["parameters"]["full_scan"]["numbers"]["Sdq"]
    median, low_end, high = (digits(told[end]) for end in ("median", "low", "high"))
    assert rows["Sdq, root mean square slope"][-1].startswith(f"{median} <small>[{low_end}, {high}")


@pytest.mark.parametrize(
    ("method", "changed", "reason"),
    [
        ("bicubic", False, "learnt for afm with the weights that ship, and this result is made by"),
        ("afm", True, "this result is averaged"),
    ],
)
def test_where_nothing_was_learnt_the_page_says_why(
    method: str, changed: bool, reason: str
) -> None:
    scan = scan_of(64, 64)
    fine = afmsr.upscale(scan, method=method)
    html = page(subject_of(averaged(fine, (128, 128)) if changed else fine, scan))
    assert "A full scan would give" not in html
    assert "What a full scan of this place would give is not told: realisations " in html
    assert reason in html


def test_a_surface_that_is_drawn_says_so_first(
    tab: Tab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = scan_of(64, 64)
    fine = afmsr.upscale(scan)
    realiser = Realiser(scan, fine, afmsr.Settings(), 3)
    words = {
        "Realisation 2 of 8, seed 3: one of many surfaces that fit": realiser.surface(2, 8),
        "50 % of a surface drawn at random (seed 3) added": realiser.sharpened(0.5),
    }
    for said, drawn in words.items():
        path = tmp_path / "drawn.gwy"
        afmsr.write(path, [scan, drawn], force=True)
        assert main(["report", str(path), "--force", "--channel", "1"]) == 0
        assert said in capsys.readouterr().err
        opened(tab, path.with_suffix(".html"), 400)
        first = tab.js("document.querySelector('.summary > *').textContent")
        assert first.startswith(said) and "not for single features" in first
        assert first.endswith("This is not the best guess of the heights.")
        body = tab.js("document.body.textContent")
        assert body.count(first) == 1
        assert "the network afm and what was drawn at random changed bicubic" in body
        # As a file without history keeps it.
        named = subject_of(drawn.replace(history=()), scan)
        assert named.drawn.startswith(drawn.title) and named.warnings[0] == named.drawn
    assert subject_of(fine, scan).drawn == ""


# --- what is on it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--level", "plane+rows-median"],
        ["--no-restore-background"],
        ["--scale", "2"],
        ["--protocol", "paper"],
        ["--mask", "exclude"],
        ["--scale", "1x4"],
        ["--scale", "1x2", "--level", "plane+rows-median", "--no-restore-background"],
    ],
    ids=" ".join,
)
def test_bicubic_is_what_the_command_makes(tmp_path: Path, options: list[str]) -> None:
    scan = scan_of(20, 24, mask=relief(20, 24) > 1)
    afmsr.write(tmp_path / "scan.gwy", scan)
    for method in ("lanczos4", "bicubic"):
        target = str(tmp_path / f"{method}.gwy")
        command = ["upscale", str(tmp_path / "scan.gwy"), "-o", target, "--method", method]
        assert main([*command, "--quiet", *options]) == 0
    found = subject_of_file(tmp_path / "lanczos4.gwy")
    wanted = afmsr.read(tmp_path / "bicubic.gwy")[1]
    assert found.bicubic is not None
    assert any("8-bit" in one for one in found.warnings) == ("paper" in options)
    assert len(found.warnings) == ("paper" in options)
    levelled = "--no-restore-background" in options
    assert ("the scan is, too" in (shown := page(found))) == levelled
    assert ("true heights of the file" in shown) != levelled
    np.testing.assert_allclose(found.bicubic.heights, wanted.heights, rtol=0, atol=1e-9)
    assert subject_of_file(tmp_path / "bicubic.gwy").bicubic is None


@pytest.mark.parametrize("turned", [False, True], ids=["lines across", "lines down"])
def test_fewer_points_than_a_line_has_have_a_page(tmp_path: Path, turned: bool) -> None:
    scan = scan_of(32, 128, xreal=1600.0)
    scan = scan.turned() if turned else scan
    fine = afmsr.upscale(scan, method="lanczos4", pixels=50)
    other = scan.replace(heights=-scan.heights, title="Another")
    afmsr.write(tmp_path / "few.gwy", [other, scan, fine.replace(title="Of some (x4)")])
    found = subject_of_file(tmp_path / "few.gwy")
    assert found.scan.title == scan.title and found.warnings == ()
    assert found.bicubic is not None and found.bicubic.heights.shape == (50, 50)
    assert "50 x 50 in the result" in page(found)
    with pytest.raises(FieldError, match="cannot be made from"):
        subject_of(afmsr.upscale(scan_of(32, 64), pixels=32), scan_of(64, 128))


@pytest.mark.parametrize("turned", [False, True], ids=["lines across", "lines down"])
def test_the_page_of_a_line_scan_is_true_to_its_area(
    tab: Tab, tmp_path: Path, turned: bool
) -> None:
    scan = scan_of(32, 128, xreal=1600.0)  # pixels of 12.5 x 40 nm
    scan = scan.turned() if turned else scan
    how = {"method": "lanczos4", "level": "plane+rows-median"}
    fine = afmsr.upscale(scan, **how)
    assert fine.heights.shape == ((128, 128))
    afmsr.write(tmp_path / "lines.gwy", [scan, fine])
    wanted = afmsr.upscale(scan, **(how | {"method": "bicubic"}))
    found = subject_of_file(tmp_path / "lines.gwy")
    assert found.bicubic is not None and found.warnings == ()
    np.testing.assert_allclose(found.bicubic.heights, wanted.heights, rtol=0, atol=1e-6)
    bare = subject_of(fine.replace(history=(), title="Fine"), scan)  # as other programs leave it
    assert bare.scale == found.scale and bare.bicubic is not None
    judged = trusted(found).coarseness
    assert judged is not None and judged.pixels[1 - turned] >= 32
    assert judged.pixels[turned] == 128  # points of the lines are enough
    opened(tab, afmsr.report(tmp_path / "lines.gwy"))
    sides = [
        tab.js(
            f"(() => {{ const at = document.querySelector('[data-part=\"canvas-{view}\"]')"
            ".getBoundingClientRect(); return at.height / at.width; })()"
        )
        for view in ("scan", "result", "difference")
    ]
    assert sides == pytest.approx([scan.yreal / scan.xreal] * 3, rel=0.02)
    assert number(text(tab, "read-result")) == pytest.approx(fine.heights[64, 64], abs=0.01)
    down, across = (n // 2 for n in scan.heights.shape)
    assert number(text(tab, "read-scan")) == pytest.approx(scan.heights[down, across], abs=0.01)
    assert "4 lines of each, nothing along them" in tab.js("document.body.textContent")
    assert tab.js("faults") == []


def test_the_scan_is_found_by_title_and_heights(tmp_path: Path) -> None:
    trace, retrace, other = (scan_of(48, 64, title=title) for title in ("Height", "Height", "Z"))
    fine = afmsr.upscale(retrace, method="bilinear")
    path = tmp_path / "both.gwy"
    afmsr.write(path, [trace, retrace, other, fine, afmsr.upscale(other, method="bilinear")])
    assert subject_of_file(path).scan.number == 1
    assert subject_of_file(path).others == ("Z (x4 bilinear)",)
    assert subject_of_file(path, "Z (*").scan.number == 2
    wrong = subject_of_file(path, scan_channel=0)
    assert "hardly follows the scan" in wrong.warnings[0]


def test_gaps_that_a_file_of_gwyddion_cannot_hold_are_gaps_again(tmp_path: Path) -> None:
    scan = scan_of(48, 64)
    scan.heights[10:14, 20:30] = np.nan
    afmsr.write(tmp_path / "scan.npy", scan)
    assert main(["upscale", str(tmp_path / "scan.npy"), "--method", "bilinear", "--quiet"]) == 0
    found = subject_of_file(tmp_path / "scan_x4.gwy")
    np.testing.assert_array_equal(np.isnan(found.scan.heights), np.isnan(scan.heights))
    assert np.isnan(found.result.heights).sum() == 16 * 40
    afmsr.write(tmp_path / "masked.gwy", scan_of(48, 64, mask=np.isnan(scan.heights)))
    assert main(["upscale", str(tmp_path / "masked.gwy"), "--method", "bilinear", "--quiet"]) == 0
    assert np.isfinite(subject_of_file(tmp_path / "masked_x4.gwy").scan.heights).all()


def test_a_result_alone_needs_its_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = scan_of(20, 24)
    afmsr.write(tmp_path / "scan.gwy", scan)
    for name in ("fine.npy", "fine.gsf"):
        made = afmsr.upscale(scan, method="bilinear")
        # The one as any other program writes it.
        afmsr.write(tmp_path / name, made if name == "fine.npy" else made.replace(history=()))
        fine = str(tmp_path / name)
        assert main(["report", fine]) == 1
        assert "--scan FILE" in capsys.readouterr().err
        page = str(tmp_path / f"{name}.html")
        scan_file = str(tmp_path / "scan.gwy")
        assert main(["report", fine, "--scan", scan_file, "-o", page, "--json"]) == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert told["output"] == page and Path(page).is_file()
        unknown = "does not say how the result was made" in "".join(told["warnings"])
        assert unknown == name.endswith(".gsf")
    with pytest.raises(FieldError, match="cannot be made from"):
        subject_of(afmsr.upscale(scan, method="bilinear"), scan.replace(xreal=3.0))
    with pytest.raises(ChannelNotFoundError, match=r"afmsr upscale \S*/scan\.gwy --report"):
        afmsr.report(tmp_path / "scan.gwy")


def test_statuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = scan_of(20, 24)
    fine = afmsr.upscale(scan, method="bilinear")
    afmsr.write(tmp_path / "a.gwy", [scan, fine])
    one = str(tmp_path / "a.gwy")
    assert main(["report", one, "--dry-run"]) == 0 and not (tmp_path / "a.html").exists()
    assert main(["report", one]) == 0
    assert main(["report", one]) == 2 and "--force" in capsys.readouterr().err
    assert main(["report", one, "--force"]) == 0
    assert main(["report", one, one.replace("a.gwy", "b.gwy"), "--scan", one, "--force"]) == 2
    afmsr.write(tmp_path / "b.gwy", scan)
    afmsr.write(tmp_path / "b_x4.gwy", [scan, fine])
    assert main(["report", str(tmp_path)]) == 0  # of a folder, the results
    assert {path.name for path in tmp_path.glob("*.html")} == {"a.html", "b_x4.html"}
    (tmp_path / "empty").mkdir()
    assert main(["report", str(tmp_path / "empty")]) == 3
    afmsr.write(tmp_path / "none.gwy", [scan, scan])
    assert main(["report", str(tmp_path / "none.gwy")]) == 1
    with pytest.raises(UsageError, match="scan="):
        afmsr.report(fine, tmp_path / "x.html")


def test_readings_are_true_to_half_a_step() -> None:
    low, high = scan_of(20, 24).heights, scan_of(40, 48).heights
    low[3, 4] = np.nan
    steps = Steps.of([low, high], fit_plane(low))
    assert steps.step < 300.0 / GAP  # the tilt costs none of them
    for field in (low, high):
        read = steps.heights(steps.numbers(field))
        np.testing.assert_array_equal(np.isnan(read), np.isnan(field))
        assert np.nanmax(np.abs(read - field)) <= 0.5001 * steps.step
    flat = Steps.of([np.full((3, 3), 5.0)])
    assert (flat.heights(flat.numbers(np.full((3, 3), 5.0))) == 5.0).all()


def test_large_fields_are_thinned_by_means() -> None:
    field = RNG.normal(size=(7, 11))
    field[0:3, 0:3] = np.nan
    means = thinned(field, 3)
    assert means.shape == (3, 4) and np.isnan(means[0, 0])
    plane = Plane(1e6, 500.0, -200.0)  # stays where it is, though 3 divides no side
    fine, coarse = plane.on_grid(7, 11), plane.on_grid(3, 4)
    np.testing.assert_allclose(thinned(fine, 3), coarse, rtol=0, atol=4.0)
    blocks = RNG.normal(size=(6, 9))
    means = blocks.reshape(2, 3, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(thinned(blocks, 3), means, rtol=1e-12)


# --- the sentence --------------------------------------------------------------------------------


def planned(scan: afmsr.Channel) -> str:
    return next_time(subject_of(afmsr.upscale(scan, method="bilinear"), scan))


def test_the_page_plans_the_next_scan_as_the_command_does() -> None:
    scan = scan_of(64, 64)
    html = planned(scan)
    for mode in ("tapping", "contact", "force-map"):
        found = afmsr.plan(scan, mode=mode)
        one = found.chosen
        assert one is not None
        assert f'<td class="words">{one.lines} lines of {one.points} points, ' in html
        assert f'<td class="words">{one.time / 64:.2g} x this scan</td>' in html
        assert f"{100 * one.error:.2g} %" in html and found.goal in html
    assert "misses the goal" not in html
    noise = planned(scan.replace(heights=RNG.normal(size=(64, 64))))
    assert "misses the goal" in noise and "too noisy or too coarse to plan anything finer" in noise
    assert "Nothing can be planned" in planned(scan_of(20, 20))
    assert "Nothing can be planned" in planned(scan.replace(heights=np.ones((64, 64))))


def said(scan: afmsr.Channel, method: str = "bilinear") -> str:
    subject = subject_of(afmsr.upscale(scan, method=method), scan)
    return " ".join(sentence(subject, trusted(subject)))


def test_the_sentence_says_what_the_scan_allows() -> None:
    fine = scan_of(96, 96)
    told = said(fine)
    assert told.startswith("The scan is fine enough: expect the result to be wrong by about ")
    assert "bilinear interpolation added pixels to it, not detail" in told
    assert "how far to trust each height is not in this file" in told
    noise = fine.replace(heights=RNG.normal(0.0, 5.0, (96, 96)))
    assert said(noise).startswith("The scan is too noisy")
    dots = fine.replace(heights=30.0 * (relief(96, 96, 1.3) > 1) + RNG.normal(0.0, 0.3, (96, 96)))
    assert re.match(r"The scan is too coarse: .*\(\d+ x \d+ pixels on the same area", said(dots))
    spikes = 30.0 * (RNG.random((96, 96)) > 0.98) + RNG.normal(0.0, 0.5, (96, 96))
    assert "even 4096 pixels a side may not do" in said(fine.replace(heights=spikes))
    flat = fine.replace(heights=np.full((96, 96), 5.0))
    assert "all of its heights are the same" in said(flat)
    assert not trusted(subject_of(afmsr.upscale(flat), flat)).regions
    tiny = fine.replace(heights=fine.heights[:10, :10])
    assert "too small to judge" in said(tiny)
    network = said(fine, "afm")
    assert re.search(
        r"the network afm changed bicubic interpolation by [\d.]+ [np]m \(rms\)", network
    )


def test_what_the_history_tells_is_not_found_again(folder: Path) -> None:
    subject = subject_of_file(folder / "scan_x4.gwy")
    assert subject.half_width is not None
    step = subject.half_width.history[-1]
    known = trusted(subject)
    assert [one.as_dict() for one in known.regions] == step.settings["regions"]
    assert known.noise is not None and known.noise.white == step.settings["noise"]["white"]
    told = " ".join(sentence(subject, known))
    assert "(the 90 % interval of the surface)" in told and "check the 5 places" in told
    width = subject.half_width.heights
    for share in (0.5, 0.95):
        assert rough(np.quantile(width, share), "nm") in told


def test_a_history_that_was_edited_costs_no_page(folder: Path) -> None:
    subject = subject_of_file(folder / "scan_x4.gwy")
    assert subject.half_width is not None
    step = subject.half_width.history[-1]
    broken = {"noise": {"white": "nan", "lines": 0}, "coarseness": 3, "regions": [{"x": "?"}]}
    edited = afmsr.Step("assess", step.version, dict(step.settings) | broken)
    half_width = subject.half_width.replace(history=(edited,))
    known = trusted(subject_of(subject.result, subject.scan, half_width))
    assert known.noise is not None and known.noise.white > 0
    assert known.coarseness is not None and len(known.regions) == 5


def test_a_page_that_cannot_be_made_costs_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afmsr_core.scan_page.subject.LARGE", 1000)
    afmsr.write(tmp_path / "scan.gwy", scan_of(20, 24))
    (done,) = afmsr.upscale_many(tmp_path / "scan.gwy", method="bilinear", report=True)
    assert done.status == "done" and done.output.is_file()
    assert "no page was written" in done.warnings[0] and "--pixels" in done.warnings[0]
    assert not done.output.with_suffix(".html").exists()
