"""A study is balanced, the same for the same seed, and holds nothing of the key."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from surveys import METHODS, small_study, write_images

from afmsr_cli.main import main
from afmsr_core.errors import (
    CorruptFileError,
    OutputExistsError,
    UnreadableFileError,
    UnsupportedContentError,
    UsageError,
)
from afmsr_core.survey.build import Built, add_raters, build_study
from afmsr_core.survey.design import plan_of, williams
from afmsr_core.survey.study import TRUTH, Key, Score, Study, key_path

SIX = tuple("uvwxyz")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return small_study(tmp_path_factory.mktemp("build"), pairs=6, repeats=2, catch=3, raters=SIX)


def image(study: Study, name: str) -> np.ndarray:
    return cv2.imread(str(study.image(name)))[..., ::-1]


def test_every_item_is_what_the_key_says(built: Built, tmp_path: Path) -> None:
    write_images(tmp_path, pairs=6)
    for one in built.study.sets:
        items = {name: built.key.items[name] for name in one.items}
        (pair,) = {item.pair for item in items.values()}
        for name, item in items.items():
            expected = cv2.imread(str(tmp_path / pair / f"{item.method}.png"))[..., ::-1]
            assert np.array_equal(image(built.study, name), expected)
            assert item.catch == (item.method == TRUTH)
        truth = cv2.imread(str(tmp_path / pair / "truth.png"))[..., ::-1]
        assert np.array_equal(image(built.study, one.truth), truth)


def test_repeats_and_catch_items_are_as_many_as_asked_for(built: Built) -> None:
    items = built.key.items
    assert sum(item.catch for item in items.values()) == 3
    again = {name: item for name, item in items.items() if item.repeat_of}
    assert len(again) == 2 * len(METHODS) and len(built.study.sets) == 8
    set_of = built.study.set_of()
    for name, item in again.items():
        first = items[str(item.repeat_of)]
        assert first == replace(item, repeat_of=None) and set_of[name] != set_of[item.repeat_of]
        assert not item.catch


def test_the_folder_does_not_hold_the_key(built: Built) -> None:
    assert built.key_path == key_path(built.study.folder)
    assert built.key_path.parent == built.study.folder.parent
    assert Key.read(built.key_path) == built.key
    raw = b"".join(path.read_bytes() for path in built.study.folder.rglob("*") if path.is_file())
    words = [*METHODS, "sample", "repeat", built.key.secret, str(built.key.seed)]
    assert [word for word in words if word.encode() in raw] == []
    named = json.loads((built.study.folder / "study.json").read_text())["sets"]
    assert [one["set"] for one in named] == sorted(one["set"] for one in named)
    assert all(one["items"] == sorted(one["items"]) for one in named)


def test_images_tell_nothing_but_pixels(built: Built) -> None:
    for one in built.study.sets:
        files = [built.study.image(name).read_bytes() for name in (one.truth, *one.items)]
        assert len({len(data) for data in files}) == 1
        assert len(set(files)) == len(files)
        assert not any(kind in data for data in files for kind in (b"tEXt", b"tIME", b"pHYs"))
    every = [path.read_bytes() for path in (built.study.folder / "images").iterdir()]
    assert len(set(every)) == len(every) == sum(1 + len(one.items) for one in built.study.sets)


def test_places_are_balanced_over_sets_and_raters(built: Built) -> None:
    """Six sets of three methods for six raters, without what makes sets unlike."""
    key, study = built.key, built.study
    plain = tuple(
        replace(one, items=tuple(name for name in one.items if not key.items[name].catch))
        for one in study.sets
        if not any(key.items[name].repeat_of for name in one.items)
    )
    kept = {name: key.items[name] for one in plain for name in one.items}
    study, key = replace(study, sets=plain), replace(key, items=kept)
    plans = [plan_of(study, key, place) for place in range(6)]
    for plan in plans:  # a rater sees every method equally often in every place
        seen = Counter(
            (at, key.items[name].method) for one in plan for at, name in enumerate(one.items)
        )
        assert set(seen.values()) == {2} and len(seen) == 9
    for one in plain:  # and a set is seen so
        orders = [next(p for p in plan if p.set == one.set).items for plan in plans]
        seen = Counter(
            (at, key.items[name].method) for items in orders for at, name in enumerate(items)
        )
        assert set(seen.values()) == {2} and len(seen) == 9
    assert len({tuple(one.set for one in plan) for plan in plans}) == 6
    neighbours = Counter(
        tuple(key.items[name].method for name in one.items[at : at + 2])
        for plan in plans for one in plan for at in (0, 1)
    )  # fmt: skip
    assert len(neighbours) == 6 and set(neighbours.values()) == {12}


@pytest.mark.parametrize("count", range(2, 9))
def test_williams_rows_are_latin_and_neighbours_balanced(count: int) -> None:
    row = williams(count)
    rows = [[(step + turn) % count for step in row] for turn in range(count)]
    if count % 2:  # of an odd number it takes the square and its mirror
        rows += [one[::-1] for one in rows]
    assert all(len(set(column)) == count for column in zip(*rows[:count], strict=True))
    pairs = Counter((one[at], one[at + 1]) for one in rows for at in range(count - 1))
    assert len(pairs) == count * (count - 1) and len(set(pairs.values())) == 1


def test_the_orders_are_kept_and_come_again_from_the_key(built: Built) -> None:
    for place, rater in enumerate(SIX):
        assert built.study.store.plan(rater) == plan_of(built.study, built.key, place)
    plan = built.study.store.plan("u")
    assert sorted(one.set for one in plan) == sorted(one.set for one in built.study.sets)
    assert all(sorted(one.items) == sorted({i for s in built.study.sets if s.set == one.set
                                            for i in s.items}) for one in plan)  # fmt: skip


def shown(built: Built, rater: str) -> list[list[tuple[str, str, bool]]]:
    items = built.key.items
    return [
        [(items[name].pair, items[name].method, bool(items[name].repeat_of)) for name in one.items]
        for one in built.study.store.plan(rater)
    ]


def test_the_same_seed_gives_the_same_study_under_other_names(built: Built, tmp_path: Path) -> None:
    options = {"pairs": 6, "repeats": 2, "catch": 3, "raters": SIX}
    again = small_study(tmp_path / "again", **options)
    other = small_study(tmp_path / "other", **options, seed=8)
    assert [shown(again, one) for one in SIX] == [shown(built, one) for one in SIX]
    assert [shown(other, one) for one in SIX] != [shown(built, one) for one in SIX]
    assert not set(again.key.items) & set(built.key.items)  # names come from a secret
    assert built_unseeded(tmp_path / "a").key.seed != built_unseeded(tmp_path / "b").key.seed


def built_unseeded(folder: Path) -> Built:
    return small_study(folder, pairs=2, seed=None)


def test_a_set_and_its_repeat_lie_apart(built: Built) -> None:
    for rater in SIX:
        pairs = [one[0][0] for one in shown(built, rater)]
        twice = [pair for pair, count in Counter(pairs).items() if count == 2]
        assert len(twice) == 2
        for pair in twice:
            first, second = (at for at, one in enumerate(pairs) if one == pair)
            assert second - first >= 2


def test_raters_can_be_added_later(built: Built, tmp_path: Path) -> None:
    small = small_study(tmp_path, pairs=2)
    before = {rater: small.study.store.plan(rater) for rater in small.study.store.raters()}
    assert add_raters(small.study, small.key, ["dora", "anna"]) == ["dora"]
    assert small.study.store.plan("dora") == plan_of(small.study, small.key, 3)
    assert {rater: small.study.store.plan(rater) for rater in before} == before
    with pytest.raises(UnsupportedContentError, match="another study"):
        add_raters(small.study, built.key, ["eve"])


# --- what is asked for, and what there is --------------------------------------------------------


def test_sets_come_from_all_data_sets_alike() -> None:
    from afmsr_core.survey.design import draft_sets

    pairs = [("celgard", f"c{n}") for n in range(20)] + [("titanium", f"t{n}") for n in range(4)]
    drafts = draft_sets(pairs, METHODS, seed=1, secret="00" * 32, sets=8)
    assert Counter(one.pair[0] for one in drafts) == {"celgard": 4, "titanium": 4}


@pytest.mark.parametrize(
    "wrong", [{"sets": 0}, {"sets": 5}, {"repeats": 5}, {"catch": -1}], ids=str
)
def test_more_than_there_is_is_named(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(wrong))}.*give a number from"):
        small_study(tmp_path, **wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]  # nothing half made


def test_what_exists_is_not_replaced_and_the_key_stays_outside(tmp_path: Path) -> None:
    study = small_study(tmp_path, pairs=2).study.folder
    with pytest.raises(OutputExistsError, match="may belong to scores"):
        build_study(tmp_path / "images", study)
    with pytest.raises(UsageError, match="outside"):
        build_study(tmp_path / "images", tmp_path / "new", key_to=tmp_path / "new" / "key.json")
    with pytest.raises(UsageError, match="different names"):
        build_study(tmp_path / "images", tmp_path / "new", raters=["anna", "anna"])


def test_images_that_cannot_be_shown_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write_images(tmp_path / "images", pairs=3)
    (images / "sample 0" / "rdn.png").unlink()
    built = build_study(images, tmp_path / "one", methods=METHODS)
    assert built.left_out == {"sample 0": "no image of rdn"} and len(built.study.sets) == 2
    with pytest.raises(UsageError, match=r"no result of edsr\. .* --methods bicubic,rcan,rdn"):
        build_study(images, tmp_path / "two", methods=("edsr", "rdn"))
    with pytest.raises(UsageError, match=r"no result of rcna\. Did you mean rcan\?"):
        build_study(images, tmp_path / "two", methods=("rcna", "rdn"))
    assert main(["survey", "build", str(images), "--list"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == ["bicubic", "3", "pairs", "rcan", "3", "pairs", "rdn", "2", "pairs"]
    with pytest.raises(UsageError, match="two or more"):
        build_study(images, tmp_path / "two", methods=("rdn",))
    cv2.imwrite(str(images / "sample 1" / "rcan.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(CorruptFileError, match="9 x 9 px, the truth 48 x 48"):
        build_study(images, tmp_path / "two", methods=METHODS)
    (images / "sample 1" / "rcan.png").write_text("no image")
    with pytest.raises(CorruptFileError, match=r"rcan\.png: is no image"):
        build_study(images, tmp_path / "two", methods=METHODS)
    with pytest.raises(UnreadableFileError, match="neither"):
        build_study(tmp_path / "one", tmp_path / "two")
    assert not list(tmp_path.glob(".two*")) and not list(tmp_path.glob("two*"))


def test_metadata_of_given_images_is_gone(tmp_path: Path) -> None:
    from PIL import Image, PngImagePlugin

    images = write_images(tmp_path / "images", pairs=1)
    for name in ("truth", *METHODS):
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", f"made by {name}")
        path = images / "sample 0" / f"{name}.png"
        Image.open(path).save(path, pnginfo=info)
    study = build_study(images, tmp_path / "study").study
    for path in (study.folder / "images").iterdir():
        assert b"made by" not in path.read_bytes() and Image.open(path).info == {}


def test_the_command_says_what_it_made_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = write_images(tmp_path / "images", pairs=3)
    (images / "sample 2" / "rcan.png").unlink()
    command = ["survey", "build", str(images), "-o", str(tmp_path / "study"), "--seed", "5"]
    assert main([*command, "--raters", "anna, ben", "--repeats", "1"]) == 0
    told = capsys.readouterr()
    assert "left out: sample 2: no image of rcan" in told.err
    assert "3 sets, 9 results, 2 raters" in told.err
    assert f"study: {tmp_path / 'study'}\nkey, for nobody who scores: " in told.out
    assert Study.read(tmp_path / "study").store.raters() == ["anna", "ben"]
    assert Key.read(key_path(tmp_path / "study")).seed == 5
    assert main(command) == 2 and "exists already" in capsys.readouterr().err


# --- scores of other sources ---------------------------------------------------------------------


def test_scores_can_be_added_once_and_contradictions_are_told(tmp_path: Path) -> None:
    study = small_study(tmp_path, pairs=2).study
    one = study.sets[0]
    score = Score("eve", one.set, one.items[0], "fidelity", 4, float("nan"), "2026-01-01", "good")
    assert study.add_scores([score]) == 1 and study.add_scores([score]) == 0
    (held,) = study.store.scores()
    assert (held.score, held.comment) == (4, "good") and np.isnan(held.seconds)
    with pytest.raises(UnsupportedContentError, match="holds 4; use --force"):
        study.add_scores([replace(score, item=one.items[1]), replace(score, score=5)])
    assert len(study.store.scores()) == 1  # all or none
    assert study.add_scores([replace(score, score=5)], force=True) == 1
    assert [found.score for found in study.store.scores()] == [5]
    for wrong in ({"item": "x"}, {"set": "x"}, {"question": "speed"}, {"score": 7}):
        with pytest.raises(UnsupportedContentError):
            study.add_scores([replace(score, **wrong)])


# --- from an evaluation --------------------------------------------------------------------------


def evaluation(folder: Path, pairs: int = 3) -> dict[str, np.ndarray]:
    """Write what afmsr-eval writes, as far as a survey reads it; return the truths by pair."""
    records, truths = [], {}
    for pair in range(pairs):
        random = np.random.default_rng(pair)
        truth = 40 * cv2.GaussianBlur(random.normal(size=(420, 400)), (0, 0), 4)
        truth += 0.1 * np.arange(400)  # a tilt
        fields = {"high": truth, "low": truth, "pixel_size": np.array([9.8, 9.8])}
        for blur, method in enumerate(METHODS, 1):
            tilted = cv2.GaussianBlur(truth, (0, 0), blur) + 300 - 0.2 * np.arange(400)
            fields[method] = tilted * (1 + 0.2 * blur)
        name = f"pairs/p{pair}.npz"
        (folder / "pairs").mkdir(parents=True, exist_ok=True)
        np.savez(folder / name, **fields)
        records.append({"id": f"p{pair}", "data_set": "celgard", "status": "scored",
                        "fields": name, "high": {"unit": "nm"}})  # fmt: skip
        truths[f"p{pair}"] = truth
    records.append({"id": "bad", "data_set": "celgard", "status": "rejected", "reason": "no area"})
    methods = [{"name": name, "label": name.upper(), "run": True} for name in METHODS]
    result = {"format": 1, "methods": methods, "pairs": records}
    (folder / "results.json").write_text(json.dumps(result))
    return truths


def test_an_evaluation_is_shown_in_the_colours_of_its_truth(tmp_path: Path) -> None:
    from afmsr_core.picture.colours import colours
    from afmsr_core.picture.ranges import Range
    from afmsr_core.surfaces import fit_plane

    pytest.importorskip("scipy")
    truths = evaluation(tmp_path / "results")
    built = build_study(tmp_path / "results", tmp_path / "study")
    assert built.left_out == {"bad": "no area"} and built.key.labels["rcan"] == "RCAN"
    for one in built.study.sets:
        truth = truths[built.key.items[one.items[0]].pair]
        levelled = fit_plane(truth).subtracted_from(truth)[25:395, 15:385]
        assert one.shape == (370, 370) and one.pixel == (9.8, 9.8) and one.heights is not None
        low, high = one.heights
        inside = np.mean((levelled > low) & (levelled < high))
        assert 0.97 < inside < 1 and one.unit == "nm"
        assert np.array_equal(image(built.study, one.truth), colours(levelled, Range(low, high)))
        for name in one.items:
            method = built.key.items[name].method
            gain = 1 + 0.2 * (METHODS.index(method) + 1)
            blurred = cv2.GaussianBlur(truth, (0, 0), METHODS.index(method) + 1) * gain
            # Its own tilt and datum are gone, its own range is not stretched to that of the truth.
            off = blurred - truth
            flat = fit_plane(off).subtracted_from(blurred) + (
                fit_plane(truth).subtracted_from(truth) - truth
            )
            expected = colours(flat[25:395, 15:385], Range(low, high)).astype(int)
            assert np.abs(image(built.study, name) - expected).max() <= 1


def test_sheets_have_a_page_a_set_and_images_of_one_size(tmp_path: Path) -> None:
    from PIL import Image

    from afmsr_core.survey.sheets import write_sheets

    built = small_study(tmp_path, pairs=2, raters=["anna", "ben"])
    files = write_sheets(built.study, tmp_path / "sheets")
    assert [path.name for path in files] == ["anna.pdf", "ben.pdf"]
    raw = files[0].read_bytes()
    assert raw.count(b"/Type /Page\n") + raw.count(b"/Type /Page ") == 2
    assert [word for word in (*METHODS, "sample") if word.encode() in raw] == []
    assert raw.count(str(48 * 48 * 3).encode()) >= 2 * 4  # not compressed: smooth or not
    one = small_study(tmp_path / "one", pairs=1, raters=["anna"])
    assert inspect.signature(write_sheets).parameters["dpi"].default == 1000  # slow to draw
    pngs = write_sheets(one.study, tmp_path / "png", "png", dpi=200)
    assert [path.name for path in pngs] == ["anna-set-01.png"]
    with Image.open(pngs[0]) as sheet:
        assert sheet.size[0] > 0.2 * 6900 and round(sheet.info["dpi"][0]) == 200
        assert set(sheet.info) == {"dpi"}
