"""Pairing: which low-resolution scan belongs to which ground truth, and whether they can.

Pairs are found by name or by a list, never by sort order: the n-th file of one folder is not the
partner of the n-th of another. What finds no partner is reported with the reason.

Layouts, each in the folder itself and in any of its sub-folders, which name the data sets (as
Celgard and titanium in the paper, doi 10.3762/bjnano.16.83):

- ``NAME_low.EXT`` and ``NAME_high.EXT`` side by side,
- folders ``low`` and ``high`` with the same names in both,
- ``pairs.csv`` with the columns ``id, low, high`` and, if wanted, ``channel, data set``; paths
  are relative to it, and it speaks for all that lies below.

A folder ``truth`` beside them holds what is no scan: the exact surfaces of ``afmsr simulate``.
"""

from __future__ import annotations

import csv
import io as textio
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import PairError, UnreadableFileError
from afmsr_core.io.files import contents, find_files

__all__ = [
    "MANIFEST",
    "MIN_SIDE",
    "SIZE_TOLERANCE",
    "Pair",
    "Pairing",
    "Unpaired",
    "check_pair",
    "check_units",
    "find_pairs",
]

MANIFEST = "pairs.csv"
COLUMNS = ("id", "low", "high", "channel", "data set")
REQUIRED = COLUMNS[:3]

SIDES = ("low", "high")
_NAMED = re.compile(r"(?P<stem>.+)[_\- .](?P<side>low|high)", re.IGNORECASE)

_EVALUATION = ("results.json", "settings.json")  # mark a folder with the results of afmsr-eval
_TRUTH = "truth"  # folder in which `afmsr simulate` puts the surfaces themselves

SIZE_TOLERANCE = 0.10
"""Relative difference of physical sizes above which two scans show different areas.

Scanners are calibrated to a few percent; the worst real pair known here has 9 % along one axis.
"""
MIN_SIDE = 8  # pixels of the low-resolution scan; fewer hold no features to align
MAX_MISSING = 0.5  # share of pixels that may lack a value


@dataclass(frozen=True)
class Pair:
    """A low-resolution scan and its ground truth.

    Attributes
    ----------
    id : str
        Unique in its :class:`Pairing`; path below the folder without suffix, or from the list.
    low, high : Path
        The files.
    channel : str or None
        Which channel to read of both; None for the first with heights.
    data_set : str
        Sub-folder or column ``data set``; empty for the folder itself.
    exact : Path or None
        What the fine scan would be without any error of its own, as ``afmsr simulate`` knows it:
        ``truth/NAME.*`` beside the pair. It is no scan of it.
    """

    id: str
    low: Path
    high: Path
    channel: str | None = None
    data_set: str = ""
    exact: Path | None = None


@dataclass(frozen=True)
class Unpaired:
    """A file that takes no part, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Pairing:
    """What a folder holds.

    Attributes
    ----------
    pairs : tuple of Pair
        Sorted by id, or in the order of the list.
    unpaired : tuple of Unpaired
        Every other file that may be a scan.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[Unpaired, ...]

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets, each once, in order."""
        return tuple(dict.fromkeys(pair.data_set for pair in self.pairs))


def find_pairs(folder: str | Path, *, channel: str | None = None) -> Pairing:
    """Find the pairs in a folder.

    Parameters
    ----------
    folder : path
        With any of the layouts of this module; or a ``pairs.csv``.
    channel : str, optional
        Channel of every pair for which the list names none: number, title or pattern.

    Returns
    -------
    Pairing
        Possibly without a pair. No file is read but ``pairs.csv``.

    Raises
    ------
    PairError
        If a ``pairs.csv`` contradicts itself, with the number of the line.
    UnreadableFileError
        If the folder or the list is absent or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for file in ("a_low.gwy", "a_high.gwy", "b_low.gwy"):
    ...         _ = Path(name, file).write_bytes(b"")
    ...     found = find_pairs(name)
    >>> [pair.id for pair in found.pairs], [(u.path.name, u.reason) for u in found.unpaired]
    (['a'], [('b_low.gwy', 'no partner: there is no b_high.* beside it')])
    """
    folder = Path(folder)
    if folder.is_file() and folder.suffix.lower() == ".csv":
        listed = list(_listed(folder, "", channel))
        homes = {_exact_home(pair) for pair in listed}
        surfaces = find_files([home for home in sorted(homes) if home.is_dir()])
        return Pairing(_unique(_with_exact(listed, surfaces)), ())
    if not folder.is_dir():
        what = "this is a file" if folder.exists() else "there is no such folder"
        raise UnreadableFileError(
            f"{folder}: {what}; give a folder with NAME_low and NAME_high, or a {MANIFEST}"
        )
    files = _without_results(find_files([folder], also=(MANIFEST, *_EVALUATION)), folder)
    lists = [file for file in files if file.name.lower() == MANIFEST]
    pairs: list[Pair] = []
    for manifest in lists:
        if not any(other.parent in manifest.parent.parents for other in lists):
            pairs += _listed(manifest, _data_set(manifest.parent, folder), channel)
    exact = [file for file in files if _TRUTH in file.relative_to(folder).parts[:-1]]
    rest = [file for file in files if file not in lists and file not in exact]
    listed_folders = {manifest.parent for manifest in lists}
    used = {os.path.realpath(path) for pair in pairs for path in (pair.low, pair.high)}
    unpaired = []
    named: dict[tuple[Path, str], dict[str, list[Path]]] = {}
    for file in rest:
        if listed_folders & set(file.parents):
            if os.path.realpath(file) not in used:
                unpaired.append(Unpaired(file, f"{MANIFEST} does not name it; add a line"))
            continue
        found = _named(file, folder)
        if found is None:
            unpaired.append(
                Unpaired(
                    file,
                    "the name does not end with _low or _high, nor is the folder low or high; "
                    "rename it",
                )
            )
        else:
            home, stem, side = found
            named.setdefault((home, stem), {}).setdefault(side, []).append(file)
    for (home, stem), sides in named.items():
        pair, left = _joined(home, stem, sides, folder, channel)
        pairs += pair
        unpaired += left
    if not lists:
        pairs.sort(key=lambda pair: pair.id)
    pairs = _with_exact(pairs, exact)
    return Pairing(_unique(pairs), tuple(sorted(unpaired, key=lambda one: one.path)))


def _without_results(files: Sequence[Path], folder: Path) -> list[Path]:
    """Leave out what evaluations wrote: their tables hold a ``pairs.csv`` that is no list."""
    marks = {file for file in files if file.name in _EVALUATION}
    results = {
        mark.parent for mark in marks if all(mark.with_name(name) in marks for name in _EVALUATION)
    }
    if folder in results:  # among the pairs themselves
        results = results - {folder} | {folder / "tables"}
    return [file for file in files if file not in marks and not results & set(file.parents)]


def _unique(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    seen: dict[str, Pair] = {}
    for pair in pairs:
        if (other := seen.setdefault(pair.id, pair)) is not pair:
            raise PairError(
                f"{pair.id}: this id stands for {other.low.name} and for {pair.low.name}; "
                f"give every pair its own"
            )
    return tuple(seen.values())


def _with_exact(pairs: Sequence[Pair], exact: Sequence[Path]) -> list[Pair]:
    """Give every pair the file in a folder ``truth`` that has its name, where there is one."""
    known = {(file.parent, file.stem.casefold()): file for file in exact}
    found = []
    for pair in pairs:
        name = pair.id.rpartition("/")[2].casefold()
        found.append(replace(pair, exact=known.get((_exact_home(pair), name))))
    return found


def _exact_home(pair: Pair) -> Path:
    """Return the folder ``truth`` of a pair: beside its files, or beside the folder ``low``."""
    home = pair.low.parent
    return (home.parent if home.name.casefold() in SIDES else home) / _TRUTH


def _data_set(home: Path, folder: Path) -> str:
    name = home.relative_to(folder).as_posix()
    return "" if name == "." else name


# --- by name -------------------------------------------------------------------------------


def _named(file: Path, folder: Path) -> tuple[Path, str, str] | None:
    """Return where a pair lives, its stem in lower case and which side the file is."""
    match = _NAMED.fullmatch(file.stem)
    if match:
        return file.parent, match["stem"].casefold(), match["side"].casefold()
    side = file.parent.name.casefold()
    if file.parent != folder and side in SIDES:
        return file.parent.parent, file.stem.casefold(), side
    return None


def _joined(
    home: Path, stem: str, sides: dict[str, list[Path]], folder: Path, channel: str | None
) -> tuple[list[Pair], list[Unpaired]]:
    files = [file for side in SIDES for file in sides.get(side, [])]
    for side, other in (SIDES, SIDES[::-1]):
        if len(sides.get(side, [])) > 1:
            names = " and ".join(_below(file, home) for file in sides[side])
            reason = f"ambiguous: {names} could all be the {side} scan; keep one of them"
            return [], [Unpaired(file, reason) for file in files]
        if side not in sides:
            return [], [Unpaired(file, _without_partner(file, side, other)) for file in files]
    low, high = sides["low"][0], sides["high"][0]
    match = _NAMED.fullmatch(low.stem)
    data_set = _data_set(home, folder)
    own = match["stem"] if match else low.stem
    return [Pair(f"{data_set}/{own}" if data_set else own, low, high, channel, data_set)], []


def _below(file: Path, home: Path) -> str:
    return file.relative_to(home).as_posix()


def _without_partner(file: Path, missing: str, own: str) -> str:
    if match := _NAMED.fullmatch(file.stem):
        between = file.stem[match.end("stem") : match.start("side")]
        return f"no partner: there is no {match['stem']}{between}{missing}.* beside it"
    return f"no partner: there is no {file.stem}.* in the folder {missing} beside {own}"


# --- by list -------------------------------------------------------------------------------


def _listed(manifest: Path, data_set: str, channel: str | None) -> Iterator[Pair]:
    """Read a list of pairs; every fault is named with its line."""
    lines = dict[str, int]()
    for number, row in _rows(manifest):
        where = f"{manifest.name}, line {number}"
        for name in REQUIRED:
            if not row[name]:
                raise PairError(f"{where}: the column {name!r} is empty; fill it in")
        if (first := lines.setdefault(row["id"], number)) != number:
            raise PairError(
                f"{where}: id {row['id']!r} is already used in line {first}; give it another"
            )
        low, high = (manifest.parent / row[side] for side in SIDES)
        for side, path in zip(SIDES, (low, high), strict=True):
            if not path.is_file():
                wrong = "is no file" if path.exists() else "does not exist"
                raise PairError(
                    f"{where}: the {side} scan {row[side]!r} {wrong}; "
                    f"paths are relative to {manifest.name}"
                )
        if low.resolve() == high.resolve():
            raise PairError(f"{where}: low and high are the same file; name two")
        yield Pair(row["id"], low, high, row["channel"] or channel, row["data set"] or data_set)


def _rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and columns of every row that is not blank."""
    try:
        text = contents(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairError(
            f"{manifest.name}: not a text in UTF-8 ({error.reason}); save it as CSV UTF-8"
        ) from error
    header = text.partition("\n")[0]
    comma = max(",;\t", key=header.count)  # spreadsheets of some countries write semicolons
    reader = csv.reader(textio.StringIO(text, newline=""), delimiter=comma)
    try:
        names = [_column(name) for name in next(reader, [])]
        missing = [name for name in REQUIRED if name not in names]
        unknown = [name for name in names if name not in COLUMNS]
        if missing or unknown or len(set(names)) < len(names):
            raise PairError(
                f"{manifest.name}, line 1: found the columns {', '.join(names) or 'none'}; "
                f"the first line must name {', '.join(REQUIRED)} and may name "
                f"{', '.join(COLUMNS[3:])}"
            )
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise PairError(
                    f"{manifest.name}, line {reader.line_num}: {len(row)} columns, the first "
                    f"line names {len(names)}; quote what holds a {comma!r}"
                )
            cells = (cell.strip() for cell in row)
            yield reader.line_num, dict.fromkeys(COLUMNS, "") | dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise PairError(
            f"{manifest.name}, line {reader.line_num}: no CSV ({error}); save it again"
        ) from error


def _column(name: str) -> str:
    """Accept ``Data_Set`` and ``dataset`` for ``data set``."""
    plain = name.strip().casefold()
    squeezed = re.sub(r"[\s_-]", "", plain)
    return next((column for column in COLUMNS if column.replace(" ", "") == squeezed), plain)


# --- the channels --------------------------------------------------------------------------


def check_pair(low: Channel, high: Channel, *, size_tolerance: float = SIZE_TOLERANCE) -> None:
    """Make sure that two channels can be a pair.

    Parameters
    ----------
    low, high : Channel
        Low-resolution scan and ground truth.
    size_tolerance : float
        Relative difference of physical sizes that is allowed, see :data:`SIZE_TOLERANCE`.

    Raises
    ------
    PairError
        If a field is too small, constant or mostly not measured; if the units differ; if both
        have the same resolution or the low one the higher; if they show areas of different size.

    Examples
    --------
    >>> fine = np.arange(1024.0).reshape(32, 32)
    >>> high = Channel(fine, 100.0, 100.0, title="high")
    >>> check_pair(Channel(fine[::4, ::4], 100.0, 100.0, title="low"), high)
    >>> check_pair(high, Channel(fine[::4, ::4], 100.0, 100.0, title="low"))
    Traceback (most recent call last):
    afmsr_core.errors.PairError: channel 'high' and channel 'low': the pair is swapped, ...
    """
    both = f"{low.where} and {high.where}"
    for channel in (low, high):
        _check_field(channel)
    check_units(low, high)
    sizes = f"{low.xres} x {low.yres} and {high.xres} x {high.yres} pixels"
    if (low.xres, low.yres) == (high.xres, high.yres):
        raise PairError(
            f"{both}: both have {high.xres} x {high.yres} pixels; the ground truth must have more "
            f"pixels than the low-resolution scan, so check which files these are"
        )
    if low.xres >= high.xres and low.yres >= high.yres:
        raise PairError(f"{both}: the pair is swapped, with {sizes}; exchange low and high")
    if low.xres > high.xres or low.yres > high.yres:
        raise PairError(
            f"{both}: {sizes}, more in one direction and fewer in the other; "
            f"check which files these are"
        )
    for axis, here, there in (
        ("width", low.xreal, high.xreal),
        ("height", low.yreal, high.yreal),
    ):
        if abs(here - there) > size_tolerance * max(here, there):
            unit = low.lateral_unit
            raise PairError(
                f"{both}: different areas, the {axis} is {here:g} {unit} and {there:g} {unit}, "
                f"more than {size_tolerance:.0%} apart; pair scans of the same area, or "
                f"correct their size in Gwyddion with Dimensions and Units"
            )


def check_units(one: Channel, other: Channel, options: str = "--channel") -> None:
    """Make sure that two channels can be compared; `options` choose them.

    Raises
    ------
    PairError
        If their units differ.
    """
    for what, here, there in (
        ("unit", one.unit, other.unit),
        ("lateral unit", one.lateral_unit, other.lateral_unit),
    ):
        if here != there:
            raise PairError(
                f"{one.where} and {other.where}: the {what} is {here or 'none'!r} in one and "
                f"{there or 'none'!r} in the other; choose channels of the same kind with {options}"
            )


def _check_field(channel: Channel) -> None:
    if min(channel.xres, channel.yres) < MIN_SIDE:
        raise PairError(
            f"{channel.where}: {channel.xres} x {channel.yres} pixels are too few to compare; "
            f"at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    finite = np.isfinite(channel.heights)
    missing = 1 - float(finite.mean())
    if missing > MAX_MISSING:
        raise PairError(
            f"{channel.where}: {missing:.0%} of the pixels hold no value (NaN), at most "
            f"{MAX_MISSING:.0%} may; choose another channel or crop the scan"
        )
    measured = channel.heights[finite]
    if float(measured.min()) == float(measured.max()):
        raise PairError(
            f"{channel.where}: all heights are {measured[0]:g} {channel.unit}, there is nothing "
            f"to compare; choose another channel with --channel"
        )
