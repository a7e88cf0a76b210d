"""Studies on disk with raters whose preferences are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from afmsr_core.survey.design import draft_sets, plan_of
from afmsr_core.survey.store import Score
from afmsr_core.survey.study import QUESTIONS, STUDY, Key, Study, StudySet, key_path
from docs.survey_rates import THRESHOLDS

AT = "2026-01-01T00:00:00.000+00:00"


def empty_study(
    folder: Path,
    methods: Sequence[str] = ("bicubic", "rcan", "rdn"),
    raters: Sequence[str] = ("anna", "ben", "carl"),
    *,
    images: int = 12,
    repeats: int = 0,
    catch: int = 0,
    data_sets: int = 1,
) -> tuple[Study, Key]:
    """Build a study as `build_study` does, but without images."""
    pairs = [(f"set{n % data_sets}" if data_sets > 1 else "", f"p{n:02}") for n in range(images)]
    drafts = draft_sets(
        pairs, methods, seed=3, secret="ab" * 16, sets=None, repeats=repeats, catch=catch
    )
    sets = tuple(StudySet(one.set, one.truth, tuple(one.items)) for one in drafts)
    folder.mkdir()
    study = Study(folder, "0123456789abcdef", "Simulated", AT, "0", QUESTIONS, sets)
    labels = {method: method.upper() for method in methods}
    items = {name: item for one in drafts for name, item in one.items.items()}
    key = Key(study.id, 3, "ab" * 16, labels, items)
    (folder / STUDY).write_text(json.dumps(study.as_dict()))
    key_path(folder).write_text(json.dumps(key.as_dict()))
    store = study.store
    store.create()
    for place, rater in enumerate(raters):
        store.add_rater(rater, plan_of(study, key, place))
    return study, key


def fill(
    study: Study,
    key: Key,
    effects: Mapping[str, float],
    *,
    seed: int = 1,
    raters: Sequence[str] = (),
    truth: float = 6.0,
    noise: float = 1.0,
) -> list[Score]:
    """Let raters score everything, repeats and catch items too; return what they gave."""
    random = np.random.default_rng(seed)
    ease = {one.pair: random.normal() for one in key.items.values()}
    given = []
    for rater in raters or study.store.raters():
        kindness = random.normal()
        for one in study.sets:
            for item in one.items:
                what = key.items[item]
                better = truth if what.catch else effects[what.method]
                for question in study.questions:
                    latent = better + kindness + ease[what.pair] + random.logistic(0.0, noise)
                    score = 1 + int((latent > np.asarray(THRESHOLDS)).sum())
                    given.append(Score(rater, one.set, item, question, score, 7.5, AT))
    study.add_scores(given)
    return given
