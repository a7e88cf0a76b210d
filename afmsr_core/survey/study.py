"""A study on disk: the folder that is shared, the scores in it, and the key that never is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from afmsr_core.errors import CorruptFileError, UnreadableFileError, UnsupportedContentError
from afmsr_core.survey.store import Plan, Score, Store

__all__ = [
    "FORMAT",
    "HIGHEST",
    "IMAGES",
    "LOWEST",
    "QUESTIONS",
    "SCORES",
    "STUDY",
    "TRUTH",
    "Key",
    "KeyItem",
    "Plan",
    "Score",
    "Study",
    "StudySet",
    "key_path",
]

FORMAT = 1
QUESTIONS = ("fidelity", "quality")
LOWEST, HIGHEST = 1, 6
"""Of the scores, as in the paper (doi 10.3762/bjnano.16.83): 1 is worst, 6 is best."""

STUDY, SCORES, IMAGES = "study.json", "scores.sqlite", "images"
TRUTH = "truth"
"""What the key calls the method of a catch item."""


@dataclass(frozen=True)
class StudySet:
    """One ground truth and the results that are scored beside it.

    Attributes
    ----------
    set : str
        Opaque identifier.
    truth : str
        Opaque name of the image of the truth, without folder and suffix.
    items : tuple of str
        Opaque identifiers of the results, which are the names of their images too.
    shape : tuple of int
        Rows and columns of every image of the set.
    pixel : tuple of float, optional
        Height and width of a pixel, in nm; None if not known, as of a folder of images.
    heights : tuple of float, optional
        Heights at both ends of the colours.
    unit : str
        Of `heights`.
    """

    set: str
    truth: str
    items: tuple[str, ...]
    shape: tuple[int, int] = (0, 0)
    pixel: tuple[float, float] | None = None
    heights: tuple[float, float] | None = None
    unit: str = "nm"


@dataclass(frozen=True)
class Study:
    """What a study folder holds; nothing in it tells which method made an item.

    Attributes
    ----------
    folder : Path
        The folder.
    id : str
        Random; the key of this study has the same.
    title, created, version : str
        Title, date and time in UTC (ISO 8601), and the version of afmsr that built it.
    questions : tuple of str
        What is asked of every item; each is scored from `LOWEST` (worst) to `HIGHEST` (best).
    sets : tuple of StudySet
        All sets, repeats among them, in no telling order.
    """

    folder: Path
    id: str
    title: str
    created: str
    version: str
    questions: tuple[str, ...]
    sets: tuple[StudySet, ...]

    @classmethod
    def read(cls, folder: str | Path) -> Study:
        """Read a study folder.

        Raises
        ------
        UnreadableFileError, CorruptFileError, UnsupportedContentError
            If ``study.json`` is absent, damaged, or of another format.
        """
        folder = Path(folder)
        path = folder / STUDY
        raw = _read(path, "give a folder that afmsr survey build wrote")
        try:
            return cls(
                folder=folder,
                id=str(raw["id"]),
                title=str(raw["title"]),
                created=str(raw["created"]),
                version=str(raw["afmsr"]),
                questions=tuple(map(str, raw["questions"])),
                sets=tuple(_set(one) for one in raw["sets"]),
            )
        except (KeyError, TypeError) as error:
            raise CorruptFileError(
                f"{path}: lacks or garbles {error}; build the study again"
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return what ``study.json`` holds."""
        return {
            "format": FORMAT,
            "id": self.id,
            "title": self.title,
            "created": self.created,
            "afmsr": self.version,
            "questions": list(self.questions),
            "lowest": LOWEST,
            "highest": HIGHEST,
            "sets": [asdict(one) for one in self.sets],
        }

    def image(self, name: str) -> Path:
        """Return the image of an item or a truth."""
        return self.folder / IMAGES / f"{name}.png"

    @property
    def database(self) -> Path:
        """The SQLite file of raters, orders and scores."""
        return self.folder / SCORES

    def set_of(self) -> dict[str, str]:
        """Return the set of every item."""
        return {item: one.set for one in self.sets for item in one.items}

    @property
    def store(self) -> Store:
        """What is in the database."""
        return Store(self.database)

    def add_scores(self, scores: Iterable[Score], force: bool = False) -> int:
        """Add scores that were given on paper or in a spreadsheet.

        All are added or none. A rater who is not there yet is added. A score that is there
        already with the same value is left as it is.

        Parameters
        ----------
        scores : iterable of Score
            Scores; `set` must be the set of `item`.
        force : bool
            Let a score that contradicts one that is there take its place; the one before stays
            in the record of clicks.

        Returns
        -------
        int
            How many were new or changed.

        Raises
        ------
        UnsupportedContentError
            If a set, item, question or value is not of this study, or contradicts a score that
            is there, without `force`.
        """
        given = list(scores)
        sets = self.set_of()
        for one in given:
            where = f"rater {one.rater}, item {one.item}"
            if sets.get(one.item) != one.set:
                raise UnsupportedContentError(
                    f"{where}: the study has no such item in set {one.set}; check the column of "
                    f"items, or the study folder"
                )
            if one.question not in self.questions:
                raise UnsupportedContentError(
                    f"{where}: the study does not ask {one.question!r}; it asks "
                    f"{', '.join(self.questions)}"
                )
            if one.score not in range(LOWEST, HIGHEST + 1):
                raise UnsupportedContentError(
                    f"{where}, {one.question}: the score is {one.score!r}; give a whole number "
                    f"from {LOWEST} to {HIGHEST}"
                )
        return self.store.add_scores(given, force)


@dataclass(frozen=True)
class KeyItem:
    """What an item is.

    Attributes
    ----------
    method : str
        Name of the method; ``"truth"`` for a catch item.
    pair, data_set : str
        Of the images.
    repeat_of : str, optional
        The item that this one shows again, in another set.
    catch : bool
        Whether it is the truth, shown as if it were a result.
    """

    method: str
    pair: str
    data_set: str
    repeat_of: str | None = None
    catch: bool = False


@dataclass(frozen=True)
class Key:
    """The key of a study: what its items are, and what its orders were drawn with.

    Attributes
    ----------
    study : str
        ``id`` of the study.
    seed : int
        Of the orders.
    secret : str
        Hexadecimal; what the opaque names were drawn from.
    labels : mapping of str to str
        Label of each method, for figures and tables.
    items : mapping of str to KeyItem
        By opaque identifier.
    """

    study: str
    seed: int
    secret: str
    labels: Mapping[str, str]
    items: Mapping[str, KeyItem]

    @classmethod
    def read(cls, path: str | Path) -> Key:
        """Read a key.

        Raises
        ------
        UnreadableFileError, CorruptFileError, UnsupportedContentError
            If the file is absent, damaged, or of another format.
        """
        path = Path(path)
        raw = _read(path, "give the key that afmsr survey build wrote, with --key")
        try:
            return cls(
                study=str(raw["study"]),
                seed=int(raw["seed"]),
                secret=str(raw["secret"]),
                labels=dict(raw["labels"]),
                items={name: KeyItem(**one) for name, one in raw["items"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptFileError(
                f"{path}: lacks or garbles {error}; take the key from your copy"
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return what the file holds."""
        items = {name: asdict(one) for name, one in self.items.items()}
        return {"format": FORMAT} | asdict(self) | {"labels": dict(self.labels), "items": items}

    def check(self, study: Study) -> None:
        """Raise UnsupportedContentError unless this is the key of `study`."""
        missing = set(study.set_of()) - set(self.items)
        if self.study != study.id or missing:
            raise UnsupportedContentError(
                f"{study.folder}: the key is of another study; give the right one with --key"
            )


def key_path(folder: str | Path) -> Path:
    """Return where the key of a study folder is by default: beside it, never inside.

    Examples
    --------
    >>> key_path("results/study").as_posix()
    'results/study.key.json'
    """
    folder = Path(folder)
    return folder.parent / f"{folder.resolve().name}.key.json"


def _set(raw: Mapping[str, Any]) -> StudySet:
    lists = {
        name: tuple(raw[name])
        for name in ("items", "shape", "pixel", "heights")
        if raw.get(name) is not None
    }
    return StudySet(**{**raw, **lists})


def _read(path: Path, cure: str) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    except ValueError as error:
        raise CorruptFileError(f"{path}: is no JSON ({error}); {cure}") from error
    found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
    if found != FORMAT:
        raise UnsupportedContentError(
            f"{path}: has the format {found!r}, this version reads {FORMAT}; {cure}"
        )
    return dict(raw)
