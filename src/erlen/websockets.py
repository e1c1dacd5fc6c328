"""The object that ``websocket`` stands for: a handshake, and the messages that follow it."""

from __future__ import annotations

import sys
import typing as t
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE

from werkzeug.exceptions import BadRequest

from .exceptions import Disconnect
from .lazy import lazy
from .local import active_app
from .signals import websocket_received, websocket_sent
from .wrappers import Request

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, Mapping, Sequence
    from types import FrameType

    from _typeshed.wsgi import WSGIEnvironment
    from blinker import NamedSignal

T = t.TypeVar("T")

#: The largest message in bytes, where the setting WEBSOCKET_MAX_MESSAGE_SIZE is not given.
MAX_MESSAGE_SIZE = 1024 * 1024
#: Seconds that a handler has after the client is gone, where WEBSOCKET_LEAVE_TIMEOUT is not given.
LEAVE_TIMEOUT = 2.0

Message = str | bytes
HandshakeHeaders = t.Union["Mapping[str, str]", "Sequence[tuple[str, str]]"]
_COROUTINE = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE


class _Connection(t.Protocol):
    """What a WebSocket needs of the server's side; :mod:`erlen.gateway.websocket` has it."""

    max_message_size: int | None
    message_rate: float | None
    leave_timeout: float
    close_code: int | None
    close_reason: str
    has_left: bool

    @property
    def is_accepted(self) -> bool: ...

    def set_up(self, config: Mapping[str, t.Any], save_session: t.Callable[[], t.Any]) -> None: ...

    def call_after_answer(self, function: t.Callable[[], None]) -> None: ...

    async def accept(self, headers: t.Any = None, subprotocol: str | None = None) -> None: ...

    def receive(self) -> Coroutine[t.Any, t.Any, Message]: ...

    def send(self, data: Message) -> Coroutine[t.Any, t.Any, None]: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def wait(self, awaitable: Awaitable[T]) -> T: ...


class BaseWebsocket(Request):
    """What a WebSocket says about its handshake; to a large part what a request says."""

    _connection: _Connection

    def __init__(
        self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False
    ) -> None:
        super().__init__(environ, populate_request, shallow)
        self._connection = environ["erlen.websocket"]

    @lazy
    def scheme(self) -> str:
        """The scheme of the URL, ``"ws"`` or ``"wss"``."""
        return "wss" if self.environ["wsgi.url_scheme"] in {"https", "wss"} else "ws"

    @property
    def requested_subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, the one it likes best first."""
        value = self.headers.get("Sec-WebSocket-Protocol", "")
        return [name.strip() for name in value.split(",") if name.strip()]

    @property
    def subprotocols(self) -> list[str]:
        """Another name of :attr:`requested_subprotocols`."""
        return self.requested_subprotocols

    @property
    def is_accepted(self) -> bool:
        """Whether the handshake has been answered, so that messages can go to and fro."""
        return self._connection.is_accepted

    @property
    def close_code(self) -> int | None:
        """The code that the WebSocket was closed with; ``None`` while it is open."""
        return self._connection.close_code

    @property
    def max_message_size(self) -> int | None:
        """The largest message that is taken, in bytes; a larger one closes with the code 1009.

        The setting ``WEBSOCKET_MAX_MESSAGE_SIZE``, unless a handler or a hook sets it for this
        WebSocket; ``None`` for no limit.
        """
        return self._connection.max_message_size

    @max_message_size.setter
    def max_message_size(self, value: int | None) -> None:
        self._connection.max_message_size = value

    @property
    def message_rate(self) -> float | None:
        """How many messages a second are taken from the client; more close with the code 1008.

        As many may come at once. The setting ``WEBSOCKET_MESSAGE_RATE``, unless a handler or a
        hook sets it for this WebSocket; ``None`` for no limit.
        """
        return self._connection.message_rate

    @message_rate.setter
    def message_rate(self, value: float | None) -> None:
        self._connection.message_rate = value

    def _read_json(self, message: Message) -> t.Any:
        try:
            return self.json_module.loads(message)
        except (ValueError, RecursionError) as error:
            raise BadRequest("A message on the WebSocket was not the JSON it had to be.") from error

    def _receive(self) -> Coroutine[t.Any, t.Any, Message]:
        step = self._connection.receive()
        # PERF: nobody listens, as a rule.
        return self._tell_received(step) if websocket_received.receivers else step

    def _send(self, data: Message) -> Coroutine[t.Any, t.Any, None]:
        step = self._connection.send(data)
        return self._tell_sent(step, data) if websocket_sent.receivers else step

    async def _tell_received(self, step: Awaitable[Message]) -> Message:
        message = await step
        await _tell(websocket_received, message)
        return message

    async def _tell_sent(self, step: Awaitable[None], message: Message) -> None:
        await step
        await _tell(websocket_sent, message)

    async def _receive_kind(self, kind: type[T]) -> T:
        message: t.Any = await self._receive()
        if isinstance(message, kind):
            return message
        wanted = "text" if kind is str else "binary data"
        await self._connection.close(1003, f"Only {wanted} is understood here.")
        raise Disconnect(1003, f"Only {wanted} is understood here.")

    async def _receive_json(self) -> t.Any:
        return self._read_json(await self._receive())


async def _tell(signal: NamedSignal, message: Message) -> None:
    """Send a signal about a message to functions and coroutine functions."""
    await signal.send_async(active_app(), _sync_wrapper=_make_awaitable, message=message)


def _make_awaitable(receiver: t.Callable[..., T]) -> t.Callable[..., Coroutine[t.Any, t.Any, T]]:
    async def call(*args: t.Any, **kwargs: t.Any) -> T:
        return receiver(*args, **kwargs)

    return call


class Websocket(BaseWebsocket):
    """The WebSocket that ``websocket`` stands for in a handler; also its ``request``.

    In a coroutine, and in what a coroutine calls, the methods are awaited. In a plain function
    (``def``) they wait by themselves and return the result: the same names serve both. Type
    checkers see the former; ``sync_websocket`` is the same WebSocket with the types of the latter.

    Receiving or sending accepts the handshake first, where :meth:`accept` was not called.
    """

    def accept(
        self, headers: HandshakeHeaders | None = None, subprotocol: str | None = None
    ) -> Coroutine[t.Any, t.Any, None]:
        """Answer the handshake, so that messages can go to and fro. A second call does nothing.

        :param headers: headers to add to the answer.
        :param subprotocol: one of :attr:`requested_subprotocols`, which is spoken from here on.
        """
        return self._do(self._connection.accept(headers, subprotocol))

    def receive(self) -> Coroutine[t.Any, t.Any, str | bytes]:
        """Wait for the next message: text or bytes, as the client sent it.

        :raises Disconnect: where the client is gone, or the WebSocket closed.
        """
        return self._do(self._receive())

    def receive_text(self) -> Coroutine[t.Any, t.Any, str]:
        """Wait for the next message, which must be text; other ones close with the code 1003.

        :raises Disconnect: where the client is gone, or the WebSocket closed.
        """
        return self._do(self._receive_kind(str))

    def receive_bytes(self) -> Coroutine[t.Any, t.Any, bytes]:
        """Wait for the next message, which must be bytes; other ones close with the code 1003.

        :raises Disconnect: where the client is gone, or the WebSocket closed.
        """
        return self._do(self._receive_kind(bytes))

    def receive_json(self) -> Coroutine[t.Any, t.Any, t.Any]:
        """Wait for the next message and return what its JSON stands for.

        :raises werkzeug.exceptions.BadRequest: where it is no JSON. If nothing handles that, the
            WebSocket is closed with the code 1008.
        :raises Disconnect: where the client is gone, or the WebSocket closed.
        """
        return self._do(self._receive_json())

    def send(self, data: str | bytes) -> Coroutine[t.Any, t.Any, None]:
        """Send a message, and wait until there is room for more.

        :param data: text, or bytes.
        :raises Disconnect: where the client is gone, or the WebSocket closed.
        """
        return self._do(self._send(data))

    def send_json(self, *args: t.Any, **kwargs: t.Any) -> Coroutine[t.Any, t.Any, None]:
        """Send JSON as text.

        :param args: what to send; the arguments are those of :func:`erlen.json.jsonify`.
        :param kwargs: likewise.
        """
        return self._do(self._send(_as_json(self, args, kwargs)))

    # Request has a method of that name, which lets go of files; RequestContext calls it by class.
    def close(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, code: int = 1000, reason: str = ""
    ) -> Coroutine[t.Any, t.Any, None]:
        """Close the WebSocket. Before :meth:`accept`, it refuses the handshake (403).

        :param code: the close code: 1000 to 1003, 1007 to 1014, or one of your own from 3000 to
            4999 (RFC 6455, section 7.4).
        :param reason: a text for the client's program, at most 123 bytes long.
        """
        return self._do(self._connection.close(code, reason))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the messages until the client is gone, or the WebSocket closed."""
        try:
            while True:
                yield await self._receive()
        except Disconnect:
            pass

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield the messages, in a plain function."""
        return iter(self.make_sync())

    def make_sync(self) -> SyncWebsocket:
        """Return the same WebSocket with methods that wait."""
        view = SyncWebsocket.__new__(SyncWebsocket)
        # One object seen in two ways: what is set on one of them is set on the other.
        view.__dict__ = self.__dict__
        return view

    def _do(self, step: Coroutine[t.Any, t.Any, T]) -> Coroutine[t.Any, t.Any, T]:
        """Return a step to be awaited where a coroutine asks for it; else wait for its result."""
        if _is_below_coroutine():
            return step
        waited: t.Any = self._connection.wait(step)
        return t.cast("Coroutine[t.Any, t.Any, T]", waited)


def _is_below_coroutine() -> bool:
    """Return whether a coroutine called the caller's caller, itself or through plain functions."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        if frame.f_code.co_flags & _COROUTINE:
            return True
        frame = frame.f_back
    return False


class SyncWebsocket(BaseWebsocket):
    """A :class:`Websocket` whose methods wait: what ``sync_websocket`` stands for.

    Other requests and WebSockets go on in the meantime.

    .. code-block:: python

        from erlen import sync_websocket as websocket

        @app.websocket("/echo")
        def echo() -> None:
            for message in websocket:
                websocket.send(message)
    """

    def accept(
        self, headers: HandshakeHeaders | None = None, subprotocol: str | None = None
    ) -> None:
        """As :meth:`Websocket.accept`."""
        self._connection.wait(self._connection.accept(headers, subprotocol))

    def receive(self) -> str | bytes:
        """As :meth:`Websocket.receive`."""
        return self._connection.wait(self._receive())

    def receive_text(self) -> str:
        """As :meth:`Websocket.receive_text`."""
        return self._connection.wait(self._receive_kind(str))

    def receive_bytes(self) -> bytes:
        """As :meth:`Websocket.receive_bytes`."""
        return self._connection.wait(self._receive_kind(bytes))

    def receive_json(self) -> t.Any:
        """As :meth:`Websocket.receive_json`."""
        return self._connection.wait(self._receive_json())

    def send(self, data: str | bytes) -> None:
        """As :meth:`Websocket.send`."""
        self._connection.wait(self._send(data))

    def send_json(self, *args: t.Any, **kwargs: t.Any) -> None:
        """As :meth:`Websocket.send_json`."""
        self._connection.wait(self._send(_as_json(self, args, kwargs)))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """As :meth:`Websocket.close`."""
        self._connection.wait(self._connection.close(code, reason))

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield the messages until the client is gone, or the WebSocket closed."""
        try:
            while True:
                yield self.receive()
        except Disconnect:
            pass


def _as_json(websocket: BaseWebsocket, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> str:
    if args and kwargs:
        raise TypeError("send_json() takes arguments or keyword arguments, not both.")
    data = kwargs or (args[0] if len(args) == 1 else list(args) if args else None)
    return t.cast(str, websocket.json_module.dumps(data))


def find_origin(websocket: BaseWebsocket, allowed: t.Iterable[str]) -> str | None:
    """Return the origin of a page that may not open a WebSocket; ``None`` where it may.

    Browsers send the origin of the page with the handshake, and the cookies of the site, from any
    page: without the check, foreign pages would speak in the name of the user (OWASP: cross-site
    WebSocket hijacking). Programs that are no browsers send none, and are let in.

    :param websocket: the handshake.
    :param allowed: origins that may beside the host's own, such as ``"https://example.com"``, or
        ``"*"`` for all.
    """
    origin = websocket.headers.get("Origin")
    if origin is None:
        return None
    wanted = _without_port(origin.lower())
    if any(other == "*" or _without_port(other.lower().rstrip("/")) == wanted for other in allowed):
        return None
    host = websocket.host.lower()
    schemes = ("https",) if websocket.scheme == "wss" else ("http", "https")
    if any(_without_port(f"{scheme}://{host}") == wanted for scheme in schemes):
        return None
    return origin


def _without_port(origin: str) -> str:
    """Return an origin without the usual port of its scheme."""
    port = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(port)
