"""What the extension object has beyond Flask-SQLAlchemy's: transactions, streams, guards."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from weakref import WeakKeyDictionary, WeakSet

from erlen import current_app, has_app_context

from . import errors, keyset, nplusone, replicas, slow
from .pagination import LARGEST_SIZE, UNSET, Pagination, SelectPagination
from .streaming import SIZE, Stream, stream_async
from .transactions import Transactions

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from contextlib import AbstractContextManager

    import sqlalchemy as sa
    from sqlalchemy import orm
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncSession

    from erlen import Flask

    from .extension import SQLAlchemy
    from .keyset import KeysetPagination
    from .session import Session

__all__ = ["Toolbox"]

T = t.TypeVar("T")


class Toolbox:
    """A part of :class:`.SQLAlchemy`."""

    session: orm.scoped_session[Session]
    Model: type[t.Any]

    #: Makes transactions; see :class:`.Transactions`.
    transaction: Transactions

    def _make_tools(self) -> None:
        """Make what the object has one of, at the end of its ``__init__``."""
        self.transaction = Transactions(self.session, self._make_async_session)
        self._guard = nplusone.Guard(_find_mode)
        self._guarded = False
        self._undecided: WeakSet[Flask] = WeakSet()
        self._waiting = False
        self._replicas: WeakKeyDictionary[Flask, dict[str | None, list[dict[str, t.Any]]]]
        self._replicas = WeakKeyDictionary()

    def _make_async_session(self) -> AsyncSession:
        return t.cast("SQLAlchemy", self).async_session()

    def _equip(self, app: Flask) -> None:
        """Do what the configuration of an application says, at the end of ``init_app``."""
        mode = app.config.setdefault("SQLALCHEMY_N_PLUS_ONE", None)
        if mode == "auto":
            # The guard costs something for each object that is loaded; whether it is wanted may
            # still be set until the first session.
            self._undecided.add(app)
            self._waiting = True
        elif mode is not None:
            self._start_guard()
        if app.config.setdefault("SQLALCHEMY_ERROR_RESPONSES", False):
            errors.answer_errors(app, self.session.rollback)

    def _equip_engine(self, engine: Engine, app: Flask) -> None:
        """Do what the configuration of an application says of an engine, once it is made."""
        if app.config.setdefault("SQLALCHEMY_ERROR_RESPONSES", False):
            errors.watch_values(engine)
        threshold = app.config.setdefault("SQLALCHEMY_SLOW_QUERY_THRESHOLD", None)
        if threshold is not None:
            slow.watch_time(engine, threshold)

    def _make_replicas(
        self,
        bind_key: str | None,
        primary: Engine,
        options: dict[str, t.Any],
        copies: Iterable[t.Any],
        app: Flask,
    ) -> None:
        """Make the engines of the replicas that a bind's configuration names.

        :param bind_key: the key of the bind.
        :param primary: the engine of the database itself.
        :param options: the options of that engine; the replicas' have all but the URL in common.
        :param copies: where the replicas are: URLs, or mappings of options with one.
        :param app: the application.
        """
        known = self._replicas.setdefault(app, {})[bind_key] = [
            options | (dict(copy) if isinstance(copy, Mapping) else {"url": copy})
            for copy in copies
        ]
        build = t.cast("SQLAlchemy", self)._build_engine
        replicas.add_replicas(primary, [build(bind_key, own, app) for own in known])

    def _replica_options(self, app: Flask, bind_key: str | None) -> list[dict[str, t.Any]]:
        """Return the options of the engines of a database's replicas."""
        return self._replicas[app][bind_key]

    def _dispose(self, engine: Engine) -> None:
        """Close the connections of an engine and its replicas."""
        replicas.remove_replicas(engine)
        engine.dispose()

    def _prepare_app(self, app: Flask) -> None:
        """Do what waits for the first session of an application.

        :param app: the application.
        """
        if app in self._undecided:
            self._undecided.discard(app)
            self._waiting = bool(self._undecided)
            if app.debug or app.testing:
                self._start_guard()

    def _start_guard(self) -> None:
        if not self._guarded:
            self._guarded = True
            self._guard.watch(self.session, self.Model)

    def paginate_keyset(
        self,
        select: sa.Select[T],
        *,
        cursor: str | None = None,
        per_page: int | None = None,
        max_per_page: int = LARGEST_SIZE,
        count: bool = True,
        session: orm.Session | None = None,
    ) -> KeysetPagination[T]:
        """Return a page of a list by the cursor that the page before or after it gave.

        However long the list is, each page costs the same, and no row is shown twice or left out
        when others are inserted meanwhile. There is no way to a page by its number.

        :param select: the statement. The primary key is added to what it is sorted by, so that
            the order is unique; an index on the same columns makes pages fast.
        :param cursor: :attr:`~.KeysetPagination.next_cursor` or
            :attr:`~.KeysetPagination.prev_cursor` of another page; by default what ``cursor`` is
            in the URL's query. Without one, the first page.
        :param per_page: how many rows a page has; by default what ``per_page`` is in the URL's
            query, or 20.
        :param max_per_page: no page has more.
        :param count: count all rows, with a query of its own.
        :param session: what runs the statement instead of :attr:`session`.
        :raises BadCursor: where the cursor was tampered with or is one of another list; it is
            answered with 400.

        .. code-block:: python

            page = db.paginate_keyset(db.select(Book).order_by(Book.title), count=False)
            url_for("books", cursor=page.next_cursor)
        """
        arguments = keyset.read_arguments(cursor, per_page, max_per_page)
        return keyset.paginate(session or self.session(), select, arguments, count=count)

    async def async_paginate_keyset(
        self,
        select: sa.Select[T],
        *,
        cursor: str | None = None,
        per_page: int | None = None,
        max_per_page: int = LARGEST_SIZE,
        count: bool = True,
    ) -> KeysetPagination[T]:
        """Do as :meth:`paginate_keyset` in the asynchronous session of the context.

        :param select: the statement.
        :param cursor: where the page begins.
        :param per_page: how many rows a page has.
        :param max_per_page: no page has more.
        :param count: count all rows.
        """
        arguments = keyset.read_arguments(cursor, per_page, max_per_page)
        session = t.cast("SQLAlchemy", self).async_session()
        return await session.run_sync(keyset.paginate, select, arguments, count=count)

    async def async_paginate(
        self,
        select: sa.Select[T],
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = UNSET,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[T]:
        """Do as :meth:`.SQLAlchemy.paginate` in the asynchronous session of the context.

        Another page is asked for by its number; ``next()`` and ``prev()`` cannot wait.

        :param select: the statement.
        :param page: the number of the page.
        :param per_page: how many rows a page has.
        :param max_per_page: the largest *per_page*.
        :param error_out: answer with 404 what is no page.
        :param count: count all rows.
        """

        def run(session: orm.Session) -> Pagination[T]:
            return SelectPagination(
                select=select,
                session=session,
                page=page,
                per_page=per_page,
                max_per_page=max_per_page,
                error_out=error_out,
                count=count,
            )

        return await t.cast("SQLAlchemy", self).async_session().run_sync(run)

    def stream(self, select: sa.Select[T], *, size: int = SIZE) -> Stream[T]:
        """Return the rows of a statement, fetched while they are iterated over.

        :param select: a statement that selects one model or column.
        :param size: how many rows are fetched at a time.

        .. code-block:: python

            @app.get("/books.csv")
            def export() -> Response:
                books = db.stream(db.select(Book).order_by(Book.id))
                return Response((f"{book.title}\\n" for book in books), mimetype="text/csv")
        """
        session = self.session.session_factory()
        replicas.inherit(session, self.session())
        return Stream(session, select, size, t.cast("SQLAlchemy", self)._close)

    def async_stream(self, select: sa.Select[T], *, size: int = SIZE) -> AsyncIterator[T]:
        """Return the rows of a statement, fetched while they are iterated over, asynchronously.

        The statement runs when the first row is asked for.

        :param select: a statement that selects one model or column.
        :param size: how many rows are fetched at a time.

        .. code-block:: python

            async for book in db.async_stream(db.select(Book).order_by(Book.id)):
                ...
        """
        scope = t.cast("SQLAlchemy", self).async_session
        session = scope.session_factory()
        inner: t.Any = session.sync_session
        inner._app, inner._pinned = current_app._get_current_object(), True
        replicas.inherit(inner, scope().sync_session)
        return stream_async(session, select, size)

    def using_primary(self) -> AbstractContextManager[None]:
        """Read from the primary, and from no replica, within a ``with`` block."""
        return replicas.using_primary()

    def forbid_n_plus_one(self, mode: nplusone.Mode = "raise") -> AbstractContextManager[None]:
        """Make N+1 queries raise within a ``with`` block, whatever the configuration says.

        :param mode: ``"raise"``, or ``"warn"``.

        .. code-block:: python

            with db.forbid_n_plus_one():
                client.get("/books")
        """
        self._start_guard()
        return nplusone.forbid_n_plus_one(mode)


def _find_mode() -> nplusone.Mode | None:
    """Return what the configuration says of N+1 queries."""
    if not has_app_context():
        return None
    mode = current_app.config.get("SQLALCHEMY_N_PLUS_ONE")
    if mode == "auto":
        return "warn" if current_app.debug or current_app.testing else None
    if mode not in (None, "warn", "raise"):
        raise ValueError(
            f"SQLALCHEMY_N_PLUS_ONE is {mode!r}; it may be 'auto', 'warn', 'raise' or None."
        )
    return t.cast("nplusone.Mode | None", mode)
