"""Arrays travel with their unit and size, and not without."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afmsr_core.channel import Channel, Step
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    FieldError,
    OutputExistsError,
    UnreadableFileError,
    UnsupportedContentError,
)
from afmsr_core.io import npy

SCAN = Channel(
    np.array([[1.0, 2.5, np.nan], [-4.0, 1e-300, 6.0]]) / 3,
    30.0,
    10.0,
    xoff=-5.0,
    yoff=7.0,
    title="Höhe",
    mask=np.array([[True, False, False], [False, False, True]]),
    history=(Step("level", "1", {"degree": 1}, "removed 3 nm"),),
    path=Path("scan.gwy"),
    number=10,
)
MINIMAL = {"unit": "nm", "xreal": 1000, "yreal": 500}


def test_everything_comes_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    npy.write(path, SCAN)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.mask.npy", "a.npy"]
    back = npy.read(path)
    np.testing.assert_array_equal(back.heights, SCAN.heights)
    assert back.mask is not None
    np.testing.assert_array_equal(back.mask, SCAN.mask)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit", "title", "history"):
        assert getattr(back, name) == getattr(SCAN, name)
    np.testing.assert_array_equal(np.load(path), SCAN.heights)
    notes = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert notes["source"] == {"file": "scan.gwy", "channel": 10}
    assert notes["shape"] == [2, 3]


def test_a_mask_of_numbers_is_marked_above_zero(tmp_path: Path) -> None:
    path = made(tmp_path, np.zeros((2, 3)), MINIMAL | {"mask": "a.mask.npy"})
    numbers = np.array([[0, 0.3, 1], [np.nan, -1, 255]])
    np.save(path.with_suffix(".mask.npy"), numbers)
    for channel in (npy.read(path), Channel(np.zeros((2, 3)), 1.0, 1.0, mask=numbers)):
        assert channel.mask is not None
        assert channel.mask.tolist() == [[False, True, True], [False, False, True]]


def test_a_stale_mask_is_not_read(tmp_path: Path) -> None:
    npy.write(tmp_path / "a.npy", SCAN)
    npy.write(tmp_path / "a.npy", SCAN.replace(mask=None), force=True)
    assert npy.read(tmp_path / "a.npy").mask is None


@pytest.mark.parametrize("name", ["a.json", "a.mask.npy", "a.npy"])
def test_no_file_of_the_three_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match=name):
        npy.write(tmp_path / "a.npy", SCAN)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"mine"


def made(folder: Path, values: Any, notes: Any = MINIMAL) -> Path:
    np.save(folder / "a.npy", values)
    (folder / "a.json").write_text(json.dumps(notes))
    return folder / "a.npy"


def test_an_array_without_its_json_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = made(tmp_path, np.zeros((2, 3)))
    (tmp_path / "a.json").unlink()
    with pytest.raises(UnsupportedContentError, match=r"put a file a\.json beside it.*xreal"):
        npy.read(path)
    with pytest.raises(UnreadableFileError, match="no such file"):
        npy.read(tmp_path / "absent.npy")


def test_a_minimal_json_file_is_enough_and_prefixes_count(tmp_path: Path) -> None:
    channel = npy.read(made(tmp_path, np.ones((2, 3), np.int16)))
    assert (channel.unit, channel.lateral_unit, channel.xreal) == ("nm", "nm", 1000)
    assert channel.heights.dtype == np.float64
    notes = {"unit": "um", "lateral_unit": "mm", "xreal": 2, "yreal": 3.5}
    channel = npy.read(made(tmp_path, np.ones((2, 3)), notes))
    assert (channel.heights[0, 0], channel.yreal, channel.unit) == (1000, 3.5e6, "nm")


@pytest.mark.parametrize(
    "notes",
    [
        {},
        [],
        {"unit": "nm"},
        {"unit": 1, "xreal": 1, "yreal": 1},
        {"unit": "nm", "xreal": "1", "yreal": 1},
        {"unit": "nm", "xreal": True, "yreal": 1},
        {"unit": "nm", "xreal": 10**400, "yreal": 1},
        MINIMAL | {"history": [{"name": "x"}]},
        MINIMAL | {"history": "x"},
        MINIMAL | {"mask": 3},
    ],
)
def test_a_json_file_that_tells_too_little(notes: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedContentError, match=r"a\.json: .*; a minimal one is"):
        npy.read(made(tmp_path, np.zeros((2, 3)), notes))


def test_contradictions_are_named(tmp_path: Path) -> None:
    path = made(tmp_path, np.zeros((2, 3)))
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"a\.json: not JSON"):
        npy.read(path)
    with pytest.raises(FieldError, match="xreal must be positive"):
        npy.read(made(tmp_path, np.zeros((2, 3)), MINIMAL | {"xreal": -1}))
    np.save(tmp_path / "a.mask.npy", np.zeros((3, 3), bool))
    with pytest.raises(FieldError, match="mask has shape"):
        npy.read(made(tmp_path, np.zeros((2, 3)), MINIMAL | {"mask": "a.mask.npy"}))
    with pytest.raises(UnreadableFileError):
        npy.read(made(tmp_path, np.zeros((2, 3)), MINIMAL | {"mask": "absent.npy"}))


@pytest.mark.parametrize(
    "values", [np.zeros(3), np.zeros((2, 3, 4)), np.zeros((2, 2), complex), np.array([["a"]])]
)
def test_arrays_that_are_no_field(values: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedContentError, match="two-dimensional array of real numbers"):
        npy.read(made(tmp_path, values))


def test_no_pickle_is_ever_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    with pytest.raises(CorruptFileError, match="holds objects"):
        npy.read(made(tmp_path, np.array([[Trap()]], dtype=object)))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.filterwarnings("ignore")  # NumPy's, about headers that look old.
def test_damage_gives_named_errors(tmp_path: Path) -> None:
    path = made(tmp_path, np.ones((4, 5)))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptFileError):
            npy.read(path)
    path.write_bytes(data.replace(b"(4, 5)", b"(4000000000, 50000000)"))
    with pytest.raises(CorruptFileError):
        npy.read(path)
    random = np.random.default_rng(7)
    for _ in range(1000):
        mutant = bytearray(data)
        for _ in range(random.integers(1, 4)):
            mutant[random.integers(128)] = random.integers(256)
        path.write_bytes(mutant)
        try:
            npy.read(path)
        except AfmsrError as error:
            assert "a." in str(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_for_a_description_is_called_one(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3))
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(UnreadableFileError, match=r"a\.json: this is a pipe, no file"):
        npy.read(tmp_path / "a.npy")
