"""A store in the application's database."""

from __future__ import annotations

import json
import os
import typing as t
from functools import partial

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from erlen.exceptions import ConfigError

from .record import StoredSession, digest_of
from .store import SessionStore, StoreUnavailable
from .waiting import in_time

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

T = t.TypeVar("T")

#: How many sessions are deleted in one statement.
_BATCH = 500

TABLE_NAME = "erlen_sessions"


def session_table(metadata: sa.MetaData, name: str = TABLE_NAME) -> sa.Table:
    """Return the table that sessions are kept in, adding it to a metadata object once.

    The store does this by itself; say it beside your models where something must know of the table
    before the application is used, as Flask-Migrate does.

    .. code-block:: python

        db = SQLAlchemy(model_class=Model)
        session_table(db.metadata)

    :param metadata: the metadata, such as ``db.metadata``.
    :param name: the table's name.
    """
    if name in metadata.tables:
        return metadata.tables[name]
    text = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
    seconds: sa.Double[float] = sa.Double()
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        # A digest of it: databases compare text in many ways.
        sa.Column("owner", sa.String(64), index=True),
        sa.Column("created", seconds, nullable=False),
        sa.Column("last_seen", seconds, nullable=False),
        sa.Column("expires", seconds, nullable=False, index=True),
        # JSON in ASCII, so that no character set is too small for it.
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("payload", text, nullable=False),
    )


class DatabaseStore(SessionStore):
    """Keeps sessions in a table, on connections of its own.

    Nothing that is stored here takes part in the application's transactions.

    :param engine: the engine of the database. Its settings are used, its connections are not.
    :param table: what :func:`session_table` returned.
    """

    blocks = False

    def __init__(self, engine: Engine, table: sa.Table) -> None:
        if isinstance(engine.pool, StaticPool):
            raise ConfigError(
                "Sessions cannot be kept in a SQLite database in memory: all of it is one"
                " connection, and saving a session would end the application's transaction. Use"
                ' a file, or set SESSION_BACKEND to "memory".'
            )
        # A pool of its own: a request that holds one connection never waits for a second one of
        # the same pool, which others like it may hold.
        own = sa.create_engine(engine.url, pool=engine.pool.recreate())
        self.engine = own.execution_options(isolation_level="AUTOCOMMIT")
        self.table = table
        self._pid = os.getpid()
        # Who closes the application's connections means these, too.
        event.listen(engine, "engine_disposed", self._dispose)
        id_, owner, expires = table.c.id, table.c.owner, table.c.expires
        self._by_id = sa.select(table).where(id_ == sa.bindparam("key"))
        self._by_owner = sa.select(table).where(owner == sa.bindparam("digest"))
        self._insert = sa.insert(table)
        self._update = sa.update(table).where(
            id_ == sa.bindparam("key"), table.c.version == sa.bindparam("expected")
        )
        self._remove = sa.delete(table).where(id_ == sa.bindparam("key"))
        self._ended = sa.select(id_).where(expires <= sa.bindparam("now"))

    def load(self, key: str) -> StoredSession | None:
        """Return the session with a key, or ``None``."""

        def read(connection: Connection) -> StoredSession | None:
            row = connection.execute(self._by_id, {"key": key}).one_or_none()
            return None if row is None else _from_row(row)

        return self._call(read, again=True)

    def save(self, session: StoredSession, expected: int | None) -> bool:
        """Store a session, unless another version is there."""
        return self._call(partial(self._save, session, expected))

    def delete(self, key: str) -> bool:
        """Delete the session with a key."""
        return self._call(lambda to: to.execute(self._remove, {"key": key}).rowcount > 0)

    def of_owner(self, owner: str) -> list[StoredSession]:
        """Return the sessions of an owner."""

        def read(connection: Connection) -> list[StoredSession]:
            rows = connection.execute(self._by_owner, {"digest": digest_of(owner)})
            return [_from_row(row) for row in rows]

        return self._call(read, again=True)

    def prune(self, now: float, limit: int | None) -> int:
        """Delete sessions that have ended, as many as the limit allows."""
        total = 0
        while limit is None or total < limit:
            batch = _BATCH if limit is None else min(_BATCH, limit - total)
            deleted = self._call(partial(self._remove_ended, now, batch))
            total += deleted
            if deleted < batch:
                break
        return total

    def _remove_ended(self, now: float, limit: int, of: Connection) -> int:
        table = self.table
        keys = of.scalars(self._ended.limit(limit), {"now": now}).all()
        if not keys:
            return 0
        ended = sa.delete(table).where(table.c.id.in_(keys), table.c.expires <= now)
        return of.execute(ended).rowcount

    def _save(self, session: StoredSession, expected: int | None, to: Connection) -> bool:
        values = _to_row(session)
        if expected is None:
            to.execute(self._insert, values)
            return True
        del values["id"]
        keys = {"key": session.key, "expected": expected}
        return to.execute(self._update, values | keys).rowcount > 0

    def _call(self, function: Callable[[Connection], T], again: bool = False) -> T:
        """Call a function with a connection, in time.

        :param function: the function.
        :param again: call it once more where the connection turns out to be dead, as after a
            restart of the database. What writes is not repeated: it may have been done.
        """

        def call() -> T:
            with self._find_engine().connect() as connection:
                return function(connection)

        try:
            return in_time(call)
        except SQLAlchemyError as error:
            if again and getattr(error, "connection_invalidated", False):
                return self._call(function)
            raise StoreUnavailable(self._explain(error)) from error

    def _find_engine(self) -> Engine:
        if os.getpid() != self._pid:
            self._dispose()
        return self.engine

    def _dispose(self, engine: Engine | None = None) -> None:
        """Close the connections that are not in use.

        A child process must not speak on those of its parent, nor close them.
        """
        self.engine.dispose(close=os.getpid() == self._pid)
        self._pid = os.getpid()

    def _explain(self, error: SQLAlchemyError) -> str:
        text = str(getattr(error, "orig", None) or error)
        if isinstance(error, (OperationalError, ProgrammingError)):
            name = self.table.name
            if name in text and any(words in text for words in _MISSING_TABLE):
                return (
                    f"the table {name} is missing. Make a migration (erlen db migrate, erlen db"
                    f" upgrade) or call db.create_all(). The database says: {text}"
                )
        return text


# What SQLite, PostgreSQL and MariaDB say.
_MISSING_TABLE = ("no such table", "does not exist", "doesn't exist")


def _to_row(session: StoredSession) -> dict[str, t.Any]:
    client = {
        "owner": session.owner,
        "address": session.address,
        "user_agent": session.user_agent,
    }
    return {
        "id": session.key,
        "version": session.version,
        "owner": None if session.owner is None else digest_of(session.owner),
        "created": session.created,
        "last_seen": session.last_seen,
        "expires": session.expires,
        "client": json.dumps(client),
        "payload": session.payload,
    }


def _from_row(row: t.Any) -> StoredSession:
    client = json.loads(row.client)
    return StoredSession(
        row.id,
        row.payload,
        row.version,
        client["owner"],
        row.created,
        row.last_seen,
        row.expires,
        client["address"],
        client["user_agent"],
    )
