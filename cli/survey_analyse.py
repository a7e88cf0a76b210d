"""``afmsr survey analyse | export | import``: what the scores say, and scores as CSV."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from afmsr_core.errors import UsageError
from afmsr_core.quantity import counted

from .actions import add_action

__all__ = ["add_analyse", "add_export", "add_import"]


def add_analyse(actions: Any) -> None:
    """Add ``afmsr survey analyse``."""
    parser = add_action(
        actions,
        "analyse",
        _analyse,
        "means, tests and agreement of the scores, on one page",
        "  afmsr survey analyse study/                 -> study-analysis/analysis.html\n"
        "  afmsr survey analyse study/ --key safe/study.key.json -o result/\n\n"
        "The result tells which method is which: keep it from raters who are not done.\n"
        "exit status: 0 done, 1 the study or key cannot be used, 2 usage, 3 no scores yet,\n"
        "4 the extra eval is missing",
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    parser.add_argument("--key", type=Path, metavar="FILE", help="default: STUDY.key.json beside")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="default: STUDY-analysis beside it"
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="level of every test (%(default)s)"
    )
    parser.add_argument("--confidence", type=float, default=0.95, help="of intervals (%(default)s)")
    parser.add_argument(
        "--resamples", type=int, default=10_000, help="of the bootstrap (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")


def add_export(actions: Any) -> None:
    """Add ``afmsr survey export``."""
    parser = add_action(
        actions,
        "export",
        _export,
        "scores as CSV, or an empty form to fill in",
        "  afmsr survey export study/ -o scores.csv\n"
        "  afmsr survey export study/ --with-methods   with what the items are; needs the key\n"
        "  afmsr survey export study/ --form --rater anna -o anna.csv",
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    parser.add_argument("--force", action="store_true", help="overwrite an existing output")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--with-methods", action="store_true", help="unblinds; needs the key")
    what.add_argument("--form", action="store_true", help="an empty form, sheet by sheet")
    parser.add_argument("--key", type=Path, metavar="FILE", help="default: STUDY.key.json beside")
    parser.add_argument(
        "--rater", action="append", default=[], metavar="NAME", help="of --form: whose (all)"
    )
    parser.add_argument("--long", action="store_true", help="of --form: one score a line")


def add_import(actions: Any) -> None:
    """Add ``afmsr survey import``."""
    parser = add_action(
        actions,
        "import",
        _import,
        "add scores that were given on paper or in a spreadsheet",
        "  afmsr survey import study/ anna.csv\n"
        "  afmsr survey import study/ filled.csv --rater anna --dry-run\n\n"
        "All files are taken, or none. Empty cells are no scores.",
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, wide or long")
    parser.add_argument("--rater", metavar="NAME", help="whose, for files without that column")
    parser.add_argument("--force", action="store_true", help="replace scores that contradict")
    parser.add_argument("--dry-run", action="store_true", help="check the files, add nothing")


def _analyse(args: argparse.Namespace) -> int:
    from afmsr_core.survey.analysis import analyse_study
    from afmsr_core.survey.analysis_page import summary, write_analysis
    from afmsr_core.survey.answers import answers
    from afmsr_core.survey.outcome import Settings
    from afmsr_core.survey.study import Key, Study, key_path

    settings = Settings(
        alpha=args.alpha, confidence=args.confidence, resamples=args.resamples, seed=args.seed
    )
    study = Study.read(args.study)
    home = args.study.resolve()
    folder = args.output or home.with_name(f"{home.name}-analysis")
    _outside(folder, args.study)
    key = Key.read(args.key or key_path(args.study))
    found = answers(study, key)
    if not found.raters:
        print(
            f"afmsr: {args.study}: has no scores of results yet; send the raters their links "
            "(afmsr survey serve), or import forms (afmsr survey import)",
            file=sys.stderr,
        )
        return 3
    result = analyse_study(found, settings)
    page = write_analysis(folder, study, key, found, result)
    for sentence in summary(found, result):
        print(sentence)
    print(f"page: {page}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from afmsr_core.io.atomic import writing
    from afmsr_core.survey.study import Key, Study, key_path
    from afmsr_core.survey.tables import form_csv, scores_csv

    if not args.form and (args.rater or args.long):
        raise UsageError("--rater and --long: are for --form; add it")
    study = Study.read(args.study)
    if args.with_methods and args.output:
        _outside(args.output, args.study)
    if args.form:
        text = form_csv(study, args.rater, args.long)
    else:
        key = Key.read(args.key or key_path(args.study)) if args.with_methods else None
        text = scores_csv(study, key)
    if args.output:
        with writing(args.output, args.force) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    else:
        sys.stdout.write(text)
    if not args.form and text.count("\n") == 1:
        print(f"afmsr: {args.study}: has no scores yet", file=sys.stderr)
        return 3
    return 0


def _import(args: argparse.Namespace) -> int:
    from afmsr_core.survey.forms import merged, read_scores
    from afmsr_core.survey.study import Study

    study = Study.read(args.study)
    before = set(study.store.raters())
    filled = merged(
        [
            (file, read_scores(file, study, rater=args.rater, force=args.force))
            for file in args.files
        ]
    )
    added = 0 if args.dry_run else filled.add_to(study, force=args.force)
    new = sorted({one.rater for one in filled.scores} - before)
    if new:
        print(f"new raters: {', '.join(new)} (if a name is misspelt, correct the file)")
    told = "would be taken (dry run)" if args.dry_run else f"read, {added} new or changed"
    print(f"{counted(len(filled.scores), 'score')} {told}, {counted(filled.empty, 'cell')} empty")
    return 0 if filled.scores or filled.comments else 3


def _outside(target: Path, study: Path) -> None:
    """Raise UsageError if what unblinds would lie in the folder that raters see."""
    home = study.resolve()
    if home == target.resolve() or home in target.resolve().parents:
        raise UsageError(
            f"{target}: lies in the study folder, which raters may see, and would tell which "
            "method is which; choose another place with -o"
        )
