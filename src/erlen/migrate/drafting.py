"""Writing a migration: what Alembic finds, with renames, values, names and enums seen to."""

from __future__ import annotations

import typing as t

from alembic.operations import MigrateOperation, ops

from .answers import Answers
from .enums import Enums
from .environment import OWN_TABLES
from .filling import fill_all
from .naming import find_unnamed, get_convention, name_all
from .operations import (
    AddFilledColumn,
    AlterEnum,
    CreateEnum,
    DropEnum,
    FillFromKey,
    RenameColumn,
    RenameTable,
)
from .output import plural, say
from .renames import Renames

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.migration import MigrationContext


class Draft:
    """A migration in the making.

    An object is called by Alembic, once for each database, with what it has found.

    :param answers: who knows what only a person can know.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        #: What is done, a line for each operation.
        self.changes: list[str] = []
        #: The tables of the models that were compared.
        self.tables: list[str] = []

    def __call__(
        self, context: MigrationContext, revision: t.Any, directives: list[ops.MigrationScript]
    ) -> None:
        """Rework the operations that were found last.

        :param context: the migration's context, connected to the database.
        :param revision: the revision that the database is at.
        :param directives: the migration, in a list.
        """
        if not directives:
            return
        script = directives[0]
        upgrade, downgrade = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
        metadata = t.cast("sa.MetaData | None", context.opts.get("target_metadata"))
        upgrade.ops[:] = self._rework(upgrade.ops, context, metadata)
        upgrade.reverse_into(downgrade)
        self.changes += describe_all(upgrade.ops)
        if metadata is not None and hasattr(metadata, "tables"):
            self.tables += list(metadata.tables)

    def _rework(
        self,
        operations: list[MigrateOperation],
        context: MigrationContext,
        metadata: sa.MetaData | None,
    ) -> list[MigrateOperation]:
        operations = [op for op in operations if getattr(op, "table_name", None) not in OWN_TABLES]
        if metadata is None or not hasattr(metadata, "tables"):
            return operations
        if context.dialect.name == "sqlite" and context.connection is not None:
            operations = find_unnamed(operations, context.connection, metadata)
        operations = Renames(context, self.answers).apply(operations)
        if context.dialect.name == "postgresql":
            operations = Enums(context, metadata, self.answers).apply(operations)
        operations = fill_all(operations, self.answers)
        return name_all(operations, get_convention(metadata))

    def explain_nothing(self) -> None:
        """Tell why there is nothing to write: what was seen, and what matched."""
        say("No changes in schema detected.")
        if not self.tables:
            say(
                "No models were seen. Import the modules that have them where the application is"
                " made, or name them in MIGRATE_MODELS."
            )
            return
        names = ", ".join(sorted(self.tables))
        say(
            f"{plural(len(self.tables), 'table')} of the models seen; the database has each"
            f" as the models say: {names}."
        )


def describe_all(operations: list[MigrateOperation]) -> list[str]:
    """Return a line for each change, for people.

    :param operations: the operations of a migration.
    """
    lines: list[str] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            lines += [describe(change) for change in op.ops]
        else:
            lines.append(describe(op))
    return lines


def describe(op: t.Any) -> str:
    """Return what an operation does, for people.

    :param op: the operation.
    """
    match op:
        case RenameTable():
            return f"rename table {op.table_name} to {op.new_table_name}"
        case RenameColumn():
            return f"rename column {op.table_name}.{op.column_name} to {op.modify_name}"
        case AddFilledColumn():
            return (
                f"add column {op.add.table_name}.{op.add.column.name} (existing rows get a value)"
            )
        case FillFromKey():
            return f"fill column {op.table}.{op.column.name}"
        case CreateEnum():
            return f"create enum {op.name}"
        case DropEnum():
            return f"drop enum {op.name}"
        case AlterEnum():
            return f"alter enum {op.name}"
        case ops.CreateTableOp():
            return f"create table {op.table_name}"
        case ops.DropTableOp():
            return f"drop table {op.table_name}"
        case ops.AddColumnOp():
            return f"add column {op.table_name}.{op.column.name}"
        case ops.DropColumnOp():
            return f"drop column {op.table_name}.{op.column_name}"
        case ops.AlterColumnOp():
            return f"alter column {op.table_name}.{op.column_name}{_altered(op)}"
        case ops.CreateIndexOp():
            return f"create index {op.index_name} on {op.table_name}"
        case ops.DropIndexOp():
            return f"drop index {op.index_name}"
        case ops.DropConstraintOp():
            return f"drop constraint {op.constraint_name} of {op.table_name}"
        case ops.AddConstraintOp():
            table = getattr(op, "table_name", None) or getattr(op, "source_table", "")
            name = getattr(op, "constraint_name", None)
            return f"add constraint {name} to {table}"
    return type(op).__name__


def _altered(op: ops.AlterColumnOp) -> str:
    parts = []
    if op.modify_type is not None:
        parts.append(f"type {op.existing_type!r} to {op.modify_type!r}")
    if op.modify_nullable is not None:
        parts.append("NULL" if op.modify_nullable else "NOT NULL")
    if op.modify_server_default is not False:
        parts.append("default")
    if op.modify_comment is not False:
        parts.append("comment")
    return f": {', '.join(parts)}" if parts else ""
