"""Make the calibration that ships: on the samples set aside, never on those trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from afmsr_core.grid import SQUARE, Scale
from afmsr_core.io.atomic import writing
from afmsr_core.trust.calibration import FILES, Calibration, Observation, calibrate, observe
from afmsr_core.trust.evidence import LENGTHS
from benchmarks.markdown import head, line
from benchmarks.trust.cases import AUGMENTED, Case, Method, own_cases
from training import corpus

MADE_FROM = (
    "the permissive samples set aside in training/corpus.py, scanned again with every {}th line "
    "(two of the {}), without noise and with two levels of it; truth are the lines between them "
    "where the result has its own"
)


def observed(case: Case, method: Method, seed: int) -> Observation:
    """Draw pixels of one case."""
    result, evidence = case.gathered(method)
    error = case.registered(result) - case.right
    rng = np.random.default_rng(seed)
    return observe(evidence, error, case.scan.sample, rng, case.registered_map)


def learn(folder: Path, scale: Scale = SQUARE) -> Calibration:
    """Calibrate the default network at a scale and write the file that ships."""
    method, target = Method("afm", scale=scale), FILES[scale]
    scans = corpus.set_aside_scans(folder, corpus.SPLITS)
    of = own_cases(scans, AUGMENTED, scale)
    found = [observed(case, method, seed) for seed, case in enumerate(of)]
    torch_form = target.with_name(target.name.replace("_calibration.json", ".safetensors"))
    digests = [method.sha256, hashlib.sha256(torch_form.read_bytes()).hexdigest()]
    made_from = MADE_FROM.format(2 * scale.rows, 2 * scale.rows)
    made = calibrate(found, method.name, digests, made_from, scale, guarantee=False)
    with writing(target, force=True) as file:
        file.write(made.as_json().encode())
    print(f"## {scale.titled(made.method)}\n")
    print(f"{target.name}: {made.samples} samples, {len(scans)} scans, {made.scans} coarse scans")
    print(f"weights {', '.join(made.weights_sha256)}")
    _cross_validated(found, made)
    return made


def _cross_validated(found: Sequence[Observation], made: Calibration) -> None:
    """Print coverage by sample, each learnt without it, and what single maps would need."""
    samples = sorted({one.sample for one in found})
    print("\nEach sample by a calibration learnt on the other samples, at 90 %:\n")
    columns = "sample", "coarse scans", "coverage"
    shares = []
    print(head((*columns, "half-width over the 90 % quantile of the error")))
    for sample in samples:
        left = [o for o in found if o.sample != sample]
        others = calibrate(left, made.method, [], guarantee=False)
        held, width = [], []
        for one in (o for o in found if o.sample == sample):
            half = others.scales(0.9) * scale_of(one, others)
            held.append(np.mean(np.abs(one.error) <= half))
            width.append(np.mean(half) / np.quantile(np.abs(one.error), 0.9))
        count = Counter(o.sample for o in found)[sample]
        shares.append(np.mean(held))
        print(line(sample, count, f"{np.mean(held):.1%}", f"{np.mean(width):.2f}"))
    print(line("mean over samples", len(found), f"{np.mean(shares):.1%}", ""))
    print()


def scale_of(one: Observation, calibration: Calibration) -> np.ndarray:
    """Return the scale of the errors of an observation."""
    local = [calibration.row_distance, calibration.column_distance]
    local += [calibration.local[name] for name in LENGTHS]
    level = [calibration.level[name] for name in LENGTHS]
    return np.exp(calibration.intercept + one.local @ local + one.level @ level)
