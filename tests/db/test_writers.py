"""Many writers on SQLite, in several processes, one of which is killed."""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import threading
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from tests.processes import wait_for
from tests.servers.conftest import require
from tests.servers.kinds import gunicorn
from tests.servers.process import Server

if t.TYPE_CHECKING:
    from collections.abc import Iterator

WRITERS = 50
#: How many entries each of them adds.
ENTRIES = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with two workers of 25 threads each."""
    require("gunicorn")
    options = ("--workers=2", "--worker-class=gthread", "--threads=25")
    command = gunicorn(*options, application="writers_application:app")
    with Server(command, tmp_path, cwd=Path(__file__).parent) as server:
        yield server


def add(server: Server, name: str) -> tuple[int, bytes]:
    """Add an entry; return status and body, or 0 where the connection was cut."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = server.request("POST", "/entries", f"name={name}", headers)
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error).encode()
    return answer.status, answer.body


def write_at_once(server: Server, watch: t.Callable[[str], None]) -> dict[str, tuple[int, bytes]]:
    """Let all writers add their entries at once; return the answer to each entry."""
    answers: dict[str, tuple[int, bytes]] = {}
    start = threading.Barrier(WRITERS, timeout=60)

    def write(writer: int) -> None:
        start.wait()
        for number in range(ENTRIES):
            name = f"{writer}-{number}"
            answers[name] = add(server, name)
            watch(name)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def read_names(server: Server) -> set[str]:
    """Return the names that are in the database."""
    connection = sqlite3.connect(f"{server.notes_path}.db")
    try:
        return {name for (name,) in connection.execute("SELECT name FROM entry")}
    finally:
        connection.close()


@pytest.mark.slow
def test_writers_wait(server: Server) -> None:
    """Fifty writers in two processes all succeed: none finds the database locked."""
    answers = write_at_once(server, lambda name: None)
    assert Counter(status for status, _ in answers.values()) == {201: WRITERS * ENTRIES}
    assert read_names(server) == set(answers)
    assert "locked" not in server.output


@pytest.mark.slow
def test_a_worker_is_killed(server: Server) -> None:
    """What was acknowledged is there, though a worker was killed; the others went on."""
    worker = int(server.request("GET", "/").body.split()[0])
    killed = threading.Event()

    def kill_one(name: str) -> None:
        if name.endswith("-2") and not killed.is_set():
            killed.set()
            os.kill(worker, signal.SIGKILL)

    answers = write_at_once(server, kill_one)
    assert killed.is_set()
    statuses = Counter(status for status, _ in answers.values())
    assert statuses.keys() <= {0, 201}, statuses
    acknowledged = {name for name, (status, _) in answers.items() if status == 201}
    assert acknowledged <= read_names(server)
    assert len(acknowledged) > WRITERS
    wait_for(lambda: add(server, "after")[0] == 201, "writing after the kill")
    assert "locked" not in server.output
