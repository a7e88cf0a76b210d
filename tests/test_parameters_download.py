"""Promise: the parameters of trained metrics are fetched as weights are; what is wrong is refused.

Against a real server on this machine, with the real file of NIQE. That of Ma is not at hand: one
that was made up, in its structure, stands in to exercise the way here, and is refused as Ma's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from webserver import Server
from weightfiles import weights_of

from afmsr_core import metrics
from afmsr_core.errors import DownloadError, MissingWeightsError, WeightsError
from afmsr_core.methods import download, store
from afmsr_core.metrics.parameters import MA, NIQE
from benchmarks.metrics import structure_only

pytest.importorskip("scipy.io", reason="needs the extra eval")

Run = Callable[..., tuple[int, str, str]]
FILE = NIQE.files[0]


@pytest.fixture
def real(shared: Path) -> bytes:
    """NIQE's file as its authors publish it."""
    return (shared / "data" / "iqa" / "niqe_modelparameters.mat").read_bytes()


@pytest.fixture(autouse=True)
def nothing_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for parameters in (NIQE, MA):
        monkeypatch.delenv(parameters.variable, raising=False)


def listed(run: Run, name: str) -> dict[str, object]:
    return {entry["name"]: entry for entry in json.loads(run("list", "--json")[1])}[name]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def made_up(path: Path) -> bytes:
    """A file in the structure of Ma's with nothing of Ma's in it."""
    return structure_only(path, trees=20, depth=4).read_bytes()


# --- fetching --------------------------------------------------------------------------------


def test_fetched_parameters_are_found_and_give_a_value(
    run: Run,
    cache: Path,
    server: Server,
    real: bytes,
) -> None:
    import numpy as np

    server.body = real
    assert listed(run, "niqe-parameters")["cure"] == "afmsr models fetch niqe-parameters"
    assert run("fetch", "niqe_parameters")[:2] == (0, f"{cache / FILE.name}\n")
    assert server.asked == [(f"/files/{FILE.name}", None)]
    assert names_in(cache) == [FILE.name, f"{FILE.name}.sha256"]
    entry = listed(run, "niqe-parameters")
    assert entry["ready"] is True and "notice" in str(entry["licence"])
    assert NIQE.locate() == cache / FILE.name
    assert run("path", "niqe-parameters")[1] == f"{cache / FILE.name}\n"
    grey = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    found = metrics.evaluate(grey, grey, (1.0, 1.0), "paper", {})["niqe"]
    assert found.value is not None and found.details["parameters_published"] is True
    assert run("fetch", "niqe-parameters")[0] == 0 and len(server.asked) == 1


@pytest.mark.parametrize("cut", [0, 5000])
def test_a_cut_body_is_noticed_and_completed(
    cache: Path,
    server: Server,
    real: bytes,
    cut: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "CHUNK", 1000)
    server.body, server.cut = real, cut
    with pytest.raises(DownloadError, match=rf"after {cut} of 8347 bytes; run the same command"):
        download.fetch(FILE)
    assert FILE.name not in names_in(cache)
    with pytest.raises(MissingWeightsError):
        NIQE.locate()
    download.fetch(FILE)
    assert (cache / FILE.name).read_bytes() == real
    assert server.asked[1][1] == (f"bytes={cut}-" if cut else None)


def test_another_file_than_the_published_is_refused(
    run: Run,
    cache: Path,
    server: Server,
    real: bytes,
) -> None:
    server.body = real[:-1] + bytes([real[-1] ^ 1])
    status, _, said = run("fetch", "niqe-parameters")
    assert status == WeightsError.exit_status
    assert "SHA-256" in said and FILE.sha256[:16] in said and "deleted" in said
    assert names_in(cache) == []


def test_a_longer_file_than_the_published_is_refused(
    cache: Path,
    server: Server,
    real: bytes,
) -> None:
    server.body = real + bytes(100_000)
    with pytest.raises(DownloadError, match="at most 8347 bytes"):
        download.fetch(FILE)
    assert names_in(cache) == []


@pytest.mark.parametrize("key", ["niqe-parameters", "ma-parameters"])
def test_a_server_that_refuses(run: Run, cache: Path, server: Server, key: str) -> None:
    server.statuses = [404]
    status, out, said = run("fetch", key)
    assert (status, out) == (DownloadError.exit_status, "")
    assert "404" in said and "AFMSR_MODEL_URL" in said and "afmsr models import FILE" in said
    assert names_in(cache) == []


@pytest.mark.parametrize("key", ["niqe-parameters", "ma-parameters"])
def test_a_page_in_place_of_parameters_is_refused(
    run: Run,
    cache: Path,
    server: Server,
    key: str,
) -> None:
    server.body = b"<!DOCTYPE html><title>Log in to the hotel</title>"
    status, _, said = run("fetch", key)
    assert status == DownloadError.exit_status and "log-in page" in said
    assert names_in(cache) == []


@pytest.mark.parametrize("key", ["niqe-parameters", "ma-parameters"])
def test_offline_names_the_cure(
    run: Run,
    server: Server,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFMSR_OFFLINE", "1")
    status, _, said = run("fetch", key)
    assert status == MissingWeightsError.exit_status
    assert "AFMSR_OFFLINE" in said and "afmsr models import FILE" in said
    assert not server.asked


# --- Ma: no hash is published ----------------------------------------------------------------


def test_the_hash_of_mas_file_is_recorded_and_checked(
    run: Run,
    cache: Path,
    server: Server,
    tmp_path: Path,
) -> None:
    server.body = made_up(tmp_path / "made_up.mat")
    assert run("fetch", "ma-parameters")[0] == 0
    digest = hashlib.sha256(server.body).hexdigest()
    assert (cache / "NRQM_model.mat.sha256").read_text() == f"{digest}  NRQM_model.mat\n"
    assert run("verify", "ma-parameters")[:2] == (0, f"ma-parameters: unchanged, {digest}\n")
    assert MA.locate() == cache / "NRQM_model.mat"
    (cache / "NRQM_model.mat").write_bytes(server.body + b"!")
    with pytest.raises(WeightsError, match=r"has changed: .* --force ma-parameters"):
        MA.locate()
    assert listed(run, "ma-parameters")["cure"] == "afmsr models fetch --force ma-parameters"
    assert run("fetch", "--force", "ma-parameters")[0] == 0
    assert (cache / "NRQM_model.mat").read_bytes() == server.body


@pytest.mark.parametrize("part", [0.3, 0.999])
def test_parameters_cut_short_without_their_length_are_not_recorded(
    run: Run, cache: Path, server: Server, tmp_path: Path, part: float
) -> None:
    server.body = made_up(tmp_path / "made_up.mat")
    server.length, server.cut = False, int(part * len(server.body))
    status, _, said = run("fetch", "ma-parameters")
    assert status == DownloadError.exit_status
    assert "cannot be read as a MATLAB file" in said and "was deleted" in said
    assert names_in(cache) == []
    half = tmp_path / MA.files[0].name
    half.write_bytes(server.body[: int(part * len(server.body))])
    with pytest.raises(WeightsError, match="cannot be read as a MATLAB file"):
        run("import", str(half))
    assert names_in(cache) == []


def test_another_mat_file_is_not_taken_for_mas(run: Run, cache: Path, tmp_path: Path) -> None:
    from scipy.io import savemat

    savemat(tmp_path / MA.files[0].name, {"model": {"rf": 1.0, "linear": 2.0}})
    with pytest.raises(WeightsError, match="holds no parameters of Ma"):
        run("import", str(tmp_path / MA.files[0].name))
    assert names_in(cache) == []


# --- importing -------------------------------------------------------------------------------


def test_parameters_are_imported_with_weights(
    run: Run, cache: Path, shared: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "from a colleague"
    folder.mkdir()
    for name in ("niqe_modelparameters.mat", "niqe_pris_params.npz"):
        shutil.copyfile(shared / "data" / "iqa" / name, folder / name)
    (folder / "carn.pt").write_bytes(weights_of("carn"))
    status, out, _ = run("import", str(folder))
    assert status == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "carn",
        "niqe-parameters",
        "niqe-parameters",
    ]
    assert NIQE.locate() == cache / "niqe_modelparameters.mat"
    assert "niqe-parameters: unchanged" in run("verify")[1]


def test_an_import_that_is_not_the_published_file_is_refused(
    run: Run, cache: Path, tmp_path: Path
) -> None:
    made_up(tmp_path / "niqe_modelparameters.mat")
    with pytest.raises(WeightsError, match="was published"):
        run("import", str(tmp_path / "niqe_modelparameters.mat"))
    (tmp_path / "NRQM_model.mat").write_text("<html>")
    with pytest.raises(WeightsError, match="holds no parameters"):
        run("import", str(tmp_path / "NRQM_model.mat"))
    assert names_in(cache) == []


# --- an empty cell ---------------------------------------------------------------------------


def test_an_empty_cell_names_the_command() -> None:
    import numpy as np

    grey = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    found = metrics.evaluate(grey, grey, (1.0, 1.0), "paper", {})
    for name in ("niqe", "ma"):
        assert found[name].value is None
        assert f"`afmsr models fetch {name}-parameters`" in found[name].reason
    assert found["pi"].value is None and "afmsr models fetch" in found["pi"].reason


def test_a_file_that_is_named_and_missing_is_not_replaced(cache: Path, real: bytes) -> None:
    cache.mkdir()
    (cache / FILE.name).write_bytes(real)
    assert store.recorded_hash(FILE) is None and NIQE.locate() == cache / FILE.name
    with pytest.raises(MissingWeightsError, match=r"gone\.mat: is not a file"):
        NIQE.locate(Path("gone.mat"))
