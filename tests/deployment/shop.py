"""The application that is deployed."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from erlen import Erlen, EventStream, request, sync_websocket

if t.TYPE_CHECKING:
    from collections.abc import Iterator

app = Erlen(__name__)
app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024
app.config.from_prefixed_env("SHOP")


@app.get("/")
def index() -> str:
    return "shop"


@app.get("/where")
def where() -> dict[str, t.Any]:
    return {"url": request.url, "address": request.remote_addr, "root": request.script_root}


@app.post("/upload")
def upload() -> dict[str, int]:
    return {"size": len(request.get_data())}


@app.get("/events")
def events() -> EventStream:
    def wait() -> Iterator[str]:
        yield "first"
        while not Path(request.args["seen"]).exists():
            time.sleep(0.01)
        yield "second"

    return EventStream(wait())


@app.websocket("/echo")
def echo() -> None:
    for message in sync_websocket:
        sync_websocket.send(message)


def create_app(title: str) -> Erlen:
    app.config["TITLE"] = title
    return app
