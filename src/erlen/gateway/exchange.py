"""One request on an event loop, whatever the protocol: from the environment to the last byte.

The steps of the request are those of ``wsgi_app``, run in a fiber or in a worker thread. What lies
around them is here: the body that is read on demand, the answer that is sent in parts, and the
client that goes away in the middle.
"""

from __future__ import annotations

import asyncio
import typing as t
from contextvars import Context, copy_context
from functools import partial
from itertools import chain
from tempfile import SpooledTemporaryFile

from werkzeug.exceptions import ClientDisconnected, HTTPException

from ..streams import AfterResponse, is_asynchronous
from .choice import runs_on_loop
from .environ import added_environ, is_ambiguous
from .fibers import RETURNED, end_fiber, run_in_fiber, take_fiber, wait_for_fiber
from .lasting import lasting
from .life import Life
from .limits import BodyLimits
from .threads import WorkerPool
from .waiting import await_
from .watch import watch_loop

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from _typeshed.wsgi import WSGIEnvironment

    from .. import typing as ft

Headers = list[tuple[str, str]]

_AMBIGUOUS = b"The request's transfer coding is not 'chunked' alone.\n"

# How many bytes of a body are kept in memory while it waits for a thread; more go to a file.
_IN_MEMORY = 256 * 1024
# How many bytes are taken in before a thread is taken, where the application sets no limit.
_MAX_BUFFERED = 16 * 1024 * 1024
_DEFAULT_THREADS = 40
# For how many seconds code may block the loop before debug mode tells.
_BLOCKED = 0.25


class Exchange:
    """A request and its answer, as a protocol carries them.

    It is the ``wsgi.input`` too: the request's body, read on demand. A subclass says how parts of
    the body come in and go out.
    """

    #: The line of the status, such as ``"200 OK"``.
    status: str
    #: The headers of the answer.
    headers: Headers
    #: What was sent by the old function ``write`` of WSGI.
    written: list[bytes] | None = None
    #: Whether the end of the request's body was reached.
    is_complete = False
    #: Whether the client went away before that.
    is_cut = False
    #: The limits of the server for bodies, for all requests of the process.
    limits: BodyLimits | None = None
    #: How many bytes of the body came, and since when it is read, where there are limits.
    received = 0
    began: float | None = None
    #: Whether the server ended the answer.
    is_ended = False
    #: Whether the client went away before the end of the answer.
    is_left = False
    #: Makes the exception for the limit that the body broke.
    failure: Callable[[], HTTPException] | None = None
    # What was received of it and not yet read.
    _kept = b""

    async def receive(self) -> bytes:
        """Return the next part of the request's body, ``b""`` at its end.

        :raises ClientDisconnected: where the client went away before the end.
        """
        raise NotImplementedError

    async def receive_limited(self) -> bytes:
        """Return the next part of the request's body, within the limits of the server.

        :raises ClientDisconnected: where the client went away before the end.
        :raises HTTPException: where it is over a limit.
        """
        if self.limits is None:
            return await self.receive()
        try:
            return await self.limits.receive(self)
        except HTTPException as error:
            # Not the exception itself: its traceback leads back here, and the server would hold
            # the connection until the garbage is collected.
            self.is_cut, self.failure = True, partial(type(error), error.description)
            raise

    async def disconnected(self) -> None:
        """Return when the client has gone away."""
        raise NotImplementedError

    def send_whole(self, body: bytes) -> Awaitable[None] | None:
        """Send the status, the headers and the whole body.

        :returns: what is to be awaited, if anything.
        """
        raise NotImplementedError

    async def send_head(self) -> None:
        """Send the status and the headers; parts of the body follow."""
        raise NotImplementedError

    async def send_part(self, part: bytes) -> None:
        """Send a part of the body, and wait until there is room for more."""
        raise NotImplementedError

    async def send_end(self) -> None:
        """Say that the body is complete."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Let go of a body that will not be completed."""

    def start_response(
        self, status: str, headers: Headers, exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        """Take the status and the headers (PEP 3333)."""
        self.status = status
        if self.failure is not None:
            # The rest of the body is not awaited, so nothing can follow it.
            headers = [*headers, ("connection", "close")]
        self.headers = headers
        return self._write

    def refuse(self) -> Awaitable[None] | None:
        """Answer that nobody can tell where the request ends, and end the connection.

        :returns: what is to be awaited, if anything.
        """
        self.status = "400 Bad Request"
        self.headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(_AMBIGUOUS))),
            ("connection", "close"),
        ]
        return self.send_whole(_AMBIGUOUS)

    def _write(self, data: bytes) -> None:
        # The old way to send a body, which middleware may still go.
        if self.written is None:
            self.written = []
        self.written.append(data)

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, at most *size*; without a size, the rest of the body."""
        if size is None or size < 0:
            # PERF: joined once; adding each part to those before takes the square of the time.
            parts = [self._kept]
            self._kept = b""
            while self._take_part():
                parts.append(self._kept)
                self._kept = b""
            return b"".join(parts)
        if not self._kept and size:
            self._take_part()
        data = self._kept
        if len(data) <= size:
            self._kept = b""
            return data
        self._kept = data[size:]
        return data[:size]

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the end of the line, at most *size*."""
        while (end := self._kept.find(b"\n") + 1) == 0 and self._take_part():
            pass
        end = end or len(self._kept)
        if size is not None and size >= 0:
            end = min(end, size)
        return self.read(end) if end else b""

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return the lines that are left."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _take_part(self) -> bool:
        if self.is_complete:
            return False
        if self.is_cut:
            raise self.failure() if self.failure is not None else ClientDisconnected()
        # PERF: without limits of the server, no coroutine around the other.
        part = await_(self.receive() if self.limits is None else self.receive_limited())
        self._kept = self._kept + part if self._kept else part
        self.is_complete = not part
        return not self.is_complete


class Buffered:
    """A request's body that was taken in before a thread was taken, and what is left of it.

    :param file: what was taken in.
    :param rest: the rest of the body.
    """

    def __init__(self, file: t.IO[bytes], rest: Exchange) -> None:
        self._file = file
        self._rest = rest

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, at most *size*; without a size, the rest of the body."""
        data = self._file.read(-1 if size is None else size)
        if size is None or size < 0:
            return data + self._rest.read()
        return data or self._rest.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the end of the line, at most *size*."""
        size = -1 if size is None else size
        line = self._file.readline(size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        return line + self._rest.readline(size - len(line) if size >= 0 else -1)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return the lines that are left."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


class RequestRunner:
    """Runs the requests of an application on event loops and in worker threads.

    :param app: the application.
    """

    def __init__(self, app: ft.Application) -> None:
        self.app = app
        self.pool = WorkerPool(app.config.get("WORKER_THREADS") or _DEFAULT_THREADS)
        self.life = Life(app, self.pool)

    async def answer(self, exchange: Exchange, environ: WSGIEnvironment) -> None:
        """Answer a request.

        :param exchange: the request and its answer.
        :param environ: its environment.
        """
        app = self.app
        if app._is_to_start:
            # The server did not announce that it begins to serve.
            await self.life.start()
        context = copy_context()
        added = added_environ.get()
        if added is not None:
            environ.update(added)
        environ["wsgi.input"] = exchange
        if "HTTP_TRANSFER_ENCODING" in environ and is_ambiguous(environ):
            sending = exchange.refuse()
            if sending is not None:
                await sending
            return
        if runs_on_loop(app, environ):
            if app.config["DEBUG"]:
                self._watch()
            # PERF: what run_in_fiber does; a coroutine in between costs as much as the rest of it.
            fiber = take_fiber(context)
            state = fiber.switch((app.wsgi_app, (environ, exchange.start_response)))
            if state is not RETURNED:
                state = await wait_for_fiber(fiber, state)
            parts = end_fiber(fiber, state)
            if type(parts) is list and exchange.written is None:
                # PERF: what most answers are.
                sending = exchange.send_whole(parts[0] if len(parts) == 1 else b"".join(parts))
                if sending is not None:
                    await sending
                return
            await _send(exchange, _FiberSteps(context), parts)
            return
        file = None
        if _has_body(environ):
            limit = self._buffer_limit(environ)
            file = await _take_in(exchange, limit) if limit else None
        try:
            if file is not None:
                environ["wsgi.input"] = Buffered(file, exchange)
            await self._answer_in_thread(exchange, environ, context)
        finally:
            if file is not None:
                file.close()

    def _watch(self) -> None:
        threshold = self.app.config.get("BLOCKED_LOOP_SECONDS", _BLOCKED)
        watch_loop(asyncio.get_running_loop(), self.app.logger, threshold)

    async def _answer_in_thread(
        self, exchange: Exchange, environ: WSGIEnvironment, context: Context
    ) -> None:
        loop = asyncio.get_running_loop()
        answer = await self.pool.call(loop, context, self._run, exchange, environ)
        if isinstance(answer, bytes):
            sending = exchange.send_whole(answer)
            if sending is not None:
                await sending
        elif is_asynchronous(answer):
            await _send(exchange, _FiberSteps(context), answer)
        else:
            await _send(exchange, _ThreadSteps(context, self.pool, loop), answer)

    def _run(self, exchange: Exchange, environ: WSGIEnvironment) -> bytes | Iterable[bytes]:
        """Run the steps of a request in a worker thread.

        :returns: the whole body, or the parts that it is made of.
        """
        parts: Iterable[bytes] = self.app.wsgi_app(environ, exchange.start_response)
        if exchange.written is not None or is_asynchronous(parts):
            return parts
        if type(parts) is list:
            return b"".join(parts)
        # The first part comes with no other thread, and is often the only one.
        begun = _Begun(parts)
        if type(parts) is not AfterResponse and len(begun.first) == _announced(exchange.headers):
            begun.close()
            return begun.first
        return begun

    def _buffer_limit(self, environ: WSGIEnvironment) -> int:
        setting: int | None = self.app.config["MAX_CONTENT_LENGTH"]
        limit = _MAX_BUFFERED if setting is None else setting
        try:
            announced = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return 0
        # What is too large is refused by its length, unless the view allows more.
        return 0 if announced > limit else limit


def _has_body(environ: WSGIEnvironment) -> bool:
    length: str | None = environ.get("CONTENT_LENGTH")
    if length is not None:
        return length != "0"
    return "HTTP_TRANSFER_ENCODING" in environ or (
        environ["SERVER_PROTOCOL"] not in {"HTTP/1.1", "HTTP/1.0"}
        and environ["REQUEST_METHOD"] not in {"GET", "HEAD"}
    )


async def _take_in(exchange: Exchange, limit: int) -> t.IO[bytes]:
    """Read a body before a thread is taken, so that slow clients hold none.

    :param exchange: the request.
    :param limit: how many bytes to take in at most, give or take a part.
    """
    file: t.Any = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed by the caller)
    taken = 0
    try:
        while taken <= limit:
            part = await exchange.receive_limited()
            if not part:
                exchange.is_complete = True
                break
            taken += len(part)
            file.write(part)
    except HTTPException:
        # Also a client that has left. It is told to the one who reads, if anybody does.
        exchange.is_cut = True
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return t.cast("t.IO[bytes]", file)


def _announced(headers: Headers) -> int | None:
    """Return the length that an answer announces."""
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value)
    return None


class _Begun:
    """The parts of a body whose first is there already.

    :param parts: the parts.
    """

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        try:
            self._iterator = iter(parts)
            self.first: bytes = next(filter(None, self._iterator), b"")
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return chain((self.first,), self._iterator)

    def close(self) -> None:
        """Close what makes the parts."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


class _FiberSteps:
    """Takes the parts of a body in a fiber on the loop.

    :param context: the request's context variables.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def call(self, func: Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Call a function where the body is made."""
        return await run_in_fiber(func, args, self._context)


class _ThreadSteps:
    """Takes the parts of a body in worker threads, one part at a time, so that a slow client holds
    none.

    :param context: the request's context variables.
    :param pool: the threads.
    :param loop: the running loop.
    """

    def __init__(self, context: Context, pool: WorkerPool, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._pool = pool
        self._loop = loop

    async def call(self, func: Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Call a function where the body is made; a call that has begun is not left alone."""
        job = self._pool.call(self._loop, self._context, func, *args)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            # The thread cannot be stopped; the stream is closed when it has come back.
            await asyncio.wait([job])
            raise


_Steps = _FiberSteps | _ThreadSteps
_END: t.Any = object()


async def _send(exchange: Exchange, steps: _Steps, parts: Iterable[bytes]) -> None:
    """Send an answer whose body is made part by part, and stop when the client goes away.

    :param exchange: the request and its answer.
    :param steps: where the parts are made.
    :param parts: the parts.
    """
    # First of all, for a stream may read the body as well.
    watching = asyncio.ensure_future(exchange.disconnected())
    sending = asyncio.ensure_future(_send_parts(exchange, steps, parts))
    if _is_event_stream(exchange):
        lasting[sending] = partial(_end_stream, exchange, sending)
    try:
        await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            exchange.is_left = True
            sending.cancel()
            await asyncio.wait({sending})
    except asyncio.CancelledError:
        sending.cancel()
        await asyncio.wait({sending})
        raise
    finally:
        watching.cancel()
        lasting.pop(sending, None)
    if not sending.cancelled():
        sending.result()


def _is_event_stream(exchange: Exchange) -> bool:
    return any(
        value.startswith("text/event-stream") and name.lower() == "content-type"
        for name, value in getattr(exchange, "headers", ())  # middleware may begin with the body
    )


def _end_stream(exchange: Exchange, sending: asyncio.Future[None]) -> None:
    """End a stream as if it had no more parts; its client comes back by itself."""
    exchange.is_ended = True
    sending.cancel()


async def _send_parts(exchange: Exchange, steps: _Steps, parts: Iterable[bytes]) -> None:
    try:
        await _send_and_close(exchange, steps, parts)
    except BaseException:
        if exchange.is_ended:
            await exchange.send_end()
        # Last of all: the client is seen to leave by it, which would cancel what is left to do
        # here, and put that in the place of the error.
        exchange.abandon()
        raise


async def _send_and_close(exchange: Exchange, steps: _Steps, parts: Iterable[bytes]) -> None:
    try:
        if is_asynchronous(parts):
            # The first part may be long in coming, and clients want to know that it will.
            await exchange.send_head()
            iterator = iter(parts)
            part = await steps.call(_next_part, iterator)
        else:
            iterator = await steps.call(iter, parts)
            part = await steps.call(_next_part, iterator)
            await exchange.send_head()
        if exchange.written is not None:
            await exchange.send_part(b"".join(exchange.written))
        while part is not _END:
            await exchange.send_part(part)
            # A stream that never waits would hold up all others, and not see its client leave.
            await asyncio.sleep(0)
            part = await steps.call(_next_part, iterator)
        await exchange.send_end()
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            await steps.call(close)


def _next_part(iterator: Iterator[bytes]) -> t.Any:
    for part in iterator:
        if part:
            return part
    return _END
