"""Sheets to print, like the paper's Figure 5: a row of the truth and its results, to be scored."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import OutputError, UsageError
from afmsr_core.io.atomic import writing
from afmsr_core.io.files import contents
from afmsr_core.picture.scales import scale_bar
from afmsr_core.quantity import between
from afmsr_core.survey.page import letter
from afmsr_core.survey.store import Plan
from afmsr_core.survey.study import HIGHEST, LOWEST, Study, StudySet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DPI", "FORMATS", "write_sheets"]

DPI = 1000
"""As in the paper."""

IMAGE, GAP, TITLE, FOOT = 1.63, 0.09, 0.24, 0.3  # inches; four images fill the width of a text
LINE = 0.2  # inches, of a question
BAR_SHARE = 0.34  # of the width of an image, at the most

Image = NDArray[np.uint8]


def write_sheets(
    study: Study,
    folder: Path,
    kind: str = "pdf",
    *,
    dpi: float = DPI,
    progress: Callable[[float], None] | None = None,
) -> list[Path]:
    """Write a sheet for every rater and set, in the order of that rater.

    Parameters
    ----------
    study : Study
        With raters.
    folder : Path
        To write to; is made. Files that are there are not replaced.
    kind : {"pdf", "png"}
        One PDF a rater with a page a set, in which every image has its own pixels; or one PNG a
        set.
    dpi : float
        Of a PNG.
    progress : callable, optional
        Gets the fraction done.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UsageError
        If `kind` is none of these.
    OutputError
        If the system refuses.
    """
    from afmsr_core.report.contents import unique_slugs

    if kind not in FORMATS:
        raise UsageError(f"{kind}: no format of sheets; choose from {', '.join(FORMATS)}")
    raters = study.store.raters()
    names = unique_slugs(raters)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    written = []
    for done, rater in enumerate(raters):
        for name, data in FORMATS[kind](study, rater, names[rater], dpi):
            with writing(folder / name) as file:
                file.write(data)
            written.append(folder / name)
        if progress is not None:
            progress((done + 1) / len(raters))
    return written


def _pdf(study: Study, rater: str, name: str, dpi: float) -> Iterator[tuple[str, bytes]]:
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    metadata = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    # Images are written at the end, and as in the PNGs of the page none is to be smaller for
    # being smoother.
    with (
        matplotlib.rc_context({"pdf.compression": 0}),
        PdfPages(out, metadata=metadata) as pages,
    ):
        for figure in _figures(study, rater):
            pages.savefig(figure)
    yield f"{name}.pdf", out.getvalue()


def _png(study: Study, rater: str, name: str, dpi: float) -> Iterator[tuple[str, bytes]]:
    for index, figure in enumerate(_figures(study, rater), 1):
        out = io.BytesIO()
        figure.savefig(
            out,
            format="png",
            dpi=dpi,
            metadata={"Software": None},
            pil_kwargs={"compress_level": 1},
        )
        yield f"{name}-set-{index:02d}.png", out.getvalue()


FORMATS: dict[str, Callable[[Study, str, str, float], Iterator[tuple[str, bytes]]]] = {
    "pdf": _pdf,
    "png": _png,
}


# --- one sheet ---------------------------------------------------------------------------


def _figures(study: Study, rater: str) -> Iterator[Figure]:
    from afmsr_core.survey.drawing import canvas

    sets = {one.set: one for one in study.sets}
    plan = study.store.plan(rater)
    for index, one in enumerate(plan, 1):
        shown = sets[one.set]
        rows = shown.shape[0] * (shown.pixel or (1, 1))[0]
        columns = shown.shape[1] * (shown.pixel or (1, 1))[1]
        high = IMAGE * rows / columns
        count = 1 + len(one.items)
        width = count * (IMAGE + GAP) + GAP
        height = TITLE + high + GAP + IMAGE + LINE * (len(study.questions) + 0.5) + FOOT
        with canvas(width, height) as figure:
            axes = figure.add_axes((0, 0, 1, 1))
            _draw(axes, study, shown, one, high)
            head = f"{study.title} · {rater} · set {index} of {len(plan)}"
            foot = f"set {one.set}; {LOWEST} is worst, {HIGHEST} is best"
            if shown.heights:
                foot += f"; colours {between(*shown.heights, shown.unit)}"
            axes.text(GAP, height - 0.1, head, fontsize=7, va="bottom")
            axes.text(width - GAP, height - 0.1, foot, fontsize=6.2, va="bottom", ha="right")
            axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
            axes.set_axis_off()
            yield figure


def _draw(axes: Axes, study: Study, shown: StudySet, plan: Plan, high: float) -> None:
    from afmsr_core.report.panels import CROP, DETAIL, middle, most_relief

    names = [shown.truth, *plan.items]
    images = [_read(study, name) for name in names]
    shape = images[0].shape[:2]
    whole = middle(shape, max(shape))
    side = max(1, round(min(shape) * DETAIL / CROP))
    inner = most_relief(images[0].mean(axis=2), whole, side)
    top, left, across, down = inner
    step = IMAGE / shape[1], high / shape[0]
    for index, image in enumerate(images):
        start = GAP + index * (IMAGE + GAP)
        title = "Ground truth" if index == 0 else f"Result {letter(index - 1)}"
        axes.text(start, TITLE - 0.05, title, fontsize=8, fontweight="bold", va="bottom")
        _show(axes, image, (start, TITLE, IMAGE, high))
        _frame(axes, (start + left * step[0], TITLE + top * step[1],
                      across * step[0], down * step[1]))  # fmt: skip
        below = TITLE + high + GAP
        _show(axes, image[top : top + down, left : left + across], (start, below, IMAGE, IMAGE))
        if shown.pixel:
            _bar(axes, shown.pixel[1] / step[0], start, TITLE + high)
        if index:
            _ask(axes, study.questions, start, below + IMAGE + 0.5 * LINE)


def _show(axes: Axes, image: Image, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    axes.imshow(
        image, interpolation="none", extent=(left, left + width, top + height, top), aspect="auto"
    )


def _frame(axes: Axes, box: tuple[float, float, float, float]) -> None:
    for colour, line in (("black", 1.4), ("white", 0.6)):
        _box(axes, box, fill=False, edgecolor=colour, linewidth=line)


def _bar(axes: Axes, inch: float, left: float, foot: float) -> None:
    """Draw a scale bar of a round length at the lower left; an inch is `inch` nm."""
    length, text, _ = scale_bar(IMAGE * inch, "nm", BAR_SHARE)
    across = length / inch
    _box(axes, (left, foot - 0.2, max(across, 0.36) + 0.1, 0.2),
         facecolor="black", alpha=0.55, linewidth=0)  # fmt: skip
    start = left + 0.05 + max(0.36 - across, 0) / 2
    _box(axes, (start, foot - 0.055, across, 0.025), facecolor="white", linewidth=0)
    axes.text(start + across / 2, foot - 0.075, text, color="white", fontsize=5.6,
              ha="center", va="bottom")  # fmt: skip


def _ask(axes: Axes, questions: Sequence[str], left: float, top: float) -> None:
    scores = range(LOWEST, HIGHEST + 1)
    for row, question in enumerate(questions):
        line = top + row * LINE
        axes.text(left, line, question, fontsize=6.5, va="center")
        for place, score in enumerate(scores):
            at = left + IMAGE - 0.08 - (len(scores) - 1 - place) * 0.175
            _box(axes, (at - 0.07, line - 0.07, 0.14, 0.14), fill=False, linewidth=0.4)
            axes.text(at, line, str(score), fontsize=5.5, ha="center", va="center")


def _box(axes: Axes, box: tuple[float, float, float, float], **style: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(box[:2], *box[2:], **style))


def _read(study: Study, name: str) -> Image:
    from PIL import Image as Pictures

    return np.asarray(Pictures.open(io.BytesIO(contents(study.image(name)))).convert("RGB"))
