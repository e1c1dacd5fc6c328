"""The log of slow queries."""

from __future__ import annotations

import logging
import time
import typing as t

from sqlalchemy import event

from .callers import find_line

if t.TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine, ExecutionContext

__all__ = ["watch_time"]

logger = logging.getLogger("erlen.db.slow")

#: Longer statements are cut in the log.
LONGEST_STATEMENT = 2000


def watch_time(engine: Engine, threshold: float) -> None:
    """Log each statement of an engine that takes longer than a threshold.

    Values of parameters are not logged; they may be personal.

    :param engine: the engine.
    :param threshold: in seconds.
    """

    def begin(
        connection: Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: ExecutionContext | None,
        executemany: bool,
    ) -> None:
        if context is not None:
            t.cast(t.Any, context)._erlen_started = time.perf_counter()

    def end(
        connection: Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: ExecutionContext | None,
        executemany: bool,
    ) -> None:
        started = getattr(context, "_erlen_started", None)
        if started is None:
            return
        taken = time.perf_counter() - started
        if taken > threshold:
            text = " ".join(statement.split())[:LONGEST_STATEMENT]
            logger.warning("Slow query, %.3f s, at %s: %s", taken, find_line(), text)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
