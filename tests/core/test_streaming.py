"""Streams keep their context as long as they run, and leave nothing behind."""

from __future__ import annotations

import gc
import typing as t

import pytest
from werkzeug.test import create_environ

from erlen import (
    Flask,
    Response,
    current_app,
    g,
    has_request_context,
    request,
    stream_with_context,
)
from erlen.globals import _cv_app, _cv_request

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def log(app: Flask) -> list[str]:
    """What happened to streams and contexts, in order."""
    events: list[str] = []

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        events.append(f"teardown {g.value} {exc!r}")

    @app.teardown_appcontext
    def teardown_app(exc: BaseException | None) -> None:
        events.append("teardown app")

    @app.get("/stream")
    def stream() -> Response:
        g.value = request.args["v"]

        def generate() -> Iterator[str]:
            try:
                for number in range(3):
                    yield f"{request.args['v']}{number}{g.value} "
            finally:
                events.append(f"closed {g.value}")

        return Response(stream_with_context(generate()))

    @app.get("/failing")
    def failing() -> Response:
        g.value = "f"

        def generate() -> Iterator[str]:
            yield "first"
            raise ValueError("in the stream")

        return Response(stream_with_context(generate()))

    return events


def start(app: Flask, path: str) -> t.Any:
    """Begin a request as a server does and return the iterable of its body."""
    return app(create_environ(path), lambda status, headers, exc_info=None: lambda data: None)


def test_teardown_waits_for_the_end(app: Flask, log: list[str]) -> None:
    """The teardown functions run after the last part, once, with the contexts in place."""
    body = start(app, "/stream?v=a")
    assert log == []
    assert b"".join(body) == b"a0a a1a a2a "
    body.close()
    assert log == ["closed a", "teardown a None", "teardown app"]


def test_between_two_parts_nothing_is_pushed(app: Flask, log: list[str]) -> None:
    """A thread that has delivered a part has no context left on it."""
    body = iter(start(app, "/stream?v=a"))
    assert next(body) == b"a0a "
    assert _cv_request.get(None) is None
    assert _cv_app.get(None) is None
    body.close()


def test_a_client_that_goes_away_ends_the_stream(app: Flask, log: list[str]) -> None:
    """The server closes the body: the generator ends and teardown runs, once."""
    body = start(app, "/stream?v=a")
    next(iter(body))
    body.close()
    body.close()
    assert log == ["closed a", "teardown a None", "teardown app"]


def test_an_abandoned_stream_is_torn_down(app: Flask, log: list[str]) -> None:
    """A server that forgets to close the body does no harm either."""
    body = start(app, "/stream?v=a")
    next(iter(body))
    del body
    gc.collect()
    assert log == ["closed a", "teardown a None", "teardown app"]


def test_a_stream_nobody_began_is_torn_down(app: Flask, log: list[str]) -> None:
    """As with an answer to HEAD, or where sending the headers failed."""
    start(app, "/stream?v=a").close()
    assert log == ["teardown a None", "teardown app"]


def test_streams_on_one_thread_do_not_mix(app: Flask, log: list[str]) -> None:
    """Two streams served in turns by one thread each see their own request."""
    first, second = iter(start(app, "/stream?v=a")), iter(start(app, "/stream?v=b"))
    parts = [next(first), next(second), next(first), next(second)]
    assert parts == [b"a0a ", b"b0b ", b"a1a ", b"b1b "]
    # A request in between sees neither of them.
    assert not has_request_context()
    first.close()
    second.close()
    assert [entry for entry in log if entry.startswith("teardown ")] == [
        "teardown a None",
        "teardown app",
        "teardown b None",
        "teardown app",
    ]


def test_an_error_in_the_stream_reaches_teardown(app: Flask, log: list[str]) -> None:
    """The teardown functions get the exception that ended the stream."""
    body = iter(start(app, "/failing"))
    assert next(body) == b"first"
    with pytest.raises(ValueError, match="in the stream"):
        next(body)
    assert log == ["teardown f ValueError('in the stream')", "teardown app"]


def test_head_requests_do_not_run_the_stream(app: Flask, log: list[str]) -> None:
    """The view runs, the generator does not, the context goes."""
    response = app.test_client().head("/stream?v=a")
    assert response.data == b""
    response.close()
    assert log == ["teardown a None", "teardown app"]


def test_as_a_decorator(app: Flask) -> None:
    """A generator function may be decorated, and called once a request is there."""

    @app.get("/")
    def index() -> Response:
        @stream_with_context
        def generate(times: int) -> Iterator[str]:
            for _ in range(times):
                yield request.method

        return Response(generate(2))

    assert app.test_client().get("/").text == "GETGET"


def test_outside_a_request_is_an_error(app: Flask) -> None:
    """The message says where it can be used."""
    with pytest.raises(RuntimeError, match="such as in a view function"):
        stream_with_context(iter(["text"]))


def test_a_stream_that_pushes_contexts_of_its_own(app: Flask) -> None:
    """They stay current inside from one part to the next, and are popped in order."""

    @app.get("/outer")
    def outer() -> Iterator[str]:
        def generate() -> Iterator[str]:
            yield request.path
            with app.test_request_context("/inner"):
                yield request.path
                yield request.path
            yield request.path

        return stream_with_context(generate())

    assert app.test_client().get("/outer").text == "/outer/inner/inner/outer"


def test_a_stream_keeps_the_application_context_around_it(app: Flask) -> None:
    """A stream made inside another application context runs in that one, to its end."""
    other = Flask("other")
    ended: list[str] = []
    other.teardown_appcontext(lambda exc: ended.append(g.value))

    @app.get("/nested")
    def nested() -> Response:
        g.value = "outer"
        with other.app_context():
            g.value = "inner"

            @stream_with_context
            def generate() -> Iterator[str]:
                yield f"{current_app.name} {g.value};"
                with app.app_context():
                    yield f"{current_app.name} {request.path};"
                yield f"{current_app.name} {g.value}"

            return Response(generate())

    body = start(app, "/nested")
    assert b"".join(body) == f"other inner;{app.name} /nested;other inner".encode()
    body.close()
    assert ended == ["inner"]
    assert _cv_app.get(None) is None
