"""The context variables that say which application and which request code runs for."""

from __future__ import annotations

import linecache
import os
import sys
import typing as t
from contextvars import ContextVar, Token
from functools import partial
from operator import attrgetter
from types import MappingProxyType

import werkzeug
from werkzeug.local import LocalProxy as WerkzeugProxy

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = t.TypeVar("T")

_missing: t.Any = object()

# The classes of the values, AppContext and RequestContext, live above this module; erlen.globals
# gives both variables their full types.
_cv_request: ContextVar[t.Any] = ContextVar("flask.request_ctx")
# The application context that was pushed last by itself. A request brings its own, unseen here.
_cv_pushed: ContextVar[t.Any] = ContextVar("flask.app_ctx")


class CurrentAppContext:
    """The variable that holds the current application context, as far as code can tell.

    PERF: most requests never look at their application context, so it is made when somebody does.
    Then there is no variable to set and to reset; which context is current follows from the
    request's, and from what was pushed inside of that.
    """

    name = "flask.app_ctx"

    def get(self, default: t.Any = _missing, /) -> t.Any:
        """Return the current application context.

        :param default: what to return where there is none.
        :raises LookupError: where there is none, and no default.
        """
        request_ctx = _cv_request.get(None)
        pushed = _cv_pushed.get(None)
        if request_ctx is not None and (pushed is None or pushed._inside is not request_ctx):
            return request_ctx._app_ctx or request_ctx.app_ctx
        if pushed is not None:
            # While it is torn down, its request may stand for it.
            return getattr(pushed, "app_ctx", pushed)
        if default is _missing:
            raise LookupError(self)
        return default

    def set(self, value: t.Any) -> Token[t.Any]:
        """Make an application context the current one.

        :param value: the context; ``None`` for none, which holds outside of requests only.
        :returns: what :meth:`reset` takes.
        """
        if value is not None:
            value._inside = _cv_request.get(None)
        return _cv_pushed.set(value)

    def reset(self, token: Token[t.Any]) -> None:
        """Make the application context before a call of :meth:`set` current again.

        :param token: what that call returned.
        """
        _cv_pushed.reset(token)


_cv_app = CurrentAppContext()


def find_app() -> t.Any:
    """Return the current application, ``None`` where there is none."""
    # PERF: without making the application context of a request.
    request_ctx = _cv_request.get(None)
    pushed = _cv_pushed.get(None)
    if request_ctx is not None and (pushed is None or pushed._inside is not request_ctx):
        return request_ctx.app
    return None if pushed is None else pushed.app


NO_APP_MESSAGE = """\
Working outside of application context.

The code that ran needs the current application, and none is active here. Run it while a request
is handled, in a command of the "erlen" command line, or inside a block:

    with app.app_context():
        ...
"""

NO_REQUEST_MESSAGE = """\
Working outside of request context.

The code that ran needs an active HTTP request, and none is active here. Call it from a view or a
hook; in a test or a script, run it inside a block:

    with app.test_request_context("/path"):
        ...
"""

NO_WEBSOCKET_MESSAGE = """\
Working outside of a WebSocket.

The code that ran needs the current WebSocket, and none is active here. Call it from a handler that
is registered with @app.websocket(), or from a hook for WebSockets, such as @app.before_websocket.
"""


def unbound_error(message: str) -> RuntimeError:
    """Return the error for code that needs a context where there is none.

    :param message: what is missing and how to get it; the place of the user's code that needs it
        is added.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_inside(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return RuntimeError(message)
    filename, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(filename, number).strip()
    return RuntimeError(f"{message}\nIt was needed in {filename}, line {number}:\n\n    {source}\n")


def _is_inside(filename: str) -> bool:
    """Return whether a file belongs to the framework or to what it is made of."""
    jinja2 = sys.modules.get("jinja2")
    folders = _OWN_FOLDERS if jinja2 is None else (*_OWN_FOLDERS, _folder(str(jinja2.__file__)))
    return filename.startswith(folders)


def _folder(filename: str) -> str:
    return os.path.dirname(filename) + os.sep


_OWN_FOLDERS = (_folder(__file__), _folder(str(werkzeug.__file__)))


class LocalProxy(WerkzeugProxy[T]):
    """A proxy for what is current, as one of the contexts has it.

    It behaves as :class:`werkzeug.local.LocalProxy`, of which it is a subclass. Reading an
    attribute, by far the most frequent use, takes one or two Python calls instead of five.

    :param find: called at each use; returns the object, or ``None`` where there is none. Or the
        name of an attribute of the request context.
    :param unbound_message: what the :exc:`RuntimeError` says where there is none.
    :param quick: methods to use instead of those that call *find*.
    """

    __slots__ = ()

    def __new__(
        cls,
        find: Callable[[], t.Any] | str,
        unbound_message: str,
        quick: t.Mapping[str, Callable[..., t.Any]] = MappingProxyType({}),
    ) -> LocalProxy[T]:
        if isinstance(find, str):
            pick = attrgetter(find)
            find = partial(_find_in_request, pick)
            getter = _make_getter(find, unbound_message)
            read = _quick_read_in_request(pick, getter)
        else:
            getter = _make_getter(find, unbound_message)
            read = _quick_read(find, getter)
        methods = {"__getattribute__": read, **_quick_methods(find, getter)}
        # A class always gets a docstring of its own, which would hide that of the object.
        names = {"__slots__": (), "__doc__": vars(WerkzeugProxy)["__doc__"]}
        made = type(cls.__name__, (cls,), {**names, **methods, **quick})
        proxy: LocalProxy[T] = object.__new__(made)
        object.__setattr__(proxy, "_get_current_object", getter)
        return proxy

    def __init__(
        self,
        find: Callable[[], t.Any] | str,
        unbound_message: str,
        quick: t.Mapping[str, Callable[..., t.Any]] = MappingProxyType({}),
    ) -> None:
        getter = self._get_current_object
        super().__init__(getter, unbound_message=unbound_message)
        object.__setattr__(self, "_get_current_object", getter)


def _make_getter(find: Callable[[], t.Any], unbound_message: str) -> Callable[[], t.Any]:
    """Return a function that returns what the proxy stands for."""

    def get_current_object() -> t.Any:
        value = find()
        if value is None:
            raise unbound_error(unbound_message)
        return value

    return get_current_object


def _find_in_request(pick: Callable[[t.Any], t.Any]) -> t.Any:
    ctx = _cv_request.get(None)
    return None if ctx is None else pick(ctx)


def _quick_read(
    find: Callable[[], t.Any], getter: Callable[[], t.Any]
) -> Callable[[t.Any, str], t.Any]:
    """Return the method of a proxy that reads an attribute.

    PERF: the names of the proxy itself are told apart before, because ``__getattr__`` would only
    be called after an exception was made.

    :param find: returns what the proxy stands for, or ``None``.
    :param getter: returns what the proxy stands for, or raises the error that teaches.
    """
    own = object.__getattribute__

    def __getattribute__(self: t.Any, name: str) -> t.Any:
        if name in _OWN_NAMES:
            return own(self, name)
        value = find()
        return getattr(getter() if value is None else value, name)

    return __getattribute__


def _quick_read_in_request(
    pick: Callable[[t.Any], t.Any], getter: Callable[[], t.Any]
) -> Callable[[t.Any, str], t.Any]:
    """Return the same for what the request context has: ``request`` is read more than all else.

    :param pick: returns what the proxy stands for, out of the context.
    :param getter: returns what the proxy stands for, or raises the error that teaches.
    """
    own = object.__getattribute__
    get = _cv_request.get

    def __getattribute__(self: t.Any, name: str) -> t.Any:
        if name in _OWN_NAMES:
            return own(self, name)
        ctx = get(None)
        return getattr(getter() if ctx is None else pick(ctx), name)

    return __getattribute__


def _quick_methods(
    find: Callable[[], t.Any], getter: Callable[[], t.Any]
) -> dict[str, Callable[..., t.Any]]:
    """Return other frequent uses of a proxy, as methods that hold what they need.

    PERF: the base class looks each of them up through a descriptor that builds a function first.

    :param find: returns what the proxy stands for, or ``None``.
    :param getter: returns what the proxy stands for, or raises the error that teaches.
    """

    def __setattr__(self: t.Any, name: str, value: t.Any) -> None:
        found = find()
        setattr(getter() if found is None else found, name, value)

    def __getitem__(self: t.Any, key: t.Any) -> t.Any:
        found = find()
        return (getter() if found is None else found)[key]

    def __setitem__(self: t.Any, key: t.Any, value: t.Any) -> None:
        getter()[key] = value

    def __contains__(self: t.Any, key: t.Any) -> bool:
        return key in getter()

    methods = (__setattr__, __getitem__, __setitem__, __contains__)
    return {method.__name__: method for method in methods}


_OWN_NAMES = frozenset(dir(WerkzeugProxy))


def find_g() -> t.Any:
    """Return what ``g`` stands for, ``None`` where there is no application context."""
    request_ctx = _cv_request.get(None)
    pushed = _cv_pushed.get(None)
    if request_ctx is not None and (pushed is None or pushed._inside is not request_ctx):
        found = request_ctx._g
        return request_ctx._make_g() if found is None else found
    return None if pushed is None else pushed.g


def _quick_g() -> dict[str, Callable[..., t.Any]]:
    """Return the methods that read and set an attribute of ``g``.

    PERF: they find it themselves, as :func:`find_g` does, in the usual places.
    """
    own = object.__getattribute__
    get_request, get_pushed = _cv_request.get, _cv_pushed.get

    def __getattribute__(self: t.Any, name: str) -> t.Any:
        if name in _OWN_NAMES:
            return own(self, name)
        ctx, pushed = get_request(None), get_pushed(None)
        if pushed is None and ctx is not None:
            found = ctx._g or ctx.g
        elif pushed is not None and ctx is None:
            found = pushed.g
        else:
            found = _active_g()
        return getattr(found, name)

    def __setattr__(self: t.Any, name: str, value: t.Any) -> None:
        ctx, pushed = get_request(None), get_pushed(None)
        if pushed is None and ctx is not None:
            found = ctx._g or ctx.g
        else:
            found = _active_g()
        setattr(found, name, value)

    return {method.__name__: method for method in (__getattribute__, __setattr__)}


def _active_g() -> t.Any:
    found = find_g()
    if found is None:
        raise unbound_error(NO_APP_MESSAGE)
    return found


def active_app() -> t.Any:
    """Return the current application; raise the error that teaches where there is none."""
    app = find_app()
    if app is None:
        raise unbound_error(NO_APP_MESSAGE)
    return app


def active_request_ctx() -> t.Any:
    """Return the current request context; raise the error that teaches where there is none."""
    ctx = _cv_request.get(None)
    if ctx is None:
        raise unbound_error(NO_REQUEST_MESSAGE)
    return ctx


# What the variables' values are used for. erlen.globals gives these their full types, for users.
app_ctx: LocalProxy[t.Any] = LocalProxy(partial(_cv_app.get, None), NO_APP_MESSAGE)
current_app: LocalProxy[t.Any] = LocalProxy(find_app, NO_APP_MESSAGE)
g: LocalProxy[t.Any] = LocalProxy(find_g, NO_APP_MESSAGE, _quick_g())
request_ctx: LocalProxy[t.Any] = LocalProxy(partial(_cv_request.get, None), NO_REQUEST_MESSAGE)
request: LocalProxy[t.Any] = LocalProxy("request", NO_REQUEST_MESSAGE)
session: LocalProxy[t.Any] = LocalProxy("session", NO_REQUEST_MESSAGE)
websocket: LocalProxy[t.Any] = LocalProxy("websocket", NO_WEBSOCKET_MESSAGE)
sync_websocket: LocalProxy[t.Any] = LocalProxy("sync_websocket", NO_WEBSOCKET_MESSAGE)
