"""ASGI 3: the protocol of uvicorn, Hypercorn, Granian and others."""

from __future__ import annotations

import asyncio
import sys
import typing as t
from collections import deque

from werkzeug.exceptions import ClientDisconnected

from .environ import KEYS, add_headers, encode_path, new_environ, split_root
from .exchange import Exchange

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIEnvironment

    from .. import typing as ft

# How many bytes of a body are kept, give or take a part, while an answer is being sent.
_MAX_KEPT = 64 * 1024


def environ_of(scope: ft.ASGIScope) -> WSGIEnvironment:
    """Return the WSGI environment of a request or a WebSocket's handshake.

    :param scope: its scope.
    """
    path: str = scope["path"]
    environ = new_environ(scope["http_version"], scope.get("scheme", "http"), scope.get("server"))
    environ["REQUEST_METHOD"] = scope.get("method", "GET")
    environ["PATH_INFO"] = path if path.isascii() else encode_path(path)
    environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
    environ["wsgi.errors"] = sys.stderr
    environ["asgi.scope"] = scope
    root = scope.get("root_path")
    if root:
        split_root(environ, root)
    client = scope.get("client")
    if client is not None:
        environ["REMOTE_ADDR"], port = client
        environ["REMOTE_PORT"] = str(port)
    headers = scope["headers"]
    # PERF: as a rule no name is new or comes twice.
    size = len(environ) + len(headers)
    try:
        for key, value in headers:
            environ[KEYS[key]] = value.decode("latin-1")
    except KeyError:
        size = 0
    if len(environ) != size:
        add_headers(environ, ((key, value.decode("latin-1")) for key, value in headers))
    return environ


class ASGIExchange(Exchange):
    """A request and its answer as messages of ASGI.

    :param receive: awaits the next message of the server.
    :param send: sends one to it.
    """

    # Whether the server has given the last part of the body.
    _is_received = False
    # What has come while the answer was being sent.
    _waiting: deque[ft.ASGIMessage] | None = None
    _arrived: asyncio.Event
    _taken: asyncio.Event

    def __init__(self, receive: ft.ASGIReceive, send: ft.ASGISend) -> None:
        self._receive = receive
        self._send = send

    async def receive(self) -> bytes:
        """Return the next part of the request's body, ``b""`` at its end.

        :raises ClientDisconnected: where the client went away before the end.
        """
        while not self._is_received:
            message = await (self._receive() if self._waiting is None else self._next_waiting())
            if message["type"] == "http.disconnect":
                raise ClientDisconnected()
            self._is_received = not message.get("more_body", False)
            part: bytes = message.get("body", b"")
            if part:
                return part
        return b""

    async def disconnected(self) -> None:
        """Return when the client has gone away.

        A view may still read the body while it sends. What comes of it meanwhile is kept for it.
        """
        kept: deque[ft.ASGIMessage] = deque()
        self._waiting = kept
        self._arrived, self._taken = asyncio.Event(), asyncio.Event()
        while True:
            message = await self._receive()
            kept.append(message)
            self._arrived.set()
            if message["type"] == "http.disconnect":
                return
            while sum(len(message.get("body", b"")) for message in kept) > _MAX_KEPT:
                self._taken.clear()
                await self._taken.wait()

    async def _next_waiting(self) -> ft.ASGIMessage:
        assert self._waiting is not None
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        message = self._waiting[0]
        if message["type"] != "http.disconnect":
            self._waiting.popleft()
            self._taken.set()
        return message

    async def send_whole(self, body: bytes) -> None:
        """Send the status, the headers and the whole body."""
        send = self._send
        # PERF: without a call of send_head.
        await send(
            {
                "type": "http.response.start",
                "status": int(self.status[:3]),
                "headers": encode_headers(self.headers),
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def send_head(self) -> None:
        """Send the status and the headers; parts of the body follow."""
        await self._send(
            {
                "type": "http.response.start",
                "status": int(self.status[:3]),
                "headers": encode_headers(self.headers),
            }
        )

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body, and wait until there is room for more."""
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def send_end(self) -> None:
        """Say that the body is complete."""
        await self._send({"type": "http.response.body", "body": b""})


# Headers as ASGI has them, by how the application has them; bounded.
_ENCODED: dict[tuple[str, str], tuple[bytes, bytes]] = {}
_MAX_ENCODED = 1024
_MAX_VALUE = 128


def encode_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them.

    :param headers: pairs of name and value.
    """
    try:
        # PERF: as a rule all of them were sent before.
        return [_ENCODED.get(header) or _encode(header) for header in headers]
    except TypeError:
        # Middleware may have made lists of the pairs.
        return [_encode((name, value)) for name, value in headers]


def _encode(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = header
    encoded = name.lower().encode("latin-1"), value.encode("latin-1")
    # What is long is not likely to come again, and a cookie should not.
    if len(value) <= _MAX_VALUE and encoded[0] != b"set-cookie":
        if len(_ENCODED) >= _MAX_ENCODED:
            _ENCODED.clear()
        _ENCODED[header] = encoded
    return encoded
