"""Names of tables, made from the names of their models."""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm.decl_api import DeclarativeAttributeIntercept

# A capital after a small letter or a digit, and one before a small letter: HTTPServer, Page2View.
_CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z])")
_BASES = (orm.DeclarativeBase, orm.DeclarativeBaseNoMeta)

#: Names of constraints and indexes. Databases make up names of their own for those that have none,
#: and SQLite none at all; a migration then has no way to say which one to change. The templates
#: are those of SQLAlchemy's documentation, "Configuring Constraint Naming Conventions".
NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def camel_to_snake_case(name: str) -> str:
    """Return ``"http_server"`` for ``"HTTPServer"``.

    :param name: the name of a class.
    """
    return _CAPITAL.sub(lambda capital: f"_{capital[0]}", name).lower().lstrip("_")


def should_set_tablename(cls: type) -> bool:
    """Return whether a model needs a name for its table.

    It does where no class of its line has one, and where a mapped parent has: the model may have
    a table of its own (joined-table inheritance) or not, which :func:`make_table` finds out. It
    does not where it is abstract, a declarative base, or has its name from a mixin.

    :param cls: the model.
    """
    if cls.__dict__.get("__abstract__", False) or not _is_model(cls):
        return False
    for base in cls.__mro__:
        if "__tablename__" not in base.__dict__:
            continue
        if isinstance(base.__dict__["__tablename__"], orm.declared_attr):
            return False
        return (
            base is not cls
            and not base.__dict__.get("__abstract__", False)
            and (
                isinstance(base, DeclarativeAttributeIntercept)
                or issubclass(base, orm.DeclarativeBaseNoMeta)
            )
        )
    return True


def _is_model(cls: type) -> bool:
    """Return whether a class is declarative, and not the base of such classes."""
    if any(base in _BASES for base in cls.__bases__):
        return False
    return issubclass(cls, _BASES) or any(
        isinstance(base, orm.DeclarativeMeta) for base in cls.__mro__[1:]
    )


def set_tablename(cls: t.Any) -> None:
    """Give a model's table a name where it needs one; called before the model is mapped.

    :param cls: the model.
    """
    if should_set_tablename(cls):
        cls.__tablename__ = camel_to_snake_case(cls.__name__)


def make_table(cls: t.Any, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> t.Any:
    """Return a model's table, or ``None`` where the model shares that of its parent.

    A model without a primary key of its own that has a mapped parent uses the parent's table
    (single-table inheritance).

    :param cls: the model.
    :param args: for the table: its name, its metadata, and what is in it.
    :param kwargs: more arguments for the table.
    """
    schema = kwargs.get("schema")
    key = args[0] if schema is None else f"{schema}.{args[0]}"
    if (
        # A reflected table is taken over by name.
        key in cls.metadata.tables
        or any(_is_primary_key(arg) for arg in args)
        # Without a parent SQLAlchemy says that the primary key is missing.
        or not any("__table__" in base.__dict__ for base in cls.__mro__[1:-1])
    ):
        return sa.Table(*args, **kwargs)
    if "__tablename__" in cls.__dict__:
        del cls.__tablename__
    return None


def _is_primary_key(item: t.Any) -> bool:
    if isinstance(item, sa.Column):
        return item.primary_key
    return isinstance(item, sa.PrimaryKeyConstraint)


def drop_missing_table(cls: t.Any) -> None:
    """Let a model without a table find its parent's; called after the model was mapped.

    :param cls: the model.
    """
    own = cls.__dict__
    if "__tablename__" not in own and "__table__" in own and own["__table__"] is None:
        del cls.__table__
