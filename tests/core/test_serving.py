"""The life of a worker: what runs before, around and after its requests, and beside them."""

from __future__ import annotations

import asyncio
import logging
import threading
import typing as t

import pytest

from erlen import (
    Flask,
    after_this_response,
    current_app,
    g,
    got_background_exception,
    request,
    stream_with_context,
)

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from erlen.testing import FlaskClient

# How long to wait for what should come at once, in seconds.
PATIENCE = 30


class Events:
    """A log that tests wait on."""

    def __init__(self) -> None:
        self.log: list[t.Any] = []
        self._changed = threading.Condition()

    def add(self, event: t.Any) -> None:
        """Note an event."""
        with self._changed:
            self.log.append(event)
            self._changed.notify_all()

    def wait_for(self, event: t.Any) -> None:
        """Return when an event was noted."""
        with self._changed:
            assert self._changed.wait_for(lambda: event in self.log, PATIENCE), self.log


@pytest.fixture
def events() -> Events:
    """An empty log."""
    return Events()


@pytest.fixture
def serving_app(app: Flask, events: Events) -> Flask:
    """An application that notes what runs around its service."""

    @app.before_serving
    async def before() -> None:
        await asyncio.sleep(0)
        events.add(("before", current_app.name))
        app.extensions["loop"] = asyncio.get_running_loop()

    @app.before_serving
    def before_too() -> None:
        events.add("before too")

    @app.while_serving
    async def around() -> AsyncIterator[None]:
        events.add("enter")
        await asyncio.sleep(0)
        yield
        await asyncio.sleep(0)
        events.add("leave")

    @app.while_serving
    def around_too() -> Iterator[None]:
        events.add("enter too")
        yield
        events.add("leave too")

    @app.after_serving
    async def after() -> None:
        events.add("after")

    @app.get("/")
    async def index() -> str:
        events.add("request")
        return str(asyncio.get_running_loop() is app.extensions["loop"])

    return app


BEGINNING: list[t.Any] = [("before", "erlen_test"), "before too", "enter", "enter too"]
END = ["leave too", "leave", "after"]


def test_the_first_request_starts_a_worker(
    serving_app: Flask, gateway_client: FlaskClient, events: Events
) -> None:
    """A server that does not say when it begins: the first request waits for the start."""
    assert gateway_client.get("/").text == "True"
    assert gateway_client.get("/").text == "True"
    assert events.log == [*BEGINNING, "request", "request"]
    asyncio.run_coroutine_threadsafe(serving_app.shutdown(), serving_app.extensions["loop"]).result(
        PATIENCE
    )
    assert events.log[-3:] == END


def test_lifespan(serving_app: Flask, events: Events) -> None:
    """An ASGI server says when it begins and ends."""
    sent = run_lifespan(serving_app)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert events.log == [*BEGINNING, *END]


def test_rsgi_life(serving_app: Flask, events: Events) -> None:
    """Granian calls two methods with a loop that does not run yet, or no more."""
    loop = asyncio.new_event_loop()
    try:
        serving_app.__rsgi_init__(loop)
        assert events.log == BEGINNING
        serving_app.__rsgi_del__(loop)
        assert events.log == [*BEGINNING, *END]
    finally:
        loop.close()


def test_a_failed_start_is_told_to_the_server(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """What a function before the service raises keeps the server from serving."""

    @app.before_serving
    def fail() -> None:
        raise OSError("no database")

    sent = run_lifespan(app)
    assert sent == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert "Exception at the application's startup" in caplog.text


def test_all_ends_are_run(app: Flask, events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """A function after the service runs also where another one before it has raised."""

    @app.after_serving
    def fail() -> None:
        raise OSError("cannot close")

    @app.after_serving
    def after() -> None:
        events.add("after")

    sent = run_lifespan(app)
    assert sent[-1] == {"type": "lifespan.shutdown.failed", "message": "cannot close"}
    assert events.log == ["after"]


@pytest.mark.parametrize("yields", [0, 2])
def test_while_serving_yields_once(
    app: Flask, yields: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A generator that yields not at all, or twice, is a mistake that is told."""

    @app.while_serving
    async def around() -> AsyncIterator[None]:
        for _ in range(yields):
            yield

    sent = run_lifespan(app)
    assert sent[-1]["type"].endswith(".failed")
    assert "must yield" in sent[-1]["message"]


def run_lifespan(app: Flask) -> list[t.Any]:
    """Begin and end to serve as an ASGI server does; return what the application sent."""
    sent: list[t.Any] = []
    messages: Iterator[dict[str, t.Any]] = iter(
        [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    )

    async def receive() -> dict[str, t.Any]:
        return next(messages)

    async def send(message: t.MutableMapping[str, t.Any]) -> None:
        sent.append(message)

    async def serve() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(serve())
    return sent


@pytest.mark.parametrize("asynchronous", [False, True])
def test_background_task(
    app: Flask, gateway_client: FlaskClient, events: Events, asynchronous: bool
) -> None:
    """A task runs after the response, with arguments, and with contexts like those of before."""

    def work(word: str) -> None:
        events.add((word, request.args["q"], current_app.name, "user" in g))

    async def work_on_loop(word: str) -> None:
        await asyncio.sleep(0)
        work(word)

    @app.get("/")
    def index() -> str:
        g.user = "ada"
        app.add_background_task(work_on_loop if asynchronous else work, "hello")
        assert events.log == []
        return "ok"

    response = gateway_client.get("/?q=1")
    assert response.text == "ok"
    response.close()
    events.wait_for(("hello", "1", "erlen_test", False))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_task_begins_another(
    app: Flask, gateway_client: FlaskClient, events: Events, asynchronous: bool
) -> None:
    """A task that is added in the background has no response to wait for, and runs all the same."""

    def second() -> None:
        events.add(f"second {request.path}")

    def first() -> None:
        app.add_background_task(second)
        events.add("first")

    async def first_on_loop() -> None:
        first()

    @app.get("/")
    def index() -> str:
        app.add_background_task(first_on_loop if asynchronous else first)
        return "ok"

    gateway_client.get("/").close()
    events.wait_for("second /")


def test_a_task_of_a_stream(app: Flask, gateway_client: FlaskClient, events: Events) -> None:
    """A task that is added while the response is sent runs after it."""

    @app.get("/")
    def index() -> Iterator[str]:
        def generate() -> Iterator[str]:
            app.add_background_task(events.add, "task")
            yield "a"
            events.add("sent")

        return stream_with_context(generate())

    response = gateway_client.get("/")
    assert response.text == "a"
    response.close()
    events.wait_for("task")
    assert events.log == ["sent", "task"]


@pytest.mark.gateways("asgi", "rsgi")
def test_a_task_that_comes_too_late(app: Flask, client: FlaskClient, events: Events) -> None:
    """What a view leaves running may add a task when the response is long sent."""
    left: list[asyncio.Task[None]] = []

    @app.get("/")
    async def index() -> str:
        async def add() -> None:
            await asyncio.to_thread(events.wait_for, "sent")
            app.add_background_task(events.add, "task")

        left.append(asyncio.create_task(add()))
        return "ok"

    client.get("/").close()
    events.add("sent")
    events.wait_for("task")


def test_a_task_without_a_response(app: Flask, events: Events) -> None:
    """In a context that brings no response, a task begins at its end."""
    with app.test_request_context("/"):
        after_this_response(lambda: events.add("task"))
        events.add("block")
    events.wait_for("task")
    assert events.log == ["block", "task"]


def test_after_this_response_comes_after_the_stream(
    app: Flask, gateway_client: FlaskClient, events: Events
) -> None:
    """A function for after the response waits for a stream to end."""

    @app.get("/")
    def index() -> Iterator[str]:
        after_this_response(lambda: events.add("after"))

        def generate() -> Iterator[str]:
            yield "a"
            events.add("streamed")
            yield "b"

        return generate()

    response = gateway_client.get("/")
    assert response.text == "ab"
    response.close()
    events.wait_for("after")
    assert events.log == ["streamed", "after"]


def test_a_task_that_fails_is_logged(
    app: Flask, client: FlaskClient, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception of a task goes to a signal and to the log, and harms nothing."""

    def report(sender: Flask, exception: Exception) -> None:
        events.add(repr(exception))

    def fail() -> None:
        raise LookupError("lost")

    @app.get("/")
    def index() -> str:
        app.add_background_task(fail)
        return "ok"

    with got_background_exception.connected_to(report, app):
        client.get("/").close()
        events.wait_for("LookupError('lost')")
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = PATIENCE
    stop(app)
    assert "Exception in a background task" in caplog.text


def test_the_end_waits_for_tasks(app: Flask, events: Events) -> None:
    """A graceful end waits for tasks that are not over."""
    may_end = threading.Event()
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = PATIENCE

    def work() -> None:
        events.add("begun")
        may_end.wait(PATIENCE)
        events.add("done")

    async def serve() -> None:
        await app.startup()
        app.add_background_task(work)
        await asyncio.to_thread(events.wait_for, "begun")
        asyncio.get_running_loop().call_later(0, may_end.set)
        await app.shutdown()
        events.add("ended")

    asyncio.run(serve())
    assert events.log == ["begun", "done", "ended"]


def test_the_end_does_not_wait_for_ever(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A task that does not end in time is cancelled, clears up, and the log says so."""
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.01
    log: list[str] = []
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            log.append("cancelled")
            raise

    @app.after_serving
    def after() -> None:
        log.append("after")

    async def serve() -> None:
        await app.startup()
        app.add_background_task(work)
        await begun.wait()
        await app.shutdown()

    with caplog.at_level(logging.WARNING):
        asyncio.run(serve())
    assert log == ["cancelled", "after"]
    assert "1 background tasks had not ended" in caplog.text


def test_the_end_may_wait_for_nothing(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A task may be cancelled before it has begun."""
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0
    begun: list[str] = []

    async def work() -> None:
        begun.append("begun")

    async def serve() -> None:
        await app.startup()
        app.add_background_task(work)
        await app.shutdown()

    with caplog.at_level(logging.WARNING):
        asyncio.run(serve())
    assert begun == []
    assert "1 background tasks had not ended" in caplog.text
    assert not app._gateway.life._tasks


def stop(app: Flask) -> None:
    """End the service of an application that never began one, on a loop of its own."""
    asyncio.run(app.startup())
    asyncio.run(app.shutdown())
