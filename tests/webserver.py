"""A real web server on this machine that misbehaves as it is told."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# A zip's first bytes make it look like torch's format; the rest is incompressible.
BODY = b"PK\x03\x04" + b"".join(hashlib.sha256(bytes([n])).digest() for n in range(250)) * 40
PART = 1 << 15  # bytes that are sent at once


@dataclass
class Server:
    """A local web server, and how it misbehaves."""

    url: str = ""
    body: bytes = BODY
    etag: str | None = '"one"'
    ranges: bool = True
    length: bool = True
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 200 or 206
    cut: int | None = None  # bytes after which the next answer breaks off
    slow: float = 0.0  # seconds before each answer
    pause: float = 0.0  # seconds after each part of an answer
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Run a server while the block lasts."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            time.sleep(state.slow)
            status = state.statuses.pop(0) if state.statuses else 200
            start = 0
            if status == 200 and wanted and state.ranges:
                status, start = 206, int(wanted.removeprefix("bytes=").removesuffix("-"))
            whole = len(state.body)
            content = state.body[start:] if status in (200, 206) else b"sorry"
            if status == 206 and start >= whole:
                status, content = 416, b""
            self.send_response(status)
            if state.length:
                self.send_header("Content-Length", str(len(content)))
            else:
                self.send_header("Connection", "close")
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            if state.etag:
                self.send_header("ETag", state.etag)
            self.end_headers()
            if state.cut is not None and status in (200, 206):
                content, state.cut = content[: state.cut], None
                self.close_connection = True
            for begin in range(0, len(content), PART):
                self.wfile.write(content[begin : begin + PART])
                time.sleep(state.pause)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Httpd(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that break off are meant to

    with Httpd(("127.0.0.1", 0), Handler) as httpd, _running(httpd) as address:
        state.url = f"{address}/files"
        yield state


@contextlib.contextmanager
def serving_folder(folder: Path) -> Iterator[str]:
    """Serve the files of a folder while the block lasts; gives the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd,
        _running(httpd) as address,
    ):
        yield address


@contextlib.contextmanager
def _running(httpd: http.server.ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
