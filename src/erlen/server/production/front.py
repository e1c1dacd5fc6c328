"""What stands between Granian and an application: health, limits, records, and the end.

Each interface has a module of its own: `rsgi`, `asgi` and `wsgi`.
"""

from __future__ import annotations

import asyncio
import logging
import typing as t

from ...gateway.exchange import Exchange
from ...gateway.lasting import end_lasting
from ...gateway.limits import BodyLimits
from .engine import Engine
from .proxies import Incoming, Noting, Proxies
from .record import WRITERS, Record, make_id
from .silence import SilenceWatch, can_watch

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ...typing import Application
    from .settings import Settings

_DEFAULT_THREADS = 40
#: Where the server is asked how it goes.
HEALTHY, READY = "/healthz", "/readyz"
HEALTH_HEADERS = [("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")]
TOO_LONG = b"The body of the request is longer than the server allows.\n"


class StartError(Exception):
    """Raised where the application could not be started; the text says why."""


class Front:
    """Answers for an application; subclasses say by which interface.

    :param app: the application.
    :param settings: the settings.
    :param on_ready: called when the application has been started.
    """

    def __init__(self, app: Application, settings: Settings, on_ready: Callable[[], None]) -> None:
        self.app = app
        self.settings = settings
        #: What /readyz says.
        self.is_ready = True
        #: Whether connections end with their next answer.
        self.is_closing = False
        self.proxies = Proxies(settings.forwarded_allow_ips)
        #: Writes the line of a request; ``None`` where there is no access log.
        self.write = WRITERS.get(settings.access_log)
        #: Why the application could not be started.
        self.failure: str | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        #: Ends connections that bring no request, where the server itself does not.
        self.watch: SilenceWatch | None = None
        self._on_ready = on_ready
        #: Whether all requests can go to the application as they are.
        self.is_transparent = not (self.write or settings.health or settings.max_body)

    def prepare(self, listening: int, is_unix: bool, on_signal: Callable[[], None]) -> None:
        """Make the server ready to run.

        :param listening: the descriptor of the listening socket.
        :param is_unix: whether that is a Unix socket.
        :param on_signal: called when the process is told to end by a signal.
        """
        config, settings = self.app.config, self.settings
        if settings.threads is not None:
            config["WORKER_THREADS"] = settings.threads
        if settings.max_body is not None:
            allowed = config.get("MAX_CONTENT_LENGTH")
            if allowed is None or allowed > settings.max_body:
                config["MAX_CONTENT_LENGTH"] = settings.max_body
        if settings.body_timeout or settings.body_total_timeout or settings.max_body:
            Exchange.limits = BodyLimits(
                settings.body_timeout or None,
                settings.body_total_timeout or None,
                settings.max_body,
            )
        self._wrap()
        if not is_unix and _needs_watch(settings) and can_watch():
            self.watch = SilenceWatch(listening, settings.header_timeout)
            self.watch.start()
        threads = config.get("WORKER_THREADS") or _DEFAULT_THREADS
        self._engine = Engine(settings, listening, is_unix, threads, on_signal)

    def _wrap(self) -> None:
        """Put what knows the client around the application."""
        if not self.write and not self.settings.forwarded_allow_ips:
            return
        app: t.Any = self.app
        inner = app.wsgi_app
        if self.write:
            inner = Noting(inner)
        app.wsgi_app = Incoming(inner, self.settings, self.proxies)

    def serve(self) -> None:
        """Serve until :meth:`end`.

        :raises StartError: where the application could not be started.
        """
        # What Granian says of a start that failed is said already.
        logging.getLogger("_granian").addFilter(lambda _: self.failure is None)
        try:
            self._engine.run(self.target())
        except SystemExit:
            if self.failure is None:
                raise
            raise StartError(self.failure) from None

    def target(self) -> t.Any:
        """Return what Granian calls."""
        raise NotImplementedError

    def tell_ready(self) -> None:
        """Say that requests can be answered."""
        self._on_ready()

    def end(self) -> None:
        """Finish the requests that are under way, then end."""
        self._engine.end()

    def close_connections(self) -> None:
        """End connections with their next answer, and what would go on without an end."""
        self.is_closing = True
        self.is_transparent = False
        if self.loop is not None:
            self.loop.call_soon_threadsafe(end_lasting)

    def cancel_requests(self) -> None:
        """Cancel what is under way."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            if "future_watcher" in getattr(task.get_coro(), "__qualname__", ""):
                task.cancel()

    # --- For the interfaces --------------------------------------------------------------------

    def health_of(self, method: str, path: str) -> tuple[int, bytes] | None:
        """Return the status and the body for those who ask how it goes; ``None`` for others.

        :param method: the method of a request.
        :param path: its path.
        """
        if not self.settings.health or path not in (HEALTHY, READY):
            return None
        if method not in ("GET", "HEAD"):
            return 405, b"Use GET.\n"
        if path == READY and not self.is_ready:
            return 503, b"The server is ending.\n"
        return 200, b"ok\n"

    def is_too_long(self, length: str | None) -> bool:
        """Return whether a body is longer than the server allows.

        :param length: what its request announces.
        """
        limit = self.settings.max_body
        if limit is None or not length or not length.isdecimal():
            return False
        return int(length[:20]) > limit

    def begin_record(self, record: Record, address: str, header: Callable[[str], t.Any]) -> None:
        """Fill in what the headers of a request say.

        :param record: its record.
        :param address: the address of the other end.
        :param header: returns the value of a header, given in lower case.
        """
        record.agent = header("user-agent") or ""
        record.referer = header("referer") or ""
        given = header("x-request-id") if self.proxies.trusts(address) else None
        record.id = make_id(given)

    def end_record(self, record: Record, is_health: bool = False) -> None:
        """Write the line of a request that has been answered.

        :param record: its record.
        :param is_health: whether it asked how it goes.
        """
        if self.write is not None and (not is_health or self.settings.access_log_health):
            self.write(record)


def _needs_watch(settings: Settings) -> bool:
    if settings.interface == "wsgi":
        # A request does not say which port of its client it came from.
        return False
    return settings.http == "2" or (settings.http == "auto" and settings.tls_cert is not None)
