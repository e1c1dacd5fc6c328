"""Requests as a server hands them over, also such as no client library would send."""

from __future__ import annotations

import io
import sys
import time
import typing as t
from contextlib import contextmanager

from werkzeug.datastructures import Headers

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen import Flask


class Answer(t.NamedTuple):
    """What an application answered."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def send(
    app: Flask,
    path: str = "/",
    *,
    method: str = "GET",
    query: str = "",
    body: t.Any = b"",
    **environ: t.Any,
) -> Answer:
    """Send a request with nothing between the test and the application.

    :param app: the application.
    :param path: ``PATH_INFO``, which servers have unquoted.
    :param method: the method.
    :param query: the query string.
    :param body: what the server's stream holds, or that stream. Only *environ* tells its length.
    :param environ: more of the environment; ``None`` takes a variable out of it.
    """
    variables: dict[str, t.Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "server.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    } | environ
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
    ) -> t.Callable[[bytes], object]:
        started.append((status, headers))
        return lambda data: None

    environment = {key: value for key, value in variables.items() if value is not None}
    result = app(environment, start_response)
    try:
        content = b"".join(result)
    finally:
        getattr(result, "close", lambda: None)()
    status, headers = started[0]
    return Answer(int(status[:3]), Headers(headers), content)


def post_form(app: Flask, path: str, body: bytes, content_type: str) -> Answer:
    """Post a body of a given type, with its true length."""
    length = str(len(body))
    return send(
        app, path, method="POST", body=body, CONTENT_LENGTH=length, CONTENT_TYPE=content_type
    )


@contextmanager
def cpu_limit(seconds: float = 1.0) -> Iterator[None]:
    """Fail where the block takes more CPU time than a request may."""
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
