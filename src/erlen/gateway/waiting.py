"""Waiting for asynchronous code from synchronous code, wherever that runs.

There are four places. In a fiber the awaitable is handed to the request's task. In a worker thread
it goes to the loop that the thread works for. In any other thread without a loop (a WSGI server's,
a script's) it goes to the process's background loop. On a loop outside a fiber there is no way, and
the error says so.
"""

from __future__ import annotations

import asyncio
import typing as t
from functools import update_wrapper

from greenlet import getcurrent

from .fibers import Fiber, go_on_in_fiber, wait_in_fiber
from .fibers import in_fiber as in_fiber
from .loop import background_loop, is_serving, run_on
from .threads import current

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = t.TypeVar("T")

_ON_LOOP_MESSAGE = """\
Synchronous code cannot wait for asynchronous code here: it runs on the event loop itself, outside
of a request's fiber, so nothing would be left to do the work.

In an 'async def' function, await it. In a task of your own (asyncio.create_task, asyncio.gather),
make the functions between the task and this call 'async def' too, or run them with
asyncio.to_thread().
"""


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable from synchronous code and return its result.

    In a cooperative view, and in synchronous code that an asynchronous view calls, other requests
    go on in the meantime. In a worker thread or under a WSGI server, the thread waits.

    :param awaitable: a coroutine, a future or another awaitable.
    :returns: its result; its exception is raised.
    :raises RuntimeError: on an event loop outside of a request, where waiting would block the
        loop for ever.
    :raises TypeError: for what is no awaitable.

    .. code-block:: python

        @app.get("/weather", cooperative=True)
        def weather() -> str:
            return erlen.await_(http.get(URL)).text
    """
    fiber = getcurrent()
    if type(fiber) is Fiber:
        return wait_in_fiber(fiber, awaitable)
    if current.loop is None and asyncio._get_running_loop() is not None:
        raise _refusal(awaitable)
    return _wait_elsewhere(awaitable)


def _wait_elsewhere(awaitable: Awaitable[T]) -> T:
    """Wait outside of a fiber.

    A coroutine function that a WSGI application calls may run below a loop that has nothing to do
    with the application, as in an asynchronous test; there the thread waits.
    """
    loop = current.loop
    if loop is not None:
        return run_on(loop, awaitable)
    running = asyncio._get_running_loop()
    if running is not None and is_serving(running):
        raise _refusal(awaitable)
    return background_loop.run(awaitable)


def _refusal(awaitable: Awaitable[t.Any]) -> RuntimeError:
    close = getattr(awaitable, "close", None)
    if close is not None:
        # It will never be awaited, and that is what the error is about.
        close()
    return RuntimeError(_ON_LOOP_MESSAGE)


def async_to_sync(func: Callable[..., Coroutine[t.Any, t.Any, T]]) -> Callable[..., T]:
    """Return a function that calls a coroutine function and waits for its result.

    :param func: the coroutine function.
    """

    def wrapper(*args: t.Any, **kwargs: t.Any) -> T:
        fiber = getcurrent()
        if type(fiber) is not Fiber:
            return _wait_elsewhere(func(*args, **kwargs))
        coroutine = func(*args, **kwargs)
        # PERF: most coroutines of a request end without suspending.
        try:
            waited_for = coroutine.send(None)
        except StopIteration as stop:
            result: T = stop.value
        else:
            result = go_on_in_fiber(fiber, coroutine, waited_for)
        return result

    return t.cast("Callable[..., T]", update_wrapper(wrapper, func))
