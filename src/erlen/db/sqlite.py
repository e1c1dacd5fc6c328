"""SQLite as the database of a server: a write-ahead log, writers that wait, foreign keys."""

from __future__ import annotations

import time
import typing as t

from sqlalchemy import event

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL, Engine

#: Statements that run without a transaction: they read, or must be outside of one.
_WITHOUT_TRANSACTION = frozenset(
    {
        *("SELECT", "VALUES", "PRAGMA", "EXPLAIN"),
        *("ATTACH", "DETACH", "VACUUM"),
        *("BEGIN", "COMMIT", "END", "ROLLBACK"),
    }
)
# How often, and how many seconds apart, a file that others use is asked to change its journal.
_JOURNAL_TRIES = 100
_JOURNAL_PAUSE = 0.05


def is_in_memory(url: URL) -> bool:
    """Return whether a URL stands for a database that lives in one connection only.

    :param url: the URL of a SQLite database.
    """
    return url.database in (None, "", ":memory:")


def set_pragmas(engine: Engine, pragmas: Mapping[str, t.Any]) -> None:
    """Give each new connection of an engine some settings of SQLite.

    :param engine: the engine.
    :param pragmas: the value of each setting, https://sqlite.org/pragma.html.
    """
    # While others hold the file, the journal can only be changed by one that waits.
    order = sorted(pragmas, key=lambda name: name == "journal_mode")

    def connect(connection: t.Any, record: t.Any) -> None:
        cursor = connection.cursor()
        try:
            for name in order:
                if name == "journal_mode":
                    _set_journal(cursor, str(pragmas[name]))
                else:
                    cursor.execute(f"PRAGMA {name} = {pragmas[name]}")
        finally:
            cursor.close()

    event.listen(engine, "connect", connect)


def _set_journal(cursor: t.Any, mode: str) -> None:
    """Change the journal of a file, unless it has the right one or cannot be written."""
    for _ in range(_JOURNAL_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone()[0].lower() == mode.lower():
                return
            cursor.execute(f"PRAGMA journal_mode = {mode}")
            cursor.fetchone()
            return
        except Exception as error:
            # NOTE: SQLite does not wait for this lock, whatever its timeout. Processes that start
            # together on a new file meet here. A full or read-only disk is no reason to refuse
            # reading, so the file keeps the journal it has.
            if "locked" not in str(error):
                return
        time.sleep(_JOURNAL_PAUSE)


def begin_before_writing(engine: Engine, mode: str) -> None:
    """Begin transactions at the first statement that writes, with the lock that writing needs.

    A transaction that has read and then writes fails at once, without waiting, where another one
    wrote in between (SQLITE_BUSY_SNAPSHOT, https://sqlite.org/isolation.html). So reading begins
    none: each statement sees what is committed, as on PostgreSQL and MariaDB at *read committed*.
    The first statement that writes, ``SELECT … FOR UPDATE`` too, takes the write lock, waiting for
    it up to ``busy_timeout``; from there on nobody else writes.

    This also makes savepoints and changes of tables part of the transaction, which Python's driver
    leaves out.

    :param engine: the engine.
    :param mode: ``"IMMEDIATE"`` or ``"EXCLUSIVE"``.
    """
    begin = f"BEGIN {mode}"

    def before(cursor: t.Any, statement: str, *args: t.Any) -> None:
        context = args[-1]
        if _reads(statement, context):
            return
        connection = context.root_connection.connection.driver_connection
        # A connection without an isolation level was asked not to have transactions.
        if not connection.in_transaction and connection.isolation_level is not None:
            cursor.execute(begin)

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        event.listen(engine, name, before)


def _reads(statement: str, context: t.Any) -> bool:
    """Return whether a statement needs no write lock."""
    word = statement[:6].upper()
    if word != "SELECT":
        if context.isinsert or context.isupdate or context.isdelete or context.isddl:
            return False
        word = statement.lstrip("( \t\r\n").partition(" ")[0].partition("\n")[0].rstrip(";").upper()
        if word == "WITH":
            return bool(getattr(context.invoked_statement, "is_select", False))
        return word in _WITHOUT_TRANSACTION
    return getattr(context.invoked_statement, "_for_update_arg", None) is None
