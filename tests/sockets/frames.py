"""A client for WebSockets that sends what it is told, right or wrong (RFC 6455)."""

from __future__ import annotations

import os
import socket
import struct
import typing as t

if t.TYPE_CHECKING:
    from types import TracebackType

    from tests.servers.process import Server

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Frame(t.NamedTuple):
    """A frame that came from the server."""

    opcode: int
    payload: bytes
    is_final: bool


def encode(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
) -> bytes:
    """Return a frame as a client sends it.

    :param opcode: its kind.
    :param payload: what it carries.
    :param final: whether it is the last of its message.
    :param reserved: the three reserved bits, which must be 0.
    :param masked: whether it is masked, as it must be.
    """
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    length, bit = len(payload), 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += struct.pack("!BH", bit | 126, length)
    else:
        head += struct.pack("!BQ", bit | 127, length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = mask * (length // 4 + 1)
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(key[:length], "big")
    return head + mask + hidden.to_bytes(length, "big")


class RawClient:
    """A connection to a server, upgraded to a WebSocket.

    :param server: the server.
    :param path: the path of the WebSocket.
    """

    def __init__(self, server: Server, path: str = "/echo") -> None:
        self._socket = server.connect()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        self._received = b""
        while b"\r\n\r\n" not in self._received:
            assert self._fill(), self._received
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has had enough may have closed already."""
        try:
            self._socket.sendall(data)
        except OSError:
            pass

    def receive(self) -> Frame | None:
        """Return the next frame; ``None`` where the connection has ended."""
        head = self._take(2)
        if head is None:
            return None
        length = head[1] & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self._take(size) or b"")
        payload = self._take(length)
        assert payload is not None
        return Frame(head[0] & 0x0F, payload, bool(head[0] & 0x80))

    def receive_message(self) -> bytes | None:
        """Return the next whole message, or ``None`` where the WebSocket was closed."""
        message = b""
        while frame := self.receive():
            if frame.opcode == CLOSE:
                return None
            if frame.opcode in {TEXT, BINARY, CONTINUATION}:
                message += frame.payload
                if frame.is_final:
                    return message
        return None

    def receive_close(self) -> int | None:
        """Return the code of the closing frame: 1005 for none in it, ``None`` for no frame."""
        while frame := self.receive():
            if frame.opcode == CLOSE:
                return int.from_bytes(frame.payload[:2]) if frame.payload else 1005
        return None

    def _take(self, size: int) -> bytes | None:
        while len(self._received) < size:
            if not self._fill():
                return None
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _fill(self) -> bool:
        try:
            part = self._socket.recv(1 << 20)
        except ConnectionError:
            return False
        self._received += part
        return bool(part)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
