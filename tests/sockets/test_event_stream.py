"""Server-sent events, under each protocol."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from erlen import (
    EventStream,
    Flask,
    ServerSentEvent,
    await_,
    current_app,
    g,
    last_event_id,
    request,
    stream_with_context,
)

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from erlen.testing import FlaskClient
    from erlen.typing import ASGIMessage, ASGIScope

FIRST = ":\n\n"


def parse(text: str) -> list[dict[str, str]]:
    """Return the events in a stream as a browser sees them (HTML standard, section 9.2.6)."""
    events: list[dict[str, str]] = []
    for block in text.split("\n\n")[:-1]:
        event: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                value = value.removeprefix(" ")
                event[name] = f"{event[name]}\n{value}" if name in event else value
        if event:
            events.append(event)
    return events


def test_events(app: Flask, gateway_client: FlaskClient) -> None:
    """Text, objects and events with fields go out in the format of the HTML standard."""

    @app.get("/")
    def stream() -> EventStream:
        def events() -> Iterator[t.Any]:
            yield "one"
            yield "two\nlines"
            yield {"a": [1]}
            yield ServerSentEvent("named", event="tick", id="7", retry=100, comment="hi\nthere")
            yield ServerSentEvent(id="8")
            yield None
            yield "é€"

        return EventStream(events())

    response = gateway_client.get("/")
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in response.headers
    assert response.text.startswith(FIRST)
    assert ": hi\n: there\nevent: tick\nid: 7\nretry: 100\ndata: named\n\n" in response.text
    assert parse(response.text) == [
        {"data": "one"},
        {"data": "two\nlines"},
        {"data": '{"a": [1]}'},
        {"event": "tick", "id": "7", "retry": "100", "data": "named"},
        {"id": "8"},
        {"data": "é€"},
    ]


def test_asynchronous(app: Flask, gateway_client: FlaskClient) -> None:
    """An asynchronous iterable is streamed as well, from views of each kind."""

    async def events() -> AsyncIterator[t.Any]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{number} {request.args['q']} {g.name}"

    @app.get("/coroutine")
    async def coroutine() -> EventStream:
        g.name = "g"
        return EventStream(events(), retry=5)

    @app.get("/plain")
    def plain() -> EventStream:
        g.name = "g"
        return EventStream(events())

    for path in ("/coroutine", "/plain"):
        found = parse(gateway_client.get(f"{path}?q=x").text)
        assert [event for event in found if "data" in event] == [
            {"data": f"{number} x g"} for number in range(3)
        ]
        assert ({"retry": "5"} in found) == (path == "/coroutine")


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends(app: Flask, client: FlaskClient, ending: str) -> None:
    """No way to end a line in the data begins a field."""

    @app.get("/")
    def stream() -> EventStream:
        return EventStream([f"a{ending}event: evil{ending}{ending}data: b"])

    assert parse(client.get("/").text) == [{"data": "a\nevent: evil\n\ndata: b"}]


@pytest.mark.parametrize("value", ["a\nb", "a\rdata: evil", "a\0"])
def test_injection(value: str) -> None:
    """Names and ids must be one line."""
    with pytest.raises(ValueError, match=r"The event .* must be one line"):
        ServerSentEvent("x", event=value)
    with pytest.raises(ValueError, match=r"The id .* must be one line"):
        ServerSentEvent("x", id=value)


def test_bytes() -> None:
    """The format carries text."""
    with pytest.raises(TypeError, match="not bytes"):
        ServerSentEvent(b"x")


def test_last_event_id(app: Flask, gateway_client: FlaskClient) -> None:
    """A browser that connects again says which event it saw last."""

    @app.get("/")
    def stream() -> EventStream:
        return EventStream([repr(last_event_id())])

    assert parse(gateway_client.get("/").text) == [{"data": "None"}]
    sent = "17-é".encode().decode("latin-1")
    response = gateway_client.get("/", headers={"Last-Event-ID": sent})
    assert parse(response.text) == [{"data": "'17-é'"}]


@pytest.mark.parametrize("path", ["/asynchronous", "/fiber"])
def test_heartbeat(app: Flask, path: str) -> None:
    """While no event comes, comments go out; the event is not lost."""
    released: list[asyncio.Event] = []

    async def wait() -> None:
        released.append(asyncio.Event())
        await released[-1].wait()

    @app.get("/asynchronous")
    async def asynchronous() -> EventStream:
        async def events() -> AsyncIterator[str]:
            await wait()
            yield "late"

        return EventStream(events(), heartbeat=0.01)

    @app.get("/fiber", cooperative=True)
    def fiber() -> EventStream:
        def events() -> Iterator[str]:
            await_(wait())
            yield "late"

        return EventStream(events(), heartbeat=0.01)

    async def run() -> list[bytes]:
        parts: list[bytes] = []

        async def send(message: ASGIMessage) -> None:
            part = message.get("body")
            if part:
                parts.append(part)
            if len(parts) == 4:
                released[-1].set()

        await app(make_scope(path), asyncio.Queue().get, send)
        return parts

    parts = asyncio.run(run())
    assert set(parts[:4]) == {FIRST.encode()}
    assert parts[-1] == b"data: late\n\n"


def make_scope(path: str) -> ASGIScope:
    """Return the scope of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "method": "GET",
        "path": path,
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost")],
    }


@pytest.mark.parametrize("path", ["/asynchronous", "/fiber", "/parts"])
def test_client_gone(app: Flask, path: str) -> None:
    """When the client goes away, the iterable is closed inside its context, and torn down once;
    that is no failure."""
    log: list[str] = []
    app.teardown_request(lambda error: log.append(f"torn down {error!r}"))

    @app.get("/asynchronous")
    async def asynchronous() -> EventStream:
        async def events() -> AsyncIterator[str]:
            try:
                yield "first"
                await asyncio.Event().wait()
            finally:
                log.append(f"closed {request.path} {current_app.name}")

        return EventStream(events())

    @app.get("/fiber", cooperative=True)
    def fiber() -> EventStream:
        def events() -> Iterator[str]:
            try:
                yield "first"
                await_(asyncio.Event().wait())
            finally:
                log.append(f"closed {request.path} {current_app.name}")

        return EventStream(events())

    @app.get("/parts")
    async def parts() -> Iterator[str]:
        @stream_with_context
        async def generate() -> AsyncIterator[str]:
            try:
                yield "data: first\n\n"
                await asyncio.Event().wait()
            finally:
                log.append(f"closed {request.path} {current_app.name}")

        return generate()

    async def run() -> None:
        gone: asyncio.Queue[ASGIMessage] = asyncio.Queue()

        async def send(message: ASGIMessage) -> None:
            if message.get("body") == b"data: first\n\n":
                gone.put_nowait({"type": "http.disconnect"})

        await app(make_scope(path), gone.get, send)

    asyncio.run(run())
    assert log == [f"closed {path} erlen_test", "torn down None"]


def test_abandoned_under_wsgi(app: Flask) -> None:
    """A WSGI server that closes the stream early ends the iterable and the context."""
    log: list[str] = []
    app.teardown_request(lambda error: log.append("torn down"))

    @app.get("/")
    async def stream() -> EventStream:
        async def events() -> AsyncIterator[str]:
            try:
                yield "first"
                await asyncio.Event().wait()
            finally:
                log.append("closed")

        return EventStream(events(), heartbeat=0.01)

    response = app.test_client(gateway="wsgi").get("/", buffered=False)
    parts = response.iter_encoded()
    seen = [next(parts)]
    # A machine that is slow enough sends comments before the first event, too.
    while seen[-1] == FIRST.encode():
        seen.append(next(parts))
    assert seen[0] == FIRST.encode()
    assert seen[-1] == b"data: first\n\n"
    assert next(parts) == FIRST.encode()
    response.close()
    assert log == ["closed", "torn down"]


def test_failure(app: Flask) -> None:
    """An exception in the middle ends the stream, and the context with it."""
    ends: list[BaseException | None] = []
    app.teardown_request(ends.append)

    @app.get("/")
    async def stream() -> EventStream:
        async def events() -> AsyncIterator[str]:
            yield "first"
            raise ValueError("on purpose")

        return EventStream(events())

    response = app.test_client(gateway="wsgi").get("/", buffered=False)
    with pytest.raises(ValueError, match="on purpose"):
        list(response.iter_encoded())
    response.close()
    assert [str(error) for error in ends] == ["on purpose"]


def test_head_and_options(app: Flask, gateway_client: FlaskClient) -> None:
    """HEAD sends no events, and closes what would make them."""

    @app.get("/")
    def stream() -> EventStream:
        return EventStream(["x"], status=201, headers={"Cache-Control": "no-store"})

    response = gateway_client.head("/")
    assert (response.status_code, response.data) == (201, b"")
    assert response.headers["Cache-Control"] == "no-store"


def test_outside_of_a_request() -> None:
    """An event stream belongs to a request."""
    with pytest.raises(RuntimeError, match="outside of request context"):
        EventStream(["x"])
