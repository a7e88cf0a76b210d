"""The rooms of the house: each imports only from rooms above it; the library is only a library."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "afmsr_core"
PLUGIN = ROOT / "gwyddion_plugin"

# From the top of the house down. A module may import from its own room and from those before it.
ROOMS = (
    "errors",
    "text",
    "starting",
    "temporary",
    "leftovers",
    "stopping",
    "ticking",
    "large_field",
    "quantity",
    "surfaces",
    "picture",
    "webpage",
    "channel",
    "grid",
    "stopped",
    "io",
    "arrays",
    "robust",
    "gaps",
    "averaging",
    "levelling",
    "normalisation",
    "methods",
    "inference",
    "alignment",
    "joining",
    "upscale",
    "trust",
    "planning",
    "pairing",
    "metrics",
    "realisations",
    "scan_page",
    "batch",
    "statistics",
    "simulation",
    "evaluation",
    "report",
    "survey",
    "data",
)
# The same for the plug-in. Its worker is a process of its own, without windows; the process that
# Gwyddion starts, `repeat` or `proxy`, has the windows and loads nothing heavy.
PLUGIN_ROOMS = ("exchange", "worker", "window", "proxy", "repeat", "pygwy", "installing")
HEAVY = ("numpy", "cv2", "onnxruntime", "scipy", "torch")
LIGHT = (
    "errors",
    "quantity",
    "text",
    "temporary",
    "grid",
)  # rooms of the library that load nothing heavy
OUTSIDE = ("afmsr_cli", "cli", "gwyddion_plugin", "training", "benchmarks", "tests")
AT_ONCE = ("concurrent", "dask", "distributed", "multiprocessing", "queue", "threading")
NONFREE = ("pyiqa",)  # PolyForm Noncommercial
MODULES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")
PLUGIN_MODULES = sorted(
    path
    for path in PLUGIN.rglob("*.py")
    if path != PLUGIN / "__init__.py" and path.parent != PLUGIN / "pygwy" / "script"  # Python 2.7
)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """Return line and full name of everything that a module imports, in functions too."""
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    return tuple(imports_in(tree_of(path), package))


def imports_in(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            start = parents[: len(parents) - node.level + 1] if node.level else []
            base = [*start, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def room_of(module: str, house: str = "afmsr_core") -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == house and len(parts) > 1 else None


@pytest.mark.parametrize(
    "path", [*MODULES, *PLUGIN_MODULES], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    house, own = path.relative_to(ROOT).parts[:2]
    rooms, own = ROOMS if house == "afmsr_core" else PLUGIN_ROOMS, own.removesuffix(".py")
    assert own in rooms, f"{own}: a new room needs a place in DESIGN and here"
    wrong = [
        f"line {line}: {name}"
        for line, name in imports(path)
        if (room := room_of(name, house)) is not None
        and room != "__version__"
        and (room not in rooms or rooms.index(room) > rooms.index(own))
    ]
    assert wrong == []


@pytest.mark.parametrize("modules", [MODULES, PLUGIN_MODULES], ids=["library", "plug-in"])
def test_no_modules_import_each_other_not_even_late(modules: list[Path]) -> None:
    """Only a package's ``__init__`` may gather its modules; they don't import it back."""
    assert circle_in(graph_of(modules)) == []


def graph_of(paths: Collection[Path]) -> dict[str, set[str]]:
    """Return of each module those that it imports, in functions too."""
    house = {ROOT / path.relative_to(ROOT).parts[0] / "__init__.py" for path in paths}
    names = {module_of(path): path for path in [*paths, *house]}
    return {
        module: {name for _, full in imports(path) if (name := known(full, names))} - {module}
        for module, path in names.items()
    }


def reached(start: str, graph: Mapping[str, Collection[str]]) -> set[str]:
    """Return a module, all that it imports, and all that these import."""
    found, todo = {start}, [start]
    while todo:
        new = set(graph[todo.pop()]) - found
        found |= new
        todo += new
    return found


def path_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_worker_has_no_windows() -> None:
    graph = graph_of(PLUGIN_MODULES)
    worker = reached("gwyddion_plugin.worker.__main__", graph)
    assert "gwyddion_plugin.worker.answers" in worker
    wrong = [
        f"{module}, line {line}: {name}"
        for module in [*worker, *(one for one in graph if ".worker." in one)]
        for line, name in imports(path_of(module))
        if name.partition(".")[0] == "tkinter" or room_of(name, "gwyddion_plugin") == "window"
    ]
    assert wrong == []


def test_the_process_that_gwyddion_starts_loads_nothing_heavy() -> None:
    started = reached("gwyddion_plugin.repeat", graph_of(PLUGIN_MODULES))
    assert "gwyddion_plugin.window.dialog" in started
    light = [
        path for path in MODULES if path.relative_to(CORE).parts[0].removesuffix(".py") in LIGHT
    ]
    wrong = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in [*map(path_of, started), *light, CORE / "__init__.py"]
        for line, name in imports(path)
        if line not in for_types_only(path)
        if name.partition(".")[0] in HEAVY
        or ((room := room_of(name)) is not None and room not in (*LIGHT, "__version__"))
    ]
    assert wrong == []


def for_types_only(path: Path) -> set[int]:
    """Return the lines of a module that only a type checker reads."""
    blocks = (
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {inner.lineno for block in blocks for inner in block.body}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def known(name: str, modules: Collection[str]) -> str | None:
    """Return the module that `name` is, or is a name of."""
    return next((one for one in (name, name.rpartition(".")[0]) if one in modules), None)


def circle_in(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return modules of which each imports the next and the last the first, or none."""
    done: set[str] = set()

    def walk(trail: list[str]) -> list[str]:
        for module in sorted(graph[trail[-1]]):
            if module in trail:
                return trail[trail.index(module) :]
            if module not in done and (found := walk([*trail, module])):
                return found
        done.add(trail[-1])
        return []

    return next(filter(None, (walk([module]) for module in sorted(graph))), [])


def test_the_check_finds_circles() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"e"}, "e": {"b"}}
    assert circle_in(graph) == ["b", "d", "e"]
    assert circle_in({**graph, "e": {"c"}}) == []
    assert known("a.b.name", ["a.b", "a"]) == "a.b"
    assert reached("b", graph) == {"b", "c", "d", "e"}


def test_the_library_knows_nothing_of_its_users() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in [*MODULES, CORE / "__init__.py"]
        for line, name in imports(path)
        if name.partition(".")[0] in OUTSIDE
    ]
    assert wrong == []


def test_the_command_line_parses_and_prints_and_leaves_the_work_to_the_library() -> None:
    modules = sorted((ROOT / "cli").glob("*.py"))
    assert ROOT / "cli" / "upscale.py" in modules
    wrong = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in modules
        for line, name in imports(path)
        if name.partition(".")[0] in AT_ONCE
    ]
    assert wrong == []


def test_what_is_not_free_is_not_in_the_corridor() -> None:
    corridor = ROOMS[: ROOMS.index("upscale") + 1]
    wrong = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in MODULES
        if path.relative_to(CORE).parts[0].removesuffix(".py") in corridor
        for line, name in imports(path)
        if name.partition(".")[0] in NONFREE
    ]
    assert wrong == []


def test_the_library_prints_nothing_reads_no_arguments_and_swallows_nothing() -> None:
    wrong = []
    for path in [*MODULES, CORE / "__init__.py"]:
        for node in ast.walk(tree_of(path)):
            where = f"{path.relative_to(ROOT)}, line {getattr(node, 'lineno', 0)}"
            called = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            if called and node.id in ("print", "input", "breakpoint"):
                wrong.append(f"{where}: {node.id}")
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                wrong.append(f"{where}: bare except")
            if isinstance(node, ast.Assert):
                wrong.append(f"{where}: assert")
        wrong += [
            f"{path.relative_to(ROOT)}, line {line}: {name}"
            for line, name in imports(path)
            if name.partition(".")[0] in ("argparse", "optparse", "tkinter")
        ]
    assert wrong == []


def test_the_check_sees_imports_of_every_kind() -> None:
    source = """
import numpy, afmsr_core.upscale
def late():
    from afmsr_core.methods import get, names
    from afmsr_core import preview
    from ..trust import maps
    from . import gwy
"""
    found = [name for _, name in imports_in(ast.parse(source), "afmsr_core.io")]
    assert sorted(filter(None, map(room_of, found))) == [
        *("io", "methods", "methods", "preview", "trust", "upscale")
    ]


def test_setup_cfg_installs_every_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = set(setup["options"]["packages"].split())
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for house in (CORE, PLUGIN)
        for path in house.rglob("__init__.py")
    }
    assert folders | {"afmsr_cli"} <= named
    assert {name for name in named if name.startswith((CORE.name, PLUGIN.name))} == folders
    assert "afmsr_cli = cli" in setup["options"]["package_dir"]
