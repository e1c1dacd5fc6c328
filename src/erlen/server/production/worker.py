"""A worker: a process that loads the application, serves it, and ends when the master says so."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import multiprocessing
import os
import sys
import threading
import typing as t
from pathlib import Path

import granian

from .asgi import ASGIFront
from .channel import Channel
from .checks import refuse_insecure
from .drain import Drain
from .job import IDLE, unpack
from .rsgi import RSGIFront
from .wsgi import WSGIFront

if t.TYPE_CHECKING:
    import socket

    from ...typing import Application

# Where the code lies that leads to the application when it is started.
_MACHINERY = (
    str(Path(__file__).parents[2]),
    *(
        os.path.join(os.path.dirname(os.path.abspath(str(module.__file__))), "")
        for module in (granian, asyncio, concurrent.futures, multiprocessing)
    ),
)
_FRONTS = {"rsgi": RSGIFront, "asgi": ASGIFront, "wsgi": WSGIFront}


class Worker:
    """The worker of this process.

    :param end: its end of the pair of sockets.
    """

    def __init__(self, end: socket.socket) -> None:
        self._channel = Channel(end)
        job: dict[str, t.Any] = {}
        while not job:
            if self._channel.is_closed:
                raise SystemExit(1)
            job = next(self._channel.receive(), {})
        self.settings = unpack(job["settings"])
        #: How the application is imported; ``None`` for the usual names.
        self.app_import_path: str | None = job["app"]
        self._listening: int = job["listening"]
        self._is_unix: bool = job["unix"]

    def fail(self, message: str) -> t.NoReturn:
        """Tell the master why this worker cannot serve, and end."""
        self._channel.send(kind="failed", message=message)
        raise SystemExit(1)

    def run(self, app: Application) -> None:
        """Serve an application until the master says that it is enough.

        :param app: the application.
        """
        refuse_insecure(app, self.settings)
        make_front = _FRONTS[self.settings.interface]
        front = make_front(app, self.settings, lambda: self._channel.send(kind="ready"))
        drain = Drain(front, self._listening, lambda: self._channel.send(kind="deaf"), _leave)
        front.prepare(self._listening, self._is_unix, on_signal=self._drain_later(drain))
        threading.Thread(
            target=self._obey, args=(drain,), name="erlen-control", daemon=True
        ).start()
        front.serve()
        _leave()

    def _drain_later(self, drain: Drain) -> t.Callable[[], None]:
        def start() -> None:
            threading.Thread(
                target=drain.run,
                args=(self.settings.graceful_timeout, IDLE),
                name="erlen-drain",
                daemon=True,
            ).start()

        return start

    def _obey(self, drain: Drain) -> None:
        """Wait for what the master says; a master that is gone says to end."""
        while not self._channel.is_closed:
            for message in self._channel.receive():
                if message["kind"] == "unready":
                    drain.announce()
                elif message["kind"] == "drain":
                    drain.run(message["seconds"], message["idle"])
                    return
        drain.run(self.settings.graceful_timeout, IDLE)


def _leave() -> t.NoReturn:
    """End the process without taking the interpreter apart.

    Threads of the server may still be about to call into it, and would fall over.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(0)


def skip_machinery(error: BaseException) -> None:
    """Let an exception's traceback begin where the application does, if it comes to that.

    :param error: what a start raised.
    """
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        tb = tb.tb_next
    if tb is not None:
        error.__traceback__ = tb
