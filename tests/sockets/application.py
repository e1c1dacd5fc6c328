"""What the real servers serve in these tests."""

from __future__ import annotations

import asyncio
import os
import typing as t
from pathlib import Path

from erlen import Erlen, EventStream, abort, g, request, session, sync_websocket, websocket

app = Erlen(__name__)
app.config.update(
    SECRET_KEY="test key",
    WEBSOCKET_LEAVE_TIMEOUT=0.1,
    # One origin beside the host's own.
    WEBSOCKET_ALLOWED_ORIGINS=["https://friend.example"],
)


def note(line: str) -> None:
    """Tell the tests what has happened."""
    with Path(os.environ["TEST_NOTES"]).open("a") as file:
        file.write(f"{line}\n")


@app.get("/")
def index() -> str:
    """Answer plain HTTP."""
    return "here"


@app.websocket("/echo")
async def echo() -> None:
    """Send back what comes."""
    async for message in websocket:
        await websocket.send(message)


@app.websocket("/sync-echo")
def sync_echo() -> None:
    """Send back what comes, in a plain function."""
    for message in sync_websocket:
        sync_websocket.send(message)


@app.websocket("/room/<room>")
async def enter(room: str) -> None:
    """Say now and again who is there."""
    g.room = session["room"] = room
    await websocket.accept()
    async for message in websocket:
        await asyncio.sleep(0)
        said = (message, g.room, session["room"], request.args["room"], websocket.path)
        await websocket.send_json(list(said))


@app.websocket("/close")
async def close() -> None:
    """Close with a code of its own."""
    await websocket.accept()
    await websocket.close(4001, "enough")


@app.websocket("/protocol")
async def choose() -> None:
    """Choose the last subprotocol."""
    await websocket.accept(subprotocol=websocket.requested_subprotocols[-1])


@app.websocket("/forbidden")
def refuse() -> None:
    """Refuse the handshake with an answer."""
    abort(401, "Who are you?")


@app.websocket("/broken")
async def fail() -> None:
    """Fail in the middle."""
    await websocket.accept()
    raise ValueError("on purpose")


@app.websocket("/idle")
async def idle() -> None:
    """Wait for something else than the client."""
    await websocket.accept()
    try:
        await asyncio.Event().wait()
    finally:
        note("idle ended")


@app.teardown_websocket
def tear_down(error: BaseException | None) -> None:
    """Note each end."""
    note(f"torn down {request.path} {type(error).__name__}")


@app.get("/events")
async def events() -> EventStream:
    """Send an event, and then comments for as long as the client is there."""

    async def wait() -> t.AsyncIterator[str]:
        try:
            yield "hello"
            await asyncio.Event().wait()
        finally:
            note("stream ended")

    return EventStream(wait(), heartbeat=0.05)
