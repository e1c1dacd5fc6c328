"""``erlen serve`` for these tests, what its processes hold, and clients that keep it busy."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import typing as t
from pathlib import Path

from tests.servers.process import Server

if t.TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


def serve(folder: Path, *options: str) -> Server:
    """Return a running server.

    :param folder: an empty folder for its output and the application's notes.
    :param options: more options of ``erlen serve``.
    """
    command = [
        *(sys.executable, "-m", "erlen", "--app", "application", "serve"),
        *("--bind=127.0.0.1:0", "--insecure-secret", *options),
    ]
    return Server(command, folder, HERE)


def workers_of(server: Server) -> list[int]:
    """Return the processes of a server's workers."""
    pid = server.process.pid
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(map(int, text.split()))


def resident(pid: int) -> int:
    """Return how many bytes of memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_files(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Outcome(t.NamedTuple):
    """What came of a request.

    :param number: which it was.
    :param began: when its client began with it, on the clock of :func:`time.monotonic`.
    :param status: the status of the answer; 0 for none.
    :param error: what went wrong, if anything.
    """

    number: int
    began: float
    status: int
    error: str


class Load:
    """Clients that send requests without a pause, until they are told to stop.

    :param server: the server.
    :param head: returns the head of a request, by its number.
    :param keeping: how many clients keep their connection as long as the server does.
    :param coming: how many make a new connection for each request.
    """

    def __init__(
        self, server: Server, head: Callable[[int], str], keeping: int, coming: int
    ) -> None:
        self._port = server.port
        self._head = head
        self._clients = [True] * keeping + [False] * coming
        self._next = 0
        self._is_over = False
        #: What came of each request.
        self.outcomes: list[Outcome] = []
        #: How many times no connection could be made.
        self.refused = 0

    def start(self) -> list[asyncio.Task[None]]:
        """Start the clients on the running loop."""
        return [asyncio.ensure_future(self._ask(keeps)) for keeps in self._clients]

    async def stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let the clients finish their requests, and wait for them."""
        self._is_over = True
        await asyncio.wait_for(asyncio.gather(*tasks), 60)

    async def _ask(self, keeps: bool) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._is_over:
            if connection is None:
                try:
                    connection = await asyncio.open_connection("127.0.0.1", self._port)
                except OSError:
                    self.refused += 1
                    await asyncio.sleep(0.05)
                    continue
            if not await self._request(*connection, keeps):
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keeps: bool
    ) -> bool:
        """Send a request and take the answer; return whether the connection is still good."""
        number = self._next
        self._next += 1
        began = time.monotonic()
        status, closes, error = 0, True, ""
        lines = [self._head(number), "Host: localhost"]
        lines += ["Content-Length: 0"] if lines[0].startswith("POST") else []
        lines += [] if keeps else ["Connection: close"]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode().lower()
            status = int(head.split(" ", 2)[1])
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            await asyncio.wait_for(reader.readexactly(length), 60)
            closes = "connection: close" in head
        except (OSError, EOFError, ValueError, TimeoutError) as caught:
            error = repr(caught)
        self.outcomes.append(Outcome(number, began, status, error))
        return not (closes or error)

    @property
    def failures(self) -> list[Outcome]:
        """The requests that were not answered, or not with 200."""
        return [outcome for outcome in self.outcomes if outcome.status != 200 or outcome.error]


def connect_many(server: Server, count: int, data: bytes) -> list[socket.socket]:
    """Return so many connections, on each of which the same bytes were sent."""
    connections = []
    for _ in range(count):
        connection = server.connect()
        connection.sendall(data)
        connections.append(connection)
    return connections
