"""Clients that leave, and messages that no client sends by accident."""

from __future__ import annotations

import http.client
import socket
import struct

import pytest
from tests.processes import wait_for

from .abilities import Ability, lack
from .process import Server


def hang_up(connection: socket.socket) -> None:
    """Close a connection as a client does that was killed: with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LEFT = ["started", "closed /endless", "teardown /endless"]


def test_leaving_in_mid_stream(server: Server) -> None:
    """The generator is closed, with its request current, and teardown runs, within 5 seconds."""
    for kind in ("reset", "close"):
        server.notes_path.write_text("")
        connection = server.connect()
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        if kind == "reset":
            hang_up(connection)
        else:
            connection.close()
        wait_for(lambda: server.notes == LEFT, "the end of the stream", 5)
        assert server.request("GET", "/").body == b"plain"


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("leave", ["half", "reset"])
def test_leaving_in_mid_body(server: Server, framing: str, leave: str) -> None:
    """A cut body is never whole: a 400 for who still listens, and the next request works."""
    if framing == "length":
        data = b"Content-Length: 1000\r\n\r\n" + b"x" * 100
    else:
        data = b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 100
    data = b"POST /upload HTTP/1.1\r\nHost: localhost\r\n" + data
    before = len(server.notes)
    chunked = framing == "chunked"
    hidden = chunked and lack(server, Ability.CUT)
    status = 411 if chunked and lack(server, Ability.CHUNKED) else 400
    instead = lack(server, Ability.HALF)
    if leave == "half" and instead != "waits":
        answer = server.send_raw(data)
        # What closes the connection may be late with it.
        statuses = {status, 0} if instead == "closes" else {status}
        assert status_of(answer) in statuses or hidden
    else:
        connection = server.connect()
        connection.sendall(data)
        hang_up(connection)
    assert server.request("GET", "/").body == b"plain"
    if hidden:
        wait_for(lambda: "whole 100" in server.notes[before:], "the cut body")
    else:
        assert not [line for line in server.notes[before:] if line.startswith("whole")]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_over_the_limit(server: Server, framing: str) -> None:
    """A client that listens while it sends reads the 413; the next request works."""
    piece = b"x" * 65536
    with server.connect() as connection:
        head = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        if framing == "length":
            connection.sendall(head + b"Content-Length: 100000000\r\n\r\n")
        else:
            connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            # 2 MiB and a little, where it is read.
            for _ in range(0 if lack(server, Ability.CHUNKED) else 33):
                try:
                    connection.sendall(b"10000\r\n" + piece + b"\r\n")
                except OSError:
                    # The server has answered and closed.
                    break
        response = http.client.HTTPResponse(connection)
        response.begin()
        is_read = framing == "length" or not lack(server, Ability.CHUNKED)
        assert response.status == (413 if is_read else 411)
        # nginx has a limit of its own.
        assert response.read().startswith((b"<!doctype html>", b"<html>"))
    assert server.request("GET", "/").body == b"plain"


def status_of(answer: bytes) -> int:
    """Return the status of the only answer in some bytes; 0 where there is none."""
    assert answer.count(b"HTTP/1.") <= 1, answer
    return int(answer.split(b" ", 2)[1]) if answer else 0


#: Servers that let the chunks decide (uvicorn where it parses with h11), as RFC 9112, section 6.3,
#: allows; what follows is indeed another request.
LENIENT = ("erlen", "granian", "hypercorn", "uvicorn")

AMBIGUOUS = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "two lengths in one": b"Content-Length: 5, 6\r\n\r\nabcdef",
    "a signed length": b"Content-Length: +5\r\n\r\nabcde",
    "a negative length": b"Content-Length: -1\r\n\r\nabcde",
    "a length of words": b"Content-Length: five\r\n\r\nabcde",
    "another coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_messages(server: Server, name: str) -> None:
    """They are refused by the server or by the application, and hide no second request."""
    before = len(server.notes)
    head = b"POST /upload HTTP/1.1\r\nHost: localhost\r\n"
    data = head + AMBIGUOUS[name] + b"GET /count HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = server.send_raw(data)
    if name == "length and chunks" and server.kind.startswith(LENIENT):
        wholes = [line for line in server.notes[before:] if line.startswith("whole")]
        assert wholes in ([], ["whole 0"])
        return
    status = status_of(answer)
    assert b"set-cookie" not in answer.lower()
    if name == "two lengths" and server.kind in {"werkzeug", "wsgiref"}:
        # They show the application one of the two, and take no second request on a connection.
        assert status == 200
        return
    assert status in {0, 400, 411, 413, 501}
    assert not [line for line in server.notes[before:] if line.startswith("whole")]
    assert server.request("GET", "/").body == b"plain"


BAD_HEADS = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a path in the host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_bad_hosts(server: Server, name: str) -> None:
    """A request without a host, or with more than one, is a 400."""
    assert status_of(server.send_raw(BAD_HEADS[name], whole=True)) == 400


def test_underscores(server: Server) -> None:
    """X_Forwarded_For does not pass for X-Forwarded-For, and Content_Length for no length."""
    answer = server.request(
        "GET", "/headers", headers={"X_Forwarded_For": "192.0.2.1", "Content_Length": "5"}
    )
    if answer.status == 200:
        # Those that pass them on are not for strangers without a proxy in front.
        passes_on = bool(lack(server, Ability.UNDERSCORES))
        assert (b"192.0.2.1" in answer.body) is passes_on
        assert b"Content-Length" not in answer.body or server.kind == "uwsgi"


def test_bytes_that_are_no_request(server: Server) -> None:
    """What is not HTTP is refused, and does not stop the server."""
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 100,
        b"\x00" * 1000,
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%00%ff%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: \xff=\xfe; =\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        assert b"HTTP/1.1 500" not in server.send_raw(data), data
        assert server.request("GET", "/").body == b"plain"
