"""The SQLite database: one connection for each request, opened when first asked for."""

import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from erlen import Erlen, current_app, g

from .exceptions import NotReady

SCHEMA_VERSION = 1
LARGEST_ID = 2**63 - 1  # what an INTEGER of SQLite holds


def get_db() -> sqlite3.Connection:
    """Return this request's connection, to a database that is set up."""
    if "db" not in g:
        g.db = connect(current_app.config["DATABASE"])
    db: sqlite3.Connection = g.db
    if schema_version(db) != SCHEMA_VERSION:
        raise NotReady("The database is not set up yet. Run the commands init-db and seed.")
    return db


def connect(path: str) -> sqlite3.Connection:
    """Open the database at ``path``: each statement is its own transaction unless one is begun."""
    # A connection belongs to one request, but a server may finish a request's stream in
    # another thread than the one that began it.
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db


def schema_version(db: sqlite3.Connection) -> int:
    """Return the version of the tables in ``db``; 0 if it has none."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make the statements of a ``with`` block one change, which happens whole or not at all."""
    # IMMEDIATE takes the lock for writing now: what the block reads stays true until it writes.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def create_tables(path: str) -> None:
    """Make the database file at ``path`` and the tables in it; what is there stays."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")  # readers and a writer at the same time
        with current_app.open_resource("schema.sql", "r") as schema:
            statements = schema.read()
        db.executescript(
            f"BEGIN IMMEDIATE; {statements} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    finally:
        db.close()


def fold(text: str) -> str:
    """Return ``text`` without case and accents, to compare and to search: Émile as emile."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def close_db(_error: BaseException | None) -> None:
    """Close the connection, if the request opened one."""
    db = g.pop("db", None)
    if db is not None:
        db.close()


def init_app(app: Erlen) -> None:
    """Let ``app`` close its connections."""
    app.teardown_appcontext(close_db)
