"""An analysis as files: one page that can be mailed, tables, figures, and JSON."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.errors import OutputError
from afmsr_core.io.atomic import writing
from afmsr_core.report.drawing import Picture
from afmsr_core.report.style import CSS
from afmsr_core.report.table import Cell, Table, as_csv, as_html, as_latex, as_markdown, number
from afmsr_core.statistics import plain
from afmsr_core.survey import analysis_figures
from afmsr_core.survey.answers import Answers
from afmsr_core.survey.outcome import MODEL, QuestionAnalysis, SurveyAnalysis
from afmsr_core.survey.result_tables import all_tables, best, p_text
from afmsr_core.survey.study import Key, Study

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
    MissingExtraError
        If matplotlib is not installed.
    """
    tables = list(all_tables(found, result))
    pictures = [analysis_figures.means(found, result), analysis_figures.spread(found, result)]
    made = _made_with(study, key, found, result)
    for table in tables:
        for ending, form in (("csv", as_csv), ("md", as_markdown), ("tex", as_latex)):
            _write(folder / "tables" / f"{table.name}.{ending}", form(table))
    for picture in pictures:
        for ending, data in picture.files.items():
            _write(folder / "figures" / f"{picture.name}.{ending}", data)
    _write(folder / RESULT, json.dumps(_record(made, found, result), indent=1, allow_nan=False))
    _write(folder / PAGE, _page(study, found, result, tables, pictures, made))
    return folder / PAGE


def summary(found: Answers, result: SurveyAnalysis) -> list[str]:
    """Return the outcome in sentences."""
    given = sum(one.given for one in found.records)
    asked = sum(one.asked for one in found.records)
    sentences = [
        f"{_count(len(found.raters), 'rater')} scored {_count(len(found.methods), 'method')} on "
        f"{_count(len(found.images), 'image')}: {given} of {asked} scores are given."
    ]
    for one in result.questions:
        means = sorted((told for told in one.summaries if told.n), key=lambda told: -told.mean)
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


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- the page --------------------------------------------------------------------------------


def _page(
    study: Study,
    found: Answers,
    result: SurveyAnalysis,
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    made: dict[str, Any],
) -> str:
    of = {table.name: as_html(table) for table in tables}
    title = f"Blind survey: {study.title}" if study.title else "Blind survey"
    scores = [*map(_figure, pictures)]
    scores.insert(1, of["survey-scores"])
    scores += [of[name] for name in ("survey-data-sets", "survey-shares") if name in of]
    compared = [of["survey-tests"], _list([one.why for one in result.questions if one.why])]
    for one in result.questions:
        compared.append(of.get(f"survey-pairs-{one.question}", ""))
        if one.notes:
            compared.append(_notes(f"To know of {one.question}:", one.notes))
    agreement = [of[name] for name in (
        "survey-agreement", "survey-rater-means", "survey-repeats", "survey-catch"
    ) if name in of]  # fmt: skip
    people = [of["survey-raters"], _notes("What is in no test, and why:", result.notes)]
    if found.comments:
        people.append(as_html(_comments(found)))
    sections = {
        "scores": ("Scores", scores),
        "tests": ("Do the methods differ?", [_HOW, *compared]),
        "agreement": ("Agreement", agreement),
        "raters": ("Raters, and what is left out", people),
        "made-with": ("Settings, versions", [as_html(_facts(made)), _FOOT]),
    }
    nav = "".join(f'<a href="#{name}">{escape(t)}</a>' for name, (t, _) in sections.items())
    body = "\n".join(
        f'<section id="{name}"><h2>{escape(t)}</h2>{"".join(parts)}</section>'
        for name, (t, parts) in sections.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}{MORE_CSS}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>"
        f'<p class="meta">{escape(f"afmsr {__version__}, study {study.id}")}</p>'
        f'<section class="summary" aria-label="Summary">{_list(summary(found, result))}</section>'
        f'</header>\n<nav aria-label="Contents">{nav}</nav>\n{body}\n</body>\n</html>\n'
    )


_HOW = (
    f"<p>The {MODEL} decides: scores are an order, some raters are kinder and some images easier, "
    "and it takes that out. Where it has no finite estimate, Friedman's and Wilcoxon's tests on "
    "raters × images decide. The tests with images as blocks ask more: whether the finding would "
    "hold for other images. One-way Tukey is the paper's test, to compare with it; it knows "
    "nothing of raters and images.</p>"
)

_FOOT = (
    "<footer><p>The tables are beside this page in tables/ (CSV in full precision, Markdown, LaTeX "
    "for booktabs), the figures in figures/ (PNG, SVG), everything in analysis.json. The survey is "
    "that of Beilstein J. Nanotechnol. 2025, 16, 1129–1140, doi 10.3762/bjnano.16.83.</p></footer>"
)


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.files["svg"]).decode("ascii")
    return (
        f'<figure id="figure-{escape(picture.name)}"><img width="{picture.width}" '
        f'alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in items)}</ul>" if items else ""


def _notes(title: str, items: Sequence[str]) -> str:
    return f'<div class="notes"><p>{escape(title)}</p>{_list(items)}</div>'


def _comments(found: Answers) -> Table:
    rows = [[Cell(one.rater), Cell(one.image), Cell(one.text)] for one in found.comments]
    return Table(name="survey-comments", caption="Comments of raters",
                 head=[*map(Cell, ("Rater", "Image", "Comment"))], rows=rows, words=3)  # fmt: skip


# --- what it was made with -------------------------------------------------------------------


def _made_with(study: Study, key: Key, found: Answers, result: SurveyAnalysis) -> dict[str, Any]:
    held = sorted((s.rater, s.item, s.question, s.score) for s in study.scores())
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


def _write(path: Path, data: str | bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    with writing(path, force=True) as file:
        file.write(data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)
