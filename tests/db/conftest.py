"""An application with a database of each kind."""

from __future__ import annotations

import typing as t

import pytest

from .shop import DATABASES, make_url, open_shop

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen


@pytest.fixture(params=DATABASES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Erlen]:
    """The application of ``shop.py``, with each database."""
    with open_shop(make_url(request.param, "shop", tmp_path)) as app:
        yield app


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[Erlen]:
    """The application of ``shop.py``, with SQLite in a file."""
    with open_shop(make_url("sqlite", "shop", tmp_path)) as app:
        yield app
