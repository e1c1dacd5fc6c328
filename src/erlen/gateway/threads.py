"""Worker threads: where synchronous views run when the server has an event loop."""

from __future__ import annotations

import os
import threading
import typing as t
import weakref
from queue import SimpleQueue

if t.TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextvars import Context

T = t.TypeVar("T")


class Job:
    """A call that a worker thread makes for an event loop.

    :param loop: the loop that waits for it.
    :param context: the context variables that the call sees and sets.
    :param func: what to call.
    :param args: its arguments.
    """

    __slots__ = ("args", "context", "func", "future", "loop")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        func: Callable[..., t.Any],
        args: tuple[t.Any, ...],
    ) -> None:
        self.loop = loop
        self.context = context
        self.func = func
        self.args = args
        self.future: asyncio.Future[t.Any] = loop.create_future()

    def run(self) -> None:
        """Make the call, in the worker's thread."""
        current.loop = self.loop
        try:
            outcome, failed = self.context.run(self.func, *self.args), False
        except BaseException as error:
            outcome, failed = error, True
        finally:
            current.loop = None
        try:
            self.loop.call_soon_threadsafe(self._deliver, outcome, failed)
        except RuntimeError:
            # The loop was closed in the meantime; nobody waits any more.
            _abandon(outcome)

    def _deliver(self, outcome: t.Any, failed: bool) -> None:
        if self.future.done():
            # The request's task was cancelled; what the call returned is nobody's now.
            _abandon(outcome)
        elif failed:
            self.future.set_exception(_portable(outcome))
        else:
            self.future.set_result(outcome)


def _portable(error: BaseException) -> BaseException:
    """Return an exception that a future can carry."""
    if isinstance(error, StopIteration):
        stopped = RuntimeError("a function called in a worker thread raised StopIteration")
        stopped.__cause__ = error
        return stopped
    return error


def _abandon(outcome: t.Any) -> None:
    close = getattr(outcome, "close", None)
    if close is not None:
        # Elsewhere than on the loop: it runs teardown functions.
        threading.Thread(target=close, name="erlen-abandoned", daemon=True).start()


class _Current(threading.local):
    loop: asyncio.AbstractEventLoop | None = None


#: Which loop the running thread works for, where it is a worker.
current = _Current()


class WorkerPool:
    """A bounded number of threads, started when they are needed.

    Waiting calls queue up in the order in which they came.

    :param size: how many threads there are at most.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._forget_threads()
        _pools.add(self)

    def _forget_threads(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._started = 0
        # How many threads wait for a job that no waiting job is counted against.
        self._idle = 0

    def call(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        func: Callable[..., T],
        *args: t.Any,
    ) -> asyncio.Future[T]:
        """Call a function in a worker thread.

        :param loop: the running loop.
        :param context: the context variables that the function sees and sets.
        :param func: the function.
        :param args: its arguments.
        :returns: a future for its result.
        """
        job = Job(loop, context, func, args)
        self._jobs.put(job)
        # PERF: a thread that is about to finish may take the job as well; one too many does no
        # harm.
        if not self._idle and self._started < self.size:
            self._start_thread()
        return job.future

    def _start_thread(self) -> None:
        with self._lock:
            if self._started >= self.size:
                return
            self._started += 1
            number = self._started
        threading.Thread(target=self._work, name=f"erlen-worker-{number}", daemon=True).start()

    def _work(self) -> None:
        jobs = self._jobs
        while True:
            self._idle += 1
            job = jobs.get()
            self._idle -= 1
            job.run()
            del job


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in _pools:
        pool._forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
