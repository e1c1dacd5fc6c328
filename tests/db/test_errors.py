"""What clients are told when the database refuses a value, or does not work."""

from __future__ import annotations

import asyncio
import enum
import os
import sqlite3
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from tests.db.shop import DATABASES, Book, db, make_url, open_shop
from werkzeug.exceptions import HTTPException

from erlen import Erlen, Flask, request
from erlen.db import errors
from erlen.db.errors import Cause, find_cause

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen.testing import FlaskClient


def add_views(app: Flask) -> None:
    """Add views that hand what they get to the database as it is."""

    @app.post("/books")
    def add() -> t.Any:
        db.session.add(book := Book(**request.get_json()))
        db.session.commit()
        return {"id": book.id}, 201

    @app.get("/books")
    def find() -> t.Any:
        statement = db.select(Book)
        for name in request.args.keys() & {"title", "year"}:
            value: t.Any = request.args[name]
            statement = statement.where(
                getattr(Book, name) == (int(value) if name == "year" else value)
            )
        if "sort" in request.args:
            statement = statement.order_by(request.args["sort"])
        page = db.paginate(statement)
        return {"titles": [book.title for book in page]}

    @app.get("/count")
    def count() -> t.Any:
        return {"count": db.session.scalar(sa.select(sa.func.count(Book.id)))}


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Erlen]:
    """A shop on one of the databases."""
    with open_shop(make_url(request.param, "errors", tmp_path)) as app:
        add_views(app)
        yield app


def count(client: FlaskClient) -> int:
    """Return how many books there are."""
    answer = client.get("/count").json
    assert answer is not None
    return t.cast(int, answer["count"])


@pytest.mark.parametrize(
    "book",
    [
        {"title": "a\0b"},
        {"title": "a\ud800b"},
        {"title": "x", "year": 10**30},
        {"title": "x", "year": 2**63},
        {"title": "x", "year": -(10**30)},
    ],
)
def test_a_value_that_no_database_holds(client: FlaskClient, book: dict[str, t.Any]) -> None:
    """Numbers beyond all columns, NUL and lone surrogates are 400, and nothing is stored."""
    response = client.post("/books", json=book)
    assert response.status_code == 400
    assert "out of range" in response.text
    assert count(client) == 0
    assert client.post("/books", json={"title": "Emma"}).status_code == 201


@pytest.mark.parametrize(
    "book",
    [{"title": "x" * 51}, {"title": "x", "year": 2**31}, {"title": "x", "price": 2**15}],
)
def test_a_value_beyond_its_column(app: Erlen, client: FlaskClient, book: dict[str, t.Any]) -> None:
    """Columns of PostgreSQL and MariaDB have limits of their own; SQLite takes what fits."""
    on_sqlite = app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite")
    assert client.post("/books", json=book).status_code == (201 if on_sqlite else 400)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("title=a%00b", {400}),
        ("year=" + str(10**30), {200, 400}),
        ("page=" + str(10**30), {404}),
        ("page=" + "9" * 5000, {404}),
        ("page=-1", {404}),
        ("page=x", {404}),
        ("per_page=1000000", {200}),
        ("per_page=" + str(10**30), {200}),
        ("per_page=0", {404}),
        ("sort=nothing", {400}),
        ("sort=title; DROP TABLE book", {400}),
        ("sort=", {400}),
        ("sort=title", {200}),
    ],
)
def test_a_query_that_makes_no_sense(client: FlaskClient, query: str, status: set[int]) -> None:
    """Whatever stands in a URL, the answer is not a failure of ours."""
    assert client.get(f"/books?{query}").status_code in status


def test_constraints_are_the_applications_matter(app: Erlen, client: FlaskClient) -> None:
    """An IntegrityError comes to the application's own handler."""
    app.register_error_handler(exc.IntegrityError, lambda error: ("taken", 409))
    assert client.post("/books", json={"id": 1, "title": "x"}).status_code == 201
    response = client.post("/books", json={"id": 1, "title": "x"})
    assert (response.status_code, response.text) == (409, "taken")


def test_a_mistake_in_a_statement_is_a_500(app: Erlen, client: FlaskClient) -> None:
    """What no client can help is not blamed on one; a handler for all errors gets it."""

    @app.get("/mistake")
    def mistake() -> str:
        db.session.execute(sa.text("SELECT nothing FROM nowhere"))
        return ""  # pragma: no cover

    app.error_handler_spec[None][None][Exception] = lambda error: (type(error).__name__, 500)
    assert client.get("/mistake").text in ("OperationalError", "ProgrammingError")
    del app.error_handler_spec[None][None][Exception]
    assert client.get("/mistake").status_code == 500


def test_the_applications_own_handler_comes_first(app: Erlen, client: FlaskClient) -> None:
    """A handler for a class takes the place of ours; one for HTTP errors shows ours."""
    app.register_error_handler(HTTPException, lambda error: (f"page {error.code}", 400))
    assert client.post("/books", json={"title": "a\0b"}).text == "page 400"
    app.error_handler_spec[None][None][exc.DataError] = lambda error: ("mine", 422)
    assert client.post("/books", json={"title": "a\0b"}).text == "mine"


def test_an_error_page_may_use_the_session(app: Erlen, client: FlaskClient) -> None:
    """The session is rolled back before the page for the error is made."""
    app.register_error_handler(
        400, lambda error: (f"{len(db.session.scalars(sa.select(Book)).all())} books", 400)
    )
    assert client.post("/books", json={"title": "a\0b"}).text == "0 books"


def test_an_error_page_may_ask_a_database_that_is_down(tmp_path: Path) -> None:
    """Where the page for the error fails too, the answer goes without it."""
    with open_shop(make_url("sqlite", "down", tmp_path)) as app:
        add_views(app)
        app.register_error_handler(503, lambda error: str(db.session.get(Book, 1)))
        with app.app_context():
            db.engine.dispose()
        (tmp_path / "down.db").unlink()
        (tmp_path / "down.db").mkdir()
        response = app.test_client().get("/count")
        assert response.status_code == 503
        assert "cannot be reached" in response.text


def test_drop_in_applications_see_the_drivers_exceptions(tmp_path: Path) -> None:
    """Without the configuration value the errors are those of the driver, as ever."""
    app = Flask("old")
    app.config.update(TESTING=True, SQLALCHEMY_DATABASE_URI=make_url("sqlite", "old", tmp_path))
    db.init_app(app)
    add_views(app)
    with app.app_context():
        db.create_all()
    with pytest.raises(OverflowError):
        app.test_client().post("/books", json={"title": "x", "year": 10**30})
    assert app.test_client().post("/books", json={"title": "a\0b"}).status_code == 201
    with app.app_context():
        db.engine.dispose()


class Colour(enum.Enum):
    """Something with a few values."""

    RED = 1


def test_a_value_that_is_none_of_an_enums() -> None:
    """An Enum column refuses by itself what is none of its values."""
    engine = sa.create_engine("sqlite://")
    statement = sa.select(sa.literal("blue", sa.Enum(Colour, validate_strings=True)))
    with engine.connect() as connection, pytest.raises(exc.StatementError) as caught:
        connection.execute(statement)
    assert find_cause(caught.value) is Cause.INPUT
    engine.dispose()


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("40001", Cause.CONFLICT),
        ("40P01", Cause.CONFLICT),
        ("22003", Cause.INPUT),
        ("22012", None),  # a division by zero
        ("42P01", None),
        ("53300", Cause.UNAVAILABLE),
        ("57P03", Cause.UNAVAILABLE),
        (1213, Cause.CONFLICT),
        (1205, Cause.CONFLICT),
        (1264, Cause.INPUT),
        (1146, None),
        (2006, Cause.UNAVAILABLE),
        (1021, Cause.UNAVAILABLE),
    ],
)
def test_codes(code: str | int, cause: Cause | None) -> None:
    """Codes of PostgreSQL and MariaDB say whose matter an error is."""
    driver = Exception(code, "what happened")
    if isinstance(code, str):
        driver.sqlstate = code  # type: ignore[attr-defined]
    assert find_cause(exc.OperationalError("SELECT", {}, driver)) is cause


def test_other_errors_have_no_cause() -> None:
    """Only errors of the database are looked at."""
    assert find_cause(ValueError("x")) is None
    assert find_cause(exc.IntegrityError("INSERT", {}, Exception(1062, "Duplicate"))) is None


def test_an_exhausted_pool_is_a_503(tmp_path: Path) -> None:
    """Who gets no connection in time is told to come again, and then gets one."""
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    url = make_url("sqlite", "pool", tmp_path)
    with open_shop(url, SQLALCHEMY_ENGINE_OPTIONS=options) as app:
        add_views(app)
        client = app.test_client()
        with app.app_context():
            engine = db.engine
        with engine.connect():
            response = client.get("/count")
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "2"
        assert client.get("/count").status_code == 200


def test_a_busy_file_is_a_503(tmp_path: Path) -> None:
    """A file that somebody else is writing to is waited for, then given up."""
    url = make_url("sqlite", "busy", tmp_path)
    with open_shop(url, SQLALCHEMY_SQLITE_PRAGMAS={"journal_mode": "WAL"}) as app:
        add_views(app)
        client = app.test_client()
        with app.app_context(), db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "busy.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        response = client.post("/books", json={"title": "Emma"})
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert count(client) == 0
        other.execute("ROLLBACK")
        other.close()
        assert client.post("/books", json={"title": "Emma"}).status_code == 201


@pytest.mark.parametrize("limit", ["query_only = ON", "max_page_count = 1"])
def test_a_full_or_read_only_disk(tmp_path: Path, limit: str) -> None:
    """Writing fails with 503 and leaves nothing half; reading goes on; then all is well again."""
    with open_shop(make_url("sqlite", "full", tmp_path)) as app:
        add_views(app)

        @app.post("/many")
        def add_many() -> t.Any:
            for number in range(2000):
                db.session.add(Book(title=f"{number}" * 9))
                db.session.flush()
            db.session.commit()
            return "", 201

        client = app.test_client()
        assert client.post("/books", json={"title": "Emma"}).status_code == 201
        with app.app_context():
            engine = db.engine

        def limit_it(connection: sqlite3.Connection, record: object) -> None:
            connection.execute(f"PRAGMA {limit}")

        engine.dispose()
        sa.event.listen(engine, "connect", limit_it)
        response = client.post("/many")
        assert (response.status_code, count(client)) == (503, 1)
        sa.event.remove(engine, "connect", limit_it)
        engine.dispose()
        assert (client.post("/many").status_code, count(client)) == (201, 2001)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """A file that cannot be opened is a 503 until it can."""
    folder = tmp_path / "data"
    folder.mkdir()
    with open_shop(make_url("sqlite", "gone", folder)) as app:
        add_views(app)
        client = app.test_client()
        assert count(client) == 0
        with app.app_context():
            db.engine.dispose()
        folder.rename(tmp_path / "away")
        assert client.get("/count").status_code == 503
        (tmp_path / "away").rename(folder)
        assert count(client) == 0


def test_a_driver_that_refuses_nul_itself() -> None:
    """psycopg2 raises a ValueError of Python's."""
    assert errors._names_nul(ValueError("A string literal cannot contain NUL (0x00) characters."))
    assert not errors._names_nul(ValueError("something else"))


@pytest.mark.parametrize("kind", DATABASES)
def test_asynchronous_drivers_mean_the_same(kind: str, tmp_path: Path) -> None:
    """The errors of the asynchronous drivers are told apart as well."""

    async def find(book: Book) -> Cause | None:
        db.async_session.add(book)
        try:
            await db.async_session.flush()
        except exc.SQLAlchemyError as error:
            return find_cause(error)
        finally:
            await db.async_session.rollback()
        return None  # pragma: no cover

    async def work() -> list[Cause | None]:
        values: list[dict[str, t.Any]] = [
            {"title": "a\0b"},
            {"title": "a\ud800b"},
            {"title": "x", "year": 10**30},
        ]
        found = [await find(Book(**value)) for value in values]
        await db.async_session.remove()
        return found

    with open_shop(make_url(kind, "async", tmp_path)) as app, app.app_context():
        assert asyncio.run(work()) == [Cause.INPUT] * 3


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody@127.0.0.1:1/nothing", "mysql://nobody@127.0.0.1:1/nothing"],
)
def test_a_server_that_does_not_answer(url: str) -> None:
    """A refused connection is a 503, in synchronous and in asynchronous views."""
    app = Erlen("shop")
    app.config.update(TESTING=True, SQLALCHEMY_DATABASE_URI=url)
    db.init_app(app)

    @app.get("/")
    def index() -> str:
        return str(db.session.scalar(sa.select(1)))

    @app.get("/async")
    async def index_async() -> str:
        return str(await db.async_session.scalar(sa.select(1)))

    for address in ("/", "/async"):
        response = app.test_client().get(address)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
