"""How engines are made from an application's configuration."""

from __future__ import annotations

import os
import typing as t

import sqlalchemy as sa
from sqlalchemy import pool

from . import record_queries, sqlite

if t.TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

    from erlen import Flask

Options = dict[str, t.Any]

#: A connection to MySQL or MariaDB that has been idle for eight hours is closed by the server.
MYSQL_RECYCLE = 7200

# Only a pool of several connections has these.
_POOL_OPTIONS = ("pool_timeout", "pool_size", "max_overflow", "pool_use_lifo")


def read_options(app: Flask, own: Options) -> dict[str | None, Options]:
    """Return the options of each engine that an application is configured for, by bind key.

    :param app: the application.
    :param own: the options that were given to the extension; those of the configuration win.
    :raises RuntimeError: where no database is configured.
    """
    config = app.config
    url = config.setdefault("SQLALCHEMY_DATABASE_URI", None)
    main = own | config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {})
    echo = config.setdefault("SQLALCHEMY_ECHO", False)
    binds: dict[str | None, Options] = {}
    for key, value in config.setdefault("SQLALCHEMY_BINDS", {}).items():
        binds[key] = own | ({"url": value} if isinstance(value, (str, sa.URL)) else value)
    if url is not None:
        main["url"] = url
    if "url" in main:
        binds.setdefault(None, {}).update(main)
    if not binds:
        raise RuntimeError("Either 'SQLALCHEMY_DATABASE_URI' or 'SQLALCHEMY_BINDS' must be set.")
    for options in binds.values():
        options["connect_args"] = dict(options.get("connect_args", {}))
        options.setdefault("echo", echo)
        options.setdefault("echo_pool", echo)
    return binds


def apply_new_defaults(options: Options, app: Flask) -> None:
    """Complete an engine's options with the configuration's defaults, where it has some.

    :param options: the options; they are changed.
    :param app: the application.
    """
    url = sa.make_url(options["url"])
    driver = app.config.get("SQLALCHEMY_DRIVERS", {}).get(url.drivername)
    if driver is not None:
        url = options["url"] = url.set(drivername=driver)
    defaults = app.config.get("SQLALCHEMY_ENGINE_DEFAULTS", {})
    if url.get_backend_name() == "sqlite":
        # A file does not go away; a database in memory has one connection and no pool.
        unused = {"pool_pre_ping", *(_POOL_OPTIONS if sqlite.is_in_memory(url) else ())}
        defaults = {name: value for name, value in defaults.items() if name not in unused}
    if "poolclass" in options:
        defaults = {name: value for name, value in defaults.items() if name not in _POOL_OPTIONS}
    for name, value in defaults.items():
        options.setdefault(name, value)


#: The synchronous driver in place of each asynchronous one.
SYNC_DRIVERS = {
    "sqlite+aiosqlite": "sqlite",
    "postgresql+asyncpg": "postgresql+psycopg",
    "mysql+aiomysql": "mysql+pymysql",
    "mysql+asyncmy": "mysql+pymysql",
    "mariadb+aiomysql": "mariadb+pymysql",
    "mariadb+asyncmy": "mariadb+pymysql",
}


def make_synchronous(options: Options) -> Options:
    """Return an engine's options with a synchronous driver in place of an asynchronous one.

    :param options: the options.
    """
    url = sa.make_url(options["url"])
    driver = SYNC_DRIVERS.get(url.drivername)
    return options if driver is None else options | {"url": url.set(drivername=driver)}


def prepare(engine: Engine, app: Flask) -> None:
    """Give a new engine the behaviour that the configuration asks for.

    :param engine: the engine; of an asynchronous one, its ``sync_engine``.
    :param app: the application.
    """
    config = app.config
    if config.get("SQLALCHEMY_RECORD_QUERIES", False):
        record_queries._listen(engine)
    pragmas = config.get("SQLALCHEMY_SQLITE_PRAGMAS")
    begin = config.get("SQLALCHEMY_SQLITE_BEGIN")
    if (pragmas or begin) and engine.dialect.name == "sqlite":
        if pragmas:
            sqlite.set_pragmas(engine, pragmas)
        if begin:
            sqlite.begin_before_writing(engine, begin)


def apply_driver_defaults(options: Options, app: Flask) -> None:
    """Complete an engine's options with what its kind of database needs.

    SQLite in memory is one connection that all threads share. The paths of SQLite's files are
    relative to the instance folder, which is made. MySQL and MariaDB are spoken to in utf8mb4.

    :param options: the options; they are changed.
    :param app: the application.
    """
    url = sa.make_url(options["url"])
    if url.drivername in ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"):
        if sqlite.is_in_memory(url):
            options["poolclass"] = pool.StaticPool
            options.setdefault("connect_args", {})["check_same_thread"] = False
        else:
            options["url"] = _locate_file(options["url"], url, app)
    elif url.drivername.startswith("mysql"):
        if options.get("pool_class", pool.QueuePool) is pool.QueuePool:
            options.setdefault("pool_recycle", MYSQL_RECYCLE)
        if "charset" not in url.query:
            options["url"] = url.update_query_dict({"charset": "utf8mb4"})


def _locate_file(given: t.Any, url: URL, app: Flask) -> t.Any:
    """Return the URL of a SQLite file with its absolute path."""
    path = url.database or ""
    # A name that SQLite itself takes apart: sqlite:///file:path?uri=true
    prefix = "file:" if url.query.get("uri", False) else ""
    path = path.removeprefix(prefix)
    if os.path.isabs(path):
        return given
    os.makedirs(app.instance_path, exist_ok=True)
    return url.set(database=prefix + os.path.join(app.instance_path, path))
