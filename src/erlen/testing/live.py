"""A server for tests that need a real one: browsers, other processes, other HTTP clients."""

from __future__ import annotations

import typing as t
from threading import Thread

from werkzeug.serving import WSGIRequestHandler, make_server

if t.TYPE_CHECKING:
    from types import TracebackType

    from erlen.typing import Application


class LiveServer:
    """Serves an application on a free local port while its block runs.

    Each request has a thread of its own, in the process of the tests.

    .. code-block:: python

        with LiveServer(app) as server:
            page.goto(server.url_for("index"))

    :param app: the application.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 for one that is free.
    """

    def __init__(self, app: Application, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app = app
        self._server = make_server(
            host, port, app, threaded=True, request_handler=_QuietRequestHandler
        )
        self._thread = Thread(
            target=self._server.serve_forever,
            # Seconds that stopping may take; by default it would be half of one for each test.
            kwargs={"poll_interval": 0.02},
            name="erlen-live-server",
            daemon=True,
        )

    @property
    def host(self) -> str:
        """The address that the server listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where the server is, without a slash at the end: ``"http://127.0.0.1:49152"``."""
        return f"http://{self.host}:{self.port}"

    def url_for(self, endpoint: str, **values: t.Any) -> str:
        """Return the whole URL of an endpoint on this server.

        :param endpoint: the endpoint.
        :param values: the variable parts of the URL, and the query.
        """
        with self.app.test_request_context(base_url=self.url):
            return t.cast(str, self.app.url_for(endpoint, _external=True, **values))

    def start(self) -> None:
        """Begin to answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to answer requests, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> t.Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()


class _QuietRequestHandler(WSGIRequestHandler):
    """Does not log requests: the first entry would set up handlers in the tests' logging."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
