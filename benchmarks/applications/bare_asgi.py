"""Bare ASGI callables: what the work itself costs, with no framework around it."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader

from benchmarks import content

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.asgi import ASGIApplication, Message, Receive, Send


async def _answer(
    send: Send, body: bytes, content_type: str = content.HTML, status: int = 200
) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def plain(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with a line of text."""
    await _answer(send, content.HELLO.encode())


async def small_json(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with a small JSON object."""
    await _answer(send, json.dumps(content.SMALL).encode(), content.JSON)


_POST = re.compile(r"/users/(?P<id>\d+)/posts/(?P<slug>[^/]+)")


async def route(scope: Message, receive: Receive, send: Send) -> None:
    """Take two variables out of a path, with one regular expression for one route."""
    found = _POST.fullmatch(scope["path"])
    if found is None:
        await missing(scope, receive, send)
    else:
        await _answer(send, f"{int(found['id'])}|{found['slug']}".encode())


async def form(scope: Message, receive: Receive, send: Send) -> None:
    """Echo two values of the query and two of a form."""
    args = dict(parse_qsl(scope["query_string"].decode()))
    fields = dict(parse_qsl((await _read(receive)).decode()))
    text = f"{args['q']}|{int(args['page'])}|{fields['name']}|{fields['email']}"
    await _answer(send, text.encode())


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Parse a JSON document and send it back."""
    document = json.loads(await _read(receive))
    await _answer(send, json.dumps(document).encode(), content.JSON)


def template() -> ASGIApplication:
    """Return an application that renders a Jinja template."""
    jinja = Environment(loader=FileSystemLoader(content.TEMPLATES), autoescape=True)
    page = jinja.get_template("rows.html")

    async def members(scope: Message, receive: Receive, send: Send) -> None:
        text = page.render(title=content.TITLE, rows=content.ROWS)
        await _answer(send, text.encode())

    return members


async def missing(scope: Message, receive: Receive, send: Send) -> None:
    """Say that there is nothing."""
    await _answer(send, b"<h1>Not Found</h1>", status=404)


async def static(scope: Message, receive: Receive, send: Send) -> None:
    """Send a file, which blocks the loop for a moment."""
    name = scope["path"].rpartition("/")[2]
    with open(content.STATIC / name, "rb") as file:  # noqa: ASYNC230 - nothing is faster
        data = file.read()
    await _answer(send, data, "text/css; charset=utf-8")


# A multipart parser, a signed session and hooks are what frameworks are for: no bare column.
BUILDERS: dict[str, Callable[[], ASGIApplication]] = {
    "plain": lambda: plain,
    "json": lambda: small_json,
    "route": lambda: route,
    "form": lambda: form,
    "echo": lambda: echo,
    "template": template,
    "missing": lambda: missing,
    "static": lambda: static,
}
