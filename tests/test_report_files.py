"""Promise: the report removes what it wrote and no more writes, and nothing else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from afmsr_core.report import files
from afmsr_core.report.contents import Results
from afmsr_core.report.pair_tables import pairs
from afmsr_core.report.table import Cell, Table, as_latex
from afmsr_core.report.words import summary


def write(folder: Path, *names: str) -> None:
    report = files.Files(folder)
    for name in names:
        report.write(name, f"content of {name}".encode())
    report.finish()


def there(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


# --- stale files -------------------------------------------------------------------------


def test_what_is_no_more_written_is_removed(tmp_path: Path) -> None:
    write(tmp_path, "tables/a.csv", "tables/carn.csv", "figures/carn.png", "report.html")
    write(tmp_path, "tables/a.csv", "report.html")
    assert there(tmp_path) == {"tables/a.csv", "report.html", files.LIST}


def test_what_it_did_not_write_stays(tmp_path: Path) -> None:
    write(tmp_path, "tables/a.csv", "tables/b.csv", "tables/c.csv")
    (tmp_path / "tables" / "mine.csv").write_text("by hand")
    (tmp_path / "tables" / "b.csv").write_text("changed by hand")
    (tmp_path / "tables" / "c.csv").unlink()
    write(tmp_path, "tables/a.csv")
    assert there(tmp_path) == {"tables/a.csv", "tables/b.csv", "tables/mine.csv", files.LIST}
    write(tmp_path, "tables/a.csv")  # still there the next time, though no list names it now
    assert (tmp_path / "tables" / "b.csv").read_text() == "changed by hand"


@pytest.mark.parametrize(
    "name", ["../precious", "results.json", "pairs/1.npz", "tables/../x", "/x"]
)
def test_a_list_that_was_tampered_with_removes_nothing_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "results"
    target = folder / name if not name.startswith("/") else tmp_path / "x"
    (folder / "tables").mkdir(parents=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("precious")
    digest = hashlib.sha256(b"precious").hexdigest()
    told = str(target) if name.startswith("/") else name
    (folder / files.LIST).write_text(f"{digest}  {told}\nno line of ours\n")
    write(folder, "tables/a.csv")
    assert target.read_text() == "precious"


def test_the_list_is_that_of_sha256sum(tmp_path: Path) -> None:
    write(tmp_path, "tables/a.csv")
    digest = hashlib.sha256(b"content of tables/a.csv").hexdigest()
    assert (tmp_path / files.LIST).read_text() == f"{digest}  tables/a.csv\n"


# --- LaTeX -------------------------------------------------------------------------------

NASTY = "a & b 50 % $x$ #1 c_d {e} f~g h^i \\j <k> 1 µm ± 2 × 3 ≤ 4 → 5° … “q” ’ Å ü ≥ Δ"


def test_latex_escapes_every_sign_of_its_own() -> None:
    table = Table("t", NASTY, [Cell(NASTY), Cell(NASTY, below=NASTY)],
                  [[Cell(NASTY), Cell(NASTY, note=NASTY, bold=True)]], [NASTY])  # fmt: skip
    latex = as_latex(table)
    bare = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum)\{\}", "", latex)
    body = bare[bare.index(r"\toprule") : bare.index(r"\bottomrule")]
    cells = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(cells) == 3
    for line in cells:
        assert len(re.findall(r"(?<!\\)&", line)) == 1, line  # of two columns
        assert not re.search(r"(?<!\\)[%#]", line)
        assert len(re.findall(r"(?<!\\)\$", line)) % 2 == 0
    assert bare.count("{") - bare.count(r"\{") == bare.count("}") - bare.count(r"\}")


def test_latex_knows_every_sign_or_leaves_a_letter() -> None:
    """What pdflatex has no letter for must have been translated."""
    latex = as_latex(Table("t", NASTY, [Cell("a")], [[Cell("b")]]))
    foreign = {sign for sign in latex if ord(sign) > 0x17F}
    assert not foreign, foreign


def test_latex_has_as_many_columns_as_its_rows() -> None:
    table = Table("t", "c", [Cell("a"), Cell("b"), Cell("c")], [[Cell("1"), Cell("2"), Cell("3")]])
    latex = as_latex(table)
    columns = re.search(r"\\begin\{tabular\}\{([lrp]+)", latex)
    assert columns and len(columns[1]) == 3
    rows = [line for line in latex.splitlines() if line.endswith(r" \\")]
    assert [row.count(" & ") for row in rows] == [2, 2]


# --- the summary -------------------------------------------------------------------------


def results(**raw: object) -> Results:
    return Results(Path("nowhere"), {"format": 1, **raw})


def method(name: str, why_not: str = "") -> dict[str, object]:
    return {"name": name, "label": name.upper(), "run": not why_not, "why_not": why_not}


def test_methods_that_did_not_run_are_one_line_with_the_cure() -> None:
    missing = "{0}: its weights are not here. With internet: `afmsr models fetch {0}` (mirror)"
    told = [one for one, _ in summary(results(methods=[
        method("bicubic"),
        *(method(name, missing.format(name)) for name in ("carn", "rdn", "edsr")),
        method("rcan", "rcan: pip install -e '/a folder/afmsr[torch]'"),
    ]))]  # fmt: skip
    (line,) = (one for one in told if one.startswith("Not run"))
    assert line.startswith("Not run: CARN, RDN, EDSR and RCAN; ")
    assert "afmsr models fetch carn rdn edsr;" in line
    assert "pip install -e '/a folder/afmsr[torch]'" in line and len(line) < 200


def test_methods_that_nobody_asked_for_need_no_cure() -> None:
    told = [one for one, _ in summary(results(methods=[
        method("bicubic"), method("carn", "not asked for"), method("rdn", "not asked for")
    ]))]  # fmt: skip
    assert "Not run: CARN and RDN; not asked for." in told


# --- ambiguous pairs ---------------------------------------------------------------------


def test_a_periodic_pair_is_told_in_summary_and_table() -> None:
    aligned = {"ambiguity": 0.97, "ambiguous": True, "warnings": ["periodic sample: compare"]}
    found = results(pairs=[
        {"id": "grid", "status": "scored", "alignment": aligned},
        {"id": "rough", "status": "scored", "alignment": {"ambiguity": 0.1, "ambiguous": False}},
    ])  # fmt: skip
    assert any("Periodic" in one and "grid" in one and "rough" not in one
               for one, _ in summary(found))  # fmt: skip
    table = pairs(found)
    assert table.head[-1].text == "Ambiguity"
    assert [row[-1].text for row in table.rows] == ["0.97", "0.10"]
    assert table.rows[0][-1].note == "periodic sample: compare" and table.remarks
