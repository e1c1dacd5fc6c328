"""What visitors get while the store is down, and after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
import typing as t
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.serversessions.bench import Bench, add_views, store_of, token_of

from erlen import Erlen, session
from erlen.exceptions import Disconnect
from erlen.serversessions import (
    ServerSessionInterface,
    SessionStore,
    SessionUnavailable,
    StoredSession,
    StoreUnavailable,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen.testing import FlaskClient

SERVER = shutil.which("redis-server")
GATEWAYS = ("wsgi", "asgi")

#: Seconds; what is decided within two may take longer where the machine is busy.
GENEROUS = 30


class RedisServer:
    """A server of the test's own, that can be stopped and started again.

    :param folder: where its socket and its data are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert SERVER is not None
        command = [SERVER, "--port", "0", "--unixsocket", str(self.socket)]
        command += ["--dir", str(self.folder), "--appendonly", "yes", "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + GENEROUS
        while time.monotonic() < deadline:
            try:
                with closing(socket.socket(socket.AF_UNIX)) as client:
                    client.connect(str(self.socket))
                    client.sendall(b"PING\r\n")
                    if client.recv(100).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(GENEROUS)
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server."""
    if SERVER is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def redis_app(url: str, **settings: t.Any) -> Iterator[Erlen]:
    """An application with sessions in a Redis server of the test's own."""
    app = Erlen("down")
    app.config.update(SECRET_KEY="k", SESSION_BACKEND="redis", SESSION_REDIS_URL=url, **settings)
    add_views(app)
    try:
        yield app
    finally:
        t.cast(t.Any, store_of(app)).close()


class Faulty(SessionStore):
    """A store that works or not, as it is told.

    :param kept: a store that works.
    """

    blocks = False

    def __init__(self, kept: SessionStore) -> None:
        self.kept = kept
        self.broken: set[str] = set()

    def _check(self, name: str) -> None:
        if name in self.broken:
            raise StoreUnavailable("it was told to fail")

    def load(self, key: str) -> StoredSession | None:
        self._check("load")
        return self.kept.load(key)

    def save(self, session: StoredSession, expected: int | None) -> bool:
        self._check("save")
        return self.kept.save(session, expected)

    def delete(self, key: str) -> bool:
        self._check("delete")
        return self.kept.delete(key)

    def of_owner(self, owner: str) -> list[StoredSession]:
        self._check("of_owner")
        return self.kept.of_owner(owner)

    def prune(self, now: float, limit: int | None) -> int:
        self._check("prune")
        return self.kept.prune(now, limit)


@pytest.fixture
def faulty(memory: Bench) -> tuple[Erlen, Faulty]:
    """An application with a store that can be broken."""
    app = memory.app(TESTING=False)
    store = Faulty(store_of(app))
    app.session_interface = ServerSessionInterface(store)
    return app, store


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_server_that_stops_and_comes_back(server: RedisServer, gateway: str) -> None:
    """Meanwhile the answer is 503, soon; afterwards the session is there, without a restart."""
    with redis_app(server.url) as app:
        client = app.test_client(gateway=gateway)
        client.get("/async/put/a/1")
        before = token_of(client)
        server.stop()
        began = time.monotonic()
        for path in ("/async/", "/async/put/b/2", "/", "/put/b/2"):
            response = client.get(path)
            assert response.status_code == 503
            assert "Set-Cookie" not in response.headers
        assert time.monotonic() - began < GENEROUS
        assert client.get("/untouched").status_code == 200
        assert app.test_client(gateway=gateway).get("/").json == {}
        assert app.test_client(gateway=gateway).get("/put/a/1").status_code == 503
        assert token_of(client) == before
        server.start()
        assert client.get("/async/").json == {"a": "1"}
        assert client.get("/").json == {"a": "1"}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_server_that_was_restarted_unnoticed(server: RedisServer, gateway: str) -> None:
    """The first request after it does not fail on the old connection."""
    with redis_app(server.url) as app:
        # Below a loop there is another client.
        below = "/async" if gateway == "asgi" else ""
        client = app.test_client(gateway=gateway)
        client.get(f"{below}/put/a/1")
        server.stop()
        server.start()
        assert client.get(f"{below}/").json == {"a": "1"}


def test_visitors_may_be_anonymous_meanwhile(server: RedisServer) -> None:
    """With SESSION_UNAVAILABLE = "anonymous" pages are shown as to nobody, and nothing changes."""
    with redis_app(server.url, SESSION_UNAVAILABLE="anonymous") as app:
        client = app.test_client()
        client.get("/login/ann")
        before = token_of(client)
        server.stop()
        for path in ("/", "/async/"):
            response = client.get(path)
            assert response.json == {}
            assert "Set-Cookie" not in response.headers
        for path in ("/put/a/1", "/append/a", "/login/ben", "/logout", "/permanent"):
            assert client.get(path).status_code == 503
        assert token_of(client) == before
        server.start()
        assert client.get("/").json == {"user": "ann"}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_server_that_hangs(gateway: str) -> None:
    """A server that takes connections and never answers holds no request for long."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        with redis_app(url) as app:
            began = time.monotonic()
            client = app.test_client(gateway=gateway)
            client.set_cookie("session", "A" * 43)
            statuses = {client.get("/async/").status_code for _ in range(6)}
            assert statuses == {503}
            # Without an end to its patience the first would still wait.
            assert time.monotonic() - began < GENEROUS


def test_a_server_that_refuses() -> None:
    """Nobody listens: 503 at once."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with redis_app(f"redis://127.0.0.1:{port}") as app:
        client = app.test_client()
        client.set_cookie("session", "A" * 43)
        assert client.get("/").status_code == 503
        assert client.get("/async/put/a/1").status_code == 503


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$5\r\nab", b"*1\r\n$-1\r\n", b"-ERR no\r\n"]
)
def test_a_server_that_talks_nonsense(answer: bytes) -> None:
    """What does not speak the protocol is a store that is down, never a session."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with redis_app(f"redis://127.0.0.1:{listener.getsockname()[1]}") as app:
            client = app.test_client()
            client.set_cookie("session", "A" * 43)
            assert client.get("/").status_code == 503
        thread.join(GENEROUS)


def test_a_database_that_hangs(memory: Bench, tmp_path: Path) -> None:
    """A database that is locked for longer than patience lasts answers 503, and then works."""
    bench = Bench("sqlite", tmp_path, "")
    # SQLite itself would wait for a minute.
    pragmas = {"busy_timeout": 60_000}
    app = bench.app(TESTING=False, SQLALCHEMY_SQLITE_PRAGMAS=pragmas)
    client = app.test_client()
    client.get("/put/a/1")
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert client.get("/put/b/2").status_code == 503
        assert time.monotonic() - began < GENEROUS
        other.execute("ROLLBACK")
    assert client.get("/put/c/3").status_code == 200
    assert t.cast(t.Any, client.get("/").json)["c"] == "3"
    bench.close()


def test_connections_that_the_database_has_closed(tmp_path: Path) -> None:
    """The first request after a restart works, also where nothing checks connections before use."""
    bench = Bench("postgresql", tmp_path, "")
    app = bench.app(SQLALCHEMY_ENGINE_DEFAULTS={})
    client = app.test_client()
    client.get("/put/a/1")
    import sqlalchemy as sa

    with app.app_context(), app.extensions["sqlalchemy"].engine.connect() as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        ended = connection.scalars(
            sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        )
        assert any(ended.all())
    assert client.get("/").json == {"a": "1"}
    bench.close()


def test_a_missing_table_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without the table the answer is 503, and the log says what to do."""
    bench = Bench("sqlite", tmp_path, "")
    app = bench.app(TESTING=False)
    with app.app_context():
        app.extensions["sqlalchemy"].drop_all()
    assert app.test_client().get("/put/a/1").status_code == 503
    assert "the table erlen_sessions is missing. Make a migration" in caplog.text
    bench.close()


def test_a_folder_that_cannot_be_written(files: Bench, tmp_path: Path) -> None:
    """Where the folder is a file, or the disk is full, it is 503; nothing is left half-written."""
    app = files.app(TESTING=False, SESSION_FILE_DIR=str(tmp_path / "file"))
    (tmp_path / "file").write_text("not a folder")
    assert app.test_client().get("/put/a/1").status_code == 503


def test_a_change_that_cannot_be_kept_is_503(faulty: tuple[Erlen, Faulty]) -> None:
    """The view has run, but its answer would say that something was kept; it is replaced."""
    app, store = faulty
    client = app.test_client()
    client.get("/put/a/1")
    before = token_of(client)
    store.broken = {"save", "delete"}
    for path in ("/put/a/2", "/login/ann", "/logout"):
        response = client.get(path)
        assert response.status_code == 503
        assert "kept" not in response.text
        assert "Set-Cookie" not in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert token_of(client) == before
    store.broken = set()
    assert client.get("/").json == {"a": "1"}


def test_a_handler_makes_the_page(faulty: tuple[Erlen, Faulty]) -> None:
    """A handler for the error makes the page, and may look at the session while it does."""
    app, store = faulty

    @app.errorhandler(SessionUnavailable)
    def later(error: SessionUnavailable) -> tuple[str, int]:
        return f"later, {session.get('user', 'anybody')}", 503

    client = app.test_client()
    client.get("/login/ann")
    for broken, path in (("load", "/"), ("save", "/put/a/1")):
        store.broken = {broken}
        response = client.get(path)
        assert response.status_code == 503
        assert response.text.startswith("later, ")


def test_use_that_cannot_be_noted_is_no_error(faulty: tuple[Erlen, Faulty]) -> None:
    """Nothing of the visitor's is lost where only the time of the last use was not stored."""
    app, store = faulty
    app.config["SESSION_TOUCH_INTERVAL"] = 0
    client = app.test_client()
    client.get("/put/a/1")
    store.broken = {"save"}
    assert client.get("/").json == {"a": "1"}


def test_lists_are_503_too(faulty: tuple[Erlen, Faulty]) -> None:
    """The list of sessions cannot be shown, and nobody is told that sessions were ended."""
    app, store = faulty
    client = app.test_client()
    client.get("/login/ann")
    store.broken = {"of_owner", "delete"}
    for path in ("/devices", "/revoke-others", "/revoke?id=x"):
        assert client.get(path).status_code == 503


def test_a_websocket_is_closed(faulty: tuple[Erlen, Faulty]) -> None:
    """A WebSocket whose session cannot be stored ends with an error, not as if all were well."""
    app, store = faulty

    @app.websocket("/socket")
    async def socket() -> None:
        from erlen import websocket

        await websocket.accept()
        await websocket.receive()
        session["a"] = "2"

    client = app.test_client()
    client.get("/put/a/1")
    store.broken = {"save"}
    with client.websocket("/socket") as connection:
        connection.send("go")
        with pytest.raises(Disconnect) as caught:
            connection.receive()
    assert caught.value.code == 1011


def test_a_store_of_ones_own(memory: Bench) -> None:
    """A store that blocks is asked in a thread where the view is on an event loop."""
    app = memory.app()
    seen: set[str] = set()

    class Own(Faulty):
        blocks = SessionStore.blocks

        def load(self, key: str) -> StoredSession | None:
            seen.add(threading.current_thread().name)
            return super().load(key)

    app.session_interface = ServerSessionInterface(Own(store_of(app)))
    client: FlaskClient = app.test_client(gateway="asgi")
    client.get("/async/put/a/1")
    assert client.get("/async/").json == {"a": "1"}
    assert seen == {"session store"}
