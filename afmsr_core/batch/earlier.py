"""Results of an earlier run: which are those that this run would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from afmsr_core.batch.plan import Job, sha256_of
from afmsr_core.errors import OutputExistsError, UnreadableFileError

__all__ = ["done_before"]


def done_before(
    jobs: Sequence[Job], companions: Sequence[str], options: Callable[[], str], force: bool
) -> set[Job]:
    """Return the jobs that an earlier run has done: from the same scan, with the same options.

    Parameters
    ----------
    jobs : sequence of Job
        Of this run.
    companions : sequence of str
        Suffixes of what is written beside each result.
    options : callable
        Returns those of this run, as of :func:`afmsr_core.batch.options.options_of`; asked only if
        there is a result to compare.
    force : bool
        Other results are made anew instead of refused.

    Raises
    ------
    OutputExistsError
        If a result was made with other options or from another scan, without `force`.
    """
    there = [job for job in jobs if job.target.exists() and _can_be_read(job)]
    if not there:
        return set()
    run = options()
    told = {job: _otherwise(job, run) for job in there}
    others = [job for job in there if told[job]]
    if others and not force:
        rest = f" It is not the only one: {len(others)} are there." if others[1:] else ""
        raise OutputExistsError(
            f"{others[0].target}: {told[others[0]]}.{rest} Give --force too, which makes such "
            f"results anew and keeps the others, or another -o"
        )
    return {
        job
        for job in there
        if not told[job] and all(job.target.with_suffix(one).exists() for one in companions)
    }


def _can_be_read(job: Job) -> bool:
    """Return whether its scan can be compared; one that cannot is tried, and fails by name."""
    from afmsr_core.io.files import head

    try:
        head(job.source, 1)
    except UnreadableFileError:
        return False
    return True


def _otherwise(job: Job, options: str) -> str:
    """Return why the result that is there is not what this run would make; empty if it is."""
    from afmsr_core.io import results

    made = results.made_by(job.target)
    if made is None:
        return (
            "this file does not tell from which scan and with which options it was made, as "
            "results of this version do"
        )
    if made.options != options:
        return f"this result was made with {made.options}, and the run has {options}"
    if made.scan != sha256_of(job.source):
        return (
            f"this result was made from another scan than {job.source}, or that was changed since"
        )
    return ""
