"""The SQL that an upgrade would execute, without executing it on the database."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack, contextmanager

import click
from alembic import command
from alembic.util import CommandError
from sqlalchemy import event

from .environment import get_databases, get_state
from .running import Run, read_heads
from .scratch import copied_engine, in_place

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from .environment import Database
    from .extension import Config

_READS = ("SELECT", "PRAGMA", "EXPLAIN")


def preview(config: Config, revision: str, down: bool = False) -> None:
    """Print the SQL from where the database is to a revision.

    On SQLite the migrations run on a copy of the database: rebuilding a table needs to look at
    it. Elsewhere Alembic writes the SQL without a connection.

    :param config: Alembic's configuration.
    :param revision: the revision to go to.
    :param down: whether to go down.
    :raises CommandError: when the database is at several heads.
    """
    databases = get_databases()
    if all(database.engine.dialect.name == "sqlite" for database in databases):
        _run_on_copies(config, databases, revision, down)
        return
    heads = {read_heads(database) for database in databases}
    if len(heads) > 1 or any(len(revisions) > 1 for revisions in heads):
        raise CommandError("The databases are at several revisions; name the range with --sql.")
    start = "".join(*heads)
    if down:
        command.downgrade(config, f"{start}:{revision}", sql=True)
    else:
        command.upgrade(config, f"{start}:{revision}" if start else revision, sql=True)


def _run_on_copies(config: Config, databases: list[Database], revision: str, down: bool) -> None:
    with ExitStack() as stack:
        copies = {
            database.name: stack.enter_context(copied_engine(database.engine))
            for database in databases
        }
        stack.enter_context(in_place(get_state().db, copies))
        for engine in copies.values():
            stack.enter_context(_printed(engine))
        Run(config, revision, down=down).start()


@contextmanager
def _printed(engine: sa.Engine) -> Iterator[None]:
    def show(
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> None:
        text = statement.strip()
        if not text.upper().startswith(_READS):
            values = f"  -- {parameters!r}" if parameters else ""
            click.echo(f"{text};{values}")

    event.listen(engine, "before_cursor_execute", show)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", show)
