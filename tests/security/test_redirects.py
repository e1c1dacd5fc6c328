"""Redirects that the framework makes lead to the same site."""

from __future__ import annotations

import typing as t
from urllib.parse import quote, urlsplit

import pytest
from werkzeug.wrappers import Response as BaseResponse

from erlen import Flask, redirect, request, url_for

from .raw import post_form, send


@pytest.fixture(autouse=True)
def routes(app: Flask) -> None:
    app.testing = False
    app.add_url_rule("/branch/", "branch", lambda: "branch")
    app.add_url_rule("/<name>/", "name", lambda name: name)
    app.add_url_rule("/p/<path:path>/", "path", lambda path: path)
    app.add_url_rule("/all/", "all", defaults={"page": 1})
    app.add_url_rule("/all/<int:page>", "all", lambda page: "all")

    @app.get("/old/<path:path>")
    def old(path: str) -> BaseResponse:
        return redirect(f"/new/{path}")

    @app.get("/next")
    def leave() -> BaseResponse:
        return redirect(request.args["next"])


PATHS = [
    "//evil.example",
    "//evil.example/",
    "///evil.example",
    "////evil.example/%2f..",
    "/\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "/p//evil.example",
    "//p/evil.example",
    "/p/\\evil.example",
    "/p/http://evil.example",
    "/p/..//evil.example",
    "//branch",
    "/branch",
    "/https:evil.example",
    "/https:",
    "/@evil.example",
    "/:80@evil.example",
    "/\tevil.example",
    "/.evil.example",
    "/%2fevil.example",
    "/evil.example\r\nX-Injected: 1",
    "/p/a\r\nX-Injected: 1",
    "/all/1",
    "//all/1",
    "http://evil.example/branch",
    "evil.example",
    "@evil.example",
    "",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("root", ["", "/app", "//evil.example", "/\\evil.example"])
def test_redirects_of_routing_stay_here(app: Flask, path: str, root: str) -> None:
    """Slashes added, merged or left out never make a host (CVE-2018-14574, CVE-2023-28370)."""
    answer = send(app, path, SCRIPT_NAME=root)
    assert answer.status in {200, 308, 404}
    location = answer.headers.get("Location", "http://localhost/")
    assert urlsplit(location)[:2] == ("http", "localhost")
    assert "\\" not in location
    assert "X-Injected" not in answer.headers


def test_a_redirect_keeps_the_query_as_it_is(app: Flask) -> None:
    """A query cannot get out of its place."""
    query = "next=//evil.example&a=%0d%0aX-Injected:%201"
    location = send(app, "/branch", query=query).headers["Location"]
    assert location == f"http://localhost/branch/?{query}"


@pytest.mark.parametrize(
    "target", ["/a\r\nX-Injected: 1", "/a\nSet-Cookie: b=c", "/a\x00b", "/\u2028", "/\x85", "\r\n"]
)
def test_control_characters_in_a_target(app: Flask, target: str) -> None:
    """They are escaped: one header, and no error (CVE-2026-34514, CWE-113)."""
    answer = send(app, "/next", query=f"next={quote(target)}")
    assert answer.status == 302
    assert answer.headers["Location"].isprintable()
    assert answer.headers["Location"].isascii()
    assert "X-Injected" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("target", ["http://[", "http://[::1", "//[x", "http://a:b:c/", "\ud800"])
def test_targets_that_are_no_url(app: Flask, target: str) -> None:
    """What cannot be parsed is sent as a path, and is no 500."""
    answer = send(app, "/next", query=f"next={quote(target, errors='surrogatepass')}")
    assert answer.status == 302
    assert answer.headers["Location"].isascii()


def test_a_lone_surrogate_in_a_target(app: Flask) -> None:
    """Text from JSON may hold half of a character; it is replaced, and is no 500."""

    @app.post("/json")
    def go_on() -> BaseResponse:
        return redirect(request.get_json())

    answer = post_form(app, "/json", b'"/a\\ud800b"', "application/json")
    assert (answer.status, answer.headers["Location"]) == (302, "/a%EF%BF%BDb")


@pytest.mark.parametrize("target", ["<script>", '"><script>', "javascript:alert(1)//<b>"])
def test_the_page_of_a_redirect_is_escaped(app: Flask, target: str) -> None:
    """The link in the body cannot hold markup (CWE-79)."""
    body = send(app, "/next", query=f"next={quote(target)}").text
    assert "<script>" not in body
    assert "<b>" not in body


def test_a_path_that_a_view_passes_on_is_escaped(app: Flask) -> None:
    """A decoded line break from the path does not split the answer."""
    answer = send(app, "/old/a\rX-Injected: 1")
    assert answer.headers["Location"] == "/new/a%0DX-Injected:%201"
    assert send(app, "/old/a\nX-Injected: 1").status == 404


@pytest.mark.parametrize("name", ["/evil.example", "//evil.example", "\\evil.example", "..", "a:b"])
def test_built_urls_stay_here(app: Flask, name: str) -> None:
    """A value in a built URL does not turn it into one of another host."""
    with app.test_request_context():
        for endpoint in ("name", "path"):
            values: dict[str, t.Any] = {endpoint: name}
            url = url_for(endpoint, **values)
            assert urlsplit(url)[:2] == ("", "")
            assert not url.startswith(("//", "/\\"))
            external = url_for(endpoint, **values, _external=True)
            assert urlsplit(external)[:2] == ("http", "localhost")


@pytest.mark.parametrize("text", ["a b", '"><script>', "a\r\nX: 1", "&b=c", "#x", "\xe9"])
def test_values_in_queries_and_anchors(app: Flask, text: str) -> None:
    """They are escaped, so that a link in a page or a header ends where it should."""
    with app.test_request_context():
        url = url_for("branch", q=text, _anchor=text)
        assert url.isascii()
        assert not set(' "<>\r\n').intersection(url)
        assert url.count("#") >= 1
        assert urlsplit(url).query.count("&") == 0
