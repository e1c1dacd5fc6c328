"""No request sees another's user: over threads, tasks and WebSockets, sync and async mixed."""

from __future__ import annotations

import asyncio
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.connection import Connection
from tests.login.people import KEY, Person

from erlen import Erlen, Flask, copy_current_request_context, websocket
from erlen.login import LoginManager, current_user, login_required, login_user, logout_user

THREADS = 64
TASKS = 1_000


def make_app(kind: type[Flask], asynchronous: bool) -> Flask:
    """Return an application whose users are as many as there are identifiers.

    :param kind: the class of the application.
    :param asynchronous: whether users are loaded by a coroutine.
    """
    app = kind(__name__)
    app.config.update(SECRET_KEY=KEY, WORKER_THREADS=THREADS)
    login = LoginManager[Person](app)

    def load(user_id: str) -> Person:
        return Person(user_id, f"user {user_id}")

    async def load_slowly(user_id: str) -> Person:
        await asyncio.sleep(0)
        return load(user_id)

    login.user_loader(load_slowly if asynchronous else load)

    @app.post("/in/<id>")
    def log_in(id: str) -> str:
        return str(login_user(load(id)))

    @app.get("/sync")
    @login_required
    def sync_view() -> str:
        before = current_user.name
        return f"{before}, {current_user.name}"

    @app.get("/async")
    @login_required
    async def async_view() -> str:
        before = current_user.name
        await asyncio.sleep(0)
        names = await asyncio.gather(*(name_later() for _ in range(2)))
        assert set(names) == {before}
        return f"{before}, {current_user.name}"

    @app.get("/out")
    async def out() -> str:
        name = current_user.name
        await asyncio.sleep(0)
        logout_user()
        return f"{name}, {current_user.is_anonymous}"

    @app.websocket("/socket")
    @login_required
    async def socket() -> None:
        while True:
            await websocket.receive()
            await websocket.send(current_user.name)

    return app


async def name_later() -> str:
    await asyncio.sleep(0)
    return t.cast(str, current_user.name)


@pytest.mark.parametrize("kind", [Flask, Erlen])
@pytest.mark.parametrize("gateway", ["wsgi", "asgi", "rsgi"])
def test_64_threads(kind: type[Flask], gateway: str) -> None:
    """Clients of as many threads, half of them with coroutines, see their own user only."""
    app = make_app(kind, asynchronous=True)
    meet = threading.Barrier(THREADS, timeout=60)

    def one_reader(number: int) -> list[str]:
        client = app.test_client(gateway=gateway)
        client.post(f"/in/{number}")
        meet.wait()
        path = "/sync" if number % 2 else "/async"
        return [client.get(path).text for _ in range(4)] + [client.get("/out").text]

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(one_reader, range(THREADS)))
    for number, answers in enumerate(results):
        name = f"user {number}"
        assert answers == [f"{name}, {name}"] * 4 + [f"{name}, True"]


@pytest.mark.parametrize("kind", [Flask, Erlen])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_1000_tasks(kind: type[Flask], asynchronous: bool) -> None:
    """As many requests at once on one loop see their own user only, and nobody sees none."""
    app = make_app(kind, asynchronous)
    cookies = []
    for number in range(20):
        client = app.test_client()
        client.post(f"/in/{number}")
        cookies.append(client.get_cookie("session"))

    async def one_request(number: int) -> tuple[int, bytes]:
        who = number % 21
        headers = []
        if who < 20:
            found = cookies[who]
            assert found is not None
            headers.append((b"cookie", f"session={found.value}".encode()))
        path = "/sync" if number % 2 else "/async"
        connection = await Connection(app, path, headers=headers).run()
        return connection.status, connection.body

    async def all_requests() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(one_request(number) for number in range(TASKS)))

    results = asyncio.run(all_requests())
    for number, (status, body) in enumerate(results):
        who = number % 21
        if who == 20:
            assert status == 401
        else:
            assert (status, body.decode()) == (200, f"user {who}, user {who}")


@pytest.mark.parametrize("kind", [Flask, Erlen])
def test_threads_of_a_request(kind: type[Flask]) -> None:
    """Threads that a view starts with a copy of its context see that request's user."""
    app = make_app(kind, asynchronous=False)

    @app.get("/threads")
    def threads() -> str:
        ask = copy_current_request_context(lambda: current_user.name)
        with ThreadPoolExecutor(2) as pool:
            return t.cast(str, pool.submit(ask).result())

    clients = [app.test_client() for _ in range(8)]
    for number, client in enumerate(clients):
        client.post(f"/in/{number}")
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda client: client.get("/threads").text, clients))
    assert names == [f"user {number}" for number in range(8)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_websockets(asynchronous: bool) -> None:
    """Open WebSockets have their own user each, to the end."""
    app = make_app(Erlen, asynchronous)
    clients = [app.test_client() for _ in range(5)]
    for number, client in enumerate(clients):
        client.post(f"/in/{number}")
    sockets = [client.websocket("/socket") for client in clients]
    opened = [socket.__enter__() for socket in sockets]
    for _ in range(2):
        for number, socket in enumerate(opened):
            socket.send("who am I?")
            assert socket.receive() == f"user {number}"
    for opener in sockets:
        opener.__exit__(None, None, None)


def test_a_failing_request_leaves_no_user(tmp_path: Path) -> None:
    """After a request that raised, the next one in the same thread is nobody's."""
    app = make_app(Erlen, asynchronous=False)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fail")
    @login_required
    def fail() -> t.NoReturn:
        raise OSError(current_user.name)

    client = app.test_client()
    client.post("/in/1")
    assert client.get("/fail").status_code == 500
    assert app.test_client().get("/sync").status_code == 401
    assert not current_user
