"""Which files of a folder are pairs: by the list that speaks for them, else by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from afmsr_core.errors import PairError, UnreadableFileError
from afmsr_core.io.files import find_files
from afmsr_core.pairing.manifest import MANIFEST, listed
from afmsr_core.pairing.pair import COARSE, SIDES, Pair, Pairing, Unpaired

__all__ = ["find_pairs"]

_NAMED = re.compile(r"(?P<stem>.+)[_\- .](?P<side>low|lines|high)", re.IGNORECASE)

_EVALUATION = ("results.json", "settings.json")  # mark a folder with the results of afmsr-eval
_TRUTH = "truth"  # folder in which `afmsr simulate` puts the surfaces themselves


def find_pairs(folder: str | Path, *, channel: str | None = None) -> Pairing:
    """Find the pairs in a folder.

    Parameters
    ----------
    folder : path
        With any of the layouts of :mod:`afmsr_core.pairing`; or a ``pairs.csv``.
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
        pairs = list(listed(folder, "", channel))
        homes = {_exact_home(pair) for pair in pairs}
        surfaces = find_files([home for home in sorted(homes) if home.is_dir()])
        return Pairing(_unique(_with_exact(pairs, surfaces)), ())
    if not folder.is_dir():
        what = "this is a file" if folder.exists() else "there is no such folder"
        raise UnreadableFileError(
            f"{folder}: {what}; give a folder with NAME_low and NAME_high, or a {MANIFEST}"
        )
    files = _without_results(find_files([folder], also=(MANIFEST, *_EVALUATION)), folder)
    lists = [file for file in files if file.name.lower() == MANIFEST]
    pairs = []
    for manifest in lists:
        if not any(other.parent in manifest.parent.parents for other in lists):
            pairs += listed(manifest, _data_set(manifest.parent, folder), channel)
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
                    "the name does not end with _low, _lines or _high, nor is that the folder's; "
                    "rename it",
                )
            )
        else:
            home, stem, side = found
            named.setdefault((home, stem), {}).setdefault(side, []).append(file)
    for (home, _), sides in named.items():
        pair, left = _joined(home, sides, folder, channel)
        pairs += pair
        unpaired += left
    if not lists:
        pairs.sort(key=lambda pair: (pair.data_set, pair.id))
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
    home: Path, sides: dict[str, list[Path]], folder: Path, channel: str | None
) -> tuple[list[Pair], list[Unpaired]]:
    files = [file for side in SIDES for file in sides.get(side, [])]
    for side, of_side in sides.items():
        if len(of_side) > 1:
            names = " and ".join(_below(file, home) for file in of_side)
            reason = f"ambiguous: {names} could all be the {side} scan; keep one of them"
            return [], [Unpaired(file, reason) for file in files]
    coarse = [side for side in COARSE if side in sides]
    if "high" not in sides:
        return [], [
            Unpaired(sides[side][0], _without_partner(sides[side][0], "high", side))
            for side in coarse
        ]
    high = sides["high"][0]
    if not coarse:
        return [], [Unpaired(high, _without_partner(high, "low", "high"))]
    pairs = []
    for side in coarse:
        low = sides[side][0]
        match = _NAMED.fullmatch(low.stem)
        # Two coarse scans of one truth are no two independent pairs: each kind is a set.
        parts = (_data_set(home, folder), "" if side == "low" else side)
        data_set = "/".join(filter(None, parts))
        own = match["stem"] if match else low.stem
        pairs.append(Pair(f"{data_set}/{own}" if data_set else own, low, high, channel, data_set))
    return pairs, []


def _below(file: Path, home: Path) -> str:
    return file.relative_to(home).as_posix()


def _without_partner(file: Path, missing: str, own: str) -> str:
    if match := _NAMED.fullmatch(file.stem):
        between = file.stem[match.end("stem") : match.start("side")]
        return f"no partner: there is no {match['stem']}{between}{missing}.* beside it"
    return f"no partner: there is no {file.stem}.* in the folder {missing} beside {own}"
