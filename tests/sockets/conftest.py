"""A real server of each kind, started once for all tests of a module."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import typing as t
from pathlib import Path

import pytest
from tests.servers.process import Server

from erlen.testing.conformance import ASGIValidator

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlen import Flask

HERE = Path(__file__).parent
#: The servers: the module each is run by, and its command for a port.
SERVERS: dict[str, tuple[str, Callable[[int], list[str]]]] = {
    "uvicorn-websockets": ("uvicorn", lambda port: uvicorn(port, "websockets-sansio")),
    "uvicorn-wsproto": ("uvicorn", lambda port: uvicorn(port, "wsproto")),
    "hypercorn": ("hypercorn", lambda port: [f"--bind=127.0.0.1:{port}", "asgi:application:app"]),
    "granian-asgi": ("granian", lambda port: granian(port, "asgi")),
    "granian-rsgi": ("granian", lambda port: granian(port, "rsgi")),
}


def uvicorn(port: int, protocol: str) -> list[str]:
    """Return the arguments of uvicorn with a library for WebSockets."""
    return [f"--port={port}", f"--ws={protocol}", "--interface=asgi3", "application:app"]


def granian(port: int, interface: str) -> list[str]:
    """Return the arguments of Granian with a protocol between it and the application."""
    return [f"--port={port}", f"--interface={interface}", "application:app"]


@pytest.fixture
def app(app: Flask) -> Flask:
    """An application without routes, whose conversations keep to ASGI, as the client's do."""
    app.asgi_app = ASGIValidator(app.asgi_app)  # type: ignore[method-assign]
    return app


def require(*modules: str) -> None:
    """Skip where a package for tests is missing, unless this is where all are needed."""
    if sys.platform == "win32":
        pytest.skip("The tests of servers use POSIX signals.")
    for name in modules:
        if importlib.util.find_spec(name) is None and "CI" not in os.environ:
            pytest.skip(f"{name} is not installed.")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server, once for each kind; ``server.kind`` says which."""
    kind: str = request.param
    module, arguments = SERVERS[kind]
    require(module, "websockets", *(["wsproto"] if "wsproto" in kind else []))
    command = [sys.executable, "-m", module, *arguments(free_port())]
    with Server(command, tmp_path_factory.mktemp(kind), HERE) as server:
        server.kind = kind
        yield server
