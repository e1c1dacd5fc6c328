"""A server of each kind, started once for all tests of a module."""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t

import pytest

from .process import COMMANDS, Server

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def require(kind: str) -> None:
    """Skip where a kind of server cannot run, unless this is where it must."""
    if sys.platform == "win32":
        pytest.skip("The tests of servers use POSIX signals.")
    name = kind.partition("-")[0]
    if importlib.util.find_spec(name) is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed.")


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server, once for each kind; ``server.kind`` says which."""
    kind: str = request.param
    require(kind)
    variables = {"TEST_COOPERATIVE": "1"} if kind.endswith("-loop") else {}
    with Server(COMMANDS[kind], tmp_path_factory.mktemp(kind), variables=variables) as server:
        server.kind = kind
        yield server
