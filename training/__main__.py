"""``python -m training``: make, package and judge the shipped weights."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from afmsr_core.errors import AfmsrError, UsageError
from afmsr_core.grid import Scale
from training import corpus
from training.batches import Noise
from training.methods import Method, by, mean_of, named, product
from training.score import CONDITIONS, Score, interpolated, score
from training.table import gains, table, wins

if TYPE_CHECKING:
    from afmsr_core.methods.afm_network import AfmNetwork

DATA = Path(__file__).parent.parent / "afmsr_core" / "data"
PICTURES = Path(__file__).parent.parent / "docs" / "images"
SPLITS = {
    "dev": corpus.dev_scans,
    "aside": corpus.aside_scans,
    "unseen": corpus.unseen_scans,
}

_EPILOG = """\
examples:
  python -m training --corpus CORPUS fit runs/a           about an hour on one processor
  python -m training --corpus CORPUS teach runs/lessons --weights edsr=edsr_x4.safetensors
  python -m training --corpus CORPUS fit runs/b --lessons runs/lessons --splits train extra
  python -m training tune pairs/ -o runs/ours             your pairs, laid out as for afmsr-eval
  python -m training export runs/a                        -> afmsr_core/data
  python -m training --corpus CORPUS score                the table of the model card
  python -m training --corpus CORPUS score --scans unseen --weights carn_m=carn_m.pth
  python -m training --corpus CORPUS card runs/a          -> afmsr_core/data/afm.md
"""


def main() -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/afm"))
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="train, or go on after an interruption")
    fit.add_argument("folder", type=Path)
    fit.add_argument(
        "--scale", choices=("4", "1x4", "1x2"), default="4",
        help="4 along both axes, or lines only (%(default)s)",
    )  # fmt: skip
    fit.add_argument(
        "--splits", nargs="+", choices=corpus.SPLITS, default=["train"],
        help="of the corpus (%(default)s)",
    )  # fmt: skip
    fit.add_argument("--steps", type=int, default=20_000)
    fit.add_argument("--blocks", type=int, help="of the network (default: as shipped)")
    fit.add_argument(
        "--head", type=int, nargs=2, metavar=("LINES", "POINTS"),
        help="that the first filters see, both odd (default: as shipped)",
    )  # fmt: skip
    fit.add_argument(
        "--lessons", type=Path, metavar="FOLDER", help="learn also from what `teach` wrote"
    )
    fit.add_argument(
        "--trust", type=float, default=0.6,
        help="in the teacher rather than the truth, 0 to 1 (%(default)s)",
    )  # fmt: skip
    fit.add_argument(
        "--lesson-share", type=float, default=0.45, help="of all patches (%(default)s)"
    )
    fit.add_argument("--rate", type=float, default=1e-3, help="learning rate (%(default)s)")
    fit.add_argument(
        "--from", dest="start", type=Path, metavar="FILE", help="weights to go on from"
    )
    fit.add_argument(
        "--seed", type=int, default=20251129,
        help="of weights and batches (%(default)s); another one when going on",
    )  # fmt: skip
    fit.add_argument(
        "--generated", type=float, default=0.4,
        help="share of patches from generated surfaces (%(default)s)",
    )  # fmt: skip
    fit.add_argument(
        "--per-kind", type=int, default=60, help="generated surfaces of a kind (%(default)s)"
    )
    fit.add_argument(
        "--kind", action="append", default=[], metavar="SPECIMEN=SHARE",
        help="also this share of patches from one kind of generated surface; may be repeated",
    )  # fmt: skip
    fit.add_argument(
        "--bad-lines", type=float, default=0.0,
        help="share of patches from fields with single bad lines (%(default)s)",
    )  # fmt: skip
    fit.add_argument(
        "--photographs", type=Path, metavar="FOLDER",
        help="train on photographs instead, without noise: a rival, not to be shipped",
    )  # fmt: skip
    fit.add_argument("--quiet", type=float, default=0.5, help="share without noise (%(default)s)")
    fit.add_argument(
        "--noise", type=float, default=0.005, help="median, of the range (%(default)s)"
    )
    fit.add_argument(
        "--along", type=float, default=0.0,
        help="median of the noise along the lines that is not white (%(default)s)",
    )  # fmt: skip
    fit.add_argument(
        "--scars", type=float, nargs="+", default=Noise().scars, metavar="NUMBER",
        help="expected numbers per 256 lines, one of which is drawn for a scan",
    )  # fmt: skip
    fit.add_argument("--loudest", type=float, default=0.03, help="at most (%(default)s)")
    fit.add_argument("--threads", type=int, default=1)
    fit.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    fit.set_defaults(run=_fit)
    school = commands.add_parser(
        "teach", help="have a large network upscale scans of the training fields, for `fit`"
    )
    school.add_argument("folder", type=Path)
    school.add_argument(
        "--weights", required=True, metavar="METHOD=FILE",
        help="of the teacher; its licence has to allow to ship what learns from it",
    )  # fmt: skip
    school.add_argument("--splits", nargs="+", choices=corpus.SPLITS, default=corpus.SPLITS)
    school.add_argument("--number", type=int, default=704, help="of lessons (%(default)s)")
    school.add_argument("--seed", type=int, default=20261127)
    school.set_defaults(run=_teach)
    curves = commands.add_parser("curves", help="draw the log of a training")
    curves.add_argument("folder", type=Path)
    curves.set_defaults(run=_curves)
    tune = commands.add_parser("tune", help="fine-tune the network on pairs of your own")
    tune.add_argument("pairs", type=Path, help="laid out as for afmsr-eval")
    tune.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    tune.add_argument(
        "--weights", type=Path, default=DATA / "afm.safetensors", help="where to start"
    )
    tune.add_argument("--steps", type=int, default=2000, help="at most (default: %(default)s)")
    tune.add_argument(
        "--frozen-body", action="store_true",
        help="train the first and last layer only: for a handful of pairs",
    )  # fmt: skip
    tune.add_argument("--threads", type=int, default=1)
    tune.set_defaults(run=_tune)
    mix = commands.add_parser("blend", help="average a training and the one that went on from it")
    mix.add_argument("before", type=Path, metavar="FOLDER")
    mix.add_argument("after", type=Path, metavar="FOLDER")
    mix.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    mix.add_argument("--share", type=float, default=0.3, help="of the second (%(default)s)")
    mix.set_defaults(run=_blend)
    export = commands.add_parser("export", help="put trained weights into the package")
    export.add_argument("folder", type=Path)
    export.set_defaults(run=_export)
    judging = argparse.ArgumentParser(add_help=False)
    judging.add_argument(
        "--weights", action="append", default=[], metavar="METHOD[@LABEL]=FILE",
        help="also this network; LABEL tells two files of one method apart",
    )  # fmt: skip
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--scans", choices=list(SPLITS), default="dev", help="(%(default)s)")
    chosen.add_argument("--max-side", type=int, help="leave out scans with a longer side")
    scores = commands.add_parser("score", help="PSNR, SSIM, sharpness", parents=[judging, chosen])
    scores.add_argument(
        "--scale", choices=("4", "1x4", "1x2"), default="4",
        help="1x4 and 1x2: of line scans, against square scans of the same time (%(default)s)",
    )  # fmt: skip
    scores.add_argument(
        "--middle", type=int, metavar="PIXELS",
        help="only that many pixels a side of each scan, for slow networks",
    )  # fmt: skip
    scores.add_argument(
        "--each", action="store_true", help="also the gain of every method on every scan"
    )
    scores.add_argument(
        "--mean", nargs=2, metavar="METHOD", help="also the mean of what two of them make"
    )
    scores.set_defaults(run=_score)
    page = commands.add_parser("card", help="score, and write the model card", parents=[judging])
    page.add_argument("folder", type=Path, help="of the training")
    page.add_argument(
        "--lines", type=Path, metavar="FOLDER",
        help="card of the networks for line scans: FOLDER of 1x2, the other of 1x4",
    )  # fmt: skip
    page.add_argument(
        "--slow", action="append", default=[], metavar="METHOD", help="only on small scans"
    )
    page.set_defaults(run=_card)
    drawn = commands.add_parser("pictures", help="draw those of the card", parents=[judging])
    drawn.set_defaults(run=_pictures)
    commands.add_parser("example", help="make the example pair").set_defaults(run=_example)
    args = parser.parse_args()
    try:
        return int(args.run(args))
    except AfmsrError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_status


def _fit(args: argparse.Namespace) -> int:
    import torch
    from safetensors.torch import load_file, save_file

    from afmsr_core.methods.afm_network import HEAD, N_BLOCKS, head_of
    from training.fit import SCALES, Recipe, fit
    from training.lessons import about
    from training.sources import source_of

    torch.set_num_threads(args.threads)
    held_out = corpus.aside_scans(args.corpus, args.splits)
    scale = SCALES[args.scale]
    # What a scan of square pixels would have given in the same time is what is to be beaten.
    square = Scale(scale.rows, scale.rows)
    reference: dict[str, list[Score]] = {}

    def validate(network: AfmNetwork) -> dict[str, float]:
        upscale = by(network)
        figures: dict[str, float] = {}
        for condition in CONDITIONS:
            if condition not in reference:
                bicubic = {"bicubic": partial(interpolated, scale=square)}
                reference[condition] = score(held_out, bicubic, condition, scale=square)["bicubic"]
            scores = score(held_out, {"afm": upscale}, condition, scale=scale)
            pairs = zip(scores["afm"], reference[condition], strict=True)
            gains = np.array([ours.psnr - theirs.psnr for ours, theirs in pairs])
            figures[f"gain_{condition}_db"] = float(gains.mean())
            figures[f"wins_{condition}"] = float(np.mean(gains > 0))
        return figures

    start = hashlib.sha256(args.start.read_bytes()).hexdigest() if args.start else ""
    weights = load_file(args.start) if args.start else None
    quiet = 1.0 if args.photographs else args.quiet
    noise = Noise(
        quiet=quiet, white=args.noise, loudest=args.loudest, along=args.along,
        scars=tuple(args.scars),
    )  # fmt: skip
    recipe = Recipe(
        scale=args.scale,
        splits=tuple(args.splits),
        blocks=args.blocks or N_BLOCKS,
        head=head_of(weights) if weights else tuple(args.head or HEAD),
        lessons=about(args.lessons) if args.lessons else {},
        trust=args.trust,
        lesson_share=args.lesson_share if args.lessons else 0.0,
        steps=args.steps,
        rate=args.rate,
        noise=noise,
        start=start,
        seed=args.seed,
        generated=args.generated,
        per_kind=args.per_kind,
        kinds=_kinds(args.kind),
        bad_lines=args.bad_lines,
        photographs=args.photographs.name if args.photographs else "",
    )
    network = fit(
        source_of(recipe, args.corpus, lessons=args.lessons, photographs=args.photographs),
        recipe,
        args.folder,
        report=lambda line: print(line, flush=True),
        validate=validate,
        device=args.device,
        start=weights,
    )
    save_file(network.cpu().state_dict(), args.folder / "afm.safetensors")
    return 0


def _kinds(given: Sequence[str]) -> dict[str, float]:
    """Return the shares of ``SPECIMEN=SHARE``."""
    from afmsr_core.simulation.specimens import specimen

    shares = {}
    for item in given:
        name, _, share = item.partition("=")
        try:
            shares[specimen(name).name] = float(share)
        except ValueError:
            raise UsageError(f"--kind {item}: give it as SPECIMEN=SHARE, lattice=0.1") from None
    return shares


def _teach(args: argparse.Namespace) -> int:
    from training.fields import real_fields
    from training.lessons import teach

    method, _, file = args.weights.partition("=")
    if not file:
        raise UsageError(f"--weights {args.weights}: give it as METHOD=FILE")
    scans = corpus.training_scans(args.corpus, args.splits)
    teach(
        real_fields(scans, corpus.training_pairs(args.corpus)),
        product(method, Path(file)),
        args.folder,
        number=args.number,
        seed=args.seed,
        about={
            "teacher": method,
            "weights_sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest(),
        },
        report=lambda line: print(line, flush=True),
    )
    return 0


def _curves(args: argparse.Namespace) -> int:
    from training.curves import draw

    print(draw(args.folder))
    return 0


def _tune(args: argparse.Namespace) -> int:
    import torch

    from training.tune import Tuning, tune

    torch.set_num_threads(args.threads)
    result = tune(
        args.pairs,
        args.weights,
        Tuning(steps=args.steps, frozen_body=args.frozen_body),
        args.output,
        report=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print("| judged pair | bicubic, dB | before | after |\n|---|---|---|---|")
    for name, psnr in result["judged"].items():
        print(f"| {name} | {psnr['bicubic']:.2f} | {psnr['before']:.2f} | {psnr['after']:.2f} |")
    print(f"\nafmsr upscale SCAN --method afm --weights {args.output / 'afm.safetensors'}")
    return 0


def _blend(args: argparse.Namespace) -> int:
    from training.blend import blend

    if not 0 <= args.share <= 1:
        raise UsageError(f"--share {args.share}: give a number from 0 to 1")
    blend(args.before, args.after, args.share, args.output)
    return 0


def _export(args: argparse.Namespace) -> int:
    from training.export import export

    for name, digest in export(args.folder / "afm.safetensors", DATA).items():
        print(f"{DATA / name}: {digest}")
    return 0


def _scans(args: argparse.Namespace) -> list[corpus.Scan]:
    scans = [
        scan
        for scan in SPLITS[args.scans](args.corpus)
        if args.max_side is None or max(scan.heights.shape) <= args.max_side
    ]
    if not scans:
        raise UsageError(f"--max-side {args.max_side}: no scan is that small; give a larger one")
    return scans


def _score(args: argparse.Namespace) -> int:
    scans = _scans(args)
    if args.scale != "4":
        from training.fit import SCALES
        from training.lines import REFERENCE, same_time

        print(f"{len(scans)} {args.scans} scans\n")
        for condition in CONDITIONS:
            scored = same_time(scans, condition, SCALES[args.scale])
            print(f"{condition}\n\n{table(scored, REFERENCE)}")
        return 0
    if args.middle:
        scans = [scan.middle(args.middle) for scan in scans]
    methods = named(args.weights)
    if args.mean:
        methods[" + ".join(args.mean)] = mean_of(*(methods[name] for name in args.mean))
    scores = _scores(scans, methods)
    print(f"{len(scans)} {args.scans} scans\n")
    for condition, by_method in scores.items():
        share = wins(by_method, "afm")
        print(f"{condition}: afm beats all interpolations on {share:.0%} of the scans")
        print(f"\n{table(by_method)}")
        if args.each:
            print(gains([scan.sample for scan in scans], by_method))
    return 0


def _card(args: argparse.Namespace) -> int:
    if args.lines:
        return _line_card(args)
    from training.card import SMALL, Judged, card
    from training.pictures import draw
    from training.quality import niqe_model, quality, quality_table
    from training.recipes import splits_of

    model, methods = niqe_model(), named(args.weights)
    fast = {name: method for name, method in methods.items() if name not in args.slow}

    def small(split: str) -> list[corpus.Scan]:
        return [s for s in SPLITS[split](args.corpus) if max(s.heights.shape) <= SMALL]

    judged = []
    for split, scans, among in (
        ("dev", corpus.dev_scans(args.corpus), fast),
        ("small", small("dev"), methods),
        ("unseen", small("unseen"), methods),
    ):
        looks = {condition: quality(scans, among, condition) for condition in CONDITIONS}
        tables = {condition: quality_table(rows, model) for condition, rows in looks.items()}
        judged.append(Judged(split, scans, _scores(scans, among), tables))
    pictures = draw(judged[0].scans, judged[0].scores["clean"], fast, PICTURES)
    recipe = json.loads((args.folder / "recipe.json").read_text(encoding="utf-8"))
    trained = corpus.training_scans(args.corpus, splits_of(recipe))
    text = card(judged, pictures, trained, DATA, recipe)
    (DATA / "afm.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _line_card(args: argparse.Namespace) -> int:
    from training.fit import SCALES
    from training.line_card import JudgedLines, line_card
    from training.lines import same_time

    folders = {SCALES["1x4"]: args.folder, SCALES["1x2"]: args.lines}
    judged = []
    for scale in folders:
        for split in ("dev", "unseen"):
            scans = SPLITS[split](args.corpus)
            scores = {condition: same_time(scans, condition, scale) for condition in CONDITIONS}
            judged.append(JudgedLines(split, scale, scans, scores))
    recipes = {
        scale: json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
        for scale, folder in folders.items()
    }
    trained = corpus.training_scans(args.corpus, corpus.SPLITS)
    text = line_card(judged, trained, DATA, recipes)
    (DATA / "afm_lines.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _pictures(args: argparse.Namespace) -> int:
    from training.pictures import draw

    scans, methods = corpus.dev_scans(args.corpus), named(args.weights)
    legends = draw(scans, score(scans, methods, "clean"), methods, PICTURES)
    print("\n".join(f"{name}: {legend}" for name, legend in legends.items()))
    return 0


def _example(args: argparse.Namespace) -> int:
    from training.example import make_example

    make_example(DATA)
    return 0


def _scores(
    scans: Sequence[corpus.Scan], methods: Mapping[str, Method]
) -> dict[str, dict[str, list[Score]]]:
    return {condition: score(scans, methods, condition) for condition in CONDITIONS}


if __name__ == "__main__":
    sys.exit(main())
