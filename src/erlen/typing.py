"""Names for the types that applications hand to Erlen: views' results, hooks, handlers."""

from __future__ import annotations

import typing as t
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.datastructures import Headers
    from werkzeug.sansio.response import Response

# The application object as modules below erlen.app see it. They cannot name its class without an
# import cycle, and a stricter type here would make a user's override typed `app: Flask` an error.
Application: t.TypeAlias = t.Any

# What servers of ASGI 3 call an application with.
ASGIScope: t.TypeAlias = MutableMapping[str, t.Any]
ASGIMessage: t.TypeAlias = MutableMapping[str, t.Any]
ASGIReceive: t.TypeAlias = Callable[[], Awaitable[ASGIMessage]]
ASGISend: t.TypeAlias = Callable[[ASGIMessage], Awaitable[None]]

# What a view may return as the body.
ResponseValue = t.Union[
    "Response",
    str,
    bytes,
    list[t.Any],
    Mapping[str, t.Any],
    Iterator[str],
    Iterator[bytes],
    AsyncIterable[str],
    AsyncIterable[bytes],
]

HeaderValue = str | list[str] | tuple[str, ...]
HeadersValue = t.Union["Headers", Mapping[str, HeaderValue], Sequence[tuple[str, HeaderValue]]]

# What a view may return in all: the body alone or in a tuple with a status, headers, or both.
ResponseReturnValue = t.Union[
    ResponseValue,
    tuple[ResponseValue, HeadersValue],
    tuple[ResponseValue, int],
    tuple[ResponseValue, int, HeadersValue],
    "WSGIApplication",
]

ResponseClass = t.TypeVar("ResponseClass", bound="Response")

# The key of a registry: the name of a blueprint, or None for the whole application.
AppOrBlueprintKey = str | None

AfterRequestCallable = (
    Callable[[ResponseClass], ResponseClass] | Callable[[ResponseClass], Awaitable[ResponseClass]]
)
# What a WebSocket's handler may return: an answer in the place of the handshake.
WebsocketCallable = (
    Callable[..., ResponseReturnValue | None] | Callable[..., Awaitable[ResponseReturnValue | None]]
)
AfterWebsocketCallable = (
    Callable[[t.Any], "Response | None"] | Callable[[t.Any], Awaitable["Response | None"]]
)
BeforeFirstRequestCallable = Callable[[], None] | Callable[[], Awaitable[None]]
BeforeRequestCallable = (
    Callable[[], ResponseReturnValue | None] | Callable[[], Awaitable[ResponseReturnValue | None]]
)
ServingCallable = Callable[[], None] | Callable[[], Awaitable[None]]
WhileServingCallable = Callable[[], Iterator[None]] | Callable[[], AsyncIterator[None]]
ShellContextProcessorCallable = Callable[[], dict[str, t.Any]]
TeardownCallable = (
    Callable[[BaseException | None], None] | Callable[[BaseException | None], Awaitable[None]]
)
TemplateContextProcessorCallable = (
    Callable[[], dict[str, t.Any]] | Callable[[], Awaitable[dict[str, t.Any]]]
)
TemplateFilterCallable = Callable[..., t.Any]
TemplateGlobalCallable = Callable[..., t.Any]
TemplateTestCallable = Callable[..., bool]
URLDefaultCallable = Callable[[str, dict[str, t.Any]], None]
URLValuePreprocessorCallable = Callable[[str | None, dict[str, t.Any] | None], None]
# An error handler takes the exception class it was registered for; a precise parameter type would
# reject handlers of subclasses.
ErrorHandlerCallable = (
    Callable[[t.Any], ResponseReturnValue] | Callable[[t.Any], Awaitable[ResponseReturnValue]]
)
RouteCallable = Callable[..., ResponseReturnValue] | Callable[..., Awaitable[ResponseReturnValue]]
