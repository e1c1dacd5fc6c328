"""``db.session``: a session for each application context, made when it is first used."""

from __future__ import annotations

import typing as t

from sqlalchemy import orm

from erlen import in_fiber

from .contexts import _app_ctx_id, get_ctx
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from erlen.ctx import AppContext

    from .extension import SQLAlchemy


class ContextSession(orm.scoped_session[Session]):
    """A scoped session whose scope is the application context.

    PERF: it does what the base class does, in a third of the calls: that asks its registry, which
    asks a function for the scope.

    :param factory: makes sessions.
    :param db: the extension.
    """

    def __init__(self, factory: orm.sessionmaker[Session], db: SQLAlchemy) -> None:
        super().__init__(factory, _app_ctx_id)
        self._db = db
        self.registry.createfunc = self._create
        self._sessions: dict[int, Session] = self.registry.registry

    @property
    def _proxied(self) -> Session:
        ctx = get_ctx()
        session = self._sessions.get(id(ctx))
        if session is None:
            session = self._sessions[id(ctx)] = self._create(ctx)
        return session

    def _create(self, ctx: AppContext | None = None) -> Session:
        """Return a new session for the current context, which uses the engines of its app."""
        app = (get_ctx() if ctx is None else ctx).app
        db = self._db
        if db._waiting:
            db._prepare_app(app)
        factory = self.session_factory
        # PERF: without arguments of its own, the factory does the same more slowly.
        plain = type(factory) is orm.sessionmaker
        session = factory.class_(**factory.kw) if plain else factory()
        if isinstance(session, Session):
            session._app = app
            session._pinned = True
            # PERF: in nearly all requests there is nothing to choose.
            if not (app.config.get("SQLALCHEMY_COOPERATIVE", False) and in_fiber()):
                session._engines = db._app_engines.get(app)
        return session

    def take(self) -> Session | None:
        """Return the session of the current context, if it has one, and forget it."""
        return self._sessions.pop(id(get_ctx()), None)


def make_scope(
    db: SQLAlchemy,
    factory: orm.sessionmaker[Session],
    scopefunc: Callable[[], t.Any] | None,
) -> orm.scoped_session[Session]:
    """Return what ``db.session`` is.

    :param db: the extension.
    :param factory: makes sessions.
    :param scopefunc: returns what tells a scope from others; ``None`` for the application context.
    """
    if scopefunc is None:
        return ContextSession(factory, db)
    return orm.scoped_session(factory, scopefunc)


def take(scope: orm.scoped_session[Session]) -> Session | None:
    """Return the session of the current scope, if it has one, and forget it.

    :param scope: the scoped session.
    """
    if isinstance(scope, ContextSession):
        return scope.take()
    registry = scope.registry
    if not registry.has():
        return None
    session = registry()
    registry.clear()
    return session
