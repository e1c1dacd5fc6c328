"""The application context and the request context: what is current, and for how long."""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable, Iterator
from contextvars import Token
from functools import update_wrapper
from inspect import iscoroutinefunction
from threading import RLock

from werkzeug.exceptions import HTTPException

from .exceptions import UpgradeRequired, forget_frames
from .lazy import lazy
from .local import NO_WEBSOCKET_MESSAGE, _cv_app, _cv_pushed, _cv_request, unbound_error
from .routing import WebsocketMismatch
from .sessions import SecureCookieSessionInterface, opens_lazily
from .signals import appcontext_popped, appcontext_pushed, appcontext_tearing_down
from .streams import is_asynchronous
from .wrappers import Request

if t.TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIEnvironment

    from . import typing as ft
    from .routing import MapAdapter
    from .sessions import SessionMixin
    from .websockets import SyncWebsocket, Websocket

F = t.TypeVar("F", bound=Callable[..., t.Any])

_sentinel: t.Any = object()

_making_app_ctx = RLock()
# What ends a stream by its own fault, or that of the process.
_FAILURES = (Exception, KeyboardInterrupt, SystemExit)


class _AppCtxGlobals:
    """A plain namespace for data of one application context; ``g`` stands for it.

    Attributes are set, read and deleted as on any object; ``in`` and iteration see their names.
    """

    # The type checker then accepts any attribute; at run time a missing one raises as usual.
    if t.TYPE_CHECKING:

        def __getattr__(self, name: str) -> t.Any: ...

        def __setattr__(self, name: str, value: t.Any) -> None: ...

        def __delattr__(self, name: str) -> None: ...

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return an attribute, or *default* where it is not set.

        :param name: the attribute's name.
        :param default: what to return instead.
        """
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: t.Any = _sentinel) -> t.Any:
        """Remove an attribute and return it.

        :param name: the attribute's name.
        :param default: what to return where it is not set.
        :raises KeyError: where it is not set and no default is given.
        """
        if default is _sentinel:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: t.Any = None) -> t.Any:
        """Return an attribute; where it is not set, set it to *default* first.

        :param name: the attribute's name.
        :param default: the value to set.
        """
        return self.__dict__.setdefault(name, default)

    def __contains__(self, item: str) -> bool:
        return item in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        ctx = _cv_app.get(None)
        if ctx is None:
            return object.__repr__(self)
        return f"<flask.g of '{ctx.app.name}'>"


class AppContext:
    """What is current for an application: ``current_app`` and ``g``.

    A request pushes one by itself. Make one with :meth:`Flask.app_context` for scripts and tests.

    :param app: the application.
    """

    def __init__(self, app: ft.Application) -> None:
        self.app = app
        # How many keep this context from being torn down: streams, and the request it belongs to.
        self._holders = 0
        self._cv_tokens: list[Token[t.Any]] = []
        # The request context that it was pushed inside of.
        self._inside: RequestContext | None = None

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Builds URLs outside a request; ``None`` where ``SERVER_NAME`` is not configured."""
        adapter: MapAdapter | None = self.app.create_url_adapter(None)
        return adapter

    @lazy
    def g(self) -> _AppCtxGlobals:
        """The namespace for data of this context."""
        namespace: _AppCtxGlobals = self.app.app_ctx_globals_class()
        return namespace

    def push(self) -> None:
        """Make this context the current one."""
        self._enter()
        if appcontext_pushed.receivers:
            try:
                appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)
            except BaseException:
                _cv_pushed.reset(self._cv_tokens.pop())
                raise

    def _enter(self) -> None:
        outer = _cv_request.get(None)
        if outer is not None:
            self._inside = outer
        self._cv_tokens.append(_cv_pushed.set(self))

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Run the teardown functions and make the context before this one current again.

        :param exc: the exception that ended the work, for the teardown functions; by default the
            one being handled.
        """
        tokens = self._cv_tokens
        ctx = _cv_pushed.get(None)
        try:
            if len(tokens) == 1 and not self._holders:
                self.app.do_teardown_appcontext(sys.exc_info()[1] if exc is _sentinel else exc)
        finally:
            _cv_pushed.reset(tokens.pop())
            if not tokens:
                self._inside = None
        if ctx is not self:
            raise AssertionError(f"Popped wrong app context. ({ctx!r} instead of {self!r})")
        if appcontext_popped.receivers and not self._holders:
            appcontext_popped.send(self.app, _async_wrapper=self.app.ensure_sync)

    def __enter__(self) -> t.Self:
        self.push()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.pop(exc_value)


class RequestContext:
    """What is current for a request: ``request`` and ``session``.

    The application makes one for each request; :meth:`Flask.test_request_context` makes one for
    tests and the shell. Pushing it pushes an application context too, unless one of the same
    application is current.

    :param app: the application.
    :param environ: the WSGI environment of the request.
    :param request: a request object to use instead of a new one.
    :param session: an open session to use instead of the one that the request carries.
    """

    #: Messages taken out of the session by ``get_flashed_messages`` during this request.
    flashes: list[tuple[str, str]] | None = None
    # Which step of the application runs the teardown functions, where it is another one.
    _teardown: str | None = None
    # The request context inside of which this one stands for its application context.
    _inside: RequestContext | None = None
    # Whether a subclass leaves alone how requests are matched.
    _matches_itself = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._matches_itself = cls.match_request is RequestContext.match_request

    def __init__(
        self,
        app: ft.Application,
        environ: WSGIEnvironment,
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        self.app = app
        if request is None:
            made: Request = app.request_class(environ)
            made.json_module = app.json
            request = made
        self.request = request
        # PERF: until Python 3.12 reading a default from the class takes five times as long as
        # reading the instance.
        #: The endpoint's plan, once somebody needed it.
        self.plan: t.Any = None
        # How many streams keep this context from being torn down.
        self._holders = 0
        # What to call when the response has been sent.
        self._after_response_functions: list[Callable[[], None]] | None = None
        self._open_session = session
        self._after_request_functions: list[ft.AfterRequestCallable[t.Any]] = []
        # The application context, and what g stands for, once somebody needed them.
        self._app_ctx: AppContext | None = None
        self._g: t.Any = None
        # For each push, what undoes it, whether the application context ends with it, and which
        # one there was before.
        self._cv_tokens: list[tuple[Token[t.Any], bool, AppContext | None]] = []

    def copy(self) -> t.Self:
        """Return another context for the same request and session.

        The copy can be pushed in another thread or greenlet; the request object is shared, so
        reading the body there needs care.
        """
        # The copy shares the session; opened in each on its own, the changes of one would be lost.
        session = self._session if self._cv_tokens else self._open_session
        return type(self)(self.app, self.request.environ, self.request, session)

    @property
    def app_ctx(self) -> AppContext:
        """The application context that belongs to the request, made when it is first needed."""
        ctx = self._app_ctx
        if ctx is None:
            # Threads that share the request must come to the same one.
            with _making_app_ctx:
                ctx = self._app_ctx
                if ctx is None:
                    ctx = self.app.app_context()
                    ctx._holders = 1
                    if self._g is not None:
                        ctx.g = self._g
                    self._app_ctx = ctx
        return ctx

    def _make_g(self) -> t.Any:
        """Return what ``g`` stands for in the request, made where there is none."""
        app = self.app
        # PERF: as a rule nobody asks for more of an application context.
        if (
            self._app_ctx is not None
            or not app._has_plain_app_contexts
            or "app_context" in app.__dict__
        ):
            self._g = self.app_ctx.g
        with _making_app_ctx:
            if self._g is None:
                ctx = self._app_ctx
                self._g = app.app_ctx_globals_class() if ctx is None else ctx.g
            return self._g

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Matches and builds URLs for the request; ``None`` where the request was refused."""
        try:
            adapter: MapAdapter | None = self.app.create_url_adapter(self.request)
        except HTTPException as error:
            self.request.routing_exception = error
            return None
        return adapter

    def match_request(self) -> None:
        """Find the rule for the request's URL and method.

        The result goes to ``request.url_rule`` and ``request.view_args``, or, where nothing
        matches, the exception to raise to ``request.routing_exception``.
        """
        request = self.request
        try:
            found = self.app.match_directly(request)
            if found is None:
                adapter = self.url_adapter
                if adapter is None:
                    return
                found = adapter.match(return_rule=True)
                if found[0].websocket and "erlen.websocket" not in request.environ:
                    self._refuse_gateway_rule(found[0])
            request.url_rule, request.view_args = found
        except WebsocketMismatch as error:
            asked = "erlen.websocket" in request.environ or "HTTP_UPGRADE" in request.environ
            request.routing_exception = error if asked else UpgradeRequired()
        except HTTPException as error:
            request.routing_exception = error

    @staticmethod
    def _refuse_gateway_rule(rule: t.Any) -> None:
        """Refuse a rule of ``add_websocket`` on a server that cannot carry WebSockets."""
        if getattr(rule, "needs_gateway", False):
            raise UpgradeRequired()

    @property
    def websocket(self) -> Websocket:
        """The WebSocket that is handled.

        :raises RuntimeError: in an HTTP request.
        """
        raise unbound_error(NO_WEBSOCKET_MESSAGE)

    @property
    def sync_websocket(self) -> SyncWebsocket:
        """The WebSocket that is handled, with methods that wait.

        :raises RuntimeError: in an HTTP request.
        """
        raise unbound_error(NO_WEBSOCKET_MESSAGE)

    @property
    def session(self) -> SessionMixin:
        """The session of the request, opened when it is first used.

        Reading this property marks the session as accessed, which adds ``Vary: Cookie`` to the
        response.
        """
        session = self._open_session
        if session is None:
            session = self._session
        session.accessed = True
        return session

    @property
    def opened_session(self) -> SessionMixin | None:
        """The session, if something has opened it already; reading this does not open it."""
        return self._open_session

    @property
    def _session(self) -> SessionMixin:
        """The session, opened if need be, without marking it as accessed."""
        session = self._open_session
        if session is None:
            interface = self.app.session_interface
            opened: SessionMixin | None = interface.open_session(self.app, self.request)
            session = interface.make_null_session(self.app) if opened is None else opened
            self._open_session = session
        return session

    @_session.setter
    def _session(self, value: SessionMixin | None) -> None:
        self._open_session = value

    def push(self) -> None:
        """Make this context the current one, open the session where it cannot wait, and match."""
        app = self.app
        if (
            # PERF: under a server nothing is active yet, and most requests need no application
            # context.
            _cv_pushed.get(None) is None
            and _cv_request.get(None) is None
            and self._app_ctx is None
            and self._g is None
            and not appcontext_pushed.receivers
        ):
            self._cv_tokens.append((_cv_request.set(self), True, None))
        else:
            self._push_inside()

        # The session comes before matching: a custom URL converter may use it.
        interface = app.session_interface
        if (
            # PERF: what nearly all applications have, and what opens lazily.
            (type(interface) is not SecureCookieSessionInterface or interface.__dict__)
            and self._open_session is None
            and not opens_lazily(interface)
        ):
            self._open_session = self._session
        # The default asks for the adapter itself, where it needs one.
        if self._matches_itself or self.url_adapter is not None:
            self.match_request()

    def _push_inside(self) -> None:
        """Make this context the current one where others may be, or somebody wants to know."""
        before = self._app_ctx
        current = _cv_app.get(None)
        owned = current is None or current.app is not self.app
        self._app_ctx = None if owned else current
        self._g = None
        if owned and appcontext_pushed.receivers:
            self.app_ctx.push()
        self._cv_tokens.append((_cv_request.set(self), owned, before))

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Run the teardown functions and make the context before this one current again.

        While a stream holds the context, teardown waits for the stream's end.

        :param exc: the exception that ended the request, for the teardown functions; by default
            the one being handled.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        app, request, tokens = self.app, self.request, self._cv_tokens
        last = len(tokens) == 1 and not self._holders
        ctx = _cv_request.get()
        try:
            if last:
                if self._teardown is None:
                    try:
                        app.do_teardown_request(exc)
                    finally:
                        request.close()
                else:
                    try:
                        getattr(app, self._teardown)(exc)
                    finally:
                        # The method of that name of a WebSocket does something else.
                        Request.close(request)
        finally:
            token, owned, before = tokens.pop()
            _cv_request.reset(token)
            if last:
                # Breaks the cycles between the request and what refers to it, so that all go
                # without the garbage collector.
                request.environ["werkzeug.request"] = None
                error = request.routing_exception
                if error is not None and error.__traceback__ is not None:
                    forget_frames(error)
                if self._after_response_functions is not None:
                    self._begin_late()
            # PERF: as a rule nobody waits for the application context's end.
            if owned and (
                self._app_ctx is not None
                or app.teardown_appcontext_funcs
                or appcontext_tearing_down.receivers
                or appcontext_popped.receivers
                or not app._has_plain_app_contexts
                or "do_teardown_appcontext" in app.__dict__
                or "app_context" in app.__dict__
            ):
                self._pop_app_ctx(exc)
            if before is not None:
                self._app_ctx, self._g = before, None
        if ctx is not self:
            raise AssertionError(f"Popped wrong request context. ({ctx!r} instead of {self!r})")

    def _pop_app_ctx(self, exc: BaseException | None) -> None:
        """Tear down the application context that was made for this one."""
        app, app_ctx = self.app, self._app_ctx
        if app_ctx is not None:
            app_ctx._holders -= 1
        elif (
            app._has_plain_app_contexts
            and not appcontext_popped.receivers
            and "app_context" not in app.__dict__
        ):
            # PERF: this one stands for it, and makes it where somebody asks for more than the
            # application and g.
            self._inside = _cv_request.get(None)
            token = _cv_pushed.set(self)
            try:
                app.do_teardown_appcontext(exc)
            finally:
                _cv_pushed.reset(token)
            return
        else:
            app_ctx = app.app_context()
            if self._g is not None:
                app_ctx.g = self._g
        if not app_ctx._cv_tokens:
            if app_ctx._holders:
                return
            # PERF: its own push, without a call.
            app_ctx._inside = _cv_request.get(None)
            app_ctx._cv_tokens.append(_cv_pushed.set(app_ctx))
        app_ctx.pop(exc)

    @property
    def g(self) -> t.Any:
        """What ``g`` stands for in the request."""
        found = self._g
        return self._make_g() if found is None else found

    def _call_after_response(self, function: Callable[[], None]) -> None:
        if not self._cv_tokens and not self._holders:
            # The request is over: a task or a thread that it left behind is here.
            function()
            return
        if self._after_response_functions is None:
            self._after_response_functions = []
        self._after_response_functions.append(function)

    def _begin_late(self) -> None:
        """Call what was to be called after a response, where none took it along."""
        functions, self._after_response_functions = self._after_response_functions, None
        for function in functions or ():
            function()

    def __enter__(self) -> t.Self:
        self.push()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.pop(exc_value)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.request.url!r}"
            f" [{self.request.method}] of {self.app.name}>"
        )


class WebsocketContext(RequestContext):
    """What is current for a WebSocket: ``websocket``, and all that is current for a request.

    ``request`` stands for the same object as ``websocket``, and ``session`` and ``g`` live as long
    as the WebSocket does.

    :param app: the application.
    :param environ: the WSGI environment of the handshake.
    :param request: a WebSocket object to use instead of a new one.
    :param session: an open session to use instead of the one that the handshake carries.
    """

    _teardown = "do_teardown_websocket"

    def __init__(
        self,
        app: ft.Application,
        environ: WSGIEnvironment,
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        if request is None:
            made: Websocket = app.websocket_class(environ)
            made.json_module = app.json
            request = made
        super().__init__(app, environ, request, session)
        # What the session and its cookie were when the handshake was answered.
        self._sent_session: tuple[dict[str, t.Any], list[str]] | None = None

    @property
    def websocket(self) -> Websocket:
        """The WebSocket."""
        return t.cast("Websocket", self.request)

    @lazy
    def sync_websocket(self) -> SyncWebsocket:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The WebSocket, with methods that wait."""
        return self.websocket.make_sync()

    def copy(self) -> t.Self:
        """Return another context for the same WebSocket and session.

        Teardown functions run once, with the original.
        """
        copy = super().copy()
        copy._holders = 1
        return copy

    def _call_after_response(self, function: Callable[[], None]) -> None:
        self.websocket._connection.call_after_answer(function)

    def save_session(self) -> list[tuple[str, str]]:
        """Save the session before the handshake is answered.

        :returns: the headers that the answer needs for that.
        """
        cookies = self._save_session()
        if self._open_session is not None:
            self._sent_session = dict(self._open_session), cookies
        return [("Set-Cookie", cookie) for cookie in cookies]

    def save_session_late(self) -> None:
        """Save the session at the end, where that needs no cookie."""
        cookies = self._save_session()
        session = self._open_session
        if session is None or not cookies:
            return
        before, sent = self._sent_session or ({}, [])
        known = {*(cookie.partition(";")[0] for cookie in sent), *_pairs(self.request)}
        if dict(session) != before and any(c.partition(";")[0] not in known for c in cookies):
            self.app.logger.warning(
                "The session was changed after the WebSocket %s was accepted, when its cookie can"
                " no longer be sent: the change is lost. Change it before accept(), or keep"
                " sessions on the server.",
                self.request.path,
            )

    def _save_session(self) -> list[str]:
        session, interface = self._open_session, self.app.session_interface
        if session is None or interface.is_null_session(session):
            return []
        response = self.app.response_class()
        interface.save_session(self.app, session, response)
        cookies: list[str] = response.headers.getlist("Set-Cookie")
        return cookies


def _pairs(request: Request) -> Iterator[str]:
    """Yield the cookies of a request, each with its name."""
    for pair in request.environ.get("HTTP_COOKIE", "").split(";"):
        yield pair.strip()


class ContextStream:
    """An iterator that runs each step of another one inside the contexts it was made in.

    Between two steps nothing is pushed, so a stream that is abandoned leaves no context behind on
    the thread that served it. The contexts are torn down once, when the stream has ended: it is
    exhausted, has raised, or was closed by the server because the client went away.

    :param steps: the iterator that makes the parts of the body.
    :param request_ctx: the request context to run in.
    :param app_ctx: the application context to run in.
    """

    def __init__(
        self, steps: Iterator[t.Any], request_ctx: RequestContext, app_ctx: AppContext
    ) -> None:
        self._steps = steps
        self._request_ctx = request_ctx
        self._app_ctx = app_ctx
        # What is current inside; the steps may push contexts of their own and keep them.
        self._current = (request_ctx, None if app_ctx is request_ctx._app_ctx else app_ctx)
        self._open = True
        #: Whether a step waits for asynchronous code.
        self.is_asynchronous = is_asynchronous(steps)
        request_ctx._holders += 1
        app_ctx._holders += 1

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> t.Any:
        if not self._open:
            raise StopIteration
        try:
            return self._run(self._steps.__next__)
        except StopIteration:
            self._finish(None)
            raise
        except BaseException as error:
            # One that is cancelled or closed, since the client went away, has not failed.
            self._finish(error if isinstance(error, _FAILURES) else None)
            raise

    def close(self) -> None:
        """Close the inner iterator and tear the contexts down. A second call does nothing."""
        if self._open:
            self._finish(None)

    def __del__(self) -> None:
        self.close()

    def _run(self, step: Callable[[], t.Any]) -> t.Any:
        request_ctx, pushed = self._current
        if pushed is not None:
            pushed._inside = request_ctx
        app_token = _cv_pushed.set(pushed)
        request_token = _cv_request.set(request_ctx)
        try:
            return step()
        finally:
            self._current = (_cv_request.get(), _cv_pushed.get())
            _cv_request.reset(request_token)
            _cv_pushed.reset(app_token)

    def _finish(self, exc: BaseException | None) -> None:
        self._open = False
        close = getattr(self._steps, "close", None)
        try:
            if close is not None:
                self._run(close)
        finally:
            self._release(exc)

    def _release(self, exc: BaseException | None) -> None:
        """Let go of the contexts, and tear them down where the request itself is over."""
        request_ctx, app_ctx = self._request_ctx, self._app_ctx
        request_ctx._holders -= 1
        app_ctx._holders -= 1
        if request_ctx._cv_tokens:
            return
        request_ctx._app_ctx, request_ctx._g = app_ctx, None
        owned = not app_ctx._cv_tokens
        if owned:
            app_ctx._holders += 1
            app_ctx._enter()
        request_ctx._cv_tokens.append((_cv_request.set(request_ctx), owned, None))
        request_ctx.pop(exc)


def after_this_request(
    f: ft.AfterRequestCallable[t.Any],
) -> ft.AfterRequestCallable[t.Any]:
    """Run a function on the response of the current request only.

    :param f: called with the response; returns that or another response.
    :returns: *f*, so that this works as a decorator.
    :raises RuntimeError: outside a request.

    .. code-block:: python

        @app.get("/")
        def index() -> str:
            @after_this_request
            def add_header(response: Response) -> Response:
                response.headers["X-Foo"] = "Parachute"
                return response
            return "Hello"
    """
    ctx = _current_request_ctx("after_this_request")
    ctx._after_request_functions.append(f)
    return f


def after_this_response(f: F) -> F:
    """Call a function in the background, once the response to this request has been sent.

    It is called without arguments, as :meth:`Flask.add_background_task` calls functions.

    :param f: the function, or a coroutine function.
    :returns: *f*, so that this works as a decorator.
    :raises RuntimeError: outside a request.

    .. code-block:: python

        @app.post("/orders")
        def order():
            @after_this_response
            def notify():
                mail.send(...)
            return "Thank you", 202
    """
    _current_request_ctx("after_this_response").app.add_background_task(f)
    return f


def copy_current_request_context(f: F) -> F:
    """Make a function run in a copy of the current request context, in a thread or greenlet.

    :param f: the function to wrap.
    :raises RuntimeError: outside a request.
    """
    ctx = _current_request_ctx("copy_current_request_context").copy()

    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        with ctx:
            return ctx.app.ensure_sync(f)(*args, **kwargs)

    return t.cast(F, update_wrapper(wrapper, f))


def copy_current_websocket_context(f: F) -> F:
    """Make a function run in a copy of the current WebSocket's context.

    In a thread it is needed; a task that a handler makes sees the context anyway.

    :param f: a function or a coroutine function.
    :raises RuntimeError: outside a WebSocket.
    """
    if not has_websocket_context():
        raise unbound_error(NO_WEBSOCKET_MESSAGE)
    ctx = _cv_request.get().copy()

    async def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
        with ctx:
            return await f(*args, **kwargs)

    def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
        with ctx:
            return f(*args, **kwargs)

    wrapper: t.Any = run if iscoroutinefunction(f) else call
    return t.cast(F, update_wrapper(wrapper, f))


def _current_request_ctx(caller: str) -> RequestContext:
    ctx = _cv_request.get(None)
    if ctx is None:
        raise RuntimeError(
            f"'{caller}' can only be used when a request context is active,"
            " such as in a view function."
        )
    return t.cast(RequestContext, ctx)


def has_request_context() -> bool:
    """Return whether a request is being handled here."""
    return _cv_request.get(None) is not None


def has_websocket_context() -> bool:
    """Return whether a WebSocket is being handled here."""
    return isinstance(_cv_request.get(None), WebsocketContext)


def has_app_context() -> bool:
    """Return whether an application context is active here."""
    return _cv_app.get(None) is not None
