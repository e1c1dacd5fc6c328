"""Asynchronous code: engines for each event loop, sessions to await, and errors that explain.

An asynchronous connection belongs to the event loop that it was made on. So each loop has engines
of its own, made when they are first used there and closed when the loop ends.
"""

from __future__ import annotations

import asyncio
import typing as t
import weakref
from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event, orm, pool
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.ext import asyncio as sa_asyncio
from sqlalchemy.util.concurrency import greenlet_spawn, in_greenlet

from erlen import await_, in_fiber

from . import replicas, sqlite
from .callers import find_line

if t.TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from erlen import Flask

    from .extension import SQLAlchemy

#: The asynchronous driver in place of each synchronous one.
ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+pysqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
    "mysql": "mysql+asyncmy",
    "mysql+mysqldb": "mysql+asyncmy",
    "mysql+pymysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
    "mariadb+mysqldb": "mariadb+asyncmy",
    "mariadb+pymysql": "mariadb+asyncmy",
}
#: The extra of Erlen that brings the driver.
EXTRAS = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}

# How many seconds a thread waits for a loop to close a session.
_CLOSING = 5


class NoAsyncDriver(RuntimeError):
    """A database that asynchronous code was to use cannot be reached in an asynchronous way."""


class LazyLoadError(MissingGreenlet):
    """An attribute was to be loaded when it was touched, where code cannot wait for the database.

    The message names the attribute, the query that its object came from, and what to add to that.
    """

    def _code_str(self) -> str:
        # The message says it all, and SQLAlchemy's page on the error something else.
        return ""


# --- Engines ------------------------------------------------------------------------------------


class LoopEngines(Mapping[str | None, "AsyncEngine"]):
    """The engines of one application on one event loop, each made when it is first asked for.

    :param db: the extension.
    :param app: the application.
    """

    def __init__(self, db: SQLAlchemy, app: Flask) -> None:
        self._db = db
        self._options = db._options_of(app)
        self._find_app = weakref.ref(app)
        self._made: dict[str | None, AsyncEngine] = {}
        self._opened: list[AsyncEngine] = []
        # An application that goes away, as in tests, closes what it has opened on this loop.
        loop = asyncio.get_running_loop()
        weakref.finalize(app, _close_soon, loop, self._opened).atexit = False
        #: The engines that a session of this loop uses, as SQLAlchemy's sessions see them.
        self.strict = Faces(self, strict=True)
        #: The same, with the synchronous engine in place of one that cannot be asynchronous.
        self.lenient = Faces(self, strict=False)
        self._keeper = _dispose_at_end(self)
        self._start(self._keeper)

    @staticmethod
    def _start(keeper: t.Any) -> None:
        # The loop closes the generators that were begun on it before it ends itself.
        try:
            keeper.__anext__().send(None)
        except StopIteration:
            pass

    def __getitem__(self, key: str | None) -> AsyncEngine:
        engine = self._made.get(key)
        if engine is None:
            engine = self._made[key] = self._make(key, self._options[key])
            copies = [self._make(key, own) for own in self._db._replica_options(self.app, key)]
            replicas.add_replicas(engine.sync_engine, [copy.sync_engine for copy in copies])
        return engine

    @property
    def app(self) -> Flask:
        """The application."""
        return t.cast("Flask", self._find_app())

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def _make(self, key: str | None, options: dict[str, t.Any]) -> AsyncEngine:
        own = dict(options)
        url = sa.make_url(own.pop("url"))
        url = url.set(drivername=ASYNC_DRIVERS.get(url.drivername, url.drivername))
        if own.get("poolclass") is pool.QueuePool:
            own["poolclass"] = pool.AsyncAdaptedQueuePool
        try:
            engine = sa_asyncio.async_engine_from_config({"url": url, **own}, prefix="")
        except (ImportError, InvalidRequestError) as error:
            raise _no_driver(url, error) from error
        self._opened.append(engine)
        self._db._prepare_engine(engine.sync_engine, self.app)
        return engine

    def can_be_asynchronous(self, key: str | None) -> bool:
        """Return whether a database is worth an asynchronous driver, and could have one.

        One in memory is not: it would be another database, and there is nothing to wait for.

        :param key: the bind key.
        """
        options = self._options[key]
        url = sa.make_url(options["url"])
        is_sqlite = url.get_backend_name() == "sqlite"
        return "creator" not in options and not (is_sqlite and sqlite.is_in_memory(url))

    async def dispose(self) -> None:
        """Close the connections of all engines."""
        await _close_all(self._opened)


async def _close_all(opened: list[AsyncEngine]) -> None:
    for engine in opened:
        await engine.dispose()
    # A transport that was closed lets go of its socket in the next turn of the loop.
    await asyncio.sleep(0)


def _close_soon(loop: asyncio.AbstractEventLoop, opened: list[AsyncEngine]) -> None:
    """Have connections closed on their loop, where that goes on; called from any thread."""
    if opened and loop.is_running():
        asyncio.run_coroutine_threadsafe(_close_all(opened), loop)


async def _dispose_at_end(engines: LoopEngines) -> t.AsyncIterator[None]:
    try:
        yield
    finally:
        await engines.dispose()


class Faces(Mapping[str | None, "Engine"]):
    """Asynchronous engines as SQLAlchemy's own synchronous sessions use them.

    :param engines: the engines.
    :param strict: whether a missing driver is an error.
    """

    def __init__(self, engines: LoopEngines, *, strict: bool) -> None:
        self._engines = engines
        self._strict = strict
        self._found: dict[str | None, Engine] = {}

    def __getitem__(self, key: str | None) -> Engine:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(key)
        return found

    def _find(self, key: str | None) -> Engine:
        engines = self._engines
        synchronous = engines._db._app_engines[engines.app][key]
        if not engines.can_be_asynchronous(key):
            return synchronous
        try:
            return engines[key].sync_engine
        except NoAsyncDriver as error:
            if self._strict:
                raise
            engines.app.logger.warning(
                "%s Until then, queries keep all other requests on the event loop waiting.", error
            )
            return synchronous

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._engines)

    def __len__(self) -> int:
        return len(self._engines)


def _no_driver(url: sa.URL, error: Exception) -> NoAsyncDriver:
    backend = url.get_backend_name()
    extra = EXTRAS.get(backend)
    advice = (
        f'Install it: pip install "erlen[{extra}]".'
        if extra and isinstance(error, ImportError)
        else "Name one in the URL, as in 'postgresql+psycopg://…'."
    )
    return NoAsyncDriver(
        f"There is no asynchronous driver for {url.drivername!r} ({error}). {advice}"
    )


class AsyncEngines:
    """The engines of all applications of an extension, for all event loops.

    :param db: the extension.
    """

    def __init__(self, db: SQLAlchemy) -> None:
        self._db = db
        self._known: WeakKeyDictionary[Flask, dict[asyncio.AbstractEventLoop, LoopEngines]]
        self._known = WeakKeyDictionary()

    def find(self, app: Flask) -> LoopEngines:
        """Return the engines of an application on the running event loop.

        :param app: the application.
        :raises RuntimeError: where no event loop runs.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "Asynchronous sessions and engines belong to an event loop, and none runs here."
                " Use them in an 'async def' function, or 'db.session' in this one."
            ) from None
        known = self._known.setdefault(app, {})
        engines = known.get(loop)
        if engines is None:
            for other in [other for other in known if other.is_closed()]:
                del known[other]
            engines = known[loop] = LoopEngines(self._db, app)
        return engines

    def forget(self, app: Flask) -> None:
        """Close the connections of an application, and let its engines be made anew.

        :param app: the application.
        """
        for loop, engines in self._known.pop(app, {}).items():
            _close_soon(loop, engines._opened)


# --- Sessions -----------------------------------------------------------------------------------


class AsyncFace:
    """What makes a session class the inner side of an asynchronous session."""

    _asynchronous = True


def make_scope(db: SQLAlchemy) -> sa_asyncio.async_scoped_session[sa_asyncio.AsyncSession]:
    """Return what ``db.async_session`` is: a session for each scope of ``db.session``.

    :param db: the extension.
    """
    factory = db.session.session_factory
    # Listeners for the sessions of `db.session` are on this class, so they hear of these too.
    inner = type("Session", (AsyncFace, factory.class_), {})

    def make(**options: t.Any) -> sa_asyncio.AsyncSession:
        # Attributes that expire with a commit would have to be loaded again when they are read.
        expire = db._session_options.get("expire_on_commit", False)
        arguments = {**factory.kw, "expire_on_commit": expire, **options}
        return sa_asyncio.AsyncSession(sync_session_class=inner, **arguments)

    event.listen(inner, "do_orm_execute", _remember_or_refuse)
    registry: t.Any = db.session.registry
    return sa_asyncio.async_scoped_session(t.cast(t.Any, make), registry.scopefunc)


class QueryLine(orm.interfaces.UserDefinedOption):
    """Tells the objects of a query where the query was."""

    propagate_to_loaders = True
    inherit_cache = True


def _remember_or_refuse(state: orm.ORMExecuteState) -> None:
    """Note a query's line on what it loads; explain where something cannot be loaded now."""
    if in_greenlet():
        if state.is_select and not (state.is_relationship_load or state.is_column_load):
            statement: t.Any = state.statement
            state.statement = statement.options(QueryLine(find_line()))
    elif _needs_to_wait(state):
        raise LazyLoadError(_explain(state))


def _needs_to_wait(state: orm.ORMExecuteState) -> bool:
    engine: t.Any = state.session.get_bind(**state.bind_arguments)
    return bool(engine.dialect.is_async)


def _explain(state: orm.ORMExecuteState) -> str:
    """Return what an error says about an attribute that is not loaded."""
    lines = [o.payload for o in state.user_defined_options if isinstance(o, QueryLine)]
    query = f"the query in {lines[0]}" if lines else "the query that the object came from"
    options: t.Any = state.load_options
    owner: t.Any = options._refresh_state if state.is_column_load else state.lazy_loaded_from
    attributes = _find_attributes(state)
    names = [f"{owner.class_.__name__}.{name}" for name in attributes]
    if state.is_relationship_load:
        advice = f"Add this to {query}: .options(selectinload({names[0]}))\nOr load it"
    elif owner.expired:
        advice = "It has expired, as by a rollback. Load it anew"
    else:
        advice = f"Add this to {query}: .options(undefer({names[0]}))\nOr load it"
    return (
        f"{', '.join(names)} is not loaded. To load it when it is read, code must be able to wait,"
        " and synchronous code on an event loop, outside of a request, is not.\n"
        f"{advice}, for this one object, before: await db.async_session.refresh(…)"
    )


def _find_attributes(state: orm.ORMExecuteState) -> list[str]:
    """Return the names of the attributes that are to be loaded."""
    if state.is_relationship_load:
        path: t.Any = state.loader_strategy_path
        return [next(part.key for part in reversed(path.path) if hasattr(part, "strategy_key"))]
    statement: t.Any = state.statement
    columns: t.Any = state.bind_mapper.column_attrs if state.bind_mapper else ()
    return sorted(
        name for name in statement._compile_options._only_load_props or () if name in columns
    )


# --- Ends ---------------------------------------------------------------------------------------

_closing: set[asyncio.Task[t.Any]] = set()


def close(session: orm.Session, loop: asyncio.AbstractEventLoop) -> None:
    """Close a session whose connections belong to an event loop, from wherever this is called.

    :param session: the session.
    :param loop: the event loop.
    """
    if not session.in_transaction():
        # It has no connection.
        session.close()
    elif loop.is_closed():
        # The connections went with it.
        session.invalidate()
    elif asyncio._get_running_loop() is loop:
        # A task of its own: the request's may be cancelled, even in this moment.
        task = loop.create_task(greenlet_spawn(session.close))
        _closing.add(task)
        task.add_done_callback(_closing.discard)
        if in_fiber():
            await_(asyncio.shield(task))
    elif loop.is_running():
        done = asyncio.run_coroutine_threadsafe(greenlet_spawn(session.close), loop)
        done.result(_CLOSING)
    else:
        loop.run_until_complete(greenlet_spawn(session.close))
