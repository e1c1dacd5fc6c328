"""The log of slow queries."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from tests.db.shop import Book, db, make_url, open_shop

if t.TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_takes_longer_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The line has the time, the place and the statement, and none of its values."""
    url = make_url("sqlite", "slow", tmp_path)
    with open_shop(url, SQLALCHEMY_SLOW_QUERY_THRESHOLD=0) as app, app.app_context():
        caplog.clear()
        db.session.scalars(sa.select(Book).where(Book.title == "secret")).all()
    (record,) = [record for record in caplog.records if record.name == "erlen.db.slow"]
    message = record.getMessage()
    assert record.levelname == "WARNING"
    assert __file__ in message
    assert "SELECT book.id, book.title" in message
    assert "secret" not in message


def test_what_is_fast_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Below the threshold, and without one, nothing is logged."""
    for config in ({"SQLALCHEMY_SLOW_QUERY_THRESHOLD": 3600}, {}):
        url = make_url("sqlite", "slow", tmp_path)
        with open_shop(url, **config) as app, app.app_context():
            db.session.scalars(sa.select(Book)).all()
    assert [record for record in caplog.records if record.name == "erlen.db.slow"] == []
