"""The registry of methods: frozen descriptors, one file a method, names that forgive."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import afmsr_core.methods as folder
from afmsr_core.channel import Channel
from afmsr_core.errors import UnknownMethodError
from afmsr_core.grid import SQUARE
from afmsr_core.methods import Interpolation, Network, get, methods, names, registry
from afmsr_core.upscale import upscale

NEAREST = """
from afmsr_core.methods.registry import Interpolation

METHODS = (
    Interpolation(
        name="{name}",
        label="nearest neighbour",
        summary="every pixel becomes sixteen",
        source="OpenCV",
        licence="Apache-2.0",
        flag="INTER_NEAREST",
    ),
)
"""


@pytest.fixture
def extra_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules count as modules of the methods' folder."""
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    before = set(sys.modules)
    registry._found.cache_clear()
    yield tmp_path
    registry._found.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("afmsr_core.methods."):
            del sys.modules[name]
            vars(folder).pop(name.rpartition(".")[2], None)


def test_a_method_is_one_file(extra_folder: Path) -> None:
    (extra_folder / "nearest.py").write_text(NEAREST.format(name="nearest"))
    assert "nearest" in names()
    field = np.random.default_rng(0).normal(size=(3, 4))
    scan = Channel(field, 1.0, 1.0, title="Height")
    result = upscale(scan, method="nearest", level="none", restore_background=False)
    np.testing.assert_allclose(result.heights, np.kron(field, np.ones((4, 4))), atol=1e-12)
    assert result.title == "Height (x4 nearest)"


def test_a_name_that_is_taken_is_refused_and_nothing_changes(extra_folder: Path) -> None:
    before = methods()
    (extra_folder / "zzz.py").write_text(NEAREST.format(name="bicubic"))
    registry._found.cache_clear()
    with pytest.raises(ValueError, match="two methods are called 'bicubic'"):
        methods()
    (extra_folder / "zzz.py").unlink()
    registry._found.cache_clear()
    assert methods() == before
    bicubic = get("bicubic")
    assert isinstance(bicubic, Interpolation) and bicubic.flag == "INTER_CUBIC"


def test_the_methods_of_the_paper_and_ours_are_there() -> None:
    assert set(names()) >= {
        *("bilinear", "bicubic", "lanczos4", "ninasr_b0", "ninasr_b1", "ninasr_b2"),
        *("carn", "rcan", "rdn", "edsr", "carn_m", "edsr_baseline", "afm"),
    }
    assert names()[-1] == "afm"
    kinds = [method.kind for method in methods().values()]
    assert kinds == sorted(kinds, key=["interpolation", "network"].index)


def test_every_descriptor_says_what_a_user_must_know() -> None:
    for name, method in methods().items():
        assert method.name == name == name.lower() and method.scale == SQUARE
        assert method.label and method.summary and method.source and method.licence
        assert method.parameters == 0 if method.kind == "interpolation" else method.parameters > 1e4
        if isinstance(method, Network):
            assert method.halo is None or method.halo > 0
            assert method.base is None or isinstance(get(method.base), Interpolation)
            assert method.working_bytes > 0 and method.align > 0


def test_descriptors_and_the_registry_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        get("afm").name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        methods()["mine"] = get("afm")  # type: ignore[index]


@pytest.mark.parametrize("spelling", ["ninasr_b0", "NinaSR-B0", "NINASR_B0", "ninasr-b0"])
def test_names_forgive_case_and_hyphens(spelling: str) -> None:
    assert get(spelling).name == "ninasr_b0"


def test_an_unknown_name_is_answered_with_the_nearest_and_the_list() -> None:
    with pytest.raises(UnknownMethodError) as caught:
        get("bicubik")
    with pytest.raises(UnknownMethodError, match=r"Did you mean afm\?"):
        registry.get("afn")  # as like the beginning of lanczos4
    assert "no method is called 'bicubik'. Did you mean bicubic? There are: bilinear," in str(
        caught.value
    )
    with pytest.raises(UnknownMethodError, match=r"'qqq'\. There are:"):
        get("qqq")
