"""Fetching files, and going on where a download stopped.

What arrives gets its name in the folder when all of it is there, has the hash that it must have,
and loads. Until then it is in one of these beside it:

``carn.pt.3f2a….part``
    left by an interrupted download. The middle of its name is a fingerprint of the server's
    ``ETag`` (or ``Last-Modified``) and of the whole length, so it is only continued with bytes
    of the same file.
``carn.pt.3f2a….9c1d.part``
    being written by some process, which holds a lock on it. One process renames a ``.part`` to a
    name of its own before it writes, so two never write to the same file; that of a process that
    was killed is free again (:mod:`afmsr_core.methods.orphans`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from afmsr_core.errors import DownloadError, MissingWeightsError, WeightsError
from afmsr_core.methods import orphans, store
from afmsr_core.methods.store import FetchedFile

if TYPE_CHECKING:
    import requests

__all__ = ["Progress", "fetch", "is_offline", "url_of"]

Progress = Callable[[int, "int | None"], None]
"""Gets the bytes that are there and the bytes of the whole file, if the server says."""

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte
RETRIES = 3  # of connections and of answers that ask to come back
RETRY_STATUS = (429, 500, 502, 503, 504)
BACKOFF = 0.5  # seconds before the second retry, then doubled
CHUNK = 1 << 16  # bytes


def is_offline() -> bool:
    """Return whether ``AFMSR_OFFLINE`` forbids to use the network."""
    return os.environ.get("AFMSR_OFFLINE", "").strip().lower() not in ("", "0", "no", "false")


def url_of(wanted: FetchedFile, mirror: str | None = None) -> str:
    """Return where a file is fetched from.

    Parameters
    ----------
    wanted : FetchedFile
        Which.
    mirror : str, optional
        Address of a folder that holds the files under the same names; by default
        ``AFMSR_MODEL_URL``, and without that the publisher.
    """
    base = mirror or os.environ.get("AFMSR_MODEL_URL")
    return f"{base.rstrip('/')}/{wanted.name}" if base else wanted.url


def fetch(
    wanted: FetchedFile,
    *,
    offline: bool = False,
    mirror: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Return where a file is on this machine, downloading it if it is not there.

    Parameters
    ----------
    wanted : FetchedFile
        Which.
    offline : bool
        Do not use the network; also ``AFMSR_OFFLINE=1``.
    mirror : str, optional
        See :func:`url_of`.
    force : bool
        Forget the file and its recorded hash first.
    progress : callable, optional
        Gets bytes done and bytes in all; may raise to stop, and the next call goes on there.

    Raises
    ------
    MissingWeightsError
        If the file is not there and the network must not be used.
    DownloadError
        If the server, the connection or the disk fail, or what arrived does not load. Only a
        ``.part`` file may be left.
    WeightsError
        If what arrived, or what was there, has not the hash that it must have, or what was there
        does not load; what arrived is deleted.
    """
    target = store.cached(wanted)
    if offline or is_offline():
        if target.is_file():
            return _whole(wanted)
        raise MissingWeightsError(
            f"{wanted.key}: {wanted.name} is not on this machine, and it is to stay offline; "
            f"leave out --offline and AFMSR_OFFLINE, or get {wanted.url} elsewhere and run "
            f"`afmsr models import FILE`"
        )
    if force:
        store.forget(wanted)
    if not target.is_file():
        url = url_of(wanted, mirror)
        with _explained(wanted, url):
            target.parent.mkdir(parents=True, exist_ok=True)
            _Download(wanted, url, progress).run()
    orphans.sweep(_Part.free(target))
    store.sweep(wanted)
    return _whole(wanted)


def _whole(wanted: FetchedFile) -> Path:
    """Return where a file is after checking its hash and, if only we know that, that it loads."""
    store.verify(wanted, load=wanted.sha256 is None)
    return store.cached(wanted)


class _Download:
    """A download that continues an interrupted one."""

    def __init__(self, wanted: FetchedFile, url: str, progress: Progress | None) -> None:
        self.wanted = wanted
        self.url = url
        self.progress = progress

    def run(self) -> None:
        """Put the file into the folder, with its hash recorded."""
        target = store.cached(self.wanted)
        part = _Part.claim(target)
        try:
            with _session() as session:
                response = self._ask(session, self.url, part)
                with response:
                    self._receive(response, part)
            try:
                digest = self._check(part)
            except BaseException:
                part.discard()
                raise
            # Before the file takes its name: it is never without the hash of what was checked.
            store.record(self.wanted, digest)
            part.become(target)
        finally:
            part.release()

    def _check(self, part: _Part) -> str:
        """Return the hash of what arrived, which must be the right one, or must load."""
        wanted = self.wanted
        if not wanted.accepts(part.path):
            raise DownloadError(
                f"{self.url}: what came holds no {wanted.noun}; if your network shows "
                f"a log-in page first, log in, else choose another mirror with AFMSR_MODEL_URL"
            )
        data, digest = store.contents(part.path)
        expected = store.expected_hash(wanted)
        if expected not in (None, digest):
            raise WeightsError(
                f"{self.url}: what came has not the SHA-256 that {wanted.name} must have "
                f"({str(expected)[:16]}…), so it was deleted; try another mirror, or if its "
                f"publisher renewed it, `afmsr models fetch --force {wanted.key}`"
            )
        if wanted.sha256 is None:
            try:
                wanted.check(data, self.url)
            except WeightsError as error:
                raise DownloadError(
                    f"{error}. What came ({len(data)} bytes) was deleted; if the connection ended "
                    f"early, run the same command again, else choose another mirror with "
                    f"AFMSR_MODEL_URL"
                ) from error
        return digest

    def _ask(self, session: requests.Session, url: str, part: _Part) -> requests.Response:
        """Return an answer whose body goes on where `part` ends, which may be at its start."""
        have = part.size
        if have:
            response = self._get(session, url, {"Range": f"bytes={have}-"})
            if response.status_code == 206 and _continues(response, have, part.fingerprint):
                return response
            if response.status_code == 200:  # a server without ranges sends all of it
                part.restart(_fingerprint(response))
                return response
            response.close()  # another file than before, or nothing left of it: start anew
        response = self._get(session, url, {})
        response.raise_for_status()
        part.restart(_fingerprint(response))
        return response

    @staticmethod
    def _get(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
        # Compressed bodies have another length than the file, and cannot be continued.
        headers = {"Accept-Encoding": "identity", **headers}
        timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
        return session.get(url, headers=headers, timeout=timeout, stream=True)

    def _receive(self, response: requests.Response, part: _Part) -> None:
        import requests

        total = _total(response)
        done = part.size
        reason = None
        with part.path.open("ab") as file:
            try:
                for chunk in response.iter_content(CHUNK):
                    self._write(file, chunk, part)
                    done += len(chunk)
                    if done > self.wanted.largest:
                        part.fingerprint = ""
                        raise DownloadError(
                            f"{response.url}: never ends, {self.wanted.name} has at most "
                            f"{self.wanted.largest} bytes; choose another mirror"
                        )
                    if self.progress:
                        self.progress(done, total)
            except requests.Timeout:
                reason = f"nothing came for {READ_TIMEOUT:g} s"
            except requests.RequestException:
                reason = "the connection broke"
            os.fsync(file.fileno())
        if reason is None and total not in (None, part.size):
            reason = "the connection ended"
        if reason:
            then = "it goes on from there" if part.fingerprint else "it starts anew"
            raise DownloadError(
                f"{response.url}: {reason} after {part.size} of {total or '?'} bytes; "
                f"run the same command again, {then}"
            )

    @staticmethod
    def _write(file: IO[bytes], chunk: bytes, part: _Part) -> None:
        try:
            file.write(chunk)
            file.flush()
        except OSError:
            part.fingerprint = ""  # a full disk should not stay full
            raise


class _Part:
    """What has arrived of a file, under a name that only this process uses."""

    def __init__(self, target: Path, fingerprint: str) -> None:
        self.target = target
        self.fingerprint = fingerprint
        self._token = secrets.token_hex(4)
        self.path = self._named(fingerprint)
        self._held: IO[bytes] | None = None

    @staticmethod
    def free(target: Path) -> list[Path]:
        """Return the parts of a file that no process is writing."""
        owned = re.compile(re.escape(target.name) + r"\.[0-9a-f]{16}\.[0-9a-f]{8}\.part")
        unowned = re.compile(re.escape(target.name) + r"\.[0-9a-f]{16}\.part")
        return [
            path
            for path in target.parent.iterdir()
            if unowned.fullmatch(path.name)
            or (owned.fullmatch(path.name) and orphans.abandoned(path))
        ]

    @classmethod
    def claim(cls, target: Path) -> _Part:
        """Take over the longest part that no other process is writing, or begin an empty one."""
        found = []
        for path in cls.free(target):
            with contextlib.suppress(OSError):  # another process may have just renamed it
                found.append((path.stat().st_size, path))
        for _, path in sorted(found, reverse=True):
            part = cls(target, path.name.removeprefix(f"{target.name}.")[:16])
            with contextlib.suppress(OSError):  # the other process was first
                path.rename(part.path)
                os.utime(part.path)
                part.hold()
                return part
        return cls(target, "")

    def hold(self) -> None:
        """Open the file, which need not exist, and keep others from taking it for abandoned."""
        self._held = self.path.open("ab")
        orphans.hold(self._held)

    def let_go(self) -> None:
        """Close the file: Windows does not rename open ones."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def become(self, target: Path) -> None:
        """Give the file its name."""
        self.let_go()
        self.path.replace(target)

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def restart(self, fingerprint: str) -> None:
        """Begin anew, for the file with this fingerprint; empty if it cannot be continued."""
        self.discard()
        self.fingerprint = fingerprint
        self.path = self._named(fingerprint)
        self.hold()

    def discard(self) -> None:
        """Delete what has arrived."""
        self.let_go()
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Leave what is worth continuing to whoever comes next."""
        self.let_go()
        with contextlib.suppress(OSError):
            if self.fingerprint and self.size:
                self.path.replace(self._named(self.fingerprint, owned=False))
            else:
                self.discard()

    def _named(self, fingerprint: str, owned: bool = True) -> Path:
        owner = f".{self._token}" if owned else ""
        return self.target.with_name(f"{self.target.name}.{fingerprint or '0' * 16}{owner}.part")


def _session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(
        total=RETRIES,
        status_forcelist=RETRY_STATUS,
        backoff_factor=BACKOFF,
        raise_on_status=False,
        respect_retry_after_header=False,  # it may ask for hours
    )
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _total(response: requests.Response) -> int | None:
    """Return the length of the whole file, whichever part of it was sent."""
    if response.status_code == 206:
        match = re.fullmatch(
            r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", "").strip()
        )
        return int(match[1]) if match else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _fingerprint(response: requests.Response) -> str:
    """Name a file by its server's validator and its length; empty if there is no validator.

    A weak ``ETag`` promises equal meaning, not equal bytes (RFC 9110, 8.8.1), so it is none.
    """
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else None
    validator = validator or response.headers.get("Last-Modified")
    total = _total(response)
    if not validator or total is None:
        return ""
    return hashlib.sha256(f"{validator}\n{total}".encode()).hexdigest()[:16]


def _continues(response: requests.Response, have: int, fingerprint: str) -> bool:
    start = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    return start and bool(fingerprint) and _fingerprint(response) == fingerprint


_DISK_CURES = {
    errno.ENOSPC: "the disk is full: free some space, or choose another folder",
    errno.EDQUOT: "your quota is used up: free some space, or choose another folder",
}


@contextlib.contextmanager
def _explained(wanted: FetchedFile, url: str) -> Iterator[None]:
    """Turn what a download may raise into our errors, with a cure."""
    import requests

    other = (
        f"try again later, choose a mirror (AFMSR_MODEL_URL), or get {wanted.url} elsewhere and "
        f"run `afmsr models import FILE`"
    )
    try:
        yield
    except requests.HTTPError as error:
        raise DownloadError(f"{_brief(error)}; {other}") from error
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema) as error:
        raise DownloadError(f"{url}: begin the mirror's address with https://") from error
    except requests.RequestException as error:
        raise DownloadError(f"{url}: no download ({_brief(error)}); {other}") from error
    except OSError as error:
        folder = store.model_dir()
        cure = _DISK_CURES.get(error.errno or 0, "check its mode, or choose another folder")
        raise DownloadError(
            f"{folder}: cannot be written to ({error.strerror or error}); "
            f"{cure} with AFMSR_MODEL_DIR"
        ) from error


def _brief(error: Exception) -> str:
    """Return the innermost reason of an error of requests, which nests several."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[0], BaseException):
        cause = cause.args[0]
    reason = getattr(cause, "reason", None)
    return f"{type(cause).__name__}: {reason or cause}"
