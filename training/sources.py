"""What a recipe draws patches from: real scans, generated surfaces, bad lines, lessons."""

from __future__ import annotations

from pathlib import Path

from training import corpus, fit
from training.bad_lines import with_bad_lines
from training.batches import Source
from training.fields import generated_fields, real_fields


def source_of(
    recipe: fit.Recipe, folder: Path, *, lessons: Path | None, photographs: Path | None
) -> Source:
    """Return the source of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Names the kinds and their shares.
    folder : Path
        Of the corpus.
    lessons, photographs : Path, optional
        Folders of what else it learns from, or of what it learns from instead.
    """
    if photographs is not None:
        from training.photographs import photographs as fields_of

        return Source((fields_of(photographs), 1.0))
    from training.lessons import lessons as taught_in

    scale = fit.SCALES[recipe.scale]
    scans = corpus.training_scans(folder, recipe.splits)
    real = real_fields(scans, corpus.training_pairs(folder), scale)
    named = [
        (generated_fields(fit.PER_NAMED_KIND, fit.NAMED, scale, [kind]), share)
        for kind, share in recipe.kinds.items()
    ]
    return Source(
        (generated_fields(recipe.per_kind, fit.SURFACES, scale), recipe.generated),
        *named,
        (with_bad_lines(real, fit.BAD_LINES) if recipe.bad_lines else {}, recipe.bad_lines),
        (taught_in(lessons, recipe.trust) if lessons else {}, recipe.lesson_share),
        (real, 1.0),
    )
