"""The database of a study: raters, their orders, every click. SQLite in WAL mode.

Clicks are only ever added; of those on the same question about the same item, the last one holds.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from afmsr_core.errors import CorruptFileError, OutputError, UnsupportedContentError

__all__ = ["LastingStore", "Plan", "Score", "Store", "now", "savable"]

WAIT = 20.0
"""Seconds that a writer waits for its turn; a commit takes milliseconds."""

SESSIONS = 50
"""Of one rater at once: machines and browsers, and links opened again."""

_TABLES = """
CREATE TABLE IF NOT EXISTS raters (
  rater TEXT PRIMARY KEY, token TEXT UNIQUE, added TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS plan (
  rater TEXT NOT NULL REFERENCES raters, place INTEGER NOT NULL, "set" TEXT NOT NULL,
  items TEXT NOT NULL, PRIMARY KEY (rater, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clicks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  rater TEXT NOT NULL REFERENCES raters, "set" TEXT NOT NULL, item TEXT NOT NULL,
  question TEXT NOT NULL, score INTEGER NOT NULL CHECK (score BETWEEN 1 AND 6),
  seconds REAL NOT NULL, at TEXT NOT NULL, source TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS clicks_of ON clicks (rater, "set", item, question, seq);
CREATE TABLE IF NOT EXISTS comments (
  rater TEXT NOT NULL REFERENCES raters, "set" TEXT NOT NULL, text TEXT NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (rater, "set")) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
  session TEXT PRIMARY KEY, rater TEXT NOT NULL REFERENCES raters, begun TEXT NOT NULL
  ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_HOLDING = """
SELECT c.rater, c."set", c.item, c.question, c.score, c.seconds, c.at, m.text
FROM clicks c LEFT JOIN comments m ON m.rater = c.rater AND m."set" = c."set"
WHERE c.seq = (SELECT max(seq) FROM clicks d WHERE d.rater = c.rater AND d."set" = c."set"
               AND d.item = c.item AND d.question = c.question) {where}
ORDER BY c.rater, c."set", c.item, c.question
"""


@dataclass(frozen=True)
class Score:
    """One answer of a rater.

    Attributes
    ----------
    rater, set, item, question : str
        Who, where, about what, and which question.
    score : int
        1 (worst) to 6 (best).
    seconds : float
        How long the set had been in view before the click; NaN if not known, as on paper.
    at : str
        When, in UTC, ISO 8601.
    comment : str, optional
        What the rater wrote about the set.
    """

    rater: str
    set: str
    item: str
    question: str
    score: int
    seconds: float
    at: str
    comment: str | None = None


@dataclass(frozen=True)
class Plan:
    """A set as one rater sees it: its items in that rater's order."""

    set: str
    items: tuple[str, ...]


def now() -> str:
    """Return date and time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def savable(text: str) -> bool:
    """Return whether a text can be kept: half of a character (a lone surrogate) is no UTF-8.

    Examples
    --------
    >>> savable("µm"), savable(chr(0xD83D))
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(secret: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Store:
    """The database in `path`; every method opens it, does one thing, and closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # --- reading ---------------------------------------------------------------------------

    def raters(self) -> list[str]:
        """Return all raters, in the order in which they were added."""
        return [row[0] for row in self._select("SELECT rater FROM raters ORDER BY rowid")]

    def plan(self, rater: str) -> list[Plan]:
        """Return the sets of a rater with their items, both in the order that this rater sees.

        Set 1, item A on a printed sheet is the first item of the first set. Empty if there is no
        such rater.
        """
        rows = self._select(
            'SELECT "set", items FROM plan WHERE rater = ? ORDER BY place', (rater,)
        )
        return [Plan(one, tuple(json.loads(items))) for one, items in rows]

    def scores(self, of: str | None = None) -> list[Score]:
        """Return the scores that hold, of all raters or of one: of changed ones the last.

        Ordered by rater, set, item and question. A comment belongs to a set, so it stands with
        each score of that rater in it.
        """
        where, values = ("AND c.rater = ?", (of,)) if of is not None else ("", ())
        rows = self._select(_HOLDING.format(where=where), values)
        return [
            Score(rater, one, item, question, score, math.nan if sec < 0 else sec, at, text)
            for rater, one, item, question, score, sec, at, text in rows
        ]

    def counts(self, rater: str) -> dict[str, int]:
        """Return how many answers of a rater hold, by set; quicker than `scores`."""
        rows = self._select(
            'SELECT "set", count(*) FROM (SELECT DISTINCT "set", item, question FROM clicks '
            'WHERE rater = ?) GROUP BY "set"',
            (rater,),
        )
        return dict(rows)

    def comments(self, rater: str | None = None) -> dict[tuple[str, str], str]:
        """Return comments by rater and set, of sets without a score too."""
        rows = self._select('SELECT rater, "set", text FROM comments ORDER BY rater, "set"')
        return {(who, one): text for who, one, text in rows if rater in (None, who)}

    def rater_of(self, table: str, secret: str) -> str | None:
        """Return whose token or session a secret is."""
        column = {"raters": "token", "sessions": "session"}[table]
        rows = self._select(f"SELECT rater FROM {table} WHERE {column} = ?", (digest(secret),))
        return rows[0][0] if rows else None

    def tokens(self) -> set[str]:
        """Return the raters who have an invitation."""
        return {row[0] for row in self._select("SELECT rater FROM raters WHERE token NOT NULL")}

    def setting(self, name: str) -> str | None:
        """Return a setting of the server."""
        rows = self._select("SELECT value FROM settings WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    # --- writing ---------------------------------------------------------------------------

    def add_rater(self, rater: str, plan: Sequence[Plan]) -> None:
        """Add a rater with the order of the sets and items; nothing if there already."""
        with self._writing() as connection:
            found = connection.execute(
                "INSERT INTO raters VALUES (?, NULL, ?) ON CONFLICT DO NOTHING", (rater, now())
            )
            if found.rowcount:
                connection.executemany(
                    "INSERT INTO plan VALUES (?, ?, ?, ?)",
                    [
                        (rater, place, one.set, json.dumps(one.items))
                        for place, one in enumerate(plan)
                    ],
                )

    def invite(self, rater: str, token: str) -> None:
        """Give a rater a new token; links and sessions from before no longer work."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE raters SET token = ? WHERE rater = ?", (digest(token), rater)
            )
            connection.execute("DELETE FROM sessions WHERE rater = ?", (rater,))

    def begin_session(self, rater: str, session: str) -> None:
        """Keep a session; of many of one rater, the latest `SESSIONS`."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)", (digest(session), rater, now())
            )
            connection.execute(
                "DELETE FROM sessions WHERE rater = ?1 AND session NOT IN (SELECT session "
                "FROM sessions WHERE rater = ?1 ORDER BY begun DESC LIMIT ?2)",
                (rater, SESSIONS),
            )

    def end_session(self, session: str) -> None:
        """Forget a session."""
        with self._writing() as connection:
            connection.execute("DELETE FROM sessions WHERE session = ?", (digest(session),))

    def keep_setting(self, name: str, value: str) -> None:
        """Keep a setting of the server, unless it has one."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value)
            )

    def click(self, id: str, score: Score, source: str = "page") -> bool:
        """Keep a click; it is on the disk when this returns.

        A click that is there already, by its `id`, is not kept twice.

        Returns
        -------
        bool
            Whether it was new.
        """
        with self._writing() as connection:
            return _click(connection, id, score, source)

    def comment(self, rater: str, set_: str, text: str) -> None:
        """Keep the comment of a rater on a set; an empty one takes it back."""
        with self._writing() as connection:
            _comment(connection, rater, set_, text)

    def add_scores(self, scores: Sequence[Score], force: bool = False) -> int:
        """Add scores from elsewhere, all or none; see `Study.add_scores`."""
        with self._writing() as connection:
            changed = 0
            held = {
                (row[0], row[1], row[2], row[3]): row[4]
                for row in connection.execute(_HOLDING.format(where=""))
            }
            for one in scores:
                connection.execute(
                    "INSERT INTO raters VALUES (?, NULL, ?) ON CONFLICT DO NOTHING",
                    (one.rater, now()),
                )
                place = (one.rater, one.set, one.item, one.question)
                if one.comment:
                    _comment(connection, one.rater, one.set, one.comment)
                before = held.get(place)
                if before == one.score:
                    continue
                if before is not None and not force:
                    raise UnsupportedContentError(
                        f"rater {one.rater}, item {one.item}, {one.question}: the score is "
                        f"{one.score}, but the study holds {before}; use --force to replace it"
                    )
                count = connection.execute("SELECT count(*) FROM clicks").fetchone()[0]
                _click(connection, f"import-{count}-{digest(repr(one))[:16]}", one, "import")
                held[place] = one.score
                changed += 1
            return changed

    # --- connections -----------------------------------------------------------------------

    def create(self) -> None:
        """Make the tables if they are not there, and switch to WAL mode.

        The file is closed to all but its owner, also one that was open: scores have names to
        them. What SQLite puts beside it has its mode.
        """
        _close_to_others(self.path)
        with self._connected(f"file:{_quoted(self.path)}?mode=rwc") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)

    def checkpoint(self) -> None:
        """Bring everything into the one file, so that it can be copied alone."""
        with self._connected(f"file:{_quoted(self.path)}?mode=rw") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _select(self, query: str, values: Sequence[object] = ()) -> list[tuple]:
        if not self.path.is_file():
            return []
        address = f"file:{_quoted(self.path)}?mode=ro"
        if not os.access(self.path.parent, os.W_OK) and not _unmerged(self.path):
            address += "&immutable=1"  # SQLite cannot make the files beside it that it wants
        with self._connected(address) as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one transaction: committed to the disk at the end, or nothing."""
        if not self.path.is_file():
            self.create()
        with self._connected(f"file:{_quoted(self.path)}?mode=rw") as connection:
            # In WAL mode only FULL waits for the disk at each commit.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _connected(self, address: str) -> Iterator[sqlite3.Connection]:
        with self._named(), closing(_connect(address)) as connection:
            yield connection

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn errors of SQLite into ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            kind = OutputError if isinstance(error, sqlite3.OperationalError) else CorruptFileError
            raise kind(
                f"{self.path}: the database refuses ({error}); check that the folder is complete, "
                f"on a local disk, and may be written"
            ) from error
        except UnicodeEncodeError as error:
            raise UnsupportedContentError(
                f"{self.path}: {str(error.object)[:40]!r} cannot be kept, for it holds half of a "
                f"character (a lone surrogate); type it again"
            ) from error


class LastingStore(Store):
    """The same for a server: each thread keeps its connection, and writers queue up.

    Opening the database for each request, and tidying it up after each, costs more than the
    request. SQLite lets writers wait in steps of up to 100 ms; a lock wakes them at once.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._own, self._turn = threading.local(), threading.Lock()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn, super()._writing() as connection:
            yield connection

    @contextmanager
    def _connected(self, address: str) -> Iterator[sqlite3.Connection]:
        with self._named():
            if not hasattr(self._own, "connection"):
                self._own.connection = _connect(f"file:{_quoted(self.path)}?mode=rwc")
            yield self._own.connection


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, timeout=WAIT, isolation_level=None)


def _close_to_others(path: Path) -> None:
    """Make a database that only its owner can read, or make one such; not where it is another's."""
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for one in (path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm", "journal"))):
        with suppress(OSError):
            if one.stat().st_mode & 0o077:
                one.chmod(0o600)


def _unmerged(path: Path) -> bool:
    """Return whether there are scores beside the database that are not in it yet."""
    beside = path.with_name(f"{path.name}-wal")
    return beside.is_file() and beside.stat().st_size > 0


def _click(connection: sqlite3.Connection, id: str, score: Score, source: str) -> bool:
    seconds = score.seconds if score.seconds == score.seconds else -1.0  # SQLite has no NaN
    found = connection.execute(
        'INSERT INTO clicks (id, rater, "set", item, question, score, seconds, at, source) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            *(id, score.rater, score.set, score.item, score.question, score.score, seconds),
            *(score.at, source),
        ),
    )
    return bool(found.rowcount)


def _comment(connection: sqlite3.Connection, rater: str, set_: str, text: str) -> None:
    connection.execute(
        'INSERT INTO comments VALUES (?, ?, ?, ?) ON CONFLICT (rater, "set") '
        "DO UPDATE SET text = excluded.text, at = excluded.at",
        (rater, set_, text, now()),
    )
    connection.execute("DELETE FROM comments WHERE text = ''")


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(os.fsencode(path.resolve()))
