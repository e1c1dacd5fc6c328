"""Who the server is and who the client is: only what can be known."""

from __future__ import annotations

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse

from erlen import Flask, redirect, request, session, url_for

from .raw import send


@pytest.fixture(autouse=True)
def routes(app: Flask) -> None:
    app.testing = False

    @app.get("/")
    def index() -> dict[str, object]:
        return {
            "host": request.host,
            "url": request.url,
            "external": url_for("index", _external=True),
            "address": request.remote_addr,
            "secure": request.is_secure,
            "path": request.path,
        }

    @app.get("/remember")
    def remember() -> str:
        session["a"] = "b"
        return "remembered"

    @app.get("/leave")
    def leave() -> BaseResponse:
        return redirect(url_for("index"))


BAD_HOSTS = [
    "evil.example/path",
    "localhost/admin?",
    "localhost?x=",
    "localhost#",
    "user@evil.example",
    "user:pass@evil.example",
    "evil.example\\",
    "localhost\r\nX-Injected: 1",
    "local host",
    "localhost\t",
    "<script>",
    'a"b',
    "a'b",
    "a%00b",
    "a;b",
    "a&b",
    "a,b",
    "localhost,localhost",
    "localhost, evil.example",
    "[::1",
    "::1",
    "[::1]evil.example",
    "[evil.example]",
    "localhost:80:90",
    "localhost:port",
    "localhost:-1",
    "localhost:65536",
    "localhost:99999",
    "localhost:\u0668\u0660",
    "localhost:",
    "a..b",
    ".",
    "a" * 64 + ".example",
]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_hosts_that_are_none(app: Flask, host: str) -> None:
    """A Host that could turn a URL's path or authority is a 400 (CVE-2026-48710, BadHost)."""
    answer = send(app, HTTP_HOST=host.encode().decode("latin1"))
    assert answer.status == 400
    assert "X-Injected" not in answer.headers
    assert b"<script>" not in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "example.com:8080", "[::1]", "[::1]:8080", "127.0.0.1:1", "a-b.c_d:65535"]
)
def test_hosts_that_are_one(app: Flask, host: str) -> None:
    """Names and addresses pass, with and without a port."""
    assert send(app, HTTP_HOST=host).status == 200


def test_the_path_is_the_requests(app: Flask) -> None:
    """Nothing in Host reaches request.path and request.url beside the host (CVE-2026-48710)."""
    answer = send(app, HTTP_HOST="example.com:8080")
    assert b'"url":"http://example.com:8080/"' in answer.body
    assert b'"path":"/"' in answer.body


@pytest.mark.parametrize("host", [None, ""])
def test_a_missing_host(app: Flask, host: str | None) -> None:
    """HTTP/1.1 needs one (RFC 9112, 3.2); HTTP/1.0 does not."""
    assert send(app, HTTP_HOST=host).status == 400
    assert send(app, HTTP_HOST=host, SERVER_PROTOCOL="HTTP/1.0").status == 200


def test_a_doubled_host(app: Flask) -> None:
    """Servers join two headers with a comma; the request is refused, not one of them chosen."""
    assert send(app, HTTP_HOST="localhost,evil.example").status == 400


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("example.com", True),
        ("example.com:8443", True),
        ("shop.example.org", True),
        ("example.org", True),
        ("evil.example", False),
        ("evilexample.org", False),
        ("example.com.evil.example", False),
        ("example.com@evil.example", False),
        ("evil.example#example.com", False),
        ("sub.example.com", False),
        ("example.com.", False),
        ("", False),
    ],
)
def test_trusted_hosts(app: Flask, host: str, trusted: bool) -> None:
    """Other hosts get a 400 before any view runs (CVE-2011-4139, CVE-2012-4520)."""
    app.config["TRUSTED_HOSTS"] = ["example.com", ".example.org"]
    assert (send(app, HTTP_HOST=host).status == 200) is trusted
    assert (send(app, "/nothing/here", HTTP_HOST=host).status == 404) is trusted


def test_forwarded_headers_are_not_believed(app: Flask) -> None:
    """They are anybody's, unless a middleware names the proxy."""
    answer = send(
        app,
        HTTP_X_FORWARDED_FOR="203.0.113.1",
        HTTP_X_FORWARDED_HOST="evil.example",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_PORT="8443",
        HTTP_X_FORWARDED_PREFIX="/evil",
        HTTP_X_REAL_IP="203.0.113.1",
        HTTP_X_ORIGINAL_URL="/remember",
        HTTP_X_REWRITE_URL="/remember",
        HTTP_FORWARDED="for=203.0.113.1;host=evil.example;proto=https",
    )
    assert answer.status == 200
    assert b"evil" not in answer.body
    assert b"203.0.113.1" not in answer.body
    assert b"https" not in answer.body


def test_one_trusted_proxy(app: Flask) -> None:
    """With ProxyFix the last value counts, the one that the proxy added itself."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]
    answer = send(app, HTTP_X_FORWARDED_FOR="203.0.113.1, 198.51.100.7")
    assert b"198.51.100.7" in answer.body


def test_a_proxy_cannot_be_talked_into_a_bad_host(app: Flask) -> None:
    """A forwarded host is checked as Host itself is."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1)  # type: ignore[method-assign]
    assert send(app, HTTP_X_FORWARDED_HOST="evil.example/path").status == 400
    assert send(app, HTTP_X_FORWARDED_HOST="shop.example").status == 200


def test_redirects_do_not_carry_the_host(app: Flask) -> None:
    """A cache or a victim is not sent to another host by a request's Host."""
    assert send(app, "/leave", HTTP_HOST="evil.example").headers["Location"] == "/"


def test_the_server_name_does_not_follow_the_host(app: Flask) -> None:
    """A session cookie is never set for a domain that the client chose."""
    app.config["SERVER_NAME"] = "example.com"
    answer = send(app, "/remember", HTTP_HOST="evil.example")
    assert "Domain" not in answer.headers["Set-Cookie"]


def test_httpoxy(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header named Proxy does not become the environment's HTTP_PROXY (CVE-2016-1000110)."""
    import os

    monkeypatch.delenv("HTTP_PROXY", raising=False)
    assert send(app, HTTP_PROXY="http://evil.example").status == 200
    assert "HTTP_PROXY" not in os.environ
