"""Waiting for the next item of a stream, but not longer than somebody else may be kept waiting."""

from __future__ import annotations

import asyncio
import typing as t
from contextvars import copy_context

from .fibers import run_in_fiber

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: What stands for an item that was not there in time.
LATE: t.Any = object()
#: What stands for the item after the last one.
END: t.Any = object()


class PatientIterator:
    """Takes the items of an iterator on an event loop, and goes on waiting where one is late.

    :param iterator: an asynchronous iterator, or one of synchronous code, whose steps then run in
        fibers.
    """

    def __init__(self, iterator: AsyncIterator[t.Any] | Iterator[t.Any]) -> None:
        self._iterator = iterator
        self._pending: asyncio.Task[t.Any] | None = None

    async def take(self, seconds: float | None) -> t.Any:
        """Return the next item, :data:`END` after the last, :data:`LATE` where there is none yet.

        :param seconds: how long to wait; ``None`` for as long as it takes.
        """
        pending = self._pending
        if pending is None:
            pending = self._pending = asyncio.ensure_future(self._step())
        await asyncio.wait({pending}, timeout=seconds)
        if not pending.done():
            return LATE
        self._pending = None
        return pending.result()

    async def _step(self) -> t.Any:
        iterator: t.Any = self._iterator
        if not hasattr(iterator, "__anext__"):
            return await run_in_fiber(next, (iterator, END), copy_context())
        try:
            return await iterator.__anext__()
        except StopAsyncIteration:
            return END

    async def close(self) -> None:
        """Stop waiting, and close the iterator if it can be closed."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
        iterator: t.Any = self._iterator
        if hasattr(iterator, "aclose"):
            await iterator.aclose()
        elif hasattr(iterator, "close"):
            await run_in_fiber(iterator.close, (), copy_context())
