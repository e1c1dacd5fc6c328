"""How servers reload and end, and the demo application on Gunicorn."""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import typing as t
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from tests.processes import PATIENCE, wait_for

from .abilities import Ability, lack
from .conftest import require
from .kinds import COMMANDS, gunicorn
from .process import HERE, Server

#: What browsers send; other programs get a traceback as text.
BROWSER = {"Accept": "text/html"}
SHELF = HERE.parent.parent / "examples" / "shelf"


@pytest.mark.parametrize(
    "kind", ["gunicorn-gthread", "gunicorn-sync", "granian-rsgi", "hypercorn", "uvicorn", "uwsgi"]
)
def test_reload_and_end(kind: str, tmp_path: Path) -> None:
    """No request fails while workers are replaced, nor one that has begun at SIGTERM."""
    require(kind)
    *command, last = COMMANDS[kind]
    # uvicorn replaces workers where it has several of them.
    processes = "--processes=2" if kind == "uwsgi" else "--workers=2"
    with Server([*command, processes, last], tmp_path) as server:
        server.kind = kind
        if not lack(server, Ability.ENDING):
            _reload(server, tmp_path)
        answers: list[t.Any] = []
        thread = threading.Thread(target=_send_slow, args=(server, answers))
        thread.start()
        wait_for(lambda: "started" in server.notes, "the start of the request")
        server.process.send_signal(signal.SIGTERM)
        thread.join(PATIENCE)
        if not lack(server, Ability.ENDING):
            assert answers == [b"slow"]
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "kind",
    [
        *("erlen-serve", "granian-asgi", "granian-rsgi", "granian-wsgi", "gunicorn-gthread"),
        *("gunicorn-sync", "uvicorn", "uwsgi"),
    ],
)
def test_life_of_a_worker(kind: str, tmp_path: Path) -> None:
    """At its end tasks in the background are waited for, and WebSockets are torn down where the
    server lets them; then the worker's own end runs, once."""
    require(kind)
    variables = {"TEST_LIFE": "1"}
    with Server(COMMANDS[kind], tmp_path, HERE, variables) as server, ExitStack() as stack:
        server.kind = kind
        teardowns = []
        if not lack(server, Ability.WEBSOCKETS):
            websockets = pytest.importorskip("websockets.sync.client")
            client = stack.enter_context(
                websockets.connect(f"ws://127.0.0.1:{server.port}/echo", close_timeout=1)
            )
            client.send("x")
            client.recv(timeout=PATIENCE)
            teardowns = ["teardown of a WebSocket None"]
        assert server.request("GET", "/task").body == b"plain"
        wait_for(lambda: "begun /task" in server.notes, "the start of the task")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)
        wait_for(lambda: "after serving" in server.notes, "the end of the service")
        _, *notes, last = server.notes
        if "granian" in kind:
            # Its own command may drop connections before the application can end them.
            notes = [line for line in notes if line not in teardowns]
            teardowns = []
        assert sorted(notes) == ["begun /task", "done /task", *teardowns]
        assert last == "after serving"


def _reload(server: Server, folder: Path) -> None:
    """Replace the workers; each request meanwhile is answered."""
    loaded = server.notes.count("loaded")
    if server.kind == "uwsgi":
        (folder / "reload").touch()
    else:
        server.process.send_signal(signal.SIGHUP)
    wait_for(
        lambda: (
            server.request("GET", "/").body == b"plain"
            and server.notes.count("loaded") >= loaded + 2
        ),
        "the start of new workers",
    )
    for _ in range(20):
        assert server.request("GET", "/").body == b"plain"


def _send_slow(server: Server, answers: list[t.Any]) -> None:
    try:
        answers.append(server.request("GET", "/slow").body)
    except (OSError, http.client.HTTPException) as error:
        answers.append(error)


def test_the_demo_on_gunicorn(tmp_path: Path) -> None:
    """Two workers serve the library: pages, styles, a reader's session, JSON, and errors."""
    require("gunicorn")
    settings = {
        "SECRET_KEY": "for tests",
        "DATABASE": str(tmp_path / "shelf.sqlite3"),
        "DEMO_PASSWORDS": str(tmp_path / "passwords.json"),
    }
    sys.path.insert(0, str(SHELF))
    try:
        from shelf import create_app
    finally:
        sys.path.remove(str(SHELF))
    runner = create_app(settings).test_cli_runner()
    for name in ("init-db", "seed", "demo-accounts"):
        result = runner.invoke(args=[name])
        assert result.exit_code == 0, result.output
    password = json.loads((tmp_path / "passwords.json").read_text())["reader@shelf.example"]

    command = gunicorn("--workers=2", application=f"shelf:create_app({settings})")
    with Server(command, tmp_path, cwd=SHELF) as server:
        page = server.request("GET", "/")
        assert page.status == 200
        assert b"<!doctype html>" in page.body.lower()
        assert (
            server.request("GET", "/static/style.css")
            .headers["Content-Type"]
            .startswith("text/css")
        )
        assert server.request("GET", "/nothing/here").status == 404
        assert server.request("GET", "/?" + quote("q=\x00\xff")).status < 500

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        login = urlencode({"email": "reader@shelf.example", "password": password})
        answer = server.request("POST", "/account/login", login, form)
        assert answer.status == 303
        cookies = answer.headers.get_all("Set-Cookie") or []
        [session] = [line.partition(";")[0] for line in cookies if line.startswith("session=")]
        # Any worker knows the reader.
        for _ in range(4):
            assert b"Ben" in server.request("GET", "/", headers={"Cookie": session}).body

        books = server.request("GET", "/api/books")
        assert books.status == 200
        assert json.loads(books.body)
        assert server.stop() == 0


def test_the_debugger_answers_its_own_host_only(tmp_path: Path) -> None:
    """A page cannot reach the console under a host name of its own (CVE-2024-34069)."""
    command = [sys.executable, "-m", "erlen", "--app", "application", "run", "--port", "0"]
    with Server([*command, "--debug", "--no-reload"], tmp_path) as server:
        page = server.request("GET", "/fail", headers=BROWSER)
        assert page.status == 500
        assert b"ValueError" in page.body
        text = page.body.decode()
        secret = text.partition('SECRET = "')[2].partition('"')[0]
        frame = text.partition('id="frame-')[2].partition('"')[0]
        assert secret
        assert frame

        run = f"/?__debugger__=yes&cmd=7**20&frm={frame}&s={secret}"
        console = "/console"
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
            answer = server.request("GET", run, headers={"Host": host})
            assert str(7**20).encode() not in answer.body
            assert answer.status in {400, 404} or answer.body == b"plain"
            assert server.request("GET", console, headers={"Host": host}).status in {400, 404}
        # Without the PIN nothing runs under its own name either.
        answer = server.request("GET", run, headers={"Host": f"127.0.0.1:{server.port}"})
        assert answer.body == b"plain"


def test_the_pin_is_limited(tmp_path: Path) -> None:
    """After ten wrong PINs the debugger asks no more (CVE-2019-14806)."""
    command = [sys.executable, "-m", "erlen", "--app", "application", "run", "--port", "0"]
    with Server([*command, "--debug", "--no-reload"], tmp_path) as server:
        text = server.request("GET", "/fail", headers=BROWSER).body.decode()
        secret = text.partition('SECRET = "')[2].partition('"')[0]
        path = f"/?__debugger__=yes&cmd=pinauth&pin=000-000-000&s={secret}"
        # The tenth answer says so; each wrong PIN costs the sender some time, too.
        wrong = json.loads(server.request("GET", path).body)
        assert wrong == {"auth": False, "exhausted": False}
        missing = server.request("GET", path.replace(secret, "0" * len(secret)))
        assert missing.body == b"plain"
