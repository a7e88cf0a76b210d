"""Where the images of a survey come from: an evaluation, or a folder of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import CorruptFileError, UnreadableFileError, UsageError, did_you_mean

__all__ = ["PAPER", "Found", "Scene", "find_scenes", "methods_in"]

PAPER = ("bicubic", "rcan", "rdn")
"""Methods that the paper's experts saw (doi 10.3762/bjnano.16.83)."""

TRUTH_IMAGE = "truth.png"

_NEITHER = (
    f"{{}}: holds neither results.json nor PAIR/{TRUTH_IMAGE}; give a folder that afmsr-eval "
    f"wrote, or one of images"
)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A truth and its results, as images over the same pixels in the same colours.

    Attributes
    ----------
    pair, data_set : str
        Whose images these are.
    truth : ndarray of uint8, shape (yres, xres, 3)
        RGB.
    results : mapping of str to ndarray of uint8
        By method; of the shape of `truth`.
    pixel : tuple of float, optional
        Height and width of a pixel in nm.
    heights : tuple of float, optional
        Heights at both ends of the colours, those of the truth.
    unit : str
        Of `heights`.
    """

    pair: str
    data_set: str
    truth: Image
    results: Mapping[str, Image]
    pixel: tuple[float, float] | None = None
    heights: tuple[float, float] | None = None
    unit: str = "nm"


@dataclass(frozen=True)
class Found:
    """Which scenes there are; each is made when it is asked for.

    Attributes
    ----------
    methods : tuple of str
        In every scene.
    labels : mapping of str to str
        Of the methods.
    scenes : mapping of (str, str) to callable
        Makes the scene of a data set and pair.
    left_out : mapping of str to str
        Pairs that cannot take part, and why.
    """

    methods: tuple[str, ...]
    labels: Mapping[str, str]
    scenes: Mapping[tuple[str, str], Callable[[], Scene]]
    left_out: Mapping[str, str]


def find_scenes(folder: Path, methods: Sequence[str] = (), crop: int | None = None) -> Found:
    """Find what a survey can show.

    Parameters
    ----------
    folder : Path
        Results of ``afmsr-eval``; or a folder in which each pair has a folder with
        ``truth.png`` and one ``METHOD.png`` a method, all of one size.
    methods : sequence of str
        Methods to show; by default those of the paper, of a folder of images all.
    crop : int, optional
        Side of the square that is shown, in pixels of the truth; of an evaluation the paper's
        370 by default, of images all.

    Raises
    ------
    UnreadableFileError, CorruptFileError, UnsupportedContentError
        If the folder is absent, damaged, or holds neither.
    UsageError
        If a method was not run, or fewer than two are named.
    """
    if (folder / "results.json").is_file():
        return _of_evaluation(folder, methods, crop)
    if any(folder.glob(f"*/{TRUTH_IMAGE}")):
        return _of_images(folder, methods, crop)
    raise UnreadableFileError(_NEITHER.format(folder))


def methods_in(folder: Path) -> dict[str, int]:
    """Return the methods whose results a survey can show, each with the number of pairs.

    Raises
    ------
    UnreadableFileError, CorruptFileError, UnsupportedContentError
        If the folder is absent, damaged, or holds nothing to show.
    """
    if (folder / "results.json").is_file():
        from afmsr_core.report.contents import read_results

        results = read_results(folder)
        pairs = [pair for name in results.data_sets for pair in results.pairs_of(name)]
        return dict.fromkeys(results.ran, len(pairs))
    images = [one for one in folder.glob("*/*.png") if (one.parent / TRUTH_IMAGE).is_file()]
    found = Counter(one.stem for one in sorted(images) if one.name != TRUTH_IMAGE)
    if not found:
        raise UnreadableFileError(_NEITHER.format(folder))
    return dict(found)


def _of_evaluation(folder: Path, methods: Sequence[str], crop: int | None) -> Found:
    from afmsr_core.picture.colours import colours
    from afmsr_core.picture.ranges import Range
    from afmsr_core.report.contents import read_results
    from afmsr_core.report.panels import CROP, middle, onto
    from afmsr_core.surfaces import fit_plane

    results = read_results(folder)
    names = _chosen(methods or PAPER, results.ran, folder, bool(methods))
    scenes: dict[tuple[str, str], Callable[[], Scene]] = {}
    left_out: dict[str, str] = {}

    def scene_of(data_set: str, index: int) -> Scene:
        pair = results.pairs_of(data_set)[index]
        fields = results.fields(pair)
        if fields is None:
            raise CorruptFileError(
                f"{folder / str(pair.get('fields'))}: is damaged; run afmsr-eval again"
            )
        top, left, width, height = middle(fields.truth.shape, crop or CROP)
        window = np.s_[top : top + height, left : left + width]
        truth = fit_plane(fields.truth).subtracted_from(fields.truth)
        shown = Range.of([truth])
        on_truth = {m: onto(fields.of_methods[m], fields.truth, truth) for m in names}
        return Scene(
            pair=str(pair["id"]),
            data_set=data_set,
            truth=colours(truth[window], shown),
            results={method: colours(field[window], shown) for method, field in on_truth.items()},
            pixel=fields.pixel_size,
            heights=(shown.low, shown.high),
            unit=str((pair.get("high") or {}).get("unit") or "nm"),
        )

    for data_set in results.data_sets:
        for pair in results.pairs_of(data_set, None):
            if pair.get("status") != "scored":
                left_out[str(pair["id"])] = str(pair.get("reason") or "not scored")
        for index, pair in enumerate(results.pairs_of(data_set)):
            fields = results.fields(pair)
            if fields is None:
                left_out[str(pair["id"])] = "its fields are not there; run afmsr-eval again"
                continue
            if lacking := [name for name in names if name not in fields.of_methods]:
                reasons = {(pair.get("not_run") or {}).get(name) for name in lacking} - {None}
                why = f": {'; '.join(sorted(map(str, reasons)))}" if reasons else ""
                left_out[str(pair["id"])] = f"no aligned result of {', '.join(lacking)}{why}"
                continue
            scenes[data_set, str(pair["id"])] = partial(scene_of, data_set, index)
    return Found(names, {m: results.label(m) for m in names}, scenes, left_out)


def _of_images(folder: Path, methods: Sequence[str], crop: int | None) -> Found:
    folders = sorted(path.parent for path in folder.glob(f"*/{TRUTH_IMAGE}"))
    there = [{path.stem for path in one.glob("*.png")} - {"truth"} for one in folders]
    names = _chosen(methods or sorted(set.union(*there)), sorted(set.union(*there)), folder, True)
    scenes: dict[tuple[str, str], Callable[[], Scene]] = {}
    left_out: dict[str, str] = {}

    def scene_of(one: Path) -> Scene:
        images = {name: _image(one / f"{name}.png") for name in ("truth", *names)}
        shapes = {name: image.shape[:2] for name, image in images.items()}
        if len(set(shapes.values())) > 1:
            odd = next(name for name in names if shapes[name] != shapes["truth"])
            raise CorruptFileError(
                f"{one / odd}.png: has {shapes[odd][1]} x {shapes[odd][0]} px, the truth "
                f"{shapes['truth'][1]} x {shapes['truth'][0]}; align and crop them alike"
            )
        height, width = shapes["truth"]
        down, across = min(crop or height, height), min(crop or width, width)
        top, left = (height - down) // 2, (width - across) // 2
        cropped = {n: i[top : top + down, left : left + across] for n, i in images.items()}
        return Scene(one.name, folder.resolve().name, cropped.pop("truth"), cropped)

    for one, names_there in zip(folders, there, strict=True):
        if lacking := [name for name in names if name not in names_there]:
            left_out[one.name] = f"no image of {', '.join(lacking)}"
            continue
        scenes[folder.resolve().name, one.name] = partial(scene_of, one)
    return Found(names, {name: name for name in names}, scenes, left_out)


def _chosen(
    wanted: Sequence[str], ran: Sequence[str], folder: Path, asked: bool
) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(wanted))
    option = "--methods" if asked else "--methods (by default the paper's)"
    if missing := [name for name in names if name not in ran]:
        there = ",".join(ran)
        raise UsageError(
            f"{option}: {folder} has no result of {', '.join(missing)}."
            f"{did_you_mean(missing[0], ran) if asked else ''} "
            f"Choose of those that it has: --methods {there}"
        )
    if len(names) < 2:
        raise UsageError(f"{option}: names {len(names)} method; a comparison needs two or more")
    return names


def _image(path: Path) -> Image:
    import cv2

    from afmsr_core.io.files import contents

    found = cv2.imdecode(np.frombuffer(contents(path), np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise CorruptFileError(f"{path}: is no image that can be read; write it again as PNG")
    return np.ascontiguousarray(found[..., ::-1]).astype(np.uint8)
