"""Replacing a history by one revision, when both give the same schema."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.operations import ops
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from . import heads_file
from .answers import Answers
from .drafting import Draft
from .environment import OWN_TABLES, Database, get_databases, get_state
from .inspecting import check_history
from .output import plural, say
from .recording import record
from .running import Run
from .scratch import describe_schema, in_place, scratch_engine, swap

if t.TYPE_CHECKING:
    from .extension import Config


def squash(config: Config, message: str | None) -> None:
    """Replace all migrations by one with the identifier of the last.

    A database that is at the head stays there and notices nothing. The old and the new history
    run on databases for a moment, and the schemas that they give are compared; where they
    differ, the old history stays.

    :param config: Alembic's configuration.
    :param message: what to call the revision.
    :raises CommandError: when the schemas differ.
    """
    check_history(config)
    script = ScriptDirectory.from_config(config)
    history = list(script.walk_revisions())
    if len(history) < 2:
        say("There is nothing to squash.")
        return
    head = history[0]
    databases = get_databases()
    with ExitStack() as stack:
        old = [stack.enter_context(scratch_engine(item.engine)) for item in databases]
        new = [stack.enter_context(scratch_engine(item.engine)) for item in databases]
        wanted = _build(config, databases, old)
        aside = _put_aside(history)
        names = _Names(databases, old)
        try:
            _write(config, databases, new, message or f"squashed to {head.revision}", head, names)
            _compare(wanted, _build(config, databases, new))
        except BaseException:
            _put_back(script, aside)
            raise
        finally:
            names.take_back()
    lost = [item.revision for item in reversed(history) if _changes_rows(item, databases[0])]
    for path in aside.values():
        path.unlink()
    heads_file.write(config)
    say(f"{plural(len(history), 'revision')} became one, {head.revision}; the schemas are equal.")
    if lost:
        say(
            "These changed or added rows, which the new revision does not. New databases may need"
            f" what they did: {', '.join(lost)}"
        )


def _build(
    config: Config, databases: list[Database], engines: list[sa.Engine]
) -> list[dict[str, str]]:
    """Run the history on other databases, and describe what it gives."""
    with in_place(get_state().db, swap(databases, engines)):
        Run(config, "head").start()
    arguments = get_state().configure_args
    skip = OWN_TABLES | {str(arguments.get("version_table", "alembic_version"))}
    return [describe_schema(engine, skip) for engine in engines]


def _put_aside(history: list[Script]) -> dict[Path, Path]:
    paths = [Path(item.path) for item in history]
    aside = {path: path.with_name(f"{path.name}.squashed") for path in paths}
    for path, other in aside.items():
        path.rename(other)
    return aside


def _put_back(script: ScriptDirectory, aside: dict[Path, Path]) -> None:
    for folder in {path.parent for path in aside}:
        for path in folder.glob("*.py"):
            if path.name != "__init__.py":
                path.unlink()
    for path, other in aside.items():
        other.rename(path)


def _write(
    config: Config,
    databases: list[Database],
    engines: list[sa.Engine],
    message: str,
    head: Script,
    names: _Names,
) -> None:
    """Write the revision that makes all of the models' tables."""
    draft = Draft(Answers(quiet=True))

    def rework(context: t.Any, revision: t.Any, directives: t.Any) -> None:
        draft(context, revision, directives)
        names.give(directives[0].upgrade_ops_list)

    config.cmd_opts.autogenerate = True  # type: ignore[union-attr]
    with in_place(get_state().db, swap(databases, engines)):
        written = command.revision(
            config,
            message,
            autogenerate=True,
            rev_id=head.revision,
            version_path=Path(head.path).parent,
            process_revision_directives=rework,
        )
    if not written:
        raise CommandError("There are no models to make the revision of; nothing was changed.")


class _Names:
    """The names that constraints have in the old schema, for those that the models do not name.

    Later migrations name a constraint that they drop, and must find it in databases of both
    histories.
    """

    def __init__(self, databases: list[Database], engines: list[sa.Engine]) -> None:
        self.changed: list[t.Any] = []
        self.known = [sa.inspect(engine) for engine in engines]

    def give(self, found: list[t.Any]) -> None:
        """Name the constraints of tables that are made.

        :param found: the operations, for each database.
        """
        inspector: t.Any = self.known[len(found) - 1]
        for op in found[-1].ops:
            if isinstance(op, ops.CreateTableOp) and inspector.has_table(op.table_name, op.schema):
                for item in op.columns:
                    if isinstance(item, sa.Constraint) and item.name is None:
                        item.name = _find_name(inspector, op, item)
                        self.changed.append(item)

    def take_back(self) -> None:
        """Let the models' own objects be as they were."""
        for item in self.changed:
            item.name = None


def _find_name(inspector: t.Any, op: ops.CreateTableOp, item: sa.Constraint) -> t.Any:
    place = {"table_name": op.table_name, "schema": op.schema}
    if isinstance(item, sa.PrimaryKeyConstraint):
        return inspector.get_pk_constraint(**place).get("name")
    if isinstance(item, sa.UniqueConstraint):
        rows, key = inspector.get_unique_constraints(**place), "column_names"
        columns = [column.name for column in item.columns]
    elif isinstance(item, sa.ForeignKeyConstraint):
        rows, key = inspector.get_foreign_keys(**place), "constrained_columns"
        columns = list(item.column_keys)
    else:
        return None
    return next((row["name"] for row in rows if list(row[key]) == columns), None)


def _compare(old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    differences = []
    for before, after in zip(old, new, strict=True):
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                if name not in after:
                    differences.append(f"{name} is missing")
                elif name not in before:
                    differences.append(f"{name} is new")
                else:
                    differences.append(f"{name} is {after[name]} in place of {before[name]}")
    if differences:
        raise CommandError(
            f"The history stays as it is: one revision made of the models gives another schema."
            f" {'; '.join(differences)}"
        )


def _changes_rows(script: Script, database: Database) -> bool:
    several = len(get_databases()) > 1
    found, error = record(script, database.engine.dialect, database.name if several else None)
    changes = (ops.ExecuteSQLOp, ops.BulkInsertOp)
    return error is not None or any(isinstance(item.op, changes) for item in found)
