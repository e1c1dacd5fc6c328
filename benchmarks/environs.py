"""WSGI environs as Gunicorn makes them: a template per request, a fresh copy per use."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass
from io import BytesIO

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

HOST = "shelf.example.org"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)


class FileWrapper:
    """Reads a file in blocks of 8 KiB, as the ``wsgi.file_wrapper`` of a server does."""

    def __init__(self, file: t.IO[bytes], block_size: int = 8192) -> None:
        self.file = file
        self.block_size = block_size

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        block = self.file.read(self.block_size)
        if not block:
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the file; servers call it when the response is over."""
        self.file.close()


@dataclass(frozen=True)
class Request:
    """What a client sends.

    :param path: the path, decoded, without the query string.
    :param method: the HTTP method.
    :param query: the query string, without the question mark.
    :param body: the bytes of the body.
    :param content_type: the ``Content-Type`` header of the body.
    :param cookie: the ``Cookie`` header.
    """

    path: str = "/"
    method: str = "GET"
    query: str = ""
    body: bytes = b""
    content_type: str | None = None
    cookie: str | None = None

    def template(self) -> WSGIEnvironment:
        """Return the environ of this request without its input stream."""
        environ: WSGIEnvironment = {
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": "gunicorn/27.0.1",
            "wsgi.input": None,
            "REQUEST_METHOD": self.method,
            "QUERY_STRING": self.query,
            "RAW_URI": f"{self.path}?{self.query}" if self.query else self.path,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": HOST,
            "HTTP_CONNECTION": "keep-alive",
            "HTTP_USER_AGENT": BROWSER,
            "HTTP_ACCEPT": "*/*",
            "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
            "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9,de;q=0.8",
            "HTTP_X_FORWARDED_FOR": "203.0.113.7",
            "HTTP_X_FORWARDED_PROTO": "https",
            "wsgi.url_scheme": "https",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "53412",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "PATH_INFO": self.path,
            "SCRIPT_NAME": "",
        }
        if self.content_type is not None:
            environ["CONTENT_TYPE"] = self.content_type
        if self.body:
            environ["CONTENT_LENGTH"] = str(len(self.body))
        if self.cookie is not None:
            environ["HTTP_COOKIE"] = self.cookie
        return environ


@dataclass(frozen=True)
class Answer:
    """What came back: status code, header list and whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name, or ``None``."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


def send(app: WSGIApplication, request: Request) -> Answer:
    """Give one request to an application, read its answer to the end and close it."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> t.Callable[[bytes], object]:
        started.append((status, headers))
        return lambda data: None

    environ = request.template()
    environ["wsgi.input"] = BytesIO(request.body)
    chunks = app(environ, start_response)
    body = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    status, headers = started[-1]
    return Answer(int(status.split()[0]), list(headers), body)
