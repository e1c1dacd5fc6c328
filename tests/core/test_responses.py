"""From what a view returns to what the server sends."""

from __future__ import annotations

import typing as t
from inspect import isfunction

import pytest
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse

from erlen import Erlen, Flask, Response, make_response, request

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient


def html(status: str = "200 OK", **headers: str) -> tuple[str, dict[str, str]]:
    return status, {"Content-Type": "text/html; charset=utf-8", **headers}


@pytest.mark.parametrize(
    ("result", "status", "body", "content_type"),
    [
        ("text", 200, b"text", "text/html; charset=utf-8"),
        ("ä", 200, "ä".encode(), "text/html; charset=utf-8"),
        (b"bytes", 200, b"bytes", "text/html; charset=utf-8"),
        (bytearray(b"bytes"), 200, b"bytes", "text/html; charset=utf-8"),
        ({"a": 1}, 200, b'{"a":1}\n', "application/json"),
        ([1, 2], 200, b"[1,2]\n", "application/json"),
        (("text", 201), 201, b"text", "text/html; charset=utf-8"),
        (("text", "202 FINE"), 202, b"text", "text/html; charset=utf-8"),
        (("text", {"Content-Type": "text/csv"}), 200, b"text", "text/csv"),
        (("text", [("Content-Type", "text/csv")]), 200, b"text", "text/csv"),
        (({"a": 1}, 400, {"X-A": "1"}), 400, b'{"a":1}\n', "application/json"),
        (("text", 200, Headers({"X-A": "1"})), 200, b"text", "text/html; charset=utf-8"),
        (lambda: iter(["a", "b"]), 200, b"ab", "text/html; charset=utf-8"),
        (BaseResponse("base", 203), 203, b"base", "text/plain; charset=utf-8"),
        (Response(t.cast(t.Any, ["a", b"b"])), 200, b"ab", "text/html; charset=utf-8"),
    ],
)
def test_results(
    app: Flask, client: FlaskClient, result: t.Any, status: int, body: bytes, content_type: str
) -> None:
    """Each kind of result becomes the response that Flask makes of it."""
    app.json.compact = True  # type: ignore[attr-defined]
    # An iterator is used up by the first run.
    app.add_url_rule("/", "index", result if isfunction(result) else lambda: result)
    response = client.get("/")
    assert (response.status_code, response.data) == (status, body)
    assert response.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "'index' did not return a valid response. The function either returned None"),
        (("a", 200, {}, 1), "(body, status, headers)"),
        (42, "it was a int"),
        ((None, 204), "did not return a valid response"),
    ],
)
def test_results_that_are_none(
    app: Flask, client: FlaskClient, result: t.Any, message: str
) -> None:
    """What cannot be a response is an error that says what can."""
    app.add_url_rule("/", "index", lambda: result)
    with pytest.raises(TypeError) as caught:
        client.get("/")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["X-A\r\nX-B", "X A", "X:A", "", "X-\x00", "X-é"])
def test_header_names_must_be_tokens(app: Flask, client: FlaskClient, name: str) -> None:
    """A name that could split the response never reaches the server (RFC 9110, 5.6.2)."""
    app.add_url_rule("/", "index", lambda: ("text", 200, {name: "value"}))
    with pytest.raises(ValueError, match="not a token"):
        client.get("/")


@pytest.mark.parametrize("value", ["a\r\nX-B: c", "a\nb", "a\x00b", "a\x7fb", "\u2603"])
def test_header_values_must_be_printable(app: Flask, client: FlaskClient, value: str) -> None:
    """Neither does a value with control characters or beyond Latin-1 (RFC 9110, 5.5)."""
    app.add_url_rule("/", "index", lambda: ("text", 200, {"X-A": value}))
    with pytest.raises(ValueError, match=r"[Cc]ontrol characters|[Nn]ewline"):
        client.get("/")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Response("x", content_type="text/html\r\nX-B: c"),
        lambda: Response("x", mimetype="text/html\r\nX-B: c"),
        lambda: Response("x", status="200 OK\r\nX-B: c"),
        lambda: Response("x", content_type="text/html\r\nX-B: c", headers={"X-A": "b"}),
    ],
)
def test_a_response_cannot_be_made_to_split(make: t.Callable[[], Response]) -> None:
    """Type and status are checked when the response is made."""
    with pytest.raises(ValueError, match=r"[Cc]ontrol characters|[Nn]ewline"):
        make()


@pytest.mark.parametrize("value", ["tab\tinside", "café", "caf\xe9 \xa0", 'quoted "text"'])
def test_header_values_that_are_allowed(app: Flask, client: FlaskClient, value: str) -> None:
    """Tabs and Latin-1 pass."""
    app.add_url_rule("/", "index", lambda: ("text", 200, {"X-A": value}))
    assert client.get("/").headers["X-A"] == value


def test_locations_are_written_in_ascii(app: Flask, client: FlaskClient) -> None:
    """URLs with other characters are encoded, in redirects and in 201 answers."""
    app.add_url_rule("/", "index", lambda: ("made", 201, {"Location": "/ä?q=☃"}))
    assert client.get("/").headers["Location"] == "/%C3%A4?q=%E2%98%83"


def test_changing_the_body_changes_the_length(app: Flask, client: FlaskClient) -> None:
    """The length follows set_data, before and after the headers were used."""

    @app.get("/<int:touch>")
    def index(touch: int) -> Response:
        response = make_response("first")
        if touch:
            response.headers["X-A"] = "b"
        response.data = "a longer second"
        return response

    for touch in (0, 1):
        response = client.get(f"/{touch}")
        assert response.text == "a longer second"
        assert response.headers.getlist("Content-Length") == ["15"]


def test_headers_replaced_whole(app: Flask, client: FlaskClient) -> None:
    """An after_request function may put another headers object in place."""

    @app.get("/")
    def index() -> str:
        return "text"

    @app.after_request
    def replace(response: Response) -> Response:
        response.headers = Headers({"X-Only": "this"})
        return response

    response = client.get("/")
    assert response.headers["X-Only"] == "this"
    assert "Content-Type" not in response.headers
    assert response.headers["Content-Length"] == "4"


def test_subclasses_are_asked(app: Flask, client: FlaskClient) -> None:
    """A response class that overrides a step of sending is asked for it."""

    class Stamped(Response):
        default_mimetype = "text/plain"
        default_status = 202

        def get_wsgi_headers(self, environ: t.Any) -> Headers:
            headers = super().get_wsgi_headers(environ)
            headers["X-Stamp"] = "yes"
            return headers

        def set_data(self, value: t.Any) -> None:
            super().set_data(f"<{value}>")

    app.response_class = Stamped
    app.add_url_rule("/", "index", lambda: "text")
    response = client.get("/")
    assert response.status_code == 202
    assert response.headers["X-Stamp"] == "yes"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.text == "<text>"


def test_call_on_close(app: Flask, client: FlaskClient) -> None:
    """Functions registered on a response run when the server closes it."""
    log: list[str] = []

    @app.get("/")
    def index() -> Response:
        response = make_response("text")
        response.call_on_close(lambda: log.append("closed"))
        return response

    client.get("/").close()
    assert log == ["closed"]


def test_hosts_that_are_none_are_refused(app: Flask, client: FlaskClient) -> None:
    """A Host header with characters that no host has is a 400; a name beyond ASCII is none."""
    app.add_url_rule("/", "index", lambda: "text")
    for host in ["a b", "a/b", "user@host", "a\x00", "a?b", "a#b", "[::1", "a:99999999", "a\\b"]:
        assert client.get("/", headers={"Host": host}).status_code == 400, host
    for host in ["localhost", "example.com:8080", "[::1]:80", "münchen.example"]:
        assert client.get("/", headers={"Host": host}).status_code == 200, host


def test_trusted_hosts(app: Flask, client: FlaskClient) -> None:
    """With the setting, other hosts are a 400."""
    app.config["TRUSTED_HOSTS"] = ["example.com", ".example.org"]
    app.add_url_rule("/", "index", lambda: "text")
    assert client.get("/", headers={"Host": "example.com"}).status_code == 200
    assert client.get("/", headers={"Host": "a.example.org"}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_default_headers() -> None:
    """Erlen's defaults add headers where the view and the hooks set none."""
    app = Erlen(__name__)
    app.add_url_rule("/", "index", lambda: "text")
    app.add_url_rule("/own", "own", lambda: ("text", 200, {"x-frame-options": "DENY"}))
    client = app.test_client()
    assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/").headers["X-Frame-Options"] == "SAMEORIGIN"
    assert client.get("/own").headers.getlist("X-Frame-Options") == ["DENY"]
    assert client.get("/missing").headers["X-Content-Type-Options"] == "nosniff"
    app.config["DEFAULT_RESPONSE_HEADERS"] = {}
    assert "X-Content-Type-Options" not in client.get("/").headers


class NumberedError(HTTPException):
    """An error whose code each instance has for itself."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def test_the_page_of_an_error_with_a_code_of_its_own(app: Flask, client: FlaskClient) -> None:
    """It is that of the instance, not of the first one of its class."""

    @app.get("/<int:code>")
    def index(code: int) -> str:
        raise NumberedError(code)

    for code in (404, 410, 404):
        response = client.get(f"/{code}")
        assert response.status_code == code
        assert f"<title>{code} " in response.text


def test_the_page_of_an_error_with_a_changing_description(app: Flask, client: FlaskClient) -> None:
    """In debug mode the page names the key that was missing this time."""
    app.debug = True
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False

    @app.get("/<key>")
    def index(key: str) -> str:
        return request.args[key]

    for key in ("first", "second"):
        assert key in client.get(f"/{key}").text


def test_the_page_that_an_instance_makes(app: Flask, client: FlaskClient) -> None:
    """It is used for that instance, and for no other error of the class."""

    @app.get("/")
    def index() -> str:
        error = NotFound()
        error.get_body = lambda *args: "own page"  # type: ignore[method-assign]
        raise error

    assert client.get("/").text == "own page"
    assert "not found" in client.get("/missing").text


def test_a_response_class_makes_the_responses_of_errors_its_way(
    app: Flask, client: FlaskClient
) -> None:
    """An override of force_type sees them; an initializer of another kind is left alone."""

    class Own(Response):
        def __init__(self, text: t.Any = None, **kwargs: t.Any) -> None:
            super().__init__(text, **kwargs)

        @classmethod
        def force_type(cls, response: BaseResponse, environ: t.Any = None) -> Own:
            made = super().force_type(response, environ)
            made.headers["X-Forced"] = "yes"
            return t.cast(Own, made)

    app.response_class = Own
    response = client.get("/missing")
    assert (response.status_code, response.headers["X-Forced"]) == (404, "yes")


def test_make_response_outside_of_a_request(app: Flask) -> None:
    """The error is the one that teaches."""
    with app.app_context(), pytest.raises(RuntimeError, match="outside of request context"):
        app.make_response(t.cast(t.Any, BaseResponse("text")))


def test_no_methods_at_all(app: Flask, client: FlaskClient) -> None:
    """An empty list of methods leaves only the automatic OPTIONS."""
    app.add_url_rule("/", "index", lambda: "text", methods=[])
    assert client.get("/").status_code == 405
