"""Reading from replicas."""

from __future__ import annotations

import asyncio
import typing as t

import pytest
import sqlalchemy as sa
from tests.db.shop import Author, Book, db, make_url, open_shop

from erlen import Erlen
from erlen.db import SQLAlchemy, replicas

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Erlen]:
    """A shop whose replicas hold other books, so that one sees where a query went."""
    urls = {name: make_url("sqlite", name, tmp_path) for name in ("primary", "one", "two")}
    for name, url in urls.items():
        with open_shop(url) as made, made.app_context(), db.transaction():
            db.session.add(Book(id=1, title=name))
            db.session.add(Author(id=1, name=name))
    options = {"replicas": [urls["one"], {"url": urls["two"], "echo": False}]}
    app = Erlen("shop")
    app.config.update(
        TESTING=True, SQLALCHEMY_DATABASE_URI=urls["primary"], SQLALCHEMY_ENGINE_OPTIONS=options
    )
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    yield app
    replicas.remove_replicas(engine)
    engine.dispose()


def read() -> str | None:
    """Return which database is read from."""
    return db.session.scalar(sa.select(Book.title))


def test_reading_goes_to_a_replica(app: Erlen) -> None:
    """All of a session goes to the same one; over time, to each."""
    seen = set()
    for _ in range(50):
        with app.app_context():
            first = read()
            assert [read() for _ in range(3)] == [first] * 3
            seen.add(first)
    assert seen == {"one", "two"}


def test_after_writing_the_primary_is_read(app: Erlen) -> None:
    """Who has written reads what was written, until the end of the session."""

    def flush() -> None:
        db.session.add(Book(title="new"))
        db.session.flush()

    changes: list[t.Callable[[], t.Any]] = [
        flush,
        lambda: db.session.execute(sa.update(Author).values(name="primary")),
        lambda: db.session.execute(sa.insert(Book).values(title="new")),
        lambda: db.session.execute(sa.text("UPDATE author SET name = 'primary'")),
        lambda: db.session.scalars(sa.select(Author).with_for_update()).all(),
        lambda: db.session.connection(),
    ]
    for change in changes:
        with app.app_context():
            assert read() in ("one", "two")
            change()
            assert db.session.get_one(Author, 1, populate_existing=True).name == "primary"
            db.session.rollback()
            assert read() == "primary"
    with app.app_context():
        assert read() in ("one", "two")


def test_the_primary_can_be_asked_for(app: Erlen) -> None:
    """Within the block all is read from the primary, and after it no more."""
    with app.app_context():
        with db.using_primary():
            assert read() == "primary"
        assert read() in ("one", "two")


def test_transactions_are_the_primarys(app: Erlen) -> None:
    """What is read in a transaction is true when it writes."""
    with app.app_context(), db.transaction():
        assert read() == "primary"


def test_lazy_loads_read_from_replicas(app: Erlen) -> None:
    """What is loaded when it is touched comes from where its object did."""
    with app.app_context():
        author = db.session.get_one(Author, 1)
        assert author.name in ("one", "two")
        assert author.books == []
        assert read() == author.name


def test_streams_follow_the_session(app: Erlen) -> None:
    """A stream reads from a replica, and from the primary once the session has written."""
    with app.app_context():
        assert next(db.stream(sa.select(Book.title))) in ("one", "two")
        db.session.execute(sa.update(Author).values(name="primary"))
        assert next(db.stream(sa.select(Book.title))) == "primary"


def test_a_replica_that_is_down_is_left_alone(app: Erlen, tmp_path: Path) -> None:
    """After one failure the others are used, and the primary where there is none left."""
    (tmp_path / "one.db").unlink()
    (tmp_path / "one.db").mkdir()
    (tmp_path / "two.db").unlink()
    (tmp_path / "two.db").mkdir()
    seen = []
    for _ in range(6):
        with app.app_context():
            try:
                seen.append(read())
            except sa.exc.OperationalError:
                seen.append("failed")
    assert seen == ["failed"] * 2 + ["primary"] * 4


def test_each_bind_has_its_own(tmp_path: Path) -> None:
    """The options of a bind may name replicas too."""
    primary, copy = (make_url("sqlite", name, tmp_path) for name in ("a", "b"))
    app = Erlen("shop")
    app.config["SQLALCHEMY_BINDS"] = {"other": {"url": primary, "replicas": [copy]}}
    own = SQLAlchemy(app)
    with app.app_context():
        engine = own.engines["other"]
        assert [known.url.database for known in replicas._replicas[engine].engines] == [
            str(tmp_path / "b.db")
        ]
        replicas.remove_replicas(engine)


def test_asynchronous_sessions_do_the_same(app: Erlen) -> None:
    """Reading goes to a replica, and after writing to the primary."""

    async def work() -> list[str | None]:
        first = await db.async_session.scalar(sa.select(Book.title))
        await db.async_session.execute(sa.update(Author).values(name="primary"))
        second = await db.async_session.scalar(sa.select(Book.title))
        await db.async_session.remove()
        return [first, second]

    with app.app_context():
        first, second = asyncio.run(work())
    assert first in ("one", "two")
    assert second == "primary"
