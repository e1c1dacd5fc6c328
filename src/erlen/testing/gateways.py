"""Requests to an application by the protocols of event loops, without a server.

Each gateway is a WSGI callable: it turns an environment into what the protocol has, runs the
application on an event loop in a thread of its own, and gives the answer back as WSGI does. So
whatever can send a request to a WSGI application can send it by ASGI or RSGI.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import typing as t
from io import BytesIO
from itertools import chain
from queue import Empty, SimpleQueue

from werkzeug.http import HTTP_STATUS_CODES

from erlen.gateway.environ import added_environ
from erlen.gateway.loop import BackgroundLoop, keep

from .conformance import ASGIValidator

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from erlen.typing import Application, ASGIMessage, ASGIScope

# How many bytes of a request's body come at once.
_PART = 64 * 1024
# How long an application may go on after its client has gone, in seconds.
_PATIENCE = 60

# What each environment has, and what a protocol has its own place for. The rest is handed over
# beside it.
_CARRIED = ("HTTP_", "CONTENT_", "SERVER_", "REQUEST_", "wsgi.")
_CARRIED_KEYS = {
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "REMOTE_ADDR",
    "REMOTE_PORT",
}

# One loop for all clients of a process, apart from the one that coroutines run on below WSGI.
_loop = BackgroundLoop()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loop.forget)


class _Ended(t.NamedTuple):
    """The application has returned, or raised an exception."""

    error: BaseException | None


class Conversation:
    """One request and its answer, between the client's thread and the loop's.

    The application is held back until the client asks for more of the answer, as a server holds
    it back whose client reads slowly.

    :param environ: the request.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.body = _Body(environ)
        #: Set when there is an answer: the status and the headers.
        self.head: tuple[int, list[tuple[str, str]]] | None = None
        #: Whether all of the answer is there.
        self.is_whole = False
        self._parts: SimpleQueue[bytes | _Ended] = SimpleQueue()
        self._has_left = False
        self._has_ended = False
        self._loop = _loop.start()
        # Both are made on the loop.
        self._wanted: asyncio.Event
        self._over: asyncio.Event

    # --- In the client's thread ---------------------------------------------------------------

    def start(self, answer: Callable[[Conversation], Coroutine[t.Any, t.Any, None]]) -> None:
        """Start the application.

        :param answer: runs it.
        """
        context = contextvars.copy_context()
        context.run(added_environ.set, _beside(self.environ))

        def create() -> None:
            self._wanted = asyncio.Event()
            self._over = asyncio.Event()
            keep(self._loop.create_task(self._run(answer), context=context))

        self._loop.call_soon_threadsafe(create)

    def parts(self) -> Iterator[bytes]:
        """Yield the parts of the answer; each is made when it is asked for.

        What the application raises is raised here.
        """
        while True:
            part = self._parts.get()
            if isinstance(part, _Ended):
                self._has_ended = True
                if part.error is not None:
                    try:
                        raise part.error
                    finally:
                        # Its traceback leads to this frame, which must not hold it.
                        del part
                return
            yield part
            self._loop.call_soon_threadsafe(self._wanted.set)

    def leave(self) -> None:
        """Go away, and wait until the application has noticed.

        :raises RuntimeError: where it goes on without its client.
        """
        if self._has_ended:
            return
        self._has_left = True
        self._loop.call_soon_threadsafe(self._over.set)
        try:
            while not self._has_ended:
                self._has_ended = isinstance(self._parts.get(timeout=_PATIENCE), _Ended)
        except Empty:
            self._has_ended = True
            raise RuntimeError(
                f"The application went on for {_PATIENCE} seconds after its client had gone away."
            ) from None

    # --- On the loop --------------------------------------------------------------------------

    async def _run(self, answer: Callable[[Conversation], Coroutine[t.Any, t.Any, None]]) -> None:
        ended = _Ended(None)
        try:
            await answer(self)
        except BaseException as error:
            # Nothing is raised here: SystemExit would end the loop.
            ended = _Ended(error)
        self._parts.put(ended)

    async def add(self, part: bytes) -> None:
        """Hand a part over, and wait until the client wants another, or has gone."""
        if self._has_left or not part:
            return
        self._wanted.clear()
        self._parts.put(part)
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._wanted, self._over)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()

    def finish(self, part: bytes) -> None:
        """Hand the last part over."""
        self.is_whole = True
        if part and not self._has_left:
            self._parts.put(part)
        self._over.set()

    async def gone(self) -> None:
        """Wait until the client has gone away, or has its answer."""
        await self._over.wait()


class _Body:
    """The body of a request, in parts; the client goes away where it ends too early.

    :param environ: the request.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._input: t.Any = environ["wsgi.input"]
        if isinstance(self._input, BytesIO):
            # What is sent is not used up: a client that is redirected sends it once more.
            position = self._input.tell()
            self._input = BytesIO(self._input.getvalue())
            self._input.seek(position)
        length = environ.get("CONTENT_LENGTH") or ""
        self._left: int | None = int(length) if length.isascii() and length.isdigit() else 0
        if not length and "HTTP_TRANSFER_ENCODING" in environ:
            # In chunks: as much as there is.
            self._left = None
        self.is_complete = False

    async def read(self) -> bytes:
        """Return the next part; the last one may be empty.

        :raises EOFError: where the body is cut.
        """
        size = _PART if self._left is None else min(_PART, self._left)
        if isinstance(self._input, BytesIO):
            part = self._input.read(size)
        else:
            try:
                part = await asyncio.to_thread(self._input.read, size)
            except Exception as error:
                raise EOFError from error
        if self._left is None:
            self.is_complete = not part
            return part
        if size and not part:
            raise EOFError
        self._left -= len(part)
        self.is_complete = not self._left
        return part


class ASGIGateway:
    """Sends each request to an application by ASGI 3; a WSGI callable.

    The answer comes in parts, each made when it is asked for. To close it early is to go away:
    the application then gets ``http.disconnect``. All that the application sends is checked by
    :class:`ASGIValidator`.

    :param app: the application: any ASGI application, Erlen's or not.

    .. code-block:: python

        client = werkzeug.test.Client(ASGIGateway(app))
        assert client.get("/").status_code == 200
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self._validator = ASGIValidator(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        """Send a request and return the parts of the answer's body.

        :param environ: the request.
        :param start_response: gets the status and the headers.
        """
        return _converse(environ, start_response, self._answer)

    async def _answer(self, conversation: Conversation) -> None:
        status = 0
        headers: list[tuple[str, str]] = []
        has_left = False

        async def receive() -> ASGIMessage:
            nonlocal has_left
            body = conversation.body
            if not body.is_complete and not has_left:
                try:
                    part = await body.read()
                except EOFError:
                    has_left = True
                else:
                    return {"type": "http.request", "body": part, "more_body": not body.is_complete}
            if not has_left:
                await conversation.gone()
            return {"type": "http.disconnect"}

        async def send(message: ASGIMessage) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message.get("headers", ())
                ]
                return
            conversation.head = status, headers
            if message.get("more_body", False):
                await conversation.add(message.get("body", b""))
            else:
                conversation.finish(message.get("body", b""))

        await self._validator(scope_of(conversation.environ), receive, send)


def scope_of(environ: WSGIEnvironment) -> ASGIScope:
    """Return the scope of ASGI that a server would make of a request.

    :param environ: the request as a WSGI environment.
    """
    root = _decode(environ.get("SCRIPT_NAME", ""))
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    address = environ.get("REMOTE_ADDR")
    version = environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": version,
        "method": environ["REQUEST_METHOD"].upper(),
        "scheme": environ["wsgi.url_scheme"],
        "path": _decode(path),
        "raw_path": environ.get("RAW_URI", path).partition("?")[0].encode("latin-1"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": root,
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers(environ)
        ],
        "client": None if not address else (address, int(environ.get("REMOTE_PORT") or 0)),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    }


class RSGIGateway:
    """Sends each request to an application by RSGI, as Granian does; a WSGI callable.

    It is to RSGI what :class:`ASGIGateway` is to ASGI. RSGI knows no prefix that an application is
    mounted under, so ``SCRIPT_NAME`` becomes a part of the path.

    :param app: the application.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        """Send a request and return the parts of the answer's body.

        :param environ: the request.
        :param start_response: gets the status and the headers.
        """
        return _converse(environ, start_response, self._answer)

    async def _answer(self, conversation: Conversation) -> None:
        protocol = RSGIProtocol(conversation)
        await self.app.__rsgi__(RSGIScope(conversation.environ), protocol)
        if conversation.head is None:
            raise RuntimeError("The application returned without an answer.")


class RSGIScope:
    """What a request is about, in the terms of RSGI 1.5.

    :param environ: the request as a WSGI environment.
    """

    proto = "http"
    rsgi_version = "1.5"

    def __init__(self, environ: WSGIEnvironment) -> None:
        address = environ.get("REMOTE_ADDR")
        self.http_version = environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/")
        self.server = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        self.client = f"{address}:{environ.get('REMOTE_PORT') or 0}" if address else ""
        self.scheme = environ["wsgi.url_scheme"]
        self.method = environ["REQUEST_METHOD"]
        self.path = _decode(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        self.query_string = environ.get("QUERY_STRING", "")
        self.authority: str | None = None
        self.headers = RSGIHeaders(_headers(environ))


class RSGIHeaders:
    """The headers of a request, as RSGI has them.

    :param pairs: names in lower case, and values.
    """

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __contains__(self, name: str) -> bool:
        return any(name == key for key, _ in self._pairs)

    def keys(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self._pairs]

    def values(self) -> list[str]:
        """Return the values."""
        return [value for _, value in self._pairs]

    def items(self) -> list[tuple[str, str]]:
        """Return pairs of name and value."""
        return list(self._pairs)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return the first value of a header.

        :param name: its name, in lower case.
        :param default: what to return where there is none.
        """
        return next((value for key, value in self._pairs if key == name), default)

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header.

        :param name: its name, in lower case.
        """
        return [value for key, value in self._pairs if key == name]


class RSGIProtocol:
    """The way to receive a request's body and to answer it, in the terms of RSGI.

    :param conversation: the request.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def __call__(self) -> bytes:
        return b"".join([part async for part in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._conversation.body
        while not body.is_complete:
            try:
                part = await body.read()
            except EOFError as error:
                # Granian raises one of its own; applications need not know which.
                raise RuntimeError("The body was cut.") from error
            if part:
                yield part

    async def client_disconnect(self) -> None:
        """Return when the client has gone away."""
        await self._conversation.gone()

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Answer without a body.

        :param status: the status code.
        :param headers: names and values.
        """
        self.response_bytes(status, headers, b"")

    def response_str(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        """Answer with text.

        :param status: the status code.
        :param headers: names and values.
        :param body: the whole text.
        """
        self.response_bytes(status, headers, body.encode())

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer with bytes.

        :param status: the status code.
        :param headers: names and values.
        :param body: all of them.
        """
        if not isinstance(body, bytes):
            raise TypeError(f"The body of an answer is bytes in RSGI, not {type(body).__name__}.")
        self._begin(status, headers)
        self._conversation.finish(body)

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        """Answer with a file.

        :param status: the status code.
        :param headers: names and values.
        :param file: its path.
        """
        with open(file, "rb") as opened:
            self.response_bytes(status, headers, opened.read())

    def response_file_range(
        self, status: int, headers: list[tuple[str, str]], file: str, start: int, end: int
    ) -> None:
        """Answer with a part of a file.

        :param status: the status code.
        :param headers: names and values.
        :param file: its path.
        :param start: the position of the first byte.
        :param end: the position after the last one.
        """
        with open(file, "rb") as opened:
            opened.seek(start)
            self.response_bytes(status, headers, opened.read(end - start))

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> RSGITransport:
        """Begin an answer that comes in parts.

        :param status: the status code.
        :param headers: names and values.
        """
        self._begin(status, headers)
        return RSGITransport(self._conversation)

    def _begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        if self._conversation.head is not None:
            raise RuntimeError("A request is answered once in RSGI.")
        if type(status) is not int or not all(map(_is_text, chain.from_iterable(headers))):
            raise TypeError("The status is an integer in RSGI, and headers are pairs of text.")
        self._conversation.head = status, list(headers)


class RSGITransport:
    """Takes the parts of an answer, in the terms of RSGI.

    :param conversation: the request.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def send_bytes(self, data: bytes) -> None:
        """Send a part.

        :param data: the part.
        """
        await self._conversation.add(data)

    async def send_str(self, data: str) -> None:
        """Send a part.

        :param data: the part.
        """
        await self._conversation.add(data.encode())


#: What makes the WSGI callable of each gateway but ``"wsgi"``.
GATEWAYS: dict[str, Callable[[Application], t.Any]] = {"asgi": ASGIGateway, "rsgi": RSGIGateway}


def _converse(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    answer: Callable[[Conversation], Coroutine[t.Any, t.Any, None]],
) -> Iterator[bytes]:
    """Start an application and return what it answers, once it has begun to."""
    conversation = Conversation(environ)
    conversation.start(answer)
    parts = conversation.parts()
    # What is raised before the answer begins is raised to the caller.
    first = next(parts, b"")
    rest = list(parts) if conversation.is_whole else ()
    assert conversation.head is not None
    status, headers = conversation.head
    start_response(f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown').upper()}", headers)
    return _Parts(conversation, chain((first,), rest, parts))


class _Parts:
    """The parts of an answer; to close it early is to go away.

    :param conversation: the request.
    :param parts: the parts.
    """

    def __init__(self, conversation: Conversation, parts: Iterator[bytes]) -> None:
        self._conversation = conversation
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Go away, where the answer is not at its end."""
        self._conversation.leave()


def _headers(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """Return the headers of a request, their names in lower case."""
    return [
        (key.removeprefix("HTTP_").replace("_", "-").lower(), value)
        for key, value in environ.items()
        if key.startswith("HTTP_") or (key in {"CONTENT_TYPE", "CONTENT_LENGTH"} and value)
    ]


def _beside(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return what no protocol carries: what a test put into its request's environment."""
    beside = {
        key: value
        for key, value in environ.items()
        if not key.startswith(_CARRIED) and key not in _CARRIED_KEYS
    }
    if environ["wsgi.errors"] is not sys.stderr:
        beside["wsgi.errors"] = environ["wsgi.errors"]
    return beside


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _decode(path: str) -> str:
    # As servers do: what is not UTF-8 is replaced.
    return path.encode("latin-1").decode("utf-8", "replace")
