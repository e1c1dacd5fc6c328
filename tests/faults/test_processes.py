"""Workers that are killed, replaced and ended while clients keep them busy."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
import typing as t
from contextlib import closing
from functools import partial

import pytest
from tests.processes import PATIENCE, wait_for

from .serving import Load, connect_many, serve, workers_of

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.process import Server

#: RELIABILITY: no failure later than 2 s after a worker was killed. A busy machine is given more.
LATE = 4.0

pytestmark = pytest.mark.slow


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds, while clients go on."""
    deadline = time.monotonic() + 3 * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.05)


def test_a_worker_is_killed(tmp_path: Path) -> None:
    """No answered write is lost, what fails was in flight, and another worker takes its place."""
    with serve(tmp_path, "--workers=2") as server:
        load = Load(server, lambda number: f"POST /write/{number} HTTP/1.1", keeping=4, coming=4)

        async def run() -> float:
            tasks = load.start()
            await until(lambda: len(load.outcomes) > 50, "some requests")
            victim, survivor = workers_of(server)
            killed = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            await until(
                lambda: len(workers_of(server)) == 2 and victim not in workers_of(server),
                "the start of another worker",
            )
            assert survivor in workers_of(server)
            count = len(load.outcomes)
            await until(
                lambda: len(load.outcomes) > count + 50 and time.monotonic() > killed + LATE,
                "further requests",
            )
            await load.stop(tasks)
            return killed

        killed = asyncio.run(run())
        assert server.stop() == 0
    # Each client had one request under way, or a connection that ended without one.
    assert len(load.failures) <= 8, load.failures
    assert load.refused == 0
    assert all(failure.began < killed + LATE for failure in load.failures)
    with closing(sqlite3.connect(tmp_path / "writes.sqlite3")) as database:
        written = {number for (number,) in database.execute("SELECT number FROM writes")}
    answered = {outcome.number for outcome in load.outcomes if outcome.status == 200}
    assert answered <= written


def has_reloaded(server: Server, times: int) -> bool:
    """Return whether a server has replaced its workers so many times."""
    return server.output.count("Reloaded") == times


@pytest.mark.parametrize("interface", ["rsgi", "wsgi"])
def test_reloads(interface: str, tmp_path: Path) -> None:
    """SIGHUP three times while clients go on: none fails, none is refused, all workers are new."""
    with serve(tmp_path, "--workers=2", f"--interface={interface}") as server:
        load = Load(server, lambda number: "GET /short HTTP/1.1", keeping=4, coming=4)
        first = workers_of(server)

        async def run() -> None:
            tasks = load.start()
            for number in range(1, 4):
                os.kill(server.process.pid, signal.SIGHUP)
                await until(partial(has_reloaded, server, number), "the reload")
            count = len(load.outcomes)
            await until(lambda: len(load.outcomes) > count + 20, "further requests")
            await load.stop(tasks)

        asyncio.run(run())
        wait_for(lambda: not set(first) & set(workers_of(server)), "the end of the old workers")
        assert server.stop() == 0
    assert load.failures == []
    assert load.refused == 0
    assert len(load.outcomes) > 100


@pytest.mark.parametrize("interface", ["rsgi", "asgi", "wsgi"])
def test_sigterm(interface: str, tmp_path: Path) -> None:
    """What was accepted is answered, and the exit code is 0, with streams and idle clients too."""
    options = ("--workers=2", f"--interface={interface}", "--graceful-timeout=2")
    with serve(tmp_path, *options) as server:
        load = Load(server, lambda number: "GET /short HTTP/1.1", keeping=4, coming=4)
        # Clients that hold a connection: idle ones, one of a stream and one of events.
        held = []
        for path in ("/", "/endless", "/endless/async", "/events"):
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            held += connect_many(server, 1, request)
            assert b" 200 " in held[-1].recv(65536)
        half = server.connect()
        half.sendall(b"GET / HTTP/1.1\r\nHo")

        async def run() -> float:
            tasks = load.start()
            await until(lambda: len(load.outcomes) > 50, "some requests")
            began = time.monotonic()
            os.kill(server.process.pid, signal.SIGTERM)
            await until(lambda: server.process.poll() is not None, "the end of the server")
            took = time.monotonic() - began
            await load.stop(tasks)
            return took

        took = asyncio.run(run())
        assert server.process.returncode == 0, server.output
        for connection in (*held, half):
            connection.close()
    # 2 s for what is under way, and a busy machine; 12 s is the promise for the default of 9.
    assert took < 12, server.output
    assert load.failures == []
