"""Connections that bring no request: with TLS, Granian waits for the first one for ever."""

from __future__ import annotations

import os
import socket
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTORS = "/proc/self/fd"


class SilenceWatch:
    """Ends TCP connections whose client has not sent the head of a request in time.

    It is for HTTP/2 and for the choice of HTTP's version after a handshake; over HTTP/1 alone
    Granian has a limit of its own. Linux alone says which connections a process has.

    :param listening: the descriptor of the listening socket.
    :param seconds: how long a client may take.
    """

    def __init__(self, listening: int, seconds: float) -> None:
        #: The addresses of clients that have sent a request, as RSGI has them.
        self.heard: set[str] = set()
        self._seconds = seconds
        # When connections without a request were first seen, by the inodes of their sockets.
        self._silent: dict[int, float] = {}
        with socket.socket(fileno=os.dup(listening)) as server:
            # Those of the application to others have other ports here.
            self._port: int = server.getsockname()[1]

    def start(self) -> None:
        """Watch in a thread of its own, until the process ends."""
        threading.Thread(target=self._run, name="erlen-silence", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(max(0.5, self._seconds / 2))
            self.look()

    def look(self) -> None:
        """Look at all connections once."""
        now = time.monotonic()
        heard_before = set(self.heard)
        silent: dict[int, float] = {}
        there: set[str] = set()
        for inode, connection, client in self._connections():
            with connection:
                there.add(client)
                if client in self.heard:
                    continue
                silent[inode] = self._silent.get(inode, now)
                if now - silent[inode] >= self._seconds:
                    _hang_up(connection)
        self._silent = silent
        # Those that were heard in the meantime may be of connections that were not looked at.
        self.heard -= heard_before - there

    def _connections(self) -> Iterator[tuple[int, socket.socket, str]]:
        """Yield the inode, a socket to be closed, and the client of each connection."""
        for name in os.listdir(_DESCRIPTORS):
            try:
                if not os.readlink(f"{_DESCRIPTORS}/{name}").startswith("socket:"):
                    continue
                # A descriptor of our own: the server may close the other at any time.
                connection = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            client = self._client_of(connection)
            if client is None:
                connection.close()
            else:
                yield os.fstat(connection.fileno()).st_ino, connection, client

    def _client_of(self, connection: socket.socket) -> str | None:
        """Return the address of the other end; ``None`` where it is no client of this server."""
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        try:
            if connection.getsockname()[1] != self._port:
                return None
            host, port = connection.getpeername()[:2]
        except OSError:
            # It listens, or is gone.
            return None
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def can_watch() -> bool:
    """Return whether the system says which connections a process has."""
    return os.path.isdir(_DESCRIPTORS)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
