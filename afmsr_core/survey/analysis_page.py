"""An analysis as files: one page that can be mailed, tables, figures, and JSON."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.quantity import counted
from afmsr_core.report.files import Files
from afmsr_core.report.table import BESIDE, Cell, Table, as_html, number
from afmsr_core.statistics import plain
from afmsr_core.survey import analysis_figures
from afmsr_core.survey.answers import Answers
from afmsr_core.survey.drawing import Picture, as_figure
from afmsr_core.survey.outcome import MODEL, QuestionAnalysis, SurveyAnalysis
from afmsr_core.survey.result_tables import all_tables, best, p_text
from afmsr_core.survey.study import Key, Study
from afmsr_core.webpage.html import bullets, document, header, linked, nav, notes, titled

__all__ = ["summary", "write_analysis"]

PAGE, RESULT = "analysis.html", "analysis.json"
FORMAT = 1
PACKAGES = ("numpy", "scipy", "statsmodels", "matplotlib")

MORE_CSS = """
[id^="table-survey-pairs"] table { font-size: .82rem; }
[id^="table-survey-pairs"] th, [id^="table-survey-pairs"] td { padding: .22rem .42rem; }
[id^="table-survey-pairs"] tbody th, [id^="table-survey-pairs"] td:last-child {
  white-space: normal; overflow-wrap: anywhere; min-width: 6.5rem; }
"""


def write_analysis(
    folder: Path, study: Study, key: Key, found: Answers, result: SurveyAnalysis
) -> Path:
    """Write an analysis: ``tables/``, ``figures/``, ``analysis.json``, and last the page.

    The same scores and settings give the same bytes. Files of an earlier analysis are replaced.

    Parameters
    ----------
    folder : Path
        Target; made if it is not there. It tells what the items are: keep it from raters.
    study, key : Study, Key
        What was analysed.
    found, result : Answers, SurveyAnalysis
        Its answers, and what they say.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    tables = list(all_tables(found, result))
    pictures = [analysis_figures.means(found, result), analysis_figures.spread(found, result)]
    made = _made_with(study, key, found, result)
    files = Files(folder)
    for table in tables:
        files.write_table(table)
    for picture in pictures:
        for ending, data in picture.files.items():
            files.write(f"figures/{picture.name}.{ending}", data)
    files.write(RESULT, json.dumps(_record(made, found, result), indent=1, allow_nan=False))
    files.write(PAGE, _page(study, found, result, tables, pictures, made))
    return folder / PAGE


def summary(found: Answers, result: SurveyAnalysis) -> list[str]:
    """Return the outcome in sentences."""
    given = sum(one.given for one in found.records)
    asked = sum(one.asked for one in found.records)
    sentences = [
        f"{counted(len(found.raters), 'rater')} scored {counted(len(found.methods), 'method')} on "
        f"{counted(len(found.images), 'image')}: {given} of {asked} scores are given."
    ]
    for one in result.questions:
        means = sorted((told for told in one.summaries if told.n), key=lambda told: -told.mean)
        if not means:
            sentences.append(f"{one.question.capitalize()}: no scores.")
            continue
        told = ", ".join(
            f"{found.label(s.method)} {number(s.mean, 2)} ± {number(s.sd, 2)}" for s in means
        )
        sentences.append(f"{one.question.capitalize()} (mean ± SD): {told}. {_verdict(found, one)}")
    for one in result.questions:
        if math.isfinite(one.agreement.alpha):
            interval = (
                f" ({number(one.agreement.low, 2)} to {number(one.agreement.high, 2)})"
                if math.isfinite(one.agreement.low)
                else ""
            )
            sentences.append(
                f"Agreement between raters on {one.question}: Krippendorff's alpha "
                f"{number(one.agreement.alpha, 2)}{interval}."
            )
    return sentences


def _verdict(found: Answers, one: QuestionAnalysis) -> str:
    """Return in a sentence or two what the deciding test says."""
    if not one.pairs or not math.isfinite(one.p_any):
        return f"Nothing could be tested: {one.model.reason or one.blocks.reason}."
    p = p_text(one.p_any)
    by = f"{one.decided_by}, p {f'< {p[1:]}' if p.startswith('<') else f'= {p}'}"
    shown: dict[tuple[str, ...], list[str]] = {}  # those who are better than the same ones
    for method in found.methods:
        beaten = [pair.first if pair.second == method else pair.second
                  for pair in one.pairs if pair.better == method]  # fmt: skip
        if beaten:
            shown.setdefault(tuple(map(found.label, beaten)), []).append(found.label(method))
    if not shown:
        return f"No method is shown to be better than another ({by})."
    claims = [f"{_and(methods)} better than {_and(rest)}" for rest, methods in shown.items()]
    ahead = [found.label(m) for m in found.methods if m in best(one)]
    tie = f" Among {_and(ahead)} no difference is shown." if len(ahead) > 1 else ""
    return f"Shown: {'; '.join(claims)} ({by}).{tie}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


# --- the page --------------------------------------------------------------------------------


def _page(
    study: Study,
    found: Answers,
    result: SurveyAnalysis,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    made: dict[str, Any],
) -> str:
    of = {table.name: as_html(table, csv=f"tables/{table.name}.csv") for table in tables}
    title = f"Blind survey: {study.title}" if study.title else "Blind survey"
    scores = [*map(as_figure, pictures)]
    scores.insert(1, of["survey-scores"])
    scores += [of[name] for name in ("survey-data-sets", "survey-shares") if name in of]
    compared = [of["survey-tests"], bullets([one.why for one in result.questions if one.why])]
    for one in result.questions:
        compared.append(of.get(f"survey-pairs-{one.question}", ""))
        if one.notes:
            compared.append(notes(f"To know of {one.question}:", one.notes))
    agreement = [of[name] for name in (
        "survey-agreement", "survey-rater-means", "survey-repeats", "survey-catch"
    ) if name in of]  # fmt: skip
    people = [of["survey-raters"], notes("What is in no test, and why:", result.notes)]
    if found.comments:
        people.append(as_html(_comments(found)))
    sections = {
        "scores": ("Scores", scores),
        "tests": ("Do the methods differ?", [_HOW, *compared]),
        "agreement": ("Agreement", agreement),
        "raters": ("Raters, and what is left out", people),
        "made-with": ("Settings, versions", [as_html(_facts(made)), _FOOT]),
    }
    body = "\n".join(titled(name, t, "".join(parts)) for name, (t, parts) in sections.items())
    head = header(title, f"afmsr {__version__}, study {study.id}", bullets(summary(found, result)))
    links = nav([(name, t) for name, (t, _) in sections.items()])
    return document(title, f"{head}\n{links}\n{body}", css=MORE_CSS)


_HOW = (
    f"<p>The {MODEL} decides: scores are an order, some raters are kinder and some images easier, "
    "and it takes that out. Where it has no finite estimate, Friedman's and Wilcoxon's tests on "
    "raters × images decide. The tests with images as blocks ask more: whether the finding would "
    "hold for other images. One-way Tukey is the paper's test, to compare with it; it knows "
    "nothing of raters and images.</p>"
)

_FOOT = (
    "<footer><p>"
    + linked(
        f"{BESIDE}, everything in analysis.json. The survey is that of Beilstein J. Nanotechnol. "
        "2025, 16, 1129–1140, doi 10.3762/bjnano.16.83."
    )
    + "</p></footer>"
)


def _comments(found: Answers) -> Table:
    rows = [[Cell(one.rater), Cell(one.image), Cell(one.text)] for one in found.comments]
    return Table(name="survey-comments", caption="Comments of raters",
                 head=[*map(Cell, ("Rater", "Image", "Comment"))], rows=rows, words=3)  # fmt: skip


# --- what it was made with -------------------------------------------------------------------


def _made_with(study: Study, key: Key, found: Answers, result: SurveyAnalysis) -> dict[str, Any]:
    held = sorted((s.rater, s.item, s.question, s.score) for s in study.store.scores())
    return {
        "study": study.id,
        "study built": study.created,
        "study built by afmsr": study.version,
        "seed of the orders": key.seed,
        "sha256 of the scores": hashlib.sha256(repr(held).encode()).hexdigest(),
        "settings": plain(result.settings),
        "versions": {"afmsr": __version__, **dict(_versions())},
    }


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue


def _facts(made: dict[str, Any]) -> Table:
    flat = {name: value for name, value in made.items() if not isinstance(value, dict)}
    flat |= {f"setting {name}": value for name, value in made["settings"].items()}
    flat |= {f"version of {name}": value for name, value in made["versions"].items()}
    rows = [[Cell(name), Cell(str(value))] for name, value in flat.items()]
    return Table(name="settings", caption="Settings and versions",
                 head=[Cell("What"), Cell("Value")], rows=rows, words=2)  # fmt: skip


def _record(made: dict[str, Any], found: Answers, result: SurveyAnalysis) -> dict[str, Any]:
    """Return what the JSON file holds."""
    return {
        "format": FORMAT,
        **made,
        "summary": summary(found, result),
        "answers": plain(found),
        "analysis": plain(result),
    }
