"""The same models in asynchronous code: sessions to await, fibers, attributes that are missing."""

from __future__ import annotations

import asyncio
import sys
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import defer, selectinload
from tests import services

from erlen import Erlen, Flask
from erlen.db.asynchronous import LazyLoadError, NoAsyncDriver

from .shop import Author, Book, db, make_url, open_shop

if t.TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


@pytest.fixture
def filled(shop: Erlen) -> Erlen:
    """An application with an author and two books."""
    with shop.app_context():
        author = Author(name="Austen")
        db.session.add_all([author, Book(title="Emma", author=author), Book(title="Sanditon")])
        db.session.commit()
    return shop


def run_in_task(app: Erlen, work: Callable[[], Coroutine[t.Any, t.Any, t.Any]]) -> t.Any:
    """Run a coroutine function in a context of an application, on a loop of its own."""

    async def main() -> t.Any:
        with app.app_context():
            return await work()

    return asyncio.run(main())


def ask(app: Erlen, path: str) -> t.Any:
    """Send a request to the application as an ASGI server would, and return the answer."""
    sent: list[t.Any] = []
    received: list[bool] = []

    async def receive() -> t.Any:
        if received:
            await asyncio.Event().wait()
        received.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: t.Any) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    scope: t.Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 80),
    }

    async def main() -> None:
        await app(scope, receive, send)

    asyncio.run(main())
    body: bytes = b"".join(message.get("body", b"") for message in sent)
    return body.decode()


def test_sessions_to_await(filled: Erlen) -> None:
    """A script awaits queries and commits on the models that synchronous code uses."""

    async def work() -> t.Any:
        book = await db.async_session.get_one(Book, 1)
        book.title = "Emma Woodhouse"
        await db.async_session.commit()
        assert book.title == "Emma Woodhouse"
        titles = await db.async_session.scalars(db.select(Book.title).order_by(Book.id))
        return titles.all()

    assert run_in_task(filled, work) == ["Emma Woodhouse", "Sanditon"]


def test_blocks(filled: Erlen) -> None:
    """At the end of a block its session has given its connection back."""

    async def work() -> None:
        async with db.async_session() as session:
            assert session is db.async_session()
            await session.scalars(db.select(Book))
            assert db.async_engine.sync_engine.pool.checkedout() == 1  # type: ignore[attr-defined]
        assert db.async_engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    run_in_task(filled, work)


def test_engines_of_loops(filled: Erlen) -> None:
    """Each event loop has engines of its own, and closes their connections when it ends."""
    engines = []

    async def work() -> None:
        await db.async_session.scalar(sa.text("SELECT 1"))
        engines.append(db.async_engine)
        assert db.async_engines[None] is db.async_engine

    for _ in range(3):
        run_in_task(filled, work)
    assert len(set(map(id, engines))) == 3
    pools: list[t.Any] = [engine.sync_engine.pool for engine in engines]
    assert [pool.checkedin() for pool in pools] == [0, 0, 0]


def test_views(filled: Erlen) -> None:
    """In an asynchronous view both sessions wait without blocking, by any gateway."""

    @filled.get("/")
    async def view() -> t.Any:
        book = await db.async_session.get_one(Book, 1)
        same = db.session.get_one(Book, 1)
        # What is not loaded is loaded when it is read.
        assert same.author is not None
        return f"{book.title} {same.author.name} {db.session.get_bind().dialect.is_async}"

    assert filled.test_client().get("/").text == "Emma Austen True"
    assert ask(filled, "/") == "Emma Austen True"


def test_cooperative_views(filled: Erlen) -> None:
    """A synchronous view on the event loop uses the asynchronous driver, others do not."""

    @filled.get("/fiber", endpoint="fiber", cooperative=True)
    @filled.get("/thread", endpoint="thread")
    def view() -> t.Any:
        page = db.paginate(db.select(Book).order_by(Book.id))
        return f"{page.total} {db.session.get_bind().dialect.is_async}"

    assert ask(filled, "/fiber") == "2 True"
    assert ask(filled, "/thread") == "2 False"
    assert filled.test_client().get("/fiber").text == "2 False"


def test_flask_stays_synchronous(tmp_path: Path) -> None:
    """Where the configuration does not say so, ``db.session`` keeps its driver in fibers too."""
    with open_shop(make_url("sqlite", "shop", tmp_path), SQLALCHEMY_COOPERATIVE=False) as app:

        @app.get("/")
        async def view() -> str:
            return str(db.session.get_bind().dialect.is_async)

        assert app.test_client().get("/").text == "False"
    assert "SQLALCHEMY_COOPERATIVE" not in Flask("shop").config


def test_in_memory() -> None:
    """A database in memory is the same in synchronous and asynchronous code."""
    with open_shop("sqlite://") as app:
        with app.app_context():
            db.session.add(Book(title="Emma"))
            db.session.commit()

        @app.get("/")
        async def view() -> str:
            one = await db.async_session.scalar(db.select(Book.title))
            other = db.session.scalar(db.select(Book.title))
            return f"{one} {other}"

        assert app.test_client().get("/").text == "Emma Emma"


def test_lazy_loads_that_cannot_work(filled: Erlen) -> None:
    """The error names the attribute, the line of the query, and what to add to it."""

    async def work() -> str:
        book = (await db.async_session.scalars(db.select(Book).where(Book.id == 1))).one()
        with pytest.raises(LazyLoadError) as caught:
            book.author
        return str(caught.value)

    message = run_in_task(filled, work)
    line = work.__code__.co_firstlineno + 1
    assert message.startswith("Book.author is not loaded.")
    assert f"{__file__}:{line} (work)" in message
    assert ".options(selectinload(Book.author))" in message
    assert "sqlalche.me" not in message


def test_collections_that_cannot_be_loaded(filled: Erlen) -> None:
    """The same goes for collections, and the advice works."""

    async def work() -> list[str]:
        session = db.async_session
        author = await session.scalar(db.select(Author))
        assert author is not None
        with pytest.raises(LazyLoadError, match=r"selectinload\(Author.books\)"):
            author.books
        session.expunge_all()
        author = await session.scalar(db.select(Author).options(selectinload(Author.books)))
        assert author is not None
        return [book.title for book in author.books]

    assert run_in_task(filled, work) == ["Emma"]


def test_columns_that_cannot_be_loaded(filled: Erlen) -> None:
    """Deferred columns are told from expired ones, and the advice works."""

    async def work() -> tuple[str, int | None]:
        session = db.async_session
        book = await session.scalar(db.select(Book).where(Book.id == 1).options(defer(Book.title)))
        assert book is not None
        with pytest.raises(LazyLoadError, match=r"undefer\(Book.title\)"):
            book.title
        await session.refresh(book, ["title"])
        title = book.title
        session.expire(book)
        with pytest.raises(LazyLoadError, match=r"It has expired"):
            book.year
        await session.refresh(book)
        return title, book.year

    assert run_in_task(filled, work) == ("Emma", None)


def test_without_a_loop(sqlite_shop: Erlen) -> None:
    """Where no event loop runs, the error says where to go."""
    with sqlite_shop.app_context(), pytest.raises(RuntimeError, match="'async def'"):
        db.async_engine


def test_without_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an asynchronous driver, sessions to await say what to install; the others work."""
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    with open_shop(make_url("sqlite", "shop", tmp_path)) as app:
        warned: list[str] = []
        monkeypatch.setattr(app.logger, "warning", lambda text, *args: warned.append(text % args))

        @app.get("/")
        async def view() -> str:
            with pytest.raises(NoAsyncDriver, match=r'pip install "erlen\[sqlite\]"'):
                await db.async_session.get(Book, 1)
            return str(db.session.scalar(sa.text("SELECT 7")))

        assert app.test_client().get("/").text == "7"
        assert "keep all other requests" in warned[0]


def test_postgresql_at_once(tmp_path: Path) -> None:
    """Queries of cooperative views run at the same time, each in a session of its own."""
    services.POSTGRESQL.require()
    with open_shop(make_url("postgresql", "shop", tmp_path)) as app:

        async def ask_once(key: int) -> int:
            # Each waits for the others' locks to be there.
            with app.app_context():
                session = db.async_session
                await session.execute(sa.text("SELECT pg_advisory_xact_lock_shared(77)"))
                ready[key].set()
                await asyncio.gather(*(event.wait() for event in ready))
                return int(await session.scalar(sa.text("SELECT pg_backend_pid()")) or 0)

        async def main() -> set[int]:
            return set(await asyncio.gather(*(ask_once(key) for key in range(5))))

        ready = [asyncio.Event() for _ in range(5)]
        assert len(asyncio.run(main())) == 5
