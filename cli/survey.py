"""``afmsr survey``: experts score shuffled, unlabelled results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from afmsr_core.errors import OutputError, UsageError
from afmsr_core.quantity import counted
from afmsr_core.survey.guard import Place, is_loopback

from .actions import add_action, add_actions
from .progress import Progress
from .streams import unwritten
from .survey_analyse import add_analyse, add_export, add_import

__all__ = ["add_parser"]

PORT = 8765

_EPILOG = """\
examples:
  afmsr survey build scans-results -o study/          bicubic, RCAN and RDN, as in the paper
  afmsr survey serve study/                           prints a link for each rater
  afmsr survey analyse study/                         means, tests, agreement, a page

Keep study.key.json to yourself: it tells which method made which image.
"""

_BUILD = """\
  afmsr survey build scans-results --list                the methods that can be shown
  afmsr survey build scans-results -o study/ --methods bicubic,carn,afm --raters anna,ben,carl
  afmsr survey build scans-results -o study/ --sets 12 --repeats 3 --catch 2 --sheets sheets/
  afmsr survey build images/ -o study/      images/PAIR/truth.png, images/PAIR/METHOD.png
"""

_SERVE = """\
  afmsr survey serve study/
  afmsr survey serve study/ --raters dora --key study.key.json     one rater more
  afmsr survey serve study/ --host 192.168.1.7                     for the whole network
  afmsr survey serve study/ --url https://survey.example.org       behind a proxy with HTTPS
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "survey",
        help="let experts score results without knowing the method",
        description="A blind expert survey: build it, serve it, analyse it.",
        epilog=_EPILOG,
    )
    actions = add_actions(parser)
    _add_build(actions)
    _add_serve(actions)
    add_analyse(actions)
    add_export(actions)
    add_import(actions)


# --- build ---------------------------------------------------------------------------------


def _add_build(actions: Any) -> None:
    from afmsr_core.survey.build import RATERS
    from afmsr_core.survey.sheets import FORMATS

    build = add_action(actions, "build", _build, "make a study folder and its key", _BUILD)
    build.add_argument(
        "results", type=Path, metavar="RESULTS", help="what afmsr-eval wrote, or a folder of images"
    )
    build.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("study"),
        metavar="STUDY",
        help="folder to make (default: %(default)s)",
    )
    build.add_argument(
        "--methods",
        type=_names,
        default=[],
        metavar="A,B",
        help="of those that --list shows (default: bicubic,rcan,rdn as in the paper; of images, "
        "all)",
    )
    build.add_argument(
        "--list", action="store_true", help="only list the methods that RESULTS holds"
    )
    build.add_argument("--sets", type=int, metavar="N", help="pairs to show (default: all)")
    build.add_argument(
        "--repeats",
        type=int,
        default=0,
        metavar="R",
        help="sets to show twice, to see how reliable raters are",
    )
    build.add_argument(
        "--catch",
        type=int,
        default=0,
        metavar="N",
        help="sets that show the truth as one more result",
    )
    build.add_argument(
        "--raters",
        type=_names,
        default=list(RATERS),
        metavar="A,B",
        help=f"names or labels (default: {','.join(RATERS)})",
    )
    build.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="of choices and orders; as secret as the key (default: drawn)",
    )
    build.add_argument(
        "--crop",
        type=int,
        metavar="PX",
        help="side of what is shown, in pixels of the truth (default: 370)",
    )
    build.add_argument("--title", default="Image survey", help="default: %(default)s")
    build.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="where the key goes (default: STUDY.key.json, beside the folder)",
    )
    build.add_argument("--sheets", type=Path, metavar="FOLDER", help="write sheets to print, too")
    build.add_argument(
        "--sheet-format",
        choices=list(FORMATS),
        default="pdf",
        help="a PDF a rater, or PNGs of 1000 dpi (default: %(default)s)",
    )
    build.add_argument("--quiet", action="store_true", help="no progress, only warnings and errors")


def _build(args: argparse.Namespace) -> int:
    from afmsr_core.survey.build import build_study
    from afmsr_core.survey.sheets import write_sheets
    from afmsr_core.survey.sources import methods_in

    if args.list:
        for method, pairs in methods_in(args.results).items():
            print(f"{method}\t{counted(pairs, 'pair')}")
        return 0
    with Progress(1, args.quiet) as progress:
        built = build_study(
            args.results,
            args.output,
            methods=args.methods,
            sets=args.sets,
            repeats=args.repeats,
            catch=args.catch,
            seed=args.seed,
            raters=args.raters,
            crop=args.crop,
            title=args.title,
            key_to=args.key,
            progress=progress.within("images"),
        )
        for pair, reason in built.left_out.items():
            print(f"afmsr: left out: {pair}: {reason}", file=sys.stderr)
        study = built.study
        if args.sheets:
            write_sheets(study, args.sheets, args.sheet_format, progress=progress.within("sheets"))
        items = sum(len(one.items) for one in study.sets)
        raters = len(study.store.raters())
        sizes = ((len(study.sets), "set"), (items, "result"), (raters, "rater"))
        progress.done(", ".join(counted(*size) for size in sizes))
    if args.sheets:
        print(f"sheets: {args.sheets}")
    print(f"study: {args.output}")
    print(f"key, for nobody who scores: {built.key_path}")
    return 0


# --- serve ---------------------------------------------------------------------------------


def _add_serve(actions: Any) -> None:
    serve = add_action(
        actions, "serve", _serve, "show a study to its raters, as a web page", _SERVE
    )
    serve.add_argument("study", type=Path, metavar="STUDY", help="what survey build made")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; another than the default lets others in (default: %(default)s)",
    )
    serve.add_argument("--port", type=int, default=PORT, help="0 for any (default: %(default)s)")
    serve.add_argument("--url", help="what raters type, if not that: http://lab-7:8765")
    serve.add_argument(
        "--raters",
        type=_names,
        default=[],
        metavar="A,B",
        help="add raters; needs the key, which is closed again before serving",
    )
    serve.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="for --raters (default: STUDY.key.json, beside the folder)",
    )
    serve.add_argument(
        "--new-links",
        type=_names,
        default=[],
        metavar="A,B",
        help="raters whose links were lost, or 'all'; the old ones end",
    )


def _serve(args: argparse.Namespace) -> int:
    from afmsr_core.survey.server import application, invite, listen, serve
    from afmsr_core.survey.study import Study

    study = Study.read(args.study)
    place = Place.of(args.host, args.port, args.url)  # before anything is done
    _add_raters(study, args)
    raters = study.store.raters()
    lost = raters if args.new_links == ["all"] else args.new_links
    if strangers := [name for name in lost if name not in raters]:
        raise UsageError(
            f"--new-links {','.join(strangers)}: no such rater; there are {', '.join(raters)}"
        )
    if not raters:
        raise UsageError(f"{args.study}: has no raters yet; add some with --raters and --key")
    listening = listen(args.host, args.port)
    place = Place.of(args.host, listening.getsockname()[1], args.url)
    if not is_loopback(args.host):
        print(
            f"afmsr: warning: everybody who reaches {args.host} can reach this page. Links are the "
            f"only lock, and without HTTPS (a proxy, and --url https://...) they can be read on "
            f"the way.",
            file=sys.stderr,
        )
    app = application(study, place)  # before anybody is told
    known = study.store.tokens()
    links = invite(study, [one for one in raters if one in lost or one not in known], place)
    for rater, link in links.items():
        print(f"{rater}\t{link}")
    sys.stdout.flush()
    if links and (why := unwritten()):
        raise OutputError(
            f"standard output: the links were not written ({why.strerror}), and they cannot be "
            f"shown again; make others with --new-links {','.join(links)}"
        )
    if links:
        print(f"{len(links)} links, shown this once; --new-links makes others", file=sys.stderr)
    if old := [rater for rater in raters if rater not in links]:
        print(f"links from before still hold: {', '.join(old)}", file=sys.stderr)
    print(f"serving {args.study} at {place.url}; Ctrl+C ends", file=sys.stderr, flush=True)
    serve(app, study, listening)
    return 0


def _add_raters(study: Any, args: argparse.Namespace) -> None:
    from afmsr_core.survey.build import add_raters
    from afmsr_core.survey.study import Key, key_path

    if args.raters:
        add_raters(study, Key.read(args.key or key_path(args.study)), args.raters)


def _names(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
