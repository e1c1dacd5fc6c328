"""Models that derive from ``erlen.db.Model``: names, metadata, databases."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column

from erlen import Erlen
from erlen.db import Model, SQLAlchemy
from erlen.db.query import Query


def make_base() -> type[Model]:
    """Return a base with a set of models of its own, so that tests do not meet."""

    class Base(Model):
        __abstract__ = True
        metadata = sa.MetaData(naming_convention=Model.metadata.naming_convention)

    return Base


def make_app(db: SQLAlchemy, **config: t.Any) -> Erlen:
    """Return an application with a database in memory."""
    app = Erlen("models")
    app.config.update({"SQLALCHEMY_DATABASE_URI": "sqlite://", "TESTING": True} | config)
    db.init_app(app)
    return app


def test_the_base_is_adopted() -> None:
    """``db.Model`` is the class that was given, and its metadata that of ``db``."""
    base = make_base()
    db = SQLAlchemy(model_class=base)
    assert db.Model is base
    assert db.metadata is base.metadata
    assert db.metadata.info["bind_key"] is None


def test_models_come_before_the_extension() -> None:
    """Models may be written before there is a ``SQLAlchemy`` object, and before it is set up."""
    base = make_base()

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)

    class Visit(base):  # type: ignore[misc,valid-type]
        __bind_key__ = "log"
        id: Mapped[int] = mapped_column(primary_key=True)

    db = SQLAlchemy(model_class=base)
    with make_app(db, SQLALCHEMY_BINDS={"log": "sqlite://"}).app_context():
        db.create_all()
        assert sa.inspect(db.engine).get_table_names() == ["book"]
        assert sa.inspect(db.engines["log"]).get_table_names() == ["visit"]


def test_two_extensions_share_models() -> None:
    """The same models serve several ``SQLAlchemy`` objects, each with its own databases."""
    base = make_base()

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)

    for count in (1, 2):
        db = SQLAlchemy(model_class=base)
        with make_app(db).app_context():
            db.create_all()
            db.session.add_all(Book() for _ in range(count))
            db.session.commit()
            assert Book.query.count() == count


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Book", "book"),
        ("BookAuthor", "book_author"),
        ("HTTPLog", "http_log"),
        ("V2Page", "v2_page"),
    ],
)
def test_names_of_tables(name: str, table: str) -> None:
    """A table is named after its model."""
    column = mapped_column(sa.Integer, primary_key=True)
    model: t.Any = type(name, (make_base(),), {"id": column})
    assert model.__table__.name == table


def test_constraints_have_names() -> None:
    """Constraints and indexes have names, so that a migration can name them."""
    base = make_base()

    class Author(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"), index=True)

    names = {str(c.name) for model in (Author, Book) for c in model.__table__.constraints}
    assert names == {"pk_author", "uq_author_name", "pk_book", "fk_book_author_id_author"}
    assert {index.name for index in Book.__table__.indexes} == {"ix_book_author_id"}


def test_inheritance_without_a_table() -> None:
    """A model without a primary key of its own is in its parent's table."""
    base = make_base()

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "book"}

    class Novel(Book):
        __mapper_args__ = {"polymorphic_identity": "novel"}

    assert Novel.__table__ is Book.__table__


def test_dataclasses() -> None:
    """Models may be dataclasses."""
    base = make_base()

    class Book(MappedAsDataclass, base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        title: Mapped[str]

    assert dataclasses.is_dataclass(Book)
    made: t.Any = Book
    assert made(title="Emma").title == "Emma"


def test_shared_columns() -> None:
    """An abstract base may have columns, and keeps its parent's metadata."""
    base = make_base()

    class Named(base):  # type: ignore[misc,valid-type]
        __abstract__ = True
        name: Mapped[str]

    class Author(Named):
        id: Mapped[int] = mapped_column(primary_key=True)

    assert Author.metadata is base.metadata
    assert "name" in Author.__table__.columns


def test_query_class() -> None:
    """``Model.query`` is of the class that the extension was given."""
    base = make_base()

    class Shouting(Query[t.Any]):
        pass

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)

    db = SQLAlchemy(model_class=base, query_class=Shouting)
    with make_app(db).app_context():
        assert type(Book.query) is Shouting


def test_repr() -> None:
    """A model says which row it is."""
    base = make_base()

    class Book(base):  # type: ignore[misc,valid-type]
        id: Mapped[int] = mapped_column(primary_key=True)

    db = SQLAlchemy(model_class=base)
    with make_app(db).app_context():
        db.create_all()
        book = Book()
        assert repr(book) == f"<Book (transient {id(book)})>"
        db.session.add(book)
        assert repr(book) == f"<Book (pending {id(book)})>"
        db.session.flush()
        assert repr(book) == "<Book 1>"


def test_association_tables() -> None:
    """``db.Table`` puts a table beside the models, with a bind key beside those of that key."""
    base = make_base()
    db = SQLAlchemy(model_class=base)
    plain = db.Table("plain", sa.Column("id", sa.Integer, primary_key=True))
    keyed = db.Table("keyed", sa.Column("id", sa.Integer, primary_key=True), bind_key="log")
    assert plain.metadata is base.metadata
    assert keyed.metadata is db.metadatas["log"]
    assert keyed.metadata.naming_convention == base.metadata.naming_convention


def test_names_of_sqlalchemy() -> None:
    """Names of SQLAlchemy are found on the extension; others are missing, with a message."""
    db = SQLAlchemy()
    assert db.String is sa.String
    assert db.joinedload is orm.joinedload
    assert db.event is sa.event
    with pytest.raises(AttributeError, match="no attribute 'Strin'"):
        db.Strin
