"""``db.Table``: tables that find their metadata by themselves."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql.schema import SchemaItem


class _Table(sa.Table):
    """The base of :attr:`.SQLAlchemy.Table`, which tells type checkers what that takes."""

    if t.TYPE_CHECKING:

        @t.overload
        def __init__(
            self, name: str, *args: SchemaItem, bind_key: str | None = None, **kwargs: t.Any
        ) -> None: ...

        @t.overload
        def __init__(
            self, name: str, metadata: sa.MetaData, *args: SchemaItem, **kwargs: t.Any
        ) -> None: ...

        def __init__(self, name: str, *args: t.Any, **kwargs: t.Any) -> None: ...


def make_table_class(find_metadata: Callable[[str | None], sa.MetaData]) -> type[_Table]:
    """Return a class of tables that are put into the metadata of a bind key.

    :param find_metadata: returns the metadata of a bind key.
    """

    class Table(_Table):
        def __new__(cls, *args: t.Any, bind_key: str | None = None, **kwargs: t.Any) -> t.Any:
            # Without any argument the base class says what is missing.
            name, rest = args[:1], args[1:]
            if name and not isinstance(next(iter(rest), None), sa.MetaData):
                rest = (find_metadata(bind_key), *rest)
            return super().__new__(cls, *name, *rest, **kwargs)

    return Table
