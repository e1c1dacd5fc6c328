"""A checker of ASGI: whether an application and a server keep to the specification.

The rules are those of ASGI 3 and its sub-specifications for HTTP and WebSocket (2.5) and for
lifespan (2.0), https://asgi.readthedocs.io/en/latest/specs/.
"""

from __future__ import annotations

import asyncio
import typing as t
from collections.abc import Awaitable, Callable, Iterable, MutableMapping

if t.TYPE_CHECKING:
    from erlen.typing import ASGIMessage, ASGIReceive, ASGIScope, ASGISend

    ASGIApplication: t.TypeAlias = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]

_NONE = type(None)
# Extensions that give an application messages of its own to send.
_EXTENDED = {
    "http.response.trailers": "http.response.trailers",
    "http.response.pathsend": "http.response.pathsend",
    "http.response.zerocopysend": "http.response.zerocopysend",
    "http.response.push": "http.response.push",
    "http.response.debug": "http.response.debug",
    "http.response.early_hint": "http.response.early_hint",
}


class ConformanceError(AssertionError):
    """An application, or the server that runs it, does not keep to ASGI.

    Raised by :class:`ASGIValidator`; the text says who did what.
    """


class ASGIValidator:
    """An ASGI application that runs another one and checks all that goes in and out.

    It does for ASGI what :func:`wsgiref.validate.validator` does for WSGI: types and values of
    the scope's and the messages' fields, the order of messages, and that an answer is complete
    when the application returns. The application's mistakes are raised to it where it makes
    them, and once more at its end, in case it caught them.

    :param app: the application.

    .. code-block:: python

        app.asgi_app = ASGIValidator(app.asgi_app)
    """

    def __init__(self, app: ASGIApplication) -> None:
        self.app = app

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Run the application.

        :param scope: the connection's scope.
        :param receive: awaits the next message of the server.
        :param send: sends one to it.
        :raises ConformanceError: where the specification is not kept to.
        """
        rules = _rules_for(scope)
        loop = asyncio.get_running_loop()
        waiting = False

        async def checked_receive() -> ASGIMessage:
            nonlocal waiting
            _check_loop(rules, loop, "receive()")
            if waiting:
                rules.fail("awaited receive() twice at once, and one gets what the other waits for")
            waiting = True
            try:
                message = await receive()
            finally:
                waiting = False
            with _Server():
                rules.received(message)
            return message

        async def checked_send(message: ASGIMessage) -> None:
            _check_loop(rules, loop, "send()")
            rules.sent(message)
            await send(message)

        app: t.Any = self.app
        result = await app(scope, checked_receive, checked_send)
        if rules.broken is not None:
            raise rules.broken
        if result is not None:
            rules.fail(f"returned {result!r} instead of None")
        rules.ended()


class _Server:
    """Words the complaints of a block so that they are about the server."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        if isinstance(error, ConformanceError):
            text = str(error).replace("The application", "The server", 1)
            raise ConformanceError(text) from None


def _check_loop(rules: _Rules, loop: asyncio.AbstractEventLoop, name: str) -> None:
    if asyncio.get_running_loop() is not loop:
        rules.fail(f"awaited {name} on another event loop than it runs on")


class _Rules:
    """What a connection has seen so far, and what may come next.

    :param scope: its scope.
    """

    def __init__(self, scope: ASGIScope) -> None:
        self.scope = scope
        self.broken: ConformanceError | None = None

    def received(self, message: ASGIMessage) -> None:
        """Check a message of the server."""
        raise NotImplementedError

    def sent(self, message: ASGIMessage) -> None:
        """Check a message of the application."""
        raise NotImplementedError

    def ended(self) -> None:
        """Check that the application may return now."""

    def fail(self, what: str) -> t.NoReturn:
        """Say what is wrong, about the application."""
        error = ConformanceError(f"The application {what}.")
        if self.broken is None:
            self.broken = error
        raise error

    def kind_of(self, message: t.Any, known: Iterable[str]) -> str:
        """Return a message's type, once it is known to be one of those that exist."""
        if not isinstance(message, MutableMapping):
            self.fail(f"sent {message!r}, which is no dictionary")
        kind: str = self.field(message, "type", str)
        if kind not in known:
            self.fail(f"sent a message of the unknown type {kind!r}")
        return kind

    def field(self, message: ASGIMessage, name: str, *types: type, default: t.Any = ...) -> t.Any:
        """Return a field of a message, once its type is known to be right.

        :param message: the message.
        :param name: the field's name.
        :param types: its possible types.
        :param default: what a missing field stands for; without it the field must be there.
        """
        if name not in message:
            if default is ...:
                self.fail(f"sent {message.get('type')!r} without {name!r}")
            return default
        value = message[name]
        # A bool is an int in Python, but not in ASGI.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            names = " or ".join(kind.__name__ for kind in types)
            self.fail(f"sent {message.get('type')!r} with {name!r} = {value!r} instead of {names}")
        return value

    def headers(self, message: ASGIMessage) -> list[tuple[bytes, bytes]]:
        """Return the headers of a message, once they are known to be right."""
        pairs = []
        for pair in self.field(message, "headers", Iterable, default=()):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                self.fail(f"sent the header {pair!r}, which is no pair")
            name, value = pair
            if not (isinstance(name, bytes) and isinstance(value, bytes)):
                self.fail(f"sent the header {pair!r}, which is not in bytes")
            if name != name.lower():
                self.fail(f"sent the header {name!r}, which is not in lower case")
            pairs.append((name, value))
        return pairs

    def sent_headers(self, message: ASGIMessage) -> list[tuple[bytes, bytes]]:
        """Return the headers of an answer, once they are known to be such as can be sent."""
        pairs = self.headers(message)
        for name, value in pairs:
            # RFC 9110, section 5.5.
            if not name or name.startswith(b":") or any(byte in b"\0\r\n" for byte in name + value):
                self.fail(f"sent the header {(name, value)!r}, which no server may pass on")
        return pairs


class _HTTPRules(_Rules):
    """A request and its answer."""

    def __init__(self, scope: ASGIScope) -> None:
        super().__init__(scope)
        self.is_received = False
        self.is_gone = False
        self.status: int | None = None
        self.has_trailers = False
        self.is_complete = False
        self.announced: int | None = None
        self.length = 0

    def received(self, message: ASGIMessage) -> None:
        kind = self.kind_of(message, ("http.request", "http.disconnect"))
        if kind == "http.disconnect":
            self.is_gone = True
            return
        if self.is_received or self.is_gone:
            self.fail("sent more of a body that had ended")
        self.field(message, "body", bytes, default=b"")
        self.is_received = not self.field(message, "more_body", bool, default=False)

    def sent(self, message: ASGIMessage) -> None:
        extensions = self.scope.get("extensions") or {}
        extended = [kind for name, kind in _EXTENDED.items() if name in extensions]
        known = ("http.response.start", "http.response.body", *extended)
        kind = self.kind_of(message, known)
        if self.is_complete:
            self.fail(f"sent {kind!r} after the end of the answer")
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            self._add(message)
        elif kind == "http.response.trailers":
            self.sent_headers(message)
            self.is_complete = not self.field(message, "more_trailers", bool, default=False)

    def _start(self, message: ASGIMessage) -> None:
        if self.status is not None:
            self.fail("sent 'http.response.start' twice")
        status: int = self.field(message, "status", int)
        if not 200 <= status <= 999:
            self.fail(f"sent the status {status!r}, which ends no request")
        self.status = status
        self.has_trailers = self.field(message, "trailers", bool, default=False)
        lengths = {value for name, value in self.sent_headers(message) if name == b"content-length"}
        if len(lengths) > 1 or not all(value.isdigit() for value in lengths):
            self.fail(f"sent a 'content-length' of {lengths!r}")
        is_bodiless = self.scope["method"] == "HEAD" or self.status in {204, 304}
        if lengths and not is_bodiless:
            self.announced = int(lengths.pop())

    def _add(self, message: ASGIMessage) -> None:
        if self.status is None:
            self.fail("sent 'http.response.body' before 'http.response.start'")
        self.length += len(self.field(message, "body", bytes, default=b""))
        if self.announced is not None and self.length > self.announced:
            self.fail(f"sent {self.length} bytes after a 'content-length' of {self.announced}")
        if self.status in {204, 304} and self.length:
            self.fail(f"sent a body with the status {self.status}")
        if not self.field(message, "more_body", bool, default=False):
            if self.announced is not None and self.length != self.announced:
                self.fail(f"sent {self.length} bytes after a 'content-length' of {self.announced}")
            self.is_complete = not self.has_trailers

    def ended(self) -> None:
        # Whom nobody listens to need not go on.
        if not self.is_complete and not self.is_gone:
            self.fail("returned before its answer was complete")


class _WebSocketRules(_Rules):
    """A WebSocket, from the handshake on."""

    def __init__(self, scope: ASGIScope) -> None:
        super().__init__(scope)
        self.is_connected = False
        self.is_accepted = False
        self.is_closed = False
        self.is_gone = False
        self.is_rejecting = False

    def received(self, message: ASGIMessage) -> None:
        known = ("websocket.connect", "websocket.receive", "websocket.disconnect")
        kind = self.kind_of(message, known)
        if self.is_gone and kind != "websocket.disconnect":
            self.fail(f"sent {kind!r} after 'websocket.disconnect'")
        if kind == "websocket.connect":
            if self.is_connected:
                self.fail("sent 'websocket.connect' twice")
            self.is_connected = True
        elif kind == "websocket.receive":
            if not self.is_accepted:
                self.fail("sent 'websocket.receive' before the WebSocket was accepted")
            self._check_data(message)
        else:
            self.field(message, "code", int, default=1005)
            self.field(message, "reason", str, _NONE, default="")
            self.is_gone = True

    def _check_data(self, message: ASGIMessage) -> None:
        data = self.field(message, "bytes", bytes, _NONE, default=None)
        text = self.field(message, "text", str, _NONE, default=None)
        if (data is None) == (text is None):
            self.fail(f"sent {message['type']!r} with both or none of 'bytes' and 'text'")

    def sent(self, message: ASGIMessage) -> None:
        known = ["websocket.accept", "websocket.send", "websocket.close"]
        if "websocket.http.response" in (self.scope.get("extensions") or {}):
            known += ["websocket.http.response.start", "websocket.http.response.body"]
        kind = self.kind_of(message, known)
        if self.is_closed:
            self.fail(f"sent {kind!r} after the end of the WebSocket")
        if not self.is_connected:
            self.fail(f"sent {kind!r} before it had received 'websocket.connect'")
        getattr(self, f"_{kind.removeprefix('websocket.').replace('.', '_')}")(message)

    def _accept(self, message: ASGIMessage) -> None:
        if self.is_accepted or self.is_rejecting:
            self.fail("sent 'websocket.accept' after its first answer to the handshake")
        chosen = self.field(message, "subprotocol", str, _NONE, default=None)
        if chosen is not None and chosen not in self.scope.get("subprotocols", ()):
            self.fail(f"accepted the subprotocol {chosen!r}, which the client did not offer")
        if any(name == b"sec-websocket-protocol" for name, _ in self.sent_headers(message)):
            self.fail("sent 'sec-websocket-protocol' as a header instead of a subprotocol")
        self.is_accepted = True

    def _send(self, message: ASGIMessage) -> None:
        if not self.is_accepted:
            self.fail("sent 'websocket.send' before 'websocket.accept'")
        self._check_data(message)

    def _close(self, message: ASGIMessage) -> None:
        code = self.field(message, "code", int, default=1000)
        reason = self.field(message, "reason", str, _NONE, default="") or ""
        # RFC 6455, section 7.4: these never stand in a frame.
        if not 1000 <= code < 5000 or code in {1004, 1005, 1006, 1015}:
            self.fail(f"closed the WebSocket with the code {code!r}")
        if len(reason.encode()) > 123:
            self.fail("closed the WebSocket with a reason of more than 123 bytes")
        self.is_closed = True

    def _http_response_start(self, message: ASGIMessage) -> None:
        if self.is_accepted or self.is_rejecting:
            self.fail("sent an HTTP answer after its first answer to the handshake")
        self.field(message, "status", int)
        self.sent_headers(message)
        self.is_rejecting = True

    def _http_response_body(self, message: ASGIMessage) -> None:
        if not self.is_rejecting:
            self.fail("sent 'websocket.http.response.body' before its start")
        self.field(message, "body", bytes, default=b"")
        self.is_closed = not self.field(message, "more_body", bool, default=False)

    def ended(self) -> None:
        # To return is to close, once the WebSocket is accepted.
        if self.is_rejecting and not self.is_closed and not self.is_gone:
            self.fail("returned before its HTTP answer was complete")
        has_answered = self.is_accepted or self.is_rejecting or self.is_closed
        if self.is_connected and not has_answered and not self.is_gone:
            self.fail("returned without an answer to the handshake")


class _LifespanRules(_Rules):
    """The life of a worker."""

    def __init__(self, scope: ASGIScope) -> None:
        super().__init__(scope)
        self.phase = ""
        self.answered = True

    def received(self, message: ASGIMessage) -> None:
        kind = self.kind_of(message, ("lifespan.startup", "lifespan.shutdown"))
        phase = kind.removeprefix("lifespan.")
        if (self.phase, phase) not in {("", "startup"), ("startup", "shutdown")}:
            self.fail(f"sent {kind!r} after {self.phase or 'nothing'!r}")
        if not self.answered:
            self.fail(f"sent {kind!r} before 'lifespan.{self.phase}' was answered")
        self.phase = phase
        self.answered = False

    def sent(self, message: ASGIMessage) -> None:
        phases = ("startup", "shutdown")
        kind = self.kind_of(
            message,
            [f"lifespan.{phase}.{end}" for phase in phases for end in ("complete", "failed")],
        )
        _, phase, end = kind.split(".")
        if phase != self.phase or self.answered:
            self.fail(f"sent {kind!r}, which answers nothing")
        if end == "failed":
            self.field(message, "message", str, default="")
        self.answered = True

    def ended(self) -> None:
        if not self.answered:
            self.fail(f"returned without an answer to 'lifespan.{self.phase}'")


def _rules_for(scope: ASGIScope) -> _Rules:
    """Return the rules for a connection, once its scope is known to keep to them."""
    with _Server():
        rules = _HTTPRules(scope)
        kind = rules.kind_of(scope, ("http", "websocket", "lifespan"))
        versions = rules.field(scope, "asgi", dict)
        rules.field(versions, "version", str)
        rules.field(versions, "spec_version", str, default="2.0")
        rules.field(scope, "state", dict, default={})
        rules.field(scope, "extensions", dict, _NONE, default=None)
        if kind == "lifespan":
            return _LifespanRules(scope)
        _check_request(rules, scope)
        if kind == "websocket":
            for name in rules.field(scope, "subprotocols", list, tuple, default=()):
                if not isinstance(name, str):
                    rules.fail(f"offered the subprotocol {name!r}")
            return _WebSocketRules(scope)
        method = rules.field(scope, "method", str)
        if not method or method != method.upper():
            rules.fail(f"sent the method {method!r}, which is not in upper case")
        return rules


def _check_request(rules: _Rules, scope: ASGIScope) -> None:
    """Check the fields that requests and WebSockets share."""
    version = rules.field(scope, "http_version", str, default="1.1")
    if version not in {"1.0", "1.1", "2", "3"}:
        rules.fail(f"sent the unknown HTTP version {version!r}")
    if not rules.field(scope, "scheme", str, default="http"):
        rules.fail("sent an empty scheme")
    rules.field(scope, "path", str)
    rules.field(scope, "raw_path", bytes, _NONE, default=None)
    rules.field(scope, "query_string", bytes)
    rules.field(scope, "root_path", str, default="")
    rules.headers(scope)
    for name in ("client", "server"):
        address = rules.field(scope, name, list, tuple, _NONE, default=None)
        if address is None:
            continue
        host, port = address
        if not isinstance(host, str) or not (
            isinstance(port, int) or (port is None and name == "server")
        ):
            rules.fail(f"sent {address!r} as the {name}'s address")
