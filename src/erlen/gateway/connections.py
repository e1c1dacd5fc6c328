"""The TCP connections that the server holds, for what its protocol has no words for: to end one in
the middle of an answer, and to know how much of an answer has arrived."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import sys
import typing as t
from contextlib import suppress

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: How many bytes of an answer may be on their way.
MAX_UNDER_WAY = 1024 * 1024
# How many bytes go out before anything is looked up.
_FREE = 256 * 1024
# How many seconds to wait before asking again whether there is room.
_PAUSE = 0.01
# The place of tcpi_bytes_acked in Linux's struct tcp_info.
_ACKED_AT = 120
_INFO_SIZE = 128


def find_connection(client: str, server: str) -> socket.socket | None:
    """Return a TCP connection of this process, for the caller to close; ``None`` for none.

    :param client: the address of the client, as RSGI has it: ``"192.0.2.1:40000"``.
    :param server: the address that it connected to, in the same form.
    """
    for descriptor in _sockets():
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor)
        try:
            if (
                _address(connection.getpeername()) == client
                and _address(connection.getsockname()) == server
            ):
                return connection.dup()
        except OSError:
            # It listens, or has ended.
            pass
        finally:
            connection.detach()
    return None


def _sockets() -> Iterator[int]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            # Closed in the meantime, such as that of the list itself.
            pass


def _address(name: t.Any) -> str:
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Flow:
    """How much of an answer is on its way, for a server that takes any amount of it at once.

    Linux counts what a client has received. Elsewhere, and for Unix sockets, nothing is known, and
    nobody waits. In HTTP/2 the client's other answers count as well.

    :param client: the address of the client.
    :param server: the address that it connected to.
    """

    def __init__(self, client: str, server: str) -> None:
        self._addresses = client, server
        self._is_known = sys.platform == "linux"
        self._connection: socket.socket | None = None
        self._sent = 0
        self._acked_before = 0

    async def add(self, size: int) -> None:
        """Count bytes that were handed to the server, and wait while too many are on their way.

        :param size: how many.
        """
        self._sent += size
        if self._sent <= _FREE or not self._is_known:
            return
        if self._connection is None:
            self._open()
        # There is no event to wait for: the system only tells who asks.
        while self._under_way() > MAX_UNDER_WAY:  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE)

    def _open(self) -> None:
        self._connection = find_connection(*self._addresses)
        self._acked_before = self._acked()

    def _under_way(self) -> int:
        acked = self._acked()
        return self._sent - (acked - self._acked_before) if self._is_known else 0

    def _acked(self) -> int:
        info = b""
        if self._connection is not None:
            with suppress(OSError):
                info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        if len(info) < _INFO_SIZE:
            self._is_known = False
            return 0
        acked: int = struct.unpack_from("=Q", info, _ACKED_AT)[0]
        return acked

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
