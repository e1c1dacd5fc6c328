"""A server of each kind, started once for all tests of this folder."""

from __future__ import annotations

import importlib.util
import os
import sys
import typing as t

import pytest

from .kinds import COMMANDS, PROXIED, start
from .nginx import require_nginx

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .process import Server

#: The modules of servers that have another name.
MODULES = {"uwsgi": "pyuwsgi"}


def require(kind: str) -> None:
    """Skip where a kind of server cannot run, unless this is where it must."""
    if sys.platform == "win32":
        pytest.skip("The tests of servers use POSIX signals.")
    if kind.startswith("nginx-"):
        require_nginx()
        kind = kind.removeprefix("nginx-")
    name = kind.partition("-")[0]
    if importlib.util.find_spec(MODULES.get(name, name)) is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed.")


@pytest.fixture(scope="package", params=sorted([*COMMANDS, *PROXIED]))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server, once for each kind; ``server.kind`` says which."""
    kind: str = request.param
    require(kind)
    with start(kind, tmp_path_factory.mktemp(kind)) as server:
        yield server
