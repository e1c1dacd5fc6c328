"""Sessions that choose the database by the model, one for each application context."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import NoInspectionAvailable, UnboundExecutionError

from erlen.globals import current_app

from . import replicas
from .contexts import _app_ctx_id as _app_ctx_id

if t.TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Engine

    from erlen import Flask

    from .extension import SQLAlchemy


_get_app = current_app._get_current_object


class Session(orm.Session):
    """A SQLAlchemy session that chooses the engine by the bind key of what is asked for.

    :param db: the extension that has the engines.
    :param kwargs: for :class:`sqlalchemy.orm.Session`.
    """

    # Whether this is the inner side of an asynchronous session.
    _asynchronous = False
    # The application whose engines are used, and whether it stays the same.
    _app: Flask | None = None
    _pinned = False
    _engines: Mapping[str | None, Engine] | None = None
    # The event loop that the connections belong to.
    _loop: AbstractEventLoop | None = None

    def __init__(self, db: SQLAlchemy, **kwargs: t.Any) -> None:
        super().__init__(**kwargs)
        self._db = db
        self._model_changes: dict[t.Any, tuple[t.Any, str]] = {}

    def get_bind(
        self,
        mapper: t.Any = None,
        clause: t.Any = None,
        bind: Engine | Connection | None = None,
        **kwargs: t.Any,
    ) -> Engine | Connection:
        """Return the engine for a model, a table or a statement.

        :param mapper: the model.
        :param clause: the table or statement, where there is no model.
        :param bind: an engine or connection to use whatever is asked for.
        :param kwargs: what SQLAlchemy says besides.
        :raises UnboundExecutionError: where the bind key has no database.
        """
        if bind is not None:
            return bind
        engines = self._engines
        if engines is None or not self._pinned:
            engines = self._choose_engines()
        engine = None
        if mapper is not None:
            table = mapper.local_table if type(mapper) is orm.Mapper else _find_table(mapper)
            engine = _find_engine(table, engines)
        if engine is None and clause is not None:
            engine = _find_engine(clause, engines)
        if engine is None:
            engine = engines.get(None)
            if engine is None:
                return super().get_bind(mapper=mapper, clause=clause, bind=bind, **kwargs)
        return replicas.route(self, clause, engine)

    def _choose_engines(self) -> Mapping[str | None, Engine]:
        """Return the engines of the session's application, by default the current one."""
        app = self._app
        if app is None or not self._pinned:
            app = _get_app()
        if self._engines is None or app is not self._app:
            self._app = app
            self._engines, self._loop = self._db._choose_engines(app, self._asynchronous)
        return self._engines


def _find_table(model: t.Any) -> sa.FromClause:
    """Return the table of a model."""
    try:
        mapper: orm.Mapper[t.Any] = sa.inspect(model)
    except NoInspectionAvailable as error:
        if isinstance(model, type):
            raise orm.exc.UnmappedClassError(model) from error
        raise
    return mapper.local_table


def _find_engine(clause: t.Any, engines: Mapping[str | None, Engine]) -> Engine | None:
    """Return the engine of a table, or of the table that a statement changes."""
    if isinstance(clause, sa.UpdateBase):
        clause = clause.table
    if not isinstance(clause, sa.Table):
        return None
    info = clause.metadata.info
    if "bind_key" not in info:
        return None
    key = info["bind_key"]
    if key not in engines:
        raise UnboundExecutionError(f"Bind key '{key}' is not in 'SQLALCHEMY_BINDS' config.")
    return engines[key]
