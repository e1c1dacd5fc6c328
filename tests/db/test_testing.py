"""What tests of applications use: changes that are undone, a database for each process."""

from __future__ import annotations

import asyncio
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tests.db.shop import DATABASES, Book, db, make_url, open_shop

from erlen import Flask
from erlen.db.testing import (
    close_engines,
    count_queries,
    roll_back,
    roll_back_async,
    worker_database,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen


def add_views(app: Flask) -> None:
    """Add views that write and read."""

    @app.post("/books/<title>")
    def add(title: str) -> t.Any:
        db.session.add(Book(title=title))
        db.session.commit()
        return "", 201

    @app.post("/twice/<title>")
    def add_twice(title: str) -> t.Any:
        db.session.add(Book(id=7, title=title))
        db.session.commit()
        try:
            with db.transaction():
                db.session.execute(sa.insert(Book).values(id=7, title=title))
        except IntegrityError:
            pass
        db.session.add(Book(title="undone"))
        db.session.flush()
        db.session.rollback()
        return "", 201

    @app.get("/books")
    def find() -> t.Any:
        return [book.title for book in db.session.scalars(sa.select(Book).order_by(Book.id))]


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Erlen]:
    """A shop on one of the databases."""
    with open_shop(make_url(request.param, "testing", tmp_path)) as app:
        add_views(app)
        yield app


def stored(app: Flask) -> list[str]:
    """Return the titles that are really stored."""
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.scalars(sa.select(Book.title).order_by(Book.id)))


def test_what_requests_commit_is_undone(app: Erlen) -> None:
    """Requests see what earlier ones committed; at the end all of it is gone."""
    client = app.test_client()
    client.post("/books/Evelina")
    with roll_back(app):
        assert client.post("/books/Emma").status_code == 201
        assert client.post("/twice/Persuasion").status_code == 201
        assert client.get("/books").json == ["Evelina", "Persuasion", "Emma"] or (
            set(client.get("/books").json or ()) == {"Evelina", "Emma", "Persuasion"}
        )
    assert client.get("/books").json == ["Evelina"]
    assert stored(app) == ["Evelina"]
    client.post("/books/Cecilia")
    assert stored(app) == ["Evelina", "Cecilia"]


def test_a_failed_test_is_undone_too(app: Erlen) -> None:
    """An exception in the block undoes what was committed."""

    def fail() -> None:
        with roll_back(app), app.app_context():
            db.session.add(Book(title="Emma"))
            db.session.commit()
            1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert stored(app) == []


def test_asynchronous_sessions_are_undone(app: Erlen) -> None:
    """What an asynchronous session commits is gone at the end as well."""

    async def work() -> None:
        async with roll_back_async(app):
            with app.app_context():
                db.async_session.add(Book(title="Emma"))
                await db.async_session.commit()
                async with db.transaction() as session:
                    session.add(Book(title="Persuasion"))
                assert len((await db.async_session.scalars(sa.select(Book))).all()) == 2
                await db.async_session.remove()

    asyncio.run(work())
    assert stored(app) == []


def test_drop_in_applications_can_be_tested_so(tmp_path: Path) -> None:
    """It works with the behaviour of Python's SQLite driver too, and in memory."""
    for url in (make_url("sqlite", "old", tmp_path), "sqlite://"):
        app = Flask("old")
        app.config.update(TESTING=True, SQLALCHEMY_DATABASE_URI=url)
        db.init_app(app)
        add_views(app)
        with app.app_context():
            db.create_all()
        with roll_back(app):
            app.test_client().post("/books/Emma")
            assert app.test_client().get("/books").json == ["Emma"]
        assert app.test_client().get("/books").json == []
        close_engines(app)


@pytest.mark.parametrize("kind", DATABASES)
def test_a_database_for_each_process(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name has the worker's, it is empty, and it is gone afterwards."""
    given = sa.make_url(make_url(kind, "worker", tmp_path))
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    for _ in range(2):
        with worker_database(given) as url:
            assert "gw7" in str(sa.make_url(url).database)
            with open_shop(url) as app:
                assert stored(app) == []
                with app.app_context(), db.transaction():
                    db.session.add(Book(title="Emma"))
        assert not (tmp_path / "worker_gw7.db").exists()


def test_a_database_in_memory_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has its own anyway."""
    with worker_database("sqlite://") as url:
        assert url == "sqlite://"


def test_statements_are_collected(app: Erlen) -> None:
    """The list has what was sent in the block, without savepoints."""
    client = app.test_client()
    with count_queries() as queries:
        client.get("/books")
    assert len(queries) == 1
    assert queries[0].startswith("SELECT")
    with count_queries() as queries:
        client.post("/twice/Emma")
    assert len([query for query in queries if query.startswith("INSERT")]) == 3
    client.get("/books")
    assert len([query for query in queries if query.startswith("SELECT")]) == 0
