"""Granian in a worker's process: its server for one worker, on a socket that is there already."""

from __future__ import annotations

import typing as t

from granian import _signals
from granian._granian import SocketHolder, WorkerSignal
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

# Milliseconds. Over HTTP/2, a client that is gone is found out by asking.
_PING_INTERVAL = 30_000
_LOG_CONFIG: dict[str, t.Any] = {
    "handlers": {
        "console": {
            "formatter": "generic",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {"_granian": {"handlers": ["console"], "propagate": False}},
}


def _http_mode(settings: Settings) -> HTTPModes:
    """Return the versions of HTTP to speak.

    Without TLS no browser and hardly a proxy speaks HTTP/2; and to find out, the server would
    wait for the first bytes without a limit of time.
    """
    if settings.http == "auto" and settings.tls_cert is None:
        return HTTPModes.http1
    return HTTPModes(settings.http)


class Engine(MPServer):
    """Granian's server without its master: the worker runs in this process.

    :param settings: the settings.
    :param listening: the descriptor of the listening socket.
    :param is_unix: whether it is a Unix socket.
    :param threads: how many threads run a WSGI application.
    :param on_signal: called when the process is told to end by a signal.
    """

    def __init__(
        self,
        settings: Settings,
        listening: int,
        is_unix: bool,
        threads: int,
        on_signal: Callable[[], None],
    ) -> None:
        self._on_signal = on_signal
        self._end = WorkerSignal()
        self._listening = listening
        self._is_unix = is_unix
        interface = Interfaces(settings.interface)
        super().__init__(
            "erlen",
            interface=interface,
            blocking_threads=threads if interface == Interfaces.WSGI else None,
            http=_http_mode(settings),
            backlog=settings.backlog,
            backpressure=settings.max_connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(settings.header_timeout * 1000),
                keep_alive=settings.keep_alive,
                max_buffer_size=settings.max_head,
            ),
            http2_settings=HTTP2Settings(
                max_headers_size=settings.max_head, keep_alive_interval=_PING_INTERVAL
            ),
            log_level=LogLevels.error,
            log_dictconfig=_LOG_CONFIG,
            ssl_cert=settings.tls_cert,
            ssl_key=settings.tls_key,
            ssl_protocol_min=SSLProtocols(f"tls{settings.tls_min}"),
            ssl_ca=settings.tls_client_ca,
            ssl_client_verify=settings.tls_client_ca is not None,
        )

    def run(self, application: t.Any) -> None:
        """Serve until :meth:`end`, and until all that is under way then is done.

        :param application: what speaks the interface.
        """
        # Granian's own handlers of signals would end at once.
        _signals.set_loop_signals = lambda loop: self._end
        _signals.set_sync_signals = lambda: self._end
        self.serve(target_loader=lambda: application, wrap_loader=False)

    def end(self) -> None:
        """Take no more requests; any thread may call this."""
        self._end.set()

    def signal_handler_interrupt(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Handle SIGTERM and SIGINT."""
        self._on_signal()

    def signal_handler_reload(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Handle SIGHUP, which is for the master."""

    def _init_shared_socket(self) -> None:
        # Its types leave out what it takes.
        make_holder: t.Any = SocketHolder
        self._ssp = None
        self._sso = None
        self._shd: t.Any = make_holder(self._listening, self._is_unix, self.backlog)

    def _spawn_workers(self, spawn_target: t.Any, target_loader: Callable[..., t.Any]) -> None:
        self._spawn_worker(0, spawn_target, target_loader).inner.run()

    def _serve(self, spawn_target: t.Any, target_loader: Callable[..., t.Any]) -> None:
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
