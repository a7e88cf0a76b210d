"""``afmsr-eval PAIRS`` (also ``afmsr eval``): the paper's evaluation on paired scans."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import Cancelled, UnreadableFileError, UsageError
from afmsr_core.quantity import counted
from afmsr_core.stopping import asked
from afmsr_core.text import decimal_comma

from .errorlog import kept
from .options import add_cluster_options, scheduler

if TYPE_CHECKING:
    from afmsr_core.evaluation import EvaluationSettings
    from afmsr_core.pairing import Pair, Unpaired

__all__ = ["add_parser", "main", "run"]

CONFIG = "afmsr-eval.toml"
ENVIRONMENT = {
    # Fields are small here: a second thread of a library only waits, at full load.
    **{"OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"},
    # Else torch's threads wait for each other at full load: on a busy machine a pass of CARN-M
    # took twice as long, and twice the processor time.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Else glibc gives the memory of most fields back, and the system clears it for the next one.
    # 32 MiB is the most that glibc takes, and larger fields are given back as before.
    **{"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)},
}
"""Of an evaluation, where the user has not set it."""

MALLOPT = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_MMAP_THRESHOLD_": -3}
"""Numbers in glibc's malloc.h: it reads the variables where a process starts, so this one, which
has started, is told by a call."""

MANY = 6
"""Pairs from which a second process repays its start of two seconds."""
DESCRIPTION = (
    "Upscale the coarse scan of every pair with every method, and compare with the fine one."
)

_EPILOG = """\
examples:
  afmsr eval pairs/                  the same as: afmsr-eval pairs/
      pairs/a_low.gwy + pairs/a_high.gwy, or pairs/low/ + pairs/high/, or pairs/pairs.csv;
      writes pairs-results/report.html
  afmsr eval pairs/ --dry-run
      which files are paired, which are not, which methods can run
  afmsr eval pairs/ -o results/ --methods bicubic,afm,rcan --jobs 2
  afmsr eval pairs/ --protocol nm --methods bicubic,afm,afm@0.5,afm@1 --full-scan
      what sharpness costs, and whether the numbers of a full scan hold
  afmsr eval pairs/ --dask tcp://node1:8786
      on a Dask cluster that sees the same files

Sub-folders are data sets. A second run computes only what changed. Options may also stand in
PAIRS/afmsr-eval.toml, as `methods = ["bicubic", "afm"]`; those given here win.

exit status: 0 all pairs scored, 1 some failed or were rejected, 2 usage, 3 no pairs,
4 a method that was asked for cannot run, 130 interrupted (what is done is kept)
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser of ``afmsr``."""
    _add_options(
        commands.add_parser(
            "eval",
            description=DESCRIPTION,
            epilog=_EPILOG,
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``afmsr-eval``."""
    from .main import main as afmsr

    return afmsr(["eval", *(sys.argv[1:] if argv is None else argv)])


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="folder with pairs")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="RESULTS",
        help="folder for the report (default: PAIRS-results, beside PAIRS)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: PAIRS/{CONFIG}")
    parser.add_argument(
        "--methods",
        metavar="A,B",
        help="default: all that can run here; afm@0.5 is afm, half of the way to as rough as a "
        "full scan",
    )
    parser.add_argument("--protocol", choices=("paper", "nm"), help="default: both")
    parser.add_argument(
        "--align",
        choices=("protocol", "shared", "per-method"),
        help="one alignment per pair, or one per method (default: as the protocol says)",
    )
    parser.add_argument("--channel", metavar="WHICH", help="number, title or pattern")
    parser.add_argument("--level", metavar="STEPS", help="of both members (default: plane)")
    parser.add_argument("--crop", type=int, metavar="PX", help="score this square in the middle")
    parser.add_argument(
        "--ratio",
        type=float,
        help="how much nearer a match of features must be than the next (default: 0.75)",
    )
    parser.add_argument("--peak", choices=("255", "reference"), help="of the paper's PSNR")
    parser.add_argument("--niqe-parameters", metavar="FILE", help="from afmsr fit-niqe")
    parser.add_argument("--ma-parameters", metavar="FILE", help="other parameters of Ma")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="METHOD=FILE", help="other weights"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="made by afmsr calibrate (default: the shipped one)",
    )
    parser.add_argument(
        "--full-scan",
        action="store_const",
        const=True,
        help="compare the numbers that a full scan would give with those of the truth",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of what afm@T and --full-scan draw (default: 0)"
    )
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:N, mps")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="pairs at a time (default: 2 for many, else 1)"
    )
    add_cluster_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan, do nothing")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and errors"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate everything that was asked for."""
    _prepare()
    from afmsr_core import evaluation
    from afmsr_core.pairing import find_pairs

    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}: give a positive number")
    if args.jobs is not None and args.jobs > 1 and scheduler(args) is not None:
        raise UsageError(
            f"--jobs {args.jobs}: is for this computer; on a cluster start more workers instead"
        )
    options = _options(args)
    found = find_pairs(args.pairs, channel=options.pop("channel", None))
    settings, missing = _settings(options)
    folder = args.output or _beside(args.pairs)
    unpaired = [file for file in found.unpaired if folder.resolve() not in _parents(file.path)]
    if args.dry_run:
        _show(found.pairs, unpaired, settings, missing, folder)
        return 0 if found.pairs else 3
    for file in unpaired:
        print(f"afmsr-eval: not paired: {file.path}: {file.reason}", file=sys.stderr)
    if not found.pairs:
        print(
            f"afmsr-eval: no pairs in {args.pairs}; give a folder with NAME_low and NAME_high",
            file=sys.stderr,
        )
        return 3
    evaluation.begin(settings, folder)
    due = [pair for pair in found.pairs if evaluation.outdated(pair, settings, folder)]
    log = _evaluate(due, settings, folder, args)
    listed = [{"path": str(file.path), "reason": file.reason} for file in unpaired]
    result = evaluation.collect(found.pairs, settings, folder, missing, listed)
    status = _tell(result, _report(folder), len(found.pairs) - len(due))
    if log:
        print(f"afmsr-eval: tracebacks are in {log}", file=sys.stderr)
    return status


def _prepare() -> None:
    """Set the environment, for this process and those that it starts."""
    for name, value in ENVIRONMENT.items():
        if name in os.environ:
            continue
        os.environ[name] = value
        if name in MALLOPT and sys.platform == "linux":
            import ctypes

            with contextlib.suppress(AttributeError):  # another library than glibc
                ctypes.CDLL(None).mallopt(MALLOPT[name], int(value))


def _beside(pairs: Path) -> Path:
    """Return where results go if nothing is said."""
    named = pairs if pairs.name not in ("", "..") else pairs.resolve()
    return named.with_name(f"{named.stem if named.is_file() else named.name}-results")


def _parents(path: Path) -> Sequence[Path]:
    return path.resolve().parents


def _report(folder: Path) -> Path:
    """Return the report, which is made anew if the results are newer."""
    page = folder / "report.html"
    newest = (folder / "results.json").stat().st_mtime_ns
    if page.is_file() and page.stat().st_mtime_ns >= newest:
        return page
    from afmsr_core.report import write_report

    return write_report(folder)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was chosen: by options, else by the file."""
    home = args.pairs.parent if args.pairs.is_file() else args.pairs
    config = args.config or home / CONFIG
    chosen: dict[str, Any] = {}
    if args.config or config.exists():
        chosen = _read_config(config)
    for name in WORDS:
        if getattr(args, name) is not None:
            chosen[name] = getattr(args, name)
    if isinstance(chosen.get("methods"), str):
        chosen["methods"] = [name.strip() for name in chosen["methods"].split(",")]
    given = [item.partition("=") for item in args.weights]
    if wrong := [name for name, sign, file in given if not (sign and file)]:
        raise UsageError(f"--weights {wrong[0]}: give METHOD=FILE, such as edsr=edsr.safetensors")
    by_flag: dict[str, dict[str, Any]] = {
        "metrics": {
            "psnr_peak": args.peak,
            "niqe_parameters": args.niqe_parameters,
            "ma_parameters": args.ma_parameters,
        },
        "alignment": {"ratio": args.ratio},
        "weights": {name: file for name, _, file in given},
    }
    for table, values in by_flag.items():
        set_here = {name: value for name, value in values.items() if value is not None}
        chosen[table] = chosen.get(table, {}) | set_here
    return chosen


WORDS = (
    *("methods", "protocol", "align", "channel", "level", "crop", "calibration", "device"),
    *("full_scan", "seed"),
)
TABLES = ("metrics", "alignment", "statistics", "weights")


def _read_config(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    from afmsr_core.io.files import contents

    try:
        text = contents(path).decode("utf-8-sig")  # some editors put a mark before all else
        chosen = tomllib.loads(text)
    except UnreadableFileError as error:
        raise UsageError(str(error)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the text is not UTF-8 ({error}); save it as UTF-8") from error
    except ValueError as error:
        found = re.search(r"=\s*([+-]?[0-9]+,[0-9]+)\s*(?:#|$)", text, re.MULTILINE)
        hint = decimal_comma(found[1]) if found else ""
        raise UsageError(f"{path}: {error}{hint}") from error
    known = (*WORDS, *TABLES)
    for name, value in chosen.items():
        if name not in known:
            raise UsageError(f"{path}: no option is named {name!r}; there are {', '.join(known)}")
        if isinstance(value, dict) != (name in TABLES):
            raise UsageError(
                f"{path}: {name} = {value!r}: give "
                + (f"a table [{name}]" if name in TABLES else "a value, not a table")
            )
    if isinstance(chosen.get("channel"), int):  # a number, as on the command line
        chosen["channel"] = str(chosen["channel"])
    for name in ("protocol", "align", "channel", "level", "calibration", "device"):
        if not isinstance(chosen.get(name, ""), str):
            raise UsageError(f"{path}: {name} = {chosen[name]!r}: put it between quotes")
    return chosen


def _settings(options: dict[str, Any]) -> tuple[EvaluationSettings, dict[str, str]]:
    """Return the settings and the methods that cannot run, with the cure."""
    from afmsr_core import evaluation, methods
    from afmsr_core.alignment import AlignmentSettings
    from afmsr_core.statistics import Settings as StatisticsSettings

    asked = options.pop("methods", None)
    weights = {
        methods.get(name).name: Path(str(file)) for name, file in options.pop("weights", {}).items()
    }
    if asked:
        if not isinstance(asked, list):
            raise UsageError(f"methods = {asked!r}: give names, as ['bicubic', 'afm']")
        names = list(dict.fromkeys(methods.chosen(str(name)).name for name in asked))
        for name in names:  # a method asked for by name must run
            evaluation.runs(name, weights.get(methods.chosen(name).method.name))
        missing: dict[str, str] = {}
    else:
        names, missing = evaluation.methods_at_hand(methods.names(), weights)
    protocol = options.pop("protocol", None)
    alignment = options.pop("alignment", {})
    calibration = options.pop("calibration", None)
    try:
        statistics = StatisticsSettings(**options.pop("statistics", {}))
    except (TypeError, AttributeError) as error:
        raise UsageError(f"statistics: {error}") from error
    settings = evaluation.EvaluationSettings(
        methods=tuple(names),
        protocols=(protocol,) if protocol else evaluation.PROTOCOLS,
        alignment=AlignmentSettings.from_dict(alignment),
        paper_alignment=AlignmentSettings.from_dict(
            AlignmentSettings.paper().as_dict() | alignment
        ),
        statistics=statistics,
        weights=weights,
        calibration=None if calibration is None else Path(calibration),
        **options,
    )
    return settings, missing


def _evaluate(
    pairs: Sequence[Pair], settings: EvaluationSettings, folder: Path, args: argparse.Namespace
) -> Path | None:
    """Evaluate pairs; return the log, if there had to be one."""
    from afmsr_core.evaluation.many import each
    from afmsr_core.inference.onnx_engine import usable_threads

    from .progress import Progress

    log = None
    cores = usable_threads()
    jobs = args.jobs or min(cores, _pays(len(pairs), settings.methods))
    settings = replace(settings, threads=max(1, cores // jobs))
    with Progress(len(pairs), args.quiet) as progress:
        done = each(
            pairs,
            settings,
            folder,
            processes=jobs,
            scheduler=scheduler(args),
            within=progress.within,
            tell=lambda sentence: progress.say(f"afmsr-eval: {sentence}"),
        )
        for pair, record in done:
            if record["status"] == "failed" and asked():
                raise Cancelled("told to stop")  # for which it may have failed
            log = kept(pair.id, record.get("traceback")) or log
            progress.done(f"{pair.id} {record['status']}")
    return log


def _pays(pairs: int, names: Sequence[str]) -> int:
    """Return how many processes pay: a second one for many pairs, where none needs much memory."""
    from afmsr_core import methods

    large = any(methods.chosen(name).method.extra for name in names)  # networks that need torch
    return 2 if pairs >= MANY and not large else 1


def _show(
    pairs: Sequence[Pair],
    unpaired: Sequence[Unpaired],
    settings: EvaluationSettings,
    missing: dict[str, str],
    folder: Path,
) -> None:
    for pair in pairs:
        print(f"{pair.data_set or '-'}\t{pair.id}\t{pair.low}\t{pair.high}")
    for file in unpaired:
        print(f"not paired: {file.path}: {file.reason}")
    told = counted(len(pairs), "pair"), counted(len(unpaired), "file")
    print(f"{told[0]}, {told[1]} without a partner")
    print(f"methods: {', '.join(settings.methods)}")
    for name, reason in missing.items():
        print(f"not run: {name}: {reason}")
    print(f"results: {folder}")
    print(json.dumps(settings.as_dict(), indent=1))


def _tell(result: dict[str, Any], page: Path, kept: int) -> int:
    failed = [pair for pair in result["pairs"] if pair["status"] != "scored"]
    for pair in failed:
        print(f"afmsr-eval: {pair['id']} {pair['status']}: {pair['reason']}", file=sys.stderr)
    for pair in result["pairs"]:
        for note in pair.get("notes", ()):
            print(f"afmsr-eval: warning: {pair['id']}: {note}", file=sys.stderr)
        for warning in (pair["alignment"] or {}).get("warnings", ()):
            print(f"afmsr-eval: {pair['id']}: {warning}", file=sys.stderr)
    scored = len(result["pairs"]) - len(failed)
    print(f"{counted(scored, 'pair')} scored, {len(failed)} not, {kept} taken from an earlier run")
    print(f"report: {page}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
