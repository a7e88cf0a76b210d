"""Many pairs with the same settings: in this process, in several, on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.evaluation.pair import Evaluator, Outcome
from afmsr_core.evaluation.run import keep, outcome_of

if TYPE_CHECKING:
    from afmsr_core.batch.dask import Scheduler
    from afmsr_core.batch.processes import Death
    from afmsr_core.evaluation.settings import EvaluationSettings
    from afmsr_core.pairing import Pair

__all__ = ["each"]


def each(
    pairs: Sequence[Pair],
    settings: EvaluationSettings,
    folder: Path,
    *,
    processes: int = 1,
    scheduler: Scheduler | None = None,
    within: Callable[[str], Any] = lambda name: None,
    tell: Callable[[str], object] = lambda sentence: None,
) -> Iterator[tuple[Pair, dict[str, Any]]]:
    """Evaluate pairs; yield each with its record as it is finished and in the folder.

    Parameters
    ----------
    pairs : sequence of Pair
        Those that are outdated.
    settings : EvaluationSettings
        What to do.
    folder : Path
        Of the results, for which :func:`afmsr_core.evaluation.begin` was called.
    processes : int
        How many.
    scheduler : str, path or Cluster, optional
        Of a Dask cluster that computes instead.
    within : callable
        Gets a pair's name; returns what its own progress is given to, or None.
    tell : callable
        Gets a sentence when there is something to wait for.
    """
    if not pairs:
        return
    if scheduler is not None:
        from afmsr_core.evaluation.cluster import on_cluster

        yield from on_cluster(pairs, settings, folder, scheduler, tell)
        return
    if processes == 1 or len(pairs) == 1:
        evaluator = Evaluator(settings)
        for pair in pairs:
            yield pair, outcome_of(pair, evaluator, folder, within(pair.id))
        return
    from afmsr_core.batch.processes import in_processes

    work, died = partial(_in_process, folder=folder), partial(_died, folder=folder)
    yield from in_processes(pairs, work, processes, _start_process, settings, died)


_of_this_process: dict[str, Evaluator] = {}


def _start_process(settings: EvaluationSettings) -> None:
    _of_this_process["evaluator"] = Evaluator(settings)


def _in_process(pairs: Sequence[Pair], again: bool, folder: Path) -> Iterator[dict[str, Any]]:
    return (outcome_of(pair, _of_this_process["evaluator"], folder) for pair in pairs)


def _died(pair: Pair, death: Death, folder: Path) -> dict[str, Any]:
    outcome = Outcome.failed(pair, f"{pair.id}: {death.reason}", death.traceback)
    return keep(pair, outcome, "", folder) | {"traceback": death.traceback}
