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
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import update_wrapper

T = t.TypeVar("T")


class BackgroundLoop:
    """An event loop in a daemon thread, started when the first coroutine needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[t.Any, t.Any, T]) -> T:
        """Run a coroutine on the loop and return its result.

        The coroutine sees the caller's context variables, and the caller sees what it set.

        :param coroutine: the coroutine.
        :returns: its result; its exception is raised.
        :raises RuntimeError: where the caller runs on the loop itself, which would wait for ever.
        """
        loop = self._start()
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "Asynchronous code was called from synchronous code that itself runs on the event"
                " loop, so waiting for it would never end. Make the function between them"
                " 'async def' and await the call."
            )
        context = contextvars.copy_context()
        done: Future[T] = Future()
        loop.call_soon_threadsafe(self._create_task, loop, coroutine, context, done)
        try:
            return done.result()
        finally:
            # Its exception leads to this frame, which must not hold it.
            del done
            _adopt(context)

    @staticmethod
    def _create_task(
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[t.Any, t.Any, T],
        context: contextvars.Context,
        done: Future[T],
    ) -> None:
        task = loop.create_task(_deliver(coroutine, done), context=context)
        # The loop itself refers to its tasks weakly.
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is not None:
            return loop
        with self._lock:
            if self._loop is None:
                # The loop keeps the context it is made in, which must not be that of a request.
                self._loop = contextvars.Context().run(asyncio.new_event_loop)
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="erlen-loop", daemon=True
                )
                self._thread.start()
            return self._loop

    def forget(self) -> None:
        """Start anew at the next use: threads do not live on in a forked process."""
        self.__init__()  # type: ignore[misc]


async def _deliver(coroutine: Coroutine[t.Any, t.Any, T], done: Future[T]) -> None:
    """Await a coroutine and hand over what it ends with.

    Nothing is raised here: SystemExit or KeyboardInterrupt would end the loop for all requests.
    """
    try:
        result = await coroutine
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
    finally:
        del done


_tasks: set[asyncio.Task[None]] = set()


def _adopt(context: contextvars.Context) -> None:
    """Set the context variables here to what they are in *context*, where that differs."""
    for variable, value in context.items():
        if variable.get(_missing) is not value:
            variable.set(value)


_missing: t.Any = object()

background_loop = BackgroundLoop()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=background_loop.forget)


def async_to_sync(func: Callable[..., Coroutine[t.Any, t.Any, T]]) -> Callable[..., T]:
    """Return a function that runs a coroutine function on the background loop and waits for it.

    :param func: the coroutine function.
    """

    def wrapper(*args: t.Any, **kwargs: t.Any) -> T:
        return background_loop.run(func(*args, **kwargs))

    return t.cast("Callable[..., T]", update_wrapper(wrapper, func))
