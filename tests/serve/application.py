"""The application that the tests serve."""

from __future__ import annotations

import asyncio
import os
import time
import typing as t
from pathlib import Path

from erlen import Erlen, EventStream, Response, request, websocket

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

app = Erlen(__name__)
app.config["SECRET_KEY"] = os.environ.get("TEST_KEY", "4f1d0e7c92ab63581d3aa0c4b7e2f968")
app.config["MAX_CONTENT_LENGTH"] = None


@app.get("/")
def index() -> str:
    return str(os.getpid())


@app.get("/client")
def client() -> dict[str, t.Any]:
    return {
        "address": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
        "root": request.root_path,
        "id": request.headers.get("X-Request-ID"),
    }


@app.get("/slow")
def slow() -> str:
    time.sleep(float(request.args["seconds"]))
    return "slow"


@app.post("/echo")
def echo() -> bytes:
    return request.get_data()


@app.post("/echo-async")
async def echo_async() -> bytes:
    return request.get_data()


@app.get("/events")
def events() -> EventStream:
    async def ticks() -> AsyncIterator[str]:
        while True:
            yield "tick"
            await asyncio.sleep(0.05)

    return EventStream(ticks())


@app.get("/endless")
def endless() -> Response:
    def parts() -> Iterator[str]:
        try:
            while True:
                yield "part"
                time.sleep(0.05)
        finally:
            Path(os.environ["TEST_NOTES"]).write_text("cleared up")

    return Response(parts())


@app.websocket("/socket")
async def socket() -> None:
    while True:
        await websocket.send(await websocket.receive())


@app.get("/fill")
def fill() -> str:
    app.extensions.setdefault("ballast", []).append(b"x" * 40_000_000)
    return str(os.getpid())
