"""Large results, row by row: never all of them in memory.

A stream has a session and a connection of its own, from its first row to its end. Other queries of
the request do not meet it, which MariaDB would not allow on one connection, and it goes on after
the request's own session is closed.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

__all__ = ["Stream"]

T = t.TypeVar("T")

#: How many rows are fetched at a time.
SIZE = 500


class Stream(t.Generic[T]):
    """The result of a statement, fetched while it is iterated over.

    Made by :meth:`SQLAlchemy.stream() <erlen.db.SQLAlchemy.stream>`. The statement has run already:
    where it fails, the request does, and not a response that is half sent. The connection goes back
    at the end of the rows, at an error, by :meth:`close`, and when nothing refers to the stream any
    more, as when a client goes away.
    """

    def __init__(
        self,
        session: Session,
        select: sa.Select[T],
        size: int,
        close: Callable[[Session], None],
    ) -> None:
        self._session: Session | None = session
        self._close_session = close
        self._result: sa.Result[t.Any] | None = None
        try:
            self._result = session.execute(select, execution_options={"yield_per": size})
            self._rows: Iterator[T] = self._result.scalars()
            if session.join_transaction_mode == "create_savepoint":
                # In a test that is undone. Its one connection is for others too.
                self._rows = iter(list(self._rows))
                self._release()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> T:
        try:
            return next(self._rows)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back. With MariaDB that means to read what is left of the result."""
        self._rows = iter(())
        self._release()

    def _release(self) -> None:
        session, self._session = self._session, None
        result, self._result = self._result, None
        if session is None:
            return
        try:
            # What belongs to an event loop is closed there, with the session.
            if result is not None and getattr(session, "_loop", None) is None:
                result.close()
        finally:
            self._close_session(session)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


async def stream_async(session: AsyncSession, select: sa.Select[T], size: int) -> AsyncIterator[T]:
    """Yield the rows of a statement, fetched meanwhile.

    :param session: what runs the statement; it is closed at the end.
    :param select: the statement.
    :param size: how many rows are fetched at a time.
    """
    async with session:
        rows = await session.stream_scalars(select, execution_options={"yield_per": size})
        try:
            async for row in rows:
                yield row
        finally:
            await rows.close()
