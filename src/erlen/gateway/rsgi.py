"""RSGI: the protocol of Granian."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import ClientDisconnected

from .environ import add_headers, base_environ
from .exchange import Exchange

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from _typeshed.wsgi import WSGIEnvironment


class RSGIExchange(Exchange):
    """A request and its answer in the terms of RSGI.

    :param protocol: what the server hands over with the scope.
    """

    _parts: AsyncIterator[bytes] | None = None
    _transport: t.Any = None

    def __init__(self, protocol: t.Any) -> None:
        self._protocol = protocol

    async def receive(self) -> bytes:
        """Return the next part of the request's body, ``b""`` at its end.

        :raises ClientDisconnected: where the client went away before the end.
        """
        parts = self._parts
        if parts is None:
            parts = self._parts = self._protocol.__aiter__()
        part = b""
        try:
            while not part:
                part = await parts.__anext__()
        except StopAsyncIteration:
            return b""
        except Exception as error:
            # The server has errors of its own for a body that is cut or cannot be read.
            raise ClientDisconnected() from error
        return part

    async def disconnected(self) -> None:
        """Return when the client has gone away."""
        await self._protocol.client_disconnect()

    async def send_whole(self, body: bytes) -> None:
        """Send the status, the headers and the whole body."""
        self._protocol.response_bytes(int(self.status[:3]), self.headers, body)

    async def send_head(self) -> None:
        """Send the status and the headers; parts of the body follow."""
        self._transport = self._protocol.response_stream(int(self.status[:3]), self.headers)

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body, and wait until there is room for more."""
        await self._transport.send_bytes(part)

    async def send_end(self) -> None:
        """Say that the body is complete: the server sees it when the transport is gone."""
        self._transport = None

    def abandon(self) -> None:
        """Let go of a body that will not be completed."""
        self._transport = None


def environ_of(scope: t.Any) -> WSGIEnvironment:
    """Return the WSGI environment of a request or a WebSocket's handshake.

    :param scope: its scope.
    """
    environ = base_environ(
        scope.method, scope.path, scope.query_string, scope.http_version, scope.scheme
    )
    host, _, environ["SERVER_PORT"] = scope.server.rpartition(":")
    environ["SERVER_NAME"] = host or scope.server
    address, _, port = scope.client.rpartition(":")
    if address:
        environ["REMOTE_ADDR"] = address
        environ["REMOTE_PORT"] = port
    headers = scope.headers.items()
    if headers:
        names, values = zip(*headers, strict=True)
        add_headers(environ, names, "\n".join(values))
    if "HTTP_HOST" not in environ and scope.authority:
        # HTTP/2 has it in a place of its own.
        environ["HTTP_HOST"] = scope.authority
    return environ
