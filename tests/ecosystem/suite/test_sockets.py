"""Flask-SocketIO and Flask-Sock: events with their own contexts, and a real WebSocket."""

from __future__ import annotations

import threading
import typing as t

import pytest
from flask import Flask, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_sock import Sock
from flask_socketio import Namespace, SocketIO, emit, join_room, send
from simple_websocket import Client
from werkzeug.serving import make_server


class Rooms(Namespace):
    def on_join(self, data: dict[str, str]) -> None:
        join_room(data["room"])
        emit("joined", data["room"], to=data["room"])


@pytest.fixture
def socket_app() -> tuple[Flask, SocketIO]:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "a key for tests"
    login_manager = LoginManager(app)
    socketio = SocketIO(app, async_mode="threading")

    class User(UserMixin):
        id = "ada"

    login_manager.user_loader(lambda user_id: User())

    @app.get("/login")
    def login() -> str:
        session["color"] = "green"
        login_user(User())
        return "in"

    @socketio.on("connect")
    def connect(auth: t.Any = None) -> bool | None:
        return False if request.args.get("refuse") else None

    @socketio.on("message")
    def message(data: str) -> None:
        send(f"echo {data} from {request.namespace}")

    @socketio.on("who")
    def who() -> dict[str, t.Any]:
        session["seen"] = session.get("seen", 0) + 1
        name = current_user.id if current_user.is_authenticated else None
        return {"name": name, "color": session.get("color"), "seen": session["seen"]}

    @socketio.on("broken")
    def broken() -> t.NoReturn:
        raise ValueError("broken")

    @socketio.on_error()
    def on_error(error: Exception) -> None:
        emit("failed", str(error))

    socketio.on_namespace(Rooms("/rooms"))
    return app, socketio


def test_events(socket_app: tuple[Flask, SocketIO]) -> None:
    """Events are answered, acknowledged, and their errors handled."""
    client = socket_app[1].test_client(socket_app[0])
    assert client.is_connected()
    client.send("hello")
    assert client.get_received()[0]["args"] == "echo hello from /"
    client.emit("broken")
    assert client.get_received()[0] == {"name": "failed", "args": ["broken"], "namespace": "/"}
    client.disconnect()
    assert not client.is_connected()


def test_session_and_login(socket_app: tuple[Flask, SocketIO]) -> None:
    """An event sees the session and the user of the HTTP client, and keeps its own copy."""
    app, socketio = socket_app
    http = app.test_client()
    http.get("/login")
    client = socketio.test_client(app, flask_test_client=http)
    assert client.emit("who", callback=True) == {"name": "ada", "color": "green", "seen": 1}
    assert client.emit("who", callback=True)["seen"] == 2
    stranger = socketio.test_client(app)
    assert stranger.emit("who", callback=True) == {"name": None, "color": None, "seen": 1}


def test_rooms(socket_app: tuple[Flask, SocketIO]) -> None:
    """A namespace class with rooms."""
    app, socketio = socket_app
    first, second = (socketio.test_client(app, namespace="/rooms") for _ in range(2))
    first.emit("join", {"room": "blue"}, namespace="/rooms")
    assert first.get_received("/rooms")[0]["args"] == ["blue"]
    assert second.get_received("/rooms") == []


def test_refused(socket_app: tuple[Flask, SocketIO]) -> None:
    """A connect handler may refuse."""
    app, socketio = socket_app
    assert not socketio.test_client(app, query_string="refuse=1").is_connected()


def test_polling_endpoint(socket_app: tuple[Flask, SocketIO]) -> None:
    """SocketIO wraps wsgi_app: its own path is answered there, all others by the application."""
    http = socket_app[0].test_client()
    answer = http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 200 and answer.text.startswith('0{"sid"')
    assert http.get("/login").text == "in"


def test_websocket() -> None:
    """Flask-Sock speaks WebSocket over the development server."""
    app = Flask(__name__)
    sock = Sock(app)

    @sock.route("/echo/<name>")
    def echo(ws: t.Any, name: str) -> None:
        while True:
            ws.send(f"{name}: {ws.receive()}")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        ws = Client.connect(f"ws://127.0.0.1:{server.server_port}/echo/ada")
        ws.send("one")
        assert ws.receive(timeout=5) == "ada: one"
        ws.send("two")
        assert ws.receive(timeout=5) == "ada: two"
        ws.close()
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
