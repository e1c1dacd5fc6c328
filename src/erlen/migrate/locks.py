"""One upgrade of a database at a time, whoever starts it and wherever."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alembic.util import CommandError

from .output import say

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Engine

    from .environment import Database

#: Seconds between two looks at a lock that somebody else has.
PAUSE = 0.1


@contextmanager
def hold_all(databases: Iterable[Database], wait: float) -> Iterator[None]:
    """Hold the locks of several databases, taken in one order by everybody.

    :param databases: the databases; two names for the same one count once.
    :param wait: after how many seconds of waiting to give up.
    """
    engines = {str(database.engine.url): database.engine for database in databases}
    with ExitStack() as stack:
        for url in sorted(engines):
            stack.enter_context(hold(engines[url], wait))
        yield


@contextmanager
def hold(engine: Engine, wait: float) -> Iterator[None]:
    """Hold the lock for migrations of one database.

    It is an advisory lock on PostgreSQL, a named lock on MariaDB and MySQL, and a locked file
    beside the database on SQLite. Each ends with the process that holds it, however that ends.

    :param engine: what connects to the database.
    :param wait: after how many seconds of waiting to give up.
    :raises CommandError: when somebody else has the lock for longer than that.
    """
    name = engine.dialect.name
    path = _lock_file(engine) if name == "sqlite" else None
    if name != "sqlite" or (path is not None and not path.parent.is_dir()):
        # A server that is down, or a folder that is not there, is reported by SQLAlchemy here.
        engine.connect().close()
    if name == "sqlite":
        lock: t.Any = _FileLock(path) if path is not None else None
    elif name == "postgresql":
        lock = _ServerLock(engine, _postgresql_statements())
    elif name in ("mysql", "mariadb"):
        lock = _ServerLock(engine, _mysql_statements(engine))
    else:
        lock = None
    if lock is None:
        yield
        return
    try:
        _take(lock.try_to_take, wait)
        yield
    finally:
        lock.release()


def _take(try_to_take: Callable[[], bool], wait: float) -> None:
    if try_to_take():
        return
    say("Another process is migrating this database; waiting for it.")
    deadline = time.monotonic() + wait
    while not try_to_take():
        if time.monotonic() > deadline:
            raise CommandError(
                f"Another process has been migrating this database for {wait:g} seconds. Look for"
                " one that hangs, or let this one wait for longer with MIGRATE_LOCK_WAIT."
            )
        time.sleep(PAUSE)


class _FileLock:
    """A lock on a file that is there only while somebody holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def try_to_take(self) -> bool:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(f"The lock file for migrations cannot be made: {error}") from error
        if not _lock_descriptor(descriptor):
            os.close(descriptor)
            return False
        # The one before us removed the file when it was done: what we locked may be that file,
        # while a third process makes and locks a new one.
        if not _is_the_file(descriptor, self.path):
            os.close(descriptor)
            return False
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        if self.descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self.descriptor)
            self.descriptor = None


def _is_the_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _lock_descriptor(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # pragma: no cover: Windows, where a removed file stays until it is closed
        import msvcrt

        module = t.cast(t.Any, msvcrt)
        try:
            module.locking(descriptor, module.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(engine: Engine) -> Path | None:
    """Return the lock file of an SQLite database; ``None`` for one in memory."""
    path = engine.url.database or ""
    if path.startswith("file:"):
        if "mode=memory" in str(engine.url):
            return None
        path = path.removeprefix("file:").partition("?")[0]
    if not path or path == ":memory:":
        return None
    return Path(f"{path}.migrating")


class _ServerLock:
    """A lock that lives as long as a connection which is used for nothing else."""

    def __init__(self, engine: Engine, statements: tuple[str, str]) -> None:
        self.take_it, self.give_back = statements
        # A pool of its own: the application's may allow a single connection.
        self.pool = engine.pool.recreate()
        self.connection = self.pool.connect()
        # Outside of transactions. One that is open would keep CREATE INDEX CONCURRENTLY of the
        # process that has the lock waiting for us, who wait for it.
        dbapi_connection = self.connection.dbapi_connection
        assert dbapi_connection is not None
        engine.dialect.set_isolation_level(dbapi_connection, "AUTOCOMMIT")

    def try_to_take(self) -> bool:
        return self._ask(self.take_it) in (1, True)

    def release(self) -> None:
        try:
            self._ask(self.give_back)
        except Exception:
            # The connection is gone, and the lock with it.
            pass
        finally:
            self.connection.invalidate()
            self.connection.close()
            self.pool.dispose()

    def _ask(self, statement: str) -> t.Any:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement)
            row = cursor.fetchone()
            return row[0] if row else None
        finally:
            cursor.close()


def _postgresql_statements() -> tuple[str, str]:
    # Advisory locks are numbers, and each database has its own.
    key = int.from_bytes(hashlib.sha256(b"erlen.migrate").digest()[:8], signed=True)
    return f"SELECT pg_try_advisory_lock({key})", f"SELECT pg_advisory_unlock({key})"


def _mysql_statements(engine: Engine) -> tuple[str, str]:
    # Names of locks belong to the whole server, and have at most 64 characters.
    digest = hashlib.sha256((engine.url.database or "").encode()).hexdigest()[:32]
    name = f"erlen.migrate.{digest}"
    return f"SELECT GET_LOCK('{name}', 0)", f"SELECT RELEASE_LOCK('{name}')"
