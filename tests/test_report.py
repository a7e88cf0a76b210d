"""The report of an evaluation says what the results say, alone, the same every time."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.errors import CorruptFileError, UnreadableFileError, UnsupportedContentError
from afmsr_core.report import write_report
from afmsr_core.report.table import Cell, Table, as_csv, as_html, as_latex, as_markdown
from afmsr_core.statistics import Scores, Settings, analyse

INTERPOLATIONS = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos4": "Lanczos4"}
NETWORKS = {
    "ninasr_b0": "NinaSR-B0", "ninasr_b1": "NinaSR-B1", "ninasr_b2": "NinaSR-B2",
    "carn": "CARN", "rcan": "RCAN", "edsr": "EDSR", "afm": "afm",
}  # fmt: skip
METHODS = INTERPOLATIONS | NETWORKS
KINDS = {m: "network" if m in NETWORKS else "interpolation" for m in METHODS}
CURE = "the weights are not here: afmsr models fetch rdn"

# name: label, unit, lower is better, protocol, mean, SD of images, gain of networks, noise, source
METRICS: dict[str, tuple[str, str, bool | None, str, float, float, float, float, str]] = {
    "psnr": ("PSNR", "dB", False, "paper", 29.0, 4.5, -0.35, 0.2, "doi 10.3762/bjnano.16.83"),
    "ssim": ("SSIM", "", False, "paper", 0.9, 0.05, -0.0005, 0.002, "Wang 2004"),
    "fourier_sharpness": ("Fourier sharpness", "", False, "paper", 5.2, 0.15, 0.4, 0.02, "afmsr"),
    "gradient_sharpness": ("gradient sharpness", "grey/px", False, "paper", 4, 0.5, 0.1, 0.3, "a"),
    "pi": ("PI", "", True, "paper", 9.0, 0.6, 0.0, 0.1, "Blau 2018"),
    "ma": ("Ma", "", False, "paper", 2.5, 0.5, 0.6, 0.1, "Ma 2017"),
    "niqe": ("NIQE", "", True, "paper", 11.0, 1.2, -3.0, 0.2, "Mittal 2013"),
    "rmse": ("RMSE", "height", True, "nm", 3.2, 1.0, -0.2, 0.1, "afmsr"),
    "bias": ("bias", "height", None, "nm", 0.1, 0.5, 0.0, 0.1, "afmsr"),
    "sq": ("Sq ratio", "", None, "nm", 0.98, 0.01, 0.01, 0.005, "ISO 25178-2:2021"),
    "sdq": ("Sdq ratio", "", None, "nm", 0.7, 0.05, 0.1, 0.02, "ISO 25178-2:2021"),
    "psd_fine": ("PSD ratio, fine", "", None, "nm", 0.5, 0.05, 0.2, 0.02, "afmsr"),
    "streaks_low": ("streaks of the low scan left", "", None, "nm", 0.6, 0.1, -0.5, 0.05, "afmsr"),
}  # fmt: skip
UNTESTED = (
    "ssim",
    "fourier_sharpness",
    "gradient_sharpness",
    "pi",
    "ma",
)  # on titanium, to save time
NO_MA = "Ma's parameter file is not here; give --ma-parameters FILE"


def surface(seed: int, size: int = 400) -> np.ndarray:
    """Return a rough surface with grains, in nm."""
    random = np.random.default_rng(seed)
    grain, coarse = (
        cv2.GaussianBlur(random.normal(size=(size, size)), (0, 0), sigma) * sigma
        for sigma in (2.0, 12.0)
    )
    tilt = 0.02 * np.arange(size)
    return 8 * grain + 20 * coarse + tilt + random.normal(0, 0.1, (size, size))


def enlarged(low: np.ndarray, method: str, truth: np.ndarray, seed: int) -> np.ndarray:
    size = truth.shape[::-1]
    flags = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
    smooth = cv2.resize(low, size, interpolation=flags.get(method, cv2.INTER_LANCZOS4))
    if KINDS[method] == "interpolation":
        return smooth
    share = 0.25 + 0.05 * list(NETWORKS).index(method)
    return (1 - share) * smooth + share * truth + seed  # another datum, as a second scan has


def write_fields(path: Path, truth: np.ndarray, seed: int, methods: Iterable[str]) -> None:
    random = np.random.default_rng(seed)
    low = truth[2::4, 2::4] + random.normal(0, 0.3, (len(truth) // 4,) * 2)
    for row in random.integers(5, len(low) - 5, 4):
        start = int(random.integers(0, len(low) // 2))
        low[row, start : start + 30] += 0.6 * np.ptp(truth)
    arrays = {m: enlarged(low, m, truth, seed) for m in methods}
    arrays |= {"low": np.kron(low, np.ones((4, 4))), "high": truth}
    packed = {name: array.astype(np.float32) for name, array in arrays.items()}
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **packed, pixel_size=np.array([9.8, 9.8], np.float32))  # type: ignore[arg-type]


def scan(name: str, pixels: int) -> dict[str, Any]:
    return {"path": f"{name}.gwy", "sha256": "ab" * 32, "xres": pixels, "yres": pixels,
            "xreal": 5000.0, "yreal": 5000.0, "lateral_unit": "nm", "unit": "nm",
            "title": "Height"}  # fmt: skip


def scores_of(
    index: int, protocol: str, methods: Iterable[str], metrics: Iterable[str]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {m: {} for m in methods}
    for order, (name, told) in enumerate(METRICS.items()):
        _, _, _, of, mean, between, gain, noise, _ = told
        if of != protocol or name not in metrics:
            continue
        random = np.random.default_rng([index, order])
        image = random.normal(mean, between)
        for method in methods:
            value = image + gain * (method in NETWORKS) + random.normal(0, noise)
            none = name == "ma" or (name == "pi" and index == 3)
            details = {"patches": 9, "crop": [370, 370]} if name == "niqe" else {}
            reason = (NO_MA if name == "ma" else "8 px are too few") if none else ""
            found[method][name] = {
                "value": None if none else float(value), "reason": reason, "details": details
            }  # fmt: skip
    return found


def analyses_of(pairs: list[dict[str, Any]], metrics: Iterable[str] = METRICS) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in metrics:
        _, unit, lower, protocol, *_ = METRICS[name]
        for data_set in dict.fromkeys(pair["data_set"] for pair in pairs):
            chosen = [p for p in pairs if p["data_set"] == data_set and p["status"] == "scored"]
            if not chosen or lower is None or (data_set == "titanium" and name in UNTESTED):
                continue
            methods = list(chosen[0]["scores"][protocol])
            values = [
                [p["scores"][protocol][m][name]["value"] or math.nan for m in methods]
                for p in chosen
            ]
            scores = Scores(np.array(values, dtype=float), methods, [KINDS[m] for m in methods],
                            not lower, name, data_set, unit.replace("height", "nm"),
                            images=[p["id"] for p in chosen])  # fmt: skip
            one = analyse(scores, Settings(resamples=200)).as_dict()
            found.setdefault(protocol, {}).setdefault(data_set, {})[name] = one
    return found


def build(
    folder: Path,
    pairs: int = 12,
    sets: tuple[str, ...] = ("celgard", "titanium"),
    *,
    methods: Iterable[str] = METHODS,
    chosen: Iterable[str] = METRICS,
    size: int = 400,
    kept: int = 4,
) -> Path:
    """Write a results folder: `pairs` scored ones, a rejected and a failed one.

    The fields are kept of each `kept`-th pair, to save time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, Any]] = []
    for index in range(pairs):
        data_set = sets[index * len(sets) // pairs]
        key = f"{data_set}/scan {index:02d}" if data_set else f"scan {index:02d}"
        if index % kept == 0:
            write_fields(folder / "pairs" / f"{index}.npz", surface(index, size), index, methods)
        alignment = {"kind": "homography", "scale": 1.002, "rotation_deg": -0.31,
                     "shift_px": [3.2, -1.4], "residual_px": 0.21, "residual_nm": 2.05,
                     "inliers": 210, "matches": 340, "overlap": 0.97,
                     "crop": [4, 3, 400, 400]}  # fmt: skip
        told.append(
            {"id": key, "data_set": data_set, "status": "scored", "reason": "",
             "low": scan(f"{index}_low", 128), "high": scan(f"{index}_high", 512),
             "alignment": alignment,
             "alignment_per_method": dict.fromkeys(METHODS, alignment),
             "scores": {p: scores_of(index, p, methods, chosen) for p in ("paper", "nm")},
             "fields": None if index % kept else f"pairs/{index}.npz",
             "seconds": {"upscale": 1.5, "align": 0.4}}
        )  # fmt: skip
    for status, reason in (
        ("rejected", "residual 7.2 px is above 4 px; <b>check</b> that both show one area"),
        ("failed", "low.gwy is cut short: copy it again"),
    ):
        told.append(
            {"id": f"{status} one", "data_set": sets[0], "status": status, "reason": reason,
             "low": scan("x_low", 128), "high": scan("x_high", 512), "alignment": None,
             "alignment_per_method": {}, "scores": {}, "fields": None, "seconds": {}}
        )  # fmt: skip
    listed = [
        {"name": m, "label": label, "kind": KINDS[m], "source": "OpenCV", "run": True,
         "parameters": 0 if m in INTERPOLATIONS else 105_392, "why_not": ""}
        for m, label in METHODS.items()
        if m in methods
    ] + [{"name": "rdn", "label": "RDN", "kind": "network", "parameters": 22_271_107,
          "source": "Zhang et al. 2018", "run": False, "why_not": CURE}]  # fmt: skip
    metrics = [
        {"name": name, "label": one[0], "unit": one[1], "lower_is_better": one[2],
         "protocol": one[3], "summary": "what it means", "source": one[8]}
        for name, one in METRICS.items()
        if name in chosen
    ]  # fmt: skip
    raw = {
        "format": 1, "afmsr": "0.4.0", "created": "2026-01-02T03:04:05",
        "versions": {"numpy": "2.4.6", "opencv": "4.13"},
        "settings": {"align": {"ratio": 0.75, "per_method": True}, "levelling": "plane"},
        "methods": listed, "metrics": metrics, "pairs": told, "analyses": analyses_of(told, chosen),
    }  # fmt: skip
    save(folder, raw)
    return folder


def save(folder: Path, raw: dict[str, Any]) -> None:
    (folder / "results.json").write_text(json.dumps(raw), encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return raw


# --- what is looked at -------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with its report: 12 scored pairs in 2 data sets."""
    folder = build(tmp_path_factory.mktemp("report") / "results")
    assert write_report(folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return (report / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small results folder without a report."""
    return build(
        tmp_path_factory.mktemp("template") / "results", 2, ("",), size=160, kept=1,
        methods=("bicubic", "lanczos4", "carn", "afm"), chosen=("psnr", "ma", "rmse", "sq"),
    )  # fmt: skip


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be changed."""
    return Path(shutil.copytree(template, tmp_path / "results"))


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Links(HTMLParser):
    """Everything that a page would load or leads to, its ids, and images without a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.silent = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.add(tag)
        self.ids += [told["id"] or ""] if "id" in told else []
        self.leads += [told["href"] or ""] if "href" in told else []
        self.loads += [told["src"] or ""] if "src" in told else []
        self.silent += tag == "img" and not told.get("alt")


def test_the_page_stands_alone(page: str) -> None:
    links = Links(page)
    assert links.loads and all(one.startswith("data:image/") for one in links.loads)
    assert all(one.startswith("#") for one in links.leads)
    assert not links.tags & {"script", "link", "iframe", "object", "embed"}
    assert "url(" not in page and "@import" not in page
    assert links.silent == 0
    assert len(links.ids) == len(set(links.ids))
    assert {one[1:] for one in links.leads} <= set(links.ids)


def test_the_page_is_light_enough_to_mail(page: str) -> None:
    images = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', page)
    assert len(images) == 3
    others = 9 * max(map(len, images))  # of the pairs whose fields were not kept
    assert 1e6 < len(page) + others < 15e6


def test_every_heading_and_failure_is_there(page: str) -> None:
    for word in ("Data set celgard", "Data set titanium", "Scan time saved", "Power spectra",
                 "Failures", "settings, versions", CURE, "copy it again", "align.ratio",
                 "1/4 of the time", "1/16 of the time"):  # fmt: skip
        assert word in page, word
    assert "&lt;b&gt;check&lt;/b&gt;" in page  # what others wrote is text


def test_scores_are_those_of_the_results(report: Path) -> None:
    raw, rows = load(report), table_of(report, "scores")
    scored = {pair["id"]: pair for pair in raw["pairs"] if pair["status"] == "scored"}
    assert len(rows) == len(scored) * len(METHODS) * len(METRICS)
    for row in rows:
        told = scored[row["pair"]]["scores"][row["protocol"]][row["method"]][row["metric"]]
        assert row["reason"] == told["reason"]
        assert (float(row["value"]) if row["value"] else None) == told["value"]


def test_means_are_those_of_the_scores(report: Path) -> None:
    raw = load(report)
    names = {f"{label} ({unit.replace('height', 'nm')})" if unit else label: name
             for name, (label, unit, *_) in METRICS.items()}  # fmt: skip
    checked = 0
    for data_set in ("celgard", "titanium"):
        for path in sorted((report / "tables").glob(f"means-{data_set}-*.csv")):
            protocol = path.stem.split("-")[2]
            rows = table_of(report, path.stem)
            assert [row["Method"] for row in rows] == list(METHODS.values())
            for method, row in zip(METHODS, rows, strict=True):
                for head, printed in list(row.items())[1:]:
                    values = [
                        pair["scores"][protocol][method][names[head]]["value"]
                        for pair in raw["pairs"]
                        if pair["status"] == "scored" and pair["data_set"] == data_set
                    ]
                    there = [value for value in values if value is not None]
                    assert bool(printed) == bool(there)
                    if there:
                        assert float(printed) == pytest.approx(np.mean(there), rel=1e-14)
                        checked += 1
    assert checked == 2 * len(METHODS) * (len(METRICS) - 1)


def test_printed_means_sds_and_bold_in_every_form(report: Path, page: str) -> None:
    raw = load(report)
    bold = {
        name: [verdict["holds"] is True for verdict in analysis["bold"][:2]]
        for name, analysis in raw["analyses"]["paper"]["celgard"].items()
    }
    assert bold["fourier_sharpness"][1] and not bold["fourier_sharpness"][0]
    assert bold["niqe"] == [True, True] and bold["psnr"] == [False, False]
    summaries = raw["analyses"]["paper"]["celgard"]["niqe"]["summaries"]
    means = {one["method"]: f"{one['mean']:.2f}" for one in summaries}
    spread = f"{min(s['sd'] for s in summaries):.2f}–{max(s['sd'] for s in summaries):.2f}"
    tables = report / "tables"
    markdown = (tables / "means-celgard-paper.md").read_text(encoding="utf-8")
    latex = (tables / "means-celgard-paper.tex").read_text(encoding="utf-8")
    assert f"**{means['carn']}**<sup>*</sup>" in markdown and f"| {means['bicubic']} |" in markdown
    assert rf"\textbf{{{means['carn']}}}\textsuperscript{{*}}" in latex
    assert f"<b>{means['carn']}</b><sup>*</sup>" in page
    assert f"<small>{spread}</small>" in page and spread.replace("–", "--") in latex
    assert NO_MA.replace("'", "&#x27;") in page and "parameter file" in markdown
    assert "mean of 5 of 6 pairs; others: 8 px are too few" in markdown
    assert latex.count("\\toprule") == 1 and latex.count("{") == latex.count("}")
    sharp = next(o for o in raw["analyses"]["paper"]["celgard"]["fourier_sharpness"]["summaries"]
                 if o["method"] == "carn")  # fmt: skip
    assert f"<td>{sharp['mean']:.3f}<sup>*</sup></td>" in page


def test_p_values_and_counts_are_those_of_the_analyses(report: Path) -> None:
    raw = load(report)
    for row in table_of(report, "p-values"):
        told = raw["analyses"][row["protocol"]][row["data set"]][row["metric"]]
        key = {"one-way Tukey": "one_way", "blocked Tukey": "blocked"}.get(row["test"])
        matrix = told[key] if key else told["friedman"]["nemenyi"]
        places = [matrix["methods"].index(row[one]) for one in ("method", "other method")]
        p = matrix["p"][places[0]][places[1]]
        assert (float(row["p"]) if row["p"] else None) == p
    for protocol, analyses in raw["analyses"].items():
        for data_set, of_set in analyses.items():
            rows = table_of(report, f"networks-against-interpolations-{data_set}-{protocol}")
            for row in rows:
                name = next(n for n, one in METRICS.items() if one[0] == row["Metric"])
                for verdict in of_set[name]["bold"]:
                    told = row[verdict["test"]]
                    found = re.match(r"(\d+) better", told)
                    better = verdict["pairs"] if told == "all better" else 0
                    assert (int(found[1]) if found else better) == verdict["holding"]


def test_paired_differences_are_those_of_the_analyses(report: Path) -> None:
    raw, rows = load(report), table_of(report, "paired-titanium-paper")
    told = {
        (name, one["method"]): one
        for name, analysis in raw["analyses"]["paper"]["titanium"].items()
        for one in analysis["against_reference"]
    }
    assert len(rows) == len(told)
    for row in rows:
        label = row["Metric"].split(" (")[0]
        one = told[next(n for n, m in METRICS.items() if m[0] == label), row["Method"]]
        for head, key in (("Difference", "difference"), ("CI low", "ci_low"), ("SD", "sd"),
                          ("p (t, Holm)", "p_t_holm"), ("d_z", "d_z")):  # fmt: skip
            assert (float(row[head]) if row[head] else None) == one[key]


def test_figures_are_there_in_both_forms(report: Path) -> None:
    names = {path.name for path in (report / "figures").iterdir()}
    for stem in ("boxes-celgard-paper", "boxes-celgard-nm", "differences-titanium-paper",
                 "p-values-celgard-paper-psnr", "p-values-titanium-nm-rmse",
                 "spectra-celgard"):  # fmt: skip
        assert {f"{stem}.png", f"{stem}.svg"} <= names
    panels = [name for name in names if name.startswith("panel-") and name.endswith(".png")]
    assert len(panels) == 3
    assert sum(name.startswith("panel-") and name.endswith(".svg") for name in names) == 2
    curves = table_of(report, "spectra")
    assert {row["curve"] for row in curves} == {"high", "low", *METHODS}


def test_the_same_results_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(small, other)
    for folder in (small, other):
        write_report(folder)
    files = [p.relative_to(small) for p in sorted(small.rglob("*")) if p.is_file()]
    assert len(files) > 30
    for path in files:
        assert (small / path).read_bytes() == (other / path).read_bytes(), path


# --- whatever is missing -----------------------------------------------------------------


def without_analyses(raw: dict[str, Any], folder: Path) -> None:
    raw["analyses"] = {}


def one_pair_only(raw: dict[str, Any], folder: Path) -> None:
    raw["pairs"] = raw["pairs"][:1]
    raw["analyses"] = analyses_of(raw["pairs"], ("psnr", "rmse"))


def all_failed(raw: dict[str, Any], folder: Path) -> None:
    raw["pairs"] = raw["pairs"][-2:]
    raw["analyses"] = {}


def no_fields(raw: dict[str, Any], folder: Path) -> None:
    shutil.rmtree(folder / "pairs")


def damaged_fields(raw: dict[str, Any], folder: Path) -> None:
    (folder / "pairs" / "0.npz").write_bytes(b"PK nothing")


def nearly_nothing(raw: dict[str, Any], folder: Path) -> None:
    for key in set(raw) - {"format"}:
        del raw[key]


def a_method_without_results(raw: dict[str, Any], folder: Path) -> None:
    for pair in raw["pairs"][:2]:
        for scores in pair["scores"].values():
            del scores["carn"]


def one_protocol(raw: dict[str, Any], folder: Path) -> None:
    for pair in raw["pairs"]:
        pair["scores"].pop("nm", None)


BROKEN = [without_analyses, one_pair_only, all_failed, no_fields, damaged_fields, nearly_nothing,
          a_method_without_results, one_protocol]  # fmt: skip


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_what_is_missing_is_no_error(harm: Any, small: Path) -> None:
    raw = load(small)
    harm(raw, small)
    save(small, raw)
    text = write_report(small).read_text(encoding="utf-8")
    assert "<h1>" in text and "nan" not in re.sub(r'base64,[^"]*', "", text).lower().split()
    if harm is all_failed:
        assert "copy it again" in text and "No pair of this data set was scored" in text


def test_what_is_no_results_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="give a folder that afmsr-eval wrote"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(CorruptFileError, match="run afmsr-eval again"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"format": 99}')
    with pytest.raises(UnsupportedContentError, match="format 99"):
        write_report(tmp_path)


# --- forms -------------------------------------------------------------------------------


def test_special_signs_survive_every_form() -> None:
    table = Table("t", "5 % of <x> & y_z", [Cell("a|b"), Cell("c_d")],
                  [[Cell("<i>"), Cell("1", 1.0 / 3.0, note="50 % $x$ #1")]])  # fmt: skip
    assert "&lt;i&gt;" in as_html(table) and "<i>" not in as_html(table)
    assert r"a\|b" in as_markdown(table)
    latex = as_latex(table)
    assert r"5 \% of $<$x$>$ \& y\_z" in latex and r"50 \% \$x\$ \#1" in latex
    assert as_csv(table) == f"a|b,c_d\n<i>,{1.0 / 3.0!r}\n"


def test_scan_times_follow_the_rule_of_the_plugin(report: Path) -> None:
    from gwyddion_plugin.scan_time import saved

    row = table_of(report, "scan-time")[0]
    rule = " ".join(saved(128, 4).split())
    assert row["Scan lines"] == "128 instead of 512" and row["at 1 line/s"] in rule
    assert row["Line by line"] in rule and row["Point by point"] in rule


# --- how it looks ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no chromium on this machine: apt-get install chromium")


FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")  # fmt: skip
PROBE = """<script>addEventListener("load", () => {
  const page = document.documentElement;
  const wide = [...document.querySelectorAll("figure, .table")].filter(
    one => one.scrollWidth > one.clientWidth + 1).map(one => one.id);
  const dead = [...document.images].filter(one => !one.complete || !one.naturalWidth).length;
  page.dataset.probe = JSON.stringify([page.scrollWidth, innerWidth, wide, dead]);
});</script>"""


def browse(browser: str, page: Path, width: int, *more: str) -> str:
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={page.parent / 'profile'}",
         f"--window-size={width},900", *more, page.as_uri()],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("width", [1366, 1024])
def test_the_page_fits_the_window(browser: str, page: str, tmp_path: Path, width: int) -> None:
    opened = page.replace("<details", "<details open").replace("</body>", f"{PROBE}</body>")
    copy = tmp_path / "report.html"
    copy.write_text(opened, encoding="utf-8")
    found = re.search(r'data-probe="([^"]*)"', browse(browser, copy, width, "--dump-dom"))
    assert found, "the browser did not load the page"
    scroll, inner, wide, dead = json.loads(found[1].replace("&quot;", '"'))
    assert scroll <= inner == width
    assert dead == 0
    if width == 1366:
        assert wide == []


def test_the_page_is_drawn(browser: str, page: str, tmp_path: Path) -> None:
    copy, shot = tmp_path / "report.html", tmp_path / "shot.png"
    copy.write_text(page, encoding="utf-8")
    browse(browser, copy, 1366, f"--screenshot={shot}")
    drawn = cv2.imread(str(shot))
    assert drawn is not None and drawn.shape[1] == 1366
    assert 0.02 < (drawn < 128).mean() < 0.5
