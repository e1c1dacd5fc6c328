"""Limits on attempts: how often something may be tried, by whom, and after what pause again.

Each limit counts under names such as an address and an account together. Below the number that is
free nothing happens; each further attempt must wait, twice as long each time. With time the count
goes down by itself.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t
from collections import OrderedDict
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

if t.TYPE_CHECKING:
    from erlen.db import SQLAlchemy

__all__ = [
    "AttemptStore",
    "Count",
    "DatabaseAttempts",
    "Limit",
    "MemoryAttempts",
    "attempts_table",
]

TABLE_NAME = "erlen_attempts"

#: Seconds. A pause is no longer than this, or nobody could wait for its end.
LONGEST_PAUSE = 900
#: So many attempts more than are free may be under way at the same time.
BURST = 16
#: The most names that are counted in memory.
MAX_NAMES = 50_000
#: After so many attempts, what has been forgotten is removed from the database.
PRUNE_EVERY = 100
# Writers that meet begin again; more than this many in one moment are turned away.
_TRIES = 20


@dataclass(frozen=True)
class Limit:
    """How often something may be tried.

    :param free: so many attempts need no pause.
    :param refill: the seconds after which one attempt is forgotten.
    """

    free: int
    refill: float


@dataclass(frozen=True)
class Count:
    """What is known of the attempts under a name.

    :param level: how many count.
    :param changed: when that was so, in seconds since 1970.
    :param until: when the next attempt may be made.
    """

    level: int = 0
    changed: float = 0.0
    until: float = 0.0

    def at(self, now: float, limit: Limit) -> Count:
        """Return what is left of it at a time."""
        forgotten = int(max(0.0, now - self.changed) / limit.refill)
        if not forgotten:
            return self
        changed = self.changed + forgotten * limit.refill
        return Count(max(0, self.level - forgotten), changed, self.until)

    def more(self, now: float) -> Count:
        """Return it with another attempt."""
        return Count(self.level + 1, self.changed if self.level else now, self.until)

    def paused(self, now: float, limit: Limit) -> Count:
        """Return it with the pause that follows from the number of attempts."""
        over = self.level - limit.free
        if over < 0:
            return self
        # At most 2 ** 10 seconds: beyond that the power would only be a large number.
        pause = min(LONGEST_PAUSE, 2 ** min(over, 10))
        return replace(self, until=max(self.until, now + pause))

    def forgotten_at(self, limit: Limit) -> float:
        """Return when nothing is left of it."""
        return max(self.until, self.changed + self.level * limit.refill)


Change = t.Callable[[Count], "Count | None"]


class AttemptStore(t.Protocol):
    """Where attempts are counted: any object with this method."""

    def change(self, name: str, limit: Limit, change: Change) -> Count:
        """Change the count of a name, so that no other change of it is lost.

        :param name: the name, a digest.
        :param limit: what holds for it.
        :param change: is given what there is, and returns what is to be, or ``None`` for the same.
            It may be called again.
        :returns: what there is now.
        """
        ...


def take(store: AttemptStore, name: str, limit: Limit) -> float:
    """Count something that may not be done often, whatever comes of it.

    :param store: where.
    :param name: under what name.
    :param limit: what holds for it.
    :returns: the seconds to wait; 0 for none.
    """
    now = time.time()
    wait = 0.0

    def change(count: Count) -> Count | None:
        nonlocal wait
        wait = max(0.0, count.until - now)
        return None if wait else count.at(now, limit).more(now).paused(now, limit)

    store.change(name, limit, change)
    return wait


def begin(store: AttemptStore, name: str, limit: Limit) -> float:
    """Count an attempt of which nobody knows yet how it ends; then comes one of the next two.

    Counting comes before trying, so that a thousand guesses at once are not tried all. Some may be
    under way together: a program that knows the password may well ask for several things at once.

    :param store: where.
    :param name: under what name.
    :param limit: what holds for it.
    :returns: the seconds to wait; 0 for none.
    """
    now = time.time()
    wait = 0.0

    def change(count: Count) -> Count | None:
        nonlocal wait
        left = count.at(now, limit)
        wait = max(0.0, count.until - now)
        if not wait and left.level >= limit.free + BURST:
            wait = 1.0
        return None if wait else left.more(now)

    store.change(name, limit, change)
    return wait


def fail(store: AttemptStore, name: str, limit: Limit) -> None:
    """Have a pause follow an attempt that has failed, if there were too many.

    :param store: where.
    :param name: under what name.
    :param limit: what holds for it.
    """
    now = time.time()
    store.change(name, limit, lambda count: count.at(now, limit).paused(now, limit))


def give_back(store: AttemptStore, name: str, limit: Limit, *, all_of_it: bool = False) -> None:
    """Forget an attempt that has gone well, or all of them.

    :param store: where.
    :param name: under what name.
    :param limit: what holds for it.
    :param all_of_it: whether nothing is to be left.
    """

    def change(count: Count) -> Count | None:
        level = 0 if all_of_it else max(0, count.level - 1)
        until = count.until if level >= limit.free else 0.0
        return replace(count, level=level, until=until)

    store.change(name, limit, change)


class MemoryAttempts:
    """Counts in the memory of a process, for tests and for applications of one process.

    :param size: the most names that are counted; those that were not heard of longest go first.
    """

    def __init__(self, size: int = MAX_NAMES) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, Count] = OrderedDict()

    def change(self, name: str, limit: Limit, change: Change) -> Count:
        """Change the count of a name; see :meth:`AttemptStore.change`."""
        with self._lock:
            before = self._counts.get(name, Count())
            after = change(before) or before
            self._counts[name] = after
            self._counts.move_to_end(name)
            if after.level == 0:
                del self._counts[name]
            while len(self._counts) > self.size:
                self._counts.popitem(last=False)
            return after

    def __len__(self) -> int:
        return len(self._counts)


def attempts_table(metadata: sa.MetaData, name: str = TABLE_NAME) -> sa.Table:
    """Return the table that attempts are counted in, adding it to a metadata object once.

    ``Accounts`` does this by itself; say it beside your models where something must know of the
    table before, as migrations do.

    :param metadata: the metadata, such as ``db.metadata``.
    :param name: the table's name.
    """
    if name in metadata.tables:
        return metadata.tables[name]
    return sa.Table(
        name,
        metadata,
        # A digest: neither addresses nor accounts can be read here.
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("forgotten_at", sa.Double, nullable=False, index=True),
    )


class DatabaseAttempts:
    """Counts in the application's database, for all of its processes.

    Each change is a transaction of its own: an attempt counts whatever becomes of the request.

    :param db: the extension.
    :param table: what :func:`attempts_table` returned.
    """

    def __init__(self, db: SQLAlchemy, table: sa.Table) -> None:
        self.db = db
        self.table = table
        self._changes = 0
        self._engines: WeakKeyDictionary[sa.Engine, _OwnEngine] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def change(self, name: str, limit: Limit, change: Change) -> Count:
        """Change the count of a name; see :meth:`AttemptStore.change`."""
        for _ in range(_TRIES):
            after = self._try(name, limit, change)
            if after is not None:
                self._prune()
                return after
        # So many at once are no person.
        now = time.time()
        return change(Count(limit.free + 1, now, now + 1)) or Count(limit.free + 1, now, now + 1)

    def _try(self, name: str, limit: Limit, change: Change) -> Count | None:
        """Return what there is now; ``None`` where somebody else came first."""
        table = self.table
        with self._session() as session:
            row = session.execute(sa.select(table).where(table.c.name == name)).first()
            # A transaction that begins with a write waits for its lock; SQLite refuses one that
            # has read before, where another has written since.
            session.commit()
            before = Count() if row is None else Count(row.level, row.changed, row.until)
            after = change(before)
            if after is None or after == before:
                return before
            values = {
                "level": after.level,
                "changed": after.changed,
                "until": after.until,
                "forgotten_at": after.forgotten_at(limit),
            }
            if row is None:
                statement: t.Any = sa.insert(table).values(name=name, version=1, **values)
            else:
                # Where another has changed it since, this changes nothing: no lock is needed.
                statement = (
                    sa.update(table)
                    .where(table.c.name == name, table.c.version == row.version)
                    .values(version=row.version + 1, **values)
                )
            try:
                changed = t.cast("sa.CursorResult[t.Any]", session.execute(statement)).rowcount
                session.commit()
            except IntegrityError:
                session.rollback()
                return None
            return after if changed else None

    def _prune(self) -> None:
        self._changes += 1
        if self._changes % PRUNE_EVERY:
            return
        with self._session() as session:
            session.execute(sa.delete(self.table).where(self.table.c.forgotten_at < time.time()))
            session.commit()

    def _session(self) -> orm.Session:
        engine = self.db.engines[self.table.metadata.info.get("bind_key")]
        if isinstance(engine.pool, StaticPool) or engine.dialect.is_async:
            return self.db.session.session_factory()
        return orm.Session(self._own(engine))

    def _own(self, engine: sa.Engine) -> sa.Engine:
        """Return an engine with a pool of its own.

        A request that holds a connection never waits for a second one of the same pool, which
        others like it may hold.
        """
        with self._lock:
            own = self._engines.get(engine)
            if own is None:
                own = self._engines[engine] = _OwnEngine(engine)
            return own.get()


class _OwnEngine:
    """An engine beside another one, for the same database, that is disposed of with it.

    :param engine: the other one.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = sa.create_engine(engine.url, pool=engine.pool.recreate())
        self._process = os.getpid()
        event.listen(engine, "engine_disposed", self._dispose)

    def get(self) -> sa.Engine:
        """Return the engine."""
        if self._process != os.getpid():
            # A child process must not speak on the connections of its parent, nor close them.
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine

    def _dispose(self, engine: sa.Engine) -> None:
        if self._process == os.getpid():
            self._engine.dispose()
