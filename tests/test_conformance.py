"""The checker of ASGI finds what is not allowed, and nothing else."""

from __future__ import annotations

import asyncio
import typing as t
from collections.abc import MutableMapping

import pytest
from werkzeug.test import Client

from erlen.testing import ASGIGateway, ASGIValidator, ConformanceError

Message = MutableMapping[str, t.Any]

HTTP: Message = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1234),
    "server": ["127.0.0.1", 80],
    "extensions": {"http.response.trailers": {}},
}
WEBSOCKET: Message = {
    **{key: value for key, value in HTTP.items() if key not in {"method", "extensions"}},
    "type": "websocket",
    "scheme": "ws",
    "subprotocols": ["chat"],
    "extensions": {"websocket.http.response": {}},
}
LIFESPAN: Message = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]}
PART = {"type": "http.response.body", "body": b"part", "more_body": True}
END = {"type": "http.response.body", "body": b"end"}

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept", "subprotocol": "chat", "headers": []}
TEXT = {"type": "websocket.send", "text": "hello"}
HELLO = {"type": "websocket.receive", "text": None, "bytes": b"hello"}
CLOSE = {"type": "websocket.close", "code": 4000, "reason": "enough"}
LEFT = {"type": "websocket.disconnect", "code": 1001}

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
STARTED, STOPPED = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}

Step = Message | t.Literal["receive"]


def play(scope: Message, incoming: list[Message], steps: list[Step]) -> None:
    """Let an application receive and send, below the checker.

    :param scope: the scope that it gets.
    :param incoming: the messages of the server.
    :param steps: what the application does, in order.
    """
    messages = iter(incoming)

    async def app(scope: Message, receive: t.Any, send: t.Any) -> None:
        for step in steps:
            if step == "receive":
                await receive()
            else:
                await send(step)

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        pass

    asyncio.run(ASGIValidator(app)(scope, receive, send))


R: t.Literal["receive"] = "receive"

RIGHT: dict[str, tuple[Message, list[Message], list[Step]]] = {
    "an answer": (HTTP, [REQUEST], [R, START, END]),
    "without a look at the request": (HTTP, [], [START, END]),
    "a body in parts": (
        HTTP,
        [{"type": "http.request", "more_body": True}, REQUEST],
        [R, R, START, END],
    ),
    "an answer in parts": (HTTP, [], [START, PART, PART, END]),
    "a length": (HTTP, [], [{**START, "headers": [[b"content-length", b"7"]]}, PART, END]),
    "the length of HEAD": (
        {**HTTP, "method": "HEAD"},
        [],
        [{**START, "headers": [[b"content-length", b"7"]]}, {**END, "body": b""}],
    ),
    "a client that left": (HTTP, [REQUEST, GONE], [R, START, PART, R]),
    "trailers": (
        HTTP,
        [],
        [{**START, "trailers": True}, END, {"type": "http.response.trailers", "headers": []}],
    ),
    "no address": ({**HTTP, "client": None, "server": ("/run/socket", None)}, [], [START, END]),
    "a WebSocket": (WEBSOCKET, [CONNECT, HELLO], [R, ACCEPT, R, TEXT, CLOSE]),
    "a WebSocket refused": (WEBSOCKET, [CONNECT], [R, CLOSE]),
    "a WebSocket answered": (
        WEBSOCKET,
        [CONNECT],
        [
            R,
            {"type": "websocket.http.response.start", "status": 403, "headers": []},
            {"type": "websocket.http.response.body", "body": b"no"},
        ],
    ),
    "a WebSocket left": (WEBSOCKET, [CONNECT, LEFT], [R, ACCEPT, R]),
    "a life": (LIFESPAN, [STARTUP, SHUTDOWN], [R, STARTED, R, STOPPED]),
    "a failed start": (
        LIFESPAN,
        [STARTUP],
        [R, {"type": "lifespan.startup.failed", "message": "no database"}],
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name: str) -> None:
    """An application and a server that keep to the specification are left alone."""
    play(*RIGHT[name])


def _start(**values: t.Any) -> Message:
    return {**START, **values}


WRONG: dict[str, tuple[Message, list[Message], list[Step], str]] = {
    # The application.
    "no end": (HTTP, [], [START, PART], "application returned before its answer was complete"),
    "nothing": (HTTP, [], [], "application returned before its answer was complete"),
    "two starts": (HTTP, [], [START, START], "'http.response.start' twice"),
    "no start": (HTTP, [], [END], "before 'http.response.start'"),
    "more after the end": (HTTP, [], [START, END, END], "after the end of the answer"),
    "an unknown message": (HTTP, [], [{"type": "http.response.stop"}], "unknown type"),
    "an extension that is not there": (
        {**HTTP, "extensions": None},
        [],
        [{"type": "http.response.trailers"}],
        "unknown type",
    ),
    "no message": (HTTP, [], [t.cast(t.Any, [START])], "which is no dictionary"),
    "no type": (HTTP, [], [{"status": 200}], "without 'type'"),
    "no status": (HTTP, [], [{"type": "http.response.start"}], "without 'status'"),
    "a status of text": (HTTP, [], [_start(status="200 OK")], "instead of int"),
    "a status of truth": (HTTP, [], [_start(status=True)], "instead of int"),
    "an informational status": (HTTP, [], [_start(status=100)], "ends no request"),
    "headers of text": (HTTP, [], [_start(headers=[("x-a", "b")])], "not in bytes"),
    "headers in capitals": (HTTP, [], [_start(headers=[(b"X-A", b"b")])], "not in lower case"),
    "a header of one": (HTTP, [], [_start(headers=[(b"x-a",)])], "no pair"),
    "a header of two lines": (HTTP, [], [_start(headers=[(b"x-a", b"b\r\nc: d")])], "pass on"),
    "a pseudo header": (HTTP, [], [_start(headers=[(b":status", b"200")])], "pass on"),
    "two lengths": (
        HTTP,
        [],
        [_start(headers=[(b"content-length", b"1"), (b"content-length", b"2")])],
        "'content-length' of",
    ),
    "too short": (HTTP, [], [_start(headers=[(b"content-length", b"9")]), END], "sent 3 bytes"),
    "too long": (HTTP, [], [_start(headers=[(b"content-length", b"2")]), PART], "sent 4 bytes"),
    "a body of 204": (HTTP, [], [_start(status=204), PART], "with the status 204"),
    "a body of text": (HTTP, [], [START, {**END, "body": "end"}], "instead of bytes"),
    "more as a number": (HTTP, [], [START, {**PART, "more_body": 1}], "instead of bool"),
    "send before connect": (WEBSOCKET, [], [ACCEPT], "before it had received"),
    "no answer to a handshake": (WEBSOCKET, [CONNECT], [R], "without an answer to the handshake"),
    "two accepts": (WEBSOCKET, [CONNECT], [R, ACCEPT, ACCEPT], "after its first answer"),
    "text before accept": (WEBSOCKET, [CONNECT], [R, TEXT], "before 'websocket.accept'"),
    "text and bytes": (WEBSOCKET, [CONNECT], [R, ACCEPT, {**TEXT, "bytes": b""}], "both or none"),
    "neither text nor bytes": (
        WEBSOCKET,
        [CONNECT],
        [R, ACCEPT, {"type": "websocket.send"}],
        "both or none",
    ),
    "text after close": (WEBSOCKET, [CONNECT], [R, ACCEPT, CLOSE, TEXT], "after the end"),
    "a foreign subprotocol": (
        WEBSOCKET,
        [CONNECT],
        [R, {**ACCEPT, "subprotocol": "mail"}],
        "did not offer",
    ),
    "a subprotocol as a header": (
        WEBSOCKET,
        [CONNECT],
        [R, {**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]}],
        "instead of a subprotocol",
    ),
    "a reserved code": (WEBSOCKET, [CONNECT], [R, ACCEPT, {**CLOSE, "code": 1006}], "code 1006"),
    "a long reason": (
        WEBSOCKET,
        [CONNECT],
        [R, ACCEPT, {**CLOSE, "reason": "x" * 124}],
        "more than 123 bytes",
    ),
    "an answer after accept": (
        WEBSOCKET,
        [CONNECT],
        [R, ACCEPT, {"type": "websocket.http.response.start", "status": 403}],
        "after its first answer",
    ),
    "half an answer": (
        WEBSOCKET,
        [CONNECT],
        [R, {"type": "websocket.http.response.start", "status": 403}],
        "HTTP answer was complete",
    ),
    "a body of no answer": (
        WEBSOCKET,
        [CONNECT],
        [R, {"type": "websocket.http.response.body"}],
        "before its start",
    ),
    "no start of life": (LIFESPAN, [STARTUP], [R], "without an answer to 'lifespan.startup'"),
    "an answer to nothing": (LIFESPAN, [], [STARTED], "answers nothing"),
    "another answer": (LIFESPAN, [STARTUP], [R, STOPPED], "answers nothing"),
    # The server.
    "an unknown scope": (
        {**HTTP, "type": "gopher"},
        [],
        [],
        "server sent a message of the unknown",
    ),
    "no version": ({**HTTP, "asgi": {}}, [], [], "without 'version'"),
    "another HTTP": ({**HTTP, "http_version": "1"}, [], [], "unknown HTTP version"),
    "a path in bytes": ({**HTTP, "path": b"/"}, [], [], "instead of str"),
    "a query of text": ({**HTTP, "query_string": ""}, [], [], "instead of bytes"),
    "an empty scheme": ({**HTTP, "scheme": ""}, [], [], "empty scheme"),
    "a method in lower case": ({**HTTP, "method": "get"}, [], [], "not in upper case"),
    "a port of text": ({**HTTP, "client": ("127.0.0.1", "80")}, [], [], "client's address"),
    "request headers in capitals": (
        {**HTTP, "headers": [(b"Host", b"a")]},
        [],
        [],
        "server sent the header",
    ),
    "subprotocols in bytes": ({**WEBSOCKET, "subprotocols": [b"a"]}, [], [], "the subprotocol"),
    "a second body": (HTTP, [REQUEST, REQUEST], [R, R], "server sent more of a body"),
    "a body after the client": (HTTP, [GONE, REQUEST], [R, R], "server sent more of a body"),
    "data before accept": (WEBSOCKET, [CONNECT, HELLO], [R, R], "before the WebSocket was"),
    "two connects": (WEBSOCKET, [CONNECT, CONNECT], [R, R], "'websocket.connect' twice"),
    "data after the end": (
        WEBSOCKET,
        [CONNECT, LEFT, HELLO],
        [R, ACCEPT, R, R],
        "after 'websocket",
    ),
    "an early end": (LIFESPAN, [SHUTDOWN], [R], "after 'nothing'"),
    "an impatient server": (LIFESPAN, [STARTUP, SHUTDOWN], [R, R], "before 'lifespan.startup' was"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str) -> None:
    """Each breach is found, and the error says whose it is."""
    scope, incoming, steps, text = WRONG[name]
    with pytest.raises(ConformanceError, match=text) as caught:
        play(scope, incoming, steps)
    assert str(caught.value).startswith(("The application ", "The server "))


def ask(app: t.Any) -> None:
    """Send a request to an ASGI application."""
    Client(ASGIGateway(app)).get("/")


def test_a_breach_that_is_caught() -> None:
    """An application that catches the error is told once more, at its end."""

    async def app(scope: Message, receive: t.Any, send: t.Any) -> None:
        try:
            await send(END)
        except AssertionError:
            pass
        await send(START)
        await send(END)

    with pytest.raises(ConformanceError, match="before 'http.response.start'"):
        ask(app)


def test_two_receivers() -> None:
    """Two tasks that wait for messages at the same time take them from each other."""

    async def app(scope: Message, receive: t.Any, send: t.Any) -> None:
        await receive()
        await asyncio.gather(receive(), receive())

    with pytest.raises(ConformanceError, match=r"awaited receive\(\) twice"):
        ask(app)


def test_another_loop() -> None:
    """Messages are sent on the loop that the application runs on."""

    async def app(scope: Message, receive: t.Any, send: t.Any) -> None:
        await asyncio.to_thread(asyncio.run, send(START))

    with pytest.raises(ConformanceError, match="another event loop"):
        ask(app)


def test_a_result() -> None:
    """An application returns nothing."""

    async def app(scope: Message, receive: t.Any, send: t.Any) -> int:
        await send(START)
        await send(END)
        return 1

    with pytest.raises(ConformanceError, match="returned 1 instead of None"):
        ask(app)
