"""What people type is understood or its fault is named: commas, encodings, unknown units."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    PairError,
    ReadError,
    UnknownFormatError,
    UnsupportedContentError,
)
from afmsr_core.io import gsf
from afmsr_core.pairing import find_pairs

VALUES = np.random.default_rng(2).random((6, 5))


def array(folder: Path, notes: bytes) -> Path:
    """Write an array with these bytes as its JSON file."""
    path = folder / "a.npy"
    np.save(path, VALUES)
    path.with_suffix(".json").write_bytes(notes)
    return path


# --- units in notes ----------------------------------------------------------------------


def test_a_word_in_a_json_file_makes_heights(tmp_path: Path) -> None:
    notes = {"unit": "Angstroms", "lateral_unit": "microns", "xreal": 2, "yreal": 3}
    (found,) = io.read(array(tmp_path, json.dumps(notes).encode()))
    assert found.is_height and found.xreal == 2000
    np.testing.assert_allclose(found.heights, VALUES / 10)
    assert found.warnings == ()


def test_a_unit_that_nobody_knows_is_not_taken_for_none_in_silence(tmp_path: Path) -> None:
    notes = {"unit": "nannometers", "xreal": 2, "yreal": 3}
    (found,) = io.read(array(tmp_path, json.dumps(notes).encode()))
    assert found.unit == "nannometers"
    (warning,) = found.warnings
    assert "'nannometers' is none that afmsr knows" in warning and "write a length as nm" in warning
    with pytest.raises(
        ChannelNotFoundError, match="not know: 'nannometers'; a length is nm, µm, m"
    ):
        io.select([found])


# --- decimal commas ------------------------------------------------------------------------


def test_decimal_commas_in_json_are_named(tmp_path: Path) -> None:
    path = array(tmp_path, b'{"unit": "nm", "xreal": 1,5, "yreal": 2}')
    with pytest.raises(CorruptFileError, match=r"a.json: not JSON .*decimal comma: write 1\.5"):
        io.read(path)
    path = array(tmp_path, b'{"unit": "nm", "xreal": "1,5", "yreal": 2}')
    with pytest.raises(UnsupportedContentError, match=r"decimal comma: write 1\.5\), which is not"):
        io.read(path)
    path = array(tmp_path, b'{"unit": "nm", "xreal": "15", "yreal": 2}')
    with pytest.raises(UnsupportedContentError, match="'15', which is not a number without quotes"):
        io.read(path)


def test_decimal_commas_in_a_simple_field_are_named(tmp_path: Path) -> None:
    start = gsf.MAGIC + b"XRes = 5\nYRes = 6\nXReal = 1,5e-6\n"
    data = start + b"\0" * (4 - len(start) % 4) + VALUES.astype("<f4").tobytes()
    (tmp_path / "a.gsf").write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"decimal comma: write 1\.5e-6"):
        gsf.read(tmp_path / "a.gsf")


@pytest.mark.parametrize(("separator", "comma"), [("\t", ","), (";", ","), ("\t", "."), (",", ".")])
def test_a_table_of_numbers_is_told_from_an_unknown_format(
    separator: str, comma: str, tmp_path: Path
) -> None:
    rows = [separator.join(f"{z:.4f}".replace(".", comma) for z in row) for row in VALUES]
    path = tmp_path / "a.txt"
    path.write_bytes("# Höhe in µm\n".encode("latin-1") + "\n".join(rows).encode())
    with pytest.raises(ReadError) as error:
        io.read(path)
    assert "a.txt: a table of numbers" in str(error.value)
    assert ("decimal commas" in str(error.value)) == (comma == ",")
    assert "import it in Gwyddion" in str(error.value)


def test_words_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 and\n2 and\n3 and\n")
    with pytest.raises(UnknownFormatError, match="of no format that we know"):
        io.read(tmp_path / "a.txt")


# --- encodings -----------------------------------------------------------------------------


def test_latin_1_in_json_is_named(tmp_path: Path) -> None:
    path = array(tmp_path, '{"unit": "µm", "xreal": 1, "yreal": 2}'.encode("latin-1"))
    with pytest.raises(
        CorruptFileError, match=r"a.json: the text is not UTF-8 .* save it as UTF-8"
    ):
        io.read(path)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_byte_order_mark_in_json_is_nothing(mark: bytes, tmp_path: Path) -> None:
    path = array(tmp_path, mark + '{"unit": "µm", "xreal": 1, "yreal": 2}'.encode())
    assert io.read(path)[0].unit == "nm"


def test_a_list_of_pairs_may_have_a_mark_and_latin_1_is_named(tmp_path: Path) -> None:
    path = array(tmp_path, b'{"unit": "nm", "xreal": 1, "yreal": 2}')
    for name in ("low", "high"):
        for suffix in (".npy", ".json"):
            (tmp_path / f"{name}{suffix}").write_bytes(path.with_suffix(suffix).read_bytes())
    text = "id,low,high\nBöhm,low.npy,high.npy\n"
    listed = tmp_path / "pairs.csv"
    listed.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert [pair.id for pair in find_pairs(listed).pairs] == ["Böhm"]
    listed.write_bytes(text.encode("latin-1"))
    with pytest.raises(PairError, match=r"pairs.csv: not a text in UTF-8 .*; save it as CSV UTF-8"):
        find_pairs(listed)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (codecs.BOM_UTF8 + b'nonsense = "x"\n', "no option is named 'nonsense'"),
        ('level = "Höhe"\n'.encode("latin-1"), "the text is not UTF-8"),
        (b"[alignment]\nratio = 0,8\n", "decimal comma: write 0.8"),
    ],
)
def test_the_file_of_options(
    text: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    (pairs / "afmsr-eval.toml").write_bytes(text)
    assert main(["eval", str(pairs)]) == 2
    assert told in capsys.readouterr().err
