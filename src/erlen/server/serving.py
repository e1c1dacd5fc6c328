"""Granian in this process, for development: the application, and what is put around it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import typing as t
from io import BytesIO

from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from ..gateway.lasting import end_lasting
from ..gateway.rsgi import environ_of
from .debugging import Debugging, error_response, load_error_response, wanted_kind
from .production.drain import stop_listening
from .refresh import EVENTS_PATH, SCRIPT, SCRIPT_PATH, Followers, Refreshing
from .request_log import RequestLog

if t.TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from ..typing import Application

# How many seconds requests that are under way may still take when files have changed.
_GRACE = 1.0
# How many seconds connections that were just taken may need to become requests.
_SETTLE = 0.05
# How many seconds what is cancelled may take, the application's own end, and all of the end.
_CANCEL = 0.2
_SHUTDOWN = 2.0
_LATEST = 3.0
# How many seconds code may keep the loop from noticing that all is to end.
_NOTICE = 1.0

Headers = list[tuple[str, str]]


class _Granian(Server):
    """Granian's embedded server, on a socket that is there already.

    :param target: what answers.
    :param listening: the socket.
    :param tls: the paths of a certificate and its key.
    """

    def __init__(
        self, target: t.Any, listening: socket.socket, tls: tuple[str, str] | None
    ) -> None:
        self._listening = listening
        self._tls = tls
        super().__init__(target, interface=Interfaces.RSGI, log_level=LogLevels.error)

    def build_ssl_context(self, *args: t.Any, **kwargs: t.Any) -> None:
        # Granian would look for the real names of files that have none.
        cert, key = self._tls or (None, None)
        this = t.cast("t.Any", self)
        this.ssl_ctx = (self._tls is not None, cert, key, None, "tls1.2", None, [], False)

    def _init_shared_socket(self) -> None:
        this, make_holder = t.cast("tuple[t.Any, t.Any]", (self, SocketHolder))
        this._ssp = None
        this._shd = make_holder(self._listening.fileno(), False, self.backlog)

    def end(self) -> None:
        """Take no more requests."""
        t.cast("t.Any", self).signal_handler_interrupt()


class Failure:
    """An application that cannot be loaded.

    :param title: the sentence that says so.
    :param text: the traceback, or what else is known.
    """

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self.text = text


class Site:
    """What is served: an application or its failure, with all that helps to develop it.

    :param app: the application, or why there is none.
    :param use_debugger: whether the browser shows errors.
    :param follows: whether browsers follow changes.
    :param hosts: further names of hosts that may use the debugger.
    """

    def __init__(
        self, app: Application | Failure, use_debugger: bool, follows: bool, hosts: t.Iterable[str]
    ) -> None:
        self.app: Application | None = None
        self.failure: Failure | None = None
        self.debugger: Debugging | None = None
        self.followers = Followers() if follows else None
        self._log = RequestLog()
        self._shows_errors = use_debugger
        self._running = 0
        #: Whether what is under way is cancelled.
        self.is_ending = False
        #: Set while no request is under way.
        self.is_idle = asyncio.Event()
        self.is_idle.set()
        if isinstance(app, Failure):
            self.failure = app
            return
        self.app = app
        if use_debugger:
            self.debugger = Debugging(app, app.wsgi_app)
            self.debugger.trusted_hosts.extend(hosts)
            t.cast("t.Any", app).wsgi_app = self.debugger
        if self.followers is not None:
            t.cast("t.Any", app).wsgi_app = Refreshing(app.wsgi_app, self.followers)

    def __call__(self, scope: t.Any, protocol: t.Any) -> Coroutine[t.Any, t.Any, None]:
        """Answer what Granian has a connection for."""
        if scope.proto == "ws":
            return self._converse(scope, protocol)
        if self.followers is not None:
            if scope.path == EVENTS_PATH:
                return self.followers.follow(protocol)
            if scope.path == SCRIPT_PATH:
                return self._send_script(protocol)
        return self._answer(scope, protocol)

    async def _send_script(self, protocol: t.Any) -> None:
        headers = [
            ("content-type", "text/javascript; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ]
        protocol.response_str(200, headers, SCRIPT)

    async def _answer(self, scope: t.Any, protocol: t.Any) -> None:
        debugger = self.debugger
        if debugger is not None and debugger.is_for_debugger(scope.path, scope.query_string):
            await self._answer_for_debugger(debugger, scope, protocol)
            return
        recorded = Recorded(protocol)
        self._running += 1
        self.is_idle.clear()
        try:
            if self.app is None:
                self._answer_failure(scope, recorded)
            else:
                await self.app.__rsgi__(scope, recorded)
        except asyncio.CancelledError:
            # Granian would call it an error of the application.
            if not self.is_ending:
                raise
        except BaseException as error:
            # Of a debugger that is off, or after the head of the answer was sent.
            self._answer_error(error, recorded)
        finally:
            self._running -= 1
            if not self._running:
                self.is_idle.set()
            self._write(scope, recorded.status, recorded.size, recorded.begun)

    async def _answer_for_debugger(
        self, debugger: Debugging, scope: t.Any, protocol: t.Any
    ) -> None:
        """Answer in a thread of its own: code that is typed in may take as long as it likes."""
        environ = environ_of(scope)
        environ["wsgi.input"] = BytesIO()
        heads: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, exc_info: t.Any = None) -> t.Any:
            heads.append((status, headers))
            return None

        def run() -> bytes:
            body = debugger(environ, start_response)
            try:
                return b"".join(body)
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()

        body = await asyncio.to_thread(run)
        status, headers = heads[-1]
        protocol.response_bytes(int(status[:3]), headers, body)

    def _answer_failure(self, scope: t.Any, protocol: Recorded) -> None:
        failure = self.failure
        assert failure is not None
        text = failure.text if self._shows_errors else "The terminal of the server says why."
        kind = wanted_kind(scope.headers.get("accept"))
        response = load_error_response(failure.title, text, kind, self.followers is not None)
        body = response.get_data()
        if self.followers is not None and kind == "text/html":
            body = body.replace(b"</body>", self.followers.tag(self.followers.state) + b"</body>")
        headers = [
            ("content-type", response.headers["Content-Type"]),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        protocol.response_bytes(500, headers, body)

    def _answer_error(self, error: BaseException, protocol: Recorded) -> None:
        sys.stderr.write(error_response(error, "text/plain").get_data(as_text=True))
        if not protocol.status:
            headers = [("content-type", "text/plain; charset=utf-8")]
            protocol.response_bytes(500, headers, b"Internal Server Error\n")

    async def _converse(self, scope: t.Any, protocol: t.Any) -> None:
        begun = time.perf_counter()
        if self.app is None:
            # A browser cannot see the answer to a handshake, but its console tells the status.
            protocol.close(500)
            self._write(scope, 500, 0, begun)
            return
        recorded = RecordedWebsocket(protocol)
        try:
            await self.app.__rsgi__(scope, recorded)
        except asyncio.CancelledError:
            # Granian would call it an error of the application.
            if not self.is_ending:
                raise
        except Exception as error:
            sys.stderr.write(error_response(error, "text/plain").get_data(as_text=True))
        finally:
            self._write(scope, recorded.status, 0, begun)

    def _write(self, scope: t.Any, status: int, size: int, begun: float) -> None:
        target = f"{scope.path}?{scope.query_string}" if scope.query_string else scope.path
        method = "WS" if scope.proto == "ws" else scope.method
        self._log.write(method, target, status, size, time.perf_counter() - begun)


class Recorded:
    """The protocol of a request, with note of what is answered.

    :param protocol: what Granian hands over.
    """

    def __init__(self, protocol: t.Any) -> None:
        self._protocol = protocol
        #: The status of the answer; 0 before it has begun.
        self.status = 0
        #: How many bytes its body has had.
        self.size = 0
        self.begun = time.perf_counter()
        self.client_disconnect = protocol.client_disconnect

    def __aiter__(self) -> t.Any:
        return self._protocol.__aiter__()

    async def __call__(self) -> t.Any:
        """Return the whole body of the request."""
        return await self._protocol()

    def response_empty(self, status: int, headers: Headers) -> None:
        """Answer without a body."""
        self.response_bytes(status, headers, b"")

    def response_str(self, status: int, headers: Headers, body: str) -> None:
        """Answer with text."""
        self.response_bytes(status, headers, body.encode())

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer with a whole body."""
        self.status = status
        self.size = len(body)
        self._protocol.response_bytes(status, headers, body)

    def response_stream(self, status: int, headers: Headers) -> t.Any:
        """Begin an answer whose body comes in parts."""
        self.status = status
        return RecordedTransport(self._protocol.response_stream(status, headers), self)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._protocol, name)


class RecordedTransport:
    """Where the parts of an answer go, with note of how long they are.

    :param transport: what Granian hands over.
    :param record: where the notes go.
    """

    def __init__(self, transport: t.Any, record: Recorded) -> None:
        self._transport = transport
        self._record = record

    def send_bytes(self, data: bytes) -> t.Any:
        """Send a part."""
        self._record.size += len(data)
        return self._transport.send_bytes(data)

    def send_str(self, data: str) -> t.Any:
        """Send a part that is text."""
        return self.send_bytes(data.encode())


class RecordedWebsocket:
    """The protocol of a WebSocket, with note of what its handshake was answered.

    :param protocol: what Granian hands over.
    """

    def __init__(self, protocol: t.Any) -> None:
        self._protocol = protocol
        #: The status of the answer.
        self.status = 403

    async def accept(self) -> t.Any:
        """Accept the handshake."""
        transport = await self._protocol.accept()
        self.status = 101
        return transport

    def close(self, status: int | None = None) -> t.Any:
        """End the WebSocket, or refuse it."""
        if self.status != 101 and status is not None:
            self.status = status
        return self._protocol.close(status)


class Serving:
    """Serves a site until it is told to end.

    :param site: what is served.
    :param listening: a socket that listens.
    :param tls: the paths of a certificate and its key.
    :param has_reloader: whether another process starts this one anew.
    """

    def __init__(
        self,
        site: Site,
        listening: socket.socket,
        tls: tuple[str, str] | None,
        has_reloader: bool,
    ) -> None:
        self.site = site
        self._has_reloader = has_reloader
        self._listening = listening
        listening.setblocking(False)
        self._granian = _Granian(site, listening, tls)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._grace = 0.0
        self._is_ending = False
        self._noticed = threading.Event()

    def run(self, on_ready: Callable[[], None]) -> t.NoReturn:
        """Serve, and end the process then.

        :param on_ready: called when the first request can be answered.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        asyncio.run(self._serve(on_ready))
        raise AssertionError("The process ends in there.")

    def _on_signal(self, *args: object) -> None:
        if self._is_ending:
            leave(0)
        self.end(0.0)

    def end(self, grace: float = _GRACE) -> None:
        """End soon; any thread may call this.

        :param grace: how many seconds requests that are under way may still take.
        """
        self._grace = min(self._grace, grace) if self._is_ending else grace
        if self._is_ending:
            return
        self._is_ending = True
        threading.Thread(target=self._leave_at_last, name="erlen-end", daemon=True).start()
        if self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    def tell(self, names: list[str]) -> None:
        """Tell browsers that files changed; any thread may call this.

        :param names: their names.
        """
        if self._loop is not None and self.site.followers is not None:
            self._loop.call_soon_threadsafe(self.site.followers.tell, names)

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        app = self.site.app
        if app is not None:
            await self._start(app)
        serving = asyncio.ensure_future(self._granian.serve())
        on_ready()
        if self._is_ending:
            self._ending.set()
        ending = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        self._noticed.set()
        if self._grace:
            # Who connects from now on waits for the next process.
            stop_listening(self._listening.fileno())
            await asyncio.sleep(_SETTLE)
        end_lasting()
        if self.site.followers is not None:
            self.site.followers.end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.site.is_idle.wait(), self._grace)
        self.site.is_ending = True
        await _cancel({task for task in asyncio.all_tasks() if _is_request(task)})
        self._granian.end()
        await asyncio.wait({serving}, timeout=_CANCEL)
        if app is not None:
            await self._stop(app)
        await _cancel(asyncio.all_tasks())
        # Not by the usual end, which waits for every thread.
        leave(0)

    async def _start(self, app: Application) -> None:
        """Run what the application runs at its start; where that fails, show it, or end."""
        try:
            await app.startup()
        except Exception as error:
            text = error_response(error, "text/plain").get_data(as_text=True)
            sys.stderr.write(text)
            if not self._has_reloader:
                leave(1)
            self.site.app = None
            self.site.debugger = None
            self.site.failure = Failure("The application could not be started.", text)

    async def _stop(self, app: Application) -> None:
        try:
            await asyncio.wait_for(app.shutdown(), _SHUTDOWN)
        except TimeoutError:
            sys.stderr.write(" * What the application runs at its end takes too long.\n")
        except Exception as error:
            sys.stderr.write(error_response(error, "text/plain").get_data(as_text=True))

    def _leave_at_last(self) -> None:
        """End the process where it does not end by itself."""
        if self._noticed.wait(self._grace + _NOTICE):
            time.sleep(self._grace + _LATEST)
        leave(0)


def _is_request(task: asyncio.Task[t.Any]) -> bool:
    # Granian's name for what awaits the application.
    return "future_watcher" in getattr(task.get_coro(), "__qualname__", "")


async def _cancel(tasks: t.Iterable[asyncio.Task[t.Any]]) -> None:
    """Cancel tasks, so that what they hold is given back, and wait for them a little."""
    others = {task for task in tasks if task is not asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_CANCEL)


def leave(code: int) -> t.NoReturn:
    """End the process at once, whatever its threads do.

    :param code: its exit code.
    """
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
