"""Changes that happen whole or not at all, and that are made again where another was in the way."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
import typing as t
from functools import update_wrapper

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransactionOrigin, scoped_session

from erlen import await_, in_fiber

from .errors import Cause, find_cause
from .replicas import has_written

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

    from sqlalchemy.engine import Connection
    from sqlalchemy.orm import SessionTransaction

__all__ = ["Transaction", "Transactions"]

P = t.ParamSpec("P")
R = t.TypeVar("R")

#: How often a function is called at most, if nothing else is said.
ATTEMPTS = 3
#: Seconds to wait at most before the second call; before each further one, twice as many.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

#: Where in ``Session.info`` the number of open blocks is.
DEPTH = "erlen.transactions"


def pause(attempt: int) -> float:
    """Return how many seconds to wait after an attempt that failed.

    All of it is chance ("full jitter"): those that were in each other's way do not meet again at
    the next attempt, https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    :param attempt: the number of the attempt, from 1.
    """
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))


def _wait(seconds: float) -> None:
    """Wait, without keeping other requests on the event loop from going on."""
    if in_fiber():
        await_(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


class Transactions:
    """What ``db.transaction`` is: makes :class:`Transaction` objects, and runs functions in them.

    :param session: returns the session of the context.
    :param async_session: returns the one for asynchronous code.
    """

    def __init__(
        self, session: Callable[[], Session], async_session: Callable[[], AsyncSession]
    ) -> None:
        self.session = session
        self.async_session = async_session

    @t.overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R]: ...
    @t.overload
    def __call__(
        self,
        func: None = None,
        /,
        *,
        attempts: int = ATTEMPTS,
        isolation_level: str | None = None,
        session: Session | scoped_session[t.Any] | AsyncSession | None = None,
    ) -> Transaction: ...
    def __call__(
        self,
        func: Callable[..., t.Any] | None = None,
        /,
        *,
        attempts: int = ATTEMPTS,
        isolation_level: str | None = None,
        session: Session | scoped_session[t.Any] | AsyncSession | None = None,
    ) -> t.Any:
        """Return a transaction, to be used in a ``with`` or ``async with`` block or as decorator.

        The block is committed at its end, and rolled back by an exception. Inside of another
        block it is a savepoint, so that an exception undoes no more than the inner block.

        As a decorator, of a function or a coroutine function, it calls the function again, in a
        new transaction, where a deadlock, a serialisation failure or a lock of SQLite ended the
        last one. What a function does besides the database it then does again too.

        :param attempts: how often the function is called at most; a block runs once.
        :param isolation_level: for this transaction, such as ``"SERIALIZABLE"``.
        :param session: another session than that of the context.

        .. code-block:: python

            with db.transaction():
                account.balance -= 10

            @db.transaction(attempts=5)
            def transfer(source: int, target: int, amount: int) -> None:
                ...
        """
        transaction = Transaction(self, attempts, isolation_level, session)
        return transaction if func is None else transaction(func)

    def run(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a transaction, again where another transaction was in its way.

        :param func: a function, or a coroutine function, whose result is then to be awaited.
        :returns: what the function returns.

        .. code-block:: python

            book = db.transaction.run(lend, book_id, reader_id)
        """
        return self(func)(*args, **kwargs)


class Transaction:
    """A transaction that has not begun yet; see :meth:`Transactions.__call__`."""

    def __init__(
        self,
        maker: Transactions,
        attempts: int,
        isolation_level: str | None,
        session: Session | scoped_session[t.Any] | AsyncSession | None,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; a function is called at least once.")
        self._maker = maker
        self._attempts = attempts
        self._isolation_level = isolation_level
        self._given = session
        self._scope: SessionTransaction | None = None
        # Whether the function may be called again: not in a savepoint, for a deadlock undoes the
        # whole transaction; nor where work from before it would be lost.
        self._repeatable = True
        self._async: AsyncSession | None = None

    def __enter__(self) -> Session:
        session = self._given
        if isinstance(session, AsyncSession):
            raise TypeError(
                "The session of this transaction is asynchronous: write 'async with' before it."
            )
        if session is None:
            session = self._maker.session()
        elif isinstance(session, scoped_session):
            session = t.cast("Session", session())
        self._open(session)
        return session

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close(kind, error, traceback)

    async def __aenter__(self) -> AsyncSession:
        session = self._given or self._maker.async_session()
        if not isinstance(session, AsyncSession):
            raise TypeError(
                "The session of this transaction is synchronous: write 'with' before it, without"
                " 'async'."
            )
        self._async = session
        await session.run_sync(self._open)
        return session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._async = self._async, None
        assert session is not None
        # Shielded: a task that is cancelled once more must not leave the connection as it is.
        await asyncio.shield(session.run_sync(lambda _: self._close(kind, error, traceback)))

    def _open(self, session: Session) -> None:
        begun = session.get_transaction()
        depth = session.info.get(DEPTH, 0)
        if depth or (begun is not None and begun.origin is not SessionTransactionOrigin.AUTOBEGIN):
            scope = self._begin_nested(session)
        else:
            scope = self._begin(session)
        self._scope = scope.__enter__()
        session.info[DEPTH] = depth + 1

    def _begin_nested(self, session: Session) -> SessionTransaction:
        if self._isolation_level is not None:
            raise ValueError(
                "A savepoint has the isolation level of its transaction. Give isolation_level to"
                " the outermost db.transaction()."
            )
        self._repeatable = False
        return session.begin_nested()

    def _begin(self, session: Session) -> SessionTransaction:
        if has_work(session):
            self._repeatable = False
        elif session.in_transaction():
            # End what reading began, so that this one sees the present state.
            session.commit()
        transaction = session.get_transaction() or session.begin()
        try:
            self._connect(session)
        except BaseException:
            session.rollback()
            raise
        return transaction

    def _connect(self, session: Session) -> None:
        level = self._isolation_level
        try:
            session.get_bind()
        except exc.UnboundExecutionError:
            # There is no default database, and which one it will be is not known yet.
            if level is not None:
                raise
            return
        options = {"isolation_level": level} if level else {}
        connection = session.connection(execution_options=options)
        if connection.dialect.name == "sqlite":
            _lock_sqlite(connection)

    def _close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope, self._scope = self._scope, None
        assert scope is not None
        scope.session.info[DEPTH] -= 1
        scope.__exit__(kind, error, traceback)

    def __call__(self, func: Callable[P, R], /) -> Callable[P, R]:
        # The framework looks whether a view is a coroutine function, and is to see one.
        wrapper = self._wrap_async(func) if inspect.iscoroutinefunction(func) else self._wrap(func)
        return t.cast("Callable[P, R]", update_wrapper(wrapper, func))

    def _wrap(self, func: Callable[P, R]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            attempt = 1
            while True:
                transaction = self._copy()
                try:
                    with transaction:
                        return func(*args, **kwargs)
                except exc.DBAPIError as error:
                    if not transaction._may_repeat(attempt, error):
                        raise
                _wait(pause(attempt))
                attempt += 1

        return call

    def _wrap_async(
        self, func: Callable[P, Awaitable[t.Any]]
    ) -> Callable[P, Coroutine[t.Any, t.Any, t.Any]]:
        async def call(*args: P.args, **kwargs: P.kwargs) -> t.Any:
            attempt = 1
            while True:
                transaction = self._copy()
                try:
                    async with transaction:
                        return await func(*args, **kwargs)
                except exc.DBAPIError as error:
                    if not transaction._may_repeat(attempt, error):
                        raise
                await asyncio.sleep(pause(attempt))
                attempt += 1

        return call

    def _copy(self) -> Transaction:
        return Transaction(self._maker, self._attempts, self._isolation_level, self._given)

    def _may_repeat(self, attempt: int, error: exc.DBAPIError) -> bool:
        return attempt < self._attempts and self._repeatable and find_cause(error) is Cause.CONFLICT


def _lock_sqlite(connection: Connection) -> None:
    """Take the lock that writing needs now, so that what is read stays true until it is used.

    On the other databases ``SELECT … FOR UPDATE`` does so for the rows that matter.
    """
    driver: t.Any = connection.connection.driver_connection
    if not driver.in_transaction and driver.isolation_level is not None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def has_work(session: Session) -> bool:
    """Tell whether a session has changes that are not committed.

    :param session: the session.
    """
    return bool(session.new or session.dirty or session.deleted) or has_written(session)
