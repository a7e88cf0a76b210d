"""Serves the pages of a survey with waitress, and invites to them."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from afmsr_core.errors import MissingExtraError, OutputError, pip_install
from afmsr_core.survey.guard import INVITATION, TOKEN_BYTES, Place
from afmsr_core.survey.study import Study

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["application", "invite", "listen", "serve"]

THREADS = 8
"""Of waitress. Most of the time they wait for the disk, or for their turn to write."""

BACKLOG = 1024
HEADER_BYTES = 16 * 1024


def invite(study: Study, raters: Iterable[str], place: Place) -> dict[str, str]:
    """Give raters new invitations and return the links; those from before no longer work."""
    store = study.store
    links = {}
    for rater in raters:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        store.invite(rater, token)
        links[rater] = f"{place.url}{INVITATION}{token}"
    return links


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    OutputError
        If the system refuses: the port is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"--host {host} --port {port}: cannot listen there ({error}); choose another port"
        ) from error


def application(study: Study, place: Place) -> Flask:
    """Return the pages of a study, to be served.

    Raises
    ------
    MissingExtraError
        If Flask or waitress is not installed.
    """
    try:
        import waitress  # noqa: F401

        from afmsr_core.survey.site import Site
    except ImportError as error:
        raise MissingExtraError(
            f"the survey's page needs {error.name}, which cannot be imported ({error}): "
            f"{pip_install('survey')}"
        ) from error
    return Site(study, place).app


def serve(app: Flask, study: Study, listening: socket.socket) -> None:
    """Serve the pages of a study until interrupted; then bring all scores into the one file."""
    from afmsr_core.survey.connections import Server
    from afmsr_core.survey.log import log_seldom

    log_seldom(app)
    server = Server(
        app,
        listening,
        threads=THREADS,
        ident=None,
        max_request_body_size=4 * app.config["MAX_CONTENT_LENGTH"],
        max_request_header_size=HEADER_BYTES,
        clear_untrusted_proxy_headers=True,
    )
    try:
        server.run()
    finally:
        server.close()
        study.store.checkpoint()
