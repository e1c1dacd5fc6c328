"""Requests of one session that run at the same time."""

from __future__ import annotations

import asyncio
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.serversessions.bench import Bench, store_of, token_of
from werkzeug.test import create_environ

from erlen import session
from erlen.serversessions import redis as store_in_redis
from erlen.serversessions import waiting
from erlen.serversessions.merging import merge

if t.TYPE_CHECKING:
    from erlen import Erlen
    from erlen.testing import FlaskClient

WRITERS = 8


def meeting_view(app: Erlen, parties: int) -> None:
    """Add a view that opens the session, waits for the others, and only then changes it."""
    barrier = threading.Barrier(parties, timeout=60)

    def meet(action: str, value: str) -> str:
        session.get("anything")
        barrier.wait()
        view = app.view_functions[action]
        t.cast(t.Any, view)(**({"key": value, "value": value} if action == "put" else {}))
        return "done"

    def meet_append(value: str) -> str:
        session.get("anything")
        barrier.wait()
        session.setdefault("items", []).append(value)
        return "done"

    app.add_url_rule("/meet/append/<value>", view_func=meet_append)
    app.add_url_rule("/meet/<action>/<value>", view_func=meet)


def get_at_once(app: Erlen, client: FlaskClient, paths: list[str]) -> list[FlaskClient]:
    """Send requests with a client's cookie from a thread each; return the clients that did."""
    clients = []
    for _ in paths:
        other = app.test_client()
        other.set_cookie("session", token_of(client) or "")
        clients.append(other)
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = pool.map(lambda client, path: client.get(path), clients, paths)
        statuses = [answer.status_code for answer in answers]
    assert statuses == [200] * len(paths)
    return clients


def test_no_write_is_lost(bench: Bench) -> None:
    """Of many requests that put a key each into the same session at a time, all keys are kept."""
    app = bench.app()
    meeting_view(app, WRITERS)
    client = app.test_client()
    client.get("/put/first/1")
    get_at_once(app, client, [f"/meet/put/k{number}" for number in range(WRITERS)])
    expected = {f"k{number}": f"k{number}" for number in range(WRITERS)}
    assert client.get("/").json == {"first": "1", **expected}


def test_no_message_is_lost(bench: Bench) -> None:
    """Lists that several requests add to, as flashed messages are, get what each of them adds."""
    app = bench.app()
    meeting_view(app, WRITERS)
    client = app.test_client()
    client.get("/append/first")
    get_at_once(app, client, [f"/meet/append/m{number}" for number in range(WRITERS)])
    items = t.cast(t.Any, client.get("/").json)["items"]
    assert items[0] == "first"
    assert sorted(items[1:]) == sorted(f"m{number}" for number in range(WRITERS))


def test_a_revoked_session_does_not_come_back(bench: Bench) -> None:
    """A request that was under way when its session was revoked stores nothing."""
    app = bench.app()
    user = f"ann {bench.prefix}"
    opened, revoked = threading.Event(), threading.Event()

    @app.get("/slow/<key>")
    def slow(key: str) -> str:
        session.get("user")
        opened.set()
        assert revoked.wait(60)
        session[key] = "late"
        if key == "renew":
            session.renew()
        return "done"

    for key in ("plain", "renew"):
        opened.clear()
        revoked.clear()
        client = app.test_client()
        client.get(f"/login/{user}")
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(client.get, f"/slow/{key}")
            assert opened.wait(60)
            assert app.session_interface.revoke_all(app, user) == 1
            revoked.set()
            assert late.result().status_code == 200
        assert app.session_interface.sessions_of(app, user) == []
        assert client.get("/").json == {}


def test_a_renewal_takes_along_what_others_wrote(bench: Bench) -> None:
    """What a request puts in while another one logs in is in the session of the user."""
    app = bench.app()
    opened, written = threading.Event(), threading.Event()

    @app.get("/slow-login")
    def slow_login() -> str:
        session.get("user")
        opened.set()
        assert written.wait(60)
        session.renew()
        session.owner = session["user"] = f"ann {bench.prefix}"
        return "welcome"

    client = app.test_client()
    client.get("/put/a/1")
    other = app.test_client()
    other.set_cookie("session", token_of(client) or "")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(client.get, "/slow-login")
        assert opened.wait(60)
        other.get("/put/b/2")
        written.set()
        assert late.result().status_code == 200
    assert client.get("/").json == {"a": "1", "b": "2", "user": f"ann {bench.prefix}"}
    assert other.get("/").json == {}


def test_the_last_of_two_on_one_key_wins(memory: Bench) -> None:
    """Two requests that set the same key leave the value of the one that ends last."""
    app = memory.app()
    client = app.test_client()
    client.get("/put/a/1")
    interface = app.session_interface
    cookie = {"Cookie": f"session={token_of(client)}"}
    with app.test_request_context("/", headers=cookie) as first:
        with app.test_request_context("/", headers=cookie) as second:
            first.session["a"] = "first"
            first.session["mine"] = 1
            second.session["a"] = "second"
            interface.save_session(app, second.session, app.response_class())
        interface.save_session(app, first.session, app.response_class())
    assert client.get("/").json == {"a": "first", "mine": 1}


def test_changes_come_together() -> None:
    """Keys, dictionaries and lists that grow are merged; for all else the later one counts."""
    base = {"a": 1, "b": 2, "d": {"x": 1, "y": 1}, "l": [1], "s": [1, 2]}
    mine = {"a": 5, "d": {"x": 2, "y": 1}, "l": [1, 2], "s": [2, 1], "new": {"p": 1}, "t": True}
    theirs = {"a": 7, "b": 3, "d": {"x": 1, "z": 9}, "l": [1, 3], "s": [9], "new": {"q": 1}, "t": 1}
    assert merge(base, mine, theirs) == {
        "a": 5,
        "d": {"x": 2, "z": 9},
        "l": [1, 3, 2],
        "s": [2, 1],
        "new": {"p": 1, "q": 1},
        "t": True,
    }
    assert merge({"a": 1}, {"a": True}, {"a": 1})["a"] is True


def test_sessions_never_bleed(redis_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 threads and 1,000 tasks, synchronous and asynchronous views: each sees its own session."""
    # A busy machine may take long for so many, and here a 503 would prove nothing.
    for limit in ("socket_timeout", "socket_connect_timeout"):
        monkeypatch.setitem(store_in_redis._OPTIONS, limit, 60)
    for module in (store_in_redis, waiting):
        monkeypatch.setattr(module, "PATIENCE", 60)
    app = redis_bench.app(WORKER_THREADS=16)
    meet = threading.Barrier(64, timeout=120)

    @app.get("/swap/<value>")
    def swap(value: str) -> dict[str, t.Any]:
        before = session.get("value")
        session["value"] = value
        return {"before": before, "after": session["value"]}

    @app.get("/swap-async/<value>")
    async def swap_async(value: str) -> dict[str, t.Any]:
        before = session.get("value")
        await asyncio.sleep(0)
        session["value"] = value
        await asyncio.sleep(0)
        return {"before": before, "after": session["value"]}

    def one_visitor(number: int) -> None:
        client = app.test_client()
        meet.wait()
        before = None
        for step in range(4):
            path = "/swap-async" if (number + step) % 2 else "/swap"
            value = f"thread-{number}-{step}"
            assert client.get(f"{path}/{value}").json == {"before": before, "after": value}
            before = value

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(one_visitor, range(64)))

    async def all_tasks() -> None:
        await asyncio.gather(*(one_task(app, number) for number in range(1000)))

    asyncio.run(all_tasks())
    assert len(store_of(app).of_owner("nobody")) == 0


async def one_task(app: Erlen, number: int) -> None:
    """Be a visitor over ASGI, in a task."""
    cookie, before = "", "null"
    for step in range(2):
        path = "/swap-async" if (number + step) % 2 else "/swap"
        value = f"task-{number}-{step}"
        body, cookie = await request_by_asgi(app, f"{path}/{value}", cookie)
        assert f'"before":{before}' in body, (body, before)
        before = f'"{value}"'


async def request_by_asgi(app: Erlen, path: str, cookie: str) -> tuple[str, str]:
    """Send one request to an application; return the body and the cookie to send next."""
    environ = create_environ(path)
    headers = [(b"host", b"localhost"), (b"cookie", cookie.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": environ["PATH_INFO"],
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    body, done = b"", asyncio.Event()

    async def receive() -> dict[str, t.Any]:
        if done.is_set():
            await asyncio.sleep(3600)
        done.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: t.MutableMapping[str, t.Any]) -> None:
        nonlocal body, cookie
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            for name, value in message["headers"]:
                if name.lower() == b"set-cookie":
                    cookie = value.decode().partition(";")[0]
        else:
            body += message.get("body", b"")

    await app(scope, receive, send)
    return body.decode().replace(" ", ""), cookie
