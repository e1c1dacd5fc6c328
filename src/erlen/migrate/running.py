"""Upgrading and downgrading: one process at a time, revision by revision, with a clear end."""

from __future__ import annotations

import functools
import time
import typing as t
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar

from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect

from ..globals import current_app
from . import journal
from .environment import Database, get_databases
from .locks import hold_all
from .operations import TYPE_MEMOS
from .output import plural, say, show_time
from .prepare import find_orphans, prepared, refuse_orphans

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .extension import Config

#: For how long to wait for another process that migrates, where nothing else is configured.
LOCK_WAIT = 600


#: The revision that is applied or taken back now.
current_revision: ContextVar[str] = ContextVar("erlen.migrate.revision", default="")


@contextmanager
def alone(databases: Iterable[Database]) -> Iterator[None]:
    """Be the only one to migrate these databases, with connections prepared for it.

    :param databases: the databases.
    """
    databases = list(databases)
    timeout = current_app.config.get("MIGRATE_LOCK_TIMEOUT")
    wait = current_app.config.get("MIGRATE_LOCK_WAIT")
    with ExitStack() as stack:
        stack.enter_context(hold_all(databases, LOCK_WAIT if wait is None else wait))
        for engine in {database.engine for database in databases}:
            stack.enter_context(prepared(engine, timeout))
        yield


class Run:
    """One upgrade or downgrade of all databases of an application.

    :param config: Alembic's configuration.
    :param target: the revision to go to.
    :param down: whether to go down.
    :param tag: what ``--tag`` was given, for a project's own ``env.py``.
    :param review: called with the steps before the first one; what it raises stops the run.
    """

    def __init__(
        self,
        config: Config,
        target: str,
        down: bool = False,
        tag: str | None = None,
        review: Callable[[list[t.Any], MigrationContext], None] | None = None,
    ) -> None:
        self.config = config
        self.target = target
        self.down = down
        self.tag = tag
        self.review = review
        self.script = ScriptDirectory.from_config(config)
        self.verb = "downgrade" if down else "upgrade"
        #: The revision that runs now.
        self.current: str | None = None
        self.count = 0

    def start(self) -> None:
        """Do it, alone; an exception gets a note that says where each database stands."""
        databases = get_databases()
        with alone(databases):
            try:
                self._run()
            except Exception as error:
                if self.current is not None:
                    error.add_note(self._tell_where(databases))
                raise
            for database in databases:
                with database.engine.connect() as connection:
                    journal.remove_empty(connection)
                    connection.commit()
        if not self.count:
            say(f"Nothing to {self.verb}: the database is at {self._tell_heads(databases)}.")

    def _run(self) -> None:
        with EnvironmentContext(
            self.config,
            self.script,
            fn=self._plan,
            as_sql=False,
            starting_rev=None,
            destination_rev=self.target,
            tag=self.tag,
        ):
            self.script.run_env()

    def _plan(self, heads: t.Any, context: MigrationContext) -> Iterator[t.Any]:
        """Yield the steps of one database to Alembic, which runs each."""
        find = self.script._downgrade_revs if self.down else self.script._upgrade_revs
        steps = list(find(self.target, heads))
        if steps and self.review is not None:
            self.review(steps, context)
        for number, step in enumerate(steps, 1):
            self.current = name = step.revision.revision
            begun = time.perf_counter()
            say(f"{self.verb.capitalize()} {number}/{len(steps)} {name} {step.doc or ''}".rstrip())
            step.migration_fn = self._wrap(step, step.migration_fn, context)
            yield step
            # Alembic asks for the next one when this one is entered as applied.
            self.count += 1
            self.current = None
            say(f"  done in {show_time(time.perf_counter() - begun)}")

    def _wrap(
        self, step: t.Any, migrate: Callable[..., None], context: MigrationContext
    ) -> Callable[..., None]:
        """Return what runs a step; Alembic's log shows the name of the migration's function."""

        @functools.wraps(migrate)
        def run_step(**arguments: t.Any) -> None:
            self._run_step(step, migrate, context, arguments)

        return run_step

    def _run_step(
        self,
        step: t.Any,
        migrate: Callable[..., None],
        context: MigrationContext,
        arguments: dict[str, t.Any],
    ) -> None:
        connection = context.connection
        assert connection is not None
        know_types(context)
        orphans = find_orphans(connection)
        noting: t.Any = nullcontext()
        if journal.is_needed(connection):
            label = step.revision.revision + (" down" if self.down else "")
            noting = journal.Journal(connection, label).follow()
        token = current_revision.set(step.revision.revision)
        try:
            with noting:
                call_migration(migrate, arguments)
        finally:
            current_revision.reset(token)
        refuse_orphans(orphans, find_orphans(connection))

    def _tell_heads(self, databases: list[Database]) -> str:
        parts = []
        for database in databases:
            heads = ", ".join(read_heads(database)) or "the beginning"
            parts.append(f"{heads} ({database.name})" if database.name else heads)
        return ", ".join(parts)

    def _tell_where(self, databases: list[Database]) -> str:
        lines = [
            f"This happened in revision {self.current}. The database is at"
            f" {self._tell_heads(databases)}."
        ]
        for database in databases:
            with database.engine.connect() as connection:
                unfinished = journal.read_unfinished(connection)
            for revision, done in unfinished.items():
                lines.append(
                    f"This database cannot take changes of the schema back: of {revision},"
                    f" {plural(done, 'statement')} stay done, and the next run goes on after them."
                )
        if len(lines) == 1 and databases[0].engine.dialect.name in ("sqlite", "postgresql"):
            lines.append("Nothing of the revision is left behind.")
        lines.append(f"Repair the cause and run the {self.verb} again.")
        return " ".join(lines)


def call_migration(migrate: Callable[..., None], arguments: dict[str, t.Any]) -> None:
    """Call a migration's function for one database.

    A migration written while there was one database takes no name of one; it is for the default.

    :param migrate: the function ``upgrade`` or ``downgrade`` of a migration.
    :param arguments: what ``env.py`` hands to it.
    """
    name = arguments.get("engine_name")
    code = getattr(migrate, "__code__", None)
    if name is None or code is None or code.co_argcount:
        migrate(**arguments)
    elif name == "":
        migrate()


def know_types(context: MigrationContext) -> None:
    """Tell SQLAlchemy which enum types PostgreSQL has, so that ``CREATE TABLE`` uses them.

    :param context: the migration's context.
    """
    connection = context.connection
    if connection is None or connection.dialect.name != "postgresql":
        return
    inspector: t.Any = inspect(connection)
    default = connection.dialect.default_schema_name
    known = {
        (None if row["schema"] == default else row["schema"], row["name"])
        for row in inspector.get_enums(schema="*")
    }
    memo = t.cast("dict[str, t.Any]", context.impl.memo)
    memo.update(dict.fromkeys(TYPE_MEMOS, known))


def read_heads(database: Database) -> tuple[str, ...]:
    """Return the revisions that a database is at.

    :param database: the database.
    """
    options = {
        key: value
        for key in ("version_table", "version_table_schema")
        if (value := _state_arguments().get(key)) is not None
    }
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection, opts=options).get_current_heads()


def _state_arguments() -> dict[str, t.Any]:
    from .environment import get_state

    return get_state().configure_args


def refuse_range(revision: str) -> None:
    """Stop where a range is asked for outside of ``--sql``.

    :param revision: the revision asked for.
    :raises CommandError: when it is a range.
    """
    if ":" in revision:
        raise CommandError("Range revision not allowed")
