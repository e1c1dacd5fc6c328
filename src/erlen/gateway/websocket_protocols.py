"""WebSockets in the messages of ASGI and in the terms of RSGI."""

from __future__ import annotations

import asyncio
import typing as t

from ..exceptions import Disconnect
from .asgi import encode_headers
from .websocket import Connection

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from .. import typing as ft
    from ..websockets import Message
    from .websocket import HeaderList


class ASGIConnection(Connection):
    """A WebSocket of an ASGI server.

    :param scope: its scope.
    :param receive: awaits the next message of the server.
    :param send: sends one to it.
    """

    def __init__(self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend) -> None:
        super().__init__()
        self._subprotocols = tuple(scope.get("subprotocols") or ())
        self._receive = receive
        self._send = send
        self._can_answer = "websocket.http.response" in (scope.get("extensions") or ())

    async def answer(self, app: ft.Application, environ: WSGIEnvironment) -> None:
        """Wait for the handshake, then run the steps of the WebSocket, and end it.

        :param app: the application.
        :param environ: the environment of the handshake.
        """
        if (await self._receive())["type"] == "websocket.connect":
            await super().answer(app, environ)

    async def _send_accept(
        self, headers: HeaderList, subprotocol: str | None, has_own_headers: bool
    ) -> None:
        await self._send(
            {
                "type": "websocket.accept",
                "subprotocol": subprotocol,
                "headers": encode_headers(headers),
            }
        )

    async def _receive_message(self) -> Message:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise Disconnect(message.get("code") or 1005, message.get("reason") or "")
            if message["type"] == "websocket.receive":
                data: str | None = message.get("text")
                return t.cast(bytes, message["bytes"]) if data is None else data

    async def _send_message(self, data: Message) -> None:
        if isinstance(data, str):
            await self._send({"type": "websocket.send", "text": data})
        else:
            await self._send({"type": "websocket.send", "bytes": data})

    async def _send_close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _send_refusal(self, status: int, headers: HeaderList, body: bytes) -> None:
        if not self._can_answer:
            # The server makes a 403 of it.
            await self._send({"type": "websocket.close"})
            return
        await self._send(
            {
                "type": "websocket.http.response.start",
                "status": status,
                "headers": encode_headers(headers),
            }
        )
        await self._send({"type": "websocket.http.response.body", "body": body})


# The kinds of messages in RSGI.
_CLOSE, _BYTES = 0, 1


class RSGIConnection(Connection):
    """A WebSocket of an RSGI server.

    RSGI has no place for headers and a subprotocol in the answer to a handshake, for a body where
    that is refused, nor for codes and reasons of closing.

    :param protocol: what the server hands over with the scope.
    """

    def __init__(self, protocol: t.Any) -> None:
        super().__init__()
        self._protocol: t.Any = protocol
        self._transport: t.Any = None

    async def _send_accept(
        self, headers: HeaderList, subprotocol: str | None, has_own_headers: bool
    ) -> None:
        if subprotocol is not None or has_own_headers:
            raise RuntimeError(
                "RSGI cannot send headers or a subprotocol when a WebSocket is accepted. Serve the"
                " application by ASGI ('granian --interface asgi', uvicorn, Hypercorn), or accept"
                " without them."
            )
        # In a task: the fiber of the handler may keep what it waits for first, and with that the
        # transport, which must go when the WebSocket ends.
        await asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        self._transport = await self._protocol.accept()

    async def _receive_message(self) -> Message:
        try:
            message = await self._transport.receive()
        except RuntimeError as error:
            # The server has errors of its own for a connection that was cut.
            raise Disconnect(1006) from error
        if message.kind == _CLOSE:
            raise Disconnect(1005)
        return t.cast("Message", message.data)

    async def _send_message(self, data: Message) -> None:
        if isinstance(data, str):
            await self._transport.send_str(data)
        else:
            await self._transport.send_bytes(data)

    async def _send_close(self, code: int, reason: str) -> None:
        self._protocol.close(None if self.is_accepted else 403)

    async def _send_refusal(self, status: int, headers: HeaderList, body: bytes) -> None:
        self._protocol.close(status)

    def _let_go(self) -> None:
        # The server closes the connection when nothing refers to the transport any more.
        self._protocol = self._transport = None
