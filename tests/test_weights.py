"""Promise: weights are data, the right ones, and unchanged; or they are refused with a cure."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from weightfiles import weights_of

from afmsr_core.errors import MissingWeightsError, OutputError, UsageError, WeightsError
from afmsr_core.methods import registry, store, weights

torch = pytest.importorskip("torch", reason="needs the extra torch")

CARN = registry.get("carn")
AFM = registry.get("afm")
assert isinstance(CARN, registry.Network)
assert isinstance(AFM, registry.Network)


pytestmark = pytest.mark.usefixtures("cache")


def import_weights(source: Path) -> set[str]:
    """Return whose weights were found, as ``afmsr models import`` prints them."""
    return {file.key for file in store.import_files(source, weights.fetched())}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """CARN's weights, as its publisher would have them."""
    path = tmp_path / "here" / "carn.pt"
    path.parent.mkdir()
    path.write_bytes(weights_of("carn"))
    return path


# --- where ------------------------------------------------------------------------------------


def test_the_folder_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.model_dir().name == "cache"
    monkeypatch.setenv("AFMSR_MODEL_DIR", "~/weights")
    assert weights.model_dir() == Path.home() / "weights"
    monkeypatch.delenv("AFMSR_MODEL_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert weights.model_dir().parts[-2:] == ("afmsr", "models")


def test_missing_weights_name_every_cure() -> None:
    with pytest.raises(MissingWeightsError) as caught:
        weights.locate(CARN)
    assert caught.value.exit_status == 4
    for cure in ("afmsr models fetch carn", "afmsr models import FILE", "AFMSR_MODEL_URL"):
        assert cure in str(caught.value)


def test_an_own_file_comes_before_the_cache(good: Path) -> None:
    import_weights(good)
    assert weights.locate(CARN) == weights.cached(CARN)
    assert weights.locate(CARN, good) == good
    with pytest.raises(MissingWeightsError, match=r"nowhere\.pt: does not exist"):
        weights.locate(CARN, good.with_name("nowhere.pt"))
    with pytest.raises(MissingWeightsError, match="is a folder"):
        weights.locate(CARN, good.parent)


def test_shipped_weights_are_the_packages_alone(cache: Path) -> None:
    cache.mkdir()
    (cache / AFM.weights.name).write_bytes(b"an old download")
    assert weights.cached(AFM).parent.name == "data"
    assert cache not in weights.cached(AFM).parents


# --- hashes -----------------------------------------------------------------------------------


def test_a_hash_is_recorded_and_checked_from_then_on(cache: Path, good: Path) -> None:
    import_weights(good)
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    assert weights.expected_hash(CARN) == digest == weights.verify(CARN)
    with (cache / "carn.pt").open("r+b") as file:
        file.seek(40)
        file.write(b"\xff")
    with pytest.raises(WeightsError, match=r"has changed: .* --force carn"):
        weights.verify(CARN)


def test_an_own_file_has_nothing_to_be_checked_against(good: Path, tmp_path: Path) -> None:
    import_weights(good)
    other = tmp_path / "other.pt"
    other.write_bytes(b"PK\x03\x04 other")
    assert weights.verify(CARN, other) == hashlib.sha256(b"PK\x03\x04 other").hexdigest()


def test_a_published_hash_beats_a_recorded_one(good: Path) -> None:
    import_weights(good)
    published = replace(CARN, weights=replace(CARN.weights, sha256="0" * 64))
    with pytest.raises(WeightsError, match="was published"):
        weights.verify(published)


def test_a_damaged_record_is_named(cache: Path, good: Path) -> None:
    import_weights(good)
    (cache / "carn.pt.sha256").write_text("nothing like a hash")
    with pytest.raises(WeightsError, match=r"carn\.pt\.sha256: holds no SHA-256"):
        weights.verify(CARN)


def test_the_record_is_that_of_sha256sum(cache: Path, good: Path) -> None:
    import_weights(good)
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    assert (cache / "carn.pt.sha256").read_text() == f"{digest}  carn.pt\n"


def test_a_record_that_cannot_be_written_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFMSR_MODEL_DIR", os.devnull + "/read-only")
    weights.record(CARN, "0" * 64)


# --- importing --------------------------------------------------------------------------------


def test_import_from_a_file(cache: Path, good: Path) -> None:
    assert import_weights(good) == {"carn"}
    assert (cache / "carn.pt").read_bytes() == good.read_bytes()


def test_import_from_a_folder(cache: Path, good: Path) -> None:
    deep = good.parent / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "carn_m.pt").write_bytes(weights_of("carn_m"))
    (deep / "README.txt").write_text("not weights")
    assert import_weights(good.parent) == {"carn", "carn_m"}
    assert sorted(path.name for path in cache.iterdir()) == [
        "carn.pt",
        "carn.pt.sha256",
        "carn_m.pt",
        "carn_m.pt.sha256",
    ]


@pytest.mark.parametrize(
    "name", ["carn.pt", "some/folder/carn.pt", "../../carn.pt", "/etc/carn.pt", "c:\\x\\carn.pt"]
)
def test_import_from_a_zip_never_leaves_the_cache(
    cache: Path, tmp_path: Path, good: Path, name: str
) -> None:
    archive = tmp_path / "weights.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, good.read_bytes())
        file.writestr("../../evil.txt", b"evil")
        file.writestr("../evil.pt", b"evil")
    before = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
    assert import_weights(archive) == {"carn"}
    assert (cache / "carn.pt").read_bytes() == good.read_bytes()
    assert sorted(path.name for path in cache.iterdir()) == ["carn.pt", "carn.pt.sha256"]
    after = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
    assert after == before


def test_a_zip_bomb_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("carn.pt", b"PK\x03\x04" + bytes(1 << 20))
    monkeypatch.setattr(store, "LARGEST", 1 << 19)
    with pytest.raises(WeightsError, match="more than any weights"):
        import_weights(archive)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_damaged_zip_is_refused_and_leaves_nothing(
    cache: Path, tmp_path: Path, good: Path
) -> None:
    archive = tmp_path / "weights.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("carn.pt", good.read_bytes())
    damaged = bytearray(archive.read_bytes())
    damaged[200] ^= 0xFF
    archive.write_bytes(damaged)
    with pytest.raises(WeightsError, match="damaged"):
        import_weights(archive)
    assert not (cache / "carn.pt").exists()


def test_what_holds_no_weights_is_refused(tmp_path: Path, good: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        import_weights(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"holds none of ninasr_b0_x4\.pt"):
        import_weights(good.rename(good.with_name("unknown.pt")))
    page = tmp_path / "carn.pt"
    page.write_text("<html>")
    with pytest.raises(WeightsError, match="holds no weights"):
        import_weights(page)


def test_import_replaces_what_was_there_and_its_hash(cache: Path, good: Path) -> None:
    import_weights(good)
    good.write_bytes(weights_of("carn", seed=2))
    import_weights(good)
    assert (cache / "carn.pt").read_bytes() == good.read_bytes()
    weights.verify(CARN)


def test_a_cache_that_cannot_be_made(
    tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match="AFMSR_MODEL_DIR"):
        import_weights(good)


@pytest.mark.parametrize("name", ["carn.pt", "weights.zip"])
@pytest.mark.parametrize("wrong", ["cut", "another network", "not finite"])
def test_import_takes_only_what_loads(
    cache: Path, tmp_path: Path, good: Path, name: str, wrong: str
) -> None:
    import_weights(good)
    if wrong == "cut":
        data, told = weights_of("carn")[:-1000], "cannot be read as weights"
    elif wrong == "another network":
        data, told = weights_of("carn_m"), "not the weights of carn: .* has"
    else:
        data, told = (
            with_number("carn", float("inf")),
            "1 of the 1728 numbers of entry",
        )
    source = tmp_path / name
    if name == "weights.zip":
        with zipfile.ZipFile(source, "w") as file:
            file.writestr("folder/carn.pt", data)
    else:
        source.write_bytes(data)
    with pytest.raises(WeightsError, match=f"{name}: .*{told}"):
        import_weights(source)
    assert (cache / "carn.pt").read_bytes() == good.read_bytes()  # what was there still is
    weights.verify(CARN)
    assert sorted(path.name for path in cache.iterdir()) == ["carn.pt", "carn.pt.sha256"]


def with_number(name: str, number: float) -> bytes:
    """Return weights with a number in the middle of one of them."""
    state = torch.load(io.BytesIO(weights_of(name)), weights_only=True)
    tensor = next(value for key, value in state.items() if key == "entry.weight")
    tensor.view(-1)[tensor.numel() // 2] = number
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def test_without_torch_a_part_of_a_file_is_not_imported(tmp_path: Path, good: Path) -> None:
    from safetensors.torch import save

    tensors = {"a": torch.arange(600.0)}
    wholes = {"zip": weights_of("carn"), "safetensors": save(tensors, {"note": "x"})}
    for kind, whole in wholes.items():
        (tmp_path / f"{kind}-whole").write_bytes(whole)
        (tmp_path / f"{kind}-cut").write_bytes(whole[:-100])
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from afmsr_core.methods import weights, registry\n"
        "for path in sorted(Path(sys.argv[1]).glob('*-*')):\n"
        "    try: weights.check(registry.get('carn'), path.read_bytes(), path.name)\n"
        "    except weights.WeightsError as error: print(error)\n"
        "    else: print(path.name, 'taken')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = dict(line.replace(":", "", 1).split(" ", 1) for line in done.stdout.splitlines())
    assert told["zip-whole"] == told["safetensors-whole"] == "taken"
    assert "cannot be read as weights" in told["zip-cut"]
    assert "bytes instead of" in told["safetensors-cut"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "carn.pt")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        import_weights(tmp_path / "carn.pt")
    with pytest.raises(MissingWeightsError, match="is no file"):
        weights.locate(CARN, tmp_path / "carn.pt")


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_the_three_formats_are_read(tmp_path: Path, kind: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "any.name"
    state = {"a": torch.arange(4.0), "b": torch.ones(2, 2, dtype=torch.float16)}
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    found = weights.load_state(path)
    assert {key: value.dtype for key, value in found.items()} == dict.fromkeys("ab", torch.float32)
    assert torch.equal(found["a"], state["a"])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, kind: str, number: float) -> None:
    """1e300 is finite, and infinite as float32."""
    from safetensors.torch import save_file

    wrong = torch.tensor([1.0, number, 2.0], dtype=torch.float64)
    state = {"head": torch.ones(3), "tail.bias": wrong}
    path = tmp_path / f"weights.{kind}"
    (save_file if kind == "safetensors" else torch.save)(state, path)
    with pytest.raises(WeightsError, match=r"1 of the 3 numbers of tail\.bias are NaN or infinite"):
        weights.load_state(path)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_code_in_a_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps({"a": Evil()}, protocol=2))
    else:
        torch.save({"a": Evil()}, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(WeightsError, match="nothing of it was run"):
        weights.load_state(path)
    assert not (tmp_path / "pwned").exists()


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = tmp_path / "whole"
    folder.mkdir()
    state = {"a": torch.arange(6.0)}
    save_file(state, folder / "new.safetensors")
    torch.save(state, folder / "zip.pt")
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        cut = tmp_path / "cut"
        for length in range(0, len(whole) - 1, 1 + len(whole) // 60):
            cut.write_bytes(whole[:length])
            with pytest.raises(WeightsError, match="cut: "):
                weights.load_state(cut)


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"a": torch.tensor([1, 2])}])
def test_what_is_no_table_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "odd.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=r"state_dict\(\)"):
        weights.load_state(path)


def test_weights_are_found_without_torch() -> None:
    """Listing and importing must work where torch is not installed."""
    code = (
        "import sys, json; sys.modules['torch'] = None\n"
        "from afmsr_core.methods import weights, registry\n"
        "print(json.dumps([w.name for w in weights.networks()]))\n"
        "weights.cached(registry.get('carn')); assert 'requests' not in sys.modules"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(json.loads(found.stdout)) >= 10
