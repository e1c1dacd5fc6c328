"""Where servers with an event loop enter: one gateway per application."""

from __future__ import annotations

import asyncio
import typing as t

from . import rsgi
from .asgi import ASGIExchange, environ_of
from .exchange import RequestRunner
from .lasting import end_lasting, lasting
from .websocket_protocols import ASGIConnection, RSGIConnection

if t.TYPE_CHECKING:
    from collections.abc import Coroutine

    from _typeshed.wsgi import WSGIEnvironment

    from .. import typing as ft
    from .websocket import Connection


# How many seconds WebSockets and streams may take to end with the worker, and how often to look.
_LEAVE_TIME = 2.0
_PAUSE = 0.01


class Gateway:
    """What stands between an application and servers with an event loop.

    :param app: the application.
    """

    def __init__(self, app: ft.Application) -> None:
        self.app = app
        self._requests = RequestRunner(app)
        #: The life of this worker.
        self.life = self._requests.life

    def answer_asgi(
        self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend
    ) -> Coroutine[t.Any, t.Any, None]:
        """Answer what a server calls the application for: a request, a WebSocket, its own life.

        :param scope: the connection's scope.
        :param receive: awaits the next message of the server.
        :param send: sends one to it.
        :returns: what is to be awaited.
        :raises ValueError: for a kind of connection that is not of ASGI 3.
        """
        kind = scope["type"]
        if kind == "http":
            return self._requests.answer(ASGIExchange(receive, send), environ_of(scope))
        if kind == "lifespan":
            return self._live(receive, send)
        if kind == "websocket":
            return self._converse(ASGIConnection(scope, receive, send), environ_of(scope))
        raise ValueError(f"An ASGI server asked for a connection of the unknown type {kind!r}.")

    def answer_rsgi(self, scope: t.Any, protocol: t.Any) -> Coroutine[t.Any, t.Any, None]:
        """Answer a request or a WebSocket of a server that speaks RSGI.

        :param scope: what the connection is about.
        :param protocol: the way to receive and send.
        :returns: what is to be awaited.
        """
        if scope.proto == "ws":
            return self._converse(RSGIConnection(protocol), rsgi.environ_of(scope))
        return self._requests.answer(rsgi.RSGIExchange(scope, protocol), rsgi.environ_of(scope))

    async def leave(self) -> None:
        """End what would go on without an end, where the server does not, and then the worker."""
        await _end_lasting()
        await self.app.shutdown()

    async def _converse(self, connection: Connection, environ: WSGIEnvironment) -> None:
        if self.app._is_to_start:
            # The server did not announce that it begins to serve.
            await self.life.start()
        await connection.answer(self.app, environ)

    async def _live(self, receive: ft.ASGIReceive, send: ft.ASGISend) -> None:
        """Begin and end to serve when the server says so (ASGI's lifespan)."""
        while True:
            message = await receive()
            event = "startup" if message["type"] == "lifespan.startup" else "shutdown"
            try:
                if event == "startup":
                    await self.life.start()
                else:
                    await _end_lasting()
                    await self.life.stop()
            except Exception as error:
                self.app.logger.exception("Exception at the application's %s", event)
                await send({"type": f"lifespan.{event}.failed", "message": str(error)})
                return
            await send({"type": f"lifespan.{event}.complete"})
            if event == "shutdown":
                return


async def _end_lasting() -> None:
    """End WebSockets and streams of events, so that their teardown is part of the worker's life."""
    end_lasting()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LEAVE_TIME
    # There is no one event for the end of all.
    while lasting and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE)
