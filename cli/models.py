"""``afmsr models``: which methods there are, and their weights on this machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from afmsr_cli.doctor import PARTS
from afmsr_core.errors import AfmsrError, MissingWeightsError, WeightsError
from afmsr_core.methods import download, weights
from afmsr_core.methods.registry import Method, Network, get, methods

__all__ = ["add_parser"]

REDRAW_EVERY = 0.1  # seconds

_EPILOG = """\
examples:
  afmsr models list                       every method, and whether it is ready
  afmsr models fetch carn rdn             download the weights of two networks
  afmsr models fetch all --mirror https://files.example.org/torchsr
  afmsr models import weights.zip         on a machine without internet
  afmsr models verify                     check what is here against its recorded hash

environment: AFMSR_MODEL_DIR (where weights are kept), AFMSR_MODEL_URL (mirror),
AFMSR_OFFLINE=1 (never use the network)
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "models",
        help="list the methods; fetch, import and check their weights",
        description="The upscaling methods and the weights of the networks among them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = _action(actions, "list", _list, "a table of all methods", "afmsr models list --json")
    listing.add_argument("--json", action="store_true", help="the same as JSON")

    fetch = _action(
        actions, "fetch", _fetch, "download weights", "afmsr models fetch ninasr_b0 carn"
    )
    fetch.add_argument("names", nargs="+", metavar="NAME", help="methods, or 'all'")
    fetch.add_argument("--mirror", metavar="URL", help="folder with the same file names")
    fetch.add_argument("--offline", action="store_true", help="do not use the network")
    fetch.add_argument("--force", action="store_true", help="again, even if the file is here")
    fetch.add_argument("--quiet", action="store_true", help="no progress")

    verify = _action(
        actions,
        "verify",
        _verify,
        "check weights against their recorded hashes",
        "afmsr models verify carn",
    )
    verify.add_argument("names", nargs="*", metavar="NAME", help="by default those that are here")
    verify.add_argument("--json", action="store_true", help="the findings as JSON")

    path = _action(actions, "path", _path, "print where weights are kept", "afmsr models path carn")
    path.add_argument("name", nargs="?", metavar="NAME", help="of one method, in place of all")

    importing = _action(
        actions,
        "import",
        _import,
        "copy weights from a file, folder or zip",
        "afmsr models import ~/Downloads/carn.pt",
    )
    importing.add_argument("sources", nargs="+", type=Path, metavar="FILE")


def _action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, example: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


# --- list ------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    found = [_describe(method) for method in methods().values()]
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    head = ("name", "label", "kind", "parameters", "licence", "weights", "ready")
    rows = [
        (
            entry["name"],
            entry["label"],
            entry["kind"],
            f"{entry['parameters']:,}" if entry["parameters"] else "-",
            entry["licence"],
            entry["weights"],
            "yes" if entry["ready"] else entry["cure"],
        )
        for entry in found
    ]
    _table([head, *rows])
    return 0


def _describe(method: Method) -> dict[str, Any]:
    """Return what a list says about a method."""
    cures = []
    if method.extra and not _installed(method.extra):
        cures.append(f"pip install 'afmsr[{method.extra}]'")
    state, file = "-", None
    if isinstance(method, Network):
        file = str(weights.cached(method))
        if method.weights.packaged:
            state = "shipped"
        elif Path(file).is_file():
            state = "in cache"
        else:
            state = "missing"
            cures.append(f"afmsr models fetch {method.name}")
    return {
        "name": method.name,
        "label": method.label,
        "kind": method.kind,
        "summary": method.summary,
        "parameters": method.parameters,
        "licence": method.licence,
        "source": method.source,
        "scale": method.scale,
        "extra": method.extra,
        "weights": state,
        "file": file,
        "url": method.weights.url if isinstance(method, Network) else None,
        "ready": not cures,
        "cure": " && ".join(cures) or None,
    }


def _installed(extra: str) -> bool:
    try:
        for package in PARTS[extra]:
            importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _table(rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


# --- fetch -----------------------------------------------------------------------------------


def _fetch(args: argparse.Namespace) -> int:
    status = 0
    for network in _networks(args.names):
        meter = None if args.quiet or network.weights.packaged else _Meter(network.weights.name)
        try:
            path = download.fetch(
                network,
                offline=args.offline,
                mirror=args.mirror,
                force=args.force,
                progress=meter,
            )
        except AfmsrError as error:  # name it, and go on with the others
            if meter:
                meter.end()
            print(f"afmsr: {error}", file=sys.stderr)
            status = error.exit_status
            continue
        if meter:
            meter.end()
        print(path)
    return status


class _Meter:
    """Bytes and rate of a download, on stderr: a moving line on a terminal, one line elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._first: int | None = None
        self._drawn = 0.0
        self._line = ""

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
        rate = (done - self._first) / max(now - self._began, 1e-3)
        whole = f" of {total / 1e6:.1f}" if total else ""
        self._line = f"{self._name}: {done / 1e6:.1f}{whole} MB, {rate / 1e6:.1f} MB/s"
        if sys.stderr.isatty() and now - self._drawn > REDRAW_EVERY:
            self._drawn = now
            print(f"\r\x1b[K{self._line}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the last figures standing."""
        if self._line:
            start = "\r\x1b[K" if sys.stderr.isatty() else ""
            print(f"{start}{self._line}", file=sys.stderr, flush=True)


# --- verify, path, import --------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    chosen = _networks(args.names) if args.names else _here()
    found = [_check(network) for network in chosen]
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        for entry in found:
            print(f"{entry['name']}: {entry['state']}, {entry['sha256'] or entry['problem']}")
    wrong = any(entry["state"] not in ("unchanged", "not recorded") for entry in found)
    return WeightsError.exit_status if wrong else 0


def _here() -> list[Network]:
    return [
        net for net in weights.networks() if net.weights.packaged or weights.cached(net).is_file()
    ]


def _check(network: Network) -> dict[str, str | None]:
    state, digest, problem = "unchanged", None, None
    try:
        digest = weights.verify(network)
        if weights.expected_hash(network) is None:
            state = "not recorded"
    except MissingWeightsError as error:
        state, problem = "missing", str(error)
    except WeightsError as error:
        state, problem = "wrong", str(error)
    file = str(weights.cached(network))
    return {
        "name": network.name,
        "state": state,
        "sha256": digest,
        "file": file,
        "problem": problem,
    }


def _path(args: argparse.Namespace) -> int:
    if args.name is None:
        print(weights.model_dir())
        return 0
    for network in _networks([args.name]):
        print(weights.locate(network))
    return 0


def _import(args: argparse.Namespace) -> int:
    for source in args.sources:
        for network in weights.import_weights(source):
            print(f"{network.name}: {weights.cached(network)}")
    return 0


def _networks(names: Iterable[str]) -> list[Network]:
    """Return the networks of these names, each once; an interpolation needs no weights."""
    wanted: dict[str, Network] = {}
    for name in names:
        found = methods().values() if name.lower() == "all" else [get(name)]
        for method in found:
            if isinstance(method, Network):
                wanted[method.name] = method
            elif name.lower() != "all":
                print(f"{method.name}: an interpolation, needs no weights", file=sys.stderr)
    return list(wanted.values())
