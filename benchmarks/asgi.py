"""Applications of ASGI, driven by hand in one process: what is sent to them, and how it is timed.

All of them run on one event loop, so that those which leave it for a thread may do so. A request
is awaited there as a server's task would await it; what a server adds is the same for all.
"""

from __future__ import annotations

import asyncio
import typing as t
from time import process_time

from benchmarks.environs import Answer

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping

    from benchmarks.environs import Request
    from benchmarks.timing import Contestant

    Message: t.TypeAlias = MutableMapping[str, t.Any]
    Receive: t.TypeAlias = Callable[[], Awaitable[Message]]
    Send: t.TypeAlias = Callable[[Message], Awaitable[None]]
    ASGIApplication: t.TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

T = t.TypeVar("T")

# How many bytes of a body come in one message, as uvicorn passes on what a socket brings.
_PART = 64 * 1024


def scope_of(request: Request) -> Message:
    """Return the scope of a request as uvicorn makes it, with the headers of the WSGI environ."""
    environ = request.template()
    headers = [
        (key.removeprefix("HTTP_").replace("_", "-").lower().encode(), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith(("HTTP_", "CONTENT_"))
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "client": (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])),
        "scheme": environ["wsgi.url_scheme"],
        "method": request.method,
        "root_path": "",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": headers,
    }


def messages_of(request: Request) -> list[Message]:
    """Return the messages that a request's body comes in."""
    body = request.body
    starts = range(0, max(len(body), 1), _PART)
    return [
        {
            "type": "http.request",
            "body": body[start : start + _PART],
            "more_body": start + _PART < len(body),
        }
        for start in starts
    ]


class Client:
    """One request's side of the conversation, until the client would go away, which it does not.

    :param messages: the body, last message first.
    """

    __slots__ = ("messages",)

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages

    async def receive(self) -> Message:
        """Return the next message."""
        if self.messages:
            return self.messages.pop()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def ignore(message: Message) -> None:
    """Take a message and do nothing with it."""


async def nothing(scope: Message, receive: Receive, send: Send) -> None:
    """Answer nothing: what :meth:`Driver.requests_to` then costs is the cost of asking."""


class Driver:
    """Runs applications on an event loop; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._started: list[tuple[asyncio.Future[None], asyncio.Task[None]]] = []

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *args: object) -> None:
        for end, _ in self._started:
            end.set_result(None)
        self.run(self._finish())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, coroutine: Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
        """Run a coroutine on the loop and return its result."""
        return self._loop.run_until_complete(coroutine)

    async def _finish(self) -> None:
        for _, task in self._started:
            await asyncio.wait({task}, timeout=10)

    def start(self, app: ASGIApplication) -> None:
        """Start an application, as a server does before the first request."""
        self.run(self._start(app))

    async def _start(self, app: ASGIApplication) -> None:
        started = asyncio.Event()
        end = self._loop.create_future()
        messages: Iterator[Message] = iter([{"type": "lifespan.startup"}])

        async def receive() -> Message:
            for message in messages:
                return message
            await end
            return {"type": "lifespan.shutdown"}

        async def send(message: Message) -> None:
            assert message["type"] != "lifespan.startup.failed", message
            started.set()

        async def live() -> None:
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
            try:
                await app(scope, receive, send)
            except Exception:
                # The application knows nothing of its life, as servers have to understand it.
                pass
            started.set()

        self._started.append((end, asyncio.ensure_future(live())))
        await started.wait()

    def send(self, app: ASGIApplication, request: Request) -> Answer:
        """Give one request to an application and return its answer."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        client = Client(messages_of(request)[::-1])
        self.run(app(scope_of(request), client.receive, send))  # type: ignore[arg-type]
        start = sent[0]
        headers = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
        # Werkzeug's answers have them capitalised, and so the comparison asks for them.
        headers = [(name.title(), value) for name, value in headers]
        return Answer(
            start["status"], headers, b"".join(part.get("body", b"") for part in sent[1:])
        )

    def requests_to(self, app: ASGIApplication, request: Request) -> Contestant:
        """Return a contestant that sends a request as a server would."""
        template = scope_of(request)
        messages = messages_of(request)[::-1]

        async def send_all(count: int) -> None:
            for _ in range(count):
                # Applications write to both.
                scope = dict(template)
                scope["headers"] = template["headers"].copy()
                await app(scope, Client(messages.copy()).receive, ignore)

        def run(count: int) -> float:
            start = process_time()
            self.run(send_all(count))
            return process_time() - start

        return run

    def call(self, func: Callable[[], T]) -> T:
        """Call a function while the loop runs."""

        async def call() -> T:
            return func()

        return t.cast(T, self.run(call()))

    def steps_of(self, app: ASGIApplication, request: Request, count: int) -> Iterator[str]:
        """Send a request so many times, and return what sends it once more at each step.

        Each step says whether the request has ``"ended"``; if not, it waits for something.
        """
        template, messages = scope_of(request), messages_of(request)[::-1]

        def steps() -> Iterator[str]:
            while True:
                scope = dict(template, headers=template["headers"].copy())
                coroutine: t.Any = app(scope, Client(messages.copy()).receive, ignore)
                try:
                    coroutine.send(None)
                except StopIteration:
                    yield "ended"
                else:
                    coroutine.close()
                    yield "waits"

        found = steps()
        self.call(lambda: [next(found) for _ in range(count)])
        return found

    def calls_of(self, func: Callable[[], Awaitable[object]]) -> Contestant:
        """Return a contestant that awaits what a function returns."""

        async def call_all(count: int) -> None:
            for _ in range(count):
                await func()

        def run(count: int) -> float:
            start = process_time()
            self.run(call_all(count))
            return process_time() - start

        return run
