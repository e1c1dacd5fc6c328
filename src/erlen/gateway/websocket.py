"""One WebSocket on an event loop, whatever the protocol: from the handshake to the last message.

The steps are those of ``handle_websocket``, run in a fiber; ``wsgi_app`` and the middleware around
it lead there, with the connection in the environment. What lies around the steps is here: a task
that takes messages in, so that a client that goes away is noticed by a handler that does not read;
the limits; and the answer where the handshake is refused.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections import deque
from contextlib import suppress
from contextvars import copy_context

from werkzeug.datastructures import Headers

from ..exceptions import Disconnect
from ..headers import refuse_bad_headers
from ..websockets import LEAVE_TIMEOUT, MAX_MESSAGE_SIZE
from .fibers import in_fiber, run_in_fiber
from .lasting import lasting
from .loop import keep, run_on
from .waiting import await_

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from _typeshed.wsgi import WSGIEnvironment

    from .. import typing as ft
    from ..websockets import Message

    HeaderList = list[tuple[str, str]]

T = t.TypeVar("T")

# How many messages wait for a handler; then the client has to.
_MAX_WAITING = 16
# RFC 6455, sections 7.4.1 and 7.4.2, and the registry of IANA: what may be sent.
_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))
_MAX_REASON = 123
_CONNECTING, _OPEN, _CLOSED = range(3)


class Connection:
    """A WebSocket as the application sees it; subclasses say how a protocol carries it."""

    def __init__(self) -> None:
        self.max_message_size: int | None = MAX_MESSAGE_SIZE
        self.message_rate: float | None = None
        self.leave_timeout: float = LEAVE_TIMEOUT
        #: How the WebSocket was closed; ``None`` while it is not.
        self.close_code: int | None = None
        self.close_reason = ""
        #: Whether the handler was cancelled since the client is gone.
        self.has_left = False
        #: Whether the handshake was answered with a yes.
        self.is_accepted = False
        self._state = _CONNECTING
        self._loop = asyncio.get_running_loop()
        self._accepting = asyncio.Lock()
        self._subprotocols: tuple[str, ...] = ()
        self._save_session: Callable[[], HeaderList] = list
        self._messages: deque[Message] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._room = asyncio.Event()
        self._intake: asyncio.Task[None] | None = None
        self._steps: asyncio.Task[Iterable[bytes]] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._is_giving_up = False
        self._refusal: tuple[int, HeaderList] = (403, [])
        self._is_answered = False
        self._after_answer: deque[Callable[[], None]] = deque()

    def set_up(self, config: Mapping[str, t.Any], save_session: Callable[[], HeaderList]) -> None:
        """Take the application's limits.

        :param config: its configuration.
        :param save_session: saves the session and returns the headers for the handshake's answer.
        """
        self.max_message_size = config.get("WEBSOCKET_MAX_MESSAGE_SIZE", MAX_MESSAGE_SIZE)
        self.message_rate = config.get("WEBSOCKET_MESSAGE_RATE")
        self.leave_timeout = config.get("WEBSOCKET_LEAVE_TIMEOUT", LEAVE_TIMEOUT)
        self._save_session = save_session

    def call_after_answer(self, function: Callable[[], None]) -> None:
        """Call a function when the handshake has been answered; at once where it has been.

        :param function: called without arguments, on whatever thread that turns out.
        """
        self._after_answer.append(function)
        if self._is_answered:
            self._call_after_answer()

    # --- For the application ------------------------------------------------------------------

    async def accept(self, headers: t.Any = None, subprotocol: str | None = None) -> None:
        """Answer the handshake with a yes, and begin to take messages in."""
        async with self._accepting:
            if self._state == _CLOSED:
                raise Disconnect(self.close_code or 1006, self.close_reason)
            if self.is_accepted:
                return
            if subprotocol is not None and subprotocol not in self._subprotocols:
                raise ValueError(
                    f"The client does not offer the subprotocol {subprotocol!r}, so it would end"
                    f" the connection; it offers {list(self._subprotocols)!r}. Choose one of"
                    " websocket.requested_subprotocols, or none."
                )
            answer = Headers(headers)
            refuse_bad_headers(answer)
            save = self._save_session
            # In a task of the handler's own there is no fiber to wait in.
            cookies = save() if in_fiber() else await run_in_fiber(save, (), copy_context())
            answer.extend(cookies)
            await self._send_accept(list(answer), subprotocol, bool(headers))
            self.is_accepted = True
            self._state = _OPEN
            self._intake = asyncio.ensure_future(self._take_in())
            self._call_after_answer()

    async def receive(self) -> Message:
        """Return the next message; a client that has gone away is noticed after its last one.

        :raises Disconnect: where there is none any more.
        """
        if self._state == _CONNECTING:
            await self.accept()
        while not self._messages:
            if self._state == _CLOSED:
                # One who asks again and again must not keep the loop from others.
                await asyncio.sleep(0)
                raise Disconnect(self.close_code or 1006, self.close_reason)
            reader = self._loop.create_future()
            self._readers.append(reader)
            try:
                await reader
            finally:
                self._readers.remove(reader)
        message = self._messages.popleft()
        self._room.set()
        return message

    async def send(self, data: t.Any) -> None:
        """Send a message.

        :param data: text, or bytes.
        :raises TypeError: for what is neither text nor bytes.
        :raises Disconnect: where nobody is there to receive it.
        """
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        elif not isinstance(data, (str, bytes)):
            raise TypeError(
                f"A WebSocket sends text or bytes, not {type(data).__name__}; send_json() sends"
                " other objects."
            )
        if self._state == _CONNECTING:
            await self.accept()
        if self._state == _CLOSED:
            await asyncio.sleep(0)
            raise Disconnect(self.close_code or 1006, self.close_reason)
        try:
            await self._send_message(data)
        except (OSError, RuntimeError) as error:
            self._end(1006, "")
            raise Disconnect(1006) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket; where the handshake was not answered, refuse it.

        :raises ValueError: for a code that must not be sent, or a reason that is too long.
        """
        if code not in _CODES:
            raise ValueError(
                f"{code} is no code to close a WebSocket with. Use one of 1000 to 1003 and 1007 to"
                " 1014, or one of your own from 3000 to 4999."
            )
        if len(reason.encode()) > _MAX_REASON:
            raise ValueError(f"The reason is longer than {_MAX_REASON} bytes: {reason!r}")
        if self._state == _CLOSED:
            return
        self._messages.clear()
        self._state = _CLOSED
        self.close_code, self.close_reason = code, reason
        try:
            await self._stop_intake()
            await self._send_close(code, reason)
        except (OSError, RuntimeError):
            # The client was quicker.
            pass
        finally:
            self._wake_readers()

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Return the result of a step, in synchronous code wherever that runs."""
        if not in_fiber() and asyncio._get_running_loop() is None:
            # A thread of the handler's own.
            return run_on(self._loop, awaitable)
        return await_(awaitable)

    # --- For the server -----------------------------------------------------------------------

    async def answer(self, app: ft.Application, environ: WSGIEnvironment) -> None:
        """Run the steps of the WebSocket, and end it.

        :param app: the application.
        :param environ: the environment of the handshake.
        """
        environ["erlen.websocket"] = self
        # What tells the routing that this is no plain HTTP, over HTTP/2 too (RFC 8441).
        environ["HTTP_UPGRADE"], environ["HTTP_CONNECTION"] = "websocket", "Upgrade"
        scheme = environ["wsgi.url_scheme"]
        environ["wsgi.url_scheme"] = "https" if scheme in {"wss", "https"} else "http"
        if self._subprotocols:
            # Some servers have taken them out of the headers.
            environ["HTTP_SEC_WEBSOCKET_PROTOCOL"] = ", ".join(self._subprotocols)
        offered = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "").split(",")
        self._subprotocols = tuple(filter(None, map(str.strip, offered)))
        context = copy_context()
        steps = run_in_fiber(app.wsgi_app, (environ, self._start_response), context)
        # A task of its own: servers may run the application in something else.
        self._steps = asyncio.ensure_future(steps)
        lasting[self] = self._go_away
        try:
            await asyncio.wait({self._steps})
            parts = await self._take_result(self._steps)
            if self._state == _CONNECTING:
                body = await run_in_fiber(_join, (parts,), context)
                self._state = _CLOSED
                await self._send_refusal(*self._refusal, body)
        except asyncio.CancelledError:
            self._steps.cancel()
            await asyncio.wait({self._steps})
            raise
        finally:
            del lasting[self]
            self._call_after_answer()
            await self._stop()

    def _call_after_answer(self) -> None:
        """Call what was to wait for the answer, each once, whichever threads come here."""
        # Set first: who adds a function looks here afterwards.
        self._is_answered = True
        with suppress(IndexError):
            while True:
                self._after_answer.popleft()()

    def _go_away(self) -> None:
        """Close the WebSocket since the server ends; its client finds another."""
        if self._state == _OPEN and not self._is_giving_up:
            keep(self._loop.create_task(self._give_up(1001, "the server ends")))

    async def _take_result(self, steps: asyncio.Task[Iterable[bytes]]) -> Iterable[bytes]:
        """Return the answer that the steps ended with, or raise what they raised."""
        if steps.cancelled() and self.has_left:
            return ()
        try:
            return steps.result()
        except BaseException:
            if self._state != _CLOSED:
                await self.close(1011)
            raise

    def _start_response(
        self, status: str, headers: HeaderList, exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        self._refusal = int(status[:3]), headers
        return self._refuse_write

    def _refuse_write(self, data: bytes) -> None:
        raise RuntimeError("An answer in the place of a WebSocket's handshake cannot be written.")

    async def _stop(self) -> None:
        """Let go of all that refers to the application, and of the server's side."""
        self._save_session = list
        self._steps = None
        if self._leaving is not None:
            self._leaving.cancel()
        if self._intake is not None and self._is_giving_up:
            # It is about to tell the client why.
            await asyncio.wait({self._intake}, timeout=self.leave_timeout)
        await self._stop_intake()
        # Both hold the context variables of the WebSocket, which lead back here.
        self._intake = self._leaving = None
        self._state = _CLOSED
        self._let_go()

    async def _stop_intake(self) -> None:
        """End the task that takes messages in: some servers can do only one thing at a time."""
        intake = self._intake
        if intake is not None and intake is not asyncio.current_task() and not intake.done():
            intake.cancel()
            await asyncio.wait({intake})

    async def _take_in(self) -> None:
        """Take messages in until the WebSocket ends."""
        rate = _Rate(self._loop)
        try:
            while self._state == _OPEN:
                message = await self._receive_message()
                if self._is_too_large(message):
                    await self._give_up(1009, f"over {self.max_message_size} bytes")
                elif self.message_rate is not None and rate.is_over(self.message_rate):
                    await self._give_up(1008, f"over {self.message_rate:g} messages a second")
                else:
                    self._messages.append(message)
                    self._wake_readers()
                    while len(self._messages) >= _MAX_WAITING:
                        self._room.clear()
                        await self._room.wait()
        except Disconnect as error:
            self._end(error.code, error.reason)
            self._expect_end()

    def _is_too_large(self, message: Message) -> bool:
        limit = self.max_message_size
        if limit is None or len(message) * 4 <= limit:
            return False
        # The limit is one of bytes, whatever the text.
        size = len(message if isinstance(message, bytes) else message.encode(errors="replace"))
        return size > limit

    async def _give_up(self, code: int, reason: str) -> None:
        self._is_giving_up = True
        await self.close(code, reason)
        self._expect_end()

    def _expect_end(self) -> None:
        """Cancel the handler if it does not notice the end by itself."""
        self._leaving = self._loop.call_later(self.leave_timeout, self._cancel)

    def _cancel(self) -> None:
        if self._steps is not None:
            self.has_left = True
            self._steps.cancel()

    def _end(self, code: int, reason: str) -> None:
        if self._state != _CLOSED:
            self._state = _CLOSED
            self.close_code, self.close_reason = code, reason
        self._wake_readers()

    def _wake_readers(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)

    # --- For the protocols --------------------------------------------------------------------

    def _let_go(self) -> None:
        """Drop what belongs to the server, so that it can clear up."""

    async def _send_accept(
        self, headers: HeaderList, subprotocol: str | None, has_own_headers: bool
    ) -> None:
        raise NotImplementedError

    async def _receive_message(self) -> Message:
        raise NotImplementedError

    async def _send_message(self, data: Message) -> None:
        raise NotImplementedError

    async def _send_close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    async def _send_refusal(self, status: int, headers: HeaderList, body: bytes) -> None:
        raise NotImplementedError


class _Rate:
    """Counts messages against a number of them a second.

    :param loop: the loop, whose clock counts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last: float | None = None
        self._left = 0.0

    def is_over(self, rate: float) -> bool:
        """Count a message and return whether it is one too many.

        :param rate: how many may come in a second; as many may come at once.
        """
        now = self._loop.time()
        most = max(rate, 1.0)
        gained = most if self._last is None else (now - self._last) * rate
        self._left = min(most, self._left + gained) - 1
        self._last = now
        return self._left < 0


def _join(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
