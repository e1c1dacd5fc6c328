"""The model class that programs import: ``from erlen.db import Model``."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import orm

from erlen import current_app

from . import model
from .naming import NAMING_CONVENTION
from .query import Query

if t.TYPE_CHECKING:
    from .extension import SQLAlchemy

T = t.TypeVar("T")


class _Query:
    """Gives the class that it is read from a query of its rows, in the current application."""

    def __get__(self, obj: object | None, cls: type[T]) -> Query[T]:
        db: SQLAlchemy = current_app.extensions["sqlalchemy"]
        query: Query[T] = t.cast(t.Any, cls).query_class(cls, session=db.session())
        return query


class _Metadatas:
    """Stands for the :class:`.SQLAlchemy` object while the models are written down.

    Models may be imported before there is one, and several may use the same models.
    """

    def __init__(self, metadata: sa.MetaData) -> None:
        self.metadatas: dict[str | None, sa.MetaData] = {None: metadata}

    def _make_metadata(self, bind_key: str | None) -> sa.MetaData:
        return make_metadata(self.metadatas, bind_key)


def make_metadata(metadatas: dict[str | None, sa.MetaData], bind_key: str | None) -> sa.MetaData:
    """Return the metadata of a bind key, making it where there is none.

    :param metadatas: all of them; new ones are added.
    :param bind_key: the key. Names of constraints are made as in the metadata of ``None``.
    """
    if bind_key in metadatas:
        return metadatas[bind_key]
    convention = None
    if bind_key is not None:
        convention = make_metadata(metadatas, None).naming_convention
    made = sa.MetaData(naming_convention=convention, info={"bind_key": bind_key})
    metadatas[bind_key] = made
    return made


class Model(model.BindMixin, model.NameMixin, model.Model, orm.DeclarativeBase):
    """The base of an application's models. Pass it to :class:`.SQLAlchemy` as ``model_class``.

    A model's table is named after it, ``book_author`` for ``BookAuthor``, unless it has a
    ``__tablename__``. With a ``__bind_key__`` it belongs to that database of
    ``SQLALCHEMY_BINDS``. Constraints and indexes get names by a convention, so that migrations
    can change them.

    An abstract subclass may add columns for all models below it. One that sets ``metadata`` has
    a set of models of its own, apart from all others.

    .. code-block:: python

        from erlen.db import Model, SQLAlchemy
        from sqlalchemy.orm import Mapped, mapped_column

        db = SQLAlchemy(model_class=Model)

        class Book(Model):
            id: Mapped[int] = mapped_column(primary_key=True)
            title: Mapped[str]
    """

    __abstract__ = True

    metadata: t.ClassVar[sa.MetaData] = sa.MetaData(
        naming_convention=NAMING_CONVENTION, info={"bind_key": None}
    )

    if t.TYPE_CHECKING:
        #: A query of the model's rows in ``db.session``, in SQLAlchemy's older interface.
        query = _Query()

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        own = cls.__dict__.get("metadata")
        if cls.__dict__.get("__abstract__", False) and own is not None:
            own.info.setdefault("bind_key", None)
            cls.registry = orm.registry(
                metadata=own, type_annotation_map=cls.registry.type_annotation_map
            )
            # Where SQLAlchemy itself looks.
            cls._sa_registry = cls.registry
            cls.__fsa__ = t.cast("SQLAlchemy", _Metadatas(own))
        super().__init_subclass__(**kwargs)


# Not in the class: SQLAlchemy looks through what stands there.
_model: t.Any = Model
_model.query = _Query()
_model.__fsa__ = _Metadatas(Model.metadata)
