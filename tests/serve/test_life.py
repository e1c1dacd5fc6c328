"""The life of ``erlen serve``: reload, end, and workers that die."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
import typing as t
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tests.processes import PATIENCE, wait_for

from .process import Served, read_all

APPLICATION = """
import os
from erlen import Erlen
app = Erlen(__name__)
app.config["SECRET_KEY"] = "4f1d0e7c92ab63581d3aa0c4b7e2f968"

@app.get("/")
def index():
    return "VERSION " + str(os.getpid())

@app.post("/echo")
async def echo():
    from erlen import request
    return request.get_data()
"""


def _write(folder: Path, version: str, extra: str = "") -> None:
    (folder / "versioned.py").write_text(APPLICATION.replace("VERSION", version) + extra)


class Load:
    """Clients that send requests without a pause, each on a connection that it keeps.

    :param served: the server.
    :param number: how many clients there are.
    """

    def __init__(self, served: Served, number: int = 6) -> None:
        self._served = served
        self._is_over = threading.Event()
        self.outcomes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._work, args=(i,)) for i in range(number)]

    def _work(self, number: int) -> None:
        client = self._served.client()
        while not self._is_over.is_set():
            try:
                if number % 2:
                    client.request("GET", "/")
                else:
                    client.request("POST", "/echo", b"x" * 1000)
                answer = client.getresponse()
                body = answer.read()
                self.outcomes[f"{answer.status} {body[:2].decode()}"] += 1
                if number % 3 == 0:
                    client.close()
            except (OSError, http.client.HTTPException) as error:
                self.outcomes[repr(error)] += 1
                client.close()
        client.close()

    def __enter__(self) -> t.Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def _pids(served: Served) -> set[bytes]:
    return {served.request().body for _ in range(8)}


@pytest.mark.slow
def test_a_reload_takes_up_new_code_without_a_failed_request(tmp_path: Path) -> None:
    """Three reloads under load: each request is answered, in the end by the new code alone."""
    _write(tmp_path, "v0")
    with Served(tmp_path, "--workers=2", app="versioned", cwd=tmp_path) as served:
        with Load(served) as load:
            for number in (1, 2, 3):
                _write(tmp_path, f"v{number}")
                served.send_signal(signal.SIGHUP)
                wait_for(
                    lambda n=number: served.output.count("Reloaded") == n,  # type: ignore[misc]
                    f"reload {number}",
                )
            wait_for(lambda: load.outcomes["200 v3"] > 10, "an answer by the new code")
        assert set(load.outcomes) <= {"200 v0", "200 v1", "200 v2", "200 v3", "200 xx"}
        assert {body[:2] for body in _pids(served)} == {b"v3"}


@pytest.mark.slow
def test_a_reload_that_fails_changes_nothing(tmp_path: Path) -> None:
    """With broken code, the workers of before go on; mended code is taken up later."""
    _write(tmp_path, "v0")
    with Served(tmp_path, app="versioned", cwd=tmp_path) as served:
        _write(tmp_path, "v1", extra="\nraise RuntimeError('broken')")
        served.send_signal(signal.SIGHUP)
        wait_for(lambda: "The workers of before go on." in served.output, "the failure")
        assert "RuntimeError: broken" in served.output
        assert served.request().body.startswith(b"v0")
        _write(tmp_path, "v2")
        served.send_signal(signal.SIGHUP)
        wait_for(lambda: served.request().body.startswith(b"v2"), "the new code")


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """Others answer in the meantime, and a new worker takes the place."""
    with Served(tmp_path, "--workers=2") as served:
        wait_for(lambda: len(_pids(served)) == 2, "an answer of both workers")
        before = _pids(served)
        victim = int(before.pop())
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: "was ended by SIGKILL. Another is started." in served.output, "a notice")
        before.add(str(victim).encode())
        wait_for(lambda: _pids(served) - before, "a new worker")


def test_the_end_leaves_no_request_unanswered(tmp_path: Path) -> None:
    """SIGTERM: what is under way is finished, streams and WebSockets end, and the code is 0."""
    with Served(tmp_path, "--health") as served:
        slow, events, idle, fresh = (served.connect() for _ in range(4))
        slow.sendall(b"GET /slow?seconds=2 HTTP/1.1\r\nHost: x\r\n\r\n")
        events.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert events.recv(100).startswith(b"HTTP/1.1 200")
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        websocket = served.connect()
        websocket.sendall(_handshake(served))
        assert websocket.recv(1000).startswith(b"HTTP/1.1 101")
        # The slow request has begun when a later one has been answered.
        served.request()
        begun = time.monotonic()
        served.send_signal(signal.SIGTERM)
        wait_for(lambda: "Ending" in served.output, "the beginning of the end")
        # Connections that are open may bring requests for a moment more, which are the last.
        fresh.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_all(fresh)
        assert answer.startswith(b"HTTP/1.1 503") and b"connection: close" in answer.lower()
        assert read_all(slow).endswith(b"slow")
        assert read_all(events).endswith(b"0\r\n\r\n")
        assert read_all(websocket)[:1] == b"\x88"
        assert read_all(idle) == b""
        assert served.process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < 12
        for connection in (slow, events, idle, fresh, websocket):
            connection.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_end_turns_nobody_away(kind: str, tmp_path: Path) -> None:
    """SIGTERM while many connect: who has a connection gets an answer, others get none."""
    bind = "127.0.0.1:0" if kind == "tcp" else f"unix:{tmp_path / 'app.sock'}"
    outcomes: list[int | str] = []

    def ask(served: Served) -> None:
        while True:
            with closing(served.client()) as client:
                try:
                    client.connect()
                except OSError:
                    return
                try:
                    client.request("GET", "/", headers={"Connection": "close"})
                    outcomes.append(client.getresponse().status)
                except (OSError, http.client.HTTPException) as error:
                    outcomes.append(repr(error))

    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Served(folder, bind=bind) as served:
            clients = [threading.Thread(target=ask, args=(served,)) for _ in range(16)]
            for client in clients:
                client.start()
            wait_for(lambda: len(outcomes) > 200, "some requests")
            served.send_signal(signal.SIGTERM)
            for client in clients:
                client.join(PATIENCE)
            assert served.process.wait(PATIENCE) == 0
        assert set(outcomes) == {200}, Counter(outcomes)
        outcomes.clear()


def _handshake(served: Served) -> bytes:
    return (
        f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Origin: http://127.0.0.1:{served.port}\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


@pytest.mark.slow
@pytest.mark.parametrize("interface", ["rsgi", "asgi", "wsgi"])
def test_what_does_not_end_is_ended(tmp_path: Path, interface: str) -> None:
    """An answer that goes on for ever keeps no server, and does not look whole."""
    options = (f"--interface={interface}", "--graceful-timeout=1")
    notes = tmp_path / "notes"
    with Served(tmp_path, *options, TEST_NOTES=str(notes)) as served:
        with served.connect() as endless:
            endless.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert endless.recv(100).startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            served.send_signal(signal.SIGTERM)
            assert not read_all(endless).endswith(b"0\r\n\r\n")
        assert served.process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < 12
        # By WSGI nothing can reach into the thread of a view.
        assert interface == "wsgi" or notes.read_text() == "cleared up"


def test_workers_end_when_their_master_is_killed(tmp_path: Path) -> None:
    """No worker is left behind that would answer with old code for ever."""
    served = Served(tmp_path)
    worker = int(served.request().body)
    served.kill()
    wait_for(lambda: not _is_running(worker), "the end of the worker")


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(") ")[2][:1] != "Z"


@pytest.mark.slow
def test_old_and_large_workers_are_replaced(tmp_path: Path) -> None:
    """A worker over its age or its memory gives way to a new one, with a line that says so."""
    with Served(tmp_path, "--worker-max-memory=150M") as served:
        first = served.request("/fill").body
        for _ in range(3):
            served.request("/fill")
        wait_for(lambda: served.request().body != first, "a new worker")
        assert "MiB: replaced." in served.output
    with Served(tmp_path, "--worker-max-age=1") as served:
        first = served.request().body
        wait_for(lambda: served.request().body != first, "a new worker")
        assert "s old: replaced." in served.output


def test_systemd_and_the_pid_file(tmp_path: Path) -> None:
    """The service manager is told of the beginning, a reload, the watchdog and the end."""
    pid_file = tmp_path / "pid"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)

        def wait_until_told(expected: str) -> str:
            while True:
                told = manager.recv(4096).decode()
                if expected in told:
                    return told

        with Served(
            tmp_path,
            f"--pid-file={pid_file}",
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="1000000",
        ) as served:
            assert pid_file.read_text() == f"{served.process.pid}\n"
            wait_until_told("READY=1")
            wait_until_told("WATCHDOG=1")
            served.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in wait_until_told("RELOADING=1")
            wait_until_told("READY=1")
            assert served.stop() == 0
            wait_until_told("STOPPING=1")
    assert not pid_file.exists()


def test_a_delay_before_the_end(tmp_path: Path) -> None:
    """While /readyz says no already, connections and requests are taken as before."""
    with Served(tmp_path, "--health", "--drain-delay=2") as served:
        served.send_signal(signal.SIGTERM)
        wait_for(lambda: served.request("/readyz").status == 503, "the word that it ends")
        assert served.request("/").status == 200
        assert served.request("/healthz").status == 200
        assert served.stop() == 0
