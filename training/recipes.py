"""Recipes of trainings that were blended, as ``recipe.json`` and the model cards hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.corpus import SPLITS


def parts_of(recipe: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the recipe itself and, of a blend, those of the trainings that it lies between."""
    yield recipe
    for name in ("of", "and"):
        if name in recipe:
            yield from parts_of(recipe[name])


def splits_of(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits of the corpus that the weights have seen; older recipes do not name any."""
    named = {split for part in parts_of(recipe) for split in part.get("splits", ())}
    return tuple(sorted(named)) or SPLITS[:1]


def teachers_of(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the methods whose results the weights learned from besides."""
    lessons = (part.get("lessons") or {} for part in parts_of(recipe))
    return tuple(sorted({str(one["teacher"]) for one in lessons if "teacher" in one}))
