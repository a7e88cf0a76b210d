"""The whole report: most parts, each in a process of its own, into the documentation.

Writes docs/developers/performance.json (machine, versions, seeds, every part's command, text and
tables), the marked block of docs/developers/performance.md, and the figure of the docs. A part that
fails is named, the others go on, and the exit status is 1. Parts that are not run again keep what
they had.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afmsr_core.io.atomic import writing
from benchmarks import machine

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "developers"
BEGIN, END = "<!-- report: written by make bench -->", "<!-- end of report -->"
SEED = 0  # of every scan, field and generated weight
HEADINGS = {
    "startup": "Start-up",
    "process": "The command, whole process",
    "forward": "Networks: our engines against the plain torchSR call",
    "rivals": "Rivals",
    "click": "A click in Gwyddion",
    "size": "Cost against size",
    "throughput": "Many small scans",
    "memory": "Memory",
    "cluster": "Dask on this computer",
    "many": "100,000 scans on 1,000 workers, on paper",
    "metrics": "Metrics against pyiqa",
}


def commands(threads: int) -> dict[str, str]:
    """Return the command of every part, without ``python -m``.

    Chosen so that all of them take about ten minutes on two processors.
    """
    return {
        "startup": "benchmarks startup --runs 7",
        "process": "benchmarks process --runs 3",
        "forward": f"benchmarks forward --threads {threads} --runs 5 --choose",
        "rivals": f"benchmarks rivals --threads {threads}",
        "click": "benchmarks click --runs 9",
        "size": f"benchmarks size --threads {threads} --plot docs/images/cost.png",
        "throughput": "benchmarks throughput --scans 480 --rounds 12",
        "memory": "benchmarks memory",
        "cluster": "benchmarks cluster",
        "many": "benchmarks many",
        "metrics": "benchmarks.metrics --runs 1",
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", help=f"with commas (default: {','.join(HEADINGS)})")
    parser.add_argument("--threads", type=int, help="default: as many as the process may use")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder to write to (%(default)s)")


def run(args: argparse.Namespace) -> None:
    threads = args.threads or machine.processors()
    known = commands(threads)
    names = args.parts.split(",") if args.parts else list(known)
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"--parts {','.join(unknown)}: choose of {', '.join(known)}")
    file = args.docs / "performance.json"
    report = _before(file)
    report |= {
        "machine": machine.described(),
        "versions": machine.versions(),
        "threads": threads,
        "seed": SEED,
    }
    failed = []
    for name in names:
        print(f"## {name}\n", flush=True)
        report["parts"][name] = part = measured(known[name])
        failed += [name] * bool(part["failed"])
        report["parts"] = {each: report["parts"][each] for each in known if each in report["parts"]}
        _save(report, args.docs)  # after each, so that an interruption loses none
        print(flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _save(report: Mapping[str, Any], docs: Path) -> None:
    with writing(docs / "performance.json", force=True) as stream:
        stream.write((json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    page = docs / "performance.md"
    if page.is_file():
        text = filled(page.read_text(encoding="utf-8"), rendered(report))
        with writing(page, force=True) as stream:
            stream.write(text.encode())


def _before(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {"parts": {}}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def measured(command: str, quiet: bool = False) -> dict[str, Any]:
    """Run a part, pass on what it prints unless `quiet`, and return that with its tables."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    began, lines = time.perf_counter(), []
    process = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if not quiet:
            print(line, end="", flush=True)
        lines.append(line.rstrip())
    status = process.wait()
    text = "\n".join(lines).strip()
    return {
        "command": f"python -m {command}",
        "date": datetime.date.today().isoformat(),
        "load before": load,
        "seconds": round(time.perf_counter() - began, 1),
        "failed": bool(status),
        "text": text,
        "tables": tables(text),
    }


def tables(text: str) -> list[dict[str, list[Any]]]:
    """Return the Markdown tables of a text; what is a number is one.

    Examples
    --------
    >>> tables("so:\\n\\n| way | s |\\n|---|---|\\n| one | 0.5 |\\n")
    [{'columns': ['way', 's'], 'rows': [['one', 0.5]]}]
    """
    found: list[dict[str, list[Any]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            found.append({"columns": cells, "rows": []})
            inside = True
        elif not set(line) <= set("|-: "):
            found[-1]["rows"].append([_number(cell) for cell in cells])
    return found


def _number(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


def rendered(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    versions = ", ".join(
        f"{name} {version}" for name, version in report["versions"].items() if "SHA" not in name
    )
    where = report["machine"]
    blocks = [
        f"{where['processor']}, {where['processors']} processors, {report['threads']} threads "
        f"where nothing else is said; Python {where['python']}, {versions}. Seconds are medians, "
        f"with the least and the most in brackets. The same with hashes, seeds and tables as data: "
        f"[performance.json](performance.json)."
    ]
    for name, part in report["parts"].items():
        text = part["text"].partition("\n\n")[2] if "processors" in _first(part) else part["text"]
        if part["failed"]:
            text = f"Failed:\n\n```\n{text[-2000:]}\n```"
        blocks.append(f"### {HEADINGS[name]}")
        blocks.append(
            f"`{part['command']}`, {part['date']}, load before {part['load before']}, "
            f"{part['seconds']:.0f} s."
        )
        blocks.append(text)
        if "--plot" in part["command"]:
            blocks.append("![seconds against the side of the scan](../images/cost.png)")
    return "\n\n".join(blocks)


def _first(part: Mapping[str, Any]) -> str:
    line: str = part["text"].partition("\n")[0]
    return line


def filled(page: str, block: str) -> str:
    """Return a page with the block between its marks replaced.

    Examples
    --------
    >>> filled(f"a {BEGIN} old {END} b", "new") == f"a {BEGIN}\\n\\nnew\\n\\n{END} b"
    True
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"
