"""RSGI: the protocol of Granian."""

from __future__ import annotations

import asyncio
import socket
import sys
import typing as t
from contextlib import suppress

from werkzeug.exceptions import ClientDisconnected

from .connections import Flow, find_connection
from .environ import KEYS, add_headers, encode_path, new_environ
from .exchange import Exchange

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from _typeshed.wsgi import WSGIEnvironment


class RSGIExchange(Exchange):
    """A request and its answer in the terms of RSGI.

    :param scope: what the server says of the request.
    :param protocol: what it hands over with that.
    """

    _parts: AsyncIterator[bytes] | None = None
    _transport: t.Any = None
    _flow: Flow

    def __init__(self, scope: t.Any, protocol: t.Any) -> None:
        self._scope = scope
        self._protocol = protocol

    async def receive(self) -> bytes:
        """Return the next part of the request's body, ``b""`` at its end.

        :raises ClientDisconnected: where the client went away before the end.
        """
        parts = self._parts
        if parts is None:
            parts = self._parts = self._protocol.__aiter__()
        is_alone = self._is_alone
        part = b""
        empty = 0
        try:
            while not part:
                part = await (parts.__anext__() if is_alone else self._next_or_left(parts))
                empty += not part
        except StopAsyncIteration:
            # NOTE: Granian gives one empty part for the end of a body, and one more for an error
            # before it: a body that was cut, or whose chunks are none. A trailer section looks
            # the same, and is refused with them. In HTTP/2 empty parts can be anywhere.
            if empty > 1 and is_alone:
                raise ClientDisconnected() from None
            return b""
        except Exception as error:
            # The server has errors of its own for a body that is cut or cannot be read.
            raise ClientDisconnected() from error
        return part

    async def _next_or_left(self, parts: AsyncIterator[bytes]) -> bytes:
        """Return the next part of a body in HTTP/2.

        :raises ClientDisconnected: where the client took its request back, which Granian does not
            tell those who wait for a part.
        """
        part = asyncio.ensure_future(anext(parts))
        left = asyncio.ensure_future(self.disconnected())
        try:
            await asyncio.wait({part, left}, return_when=asyncio.FIRST_COMPLETED)
            if not part.done():
                raise ClientDisconnected()
        finally:
            part.cancel()
            left.cancel()
        return part.result()

    async def disconnected(self) -> None:
        """Return when the client has gone away."""
        await self._protocol.client_disconnect()

    def send_whole(self, body: bytes) -> None:
        """Send the status, the headers and the whole body."""
        self._protocol.response_bytes(int(self.status[:3]), self.headers, body)

    async def send_head(self) -> None:
        """Send the status and the headers; parts of the body follow."""
        self._transport = self._protocol.response_stream(int(self.status[:3]), self.headers)
        self._flow = Flow(self._scope.client, self._scope.server)

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body, and wait until there is room for more."""
        await self._transport.send_bytes(part)
        # Granian takes any number of parts, and would keep them in memory.
        await self._flow.add(len(part))

    async def send_end(self) -> None:
        """Say that the body is complete: the server sees it when the transport is gone."""
        self._let_go()

    def abandon(self) -> None:
        """Let go of a body that will not be completed."""
        if self._transport is not None and not self.is_left and self._is_alone:
            self._hang_up()
        self._let_go()

    def _hang_up(self) -> None:
        # Granian would end the body as if it were whole, and caches would keep it.
        connection = find_connection(self._scope.client, self._scope.server)
        if connection is not None:
            with connection, suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._transport is not None:
            self._transport = None
            self._flow.close()

    @property
    def _is_alone(self) -> bool:
        """Whether the connection has no other request at the same time, as in HTTP/2."""
        version: str = self._scope.http_version
        return version.startswith("1")


def environ_of(scope: t.Any) -> WSGIEnvironment:
    """Return the WSGI environment of a request or a WebSocket's handshake.

    :param scope: its scope.
    """
    path: str = scope.path
    environ = new_environ(scope.http_version, scope.scheme, scope.server)
    environ["REQUEST_METHOD"] = scope.method
    environ["PATH_INFO"] = path if path.isascii() else encode_path(path)
    environ["QUERY_STRING"] = scope.query_string
    environ["wsgi.errors"] = sys.stderr
    address, _, port = scope.client.rpartition(":")
    if address:
        # RFC 3875, section 4.1.8: an address of IPv6 is without brackets.
        environ["REMOTE_ADDR"] = address[1:-1] if address[0] == "[" else address
        environ["REMOTE_PORT"] = port
    headers = scope.headers.items()
    # PERF: as a rule no name is new or comes twice.
    size = len(environ) + len(headers)
    try:
        for key, value in headers:
            environ[KEYS[key]] = value
    except KeyError:
        size = 0
    if len(environ) != size:
        add_headers(environ, headers)
    authority = scope.authority
    if authority:
        _add_authority(environ, authority)
    return environ


def _add_authority(environ: WSGIEnvironment, authority: str) -> None:
    """Put the host of a request's target into its environment.

    HTTP/2 has it there. In HTTP/1 it stands there in requests to a proxy; then it must be the one
    of the header, which must be there too (RFC 9112, section 3.2.2). Where the two differ, both
    are put in, and the request is refused for a host that is none.

    :param environ: the environment.
    :param authority: the host, and a port maybe.
    """
    host: str | None = environ.get("HTTP_HOST")
    if host is None:
        if environ["SERVER_PROTOCOL"] == "HTTP/2":
            environ["HTTP_HOST"] = authority
    elif host.lower() != authority.lower():
        environ["HTTP_HOST"] = f"{host},{authority}"
