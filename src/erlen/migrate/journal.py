"""Which statements of a migration are done, for databases that cannot take a change back.

MariaDB and MySQL end the transaction with each ``CREATE``, ``ALTER`` or ``DROP``. A migration that
fails or is killed after its second statement leaves two of them done, and running it again would
fail at the first. So the statements are counted and noted in a table while they run, and the
next run passes over those that are done.

A statement that changes rows is noted in its own transaction: both are there, or neither. One
that changes the schema is noted as begun before it and as done after it. If the process ends
between the two, the next run tries it once more, and takes "there is already such a column" and
the like for an answer.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from contextlib import contextmanager
from contextvars import ContextVar

from alembic.util import CommandError
from sqlalchemy import event

from .output import plural, say

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

TABLE = "erlen_migration_journal"

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    revision VARCHAR(100) NOT NULL,
    step INTEGER NOT NULL,
    state VARCHAR(10) NOT NULL,
    digest CHAR(64) NOT NULL,
    PRIMARY KEY (revision, step)
) ENGINE=InnoDB
"""

_SCHEMA = {"ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE"}
_ROWS = {"CALL", "DELETE", "INSERT", "LOAD", "REPLACE", "UPDATE"}

#: Errors of MariaDB and MySQL which say that a change of the schema has been made already: the
#: table exists (1050), is unknown (1051, 1146), column unknown (1054) or doubled (1060), index
#: doubled (1061) or unknown (1091), second primary key (1068), foreign key exists (1005, 1826).
_MADE_ALREADY = {1005, 1050, 1051, 1054, 1060, 1061, 1068, 1091, 1146, 1826}


_is_paused: ContextVar[bool] = ContextVar("erlen.migrate.paused", default=False)


@contextmanager
def paused() -> Iterator[None]:
    """Note nothing inside the ``with`` block, which keeps its own record."""
    token = _is_paused.set(True)
    try:
        yield
    finally:
        _is_paused.reset(token)


class Journal:
    """The record of one run of one migration.

    :param connection: the connection that the migration runs on.
    :param revision: the revision's identifier, with the direction.
    """

    def __init__(self, connection: Connection, revision: str) -> None:
        self.connection = connection
        self.revision = revision
        self.step = 0
        self._write(_CREATE)
        rows = self._read(
            f"SELECT step, state, digest FROM {TABLE} WHERE revision = %s", (revision,)
        )
        self.known = {step: (state, digest) for step, state, digest in rows}

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Note what is executed inside the ``with`` block, and pass over what is done."""
        done = sum(state == "done" for state, _ in self.known.values())
        if done:
            statements = plural(done, "statement")
            say(f"  An earlier run came through {statements} of it; going on from there.")
        engine = self.connection.engine
        listeners: list[tuple[str, t.Any]] = [
            ("do_execute", self._on_execute),
            ("do_executemany", self._on_executemany),
            ("do_execute_no_params", self._on_execute_no_params),
        ]
        for name, listener in listeners:
            event.listen(engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                event.remove(engine, name, listener)
        # In the transaction that enters the new revision: both happen, or neither.
        self._write(f"DELETE FROM {TABLE} WHERE revision = %s", (self.revision,))

    def _on_execute(
        self, cursor: t.Any, statement: str, parameters: t.Any, context: t.Any
    ) -> bool | None:
        return self._run(cursor, statement, context, lambda: cursor.execute(statement, parameters))

    def _on_executemany(
        self, cursor: t.Any, statement: str, parameters: t.Any, context: t.Any
    ) -> bool | None:
        run = cursor.executemany
        return self._run(cursor, statement, context, lambda: run(statement, parameters))

    def _on_execute_no_params(self, cursor: t.Any, statement: str, context: t.Any) -> bool | None:
        return self._run(cursor, statement, context, lambda: cursor.execute(statement))

    def _run(
        self, cursor: t.Any, statement: str, context: t.Any, execute: Callable[[], object]
    ) -> bool | None:
        """Execute a statement, unless it is done; true tells SQLAlchemy that we saw to it."""
        word = _first_word(statement)
        if context.root_connection is not self.connection or word not in _SCHEMA | _ROWS:
            return None
        if _is_paused.get():
            return None
        self.step += 1
        digest = hashlib.sha256(statement.encode()).hexdigest()
        state, known_digest = self.known.get(self.step, ("", digest))
        if state == "done":
            if digest != known_digest:
                raise CommandError(
                    f"Statement {self.step} of revision {self.revision} was another one when it"
                    " was executed by an earlier run, which came through"
                    f" {plural(len(self.known), 'statement')}. Change only what comes after them."
                )
            return True
        if word in _SCHEMA:
            self._change_schema(execute, digest, begun_before=state == "begun")
        else:
            execute()
            self._note("done", digest)
        return True

    def _change_schema(
        self, execute: Callable[[], object], digest: str, begun_before: bool
    ) -> None:
        # The statement that follows ends the transaction, and with it makes this last.
        self._note("begun", digest)
        try:
            execute()
        except Exception as error:
            code = error.args[0] if error.args else None
            if not (begun_before and code in _MADE_ALREADY):
                self._note("failed", digest)
                self._driver_connection.commit()
                raise
        self._note("done", digest)

    def _note(self, state: str, digest: str) -> None:
        self._write(
            f"REPLACE INTO {TABLE} (revision, step, state, digest) VALUES (%s, %s, %s, %s)",
            (self.revision, self.step, state, digest),
        )

    @property
    def _driver_connection(self) -> t.Any:
        return self.connection.connection.dbapi_connection

    # The driver's own cursors: what is noted must not be noted itself.

    def _write(self, statement: str, parameters: tuple[t.Any, ...] = ()) -> None:
        with _cursor(self._driver_connection) as cursor:
            cursor.execute(statement, parameters)

    def _read(self, statement: str, parameters: tuple[t.Any, ...]) -> list[t.Any]:
        with _cursor(self._driver_connection) as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())


@contextmanager
def _cursor(driver_connection: t.Any) -> Iterator[t.Any]:
    cursor = driver_connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _first_word(statement: str) -> str:
    text = re.sub(r"^(\s|--[^\n]*\n|/\*.*?\*/|\()+", "", statement, flags=re.DOTALL)
    match = re.match(r"[A-Za-z]+", text)
    return match[0].upper() if match else ""


def is_needed(connection: Connection) -> bool:
    """Return whether a database makes changes of the schema outside of transactions.

    :param connection: a connection to it.
    """
    return connection.dialect.name in ("mysql", "mariadb")


def read_unfinished(connection: Connection) -> dict[str, int]:
    """Return the migrations that an earlier run began and did not end.

    :param connection: a connection to the database.
    :returns: how many statements of each are done, by revision.
    """
    if not is_needed(connection) or not connection.dialect.has_table(connection, TABLE):
        return {}
    rows = connection.exec_driver_sql(f"SELECT revision, state FROM {TABLE}").all()
    done: dict[str, int] = {}
    for revision, state in rows:
        done[revision] = done.get(revision, 0) + (state == "done")
    return done


def remove_empty(connection: Connection) -> None:
    """Remove the journal's table, if nothing is left in it.

    :param connection: a connection to the database, of whoever holds the lock for migrations.
    """
    if not is_needed(connection) or not connection.dialect.has_table(connection, TABLE):
        return
    if connection.exec_driver_sql(f"SELECT 1 FROM {TABLE} LIMIT 1").first() is None:
        connection.exec_driver_sql(f"DROP TABLE {TABLE}")
