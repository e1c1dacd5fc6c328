"""Where a login leads: to an address of this site, whatever a link to the login page says."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.login.people import make_app

from erlen import Erlen
from erlen.login import login_url, make_next_param, safe_next_url

FOREIGN = [
    "//evil.example/",
    "///evil.example/",
    "https://evil.example/",
    "http:evil.example",
    "http:/evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\n//evil.example",
    "javascript:alert(1)",
    "data:text/html,hi",
    "https://localhost@evil.example/",
    "https://localhost.evil.example/",
    "http://localhost:81/",
    "http://[",
    "relative",
    "/" + "x" * 3000,
    "",
]
OWN = ["/", "/orders?page=2#top", "http://localhost/orders", "HTTP://LOCALHOST/"]


@pytest.fixture(scope="module")
def own() -> Erlen:
    return Erlen(__name__)


@pytest.mark.parametrize("target", FOREIGN)
def test_foreign(own: Erlen, target: str) -> None:
    """What may lead away is refused, from the query and from the form."""
    with own.test_request_context(query_string={"next": target}):
        assert safe_next_url() is None
        assert safe_next_url("/home") == "/home"
    with own.test_request_context(method="POST", data={"next": target}):
        assert safe_next_url() is None


@pytest.mark.parametrize("target", OWN)
def test_own(own: Erlen, target: str) -> None:
    """Addresses of this site are taken."""
    with own.test_request_context(query_string={"next": target}):
        assert safe_next_url() == target


@given(st.text(max_size=50))
def test_any_text(target: str) -> None:
    """Whatever it is, the answer is that text or nothing."""
    app = Erlen(__name__)
    with app.test_request_context(query_string={"next": target}):
        assert safe_next_url() in (target, None)


def test_from_the_session(tmp_path: Path) -> None:
    """With ``USE_SESSION_FOR_NEXT`` the address is in the session, once."""
    app, login, _ = make_app(tmp_path, USE_SESSION_FOR_NEXT=True)
    login.login_view = "/login"
    app.add_url_rule("/login", "login", lambda: str(safe_next_url()))
    client = app.test_client()
    assert client.get("/mine?x=1").location == "/login"
    assert client.get("/login").text == "/mine?x=1"
    assert client.get("/login").text == "None"


@pytest.mark.parametrize("path", ["//evil.example/x", "////evil.example/x"])
def test_paths_that_look_like_hosts(own: Erlen, path: str) -> None:
    """A path that begins with two slashes is not made an address of another host."""
    assert make_next_param("/login", f"http://localhost{path}") == "/evil.example/x"
    with own.test_request_context():
        made = login_url("/login", f"http://localhost{path}")
    assert made == "/login?next=%2Fevil.example%2Fx"


def test_forced_host(tmp_path: Path) -> None:
    """``FORCE_HOST_FOR_REDIRECTS`` says the host, whatever the request says."""
    app, login, _ = make_app(tmp_path, FORCE_HOST_FOR_REDIRECTS="good.example")
    login.login_view = "/login"
    response: t.Any = app.test_client().get("/mine", base_url="http://bad.example")
    assert response.location == "//good.example/login?next=%2Fmine"
