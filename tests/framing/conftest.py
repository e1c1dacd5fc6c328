"""``erlen serve`` by each of its interfaces, started once."""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t
from pathlib import Path

import pytest
from tests.servers.process import Server

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.fixture(scope="package", params=["rsgi", "asgi", "wsgi"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server; ``server.kind`` is its interface."""
    if sys.platform == "win32":
        pytest.skip("erlen serve needs POSIX signals.")
    if importlib.util.find_spec("granian") is None and "CI" not in os.environ:
        pytest.skip("granian is not installed.")
    interface: str = request.param
    command = [
        *(sys.executable, "-m", "erlen", "--app", "application", "serve"),
        *("--bind=127.0.0.1:0", f"--interface={interface}", "--insecure-secret"),
    ]
    with Server(command, tmp_path_factory.mktemp(interface), HERE) as server:
        server.kind = interface
        yield server
