"""What handlers do with messages, in coroutines and in plain functions."""

from __future__ import annotations

import asyncio
import gc
import threading
import typing as t
import weakref

import pytest

from erlen import (
    Flask,
    copy_current_websocket_context,
    has_request_context,
    has_websocket_context,
    request,
    sync_websocket,
    websocket,
    websocket_received,
    websocket_sent,
)
from erlen.exceptions import Disconnect
from erlen.globals import request_ctx
from erlen.testing import WebsocketResponseError

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient


def test_coroutine(app: Flask, client: FlaskClient) -> None:
    """A coroutine awaits the methods."""

    @app.websocket("/greet/<name>")
    async def greet(name: str) -> None:
        await websocket.accept()
        greeting = await websocket.receive_text()
        await websocket.send(f"{greeting}, {name}")

    with client.websocket("/greet/Ada") as socket:
        socket.send("Good evening")
        assert socket.receive() == "Good evening, Ada"


def test_plain_function(app: Flask, client: FlaskClient) -> None:
    """In a plain function the same methods return what a coroutine gets by waiting."""

    @app.websocket("/greet")
    def greet() -> None:
        same: t.Any = websocket
        same.accept()
        same.send(same.receive().upper())
        for message in sync_websocket:
            sync_websocket.send(message)

    with client.websocket("/greet") as socket:
        socket.send("hey")
        assert socket.receive() == "HEY"
        socket.send(b"\0")
        assert socket.receive() == b"\0"


def test_signals_of_messages(app: Flask, client: FlaskClient) -> None:
    """Functions and coroutine functions are told of each message, either way, in its context."""
    told: list[str] = []

    def note(sender: Flask, message: t.Any) -> None:
        told.append(f"received {message!r} on {websocket.path}")

    async def note_later(sender: Flask, message: t.Any) -> None:
        await asyncio.sleep(0)
        told.append(f"sent {message!r} by {sender.name}")

    @app.websocket("/a")
    async def handle() -> None:
        await websocket.send(await websocket.receive())
        await websocket.send_json(await websocket.receive_json())

    @app.websocket("/b")
    def handle_plainly() -> None:
        for message in sync_websocket:
            sync_websocket.send(message)

    with websocket_received.connected_to(note, app), websocket_sent.connected_to(note_later, app):
        with client.websocket("/a") as socket:
            socket.send("one")
            assert socket.receive() == "one"
            socket.send("[2]")
            assert socket.receive() == "[2]"
        with client.websocket("/b") as socket:
            socket.send(b"3")
            assert socket.receive() == b"3"
    assert told == [
        "received 'one' on /a",
        f"sent 'one' by {app.name}",
        "received '[2]' on /a",
        f"sent '[2]' by {app.name}",
        "received b'3' on /b",
        f"sent b'3' by {app.name}",
    ]


def test_helper_of_the_other_kind(app: Flask, client: FlaskClient) -> None:
    """Who calls decides: a plain helper of a coroutine waits with sync_websocket."""

    def ask(question: str) -> str:
        sync_websocket.send(question)
        return sync_websocket.receive_text()

    @app.websocket("/")
    async def handle() -> None:
        pair = [websocket.send(text) for text in ("one", "two")]
        await asyncio.gather(*pair)
        await websocket.send(ask("three?"))

    with client.websocket("/") as socket:
        assert {socket.receive(), socket.receive()} == {"one", "two"}
        assert socket.receive() == "three?"
        socket.send("yes")
        assert socket.receive() == "yes"


def test_json(app: Flask, client: FlaskClient) -> None:
    """JSON is that of the application."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.send_json(sum=sum(await websocket.receive_json()))
        await websocket.send_json([1])
        await websocket.send_json(1, 2)

    with client.websocket("/") as socket:
        socket.send_json([1, 2, 3])
        assert socket.receive_json() == {"sum": 6}
        assert socket.receive_json() == [1]
        assert socket.receive_json() == [1, 2]


@pytest.mark.parametrize("message", ["{", "", "[" * 100_000, b"\xff"])
def test_bad_json(app: Flask, client: FlaskClient, message: str | bytes) -> None:
    """What is no JSON closes with 1008, and is no error of the program."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.receive_json()

    with client.websocket("/") as socket:
        socket.send(message)
        assert list(socket) == []
        assert socket.close_code == 1008


def test_kinds(app: Flask, client: FlaskClient) -> None:
    """A handler that asks for text closes with 1003 where bytes come."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.receive_bytes()
        await websocket.receive_text()

    with client.websocket("/") as socket:
        socket.send(b"right")
        socket.send(b"wrong")
        assert list(socket) == []
        assert socket.close_code == 1003


def test_nothing_else_is_sent(app: Flask, client: FlaskClient) -> None:
    """The error says what can be sent."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.send(t.cast(str, 17))

    with pytest.raises(TypeError, match="not int; send_json"), client.websocket("/") as socket:
        socket.receive()


def test_implicit_accept(app: Flask, client: FlaskClient) -> None:
    """Sending accepts first, and accepting twice does nothing."""

    @app.websocket("/")
    async def handle() -> None:
        assert not websocket.is_accepted
        await websocket.send("hello")
        await websocket.accept()
        assert websocket.is_accepted

    with client.websocket("/") as socket:
        assert list(socket) == ["hello"]
        assert socket.close_code == 1000


def test_handshake(app: Flask, client: FlaskClient) -> None:
    """The handshake is a request: URL, headers, cookies, query; `request` is the same object."""

    @app.websocket("/at/<int:place>")
    async def handle(place: int) -> None:
        assert websocket._get_current_object() is request._get_current_object()
        assert has_websocket_context()
        assert has_request_context()
        await websocket.accept({"X-Place": str(place)}, websocket.requested_subprotocols[1])
        found = (websocket.args["q"], websocket.headers["X-Who"], websocket.cookies["c"])
        await websocket.send_json([*found, websocket.path, websocket.scheme, request.endpoint])

    client.set_cookie("c", "3")
    with client.websocket(
        "/at/7?q=1", headers={"X-Who": "2"}, subprotocols=["a", "b"], base_url="https://localhost"
    ) as socket:
        assert socket.receive_json() == ["1", "2", "3", "/at/7", "wss", "handle"]
        assert socket.headers["X-Place"] == "7"
        assert socket.subprotocol == "b"


def test_foreign_subprotocol(app: Flask, client: FlaskClient) -> None:
    """A subprotocol that was not offered is refused, since clients would give up."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept(subprotocol="chat")

    with pytest.raises(ValueError, match=r"'chat'.*offers \['talk'\]"):
        client.websocket("/", subprotocols=["talk"]).__enter__()


def test_header_injection(app: Flask, client: FlaskClient) -> None:
    """The headers of the handshake's answer cannot be split."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept({"X-Name": websocket.args["name"]})

    with pytest.raises(ValueError):
        client.websocket("/?name=a%0d%0ab:c").__enter__()


def test_disconnect(app: Flask, client: FlaskClient) -> None:
    """When the client is gone, receiving and sending raise, again and again."""
    codes = []

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        for _ in range(3):
            with pytest.raises(Disconnect) as caught:
                await websocket.receive()
            codes.append((caught.value.code, caught.value.reason))
        with pytest.raises(Disconnect):
            await websocket.send("anybody?")
        assert websocket.close_code == 4000

    with client.websocket("/") as socket:
        socket.close(4000, "bye")
    assert codes == [(4000, "bye")] * 3


def test_last_messages(app: Flask, client: FlaskClient) -> None:
    """What a client sent before it left is still received."""
    received = []

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        await asyncio.sleep(0)
        received.extend([message async for message in websocket])

    with client.websocket("/") as socket:
        for number in range(100):
            socket.send(str(number))
    assert received == list(map(str, range(100)))


def test_disconnect_is_no_error(app: Flask, client: FlaskClient) -> None:
    """A handler that lets Disconnect through has ended as it should."""
    ends: list[BaseException | None] = []
    app.teardown_websocket(ends.append)

    @app.errorhandler(Exception)
    def handle_error(error: Exception) -> str:
        raise AssertionError

    @app.websocket("/")
    async def handle() -> None:
        while True:
            await websocket.receive()

    with client.websocket("/") as socket:
        socket.send("x")
        socket.disconnect()
    assert ends == [None]


def test_close(app: Flask, client: FlaskClient) -> None:
    """After close(), nothing is received or sent; a second one does nothing."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        await websocket.close(3000, "done")
        await websocket.close(3001)
        with pytest.raises(Disconnect):
            await websocket.send("more")
        with pytest.raises(Disconnect):
            await websocket.receive()

    with client.websocket("/") as socket:
        assert list(socket) == []
        assert (socket.close_code, socket.close_reason) == (3000, "done")


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (999, ""), (5000, ""), (1000, "é" * 62)])
def test_bad_close(app: Flask, client: FlaskClient, code: int, reason: str) -> None:
    """Codes and reasons that cannot be sent are refused."""

    @app.websocket("/")
    async def handle() -> None:
        await websocket.accept()
        with pytest.raises(ValueError):
            await websocket.close(code, reason)
        await websocket.send("open")

    with client.websocket("/") as socket:
        assert socket.receive() == "open"


def test_close_before_accept(app: Flask, client: FlaskClient) -> None:
    """Closing before accepting refuses the handshake, as ending does."""

    @app.websocket("/close")
    def close() -> None:
        sync_websocket.close(1008)

    @app.websocket("/end")
    def end() -> None:
        pass

    for path in ("/close", "/end"):
        with pytest.raises(WebsocketResponseError) as caught:
            client.websocket(path).__enter__()
        assert caught.value.response.status_code == 403


def test_threads_and_tasks(app: Flask, client: FlaskClient) -> None:
    """Tasks see the WebSocket by themselves; threads get a copy of the context."""
    ends: list[BaseException | None] = []
    app.teardown_websocket(ends.append)

    @app.websocket("/")
    async def handle() -> None:
        async def from_task() -> None:
            await websocket.send(f"task {websocket.path}")

        @copy_current_websocket_context
        def from_thread() -> None:
            sync_websocket.send(f"thread {request.path}")

        @copy_current_websocket_context
        async def from_copy() -> None:
            await websocket.send(f"copy {request.path}")

        await asyncio.create_task(from_task())
        await asyncio.to_thread(from_thread)
        thread = threading.Thread(target=from_thread)
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.create_task(from_copy())

    with client.websocket("/") as socket:
        assert list(socket) == ["task /", "thread /", "thread /", "copy /"]
    assert ends == [None]


def test_outside(app: Flask, req_ctx: object) -> None:
    """Outside of a WebSocket the error says where it would be; in a request, too."""
    assert not has_websocket_context()
    with pytest.raises(RuntimeError, match=r"Working outside of a WebSocket"):
        websocket.path
    with pytest.raises(RuntimeError, match=r"@app.websocket\(\)"):
        sync_websocket.receive()
    with pytest.raises(RuntimeError, match=r"outside of a WebSocket"):
        copy_current_websocket_context(len)


async def converse(client: FlaskClient, number: int, path: str) -> None:
    """Say two things in a room of one's own."""
    async with client.websocket(f"/{path}/{number}") as socket:
        for turn in range(2):
            await socket.send(f"{turn}")
            assert await socket.receive_json() == [f"{turn}", number, number, f"/{path}/{number}"]


def test_isolation(app: Flask, client: FlaskClient) -> None:
    """500 WebSockets at once keep request, session and g to themselves, whatever the handler."""
    from erlen import g, session

    @app.websocket("/plain/<int:number>")
    def plain(number: int) -> None:
        g.number = session["number"] = number
        for message in sync_websocket:
            sync_websocket.send_json([message, g.number, session["number"], request.path])

    @app.websocket("/coroutine/<int:number>")
    async def coroutine(number: int) -> None:
        g.number = session["number"] = number
        async for message in websocket:
            await asyncio.sleep(0)
            await websocket.send_json([message, g.number, session["number"], request.path])

    async def all_at_once() -> None:
        await asyncio.gather(
            *(converse(client, n, "plain" if n % 2 else "coroutine") for n in range(500))
        )

    asyncio.run(all_at_once())


def test_nothing_stays(app: Flask, client: FlaskClient) -> None:
    """When a WebSocket has ended, its context goes at once, without the garbage collector."""
    contexts: list[weakref.ref[t.Any]] = []

    @app.websocket("/")
    async def handle() -> None:
        contexts.append(weakref.ref(request_ctx._get_current_object()))
        async for message in websocket:
            await websocket.send(message)

    async def visit() -> None:
        async with client.websocket("/") as socket:
            await socket.send("x")
            await socket.receive()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(visit())
        assert [ref() for ref in contexts] == [None]
    finally:
        gc.enable()
