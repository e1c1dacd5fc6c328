"""The life of a worker: what runs when it begins and ends to serve, and beside its requests."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import sys
import threading
import time
import typing as t
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from inspect import isasyncgen

from ..local import _cv_app, _cv_request
from ..plan import is_coroutine_function
from .fibers import run_in_fiber
from .loop import background_loop, keep, mark_serving
from .threads import current

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from .. import typing as ft
    from ..wrappers import Request
    from .threads import WorkerPool

_DEFAULT_TIMEOUT = 5.0
# How many seconds work that was cancelled may take to clear up.
_CANCEL_TIME = 1.0


class Life:
    """Starts and stops what an application runs while a worker serves it.

    :param app: the application.
    :param pool: the threads for synchronous work.
    """

    def __init__(self, app: ft.Application, pool: WorkerPool) -> None:
        self.app = app
        self._pool = pool
        self._lock = threading.Lock()
        self._starting: Future[None] | None = None
        self._generators: list[t.Any] = []
        self._tasks: set[_Work] = set()
        self._stops_with_process = False
        #: The loop that the worker serves on, once it has begun.
        self.loop: asyncio.AbstractEventLoop | None = None

    # --- Beginning and end --------------------------------------------------------------------

    async def start(self) -> None:
        """Run what is to run before the first request, once, on the running loop.

        :raises Exception: what a function raised; the next call tries again.
        """
        with self._lock:
            started, first = self._starting, self._starting is None
            if started is None:
                started = self._starting = Future()
        if not first:
            await asyncio.wrap_future(started)
            return
        self.loop = asyncio.get_running_loop()
        mark_serving(self.loop)
        try:
            await run_in_fiber(self._begin, (), contextvars.copy_context())
        except BaseException:
            self._starting = None
            started.set_exception(RuntimeError("The application could not be started."))
            raise
        started.set_result(None)
        self.app._is_to_start = False

    def start_without_loop(self) -> None:
        """Start under a WSGI server: on the background loop, and until the process ends."""
        background_loop.run(self.start())
        self._stop_with_process()

    def _stop_with_process(self) -> None:
        """Have all stopped at the end of the process, where no server says that it ends."""
        with self._lock:
            if self._stops_with_process:
                return
            self._stops_with_process = True
        life = weakref.ref(self)

        def stop() -> None:
            alive = life()
            if alive is not None:
                background_loop.run(alive.stop())

        atexit.register(stop)
        # An application that is gone has nothing to stop.
        weakref.finalize(self, atexit.unregister, stop).atexit = False
        process: t.Any = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            # Until Python 3.13 such a child runs only what multiprocessing itself knows of.
            from multiprocessing.util import Finalize

            Finalize(None, stop, exitpriority=0)

    async def stop(self) -> None:
        """Wait for what runs in the background, then run what is to run at the end.

        All of it is run, also where a part raises; the first exception is raised at the end.
        """
        with self._lock:
            started, self._starting = self._starting, None
        await self._finish_tasks()
        if started is None:
            return
        self.app._is_to_start = self.app._has_service
        await run_in_fiber(self._end, (), contextvars.copy_context())

    def _begin(self) -> None:
        app = self.app
        with app.app_context():
            for function in app.before_serving_funcs:
                app.ensure_sync(function)()
            for function in app.while_serving_gens:
                generator = function()
                self._step(generator)
                self._generators.append(generator)

    def _end(self) -> None:
        app = self.app
        generators, self._generators = self._generators, []
        ends: list[Callable[[], t.Any]] = [
            *(lambda g=generator: self._step(g, last=True) for generator in reversed(generators)),
            *(app.ensure_sync(function) for function in app.after_serving_funcs),
        ]
        first: BaseException | None = None
        with app.app_context():
            for end in ends:
                try:
                    end()
                except Exception as error:
                    first = first or error
        if first is not None:
            raise first

    def _step(self, generator: t.Any, last: bool = False) -> None:
        """Run a generator of ``while_serving`` up to its ``yield``, or from there to its end."""
        try:
            if isasyncgen(generator):
                self.app.async_to_sync(generator.__anext__)()
            else:
                next(generator)
        except (StopIteration, StopAsyncIteration):
            if last:
                return
            raise RuntimeError("A function of 'while_serving' must yield once.") from None
        if last:
            raise RuntimeError("A function of 'while_serving' must yield only once.")

    # --- Beside the requests ------------------------------------------------------------------

    def run_later(
        self, func: Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> Callable[[], None]:
        """Prepare a call, and return what makes it, in the background.

        The call sees the context variables of now, and copies of the contexts of now.

        :param func: the function; a coroutine function runs on the loop, another in a thread.
        """
        request_ctx = _cv_request.get(None)
        ctx = self.app.app_context() if request_ctx is None else request_ctx.copy()
        context = contextvars.copy_context()
        loop = current.loop or asyncio._get_running_loop() or self.loop
        if loop is None:
            loop = background_loop.start()
            self._stop_with_process()

        def work() -> None:
            # The contexts that were active have ended in the meantime; they must not be used.
            _cv_app.set(None)
            _cv_request.set(None)
            try:
                with ctx:
                    self.app.ensure_sync(func)(*args, **kwargs)
            except Exception as error:
                self.app.handle_background_exception(error)

        def start() -> None:
            if request_ctx is not None:
                _keep_environ(request_ctx.request)
            begun = _Work(loop)
            self._tasks.add(begun)
            begun.ended.add_done_callback(lambda _: self._tasks.discard(begun))
            loop.call_soon_threadsafe(spawn, begun)

        def spawn(begun: _Work) -> None:
            if is_coroutine_function(func):
                running: Awaitable[None] = run_in_fiber(work, (), context)
            else:
                running = self._pool.call(loop, context, work)
            begun.run(running)

        return start

    async def _finish_tasks(self) -> None:
        """Wait for the background, as long as the configuration says."""
        timeout = self.app.config.get("BACKGROUND_TASK_SHUTDOWN_TIMEOUT", _DEFAULT_TIMEOUT)
        deadline = time.monotonic() + timeout
        # What is waited for may begin more.
        while self._tasks and (left := deadline - time.monotonic()) > 0:
            await _wait_for(set(self._tasks), left)
        late = set(self._tasks)
        if not late:
            return
        for begun in late:
            begun.cancel()
        await _wait_for(late, _CANCEL_TIME)
        self.app.logger.warning(
            "%d background tasks had not ended %s s after the service did.", len(late), timeout
        )


def _keep_environ(request: Request) -> None:
    """Give a request an environment of its own: uWSGI empties the one it made when it has sent
    the response."""
    environ = request.environ = request.environ.copy()
    headers: t.Any = vars(request).get("headers")
    if headers is not None:
        headers.environ = environ


class _Work:
    """Something that runs in the background.

    :param loop: the loop that it runs on, or that its thread works for.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        #: Says so to threads and other loops.
        self.ended: Future[None] = Future()

    def run(self, running: Awaitable[None]) -> None:
        """Run something on the loop; called there."""

        def end(_: asyncio.Task[None]) -> None:
            if isinstance(running, Coroutine):
                # It may have been cancelled before it began.
                running.close()
            self.ended.set_result(None)

        self._task = self._loop.create_task(_await(running))
        self._task.add_done_callback(end)
        keep(self._task)

    def cancel(self) -> None:
        """Cancel it, from any thread; it ends a moment later."""
        with suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._cancel_here)

    def _cancel_here(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _await(running: Awaitable[None]) -> None:
    await running


async def _wait_for(works: Iterable[_Work], seconds: float) -> None:
    await asyncio.wait({asyncio.wrap_future(work.ended) for work in works}, timeout=seconds)
