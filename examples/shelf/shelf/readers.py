"""The people who borrow books. They are known by name; passwords come with the login battery."""

import sqlite3
from dataclasses import dataclass

from .db import fold


@dataclass(frozen=True)
class Reader:
    """Somebody who borrows books."""

    id: int
    name: str


def find_reader(db: sqlite3.Connection, reader_id: int) -> Reader | None:
    """Return the reader with this id, or None."""
    row = db.execute("SELECT id, name FROM readers WHERE id = ?", (reader_id,)).fetchone()
    return Reader(**dict(row)) if row else None


def find_named(db: sqlite3.Connection, name: str) -> Reader | None:
    """Return the reader of this name, in whatever case it is written, or None."""
    row = db.execute("SELECT id, name FROM readers WHERE name_key = ?", (fold(name),)).fetchone()
    return Reader(**dict(row)) if row else None


def welcome(db: sqlite3.Connection, name: str) -> Reader:
    """Return the reader of this name; who is new becomes one."""
    db.execute(
        "INSERT INTO readers (name, name_key) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (name, fold(name)),
    )
    reader = find_named(db, name)
    assert reader is not None  # readers are never removed
    return reader
