"""A run over many scans as one table: a line a channel, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from afmsr_core import __version__
from afmsr_core.batch.plan import Job, check_output

__all__ = ["Summary"]

UNITS = ("unit", "lateral_unit")
"""Columns with units, which the heads of the others name as well where all channels share one."""

BOTH = ("Sa", "Sq", "Sdq", "S10z", "Sal")
"""Surface parameters that are told of scan and result, by their names in ISO 25178-2."""

FULL = {
    "Sdq": "Sdq",
    "Sdr": "Sdr",
    "S10z": "S10z",
    "Sal": "Sal",
    "hills.count": "grains",
    "hills.diameter": "mean grain diameter",
    "dales.count": "pores",
    "dales.diameter": "mean pore diameter",
}
"""Numbers of a full scan, and what they are called; each has a median and a 95 % interval."""

UNIT_OF = {
    "Sdq": "{unit}/{lateral_unit}",
    "Sdr": "%",
    "Sal": "{lateral_unit}",
    "hills.count": "",
    "hills.diameter": "{lateral_unit}",
    "dales.count": "",
    "dales.diameter": "{lateral_unit}",
}
"""Of a number whose unit is not that of the heights."""

ENDS = ("median", "low", "high")


def _titled(what: str, name: str) -> str:
    """Return the head of a column; `name` is the number's."""
    unit = UNIT_OF.get(name, "{unit}")
    return f"{what} ({unit})" if unit else what


class Summary:
    """Collects the records of a run; as its context ends, they are written as a table (CSV).

    Parameters
    ----------
    path : Path
        Where the table goes.
    jobs : sequence of Job
        All of the run, in the order in which they are told.
    force : bool
        Replace a file that is there.
    skipped : collection of Job
        Those that an earlier run has done; what an earlier table at `path` says of them is kept.

    Raises
    ------
    UsageError
        If the name does not end in ``.csv``, or there is no such folder.
    OutputExistsError
        If the file is there, `force` is false and nothing is skipped.
    """

    def __init__(
        self, path: Path, jobs: Sequence[Job], force: bool, skipped: Collection[Job] = ()
    ) -> None:
        check_output(path, ".csv", force or bool(skipped), "--summary")
        self._path = path
        self._order = {str(job.source): number for number, job in enumerate(jobs)}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        before = _read(path) if skipped else {}
        for job in skipped:
            source = str(job.source)
            self._rows[source] = before.get(source) or [
                {"file": source, "status": "skipped", "result": str(job.target)}
            ]

    def __enter__(self) -> Summary:
        return self

    def __exit__(self, *_: object) -> None:
        self.write()

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in what :func:`afmsr_core.batch.many.each` says of one scan."""
        self._rows[record["input"]] = list(_rows(record))

    def write(self) -> None:
        """Write the table; it is whole or, as before, not there.

        Raises
        ------
        OutputError
            If the system refuses to write.
        """
        from afmsr_core.io.atomic import writing

        if not self._rows:
            return
        ordered = sorted(self._rows.items(), key=lambda one: self._order[one[0]])
        rows = [row for _, some in ordered for row in some]
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_head(rows))
        table.writerows([_cell(row.get(name)) for name in COLUMNS] for row in rows)
        with writing(self._path, force=True) as file:
            file.write(text.getvalue().encode("utf-8", "backslashreplace"))


COLUMNS = {
    "file": "file",
    "channel": "channel",
    "title": "title",
    "status": "status",
    "result": "result",
    "verdict": "verdict",
    "expected_error": "expected error (% of Sq)",
    "advised": "advised pixels",
    "unit": "unit",
    "lateral_unit": "lateral unit",
    "noise": "noise ({unit})",
    **{
        f"{name}_{of}": _titled(f"{name} of {of}", name)
        for name in BOTH
        for of in ("scan", "result")
    },
    **{f"grains_{of}": f"grains of {of}" for of in ("scan", "result")},
    **{
        f"diameter_{of}": f"mean grain diameter of {of} ({{lateral_unit}})"
        for of in ("scan", "result")
    },
    **{
        f"{name}_full_{end}": _titled(f"{called} of full scan, {end}", name)
        for name, called in FULL.items()
        for end in ENDS
    },
    "width": "width ({lateral_unit})",
    "height": "height ({lateral_unit})",
    "columns": "columns of result (px)",
    "rows": "rows of result (px)",
    "method": "method",
    "scale": "scale",
    "level": "level",
    "settings": "settings",
    "warnings": "warnings",
    "error": "error",
    "version": "afmsr",
}
"""What is in a row, and the head of its column."""


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each channel; one, with the reason, for a scan that failed."""
    of_file = {
        "file": record["input"],
        "status": "failed" if "error" in record else "done",
        "result": record["output"],
        "warnings": "; ".join(record.get("warnings", ())),
        "version": __version__,
    }
    if "left_out" in record:
        return
    if "error" in record:
        yield of_file | {"error": record["error"], "result": ""}
        return
    for channel in record["channels"]:
        yield of_file | _of_channel(channel)


def _of_channel(channel: Mapping[str, Any]) -> dict[str, Any]:
    found, numbers = channel["coarseness"], channel["parameters"]
    steps = [step["settings"] for step in channel["history"] if step["name"] == "upscale"]
    settings = steps[-1]  # a result may have been upscaled before
    row = {
        "channel": channel["number"],
        "title": channel["title"],
        "verdict": found["verdict"],
        "unit": channel["unit"] or "1",
        "lateral_unit": channel["lateral_unit"] or "1",
        "noise": numbers["quality"]["noise_floor"],
        "width": channel["xreal"],
        "height": channel["yreal"],
        "columns": channel["xres"],
        "rows": channel["yres"],
        "method": channel["method"],
        "scale": channel["scale"],
        "level": settings.get("level", ""),
        "settings": json.dumps(settings, ensure_ascii=False),
    }
    if "expected_error" in found:
        row["expected_error"] = 100 * found["expected_error"]
        if found["more_pixels_help"]:
            row["advised"] = "{} x {}".format(*found["pixels"])
    for of in ("scan", "result"):
        row |= {f"{name}_{of}": numbers[of][name] for name in BOTH}
        row[f"grains_{of}"] = numbers[of]["hills"]["count"]
        row[f"diameter_{of}"] = numbers[of]["hills"]["diameter"]
    for name, one in numbers["full_scan"].get("numbers", {}).items():
        row |= {f"{name}_full_{end}": one[end] for end in ENDS}
    return row


def _head(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the columns, with units."""
    units = {}
    for name in UNITS:
        found = {row[name] for row in rows if row.get(name)}
        units[name] = found.pop() if len(found) == 1 else COLUMNS[name]
    return [head.format(**units) for head in COLUMNS.values()]


def _cell(value: Any) -> Any:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of an earlier table by file; none if there is no such table."""
    from afmsr_core.io.files import contents

    if not path.exists():
        return {}
    lines = list(csv.reader(io.StringIO(contents(path).decode("utf-8", "replace"))))
    rows = [dict(zip(COLUMNS, line, strict=False)) for line in lines[1:]]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows if lines[:1] == [_head(rows)] else ():
        found.setdefault(row["file"], []).append(row)
    return found
