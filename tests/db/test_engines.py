"""Engines: what the configuration makes of them, in new applications and in those of Flask."""

from __future__ import annotations

import gc
import os
import threading
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import pool

from erlen import Erlen, Flask
from erlen.db import SQLAlchemy

from .shop import Author, Book, db

if t.TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def make_engine(app_class: type[Flask], url: str, folder: Path, **config: t.Any) -> Engine:
    """Return the engine that an application has for a URL."""
    app = app_class("engines", instance_path=str(folder))
    app.config.update(SQLALCHEMY_DATABASE_URI=url, **config)
    made = SQLAlchemy(app)
    with app.app_context():
        return made.engine


def read_pragmas(engine: Engine) -> dict[str, t.Any]:
    """Return some settings of SQLite."""
    with engine.connect() as connection:
        names = ("journal_mode", "foreign_keys", "busy_timeout")
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}
    engine.dispose()
    return found


def test_sqlite_of_new_applications(tmp_path: Path) -> None:
    """New applications have a write-ahead log, foreign keys, and patience."""
    engine = make_engine(Erlen, "sqlite:///shop.db", tmp_path)
    expected = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}
    assert read_pragmas(engine) == expected


def test_sqlite_of_flask(tmp_path: Path) -> None:
    """Applications of Flask have what Python's driver has."""
    engine = make_engine(Flask, "sqlite:///shop.db", tmp_path)
    expected = {"journal_mode": "delete", "foreign_keys": 0, "busy_timeout": 5_000}
    assert read_pragmas(engine) == expected


def test_settings_are_configuration(tmp_path: Path) -> None:
    """What new applications have can be had by any, and changed."""
    config: dict[str, t.Any] = {"SQLALCHEMY_SQLITE_PRAGMAS": {"busy_timeout": 70}}
    engine = make_engine(Flask, "sqlite:///shop.db", tmp_path, **config)
    assert read_pragmas(engine)["busy_timeout"] == 70


def test_read_only_files(tmp_path: Path) -> None:
    """A file that cannot be written can be read, with the journal that it has."""
    engine = make_engine(Flask, "sqlite:///shop.db", tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE book (id INTEGER)")
    engine.dispose()
    read_only = f"sqlite:///file:{tmp_path}/shop.db?mode=ro&uri=true"
    engine = make_engine(Erlen, read_only, tmp_path)
    assert sa.inspect(engine).get_table_names() == ["book"]
    assert read_pragmas(engine)["journal_mode"] == "delete"


def test_pools(tmp_path: Path) -> None:
    """New applications find out dead connections, and give up early."""
    new = make_engine(Erlen, "postgresql://127.0.0.1/x", tmp_path)
    old = make_engine(Flask, "postgresql+psycopg://127.0.0.1/x", tmp_path)
    assert (new.pool._pre_ping, old.pool._pre_ping) == (True, False)
    assert (new.pool.timeout(), old.pool.timeout()) == (10, 30)  # type: ignore[attr-defined]


def test_options_come_before_defaults(tmp_path: Path) -> None:
    """What the application says of its engines is what they get."""
    options = {"pool_pre_ping": False, "pool_timeout": 3}
    url = "postgresql://127.0.0.1/x"
    engine = make_engine(Erlen, url, tmp_path, SQLALCHEMY_ENGINE_OPTIONS=options)
    assert (engine.pool._pre_ping, engine.pool.timeout()) == (False, 3)  # type: ignore[attr-defined]
    without = {"poolclass": pool.NullPool}
    assert make_engine(Erlen, url, tmp_path, SQLALCHEMY_ENGINE_OPTIONS=without).pool._pre_ping


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://127.0.0.1/x", "psycopg"),
        ("postgresql://127.0.0.1/x", "psycopg"),
        ("mysql://127.0.0.1/x", "pymysql"),
        ("mariadb://127.0.0.1/x", "pymysql"),
        ("mysql+asyncmy://127.0.0.1/x", "pymysql"),
        ("sqlite+aiosqlite:///x.db", "pysqlite"),
    ],
)
def test_drivers(tmp_path: Path, url: str, driver: str) -> None:
    """The extras' drivers serve URLs that name none; synchronous ones beside asynchronous."""
    assert make_engine(Erlen, url, tmp_path).driver == driver


def test_mysql(tmp_path: Path) -> None:
    """MySQL and MariaDB are spoken to in utf8mb4."""
    engine = make_engine(Erlen, "mysql://127.0.0.1/x", tmp_path)
    assert engine.url.query["charset"] == "utf8mb4"


def test_four_bytes(shop: Erlen) -> None:
    """Every character can be kept."""
    with shop.app_context():
        db.session.add(Book(title="𝄞 🎻"))
        db.session.commit()
        assert db.session.scalar(sa.select(Book.title)) == "𝄞 🎻"


def test_relative_paths(tmp_path: Path) -> None:
    """A file is in the instance folder, which is made."""
    folder = tmp_path / "instance"
    engine = make_engine(Erlen, "sqlite:///shop.db", folder)
    assert engine.url.database == os.path.join(folder, "shop.db")
    assert folder.is_dir()


def test_foreign_keys(sqlite_shop: Erlen) -> None:
    """A row cannot refer to one that is not there."""
    with sqlite_shop.app_context():
        db.session.add(Book(title="Emma", author_id=7))
        with pytest.raises(sa.exc.IntegrityError):
            db.session.commit()


def in_transaction() -> bool:
    """Return whether the session's connection has begun a transaction of SQLite."""
    connection = db.session.connection().connection.driver_connection
    return bool(t.cast(t.Any, connection).in_transaction)


READS: list[t.Any] = [
    sa.select(Book),
    sa.select(Book).where(Book.id.in_(sa.select(Book.id))),
    sa.select(sa.select(Book).cte()),
    sa.union(sa.select(Book.id), sa.select(Author.id)),
    sa.text("SELECT 1"),
    sa.text("\n  select * from book"),
    sa.text("PRAGMA table_info(book)"),
    sa.text("EXPLAIN QUERY PLAN SELECT 1"),
]
WRITES: list[t.Any] = [
    sa.insert(Book).values(title="x"),
    sa.update(Book).values(title="x"),
    sa.delete(Book),
    sa.select(Book).with_for_update(),
    sa.text(" INSERT INTO book (title) VALUES ('x')"),
    sa.text("WITH a AS (SELECT 1) DELETE FROM book"),
    sa.schema.CreateTable(sa.Table("other", sa.MetaData(), sa.Column("id", sa.Integer))),
]


@pytest.mark.parametrize(
    ("statement", "writes"),
    [*((statement, False) for statement in READS), *((statement, True) for statement in WRITES)],
)
def test_transactions_begin_with_writing(
    sqlite_shop: Erlen, statement: t.Any, writes: bool
) -> None:
    """What reads takes no lock; what writes, or says that it will, takes it at once."""
    with sqlite_shop.app_context():
        db.session.execute(statement)
        assert in_transaction() is writes


def test_locked_rows(sqlite_shop: Erlen) -> None:
    """A row that is read for an update is locked, also by its primary key."""
    with sqlite_shop.app_context():
        db.session.add(Book(title="Emma"))
        db.session.commit()
        db.session.get(Book, 1)
        assert not in_transaction()
        db.session.expire_all()
        db.session.get(Book, 1, with_for_update=True)
        assert in_transaction()


def test_savepoints_and_tables_are_rolled_back(sqlite_shop: Erlen) -> None:
    """A rollback undoes savepoints and changes of tables too, which Python's driver would keep."""
    with sqlite_shop.app_context():
        with db.session.begin_nested():
            db.session.add(Book(title="Emma"))
        db.session.execute(sa.text("CREATE TABLE other (id INTEGER)"))
        db.session.rollback()
        assert db.session.scalar(sa.select(sa.func.count(Book.id))) == 0
        assert "other" not in sa.inspect(db.engine).get_table_names()


def test_autocommit(sqlite_shop: Erlen) -> None:
    """A connection that was asked to commit by itself does."""
    with sqlite_shop.app_context():
        engine = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.insert(Book).values(title="Emma"))
        assert db.session.scalar(sa.select(sa.func.count(Book.id))) == 1


def test_writing_after_reading(sqlite_shop: Erlen) -> None:
    """A transaction that has read may write, though another one has written in between."""
    with sqlite_shop.app_context():
        db.session.add(Author(name="0"))
        db.session.commit()

    ready = threading.Barrier(8, timeout=60)

    def count_up() -> None:
        with sqlite_shop.app_context():
            author = db.session.get_one(Author, 1)
            ready.wait()
            db.session.add(Book(title=author.name, author=author))
            db.session.commit()

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sqlite_shop.app_context():
        assert db.session.scalar(sa.select(sa.func.count(Book.id))) == 8


def test_setting_up_again(tmp_path: Path) -> None:
    """An application that is set up again gets new engines, and the old ones are closed."""
    app = Erlen("engines")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/a.db"
    made = SQLAlchemy(app)
    with app.app_context():
        first = made.engine
        with pytest.raises(RuntimeError, match="already been registered"):
            made.init_app(app)
        del app.extensions["sqlalchemy"]
        made.init_app(app)
        assert made.engine is not first


def test_messages(tmp_path: Path) -> None:
    """Errors say what is missing."""
    app = Erlen("engines")
    with pytest.raises(RuntimeError, match="'SQLALCHEMY_DATABASE_URI' or 'SQLALCHEMY_BINDS'"):
        SQLAlchemy(app)
    app.config["SQLALCHEMY_BINDS"] = {"log": "sqlite://"}
    made = SQLAlchemy()
    with app.app_context(), pytest.raises(RuntimeError, match="is not registered with this"):
        made.engine
    app = Erlen("other")
    app.config["SQLALCHEMY_BINDS"] = {"log": "sqlite://"}
    made.init_app(app)
    made.Table("a", sa.Column("id", sa.Integer, primary_key=True), bind_key="nowhere")
    with app.app_context():
        for key in ("nowhere", None):
            with pytest.raises(sa.exc.UnboundExecutionError, match="SQLALCHEMY"):
                made.create_all(key)
        with pytest.raises(sa.exc.UnboundExecutionError, match="Bind key 'nowhere'"):
            made.session.execute(made.metadatas["nowhere"].tables["a"].insert())
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        made.engine


def test_an_application_that_is_let_go_closes_its_connections(tmp_path: Path) -> None:
    """The pools of its engines do not outlive it."""
    made = SQLAlchemy()
    app = Erlen("gone", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///gone.db"
    made.init_app(app)
    closed: list[object] = []
    with app.app_context():
        sa.event.listen(made.engine, "close", lambda connection, record: closed.append(connection))
        made.session.execute(sa.text("SELECT 1"))
    assert not closed
    del app
    gc.collect()
    assert len(closed) == 1
