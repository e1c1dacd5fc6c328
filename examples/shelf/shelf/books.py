"""The catalogue: finding books, adding them, changing them."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .db import LARGEST_ID, fold, transaction
from .exceptions import Refused

SORTS = {
    "title": "title_key, id",
    "author": "author_key, year, id",
    "oldest": "year, title_key, id",
    "newest": "year DESC, title_key, id",
}

# Every query for books starts so; ``available`` is what is left on the shelf.
SELECT = """
    SELECT id, title, english_title, author, born, died, year, language, copies,
        copies - (SELECT count(*) FROM loans
                  WHERE book_id = books.id AND returned_on IS NULL) AS available
    FROM books
"""


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


@dataclass(frozen=True, kw_only=True)
class Book(BookData):
    """A book of the catalogue."""

    id: int
    available: int


@dataclass(frozen=True)
class Search:
    """What to look for, and in which order; the default is everything by title."""

    text: str = ""
    language: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    available: bool = False
    sort: str = "title"


def find_book(db: sqlite3.Connection, book_id: int) -> Book | None:
    """Return the book with this id, or None."""
    if book_id > LARGEST_ID:
        return None
    row = db.execute(f"{SELECT} WHERE id = ?", (book_id,)).fetchone()
    return Book(**dict(row)) if row else None


def find_books(
    db: sqlite3.Connection, search: Search, *, limit: int = -1, offset: int = 0
) -> Iterator[Book]:
    """Yield the books that ``search`` describes, one by one, all of them unless limited."""
    condition, values = _condition(search)
    rows = db.execute(
        f"{SELECT} WHERE {condition} ORDER BY {SORTS[search.sort]} LIMIT :limit OFFSET :offset",
        {**values, "limit": limit, "offset": offset},
    )
    return (Book(**dict(row)) for row in rows)


def count_books(db: sqlite3.Connection, search: Search) -> int:
    """Return how many books ``search`` describes."""
    condition, values = _condition(search)
    rows = db.execute(f"SELECT count(*) FROM ({SELECT} WHERE {condition})", values)
    count: int = rows.fetchone()[0]
    return count


def find_languages(db: sqlite3.Connection) -> set[str]:
    """Return the codes of the languages that the catalogue has books in."""
    return {row[0] for row in db.execute("SELECT DISTINCT language FROM books")}


def add_book(db: sqlite3.Connection, book: BookData) -> int:
    """Add a book and return its id; refuse one that is in the catalogue already."""
    try:
        cursor = db.execute(INSERT, _columns(book))
    except sqlite3.IntegrityError:
        raise _duplicate(book) from None
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_books(db: sqlite3.Connection, books: list[BookData]) -> int:
    """Add those of the books that are not in the catalogue; return how many that were."""
    with transaction(db):
        cursor = db.executemany(
            f"{INSERT} ON CONFLICT DO NOTHING", [_columns(book) for book in books]
        )
    return cursor.rowcount


def change_book(db: sqlite3.Connection, book_id: int, book: BookData) -> None:
    """Write ``book`` in place of what was known; refuse fewer copies than are out on loan."""
    try:
        cursor = db.execute(UPDATE, {**_columns(book), "id": book_id})
    except sqlite3.IntegrityError:
        raise _duplicate(book) from None
    if cursor.rowcount == 0:
        raise Refused("More copies than that are out on loan.")


def remove_book(db: sqlite3.Connection, book_id: int) -> None:
    """Remove a book; refuse one that was ever lent, for the loans' history needs it."""
    try:
        db.execute("DELETE FROM books WHERE id = ?", (book_id,))
    except sqlite3.IntegrityError:
        raise Refused("This book has been lent. To retire it, set its copies to 0.") from None


COLUMNS = (
    "title", "english_title", "author", "born", "died", "year", "language", "copies",
    "title_key", "author_key", "words",
)  # fmt: skip

INSERT = f"""
    INSERT INTO books ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})
"""

UPDATE = f"""
    UPDATE books SET {", ".join(f"{name} = :{name}" for name in COLUMNS)}
    WHERE id = :id AND :copies >= (SELECT count(*) FROM loans
                                   WHERE book_id = :id AND returned_on IS NULL)
"""


def _columns(book: BookData) -> dict[str, Any]:
    surname = book.author.rpartition(" ")[2]
    return {
        "title": book.title,
        "english_title": book.english_title,
        "author": book.author,
        "born": book.born,
        "died": book.died,
        "year": book.year,
        "language": book.language,
        "copies": book.copies,
        "title_key": fold(book.title),
        "author_key": fold(f"{surname} {book.author}"),
        "words": fold(f"{book.title} {book.english_title or ''} {book.author}"),
    }


def _condition(search: Search) -> tuple[str, dict[str, Any]]:
    """Return the WHERE clause for ``search`` with the values of its parameters."""
    words = {f"word{number}": word for number, word in enumerate(fold(search.text).split())}
    terms = [f"instr(words, :{name})" for name in words]
    if search.language is not None:
        terms.append("language = :language")
    if search.first_year is not None:
        terms.append("year >= :first_year")
    if search.last_year is not None:
        terms.append("year <= :last_year")
    if search.available:
        terms.append("available > 0")
    values = {
        "language": search.language,
        "first_year": search.first_year,
        "last_year": search.last_year,
    }
    return " AND ".join(terms) or "TRUE", {**values, **words}


def _duplicate(book: BookData) -> Refused:
    return Refused(f"“{book.title}” by {book.author} is in the catalogue already.")
