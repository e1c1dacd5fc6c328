"""Fold the text of the books that are there

Revision ID: 0004
Revises: 0003
Create Date: 2026-03-21 11:45:00
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from erlen.migrate import in_batches

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

books = sa.table(
    "books",
    *(sa.column(name) for name in ("id", "title", "english_title", "author")),
    *(sa.column(name) for name in ("title_key", "author_key", "words")),
)


# As the library folded text when this was written: what it does later is no business of ours.
def fold(text: str) -> str:
    """Return ``text`` without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def fold_books(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> None:
    """Write the folded text of some books."""
    change = sa.update(books).where(books.c.id == sa.bindparam("key"))
    connection.execute(
        change.values({name: sa.bindparam(f"new_{name}") for name in NAMES}),
        [{"key": row.id, **fold_book(row)} for row in rows],
    )


NAMES = ("title_key", "author_key", "words")


def fold_book(book: sa.Row[Any]) -> dict[str, str]:
    """Return the folded text of a book."""
    surname = book.author.partition("; ")[0].rpartition(" ")[2]
    return {
        "new_title_key": fold(book.title)[:400],
        "new_author_key": fold(f"{surname} {book.author}")[:300],
        "new_words": fold(f"{book.title} {book.english_title or ''} {book.author}"),
    }


def upgrade() -> None:
    in_batches(books, fold_books, key=books.c.id, size=200, outside=True)


def downgrade() -> None:
    pass
