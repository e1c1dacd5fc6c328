"""What a login does to the session: a new one at login and logout, bound to where it is used."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from tests.login.people import cookie, forget_session, make_app, who
from werkzeug.middleware.proxy_fix import ProxyFix

from erlen import Erlen, Flask, session
from erlen.forms import CSRFProtect, generate_csrf
from erlen.login import AnonymousUserMixin, session_protected
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface

HERE = {"User-Agent": "Browser", "X-Forwarded-For": "10.0.0.1"}
ELSEWHERE = {"User-Agent": "Another", "X-Forwarded-For": "10.0.0.1"}


class NotedSession(SecureCookieSession):
    """A session that notes what becomes of its identifier and its owner."""

    notes: t.ClassVar[list[t.Any]] = []

    def renew(self) -> None:
        self.notes.append("renewed")
        super().renew()

    @property
    def owner(self) -> str | None:
        return super().owner

    @owner.setter
    def owner(self, value: str | None) -> None:
        self.notes.append(value)


class NotedSessions(SecureCookieSessionInterface):
    session_class = NotedSession


def noted(app: Flask) -> list[t.Any]:
    """Give an application sessions that note; return the list of notes, which is empty."""
    app.session_interface = NotedSessions()
    NotedSession.notes.clear()
    return NotedSession.notes


def test_renewed_and_owned(tmp_path: Path) -> None:
    """Login, confirmation and logout renew the session; it says whose it is."""
    app, _, _ = make_app(tmp_path)
    notes = noted(app)
    client = app.test_client()
    client.post("/in/1?remember")
    client.get("/confirm")
    client.post("/out")
    assert notes == ["renewed", "1", "renewed", "renewed", None]


def test_renewed_when_remembered(tmp_path: Path) -> None:
    """A user who comes back by the cookie gets a new session too."""
    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    client.post("/in/1?remember")
    forget_session(client)
    notes = noted(app)
    assert who(client) == "Ada"
    assert notes == ["renewed", "1"]


def test_flask_keeps_the_session(tmp_path: Path) -> None:
    """With Flask's defaults a login leaves the session as it is, as Flask-Login does."""
    app, _, _ = make_app(tmp_path, Flask)
    notes = noted(app)
    client = app.test_client()
    client.post("/in/1?remember")
    client.post("/out")
    assert notes == []


def test_token_of_forms_is_renewed(tmp_path: Path) -> None:
    """A token for forms that was known before the login is worth nothing after it."""
    app, _, _ = make_app(tmp_path)
    csrf = CSRFProtect(app)
    csrf.exempt("tests.login.people.log_in")

    @app.get("/token")
    def token() -> str:
        generate_csrf()
        return t.cast(str, session["csrf_token"])

    client = app.test_client()
    before = client.get("/token").text
    client.post("/in/1", headers={"Sec-Fetch-Site": "same-origin"})
    assert client.get("/token").text != before


def test_another_users_session_is_not_inherited(tmp_path: Path) -> None:
    """Who logs in over somebody else gets nothing of theirs; an anonymous visitor's is kept."""
    app, _, _ = make_app(tmp_path)
    client = app.test_client()

    @app.post("/cart")
    def cart() -> str:
        session["cart"] = "apples"
        return ""

    client.post("/cart")
    client.post("/in/1")
    assert "apples" in client.get("/session").text
    client.post("/in/2")
    assert "apples" not in client.get("/session").text
    assert who(client) == "Bob"


@pytest.mark.parametrize("kind", [Flask, Erlen])
@pytest.mark.parametrize(
    ("mode", "name", "secret"),
    [(None, "Ada", 200), ("basic", "Ada", 401), ("strong", "nobody", 401)],
)
def test_session_used_elsewhere(
    tmp_path: Path, kind: type[Flask], mode: str | None, name: str, secret: int
) -> None:
    """A session in another browser is ended, is not fresh, or is as good as ever."""
    app, _, _ = make_app(tmp_path, kind, SESSION_PROTECTION=mode)
    heard: list[Flask] = []
    client = app.test_client()
    client.post("/in/1?remember", headers=HERE)
    assert who(client, headers=HERE) == "Ada"
    with session_protected.connected_to(lambda sender: heard.append(sender), app):
        assert who(client, headers=ELSEWHERE) == name
        assert client.get("/secret", headers=ELSEWHERE).status_code == secret
    assert bool(heard) is (mode is not None)
    # Strong protection forgets the remembered login too.
    assert (cookie(client) is None) is (mode == "strong")


def test_remembered_users_keep_a_strongly_protected_session(tmp_path: Path) -> None:
    """Somebody who came back by the cookie is still there at the next request."""
    app, _, _ = make_app(tmp_path, SESSION_PROTECTION="strong")
    client = app.test_client()
    client.post("/in/1?remember", headers=HERE)
    forget_session(client)
    assert [who(client, headers=HERE) for _ in range(3)] == ["Ada"] * 3


def test_strong_protection_leaves_visitors_alone(tmp_path: Path) -> None:
    """The session of somebody who is not logged in has nothing to protect, and keeps all."""
    app, _, _ = make_app(tmp_path, SESSION_PROTECTION="strong")
    client = app.test_client()
    with client.session_transaction() as values:
        values["cart"] = "apples"
    assert who(client, headers=ELSEWHERE) == "nobody"
    assert client.get("/session").json == {"cart": "apples"}


def test_forwarded_addresses_are_not_believed(tmp_path: Path) -> None:
    """What a client writes into ``X-Forwarded-For`` is no address, but for Flask-Login's users."""
    forged = HERE | {"X-Forwarded-For": "192.0.2.7"}
    for kind, name in ((Erlen, "Ada"), (Flask, "nobody")):
        app, _, _ = make_app(tmp_path, kind, SESSION_PROTECTION="strong")
        client = app.test_client()
        client.post("/in/1", headers=HERE)
        assert who(client, headers=forged) == name


def test_addresses_from_a_named_proxy(tmp_path: Path) -> None:
    """Where a proxy is named, the address that it says is the client's."""
    app, _, _ = make_app(tmp_path, SESSION_PROTECTION="strong")
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    client = app.test_client()
    client.post("/in/1", headers=HERE)
    # What the client wrote itself comes before what the proxy adds.
    assert who(client, headers=HERE | {"X-Forwarded-For": "6.6.6.6, 10.0.0.1"}) == "Ada"
    assert who(client, headers=HERE | {"X-Forwarded-For": "10.0.0.1, 6.6.6.6"}) == "nobody"


def test_sessions_of_flask_login_go_on(tmp_path: Path) -> None:
    """With Flask's defaults the identifier in the session is the one that Flask-Login makes."""
    app, _, _ = make_app(tmp_path, Flask)
    client = app.test_client()
    client.post("/in/1", headers={"User-Agent": "Mozilla/5.0 (é)"})
    with client.session_transaction() as values:
        identifier = values["_id"]
    assert identifier == (
        "105c7356787e8e10c7352c2a7c94b8cfda871d3592c29839d32a90377b0048f4"
        "87cf8c3bb562f1fd8bf743ecf3e604a8e666c32670ea23a2c796eee21ee3d4ae"
    )


def test_anonymous_users_of_ones_own(tmp_path: Path) -> None:
    """An application may say who nobody is."""

    class Guest(AnonymousUserMixin):
        name = "guest"

    app, login, _ = make_app(tmp_path)
    login.anonymous_user = Guest
    app.add_url_rule("/guest", "guest", lambda: login.current_user.name)
    assert app.test_client().get("/guest").text == "guest"


@pytest.mark.parametrize("backend", ["memory", "encrypted"])
def test_kept_sessions(tmp_path: Path, backend: str) -> None:
    """With other sessions, a cookie from before the login or the logout is nobody's afterwards."""
    app, _, _ = make_app(tmp_path, SESSION_BACKEND=backend)
    client, planted = app.test_client(), app.test_client()
    with client.session_transaction() as values:
        values["cart"] = "apples"
    known = cookie(client, "session") or ""
    client.post("/in/1")
    assert cookie(client, "session") != known
    planted.set_cookie("session", known)
    assert who(planted) == "nobody"
    assert who(client) == "Ada"
    if backend == "memory":
        with app.test_request_context():
            interface = app.session_interface
            assert [record.owner for record in interface.sessions_of(app, "1")] == ["1"]
        copied = cookie(client, "session") or ""
        client.post("/out")
        planted.set_cookie("session", copied)
        assert who(planted) == "nobody"


def test_ended_elsewhere(tmp_path: Path) -> None:
    """A session that its user ends from another device is over at once."""
    app, _, _ = make_app(tmp_path, SESSION_BACKEND="memory")

    @app.post("/others")
    def end_others() -> str:
        return str(app.session_interface.revoke_all(app, "1", except_current=True))

    phone, desk = app.test_client(), app.test_client()
    for client in (phone, desk):
        client.post("/in/1")
    assert desk.post("/others").text == "1"
    assert [who(phone), who(desk)] == ["nobody", "Ada"]
