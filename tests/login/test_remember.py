"""The cookie that remembers a login: what is in it, when it ends, and who is refused with one."""

from __future__ import annotations

import time
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from tests.login.people import KEY, Person, cookie, forget_session, make_app, who
from werkzeug.http import parse_date

from erlen import Erlen, Flask
from erlen.login import decode_cookie, encode_cookie, login_remembered, login_user

KINDS = pytest.mark.parametrize("kind", [Flask, Erlen])

# Written by Flask-Login 0.6.3 for the user "1" with KEY.
FLASK_LOGIN_COOKIE = (
    "1|b815dae458184d7f140101a37e045203f58eba2c3755eab27415589cffeb1e8b"
    "03fd82e31e7aba17b280e53091b7f43bfbec249382888cd2d35ddead591b97b1"
)


@KINDS
def test_login_outlives_the_session(tmp_path: Path, kind: type[Flask]) -> None:
    """A remembered user is back in a new session, with a login that is not fresh."""
    app, _, _ = make_app(tmp_path, kind)
    client = app.test_client()
    client.post("/in/1?remember")
    assert client.get("/secret").text == "of Ada"
    forget_session(client)
    assert who(client) == "Ada"
    assert client.get("/secret").status_code == 401
    client.get("/confirm")
    assert client.get("/secret").text == "of Ada"


@KINDS
def test_without_remember_nothing_is_remembered(tmp_path: Path, kind: type[Flask]) -> None:
    """A login that is not to be remembered ends with the session."""
    app, _, _ = make_app(tmp_path, kind)
    client = app.test_client()
    client.post("/in/1")
    assert cookie(client) is None
    forget_session(client)
    assert who(client) == "nobody"


def test_flask_login_reads_what_flask_writes(tmp_path: Path) -> None:
    """With Flask's defaults the cookie is Flask-Login's, byte for byte, both ways."""
    app, _, _ = make_app(tmp_path, Flask)
    client = app.test_client()
    client.post("/in/1?remember")
    assert cookie(client) == FLASK_LOGIN_COOKIE
    other = app.test_client()
    other.set_cookie("remember_token", FLASK_LOGIN_COOKIE)
    assert who(other) == "Ada"
    with app.app_context():
        assert encode_cookie("1") == FLASK_LOGIN_COOKIE
        assert decode_cookie(FLASK_LOGIN_COOKIE) == "1"


def test_tokens_only(tmp_path: Path) -> None:
    """Where tokens are asked for, Flask-Login's cookie, which never ends, is worth nothing."""
    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    client.set_cookie("remember_token", FLASK_LOGIN_COOKIE)
    assert who(client) == "nobody"


def test_attributes(tmp_path: Path) -> None:
    """The cookie of a new project is kept from scripts, foreign forms and plain connections."""
    app, _, _ = make_app(tmp_path)
    for base, secure in (("http://localhost", False), ("https://localhost", True)):
        response = app.test_client().post("/in/1?remember", base_url=base)
        (line,) = [
            line for line in response.headers.getlist("Set-Cookie") if line.startswith("remember")
        ]
        assert "HttpOnly" in line and "SameSite=Lax" in line and "Path=/" in line
        assert ("Secure" in line) is secure
        assert response.headers["Cache-Control"] == "private"


def test_all_settings(tmp_path: Path) -> None:
    """Each setting of the cookie is followed, when it is set and when it is deleted."""
    app, _, _ = make_app(
        tmp_path,
        REMEMBER_COOKIE_NAME="back",
        REMEMBER_COOKIE_DOMAIN="example.org",
        REMEMBER_COOKIE_PATH="/app",
        REMEMBER_COOKIE_SECURE=True,
        REMEMBER_COOKIE_HTTPONLY=False,
        REMEMBER_COOKIE_SAMESITE="Strict",
        REMEMBER_COOKIE_DURATION=timedelta(hours=2),
        APPLICATION_ROOT="/app",
    )
    client = app.test_client()
    base = "https://example.org/app"

    def line_of(response: t.Any) -> str:
        lines = response.headers.getlist("Set-Cookie")
        line: str = next(line for line in lines if line.startswith("back="))
        return line

    set_line = line_of(client.post("/in/1?remember", base_url=base))
    deleted = line_of(client.post("/out", base_url=base))
    for line in (set_line, deleted):
        for part in ("Domain=example.org", "Path=/app", "Secure", "SameSite=Strict"):
            assert part in line
        assert "HttpOnly" not in line
    assert "Max-Age=0" in deleted
    expires = parse_date(set_line.partition("Expires=")[2].partition(";")[0])
    assert expires is not None
    left = expires - datetime.now(UTC)
    assert timedelta(hours=1, minutes=58) < left <= timedelta(hours=2)


@pytest.mark.parametrize("duration", [7200, timedelta(hours=2)])
def test_duration_of_one_login(tmp_path: Path, duration: t.Any) -> None:
    """A duration may be seconds in the settings, and be given for one login."""
    app, _, people = make_app(tmp_path, REMEMBER_COOKIE_DURATION=duration)

    @app.post("/short")
    def short() -> str:
        return str(login_user(people["1"], remember=True, duration=timedelta(minutes=1)))

    client = app.test_client()
    client.post("/in/1?remember")
    found = client.get_cookie("remember_token")
    assert found is not None and found.expires is not None
    assert found.expires - datetime.now(UTC) > timedelta(hours=1)
    client.post("/short")
    found = client.get_cookie("remember_token")
    assert found is not None and found.expires is not None
    assert found.expires - datetime.now(UTC) <= timedelta(minutes=1)


def test_tokens_end_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is worth nothing after its time, whatever the browser has kept."""
    app, _, _ = make_app(tmp_path, REMEMBER_COOKIE_DURATION=timedelta(hours=1))
    client = app.test_client()
    long_ago = int(time.time()) - 3601
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda self: long_ago)
        client.post("/in/1?remember")
    other = app.test_client()
    other.set_cookie("remember_token", cookie(client) or "")
    assert who(other) == "nobody"


def test_copies_end_with_the_logout(tmp_path: Path) -> None:
    """After a logout a copy of the cookie is worth nothing, in another process neither."""
    app, _, _ = make_app(tmp_path)
    client, thief = app.test_client(), app.test_client()
    client.post("/in/1?remember")
    copy = cookie(client) or ""
    thief.set_cookie("remember_token", copy)
    assert who(thief) == "Ada"
    client.post("/out")
    assert cookie(client) is None
    forget_session(thief)
    assert who(thief) == "nobody"
    another, _, _ = make_app(tmp_path)
    thief = another.test_client()
    thief.set_cookie("remember_token", copy)
    assert who(thief) == "nobody"


def test_other_devices_stay_remembered(tmp_path: Path) -> None:
    """A logout ends the remembered login of its own device only."""
    app, _, _ = make_app(tmp_path)
    phone, desk = app.test_client(), app.test_client()
    for client in (phone, desk):
        client.post("/in/1?remember")
    phone.post("/out")
    forget_session(desk)
    assert who(desk) == "Ada"


def test_a_new_login_ends_the_one_before(tmp_path: Path) -> None:
    """Who logs in without being remembered is not succeeded by who was remembered before."""
    app, _, _ = make_app(tmp_path)
    client = app.test_client()
    client.post("/in/1?remember")
    copy = cookie(client) or ""
    client.post("/in/2")
    assert cookie(client) is None
    forget_session(client)
    assert who(client) == "nobody"
    client.set_cookie("remember_token", copy)
    assert who(client) == "nobody"


def test_entries_are_thrown_away(tmp_path: Path) -> None:
    """What a logout notes is kept for as long as the cookie would have been good."""
    from erlen.login.ended import EndedLoginsFolder

    folder = EndedLoginsFolder(tmp_path / "ended")
    now = time.time()
    folder.add("old", now - 1)
    folder._next_purge = 0
    folder.add("new", now + 1000)
    assert "new" in folder and "old" not in folder
    assert len(list((tmp_path / "ended").iterdir())) == 1


def test_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A logout works all the same, and the log says what is missing."""
    (tmp_path / "taken").write_text("a file")
    app, _, _ = make_app(tmp_path, REMEMBER_COOKIE_ENDED="taken")
    client = app.test_client()
    client.post("/in/1?remember")
    assert client.post("/out").status_code == 200
    assert "REMEMBER_COOKIE_ENDED" in caplog.text
    assert who(client) == "nobody"


def test_a_place_of_ones_own(tmp_path: Path) -> None:
    """An application may write ended logins down where it likes."""

    class Ended(dict[str, float]):
        def add(self, token: str, expires: float) -> None:
            self[token] = expires

        def __contains__(self, token: object) -> bool:
            return super().__contains__(token)

    app, login, _ = make_app(tmp_path)
    ended = login.ended_logins = Ended()
    client = app.test_client()
    client.post("/in/1?remember")
    copy = cookie(client) or ""
    client.post("/out")
    assert len(ended) == 1
    client.set_cookie("remember_token", copy)
    assert who(client) == "nobody"
    assert not (tmp_path / "ended-logins").exists()


def test_rotation_of_keys(tmp_path: Path) -> None:
    """Cookies made with an older key are good while that is a fallback."""
    for kind in (Flask, Erlen):
        app, _, _ = make_app(tmp_path, kind)
        client = app.test_client()
        client.post("/in/1?remember")
        forget_session(client)
        app.config.update(SECRET_KEY="another key", SECRET_KEY_FALLBACKS=[KEY])
        assert who(client) == "Ada"
        forget_session(client)
        app.config["SECRET_KEY_FALLBACKS"] = None
        assert who(client) == "nobody"


def test_end_moves_with_each_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``REMEMBER_COOKIE_REFRESH_EACH_REQUEST`` each request moves the cookie's end."""
    app, _, _ = make_app(tmp_path, REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True)
    client, other = app.test_client(), app.test_client()
    earlier = int(time.time()) - 1000
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda self: earlier)
        client.post("/in/1?remember")
    first = cookie(client)
    response = client.get("/")
    assert cookie(client) not in (None, first)
    assert response.headers["Vary"] == "Cookie"
    # It is the same login: the logout ends copies of the first cookie too.
    client.post("/out")
    client.set_cookie("remember_token", first or "")
    assert who(client) == "nobody"
    # Who did not ask to be remembered is not.
    other.post("/in/1")
    other.get("/")
    assert cookie(other) is None


def test_password_change_ends_what_is_remembered(tmp_path: Path) -> None:
    """A user's new stamp ends sessions and remembered logins, those of other users stay."""
    for kind in (Flask, Erlen):
        app, _, people = make_app(tmp_path, kind)
        session, remembered, another = (app.test_client() for _ in range(3))
        session.post("/in/3")
        remembered.post("/in/3?remember")
        another.post("/in/1")
        forget_session(remembered)
        copy = cookie(remembered) or ""
        assert who(session) == who(remembered) == "Cy"
        forget_session(remembered)
        people["3"].password = "second"
        assert who(session) == who(remembered) == "nobody"
        assert who(another) == "Ada"
        session.post("/in/3")
        assert who(session) == "Cy"
        assert "first" not in copy and "second" not in str(session.get("/session").json)


def test_users_may_end_what_is_remembered(tmp_path: Path) -> None:
    """A user may refuse cookies made before some time; sessions go on."""
    asked: list[float | None] = []

    class Cautious(Person):
        def accepts_remembered_login(self, made: float | None) -> bool:
            asked.append(made)
            return False

    app, _, people = make_app(tmp_path)
    people["4"] = Cautious("4", "Di")
    client = app.test_client()
    before = time.time()
    client.post("/in/4?remember")
    assert who(client) == "Di"
    forget_session(client)
    assert who(client) == "nobody"
    (made,) = asked
    assert made is not None and before - 1 <= made <= time.time()


def test_the_stamp_cannot_be_left_out(tmp_path: Path) -> None:
    """A session without a stamp, and Flask-Login's cookie, are no login of somebody who has one."""
    app, _, _ = make_app(tmp_path, Flask)
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "3"
    assert who(client) == "nobody"
    forget_session(client)
    with app.app_context():
        client.set_cookie("remember_token", encode_cookie("3"))
    assert who(client) == "nobody"


def test_login_remembered(tmp_path: Path) -> None:
    """``login_remembered`` tells whether the request has a good cookie."""
    app, _, _ = make_app(tmp_path)
    app.add_url_rule("/remembered", "remembered", lambda: str(login_remembered()))
    client = app.test_client()
    client.post("/in/1")
    assert client.get("/remembered").text == "False"
    client.post("/in/1?remember")
    assert client.get("/remembered").text == "True"
    client.post("/out")
    assert client.get("/remembered").text == "False"


def test_no_key(tmp_path: Path) -> None:
    """Without a secret key a cookie is worth nothing, and makes no error either."""
    for kind in (Flask, Erlen):
        app, _, _ = make_app(tmp_path, kind)
        client = app.test_client()
        client.post("/in/1?remember")
        forget_session(client)
        app.config["SECRET_KEY"] = None
        assert who(client) == "nobody"


def test_unknown_format(tmp_path: Path) -> None:
    """A format that there is not is refused, with the two that there are."""
    app, _, _ = make_app(tmp_path, REMEMBER_COOKIE_FORMAT="jwt")
    app.testing = True
    with pytest.raises(RuntimeError, match="'token' or to 'flask-login'"):
        app.test_client().post("/in/1?remember")
