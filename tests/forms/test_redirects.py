"""Going on to ``next`` never leaves the site."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from erlen import Erlen
from erlen.forms import find_next, is_safe_target, redirect_to_next

HOST = "https://shop.example:8443"

#: What of an address is sent as it is.
LEFT = "/:?#@=%&"

SAFE = [
    "/",
    "/orders?page=2#last",
    "/a//b",
    "/.//x",
    "/über",
    "/?next=https://evil.example/",
    "/@evil.example",
    "/%2f%2fevil.example",
    "/%0d%0aSet-Cookie:x",
    f"{HOST}/orders",
    "HTTPS://SHOP.EXAMPLE:8443/orders",
]
UNSAFE = [
    None,
    "",
    "orders",
    "?page=2",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "\x00//evil.example",
    "http:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https://evil.example",
    "https://evil.example/https://shop.example:8443/",
    "https://shop.example:8443@evil.example/",
    "https://shop.example:8443.evil.example/",
    "https://shop.example/",
    "http://shop.example:8443/",
    "https://[",
    "javascript:alert(1)",
    "JavaScript://shop.example:8443/%0aalert(1)",
    "data:text/html,x",
    "ftp://shop.example:8443/",
    "/\u2028/evil.example",
    "/\ud800",
    "/" + "x" * 2000,
]


@pytest.fixture
def app() -> Erlen:
    app = Erlen("redirect_test")
    app.testing = True
    app.add_url_rule(
        "/login", "login", lambda: redirect_to_next("/welcome"), methods=["GET", "POST"]
    )
    return app


@pytest.mark.parametrize("target", SAFE)
def test_safe(app: Erlen, target: str) -> None:
    """Paths and addresses of this origin are gone to."""
    with app.test_request_context(base_url=HOST):
        assert is_safe_target(target)
    answer = app.test_client().get(f"/login?next={quote(target)}", base_url=HOST)
    assert answer.status_code == 303
    sent = answer.headers["Location"]
    assert quote(sent, safe=LEFT).lower() == quote(target, safe=LEFT).lower()


@pytest.mark.parametrize("target", UNSAFE)
def test_unsafe(app: Erlen, target: str | None) -> None:
    """All else leads to the default."""
    with app.test_request_context(base_url=HOST):
        assert not is_safe_target(target)
    value = (target or "").encode("utf-8", "replace").decode()
    answer = app.test_client().get(f"/login?next={quote(value)}", base_url=HOST)
    if value == target or target is None:
        assert answer.headers["Location"] == "/welcome"


def test_form_before_query(app: Erlen) -> None:
    """The address in the form, which the page has put there, goes before the one in the query."""
    client = app.test_client()
    answer = client.post("/login?next=/query", data={"next": "/form"})
    assert answer.headers["Location"] == "/form"
    assert client.post("/login?next=/query").headers["Location"] == "/query"
    assert client.post("/login").headers["Location"] == "/welcome"


def test_name(app: Erlen) -> None:
    """The name is the application's choice."""
    with app.test_request_context("/?back=/x&next=/y"):
        assert find_next("back") == "/x"
        assert find_next() == "/y"
        assert redirect_to_next(name="nothing", code=302).status_code == 302
