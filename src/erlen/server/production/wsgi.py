"""The front by WSGI."""

from __future__ import annotations

import typing as t

from werkzeug.http import HTTP_STATUS_CODES

from .front import HEALTH_HEADERS, TOO_LONG, Front
from .record import Record, current_record

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_CLOSE = ("Connection", "close")
NO_LENGTH = b"By WSGI, bodies of requests need a header Content-Length.\n"


class WSGIFront(Front):
    """Answers Granian by WSGI."""

    def target(self) -> t.Any:
        """Return what Granian calls."""
        if self.app._is_to_start:
            self.app._gateway.life.start_without_loop()
        self.tell_ready()
        return self.answer

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if "HTTP_TRANSFER_ENCODING" in environ:
            # Granian ends a body that was cut as if it were whole.
            return _respond(start_response, 411, NO_LENGTH, _CLOSE)
        if self.is_transparent and "text/event-stream" not in environ.get("HTTP_ACCEPT", ""):
            plain: Iterable[bytes] = self.app(environ, start_response)
            return plain
        record = self._record_of(environ)
        closes = self.is_closing and environ["SERVER_PROTOCOL"].startswith("HTTP/1")

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
        ) -> Callable[[bytes], object]:
            record.status = int(status[:3])
            record.is_event_stream = any(
                name.lower() == "content-type" and value.startswith("text/event-stream")
                for name, value in headers
            )
            return start_response(status, [*headers, _CLOSE] if closes else headers, exc_info)

        health = self.health_of(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        body: Iterable[bytes] = []
        try:
            if health is not None:
                body = _respond(start, *health)
            elif self.is_too_long(environ.get("CONTENT_LENGTH")):
                body = _respond(start, 413, TOO_LONG)
            else:
                body = self.app(environ, start)
        finally:
            if isinstance(body, list):
                record.status = record.status or 500
                record.size = sum(map(len, body))
                self.end_record(record, is_health=health is not None)
        return body if isinstance(body, list) else _Recorded(body, record, self)

    def _record_of(self, environ: WSGIEnvironment) -> Record:
        address = environ.get("REMOTE_ADDR", "")
        record = Record(
            address,
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"].encode("latin-1", "replace").decode("utf-8", "replace"),
            environ.get("QUERY_STRING", ""),
            environ["SERVER_PROTOCOL"].partition("/")[2],
        )
        if self.write is not None:
            self.begin_record(
                record, address, lambda name: environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            )
            current_record.set(record)
        return record


class _Recorded:
    """The body of an answer, with note of how long it is.

    :param parts: the parts of the body.
    :param record: where the notes go.
    :param front: what ends the record.
    """

    def __init__(self, parts: Iterable[bytes], record: Record, front: Front) -> None:
        self._parts = parts
        self._record = record
        self._front = front

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._record.size += len(part)
            yield part
            if self._record.is_event_stream and self._front.is_closing:
                # It would go on for ever; its client comes back by itself.
                return

    def close(self) -> None:
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()
        finally:
            self._front.end_record(self._record)


def _respond(
    start_response: t.Any, status: int, body: bytes, *more: tuple[str, str]
) -> list[bytes]:
    headers = [*HEALTH_HEADERS, ("Content-Length", str(len(body))), *more]
    start_response(f"{status} {HTTP_STATUS_CODES[status]}", headers)
    return [body]
