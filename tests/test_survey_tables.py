"""Scores leave as CSV and come back from forms that were filled in anywhere; nothing is guessed."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from simulated_studies import AT, empty_study, fill

from afmsr_core.errors import (
    CorruptFileError,
    UnreadableFileError,
    UnsupportedContentError,
    UsageError,
)
from afmsr_core.survey.forms import merged, read_scores
from afmsr_core.survey.store import Score
from afmsr_core.survey.study import Key, Study
from afmsr_core.survey.tables import form_csv, scores_csv

EFFECTS = {"bicubic": -1.0, "rcan": 1.0, "rdn": 1.0}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return empty_study(tmp_path / "study", images=4, repeats=1, catch=1)[0]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def written(folder: Path, text: str | bytes, name: str = "form.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def filled(form: str, long: bool = False) -> str:
    """Type scores into an empty form: 1, 2, 3, ... 6, 1, ..."""
    table = rows(form)
    for number, row in enumerate(table):
        for column in ["score"] if long else ["fidelity", "quality"]:
            row[column] = str(1 + (number + (column == "quality")) % 6)
    out = io.StringIO()
    writer = csv.DictWriter(out, table[0])
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def values(study: Study) -> dict[tuple[str, str, str], int]:
    return {(one.rater, one.item, one.question): one.score for one in study.store.scores()}


@pytest.mark.parametrize("long", [False, True])
def test_a_form_comes_back_as_it_was_filled_in(study: Study, tmp_path: Path, long: bool) -> None:
    form = form_csv(study, ["ben"], long)
    items = [item for one in study.store.plan("ben") for item in one.items]
    assert list(dict.fromkeys(row["item"] for row in rows(form))) == items
    back = read_scores(written(tmp_path, filled(form, long)), study)
    assert back.empty == 0 and len(back.scores) == 2 * len(items)
    assert back.add_to(study) == len(back.scores)
    for row in rows(filled(form, long)):
        for question in [row["question"]] if long else ["fidelity", "quality"]:
            told = row["score"] if long else row[question]
            assert values(study)["ben", row["item"], question] == int(told)
    assert back.add_to(study) == 0  # again: nothing new


def test_an_empty_form_is_blind_and_holds_no_score(study: Study, tmp_path: Path) -> None:
    form = form_csv(study)
    assert not any(method in form for method in ("bicubic", "rcan", "rdn", "truth"))
    back = read_scores(written(tmp_path, form), study)
    assert back.scores == () and back.empty == 2 * form.count("\n") - 2


def test_sheet_and_letter_are_enough(study: Study, tmp_path: Path) -> None:
    text = "Rater;Sheet;Letter;Fidelity\nanna;2;b;5\n"
    (one,) = read_scores(written(tmp_path, text), study).scores
    assert one.item == study.store.plan("anna")[1].items[1]
    assert (one.question, one.score) == ("fidelity", 5)
    assert math.isnan(one.seconds)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode("utf-16"),
        lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
        lambda text: text.replace("\n", ",,\n").encode(),
        lambda text: (text + ",,,,\n\n").encode(),
        lambda text: text.replace("5\n", "5.0\n").encode(),
        lambda text: text.replace("5\n", '"5,0"\n').encode(),
    ],
)
def test_as_spreadsheets_save_it(study: Study, tmp_path: Path, encode: object) -> None:
    text = "rater,sheet,letter,fidelity\nJörg,1,A,5\n"
    empty = study.store.plan("anna")
    study.store.add_rater("Jörg", empty)
    (one,) = read_scores(written(tmp_path, encode(text)), study).scores  # type: ignore[operator]
    assert (one.rater, one.score) == ("Jörg", 5)


def test_the_export_comes_back(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study", images=3)
    fill(study, key, EFFECTS)
    study.store.comment("anna", study.sets[0].set, '=1+1 "odd", and\nlong')
    again, _ = empty_study(tmp_path / "again", images=3)
    for text in (scores_csv(study), scores_csv(study, key)):
        read_scores(written(tmp_path, text), again).add_to(again)
        assert values(again) == values(study)
        assert again.store.comments() == study.store.comments()
        assert {one.seconds for one in again.store.scores()} == {7.5}
        assert {one.at for one in again.store.scores()} == {AT}


def test_only_the_key_unblinds(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study", images=3, repeats=1, catch=1)
    fill(study, key, EFFECTS)
    blind = scores_csv(study)
    assert not any(word in blind for word in ("bicubic", "rcan", "truth", "p00"))
    told = rows(scores_csv(study, key))
    assert {row["method"] for row in told} == {"bicubic", "rcan", "rdn", "truth"}
    assert len(told) == len(study.store.scores())
    repeats = [row for row in told if row["repeat_of"]]
    assert {key.items[row["item"]].repeat_of for row in repeats} == {
        row["repeat_of"] for row in repeats
    }
    other = Key("another", key.seed, key.secret, key.labels, key.items)
    with pytest.raises(UnsupportedContentError, match="the key is of another study"):
        scores_csv(study, other)


def test_a_comment_is_no_formula(study: Study, tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://x")'
    first = study.sets[0]
    study.store.add_scores(
        [Score("anna", first.set, first.items[0], "quality", 3, math.nan, AT, evil)]
    )
    (row,) = rows(scores_csv(study))
    assert row["comment"] == "'" + evil and row["seconds"] == ""
    (one,) = read_scores(written(tmp_path, scores_csv(study)), study).scores
    assert one.comment == evil


def test_a_comment_without_a_score_is_kept(study: Study, tmp_path: Path) -> None:
    text = "rater,sheet,letter,fidelity,comment\nanna,1,A,,cannot tell\nanna,1,B,,\n"
    back = read_scores(written(tmp_path, text), study)
    assert back.scores == () and back.empty == 2
    back.add_to(study)
    assert study.store.comments() == {("anna", study.store.plan("anna")[0].set): "cannot tell"}


HEAD = "rater,sheet,letter,fidelity"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}\nanna,1,A,7\n", r"line 2: fidelity is '7'; give a whole number from 1 to 6"),
        (f"{HEAD}\nanna,1,A,4-5\n", r"line 2: fidelity is '4-5'"),
        (f"{HEAD}\nanna,1,A,4.5\n", r"line 2: fidelity is '4.5'"),
        (f"{HEAD}\nanna,1,A,nan\n", r"line 2: fidelity is 'nan'"),
        (f"{HEAD}\n,1,A,4\n", r"line 2: has no rater"),
        (f"{HEAD}\nanna,1,A,3\n\nanna,99,A,4\n", r"line 4: anna has no sheet '99'"),
        (f"{HEAD}\nanna,1,Q,4\n", r"line 2: anna has no sheet '1' with a letter 'Q'"),
        (f"{HEAD}\nanan,1,A,4\n", r"line 2: rater 'anan' has no sheets in this study"),
        (f"{HEAD}\nanna,,,4\n", r"line 2: names no item and no set"),
        (f"{HEAD}\nanna,1,A,4\nanna,1,A,5\n", r"line 3: .* is 5, but 4 on line 2; keep one"),
        (f"{HEAD}\nanna,1,A,4,sharp, but noisy\n", r"line 2: has 6 cells for 4 columns"),
        ("rater,item,fidelity\nanna,xyz,4\n", r"line 2: the study has no item 'xyz'"),
        ("rater,sheet,letter,fidelty\n", r"line 1: column 'fidelty' is not known"),
        (f"{HEAD},fidelity\n", r"line 1: column 'fidelity' comes twice"),
        ("rater,sheet,letter\n", r"line 1: needs either columns fidelity and quality"),
        (f"{HEAD},score,question\n", r"line 1: needs either"),
        ("sheet,letter,fidelity\n", r"line 1: there is no column rater"),
        ("rater,sheet,fidelity\n", r"line 1: needs a column item, or sheet and letter"),
        ("rater,sheet,letter,question,score\nanna,1,A,beauty,3\n", r"line 2: asks 'beauty'"),
        ("rater,sheet,letter,fidelity,seconds\nanna,1,A,3,soon\n", r"line 2: seconds is 'soon'"),
        ("", r"is empty; fill in what afmsr survey export --form writes"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    study: Study, tmp_path: Path, text: str, words: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UnsupportedContentError, match=words) as raised:
        read_scores(path, study)
    assert str(path) in str(raised.value)
    assert study.store.scores() == []


def test_all_faulty_lines_are_named_at_once(study: Study, tmp_path: Path) -> None:
    text = HEAD + "\n" + "anna,1,A,9\n" * 30
    with pytest.raises(UnsupportedContentError) as raised:
        read_scores(written(tmp_path, text), study)
    told = str(raised.value)
    assert "30 lines cannot be taken; nothing was imported" in told
    assert told.count("give a whole number") == 20 and "and 10 more" in told


def test_lines_that_were_shifted_are_seen(study: Study, tmp_path: Path) -> None:
    plan = study.store.plan("anna")
    text = f"rater,sheet,letter,item,fidelity\nanna,1,A,{plan[0].items[1]},4\n"
    with pytest.raises(UnsupportedContentError, match="may have been shifted"):
        read_scores(written(tmp_path, text), study)
    text = f"rater,set,item,fidelity\nanna,{plan[1].set},{plan[0].items[1]},4\n"
    with pytest.raises(UnsupportedContentError, match="may have been shifted"):
        read_scores(written(tmp_path, text), study)


def test_what_contradicts_the_study_needs_force(study: Study, tmp_path: Path) -> None:
    read_scores(written(tmp_path, f"{HEAD}\nanna,1,A,4\n"), study).add_to(study)
    path = written(tmp_path, f"{HEAD}\nanna,1,A,5\n")
    with pytest.raises(UnsupportedContentError, match=r"line 2: .* holds 4; .*--force"):
        read_scores(path, study)
    assert read_scores(path, study, force=True).add_to(study, force=True) == 1
    assert [one.score for one in study.store.scores()] == [5]


def test_two_files_must_agree(study: Study, tmp_path: Path) -> None:
    one = written(tmp_path, f"{HEAD}\nanna,1,A,4\n", "one.csv")
    two = written(tmp_path, f"{HEAD}\nanna,1,A,5\n", "two.csv")
    both = [(path, read_scores(path, study)) for path in (one, two)]
    with pytest.raises(UnsupportedContentError, match=r"two.csv: .* is 5, but 4 in .*one.csv"):
        merged(both)
    assert len(merged(both[:1]).scores) == 1


def test_what_is_no_csv_is_told(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedContentError, match=r"is a spreadsheet .* save its sheet as CSV"):
        read_scores(written(tmp_path, b"PK\x03\x04rest"), study)
    with pytest.raises(CorruptFileError, match="is no text"):
        read_scores(written(tmp_path, b"\x00\x01\x02\x03"), study)
    with pytest.raises(CorruptFileError, match="line 2: is no CSV"):
        read_scores(written(tmp_path, f'{HEAD}\nanna,1,A,"4\n'), study)
    with pytest.raises(UnreadableFileError, match="there is no such file"):
        read_scores(tmp_path / "none.csv", study)


def test_a_form_of_nobody_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rater 'zoe' has no sheets; there is anna, ben, carl"):
        form_csv(study, ["zoe"])
    alone, _ = empty_study(tmp_path / "alone", raters=())
    with pytest.raises(UsageError, match="has no raters"):
        form_csv(alone)
