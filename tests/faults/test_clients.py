"""Clients that leave, that are slow, and that do not read."""

from __future__ import annotations

import http.client
import resource
import socket
import struct
import time
import typing as t

import pytest
from tests.processes import wait_for

from .serving import connect_many, open_files, resident, workers_of

if t.TYPE_CHECKING:
    from tests.servers.process import Server

HALF_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half"
HALF_BODY = b"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
#: RELIABILITY: others are answered within 1 s. A busy machine is given more.
SOON = 10.0


def hang_up(connection: socket.socket) -> None:
    """Close a connection as a client does that was killed: with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("way", ["", "/async"])
def test_leaving_in_mid_stream(server: Server, way: str) -> None:
    """Of each of 20 clients the generator is closed and teardown runs."""
    server.notes_path.write_text("")
    path = f"/endless{way}"
    connections = connect_many(
        server, 20, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    for connection in connections:
        assert b" 200 " in connection.recv(65536)
    for number, connection in enumerate(connections):
        if number % 2:
            connection.close()
        else:
            hang_up(connection)
    expected = sorted([f"closed {path}"] * 20 + [f"teardown {path}"] * 20)
    wait_for(lambda: len(server.notes) >= 40, "the end of the streams")
    assert sorted(server.notes) == expected


@pytest.mark.parametrize("way", ["", "/async"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("leave", ["half", "reset", "broken"])
def test_leaving_in_mid_body(server: Server, way: str, framing: str, leave: str) -> None:
    """A cut body is never taken for a whole one; who still listens reads a 4xx."""
    head = f"POST /take{way} HTTP/1.1\r\nHost: localhost\r\n".encode()
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    if framing == "length":
        data = head + b"Content-Length: 3000\r\n\r\n" + chunk
    else:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk
    if leave == "broken":
        if framing == "length":
            pytest.skip("only chunks can be broken")
        data += b"oops\r\n\r\n"
    server.notes_path.write_text("")
    with server.connect() as connection:
        connection.sendall(data)
        if leave == "reset":
            hang_up(connection)
        else:
            if leave == "half":
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert answer[9:12] in {b"400", b"411"}
    assert server.request("POST", "/take", b"all of it").body == b"9"
    # That of the request after it, on a connection of its own.
    assert [note for note in server.notes if note.startswith("whole")] == ["whole sync"]


@pytest.mark.parametrize("trailer", [b"", b"X-A: b\r\n"])
def test_whole_chunked_bodies(server: Server, trailer: bytes) -> None:
    """They are taken where it can be seen that they are whole."""
    data = b"POST /take HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(data + b"5\r\nabcde\r\n5\r\nabcde\r\n0\r\n" + trailer + b"\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        # By RSGI a trailer section looks like a cut.
        expected = {"rsgi": 400 if trailer else 200, "asgi": 200, "wsgi": 411}[server.kind]
        assert response.status == expected
        assert expected != 200 or response.read() == b"10"


def test_an_error_in_mid_stream(server: Server) -> None:
    """The answer has no proper end, so that nobody takes it for a whole one."""
    if server.kind == "wsgi":
        pytest.skip("Granian ends it properly, and there is no way around that.")
    with server.connect() as connection:
        connection.sendall(b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass
    assert b" 200 " in received
    assert not received.endswith(b"0\r\n\r\n")
    assert server.request("GET", "/").body == b"plain"


def test_a_client_that_does_not_read(server: Server) -> None:
    """A large stream waits for its client, and is not gathered in memory; then all of it comes."""
    parts = 2000
    (worker,) = workers_of(server)

    def count() -> int:
        return int(server.request("GET", "/counted").body)

    count_before, memory_before = count(), resident(worker)
    with server.connect() as connection:
        connection.sendall(f"GET /large/{parts} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        seen = -1
        # Until it has come to a halt.
        while seen != (seen := count()):
            time.sleep(0.5)
        assert 0 < seen - count_before < parts / 4
        assert resident(worker) - memory_before < 32 * 1024 * 1024
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert len(response.read()) == parts * 65536


@pytest.mark.slow
def test_slow_and_idle_clients(server: Server) -> None:
    """With 300 half-sent heads, 300 half-sent bodies and 1,000 idle connections, others are served.

    When they have gone, nothing of them is left. By WSGI each half-sent body holds a thread, so
    that there are fewer of them.
    """
    bodies = 20 if server.kind == "wsgi" else 300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    (worker,) = workers_of(server)
    before = open_files(worker)
    whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connections = []
    try:
        for data, count in ((HALF_HEAD, 300), (HALF_BODY, bodies), (whole, 1000)):
            connections += connect_many(server, count, data)
        for connection in connections[300 + bodies :]:
            assert b" 200 " in connection.recv(65536)
        slowest = 0.0
        for path in ("/", "/async") * 10:
            began = time.monotonic()
            assert server.request("GET", path).status == 200
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < SOON
        # An idle connection can still be used.
        connections[-1].sendall(whole)
        assert b" 200 " in connections[-1].recv(65536)
    finally:
        for connection in connections:
            connection.close()
    wait_for(lambda: open_files(worker) <= before + 2, "the end of the connections")
