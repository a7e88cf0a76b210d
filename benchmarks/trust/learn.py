"""Make the calibration that ships: on the samples set aside, never on those trained on."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.io.atomic import writing
from afmsr_core.trust.calibration import FILES, Calibration, Observation, calibrate, observe
from benchmarks.markdown import head, line
from benchmarks.trust.cases import AUGMENTED, Case, Method, own_cases
from training import corpus
from training.recipes import splits_of

MADE_FROM = (
    "the permissive samples of training/corpus.py that the network has not seen, scanned again "
    "with every {}th line (two of the {}), without noise and with two levels of it; truth are the "
    "lines between them where the result has its own"
)
STOOD_IN = "; {} of the samples by weights that have not seen them, with SHA-256 {}"

CARDS = {
    SQUARE: FILES[SQUARE].with_name("afm.md"),
    LINES_X4: FILES[LINES_X4].with_name("afm_lines.md"),
    LINES_X2: FILES[LINES_X2].with_name("afm_lines.md"),
}


def observed(case: Case, method: Method, seed: int) -> Observation:
    """Draw pixels of one case."""
    result, evidence = case.gathered(method)
    error = case.registered(result) - case.right
    rng = np.random.default_rng(seed)
    return observe(evidence, error, corpus.material(case.scan.sample), rng, case.registered_map)


def learn(folder: Path, scale: Scale = SQUARE, stand_in: Path | None = None) -> Calibration:
    """Calibrate the default network at a scale and write the file that ships.

    Parameters
    ----------
    folder : Path
        The corpus.
    scale : Scale
        Of the network.
    stand_in : Path, optional
        Folder of a training on fewer samples: on those that the network has seen and this one has
        not, it takes the network's place, so that training on more samples does not leave fewer
        to learn intervals from. Both have to be about equally good.
    """
    method, target = Method("afm", scale=scale), FILES[scale]
    trained_on = trained_splits(CARDS[scale].read_text(encoding="utf-8"))
    scans = corpus.unseen_permissive_scans(folder, trained_on)
    made_from = MADE_FROM.format(2 * scale.rows, 2 * scale.rows)
    cases = _observed(scans, method, 0)
    if stand_in is not None:
        other = Method("afm", stand_in / "afm.safetensors", scale)
        saw = splits_of(json.loads((stand_in / "recipe.json").read_text(encoding="utf-8")))
        left = seen_by_the_first_alone(folder, trained_on, saw)
        more = _observed(left, other, len(cases))
        cases, scans = cases + more, scans + left
        made_from += STOOD_IN.format(len({one.sample for _, one in more}), other.sha256)
    found = [one for _, one in cases]
    torch_form = target.with_name(target.name.replace("_calibration.json", ".safetensors"))
    digests = [method.sha256, hashlib.sha256(torch_form.read_bytes()).hexdigest()]
    made = calibrate(found, method.name, digests, made_from, scale, guarantee=False)
    with writing(target, force=True) as file:
        file.write(made.as_json().encode())
    print(f"## {scale.titled(made.method)}\n")
    print(f"{target.name}: {made.samples} samples, {len(scans)} scans, {made.scans} coarse scans")
    print(f"weights {', '.join(made.weights_sha256)}, trained on {', '.join(trained_on)}")
    _cross_validated([scan for scan, _ in cases], found, made)
    return made


def seen_by_the_first_alone(
    folder: Path, first: Sequence[str], second: Sequence[str]
) -> list[corpus.Scan]:
    """Return the permissive scans of materials that were trained on with some splits only.

    Parameters
    ----------
    folder : Path
        The corpus.
    first, second : sequence of str
        Splits that two networks were trained on.
    """
    known = {corpus.material(s.sample) for s in corpus.unseen_permissive_scans(folder, first)}
    unseen = corpus.unseen_permissive_scans(folder, second)
    return [scan for scan in unseen if corpus.material(scan.sample) not in known]


def _observed(
    scans: Sequence[corpus.Scan], method: Method, seed: int
) -> list[tuple[corpus.Scan, Observation]]:
    cases = enumerate(own_cases(scans, AUGMENTED, method.scale), start=seed)
    return [(case.scan, observed(case, method, number)) for number, case in cases]


def trained_splits(card: str) -> tuple[str, ...]:
    """Return the splits that the networks of a model card were trained on, as its recipes tell."""
    blocks = re.findall(r"```json\n(.*?)\n```", card, re.DOTALL)
    return tuple(sorted({split for block in blocks for split in splits_of(json.loads(block))}))


def _cross_validated(
    scans: Sequence[corpus.Scan], found: Sequence[Observation], made: Calibration
) -> None:
    """Print coverage by category and by sample, each sample learnt without it."""
    samples = sorted({one.sample for one in found})
    held: dict[str, list[float]] = defaultdict(list)
    width: dict[str, list[float]] = defaultdict(list)
    category = {one.sample: scan.category for scan, one in zip(scans, found, strict=True)}
    for sample in samples:
        left = [o for o in found if o.sample != sample]
        others = calibrate(left, made.method, [], guarantee=False)
        for one in (o for o in found if o.sample == sample):
            half = others.scales(0.9) * others.scale_at(one)
            held[sample].append(float(np.mean(np.abs(one.error) <= half)))
            width[sample].append(float(np.mean(half) / np.quantile(np.abs(one.error), 0.9)))
    columns = "samples", "coarse scans", "coverage", "half-width"
    print("\nEach sample by a calibration learnt on the other samples, at 90 %. Half-width: over")
    print("the 90 % quantile of the error.\n")
    print(head(("category", *columns)))
    kinds = sorted({*category.values()})
    for kind in (*kinds, "all"):
        of = [sample for sample in samples if kind in ("all", category[sample])]
        share = np.mean([np.mean(held[sample]) for sample in of])
        wide = np.exp(np.mean([np.mean(np.log(width[sample])) for sample in of]))
        count = sum(len(held[sample]) for sample in of)
        print(line(kind, len(of), count, f"{share:.1%}", f"{wide:.2f}"))
    print()
    print(head(("sample", *columns[1:])))
    for sample in samples:
        wide = np.exp(np.mean(np.log(width[sample])))
        share = np.mean(held[sample])
        print(line(sample, len(held[sample]), f"{share:.1%}", f"{wide:.2f}"))
    print()
