"""Sessions in an encrypted cookie, and those that go to the server when they must."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serversessions.bench import add_views, store_of, token_of
from tests.serversessions.test_sessions import count_stored, devices

from erlen import Erlen
from erlen.serversessions import EncryptedCookieSessionInterface

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient


def make_app(tmp_path: Path, **config: t.Any) -> Erlen:
    """Return an application with the views of the tests."""
    app = Erlen("cookies", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="the first key", **config)
    add_views(app)
    return app


def with_cookie(app: Erlen, value: str | None) -> FlaskClient:
    """Return a client that has a session cookie."""
    client = app.test_client()
    client.set_cookie("session", value or "")
    return client


def encrypted(tmp_path: Path, **config: t.Any) -> Erlen:
    """Return an application with encrypted sessions."""
    return make_app(tmp_path, SESSION_BACKEND="encrypted", **config)


def test_an_encrypted_session_is_kept(tmp_path: Path) -> None:
    """It is a session as in a signed cookie, but nobody reads it, and no two cookies are alike."""
    client = encrypted(tmp_path).test_client()
    client.get("/put/word/hippopotamus")
    first = token_of(client)
    client.get("/put/word/hippopotamus")
    assert client.get("/").json == {"word": "hippopotamus"}
    assert token_of(client) != first
    from base64 import urlsafe_b64decode

    assert b"hippo" not in urlsafe_b64decode((first or "") + "==")


def test_a_changed_cookie_is_no_session(tmp_path: Path) -> None:
    """Each single letter of the cookie counts, and so does its end."""
    app = encrypted(tmp_path)
    client = app.test_client()
    client.get("/put/a/1")
    value = token_of(client) or ""
    for place in range(0, len(value) - 1, 5):
        letter = "A" if value[place] != "A" else "B"
        changed = value[:place] + letter + value[place + 1 :]
        assert with_cookie(app, changed).get("/").json == {}
    for length in range(0, len(value) - 2, 7):
        assert with_cookie(app, value[:length]).get("/").json == {}
    assert with_cookie(app, value).get("/").json == {"a": "1"}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_nonsense_is_no_session(value: str) -> None:
    """Whatever a client sends as the cookie, the session is empty and nothing fails."""
    app = Erlen("nonsense")
    app.config.update(SECRET_KEY="k", SESSION_BACKEND="encrypted", TESTING=True)
    with app.test_request_context("/", environ_overrides={"HTTP_COOKIE": f"session={value}"}) as c:
        assert dict(c.session) == {}


def test_keys_change(tmp_path: Path) -> None:
    """Sessions of the keys in SECRET_KEY_FALLBACKS are read, and written with the new key."""
    client = encrypted(tmp_path).test_client()
    client.get("/put/a/1")
    new = encrypted(tmp_path, SECRET_KEY_FALLBACKS=["older", "the first key"])
    new.secret_key = "the second key"
    changed = with_cookie(new, token_of(client))
    assert changed.get("/").json == {"a": "1"}
    changed.get("/put/b/2")
    later = encrypted(tmp_path)
    later.secret_key = "the second key"
    assert with_cookie(later, token_of(changed)).get("/").json == {"a": "1", "b": "2"}
    assert with_cookie(later, token_of(client)).get("/").json == {}


def test_a_cookie_counts_under_its_own_name(tmp_path: Path) -> None:
    """What was encrypted for one cookie is not accepted as another one with the same key."""
    client = encrypted(tmp_path).test_client()
    client.get("/put/a/1")
    other = encrypted(tmp_path, SESSION_COOKIE_NAME="other")
    stranger = other.test_client()
    stranger.set_cookie("other", token_of(client) or "")
    assert stranger.get("/").json == {}


def test_an_old_cookie_is_no_session(tmp_path: Path) -> None:
    """A cookie counts for PERMANENT_SESSION_LIFETIME."""
    app = encrypted(tmp_path)
    client = app.test_client()
    client.get("/put/a/1")
    app.config["PERMANENT_SESSION_LIFETIME"] = -1
    assert client.get("/").json == {}


def test_without_a_key_the_error_says_so(tmp_path: Path) -> None:
    """An encrypted session needs a SECRET_KEY, as a signed one does."""
    app = encrypted(tmp_path)
    app.secret_key = None
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.test_client().get("/put/a/1")
    assert isinstance(app.session_interface, EncryptedCookieSessionInterface)


# --- auto ---------------------------------------------------------------------------------------


def automatic(tmp_path: Path, **config: t.Any) -> Erlen:
    """Return an application whose sessions go to the memory when they grow too large."""
    return make_app(tmp_path, SESSION_BACKEND="auto", SESSION_OVERFLOW="memory", **config)


def test_a_small_session_stays_in_the_cookie(tmp_path: Path) -> None:
    """The cookie is the one of the signed interface, and nothing is stored."""
    app = automatic(tmp_path)
    client = app.test_client()
    client.get("/put/a/1")
    assert count_stored(app) == 0
    signed = make_app(tmp_path)
    assert with_cookie(signed, token_of(client)).get("/").json == {"a": "1"}
    client.get("/take/a")
    assert token_of(client) is None


def test_a_large_session_goes_to_the_server_and_back(tmp_path: Path) -> None:
    """It goes when a browser would drop the cookie, and comes back when half a cookie will do."""
    import secrets

    app = automatic(tmp_path)
    client = app.test_client()
    large = secrets.token_hex(3000)
    client.get("/put/a/1")
    client.get(f"/put/large/{large}")
    assert count_stored(app) == 1
    assert len(token_of(client) or "") == 43
    assert client.get("/").json == {"a": "1", "large": large}
    on_server = token_of(client)
    client.get("/take/large")
    assert "." in (token_of(client) or "")
    assert client.get("/").json == {"a": "1"}
    assert with_cookie(app, on_server).get("/").json == {}


def test_the_session_of_a_user_is_on_the_server(tmp_path: Path) -> None:
    """A session with an owner can be listed and ended, however small it is."""
    app = automatic(tmp_path)
    client = app.test_client()
    client.get("/put/a/1")
    client.get("/login/ann")
    assert app.session_interface.keeps_sessions
    assert len(devices(client)) == 1
    assert client.get("/").json == {"a": "1", "user": "ann"}
    assert app.session_interface.revoke_all(app, "ann") == 1
    assert client.get("/").json == {}


@pytest.mark.parametrize("value", ["a.b.c", ".", "A" * 43, "x", "eyJhIjoxfQ.aaaaaa.bbbbbb"])
def test_nonsense_is_no_automatic_session(tmp_path: Path, value: str) -> None:
    """A cookie that is neither signed nor known opens an empty session."""
    app = automatic(tmp_path)
    assert with_cookie(app, value).get("/").json == {}
    assert count_stored(app) == 0


def test_the_store_that_is_there_is_taken(tmp_path: Path) -> None:
    """Without SESSION_OVERFLOW it is Redis, the database or a folder, as the application has it."""
    app = make_app(tmp_path, SESSION_BACKEND="auto")
    assert type(store_of(app)).__name__ == "FileSystemStore"
    app = make_app(tmp_path, SESSION_BACKEND="auto", SESSION_REDIS_URL="redis://localhost")
    assert type(store_of(app)).__name__ == "RedisStore"
    app = make_app(tmp_path, SESSION_BACKEND="auto", SQLALCHEMY_DATABASE_URI="sqlite:///a.db")
    from erlen.db import SQLAlchemy

    SQLAlchemy(app)
    assert type(store_of(app)).__name__ == "DatabaseStore"
