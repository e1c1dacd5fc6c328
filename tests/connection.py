"""A connection to an ASGI application that a test plays by hand, on its own event loop."""

from __future__ import annotations

import asyncio
import json
import typing as t

from erlen.testing import ASGIValidator

if t.TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from erlen import Flask

# How long to wait for what should come at once, in seconds.
PATIENCE = 30


class Connection:
    """One request, its messages one by one.

    :param app: the application.
    :param path: the path, with a query string perhaps.
    :param method: the method.
    :param parts: the parts of the body; at an event among them the client waits.
    :param headers: further headers.
    :param cut: go away after these parts, instead of ending the body.
    :param room: how many messages the client takes before it stops reading; all by default.
    """

    def __init__(
        self,
        app: Flask,
        path: str = "/",
        method: str = "GET",
        parts: Iterable[bytes | asyncio.Event] = (),
        headers: Iterable[tuple[bytes, bytes]] = (),
        cut: bool = False,
        room: int | None = None,
    ) -> None:
        self.app = app
        path, _, query = path.partition("?")
        self.scope: MutableMapping[str, t.Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost"), *headers],
            "client": ("127.0.0.1", 1234),
            "server": ("127.0.0.1", 80),
        }
        self.parts = list(parts)
        self._is_read = False
        self._cut = cut
        self.sent: list[MutableMapping[str, t.Any]] = []
        self._changed = asyncio.Condition()
        self._room = None if room is None else asyncio.Semaphore(room)
        self.gone = asyncio.Event()
        self.task: asyncio.Task[t.Any] | None = None

    async def receive(self) -> MutableMapping[str, t.Any]:
        """Return the next message to the application."""
        if not self._is_read and not self.gone.is_set():
            part = self.parts.pop(0) if self.parts else b""
            if isinstance(part, asyncio.Event):
                await part.wait()
                part = self.parts.pop(0)
            if self._cut and not part:
                self.gone.set()
            else:
                self._is_read = not self.parts and not self._cut
                return {"type": "http.request", "body": part, "more_body": not self._is_read}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, t.Any]) -> None:
        """Take a message of the application."""
        if self.gone.is_set():
            return
        if self._room is not None:
            await self._room.acquire()
        async with self._changed:
            self.sent.append(message)
            self._changed.notify_all()

    async def run(self) -> t.Self:
        """Run the application until it returns."""
        await ASGIValidator(self.app)(self.scope, self.receive, self.send)
        return self

    def start(self) -> t.Self:
        """Run the application in a task."""
        self.task = asyncio.ensure_future(self.run())
        return self

    async def has_sent(self, count: int) -> None:
        """Return when the application has sent so many messages."""
        async with self._changed:
            wait = self._changed.wait_for(lambda: len(self.sent) >= count)
            await asyncio.wait_for(wait, PATIENCE)

    async def leave(self) -> None:
        """Go away, and wait until the application has returned."""
        self.gone.set()
        assert self.task is not None
        await asyncio.wait_for(self.task, PATIENCE)

    @property
    def status(self) -> int:
        """The status of the answer."""
        return t.cast(int, self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        """The body of the answer, as far as it has come."""
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def json(self) -> t.Any:
        """The body of the answer, parsed."""
        return json.loads(self.body)

    @property
    def is_complete(self) -> bool:
        """Whether the application has said that the answer is complete."""
        last = self.sent[-1] if self.sent else {}
        return last.get("type") == "http.response.body" and not last.get("more_body", False)


async def until(condition: t.Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    :param condition: asked again and again.
    :param what: what is waited for, for the message.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.005)
