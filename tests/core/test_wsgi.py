"""Every kind of answer keeps to PEP 3333, as the validator of the standard library sees it."""

from __future__ import annotations

import io
import typing as t
from wsgiref.validate import validator

import pytest
from werkzeug.test import create_environ

from erlen import Flask, Response, redirect, send_file, session, stream_with_context


@pytest.fixture
def answers(app: Flask) -> Flask:
    """An application with a view for each kind of answer."""

    @app.get("/text")
    def text() -> str:
        return "text"

    @app.get("/empty")
    def empty() -> str:
        return ""

    @app.get("/bytes")
    def data() -> bytes:
        return b"bytes"

    @app.get("/json")
    def json() -> dict[str, int]:
        return {"a": 1}

    @app.get("/list")
    def items() -> list[int]:
        return [1, 2]

    @app.get("/generator")
    def generator() -> t.Iterator[str]:
        return (part for part in ("a", "b"))

    @app.get("/stream")
    def stream() -> t.Iterator[str]:
        return stream_with_context(part for part in ("a", "b"))

    @app.get("/no-content")
    def no_content() -> tuple[str, int]:
        return "", 204

    @app.get("/not-modified")
    def not_modified() -> Response:
        return Response("gone", status=304)

    @app.get("/redirect")
    def to_text() -> t.Any:
        return redirect("/täxt?q=ü")

    @app.get("/file")
    def file() -> Response:
        return send_file(io.BytesIO(b"0123456789"), download_name="täxt.txt", etag="tag")

    @app.get("/wsgi")
    def wsgi() -> t.Any:
        def inner(environ: t.Any, start: t.Any) -> list[bytes]:
            start("201 CREATED", [("Content-Type", "text/plain")])
            return [b"inner"]

        return inner

    @app.get("/cookie")
    def cookie() -> Response:
        session["a"] = "ä"
        response = Response("cookie")
        response.set_cookie("b", "ü", max_age=60)
        return response

    @app.get("/headers")
    def headers() -> tuple[str, int, dict[str, str]]:
        return "headers", 418, {"X-A": "b", "Content-Language": "de"}

    @app.get("/text-list")
    def text_list() -> Response:
        return Response(["ä", "b"])

    @app.post("/echo")
    def echo() -> bytes:
        from erlen import request

        return request.get_data()

    @app.get("/fail")
    def fail() -> str:
        raise ValueError

    app.testing = False
    app.logger.disabled = True
    return app


PATHS = (
    "text empty bytes json list generator stream no-content not-modified redirect file wsgi cookie"
    " headers text-list fail missing static/../x"
).split()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", PATHS)
def test_validator_accepts(answers: Flask, path: str, method: str) -> None:
    """Nothing in the exchange breaks the protocol, and the lengths are right."""
    status, headers, body = call(answers, f"/{path}", method)
    if "Content-Length" in headers and method != "HEAD" and not status.startswith("304"):
        assert int(headers["Content-Length"]) == len(body)
    if method == "HEAD" or status[:3] in {"204", "304"}:
        assert body == b""


@pytest.mark.parametrize(
    ("range_header", "expected"),
    [("bytes=0-3", b"0123"), ("bytes=-2", b"89"), ("bytes=4-", b"456789")],
)
def test_ranges(answers: Flask, range_header: str, expected: bytes) -> None:
    """A part of a file is answered with 206 and its own length."""
    status, headers, body = call(answers, "/file", headers={"Range": range_header})
    assert (status, body) == ("206 PARTIAL CONTENT", expected)
    assert headers["Content-Length"] == str(len(expected))


def test_a_range_outside(answers: Flask) -> None:
    """A range beyond the end is a 416."""
    assert call(answers, "/file", headers={"Range": "bytes=50-60"})[0].startswith("416")


def test_conditional_requests(answers: Flask) -> None:
    """A client that has the file already gets 304 without a body."""
    _, headers, _ = call(answers, "/file")
    status, _, body = call(answers, "/file", headers={"If-None-Match": headers["ETag"]})
    assert (status, body) == ("304 NOT MODIFIED", b"")


def test_a_body_comes_back(answers: Flask) -> None:
    """Reading the body keeps to the protocol as well."""
    status, _, body = call(answers, "/echo", "POST", data=b"x" * 100_000)
    assert (status, body) == ("200 OK", b"x" * 100_000)


def call(
    app: Flask,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
) -> tuple[str, dict[str, str], bytes]:
    """Send a request through the validator, as a server would."""
    started: list[t.Any] = []

    def start_response(
        status: str, response_headers: list[tuple[str, str]], exc_info: t.Any = None
    ) -> t.Callable[[bytes], object]:
        started[:] = [status, dict(response_headers)]
        return lambda written: None

    environ = create_environ(path, method=method, headers=headers, data=data)
    # The validator insists on a version of HTTP and refuses Werkzeug's own keys' types.
    environ.setdefault("SERVER_PROTOCOL", "HTTP/1.1")
    environ["wsgi.errors"] = io.StringIO()
    body = validator(app)(environ, start_response)
    try:
        content = b"".join(body)
    finally:
        t.cast(t.Any, body).close()
    return started[0], started[1], content
