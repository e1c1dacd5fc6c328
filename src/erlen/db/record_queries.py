"""Recording what a request asks the database (``SQLALCHEMY_RECORD_QUERIES``)."""

from __future__ import annotations

import dataclasses
import sys
import typing as t
from time import perf_counter

from sqlalchemy import event

from erlen import current_app, g, has_app_context

if t.TYPE_CHECKING:
    from types import FrameType

    from sqlalchemy.engine import Engine


@dataclasses.dataclass
class _QueryInfo:
    """One statement that was sent to the database. Times are those of ``time.perf_counter``."""

    #: The SQL, with placeholders.
    statement: str | None
    #: What was sent for the placeholders.
    parameters: t.Any
    #: When it was sent.
    start_time: float
    #: When the database had answered.
    end_time: float
    #: The line of the application that sent it.
    location: str

    @property
    def duration(self) -> float:
        """How many seconds the database took."""
        return self.end_time - self.start_time


def get_recorded_queries() -> list[_QueryInfo]:
    """Return the statements of the current application context, in order.

    They are recorded where ``SQLALCHEMY_RECORD_QUERIES`` is true. Each has the attributes
    ``statement``, ``parameters``, ``start_time``, ``end_time``, ``duration`` (seconds) and
    ``location``, the line of the application that sent it.
    """
    queries: list[_QueryInfo] = g.get("_sqlalchemy_queries", [])
    return queries


def _listen(engine: Engine) -> None:
    """Record what an engine sends.

    :param engine: the engine.
    """
    event.listen(engine, "before_cursor_execute", _record_start, named=True)
    event.listen(engine, "after_cursor_execute", _record_end, named=True)


def _record_start(context: t.Any, **kwargs: t.Any) -> None:
    if has_app_context():
        context._erlen_start = perf_counter()


def _record_end(context: t.Any, **kwargs: t.Any) -> None:
    start = getattr(context, "_erlen_start", None)
    if start is None or not has_app_context():
        return
    info = _QueryInfo(
        context.statement, context.parameters, start, perf_counter(), _find_location()
    )
    g.setdefault("_sqlalchemy_queries", []).append(info)


def _find_location() -> str:
    """Return the innermost line that is running in the application's own package."""
    top = current_app.import_name.partition(".")[0]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name and (name == top or name.startswith(f"{top}.")):
            code = frame.f_code
            return f"{code.co_filename}:{frame.f_lineno} ({code.co_name})"
        frame = frame.f_back
    return "<unknown>"
