"""Coroutines wherever Flask takes a function, on a synchronous server."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from erlen import Flask, Response, await_, g, request, session
from erlen.gateway.loop import background_loop
from erlen.views import MethodView, View

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")


def test_every_callable_may_be_a_coroutine_function(app: Flask, client: FlaskClient) -> None:
    """View, hooks, handler, teardown and context processor are awaited in their order."""
    log: list[str] = []

    @app.before_request
    async def before() -> None:
        await asyncio.sleep(0)
        log.append(f"before {request.path}")
        g.value = 1

    @app.after_request
    async def after(response: Response) -> Response:
        await asyncio.sleep(0)
        log.append(f"after {g.value}")
        return response

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        log.append(f"teardown {request.path}")

    @app.teardown_appcontext
    async def teardown_app(exc: BaseException | None) -> None:
        log.append("teardown app")

    @app.errorhandler(ZeroDivisionError)
    async def handle(error: ZeroDivisionError) -> str:
        await asyncio.sleep(0)
        return "handled"

    @app.get("/")
    async def index() -> str:
        session["seen"] = True
        await asyncio.sleep(0)
        return "index"

    @app.get("/fail")
    async def fail() -> str:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    assert client.get("/").text == "index"
    assert log == ["before /", "after 1", "teardown /", "teardown app"]
    assert client.get("/fail").text == "handled"


def test_class_views(app: Flask, client: FlaskClient) -> None:
    """Methods of class-based views may be coroutine functions."""

    class Index(View):
        methods = ["GET", "POST"]

        async def dispatch_request(self) -> str:
            await asyncio.sleep(0)
            return request.method

    class Items(MethodView):
        async def get(self) -> str:
            await asyncio.sleep(0)
            return "get"

    app.add_url_rule("/view", view_func=Index.as_view("view"))
    app.add_url_rule("/items", view_func=Items.as_view("items"))
    assert client.post("/view").text == "POST"
    assert client.get("/items").text == "get"


def test_one_loop_for_all_requests(app: Flask, client: FlaskClient) -> None:
    """What belongs to a loop, a client or a pool, works in later requests and other threads."""
    loops = set()

    @app.get("/")
    async def index() -> str:
        loops.add(asyncio.get_running_loop())
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get("/"), range(16)))
    assert len(loops) == 1


def test_coroutines_of_many_requests_run_at_once(app: Flask) -> None:
    """A coroutine that waits for another request's coroutine does not wait for ever."""
    arrived: list[int] = []
    all_here = asyncio.Event()

    @app.get("/")
    async def index() -> str:
        arrived.append(1)
        if len(arrived) == 8:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), 30)
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().get("/").text, range(8)))
    assert answers == ["ok"] * 8


def test_context_variables_pass_both_ways(app: Flask, client: FlaskClient) -> None:
    """What a hook sets is visible in the view, whichever of them is asynchronous."""

    @app.before_request
    async def before() -> None:
        tenant.set(request.args["tenant"])

    @app.get("/sync")
    def sync_view() -> str:
        return tenant.get()

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        return tenant.get()

    def visit(path: str) -> str:
        return contextvars.copy_context().run(lambda: client.get(path).text)

    assert visit("/sync?tenant=a") == "a"
    assert visit("/async?tenant=b") == "b"
    assert tenant.get() == "none"


def test_an_exception_keeps_its_traceback(app: Flask, client: FlaskClient) -> None:
    """The exception of a coroutine reaches the caller with the line that raised it."""

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0)
        raise LookupError("from the coroutine")

    with pytest.raises(LookupError, match="from the coroutine") as caught:
        client.get("/")
    assert caught.traceback[-1].name == "index"


def test_synchronous_code_between_coroutines(app: Flask, client: FlaskClient) -> None:
    """A coroutine may call a function that waits for another coroutine."""

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0)
        return str(app.ensure_sync(helper)()) + await_(helper())

    async def helper() -> str:
        await asyncio.sleep(0)
        return "ok"

    assert client.get("/").text == "okok"


@pytest.mark.parametrize("cooperative", [False, True])
def test_waiting_for_what_is_no_awaitable(
    app: Flask, gateway_client: FlaskClient, cooperative: bool
) -> None:
    """The error says what was given; so it does where a function was not called."""

    @app.get("/", cooperative=cooperative)
    def index() -> str:
        with pytest.raises(TypeError, match="awaitable.*'function'"):
            await_(t.cast(t.Any, helper))
        return "ok"

    async def helper() -> None:
        pass

    assert gateway_client.get("/").text == "ok"


def test_blocking_the_loop_is_an_error_not_a_deadlock(app: Flask) -> None:
    """Synchronous code of a task on the loop that waits for the loop would wait for ever."""

    @app.get("/")
    async def index() -> str:
        return await asyncio.create_task(call())

    async def call() -> str:
        return str(app.ensure_sync(helper)())

    async def helper() -> str:
        return "never"

    with pytest.raises(RuntimeError, match="In an 'async def' function, await it"):
        app.test_client().get("/")


def test_ensure_sync_can_be_replaced(app: Flask, client: FlaskClient) -> None:
    """An application that runs coroutines its own way is asked for each callable."""
    seen: list[str] = []

    def ensure_sync(func: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        seen.append(func.__name__)
        return func

    @app.get("/")
    def index() -> str:
        return "ok"

    client.get("/")
    app.ensure_sync = ensure_sync  # type: ignore[method-assign]
    client.get("/")
    assert seen == ["index"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_loop_starts_anew_after_a_fork(app: Flask) -> None:
    """A worker that a server forked from a process with a running loop has a loop of its own."""

    async def work() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    background_loop.run(work())
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            background_loop.run(work())
            os.write(write, b"ok")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as result:
        assert result.read() == b"ok"


def test_a_coroutine_that_wants_to_end_the_program(app: Flask, client: FlaskClient) -> None:
    """SystemExit reaches the server's thread, and the loop goes on for other requests."""

    @app.get("/exit")
    async def leave() -> str:
        raise SystemExit(3)

    @app.get("/")
    async def index() -> str:
        return "ok"

    with pytest.raises(SystemExit):
        client.get("/exit")
    assert client.get("/").text == "ok"


def test_debug_mode_tells_who_blocks_the_loop(app: Flask) -> None:
    """In debug mode the log names the line at which an asynchronous view blocks the loop."""
    messages: list[str] = []
    told = threading.Event()

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())
            if "in index" in messages[-1]:
                told.set()

    @app.get("/")
    async def index() -> str:
        # What blocked the loop before, on a busy machine, is over now.
        await asyncio.sleep(0)
        assert told.wait(30)  # blocks the loop
        return "ok"

    app.debug = True
    app.config["BLOCKED_LOOP_SECONDS"] = 0.1
    reader = Reader()
    app.logger.addHandler(reader)
    try:
        assert app.test_client(gateway="asgi").get("/").text == "ok"
    finally:
        app.logger.removeHandler(reader)
    told_of = [message for message in messages if "in index" in message]
    assert "assert told.wait(30)  # blocks the loop" in told_of[0]
