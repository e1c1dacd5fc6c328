"""An application with accounts, cheap hashes, and the mail that it sends."""

from __future__ import annotations

import typing as t

import pytest
from tests.accounts.site import Site, make_site

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An application with the pages, on SQLite, and one account: ada@example.org."""
    site = make_site(f"sqlite:///{tmp_path / 'site.db'}")
    site.add("ada@example.org")
    yield site
    site.close()
