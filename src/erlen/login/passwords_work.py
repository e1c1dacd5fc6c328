"""Where hashes are computed: in a few threads, and within a limit of memory.

The threads of a server would do it as well. But glibc gives each thread an arena, which keeps the
19 MiB of its last hash: with 64 threads that was 0.9 GB, with these it is 0.2.
"""

from __future__ import annotations

import asyncio
import os
import threading
import typing as t
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from erlen import await_, in_fiber

T = t.TypeVar("T")


class Room:
    """The memory that hashes of a process may take at the same time.

    One after another waits at the door: otherwise a hash that needs much would wait for ever while
    smaller ones come and go.
    """

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._changed = threading.Condition()
        self._used = 0

    @contextmanager
    def take(self, memory: int, limit: int) -> Iterator[None]:
        """Wait until there is room, and take it for the time of a ``with`` block.

        :param memory: how many bytes are needed.
        :param limit: how many bytes may be taken at the same time.
        """
        with self._door, self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + memory <= limit)
            self._used += memory
        try:
            yield
        finally:
            with self._changed:
                self._used -= memory
                self._changed.notify_all()


#: Hashing keeps a processor busy, so more threads would not be faster.
MAX_THREADS = min(os.cpu_count() or 1, 8)


class Workers:
    """The threads, started when they are needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def get(self) -> ThreadPoolExecutor:
        """Return the threads."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(MAX_THREADS, "erlen-passwords")
            return self._pool


room = Room()
_workers = Workers()


def compute(func: Callable[..., T], *args: t.Any) -> T:
    """Call a function that keeps a processor busy, in one of the threads.

    In a fiber other requests go on meanwhile; elsewhere the caller's thread waits.

    :param func: the function. It must not need the context.
    :param args: its arguments.
    """
    try:
        future = _workers.get().submit(func, *args)
    except RuntimeError:
        # The process ends; what is still answered is answered here.
        return func(*args)
    if in_fiber():
        return await_(asyncio.wrap_future(future))
    return future.result()


def _after_fork() -> None:
    # The threads that held locks are not there in the new process.
    room.__init__()  # type: ignore[misc]
    _workers.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
