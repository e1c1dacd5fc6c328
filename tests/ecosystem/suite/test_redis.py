"""Extensions that keep their data in Redis; skipped where no Redis server is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import typing as t

import pytest
import redis
from flask import Flask, session
from flask_caching import Cache
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_session import Session

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER = shutil.which("redis-server")

pytestmark = pytest.mark.skipif(
    SERVER is None and not os.environ.get("CI"), reason="redis-server is not installed"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A server of its own, without persistence, and a connection to it."""
    assert SERVER is not None
    folder: Path = tmp_path_factory.mktemp("redis")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        connection = redis.Redis(port=port)
        for _ in range(200):
            try:
                connection.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        yield connection
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def app(store: redis.Redis) -> Flask:
    port = store.connection_pool.connection_kwargs["port"]
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="a key for tests",
        SESSION_TYPE="redis",
        SESSION_REDIS=store,
        CACHE_TYPE="RedisCache",
        CACHE_REDIS_PORT=port,
        RATELIMIT_STORAGE_URI=f"redis://127.0.0.1:{port}",
    )
    Session(app)
    cache = Cache(app)
    limiter = Limiter(get_remote_address, app=app)
    calls = app.extensions["calls"] = []

    @app.get("/count")
    def count() -> dict[str, int]:
        session["count"] = session.get("count", 0) + 1
        return dict(session)

    @app.get("/cached")
    @cache.cached(60)
    def cached() -> str:
        calls.append(1)
        return "cached"

    @app.get("/limited")
    @limiter.limit("2/minute")
    def limited() -> str:
        return "ok"

    return app


def test_session(app: Flask, store: redis.Redis) -> None:
    """The session's data is in Redis, with the cookie as its key."""
    http = app.test_client()
    assert [http.get("/count").get_json()["count"] for _ in range(3)] == [1, 2, 3]
    cookie = http.get_cookie("session")
    assert cookie is not None and store.exists(f"session:{cookie.value}")
    assert app.test_client().get("/count").get_json()["count"] == 1
    store.delete(f"session:{cookie.value}")
    assert http.get("/count").get_json()["count"] == 1


def test_cache_and_limit(app: Flask, store: redis.Redis) -> None:
    """Cached answers and the counts of the limiter outlive the application object."""
    http = app.test_client()
    assert [http.get("/cached").text for _ in range(2)] == ["cached"] * 2
    assert len(app.extensions["calls"]) == 1
    assert [http.get("/limited").status_code for _ in range(3)] == [200, 200, 429]
    assert list(store.scan_iter("LIMITS:*"))
