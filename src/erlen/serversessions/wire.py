"""Connections to Redis with little between a request and the socket.

PERF: the client of redis-py takes three times as long for a ``GET`` as the exchange itself, mostly
in its parser and its retries. It still makes the connections: TLS, passwords and databases are its
business. What is spoken on them is here, a page of the protocol RESP 2
(https://redis.io/docs/latest/develop/reference/protocol-spec/).
"""

from __future__ import annotations

import os
import select
import typing as t
from collections import deque

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.connection import ConnectionPool

Command = tuple[t.Any, ...]

# How many connections wait for the next request at most.
_SPARE = 100
_CHUNK = 65536


class Lines:
    """Connections, as many as threads talk at a time.

    :param pool: knows how they are made. They are not counted among its own, which it limits.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._free: deque[_Line] = deque()
        self._pid = os.getpid()

    def ask(self, commands: Sequence[Command]) -> list[t.Any]:
        """Send commands together and return their replies: bytes, numbers, lists or ``None``.

        :param commands: the commands.
        :raises redis.exceptions.RedisError: where the server refuses one, or cannot be reached.
        """
        line = self._take()
        try:
            line.send(commands)
            replies = [line.read() for _ in commands]
        except BaseException:
            # What comes on it next might be the answer to this.
            line.close()
            raise
        if len(self._free) < _SPARE:
            self._free.append(line)
        else:
            line.close()
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def _take(self) -> _Line:
        if self._pid != os.getpid():
            # A child process must not speak on the connections of its parent.
            self._free, self._pid = deque(), os.getpid()
        while True:
            try:
                line = self._free.pop()
            except IndexError:
                return _Line(self._pool.connection_class(**self._pool.connection_kwargs))
            if line.is_quiet():
                return line
            # The server has closed it, as when it was restarted.
            line.close()

    def close(self) -> None:
        """Close what is not in use."""
        while self._free:
            self._free.pop().close()


class _Line:
    """One connection.

    :param connection: the connection of redis-py.
    """

    def __init__(self, connection: t.Any) -> None:
        self._connection = connection
        connection.connect()
        self._socket = connection._sock
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._socket, select.POLLIN)
        self._buffer = b""

    def is_quiet(self) -> bool:
        """Tell whether nothing can be read, not even an end."""
        if self._buffer:
            return False
        if self._poll is not None:
            return not self._poll.poll(0)
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands."""
        self._socket.sendall(b"".join(map(_pack, commands)))

    def read(self) -> t.Any:
        """Return the next reply. An error of the server is returned, not raised."""
        line = self._read_line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self._read_bytes(length)
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"-":
            return ResponseError(rest.decode(errors="replace"))
        raise RedisConnectionError(f"unexpected answer {line[:40]!r}")

    def _read_line(self) -> bytes:
        while True:
            line, end, rest = self._buffer.partition(b"\r\n")
            if end:
                self._buffer = rest
                return line
            self._buffer += self._receive()

    def _read_bytes(self, length: int) -> bytes:
        missing = length + 2 - len(self._buffer)
        if missing > 0:
            parts = [self._buffer]
            while missing > 0:
                part = self._receive()
                parts.append(part)
                missing -= len(part)
            self._buffer = b"".join(parts)
        found, self._buffer = self._buffer[:length], self._buffer[length + 2 :]
        return found

    def _receive(self) -> bytes:
        received: bytes = self._socket.recv(_CHUNK)
        if not received:
            raise RedisConnectionError("the server has closed the connection")
        return received


def _pack(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        text = argument if isinstance(argument, str) else repr(argument)
        data = text.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)
