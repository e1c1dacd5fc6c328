"""The end of the server, and its beginning at a port that is taken."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import tempfile
import typing as t
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.develop.running import PATIENCE, Run, is_running, wait_for, write
from websockets.sync.client import connect

if t.TYPE_CHECKING:
    from collections.abc import Iterator

APP = """
import asyncio
import threading
import time

from erlen import Erlen, websocket

app = Erlen(__name__)


@app.get("/")
def index():
    return "hello"


@app.get("/stuck")
def stuck():
    time.sleep(600)


@app.get("/stuck-loop")
async def stuck_loop():
    time.sleep(600)


@app.get("/for-ever")
async def for_ever():
    async def parts():
        while True:
            yield "data: x\\n\\n"
            await asyncio.sleep(0.1)

    return parts(), {"Content-Type": "text/event-stream"}


@app.websocket("/silent")
async def silent():
    await websocket.accept()
    await asyncio.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an application."""
    write(tmp_path, {"app.py": APP})
    return tmp_path


@pytest.fixture
def clients(folder: Path) -> Iterator[list[HTTPConnection]]:
    """Connections that a test opens."""
    opened: list[HTTPConnection] = []
    yield opened
    for client in opened:
        client.close()


def ask(run: Run, path: str, clients: list[HTTPConnection]) -> HTTPConnection:
    """Send a request whose answer does not end."""
    client = HTTPConnection(run.host, run.port, timeout=PATIENCE)
    clients.append(client)
    client.request("GET", path)
    return client


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("debug", ["--debug", "--no-debug"])
def test_end(
    folder: Path, clients: list[HTTPConnection], number: signal.Signals, debug: str
) -> None:
    """A signal ends all at once, with open streams, WebSockets, views that hang; the code is 0."""
    temporary = set(os.listdir(tempfile.gettempdir()))
    with Run(folder, debug, "--port", "0") as run:
        run.started()
        children = run.children()
        assert len(children) == (debug == "--debug")
        paths = ["/for-ever", "/for-ever"] + ["/_erlen/refresh"] * (debug == "--debug")
        for path in paths:
            ask(run, path, clients).getresponse()
        ask(run, "/stuck", clients)
        with connect(f"ws://127.0.0.1:{run.port}/silent"):
            assert run.end(number) == 0
        assert not any(map(is_running, children))
        assert "Traceback" not in run.log
    left = set(os.listdir(tempfile.gettempdir())) - temporary
    assert not [name for name in left if "erlen" in name]


def test_end_from_a_terminal(folder: Path) -> None:
    """Ctrl+C reaches both processes at the same time; the application's own end is run."""
    source = '\n@app.after_serving\ndef end():\n    print("that was all")\n'
    write(folder, {"app.py": APP + source})
    with Run(folder, "--debug", "--port", "0") as run:
        run.started()
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(PATIENCE) == 0
        run.logged("that was all")


def test_stuck_loop(folder: Path, clients: list[HTTPConnection]) -> None:
    """Code that never gives the loop back does not keep the server alive."""
    with Run(folder, "--debug", "--port", "0") as run:
        run.started()
        (child,) = run.children()
        ask(run, "/stuck-loop", clients)
        assert run.end() == 0
        assert not is_running(child)


def test_no_orphan(folder: Path) -> None:
    """Where the reloader is killed, the process that serves ends as well, and frees the port."""
    with Run(folder, "--debug", "--port", "0") as run:
        run.started()
        (child,) = run.children()
        run.end(signal.SIGKILL)
        wait_for(lambda: not is_running(child), "the end of the serving process")


def test_taken_port_that_nobody_named(folder: Path) -> None:
    """Where the usual port is taken, one line says so, and by which process; the next is taken."""
    with socket.socket() as holder:
        try:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 5000))
            holder.listen()
        except OSError:
            pass  # Somebody has it; that is as well.
        with Run(folder, "--no-debug") as run:
            run.started()
            assert run.port > 5000
            (line,) = [line for line in run.log.splitlines() if "in use" in line]
            assert line.startswith(" * Port 5000 is in use by ")
            assert line.endswith(f" Taking port {run.port}.")
            if holder.getsockname()[1] == 5000 and Path("/proc/net/tcp").exists():
                assert f"(process {os.getpid()})" in line
            assert run.request("/").text == "hello"


@pytest.mark.parametrize("debug", ["--debug", "--no-debug"])
def test_taken_port_that_was_named(folder: Path, debug: str) -> None:
    """A port that the user named is that or none: one line, and the exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with Run(folder, debug, "--port", str(port)) as run:
            assert run.process.wait(PATIENCE) == 1
            assert run.log.startswith(f"Error: Port {port} is in use by ")
            assert run.log.count("\n") == 1


@pytest.mark.parametrize("debug", ["--debug", "--no-debug"])
def test_https(folder: Path, debug: str) -> None:
    """A certificate made on the spot serves HTTPS, also after a change."""
    pytest.importorskip("cryptography")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Run(folder, debug, "--port", "0", "--cert", "adhoc") as run:
        run.started()
        url = f"https://127.0.0.1:{run.port}/"

        def get() -> bytes:
            try:
                with urllib.request.urlopen(url, timeout=PATIENCE, context=context) as answer:
                    body: bytes = answer.read()
                    return body
            except OSError:
                return b""

        assert get() == b"hello"
        if debug == "--debug":
            write(folder, {"app.py": APP.replace("hello", "good-bye")})
            wait_for(lambda: get() == b"good-bye", "the change")


def test_without_granian(folder: Path) -> None:
    """Where Granian is not installed, Werkzeug's server serves, and the terminal says so."""
    hide = (
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: (\n"
        "    None if name == 'granian' else find(name, package))\n"
    )
    write(folder, {"hidden/sitecustomize.py": hide})
    with Run(folder, "--debug", "--port", "0", PYTHONPATH=str(folder / "hidden")) as run:
        run.started()
        assert "Granian is not installed: no WebSockets" in run.log
        assert "pip install 'erlen[server]'" in run.log
        assert run.request("/").text == "hello"


def test_unix_socket(folder: Path) -> None:
    """A Unix socket is served by Werkzeug's server."""
    path = folder / "x.sock"
    with Run(folder, "--no-debug", "--host", f"unix://{path}") as run:
        wait_for(path.exists, "the socket")
        run.logged("At a Unix socket, Werkzeug's server serves")


def test_failing_start(folder: Path) -> None:
    """Without the reloader, an application that cannot be started ends the command."""
    source = "\n@app.before_serving\ndef start():\n    raise LookupError('no start')\n"
    write(folder, {"app.py": APP + source})
    with Run(folder, "--no-debug", "--port", "0") as run:
        assert run.process.wait(PATIENCE) == 1
        assert "LookupError: no start" in run.log


def test_colors(folder: Path) -> None:
    """The status is coloured where colours are wanted."""
    with Run(folder, "--no-debug", "--port", "0", NO_COLOR="", FORCE_COLOR="1") as run:
        run.started()
        run.request("/")
        run.request("/nowhere")
        run.logged("\x1b[32m200\x1b[0m")
        run.logged("\x1b[33m404\x1b[0m")


def test_one_after_the_other(folder: Path) -> None:
    """Without threads, synchronous views run one after the other."""
    source = (
        "\n@app.get('/thread')\ndef thread():\n"
        "    time.sleep(0.1)\n    return threading.current_thread().name\n"
    )
    write(folder, {"app.py": APP + source})
    with Run(folder, "--no-debug", "--port", "0", "--without-threads") as run:
        run.started()
        opened: list[HTTPConnection] = []
        clients = [ask(run, "/thread", opened) for _ in range(5)]
        names = {client.getresponse().read() for client in clients}
        assert len(names) == 1
        for client in clients:
            client.close()
