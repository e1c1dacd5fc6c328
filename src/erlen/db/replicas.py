"""Reading from replicas of a database: which engine a statement of a session runs on.

Statements that read go to a replica, all of a session to the same one. From the first statement
that writes, or that may, all go to the primary: a replica is behind, and who has just written
expects to read it.
"""

from __future__ import annotations

import random
import time
import typing as t
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.sql import Select

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine, ExceptionContext
    from sqlalchemy.orm import Session

__all__ = ["Replicas", "has_written", "using_primary"]

#: In ``Session.info``: the transaction that wrote last.
WRITTEN = "erlen.written"
#: In ``Session.info``: the replicas that the session reads from, by their primary.
CHOSEN = "erlen.replicas"

#: Seconds during which a replica that did not answer is left alone.
REST = 10.0

_primary_only: ContextVar[bool] = ContextVar("erlen.db.primary", default=False)


class Replicas:
    """The replicas of one engine.

    :param engines: the engines of the replicas.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = list(engines)
        self._resting: dict[Engine, float] = {}
        for engine in engines:
            event.listen(engine, "handle_error", self._note_error)

    def choose(self) -> Engine | None:
        """Return a replica, by chance; ``None`` where none works at the moment."""
        now = time.monotonic()
        working = [engine for engine in self.engines if self._resting.get(engine, 0) <= now]
        return random.choice(working) if working else None

    def _note_error(self, context: ExceptionContext) -> None:
        # Without a connection it was the attempt to make one.
        if context.engine is not None and (context.is_disconnect or context.connection is None):
            self._resting[context.engine] = time.monotonic() + REST


#: The replicas of the engines that have any.
_replicas: WeakKeyDictionary[Engine, Replicas] = WeakKeyDictionary()


# Whether anything else than an engine itself was ever to be used.
_used = False


def add_replicas(primary: Engine, engines: Sequence[Engine]) -> None:
    """Let sessions read from replicas.

    :param primary: the engine of the database.
    :param engines: the engines of its replicas.
    """
    global _used
    if engines:
        _used = True
        _replicas[primary] = Replicas(engines)


def remove_replicas(primary: Engine) -> None:
    """Forget the replicas of an engine, and close their connections.

    :param primary: the engine.
    """
    known = _replicas.pop(primary, None)
    for engine in known.engines if known else ():
        engine.dispose()


#: The connections that tests have all sessions use, in place of engines.
_pinned: dict[Engine, Connection] = {}


def pin(engine: Engine, connection: Connection) -> None:
    """Let all sessions use one connection, in which what they commit is a savepoint.

    :param engine: the engine whose place it takes.
    :param connection: the connection, with a transaction.
    """
    global _used
    _used = True
    _pinned[engine] = connection


def unpin(engine: Engine) -> None:
    """Let sessions use an engine again.

    :param engine: the engine.
    """
    _pinned.pop(engine, None)


def route(session: Session, clause: object, primary: Engine) -> Engine | Connection:
    """Return the engine that a statement runs on, and note whether it may write.

    :param session: the session.
    :param clause: the statement; ``None`` where a connection for anything is asked for.
    :param primary: the engine of the database.
    """
    # PERF: most applications have no replicas, and most statements read.
    if not _used:
        if type(clause) is Select and clause._for_update_arg is None:
            return primary
        if clause is None:
            session.info[WRITTEN] = session.get_transaction()
            return primary
    if not _reads(clause):
        session.info[WRITTEN] = session.get_transaction()
        return _find_pinned(session, primary)
    replicas = _replicas.get(primary)
    if replicas is None or WRITTEN in session.info or _primary_only.get():
        return _find_pinned(session, primary)
    chosen: dict[Engine, Engine] = session.info.setdefault(CHOSEN, {})
    replica = chosen.get(primary)
    if replica is None:
        replica = replicas.choose()
        if replica is None:
            return _find_pinned(session, primary)
        chosen[primary] = replica
    return replica


def _find_pinned(session: Session, engine: Engine) -> Engine | Connection:
    if not _pinned or engine not in _pinned:
        return engine
    session.join_transaction_mode = "create_savepoint"
    return _pinned[engine]


def _reads(clause: object) -> bool:
    """Tell whether a statement only reads, as far as can be seen."""
    # A CTE may be an INSERT.
    return (
        isinstance(clause, Select)
        and clause._for_update_arg is None
        and not clause._independent_ctes
    )


def inherit(session: Session, parent: Session) -> None:
    """Let a new session read where another one reads.

    :param session: the new one.
    :param parent: the other one.
    """
    if WRITTEN in parent.info:
        session.info[WRITTEN] = None


def forget(session: Session) -> None:
    """Forget what a session that ends has written.

    PERF: the note leads back to the session, and such a circle waits for the garbage collector.

    :param session: the session.
    """
    info = vars(session).get("info")
    if info:
        info.pop(WRITTEN, None)


def has_written(session: Session) -> bool:
    """Tell whether the transaction of a session that is open has written, or may have.

    :param session: the session.
    """
    transaction = session.get_transaction()
    return transaction is not None and session.info.get(WRITTEN) is transaction


@contextmanager
def using_primary() -> Iterator[None]:
    """Read from the primary within a ``with`` block.

    .. code-block:: python

        with db.using_primary():
            stock = db.session.get(Stock, stock_id)
    """
    token = _primary_only.set(True)
    try:
        yield
    finally:
        _primary_only.reset(token)
