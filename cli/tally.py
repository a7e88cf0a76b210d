"""A run over several files: what is told of each when it is done, and of all at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errorlog import kept
from .progress import Progress

if TYPE_CHECKING:
    import argparse

    from afmsr_core.batch.plan import Job

__all__ = ["Tally", "one_by_one"]


class Tally:
    """Tells how a run goes and how it ended.

    Parameters
    ----------
    jobs : sequence of Job
        All, in the order of the inputs.
    skipped : collection of Job
        Those of them that an earlier run has done.
    quiet : bool
        Say nothing but warnings and errors.
    keep : bool
        Keep the records; of a hundred thousand scans, only the failures else.
    done : str
        What a record without an error is: ``"done"``, ``"planned"``.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        skipped: Collection[Job] = (),
        *,
        quiet: bool = False,
        keep: bool = True,
        done: str = "done",
    ) -> None:
        self._total = len(jobs) - len(skipped)
        self.progress = Progress(self._total, quiet)
        self._quiet, self._keep, self._word = quiet, keep, done
        self._done = self._left_out = 0
        self._failed: list[str] = []
        self._log: Path | None = None
        self._order = {str(job.source): number for number, job in enumerate(jobs)}
        self._skipped = [
            {"input": str(job.source), "output": str(job.target), "status": "skipped"}
            for job in skipped
        ]
        self._records: list[dict[str, Any]] = []

    def add(self, record: dict[str, Any], told: str, more: Sequence[str] = ()) -> None:
        """Take in one file; `told` is what the progress says of it, with `more` lines below."""
        traceback = record.pop("traceback", None)
        for warning in record.get("warnings", ()):
            self.progress.say(f"afmsr: warning: {record['input']}, {warning}")
        if "error" in record:
            record["status"] = "failed"
            self._failed.append(record["error"])
            self._log = kept(record["input"], traceback) or self._log
        elif "left_out" in record:
            record["status"] = "left out"
            self._left_out += 1
        else:
            record["status"] = self._word
            self._done += 1
        if self._keep:
            self._records.append(record)
        if "error" not in record or self._total > 1:  # of a single file the error is enough
            self.progress.done(told, more)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Records of all files, also of those that were skipped, in the order of the inputs."""
        both = [*self._skipped, *self._records]
        return sorted(both, key=lambda record: self._order[record["input"]])

    def finish(self) -> int:
        """Tell how many were done, failed and skipped, and which failed and why; return the status.

        Of a single file the error is enough.
        """
        self.progress.end()
        counts = {self._word: self._done, "failed": len(self._failed)}
        if self._skipped:
            counts["skipped"] = len(self._skipped)
        if self._left_out:
            counts["left out"] = self._left_out
        if left := self._total - self._done - len(self._failed) - self._left_out:
            if left == self._total:  # what was wrong was no file's fault
                return 0
            counts["not begun"] = left
        several = self._total > 1 or self._skipped
        if several and (self._failed or not self._quiet):
            self.progress.say(f"afmsr: {', '.join(f'{n} {what}' for what, n in counts.items())}")
        for error in self._failed:
            self.progress.say(f"afmsr: {error}")
        if self._log:
            self.progress.say(f"afmsr: tracebacks are in {self._log}")
        if self._failed or self._done or self._skipped or not self._left_out:
            return int(bool(self._failed))
        return 3  # all were left out: there was nothing to do


def one_by_one(
    jobs: Sequence[Job],
    work: Callable[[Job, argparse.Namespace], dict[str, Any]],
    told: Callable[[dict[str, Any]], str],
    args: argparse.Namespace,
) -> int:
    """Do jobs as ``--quiet``, ``--dry-run`` and ``--json`` say; return the status.

    Parameters
    ----------
    jobs : sequence of Job
        What to do.
    work : callable
        Does one of them, and returns its record.
    told : callable
        Says in a line what a record holds.
    args : argparse.Namespace
        What :func:`~.options.add_file_options` added, and what `work` needs.
    """
    tally = Tally(
        jobs,
        quiet=args.quiet or args.dry_run,
        keep=args.json or args.dry_run,
        done="planned" if args.dry_run else "done",
    )
    try:
        for job in jobs:
            record = work(job, args)
            tally.add(record, told(record))
    finally:
        status = tally.finish()
    if args.json:
        print(json.dumps(tally.records, indent=1))
    elif args.dry_run:
        for record in tally.records:
            print(told(record))
    return status
