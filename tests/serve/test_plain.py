"""A server with nothing asked for: text log, strangers, and addresses of all kinds."""

from __future__ import annotations

import json
import socket
import stat
import typing as t
from pathlib import Path

import pytest
from tests.processes import wait_for

from .process import Served, run

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a text log, and one named proxy that is not here."""
    options = ("--access-log=text", "--forwarded-allow-ips=192.0.2.0/24")
    with Served(tmp_path_factory.mktemp("plain"), *options) as served:
        yield served


def test_strangers_are_not_believed(served: Served) -> None:
    """What somebody else than a named proxy says of the client and the request counts nothing."""
    answer = served.request(
        "/client",
        headers={
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "X-Request-ID": "forged",
        },
    )
    seen = json.loads(answer.body)
    assert (seen["address"], seen["scheme"]) == ("127.0.0.1", "http")
    assert seen["host"] == f"127.0.0.1:{served.port}"
    assert seen["id"] != "forged" and len(seen["id"]) == 32


def test_no_request_can_forge_a_line(served: Served) -> None:
    """Line ends, quotes and bytes beyond ASCII stand escaped in the text log."""
    before = len(served.log)
    served.request("/%0A1.2.3.4%20-%22%c3%a9", headers={"User-Agent": 'x" 200 "\\'})
    wait_for(lambda: len(served.log) > before, "the line")
    assert len(served.log) == before + 1
    line = served.log[-1]
    assert line.isascii() and line.startswith("127.0.0.1 - - [")
    assert '"GET /\\x0a1.2.3.4 -\\x22\\xc3\\xa9 HTTP/1.1" 404' in line
    assert '"x\\x22 200 \\x22\\x5c"' in line


def test_the_start_says_what_is_off(served: Served) -> None:
    """Two lines tell the address, the interface, the workers, and what was not asked for."""
    assert f"at http://127.0.0.1:{served.port} by RSGI, 1 worker, PID {served.process.pid}" in (
        served.output
    )
    assert "Off: TLS, health endpoints." in served.output


def test_an_address_in_use_is_said(served: Served) -> None:
    """The second server at an address ends with one line that names the remedy."""
    ended = run("--app=application", "serve", f"--bind=127.0.0.1:{served.port}")
    assert ended.returncode == 1
    assert "is in use by another program. Stop that, or choose another" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not socket.has_ipv6, reason="This machine has no IPv6.")
def test_ipv6(tmp_path: Path) -> None:
    """An address of IPv6 stands in brackets; the application sees the client without them."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("This machine has no IPv6.")
    with Served(tmp_path, bind="[::1]:0") as served:
        with socket.create_connection(("::1", served.port), timeout=30) as connection:
            connection.sendall(b"GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            received = b""
            while part := connection.recv(65536):
                received += part
        assert b'"address":"::1"' in received.replace(b": ", b":")


def test_a_unix_socket(tmp_path: Path) -> None:
    """The file has the rights that are asked for, replaces a stale one, and goes at the end."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    options = ("--socket-mode=600", "--forwarded-allow-ips=unix")
    with Served(tmp_path, *options, bind=f"unix:{path}") as served:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = served.request("/client", headers={"X-Forwarded-For": "203.0.113.9"})
        assert json.loads(answer.body)["address"] == "203.0.113.9"
        second = run("--app=application", "serve", f"--bind=unix:{path}")
        assert second.returncode == 1 and "is in use by another program" in second.stderr
    assert not path.exists()


def test_a_file_in_the_place_of_the_socket_stays(tmp_path: Path) -> None:
    """What is no socket is not removed."""
    path = tmp_path / "precious"
    path.write_text("data")
    ended = run("--app=application", "serve", f"--bind=unix:{path}")
    assert ended.returncode == 1 and "is no socket" in ended.stderr
    assert path.read_text() == "data"
