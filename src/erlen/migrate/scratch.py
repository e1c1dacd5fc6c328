"""Databases for a moment: to see what migrations give without touching the real one."""

from __future__ import annotations

import secrets
import tempfile
import typing as t
from contextlib import contextmanager

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import Database


@contextmanager
def scratch_engine(engine: sa.Engine) -> Iterator[sa.Engine]:
    """Make an empty database of the same kind and on the same server, and drop it at the end.

    :param engine: what connects to the real one.
    :raises CommandError: when the server does not let us make a database.
    """
    if engine.dialect.name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="erlen-migrate-") as folder:
            made = sa.create_engine(f"sqlite:///{folder}/scratch.sqlite3", poolclass=NullPool)
            yield made
        return
    name = f"erlen_scratch_{secrets.token_hex(4)}"
    quoted = engine.dialect.identifier_preparer.quote(name)
    _execute(engine, f"CREATE DATABASE {quoted}")
    made = sa.create_engine(engine.url.set(database=name), poolclass=NullPool)
    try:
        yield made
    finally:
        made.dispose()
        _execute(engine, f"DROP DATABASE {quoted}")


def _execute(engine: sa.Engine, statement: str) -> None:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        raise CommandError(
            f"A database for comparison is needed, and the server refused {statement!r}:"
            f" {error.orig}"
        ) from error


@contextmanager
def copied_engine(engine: sa.Engine) -> Iterator[sa.Engine]:
    """Copy an SQLite database for as long as the ``with`` block lasts.

    :param engine: what connects to the real one.
    """
    with scratch_engine(engine) as made:
        source, target = engine.raw_connection(), made.raw_connection()
        try:
            t.cast(t.Any, source.driver_connection).backup(target.driver_connection)
        finally:
            source.close()
            target.close()
        yield made


@contextmanager
def in_place(db: t.Any, engines: dict[str, sa.Engine]) -> Iterator[None]:
    """Let an application's database object hand out other engines.

    :param db: the database object.
    :param engines: the engines by bind key, the default one's empty.
    """
    own: dict[str | None, t.Any] = db.engines
    before = dict(own)
    try:
        for name, engine in engines.items():
            own[name or None] = engine
        yield
    finally:
        own.update(before)


def describe_schema(engine: sa.Engine, skip: frozenset[str]) -> dict[str, str]:
    """Return all that a schema consists of, as comparable text by name.

    :param engine: what connects to the database.
    :param skip: tables that do not count.
    """
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        found: dict[str, str] = {}
        for table in inspector.get_table_names():
            if table not in skip:
                found |= _describe_table(inspector, table)
        for view in inspector.get_view_names():
            found[f"view {view}"] = inspector.get_view_definition(view)
        found |= _describe_rest(connection)
    return found


def _describe_table(inspector: t.Any, table: str) -> dict[str, str]:
    found = {}
    for column in inspector.get_columns(table):
        parts = {key: str(value) for key, value in column.items() if key != "name"}
        parts.pop("sqlite_hidden", None)
        found[f"column {table}.{column['name']}"] = repr(sorted(parts.items()))
    for kind, rows in (
        ("index", inspector.get_indexes(table)),
        ("unique", inspector.get_unique_constraints(table)),
        ("foreign key", inspector.get_foreign_keys(table)),
        ("check", inspector.get_check_constraints(table)),
        ("primary key", [inspector.get_pk_constraint(table)]),
    ):
        for row in rows:
            columns = row.get("column_names") or row.get("constrained_columns") or ""
            text = repr(sorted((key, str(value)) for key, value in row.items()))
            found[f"{kind} {row.get('name') or columns} of {table}"] = text
    return found


_TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT typname || '.' || enumlabel, enumsortorder::text FROM pg_enum"
        " JOIN pg_type ON pg_type.oid = enumtypid"
        " UNION ALL SELECT proname, pg_get_functiondef(p.oid) FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = pronamespace"
        " WHERE nspname = current_schema() AND prokind IN ('f', 'p')"
        " UNION ALL SELECT extname, extversion FROM pg_extension"
    ),
    "mysql": (
        "SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS"
        " WHERE TRIGGER_SCHEMA = DATABASE()"
        " UNION ALL SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES"
        " WHERE ROUTINE_SCHEMA = DATABASE()"
    ),
}


def _describe_rest(connection: sa.Connection) -> dict[str, str]:
    """Describe triggers, functions and enum values, which SQLAlchemy does not reflect."""
    name = "mysql" if connection.dialect.name == "mariadb" else connection.dialect.name
    query = _TRIGGERS.get(name)
    if query is None:
        return {}
    rows = connection.exec_driver_sql(query)
    return {f"trigger, function or value {row[0]}": str(row[1]) for row in rows}


def swap(databases: list[Database], engines: list[sa.Engine]) -> dict[str, sa.Engine]:
    """Pair the names of databases with other engines.

    :param databases: the databases.
    :param engines: as many engines.
    """
    return {database.name: engine for database, engine in zip(databases, engines, strict=True)}
