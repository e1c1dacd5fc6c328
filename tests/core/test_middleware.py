"""Middleware of WSGI and of ASGI around an application, and the application inside another."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.conftest import GATEWAYS
from tests.connection import Connection
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from erlen import Flask, Response, request, stream_with_context, url_for
from erlen.testing import ASGIGateway

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from erlen.testing import FlaskClient
    from erlen.typing import ASGIMessage, ASGIReceive, ASGIScope, ASGISend

by_every_gateway = pytest.mark.gateways(*GATEWAYS, "asgi-overridden")
KINDS = ("sync", "async")


def add_index(app: Flask, kind: str) -> None:
    """Add a view at ``/`` that says who asks for what."""

    def index() -> str:
        return f"{request.remote_addr} {request.url} {url_for('index')}"

    async def index_later() -> str:
        await asyncio.sleep(0)
        return index()

    app.add_url_rule("/", "index", index if kind == "sync" else index_later)


@by_every_gateway
@pytest.mark.parametrize("kind", KINDS)
def test_proxy_fix(app: Flask, client: FlaskClient, kind: str) -> None:
    """Werkzeug's middleware for proxies works by every gateway."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
    add_index(app, kind)
    headers = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/shop",
    }
    answer = client.get("/", headers=headers).text
    assert answer == "192.0.2.1 https://localhost/shop/ /shop/"


class Shout:
    """A middleware that changes the status, a header and the parts of the body, and closes."""

    def __init__(self, app: WSGIApplication, log: list[str]) -> None:
        self.app = app
        self.log = log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer in capitals."""
        self.log.append(environ["PATH_INFO"])

        def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            return start_response("203 SHOUTED", [*headers, ("X-Shout", "yes")], exc_info)

        parts: t.Any = self.app(environ, start)
        try:
            for part in parts:
                yield part.upper()
        finally:
            with contextlib.suppress(AttributeError):
                parts.close()
            self.log.append("closed")


@by_every_gateway
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/text", "/stream"])
def test_a_replaced_wsgi_app(app: Flask, client: FlaskClient, kind: str, path: str) -> None:
    """A middleware that is a generator sees each request and each part, and is closed."""
    log: list[str] = []
    app.wsgi_app = Shout(app.wsgi_app, log)  # type: ignore[method-assign]

    def text() -> str:
        return "text"

    async def text_later() -> str:
        await asyncio.sleep(0)
        return "text"

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield "te"
            yield request.path[1:2] and "xt"

        return Response(stream_with_context(parts()))

    app.add_url_rule("/text", "text", text if kind == "sync" else text_later)
    app.teardown_request(lambda exc: log.append("teardown"))
    response = client.get(path)
    assert (response.status_code, response.headers["X-Shout"], response.text) == (
        203,
        "yes",
        "TEXT",
    )
    response.close()
    assert sorted(log) == sorted([path, "teardown", "closed"])


@by_every_gateway
@pytest.mark.parametrize("kind", KINDS)
def test_a_middleware_that_answers_itself(app: Flask, client: FlaskClient, kind: str) -> None:
    """A request need not reach the application; the old way of writing works too."""
    add_index(app, kind)

    def other(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write: t.Any = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return iter([b"and ", b"returned"])

    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, {"/other": other}
    )
    assert client.get("/other/x").text == "written and returned"
    assert client.get("/").text == "127.0.0.1 http://localhost/ /"


@by_every_gateway
@pytest.mark.parametrize("kind", KINDS)
def test_a_middleware_that_makes_lists(app: Flask, client: FlaskClient, kind: str) -> None:
    """Pairs of headers that are lists are taken as they are meant."""
    add_index(app, kind)
    inner = app.wsgi_app

    def outer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
            return start_response(status, [t.cast(t.Any, list(pair)) for pair in headers])

        return inner(environ, t.cast(t.Any, start))

    app.wsgi_app = outer  # type: ignore[method-assign]
    response = client.get("/")
    assert (response.mimetype, response.text) == ("text/html", "127.0.0.1 http://localhost/ /")


@by_every_gateway
def test_a_middleware_that_raises(app: Flask, client: FlaskClient) -> None:
    """Its exception reaches the server, and the next request is right."""
    add_index(app, "sync")
    inner = app.wsgi_app

    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["QUERY_STRING"] == "fail":
            raise LookupError("in the middleware")
        return inner(environ, start_response)

    app.wsgi_app = broken  # type: ignore[method-assign]
    with pytest.raises(LookupError, match="in the middleware"):
        client.get("/?fail")
    assert client.get("/").status_code == 200


@pytest.mark.gateways("asgi", "asgi-overridden")
@pytest.mark.parametrize("kind", KINDS)
def test_asgi_middleware(app: Flask, client: FlaskClient, kind: str) -> None:
    """Middleware of ASGI wraps ``asgi_app``."""
    add_index(app, kind)
    inner = app.asgi_app

    async def middleware(scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        async def send_more(message: ASGIMessage) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-by", b"asgi")]
            await send(message)

        await inner(scope, receive, send_more)

    app.asgi_app = middleware  # type: ignore[method-assign]
    response = client.get("/")
    assert response.headers["X-By"] == "asgi"
    assert response.status_code == 200


@pytest.mark.gateways("asgi")
@pytest.mark.parametrize("kind", KINDS)
def test_starlette_middleware(app: Flask, client: FlaskClient, kind: str) -> None:
    """Starlette's middleware works around texts and streams, context variables included."""
    add_index(app, kind)

    @app.get("/stream")
    def stream() -> Response:
        return Response(stream_with_context(f"{request.path} " for _ in range(200)))

    async def add_header(request: t.Any, call_next: t.Any) -> t.Any:
        response = await call_next(request)
        response.headers["X-By"] = "starlette"
        return response

    app.asgi_app = GZipMiddleware(  # type: ignore[method-assign]
        BaseHTTPMiddleware(app.asgi_app, add_header), minimum_size=10
    )
    for path in ("/", "/stream"):
        response = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["X-By"] == "starlette"


@pytest.mark.gateways("asgi")
@pytest.mark.parametrize("kind", KINDS)
def test_inside_starlette(app: Flask, kind: str) -> None:
    """An application that is mounted below a path routes below it and builds URLs with it."""
    add_index(app, kind)

    async def home(request: t.Any) -> PlainTextResponse:
        return PlainTextResponse("starlette")

    whole = Starlette(routes=[Route("/", home), Mount("/shop", app=app)])
    client = Client(ASGIGateway(whole))
    assert client.get("/").text == "starlette"
    assert client.get("/shop/").text == "None http://localhost/shop/ /shop/"
    assert client.get("/shop/missing").status_code == 404
    inside = Client(ASGIGateway(Starlette(routes=[Mount("/a", routes=[Mount("/b", app=app)])])))
    assert inside.get("/a/b/").text == "None http://localhost/a/b/ /a/b/"


@pytest.mark.gateways("asgi")
def test_an_older_root_path(app: Flask) -> None:
    """Servers of older versions of ASGI leave the prefix out of the path."""
    add_index(app, "sync")

    async def ask() -> bytes:
        connection = Connection(app)
        connection.scope["root_path"] = "/shop"
        return (await connection.run()).body

    assert asyncio.run(ask()) == b"127.0.0.1 http://localhost/shop/ /shop/"
