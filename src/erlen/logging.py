"""The application's logger and where it writes by default."""

from __future__ import annotations

import logging
import sys
import typing as t

from werkzeug.local import LocalProxy

from .local import _cv_request

if t.TYPE_CHECKING:
    from .typing import Application


@LocalProxy
def wsgi_errors_stream() -> t.TextIO:
    """The stream for errors: the WSGI server's while a request is handled, else ``sys.stderr``.

    Use it as the stream of a :class:`logging.StreamHandler`. In a configuration by dictionary or
    file, name it ``ext://erlen.logging.wsgi_errors_stream``.
    """
    ctx = _cv_request.get(None)
    if ctx is None:
        return sys.stderr
    return t.cast(t.TextIO, ctx.request.environ["wsgi.errors"])


class _OneLineFormatter(logging.Formatter):
    """Escapes control characters in the arguments of a message, where visitors' text is.

    With a line break in a name, a visitor could otherwise write entries of their own.
    """

    def format(self, record: logging.LogRecord) -> str:
        given = record.args
        record.args = _visible_arguments(given)
        try:
            return super().format(record)
        finally:
            # Other handlers get what the application logged.
            record.args = given


def _visible_arguments(given: t.Any) -> t.Any:
    if isinstance(given, tuple):
        return tuple(map(_visible, given))
    if isinstance(given, dict):
        return {key: _visible(value) for key, value in given.items()}
    return given


def _visible(value: t.Any) -> t.Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in value
    )


#: Writes to :data:`wsgi_errors_stream` in the form
#: ``[%(asctime)s] %(levelname)s in %(module)s: %(message)s``. Control characters in the arguments
#: of a message are escaped.
default_handler = logging.StreamHandler(t.cast(t.TextIO, wsgi_errors_stream))
default_handler.setFormatter(
    _OneLineFormatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s")
)


def has_level_handler(logger: logging.Logger) -> bool:
    """Tell whether any handler would see what *logger* logs at its effective level.

    Handlers of the loggers above it count, as far as it propagates to them.

    :param logger: the logger to ask about.
    """
    level = logger.getEffectiveLevel()
    return any(handler.level <= level for handler in _handlers_in_reach(logger))


def _handlers_in_reach(logger: logging.Logger | None) -> t.Iterator[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def create_logger(app: Application) -> logging.Logger:
    """Return the logger of an application, set up where nobody has done so yet.

    It is named like the application (``app.name``). In debug mode it logs from ``DEBUG`` on, if it
    has no level of its own. It gets :data:`default_handler` if no handler would see its messages.

    :param app: the application.
    """
    logger = logging.getLogger(app.name)
    if app.debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
