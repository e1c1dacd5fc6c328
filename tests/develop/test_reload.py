"""What happens when files change."""

from __future__ import annotations

import os
import re
import signal
import threading
import typing as t
from http.client import HTTPConnection, HTTPException

import pytest
from tests.develop.running import PATIENCE, Run, is_running, wait_for, write
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "app.py": """
import asyncio
import os
import threading
import time
from pathlib import Path

from erlen import Erlen, render_template, websocket
from greeting import GREETING

app = Erlen(__name__)


def note(text):
    with Path("notes.txt").open("a") as notes:
        notes.write(f"{text} {os.getpid()}\\n")


@app.while_serving
async def life():
    note("began")
    yield
    note("ended")


# A thread that would keep the process alive.
threading.Thread(target=time.sleep, args=(600,)).start()


@app.get("/")
def index():
    return f"{GREETING} {os.environ.get('COLOR')}"


@app.get("/page")
def page():
    return render_template("page.html")


@app.get("/slow")
async def slow():
    await asyncio.sleep(0.3)
    return "slow but whole"


@app.get("/kill")
def kill():
    os.kill(os.getpid(), 9)


@app.websocket("/echo")
async def echo():
    while True:
        await websocket.send(await websocket.receive())
""",
    "greeting.py": 'GREETING = "hello"',
    "templates/page.html": "<p>page one",
    "static/a.css": "p {}",
    ".env": "COLOR=red",
    "data.toml": "",
    "ignored.py": "",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A server whose files the tests change, and bring back."""
    folder = tmp_path_factory.mktemp("changing")
    write(folder, FILES)
    extra = ("--extra-files", "data.toml", "--exclude-patterns", "*ignored*")
    with Run(folder, "--debug", "--port", "0", *extra) as run:
        yield run.started()


def change(run: Run, **texts: str) -> None:
    """Change files; underscores in their names stand for dots."""
    write(run.folder, {name.replace("__", "/").replace("_", "."): x for name, x in texts.items()})


def process_of(run: Run) -> str:
    """Return what tells the serving process from others."""
    return run.page("/").text.partition('data-state="')[2][:16]


def test_code(run: Run) -> None:
    """A change of code is served; the process before it, its threads too, is gone."""
    (before,) = run.children()
    change(run, greeting_py='GREETING = "good morning"')
    run.eventually("/", "good morning")
    assert not is_running(before)
    (after,) = run.children()
    notes = (run.folder / "notes.txt").read_text().splitlines()
    assert notes[-2:] == [f"ended {before}", f"began {after}"]
    run.logged("Changed: greeting.py; starting anew")


def test_environment_file(run: Run) -> None:
    """A change of .env is seen, also by what was set by it before."""
    change(run, _env="COLOR=blue")
    run.eventually("/", "blue")


def test_extra_file(run: Run) -> None:
    """A change of a file that is named to the command starts the application anew."""
    before = process_of(run)
    change(run, data_toml="a = 1")
    run.logged("data.toml; starting anew")
    wait_for(lambda: process_of(run) != before, "another process")


def test_templates_and_static_files(run: Run) -> None:
    """A change of these is told to browsers; the process stays, and what is excluded is ignored."""
    before = process_of(run)
    client = HTTPConnection(run.host, run.port, timeout=PATIENCE)
    client.request("GET", "/_erlen/refresh")
    events = client.getresponse()
    change(run, ignored_py="x = 1")
    change(run, templates__page_html="<p>page two")
    while not (line := events.readline()).endswith(b'"names": ["page.html"]}\n'):
        assert line
    assert run.request("/page").text == "<p>page two"
    change(run, static__a_css="p { color: red }")
    while not (line := events.readline()).endswith(b'"names": ["a.css"]}\n'):
        assert line
    assert process_of(run) == before
    assert "ignored.py" not in run.log
    events.close()
    client.close()


def test_request_under_way(run: Run) -> None:
    """A request that is under way when a file changes is answered; who comes later waits."""
    client = HTTPConnection(run.host, run.port, timeout=PATIENCE)
    client.request("GET", "/slow")
    change(run, greeting_py='GREETING = "good evening"')
    assert client.getresponse().read() == b"slow but whole"
    client.close()
    run.eventually("/", "good evening")


def test_no_request_fails(run: Run) -> None:
    """Requests that come while the application starts anew wait, and none of them fails."""
    answers: list[int | str] = []
    has_ended = threading.Event()

    def ask() -> None:
        while not has_ended.is_set():
            try:
                answers.append(run.request("/").status)
            except (OSError, HTTPException) as error:
                answers.append(repr(error))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        for number in range(2):
            change(run, greeting_py=f'GREETING = "round {number}"')
            run.eventually("/", f"round {number}")
    finally:
        has_ended.set()
        for client in clients:
            client.join()
    assert set(answers) == {200}


def test_broken_and_mended(run: Run) -> None:
    """A syntax error is shown, as the client wants it, until it is mended; nothing else ends."""
    change(run, greeting_py="GREETING = (")
    answer = run.eventually("/", "SyntaxError")
    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/plain")
    page = run.page("/nowhere")
    assert page.status == 500
    assert "was never closed" in page.text
    assert "/_erlen/refresh.js" in page.text
    assert '"traceback"' in run.request("/", Accept="application/json").text
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{run.port}/echo")
    assert caught.value.response.status_code == 500
    change(run, greeting_py='GREETING = "mended"')
    run.eventually("/", "mended")


def test_websocket_ends(run: Run) -> None:
    """A WebSocket that is open does not hold up the change, and can be opened again."""
    with connect(f"ws://127.0.0.1:{run.port}/echo") as client:
        client.send("a")
        assert client.recv(timeout=PATIENCE) == "a"
        change(run, greeting_py='GREETING = "good night"')
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=PATIENCE)
    run.eventually("/", "good night")
    with connect(f"ws://127.0.0.1:{run.port}/echo") as client:
        client.send("b")
        assert client.recv(timeout=PATIENCE) == "b"


def test_killed(run: Run) -> None:
    """A process that dies is told of, in the browser too, and a change brings it back."""
    (child,) = run.children()
    os.kill(child, signal.SIGKILL)
    answer = run.eventually("/", "ended by itself, by SIGKILL")
    assert answer.status == 500
    change(run, greeting_py='GREETING = "alive"')
    run.eventually("/", "alive")


def test_said_once(run: Run) -> None:
    """The address and the PIN are shown at the start, and not at each change."""
    assert len(re.findall("Running on", run.log)) == 1
    assert len(re.findall("Debugger PIN", run.log)) == 1


def test_broken_at_the_start(tmp_path: Path) -> None:
    """The server starts with a mistake in the application, and serves when it is mended."""
    write(tmp_path, {"app.py": "import missing_x"})
    with Run(tmp_path, "--debug", "--port", "0") as run:
        run.started()
        assert "missing_x" in run.page("/").text
        app = "from erlen import Erlen\napp = Erlen(__name__)\n"
        write(tmp_path, {"app.py": f"{app}@app.get('/')\ndef i(): return 'mended'"})
        run.eventually("/", "mended")
        run.logged("Debugger PIN")


def test_no_application(tmp_path: Path) -> None:
    """Where there is no application, the command says so in one line and ends."""
    with Run(tmp_path, "--debug", "--port", "0") as run:
        assert run.process.wait(PATIENCE) == 2
        assert run.log.startswith("Error: Could not locate an application.")
        assert run.log.count("\n") == 1
