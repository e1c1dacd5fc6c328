"""The life of a worker: what runs when it begins and ends to serve, and beside its requests."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import threading
import typing as t
import weakref
from concurrent.futures import Future
from inspect import isasyncgen

from ..local import _cv_app, _cv_request
from ..plan import is_coroutine_function
from .fibers import run_in_fiber
from .loop import background_loop, keep, mark_serving
from .threads import current

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .. import typing as ft
    from .threads import WorkerPool

_DEFAULT_TIMEOUT = 5.0


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
        self._tasks: set[Future[None]] = set()
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
        life = weakref.ref(self)

        def stop() -> None:
            alive = life()
            if alive is not None:
                background_loop.run(alive.stop())

        atexit.register(stop)
        # An application that is gone has nothing to stop.
        weakref.finalize(self, atexit.unregister, stop).atexit = False

    async def stop(self) -> None:
        """Wait for what runs in the background, then run what is to run at the end.

        All of it is run, also where a part raises; the first exception is raised at the end.
        """
        with self._lock:
            started, self._starting = self._starting, None
        if started is None:
            return
        self.app._is_to_start = self.app._has_service
        await self._finish_tasks()
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
        loop = current.loop or asyncio._get_running_loop() or self.loop or background_loop.start()

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
            done: Future[None] = Future()
            self._tasks.add(done)
            done.add_done_callback(self._tasks.discard)
            loop.call_soon_threadsafe(spawn, done)

        def spawn(done: Future[None]) -> None:
            if is_coroutine_function(func):
                running: Awaitable[None] = run_in_fiber(work, (), context)
            else:
                running = self._pool.call(loop, context, work)
            keep(loop.create_task(_report(running, done)))

        return start

    async def _finish_tasks(self) -> None:
        """Wait for the background, as long as the configuration says."""
        tasks = {asyncio.wrap_future(task) for task in self._tasks}
        if not tasks:
            return
        timeout = self.app.config.get("BACKGROUND_TASK_SHUTDOWN_TIMEOUT", _DEFAULT_TIMEOUT)
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            self.app.logger.warning(
                "%d background tasks had not ended %s s after the service did.", len(late), timeout
            )


async def _report(running: Awaitable[None], done: Future[None]) -> None:
    """Await something, and say to threads and other loops that it has ended."""
    try:
        task = asyncio.ensure_future(running)
        done.add_done_callback(lambda done: done.cancelled() and task.cancel())
        await task
    finally:
        if not done.done():
            done.set_result(None)
