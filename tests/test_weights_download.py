"""Promise: weights arrive whole or not at all, and a download goes on where it stopped."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace as changed
from pathlib import Path

import pytest
from webserver import Server
from weightfiles import weights_of

from afmsr_core.errors import DownloadError, MissingWeightsError, WeightsError
from afmsr_core.methods import download, orphans, registry, store, weights

pytest.importorskip("torch", reason="needs the extra torch")

NETWORK = registry.get("ninasr_b0")
assert isinstance(NETWORK, registry.Network)
NINASR = weights.file_of(NETWORK)
BODY = weights_of("ninasr_b0")
CONTINUED = f"bytes={download.CHUNK}-"  # asked for after a cut at 100,000: only whole chunks count


@pytest.fixture(autouse=True)
def weights_served(server: Server) -> None:
    server.body = BODY


def parts(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.part"))


def only(cache: Path, *names: str) -> bool:
    return sorted(path.name for path in cache.iterdir()) == sorted(names)


def test_a_whole_file_is_kept_with_its_hash(cache: Path, server: Server) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download.fetch(NINASR, progress=lambda done, total: seen.append((done, total)))
    assert path == cache / "ninasr_b0_x4.pt"
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256")
    digest = hashlib.sha256(BODY).hexdigest()
    assert (cache / "ninasr_b0_x4.pt.sha256").read_text() == f"{digest}  ninasr_b0_x4.pt\n"
    assert path.stat().st_mode & 0o077 == 0o077 & 0o666 & ~umask()
    assert server.asked == [("/files/ninasr_b0_x4.pt", None)]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_that_is_here_is_not_fetched_again(server: Server) -> None:
    download.fetch(NINASR)
    download.fetch(NINASR)
    assert len(server.asked) == 1


def test_force_fetches_again_and_takes_the_new_hash(cache: Path, server: Server) -> None:
    download.fetch(NINASR)
    server.body, server.etag = weights_of("ninasr_b0", seed=2), '"two"'
    download.fetch(NINASR, force=True)
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == server.body
    assert store.verify(NINASR) == hashlib.sha256(server.body).hexdigest()


@pytest.mark.parametrize("cut", [0, 3, 100_000, len(BODY) - 1])
def test_a_cut_body_is_noticed_and_continued(cache: Path, server: Server, cut: int) -> None:
    server.cut = cut
    with pytest.raises(DownloadError, match=rf"after \d+ of {len(BODY)} bytes; run the same"):
        download.fetch(NINASR)
    assert not (cache / "ninasr_b0_x4.pt").exists()
    have = sum(part.stat().st_size for part in parts(cache))
    assert max(0, cut - download.CHUNK) <= have <= cut
    assert only(cache, *(part.name for part in parts(cache)))
    download.fetch(NINASR)
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == BODY
    assert server.asked[1][1] == (f"bytes={have}-" if have else None)
    assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256")


def test_an_interrupted_download_is_continued(cache: Path, server: Server) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.fetch(NINASR, progress=interrupt)
    (part,) = parts(cache)
    have = part.stat().st_size
    assert 100_000 < have < len(BODY)
    assert only(cache, part.name)
    first: list[int] = []
    download.fetch(NINASR, progress=lambda done, total: first.append(done))
    assert server.asked[1][1] == f"bytes={have}-"
    assert first[0] > have  # progress counts what was there
    assert store.verify(NINASR) == hashlib.sha256(BODY).hexdigest()
    assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256")


def test_a_server_without_ranges_starts_anew(cache: Path, server: Server) -> None:
    server.cut, server.ranges = 100_000, False
    with pytest.raises(DownloadError):
        download.fetch(NINASR)
    download.fetch(NINASR)
    assert [wanted for _, wanted in server.asked] == [None, CONTINUED]
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == BODY


def test_another_file_on_the_server_starts_anew(cache: Path, server: Server) -> None:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(NINASR)
    server.body, server.etag = weights_of("ninasr_b0", seed=2), '"two"'
    assert len(server.body) == len(BODY) and server.body != BODY
    download.fetch(NINASR)
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == server.body
    assert [wanted for _, wanted in server.asked] == [None, CONTINUED, None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_continued(
    cache: Path, server: Server, etag: str | None
) -> None:
    server.cut, server.etag = 100_000, etag
    with pytest.raises(DownloadError, match="starts anew"):
        download.fetch(NINASR)
    assert not parts(cache)
    download.fetch(NINASR)
    assert server.asked[1][1] is None


def test_a_server_that_tells_no_length(cache: Path, server: Server) -> None:
    server.length = False
    download.fetch(NINASR)
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == BODY


def test_a_wrong_hash_deletes_the_file_and_says_so(cache: Path) -> None:
    published = changed(NINASR, sha256="0" * 64)
    with pytest.raises(WeightsError, match="so it was deleted; try another mirror"):
        download.fetch(published)
    assert only(cache)


def test_a_file_that_differs_from_the_recorded_one_is_refused(cache: Path, server: Server) -> None:
    download.fetch(NINASR)
    (cache / "ninasr_b0_x4.pt").unlink()
    server.body = BODY + b"tampered"
    with pytest.raises(WeightsError, match="--force ninasr_b0"):
        download.fetch(NINASR)
    assert only(cache, "ninasr_b0_x4.pt.sha256")


def test_server_errors_are_tried_again(cache: Path, server: Server) -> None:
    server.statuses = [500, 503, 429]
    download.fetch(NINASR)
    assert (cache / "ninasr_b0_x4.pt").read_bytes() == BODY
    assert len(server.asked) == 4


@pytest.mark.parametrize(("status", "requests"), [(500, 4), (404, 1), (403, 1)])
def test_a_server_that_refuses(cache: Path, server: Server, status: int, requests: int) -> None:
    server.statuses = [status] * 10
    with pytest.raises(DownloadError, match=rf"{status}.*ninasr_b0_x4\.pt.*AFMSR_MODEL_URL"):
        download.fetch(NINASR)
    assert only(cache)
    assert len(server.asked) == requests


def test_a_page_in_place_of_weights_is_refused(cache: Path, server: Server) -> None:
    server.body = b"<!DOCTYPE html><title>Log in to the hotel</title>"
    with pytest.raises(DownloadError, match="log-in page"):
        download.fetch(NINASR)
    assert only(cache)


def test_a_body_without_end_is_refused(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST", 200_000)
    with pytest.raises(DownloadError, match="never ends"):
        download.fetch(NINASR)
    assert only(cache)


def test_a_server_that_falls_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.05)
    monkeypatch.setattr(download, "RETRIES", 0)
    server.slow = 0.5
    with pytest.raises(DownloadError, match="no download"):
        download.fetch(NINASR)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFMSR_MODEL_URL", "http://127.0.0.1:9/")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9/ninasr_b0_x4\.pt: no download"):
        download.fetch(NINASR)


def test_a_mirror_without_scheme() -> None:
    with pytest.raises(DownloadError, match="https://"):
        download.fetch(NINASR, mirror="files.example.org")


def test_no_space_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        def __init__(self, file: object) -> None:
            self.file = file
            self.written = 0

        def write(self, chunk: bytes) -> None:
            self.written += len(chunk)
            if self.written > 100_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.file.write(chunk)  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    whole = download._Download._write
    disks: dict[int, FullDisk] = {}

    def write(file: object, chunk: bytes, part: object) -> None:
        disk = disks.setdefault(id(file), FullDisk(file))
        whole(disk, chunk, part)  # type: ignore[arg-type]

    monkeypatch.setattr(download._Download, "_write", staticmethod(write))
    with pytest.raises(DownloadError, match="the disk is full: free some space"):
        download.fetch(NINASR)
    assert only(cache)


def test_a_file_system_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, with the limit on the size of files that the system enforces."""
    resource = pytest.importorskip("resource", reason="Unix only")
    import signal

    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "small"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        with pytest.raises(DownloadError, match="cannot be written to"):
            download.fetch(NINASR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert only(tmp_path / "small")


def test_a_cache_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match=r"cannot be written to .* with AFMSR_MODEL_DIR"):
        download.fetch(NINASR)


def test_offline_is_obeyed(cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingWeightsError, match="afmsr models import"):
        download.fetch(NINASR, offline=True)
    monkeypatch.setenv("AFMSR_OFFLINE", "1")
    with pytest.raises(MissingWeightsError, match="AFMSR_OFFLINE"):
        download.fetch(NINASR)
    assert not server.asked
    monkeypatch.setenv("AFMSR_OFFLINE", "0")
    path = download.fetch(NINASR)
    assert download.fetch(NINASR, offline=True) == path


def test_where_weights_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.url_of(NINASR, "https://a.example/x/") == "https://a.example/x/ninasr_b0_x4.pt"
    monkeypatch.delenv("AFMSR_MODEL_URL")
    assert download.url_of(NINASR) == NINASR.url
    assert NINASR.url.startswith("https://github.com/Coloquinte/torchSR/releases/")


def test_two_at_once_do_not_harm_each_other(cache: Path, server: Server) -> None:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(NINASR)
    server.slow = 0.1  # so that they overlap
    failures: list[BaseException] = []

    def work() -> None:
        try:
            assert download.fetch(NINASR).read_bytes() == BODY
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.verify(NINASR) == hashlib.sha256(BODY).hexdigest()
    assert sum(wanted is not None for _, wanted in server.asked) == 1  # one continued the part
    assert not parts(cache)


def owned(part: Path) -> Path:
    """Return a part as a process has it that is writing it, or was killed."""
    return part.rename(part.with_name(part.name.replace(".part", ".0123abcd.part")))


def cut_off(cache: Path, server: Server) -> Path:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(NINASR)
    (part,) = parts(cache)
    return part


def test_what_another_process_is_writing_is_left_alone(cache: Path, server: Server) -> None:
    theirs = owned(cut_off(cache, server))
    with theirs.open("ab") as file:
        orphans.hold(file)
        download.fetch(NINASR)
        assert server.asked[-1][1] is None
        assert theirs.exists()


def test_the_part_of_a_killed_process_is_taken_over_at_once(cache: Path, server: Server) -> None:
    owned(cut_off(cache, server))
    download.fetch(NINASR)
    assert server.asked[-1][1] == CONTINUED
    assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256")


def test_where_there_are_no_locks_a_part_is_taken_over_in_time(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = owned(cut_off(cache, server))
    monkeypatch.setattr(orphans, "_locked", lambda file: None)
    download.fetch(NINASR)  # its owner may live
    assert server.asked[-1][1] is None and theirs.exists()
    long_ago = time.time() - orphans.ABANDONED - 1
    os.utime(theirs, (long_ago, long_ago))
    (cache / "ninasr_b0_x4.pt").unlink()
    download.fetch(NINASR)
    assert server.asked[-1][1] == CONTINUED
    assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256")


# --- cut short where nobody says how long it is -------------------------------------------------


@pytest.mark.parametrize("cut", [4, 1000, 100_000, len(BODY) - 1])
def test_a_body_cut_short_without_its_length_is_not_taken_for_whole(
    cache: Path, server: Server, cut: int
) -> None:
    server.length, server.cut = False, cut
    with pytest.raises(
        DownloadError, match=rf"cannot be read as weights .*\({cut} bytes\) was del"
    ):
        download.fetch(NINASR)
    assert only(cache)
    download.fetch(NINASR)
    assert store.verify(NINASR) == hashlib.sha256(BODY).hexdigest()


def test_the_weights_of_another_network_are_refused(cache: Path, server: Server) -> None:
    server.body = weights_of("carn_m")
    with pytest.raises(DownloadError, match=r"not the weights of ninasr_b0: .* is missing"):
        download.fetch(NINASR)
    assert only(cache)


def test_what_an_older_release_took_for_whole_is_not_fetched_successfully(cache: Path) -> None:
    cache.mkdir()
    half = BODY[:100_000]
    (cache / "ninasr_b0_x4.pt").write_bytes(half)
    store.record(NINASR, hashlib.sha256(half).hexdigest())
    with pytest.raises(WeightsError, match=r"ninasr_b0_x4\.pt: cannot be read as weights"):
        download.fetch(NINASR)
    download.fetch(NINASR, force=True)
    assert store.verify(NINASR, load=True) == hashlib.sha256(BODY).hexdigest()


# --- killed ----------------------------------------------------------------------------------

_FETCH = [sys.executable, "-m", "afmsr_cli.main", "models", "fetch", "ninasr_b0", "--quiet"]


def test_killed_at_any_moment_the_next_fetch_leaves_the_file_and_its_hash_alone(
    cache: Path, server: Server
) -> None:
    began = time.monotonic()
    subprocess.run(_FETCH, check=True, capture_output=True)
    takes = time.monotonic() - began
    for share in (0.6, 0.8, 0.9, 0.97):
        download.store.forget(NINASR)
        process = subprocess.Popen(_FETCH, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * takes)
        process.kill()
        process.wait()
        if (cache / "ninasr_b0_x4.pt").exists():
            assert store.verify(NINASR, load=True) == hashlib.sha256(BODY).hexdigest()
        download.fetch(NINASR)
        assert only(cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256"), share


@pytest.mark.parametrize(
    "left", [".ninasr_b0_x4.0123456789ab.pt", ".ninasr_b0_x4.pt.0123456789ab.sha256"]
)
def test_what_a_killed_import_left_goes_too(cache: Path, left: str) -> None:
    cache.mkdir()
    (cache / left).write_bytes(b"half")
    mine = cache / ".ninasr_b0_x4.mine.pt"
    mine.write_bytes(b"the user's")
    with (cache / left.replace("0123", "4567")).open("xb") as file:
        orphans.hold(file)
        download.fetch(NINASR)
        assert only(
            cache, "ninasr_b0_x4.pt", "ninasr_b0_x4.pt.sha256", mine.name, Path(file.name).name
        )
