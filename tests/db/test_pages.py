"""Pages by their number: ``db.paginate`` and what requests may ask of it."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import NotFound

from erlen.db.pagination import make_count

from .shop import Author, Book, db

if t.TYPE_CHECKING:
    from erlen import Erlen


@pytest.fixture
def client(sqlite_shop: Erlen) -> t.Any:
    """A client of an application with 250 books, by 2 authors, and a list of them."""
    return fill(sqlite_shop)


def fill(shop: Erlen) -> t.Any:
    """Put the books into a database, and return a client."""
    with shop.app_context():
        authors = [Author(name="Austen"), Author(name="Brontë")]
        books = [Book(title=f"Book {n}", author=authors[n % 2]) for n in range(250)]
        db.session.add_all([*authors, *books])
        db.session.commit()

    @shop.get("/books")
    def books_page() -> t.Any:
        page = db.paginate(db.select(Book).order_by(Book.id))
        return {"items": len(page.items), "total": page.total, "size": page.per_page}

    @shop.get("/lenient")
    def lenient() -> t.Any:
        page = db.paginate(db.select(Book).order_by(Book.id), error_out=False)
        return {"items": len(page.items), "page": page.page, "size": page.per_page}

    return shop.test_client()


def test_pages(shop: Erlen) -> None:
    """Number and size come from the URL's query, by default the first 20."""
    client = fill(shop)
    assert client.get("/books").json == {"items": 20, "total": 250, "size": 20}
    assert client.get("/books?page=3&per_page=100").json["items"] == 50


@pytest.mark.parametrize(
    "query",
    [
        *("page=0", "page=-1", "page=abc", "page=", "page=1.5", "page=99"),
        *(f"page={10**30}", f"page={2**63}", f"page={2**62}", "page=" + "9" * 5000),
        *("per_page=0", "per_page=-5", "per_page=x", "page=%00", "page=%EF%BC%91%00"),
    ],
)
def test_no_such_page(client: t.Any, query: str) -> None:
    """A page that does not exist, however large its number, is not found."""
    assert client.get(f"/books?{query}").status_code == 404
    assert client.get(f"/lenient?{query}").status_code == 200


def test_largest_size(client: t.Any) -> None:
    """A URL cannot ask for more than 100 rows at once."""
    assert client.get(f"/books?per_page={10**6}").json["size"] == 100
    assert client.get(f"/books?per_page={10**30}").json["size"] == 100


def test_sizes_of_the_program(client: t.Any, sqlite_shop: Erlen) -> None:
    """What the program itself says is limited where it says so only."""
    books = db.select(Book).order_by(Book.id)
    with sqlite_shop.app_context():
        assert len(db.paginate(books, per_page=200).items) == 200
        assert len(db.paginate(books, per_page=200, max_per_page=30).items) == 30
    with sqlite_shop.test_request_context("/?per_page=200"):
        assert len(db.paginate(books, max_per_page=None).items) == 200


def test_turning_pages(client: t.Any, sqlite_shop: Erlen) -> None:
    """The pages before and after keep size, limit and total."""
    with sqlite_shop.app_context():
        page = db.paginate(db.select(Book).order_by(Book.id), page=2, per_page=120)
        assert (page.first, page.last, page.pages) == (121, 240, 3)
        assert [book.id for book in page.prev()][-1] == page.items[0].id - 1
        last = page.next()
        assert (len(last.items), last.per_page, last.total) == (10, 120, 250)
        assert (last.has_next, last.next_num) == (False, None)


def test_numbers_of_pages(client: t.Any, sqlite_shop: Erlen) -> None:
    """The links of a page are those at both ends and around it."""
    with sqlite_shop.app_context():
        page = db.paginate(db.select(Book).order_by(Book.id), page=12, per_page=10)
        shown = [1, 2, None, 10, 11, 12, 13, 14, 15, 16, None, 24, 25]
        assert list(page.iter_pages()) == shown
        assert list(page.iter_pages(left_edge=30)) == list(range(1, 26))
        assert list(page.iter_pages(right_edge=30)) == [1, 2, None, *range(10, 26)]


STATEMENTS = {
    "plain": sa.select(Book),
    "filtered": sa.select(Book).where(Book.title.like("%1%")).order_by(Book.title),
    "joined": sa.select(Book).join(Book.author).where(Author.name == "Austen"),
    "eager": sa.select(Author).options(joinedload(Author.books)),
    "distinct": sa.select(Author).join(Author.books).distinct(),
    "grouped": sa.select(Author).join(Author.books).group_by(Author.id, Author.name),
    "limited": sa.select(Book).limit(7),
    "columns": sa.select(Book.title).where(Book.title.like("%2%")),
    "aggregate": sa.select(sa.func.max(Book.id)),
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_totals(client: t.Any, sqlite_shop: Erlen, name: str) -> None:
    """The total is the number of rows that the statement has, whatever it is."""
    statement = STATEMENTS[name]
    with sqlite_shop.app_context():
        rows = db.session.execute(statement).unique().all()
        assert db.session.scalar(make_count(statement)) == len(rows)


def test_plain_totals_need_no_subquery() -> None:
    """The rows of a table are counted in the table."""
    assert "SELECT book" not in str(make_count(STATEMENTS["joined"]))
    assert "SELECT DISTINCT" in str(make_count(STATEMENTS["distinct"]))


def test_without_a_count(client: t.Any, sqlite_shop: Erlen) -> None:
    """Rows need not be counted."""
    with sqlite_shop.app_context():
        page = db.paginate(db.select(Book), count=False)
        assert (page.total, page.pages, len(page.items)) == (None, 0, 20)


def test_queries(client: t.Any, sqlite_shop: Erlen) -> None:
    """SQLAlchemy's older interface has pages too."""
    with sqlite_shop.app_context():
        page = Book.query.filter_by(title="Book 7").paginate()
        assert (page.total, page.items[0].title) == (1, "Book 7")
        with pytest.raises(NotFound):
            Book.query.paginate(page=99)


def test_answers_without_a_row(client: t.Any, sqlite_shop: Erlen) -> None:
    """Where a row is missing, the request is answered with 404, with a text if there is one."""
    nothing = db.select(Book).filter_by(title="none")
    with sqlite_shop.app_context():
        for find in (
            lambda: db.get_or_404(Book, -1, description="No such book."),
            lambda: db.first_or_404(nothing, description="No such book."),
            lambda: db.one_or_404(nothing, description="No such book."),
            lambda: db.one_or_404(db.select(Book), description="No such book."),
            lambda: Book.query.filter_by(title="none").first_or_404("No such book."),
            lambda: Book.query.filter_by(title="none").one_or_404("No such book."),
        ):
            with pytest.raises(NotFound, match="No such book"):
                find()
