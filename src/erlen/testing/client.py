"""The test client: requests to an application without a server."""

from __future__ import annotations

import importlib.metadata
import typing as t
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import cache
from urllib.parse import urlsplit

import werkzeug.test
from werkzeug.wrappers import Request as BaseRequest
from werkzeug.wsgi import get_current_url

from .environ import EnvironBuilder, plain_environ
from .gateways import GATEWAYS
from .websocket import AsyncTestWebsocket, WebsocketOpener

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers
    from werkzeug.test import TestResponse

    from erlen.sessions import SessionMixin
    from erlen.typing import Application


@cache
def _get_werkzeug_version() -> str:
    return importlib.metadata.version("werkzeug")


class FlaskClient(werkzeug.test.Client):
    """Sends requests to an application and gives back the responses.

    Made by :meth:`Flask.test_client`. Cookies are kept from one request to the next.

    .. code-block:: python

        client = app.test_client()
        response = client.post("/books", json={"title": "Middlemarch"})
        assert response.status_code == 201
        assert response.json["title"] == "Middlemarch"

    Used as a context manager, the client keeps the contexts of the latest request, so that the
    test can look at ``request``, ``session`` and ``g`` after it:

    .. code-block:: python

        with client:
            client.get("/?page=2")
            assert request.args["page"] == "2"

    ``environ_base`` holds what is in the environment of every request.

    ``gateway`` says how requests come in: by ``"wsgi"``, which is the default, by ``"asgi"`` or by
    ``"rsgi"``. The latter run the application on an event loop, as servers of these protocols do:

    .. code-block:: python

        client = app.test_client(gateway="asgi")
    """

    application: Application

    #: How requests come in, where the client is not told.
    gateway: str = "wsgi"

    def __init__(self, *args: t.Any, gateway: str | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # What requests are given to.
        self._entry: t.Any = self.application
        if gateway is None:
            gateway = self.gateway
        self.gateway = gateway
        if gateway != "wsgi":
            if gateway not in GATEWAYS:
                known = ", ".join(map(repr, ("wsgi", *GATEWAYS)))
                raise ValueError(f"There is no gateway {gateway!r}; there are {known}.")
            self._entry = GATEWAYS[gateway](self.application)
        self.preserve_context = False
        self.environ_base: dict[str, t.Any] = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": f"Werkzeug/{_get_werkzeug_version()}",
        }
        # What the application hands over while a request ends, and what is pushed again for the
        # test to look at.
        self._new_contexts: list[t.ContextManager[t.Any]] = []
        self._context_stack = ExitStack()

    @contextmanager
    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> Iterator[SessionMixin]:
        """Open the client's session to read or change it; it is saved when the block ends.

        .. code-block:: python

            with client.session_transaction() as session:
                session["user_id"] = 1

        :param args: passed to :meth:`Flask.test_request_context`, which makes the request that
            the session is opened for; sessions may depend on its host or path.
        :param kwargs: likewise.
        :raises TypeError: if the client does not keep cookies.
        :raises RuntimeError: if there is no session, as without a ``SECRET_KEY``.
        """
        if self._cookies is None:
            raise TypeError("Cookies are disabled. Create a client with 'use_cookies=True'.")

        app = self.application
        context = app.test_request_context(*args, **kwargs)
        request = context.request
        self._add_cookies_to_wsgi(request.environ)
        with context:
            session = app.session_interface.open_session(app, request)
        if session is None:
            raise RuntimeError(
                "Session backend did not open a session. Sessions in cookies need"
                " app.config['SECRET_KEY'] to be set."
            )

        yield session

        if app.session_interface.is_null_session(session):
            return
        response = app.response_class()
        with context:
            app.session_interface.save_session(app, session, response)
        self._update_cookies_from_response(
            request.host.partition(":")[0], request.path, response.headers.getlist("Set-Cookie")
        )

    def open(
        self,
        *args: t.Any,
        buffered: bool = False,
        follow_redirects: bool = False,
        **kwargs: t.Any,
    ) -> TestResponse:
        """Send a request and return the response.

        :param args: a path and more arguments of :class:`EnvironBuilder`; or one builder, request
            or WSGI environment.
        :param buffered: read the whole body, and close the application's iterator, at once.
        :param follow_redirects: go on to where redirects lead; ``response.history`` has the
            responses on the way.
        :param kwargs: more arguments of :class:`EnvironBuilder`.
        :returns: the response: an object of the application's ``response_class``, with
            ``request``, ``history`` and ``text`` besides.
        """
        request = self._make_request(args, kwargs)
        # One request's contexts at a time are kept, also while redirects are followed.
        self._new_contexts.clear()
        self._context_stack.close()
        response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        response.json_module = self.application.json
        for context in self._new_contexts:
            self._context_stack.enter_context(context)
        self._new_contexts.clear()
        return response

    def websocket(
        self,
        path: str = "/",
        *,
        subprotocols: t.Sequence[str] = (),
        timeout: float = 10,
        **kwargs: t.Any,
    ) -> WebsocketOpener:
        """Open a WebSocket: in a ``with`` block, or in an ``async with`` block.

        The application's own ASGI callable answers it, without a server. In a ``with`` block it
        runs on an event loop of another thread, in an ``async with`` block on the running one.

        .. code-block:: python

            with client.websocket("/echo") as websocket:
                websocket.send("hello")
                assert websocket.receive() == "hello"

        Leaving the block closes the WebSocket and waits for its handler to end. An exception of
        the handler is raised there, or by what waits for a message.

        :param path: the URL's path, or a whole URL.
        :param subprotocols: the subprotocols to offer.
        :param timeout: the seconds to wait for a message, and for the handler's end.
        :param kwargs: more arguments of :class:`EnvironBuilder`, such as ``headers`` and
            ``query_string``.
        :raises WebsocketResponseError: on entering the block, where the handshake is refused.
        """
        kwargs["environ_base"] = self._copy_environ(kwargs.get("environ_base") or {})
        builder = EnvironBuilder(self.application, path, **kwargs)
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        self._add_cookies_to_wsgi(environ)
        keep_cookies = self._update_cookies_from_response
        return WebsocketOpener(
            AsyncTestWebsocket(self.application, environ, subprotocols, timeout, keep_cookies)
        )

    def _make_request(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> BaseRequest:
        given = args[0] if args else None
        if isinstance(given, werkzeug.test.EnvironBuilder):
            builder = copy(given)
            builder.environ_base = self._copy_environ(dict(builder.environ_base or {}))
            return builder.get_request()
        if isinstance(given, dict):
            return EnvironBuilder.from_environ(
                given, app=self.application, environ_base=self._copy_environ({})
            ).get_request()
        if isinstance(given, BaseRequest):
            request = copy(given)
            request.environ = self._copy_environ(request.environ)
            return request
        return self._request_from_builder_args(args, kwargs)

    def _request_from_builder_args(
        self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]
    ) -> BaseRequest:
        environ_base = self._copy_environ(kwargs.get("environ_base") or {})
        if len(args) == 1 and kwargs.keys() <= {"method", "environ_base"}:
            environ = plain_environ(self.application, args[0], kwargs.get("method", "GET"))
            return EnvironBuilder.request_class(environ_base | environ)
        kwargs["environ_base"] = environ_base
        builder = EnvironBuilder(self.application, *args, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    # PERF: finding out a request's URL takes 40 µs, and werkzeug.test.Client does it twice. It is
    # needed to choose among cookies only, where there are any.
    def _add_cookies_to_wsgi(self, environ: WSGIEnvironment) -> None:
        if self._cookies:
            super()._add_cookies_to_wsgi(environ)
        elif self._cookies is not None:
            environ.pop("HTTP_COOKIE", None)

    def run_wsgi_app(
        self, environ: WSGIEnvironment, buffered: bool = False
    ) -> tuple[t.Iterable[bytes], str, Headers]:
        self._add_cookies_to_wsgi(environ)
        answer = werkzeug.test.run_wsgi_app(self._entry, environ, buffered=buffered)
        new_cookies = answer[2].getlist("Set-Cookie")
        if new_cookies:
            url = urlsplit(get_current_url(environ))
            self._update_cookies_from_response(url.hostname or "localhost", url.path, new_cookies)
        return answer

    def _copy_environ(self, other: WSGIEnvironment) -> WSGIEnvironment:
        environ = {**self.environ_base, **other}
        if self.preserve_context:
            environ["werkzeug.debug.preserve_context"] = self._new_contexts.append
        return environ

    def __enter__(self) -> t.Self:
        if self.preserve_context:
            raise RuntimeError("Cannot nest client invocations")
        self.preserve_context = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.preserve_context = False
        self._context_stack.close()
