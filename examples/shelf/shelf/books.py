"""The catalogue: finding books, adding them, changing them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .db import LARGEST_ID, db, fold
from .exceptions import Refused
from .models import AUTHOR_SEPARATOR, Book

SORTS = {
    "title": (Book.title_key, Book.id),
    "author": (Book.author_key, Book.year, Book.id),
    "oldest": (Book.year, Book.title_key, Book.id),
    "newest": (Book.year.desc(), Book.title_key, Book.id),
}


@dataclass(frozen=True)
class BookData:
    """What people may say about a book."""

    title: str
    author: str
    year: int
    language: str
    copies: int = 1
    english_title: str | None = None
    born: int | None = None
    died: int | None = None


@dataclass(frozen=True)
class Search:
    """What to look for, and in which order; the default is everything by title."""

    text: str = ""
    language: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    available: bool = False
    sort: str = "title"


def find_book(book_id: int) -> Book | None:
    """Return the book with this id, or None."""
    return db.session.get(Book, book_id) if book_id <= LARGEST_ID else None


def select_books(search: Search) -> sa.Select[Book]:
    """Return the statement for the books that ``search`` describes."""
    return sa.select(Book).where(*_conditions(search)).order_by(*SORTS[search.sort])


def find_books(search: Search, *, limit: int, offset: int = 0) -> list[Book]:
    """Return the books that ``search`` describes, at most ``limit``."""
    return list(db.session.scalars(select_books(search).limit(limit).offset(offset)))


def stream_books(search: Search) -> Iterator[Book]:
    """Yield the books that ``search`` describes, all of them, as they come from the database."""
    return db.stream(select_books(search))


def count_books(search: Search) -> int:
    """Return how many books ``search`` describes."""
    query = sa.select(sa.func.count(Book.id)).where(*_conditions(search))
    return db.session.scalar(query) or 0


def find_languages() -> set[str]:
    """Return the codes of the languages that the catalogue has books in."""
    return set(db.session.scalars(sa.select(Book.language).distinct()))


def add_book(data: BookData, cover: str | None = None) -> Book:
    """Add a book and return it; refuse one that is in the catalogue already."""
    book = Book(**_columns(data), cover=cover)
    try:
        with db.transaction():
            db.session.add(book)
    except IntegrityError:
        raise _duplicate(data) from None
    return book


@db.transaction
def add_books(books: list[BookData]) -> int:
    """Add those of the books that are not in the catalogue; return how many that were."""
    unique = (Book.title_key, Book.author_key, Book.language)
    known = {tuple(row) for row in db.session.execute(sa.select(*unique))}
    rows = [_columns(book) for book in books]
    new = [row for row in rows if tuple(row[column.key] for column in unique) not in known]
    if new:
        db.session.execute(sa.insert(Book), new)
    return len(new)


def change_book(book: Book, data: BookData, **more: str | None) -> None:
    """Write ``data`` in place of what was known; refuse fewer copies than are out on loan.

    :param more: other columns to write: ``cover``.
    """
    try:
        with db.transaction():
            lock_book(book.id)
            if data.copies < book.copies - book.available:
                raise Refused("More copies than that are out on loan.")
            for name, value in {**_columns(data), **more}.items():
                setattr(book, name, value)
    except IntegrityError:
        raise _duplicate(data) from None


def remove_book(book: Book) -> None:
    """Remove a book; refuse one that was ever lent, for the loans' history needs it."""
    try:
        with db.transaction():
            db.session.delete(book)
    except IntegrityError:
        raise Refused("This book has been lent. To retire it, set its copies to 0.") from None


def lock_book(book_id: int) -> Book | None:
    """Return a book as it is now, and let no one else lend or change it until we are done."""
    if book_id > LARGEST_ID:
        return None
    # Two statements: what the first reads is from before it had to wait.
    db.session.execute(sa.select(Book.id).where(Book.id == book_id).with_for_update())
    return db.session.get(Book, book_id, populate_existing=True)


def _columns(book: BookData) -> dict[str, Any]:
    surname = book.author.partition(AUTHOR_SEPARATOR)[0].rpartition(" ")[2]
    return {
        **asdict(book),
        # As much as the columns hold: folding makes some characters many.
        "title_key": fold(book.title)[:400],
        "author_key": fold(f"{surname} {book.author}")[:300],
        "words": fold(f"{book.title} {book.english_title or ''} {book.author}"),
    }


def _conditions(search: Search) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what must be true of the books of ``search``."""
    for word in fold(search.text).split():
        yield Book.words.contains(word, autoescape=True)
    if search.language is not None:
        yield Book.language == search.language
    if search.first_year is not None:
        yield Book.year >= search.first_year
    if search.last_year is not None:
        yield Book.year <= search.last_year
    if search.available:
        yield Book.available > 0


def _duplicate(book: BookData) -> Refused:
    return Refused(f"“{book.title}” by {book.author} is in the catalogue already.")
