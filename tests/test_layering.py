"""The rooms of the house: each imports only from rooms above it; the library is only a library."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "afmsr_core"

# From the top of the house down. A module may import from its own room and from those before it.
ROOMS = (
    "errors",
    "text",
    "temporary",
    "leftovers",
    "large_field",
    "quantity",
    "surfaces",
    "picture",
    "channel",
    "stopped",
    "io",
    "arrays",
    "gaps",
    "levelling",
    "normalisation",
    "methods",
    "inference",
    "upscale",
    "trust",
    "pairing",
    "alignment",
    "metrics",
    "statistics",
    "simulation",
    "evaluation",
    "report",
    "survey",
    "data",
)
OUTSIDE = ("afmsr_cli", "cli", "gwyddion_plugin", "training", "benchmarks", "tests")
NONFREE = ("pyiqa",)  # PolyForm Noncommercial
MODULES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a module imports, in functions too."""
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    yield from imports_in(tree_of(path), package)


def imports_in(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            start = parents[: len(parents) - node.level + 1] if node.level else []
            base = [*start, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "afmsr_core" and len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    assert own in ROOMS, f"{own}: a new room needs a place in DESIGN and here"
    wrong = [
        f"line {line}: {name}"
        for line, name in imports(path)
        if (room := room_of(name)) is not None
        and room != "__version__"
        and (room not in ROOMS or ROOMS.index(room) > ROOMS.index(own))
    ]
    assert wrong == []


def test_no_modules_import_each_other_not_even_late() -> None:
    """Only a package's ``__init__`` may gather its modules; they don't import it back."""
    names = {module_of(path): path for path in [*MODULES, CORE / "__init__.py"]}
    graph = {
        module: {name for _, full in imports(path) if (name := known(full, names)) != module}
        for module, path in names.items()
    }
    assert circle_in({module: found - {None} for module, found in graph.items()}) == []


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


def test_the_library_knows_nothing_of_its_users() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}, line {line}: {name}"
        for path in [*MODULES, CORE / "__init__.py"]
        for line, name in imports(path)
        if name.partition(".")[0] in OUTSIDE
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
            if isinstance(node, ast.Name) and node.id in ("print", "input", "breakpoint"):
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
        "afmsr_core" if path.parent == CORE else ".".join(path.parent.relative_to(ROOT).parts)
        for path in CORE.rglob("__init__.py")
    }
    assert folders | {"afmsr_cli"} <= named
    assert {name for name in named if name.startswith("afmsr_core")} == folders
    assert "afmsr_cli = cli" in setup["options"]["package_dir"]
