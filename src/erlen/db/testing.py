"""For tests: changes that are undone after each test, and a database for each process.

.. code-block:: python

    # conftest.py
    from erlen.db.testing import roll_back, worker_database

    @pytest.fixture(scope="session")
    def app():
        with worker_database("postgresql://localhost/shop_test") as url:
            app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": url})
            with app.app_context():
                db.create_all()
            yield app
            close_engines(app)

    @pytest.fixture(autouse=True)
    def undo(app):
        with roll_back(app):
            yield
"""

from __future__ import annotations

import os
import typing as t
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, pool

from erlen.defaults import ERLEN_DEFAULTS

from . import replicas
from .engines import SYNC_DRIVERS

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.engine import URL, Connection, Engine

    from erlen import Flask

    from .extension import SQLAlchemy

__all__ = ["close_engines", "count_queries", "roll_back", "roll_back_async", "worker_database"]


@contextmanager
def roll_back(app: Flask) -> Iterator[None]:
    """Undo, at the end of a ``with`` block, what ``db.session`` did to the databases within it.

    What the application commits is a savepoint in a transaction that the block holds open, on one
    connection for each database. So the code under test may commit and roll back, in requests of
    the test client too, and no other connection sees any of it. The tables must be there already:
    MariaDB commits when a table is made.

    What does not go through the sessions, such as ``db.engine.begin()``, is not undone.

    :param app: the application; it has no requests in other threads meanwhile.
    """
    with ExitStack() as stack:
        for engine in _find_engines(app):
            stack.enter_context(_pin(engine))
        yield


@contextmanager
def _pin(engine: Engine) -> Iterator[None]:
    """Let the sessions use one connection of an engine, in a transaction that is then undone."""
    with engine.connect() as connection:
        transaction = connection.begin()
        _begin(connection)
        replicas.pin(engine, connection)
        try:
            yield
        finally:
            replicas.unpin(engine)
            transaction.rollback()


def _begin(connection: Connection) -> None:
    """Begin the transaction now on SQLite, where a savepoint would be one by itself."""
    driver: t.Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN")


@asynccontextmanager
async def roll_back_async(app: Flask) -> AsyncIterator[None]:
    """Undo what ``db.async_session`` did within an ``async with`` block; see :func:`roll_back`.

    :param app: the application. All of the block runs on the same event loop.
    """
    db: SQLAlchemy = app.extensions["sqlalchemy"]
    with app.app_context():
        engines = dict(db.async_engines)
    connections = []
    try:
        for engine in engines.values():
            connection = await engine.connect()
            connections.append(connection)
            await connection.begin()
            await connection.run_sync(_begin)
            assert connection.sync_connection is not None
            replicas.pin(engine.sync_engine, connection.sync_connection)
        yield
    finally:
        for connection in connections:
            replicas.unpin(connection.engine.sync_engine)
            await connection.rollback()
            await connection.close()


def close_engines(app: Flask) -> None:
    """Close the connections of an application, as at the end of the tests that use it.

    :param app: the application.
    """
    for engine in _find_engines(app):
        engine.dispose()


def _find_engines(app: Flask) -> list[Engine]:
    db: SQLAlchemy = app.extensions["sqlalchemy"]
    with app.app_context():
        return list(db.engines.values())


@contextmanager
def count_queries() -> Iterator[list[str]]:
    """Collect the statements that are sent to databases within a ``with`` block.

    Savepoints are not among them.

    .. code-block:: python

        with count_queries() as queries:
            client.get("/books")
        assert len(queries) <= 2
    """
    queries: list[str] = []

    def note(
        connection: object, cursor: object, statement: str, *args: object, **kwargs: object
    ) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN")):
            queries.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)


@contextmanager
def worker_database(url: str | URL) -> Iterator[str]:
    """Make a database for this process of the tests, and drop it at the end of a ``with`` block.

    Its name is that of the URL with the name of the pytest-xdist worker after it, ``shop_gw0``,
    or ``shop_main`` where there is one process only. One of that name that is left from an earlier
    run is dropped first.

    :param url: the URL of a database that need not exist, on a server where the user may create
        databases; or of a file of SQLite.
    :returns: the URL of the new, empty database.
    """
    given = sa.make_url(url)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    own = given.set(database=_add_suffix(given, worker))
    _drop(own)
    _create(own)
    try:
        yield own.render_as_string(hide_password=False)
    finally:
        _drop(own)


def _add_suffix(url: URL, suffix: str) -> str | None:
    if url.database is None or url.database == ":memory:":
        return url.database
    if url.get_backend_name() == "sqlite":
        path = Path(url.database)
        return str(path.with_name(f"{path.stem}_{suffix}{path.suffix}"))
    return f"{url.database}_{suffix}"


def _create(url: URL) -> None:
    if url.get_backend_name() != "sqlite":
        _run_on_server(url, "CREATE DATABASE {name}")
    elif url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _drop(url: URL) -> None:
    if url.get_backend_name() == "postgresql":
        # FORCE: with the connections that the tests may have left.
        _run_on_server(url, "DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    elif url.get_backend_name() != "sqlite":
        _run_on_server(url, "DROP DATABASE IF EXISTS {name}")
    elif url.database not in (None, "", ":memory:"):
        for ending in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(f"{url.database}{ending}")


def _run_on_server(url: URL, statement: str) -> None:
    """Run a statement about a database, connected to another one."""
    driver = SYNC_DRIVERS.get(url.drivername, url.drivername)
    driver = ERLEN_DEFAULTS["SQLALCHEMY_DRIVERS"].get(driver, driver)
    other = "postgres" if url.get_backend_name() == "postgresql" else "information_schema"
    engine = sa.create_engine(
        url.set(drivername=driver, database=other),
        poolclass=pool.NullPool,
        isolation_level="AUTOCOMMIT",
    )
    name = engine.dialect.identifier_preparer.quote_identifier(url.database or "")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement.format(name=name))
