"""Makes a study: images under names that tell nothing, orders that are balanced, and a key."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.errors import OutputError, OutputExistsError, UsageError
from afmsr_core.io.atomic import writing
from afmsr_core.survey.design import Draft, draft_sets, plan_of
from afmsr_core.survey.png import NONCE_BYTES, plain_png
from afmsr_core.survey.sources import Scene, find_scenes
from afmsr_core.survey.store import Store, now, savable
from afmsr_core.survey.study import (
    IMAGES,
    QUESTIONS,
    SCORES,
    STUDY,
    Key,
    Study,
    StudySet,
    key_path,
)

__all__ = ["RATERS", "Built", "add_raters", "build_study"]

RATERS = ("rater-1", "rater-2", "rater-3")
"""By default three, as in the paper."""

SEED_BITS = 62
"""Of a seed that is drawn: too many to try them all."""

SECRET_BYTES = 32


@dataclass(frozen=True)
class Built:
    """What was made, and what was left out."""

    study: Study
    key: Key
    key_path: Path
    left_out: dict[str, str]


def build_study(
    results: Path,
    folder: Path,
    *,
    methods: Sequence[str] = (),
    sets: int | None = None,
    repeats: int = 0,
    catch: int = 0,
    seed: int | None = None,
    raters: Sequence[str] = RATERS,
    crop: int | None = None,
    title: str = "Image survey",
    key_to: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Built:
    """Build a study folder, complete or absent, and its key beside it.

    Parameters
    ----------
    results : Path
        Results of ``afmsr-eval``, or a folder of images; see `sources.find_scenes`.
    folder : Path
        To make; must not exist, for it might hold scores.
    methods, crop
        As for `sources.find_scenes`.
    sets, repeats, catch : int
        As for `design.draft_sets`.
    seed : int, optional
        Of orders and choices; drawn at random by default. It is in the key, and as secret.
    raters : sequence of str
        Names or labels; more can be added later.
    title : str
        Shown to the raters.
    key_to : Path, optional
        Where the key goes; beside `folder` by default, never into it.
    progress : callable, optional
        Gets the fraction done.

    Raises
    ------
    OutputExistsError, OutputError
        If the folder or the key exists, or the system refuses.
    UsageError, ReadError
        If something is asked for that there is not, or `results` cannot be read.
    """
    key_to = key_path(folder) if key_to is None else key_to
    _check(folder, key_to, raters)
    _check_texts("--title", [title])
    found = find_scenes(results, methods, crop)
    if not found.scenes:
        why = next((f" ({pair}: {reason})" for pair, reason in found.left_out.items()), "")
        raise UsageError(
            f"{results}: no pair has a result of each of {', '.join(found.methods)}{why}; choose "
            f"other --methods"
        )
    secret = secrets.token_hex(SECRET_BYTES)
    drawn = secrets.randbits(SEED_BITS) if seed is None else seed
    drafts = draft_sets(
        list(found.scenes),
        found.methods,
        seed=drawn,
        secret=secret,
        sets=sets,
        repeats=repeats,
        catch=catch,
    )
    temporary = folder.parent / f".{folder.resolve().name}.{secrets.token_hex(6)}"
    try:
        (temporary / IMAGES).mkdir(parents=True)
        made = []
        for done, draft in enumerate(drafts):
            made.append(_write_set(temporary, draft, found.scenes[draft.pair](), secret))
            if progress is not None:
                progress((done + 1) / len(drafts))
        study = Study(
            folder=temporary,
            id=secrets.token_hex(8),
            title=title,
            created=now(),
            version=__version__,
            questions=QUESTIONS,
            sets=tuple(made),
        )
        items = {item: one for draft in drafts for item, one in draft.items.items()}
        key = Key(study.id, drawn, secret, found.labels, items)
        _write_json(temporary / STUDY, study.as_dict())
        add_raters(study, key, raters)
        Store(temporary / SCORES).checkpoint()
        _write_json(key_to, key.as_dict(), private=True)
        try:
            temporary.rename(folder)
        except OSError:
            key_to.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder with -o"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Built(Study.read(folder), key, key_to, dict(found.left_out))


def add_raters(study: Study, key: Key, raters: Sequence[str]) -> list[str]:
    """Add raters who are not there yet, each with an own order; return those who are new."""
    key.check(study)
    _check_texts("--raters", raters)
    store = study.store
    store.create()
    new = []
    for rater in raters:
        there = store.raters()
        if rater not in there:
            store.add_rater(rater, plan_of(study, key, len(there)))
            new.append(rater)
    return new


def _check(folder: Path, key_to: Path, raters: Sequence[str]) -> None:
    for path in (folder, key_to):
        if path.exists():
            raise OutputExistsError(
                f"{path}: exists already and is not replaced, for it may belong to scores; choose "
                f"another name or remove it"
            )
    if key_to.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"--key {key_to}: lies in the folder that is shared; choose a place outside of it"
        )
    if not raters or len(set(raters)) < len(raters) or not all(one.strip() for one in raters):
        raise UsageError(f"--raters {','.join(raters)}: give different names, separated by commas")


def _check_texts(option: str, texts: Sequence[str]) -> None:
    for text in texts:
        if not savable(text):
            raise UsageError(
                f"{option} {text!r}: holds half of a character or bytes that are no text in this "
                f"terminal's encoding; type it again"
            )


def _write_set(folder: Path, draft: Draft, scene: Scene, secret: str) -> StudySet:
    images = {draft.truth: scene.truth}
    for item, one in draft.items.items():
        images[item] = scene.truth if one.catch else scene.results[one.method]
    for name, pixels in sorted(images.items()):  # the times of the files tell no order either
        nonce = hashlib.sha256(f"{secret}/nonce/{name}".encode()).digest()[:NONCE_BYTES]
        with writing(folder / IMAGES / f"{name}.png") as file:
            file.write(plain_png(pixels, nonce))
    return StudySet(
        set=draft.set,
        truth=draft.truth,
        items=tuple(sorted(draft.items)),
        shape=(scene.truth.shape[0], scene.truth.shape[1]),
        pixel=scene.pixel,
        heights=scene.heights,
        unit=scene.unit,
    )


def _write_json(path: Path, value: dict[str, Any], private: bool = False) -> None:
    with writing(path) as file:
        if private:  # nobody but the owner reads the key
            Path(file.name).chmod(0o600)
        file.write(json.dumps(value, indent=1).encode())
