"""How servers end, and the demo application on Gunicorn."""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import typing as t
from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import require
from .process import HERE, PATIENCE, Server, gunicorn, wait_for

SHELF = HERE.parent.parent / "examples" / "shelf"


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_sigterm_answers_what_has_begun(worker: str, tmp_path: Path) -> None:
    """After SIGTERM, requests in flight are answered and the exit code is 0."""
    require("gunicorn")
    answers: list[t.Any] = []

    def send() -> None:
        try:
            answers.append(server.request("GET", "/slow").body)
        except (OSError, http.client.HTTPException) as error:
            answers.append(error)

    count = 3 if worker == "gthread" else 1
    with Server(gunicorn(f"--worker-class={worker}", "--threads=4"), tmp_path) as server:
        threads = [threading.Thread(target=send) for _ in range(count)]
        for thread in threads:
            thread.start()
        wait_for(lambda: server.notes.count("started") == count, "the start of the requests")
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(PATIENCE)
        assert answers == [b"slow"] * count
        assert server.process.wait(PATIENCE) == 0


def test_sighup_loses_no_request(tmp_path: Path) -> None:
    """While the workers are replaced, each request is answered."""
    require("gunicorn")
    with Server(gunicorn("--worker-class=gthread", "--threads=4"), tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            assert server.request("GET", "/").body == b"plain"
        wait_for(lambda: server.output.count("Booting worker") >= 2, "the new worker")
        assert server.request("GET", "/").body == b"plain"


def test_the_demo_on_gunicorn(tmp_path: Path) -> None:
    """Two workers serve the library: pages, styles, a reader's session, JSON, and errors."""
    require("gunicorn")
    settings = {"SECRET_KEY": "for tests", "DATABASE": str(tmp_path / "shelf.sqlite3")}
    sys.path.insert(0, str(SHELF))
    try:
        from shelf import create_app
    finally:
        sys.path.remove(str(SHELF))
    runner = create_app(settings).test_cli_runner()
    for name in ("init-db", "seed"):
        result = runner.invoke(args=[name])
        assert result.exit_code == 0, result.output

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
        answer = server.request("POST", "/reader", "name=Ada", form)
        assert answer.status in {302, 303}
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        # Any worker knows the reader.
        for _ in range(4):
            assert b"Ada" in server.request("GET", "/", headers=cookie).body

        books = server.request("GET", "/api/books")
        assert books.status == 200
        assert json.loads(books.body)
        assert server.stop() == 0


def test_the_debugger_answers_its_own_host_only(tmp_path: Path) -> None:
    """A page cannot reach the console under a host name of its own (CVE-2024-34069)."""
    command = [sys.executable, "-m", "erlen", "--app", "application", "run", "--port", "0"]
    with Server([*command, "--debug", "--no-reload"], tmp_path) as server:
        page = server.request("GET", "/fail", headers={"Host": f"127.0.0.1:{server.port}"})
        assert page.status == 500
        assert b"ValueError" in page.body
        text = page.body.decode()
        secret = text.partition('SECRET = "')[2].partition('"')[0]
        frame = text.partition('id="frame-')[2].partition('"')[0]
        assert secret
        assert frame

        run = f"/?__debugger__=yes&cmd=1%2B1&frm={frame}&s={secret}"
        console = "/console"
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
            answer = server.request("GET", run, headers={"Host": host})
            assert b"2" not in answer.body or answer.status == 400
            assert answer.status in {400, 404} or answer.body == b"plain"
            assert server.request("GET", console, headers={"Host": host}).status in {400, 404}
        # Without the PIN nothing runs under its own name either.
        answer = server.request("GET", run, headers={"Host": f"127.0.0.1:{server.port}"})
        assert answer.body == b"plain"


def test_the_pin_is_limited(tmp_path: Path) -> None:
    """After ten wrong PINs the debugger asks no more (CVE-2019-14806)."""
    command = [sys.executable, "-m", "erlen", "--app", "application", "run", "--port", "0"]
    with Server([*command, "--debug", "--no-reload"], tmp_path) as server:
        text = server.request("GET", "/fail").body.decode()
        secret = text.partition('SECRET = "')[2].partition('"')[0]
        path = f"/?__debugger__=yes&cmd=pinauth&pin=000-000-000&s={secret}"
        # The tenth answer says so; each wrong PIN costs the sender some time, too.
        wrong = json.loads(server.request("GET", path).body)
        assert wrong == {"auth": False, "exhausted": False}
        missing = server.request("GET", path.replace(secret, "0" * len(secret)))
        assert missing.body == b"plain"
