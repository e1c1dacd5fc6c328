"""What the master and a worker say to each other: lines of JSON over a pair of sockets."""

from __future__ import annotations

import json
import typing as t

if t.TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

_BLOCK = 65536


class Channel:
    """One end of the pair.

    :param end: the socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._rest = b""
        #: Whether the other side has gone.
        self.is_closed = False

    def send(self, **message: t.Any) -> None:
        """Send a message; it is dropped where the other side has gone."""
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.is_closed = True

    def receive(self) -> Iterator[dict[str, t.Any]]:
        """Yield the messages that the next read brings; it waits where the socket does."""
        try:
            data = self.socket.recv(_BLOCK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.is_closed = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def close(self) -> None:
        """Close this end."""
        self.socket.close()
