"""The lending library of the examples, on each of the three databases."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from shelf import create_app
from shelf.accounts import make_account
from shelf.db import db
from tests import services

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen
    from erlen.testing import FlaskClient

READERS = 12
PASSWORD = "a password for tests"
BOOK = {"title": "Nowhere", "author": "N. N.", "year": 1901, "language": "en", "copies": 1}


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Erlen]:
    """The library with all its books."""
    app = create_app(
        {
            "TESTING": True,
            "SECRET_KEY": "for tests",
            "MAIL_BACKEND": "memory",
            "PASSWORD_ARGON2_MEMORY_COST": 8,
            "PASSWORD_ARGON2_TIME_COST": 1,
            "DATABASE": _make_database(request.param, tmp_path_factory.mktemp("shelf")),
        }
    )
    for command in ("init-db", "seed"):
        result = app.test_cli_runner().invoke(args=[command])
        assert result.exit_code == 0, result.output
    with app.app_context():
        make_account("alma@shelf.example", "Alma", PASSWORD, ("librarian", "reader"))
        make_account("grace@shelf.example", "Grace", PASSWORD)
    yield app
    with app.app_context():
        db.engine.dispose()


def _make_database(kind: str, folder: Path) -> str:
    if kind == "postgresql":
        return services.postgresql_url("shelf")
    if kind == "mariadb":
        return services.mariadb_url("shelf")
    return str(folder / "shelf.db")


def log_in(library: Erlen, name: str) -> FlaskClient:
    """Return a client of the library whose user has logged in."""
    client = library.test_client()
    form = {"email": f"{name}@shelf.example", "password": PASSWORD}
    assert client.post("/account/login", data=form).status_code == 303
    return client


@pytest.fixture
def visitor(library: Erlen) -> FlaskClient:
    """A librarian's client of the library."""
    return log_in(library, "alma")


def test_seeding_twice_adds_nothing(library: Erlen) -> None:
    """The books are there once, on every database."""
    result = library.test_cli_runner().invoke(args=["seed"])
    assert result.output == "Books added: 0. Already there: 735.\n"


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("q=dickens+christmas", "A Christmas Carol"),
        ("q=EMILE+education", "Émile, ou De l'éducation"),
        ("q=war+and+peace", "Война и мир"),
        ("sort=title", "A Book of Nonsense"),
        ("sort=oldest", "Divina Commedia"),
        ("sort=newest&language=da", "Pelle Erobreren"),
    ],
)
def test_searching_and_sorting(visitor: FlaskClient, query: str, title: str) -> None:
    """Searches and orders give the same on every database."""
    assert visitor.get(f"/api/books?{query}").json["items"][0]["title"] == title  # type: ignore[index]


@pytest.mark.parametrize("text", ["100%", "_", "' OR 1=1 --", "\\"])
def test_signs_mean_themselves(visitor: FlaskClient, text: str) -> None:
    """No character of a search is taken for a pattern."""
    assert visitor.get("/api/books", query_string={"q": text}).json["total"] == 0  # type: ignore[index]


def test_the_whole_catalogue_is_streamed(visitor: FlaskClient) -> None:
    """The table that programs download has a line for each book and one for the names."""
    assert len(visitor.get("/books.csv").text.splitlines()) == 736


def test_the_last_copy_goes_to_one_reader(library: Erlen, visitor: FlaskClient) -> None:
    """Of readers who want the last copy at the same moment, one gets it."""
    book = visitor.post("/api/books", json=BOOK).json
    assert book is not None

    def borrow(number: int) -> int:
        loan = {"book": book["id"], "reader": f"Reader {number}"}
        return log_in(library, "alma").post("/api/loans", json=loan).status_code

    with ThreadPoolExecutor(READERS) as pool:
        answers = sorted(pool.map(borrow, range(READERS)))
    assert answers == [201] + [409] * (READERS - 1)
    again = visitor.get(f"/api/books/{book['id']}").json
    assert again is not None and again["available"] == 0


def test_a_reader_borrows_and_returns(library: Erlen) -> None:
    """A reader in a browser takes a book, takes it no second time, and brings it back."""
    reader = log_in(library, "grace")
    page = reader.post("/books/3/borrow", follow_redirects=True).text
    assert "is yours until" in page
    page = reader.post("/books/3/borrow", follow_redirects=True).text
    assert "has a copy of the book already" in page
    loan = reader.get("/api/loans?reader=GRACE&state=open").json["items"][0]  # type: ignore[index]
    page = reader.post(f"/loans/{loan['id']}/return", follow_redirects=True).text
    assert "Thank you for returning" in page
    page = reader.post("/books/3/borrow", follow_redirects=True).text
    assert "is yours until" in page


def test_a_book_is_changed_removed_and_not_doubled(visitor: FlaskClient) -> None:
    """Unique titles, copies that are out, and a loan's history hold on every database."""
    book = visitor.post("/api/books", json={**BOOK, "title": "Erewhon II"}).json
    assert book is not None
    assert visitor.post("/api/books", json={**BOOK, "title": "EREWHON II"}).status_code == 409
    assert visitor.put(book["url"], json={**BOOK, "title": "E3"}).status_code == 200
    visitor.post("/api/loans", json={"book": book["id"], "reader": "Ada"})
    fewer = visitor.put(book["url"], json={**BOOK, "title": "E3", "copies": 0})
    assert fewer.status_code == 409
    assert visitor.delete(book["url"]).status_code == 409


@pytest.mark.parametrize("number", ["0", str(2**31), str(2**63), str(10**30)])
def test_an_unknown_number_is_not_found(visitor: FlaskClient, number: str) -> None:
    """Numbers that no column holds are 404 as others that do not exist."""
    assert visitor.get(f"/api/books/{number}").status_code == 404
    assert visitor.put(f"/api/books/{number}", json=BOOK).status_code == 404
    assert visitor.delete(f"/api/loans/{number}").status_code == 404
