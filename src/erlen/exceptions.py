"""The exceptions that Erlen adds to Werkzeug's and to Python's own."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import HTTPException

if t.TYPE_CHECKING:
    from collections.abc import Mapping


def forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an exception that is done with, and of those that led to it.

    They lead to frames that hold the exception, a cycle that keeps the request until the garbage
    collector finds it.

    :param error: the exception.
    """
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__context__


class ConfigError(TypeError, ValueError):
    """A configuration value that cannot be used, or that contradicts another one.

    It is a :exc:`ValueError`, which says what it means, and a :exc:`TypeError`, which is what
    Flask raises for environment variables that contradict each other.
    """


class UpgradeRequired(HTTPException):
    """The answer 426 to a plain HTTP request for a URL that is for WebSockets.

    RFC 9110, section 15.5.22, wants the protocol in a header ``Upgrade`` as well. That belongs to
    the connection, so servers set it, and PEP 3333 forbids it to applications.
    """

    code = 426
    description = (
        "This URL is for WebSockets: connect to it with the scheme ws:// or wss://. If that was"
        " done, the request came as plain HTTP all the same, from a WSGI server or a proxy;"
        " WebSockets need a server for ASGI or RSGI, such as Granian, uvicorn or Hypercorn, and a"
        " proxy that passes them on."
    )


class Disconnect(Exception):
    """The other side of a WebSocket is gone, or the WebSocket was closed.

    ``websocket.receive()`` and ``websocket.send()`` raise it. A handler that lets it through ends
    as one that returns: it is no error of the program.

    :param code: the close code (RFC 6455, section 7.4); 1005 where the client sent none, 1006
        where the connection was cut.
    :param reason: the text that came with the code.

    .. code-block:: python

        try:
            message = await websocket.receive()
        except Disconnect as error:
            print("gone:", error.code)
            raise
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"the WebSocket is closed (code {self.code}{reason})"


class CookieTooLarge(ValueError):
    """A cookie larger than browsers keep; they would drop it without a word.

    :param name: the cookie's name.
    :param size: the size of the whole ``Set-Cookie`` value, in bytes.
    :param limit: the largest size allowed, in bytes.
    :param entries: the size of each entry in the cookie, in bytes, by its key.

    .. code-block:: python

        @app.errorhandler(CookieTooLarge)
        def too_much(error):
            session.clear()
            return "Your cart was too full to be kept.", 500
    """

    #: How many entries the message names.
    shown = 3

    def __init__(self, name: str, size: int, limit: int, entries: Mapping[str, int]) -> None:
        super().__init__(name, size, limit, entries)
        self.name = name
        self.size = size
        self.limit = limit
        self.entries = dict(entries)

    def __str__(self) -> str:
        return (
            f"The cookie {self.name!r} would take {self.size} bytes, and browsers silently drop"
            f" cookies over {self.limit} bytes.{self._biggest()} Keep large values on the server,"
            " in a database or a cache, and only their id in the session; or keep sessions on the"
            ' server, with SESSION_BACKEND = "auto" or an app.session_interface of your own. The'
            " config key MAX_COOKIE_SIZE holds the limit; 0 turns this check off."
        )

    def _biggest(self) -> str:
        ranked = sorted(self.entries.items(), key=lambda entry: entry[1], reverse=True)
        if not ranked:
            return ""
        named = ", ".join(f"{key!r} ({size} bytes)" for key, size in ranked[: self.shown])
        return f" Its largest entries, before compression: {named}."
