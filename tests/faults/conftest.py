"""Servers that tests of this folder share."""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t

import pytest

from .serving import serve

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.process import Server


@pytest.fixture(scope="session", autouse=True)
def granian() -> None:
    """These tests read /proc, and need Granian, which is there where all tests must run."""
    if sys.platform != "linux":
        pytest.skip("The tests of faults read /proc.")
    if importlib.util.find_spec("granian") is None and "CI" not in os.environ:
        pytest.skip("granian is not installed.")


@pytest.fixture(scope="package", params=["rsgi", "asgi", "wsgi"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server with one worker; ``server.kind`` is its interface."""
    interface: str = request.param
    folder = tmp_path_factory.mktemp(f"faults-{interface}")
    with serve(folder, f"--interface={interface}") as server:
        server.kind = interface
        yield server
