"""The model card of the shipped network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpus import SET_ASIDE, Scan
from training.recipes import teachers_of
from training.score import BORDER, CONDITIONS, Score
from training.table import REFERENCE, table, wins

SMALL = 256  # pixels a side up to which networks that take minutes are judged

TITLES = {
    "dev": "Dev split: {count} scans, one field of every good file",
    "small": f"The {{count}} of them of at most {SMALL} px a side, with every network",
    "unseen": f"Train split: {{count}} samples of at most {SMALL} px that nothing was trained on",
}


@dataclass(frozen=True)
class Judged:
    """Every method on some scans.

    Attributes
    ----------
    split : str
        Key of `TITLES`.
    scans : sequence of Scan
        What was scored.
    scores : mapping of condition to mapping of method to sequence of Score
        From :func:`training.score.score`.
    quality : mapping of condition to str
        Tables of :func:`training.quality.quality_table`.
    """

    split: str
    scans: Sequence[Scan]
    scores: Mapping[str, Mapping[str, Sequence[Score]]]
    quality: Mapping[str, str]

    def as_markdown(self) -> str:
        """Return both tables of every condition."""
        blocks = [f"### {TITLES[self.split].format(count=len(self.scans))}"]
        for condition, by_method in self.scores.items():
            white, lines = CONDITIONS[condition]
            blocks.append(
                f"**{condition}** (white noise {white:.1%} and line offsets {lines:.1%} of the "
                f"range): the network beats all three interpolations on "
                f"{wins(by_method, 'afm'):.0%} of the scans."
            )
            blocks += [table(by_method).rstrip(), self.quality[condition].rstrip()]
        return "\n\n".join(blocks)

    def losses(self, method: str = "afm") -> str:
        """Return the scans on which a method lost to bicubic without noise."""
        scores = self.scores["clean"]
        pairs = zip(scores[method], scores[REFERENCE], self.scans, strict=True)
        lost = [
            f"{scan.sample} ({ours.psnr - theirs.psnr:+.2f} dB)"
            for ours, theirs, scan in pairs
            if ours.psnr <= theirs.psnr
        ]
        return "; ".join(lost) or "none"


def card(
    judged: Sequence[Judged],
    pictures: Mapping[str, str],
    trained: Sequence[Scan],
    data: Path,
    recipe: Mapping[str, object],
) -> str:
    """Return the model card as Markdown.

    Parameters
    ----------
    judged : sequence of Judged
        The dev split first.
    pictures : mapping of str to str
        From :func:`training.pictures.draw`: file name to legend.
    trained : sequence of Scan
        What was trained on.
    data : Path
        Folder with the shipped weights.
    recipe : mapping
        Of the training, as written by it.
    """
    from safetensors.numpy import load_file

    weights = load_file(data / "afm.safetensors")
    blocks = sum(name.endswith("first.weight") for name in weights)
    parameters = sum(values.size for values in weights.values())
    hashes = "\n".join(
        f"- `{name}`: SHA-256 `{hashlib.sha256((data / name).read_bytes()).hexdigest()}`"
        for name in ("afm.onnx", "afm.safetensors")
    )
    seen = "\n\n".join(
        f"![{legend}](../../docs/images/{name})\n\n{legend}" for name, legend in pictures.items()
    )
    blended = (
        f"The shipped weights lie {recipe['blend']:.0%} of the way from one training (`of`) to "
        "another that continued it (`and`), by `python -m training blend`; the share was chosen on "
        "the samples set aside"
        if "blend" in recipe
        else "The shipped weights are those of one training"
    )
    teachers = " and ".join(teachers_of(recipe))
    taught = (
        f"It learned besides from what {teachers} made of the training fields "
        "(`python -m training teach`). "
        if teachers
        else ""
    )
    return f"""# Model card: afm

The default network of afmsr. {parameters:,} parameters: {blocks} plain residual blocks of
{weights["head.weight"].shape[0]} features that predict the residual over bicubic interpolation.
No layer has a bias and the first filters have no mean, so a change of datum or unit changes
nothing but the datum and unit of the result. MIT licence.

{hashes}

This page is written by `python -m training card`.

## Use

To upscale AFM height scans 4x along each axis. It was trained on scans sampled as an instrument
samples: one line per row, a dwell along the fast axis, noise, line offsets and scars. It sees
heights normalised by the scan's minimum and maximum after levelling; units do not matter to it.

## Limits

- More pixels are not more resolving power. What lies between two scan lines was not measured;
  the network fills in what is usual on the samples it knows. Check what matters with a zoom scan.
- A small particle that only a single line of the coarse scan crosses looks like a scar to the
  network, and may be flattened like one.
- Where detail is finer than two pixels of the scan, it is aliased, and no method can undo that.
- It smooths noise a little and weakens scars, but it is not a scar remover. If the truth itself is
  noisy, this lowers SSIM, which counts the noise of the truth as structure.
- Trained on {len(trained)} fields of {len({scan.sample for scan in trained})} samples: a surface
  unlike all of them may gain nothing. It lost to bicubic, without noise, on:
{chr(10).join(f"  - {one.split}: {one.losses()}" for one in judged)}
- Only the scale 4 and only heights were scored, no other signals (phase, current, ...).

## Scores

The coarse scan is every fourth line (row 1 and row 2 of 4, averaged) with a dwell of 2 pixels.
Every method's result, the interpolations' too, was moved by the known offset of that line before
it was compared. PSNR peak and SSIM data range: the range of the truth. A border of {BORDER} pixels
is not scored. Sharpness: mean of ln |DFT| less that of the truth, 0 is as sharp as the truth.
Shift: median best-fit shift of the features, in pixels of the result. 95 %: bootstrap over scans.

The second table of each condition has medians over the same scans, row 1 of 4. Error of Sq: |Sq
of the result / Sq of the truth - 1|. PSD ratio: relief of the result over that of the truth in
bands of the Nyquist frequency of the coarse scan (0 to 1/4, 1/4 to 1/2, 1/2 to 1, beyond). NIQE:
8-bit grey values, the patches of all scans together, 95 % by bootstrap over scans; lower is closer
to photographs. Scars left: how much remains of the height of scars put into the coarse scan.
Invented and missing: small features above five standard deviations of the noise that only the
result has, or only the truth; their number on all scans, and the mean share of all features.

`photographs` is the same network trained on 500 photographs (BSDS500) with anti-aliased
down-sampling, as networks for photographs are: `python -m training fit FOLDER --photographs`.

{(chr(10) * 2).join(one.as_markdown() for one in judged)}

## What it looks like

The scans of the dev split with the largest, the middle and the smallest gain over bicubic in PSNR,
without added noise; below each, the square with the largest error of bicubic.

{seen}

## Training

Adam with cosine decay, Huber loss on the error in units of the error that bicubic makes on that
field and L1 on its slopes, averaged weights. Generated surfaces are those of
`afmsr_core.simulation`. Where a file has trace and retrace and they align to 0.5 px, the retrace
is also trained on its trace. {taught}{blended}:

```json
{json.dumps(recipe, indent=1)}
```

Set aside and never trained on, for calibration: {"; ".join(sorted(SET_ASIDE))}.

Trained on scans under permissive licences only, with thanks to those who published them:

{credits_of(trained)}
"""


def credits_of(scans: Sequence[Scan]) -> str:
    """Return a Markdown list of the sources of some scans."""
    lines = {f"- {s.source} ({s.licence.split(' (')[0]}): {s.sample}" for s in scans}
    return "\n".join(sorted(lines))
