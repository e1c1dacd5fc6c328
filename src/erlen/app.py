"""The application: the steps of a request, in their order."""

from __future__ import annotations

import os
import sys
import typing as t
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import lru_cache, partial
from inspect import iscoroutinefunction
from types import TracebackType

import click
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequestKeyError, HTTPException, InternalServerError
from werkzeug.routing import RequestRedirect, RoutingException
from werkzeug.serving import is_running_from_reloader
from werkzeug.wrappers import Response as BaseResponse

from . import cli
from .ctx import AppContext, RequestContext
from .defaults import ERLEN_DEFAULTS
from .exceptions import forget_frames
from .headers import DefaultHeaders
from .helpers import get_debug_flag, get_load_dotenv
from .lazy import lazy
from .local import _cv_app, _cv_request, active_request_ctx, g
from .plan import collect
from .registry import HookList, call_all
from .scaffold import _sentinel
from .server import develop
from .sessions import SecureCookieSessionInterface, must_be_saved_unused
from .setup import App as App
from .signals import (
    appcontext_tearing_down,
    got_background_exception,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)
from .streams import AfterResponse
from .websocket_steps import WebsocketSteps

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from . import typing as ft
    from .gateway.entry import Gateway
    from .plan import Plan
    from .testing import FlaskClient, FlaskCliRunner
    from .wrappers import Request, Response


class Flask(WebsocketSteps):
    """A web application.

    Views, hooks and handlers are registered on it; a server calls it. Its defaults are Flask's.

    :param import_name: the import name of the module or package that defines it, ``__name__``.
    :param static_url_path: the URL prefix of static files; by default the folder's name.
    :param static_folder: the folder with static files, relative to the root path.
    :param static_host: the host to serve static files on, with *host_matching*.
    :param host_matching: match rules by host.
    :param subdomain_matching: match rules by the subdomain of ``SERVER_NAME``.
    :param template_folder: the folder with templates, relative to the root path.
    :param instance_path: the absolute path of the folder for files of one deployment.
    :param instance_relative_config: look for configuration files in that folder.
    :param root_path: the directory that folders are relative to; by default the module's.

    .. code-block:: python

        app = Flask(__name__)

        @app.get("/hello/<name>")
        def hello(name: str) -> str:
            return f"Hello, {name}!"
    """

    #: The class of :meth:`test_client`; ``None`` for :class:`erlen.testing.FlaskClient`.
    test_client_class: type[FlaskClient] | None = None
    #: The class of :meth:`test_cli_runner`; ``None`` for :class:`erlen.testing.FlaskCliRunner`.
    test_cli_runner_class: type[FlaskCliRunner] | None = None
    # The setting DEFAULT_RESPONSE_HEADERS, checked.
    _default_headers: DefaultHeaders | None = None
    # Whether a subclass leaves alone how application contexts are made and torn down.
    _has_plain_app_contexts = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_plain_app_contexts = (
            cls.app_context is Flask.app_context
            and cls.do_teardown_appcontext is Flask.do_teardown_appcontext
        )

    def _add_static_route(self, static_host: str | None) -> None:
        if not self.has_static_folder:
            return
        if bool(static_host) != self.url_map.host_matching:
            raise AssertionError(
                "Invalid static_host/host_matching combination: 'static_host' says which host the"
                " static files are on, and is needed with 'host_matching' only."
            )
        # The view must not keep the application alive, nor bind the method too early: it may be
        # overridden later.
        app_ref = weakref.ref(self)

        def static(**values: t.Any) -> Response:
            return app_ref().send_static_file(**values)  # type: ignore[union-attr]

        self.add_url_rule(
            f"{self.static_url_path}/<path:filename>",
            endpoint="static",
            host=static_host,
            view_func=static,
        )

    # --- The way of a request -----------------------------------------------------------------

    @t.overload
    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse, /
    ) -> Iterable[bytes]: ...

    @t.overload
    def __call__(
        self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend, /
    ) -> Awaitable[None]: ...

    @t.overload
    def __call__(
        self, scope: ft.ASGIScope, /
    ) -> Callable[[ft.ASGIReceive, ft.ASGISend], Awaitable[None]]: ...

    def __call__(
        self, environ: t.Any, start_response: t.Any = None, send: t.Any = None, /
    ) -> t.Any:
        """Answer a server: of WSGI (PEP 3333) with two arguments, of ASGI 3 with three.

        Middleware wraps :meth:`wsgi_app`, which all protocols come to, or :meth:`asgi_app`.
        """
        if send is not None:
            return self.asgi_app(environ, start_response, send)
        if start_response is not None:
            return self.wsgi_app(environ, start_response)
        # ASGI 2. uvicorn takes each object for one whose __call__ is no coroutine function.
        return partial(self.asgi_app, environ)

    async def asgi_app(
        self, scope: ft.ASGIScope, receive: ft.ASGIReceive, send: ft.ASGISend
    ) -> None:
        """Answer a server that speaks ASGI 3, by the same steps.

        To wrap ASGI middleware around the application, replace this attribute:
        ``app.asgi_app = Middleware(app.asgi_app)``.

        :param scope: the connection's scope.
        :param receive: awaits the next message of the server.
        :param send: sends one to it.
        """
        await self._gateway.answer_asgi(scope, receive, send)

    async def __rsgi__(self, scope: t.Any, protocol: t.Any) -> None:
        """Answer a server that speaks RSGI (Granian), by the same steps.

        :param scope: what the connection is about.
        :param protocol: the way to receive and send.
        """
        await self._gateway.answer_rsgi(scope, protocol)

    def __rsgi_init__(self, loop: t.Any) -> None:
        """Begin to serve: what a server that speaks RSGI calls before the first request.

        :param loop: the loop that requests will run on.
        """
        loop.run_until_complete(self.startup())

    def __rsgi_del__(self, loop: t.Any) -> None:
        """End to serve: what a server that speaks RSGI calls after the last request.

        :param loop: the loop that requests ran on.
        """
        loop.run_until_complete(self._gateway.leave())

    @lazy
    def _gateway(self) -> Gateway:
        """What stands between the application and event loops; made for the first that comes."""
        # PERF: asyncio is a tenth of the time that importing the framework takes.
        from .gateway.entry import Gateway

        return Gateway(self)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: push its context, run the steps, send the response, pop.

        To wrap middleware around the application, replace this attribute:
        ``app.wsgi_app = Middleware(app.wsgi_app)``.

        :param environ: the WSGI environment.
        :param start_response: the server's function for status and headers.
        :returns: the body.
        """
        if self._is_to_start:
            self._gateway.life.start_without_loop()
        if "erlen.websocket" in environ:
            return self.handle_websocket(environ, start_response)
        ctx = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                ctx.push()
                response = self.full_dispatch_request()
            except Exception as e:
                error = e
                if not ctx._cv_tokens:
                    # A receiver of a signal failed before the request could begin.
                    raise
                response = self.handle_exception(e)
            except BaseException as e:
                error = e
                raise
            body = response(environ, start_response)
            later = ctx._after_response_functions
            if later is None:
                return body
            ctx._after_response_functions = None
            return AfterResponse(body, later)
        finally:
            try:
                if ctx._cv_tokens:
                    if "werkzeug.debug.preserve_context" in environ:
                        environ["werkzeug.debug.preserve_context"](_cv_app.get())
                        environ["werkzeug.debug.preserve_context"](ctx)
                    if error is not None and self.should_ignore_error(error):
                        error = None
                    ctx.pop(error)
            finally:
                # Its traceback leads to this frame, which must not hold it.
                del error

    def full_dispatch_request(self) -> Response:
        """Run the hooks and the view of the current request and return the response.

        HTTP exceptions and those with a handler are turned into responses here.
        """
        if not self._got_first_request:
            self._got_first_request = True
        try:
            if request_started.receivers:
                request_started.send(self, _async_wrapper=self.ensure_sync)
            result = self.preprocess_request()
            if result is None:
                result = self.dispatch_request()
        except Exception as e:
            result = self.handle_user_exception(e)
        return self.finalize_request(result)

    def preprocess_request(self) -> ft.ResponseReturnValue | None:
        """Call the URL value preprocessors, then the functions of :meth:`before_request`.

        :returns: what the first of the latter returned that was not ``None``; it is used instead
            of the view's result.
        """
        ctx = _cv_request.get()
        rule = ctx.request.url_rule
        plan = self._plans.plans.get(None if rule is None else rule.endpoint)
        if plan is None or plan.watched:
            plan = self._find_plan(ctx)
        else:
            ctx.plan = plan
        if plan.preprocessors:
            request = ctx.request
            for preprocess in plan.preprocessors:
                preprocess(request.endpoint, request.view_args)
        if plan.before:
            for hook in plan.before:
                result: ft.ResponseReturnValue | None = hook()
                if result is not None:
                    return result
        return None

    def dispatch_request(self) -> ft.ResponseReturnValue:
        """Call the view of the current request and return what it returned."""
        ctx = _cv_request.get()
        request = ctx.request
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule: t.Any = request.url_rule
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response()
        plan = ctx.plan
        if (
            plan is None
            or plan.table is not self._plans
            or plan.watched
            or plan.endpoint != rule.endpoint
        ):
            plan = self._find_plan(ctx)
        view = plan.view
        if view is None:
            raise KeyError(rule.endpoint)
        values: t.Any = request.view_args
        # PERF: a call with keywords from a dictionary costs twice as much as one without.
        result: ft.ResponseReturnValue = view(**values) if values else view()
        return result

    def _find_plan(self, ctx: RequestContext) -> Plan:
        """Return the plan of a request's endpoint, making it where there is none that is valid."""
        rule = ctx.request.url_rule
        plan = ctx.plan = self._plan_for(None if rule is None else rule.endpoint)
        return plan

    def finalize_request(
        self, rv: ft.ResponseReturnValue | HTTPException, from_error_handler: bool = False
    ) -> Response:
        """Turn a result into a response, and run the functions that see it.

        :param rv: what the view, a hook or a handler returned.
        :param from_error_handler: log errors of the functions instead of raising them, since an
            error is being handled.
        """
        response = self.make_response(rv)
        try:
            response = self.process_response(response)
            if request_finished.receivers:
                request_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        except Exception:
            if not from_error_handler:
                raise
            self.logger.exception("Request finalizing failed with an error while handling an error")
        return response

    def make_response(self, rv: ft.ResponseReturnValue) -> Response:
        """Turn what a view returned into a response object.

        :param rv: text, bytes, a dictionary or list for JSON, an iterator, a response, a WSGI
            callable, or a tuple ``(body, status, headers)``, ``(body, status)`` or
            ``(body, headers)`` with one of those as the body.
        :raises TypeError: for anything else.
        """
        body: t.Any = rv
        if type(body) is str:
            # PERF: what most views return needs none of the questions below.
            return self.response_class(body)
        status: t.Any = None
        headers: t.Any = None
        if isinstance(body, tuple):
            body, status, headers = _unpack(body)

        response_class = self.response_class
        response: Response
        if isinstance(body, response_class):
            response = body
        elif isinstance(body, (dict, list)):
            as_json: t.Any = self.json.response(body)
            response = as_json
        elif isinstance(body, HTTPException):
            response = self._error_response(body)
        elif isinstance(body, (str, bytes, bytearray, Iterator)) or hasattr(body, "__aiter__"):
            # The response works both out at once, without a second look at its headers.
            return response_class(body, status=status, headers=headers)
        else:
            response = self._force_response(body)

        if status is not None:
            if isinstance(status, str):
                response.status = status
            else:
                response.status_code = status
        if headers:
            response.headers.update(headers)
        return response

    def _force_response(self, body: t.Any) -> Response:
        """Turn another response or a WSGI callable into a response of the application's class."""
        request = active_request_ctx().request
        if body is None:
            raise TypeError(
                f"The view function for {request.endpoint!r} did not return a valid response. The"
                " function either returned None or ended without a return statement."
            )
        explanation = (
            "The view function did not return a valid response. The return type must be a string,"
            " dict, list, tuple with headers or status, Response instance, or WSGI callable, but"
            f" it was a {type(body).__name__}."
        )
        if not (isinstance(body, BaseResponse) or callable(body)):
            raise TypeError(explanation)
        app: t.Any = body
        try:
            return t.cast("Response", self.response_class.force_type(app, request.environ))
        except TypeError as error:
            raise TypeError(f"{error}\n{explanation}").with_traceback(error.__traceback__) from None

    def _error_response(self, error: HTTPException) -> Response:
        """Return the response that an HTTP exception stands for."""
        kind: t.Any = type(error)
        environ = (_cv_request.get(None) or active_request_ctx()).request.environ
        response: t.Any
        if (
            getattr(self.response_class, "_is_made_plainly", False)
            and error.response is None
            and _is_standard(kind)
            and error.__dict__.keys().isdisjoint(_PAGE_PARTS)
        ):
            # PERF: run as a WSGI callable, it would make two responses and read one of them.
            response = self.response_class(_page(error), error.code, mimetype="text/html")
        else:
            other: t.Any = error
            if kind.__call__ is HTTPException.__call__:
                other = error.get_response(environ)
            response = self.response_class.force_type(other, environ)
        # The traceback leads to a frame that holds the exception; without it both go at once.
        forget_frames(error)
        return t.cast("Response", response)

    def process_response(self, response: Response) -> Response:
        """Call the functions of :meth:`after_request`, then save the session.

        The headers of ``DEFAULT_RESPONSE_HEADERS`` are added where no function set them.
        Functions of ``after_this_request`` come first, then those of the blueprint, then those
        of the application, each group last registered first.

        :param response: the response.
        :returns: the response to send.
        """
        ctx = _cv_request.get()
        plan = ctx.plan
        if plan is None or plan.table is not self._plans or plan.watched:
            plan = self._find_plan(ctx)
        # PERF: to begin a loop over nothing takes longer than to see that there is nothing.
        if ctx._after_request_functions:
            for hook in ctx._after_request_functions:
                response = self.ensure_sync(hook)(response)
        if plan.after:
            for hook in plan.after:
                response = hook(response)

        default_headers = self.config.get("DEFAULT_RESPONSE_HEADERS")
        if default_headers:
            kept = self._default_headers
            if kept is None or (
                kept.origin is not default_headers and kept.source != default_headers
            ):
                kept = self._default_headers = DefaultHeaders(default_headers)
            kept.add_to(response)
        interface = self.session_interface
        session = ctx._open_session
        if (
            session is None
            # PERF: without a cookie there is nothing to save for Erlen's own interface.
            and (
                "HTTP_COOKIE" in ctx.request.environ
                or type(interface) is not SecureCookieSessionInterface
                or interface.__dict__
            )
            and must_be_saved_unused(interface, self, ctx.request)
        ):
            session = ctx._session
        if session is not None and not interface.is_null_session(session):
            interface.save_session(self, session, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """Call the functions of :meth:`teardown_request`.

        All of them are called, also where one raises; the first exception is raised at the end.

        :param exc: the exception that ended the request; by default the one being handled.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        ctx = _cv_request.get()
        plan = ctx.plan
        if plan is None or plan.table is not self._plans or plan.watched:
            plan = self._find_plan(ctx)
        try:
            if plan.teardown:
                call_all(plan.teardown, exc)
        finally:
            if request_tearing_down.receivers:
                request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """Call the functions of :meth:`teardown_appcontext`.

        All of them are called, also where one raises; the first exception is raised at the end.

        :param exc: the exception that ended the work; by default the one being handled.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        try:
            functions = self.teardown_appcontext_funcs
            if functions:
                table = self._plans
                ready = table.teardown_appcontext
                # A plain list that somebody put in place does not announce its edits.
                if ready is None or type(functions) is not HookList:
                    ready = tuple(self.ensure_sync(function) for function in reversed(functions))
                    table.teardown_appcontext = ready
                call_all(ready, exc)
        finally:
            if appcontext_tearing_down.receivers:
                appcontext_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    # --- Errors -------------------------------------------------------------------------------

    def handle_user_exception(self, e: Exception) -> HTTPException | ft.ResponseReturnValue:
        """Turn an exception of a view or a hook into a result, where it has a handler.

        :param e: the exception; it is raised again where nothing handles it.
        """
        if isinstance(e, BadRequestKeyError) and (
            self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]
        ):
            e.show_exception = True
        if isinstance(e, HTTPException) and not self.trap_http_exception(e):
            return self.handle_http_exception(e)
        handler = self._find_error_handler(e, self._handling_blueprints(e))
        if handler is None:
            try:
                raise e
            finally:
                # The traceback leads to this frame, which must not hold the exception.
                del e
        return self.ensure_sync(handler)(e)  # type: ignore[no-any-return]

    def handle_http_exception(self, e: HTTPException) -> HTTPException | ft.ResponseReturnValue:
        """Let the handler for an HTTP exception answer; without one it is the answer itself.

        :param e: the exception.
        """
        # A proxy exception answers for itself, a routing exception (a redirect) is no error.
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e, self._handling_blueprints(e))
        if handler is None:
            return e
        return self.ensure_sync(handler)(e)  # type: ignore[no-any-return]

    def _handling_blueprints(self, e: Exception) -> t.Sequence[str]:
        """Return the blueprints whose handlers may answer for an exception, innermost first."""
        ctx = _cv_request.get()
        request: Request = ctx.request
        if self._owned_prefixes and e is request.routing_exception:
            return self._owners(ctx)
        return () if request.url_rule is None else request.blueprints

    def handle_exception(self, e: Exception) -> Response:
        """Answer an exception that nothing else handled: log it and make a 500.

        In debug mode and in tests (``PROPAGATE_EXCEPTIONS``) it is raised instead. The handler
        for 500 gets an :exc:`~werkzeug.exceptions.InternalServerError` that has the exception as
        ``original_exception``.

        :param e: the exception.
        """
        exc_info = sys.exc_info()
        got_request_exception.send(self, _async_wrapper=self.ensure_sync, exception=e)
        if self._propagates_exceptions():
            raise e

        self.log_exception(exc_info)
        result: t.Any = InternalServerError(original_exception=e)
        handler = self._find_error_handler(result, _cv_request.get().request.blueprints)
        if handler is not None:
            result = self.ensure_sync(handler)(result)
        return self.finalize_request(result, from_error_handler=True)

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> None:
        """Log an exception that ended a request.

        :param exc_info: the exception as :func:`sys.exc_info` returns it.
        """
        request = _cv_request.get().request
        self.logger.error(
            "Exception on %s [%s]",
            _visible(request.path),
            _visible(request.method),
            exc_info=exc_info,
        )

    def raise_routing_exception(self, request: Request) -> t.NoReturn:
        """Raise what matching the URL ended with.

        In debug mode, a redirect that would make browsers drop a form's data raises
        :exc:`~erlen.debughelpers.FormDataRoutingRedirect`.

        :param request: the request.
        """
        error = request.routing_exception
        assert error is not None
        if (
            isinstance(error, RequestRedirect)
            and self.debug
            and error.code not in {307, 308}
            and request.method not in {"GET", "HEAD", "OPTIONS"}
        ):
            from .debughelpers import FormDataRoutingRedirect

            raise FormDataRoutingRedirect(request)
        raise error

    def _explain_missing_enctype(self, request: Request) -> None:
        from .debughelpers import attach_enctype_error_multidict

        attach_enctype_error_multidict(request)

    def make_default_options_response(self) -> Response:
        """Return the answer to ``OPTIONS``: the methods that the URL allows."""
        response = self.response_class()
        response.allow.update(_cv_request.get().url_adapter.allowed_methods())
        return response

    # --- Beside the requests --------------------------------------------------------------------

    async def startup(self) -> None:
        """Run what is to run before the first request; servers and test clients do it themselves.

        :raises Exception: what a function of :meth:`before_serving` or :meth:`while_serving`
            raised.
        """
        await self._gateway.life.start()

    async def shutdown(self) -> None:
        """Wait for background tasks, then run what is to run after the last request."""
        await self._gateway.life.stop()

    def add_background_task(
        self, func: Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> None:
        """Call a function in the background, after the response to the current request was sent.

        It sees copies of the current contexts. A coroutine function runs on the event loop,
        another one in a worker thread. Outside a request the call is made at once; where no
        response follows, as in the background, at the end of the request's context. When the
        worker ends, it waits for calls that are not over,
        ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds at most, and then cancels them.

        :param func: the function.
        :param args: its arguments.
        :param kwargs: its keyword arguments.

        .. code-block:: python

            @app.post("/signup")
            def signup():
                user = create_user(request.form)
                app.add_background_task(send_welcome, user.email)
                return redirect(url_for("index"))
        """
        start = self._gateway.life.run_later(func, *args, **kwargs)
        ctx = _cv_request.get(None)
        if ctx is None:
            start()
        else:
            ctx._call_after_response(start)

    def handle_background_exception(self, e: Exception) -> None:
        """Log an exception that ended a background task.

        :param e: the exception.
        """
        got_background_exception.send(self, _async_wrapper=self.ensure_sync, exception=e)
        self.logger.error("Exception in a background task", exc_info=e)

    # --- Contexts -----------------------------------------------------------------------------

    def app_context(self) -> AppContext:
        """Return a context in which this application is current, for a ``with`` block."""
        return AppContext(self)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """Return the context of a request.

        :param environ: its WSGI environment.
        """
        return RequestContext(self, environ)

    def test_request_context(self, *args: t.Any, **kwargs: t.Any) -> RequestContext:
        """Return the context of a request that is made up, for tests and the shell.

        :param args: as for :class:`erlen.testing.EnvironBuilder`: the path first.
        :param kwargs: as there.

        .. code-block:: python

            with app.test_request_context("/?next=/home"):
                assert request.args["next"] == "/home"
        """
        from .testing import EnvironBuilder

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    def update_template_context(self, context: dict[str, t.Any]) -> None:
        """Add the variables of the context processors to those of a template.

        What the template was given itself stays as it is.

        :param context: the variables, edited in place.
        """
        ctx = _cv_request.get(None)
        names = () if ctx is None else tuple(ctx.request.blueprints)
        given = context.copy()
        for processor in self._context_processors(names):
            context.update(processor())
        context.update(given)

    def _context_processors(self, names: tuple[str, ...]) -> tuple[Callable[[], t.Any], ...]:
        """Return the context processors for a request's blueprints, ready to be called."""
        table = self._plans
        processors = table.processors.get(names)
        if processors is None:
            registry: t.Any = self.template_context_processors
            scopes = (None, *reversed(names))
            processors = tuple(self.ensure_sync(f) for f in collect(registry, scopes))
            if not registry.foreign():
                table.processors[names] = processors
        return processors

    def make_shell_context(self) -> dict[str, t.Any]:
        """Return the names that an interactive shell starts with."""
        names: dict[str, t.Any] = {"app": self, "g": g}
        for processor in self.shell_context_processors:
            names.update(processor())
        return names

    # --- Synchronous and asynchronous ---------------------------------------------------------

    def ensure_sync(self, func: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """Return a function that can be called from synchronous code.

        Override it to run coroutine functions in another way.

        :param func: a function or a coroutine function.
        """
        if iscoroutinefunction(func):
            return self.async_to_sync(func)
        return func

    def async_to_sync(
        self, func: Callable[..., Coroutine[t.Any, t.Any, t.Any]]
    ) -> Callable[..., t.Any]:
        """Return a function that runs a coroutine function and waits for its result.

        :param func: the coroutine function.
        """
        # PERF: asyncio is a tenth of the time that importing the framework takes.
        from .gateway.waiting import async_to_sync

        return async_to_sync(func)

    # --- Tools --------------------------------------------------------------------------------

    def open_instance_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> t.IO[t.Any]:
        """Open a file of the instance folder.

        :param resource: its path, relative to the instance folder.
        :param mode: as for :func:`open`.
        :param encoding: the encoding in text modes.
        """
        path = os.path.join(self.instance_path, resource)
        if "b" in mode:
            return open(path, mode)
        return open(path, mode, encoding=encoding)

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: t.Any,
    ) -> None:
        """Serve the application for development.

        Called while the command line loads the application, it does nothing but say so.

        :param host: the address to listen on; by default the host of ``SERVER_NAME``, or
            ``127.0.0.1``.
        :param port: the port; by default that of ``SERVER_NAME``, or 5000.
        :param debug: switch debug mode on or off.
        :param load_dotenv: read ``.env`` and ``.flaskenv`` first.
        :param options: further options of the server.
        """
        if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
            if not is_running_from_reloader():
                click.secho(
                    " * Ignoring a call to 'app.run()' that would block the current command."
                    "\n   Only call 'app.run()' in an 'if __name__ == \"__main__\"' guard.",
                    fg="red",
                )
            return
        if get_load_dotenv(load_dotenv):
            cli.load_dotenv()
            if "FLASK_DEBUG" in os.environ or "ERLEN_DEBUG" in os.environ:
                self.debug = get_debug_flag()
        if debug is not None:
            self.debug = bool(debug)

        server_host, _, server_port = (self.config["SERVER_NAME"] or "").partition(":")
        if port is None:
            port = int(server_port or 5000)
        options.setdefault("threaded", True)
        cli.show_server_banner(self.debug, self.name)
        try:
            develop.run(self, host or server_host or "127.0.0.1", port, debug=self.debug, **options)
        finally:
            # The server has ended; in an interactive session, set-up may go on.
            self._got_first_request = False

    def test_client(self, use_cookies: bool = True, **kwargs: t.Any) -> FlaskClient:
        """Return a client that sends requests to the application without a server.

        :param use_cookies: keep cookies between requests.
        :param kwargs: passed to the client's class.
        """
        cls = self.test_client_class
        if cls is None:
            from .testing import FlaskClient

            cls = FlaskClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: t.Any) -> FlaskCliRunner:
        """Return a runner for the application's commands.

        :param kwargs: passed to the runner's class.
        """
        cls = self.test_cli_runner_class
        if cls is None:
            from .testing import FlaskCliRunner

            cls = FlaskCliRunner
        return cls(self, **kwargs)


class Erlen(Flask):
    """A web application with today's defaults.

    It is :class:`Flask` with another table of default configuration and nothing else; the
    reference of the settings says how the two differ.
    """

    default_config = ERLEN_DEFAULTS


# The pages of HTTP exceptions, by what is on them, where their classes say that.
_PAGES: dict[tuple[type[HTTPException], int | None, str | None], str] = {}
_MAX_PAGES = 256
_PAGE_PARTS = ("__call__", "get_response", "get_body", "get_description", "get_headers", "name")


@lru_cache(maxsize=_MAX_PAGES)
def _is_standard(kind: type[HTTPException]) -> bool:
    """Return whether a class leaves alone all that makes the page of an HTTP exception."""
    return all(getattr(kind, part) is getattr(HTTPException, part) for part in _PAGE_PARTS)


def _page(error: HTTPException) -> str:
    """Return the page of an HTTP exception whose class is standard."""
    kind = type(error)
    description: object = getattr(kind, "description", None)
    if "description" in error.__dict__ or not (description is None or type(description) is str):
        return error.get_body()
    key = (kind, error.code, description)
    page = _PAGES.get(key)
    if page is None:
        page = error.get_body()
        if len(_PAGES) >= _MAX_PAGES:
            _PAGES.clear()
        _PAGES[key] = page
    return page


def _unpack(result: tuple[t.Any, ...]) -> tuple[t.Any, t.Any, t.Any]:
    """Return the body, status and headers of a tuple that a view returned."""
    if len(result) == 3:
        return result
    if len(result) == 2:
        body, second = result
        if isinstance(second, (Headers, dict, tuple, list)):
            return body, None, second
        return body, second, None
    raise TypeError(
        "The view function did not return a valid response tuple. The tuple must have the form"
        " (body, status, headers), (body, status), or (body, headers)."
    )


def _visible(text: str) -> str:
    """Return text for the log with control characters escaped, so that it cannot forge lines."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
