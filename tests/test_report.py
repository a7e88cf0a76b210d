"""The report of an evaluation says what the results say, alone, the same every time."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from reports import CURE, METHODS, METRICS, NO_MA, build, load

from afmsr_core.report import write_report
from afmsr_core.report.contents import Results, read_results
from afmsr_core.report.figures import gained
from afmsr_core.report.panels import FEWEST, PIXELS, side_of
from afmsr_core.report.table import Cell, Table, as_csv, as_html, as_latex, as_markdown

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


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Links(HTMLParser):
    """Everything that a page would load or leads to, its ids, and drawings without a text."""

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
        self.leads += [told["href"] or ""] if tag == "a" else []
        self.loads += [told["href"] or ""] if tag in ("image", "link") else []
        self.loads += [told["src"] or ""] if "src" in told else []
        self.silent += told.get("role") == "img" and not told.get("aria-label")


def test_the_page_stands_alone(report: Path, page: str) -> None:
    links = Links(page)
    assert links.loads and all(one.startswith(("data:image/", "data:,")) for one in links.loads)
    assert all(one.startswith(("#", "tables/", "https://doi.org/10.")) for one in links.leads)
    assert {one[1:] for one in links.leads if one[0] == "#"} <= set(links.ids)
    beside = [one for one in links.leads if one.startswith("tables/")]
    assert len(beside) > 10 and all((report / one).is_file() for one in beside)
    assert "https://doi.org/10.3762/bjnano.16.83" in links.leads
    assert not links.tags & {"iframe", "object", "embed", "img"}
    assert "url(" not in page and "@import" not in page and links.silent == 0
    assert len(links.ids) == len(set(links.ids))


def test_the_page_is_light_enough_to_mail(report: Path, page: str) -> None:
    assert 0.5e6 < len(page) < 8e6
    results = read_results(report)
    for kept in (1, 12, 40):
        images = kept * 2 * (len(METHODS) + 1)
        assert side_of(results, kept) ** 2 * images <= max(PIXELS, images * FEWEST**2)


def test_every_heading_and_failure_is_there(page: str) -> None:
    for word in ("Data set celgard", "Data set titanium", "Power spectra", "Failures",
                 "settings, versions", CURE, "copy it again", "align.ratio"):  # fmt: skip
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
    names = {f"{label} ÷ bicubic’s" if unit == "height" else f"{label} ({unit})" if unit else label:
             name for name, (label, unit, *_) in METRICS.items()}  # fmt: skip
    checked = 0
    for data_set in ("celgard", "titanium"):
        for path in sorted((report / "tables").glob(f"means-{data_set}-*.csv")):
            protocol = path.stem.split("-")[2]
            rows = table_of(report, path.stem)
            assert [row["Method"] for row in rows] == list(METHODS.values())
            for method, row in zip(METHODS, rows, strict=True):
                for head, printed in list(row.items())[1:]:
                    values, references = (
                        [
                            pair["scores"][protocol][one][names[head]]["value"]
                            for pair in raw["pairs"]
                            if pair["status"] == "scored" and pair["data_set"] == data_set
                        ]
                        for one in (method, "bicubic")
                    )
                    there = [value for value in values if value is not None]
                    assert bool(printed) == bool(there)
                    if "÷" in head:  # errors in nm range over decades
                        ratio = np.abs(np.array(values) / references)
                        assert float(printed) == pytest.approx(np.exp(np.log(ratio).mean()))
                        checked += 1
                    elif there:
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
    assert f">{sharp['mean']:.3f}<sup>*</sup></td>" in page


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


def test_p_values_are_coloured_by_their_order(report: Path, page: str) -> None:
    matrix = load(report)["analyses"]["paper"]["celgard"]["niqe"]["blocked"]
    section = page[page.index("<h5>NIQE</h5>") :]
    table = re.search(r"<caption>blocked Tukey</caption>.*?</table>", section)
    assert table
    rows = re.findall(r"<tr><th scope=.row.>.*?</tr>", table[0])
    assert len(rows) == len(matrix["methods"]) - 1
    for place, row in enumerate(rows, 1):
        cells = re.findall(r'<td class="p(\d)">([^<]*)</td>', row)
        assert len(cells) == place
        for (kind, text), p in zip(cells, matrix["p"][place], strict=False):
            assert int(kind) == sum(p >= bound for bound in (0.001, 0.01, 0.05, 0.1, 0.5))
            if text != "&lt;.001":
                assert float(text) == pytest.approx(p, abs=0.006)


def test_gains_are_dots_and_the_truths_noise_is_their_limit(report: Path) -> None:
    raw = load(report)
    told = raw["gains"]["nm"]["celgard"]["against_reference"]
    for pair in raw["pairs"]:
        if pair["status"] == "scored":  # of bicubic's error half is noise: 6 dB
            error = pair["scores"]["nm"]["bicubic"]["rmse"]["value"]
            pair["trust"] = {"truth": {"noise": error / 2, "source": "scan"}}
    results = Results(report, raw)
    drawn = gained(results, "celgard", "nm", 20)
    plain = gained(results, "celgard", "paper", 20)
    assert drawn and plain
    svg = drawn.svg
    assert svg.count('class="dot ') == sum(len(one["gains"]) for one in told)
    assert svg.count('class="mean ') == len(told) == len(METHODS) - 1
    strokes = re.findall(r'class="limit" x1="(\S+)"', svg)
    beyond = re.search(r">(\d+) ▸<", svg)
    assert len(strokes) + int(beyond[1] if beyond else 0) == 6
    assert "≤ +6.0 dB" in svg and 'class="limit"' not in plain.svg
    ticks = dict(
        re.findall(r'<text class="soft" x="(\S+)" y="\S+" text-anchor="middle">([^<]*)<', svg)
    )
    places = sorted((float(text.replace("−", "-")), float(x)) for x, text in ticks.items())
    (zero, one), (value, other) = places[0], places[-1]
    for method in told:  # the ring stands at the mean
        expected = one + (method["mean"] - zero) * (other - one) / (value - zero)
        assert any(abs(float(x) - expected) < 0.2
                   for x in re.findall(r'class="mean \w+" cx="(\S+)"', svg))  # fmt: skip


def test_figures_are_files_too(report: Path) -> None:
    names = {path.name for path in (report / "figures").iterdir()}
    for stem in ("gains-celgard-nm", "boxes-celgard-paper", "boxes-titanium-nm",
                 "spectra-celgard", "panel-celgard-scan-00"):  # fmt: skip
        assert f"{stem}.svg" in names
    assert sum(name.startswith("panel-") for name in names) == 3
    for name in names:
        text = (report / "figures" / name).read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "var(" not in text  # no page gives it colours
    curves = table_of(report, "spectra")
    assert {row["curve"] for row in curves} == {"high", "low", *METHODS}
    reach = max(float(row["frequency (of Nyquist, low)"]) for row in curves)
    assert reach == pytest.approx(4, abs=0.1)  # the truth has four times the pixels


# --- forms -------------------------------------------------------------------------------


def test_special_signs_survive_every_form() -> None:
    table = Table("t", "5 % of <x> & y_z", [Cell("a|b"), Cell("c_d")],
                  [[Cell("<i>"), Cell("1", 1.0 / 3.0, note="50 % $x$ #1")]])  # fmt: skip
    assert "&lt;i&gt;" in as_html(table) and "<i>" not in as_html(table)
    assert r"a\|b" in as_markdown(table)
    latex = as_latex(table)
    assert r"5 \% of $<$x$>$ \& y\_z" in latex and r"50 \% \$x\$ \#1" in latex
    assert as_csv(table) == f"a|b,c_d\n<i>,{1.0 / 3.0!r}\n"
