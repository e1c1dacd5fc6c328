"""Connections as migrations need them: whole transactions on SQLite, a limit on waiting for locks.

The engine belongs to the application, and an ``env.py`` of a project's own takes its connections
from there. So the settings are made by events of the engine, for the time of the command.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import event

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine


@contextmanager
def prepared(engine: Engine, lock_timeout: float | None) -> Iterator[None]:
    """Prepare each connection that an engine opens inside the ``with`` block.

    :param engine: the engine.
    :param lock_timeout: for how many seconds a statement may wait for a table; ``None`` leaves
        the server's setting. On SQLite it is how long to wait for the file.
    """
    settings = _settings_for(engine, lock_timeout)
    if settings is None:
        yield
        return
    listeners: list[tuple[str, t.Any]] = [
        ("engine_connect", settings.on_connect),
        ("begin", settings.on_begin),
        ("checkin", settings.on_checkin),
    ]
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


def _settings_for(engine: Engine, lock_timeout: float | None) -> _Settings | None:
    if engine.dialect.name == "sqlite":
        return _SQLite(lock_timeout)
    if lock_timeout is None:
        return None
    if engine.dialect.name == "postgresql":
        return _Server(f"SET lock_timeout = {round(lock_timeout * 1000)}", "RESET lock_timeout")
    if engine.dialect.name in ("mysql", "mariadb"):
        seconds = max(1, round(lock_timeout))
        return _Server(
            f"SET SESSION lock_wait_timeout = {seconds}",
            "SET SESSION lock_wait_timeout = DEFAULT",
        )
    return None


class _Settings:
    def on_connect(self, connection: Connection) -> None:
        raise NotImplementedError

    def on_begin(self, connection: Connection) -> None:
        """Called when SQLAlchemy begins a transaction."""

    def on_checkin(self, dbapi_connection: t.Any, record: t.Any) -> None:
        raise NotImplementedError


class _Server(_Settings):
    """A variable of the session, set while the connection is ours."""

    def __init__(self, set_it: str, reset_it: str) -> None:
        self.set_it = set_it
        self.reset_it = reset_it

    def on_connect(self, connection: Connection) -> None:
        _run(connection.connection.dbapi_connection, self.set_it, commit=True)

    def on_checkin(self, dbapi_connection: t.Any, record: t.Any) -> None:
        if dbapi_connection is not None:
            _run(dbapi_connection, self.reset_it, commit=True)


class _SQLite(_Settings):
    """Transactions that hold changes of the schema too, and foreign keys that wait.

    Python's driver begins no transaction before ``CREATE`` or ``ALTER``, so that each of them
    would stand alone. And rebuilding a table drops the old one: with foreign keys enforced that
    deletes the rows that refer to it.
    """

    def __init__(self, lock_timeout: float | None) -> None:
        self.lock_timeout = lock_timeout

    def on_connect(self, connection: Connection) -> None:
        driver_connection: t.Any = connection.connection.dbapi_connection
        info = connection.connection.info
        if "erlen_migrate" not in info:
            info["erlen_migrate"] = {
                "isolation_level": driver_connection.isolation_level,
                "foreign_keys": _ask(driver_connection, "PRAGMA foreign_keys"),
                "busy_timeout": _ask(driver_connection, "PRAGMA busy_timeout"),
                "autocommit": getattr(driver_connection, "autocommit", None),
            }
        if info["erlen_migrate"]["autocommit"] in (True, False):
            # sqlite3.LEGACY_TRANSACTION_CONTROL: BEGIN and COMMIT are what is said, and no more.
            driver_connection.autocommit = -1
        driver_connection.isolation_level = None
        _run(driver_connection, "PRAGMA foreign_keys = OFF")
        if self.lock_timeout is not None:
            _run(driver_connection, f"PRAGMA busy_timeout = {round(self.lock_timeout * 1000)}")

    def on_begin(self, connection: Connection) -> None:
        driver_connection = connection.connection.dbapi_connection
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return
        if not t.cast(t.Any, driver_connection).in_transaction:
            # At once: what reads first and writes later may find that another one wrote.
            _run(driver_connection, "BEGIN IMMEDIATE")

    def on_checkin(self, dbapi_connection: t.Any, record: t.Any) -> None:
        before = record.info.pop("erlen_migrate", None)
        if before is None or dbapi_connection is None:
            return
        _run(dbapi_connection, f"PRAGMA foreign_keys = {before['foreign_keys']}")
        _run(dbapi_connection, f"PRAGMA busy_timeout = {before['busy_timeout']}")
        dbapi_connection.isolation_level = before["isolation_level"]
        if before["autocommit"] in (True, False):
            dbapi_connection.autocommit = before["autocommit"]


def _run(driver_connection: t.Any, statement: str, commit: bool = False) -> None:
    cursor = driver_connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
    if commit:
        driver_connection.commit()


def _ask(driver_connection: t.Any, statement: str) -> int:
    cursor = driver_connection.cursor()
    try:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
    finally:
        cursor.close()


def find_orphans(connection: Connection) -> set[tuple[str, str]]:
    """Return pairs of tables of which the first has rows that refer to missing rows of the second.

    SQLite only: elsewhere foreign keys are enforced while a migration runs.

    :param connection: the connection of the migration.
    """
    if connection.dialect.name != "sqlite":
        return set()
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return {(row[0], row[2]) for row in rows}


def refuse_orphans(before: set[tuple[str, str]], after: set[tuple[str, str]]) -> None:
    """Stop a migration that leaves rows which refer to nothing.

    :param before: what :func:`find_orphans` found before it.
    :param after: what it finds after it.
    :raises CommandError: when there is more than before.
    """
    for table, parent in sorted(after - before):
        raise CommandError(
            f"The table {table!r} is left with rows that refer to rows of {parent!r} which are"
            " not there. Delete or change them in the migration."
        )
