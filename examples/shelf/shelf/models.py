"""The tables, besides those that sessions and attempts to log in are kept in."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from erlen.accounts import AccountMixin
from erlen.db import Model

from .db import key

#: Between the names of several authors.
AUTHOR_SEPARATOR = "; "


class Reader(Model):
    """Somebody who borrows books, with an account or without."""

    __tablename__ = "readers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    name_key: Mapped[str] = mapped_column(key(200), unique=True)


class Account(AccountMixin, Model):
    """What somebody logs in with."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: What to call them.
    name: Mapped[str] = mapped_column(sa.String(60))
    #: Under which name they borrow; from the first loan on.
    reader_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("readers.id", ondelete="RESTRICT"), unique=True
    )

    reader: Mapped[Reader | None] = relationship(lazy="joined")


class Loan(Model):
    """A copy of a book in a reader's hands, now or in the past."""

    __tablename__ = "loans"
    __table_args__ = (
        # A reader takes one copy of a book at a time. NULL equals nothing, so what is returned
        # is not in the way.
        sa.UniqueConstraint("book_id", "holder_id"),
        sa.Index(None, "reader_id", "returned_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("books.id", ondelete="RESTRICT"))
    reader_id: Mapped[int] = mapped_column(sa.ForeignKey("readers.id", ondelete="RESTRICT"))
    #: The reader, until the book is back.
    holder_id: Mapped[int | None]
    borrowed_on: Mapped[date]
    due_on: Mapped[date]
    returned_on: Mapped[date | None]

    book: Mapped["Book"] = relationship()
    reader: Mapped[Reader] = relationship()

    @property
    def overdue(self) -> bool:
        """Whether the book should have been back before today."""
        return self.returned_on is None and self.due_on < date.today()


class Happening(Model):
    """That a book was borrowed, or returned."""

    __tablename__ = "happenings"

    id: Mapped[int] = mapped_column(primary_key=True)
    loan_id: Mapped[int] = mapped_column(sa.ForeignKey("loans.id", ondelete="CASCADE"))
    is_return: Mapped[bool]

    loan: Mapped[Loan] = relationship()


class Book(Model):
    """A book of the catalogue."""

    __tablename__ = "books"
    __table_args__ = (
        sa.UniqueConstraint("title_key", "author_key", "language"),
        sa.CheckConstraint("copies >= 0", name="copies"),
        sa.Index(None, "author_key", "year"),
        sa.Index(None, "year", "title_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    #: What English readers call it, if that differs.
    english_title: Mapped[str | None] = mapped_column(sa.String(200))
    author: Mapped[str] = mapped_column(sa.String(100))
    born: Mapped[int | None]
    died: Mapped[int | None]
    #: Of the first publication.
    year: Mapped[int]
    #: ISO 639-1.
    language: Mapped[str] = mapped_column(sa.String(2))
    copies: Mapped[int] = mapped_column()
    #: The name of the picture of its cover, where covers are kept.
    cover: Mapped[str | None] = mapped_column(sa.String(40))
    # Folded text: to sort by, and to search in.
    title_key: Mapped[str] = mapped_column(key(400))
    author_key: Mapped[str] = mapped_column(key(300))
    words: Mapped[str] = mapped_column(sa.Text)

    #: What is left on the shelf.
    available: Mapped[int] = column_property(
        copies
        - sa.select(sa.func.count(Loan.id))
        .where(Loan.book_id == id, Loan.returned_on.is_(None))
        .correlate_except(Loan)
        .scalar_subquery()
    )

    @property
    def authors(self) -> list[str]:
        """The names of the authors, one by one."""
        return self.author.split(AUTHOR_SEPARATOR)
