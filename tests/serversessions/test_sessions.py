"""Sessions on the server, as a browser and a view see them, on every store."""

from __future__ import annotations

import time
import typing as t

import pytest
from tests.serversessions.bench import Bench, store_of, token_of

from erlen import Erlen, session
from erlen.serversessions import SessionValueError
from erlen.serversessions.record import key_of

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


class Clock:
    """The time that sessions see."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._time = time.time

    def time(self) -> float:
        return self._time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that can be put forward."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


def key_in(client: FlaskClient) -> str:
    """Return the key that a client's cookie leads to."""
    key = key_of(token_of(client) or "")
    assert key is not None
    return key


def devices(client: FlaskClient) -> list[dict[str, t.Any]]:
    """Return the list of sessions that a client is shown."""
    return t.cast("list[dict[str, t.Any]]", client.get("/devices").json)


def count_stored(app: Erlen) -> int:
    """Return how many sessions the store in memory has."""
    return len(t.cast(t.Any, store_of(app))._sessions)


# --- What is kept -------------------------------------------------------------------------------


def test_a_session_is_kept(bench: Bench) -> None:
    """What one request puts in, the next one finds, in another worker and as a coroutine too."""
    client = bench.client()
    client.get("/put/a/1")
    client.get("/async/put/b/2")
    assert client.get("/").json == {"a": "1", "b": "2"}
    assert bench.other(client).get("/async/").json == {"a": "1", "b": "2"}


def test_sessions_on_an_event_loop(bench: Bench) -> None:
    """A coroutine on an event loop has the session, and waits for the store without stopping it."""
    app = bench.app()
    client = app.test_client(gateway="asgi")
    client.get("/async/put/a/1")
    client.get("/async/append/x")
    client.get("/async/login/ann")
    assert client.get("/async/").json == {"a": "1", "items": ["x"], "user": "ann"}
    assert client.get("/async/revoke-others").text == "0"
    assert client.get("/").json == {"a": "1", "items": ["x"], "user": "ann"}


def test_only_an_identifier_is_in_the_cookie(bench: Bench) -> None:
    """The cookie has 256 random bits, the store a digest of them: neither tells the other."""
    app = bench.app()
    client = app.test_client()
    response = client.get("/put/word/hippopotamus")
    token = token_of(client)
    assert token is not None
    assert len(token) == 43
    assert "hippopotamus" not in response.headers["Set-Cookie"]
    stored = store_of(app).load(key_in(client))
    assert stored is not None
    assert token not in repr(stored)
    # What is in the store is no cookie.
    thief = app.test_client()
    thief.set_cookie("session", stored.key)
    assert thief.get("/").json == {}


def test_changes_inside_of_values_are_noticed(bench: Bench) -> None:
    """A list in the session can be added to, and nothing else need be said."""
    client = bench.client()
    client.get("/append/a")
    client.get("/append/b")
    assert client.get("/").json == {"items": ["a", "b"]}


def test_types_come_back(memory: Bench) -> None:
    """A session has the types that one in a cookie can have."""
    from datetime import UTC, datetime
    from uuid import UUID

    from markupsafe import Markup

    values = {
        "tuple": (1, 2),
        "bytes": b"\0\xff",
        "uuid": UUID(int=7),
        "date": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "markup": Markup("<b>"),
        "nested": {"list": [1.5, None, True, {"a": ()}]},
    }
    app = memory.app()
    found: dict[str, t.Any] = {}

    @app.get("/store")
    def store() -> str:
        session.update(values)
        return "kept"

    @app.get("/load")
    def load() -> str:
        found.update(session)
        return "found"

    client = app.test_client()
    client.get("/store")
    client.get("/load")
    assert found == values
    assert type(found["markup"]) is Markup


def test_what_cannot_be_stored_is_named(memory: Bench) -> None:
    """A value of an unknown type is an error that names its key, and no pickle is tried."""
    app = memory.app()

    @app.get("/store")
    def store() -> str:
        session["fine"] = 1
        session["strange"] = object()
        return "kept"

    with pytest.raises(SessionValueError, match=r"session\['strange'\] cannot be stored"):
        app.test_client().get("/store")


def test_an_untouched_session_costs_nothing(memory: Bench) -> None:
    """Who only looks gets no cookie and no record; a view that does not look asks no store."""
    app = memory.app()
    client = app.test_client()
    for path in ("/untouched", "/", "/take/nothing", "/async/"):
        assert "Set-Cookie" not in client.get(path).headers
    assert count_stored(app) == 0
    client.get("/put/a/1")
    store = t.cast(t.Any, store_of(app))
    store.load = store.save = None  # would raise
    assert client.get("/untouched").status_code == 200


def test_reading_does_not_write(memory: Bench) -> None:
    """A session that is only read is not stored, and its cookie is not set again."""
    app = memory.app()
    client = app.test_client()
    client.get("/append/a")
    store = t.cast(t.Any, store_of(app))
    store.save = None  # would raise
    response = client.get("/")
    assert response.json == {"items": ["a"]}
    assert "Set-Cookie" not in response.headers
    assert response.headers["Vary"] == "Cookie"


def test_a_response_with_a_cookie_is_private(memory: Bench) -> None:
    """A shared cache must not hand the identifier to others."""
    response = memory.client().get("/put/a/1")
    assert response.headers["Cache-Control"] == "private"
    assert response.headers["Vary"] == "Cookie"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_session_that_is_emptied_ends(bench: Bench) -> None:
    """Clearing a session deletes the record and the cookie; the old cookie leads nowhere."""
    client = bench.client()
    client.get("/login/ann")
    old = token_of(client) or ""
    client.get("/logout")
    assert token_of(client) is None
    client.set_cookie("session", old)
    assert client.get("/").json == {}


# --- Identifiers --------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 42, 43, 44, 64, 4000])
def test_a_guessed_identifier_makes_no_session(memory: Bench, length: int) -> None:
    """A made-up identifier opens an empty session that is nowhere stored, and is never adopted."""
    app = memory.app()
    client = app.test_client()
    client.set_cookie("session", "A" * length)
    response = client.get("/")
    assert response.json == {}
    assert "Set-Cookie" not in response.headers
    assert count_stored(app) == 0
    client.get("/put/a/1")
    assert token_of(client) != "A" * length
    assert count_stored(app) == 1


def test_a_login_renews_the_identifier(bench: Bench) -> None:
    """Whoever planted or knew the identifier before a login has nothing after it."""
    client = bench.client()
    client.get("/put/cart/full")
    attacker = bench.other(client)
    client.get("/login/ann")
    assert token_of(client) != token_of(attacker)
    assert client.get("/").json == {"cart": "full", "user": "ann"}
    assert attacker.get("/").json == {}
    assert attacker.get("/put/user/mallory").status_code == 200
    assert attacker.get("/").json == {}
    assert client.get("/").json == {"cart": "full", "user": "ann"}


def test_clearing_renews_the_identifier(bench: Bench) -> None:
    """The old way to log in, clearing the session and putting the user in, is no fixation."""
    app = bench.app()

    @app.get("/log-in")
    def log_in() -> str:
        session.clear()
        session["user"] = "ann"
        return "welcome"

    client = app.test_client()
    client.get("/login/mallory")
    attacker = app.test_client()
    attacker.set_cookie("session", token_of(client) or "")
    client.get("/log-in")
    assert token_of(client) != token_of(attacker)
    assert attacker.get("/").json == {}
    assert client.get("/").json == {"user": "ann"}
    assert app.session_interface.sessions_of(app, "mallory") == []


def test_a_late_request_does_not_log_out(memory: Bench) -> None:
    """The answer to a request that was sent with the old cookie does not replace the new one."""
    app = memory.app()
    client = app.test_client()
    client.get("/put/a/1")
    old = token_of(client) or ""
    client.get("/login/ann")
    late = app.test_client()
    late.set_cookie("session", old)
    assert "Set-Cookie" not in late.get("/put/b/2").headers


# --- The ends of sessions -----------------------------------------------------------------------


def test_an_idle_session_ends(memory: Bench, clock: Clock) -> None:
    """A session that is not used for SESSION_IDLE_TIMEOUT is empty; one in use goes on."""
    client = memory.client(SESSION_IDLE_TIMEOUT=1000)
    client.get("/put/a/1")
    for _ in range(5):
        clock.ahead += 800
        assert client.get("/").json == {"a": "1"}
    clock.ahead += 1001
    assert client.get("/").json == {}


def test_the_usual_lifetime_counts_where_no_other_is_set(memory: Bench, clock: Clock) -> None:
    """Without SESSION_IDLE_TIMEOUT it is PERMANENT_SESSION_LIFETIME."""
    client = memory.client(PERMANENT_SESSION_LIFETIME=500)
    client.get("/put/a/1")
    clock.ahead += 499
    assert client.get("/").json == {"a": "1"}
    clock.ahead += 501
    assert client.get("/").json == {}


def test_a_session_ends_however_much_it_is_used(memory: Bench, clock: Clock) -> None:
    """SESSION_LIFETIME counts from the beginning; renewing does not lengthen it, a login does."""
    client = memory.client(SESSION_LIFETIME=2500, SESSION_IDLE_TIMEOUT=1000)
    client.get("/login/ann")
    for _ in range(3):
        clock.ahead += 800
        assert client.get("/login/ann").status_code == 200
        assert client.get("/").json == {"user": "ann"}
    clock.ahead += 200
    assert client.get("/").json == {}
    client.get("/put/a/1")
    clock.ahead += 900
    client.get("/put/a/2")
    clock.ahead += 900
    client.get("/login/ann")
    clock.ahead += 900
    assert client.get("/").json == {"a": "2", "user": "ann"}


def test_use_is_noted_at_intervals(memory: Bench, clock: Clock) -> None:
    """Reading a session writes once in SESSION_TOUCH_INTERVAL, to say that it is in use."""
    app = memory.app(SESSION_TOUCH_INTERVAL=300)
    client = app.test_client()
    client.get("/put/a/1")
    store = t.cast(t.Any, store_of(app))
    saves: list[t.Any] = []
    save = store.save

    def count(*args: t.Any) -> bool:
        saves.append(args)
        return bool(save(*args))

    store.save = count
    for _ in range(6):
        clock.ahead += 100
        client.get("/")
    assert len(saves) == 2


def test_a_permanent_session_has_a_cookie_with_an_end(memory: Bench, clock: Clock) -> None:
    """The cookie ends with the session, and moves with it at the same interval."""
    client = memory.client()
    client.get("/put/a/1")
    assert "Expires" in client.get("/permanent").headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/").headers
    clock.ahead += 400
    assert "Expires" in client.get("/").headers["Set-Cookie"]


def test_lower_lifetimes_count_at_once(memory: Bench, clock: Clock) -> None:
    """A lifetime that is lowered ends sessions that began under the higher one."""
    app = memory.app(SESSION_LIFETIME=10_000)
    client = app.test_client()
    client.get("/put/a/1")
    clock.ahead += 2000
    app.config["SESSION_LIFETIME"] = 1000
    assert client.get("/").json == {}


def test_ended_sessions_go_by_themselves(memory: Bench, clock: Clock) -> None:
    """Each hundredth new session cleans up some that have ended."""
    app = memory.app()
    for _ in range(60):
        app.test_client().get("/put/a/1")
    clock.ahead += 40 * 24 * 3600
    for _ in range(40):
        app.test_client().get("/put/a/1")
    assert count_stored(app) == 40


# --- Lists of sessions --------------------------------------------------------------------------


def test_a_user_sees_their_sessions(bench: Bench) -> None:
    """The list names devices, says which session is the current one, and has no secrets."""
    app = bench.app()
    user = f"ann {bench.prefix}"
    desk, phone = app.test_client(), app.test_client()
    desk.get(f"/login/{user}", headers={"User-Agent": FIREFOX})
    phone.get(f"/login/{user}", headers={"User-Agent": IPHONE})
    app.test_client().get("/login/somebody else")
    listed = devices(desk)
    found = {one["device"]: one["current"] for one in listed}
    assert found == {"Firefox on Linux": True, "Safari on iPhone": False}
    assert {one["address"] for one in listed} == {"127.0.0.1"}
    assert str(token_of(desk)) not in str(listed)


def test_one_session_is_revoked(bench: Bench) -> None:
    """A revoked session is empty with its next request; nobody can revoke another user's."""
    app = bench.app()
    user = f"ben {bench.prefix}"
    desk, phone, other = app.test_client(), app.test_client(), app.test_client()
    for client in (desk, phone):
        client.get(f"/login/{user}")
    other.get("/login/mallory")
    phone_id = next(one["id"] for one in devices(desk) if not one["current"])
    assert other.get("/revoke", query_string={"id": phone_id}).text == "False"
    assert phone.get("/").json == {"user": user}
    assert desk.get("/revoke", query_string={"id": phone_id}).text == "True"
    assert phone.get("/").json == {}
    assert desk.get("/").json == {"user": user}
    assert [one["current"] for one in devices(desk)] == [True]


def test_all_others_are_revoked(bench: Bench) -> None:
    """After a password was changed, only the session that changed it goes on."""
    app = bench.app()
    user = f"cleo {bench.prefix}"
    clients = [app.test_client() for _ in range(4)]
    for client in clients:
        client.get(f"/login/{user}")
    assert clients[0].get("/revoke-others").text == "3"
    assert [client.get("/").json for client in clients] == [{"user": user}, {}, {}, {}]


def test_all_are_revoked_from_outside(bench: Bench) -> None:
    """A script ends all sessions of a user."""
    app = bench.app()
    user = f"dora {bench.prefix}"
    client = app.test_client()
    client.get(f"/login/{user}")
    assert app.session_interface.revoke_all(app, user) == 1
    assert app.session_interface.sessions_of(app, user) == []
    assert client.get("/").json == {}


def test_records_have_times(memory: Bench, clock: Clock) -> None:
    """A record says when the session began and when it was last used, in UTC."""
    app = memory.app()
    client = app.test_client()
    client.get("/login/ann")
    clock.ahead += 1000
    client.get("/")
    (record,) = app.session_interface.sessions_of(app, "ann")
    assert round((record.last_seen - record.created).total_seconds()) == 1000
    assert record.created.tzinfo is not None


def test_cookies_keep_no_sessions() -> None:
    """The signed cookie answers the same questions: nothing is kept."""
    app = Erlen("cookies")
    assert app.session_interface.keeps_sessions is False
    assert app.session_interface.sessions_of(app, "ann") == []
    assert app.session_interface.revoke(app, "ann", "x") is False
    assert app.session_interface.revoke_all(app, "ann") == 0
    assert app.session_interface.prune(app) == 0


def test_no_pickle_is_imported() -> None:
    """None of the modules knows pickle."""
    from pathlib import Path

    import erlen.serversessions

    (folder,) = erlen.serversessions.__path__
    assert [path for path in Path(folder).glob("*.py") if "pickle" in path.read_text()] == []


# --- Elsewhere ----------------------------------------------------------------------------------


def test_tests_can_change_a_session(bench: Bench) -> None:
    """The test client opens a session and saves it, as it does one in a cookie."""
    client = bench.client()
    with client.session_transaction() as opened:
        opened["a"] = "1"
        opened.owner = f"ann {bench.prefix}"
    assert client.get("/").json == {"a": "1"}
    with client.session_transaction() as opened:
        assert opened.owner == f"ann {bench.prefix}"


def test_messages_are_flashed(bench: Bench) -> None:
    """A message is shown once."""
    from erlen import flash, get_flashed_messages

    app = bench.app()

    @app.get("/flash")
    def put_message() -> str:
        flash("Saved.")
        return "done"

    app.add_url_rule("/show", "show_messages", lambda: get_flashed_messages())
    client = app.test_client()
    client.get("/flash")
    assert [client.get("/show").json for _ in range(2)] == [["Saved."], []]


def test_a_task_of_ones_own_is_told_what_to_do(files: Bench) -> None:
    """A task on the event loop cannot wait for the store; the error says what can be done."""
    import asyncio

    app = files.app()

    @app.get("/task")
    async def task() -> str:
        async def read() -> str:
            return str(session.get("a"))

        return await asyncio.create_task(read())

    client = app.test_client(gateway="asgi")
    client.get("/async/put/a/1")
    with pytest.raises(RuntimeError, match="In a task of your own"):
        client.get("/task")


# --- WebSockets ---------------------------------------------------------------------------------


def test_websockets_have_the_session(bench: Bench) -> None:
    """A WebSocket reads the session, and what it puts in while it is open is kept."""
    app = bench.app()

    @app.websocket("/socket")
    async def socket() -> None:
        from erlen import websocket

        await websocket.accept()
        while True:
            key = str(await websocket.receive())
            await websocket.send(session.get(key, "nothing"))
            session[key] = "seen"

    client = app.test_client()
    client.get("/put/a/1")
    with client.websocket("/socket") as connection:
        connection.send("a")
        assert connection.receive() == "1"
        connection.send("b")
        assert connection.receive() == "nothing"
    deadline = time.monotonic() + 30
    while client.get("/").json != {"a": "seen", "b": "seen"} and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.get("/").json == {"a": "seen", "b": "seen"}


def test_what_a_client_calls_itself_is_kept_in_ascii(memory: Bench) -> None:
    """Letters that are not printable ASCII do not reach the store; the others stay."""
    app = memory.app()
    client = app.test_client()
    client.get("/login/ann", headers={"User-Agent": "Tel\u00e9phone\t1"})
    (record,) = app.session_interface.sessions_of(app, "ann")
    assert record.user_agent == "Tel?phone?1"
