"""Connections to the survey's page: nobody who only opens them keeps others out.

waitress closes a connection on which nothing happened for a while, and takes no more of them than
its limit. So whoever opens that many and sends half a request on each shuts all others out for
that while, or for ever with a byte now and then.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["MOST", "Server"]

MOST = 400
"""Connections at once: a rater's browser has up to six. `select` takes 1023 files."""

SPARE = 100
"""Files that the process may have open besides them: libraries, the database in each thread."""

HALF = 10.0
"""Seconds that a request may take to arrive; the largest has some kilobytes."""

QUIET = 60
"""Seconds until a connection without requests is closed."""

LOOK = 1
"""Seconds between two looks at who is late."""


class Connection(HTTPChannel):
    """A connection that knows since when somebody waits for the rest of a request."""

    half_since: float | None = None

    def received(self, data: bytes) -> bool:
        """Take what came, which may be a part of a request."""
        taken: bool = super().received(data)
        if self.request is None:
            self.half_since = None
        elif self.half_since is None:
            self.half_since = time.time()
        return taken

    @property
    def free_since(self) -> float | None:
        """Since when nothing is done here for a client; None while something is."""
        if self.requests or self.will_close:
            return None
        return self.last_activity if self.half_since is None else self.half_since


class Server(TcpWSGIServer):
    """waitress on a socket that listens; the longest-waiting connection makes room for a new one.

    Parameters
    ----------
    app : Flask
        What is served.
    listening : socket
        Where.
    settings
        As for ``waitress.serve``.
    """

    channel_class = Connection

    def __init__(self, app: Flask, listening: socket.socket, **settings: Any) -> None:
        adjustments = Adjustments(
            sockets=[listening],
            channel_timeout=QUIET,
            cleanup_interval=LOOK,
            connection_limit=2 * MOST,  # is never reached
            log_socket_errors=False,  # of clients that are gone
            **settings,
        )
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        self.most = min(MOST, _files() - SPARE)
        super().__init__(app, _sock=listening, adj=adjustments, sockinfo=address, bind_socket=False)

    def handle_accept(self) -> None:
        """Take a new connection, and close the one that has waited longest if there are many."""
        super().handle_accept()
        open_ones = [one for one in self.active_channels.values() if not one.will_close]
        if len(open_ones) > self.most:
            free = [one for one in open_ones if one.free_since is not None]
            if free:
                min(free, key=lambda one: one.free_since).will_close = True

    def maintenance(self, now: float) -> None:
        """Close what is quiet, and what does not send the rest of a request."""
        super().maintenance(now)
        for one in self.active_channels.values():
            if not one.requests and one.half_since is not None and one.half_since < now - HALF:
                one.will_close = True


def _files() -> int:
    """Return how many files the process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return MOST + SPARE
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
