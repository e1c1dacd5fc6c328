"""What an error of the database means for the one who waits for an answer.

Drivers raise the same classes for very different things: ``OperationalError`` is a lost connection,
a deadlock, a full disk and, on SQLite, a table that does not exist. Their codes tell these apart:

===============  =========================================  ==============================
:class:`Cause`   for example                                answer
===============  =========================================  ==============================
``INPUT``        a number beyond its column, NUL in text    400
``CONFLICT``     deadlock, serialisation failure, locked    503 with ``Retry-After``; retried
                                                            by :mod:`erlen.db.transactions`
``UNAVAILABLE``  server gone, pool exhausted, disk full     503 with ``Retry-After``
===============  =========================================  ==============================

All else, a constraint that does not hold or a statement that is wrong, is the application's matter.
"""

from __future__ import annotations

import enum
import typing as t

from sqlalchemy import event, exc
from werkzeug.exceptions import BadRequest, HTTPException, ServiceUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection, Engine, ExceptionContext, ExecutionContext

    from erlen import Flask
    from erlen.typing import ErrorHandlerCallable

__all__ = ["Cause", "find_cause"]

#: Seconds after which a client may try again: a conflict is over as soon as the other transaction
#: is; a server needs a moment to start.
RETRY_AFTER = {"conflict": 1, "unavailable": 2}


class Cause(enum.Enum):
    """Whose matter an error of the database is, where it is not the application's."""

    #: The client sent what the database cannot hold.
    INPUT = "input"
    #: Another transaction was in the way; the same work may succeed when done again.
    CONFLICT = "conflict"
    #: The database does not work at the moment.
    UNAVAILABLE = "unavailable"


# https://sqlite.org/rescode.html, primary result codes.
SQLITE_CODES: Mapping[int, Cause] = {
    5: Cause.CONFLICT,  # BUSY
    6: Cause.CONFLICT,  # LOCKED
    8: Cause.UNAVAILABLE,  # READONLY
    10: Cause.UNAVAILABLE,  # IOERR
    13: Cause.UNAVAILABLE,  # FULL
    14: Cause.UNAVAILABLE,  # CANTOPEN
    15: Cause.CONFLICT,  # PROTOCOL: the WAL file is locked
    18: Cause.INPUT,  # TOOBIG
    20: Cause.INPUT,  # MISMATCH
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html; the first two characters are
# the class. Most of class 22 is about values, but a division by zero is a mistake in a statement.
SQLSTATES: Mapping[str, Cause] = {
    "08": Cause.UNAVAILABLE,  # connection exceptions
    "22000": Cause.INPUT,  # asyncpg: an argument that does not fit its type
    "22001": Cause.INPUT,  # text too long
    "22003": Cause.INPUT,  # number out of range
    "22007": Cause.INPUT,  # no date
    "22008": Cause.INPUT,  # date out of range
    "22021": Cause.INPUT,  # not in the character set: NUL, broken UTF-8
    "22P02": Cause.INPUT,  # not the text of a number, a UUID, an enum
    "22P05": Cause.INPUT,  # untranslatable character: NUL in JSON
    "22032": Cause.INPUT,  # invalid JSON
    "25006": Cause.UNAVAILABLE,  # read-only: a standby, or the disk was about to be full
    "40001": Cause.CONFLICT,  # serialisation failure
    "40P01": Cause.CONFLICT,  # deadlock
    "53": Cause.UNAVAILABLE,  # resources: disk, memory, connections
    "55P03": Cause.CONFLICT,  # lock not available
    "57014": Cause.UNAVAILABLE,  # cancelled: statement_timeout
    "57P": Cause.UNAVAILABLE,  # shutdown, crash, starting up
    "58": Cause.UNAVAILABLE,  # errors of the system: I/O
    "XX001": Cause.UNAVAILABLE,  # data corrupted
}

# https://mariadb.com/docs/server/reference/error-codes
MYSQL_CODES: Mapping[int, Cause] = {
    **dict.fromkeys((1264, 1265, 1292, 1366, 1406, 1300, 1411, 1690), Cause.INPUT),
    **dict.fromkeys((1020, 1205, 1213), Cause.CONFLICT),
    # Server gone or going.
    **dict.fromkeys(
        (1040, 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927, 2002, 2003),
        Cause.UNAVAILABLE,
    ),
    **dict.fromkeys((2006, 2013, 2055, 3024, 1969, 4031), Cause.UNAVAILABLE),
    # Full or read-only.
    **dict.fromkeys((3, 1021, 1026, 1030, 1114, 1290, 1792, 1836), Cause.UNAVAILABLE),
}


def find_cause(error: BaseException) -> Cause | None:
    """Tell whose matter an error is.

    :param error: an exception of SQLAlchemy.
    :returns: ``None`` where it is the application's own.

    .. code-block:: python

        try:
            db.session.commit()
        except DBAPIError as error:
            if find_cause(error) is Cause.CONFLICT:
                ...
    """
    if isinstance(error, exc.TimeoutError):
        return Cause.UNAVAILABLE  # no connection became free
    if not isinstance(error, exc.StatementError) or isinstance(error, exc.IntegrityError):
        return None
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return Cause.UNAVAILABLE
        return _cause_of_driver(error)
    # What a column's type refuses before the driver sees it. An Enum raises a plain LookupError
    # for a value that is none of its own; a KeyError would be a parameter that is missing.
    return Cause.INPUT if type(error.orig) is LookupError else None


def _cause_of_driver(error: exc.DBAPIError) -> Cause | None:
    driver = getattr(error.orig, "orig", None) or error.orig
    number = getattr(driver, "sqlite_errorcode", None)
    if number is not None:
        return SQLITE_CODES.get(number & 0xFF)
    state = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None)
    if state is not None:
        return _cause_of_state(state)
    if driver is not None and driver.args and type(driver.args[0]) is int:
        return MYSQL_CODES.get(driver.args[0])
    # Without a code it was the driver that refused a value, or that could not reach the server.
    if isinstance(error, exc.DataError):
        return Cause.INPUT
    return Cause.UNAVAILABLE if isinstance(error, exc.OperationalError) else None


def _cause_of_state(state: str) -> Cause | None:
    for length in (5, 3, 2):
        cause = SQLSTATES.get(state[:length])
        if cause is not None:
            return cause
    return None


def watch_values(engine: Engine) -> None:
    """Make an engine raise ``DataError`` for values that the driver has another way to refuse.

    Python's own ``OverflowError`` and ``UnicodeEncodeError`` come from some drivers as they are.
    SQLite and MariaDB store NUL in text, which PostgreSQL refuses; it has no place in a form, and
    cuts text short in much that reads it later.

    :param engine: the engine.
    """
    event.listen(engine, "handle_error", _as_data_error)
    if engine.dialect.name in ("sqlite", "mysql", "mariadb"):
        event.listen(engine, "before_cursor_execute", _refuse_nul)


def _as_data_error(context: ExceptionContext) -> exc.DataError | None:
    error = context.original_exception
    if context.sqlalchemy_exception is not None or context.execution_context is None:
        return None
    if isinstance(error, (OverflowError, UnicodeEncodeError)) or _names_nul(error):
        return _data_error(context.statement, t.cast("Exception", error))
    return None


def _names_nul(error: BaseException) -> bool:
    # psycopg2: "A string literal cannot contain NUL (0x00) characters."
    return isinstance(error, ValueError) and "NUL" in str(error)


def _refuse_nul(
    connection: Connection,
    cursor: object,
    statement: str,
    parameters: t.Any,
    context: ExecutionContext | None,
    executemany: bool,
) -> None:
    # Many rows for one statement are a list; many in one INSERT are one tuple.
    for values in parameters if isinstance(parameters, list) else (parameters,):
        for value in values.values() if isinstance(values, dict) else values:
            # PERF: types first; most values are numbers or short text.
            if type(value) is str and "\0" in value:
                raise _data_error(statement, ValueError("Text must not contain NUL characters."))


def _data_error(statement: str | None, reason: Exception) -> exc.DataError:
    # Without the parameters: the message ends up in logs.
    return exc.DataError(statement, None, reason, hide_parameters=True)


#: The classes that an application gets handlers for.
HANDLED = (
    exc.DataError,
    exc.InterfaceError,
    exc.InternalError,
    exc.OperationalError,
    exc.DBAPIError,
    exc.StatementError,
    exc.TimeoutError,
    exc.CompileError,
)


def answer_errors(app: Flask, roll_back: Callable[[], object]) -> None:
    """Make an application answer errors of the database that are not its own.

    A handler that the application registers for one of the classes itself takes the place of ours;
    one for a base class, such as ``Exception``, gets what is left.

    :param app: the application.
    :param roll_back: brings the session into a state in which an error page can use it.
    """

    def answer(error: Exception) -> t.Any:
        http_error = _as_http_error(app, error)
        if http_error is None:
            return _pass_on(app, error, answer)
        try:
            roll_back()
            return app.handle_http_exception(http_error)
        except exc.SQLAlchemyError:
            # The connection is gone, or the page for errors asks the database too.
            return http_error

    for kind in HANDLED:
        app.register_error_handler(kind, answer)


def _as_http_error(app: Flask, error: Exception) -> HTTPException | None:
    if isinstance(error, exc.CompileError):
        return _order_error(error)
    cause = find_cause(error)
    if cause is None:
        return None
    if cause is Cause.INPUT:
        app.logger.info("The database refused a value: %s", error)
        return BadRequest(
            "A value is out of range, too long, or contains characters that cannot be stored."
        )
    app.logger.error("The database did not do its work: %s", error)
    return ServiceUnavailable(
        "The data cannot be reached at the moment. Try again shortly.",
        retry_after=RETRY_AFTER[cause.value],
    )


def _order_error(error: exc.CompileError) -> HTTPException | None:
    # SQLAlchemy looks text in order_by() up among the columns of the statement.
    if "Can't resolve label reference for ORDER BY" not in str(error):
        return None
    return BadRequest("The list cannot be sorted by that.")


def _pass_on(app: Flask, error: Exception, ours: ErrorHandlerCallable) -> t.Any:
    handlers = app.error_handler_spec[None][None]
    for kind in type(error).__mro__:
        handler = handlers.get(t.cast("type[Exception]", kind))
        if handler is not None and handler is not ours:
            return app.ensure_sync(handler)(error)
    raise error
