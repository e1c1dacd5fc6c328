"""Origins, limits and sessions."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from erlen import Flask, session, sync_websocket, websocket
from erlen.sessions import SecureCookieSession, SessionInterface
from erlen.testing import WebsocketResponseError

if t.TYPE_CHECKING:
    from erlen.sessions import SessionMixin
    from erlen.testing import FlaskClient
    from erlen.wrappers import Request, Response


@pytest.fixture
def app(app: Flask) -> Flask:
    """An application that sends back what comes."""

    @app.websocket("/echo")
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)

    return app


@pytest.mark.parametrize(
    ("base_url", "origin", "is_welcome"),
    [
        ("http://shop.example", "http://shop.example", True),
        ("http://shop.example", "HTTP://SHOP.example:80", True),
        # TLS may end at a proxy that says nothing of it.
        ("http://shop.example", "https://shop.example", True),
        ("https://shop.example", "https://shop.example", True),
        # A page that came in the clear may be anybody's.
        ("https://shop.example", "http://shop.example", False),
        ("http://shop.example:8000", "http://shop.example:8000", True),
        ("http://shop.example:8000", "http://shop.example:9000", False),
        ("http://shop.example", "http://evil.example", False),
        ("http://shop.example", "http://shop.example.evil.example", False),
        ("http://shop.example", "http://other.shop.example", False),
        ("http://shop.example", "null", False),
        ("http://shop.example", "", False),
        ("http://shop.example", "https://friend.example", True),
        ("http://shop.example", "https://friend.example:443", True),
        ("http://shop.example", "http://friend.example", False),
    ],
)
def test_origin(
    app: Flask, client: FlaskClient, base_url: str, origin: str, is_welcome: bool
) -> None:
    """Pages of the same origin may open WebSockets, and those that are named."""
    app.config["WEBSOCKET_ALLOWED_ORIGINS"] = ["https://friend.example/"]
    opener = client.websocket("/echo", base_url=base_url, headers={"Origin": origin})
    if is_welcome:
        with opener as socket:
            socket.send("hello")
            assert socket.receive() == "hello"
        return
    with pytest.raises(WebsocketResponseError) as caught:
        opener.__enter__()
    assert caught.value.response.status_code == 403


def test_any_origin(app: Flask, client: FlaskClient) -> None:
    """A star lets all pages in; programs that send no origin are let in anyway."""
    with client.websocket("/echo"):
        pass
    app.config["WEBSOCKET_ALLOWED_ORIGINS"] = "*"
    with client.websocket("/echo", headers={"Origin": "https://any.example"}):
        pass


def test_origin_is_logged(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the origin, the host and the setting."""
    with pytest.raises(WebsocketResponseError):
        client.websocket("/echo", headers={"Origin": "https://evil.example"}).__enter__()
    for part in ("'https://evil.example'", "'localhost'", "WEBSOCKET_ALLOWED_ORIGINS"):
        assert part in caplog.text


@pytest.mark.parametrize(
    ("message", "fits"),
    [("x" * 10, True), ("x" * 11, False), ("é" * 5, True), ("é" * 6, False), (b"x" * 11, False)],
)
def test_message_size(app: Flask, client: FlaskClient, message: str | bytes, fits: bool) -> None:
    """A message over the limit, in bytes, closes with 1009."""
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = 10
    with client.websocket("/echo") as socket:
        socket.send(message)
        assert list(_take(socket, 1)) == [message] * fits
        assert socket.close_code == (None if fits else 1009)


def _take(socket: t.Any, count: int) -> t.Iterator[t.Any]:
    for _, message in zip(range(count), socket, strict=False):
        yield message


def test_size_of_one(app: Flask, client: FlaskClient) -> None:
    """A handler may set limits of its own."""

    @app.websocket("/upload")
    async def upload() -> None:
        assert websocket.max_message_size == 1024 * 1024
        websocket.max_message_size = None
        await websocket.send(str(len(await websocket.receive())))

    with client.websocket("/upload") as socket:
        socket.send(b"x" * (1024 * 1024 + 1))
        assert socket.receive() == str(1024 * 1024 + 1)


def test_message_rate(app: Flask, client: FlaskClient) -> None:
    """More messages than allowed close with 1008."""
    app.config["WEBSOCKET_MESSAGE_RATE"] = 5
    with client.websocket("/echo") as socket:
        for number in range(500):
            socket.send(str(number))
        received = list(socket)
        assert socket.close_code == 1008
        assert received == [str(number) for number in range(len(received))]
        # The clock goes on while the test sends.
        assert 5 <= len(received) < 500


def test_unread_messages(app: Flask, client: FlaskClient) -> None:
    """A handler that does not read lets the client wait: memory stays bounded."""
    taken = []

    @app.websocket("/slow")
    async def slow() -> None:
        await websocket.accept()
        for _ in range(100):
            await asyncio.sleep(0)
        taken.append(len(t.cast(t.Any, websocket)._connection._messages))
        await websocket.send("now")
        taken.append(len([message async for message in websocket]))

    async def run() -> None:
        async with client.websocket("/slow") as socket:
            for number in range(100):
                await socket.send(str(number))
            assert await socket.receive() == "now"

    asyncio.run(run())
    assert taken == [16, 100]


def test_session(app: Flask, client: FlaskClient) -> None:
    """The session is read from the cookie, and written with the handshake's answer."""

    @app.websocket("/count")
    async def count() -> None:
        session["count"] = session.get("count", 0) + 1
        await websocket.send_json(session["count"])

    for number in (1, 2, 3):
        with client.websocket("/count") as socket:
            assert socket.receive_json() == number
    with client.session_transaction() as stored:
        assert stored["count"] == 3
    with client.websocket("/echo") as socket:
        assert "Set-Cookie" not in socket.headers


def test_session_of_refusal(app: Flask, client: FlaskClient) -> None:
    """An answer in the place of the handshake carries the session, too."""

    @app.websocket("/no")
    def refuse() -> tuple[str, int]:
        session["tries"] = 1
        return "no", 403

    with pytest.raises(WebsocketResponseError):
        client.websocket("/no").__enter__()
    with client.session_transaction() as stored:
        assert stored["tries"] == 1


@pytest.mark.parametrize("early", [True, False])
def test_session_too_late(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, early: bool
) -> None:
    """A change that no cookie can carry any more is lost, and the log says so."""

    @app.websocket("/late")
    async def late() -> None:
        if early:
            session["a"] = 1
        await websocket.accept()
        session["b"] = 1

    with client.websocket("/late"):
        pass
    assert "changed after the WebSocket /late was accepted" in caplog.text
    with client.session_transaction() as stored:
        assert dict(stored) == ({"a": 1} if early else {})


class MemorySessions(SessionInterface):
    """Keeps sessions on the server."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, t.Any]] = {"1": {}}

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Open the only session."""
        return SecureCookieSession(self.stored["1"])

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save it, and send its id."""
        self.stored["1"] = dict(session)
        response.set_cookie("sid", "1")


def test_session_on_the_server(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions that are kept on the server are saved at the end, too."""
    app.session_interface = interface = MemorySessions()

    @app.websocket("/")
    def handle() -> None:
        session["early"] = 1
        sync_websocket.accept()
        assert interface.stored["1"] == {"early": 1}
        session["late"] = 1

    with client.websocket("/") as socket:
        assert socket.headers["Set-Cookie"] == "sid=1; Path=/"
    assert interface.stored["1"] == {"early": 1, "late": 1}
    assert caplog.text == ""


def test_trusted_hosts(app: Flask, client: FlaskClient) -> None:
    """Handshakes for foreign hosts are refused as requests are."""
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    with client.websocket("/echo", base_url="http://shop.example"):
        pass
    with pytest.raises(WebsocketResponseError) as caught:
        client.websocket("/echo").__enter__()
    assert caught.value.response.status_code == 400
