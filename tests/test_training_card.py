"""The model card says what was measured: figures, losses, recipes, pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.simulation.specimens import specimen
from training import __main__ as program
from training.card import Judged, card
from training.corpus import Scan
from training.pictures import draw
from training.quality import quality, quality_table
from training.recipes import splits_of, teachers_of
from training.score import CONDITIONS, score

Heights = NDArray[np.float64]


def _bicubic(coarse: Heights) -> Heights:
    return np.asarray(
        cv2.resize(coarse, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.float64
    )


def _worse(coarse: Heights) -> Heights:
    """Invents a fine chequerboard, a sixth of the range high."""
    result = _bicubic(coarse)
    rows, columns = np.indices(result.shape)
    return result + np.ptp(coarse) / 6 * np.sin(rows / 2) * np.sin(columns / 2)


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    rng = np.random.default_rng(3)
    return [
        Scan(
            id=kind, file_sha256=kind, sample=kind, category="", licence="MIT (see file)",
            source="virtual", quality="good", nm_per_px=2.0,
            heights=50 * specimen(kind).make(192, 192, rng),
        )
        for kind in ("grains", "steps", "particles")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def methods() -> dict:
    return {"bilinear": _bicubic, "bicubic": _bicubic, "lanczos4": _bicubic, "afm": _worse}


@pytest.fixture(scope="module")
def judged(scans: list[Scan], methods: dict) -> Judged:
    scores = {name: score(scans, methods, name) for name in CONDITIONS}
    looks = {name: quality(scans, methods, name) for name in CONDITIONS}
    return Judged(
        "dev", scans, scores, {name: quality_table(rows, None) for name, rows in looks.items()}
    )


def test_a_method_that_loses_is_shown_to_lose(judged: Judged) -> None:
    assert all(name in judged.losses() for name in ("grains", "steps", "particles"))
    assert judged.losses("bicubic") != "none"  # no gain over itself
    assert "beats all three interpolations on 0% of the scans" in judged.as_markdown()


def test_invented_detail_is_counted(judged: Judged) -> None:
    rows = {
        row.split("|")[1].strip(): row.split("|")[-3:-1]
        for row in judged.quality["clean"].splitlines()[2:]
    }
    invented = {name: int(cells[0].split()[0]) for name, cells in rows.items()}
    assert invented["truth"] == 0
    assert invented["afm"] > 20 * (1 + invented["bicubic"])


def test_pictures_show_the_best_and_the_worst(
    scans: list[Scan], methods: dict, judged: Judged, tmp_path: Path
) -> None:
    legends = draw(scans, judged.scores["clean"], methods, tmp_path)
    assert [*legends] == ["card-best.png", "card-middle.png", "card-worst.png"]
    assert all(cv2.imread(str(tmp_path / name)) is not None for name in legends)
    gains = [
        ours.psnr - theirs.psnr
        for ours, theirs in zip(
            judged.scores["clean"]["afm"], judged.scores["clean"]["bicubic"], strict=True
        )
    ]
    assert scans[int(np.argmin(gains))].sample in legends["card-worst.png"]


def test_the_card_names_weights_recipes_and_sources(judged: Judged, scans: list[Scan]) -> None:
    text = card([judged], {"card-best.png": "The best"}, scans, program.DATA, {"steps": 7})
    assert '"steps": 7' in text
    assert "virtual (MIT): grains" in text
    assert "images/card-best.png" in text


def test_the_parts_of_a_blend_tell_splits_and_teachers() -> None:
    first = {"splits": ["train"], "lessons": {}}
    lessons = {"teacher": "edsr", "number": 440}
    second = {"splits": ["train", "extra"], "lessons": lessons}
    blended = {"blend": 0.4, "of": {"blend": 0.3, "of": {"steps": 3}, "and": second}, "and": first}
    assert splits_of(blended) == ("extra", "train") and splits_of({"steps": 3}) == ("train",)
    assert teachers_of(blended) == ("edsr",) and teachers_of(first) == ()


def test_a_blend_lies_between_its_two(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from afmsr_core.methods.afm_network import AfmNetwork
    from training.blend import blend

    torch.manual_seed(1)
    for name, blocks in (("before", 2), ("after", 3)):
        network = AfmNetwork(blocks)
        torch.nn.init.normal_(network.tail.weight)
        (tmp_path / name).mkdir()
        save_file(network.state_dict(), tmp_path / name / "afm.safetensors")
        (tmp_path / name / "recipe.json").write_text(f'{{"blocks": {blocks}}}')
    planes = torch.rand(1, 1, 9, 11)
    results = {}
    for share in (0.0, 0.3, 1.0):
        blend(tmp_path / "before", tmp_path / "after", share, tmp_path / "blend")
        network = AfmNetwork.grown_from(load_file(tmp_path / "blend" / "afm.safetensors"), 3)
        with torch.inference_mode():
            results[share] = network(planes)
    for share, name, blocks in ((0.0, "before", 2), (1.0, "after", 3)):
        end = AfmNetwork.grown_from(load_file(tmp_path / name / "afm.safetensors"), blocks)
        with torch.inference_mode():
            assert torch.allclose(results[share], end(planes), atol=1e-5)
    assert not torch.allclose(results[0.3], results[0.0], atol=1e-2)
    assert '"blend": 1.0' in (tmp_path / "blend" / "recipe.json").read_text()
