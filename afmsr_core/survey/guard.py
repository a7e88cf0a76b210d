"""What keeps a page of the survey to those who were invited: rates, origins, headers, names."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from afmsr_core.errors import UsageError

__all__ = ["HEADERS", "INVITATION", "TOKEN_BYTES", "Place", "Rate", "alias", "is_loopback"]

INVITATION = "/i/"
"""Where the links of invitations lead; the token follows."""

TOKEN_BYTES = 24
"""Of an invitation or session: 192 bits, drawn by the system."""

ALIAS_DIGITS = 32
"""Hexadecimal digits of an alias: 128 bits."""

DEFAULT_PORTS = {"http": 80, "https": 443}

KNOWN = 10_000
"""Callers that a rate remembers; the one seen longest ago is forgotten first."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",  # without one, forms would be sent with no origin
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
)
"""Of every answer, the same for all: nothing is kept by a browser or proxy, so nothing of an image
(ETag, date, age) tells whether it was seen before under another name."""


@dataclass(frozen=True)
class Place:
    """Where the page is to be found.

    Attributes
    ----------
    url : str
        Scheme, host and port, as in the invitations.
    hosts : frozenset of str
        Values of the header Host that are answered.
    """

    url: str
    hosts: frozenset[str]

    @classmethod
    def of(cls, host: str, port: int, url: str | None = None) -> Place:
        """Return the place of a server that listens at `host` and `port`.

        Examples
        --------
        >>> sorted(Place.of("10.0.0.7", 80).hosts)
        ['10.0.0.7', '10.0.0.7:80']

        Parameters
        ----------
        host, port
            What the server is bound to.
        url : str, optional
            What raters type, where that is another: a name, a proxy with HTTPS.

        Raises
        ------
        UsageError
            If `host` stands for every address and there is no `url`, or `url` is none.
        """
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in DEFAULT_PORTS or not parts.netloc or parts.path.strip("/"):
                raise UsageError(
                    f"--url {url}: give scheme, name and port, such as https://survey.example.org"
                )
            there = parts.netloc.lower()
            return cls(f"{parts.scheme}://{there}", _with_and_without_port(parts.scheme, there))
        if host in ("", "0.0.0.0", "::"):
            raise UsageError(
                f"--host {host or repr(host)}: stands for every address of this machine; give the "
                f"one that raters type, with --url http://NAME:{port}"
            )
        name = f"[{host}]" if ":" in host else host
        names = {name, "127.0.0.1", "localhost"} if is_loopback(host) else {name}
        hosts = [_with_and_without_port("http", f"{one.lower()}:{port}") for one in names]
        return cls(f"http://{name}:{port}", frozenset().union(*hosts))

    @property
    def origins(self) -> frozenset[str]:
        """Values of the header Origin from which answers are taken."""
        scheme = urlsplit(self.url).scheme
        return frozenset(f"{scheme}://{host}" for host in self.hosts)


class Rate:
    """How often each caller may do something: some at once, then so many a second.

    Parameters
    ----------
    burst : float
        At once.
    refill : float
        A second.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> seconds = iter([0.0, 0.0, 0.0, 1.0])
    >>> rate = Rate(2, 1, lambda: next(seconds))
    >>> [rate.allows("anna") for _ in range(4)]
    [True, True, False, True]
    """

    def __init__(
        self, burst: float, refill: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._refill, self._clock = burst, refill, clock
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, caller: str) -> bool:
        """Count one more, and return whether it is still within the rate."""
        with self._lock:
            now = self._clock()
            left, before = self._known.pop(caller, (self._burst, now))
            left = min(self._burst, left + (now - before) * self._refill)
            allowed = left >= 1
            self._known[caller] = (left - allowed, now)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
            return allowed


def alias(pepper: str, *what: str) -> str:
    """Return a name for something that nobody without `pepper` can trace to it."""
    message = "\0".join(what).encode()
    return hmac.new(pepper.encode(), message, hashlib.sha256).hexdigest()[:ALIAS_DIGITS]


def _with_and_without_port(scheme: str, host: str) -> frozenset[str]:
    """Return the forms of a host that browsers send: they leave a default port out."""
    port = f":{DEFAULT_PORTS[scheme]}"
    return frozenset({host, host.removesuffix(port), host if ":" in host else host + port})


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("192.168.1.7")
    (True, True, False)
    """
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
