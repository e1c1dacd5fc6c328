"""Where a request's body ends: one answer, or none (request smuggling)."""

from __future__ import annotations

import typing as t

import pytest

from erlen import Flask, request

from .raw import send

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def routes(app: Flask) -> None:
    app.testing = False

    @app.post("/data")
    def data() -> bytes:
        return request.get_data()

    @app.post("/form")
    def form() -> dict[str, str]:
        return request.form.to_dict()

    @app.post("/ignore")
    def ignore() -> str:
        return "ignored"


@pytest.mark.parametrize(
    "length",
    ["+5", "-5", "-0", "5, 5", "5,6", "5 5", "0x5", "5_0", "5.0", "5e0", "5;", "\u0665", "five"],
)
@pytest.mark.parametrize("path", ["/data", "/form"])
def test_lengths_that_are_no_number(app: Flask, path: str, length: str) -> None:
    """What int() takes beyond digits is refused (GHSA-qppv-j76h-2rpx, CVE-2023-37276, -47627)."""
    answer = send(app, path, method="POST", body=b"a=123", CONTENT_LENGTH=length, CONTENT_TYPE=FORM)
    assert answer.status == 400


@pytest.mark.parametrize("length", ["5", " 5", "5\t", "05", "000000000000000000000005"])
def test_lengths_that_are_one(app: Flask, length: str) -> None:
    """Spaces around a header's value do not belong to it; zeros in front are digits."""
    answer = send(app, "/data", method="POST", body=b"12345and more", CONTENT_LENGTH=length)
    assert (answer.status, answer.body) == (200, b"12345")


@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000])
def test_lengths_beyond_measure(app: Flask, length: str) -> None:
    """A huge number is a 413; Python refuses to read 5,000 digits (CVE-2020-10735)."""
    assert send(app, "/data", method="POST", CONTENT_LENGTH=length).status == 413


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, chunked", "identity", "xchunked"])
@pytest.mark.parametrize("terminated", [True, False, None])
def test_length_and_transfer_coding(app: Flask, coding: str, terminated: bool | None) -> None:
    """Both in one request are refused (RFC 9112, 6.1; CVE-2024-1135, GHSA-753j-mpmx-qq6g)."""
    flag: t.Any = {"wsgi.input_terminated": terminated}
    answer = send(
        app,
        "/data",
        method="POST",
        body=b"12345GET /admin HTTP/1.1",
        CONTENT_LENGTH="5",
        HTTP_TRANSFER_ENCODING=coding,
        **flag,
    )
    assert answer.status == 400


@pytest.mark.parametrize("terminated", [False, None])
def test_a_chunked_body_that_the_server_cannot_read(app: Flask, terminated: bool | None) -> None:
    """It is a 411; taken as empty, a cut body would look whole."""
    environ: dict[str, t.Any] = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": terminated,
    }
    body = b"5\r\n12345\r\n0\r\n\r\n"
    assert send(app, "/data", method="POST", body=body, **environ).status == 411
    environ["CONTENT_TYPE"] = FORM
    assert send(app, "/form", method="POST", body=body, **environ).status == 411


@pytest.mark.parametrize("variable", [None, ""])
def test_no_length(app: Flask, variable: str | None) -> None:
    """Without a length there is no body; PEP 3333 has servers leave the variable empty, too."""
    answer = send(app, "/data", method="POST", body=b"GET / HTTP/1.1", CONTENT_LENGTH=variable)
    assert (answer.status, answer.body) == (200, b"")


def test_a_flag_that_says_no(app: Flask) -> None:
    """Servers that set wsgi.input_terminated to False do not end the stream (Cheroot)."""
    flag: t.Any = {"wsgi.input_terminated": False}
    answer = send(app, "/data", method="POST", body=b"left over", **flag)
    assert (answer.status, answer.body) == (200, b"")


def test_trace_is_not_answered(app: Flask) -> None:
    """TRACE shows nobody their own cookies, unless the application wants it (CVE-2003-1567)."""
    for method in ["TRACE", "TRACK", "CONNECT", "DEBUG"]:
        answer = send(app, "/data", method=method, HTTP_COOKIE="session=secret")
        assert answer.status == 405
        assert b"secret" not in answer.body


@pytest.mark.parametrize(
    "method", ["", "P\r\nX: y", "POST /x HTTP/1.1\r\n", "GET ", "p\x00st", "\xff"]
)
def test_odd_methods(app: Flask, method: str) -> None:
    """A method that is none does not match and is not repeated (CVE-2023-49082)."""
    answer = send(app, "/data", method=method)
    assert answer.status == 405
    assert "\r" not in str(answer.headers["Allow"])


def test_no_method_override(app: Flask) -> None:
    """A header or a field does not change the method (a POST that passed a check as GET)."""
    answer = send(
        app,
        "/data",
        query="_method=POST",
        HTTP_X_HTTP_METHOD_OVERRIDE="POST",
        HTTP_X_METHOD_OVERRIDE="POST",
    )
    assert answer.status == 405
