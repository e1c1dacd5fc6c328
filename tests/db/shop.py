"""Models and applications that tests of the database share."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship
from tests import services

from erlen import Erlen
from erlen.db import Model, SQLAlchemy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

DATABASES = ("sqlite", "postgresql", "mariadb")


class Base(Model):
    """A set of models of its own."""

    __abstract__ = True
    metadata = sa.MetaData()


class Author(Base):
    """Who writes books."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    """What authors write."""

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(50))
    year: Mapped[int | None]
    price: Mapped[int | None] = mapped_column(sa.SmallInteger)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("author.id"))
    author: Mapped[Author | None] = relationship(back_populates="books")


db = SQLAlchemy(model_class=Base)


def make_url(kind: str, name: str, folder: t.Any) -> str:
    """Return the URL of a database.

    :param kind: one of ``DATABASES``.
    :param name: the name of a file of SQLite.
    :param folder: where it goes.
    """
    return _make_on_server(kind) if kind != "sqlite" else f"sqlite:///{folder}/{name}.db"


@cache
def _make_on_server(kind: str) -> str:
    """Make a database for this process; to make one for each test would take seconds."""
    make = services.postgresql_url if kind == "postgresql" else services.mariadb_url
    return make("shop")


@contextmanager
def open_shop(url: str, **config: t.Any) -> Iterator[Erlen]:
    """Make an application with the tables above, and close its connections at the end.

    :param url: the database.
    :param config: more configuration.
    """
    app = Erlen("shop")
    app.config.update(TESTING=True, SECRET_KEY="for tests", SQLALCHEMY_DATABASE_URI=url, **config)
    # What the database is asked in vain is to be answered, and not raised to the test.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    db.init_app(app)
    with app.app_context():
        db.drop_all()
        db.create_all()
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()
