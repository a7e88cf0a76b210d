"""A worker that stays in memory for a while, and the way to it.

Who starts a worker always starts a process and speaks to its stdin and stdout. If a warm worker
is there, that process only passes the messages on, so that clients know nothing of sockets.

The warm worker listens on a Unix socket in a folder that only its user may enter; on Windows,
which has no such folder, on a port of the loopback interface. In either case a client must know
the token in the address file beside it. Different installations, versions, states of the code
and settings in the environment have different addresses.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import afmsr_core
from gwyddion_plugin import places, protocol
from gwyddion_plugin.session import Session

__all__ = ["relay", "serve", "stop_all"]

PATIENCE = 0.5  # seconds for a warm worker to answer; one that is busy does not
_HELLO = 4096  # bytes; the longest first line
_UNIX = sys.platform != "win32"
_FAMILY = getattr(socket, "AF_UNIX", socket.AF_INET) if _UNIX else socket.AF_INET
# What influences where weights are and what is used.
_VARIABLES = ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE")


def _fingerprint() -> str:
    """Return a name for this installation in this state and environment."""
    digest = hashlib.sha256(repr((sys.executable, sys.path, afmsr_core.__version__)).encode())
    for name, value in sorted(os.environ.items()):
        if name.startswith("AFMSR_") or name in _VARIABLES:
            digest.update(f"{name}={value}\n".encode("utf-8", "surrogateescape"))
    for file in (afmsr_core.__file__, __file__):
        for folder, _, names in sorted(os.walk(Path(file).parent)):
            for name in sorted(names):
                if not name.endswith(".pyc"):
                    found = Path(folder, name).stat()
                    digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _address_file() -> Path:
    return places.runtime_dir() / f"{_fingerprint()}.json"


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
    found = _connect(_address_file())
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
    with connection, contextlib.suppress(OSError):
        writer.write(ready)
        while chunk := connection.recv(65536):
            writer.write(chunk)
    return True


def _connect(file: Path) -> tuple[socket.socket, bytes] | None:
    """Return a connection on which a worker of our version said that it is ready, and that."""
    try:
        address = _read_address(file)
        connection = _open(address)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        hello = {"type": "hello", "protocol": protocol.VERSION, "token": address["token"]}
        connection.sendall(protocol.encode(hello))
        ready = b""
        while not ready.endswith(b"\n") and (chunk := connection.recv(_HELLO)):
            ready += chunk
        if protocol.decode(ready).get("protocol") == protocol.VERSION:
            connection.settimeout(None)
            return connection, ready
    except (OSError, protocol.ProtocolError):
        pass
    connection.close()
    return None


def _read_address(file: Path) -> dict[str, Any]:
    if not places.private(file.parent):
        raise OSError(f"{file.parent} is not private")
    address = json.loads(file.read_bytes())
    if not isinstance(address, dict):
        raise ValueError(f"{file}: not an address")
    return address


def _open(address: dict[str, Any]) -> socket.socket:
    connection = socket.socket(_FAMILY)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(address["unix"] if _UNIX else ("127.0.0.1", int(address["port"])))
    except BaseException:
        connection.close()
        raise
    return connection


def stop_all() -> int:
    """Ask every warm worker of this user to end, and return how many there were."""
    stopped = 0
    for file in places.runtime_dir().glob("*.json"):
        found = _connect(file)
        if found:
            stopped += 1
            with found[0] as connection, contextlib.suppress(OSError):
                connection.sendall(protocol.encode({"type": "stop"}))
                connection.settimeout(2 * PATIENCE)
                while connection.recv(_HELLO):
                    pass
    return stopped


# --- the worker's side -------------------------------------------------------------------------


def serve(keep: float) -> None:
    """Wait for clients, and return when none came for `keep` seconds.

    Returns at once if another worker is warm already or no private place can be had: being warm
    saves time, no more.
    """
    with contextlib.suppress(OSError, ValueError), _listening() as (listener, token, close):
        while keep > 0:
            listener.settimeout(keep)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            with connection:
                keep = _converse(connection, token, keep, close)


@contextlib.contextmanager
def _listening() -> Iterator[tuple[socket.socket, str, Any]]:
    file = _address_file()
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not places.private(file.parent):
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

    with socket.socket(_FAMILY) as listener:
        before = os.umask(0o077)
        try:
            signal.signal(signal.SIGTERM, end)
            path.unlink(missing_ok=True)
            listener.bind(str(path) if _UNIX else ("127.0.0.1", 0))
            if _UNIX:
                path.chmod(0o600)
            listener.listen(4)
            where = {"unix": str(path)} if _UNIX else {"port": listener.getsockname()[1]}
            temporary = file.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(where | {"token": token, "pid": os.getpid()}))
            temporary.replace(file)
            yield listener, token, close
        finally:
            os.umask(before)
            close()


def _answers(file: Path) -> bool:
    try:
        _open(_read_address(file)).close()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _converse(connection: socket.socket, token: str, keep: float, close: Any) -> float:
    """Serve one client and return how long to wait for the next."""
    connection.settimeout(PATIENCE)
    reader = connection.makefile("rb", buffering=0)
    try:
        hello = protocol.decode(reader.readline(_HELLO))
    except (OSError, protocol.ProtocolError):
        return keep
    if not hmac.compare_digest(str(hello.get("token")).encode(), token.encode()):
        return keep
    connection.settimeout(None)
    session = Session(reader, connection.makefile("wb", buffering=0), True, close)
    session.serve()
    if session.stopped:
        return 0.0
    return keep if session.keep is None else session.keep
