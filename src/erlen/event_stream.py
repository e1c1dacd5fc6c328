"""Server-sent events: an answer that never ends, and that browsers read event by event.

The format is that of the HTML standard, section 9.2.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .ctx import ContextStream
from .gateway.heartbeats import END, LATE, PatientIterator
from .gateway.waiting import in_fiber
from .local import _cv_app, active_request_ctx
from .wrappers import Response

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from . import typing as ft

#: Seconds without an event after which a comment is sent, where nothing else is said.
HEARTBEAT = 15.0

# A comment: browsers drop it, but proxies see that the connection is in use, and the server sees
# a client that has gone away.
_COMMENT = b":\n\n"
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ServerSentEvent:
    """An event for an :class:`EventStream`.

    :param data: what the event carries: text, of any number of lines, or what is sent as JSON.
        Without data, browsers take note of *id* and *retry*, and tell nobody.
    :param event: the event's name, by which a page listens to it; without one it is ``message``.
    :param id: where the stream stands: a browser that connects again sends the last one it saw.
    :param retry: the milliseconds that a browser waits before it connects again.
    :param comment: text that browsers drop.
    :raises ValueError: for a line's end in *event* or *id*, which would begin a field of its own.

    .. code-block:: python

        ServerSentEvent({"title": "Middlemarch"}, event="book", id="17")
    """

    data: t.Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name in ("event", "id"):
            value: str | None = getattr(self, name)
            if value is not None and any(character in value for character in "\r\n\0"):
                raise ValueError(
                    f"The {name} of a server-sent event must be one line, but it is {value!r}."
                )
        if isinstance(self.data, (bytes, bytearray)):
            raise TypeError(
                "A server-sent event carries text, not bytes. Decode them, or send them in base 64."
            )

    def encode(self, dumps: Callable[[t.Any], str]) -> bytes:
        """Return the event as it is sent.

        :param dumps: makes JSON of data that is not text.
        """
        lines = []
        if self.comment is not None:
            lines += [f": {line}" for line in _LINE_END.split(self.comment)]
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {int(self.retry)}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else dumps(self.data)
            lines += [f"data: {line}" for line in _LINE_END.split(text)]
        return ("\n".join(lines) + "\n\n").encode(errors="replace")


class EventStream(Response):
    """A response of server-sent events.

    A browser reads it with ``new EventSource(url)``, and connects again by itself where the
    connection ends. The request's context is kept until the stream ends: the iterable may use
    ``request``, ``session`` and ``g``, and the teardown functions run after its last event, or
    when the client is gone.

    :param events: an iterable, asynchronous or not, of :class:`ServerSentEvent`; of text, for
        events that have only data; of other objects, which are sent as JSON; and of ``None``, for
        which a comment is sent: a synchronous iterable that waits should yield it now and then.
    :param heartbeat: the seconds without an event after which a comment is sent, so that proxies
        keep the connection and a client that went away is noticed. It needs an asynchronous
        iterable, or a synchronous one in a fiber. ``None`` for no comments.
    :param retry: the milliseconds that a browser waits before it connects again.
    :param status: the status.
    :param headers: further headers.

    .. code-block:: python

        @app.get("/clock")
        def clock() -> EventStream:
            async def ticks():
                while True:
                    yield ServerSentEvent(str(datetime.now()), event="tick")
                    await asyncio.sleep(1)

            return EventStream(ticks())
    """

    default_mimetype = "text/event-stream"

    def __init__(
        self,
        events: Iterable[t.Any] | AsyncIterable[t.Any],
        *,
        heartbeat: float | None = HEARTBEAT,
        retry: int | None = None,
        status: int | str | None = None,
        headers: ft.HeadersValue | None = None,
    ) -> None:
        ctx = active_request_ctx()
        parts = _EventParts(ctx.app, events, heartbeat, retry)
        super().__init__(ContextStream(parts, ctx, _cv_app.get()), status)
        if headers is not None:
            self.headers.update(headers)
        # Caches must ask, and nginx must not wait until it has a page full.
        self.headers.setdefault("Cache-Control", "no-cache")
        self.headers.setdefault("X-Accel-Buffering", "no")


class _EventParts:
    """The parts of the body: events as bytes.

    :param app: the application.
    :param events: the events.
    :param heartbeat: the seconds after which a comment is sent.
    :param retry: the milliseconds to tell the browser first.
    """

    def __init__(
        self, app: ft.Application, events: t.Any, heartbeat: float | None, retry: int | None
    ) -> None:
        #: Whether a step waits for asynchronous code.
        self.is_asynchronous = hasattr(events, "__aiter__")
        self._app = app
        self._heartbeat = heartbeat
        # The first part goes out at once, so that the browser sees that it is connected.
        self._first: bytes | None = _COMMENT
        if retry is not None:
            self._first = ServerSentEvent(retry=retry).encode(app.json.dumps)
        self._iterator = events.__aiter__() if self.is_asynchronous else iter(events)
        self._patient = PatientIterator(self._iterator)
        self._take = app.async_to_sync(self._patient.take)
        self._close = app.async_to_sync(self._patient.close)
        self._was_patient = self.is_asynchronous

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        item = self._next_item()
        if item is END:
            raise StopIteration
        if item is LATE or item is None:
            return _COMMENT
        event = item if isinstance(item, ServerSentEvent) else ServerSentEvent(item)
        return event.encode(self._app.json.dumps)

    def _next_item(self) -> t.Any:
        if self.is_asynchronous or in_fiber():
            self._was_patient = True
            return self._take(self._heartbeat)
        return next(self._iterator, END)

    def close(self) -> None:
        """Close the iterable, if it can be closed."""
        if self._was_patient:
            self._close()
            return
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def last_event_id() -> str | None:
    """Return the id of the last event that the browser saw before its connection ended.

    It comes with the request of a browser that connects again, in the header ``Last-Event-ID``.

    :returns: the id, or ``None`` where the browser connects for the first time.

    .. code-block:: python

        @app.get("/news")
        def news() -> EventStream:
            return EventStream(stories_after(last_event_id()))
    """
    value: str | None = active_request_ctx().request.headers.get("Last-Event-ID")
    if value is None:
        return None
    # Browsers send UTF-8, which servers take for Latin-1.
    return value.encode("latin-1", "replace").decode(errors="replace")
