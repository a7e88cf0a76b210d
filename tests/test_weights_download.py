"""Promise: weights arrive whole or not at all, and a download goes on where it stopped."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path

import pytest
from webserver import BODY, Server, serving

from afmsr_core.errors import DownloadError, MissingWeightsError, WeightsError
from afmsr_core.methods import download, registry, store, weights

NETWORK = registry.get("carn")
assert isinstance(NETWORK, registry.Network)
CARN = weights.file_of(NETWORK)
CONTINUED = f"bytes={download.CHUNK}-"  # asked for after a cut at 100,000: only whole chunks count


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and the local server as the mirror."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(folder))
    monkeypatch.setenv("AFMSR_MODEL_URL", server.url)
    monkeypatch.delenv("AFMSR_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BACKOFF", 0.0)
    return folder


def parts(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.part"))


def only(cache: Path, *names: str) -> bool:
    return sorted(path.name for path in cache.iterdir()) == sorted(names)


def test_a_whole_file_is_kept_with_its_hash(cache: Path, server: Server) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download.fetch(CARN, progress=lambda done, total: seen.append((done, total)))
    assert path == cache / "carn.pt"
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert only(cache, "carn.pt", "carn.pt.sha256")
    digest = hashlib.sha256(BODY).hexdigest()
    assert (cache / "carn.pt.sha256").read_text() == f"{digest}  carn.pt\n"
    assert path.stat().st_mode & 0o077 == 0o077 & 0o666 & ~umask()
    assert server.asked == [("/files/carn.pt", None)]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_file_that_is_here_is_not_fetched_again(server: Server) -> None:
    download.fetch(CARN)
    download.fetch(CARN)
    assert len(server.asked) == 1


def test_force_fetches_again_and_takes_the_new_hash(cache: Path, server: Server) -> None:
    download.fetch(CARN)
    server.body, server.etag = BODY + b"newer", '"two"'
    download.fetch(CARN, force=True)
    assert (cache / "carn.pt").read_bytes() == server.body
    assert store.verify(CARN) == hashlib.sha256(server.body).hexdigest()


@pytest.mark.parametrize("cut", [0, 3, 100_000, len(BODY) - 1])
def test_a_cut_body_is_noticed_and_continued(cache: Path, server: Server, cut: int) -> None:
    server.cut = cut
    with pytest.raises(DownloadError, match=r"after \d+ of 320004 bytes; run the same"):
        download.fetch(CARN)
    assert not (cache / "carn.pt").exists()
    have = sum(part.stat().st_size for part in parts(cache))
    assert max(0, cut - download.CHUNK) <= have <= cut
    assert only(cache, *(part.name for part in parts(cache)))
    download.fetch(CARN)
    assert (cache / "carn.pt").read_bytes() == BODY
    assert server.asked[1][1] == (f"bytes={have}-" if have else None)
    assert only(cache, "carn.pt", "carn.pt.sha256")


def test_an_interrupted_download_is_continued(cache: Path, server: Server) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.fetch(CARN, progress=interrupt)
    (part,) = parts(cache)
    have = part.stat().st_size
    assert 100_000 < have < len(BODY)
    assert only(cache, part.name)
    first: list[int] = []
    download.fetch(CARN, progress=lambda done, total: first.append(done))
    assert server.asked[1][1] == f"bytes={have}-"
    assert first[0] > have  # progress counts what was there
    assert store.verify(CARN) == hashlib.sha256(BODY).hexdigest()
    assert only(cache, "carn.pt", "carn.pt.sha256")


def test_a_server_without_ranges_starts_anew(cache: Path, server: Server) -> None:
    server.cut, server.ranges = 100_000, False
    with pytest.raises(DownloadError):
        download.fetch(CARN)
    download.fetch(CARN)
    assert [wanted for _, wanted in server.asked] == [None, CONTINUED]
    assert (cache / "carn.pt").read_bytes() == BODY


def test_another_file_on_the_server_starts_anew(cache: Path, server: Server) -> None:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(CARN)
    server.body, server.etag = BODY[:4] + BODY[:3:-1], '"two"'  # as long, but another
    download.fetch(CARN)
    assert (cache / "carn.pt").read_bytes() == server.body
    assert [wanted for _, wanted in server.asked] == [None, CONTINUED, None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_continued(
    cache: Path, server: Server, etag: str | None
) -> None:
    server.cut, server.etag = 100_000, etag
    with pytest.raises(DownloadError, match="starts anew"):
        download.fetch(CARN)
    assert not parts(cache)
    download.fetch(CARN)
    assert server.asked[1][1] is None


def test_a_server_that_tells_no_length(cache: Path, server: Server) -> None:
    server.length = False
    download.fetch(CARN)
    assert (cache / "carn.pt").read_bytes() == BODY


def test_a_wrong_hash_deletes_the_file_and_says_so(cache: Path) -> None:
    published = changed(CARN, sha256="0" * 64)
    with pytest.raises(WeightsError, match="so it was deleted; try another mirror"):
        download.fetch(published)
    assert only(cache)


def test_a_file_that_differs_from_the_recorded_one_is_refused(cache: Path, server: Server) -> None:
    download.fetch(CARN)
    (cache / "carn.pt").unlink()
    server.body = BODY + b"tampered"
    with pytest.raises(WeightsError, match="--force carn"):
        download.fetch(CARN)
    assert only(cache, "carn.pt.sha256")


def test_server_errors_are_tried_again(cache: Path, server: Server) -> None:
    server.statuses = [500, 503, 429]
    download.fetch(CARN)
    assert (cache / "carn.pt").read_bytes() == BODY
    assert len(server.asked) == 4


@pytest.mark.parametrize(("status", "requests"), [(500, 4), (404, 1), (403, 1)])
def test_a_server_that_refuses(cache: Path, server: Server, status: int, requests: int) -> None:
    server.statuses = [status] * 10
    with pytest.raises(DownloadError, match=rf"{status}.*carn\.pt.*AFMSR_MODEL_URL"):
        download.fetch(CARN)
    assert only(cache)
    assert len(server.asked) == requests


def test_a_page_in_place_of_weights_is_refused(cache: Path, server: Server) -> None:
    server.body = b"<!DOCTYPE html><title>Log in to the hotel</title>"
    with pytest.raises(DownloadError, match="log-in page"):
        download.fetch(CARN)
    assert only(cache)


def test_a_body_without_end_is_refused(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST", 200_000)
    with pytest.raises(DownloadError, match="never ends"):
        download.fetch(CARN)
    assert only(cache)


def test_a_server_that_falls_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.05)
    monkeypatch.setattr(download, "RETRIES", 0)
    server.slow = 0.5
    with pytest.raises(DownloadError, match="no download"):
        download.fetch(CARN)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFMSR_MODEL_URL", "http://127.0.0.1:9/")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9/carn\.pt: no download"):
        download.fetch(CARN)


def test_a_mirror_without_scheme() -> None:
    with pytest.raises(DownloadError, match="https://"):
        download.fetch(CARN, mirror="files.example.org")


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

    whole = download._Resuming._write
    disks: dict[int, FullDisk] = {}

    def write(file: object, chunk: bytes, part: object) -> None:
        disk = disks.setdefault(id(file), FullDisk(file))
        whole(disk, chunk, part)  # type: ignore[arg-type]

    monkeypatch.setattr(download._Resuming, "_write", staticmethod(write))
    with pytest.raises(DownloadError, match="the disk is full: free some space"):
        download.fetch(CARN)
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
            download.fetch(CARN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert only(tmp_path / "small")


def test_a_cache_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match=r"cannot be written to .* with AFMSR_MODEL_DIR"):
        download.fetch(CARN)


def test_offline_is_obeyed(cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingWeightsError, match="afmsr models import"):
        download.fetch(CARN, offline=True)
    monkeypatch.setenv("AFMSR_OFFLINE", "1")
    with pytest.raises(MissingWeightsError, match="AFMSR_OFFLINE"):
        download.fetch(CARN)
    assert not server.asked
    monkeypatch.setenv("AFMSR_OFFLINE", "0")
    path = download.fetch(CARN)
    assert download.fetch(CARN, offline=True) == path


def test_where_weights_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.url_of(CARN, "https://a.example/x/") == "https://a.example/x/carn.pt"
    monkeypatch.delenv("AFMSR_MODEL_URL")
    assert download.url_of(CARN) == CARN.url
    assert CARN.url.startswith("https://github.com/Coloquinte/torchSR/releases/")


def test_two_at_once_do_not_harm_each_other(cache: Path, server: Server) -> None:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(CARN)
    server.slow = 0.1  # so that they overlap
    failures: list[BaseException] = []

    def work() -> None:
        try:
            assert download.fetch(CARN).read_bytes() == BODY
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.verify(CARN) == hashlib.sha256(BODY).hexdigest()
    assert sum(wanted is not None for _, wanted in server.asked) == 1  # one continued the part
    assert not parts(cache)


def test_the_part_of_a_killed_process_is_taken_over_in_time(cache: Path, server: Server) -> None:
    server.cut = 100_000
    with pytest.raises(DownloadError):
        download.fetch(CARN)
    (part,) = parts(cache)
    owned = part.rename(part.with_name(part.name.replace(".part", ".0123abcd.part")))
    download.fetch(CARN)  # its owner may live: hands off
    assert server.asked[-1][1] is None
    assert owned.exists()
    long_ago = time.time() - download.ABANDONED - 1
    os.utime(owned, (long_ago, long_ago))
    (cache / "carn.pt").unlink()
    download.fetch(CARN)
    assert server.asked[-1][1] == CONTINUED
    assert only(cache, "carn.pt", "carn.pt.sha256")
