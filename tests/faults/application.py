"""The application of these tests. It notes in a file what happens to it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
import typing as t
from contextlib import closing
from pathlib import Path

from werkzeug.exceptions import ClientDisconnected

from erlen import Erlen, EventStream, request, stream_with_context

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

app = Erlen(__name__)
app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024

NOTES = Path(os.environ["TEST_NOTES"])
DATABASE = NOTES.with_name("writes.sqlite3")
PART = b"x" * 65536

counted = 0


def note(text: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


@app.get("/")
def index() -> str:
    return "plain"


@app.get("/async")
async def asynchronous() -> dict[str, int]:
    await asyncio.sleep(0)
    return {"answer": 42}


@app.get("/short")
def short() -> str:
    time.sleep(0.02)
    return "short"


@app.get("/pid")
def pid() -> str:
    return str(os.getpid())


@app.post("/form")
def form() -> str:
    return request.form["name"]


@app.post("/write/<int:number>")
def write(number: int) -> str:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS writes (number INTEGER)")
        database.execute("INSERT INTO writes VALUES (?)", [number])
        database.commit()
    return str(number)


def _receive(kind: str) -> str:
    try:
        data = request.get_data()
    except ClientDisconnected:
        note(f"cut {kind}")
        raise
    note(f"whole {kind}")
    return str(len(data))


@app.post("/take")
def take() -> str:
    return _receive("sync")


@app.post("/take/async")
async def take_async() -> str:
    return _receive("async")


@app.get("/endless")
def endless() -> Iterator[bytes]:
    @stream_with_context
    def parts() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1024
                time.sleep(0.02)
        finally:
            note(f"closed {request.path}")

    return parts()


@app.get("/endless/async")
async def endless_async() -> t.Any:
    @stream_with_context
    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1024
                await asyncio.sleep(0.02)
        finally:
            note(f"closed {request.path}")

    return parts()


@app.teardown_request
def teardown(error: BaseException | None) -> None:
    if request.path.startswith("/endless"):
        note(f"teardown {request.path}")


@app.get("/events")
def events() -> EventStream:
    def wait() -> Iterator[str]:
        while True:
            yield "tick"
            time.sleep(0.1)

    return EventStream(wait())


@app.get("/large/<int:parts>")
def large(parts: int) -> Iterator[bytes]:
    def make() -> Iterator[bytes]:
        global counted
        for _ in range(parts):
            counted += 1
            yield PART

    return make()


@app.get("/counted")
def get_counted() -> str:
    return str(counted)


@app.get("/parts")
def few_parts() -> Iterator[str]:
    return (f"part {number}\n" for number in range(5))


@app.get("/broken")
def broken() -> Iterator[str]:
    def parts() -> Iterator[str]:
        yield "one"
        yield "two"
        raise ValueError("an error on purpose")

    return parts()
