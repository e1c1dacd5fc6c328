"""The steps of a WebSocket, in their order: from the handshake to the teardown functions.

They are those of a request under Quart's names, and run in a fiber: plain methods, from under which
coroutines are awaited. A WebSocket comes in as its handshake does, through ``wsgi_app`` and the
middleware around it.
"""

from __future__ import annotations

import sys
import typing as t

from werkzeug.exceptions import Forbidden, HTTPException, InternalServerError

from .ctx import WebsocketContext
from .exceptions import Disconnect
from .local import _cv_request
from .plan import blueprint_names, collect
from .registry import call_all
from .scaffold import _sentinel
from .setup import App
from .signals import (
    got_websocket_exception,
    websocket_finished,
    websocket_started,
    websocket_tearing_down,
)
from .websockets import find_origin

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from . import typing as ft
    from .wrappers import Request, Response

# Close codes (RFC 6455, section 7.4.1).
_NORMAL, _POLICY_VIOLATION, _INTERNAL_ERROR = 1000, 1008, 1011


class WebsocketSteps(App):
    """The part of an application that handles WebSockets; :class:`erlen.Flask` is one."""

    # What the application does for requests, too.
    handle_user_exception: Callable[[Exception], t.Any]
    make_response: Callable[[t.Any], Response]
    raise_routing_exception: Callable[[Request], t.NoReturn]
    ensure_sync: Callable[[Callable[..., t.Any]], Callable[..., t.Any]]

    def websocket_context(self, environ: WSGIEnvironment) -> WebsocketContext:
        """Return the context of a WebSocket.

        :param environ: the WSGI environment of its handshake.
        """
        ctx = WebsocketContext(self, environ)
        ctx.websocket._connection.set_up(self.config, ctx.save_session)
        return ctx

    def handle_websocket(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Handle a WebSocket: push its context, run the steps, close it, pop.

        :param environ: the WSGI environment of its handshake.
        :param start_response: takes the status and the headers where the handshake is refused.
        :returns: the body of the answer, where the handshake is refused.
        """
        ctx = self.websocket_context(environ)
        error: BaseException | None = None
        try:
            try:
                ctx.push()
                response = self.full_dispatch_websocket()
            except Exception as e:
                error = e
                if not ctx._cv_tokens:
                    raise
                response = self.handle_websocket_exception(e)
            except BaseException as e:
                # A handler that is ended because the client is gone has not failed.
                error = None if ctx.websocket._connection.has_left else e
                raise
            return self._end_websocket(ctx, response, start_response)
        finally:
            try:
                if ctx._cv_tokens:
                    if error is not None and self.should_ignore_error(error):
                        error = None
                    ctx.pop(error)
            finally:
                # Its traceback leads to this frame, which must not hold it.
                del error

    def _end_websocket(
        self, ctx: WebsocketContext, response: Response | None, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Close a WebSocket, or return the answer that refuses its handshake."""
        if not ctx.websocket.is_accepted:
            refusal = self.response_class(status=403) if response is None else response
            return refusal(ctx.request.environ, start_response)
        code, reason = _NORMAL, ""
        if response is not None and response.status_code >= 400:
            server_failed = response.status_code >= 500
            code = _INTERNAL_ERROR if server_failed else _POLICY_VIOLATION
            reason = response.status.partition(" ")[2]
        ctx.sync_websocket.close(code, reason)
        start_response("101 Switching Protocols", [])
        return []

    def full_dispatch_websocket(self) -> Response | None:
        """Run the hooks and the handler of the current WebSocket.

        HTTP exceptions and those with an error handler are turned into responses here.

        :returns: the answer in the place of the handshake, if any.
        """
        self._got_first_request = True
        try:
            if websocket_started.receivers:
                websocket_started.send(self, _async_wrapper=self.ensure_sync)
            result = self.preprocess_websocket()
            if result is None:
                result = self.dispatch_websocket()
        except Disconnect:
            result = None
        except Exception as e:
            result = self.handle_user_exception(e)
        return self.finalize_websocket(result)

    def preprocess_websocket(self) -> ft.ResponseReturnValue | None:
        """Check the origin, then call the functions of :meth:`before_websocket`.

        URL value preprocessors are called before those, as for requests.

        :returns: what the first of the functions returned that was not ``None``.
        """
        request: Request = _cv_request.get().request
        self.check_websocket_origin()
        scopes = (None, *reversed(request.blueprints))
        for preprocess in collect(self.url_value_preprocessors, scopes):
            preprocess(request.endpoint, request.view_args)
        for hook in collect(self.before_websocket_funcs, scopes):
            result: ft.ResponseReturnValue | None = self.ensure_sync(hook)()
            if result is not None:
                return result
        return None

    def check_websocket_origin(self) -> None:
        """Refuse WebSockets that pages of foreign sites open in a browser.

        The setting ``WEBSOCKET_ALLOWED_ORIGINS`` names origins that may beside the host's own.

        :raises werkzeug.exceptions.Forbidden: (403) where the page is not of the same origin.
        """
        websocket = _cv_request.get().websocket
        allowed = self.config.get("WEBSOCKET_ALLOWED_ORIGINS") or ()
        if isinstance(allowed, str):
            allowed = (allowed,)
        origin = find_origin(websocket, allowed)
        if origin is None:
            return
        self.logger.warning(
            "Refused the WebSocket %r from a page of the origin %r: the host is %r. Pages of other"
            " origins must be named in the setting WEBSOCKET_ALLOWED_ORIGINS; behind a proxy,"
            " the application must be told the host that browsers see (ProxyFix).",
            websocket.path,
            origin,
            websocket.host,
        )
        raise Forbidden("Pages of this origin may not open WebSockets here.")

    def dispatch_websocket(self) -> ft.ResponseReturnValue | None:
        """Call the handler of the current WebSocket and return what it returned."""
        request: Request = _cv_request.get().request
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule: t.Any = request.url_rule
        handler = self.ensure_sync(self.view_functions[rule.endpoint])
        result: ft.ResponseReturnValue | None = handler(**(request.view_args or {}))
        return result

    def finalize_websocket(
        self,
        result: ft.ResponseReturnValue | HTTPException | None,
        from_error_handler: bool = False,
    ) -> Response | None:
        """Turn what a handler returned into a response, if it is one, and run what follows.

        :param result: what the handler, a hook or an error handler returned.
        :param from_error_handler: log errors of the functions instead of raising them, since an
            error is being handled.
        """
        response = None if result is None else self.make_response(result)
        try:
            response = self.postprocess_websocket(response)
            if websocket_finished.receivers:
                websocket_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        except Exception:
            if not from_error_handler:
                raise
            self.logger.exception("WebSocket finalizing failed while handling an error")
        return response

    def postprocess_websocket(self, response: Response | None) -> Response | None:
        """Call the functions of :meth:`after_websocket`, then save the session.

        :param response: the answer in the place of the handshake; ``None`` where there is none.
        """
        ctx: WebsocketContext = _cv_request.get()
        for hook in collect(
            self.after_websocket_funcs, (*ctx.request.blueprints, None), backwards=True
        ):
            response = self.ensure_sync(hook)(response)
        if ctx.websocket.is_accepted:
            ctx.save_session_late()
        elif response is not None:
            response.headers.extend(ctx.save_session())
        return response

    def handle_websocket_exception(self, error: Exception) -> Response | None:
        """Handle an exception that nothing else handled: log it and make a 500.

        Before the handshake the client gets that as the answer; later, the close code 1011. In
        debug mode and in tests (``PROPAGATE_EXCEPTIONS``) it is raised instead.

        :param error: the exception.
        """
        exc_info = sys.exc_info()
        got_websocket_exception.send(self, _async_wrapper=self.ensure_sync, exception=error)
        if self._propagates_exceptions():
            raise error
        request: Request = _cv_request.get().request
        self.logger.error("Exception on the WebSocket %r", request.path, exc_info=exc_info)
        result: t.Any = InternalServerError(original_exception=error)
        handler = self._find_error_handler(result, request.blueprints)
        if handler is not None:
            result = self.ensure_sync(handler)(result)
        return self.finalize_websocket(result, from_error_handler=True)

    def do_teardown_websocket(self, exc: BaseException | None = _sentinel) -> None:
        """Call the functions of :meth:`teardown_websocket`.

        All of them are called, also where one raises; the first exception is raised at the end.

        :param exc: the exception that ended the handler; by default the one being handled.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        rule = _cv_request.get().request.url_rule
        names = blueprint_names(None if rule is None else rule.endpoint)
        functions = collect(self.teardown_websocket_funcs, (*names, None), backwards=True)
        try:
            call_all([self.ensure_sync(function) for function in functions], exc)
        finally:
            if websocket_tearing_down.receivers:
                websocket_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)
