"""The front by RSGI."""

from __future__ import annotations

import typing as t

from .front import HEALTH_HEADERS, TOO_LONG, Front
from .record import Record, current_record

_Headers = list[tuple[str, str]]
_CLOSE = ("connection", "close")


class RSGIFront(Front):
    """Answers Granian by RSGI."""

    def target(self) -> t.Any:
        """Return what Granian calls."""
        return self

    def __rsgi_init__(self, loop: t.Any) -> None:
        self.loop = loop
        self.app.__rsgi_init__(loop)
        loop.call_soon(self.tell_ready)

    def __rsgi_del__(self, loop: t.Any) -> None:
        self.app.__rsgi_del__(loop)

    def __rsgi__(self, scope: t.Any, protocol: t.Any) -> t.Any:
        if self.watch is not None:
            self.watch.heard.add(scope.client)
        # PERF: nothing is between the server and the application where nothing is asked for.
        if self.is_transparent:
            return self.app.__rsgi__(scope, protocol)
        if scope.proto == "ws":
            return self._converse(scope, protocol)
        return self._answer(scope, protocol)

    async def _answer(self, scope: t.Any, protocol: t.Any) -> None:
        record = self._record_of(scope)
        protocol = _Recorded(protocol, record, self.is_closing and scope.http_version[0] == "1")
        health = self.health_of(scope.method, scope.path)
        try:
            if health is not None:
                protocol.response_bytes(health[0], HEALTH_HEADERS, health[1])
            elif self.is_too_long(scope.headers.get("content-length")):
                protocol.response_bytes(413, [HEALTH_HEADERS[0], _CLOSE], TOO_LONG)
            else:
                await self.app.__rsgi__(scope, protocol)
        finally:
            record.status = record.status or 500
            self.end_record(record, is_health=health is not None)

    async def _converse(self, scope: t.Any, protocol: t.Any) -> None:
        record = self._record_of(scope)
        record.status = 101
        try:
            await self.app.__rsgi__(scope, protocol)
        finally:
            self.end_record(record)

    def _record_of(self, scope: t.Any) -> Record:
        address = scope.client.rpartition(":")[0].strip("[]")
        record = Record(address, scope.method, scope.path, scope.query_string, scope.http_version)
        if self.write is not None:
            self.begin_record(record, address, scope.headers.get)
            current_record.set(record)
        return record


class _Recorded:
    """The protocol of a request, with note of what is answered.

    :param protocol: what Granian hands over.
    :param record: where the notes go.
    :param closes: whether the connection ends with the answer.
    """

    __slots__ = ("__aiter__", "_closes", "_protocol", "_record", "client_disconnect")

    def __init__(self, protocol: t.Any, record: Record, closes: bool) -> None:
        self._protocol = protocol
        self._record = record
        self._closes = closes
        self.client_disconnect = protocol.client_disconnect
        self.__aiter__ = protocol.__aiter__

    def _head(self, status: int, headers: _Headers) -> _Headers:
        self._record.status = status
        return [*headers, _CLOSE] if self._closes else headers

    def response_bytes(self, status: int, headers: _Headers, body: bytes) -> None:
        self._record.size = len(body)
        self._protocol.response_bytes(status, self._head(status, headers), body)

    def response_stream(self, status: int, headers: _Headers) -> _RecordedTransport:
        transport = self._protocol.response_stream(status, self._head(status, headers))
        return _RecordedTransport(transport, self._record)


class _RecordedTransport:
    """Where the parts of an answer go, with note of how long they are.

    :param transport: what Granian hands over.
    :param record: where the notes go.
    """

    __slots__ = ("_record", "_transport")

    def __init__(self, transport: t.Any, record: Record) -> None:
        self._transport = transport
        self._record = record

    def send_bytes(self, data: bytes) -> t.Any:
        self._record.size += len(data)
        return self._transport.send_bytes(data)
