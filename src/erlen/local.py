"""The context variables that say which application and which request code runs for."""

from __future__ import annotations

import linecache
import os
import sys
import typing as t
from contextvars import ContextVar
from operator import attrgetter

import werkzeug
from werkzeug.local import LocalProxy as WerkzeugProxy

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = t.TypeVar("T")

# The classes of the values, AppContext and RequestContext, live above this module; erlen.globals
# gives both variables their full types.
_cv_app: ContextVar[t.Any] = ContextVar("flask.app_ctx")
_cv_request: ContextVar[t.Any] = ContextVar("flask.request_ctx")

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
    """A proxy for an attribute of the value of a context variable.

    It behaves as :class:`werkzeug.local.LocalProxy`, of which it is a subclass. Reading an
    attribute, by far the most frequent use, takes one Python call instead of five.

    :param variable: the context variable to read at each use.
    :param name: which attribute of its value to stand for; ``None`` for the value itself.
    :param unbound_message: what the :exc:`RuntimeError` says when the variable is not set.
    """

    __slots__ = ()

    def __new__(
        cls, variable: ContextVar[t.Any], name: str | None, unbound_message: str
    ) -> LocalProxy[T]:
        getter = _make_getter(variable, name, unbound_message)
        # A class always gets a docstring of its own, which would hide that of the object.
        names = {"__slots__": (), "__doc__": vars(WerkzeugProxy)["__doc__"]}
        made = type(cls.__name__, (cls,), {**names, **_quick_methods(variable, name, getter)})
        proxy: LocalProxy[T] = object.__new__(made)
        object.__setattr__(proxy, "_get_current_object", getter)
        return proxy

    def __init__(self, variable: ContextVar[t.Any], name: str | None, unbound_message: str) -> None:
        getter = self._get_current_object
        super().__init__(variable, name, unbound_message=unbound_message)
        object.__setattr__(self, "_get_current_object", getter)


def _itself(value: t.Any) -> t.Any:
    return value


def _make_getter(
    variable: ContextVar[t.Any], name: str | None, unbound_message: str
) -> Callable[[], t.Any]:
    """Return a function that returns what the proxy stands for."""
    pick = _itself if name is None else attrgetter(name)
    get = variable.get

    def get_current_object() -> t.Any:
        try:
            value = get()
        except LookupError:
            raise unbound_error(unbound_message) from None
        return pick(value)

    return get_current_object


def _quick_methods(
    variable: ContextVar[t.Any], name: str | None, getter: Callable[[], t.Any]
) -> dict[str, Callable[..., t.Any]]:
    """Return the most frequent uses of a proxy, as methods that hold what they need.

    PERF: the base class looks each of them up through a descriptor that builds a function first.
    The names of the proxy itself are told apart before, because ``__getattr__`` would only be
    called after an exception was made.

    :param variable: the variable that the proxy reads.
    :param name: the attribute of its value that the proxy stands for; ``None`` for the value.
    :param getter: returns what the proxy stands for, or raises the error that teaches.
    """
    own = object.__getattribute__
    get = variable.get
    pick = _itself if name is None else attrgetter(name)

    def __getattribute__(self: t.Any, name: str) -> t.Any:
        if name in _OWN_NAMES:
            return own(self, name)
        context = get(None)
        return getattr(getter() if context is None else pick(context), name)

    def __setattr__(self: t.Any, name: str, value: t.Any) -> None:
        context = get(None)
        setattr(getter() if context is None else pick(context), name, value)

    def __getitem__(self: t.Any, key: t.Any) -> t.Any:
        context = get(None)
        return (getter() if context is None else pick(context))[key]

    def __setitem__(self: t.Any, key: t.Any, value: t.Any) -> None:
        getter()[key] = value

    def __contains__(self: t.Any, key: t.Any) -> bool:
        return key in getter()

    methods = (__getattribute__, __setattr__, __getitem__, __setitem__, __contains__)
    return {method.__name__: method for method in methods}


_OWN_NAMES = frozenset(dir(WerkzeugProxy))


def active_app() -> t.Any:
    """Return the current application; raise the error that teaches where there is none."""
    ctx = _cv_app.get(None)
    if ctx is None:
        raise unbound_error(NO_APP_MESSAGE)
    return ctx.app


def active_request_ctx() -> t.Any:
    """Return the current request context; raise the error that teaches where there is none."""
    ctx = _cv_request.get(None)
    if ctx is None:
        raise unbound_error(NO_REQUEST_MESSAGE)
    return ctx


# What the variables' values are used for. erlen.globals gives these their full types, for users.
app_ctx: LocalProxy[t.Any] = LocalProxy(_cv_app, None, NO_APP_MESSAGE)
current_app: LocalProxy[t.Any] = LocalProxy(_cv_app, "app", NO_APP_MESSAGE)
g: LocalProxy[t.Any] = LocalProxy(_cv_app, "g", NO_APP_MESSAGE)
request_ctx: LocalProxy[t.Any] = LocalProxy(_cv_request, None, NO_REQUEST_MESSAGE)
request: LocalProxy[t.Any] = LocalProxy(_cv_request, "request", NO_REQUEST_MESSAGE)
session: LocalProxy[t.Any] = LocalProxy(_cv_request, "session", NO_REQUEST_MESSAGE)
websocket: LocalProxy[t.Any] = LocalProxy(_cv_request, "websocket", NO_WEBSOCKET_MESSAGE)
sync_websocket: LocalProxy[t.Any] = LocalProxy(_cv_request, "sync_websocket", NO_WEBSOCKET_MESSAGE)
