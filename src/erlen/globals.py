"""The proxies for what is current, with their types.

They lie above the application in the order of imports, so that they can name its class; the
modules below it use :mod:`erlen.local`.
"""

from __future__ import annotations

import typing as t
from contextvars import ContextVar

from . import local
from .app import Flask
from .ctx import AppContext, RequestContext, _AppCtxGlobals
from .sessions import SessionMixin
from .websockets import SyncWebsocket, Websocket
from .wrappers import Request

_cv_app = t.cast("ContextVar[AppContext]", local._cv_app)
_cv_request: ContextVar[RequestContext] = local._cv_request

if t.TYPE_CHECKING:
    # What a proxy is to a type checker: the object itself, and a way to get at it.
    T_co = t.TypeVar("T_co", covariant=True)

    class Proxy(t.Protocol[T_co]):
        def _get_current_object(self) -> T_co: ...

    class AppContextProxy(Proxy[AppContext], AppContext): ...

    class FlaskProxy(Proxy[Flask], Flask): ...

    class GlobalsProxy(Proxy[_AppCtxGlobals], _AppCtxGlobals): ...

    class RequestContextProxy(Proxy[RequestContext], RequestContext): ...

    class RequestProxy(Proxy[Request], Request): ...

    class SessionProxy(Proxy[SessionMixin], SessionMixin): ...

    class SyncWebsocketProxy(Proxy[SyncWebsocket], SyncWebsocket): ...

    class WebsocketProxy(Proxy[Websocket], Websocket): ...


#: The current application context.
app_ctx = t.cast("AppContextProxy", local.app_ctx)
#: The application that handles the current request or command.
current_app = t.cast("FlaskProxy", local.current_app)
#: A namespace for data of the current application context.
g = t.cast("GlobalsProxy", local.g)
#: The current request context.
request_ctx = t.cast("RequestContextProxy", local.request_ctx)
#: The current request.
request = t.cast("RequestProxy", local.request)
#: The session of the current request.
session = t.cast("SessionProxy", local.session)
#: The current WebSocket. In a coroutine its methods are awaited; in a plain function they wait.
websocket = t.cast("WebsocketProxy", local.websocket)
#: The current WebSocket with methods that wait, whatever calls them; typed so, too.
sync_websocket = t.cast("SyncWebsocketProxy", local.sync_websocket)
