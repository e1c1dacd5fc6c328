"""The event loop that coroutines of synchronous servers run on.

A WSGI server calls the application in its own threads. Coroutines of all requests of a process run
on one loop, kept in a background thread, so that an HTTP client or a pool of connections made in
one request can be used in the next.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import typing as t
import weakref
from concurrent.futures import Future

from .fibers import run_in_fiber, wait_here

if t.TYPE_CHECKING:
    from collections.abc import Awaitable

T = t.TypeVar("T")


class BackgroundLoop:
    """An event loop in a daemon thread, started when the first coroutine needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run a coroutine on the loop and return its result.

        The coroutine sees the caller's context variables, and the caller sees what it set.

        :param awaitable: the coroutine, or another awaitable.
        :returns: its result; its exception is raised.
        """
        return run_on(self.start(), awaitable)

    def start(self) -> asyncio.AbstractEventLoop:
        """Return the loop, which runs from now on."""
        loop = self._loop
        if loop is not None:
            return loop
        with self._lock:
            if self._loop is None:
                # The loop keeps the context it is made in, which must not be that of a request.
                self._loop = contextvars.Context().run(asyncio.new_event_loop)
                mark_serving(self._loop)
                threading.Thread(
                    target=self._loop.run_forever, name="erlen-loop", daemon=True
                ).start()
            return self._loop

    def forget(self) -> None:
        """Start anew at the next use: threads do not live on in a forked process."""
        self.__init__()  # type: ignore[misc]


def run_on(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[T]) -> T:
    """Run a coroutine on a loop of another thread, and wait for its result.

    :param loop: the loop.
    :param awaitable: the coroutine, or another awaitable. It sees the caller's context variables,
        and the caller sees what it set.
    """
    context = contextvars.copy_context()
    done: Future[T] = Future()
    loop.call_soon_threadsafe(_create_task, loop, awaitable, context, done)
    try:
        return done.result()
    finally:
        # Its exception leads to this frame, which must not hold it.
        del done
        _adopt(context)


def _create_task(
    loop: asyncio.AbstractEventLoop,
    awaitable: Awaitable[T],
    context: contextvars.Context,
    done: Future[T],
) -> None:
    keep(loop.create_task(_deliver(awaitable, context, done), context=context))


async def _deliver(awaitable: Awaitable[T], context: contextvars.Context, done: Future[T]) -> None:
    """Await something and hand over what it ends with.

    It is awaited in a fiber, so that synchronous code which it calls may wait as well. Nothing is
    raised here: SystemExit or KeyboardInterrupt would end the loop for all requests.
    """
    try:
        result: t.Any = await run_in_fiber(wait_here, (awaitable,), context)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
    finally:
        del done


def keep(task: asyncio.Task[t.Any]) -> None:
    """Refer to a task until it has ended: the loop itself refers to its tasks weakly."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[t.Any]] = set()


def _adopt(context: contextvars.Context) -> None:
    """Set the context variables here to what they are in *context*, where that differs."""
    for variable, value in context.items():
        if variable.get(_missing) is not value:
            variable.set(value)


_missing: t.Any = object()

# The loops that requests are handled on. A request that blocked one would wait for itself.
_serving: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


def mark_serving(loop: asyncio.AbstractEventLoop) -> None:
    """Remember that requests are handled on a loop."""
    _serving.add(loop)


def is_serving(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether requests are handled on a loop."""
    return loop in _serving


background_loop = BackgroundLoop()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=background_loop.forget)
