"""The end of a worker: no new connections, the requests that are under way, then the rest."""

from __future__ import annotations

import os
import socket
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .front import Front

# How long requests that were cancelled may take to clear up.
_CANCEL_TIME = 1.2


class Drain:
    """Ends the worker of this process without a failed request.

    :param front: what answers.
    :param listening: the descriptor of the listening socket.
    :param on_deaf: called when no more connections are taken.
    :param on_late: called where the server does not end in time.
    """

    def __init__(
        self,
        front: Front,
        listening: int,
        on_deaf: Callable[[], None],
        on_late: Callable[[], None],
    ) -> None:
        self._front = front
        self._listening = listening
        self._on_deaf = on_deaf
        self._on_late = on_late
        self._lock = threading.Lock()

    def announce(self) -> None:
        """Let /readyz say no from now on."""
        self._front.is_ready = False

    def run(self, seconds: float, idle: float) -> None:
        """Take no more connections, wait for requests, and have the server end; only once.

        Requests on connections that are open are answered, with word that the connection ends.
        A connection that the server closed at once might have a request under way to it.

        :param seconds: how long requests may take.
        :param idle: how long connections may bring further ones.
        """
        if not self._lock.acquire(blocking=False):
            return
        deadline = time.monotonic() + seconds
        self.announce()
        stop_listening(self._listening)
        self._on_deaf()
        self._front.close_connections()
        time.sleep(min(idle, seconds))
        # Granian waits for what is under way, and closes connections that are idle.
        self._front.end()
        time.sleep(max(0.0, deadline - time.monotonic()))
        self._front.cancel_requests()
        time.sleep(_CANCEL_TIME)
        self._on_late()


def stop_listening(descriptor: int) -> None:
    """Have this process take no more connections; other processes go on.

    Granian stops listening only together with all else, and drops connections that were taken at
    that moment. So each descriptor of the socket is made one of a socket that nobody connects to.

    :param descriptor: one of the socket's descriptors.
    """
    status = os.fstat(descriptor)
    wanted = (status.st_dev, status.st_ino)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as silent:
        silent.setblocking(False)
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        for other in _descriptors():
            if _identity(other) == wanted:
                os.dup2(silent.fileno(), other, inheritable=False)


def _descriptors() -> list[int]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return [int(name) for name in os.listdir(folder)]


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
