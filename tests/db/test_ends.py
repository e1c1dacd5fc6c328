"""Sessions and connections come back, however a request ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import typing as t

import pytest
import sqlalchemy as sa

from erlen import Erlen, abort, stream_with_context, sync_websocket, websocket

from .shop import Book, db, make_url, open_shop

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Interrupt(BaseException):
    """Something that is not an error, such as a worker's end."""


def add_views(app: Erlen) -> None:
    """Add views that all have a connection when they end, each in its own way."""

    def read() -> int:
        return len(db.session.scalars(db.select(Book).limit(3)).all())

    @app.get("/fine", endpoint="fine")
    @app.get("/fine/fiber", endpoint="fine_fiber", cooperative=True)
    def fine() -> str:
        return str(read())

    @app.get("/error", endpoint="error")
    @app.get("/error/fiber", endpoint="error_fiber", cooperative=True)
    def error() -> str:
        raise ValueError(read())

    @app.get("/refused")
    def refused() -> str:
        db.session.add(Book(title="half"))
        db.session.flush()
        abort(409)

    @app.get("/interrupt")
    def interrupt() -> str:
        raise Interrupt(read())

    @app.get("/broken")
    def broken() -> str:
        db.session.execute(sa.text("SELECT nothing FROM nowhere"))
        return ""

    @app.get("/stream")
    def stream() -> t.Any:
        def parts() -> Iterator[str]:
            for _ in range(50):
                yield str(read())

        return app.response_class(stream_with_context(parts()))

    @app.get("/result")
    def result() -> t.Any:
        books = db.stream(db.select(Book).order_by(Book.id), size=2)
        return app.response_class(book.title for book in books)

    @app.get("/async")
    async def asynchronous() -> str:
        await db.async_session.scalars(db.select(Book))
        read()
        return "x"

    @app.get("/async/error")
    async def asynchronous_error() -> str:
        await db.async_session.scalars(db.select(Book))
        raise ValueError(read())

    @app.get("/async/slow")
    async def slow() -> str:
        await db.async_session.scalars(db.select(Book))
        read()
        await asyncio.sleep(60)
        return "x"

    @app.get("/async/stream")
    async def asynchronous_stream() -> t.Any:
        async def parts() -> AsyncIterator[str]:
            for _ in range(50):
                await db.async_session.scalars(db.select(Book))
                yield str(read())

        return app.response_class(stream_with_context(parts()))

    @app.websocket("/socket")
    async def socket() -> None:
        await websocket.accept()
        while True:
            asked = await websocket.receive()
            await db.async_session.scalars(db.select(Book))
            await websocket.send(str(read()))
            if asked == "fail":
                raise ValueError(asked)

    @app.websocket("/socket/sync")
    def synchronous_socket() -> None:
        for _ in range(3):
            asked = sync_websocket.receive()
            sync_websocket.send(str(read()))
            if asked == "interrupt":
                raise Interrupt(asked)


PATHS = (
    *("/fine", "/fine/fiber", "/error", "/error/fiber", "/refused", "/interrupt", "/broken"),
    *("/stream", "/result", "/async", "/async/error", "/async/slow", "/async/stream"),
)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def app(request: pytest.FixtureRequest, tmp_path: t.Any) -> Iterator[Erlen]:
    """An application with such views and some books."""
    pool = {"pool_size": 5, "max_overflow": 5, "pool_timeout": 30}
    url = make_url(request.param, "shop", tmp_path)
    with open_shop(url, SQLALCHEMY_ENGINE_OPTIONS=pool) as app:
        add_views(app)
        with app.app_context():
            db.session.add_all(Book(title=str(number)) for number in range(10))
            db.session.commit()
        yield app


def count_checked_out(app: Erlen) -> int:
    """Return how many connections of synchronous engines are in use."""
    with app.app_context():
        return sum(t.cast(t.Any, engine.pool).checkedout() for engine in db.engines.values())


def test_under_wsgi(app: Erlen) -> None:
    """Requests in threads end in all ways, streams are left early, and no connection is missing."""
    orders = [random.Random(seed).choices(PATHS, k=12) for seed in range(6)]
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def storm(order: list[str]) -> None:
        for number, path in enumerate(order):
            if path == "/async/slow":
                continue
            with contextlib.suppress(Interrupt):
                response = app.test_client().get(path, buffered=False)
                with contextlib.closing(response):
                    if number % 2:
                        next(iter(response.response), None)

    threads = [threading.Thread(target=storm, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert count_checked_out(app) == 0
    assert not t.cast(t.Any, db.session).registry.registry

    async def check() -> int:
        return int(t.cast(t.Any, db.async_engine.sync_engine.pool).checkedout())

    with app.app_context():
        assert app.ensure_sync(check)() == 0
        assert db.session.scalar(sa.select(sa.func.count(Book.id))) == 10


async def request(app: Erlen, path: str, leave_after: int | None) -> None:
    """Send a request as an ASGI server does, whose client may go away after some parts."""
    gone = asyncio.Event()
    parts = 0
    asked = False

    async def receive() -> t.Any:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: t.Any) -> None:
        nonlocal parts
        parts += 1
        if leave_after is not None and parts > leave_after:
            gone.set()
            raise OSError("The client went away.")

    scope: t.Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 80),
    }
    with contextlib.suppress(Exception, Interrupt):
        await app(scope, receive, send)


def test_under_asgi(app: Erlen) -> None:
    """Requests on a loop end in all ways, tasks are cancelled, and no connection is missing."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    chance = random.Random(7)

    async def one(path: str) -> None:
        task = asyncio.ensure_future(request(app, path, chance.choice((None, 0, 1, 2))))
        if path == "/async/slow" or chance.random() < 0.3:
            await asyncio.sleep(chance.random() / 50)
            task.cancel()
        await asyncio.wait([task])

    async def main() -> int:
        with app.app_context():
            pool: t.Any = db.async_engine.sync_engine.pool
        for _ in range(4):
            await asyncio.gather(*(one(path) for path in chance.choices(PATHS, k=20)))
        # What a cancelled request left to the loop.
        for _ in range(500):
            if not pool.checkedout():
                break
            await asyncio.sleep(0.01)
        return int(pool.checkedout())

    assert asyncio.run(main()) == 0
    assert count_checked_out(app) == 0


async def converse(app: Erlen, path: str, messages: list[str]) -> None:
    """Open a WebSocket as an ASGI server does, send messages, then go away."""
    incoming = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": text} for text in messages),
        {"type": "websocket.disconnect", "code": 1006},
    ]

    async def receive() -> t.Any:
        await asyncio.sleep(0)
        return incoming.pop(0) if len(incoming) > 1 else incoming[0]

    async def send(message: t.Any) -> None:
        await asyncio.sleep(0)

    scope: t.Any = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 80),
        "subprotocols": [],
    }
    with contextlib.suppress(Exception, Interrupt):
        await app(scope, receive, send)


def test_websockets(app: Erlen) -> None:
    """WebSockets end in all ways: at their end, by errors, left, cancelled."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    chance = random.Random(11)
    kinds = [[], ["a"], ["a", "b", "c", "d"], ["a", "fail", "b"], ["interrupt", "a"]]

    async def one() -> None:
        path = chance.choice(("/socket", "/socket/sync"))
        task = asyncio.ensure_future(converse(app, path, chance.choice(kinds)))
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() / 50)
            task.cancel()
        await asyncio.wait([task])

    async def main() -> int:
        with app.app_context():
            pool: t.Any = db.async_engine.sync_engine.pool
        for _ in range(4):
            await asyncio.gather(*(one() for _ in range(10)))
        for _ in range(500):
            if not pool.checkedout():
                break
            await asyncio.sleep(0.01)
        return int(pool.checkedout())

    assert asyncio.run(main()) == 0
    assert count_checked_out(app) == 0
    assert not t.cast(t.Any, db.session).registry.registry


def test_no_session_without_a_query(sqlite_shop: Erlen) -> None:
    """A request that does not use the database makes no session."""
    sqlite_shop.add_url_rule("/", view_func=lambda: "Hello", endpoint="hello")
    made: list[object] = []
    factory = db.session.session_factory
    sa.event.listen(factory.class_, "after_begin", lambda *args: made.append(args))
    sqlite_shop.test_client().get("/")
    assert made == []
    assert not t.cast(t.Any, db.session).registry.registry


def test_contexts_have_sessions_of_their_own(sqlite_shop: Erlen) -> None:
    """A context within another has another session, and the outer one keeps its own."""
    with sqlite_shop.app_context():
        outer = db.session()
        with sqlite_shop.app_context():
            assert db.session() is not outer
        assert db.session() is outer


def test_custom_scopes(sqlite_shop: Erlen) -> None:
    """With a scope of its own, a session lives as long as that says."""
    scopes = ["a"]
    own = type(db)(model_class=db.Model, session_options={"scopefunc": lambda: scopes[-1]})
    app = Erlen("scopes")
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlite_shop.config["SQLALCHEMY_DATABASE_URI"]
    own.init_app(app)
    with app.app_context():
        first = own.session()
        own.session.scalars(own.select(Book)).all()
        scopes.append("b")
        assert own.session() is not first
    scopes.append("a")
    with app.app_context():
        assert own.session() is first
        for engine in own.engines.values():
            own.session.remove()
            engine.dispose()
