"""What a developer sees of an error."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from tests.develop.running import wait_for
from websockets.sync.client import connect

if t.TYPE_CHECKING:
    from tests.develop.running import Run

# What a local variable of the failing view holds.
VALUE = str(7**20)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/fail", "from a view"),
        ("/afail", "from an async view"),
        ("/fail-in-stream", "before the first part"),
    ],
)
def test_debugger_for_browsers(server: Run, path: str, message: str) -> None:
    """A browser gets the interactive debugger, whatever the view is."""
    answer = server.page(path)
    assert answer.status == 500
    assert f"LookupError: {message}" in answer.text
    assert "EVALEX = true" in answer.text
    # The way through the framework is left out.
    assert "full_dispatch_request" not in answer.text


@pytest.mark.parametrize("path", ["/fail", "/afail"])
@pytest.mark.parametrize("accept", ["*/*", "text/plain", "application/json, */*;q=0.5", ""])
def test_traceback_for_programs(server: Run, path: str, accept: str) -> None:
    """A program gets a traceback that it can show: text, or JSON."""
    answer = server.request(path, **({"Accept": accept} if accept else {}))
    assert answer.status == 500
    if "json" not in accept:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text.startswith("Traceback (most recent call last):")
        return
    error = json.loads(answer.body)
    assert error["error"] == "LookupError"
    assert error["frames"][-1]["function"] == path[1:]


@pytest.mark.parametrize("path", ["/fail", "/afail"])
def test_code_runs_with_the_pin_only(server: Run, path: str) -> None:
    """The console of a frame runs code for one who knows the PIN, in the view's own frame."""
    text = server.page(path).text
    secret = re.search(r'SECRET = "(\w+)"', text)
    frame = re.findall(r'id="frame-(\d+)"', text)
    assert secret is not None
    console = f"?__debugger__=yes&frm={frame[-1]}&s={secret[1]}&cmd="
    assert VALUE not in server.request(f"{path}{console}secret_value").text

    pin = re.search(r"Debugger PIN: (\S+)", server.log)
    assert pin is not None
    answer = server.request(f"{path}?__debugger__=yes&cmd=pinauth&pin={pin[1]}&s={secret[1]}")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    answer = server.request(f"{path}{console}secret_value", Cookie=cookie)
    assert VALUE in answer.text
    # The context of the request is there as well.
    answer = server.request(f"{path}{console}current_app.name*2", Cookie=cookie)
    assert "appapp" in answer.text


def test_no_console_under_a_foreign_name(server: Run) -> None:
    """Who reaches the server by another name sees the error, and can run nothing."""
    assert "EVALEX = false" in server.page("/fail", Host="evil.test").text
    assert server.page("/console", Host="evil.test").status == 400


def test_exit_of_a_view(server: Run) -> None:
    """A view that ends the process does not end the server."""
    assert server.request("/leave").status == 500
    assert server.request("/").status == 200


def test_error_in_the_middle(server: Run) -> None:
    """An error after the first part is told in the terminal; the server goes on."""
    try:
        server.request("/fail-late")
    except Exception:
        # The answer is cut, so that it does not look whole.
        pass
    server.logged("LookupError: after the first part")
    assert server.request("/").status == 200


def test_websocket(server: Run) -> None:
    """WebSockets work under the reloader and the debugger, and have a line in the log."""
    with connect(f"ws://127.0.0.1:{server.port}/echo") as client:
        client.send("hello")
        assert client.recv(timeout=30) == "hello"
    server.logged("WS /echo 101")


def test_request_log(server: Run) -> None:
    """Each request has a line with status, size and time; nothing in it controls a terminal."""
    server.request("/json?a=%1b[31m")
    server.request("/%1b[31mred%0a")
    wait_for(lambda: "red" in server.log, "the line")
    assert re.search(r"\d\d:\d\d:\d\d GET /json\?a=%1b\[31m 200 \d+ B [\d.]+ m?s\n", server.log)
    assert r"GET /\x1b[31mred\n 404" in server.log
    assert "\x1b" not in server.log


def test_own_requests_are_not_logged(server: Run) -> None:
    """What the tools of the browser ask for is no request of the application."""
    server.request("/_erlen/refresh.js")
    server.request("/?__debugger__=yes&cmd=resource&f=style.css")
    server.request("/json?last")
    server.logged("/json?last")
    assert "refresh.js" not in server.log
    assert "__debugger__" not in server.log
