"""Bare WSGI callables: what the work itself costs, with no framework around it."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader

from benchmarks import content

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def _answer(
    start_response: StartResponse,
    body: bytes,
    content_type: str = content.HTML,
    status: str = "200 OK",
) -> list[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def _read(environ: WSGIEnvironment) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    return body


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a line of text."""
    return _answer(start_response, content.HELLO.encode())


def small_json(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a small JSON object."""
    return _answer(start_response, json.dumps(content.SMALL).encode(), content.JSON)


_POST = re.compile(r"/users/(?P<id>\d+)/posts/(?P<slug>[^/]+)")


def route(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Take two variables out of a path, with one regular expression for one route."""
    found = _POST.fullmatch(environ["PATH_INFO"])
    if found is None:
        return missing(environ, start_response)
    return _answer(start_response, f"{int(found['id'])}|{found['slug']}".encode())


def form(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Echo two values of the query and two of a form."""
    args = dict(parse_qsl(environ["QUERY_STRING"]))
    fields = dict(parse_qsl(_read(environ).decode()))
    text = f"{args['q']}|{int(args['page'])}|{fields['name']}|{fields['email']}"
    return _answer(start_response, text.encode())


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Parse a JSON document and send it back."""
    document = json.loads(_read(environ))
    return _answer(start_response, json.dumps(document).encode(), content.JSON)


def template() -> WSGIApplication:
    """Return an application that renders a Jinja template."""
    jinja = Environment(loader=FileSystemLoader(content.TEMPLATES), autoescape=True)
    page = jinja.get_template("rows.html")

    def members(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        text = page.render(title=content.TITLE, rows=content.ROWS)
        return _answer(start_response, text.encode())

    return members


def missing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say that there is nothing."""
    return _answer(start_response, b"<h1>Not Found</h1>", status="404 Not Found")


def static(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send a file."""
    name = environ["PATH_INFO"].rpartition("/")[2]
    with open(content.STATIC / name, "rb") as file:
        return _answer(start_response, file.read(), "text/css; charset=utf-8")


# A multipart parser, a signed session and hooks are what frameworks are for: no bare column.
BUILDERS: dict[str, Callable[[], WSGIApplication]] = {
    "plain": lambda: plain,
    "json": lambda: small_json,
    "route": lambda: route,
    "form": lambda: form,
    "echo": lambda: echo,
    "template": template,
    "missing": lambda: missing,
    "static": lambda: static,
}
