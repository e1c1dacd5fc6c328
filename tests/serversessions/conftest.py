"""A store of each kind, and applications on it."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from tests.serversessions.bench import DATABASES, Bench
from tests.services import REDIS

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Every place where sessions are kept, databases by their names.
STORES = ("memory", "filesystem", "redis", *DATABASES)


@pytest.fixture(params=STORES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """What makes applications, once for each store."""
    yield from _make_bench(request.param, tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Bench]:
    """What makes applications that keep sessions in memory."""
    yield from _make_bench("memory", tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Bench]:
    """What makes applications that keep sessions in files."""
    yield from _make_bench("filesystem", tmp_path)


@pytest.fixture
def redis_bench(tmp_path: Path) -> Iterator[Bench]:
    """What makes applications that keep sessions in Redis."""
    yield from _make_bench("redis", tmp_path)


def _make_bench(kind: str, tmp_path: Path) -> Iterator[Bench]:
    prefix = f"erlen-test-{uuid.uuid4().hex}:"
    if kind == "redis":
        REDIS.require()
    bench = Bench(kind, tmp_path, prefix)
    try:
        yield bench
    finally:
        bench.close()
