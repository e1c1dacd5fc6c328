"""Fibers: where synchronous code runs on an event loop and may wait without blocking it.

A fiber is a greenlet. The task of a request starts a function in one; when the function comes to
something that has to be awaited, the fiber hands it to the task, which awaits it in its place, and
goes on with the result. So the steps of a request are stated once, as plain functions, and a
coroutine among them needs no second statement of their order.

A coroutine is first stepped inside the fiber itself. Only where it really suspends does control
leave the fiber, so a coroutine that does not suspend costs no switch.
"""

from __future__ import annotations

import threading
import typing as t
from contextvars import Context

from greenlet import getcurrent, greenlet

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

T = t.TypeVar("T")

# How many idle fibers a thread keeps. Each has a stack of its own, of some kilobytes.
_MAX_IDLE = 256

# What a fiber hands over when its function has returned, and when it has raised.
RETURNED: t.Any = object()
_RAISED: t.Any = object()


class Fiber(greenlet):
    """A greenlet that runs one function after another."""

    # SQLAlchemy then waits for asynchronous drivers in it, as in greenlets of its own.
    __sqlalchemy_greenlet_provider__ = True

    outcome: t.Any = None

    def run(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run functions for as long as there are any; who takes the fiber switches to it."""
        func: Callable[..., t.Any]
        args: tuple[t.Any, ...]
        func, args = self.parent.switch()  # type: ignore[union-attr]
        while True:
            try:
                self.outcome = func(*args)
                state = RETURNED
            except BaseException as error:
                self.outcome = error
                state = _RAISED
            # Nothing of one request may live on until the next.
            del func, args
            func, args = self.parent.switch(state)  # type: ignore[union-attr]


class _Idle(threading.local):
    """The fibers of a thread that have nothing to do."""

    def __init__(self) -> None:
        self.fibers: list[Fiber] = []


idle = _Idle()


async def run_in_fiber(func: Callable[..., T], args: tuple[t.Any, ...], context: Context) -> T:
    """Run a function in a fiber, and await in its place what it waits for.

    :param func: the function.
    :param args: its arguments.
    :param context: the context variables that it sees and sets.
    :returns: its result; its exception is raised.
    """
    fiber = take_fiber(context)
    state = fiber.switch((func, args))
    if state is not RETURNED:
        state = await wait_for_fiber(fiber, state)
    return t.cast(T, end_fiber(fiber, state))


def take_fiber(context: Context) -> Fiber:
    """Return a fiber that waits for a function and its arguments to be switched to it.

    What ``fiber.switch((func, args))`` returns is the fiber's state: where that is not
    :data:`RETURNED`, it goes to :func:`wait_for_fiber`. The last state goes to :func:`end_fiber`.

    :param context: the context variables that the function sees and sets.
    """
    fibers = idle.fibers
    # PERF: a fiber that is used again costs a quarter of a new one.
    if fibers:
        fiber = fibers.pop()
        fiber.parent = getcurrent()
    else:
        fiber = Fiber()
        fiber.switch()
    fiber.gr_context = context
    return fiber


def end_fiber(fiber: Fiber, state: t.Any) -> t.Any:
    """Return the result of the function that a fiber ran, or raise its exception.

    :param fiber: the fiber, which may be used for another function now.
    :param state: its last state.
    """
    outcome = fiber.outcome
    # Its context leads to the request.
    fiber.outcome = fiber.gr_context = None
    fibers = idle.fibers
    if len(fibers) < _MAX_IDLE:
        fibers.append(fiber)
    if state is RETURNED:
        return outcome
    try:
        raise outcome
    finally:
        # Its traceback leads to this frame, which must not hold it.
        del outcome


class wait_for_fiber:
    """Await what a fiber hands over, until its function has ended; the result is its last state.

    :param fiber: the fiber.
    :param waited_for: its first state.
    """

    __slots__ = ("_fiber", "_waited_for")

    def __init__(self, fiber: Fiber, waited_for: t.Any) -> None:
        self._fiber = fiber
        self._waited_for = waited_for

    def __await__(self) -> Generator[t.Any, t.Any, t.Any]:
        fiber, state = self._fiber, self._waited_for
        while state is not RETURNED and state is not _RAISED:
            try:
                if state is None or getattr(state, "_asyncio_future_blocking", False):
                    sent = yield state
                else:
                    # SQLAlchemy hands over what it wants awaited, and does no step of it itself.
                    sent = yield from state.__await__()
            except BaseException as error:
                fiber.parent = getcurrent()
                state = fiber.throw(error)
            else:
                fiber.parent = getcurrent()
                state = fiber.switch(sent)
        return state


def in_fiber() -> bool:
    """Return whether this code runs in a fiber, where waiting blocks no other request.

    .. code-block:: python

        if erlen.in_fiber():
            rows = erlen.await_(fetch_all())
    """
    return type(getcurrent()) is Fiber


def wait_in_fiber(fiber: t.Any, awaitable: Awaitable[T]) -> T:
    """Return the result of an awaitable, giving way to other requests in the meantime.

    :param fiber: the current greenlet, which is a :class:`Fiber`.
    :param awaitable: what to wait for.
    """
    steps: t.Any = awaitable
    if not hasattr(awaitable, "send"):
        start = getattr(awaitable, "__await__", None)
        if start is None:
            raise TypeError(
                "Only an awaitable can be waited for, such as what a coroutine function returns;"
                f" this is of type {type(awaitable).__name__!r}."
            )
        steps = start()
    try:
        waited_for = steps.send(None)
    except StopIteration as stop:
        result: T = stop.value
    else:
        result = go_on_in_fiber(fiber, steps, waited_for)
    return result


def wait_here(awaitable: Awaitable[T]) -> T:
    """Return the result of an awaitable; called in a fiber only.

    :param awaitable: what to wait for.
    """
    return wait_in_fiber(getcurrent(), awaitable)


def go_on_in_fiber(fiber: t.Any, steps: t.Any, waited_for: t.Any) -> t.Any:
    """Return the result of a coroutine that has suspended.

    :param fiber: the current greenlet, which is a :class:`Fiber`.
    :param steps: the coroutine, or what ``__await__`` of another awaitable returned.
    :param waited_for: what it waits for.
    """
    try:
        while True:
            try:
                sent = fiber.parent.switch(waited_for)
            except BaseException as error:
                waited_for = steps.throw(error)
            else:
                waited_for = steps.send(sent)
    except StopIteration as stop:
        return stop.value
