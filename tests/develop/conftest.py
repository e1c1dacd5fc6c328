"""A development server for all tests that change nothing about it."""

from __future__ import annotations

import typing as t

import pytest
from tests.develop.running import Run, write

pytest.importorskip("granian")
pytest.importorskip("watchfiles")

if t.TYPE_CHECKING:
    from collections.abc import Iterator

APP = '''
import asyncio
import os
import sys
import threading
import time

from erlen import Erlen, Response, current_app, request, send_file, stream_with_context, websocket

app = Erlen(__name__)
PAGE = "<!doctype html><html><body><h1>Hi</h1></body></html>"


@app.get("/")
def index():
    return PAGE


@app.get("/made")
def made():
    """A page, with the headers and the body that the query asks for."""
    body = request.args.get("body", PAGE)
    response = Response(body, status=int(request.args.get("status", 200)))
    for line in request.args.getlist("header"):
        name, _, value = line.partition(": ")
        response.headers[name] = value
    return response


@app.get("/tagged")
def tagged():
    response = Response(PAGE)
    response.add_etag()
    return response.make_conditional(request)


@app.get("/stream")
def stream():
    return iter(["<p>one", "<p>two"])


@app.get("/astream")
async def astream():
    async def parts():
        yield "<p>one"
        await asyncio.sleep(0)
        yield "<p>two"

    return parts()


@app.get("/file")
def file():
    return send_file("page.html")


@app.get("/json")
def json():
    return {"a": 1}


@app.get("/fail")
def fail():
    secret_value = 7**20
    raise LookupError("from a view")


@app.get("/afail")
async def afail():
    secret_value = 7**20
    await asyncio.sleep(0)
    raise LookupError("from an async view")


@app.get("/fail-in-stream")
def fail_in_stream():
    def parts():
        raise LookupError("before the first part")
        yield ""

    return parts()


@app.get("/fail-late")
def fail_late():
    def parts():
        yield "begun"
        raise LookupError("after the first part")

    return parts()


@app.get("/leave")
def leave():
    sys.exit(3)


@app.get("/threads")
def threads():
    return {"count": threading.active_count()}


@app.get("/for-ever")
async def for_ever():
    async def parts():
        while True:
            yield "x"
            await asyncio.sleep(0.1)

    return parts(), {"Content-Type": "text/event-stream"}


@app.websocket("/echo")
async def echo():
    while True:
        await websocket.send(await websocket.receive())
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A server in debug mode."""
    folder = tmp_path_factory.mktemp("site")
    write(folder, {"app.py": APP, "page.html": "<p>a file</p>", "static/a.txt": "text"})
    with Run(folder, "--debug", "--port", "0") as run:
        yield run.started()
