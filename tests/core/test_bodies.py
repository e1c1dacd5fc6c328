"""Bodies of requests: read whole or refused, never cut, never beyond the limits."""

from __future__ import annotations

import io
import typing as t

import pytest
from werkzeug.test import create_environ

from erlen import Flask, Request, request

if t.TYPE_CHECKING:
    from erlen.testing import FlaskClient


@pytest.fixture(autouse=True)
def routes(app: Flask) -> None:
    app.testing = False

    @app.post("/data")
    def data() -> bytes:
        return request.get_data()

    @app.post("/stream")
    def stream() -> dict[str, t.Any]:
        first = request.stream.read(4)
        return {
            "first": first.decode(),
            "rest": len(request.stream.read()),
            "after": len(request.stream.read()),
        }

    @app.post("/form")
    def form() -> dict[str, t.Any]:
        return {
            "form": request.form.to_dict(flat=False),
            "files": {name: len(file.read()) for name, file in request.files.items()},
        }

    @app.post("/json")
    def json() -> dict[str, t.Any]:
        return {"json": request.get_json()}

    @app.post("/ignore")
    def ignore() -> str:
        return "ignored"


def send(
    app: Flask, path: str, body: t.Any, length: int | None = None, **environ: t.Any
) -> tuple[int, bytes]:
    """Send a request whose server gives *body* as its stream."""
    request_environ = create_environ(path, method="POST")
    request_environ["wsgi.input"] = body
    request_environ.pop("CONTENT_LENGTH", None)
    if length is not None:
        request_environ["CONTENT_LENGTH"] = str(length)
    request_environ.update(environ)
    started: list[t.Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
    ) -> t.Callable[[bytes], object]:
        started.append(status)
        return lambda data: None

    result = app(request_environ, start_response)
    content = b"".join(result)
    if hasattr(result, "close"):
        result.close()
    return int(started[0][:3]), content


class Broken(io.RawIOBase):
    """A stream that fails after some bytes, as a server's does when the client goes away."""

    def __init__(self, data: bytes, error: Exception) -> None:
        self.data = io.BytesIO(data)
        self.error = error

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.data.read(size)
        if not data:
            raise self.error
        return data


CHUNKED: dict[str, t.Any] = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize("terminated", [True, False])
@pytest.mark.parametrize("path", ["/data", "/stream", "/form", "/json"])
def test_a_cut_body_is_a_400(app: Flask, path: str, terminated: bool) -> None:
    """Fewer bytes than announced never look like a whole body, whatever the server claims."""
    extra: dict[str, t.Any] = {"wsgi.input_terminated": True} if terminated else {}
    if path == "/form":
        extra["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    if path == "/json":
        extra["CONTENT_TYPE"] = "application/json"
    assert send(app, path, io.BytesIO(b"12345"), 10, **extra)[0] == 400


@pytest.mark.parametrize(
    "error", [OSError("reset"), ValueError("bad chunk"), EOFError(), RuntimeError("server's own")]
)
def test_an_error_in_reading_is_a_400(app: Flask, error: Exception) -> None:
    """Servers raise what they like for a body that cannot be read."""
    assert send(app, "/data", Broken(b"123", error), 10)[0] == 400
    assert send(app, "/data", Broken(b"123", error), **CHUNKED)[0] == 400


def test_a_body_without_a_length_is_empty(app: Flask) -> None:
    """Without a length and without a server that ends the stream, reading would never end."""
    assert send(app, "/data", io.BytesIO(b"left over")) == (200, b"")


def test_bytes_beyond_the_length_are_not_read(app: Flask) -> None:
    """What follows on the connection belongs to the next request."""
    body = io.BytesIO(b"12345GET / HTTP/1.1")
    assert send(app, "/data", body, 5) == (200, b"12345")
    assert body.read() == b"GET / HTTP/1.1"


def test_reading_in_parts(app: Flask) -> None:
    """The stream gives what is asked for and then its end, again and again."""
    expected = b'{"after":0,"first":"abcd","rest":100000}\n'
    body = b"abcd" + b"x" * 100_000
    assert send(app, "/stream", io.BytesIO(body), len(body)) == (200, expected)
    assert send(app, "/stream", io.BytesIO(body), **CHUNKED) == (200, expected)


@pytest.mark.parametrize("size", [99, 100, 101, 200, 100_000])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("path", ["/data", "/stream"])
def test_max_content_length(app: Flask, path: str, size: int, chunked: bool) -> None:
    """A body over the limit is a 413, chunked or not; one at the limit passes whole."""
    app.config["MAX_CONTENT_LENGTH"] = 100
    body = io.BytesIO(b"x" * size)
    if chunked:
        status, content = send(app, path, body, **CHUNKED)
    else:
        status, content = send(app, path, body, size)
    assert status == (200 if size <= 100 else 413)
    if status == 200 and path == "/data":
        assert len(content) == size


def test_a_limit_for_one_request(app: Flask, client: FlaskClient) -> None:
    """The limit can be set on the request, before the body is read."""

    @app.before_request
    def raise_limit() -> None:
        request.max_content_length = 50

    app.config["MAX_CONTENT_LENGTH"] = 10
    assert client.post("/data", data=b"x" * 50).status_code == 200
    assert client.post("/data", data=b"x" * 51).status_code == 413


def test_an_endless_chunked_body_ends_at_the_limit(app: Flask) -> None:
    """Memory stays bounded by the limit, not by what the client sends."""
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b"x" * size

    body = Endless()
    assert send(app, "/data", body, **CHUNKED)[0] == 413
    assert body.given <= 1_000_001


def test_form_limits(app: Flask, client: FlaskClient) -> None:
    """Fields that are too large and forms with too many parts are a 413."""
    app.config["MAX_FORM_MEMORY_SIZE"] = 1000
    app.config["MAX_FORM_PARTS"] = 5
    multipart = {"content_type": "multipart/form-data"}
    assert client.post("/form", data={"a": "x" * 300}, **multipart).status_code == 200
    assert client.post("/form", data={"a": "x" * 1100}, **multipart).status_code == 413
    many = {f"f{number}": "x" for number in range(6)}
    assert client.post("/form", data=many, **multipart).status_code == 413


@pytest.mark.parametrize("chunked", [True, False])
def test_form_memory_limits_urlencoded_forms_too(app: Flask, chunked: bool) -> None:
    """A form that is read whole may not be larger than the limit, chunked or not."""
    app.config["MAX_FORM_MEMORY_SIZE"] = 1000
    extra: dict[str, t.Any] = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    if chunked:
        extra |= CHUNKED
    for size, expected in [(900, 200), (1100, 413)]:
        body = b"a=" + b"x" * (size - 2)
        length = None if chunked else size
        assert send(app, "/form", io.BytesIO(body), length, **extra)[0] == expected


def test_files(client: FlaskClient) -> None:
    """Files and fields of one form come apart."""
    response = client.post(
        "/form", data={"a": ["1", "2"], "file": (io.BytesIO(b"12345"), "name.txt")}
    )
    assert response.json == {"form": {"a": ["1", "2"]}, "files": {"file": 5}}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"a": 1}', "application/json", 200),
        (b'{"a": 1}', "application/vnd.api+json", 200),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"1" * 100_000, "application/json", 400),
        (b'{"a": 1}', "text/plain", 415),
        (b'{"a": 1}', None, 415),
    ],
)
def test_json(client: FlaskClient, body: bytes, content_type: str | None, status: int) -> None:
    """What is no JSON is a 400, what does not claim to be is a 415; neither is a 500."""
    response = client.post("/json", data=body, content_type=content_type)
    assert response.status_code == status


def test_json_errors_tell_the_cause_in_debug_mode_only(app: Flask, client: FlaskClient) -> None:
    """Clients of a deployed application do not see the parser's words."""
    kwargs: dict[str, t.Any] = {"data": b"{", "content_type": "application/json"}
    assert "Expecting" not in client.post("/json", **kwargs).text
    app.debug = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert "Expecting" in client.post("/json", **kwargs).text


def test_a_view_need_not_read_the_body(client: FlaskClient) -> None:
    """A body that nobody asked for is left alone."""
    assert client.post("/ignore", data=b"x" * 10).text == "ignored"


def test_a_request_class_with_a_media_type_of_its_own(app: Flask) -> None:
    """What the class says about the media type decides, not the header."""

    class Plain(Request):
        mimetype = "text/plain"

    app.request_class = Plain

    @app.post("/plain")
    def plain() -> dict[str, str]:
        return dict(request.form)

    assert app.test_client().post("/plain", data={"a": "1"}).json == {}


def test_a_header_without_a_name(app: Flask) -> None:
    """It is missing, as any other that was not sent."""
    with app.test_request_context():
        assert request.headers.get(t.cast(t.Any, None), "missing") == "missing"
