"""WebSockets over real servers, with a client of another make."""

from __future__ import annotations

import asyncio
import json
import typing as t

import pytest
from tests.processes import wait_for

websockets = pytest.importorskip("websockets")

from websockets.asyncio.client import connect as connect_async  # noqa: E402
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402
from websockets.typing import Origin, Subprotocol  # noqa: E402

if t.TYPE_CHECKING:
    from tests.servers.process import Server


def url(server: Server, path: str) -> str:
    """Return the URL of a WebSocket."""
    return f"ws://127.0.0.1:{server.port}{path}"


def is_rsgi(server: Server) -> bool:
    """Tell whether the server has no place for codes, headers and bodies."""
    return server.kind == "granian-rsgi"


@pytest.mark.parametrize("path", ["/echo", "/sync-echo"])
def test_echo(server: Server, path: str) -> None:
    """Messages go to and fro, text and bytes, whatever the kind of the handler."""
    with connect(url(server, path)) as client:
        for message in ("hello", "", "ÿ€😀", b"", b"\xff\x00"):
            client.send(message)
            assert client.recv() == message


def test_close(server: Server) -> None:
    """The code and the reason of the handler reach the client."""
    with connect(url(server, "/close")) as client, pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert caught.value.rcvd is not None
    found = (caught.value.rcvd.code, caught.value.rcvd.reason)
    assert found == ((1005, "") if is_rsgi(server) else (4001, "enough"))


def test_failure(server: Server) -> None:
    """An exception closes with 1011, and the server goes on."""
    with connect(url(server, "/broken")) as client, pytest.raises(ConnectionClosed) as caught:
        client.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == (1005 if is_rsgi(server) else 1011)
    assert server.request("GET", "/").body == b"here"


@pytest.mark.parametrize(("path", "status"), [("/forbidden", 401), ("/nowhere", 404)])
def test_refusal(server: Server, path: str, status: int) -> None:
    """Before the handshake an answer takes its place."""
    with pytest.raises(InvalidStatus) as caught:
        connect(url(server, path))
    assert caught.value.response.status_code == status
    if not is_rsgi(server):
        assert b"<!doctype html>" in caught.value.response.body


@pytest.mark.parametrize(
    ("origin", "is_welcome"),
    [
        ("http://127.0.0.1:{port}", True),
        ("https://friend.example", True),
        ("https://evil.example", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:{port}.evil.example", False),
        ("null", False),
    ],
)
def test_origin(server: Server, origin: str, is_welcome: bool) -> None:
    """Pages of foreign origins are refused, before any code of the application runs."""
    page = Origin(origin.format(port=server.port))
    if is_welcome:
        with connect(url(server, "/echo"), origin=page) as client:
            client.send("hello")
            assert client.recv() == "hello"
        return
    with pytest.raises(InvalidStatus) as caught:
        connect(url(server, "/echo"), origin=page)
    assert caught.value.response.status_code == 403


def test_subprotocol(server: Server) -> None:
    """A subprotocol is agreed on."""
    if is_rsgi(server):
        pytest.skip("RSGI has no place for a subprotocol.")
    with connect(
        url(server, "/protocol"), subprotocols=[Subprotocol("one"), Subprotocol("two")]
    ) as client:
        assert client.subprotocol == "two"


def test_session_cookie(server: Server) -> None:
    """A session changed before the handshake's end comes back as a cookie."""
    if server.kind.startswith("granian"):
        pytest.skip("Granian sends no headers of the application with the handshake.")
    with connect(url(server, "/room/one?room=one")) as client:
        assert client.response is not None
        assert client.response.headers["Set-Cookie"].startswith("session=")


def test_client_gone(server: Server) -> None:
    """A handler that waits for something else ends when its client is gone, and is torn down."""
    done = [line for line in server.notes if "idle" in line]
    with connect(url(server, "/idle")) as client:
        client.ping().wait()
    expected = [*done, "idle ended", "torn down /idle NoneType"]
    wait_for(
        lambda: [line for line in server.notes if "idle" in line] == expected,
        "the end of the handler",
    )


def test_torn_down_once(server: Server) -> None:
    """Each WebSocket is torn down once."""
    for _ in range(5):
        with connect(url(server, "/room/once?room=once")) as client:
            client.send("x")
            client.recv()
    # One more, which ends after them.
    with connect(url(server, "/room/last?room=last")) as client:
        client.send("x")
        client.recv()

    def ends(room: str) -> list[str]:
        return [line for line in server.notes if f" /room/{room} " in line]

    wait_for(lambda: len(ends("once")) >= 5 and ends("last"), "the end of the handlers")
    assert ends("once") == ["torn down /room/once NoneType"] * 5


def test_many_at_once(server: Server) -> None:
    """500 WebSockets at once see nothing of each other."""

    async def visit(number: int, arrived: asyncio.Barrier) -> None:
        room = f"room{number}"
        path = f"/room/{room}?room={room}"
        async with connect_async(url(server, path), open_timeout=60) as client:
            await arrived.wait()
            for turn in range(2):
                await client.send(f"{number}-{turn}")
                said = json.loads(await client.recv())
                assert said == [f"{number}-{turn}", room, room, room, f"/room/{room}"]
            await arrived.wait()

    async def visit_all(count: int) -> None:
        arrived = asyncio.Barrier(count)
        await asyncio.gather(*(visit(number, arrived) for number in range(count)))

    asyncio.run(visit_all(500))


def test_event_stream(server: Server) -> None:
    """Events go out at once, comments follow, and a client that leaves ends the stream."""
    ended = server.notes.count("stream ended")
    client = server.client()
    client.request("GET", "/events")
    response = client.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.read(17) == b":\n\ndata: hello\n\n:"
    response.close()
    client.close()
    wait_for(lambda: server.notes.count("stream ended") == ended + 1, "the end of the stream")
