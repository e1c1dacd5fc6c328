"""An application as a user writes it; type checkers look at it in ``test_typing.py``."""

from __future__ import annotations

from typing import assert_type

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

from erlen import Erlen
from erlen.db import Model, Pagination, Session, SQLAlchemy

db = SQLAlchemy(model_class=Model)

book_tag = db.Table(
    "sample_book_tag",
    sa.Column("book_id", sa.Integer, sa.ForeignKey("sample_book.id"), primary_key=True),
    sa.Column("tag_id", sa.Integer, sa.ForeignKey("sample_tag.id"), primary_key=True),
)


class Base(Model):
    """What all models of the application have."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(primary_key=True)


class SampleAuthor(Base):
    """Who writes books."""

    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    books: Mapped[list[SampleBook]] = relationship(back_populates="author")


class SampleTag(Base):
    """What books are about."""

    __tablename__ = "sample_tag"

    name: Mapped[str | None]


class SampleBook(Base):
    """What authors write."""

    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(sa.ForeignKey(SampleAuthor.id))
    author: Mapped[SampleAuthor] = relationship(back_populates="books")
    tags: Mapped[list[SampleTag]] = relationship(secondary=book_tag)


class SampleVisit(Base):
    """What is kept in another database."""

    __bind_key__ = "log"

    path: Mapped[str]


def create_app() -> Erlen:
    """Make the application."""
    app = Erlen(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db.init_app(app)
    app.add_url_rule("/books", view_func=list_books)
    app.add_url_rule("/books/<int:book_id>", view_func=show_book)
    app.add_url_rule("/authors/<int:author_id>", view_func=show_author)
    return app


def list_books() -> dict[str, object]:
    """A page of books."""
    statement = select(SampleBook).options(selectinload(SampleBook.author))
    page = db.paginate(statement.order_by(SampleBook.title), per_page=10, max_per_page=50)
    assert_type(page, Pagination[SampleBook])
    assert_type(page.items, list[SampleBook])
    assert_type(page.next(), Pagination[SampleBook])
    assert_type(page.total, int | None)
    return {"books": [f"{book.title} by {book.author.name}" for book in page]}


def show_book(book_id: int) -> str:
    """One book, found in several ways."""
    book = db.get_or_404(SampleBook, book_id)
    assert_type(book, SampleBook)
    assert_type(book.title, str)
    assert_type(book.author.books, list[SampleBook])
    assert_type(db.one_or_404(select(SampleBook).where(SampleBook.id == book_id)), SampleBook)
    assert_type(db.first_or_404(select(SampleBook.title, SampleBook.id)), str)
    assert_type(db.session(), Session)
    assert_type(db.session.get(SampleBook, book_id), SampleBook | None)
    for found in db.session.scalars(select(SampleBook)):
        assert_type(found, SampleBook)
    assert_type(SampleBook.query.filter_by(title="Emma").first(), SampleBook | None)
    assert_type(SampleBook.query.get_or_404(1), SampleBook)
    assert_type(SampleBook.query.paginate(), Pagination[SampleBook])
    assert_type(db.engine, Engine)
    db.session.add(SampleBook(title="Emma", author=book.author))
    db.session.commit()
    return book.title


async def show_author(author_id: int) -> str:
    """An author, in asynchronous code."""
    author = await db.async_session.get(SampleAuthor, author_id)
    assert_type(author, SampleAuthor | None)
    assert_type(db.async_engine, AsyncEngine)
    async with db.async_session() as session:
        assert_type(session, AsyncSession)
        result = await session.scalars(select(SampleBook).where(SampleBook.author == author))
        titles = [book.title for book in result]
        assert_type(titles, list[str])
    return ", ".join(titles)
