"""The front by ASGI."""

from __future__ import annotations

import asyncio
import typing as t

from .front import HEALTH_HEADERS, TOO_LONG, Front
from .record import Record, current_record

if t.TYPE_CHECKING:
    from ... import typing as ft

_CLOSE = (b"connection", b"close")
_HEALTH_HEADERS = [(name.encode(), value.encode()) for name, value in HEALTH_HEADERS]


class ASGIFront(Front):
    """Answers Granian by ASGI."""

    def target(self) -> t.Any:
        """Return what Granian calls."""
        return self.answer

    def answer(self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend) -> t.Any:
        """Answer what the server calls the application for."""
        if scope["type"] == "lifespan":
            return self._live(scope, receive, send)
        if self.watch is not None:
            host, port = scope["client"]
            self.watch.heard.add(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        if self.is_transparent:
            return self.app(scope, receive, send)
        return self._answer(scope, receive, send)

    async def _live(self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend) -> None:
        self.loop = asyncio.get_running_loop()

        async def listen(message: ft.ASGIMessage) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.tell_ready()
            elif message["type"] == "lifespan.startup.failed":
                self.failure = (
                    "The application could not be started:"
                    f" {message.get('message') or 'its startup failed'}"
                )
            await send(message)

        await self.app(scope, receive, listen)

    async def _answer(
        self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend
    ) -> None:
        is_http = scope["type"] == "http"
        record = self._record_of(scope)
        closes = self.is_closing and is_http and scope["http_version"][0] == "1"

        async def note(message: ft.ASGIMessage) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                if closes:
                    message = {**message, "headers": [*message["headers"], _CLOSE]}
            elif message["type"] == "http.response.body":
                record.size += len(message.get("body", b""))
            await send(message)

        health = self.health_of(scope["method"], scope["path"]) if is_http else None
        try:
            if health is not None:
                await _respond(note, *health)
            elif is_http and self.is_too_long(_header(scope, "content-length")):
                await _respond(note, 413, TOO_LONG)
            else:
                await self.app(scope, receive, note)
        finally:
            record.status = record.status or (500 if is_http else 101)
            self.end_record(record, is_health=health is not None)

    def _record_of(self, scope: ft.ASGIScope) -> Record:
        client = scope.get("client") or ("", 0)
        record = Record(
            client[0],
            scope.get("method", "GET"),
            scope["path"],
            scope["query_string"].decode("latin-1"),
            scope["http_version"],
        )
        if self.write is not None:
            self.begin_record(record, client[0], lambda name: _header(scope, name))
            current_record.set(record)
        return record


def _header(scope: ft.ASGIScope, name: str) -> str | None:
    wanted = name.encode()
    for key, value in scope["headers"]:
        if key == wanted:
            return t.cast("bytes", value).decode("latin-1")
    return None


async def _respond(send: ft.ASGISend, status: int, body: bytes) -> None:
    headers = [*_HEALTH_HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
