"""WebSockets for tests: conversations with an application without a server."""

from __future__ import annotations

import asyncio
import json
import typing as t
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers
from werkzeug.wsgi import get_current_url

from erlen.exceptions import Disconnect
from erlen.gateway.loop import background_loop

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from types import TracebackType

    from _typeshed.wsgi import WSGIEnvironment

    from erlen.typing import Application, ASGIMessage, ASGIScope
    from erlen.wrappers import Response

T = t.TypeVar("T")


class WebsocketResponseError(Exception):
    """The application refused a handshake.

    :param response: its answer. Where it closed without one, a 403.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(f"the handshake was refused with {response.status}")
        self.response = response


class AsyncTestWebsocket:
    """A WebSocket to an application, in an asynchronous test.

    :param app: the application.
    :param environ: the environment of the handshake.
    :param subprotocols: the subprotocols to offer.
    :param timeout: the seconds to wait for what the application sends.
    :param keep_cookies: called with the host, the path, and the cookies of the handshake's answer.
    """

    # For pytest, which takes names that begin so for tests.
    __test__ = False

    def __init__(
        self,
        app: Application,
        environ: WSGIEnvironment,
        subprotocols: Sequence[str],
        timeout: float,
        keep_cookies: Callable[[str, str, list[str]], None],
    ) -> None:
        #: The headers of the answer to the handshake.
        self.headers = Headers()
        #: The subprotocol that the application chose.
        self.subprotocol: str | None = None
        #: The code that the application closed with; ``None`` while it has not.
        self.close_code: int | None = None
        #: The reason that the application gave.
        self.close_reason = ""
        self._app = app
        self._give_cookies = keep_cookies
        self._environ = environ
        self._scope = make_scope(environ, subprotocols)
        self._timeout = timeout
        self._incoming: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._outgoing: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._is_open = False

    async def send(self, data: str | bytes) -> None:
        """Send a message.

        :param data: text, or bytes.
        """
        kind = "text" if isinstance(data, str) else "bytes"
        self._incoming.put_nowait({"type": "websocket.receive", kind: data})

    async def send_json(self, data: t.Any) -> None:
        """Send JSON as text.

        :param data: what to send.
        """
        await self.send(self._app.json.dumps(data))

    async def receive(self) -> str | bytes:
        """Wait for the next message of the application.

        :raises Disconnect: where the application has closed the WebSocket.
        :raises TimeoutError: where nothing comes in time.
        """
        if self.close_code is not None:
            raise Disconnect(self.close_code, self.close_reason)
        message = await self._take()
        if message["type"] == "websocket.close":
            self._is_open = False
            self.close_code = message.get("code", 1000)
            self.close_reason = message.get("reason") or ""
            raise Disconnect(self.close_code or 1000, self.close_reason)
        text: str | None = message.get("text")
        return t.cast(bytes, message["bytes"]) if text is None else text

    async def receive_json(self) -> t.Any:
        """Wait for the next message and return what its JSON stands for."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket, as clients do, and wait for the handler to end.

        :param code: the close code.
        :param reason: the reason.
        """
        self._leave(code, reason)
        await self._finish()

    async def disconnect(self) -> None:
        """Go away without a word, as where a connection is cut, and wait for the handler's end."""
        await self.close(1006)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the messages until the application closes the WebSocket."""
        try:
            while True:
                yield await self.receive()
        except Disconnect:
            pass

    async def _open(self) -> None:
        self._incoming.put_nowait({"type": "websocket.connect"})
        answering = self._app(self._scope, self._incoming.get, self._outgoing.put)
        self._handler: asyncio.Future[None] = asyncio.ensure_future(answering)
        try:
            message = await self._take()
            if message["type"] != "websocket.accept":
                raise WebsocketResponseError(await self._read_refusal(message))
        except BaseException:
            self._handler.cancel()
            raise
        self._is_open = True
        self.subprotocol = message.get("subprotocol")
        self.headers = _decode(message)
        self._keep_cookies()

    async def _read_refusal(self, message: ASGIMessage) -> Response:
        response_class: type[Response] = self._app.response_class
        if message["type"] == "websocket.close":
            await self._finish()
            return response_class(status=403)
        self.headers = _decode(message)
        self._keep_cookies()
        body, more = b"", True
        while more:
            part = await self._take()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        await self._finish()
        return response_class(body, message["status"], self.headers)

    def _keep_cookies(self) -> None:
        cookies = self.headers.getlist("Set-Cookie")
        if cookies:
            url = urlsplit(get_current_url(self._environ))
            host = url.hostname or "localhost"
            self._give_cookies(host, url.path, cookies)

    async def _take(self) -> ASGIMessage:
        """Wait for the next message of the application, or for its end."""
        taking = asyncio.ensure_future(self._outgoing.get())
        try:
            waited_for: set[asyncio.Future[t.Any]] = {taking, self._handler}
            await asyncio.wait(
                waited_for, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if taking.done():
                return taking.result()
        finally:
            taking.cancel()
        if self._handler.done():
            self._handler.result()
            raise Disconnect(1006, "the application ended without a word")
        raise TimeoutError(
            f"The application sent nothing on the WebSocket for {self._timeout:g} seconds."
        )

    def _leave(self, code: int, reason: str) -> None:
        if self._is_open:
            self._is_open = False
            self._incoming.put_nowait(
                {"type": "websocket.disconnect", "code": code, "reason": reason}
            )

    async def _finish(self) -> None:
        await asyncio.wait({self._handler}, timeout=self._timeout)
        if not self._handler.done():
            self._handler.cancel()
            raise TimeoutError(
                "The handler of the WebSocket did not end within"
                f" {self._timeout:g} seconds after the client had left."
            )
        self._handler.result()


class TestWebsocket:
    """A WebSocket to an application, in a synchronous test.

    :param websocket: the same for asynchronous tests.
    """

    __test__ = False

    def __init__(self, websocket: AsyncTestWebsocket) -> None:
        self._websocket = websocket

    @property
    def headers(self) -> Headers:
        """The headers of the answer to the handshake."""
        return self._websocket.headers

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the application chose."""
        return self._websocket.subprotocol

    @property
    def close_code(self) -> int | None:
        """The code that the application closed with; ``None`` while it has not."""
        return self._websocket.close_code

    @property
    def close_reason(self) -> str:
        """The reason that the application gave."""
        return self._websocket.close_reason

    def send(self, data: str | bytes) -> None:
        """Send a message.

        :param data: text, or bytes.
        """
        self._run(self._websocket.send(data))

    def send_json(self, data: t.Any) -> None:
        """Send JSON as text.

        :param data: what to send.
        """
        self._run(self._websocket.send_json(data))

    def receive(self) -> str | bytes:
        """Wait for the next message of the application.

        :raises Disconnect: where the application has closed the WebSocket.
        :raises TimeoutError: where nothing comes in time.
        """
        return self._run(self._websocket.receive())

    def receive_json(self) -> t.Any:
        """Wait for the next message and return what its JSON stands for."""
        return self._run(self._websocket.receive_json())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket, as clients do, and wait for the handler to end.

        :param code: the close code.
        :param reason: the reason.
        """
        self._run(self._websocket.close(code, reason))

    def disconnect(self) -> None:
        """Go away without a word, as where a connection is cut, and wait for the handler's end."""
        self._run(self._websocket.disconnect())

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield the messages until the application closes the WebSocket."""
        try:
            while True:
                yield self.receive()
        except Disconnect:
            pass

    def _run(self, step: Awaitable[T]) -> T:
        return background_loop.run(step)


class WebsocketOpener:
    """What :meth:`FlaskClient.websocket` returns: opens the WebSocket when its block is entered."""

    def __init__(self, websocket: AsyncTestWebsocket) -> None:
        self._websocket = websocket

    def __enter__(self) -> TestWebsocket:
        background_loop.run(self._websocket._open())
        return TestWebsocket(self._websocket)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        background_loop.run(self.__aexit__(exc_type, exc_value, tb))

    async def __aenter__(self) -> AsyncTestWebsocket:
        await self._websocket._open()
        return self._websocket

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._websocket._leave(1000, "")
        try:
            await self._websocket._finish()
        except BaseException:
            # What the test itself raised says more.
            if exc_value is None:
                raise


def make_scope(environ: WSGIEnvironment, subprotocols: Sequence[str]) -> ASGIScope:
    """Return the scope of a WebSocket whose handshake has an environment.

    :param environ: the environment.
    :param subprotocols: the subprotocols that the client offers.
    """
    root = environ["SCRIPT_NAME"].encode("latin-1").decode()
    path = environ["PATH_INFO"].encode("latin-1").decode()
    headers = [
        (key[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    if subprotocols:
        headers.append((b"sec-websocket-protocol", ", ".join(subprotocols).encode()))
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "wss" if environ["wsgi.url_scheme"] in {"https", "wss"} else "ws",
        "path": root.rstrip("/") + path,
        "raw_path": path.encode(),
        "root_path": root,
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": headers,
        "client": (environ.get("REMOTE_ADDR", "127.0.0.1"), 50000),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "subprotocols": list(subprotocols),
        "extensions": {"websocket.http.response": {}},
    }


def _decode(message: ASGIMessage) -> Headers:
    return Headers(
        [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in message.get("headers") or ()
        ]
    )
