"""Bare RSGI applications: what the work itself costs, with no framework around it."""

from __future__ import annotations

import json
import re
import typing as t

from benchmarks import content

if t.TYPE_CHECKING:
    from collections.abc import Callable

    RSGIApplication: t.TypeAlias = Callable[[t.Any, t.Any], t.Any]


def _answer(
    protocol: t.Any, body: bytes, content_type: str = content.HTML, status: int = 200
) -> None:
    headers = [("content-type", content_type), ("content-length", str(len(body)))]
    protocol.response_bytes(status, headers, body)


async def plain(scope: t.Any, protocol: t.Any) -> None:
    """Answer with a line of text."""
    _answer(protocol, content.HELLO.encode())


async def small_json(scope: t.Any, protocol: t.Any) -> None:
    """Answer with a small JSON object."""
    _answer(protocol, json.dumps(content.SMALL).encode(), content.JSON)


_POST = re.compile(r"/users/(?P<id>\d+)/posts/(?P<slug>[^/]+)")


async def route(scope: t.Any, protocol: t.Any) -> None:
    """Take two variables out of a path, with one regular expression for one route."""
    found = _POST.fullmatch(scope.path)
    if found is None:
        _answer(protocol, b"<h1>Not Found</h1>", status=404)
    else:
        _answer(protocol, f"{int(found['id'])}|{found['slug']}".encode())


BUILDERS: dict[str, Callable[[], RSGIApplication]] = {
    "plain": lambda: plain,
    "json": lambda: small_json,
    "route": lambda: route,
}
