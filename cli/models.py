"""``afmsr models``: which methods and trained metrics there are, and their files here."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from afmsr_core.errors import MissingWeightsError, WeightsError, described, pip_install
from afmsr_core.methods import download, store, weights
from afmsr_core.methods.registry import Method, Network, get, methods, networks
from afmsr_core.methods.store import FetchedFile
from afmsr_core.metrics import parameters

from .actions import add_action, add_actions
from .doctor import PARTS
from .errorlog import tell
from .meter import Meter

__all__ = ["add_parser"]

_PARAMETERS = {one.key: one for one in (parameters.NIQE, parameters.MA)}

_EPILOG = """\
examples:
  afmsr models list                       every method, and whether it is ready
  afmsr models fetch carn rdn             download the weights of two networks
  afmsr models fetch all --mirror https://files.example.org/torchsr
  afmsr models fetch niqe-parameters      what a trained metric of afmsr-eval needs
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
        description="The upscaling methods, the weights of the networks among them, and the "
        "parameters of the metrics that are trained.",
        epilog=_EPILOG,
    )
    actions = add_actions(parser)

    listing = add_action(
        actions, "list", _list, "a table of all methods", "  afmsr models list --json"
    )
    listing.add_argument("--json", action="store_true", help="the same as JSON")

    fetch = add_action(
        actions,
        "fetch",
        _fetch,
        "download weights and parameters",
        "  afmsr models fetch ninasr_b0 carn",
    )
    fetch.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help=f"methods, {' or '.join(_PARAMETERS)}, or 'all' (networks)",
    )
    fetch.add_argument("--mirror", metavar="URL", help="folder with the same file names")
    fetch.add_argument("--offline", action="store_true", help="do not use the network")
    fetch.add_argument(
        "--force", action="store_true", help="download again, even if the file is here"
    )
    fetch.add_argument("--quiet", action="store_true", help="no progress")

    verify = add_action(
        actions,
        "verify",
        _verify,
        "check files against their recorded hashes, and that they load",
        "  afmsr models verify carn",
    )
    verify.add_argument("names", nargs="*", metavar="NAME", help="by default those that are here")
    verify.add_argument("--json", action="store_true", help="the findings as JSON")

    path = add_action(
        actions, "path", _path, "print where weights are kept", "  afmsr models path carn"
    )
    path.add_argument("name", nargs="?", metavar="NAME", help="of one method, in place of all")

    importing = add_action(
        actions,
        "import",
        _import,
        "copy weights and parameters from a file, folder or zip",
        "  afmsr models import ~/Downloads/carn.pt",
    )
    importing.add_argument(
        "sources", nargs="+", type=Path, metavar="FILE", help="a file, a folder or a zip"
    )


# --- list ------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    plain = [method for method in methods().values() if not isinstance(method, Network)]
    found = [_describe(method) for method in (*plain, *networks())]
    trained = [_describe_parameters(one) for one in _PARAMETERS.values()]
    if args.json:
        print(json.dumps(found + trained, indent=1))
        return 0
    _table(
        ("name", "label", "kind", "parameters", "licence", "weights", "ready"),
        (
            (
                entry["name"],
                entry["label"],
                entry["kind"],
                f"{entry['parameters']:,}" if entry["parameters"] else "-",
                entry["licence"],
                entry["weights"],
                _readiness(entry),
            )
            for entry in found
        ),
    )
    print("\ntrained metrics of afmsr-eval:")
    _table(
        ("name", "metric", "file", "parameters", "ready"),
        (
            (
                entry["name"],
                entry["label"],
                Path(entry["file"]).name,
                entry["weights"],
                _readiness(entry),
            )
            for entry in trained
        ),
    )
    for entry in trained:
        print(f"{entry['name']}: {entry['licence']}")
    return 0


def _readiness(entry: dict[str, Any]) -> str:
    return "yes" if entry["ready"] else str(entry["cure"])


def _describe(method: Method) -> dict[str, Any]:
    """Return what a list says about a method."""
    cures = []
    if method.extra and not _installed(method.extra):
        cures.append(pip_install(method.extra))
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
        "name": method.called,
        "label": method.label,
        "kind": method.kind,
        "summary": method.summary,
        "parameters": method.parameters,
        "licence": method.licence,
        "source": method.source,
        "scale": method.scale.recorded,
        "extra": method.extra,
        "weights": state,
        "file": file,
        "url": method.weights.url if isinstance(method, Network) else None,
        "ready": not cures,
        "cure": " && ".join(cures) or None,
    }


def _describe_parameters(one: parameters.ParametersFile) -> dict[str, Any]:
    """Return what a list says about the parameters of a metric."""
    try:
        file, state, problem = one.locate(), "here", None
    except (MissingWeightsError, WeightsError) as error:
        file, state, problem = store.cached(one.files[0]), "missing", error
    cure = f"afmsr models fetch {one.key}"
    if isinstance(problem, WeightsError):
        state, cure = "changed", f"afmsr models fetch --force {one.key}"
    return {
        "name": one.key,
        "label": one.metric,
        "kind": "metric",
        "summary": f"parameters of the metric {one.metric}",
        "parameters": None,
        "licence": one.files[0].licence,
        "source": one.url,
        "scale": None,
        "extra": "eval",
        "weights": state,
        "file": str(file),
        "url": one.url,
        "ready": problem is None,
        "cure": None if problem is None else cure,
    }


def _installed(extra: str) -> bool:
    try:
        for package in PARTS[extra]:
            importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _table(head: Sequence[str], entries: Iterable[Sequence[str]]) -> None:
    rows = [head, *entries]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


# --- fetch -----------------------------------------------------------------------------------


def _fetch(args: argparse.Namespace) -> int:
    status = 0
    for one in _wanted(args.names):
        file = _fetched(one)
        if file is None:  # it ships with afmsr
            print(_locate(one))
            continue
        meter = None if args.quiet else Meter(file.name)
        try:
            path = download.fetch(
                file,
                offline=args.offline,
                mirror=args.mirror,
                force=args.force,
                progress=meter,
            )
        except Exception as error:  # name it, and go on with the others
            if meter:
                meter.end()
            status = tell(error, file.key)
            continue
        if meter:
            meter.end()
        print(path)
    return status


# --- verify, path, import --------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    chosen = _wanted(args.names) if args.names else _here()
    found = [entry for one in chosen for entry in (_check(one), *_check_onnx(one))]
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        for entry in found:
            print(f"{entry['name']}: {entry['state']}, {entry['sha256'] or entry['problem']}")
    wrong = any(entry["state"] not in ("unchanged", "not recorded") for entry in found)
    return WeightsError.exit_status if wrong else 0


def _here() -> list[Wanted]:
    here = [net for net in networks() if net.weights.packaged or weights.cached(net).is_file()]
    return [*here, *(one for one in _PARAMETERS.values() if one.at_hand())]


def _check(one: Wanted) -> dict[str, str | None]:
    state, digest, problem, file = "unchanged", None, None, _fetched(one)
    try:
        path = _locate(one)
        if isinstance(one, Network):
            digest = weights.verify(one, path, load=True)
        elif file and path == store.cached(file):
            digest = store.verify(file, load=True)
        else:  # named by the environment: nothing to be checked against
            data, digest = store.contents(path)
            one.files[0].check(data, str(path))
            file = None
        if not isinstance(one, Network) or not one.weights.packaged:
            state = "unchanged" if file and store.expected_hash(file) else "not recorded"
    except MissingWeightsError as error:
        state, problem = "missing", str(error)
    except WeightsError as error:
        state, problem, digest = "wrong", str(error), None
    except Exception as error:  # whatever is wrong with one file, the others are checked
        tell(error, _name(one))
        state, problem, digest = "wrong", described(error), None
    return {
        "name": _name(one),
        "state": state,
        "sha256": digest,
        "file": str(path if digest else _cached(one)),
        "problem": problem,
    }


def _check_onnx(one: Wanted) -> list[dict[str, str | None]]:
    """Check what ONNX Runtime runs of a network: what ships, or what was exported here."""
    from afmsr_core.inference.exported import onnx_files, verify_onnx

    found: list[dict[str, str | None]] = []
    for file in onnx_files(one) if isinstance(one, Network) else []:
        entry: dict[str, str | None] = {"name": f"{_name(one)} as ONNX", "file": str(file)}
        try:
            told: dict[str, str | None]
            told = {"state": "unchanged", "sha256": verify_onnx(file), "problem": None}
        except WeightsError as error:
            told = {"state": "wrong", "sha256": None, "problem": str(error)}
        found.append(entry | told)
    return found


def _path(args: argparse.Namespace) -> int:
    if args.name is None:
        print(store.model_dir())
        return 0
    for one in _wanted([args.name]):
        print(_locate(one))
    return 0


def _import(args: argparse.Namespace) -> int:
    files = (*weights.fetched(), *parameters.fetched())
    for source in args.sources:
        for file in store.import_files(source, files):
            print(f"{file.key}: {store.cached(file)}")
    return 0


# --- what has a file -------------------------------------------------------------------------

Wanted = Network | parameters.ParametersFile


def _name(one: Wanted) -> str:
    return one.called if isinstance(one, Network) else one.key


def _locate(one: Wanted) -> Path:
    return weights.locate(one) if isinstance(one, Network) else one.locate()


def _cached(one: Wanted) -> Path:
    return weights.cached(one) if isinstance(one, Network) else store.cached(_at_hand(one))


def _fetched(one: Wanted) -> FetchedFile | None:
    """Return the file that is fetched, None if it ships with afmsr."""
    if isinstance(one, parameters.ParametersFile):
        return _at_hand(one)
    return None if one.weights.packaged else weights.file_of(one)


def _at_hand(one: parameters.ParametersFile) -> FetchedFile:
    return one.at_hand() or one.files[0]


def _wanted(names: Iterable[str]) -> list[Wanted]:
    """Return what has these names, each once; an interpolation needs no weights."""
    wanted: dict[str, Wanted] = {}
    for name in names:
        key = name.lower().replace("_", "-")
        if key in _PARAMETERS:
            wanted[key] = _PARAMETERS[key]
            continue
        if name.lower() == "all":
            wanted |= {one.called: one for one in networks()}
            continue
        method = get(name)
        wanted |= {one.called: one for one in networks() if one.name == method.name}
        if not isinstance(method, Network):
            print(f"{method.name}: an interpolation, needs no weights", file=sys.stderr)
    return list(wanted.values())
