"""Calls that may take long: given up in time, and never in the way of an event loop."""

from __future__ import annotations

import asyncio
import os
import threading
import typing as t
from concurrent.futures import Future, wait
from queue import SimpleQueue

from erlen import await_, in_fiber

from .store import StoreUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable

T = t.TypeVar("T")

#: Seconds that a call of a store may take.
PATIENCE = 1.8
# How many calls run at a time, and how many that were given up may still hang beside them.
_LIMIT = 16
_HANGING = 64


class _Workers:
    """Threads for calls. They do not keep the process from ending.

    A call that is given up keeps its thread until it returns; others get a new one.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._queue: SimpleQueue[tuple[Future[t.Any], Callable[[], t.Any]]] = SimpleQueue()
        self._idle = self._busy = self._hanging = 0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have a call made in a thread; it waits where all of them are busy."""
        if self._pid != os.getpid():
            # A child process has none of the threads of its parent.
            self._reset()
        future: Future[T] = Future()
        with self._lock:
            if self._hanging >= _HANGING:
                raise StoreUnavailable("too many earlier calls have not returned")
            if self._idle:
                self._idle -= 1
            elif self._busy < _LIMIT:
                self._busy += 1
                threading.Thread(target=self._work, name="session store", daemon=True).start()
            self._queue.put((future, call))
        return future

    def give_up(self, future: Future[t.Any]) -> None:
        """Stop waiting for a call: take it back, or leave its thread alone."""
        with self._lock:
            if not future.cancel() and not future.done():
                future.given_up = True  # type: ignore[attr-defined]
                self._busy -= 1
                self._hanging += 1

    def _work(self) -> None:
        while True:
            future, call = self._queue.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            with self._lock:
                if getattr(future, "given_up", False):
                    self._hanging -= 1
                    return
                if self._queue.empty():
                    self._idle += 1
            # What it refers to must not wait for the next call.
            del future, call


_workers = _Workers()


def on_loop() -> bool:
    """Tell whether this code runs on an event loop, where a call that waits would stop others."""
    return in_fiber() or asyncio._get_running_loop() is not None


def in_time(call: Callable[[], T]) -> T:
    """Make a call in a thread and return its result, or give up.

    On an event loop other requests go on in the meantime.

    :param call: what to call, without arguments.
    :raises StoreUnavailable: where it takes longer than :data:`PATIENCE`.
    """
    future = _workers.submit(call)
    try:
        if on_loop():
            await_(_finish(future))
        else:
            wait((future,), PATIENCE)
    except BaseException:
        _workers.give_up(future)
        raise
    if not future.done():
        _workers.give_up(future)
        raise StoreUnavailable(f"no answer within {PATIENCE} seconds")
    return future.result()


async def _finish(future: Future[t.Any]) -> None:
    """Wait on the loop until a call has returned or its time is over."""
    loop = asyncio.get_running_loop()
    returned = asyncio.Event()

    def wake(_: Future[t.Any]) -> None:
        try:
            loop.call_soon_threadsafe(returned.set)
        except RuntimeError:  # the loop was closed meanwhile
            pass

    future.add_done_callback(wake)
    try:
        await asyncio.wait_for(returned.wait(), PATIENCE)
    except TimeoutError:
        pass
