"""Large results, row by row, and what becomes of their connections."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

import pytest
import sqlalchemy as sa
from tests.db.shop import DATABASES, Author, Book, db, make_url, open_shop
from tests.db.test_asynchronous import ask

from erlen import Response
from erlen.db.testing import roll_back

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen

BOOKS = 2500
STATEMENT = sa.select(Book).order_by(Book.id)


@pytest.fixture(scope="module", params=DATABASES)
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Erlen]:
    """A shop with many books, and a view that sends them all."""
    url = make_url(request.param, "streaming", tmp_path_factory.mktemp("streaming"))
    with open_shop(url) as app:
        with app.app_context(), db.transaction() as session:
            rows = [{"id": number, "title": f"Book {number}"} for number in range(1, BOOKS + 1)]
            session.execute(sa.insert(Book), rows)

        @app.get("/books")
        def export() -> Response:
            books = db.stream(STATEMENT, size=50)
            return Response((f"{book.title}\n" for book in books), mimetype="text/plain")

        @app.get("/mistake")
        def mistake() -> Response:
            rows = db.stream(sa.select(Book.id).where(sa.text("nothing = 1")))
            return Response(f"{row}\n" for row in rows)  # pragma: no cover

        yield app


def in_use(app: Erlen) -> int:
    """Return how many connections are out of the pool."""
    with app.app_context():
        count: int = db.engine.pool.checkedout()  # type: ignore[attr-defined]
        return count


def test_a_response_streams_all_rows(app: Erlen) -> None:
    """The rows come after the view has returned, and the connection goes back at their end."""
    response = app.test_client().get("/books", buffered=False)
    lines = response.iter_encoded()
    assert next(lines) == b"Book 1\n"
    assert in_use(app) == 1
    assert sum(1 for _ in lines) == BOOKS - 1
    assert in_use(app) == 0


def test_a_client_that_goes_away_leaves_no_connection(app: Erlen) -> None:
    """The stream is closed with the response, after the first row and before any."""
    for take in (0, 1, 60):
        response = app.test_client().get("/books", buffered=False)
        lines = response.iter_encoded()
        for _ in range(take):
            next(lines)
        response.close()
        del lines, response
        assert in_use(app) == 0


def test_rows_are_not_all_fetched(app: Erlen) -> None:
    """No more objects are alive than are fetched at a time."""
    with app.app_context():
        session = db.session.session_factory()
        del session
        with db.stream(STATEMENT, size=10) as books:
            next(books)
            alive = books._session
            assert alive is not None
            assert len(alive.identity_map) <= 10


def test_other_queries_go_on_meanwhile(app: Erlen) -> None:
    """The session of the request reads and writes while a stream is open."""
    with app.app_context(), db.stream(STATEMENT, size=10) as books:
        assert next(books).id == 1
        assert db.session.scalar(sa.select(sa.func.count(Book.id))) == BOOKS
        db.session.add(Author(name="Jane"))
        db.session.commit()
        assert next(books).id == 2
    assert in_use(app) == 0


def test_an_error_in_the_statement_fails_the_request(app: Erlen) -> None:
    """It is known before the response begins."""
    assert app.test_client().get("/mistake").status_code == 500
    assert in_use(app) == 0


def test_an_error_in_the_middle_gives_the_connection_back(app: Erlen) -> None:
    """Whatever ends the loop ends the stream."""

    def fail() -> None:
        for book in db.stream(STATEMENT, size=10):
            1 / (book.id - 5)

    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            fail()
        assert in_use(app) == 0


def test_a_closed_stream_is_empty(app: Erlen) -> None:
    """It raises nothing, however often it is closed."""
    with app.app_context():
        books = db.stream(STATEMENT)
        books.close()
        books.close()
        assert list(books) == []


def test_columns_can_be_streamed(app: Erlen) -> None:
    """A statement of one column gives its values."""
    with app.app_context():
        ids = db.stream(sa.select(Book.id).order_by(Book.id), size=100)
        assert sum(ids) == BOOKS * (BOOKS + 1) // 2


def test_streams_in_a_test_that_is_undone(app: Erlen) -> None:
    """They see what the test has written, on its one connection."""
    with roll_back(app), app.app_context():
        db.session.add(Book(id=BOOKS + 1, title="New"))
        db.session.commit()
        books = db.stream(sa.select(Book).where(Book.id > BOOKS))
        db.session.execute(sa.select(Author)).all()
        assert [book.title for book in books] == ["New"]


def test_asynchronous_streams(app: Erlen) -> None:
    """An asynchronous loop takes the rows, and may leave before the end."""

    async def work() -> tuple[int, int]:
        count = 0
        async for book in db.async_stream(STATEMENT, size=100):
            count += book.title.startswith("Book")
        async with contextlib.aclosing(t.cast(t.Any, db.async_stream(STATEMENT))) as books:
            async for book in books:
                assert book.id == 1
                break
        await db.async_session.remove()
        return count, db.async_engine.pool.checkedout()  # type: ignore[attr-defined]

    with app.app_context():
        assert asyncio.run(work()) == (BOOKS, 0)


@pytest.mark.parametrize("kind", DATABASES)
def test_streams_of_cooperative_views(kind: str, tmp_path: Path) -> None:
    """Rows are fetched with the asynchronous driver while the response is sent."""
    with open_shop(make_url(kind, "streaming", tmp_path)) as app:
        with app.app_context(), db.transaction():
            db.session.add_all(Book(title=f"Book {number}") for number in range(1, 31))
        streams = []

        @app.get("/", cooperative=True)
        def index() -> Response:
            books = db.stream(STATEMENT, size=7)
            streams.append(books._session)
            return Response(f"{book.title} " for book in books)

        text = ask(app, "/")
        assert len(text.split()) == 60
        assert streams[0] is not None
        assert not streams[0].in_transaction()
