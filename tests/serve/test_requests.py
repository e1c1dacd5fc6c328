"""Requests through ``erlen serve``, by each interface."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest
from tests.processes import wait_for

from .process import Served, read_all

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = (
    "--health",
    "--access-log=json",
    "--forwarded-allow-ips=127.0.0.1",
    "--forwarded-host=1",
    "--forwarded-prefix=1",
    "--max-body=10K",
    "--max-head=8K",
    "--header-timeout=1",
    "--body-timeout=1",
)


@pytest.fixture(scope="module", params=["rsgi", "asgi", "wsgi"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server with all that can be asked for, once for each interface."""
    folder = tmp_path_factory.mktemp(request.param)
    with Served(folder, f"--interface={request.param}", *OPTIONS) as served:
        yield served


def _line(served: Served, path: str) -> dict[str, t.Any]:
    """Return the line of the access log for a path, when it is there."""
    lines: list[dict[str, t.Any]] = []

    def has_come() -> bool:
        lines[:] = [json.loads(line) for line in served.log]
        return any(line["path"] == path for line in lines)

    wait_for(has_come, f"a line for {path}")
    return next(line for line in reversed(lines) if line["path"] == path)


def test_a_named_proxy_is_believed(served: Served) -> None:
    """The last value of each header counts, as with one proxy of Werkzeug's ProxyFix."""
    answer = served.request(
        "/client",
        headers={
            "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
            "X-Forwarded-Proto": "http, https",
            "X-Forwarded-Host": "evil.example, shop.example",
            "X-Forwarded-Prefix": "/shop",
            "X-Forwarded-Port": "444",
            "X-Request-ID": "abc-123",
        },
    )
    assert json.loads(answer.body) == {
        "address": "203.0.113.9",
        "scheme": "https",
        "host": "shop.example",
        "root": "/shop",
        "id": "abc-123",
    }
    line = _line(served, "/client")
    assert (line["client"], line["request_id"]) == ("203.0.113.9", "abc-123")


def test_an_id_that_could_forge_lines_is_replaced(served: Served) -> None:
    """A proxy that hands on what its client sends cannot put anything into the log."""
    answer = served.request("/client", headers={"X-Request-ID": "a b"})
    made = json.loads(answer.body)["id"]
    assert len(made) == 32 and made.isalnum()


def test_the_log_has_what_happened(served: Served) -> None:
    """A line is an object of JSON with the request, its answer and the time it took."""
    served.request("/echo?x=1", b"four", headers={"User-Agent": 'a"b\\c'})
    line = _line(served, "/echo")
    assert (line["method"], line["query"], line["status"], line["bytes"]) == ("POST", "x=1", 200, 4)
    assert line["protocol"] == "HTTP/1.1" and line["milliseconds"] >= 0
    assert line["user_agent"] == 'a"b\\c'


def test_streams_are_in_the_log(served: Served) -> None:
    """The size of an answer that is made part by part is that of its parts."""
    with served.connect() as connection:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b"tick" not in received:
            received += connection.recv(1000)
    assert _line(served, "/events")["bytes"] > 0


def test_health_is_answered_without_the_application(served: Served) -> None:
    """Who watches the service gets a short answer, and no line in the log."""
    for path in ("/healthz", "/readyz"):
        answer = served.request(path)
        assert (answer.status, answer.body) == (200, b"ok\n")
        assert answer.headers["Cache-Control"] == "no-store"
    assert served.request("/healthz", b"").status == 405
    served.request("/after-health")
    _line(served, "/after-health")
    assert not any("healthz" in line for line in served.log)


def test_a_body_that_announces_too_much_is_refused(served: Served) -> None:
    """A body over the server's limit is a 413, whatever the application allows."""
    answer = served.exchange(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10241\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 413")
    assert served.request("/echo", b"x" * 10240).status == 200


def test_a_body_in_chunks_has_the_same_limit(served: Served) -> None:
    """A body that announces nothing is refused when it has grown over the limit."""
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    answer = served.exchange(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk * 3
        + b"0\r\n\r\n"
    )
    # By Granian's WSGI, no such body can be told from one that was cut: none is taken.
    assert answer.startswith(b"HTTP/1.1 411" if "WSGI" in served.output else b"HTTP/1.1 413")


def test_a_long_head_is_refused(served: Served) -> None:
    """Headers over the limit are a 431."""
    answer = served.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431")


def test_clients_that_do_not_finish_a_head_are_let_go(served: Served) -> None:
    """The connection ends when the time for a head is over: the first, or the next."""
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = _exchange_at_once(served, b"", b"GET / HTT", whole[:-2], whole)
    assert answers[:3] == [b"", b"", b""]
    assert answers[3].startswith(b"HTTP/1.1 200")


def test_slow_bodies_are_a_408(served: Served) -> None:
    """A client that is silent in the middle of its body is told so, in threads and on the loop,
    and the connection is closed.

    By WSGI, the server has no limit for that.
    """
    if "WSGI" in served.output:
        pytest.skip("Granian's WSGI reads the body in the thread of the view.")
    answers = _exchange_at_once(
        served,
        *(
            f"POST {path} HTTP/1.1\r\nHost: x\r\n{body}".encode()
            for path in ("/echo", "/echo-async")
            for body in (
                "Content-Length: 10\r\n\r\nabc",
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            )
        ),
    )
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers), answers


@pytest.mark.parametrize("interface", ["rsgi", "asgi"])
@pytest.mark.parametrize("path", ["/echo", "/echo-async"])
def test_slow_bodies_end_though_more_of_them_comes(
    interface: str, path: str, tmp_path: Path
) -> None:
    """A client that goes on sending after its 408 is hung up on."""
    options = (f"--interface={interface}", "--body-total-timeout=1")
    with Served(tmp_path, *options) as served, served.connect() as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode())
        has_ended = threading.Event()
        failures: list[OSError] = []

        def go_on() -> None:
            try:
                while not has_ended.wait(0.05):
                    connection.sendall(b"x")
            except OSError as error:
                failures.append(error)

        sending = threading.Thread(target=go_on)
        sending.start()
        try:
            assert read_all(connection).startswith(b"HTTP/1.1 408")
            # What is sent to a closed connection is an error, the second time at the latest.
            wait_for(lambda: failures, "the end of the connection")
        finally:
            has_ended.set()
            sending.join()


def _exchange_at_once(served: Served, *requests: bytes) -> list[bytes]:
    """Send bytes on a connection each; return what comes until the server closes it."""
    connections = [served.connect() for _ in requests]
    for connection, request in zip(connections, requests, strict=True):
        connection.sendall(request)
    answers = []
    for connection, request in zip(connections, requests, strict=True):
        with connection:
            try:
                answers.append(read_all(connection))
            except TimeoutError:
                raise AssertionError(f"{request!r} had no end.\n{served.output}") from None
    return answers
