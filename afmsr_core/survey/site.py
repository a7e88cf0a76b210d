"""The survey's pages as a Flask application; imported only where a page is served."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import Any, NoReturn

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from afmsr_core.errors import AfmsrError
from afmsr_core.io.files import contents
from afmsr_core.survey.guard import HEADERS, INVITATION, TOKEN_BYTES, Place, Rate, alias
from afmsr_core.survey.page import WORDS, Click, Desk
from afmsr_core.survey.store import savable
from afmsr_core.survey.study import HIGHEST, LOWEST, Study

__all__ = ["BODY_BYTES", "CALLS", "FAILURES", "Site"]

BODY_BYTES = 16 * 1024
COMMENT_LETTERS = 2000

CALLS = (200, 30)
"""Requests that one session may make at once, and then each second; a set takes some six."""

FAILURES = (20, 0.5)
"""The same for requests of one address without a valid invitation or session."""

COOKIE_AGE = 30 * 24 * 3600
METHODS = ("GET", "HEAD", "POST")
ANSWERS = ("/click", "/comment")

ROUTES = (
    (f"{INVITATION}<token>", "GET", "join"),
    ("/", "GET", "home"),
    ("/set/<int:number>", "GET", "show"),
    ("/image/<name>", "GET", "image"),
    ("/click", "POST", "click"),
    ("/comment", "POST", "comment"),
    ("/pause", "POST", "pause"),
    ("/paused", "GET", "paused"),
)
PUBLIC = ("static", "join", "paused")
"""Views that need no session."""


class Site:
    """The pages of one study.

    Parameters
    ----------
    study : Study
        What is shown; its database is made if it is not there.
    place : Place
        Where it is to be found: only requests to this place are answered.

    Attributes
    ----------
    app : Flask
        The application.
    """

    def __init__(self, study: Study, place: Place) -> None:
        at_rest = study.store
        at_rest.create()
        at_rest.keep_setting("pepper", secrets.token_hex(32))
        self.study, self.place = study, place
        self.pepper = at_rest.setting("pepper") or ""
        self.desk = Desk(study, self.pepper)
        self.store = self.desk.store
        self.cookie = f"afmsr_{study.id[:8]}"
        self.calls, self.failures = Rate(*CALLS), Rate(*FAILURES)
        self.app = app = Flask(__name__)
        app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        for rule, method, name in ROUTES:
            app.add_url_rule(
                rule, name, getattr(self, name), methods=[method], provide_automatic_options=False
            )
        app.before_request(self.check)
        app.after_request(self.armour)
        app.register_error_handler(Exception, self.explain)

    # --- before and after ------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what does not come from a page of ours in the hands of a rater."""
        if request.host.lower() not in self.place.hosts:  # DNS rebinding
            abort(400, "This name is not the survey's.")
        if request.method not in METHODS:
            abort(405, "There is no such method.")
        if request.method == "POST" and (
            request.headers.get("Origin") not in self.place.origins
            or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
        ):
            abort(403, "The request comes from another page.")
        if request.endpoint is None or request.endpoint in PUBLIC:
            return
        g.session = request.cookies.get(self.cookie, "")
        g.rater = self.store.rater_of("sessions", g.session) if g.session else None
        if g.rater is None:
            self.refuse(403, "Open the link of your invitation; then you are back where you were.")
        if not self.calls.allows(g.session):
            abort(429, "Too many requests; wait a second.")
        if request.method == "POST":
            given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
            if not compare_digest(given.encode(), self.csrf.encode()):
                abort(403, "The page is too old; load it again.")

    @property
    def csrf(self) -> str:
        """What the pages of this session send with each answer."""
        return alias(self.pepper, "csrf", g.session)

    def refuse(self, status: int, words: str) -> NoReturn:
        """Refuse somebody unknown: those who try again and again, after a while only."""
        if not self.failures.allows(request.remote_addr or ""):
            abort(429, "Too many attempts; wait a minute.")
        abort(status, words)

    def armour(self, response: Response) -> Response:
        """Give every answer the same headers, and none that tells an image from another."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        for name in ("ETag", "Last-Modified", "Accept-Ranges", "Expires"):
            response.headers.pop(name, None)
        if request.endpoint == "static":
            response.headers["Cache-Control"] = HEADERS["Cache-Control"]
        return response

    def explain(self, error: Exception) -> Response:
        """Answer with words for people; what went wrong inside goes to the log only."""
        status, words = 500, "Something is wrong with the server; tell whoever invited you."
        if isinstance(error, HTTPException):
            status, words = error.code or 500, error.description or ""
        elif isinstance(error, AfmsrError):  # a full disk, a locked database
            status, words = 503, "The server cannot save just now."
        if status >= 500:
            self.app.logger.error("%s %s: %s", request.method, request.endpoint, error)
        if request.path in ANSWERS:
            response = jsonify(saved=False, reason=words)
        else:
            response = self.app.make_response(render_template("message.html", words=words))
        response.status_code = status
        if status == 429:
            response.headers["Retry-After"] = "2"
        return response

    # --- pages -----------------------------------------------------------------------------

    def join(self, token: str) -> Response:
        """Turn an invitation into a session."""
        rater = self.store.rater_of("raters", token)
        if rater is None:
            self.refuse(404, "There is no such invitation; copy the whole link.")
        # Not a redirect by status: in one that begins in a mail, browsers hold SameSite=Strict
        # cookies back. This page leads on by itself, and takes the token out of the address.
        response = self.app.make_response(render_template("join.html"))
        response.headers["Referrer-Policy"] = "no-referrer"  # its address holds the token
        if request.method == "GET":  # no session for a mail program that looks at links
            session = secrets.token_urlsafe(TOKEN_BYTES)
            self.store.begin_session(rater, session)
            response.set_cookie(
                self.cookie,
                session,
                max_age=COOKIE_AGE,
                httponly=True,
                samesite="Strict",
                secure=self.place.url.startswith("https:"),
            )
        return response

    def home(self) -> str:
        """Say what to do, and how far the rater is."""
        return render_template(
            "home.html", study=self.study, words=WORDS, progress=self.desk.progress(g.rater),
            csrf=self.csrf, lowest=LOWEST, highest=HIGHEST,
        )  # fmt: skip

    def show(self, number: int) -> str:
        """Show a set."""
        view = self.desk.view(g.rater, number)
        if view is None:
            abort(404, "There is no such set.")
        return render_template(
            "set.html", study=self.study, view=view, words=WORDS, csrf=self.csrf,
            progress=self.desk.progress(g.rater), scores=range(LOWEST, HIGHEST + 1),
            letters=COMMENT_LETTERS,
        )  # fmt: skip

    def image(self, name: str) -> Response:
        """Send an image: the same bytes and headers each time, whatever the browser has."""
        found = self.desk.find(g.rater, name)
        if found is None:
            abort(404, "There is no such image.")
        response = self.app.make_response(contents(self.study.image(found[0])))
        response.content_type = "image/png"
        return response

    def pause(self) -> Any:
        """End the session."""
        self.store.end_session(g.session)
        response = redirect("/paused", 303)
        response.delete_cookie(self.cookie, httponly=True, samesite="Strict")
        return response

    def paused(self) -> str:
        """Say how to go on."""
        return render_template(
            "message.html",
            words="Everything is saved. Open the link of your invitation to go on, on this "
            "machine or another.",
        )

    # --- answers ---------------------------------------------------------------------------

    def click(self) -> Response:
        """Keep a score; the answer is sent when it is on the disk."""
        given = Click.of(_json(), self.study.questions)
        if given is None:
            abort(400, "This is no answer.")
        if not self.desk.click(g.rater, given):
            abort(404, "There is no such result.")
        progress = self.desk.progress(g.rater)
        return jsonify(saved=True, done=progress.done, all=progress.all)

    def comment(self) -> Response:
        """Keep a comment."""
        given = _json()
        number, text, plan = given.get("number"), given.get("text"), self.desk.plan(g.rater)
        if not isinstance(text, str) or len(text) > COMMENT_LETTERS or "\0" in text:
            abort(400, f"A comment has {COMMENT_LETTERS} letters at the most.")
        if not savable(text):
            abort(
                400,
                "The comment holds half of a character (a lone surrogate), which cannot be kept. "
                "Delete that sign and type it again; the rest of the comment is still here.",
            )
        if type(number) is not int or not 1 <= number <= len(plan):
            abort(404, "There is no such set.")
        self.store.comment(g.rater, plan[number - 1].set, text.strip())
        return jsonify(saved=True)


def _json() -> dict[str, Any]:
    if request.mimetype != "application/json":
        abort(415, "This is no answer.")
    try:
        given = request.get_json()
    except RecursionError:  # thousands of brackets
        given = None
    if not isinstance(given, dict):
        abort(400, "This is no answer.")
    return given
