"""What the setting SESSION_BACKEND stands for."""

from __future__ import annotations

import os
import threading
import typing as t

from erlen.exceptions import ConfigError

from .settings import is_anonymous_while_unavailable, read_lifetimes

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from erlen.sessions import SessionInterface
    from erlen.typing import Application

    from .store import SessionStore

# Making an interface pushes a context, whose receivers may ask for the interface.
_lock = threading.RLock()
_KEPT = "erlen.sessions"


def choose_interface(app: Application, backend: str) -> SessionInterface:
    """Return the session interface of an application; the same one while its settings last.

    :param app: the application.
    :param backend: the setting ``SESSION_BACKEND``.
    :raises ConfigError: where the settings do not go together, with what to do.
    """
    settings = {key: app.config[key] for key in app.config if key.startswith("SESSION_")}
    with _lock:
        kept = app.extensions.get(_KEPT)
        if kept is None or kept[0] != settings:
            kept = app.extensions[_KEPT] = (settings, _make_interface(app, backend))
        return t.cast("SessionInterface", kept[1])


def _make_interface(app: Application, backend: str) -> SessionInterface:
    read_lifetimes(app.config)
    is_anonymous_while_unavailable(app.config)
    if backend == "encrypted":
        from .encrypted import EncryptedCookieSessionInterface

        return EncryptedCookieSessionInterface()
    if backend == "auto":
        from .auto import AutoSessionInterface

        if not app.secret_key:
            raise ConfigError(
                'SESSION_BACKEND "auto" needs a SECRET_KEY, which signs the sessions that are kept'
                " in cookies. Set it to a long random value that nobody else knows."
            )
        return AutoSessionInterface(_make_store(app, _find_overflow(app), "SESSION_OVERFLOW"))
    from .interface import ServerSessionInterface

    return ServerSessionInterface(_make_store(app, backend, "SESSION_BACKEND"))


def _find_overflow(app: Application) -> str:
    """Return the store that an application seems to have."""
    named: str | None = app.config.get("SESSION_OVERFLOW")
    if named is not None:
        return named
    if app.config.get("SESSION_REDIS_URL") or app.config.get("SESSION_REDIS") is not None:
        return "redis"
    return "database" if "sqlalchemy" in app.extensions else "filesystem"


def _make_store(app: Application, name: str, setting: str) -> SessionStore:
    make = _STORES.get(name)
    if make is None:
        stores = ", ".join(f'"{store}"' for store in _STORES)
        others = ', or one of "cookie", "encrypted", "auto"' if setting == "SESSION_BACKEND" else ""
        raise ConfigError(
            f"{setting} is {name!r}, which is no place for sessions. Set it to one of"
            f" {stores}{others}."
        )
    return make(app)


def _make_memory(app: Application) -> SessionStore:
    from .memory import MemoryStore

    limit = app.config.get("SESSION_MEMORY_LIMIT")
    return MemoryStore() if limit is None else MemoryStore(int(limit))


def _make_filesystem(app: Application) -> SessionStore:
    from .filesystem import FileSystemStore

    folder = app.config.get("SESSION_FILE_DIR")
    return FileSystemStore(os.path.join(app.instance_path, folder or "sessions"))


def _make_redis(app: Application) -> SessionStore:
    try:
        from .redis import RedisStore
    except ModuleNotFoundError as error:
        raise ConfigError(
            'Sessions in Redis need the package redis. Install it with pip install "erlen[redis]".'
        ) from error
    prefix = app.config.get("SESSION_KEY_PREFIX")
    return RedisStore(
        app.config.get("SESSION_REDIS_URL"),
        client=app.config.get("SESSION_REDIS"),
        prefix=f"{app.name}:session:" if prefix is None else prefix,
    )


def _make_database(app: Application) -> SessionStore:
    try:
        from .database import TABLE_NAME, DatabaseStore, session_table
    except ModuleNotFoundError as error:
        raise ConfigError(
            'Sessions in the database need SQLAlchemy. Install it with pip install "erlen[db]".'
        ) from error
    db: t.Any = app.extensions.get("sqlalchemy")
    if db is None:
        raise ConfigError(
            'SESSION_BACKEND "database" keeps sessions in the database of the application, which'
            " has none. Call db.init_app(app) with a SQLAlchemy() of erlen.db first."
        )
    bind = app.config.get("SESSION_DATABASE_BIND")
    with app.app_context():
        engine = db.engines.get(bind)
    if engine is None:
        raise ConfigError(
            f"SESSION_DATABASE_BIND is {bind!r}, which is no key of SQLALCHEMY_BINDS."
        )
    name = app.config.get("SESSION_DATABASE_TABLE") or TABLE_NAME
    return DatabaseStore(engine, session_table(db.metadatas[bind], name))


_STORES: dict[str, Callable[[Application], SessionStore]] = {
    "database": _make_database,
    "redis": _make_redis,
    "filesystem": _make_filesystem,
    "memory": _make_memory,
}
