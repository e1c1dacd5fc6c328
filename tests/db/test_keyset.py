"""Pages by cursors."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import random
import typing as t
import uuid

import pytest
import sqlalchemy as sa
from itsdangerous import URLSafeSerializer
from sqlalchemy.orm import Mapped, mapped_column
from tests.db.shop import DATABASES, Author, Base, Book, db, make_url, open_shop
from werkzeug.exceptions import BadRequest

from erlen.db import keyset
from erlen.db.keyset import BadCursor

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlen import Erlen
    from erlen.db.keyset import KeysetPagination

BOOKS = 47


class Size(enum.Enum):
    """Something with a few values."""

    SMALL = "s"
    LARGE = "l"


class Event(Base):
    """Something with a column of each type that lists are sorted by."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    moment: Mapped[dt.datetime | None]
    day: Mapped[dt.date | None]
    hour: Mapped[dt.time | None]
    length: Mapped[dt.timedelta | None]
    price: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(10, 2))
    weight: Mapped[float | None] = mapped_column(sa.Double)
    open: Mapped[bool | None]
    code: Mapped[bytes | None] = mapped_column(sa.LargeBinary(20))
    size: Mapped[Size | None]


@pytest.fixture(scope="module", params=DATABASES)
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Erlen]:
    """A shop with books, some without a year or price, many with the same."""
    url = make_url(request.param, "keyset", tmp_path_factory.mktemp("keyset"))
    chance = random.Random(7)
    with open_shop(url) as app:
        with app.app_context(), db.transaction():
            db.session.add_all(Author(id=number, name=f"Author {number}") for number in (1, 2, 3))
            db.session.flush()
            db.session.add_all(
                Book(
                    id=number,
                    title=chance.choice(["Emma", "Persuasion", "Evelina"]),
                    year=chance.choice([None, 1811, 1815, 1818]),
                    price=chance.choice([None, 1, 2, 3]),
                    author_id=chance.choice([1, 2, 3]),
                )
                for number in range(1, BOOKS + 1)
            )
        yield app


@pytest.fixture
def shop(app: Erlen) -> Iterator[None]:
    """A context of the shop."""
    with app.app_context():
        yield


def turn(statement: t.Any, **options: t.Any) -> list[list[t.Any]]:
    """Return the items of all pages, turned forward, and check that turning back gives the same."""
    pages = [db.paginate_keyset(statement, per_page=10, **options)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(db.paginate_keyset(statement, per_page=10, cursor=cursor, **options))
    back = [pages[-1]]
    while (cursor := back[0].prev_cursor) is not None:
        back.insert(0, db.paginate_keyset(statement, per_page=10, cursor=cursor, **options))
    assert _flatten(back) == _flatten(pages)
    assert not pages[0].has_prev and not pages[-1].has_next
    assert all(page.has_next for page in pages[:-1])
    assert all(page.has_prev for page in pages[1:])
    return [list(page) for page in pages]


def _flatten(pages: Sequence[KeysetPagination[t.Any]]) -> list[t.Any]:
    return [item for page in pages for item in page]


ORDERS: list[tuple[t.Any, ...]] = [
    (),
    (Book.id.desc(),),
    (Book.title, Book.id),
    (Book.title.desc(), Book.price, Book.id),
    (Book.year, Book.id.desc()),
    (Book.year.desc(), Book.title, Book.id),
    (sa.desc("title"), "year", "id"),
    (sa.func.lower(Book.title), Book.id),
    (sa.func.coalesce(Book.year, 0).desc(), Book.price.desc(), Book.id),
]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: ", ".join(map(str, order)))
def test_pages_have_each_row_once_in_the_databases_order(order: tuple[t.Any, ...]) -> None:
    """All pages together are the list, forward and back, whatever it is sorted by."""
    statement = sa.select(Book).order_by(*order)
    pages = turn(statement)
    assert [len(page) for page in pages] == [10, 10, 10, 10, 7]
    expected = db.session.scalars(statement if order else statement.order_by(Book.id)).all()
    assert [item for page in pages for item in page] == list(expected)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
def test_null_goes_where_the_statement_says(descending: bool, nulls_first: bool) -> None:
    """NULLS FIRST and NULLS LAST hold on every database, MariaDB too, which has neither."""
    term: t.Any = Book.year.desc() if descending else Book.year.asc()
    term = term.nulls_first() if nulls_first else term.nulls_last()
    years = [book.year for page in turn(sa.select(Book).order_by(term)) for book in page]
    known = [year for year in years if year is not None]
    nulls = [None] * (BOOKS - len(known))
    assert known == sorted(known, reverse=descending)
    assert years == (nulls + known if nulls_first else known + nulls)


@pytest.mark.usefixtures("shop")
def test_a_list_may_be_sorted_by_another_table() -> None:
    """Joined columns and loader options are fine."""
    statement = (
        sa.select(Book)
        .join(Book.author)
        .options(sa.orm.joinedload(Book.author))
        .order_by(Author.name.desc(), Book.title)
    )
    names = [book.author.name for page in turn(statement) for book in page]
    assert names == sorted(names, reverse=True)
    assert len(names) == BOOKS


@pytest.mark.usefixtures("shop")
def test_collections_may_be_loaded_with_a_join() -> None:
    """Each author is there once, with all books."""
    statement = sa.select(Author).options(sa.orm.joinedload(Author.books)).order_by(Author.name)
    page = db.paginate_keyset(statement, per_page=2)
    assert [author.name for author in page] == ["Author 1", "Author 2"]
    assert page.total == 3
    rest = db.paginate_keyset(statement, per_page=2, cursor=page.next_cursor)
    assert [author.name for author in rest] == ["Author 3"]


@pytest.mark.usefixtures("shop")
def test_a_statement_may_select_columns() -> None:
    """Items are then tuples; one column gives its values."""
    pages = turn(sa.select(Book.id, Book.title).order_by(Book.title))
    assert len({item for page in pages for item in page}) == BOOKS
    pages = turn(sa.select(Book.title).order_by(Book.title))
    assert pages[0][0] == "Emma"
    pages = turn(sa.select(Book.__table__.c.title))
    assert len([item for page in pages for item in page]) == BOOKS


@pytest.mark.usefixtures("shop")
def test_counting_is_left_out_on_request() -> None:
    """Without the count there is no total, and one query less."""
    statement = sa.select(Book).where(Book.title == "Emma")
    count = db.session.scalar(sa.select(sa.func.count(Book.id)).where(Book.title == "Emma"))
    assert db.paginate_keyset(statement).total == count
    assert db.paginate_keyset(statement, count=False).total is None


@pytest.mark.usefixtures("shop")
def test_rows_that_come_and_go_shift_nothing() -> None:
    """A page goes on after the row that the one before it ended with, which may be gone."""
    statement = sa.select(Book).where(Book.year == 1700).order_by(Book.title)
    added = [Book(id=1000 + number, title=f"T{number:02}", year=1700) for number in range(0, 20, 2)]
    db.session.add_all(added)
    db.session.flush()
    page = db.paginate_keyset(statement, per_page=3)
    assert [book.title for book in page] == ["T00", "T02", "T04"]
    db.session.add(Book(id=2000, title="T01", year=1700))
    db.session.delete(added[2])
    page = db.paginate_keyset(statement, per_page=3, cursor=page.next_cursor)
    assert [book.title for book in page] == ["T06", "T08", "T10"]
    page = db.paginate_keyset(statement, per_page=3, cursor=page.prev_cursor)
    assert [book.title for book in page] == ["T00", "T01", "T02"] or [
        book.title for book in page
    ] == ["T01", "T02"]
    db.session.rollback()


@pytest.mark.usefixtures("shop")
def test_an_empty_list_is_one_empty_page() -> None:
    """There is nothing before and after it."""
    page = db.paginate_keyset(sa.select(Book).where(Book.id < 0))
    assert (page.items, page.has_next, page.has_prev, page.total) == ([], False, False, 0)
    assert len(page) == 0


@pytest.mark.usefixtures("shop")
def test_a_page_whose_rows_are_gone_still_leads_back() -> None:
    """A cursor after which nothing is left has a page before it."""
    statement = sa.select(Book).order_by(Book.id)
    page = db.paginate_keyset(statement, per_page=40)
    nothing = db.paginate_keyset(statement.where(Book.id <= 40), cursor=page.next_cursor)
    assert nothing.items == []
    back = db.paginate_keyset(statement, per_page=5, cursor=nothing.prev_cursor)
    assert [book.id for book in back] == [35, 36, 37, 38, 39]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "name", ["moment", "day", "hour", "length", "price", "weight", "open", "code", "size"]
)
def test_values_of_all_kinds_are_kept_exactly(name: str) -> None:
    """Microseconds, decimals and bytes survive the way through a cursor."""
    moment = dt.datetime(2024, 2, 29, 12, 30, 15)
    for number in range(5):
        db.session.add(
            Event(
                id=uuid.UUID(int=number),
                moment=moment + dt.timedelta(seconds=number // 2),
                day=moment.date() + dt.timedelta(days=number // 2),
                hour=dt.time(number // 2, 5),
                length=dt.timedelta(minutes=number // 2, seconds=5),
                price=decimal.Decimal("1.10") * (number // 2),
                weight=0.1 * (number // 2),
                open=number > 2,
                code=bytes([number // 2, 255]),
                size=Size.LARGE if number > 2 else Size.SMALL,
            )
        )
    db.session.add(Event(id=uuid.UUID(int=9)))
    db.session.flush()
    seen = []
    cursor = None
    while True:
        page = db.paginate_keyset(
            sa.select(Event).order_by(getattr(Event, name)), per_page=1, cursor=cursor
        )
        seen += [event.id.int for event in page]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [0, 1, 2, 3, 4, 9]
    db.session.rollback()


@pytest.mark.usefixtures("shop")
def test_cursors_belong_to_their_order() -> None:
    """A cursor that was changed, or comes from a list in another order, is refused with 400."""
    statement = sa.select(Book).order_by(Book.title)
    cursor = db.paginate_keyset(statement).next_cursor
    assert cursor is not None
    others = [
        (statement, cursor[:-1] + ("a" if cursor[-1] != "a" else "b")),
        (statement, "x" + cursor),
        (statement, "nonsense"),
        (statement, "a.b.c"),
        (statement, "\ud800"),
        (statement, "x" * 100_000),
        (sa.select(Book).order_by(Book.title.desc()), cursor),
        (sa.select(Book).order_by(Book.year), cursor),
        (sa.select(Author).order_by(Author.name), cursor),
    ]
    for other, wrong in others:
        with pytest.raises(BadCursor, match="not valid"):
            db.paginate_keyset(other, cursor=wrong)


@pytest.mark.usefixtures("shop")
def test_another_secret_signs_no_cursor(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old secret is still accepted while it is among the fallbacks."""
    statement = sa.select(Book).order_by(Book.title)
    cursor = db.paginate_keyset(statement).next_cursor
    monkeypatch.setitem(app.config, "SECRET_KEY", "new")
    with pytest.raises(BadCursor):
        db.paginate_keyset(statement, cursor=cursor)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", ["for tests"])
    assert db.paginate_keyset(statement, cursor=cursor).items
    monkeypatch.setitem(app.config, "SECRET_KEY", None)
    with pytest.raises(RuntimeError, match="SECRET_KEY"):
        db.paginate_keyset(statement)


def test_asynchronous_sessions_have_pages_too(app: Erlen) -> None:
    """Pages by cursor and by number, in asynchronous code."""

    async def work() -> list[list[int]]:
        statement = sa.select(Book).order_by(Book.id)
        first = await db.async_paginate_keyset(statement, per_page=3)
        second = await db.async_paginate_keyset(statement, per_page=3, cursor=first.next_cursor)
        numbered = await db.async_paginate(statement, page=2, per_page=3)
        assert (second.total, numbered.total) == (BOOKS, BOOKS)
        await db.async_session.remove()
        return [[book.id for book in page] for page in (first, second, numbered)]

    with app.app_context():
        assert asyncio.run(work()) == [[1, 2, 3], [4, 5, 6], [4, 5, 6]]


def test_the_query_string_says_which_page(app: Erlen) -> None:
    """``cursor`` and ``per_page`` are read from the request; a wrong cursor is a 400."""
    statement = sa.select(Book).order_by(Book.id)

    def ask(query: str) -> KeysetPagination[Book]:
        with app.test_request_context(f"/?{query}"):
            return db.paginate_keyset(statement)

    assert ask("").per_page == 20
    assert ask("per_page=7").per_page == 7
    assert ask(f"per_page={10**6}").per_page == 100
    assert ask(f"per_page={10**30}").per_page == 100
    for bad in ("0", "-1", "x", "9" * 5000):
        assert ask(f"per_page={bad}").per_page == 20
    cursor = ask("per_page=5").next_cursor
    assert [book.id for book in ask(f"per_page=2&cursor={cursor}")] == [6, 7]
    assert ask("cursor=").items[0].id == 1
    with pytest.raises(BadRequest):
        ask("cursor=x")


@pytest.mark.usefixtures("shop")
def test_what_cannot_be_cut_into_pages() -> None:
    """Errors say what is missing."""
    with pytest.raises(ValueError, match="primary key"):
        db.paginate_keyset(sa.select(sa.literal(1)))
    with pytest.raises(BadRequest, match="cannot be sorted"):
        db.paginate_keyset(sa.select(Book).order_by("nothing"))
    with pytest.raises(TypeError, match="type object"):
        keyset.write_cursor(URLSafeSerializer("x"), False, [object()])
