"""A worker that stays in memory for a while, and the way to it.

Who starts a worker starts a process and speaks to its stdin and stdout. If a warm worker is there,
that process only passes the messages on, so that clients know nothing of sockets; but for
:mod:`gwyddion_plugin.repeat`, which has no time for another process.

A worker whose code has changed since it started leaves instead of serving a client.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO

import afmsr_core
import gwyddion_plugin
from gwyddion_plugin.worker import address, protocol
from gwyddion_plugin.worker.address import LONGEST_HELLO, PATIENCE, SUFFIX, Address, private
from gwyddion_plugin.worker.conversation import Conversation

if TYPE_CHECKING:
    from _socket import socket as Connection

__all__ = ["code", "relay", "serve", "stop_all"]

MAPPED_FROM = 32 << 20
"""Bytes of an array from which glibc maps it from the system, the most that it takes."""
KEPT_FREE = 64 << 20
"""Bytes of freed memory that glibc keeps for the next run.

Both are what it sets by itself once an array of 32 MB was freed (mallopt(3)). Until then it gives
most of it back after each run, and to have the system clear it anew takes 4 ms of a small scan.
"""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # in glibc's malloc.h
_UNIX = sys.platform != "win32"
Code = dict[str, tuple[int, int]]


def code() -> Code:
    """Return size and time of every file that this process may have been made of."""
    folders = [str(Path(file).parent) for file in (afmsr_core.__file__, gwyddion_plugin.__file__)]
    found: Code = {}
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.name.endswith(".pyc"):
                    found[entry.path] = _state(entry.path)
    return found


def _state(file: str) -> tuple[int, int]:
    state = os.stat(file)  # noqa: PTH116 - hundreds for each client, and Paths double the time
    return state.st_size, state.st_mtime_ns


def _unchanged(made_of: Code) -> bool:
    """Tell whether files are as they were; a new one counts only if one of them names it."""
    try:
        return all(_state(file) == state for file, state in made_of.items())
    except OSError:
        return False


# --- the client's side -------------------------------------------------------------------------


def relay(reader: BinaryIO, writer: BinaryIO) -> bool:
    """Pass messages on between a client and a warm worker.

    Parameters
    ----------
    reader, writer : binary files
        From and to the client, unbuffered.

    Returns
    -------
    bool
        False, without a word to the client, if there is no warm worker that has time.
    """
    found = _connect(Path(address.file()))
    if found is None:
        return False
    connection, ready = found

    def pass_on() -> None:
        with contextlib.suppress(OSError):
            while chunk := reader.read(65536):
                connection.sendall(chunk)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=pass_on, daemon=True).start()
    with contextlib.closing(connection), contextlib.suppress(OSError):
        writer.write(ready)
        while chunk := connection.recv(65536):
            writer.write(chunk)
    return True


def _connect(file: Path) -> tuple[Connection, bytes] | None:
    """Return a connection on which a worker of our version said that it is ready, and that."""
    try:
        found = Address.read(file)
        connection = found.connect()
    except (OSError, ValueError):
        return None
    try:
        connection.sendall(found.hello)
        ready = b""
        while not ready.endswith(b"\n") and (chunk := connection.recv(LONGEST_HELLO)):
            ready += chunk
        if protocol.decode(ready).get("protocol") == protocol.VERSION:
            connection.settimeout(None)
            return connection, ready
    except (OSError, protocol.ProtocolError):
        pass
    connection.close()
    return None


def stop_all() -> int:
    """Ask every warm worker of this user to end, and return how many there were."""
    stopped = 0
    for file in Path(address.runtime_dir()).glob(f"*{SUFFIX}"):
        found = _connect(file)
        if found:
            stopped += 1
            connection = found[0]
            with contextlib.closing(connection), contextlib.suppress(OSError):
                connection.sendall(protocol.encode({"type": "stop"}))
                connection.settimeout(2 * PATIENCE)
                while connection.recv(LONGEST_HELLO):
                    pass
    return stopped


# --- the worker's side -------------------------------------------------------------------------


def serve(keep: float, made_of: Code) -> None:
    """Wait for clients, and return when none came for `keep` seconds.

    Returns at once if another worker is warm already or no private place can be had: being warm
    saves time, no more.

    Parameters
    ----------
    keep : float
        Seconds.
    made_of : dict
        What `code` was when this process started.
    """
    with contextlib.suppress(OSError, ValueError), _listening() as (listener, token, close):
        _keep_freed_memory()
        while keep > 0:
            listener.settimeout(keep)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            with connection:
                if not _unchanged(made_of):
                    return  # installed again meanwhile: the client starts one of today
                keep = _converse(connection, token, keep, close)


def _keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next client, where it is glibc."""
    import ctypes

    with contextlib.suppress(OSError, TypeError, AttributeError):  # no such library, or another
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, MAPPED_FROM)
        mallopt(_TRIM_THRESHOLD, KEPT_FREE)


@contextlib.contextmanager
def _listening() -> Iterator[tuple[socket.socket, str, Any]]:
    file = Path(address.file())
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not private(file.parent):
        raise OSError(f"{file.parent} is not private")
    if _answers(file):
        raise OSError(f"{file}: another worker is warm")
    path = file.with_suffix(".sock")
    token = secrets.token_urlsafe(32)

    def close() -> None:
        for left in (file, path):
            with contextlib.suppress(OSError):
                left.unlink()
        with contextlib.suppress(OSError):
            file.parent.rmdir()

    def end(number: int, frame: FrameType | None) -> None:
        close()
        os._exit(128 + number)

    with socket.socket(Address.FAMILY) as listener:
        before = os.umask(0o077)
        try:
            signal.signal(signal.SIGTERM, end)
            path.unlink(missing_ok=True)
            listener.bind(str(path) if _UNIX else ("127.0.0.1", 0))
            if _UNIX:
                path.chmod(0o600)
            listener.listen(4)
            place = str(path) if _UNIX else str(listener.getsockname()[1])
            temporary = file.with_suffix(f".{os.getpid()}")
            told = Address(place, token, os.getpid()).content
            temporary.write_text(told, encoding="utf-8", errors="surrogateescape")
            temporary.replace(file)
            yield listener, token, close
        finally:
            os.umask(before)
            close()


def _answers(file: Path) -> bool:
    try:
        Address.read(file).connect().close()
    except (OSError, ValueError):
        return False
    return True


def _converse(connection: socket.socket, token: str, keep: float, close: Any) -> float:
    """Serve one client and return how long to wait for the next."""
    connection.settimeout(PATIENCE)
    reader = connection.makefile("rb", buffering=0)
    try:
        hello = protocol.decode(reader.readline(LONGEST_HELLO))
    except (OSError, protocol.ProtocolError):
        return keep
    said = str(hello.get("token")).encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(said, token.encode()):
        return keep
    connection.settimeout(None)
    conversation = Conversation(reader, connection.makefile("wb", buffering=0), True, close)
    conversation.serve()
    if conversation.stopped:
        return 0.0
    return keep if conversation.keep is None else conversation.keep
