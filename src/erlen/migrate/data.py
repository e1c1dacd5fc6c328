"""Working through a large table in a migration, batch by batch."""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Callable, Sequence

import alembic.op
import sqlalchemy as sa
from alembic.util import CommandError

from . import journal, running
from .output import plural, say, show_time

if t.TYPE_CHECKING:
    from alembic.migration import MigrationContext

Work = Callable[[sa.Connection, Sequence[sa.Row[t.Any]]], object]

#: Seconds between two lines that tell how far it has come.
TELL_EVERY = 2.0

_positions = sa.Table(
    "erlen_migration_position",
    sa.MetaData(),
    sa.Column("name", sa.String(190), primary_key=True),
    sa.Column("position", sa.Text, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
)


def in_batches(
    table: sa.FromClause,
    work: Work,
    *,
    key: sa.ColumnElement[t.Any],
    where: sa.ColumnElement[bool] | None = None,
    size: int = 1000,
    outside: bool = False,
    name: str | None = None,
) -> int:
    """Hand the rows of a table to a function, some at a time, in the order of a key.

    .. code-block:: python

        books = sa.table("book", sa.column("id"), sa.column("title"), sa.column("folded"))

        def fold(connection, rows):
            change = sa.update(books).where(books.c.id == sa.bindparam("key"))
            connection.execute(
                change.values(folded=sa.bindparam("text")),
                [{"key": row.id, "text": row.title.casefold()} for row in rows],
            )

        def upgrade():
            in_batches(books, fold, key=books.c.id)

    Inside of the migration's transaction, which is the default, all happens or nothing. With
    *outside*, each batch is a transaction of its own: rows are locked for a moment only, and a run
    that ends early goes on with the batch after its last one. What the migration did before is
    committed then, so give such work a migration of its own.

    :param table: the table, with the columns that the function needs.
    :param work: called with a connection and the rows of a batch.
    :param key: a unique column of it, whose values do not change: text or numbers.
    :param where: which rows; all by default.
    :param size: how many rows make a batch.
    :param outside: whether each batch is a transaction of its own.
    :param name: under what its progress is kept; by default the revision and the table's name.
    :returns: how many rows the function was given, by an earlier run too.
    :raises CommandError: when *size* is not a positive number.
    """
    if size < 1:
        raise CommandError(f"A batch has at least one row, not {size}.")
    context = alembic.op.get_context()
    label = str(getattr(table, "name", "rows"))
    if context.as_sql:
        context.impl.static_output(f"-- The rows of {label} are changed by code, in batches.")
        return 0
    name = name or f"{running.current_revision.get()}:{label}"
    batches = _Batches(context, table, work, key, where, size, label)
    if not outside:
        return batches.run()
    with context.autocommit_block(), journal.paused():
        return batches.run_outside(name)


class _Batches:
    def __init__(
        self,
        context: MigrationContext,
        table: sa.FromClause,
        work: Work,
        key: sa.ColumnElement[t.Any],
        where: sa.ColumnElement[bool] | None,
        size: int,
        label: str,
    ) -> None:
        self.context = context
        self.work = work
        self.key = key
        self.label = label
        self.query = sa.select(table, key.label("erlen_key")).order_by(key).limit(size)
        self.count = sa.select(sa.func.count()).select_from(table)
        if where is not None:
            self.query, self.count = self.query.where(where), self.count.where(where)
        self.done = 0
        self.told = self.begun = time.monotonic()

    @property
    def connection(self) -> sa.Connection:
        assert self.context.connection is not None
        return self.context.connection

    def run(self) -> int:
        self.total = self.connection.execute(self.count).scalar_one()
        position = None
        while (found := self._take(position)) is not None:
            position = found
            self._tell()
        self._tell(last=True)
        return self.done

    def run_outside(self, name: str) -> int:
        connection = self.connection
        _positions.create(connection, checkfirst=True)
        of_name = _positions.c.name == name
        row = connection.execute(sa.select(_positions).where(of_name)).first()
        position = None if row is None else json.loads(row.position)
        self.total = connection.execute(self.count).scalar_one()
        if row is not None:
            self.done = row.done
            say(f"  {self.label}: {row.done} rows are done; going on after them")
        while True:
            connection.exec_driver_sql("BEGIN")
            try:
                position = self._take(position)
                connection.execute(sa.delete(_positions).where(of_name))
                if position is not None:
                    values = {"name": name, "position": json.dumps(position), "done": self.done}
                    connection.execute(sa.insert(_positions).values(values))
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
            if position is None:
                break
            self._tell()
        self._tell(last=True)
        if connection.execute(sa.select(_positions).limit(1)).first() is None:
            _positions.drop(connection)
        return self.done

    def _take(self, position: t.Any) -> t.Any:
        """Hand over the batch after a position, and return the one after it, if there is one."""
        query = self.query if position is None else self.query.where(self.key > position)
        rows = self.connection.execute(query).all()
        if not rows:
            return None
        self.work(self.connection, rows)
        self.done += len(rows)
        return rows[-1].erlen_key

    def _tell(self, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self.told >= TELL_EVERY:
            self.told = now
            # A function may change which rows there are to find.
            total = max(self.total, self.done)
            rows = plural(self.done, "row") if last else f"{self.done} of {total} rows"
            say(f"  {self.label}: {rows} in {show_time(now - self.begun)}")
