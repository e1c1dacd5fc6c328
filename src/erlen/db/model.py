"""What ``db.Model`` is made of: names of tables, metadata per database, ``query``, ``repr``.

``db.Model`` is made for each :class:`.SQLAlchemy` object from the class that it is given. For new
code there is a base that can be imported, :class:`erlen.db.Model`, in :mod:`erlen.db.base`.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import orm

from . import naming
from .naming import camel_to_snake_case as camel_to_snake_case
from .naming import should_set_tablename as should_set_tablename
from .query import Query

if t.TYPE_CHECKING:
    from .extension import SQLAlchemy

T = t.TypeVar("T")

_MISSING: t.Any = object()


class _QueryProperty:
    """Gives the class that it is read from a query of its rows."""

    def __get__(self, obj: object | None, cls: type[T]) -> Query[T]:
        model: t.Any = cls
        query: Query[T] = model.query_class(cls, session=model.__fsa__.session())
        return query


class Model:
    """The class that :attr:`.SQLAlchemy.Model` gets its abilities from.

    Subclass it to give ``db.Model`` more of them, and pass the subclass as ``model_class``. Models
    themselves are subclasses of ``db.Model``.
    """

    __fsa__: t.ClassVar[SQLAlchemy]

    #: The class of :attr:`query`.
    query_class: t.ClassVar[type[Query[t.Any]]] = Query
    #: A query of the model's rows in ``db.session``, in SQLAlchemy's older interface.
    query = _QueryProperty()

    def __repr__(self) -> str:
        state: t.Any = sa.inspect(self)
        if state.transient or state.pending:
            kind = "transient" if state.transient else "pending"
            return f"<{type(self).__name__} ({kind} {id(self)})>"
        return f"<{type(self).__name__} {', '.join(map(str, state.identity))}>"


def _choose_metadata(cls: t.Any, bind_key: str | None) -> None:
    """Put a model into the metadata of its bind key, unless it says where it belongs."""
    if "metadata" in cls.__dict__ or "__table__" in cls.__dict__:
        return
    metadata = cls.__fsa__._make_metadata(bind_key)
    if metadata is not getattr(cls, "metadata", None):
        cls.metadata = metadata


class BindMetaMixin(type):
    """A metaclass part: models with a ``__bind_key__`` are in the metadata of that key."""

    __fsa__: SQLAlchemy
    metadata: sa.MetaData

    def __init__(
        cls, name: str, bases: tuple[type, ...], d: dict[str, t.Any], **kwargs: t.Any
    ) -> None:
        _choose_metadata(cls, getattr(cls, "__bind_key__", None))
        super().__init__(name, bases, d, **kwargs)


class BindMixin:
    """As :class:`BindMetaMixin`, for bases that derive from SQLAlchemy's ``DeclarativeBase``."""

    __fsa__: t.ClassVar[SQLAlchemy]
    metadata: t.ClassVar[sa.MetaData]

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        bind_key = getattr(cls, "__bind_key__", _MISSING)
        if bind_key is not _MISSING:
            _choose_metadata(cls, bind_key)
        super().__init_subclass__(**kwargs)


class NameMetaMixin(type):
    """A metaclass part: models get a name for their table, ``BookAuthor`` ``"book_author"``."""

    metadata: sa.MetaData
    __tablename__: str
    __table__: sa.Table

    def __init__(
        cls, name: str, bases: tuple[type, ...], d: dict[str, t.Any], **kwargs: t.Any
    ) -> None:
        naming.set_tablename(cls)
        super().__init__(name, bases, d, **kwargs)
        naming.drop_missing_table(cls)

    def __table_cls__(cls, *args: t.Any, **kwargs: t.Any) -> sa.Table | None:
        """Return the model's table, for SQLAlchemy; see :func:`.naming.make_table`."""
        table: sa.Table | None = naming.make_table(cls, args, kwargs)
        return table


class NameMixin:
    """As :class:`NameMetaMixin`, for bases that derive from SQLAlchemy's ``DeclarativeBase``."""

    metadata: t.ClassVar[sa.MetaData]
    __tablename__: t.Any
    __table__: t.ClassVar[sa.FromClause]

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        naming.set_tablename(cls)
        super().__init_subclass__(**kwargs)
        naming.drop_missing_table(cls)

    @classmethod
    def __table_cls__(cls, *args: t.Any, **kwargs: t.Any) -> sa.Table | None:
        """Return the model's table, for SQLAlchemy; see :func:`.naming.make_table`."""
        table: sa.Table | None = naming.make_table(cls, args, kwargs)
        return table


class DefaultMeta(BindMetaMixin, NameMetaMixin, orm.DeclarativeMeta):
    """The metaclass of ``db.Model`` where that is made from a plain class."""


class DefaultMetaNoName(BindMetaMixin, orm.DeclarativeMeta):
    """The same, without names for tables (``disable_autonaming=True``)."""
