"""Print the tables of survey_analysis.md: how often the tests find what is there, and what is not.

python docs/survey_rates.py [STUDIES]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from unittest import mock

import numpy as np

from afmsr_core.statistics import Scores, friedman, holm
from afmsr_core.statistics.tukey import studentized_q
from afmsr_core.survey.cumulative import cumulative_logit

LEVEL = 0.05
METHODS = ("a", "b", "c")
# Log odds that separate the scores 1 to 6: with no effects most scores are 3 and 4.
THRESHOLDS = (-3.0, -1.5, 0.0, 1.5, 3.0)
DESIGNS: Mapping[str, Mapping[str, float]] = {
    "3 raters, 20 images": {},
    "3 raters, 8 images": {"images": 8},
    "1 rater, 20 images": {"raters": 1},
    "a rater's own view of an image (SD 1)": {"block_sd": 1.0},
    "a method's luck with an image (SD 0.5)": {"interaction_sd": 0.5},
    "a method's luck with an image (SD 1)": {"interaction_sd": 1.0},
}


def simulated_scores(
    random: np.random.Generator,
    effects: tuple[float, ...],
    *,
    raters: int = 3,
    images: int = 20,
    rater_sd: float = 1.0,
    image_sd: float = 1.0,
    block_sd: float = 0.0,
    interaction_sd: float = 0.0,
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> np.ndarray:
    """Return whole scores of raters who do not exist, drawn from a cumulative logit model.

    Shape (raters, images, methods). `effects` of the methods, the SDs of the raters' leniency and
    the images' ease, of what a rater thinks of one image whatever the method (`block_sd`) and of
    what a method happens to be on one image for all raters (`interaction_sd`) are in log odds.
    """
    methods = len(effects)
    latent = (
        np.asarray(effects, dtype=np.float64)
        + random.normal(0.0, rater_sd, (raters, 1, 1))
        + random.normal(0.0, image_sd, (1, images, 1))
        + random.normal(0.0, block_sd, (raters, images, 1))
        + random.normal(0.0, interaction_sd, (1, images, methods))
        + random.logistic(0.0, 1.0, (raters, images, methods))
    )
    return 1.0 + (latent[..., None] > np.asarray(thresholds)).sum(axis=-1)


def tests(values: np.ndarray) -> dict[str, bool]:
    """Return which tests find any difference between methods."""
    raters, images, methods = values.shape
    rows = values.reshape(-1, methods)
    kinds = ["network"] * methods
    of_image = [str(image) for _ in range(raters) for image in range(images)]
    apart = Scores(rows, METHODS, kinds, True)
    together = Scores(rows, METHODS, kinds, True, clusters=of_image)
    model = cumulative_logit(values, METHODS)
    triangle = np.triu_indices(methods, 1)
    with mock.patch("afmsr_core.statistics.ranks.studentized_p", lambda q, *_: q):  # slow, not used
        ranks, image_ranks = friedman(apart), friedman(together)
    return {
        "one-way Tukey": one_way_tukey_finds_any(rows),
        "model": model.converged and model.p_any < LEVEL,
        "model, pairs by Holm": model.converged and min(holm(model.p[triangle])) < LEVEL,
        "Friedman, raters × images": ranks.p < LEVEL,
        "Friedman, images": image_ranks.p < LEVEL,
    }


def one_way_tukey_finds_any(rows: np.ndarray) -> bool:
    """Return whether the two methods that are furthest apart differ: a thousand times faster."""
    count, methods = rows.shape
    error = np.sqrt(rows.var(axis=0, ddof=1).mean() / count)
    furthest = np.ptp(rows.mean(axis=0)) / error
    return bool(furthest > studentized_q(LEVEL, methods, methods * (count - 1)))


def main(studies: int) -> None:
    """Print the rates without and with a difference."""
    for words, effects in (("no method differs", (0, 0, 0)), ("b and c 1.5 better", (0, 1.5, 1.5))):
        names: list[str] = []
        for design, choices in DESIGNS.items():
            random = np.random.default_rng(6)
            found = [tests(simulated_scores(random, effects, **choices)) for _ in range(studies)]
            if not names:
                names = list(found[0])
                print(f"\n{words}, {studies} studies each\n")
                print(f"| design | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
            rates = [sum(one[name] for one in found) / studies for name in names]
            print(f"| {design} | {' | '.join(f'{rate:.3f}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
