"""Finding what was renamed among what was dropped and added."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import MigrateOperation, ops

from .operations import RenameColumn, RenameTable

if t.TYPE_CHECKING:
    from alembic.migration import MigrationContext

    from .answers import Answers

#: Which part of the columns two tables must share to look alike.
ALIKE = 0.6


class Renames:
    """The renames among the operations that Alembic proposes.

    :param context: the migration's context.
    :param answers: who knows whether something was renamed.
    """

    def __init__(self, context: MigrationContext, answers: Answers) -> None:
        self.context = context
        self.answers = answers
        self.tables: list[RenameTable] = []
        self.columns: list[RenameColumn] = []

    def apply(self, operations: list[MigrateOperation]) -> list[MigrateOperation]:
        """Return the operations with renames in the place of pairs that drop and add.

        :param operations: what Alembic proposes.
        """
        rest = self._find_tables(operations)
        for op in rest:
            if isinstance(op, ops.ModifyTableOps):
                self._find_columns(op)
        self._drop_rebuilt_constraints(rest)
        rest = [op for op in rest if not (isinstance(op, ops.ModifyTableOps) and not op.ops)]
        # An index goes before the table or the column that it is named after gets another name.
        first = [op for op in rest if _only_drops_indexes(op)]
        later = [op for op in rest if not _only_drops_indexes(op)]
        return [*first, *self.tables, *self.columns, *later]

    # --- Tables -------------------------------------------------------------------------------

    def _find_tables(self, operations: list[MigrateOperation]) -> list[MigrateOperation]:
        dropped = [op for op in operations if isinstance(op, ops.DropTableOp)]
        made = [op for op in operations if isinstance(op, ops.CreateTableOp)]
        result = list(operations)
        for create in made:
            for drop in dropped:
                if self._is_table_renamed(drop, create):
                    dropped.remove(drop)
                    result.remove(drop)
                    place = result.index(create)
                    result[place : place + 1] = self._change_table(drop, create, operations)
                    break
        return result

    def _is_table_renamed(self, drop: ops.DropTableOp, create: ops.CreateTableOp) -> bool:
        old, new = drop.to_table(), create.to_table()
        if old.schema != new.schema:
            return False
        given = any(
            a.rpartition(".")[2] == old.name and b.rpartition(".")[2] == new.name
            for a, b in self.answers.renames
        )
        if not given and not _tables_look_alike(old, new):
            return False
        return self.answers.is_renamed("table", old.name, new.name)

    def _change_table(
        self,
        drop: ops.DropTableOp,
        create: ops.CreateTableOp,
        operations: list[MigrateOperation],
    ) -> list[MigrateOperation]:
        """Return what is left to do after a table has its new name."""
        old, new = drop.to_table(), create.to_table()
        self.tables.append(RenameTable(old.name, new.name, schema=new.schema))
        changes: list[MigrateOperation] = []
        for column in new.c:
            if column.name not in old.c:
                changes.append(
                    ops.AddColumnOp.from_column_and_tablename(new.schema, new.name, column)
                )
            else:
                alter = self._alter(new.name, old.c[column.name], column, new.schema)
                changes += [alter] if alter is not None else []
        changes += [
            ops.DropColumnOp.from_column_and_tablename(new.schema, new.name, column)
            for column in old.c
            if column.name not in new.c
        ]
        changes += _change_uniques(old, new, operations)
        return [ops.ModifyTableOps(new.name, changes, schema=new.schema)] if changes else []

    # --- Columns ------------------------------------------------------------------------------

    def _find_columns(self, changes: ops.ModifyTableOps) -> None:
        added = [op for op in changes.ops if isinstance(op, ops.AddColumnOp)]
        dropped = [op for op in changes.ops if isinstance(op, ops.DropColumnOp)]
        for add in added:
            for drop in dropped:
                if self._is_column_renamed(changes, drop, add):
                    dropped.remove(drop)
                    self._rename(changes, drop, add)
                    break

    def _is_column_renamed(
        self, changes: ops.ModifyTableOps, drop: ops.DropColumnOp, add: ops.AddColumnOp
    ) -> bool:
        table = f"{changes.schema}.{changes.table_name}" if changes.schema else changes.table_name
        old, new = f"{table}.{drop.column_name}", f"{table}.{add.column.name}"
        given = any(
            old.endswith(f".{a.rpartition('.')[2]}") and new.endswith(f".{b.rpartition('.')[2]}")
            for a, b in self.answers.renames
        )
        if not given and not self._types_look_alike(drop.to_column(), add.column):
            return False
        return self.answers.is_renamed("column", old, new)

    def _types_look_alike(self, old: sa.Column[t.Any], new: sa.Column[t.Any]) -> bool:
        if old.primary_key != new.primary_key:
            return False
        if old.type._type_affinity is new.type._type_affinity:
            return True
        return not self.context.impl.compare_type(old, new)

    def _rename(
        self, changes: ops.ModifyTableOps, drop: ops.DropColumnOp, add: ops.AddColumnOp
    ) -> None:
        old, new = drop.to_column(), add.column
        self.columns.append(
            RenameColumn(
                changes.table_name,
                drop.column_name,
                schema=changes.schema,
                existing_type=old.type,
                existing_server_default=_default_of(old) or False,
                existing_nullable=old.nullable,
                existing_comment=old.comment,
                modify_name=new.name,
            )
        )
        changes.ops.remove(drop)
        alter = self._alter(changes.table_name, old, new, changes.schema)
        place = changes.ops.index(add)
        changes.ops[place : place + 1] = [alter] if alter is not None else []

    def _alter(
        self, table: str, old: sa.Column[t.Any], new: sa.Column[t.Any], schema: str | None
    ) -> ops.AlterColumnOp | None:
        """Return what makes an old column, under its new name, the new one."""
        other_type = self.context.impl.compare_type(old, new)
        other_null = old.nullable != new.nullable and not new.primary_key
        if not other_type and not other_null:
            return None
        return ops.AlterColumnOp(
            table,
            new.name,
            schema=schema,
            existing_type=old.type,
            existing_nullable=old.nullable,
            existing_server_default=_default_of(old) or False,
            existing_comment=old.comment,
            modify_type=new.type if other_type else None,
            modify_nullable=new.nullable if other_null else None,
        )

    # --- Constraints --------------------------------------------------------------------------

    def _drop_rebuilt_constraints(self, operations: list[MigrateOperation]) -> None:
        """Leave out constraints that are dropped and added only because of the other names.

        The database carries them over by itself.
        """
        for changes in operations:
            if not isinstance(changes, ops.ModifyTableOps):
                continue
            dropped = [op for op in changes.ops if isinstance(op, ops.DropConstraintOp)]
            for add in [op for op in changes.ops if isinstance(op, ops.AddConstraintOp)]:
                for drop in dropped:
                    if self._is_same_constraint(changes.table_name, drop, add):
                        dropped.remove(drop)
                        changes.ops.remove(drop)
                        changes.ops.remove(add)
                        break

    def _is_same_constraint(
        self, table: str, drop: ops.DropConstraintOp, add: ops.AddConstraintOp
    ) -> bool:
        name = t.cast(t.Any, add).constraint_name
        if name is not None and name != drop.constraint_name:
            return False
        old, new = drop.to_constraint(), add.to_constraint()
        if type(old) is not type(new):
            return False
        if isinstance(old, sa.ForeignKeyConstraint):
            return bool(self._describe_key(table, old) == _describe(t.cast(t.Any, new)))
        if isinstance(old, sa.UniqueConstraint):
            columns = {self._new_name(table, column.name) for column in old.columns}
            return columns == {column.name for column in t.cast(t.Any, new).columns}
        return False

    def _describe_key(self, table: str, key: sa.ForeignKeyConstraint) -> t.Any:
        """Return what a foreign key refers to after the renames."""
        pairs = set()
        for element in key.elements:
            target, _, column = element.target_fullname.rpartition(".")
            for rename in self.tables:
                if target.rpartition(".")[2] == rename.table_name:
                    target = target[: -len(rename.table_name)] + rename.new_table_name
            name = self._new_name(target.rpartition(".")[2], column)
            pairs.add((self._new_name(table, element.parent.name), f"{target}.{name}"))
        return pairs

    def _new_name(self, table: str, column: str) -> str:
        for op in self.columns:
            if op.table_name == table and op.column_name == column:
                return str(op.modify_name)
        return column


def _describe(key: sa.ForeignKeyConstraint) -> set[tuple[str, str]]:
    return {(element.parent.name, element.target_fullname) for element in key.elements}


def _tables_look_alike(old: sa.Table, new: sa.Table) -> bool:
    """Whether two tables have most of their columns in common, by name and kind."""
    common = sum(
        column.name in new.c
        and column.type._type_affinity is new.c[column.name].type._type_affinity
        for column in old.c
    )
    return common >= ALIKE * max(len(old.c), len(new.c)) and common > 0


def _change_uniques(
    old: sa.Table, new: sa.Table, operations: list[MigrateOperation]
) -> list[MigrateOperation]:
    """Return what makes the unique constraints of a renamed table those of the model.

    MariaDB has an index for each, which Alembic drops with the table; it stays.
    """
    wanted = {_columns_of(item): item for item in _uniques(new)}
    there: dict[frozenset[str], sa.UniqueConstraint | None]
    there = {_columns_of(item): item for item in _uniques(old)}
    for changes in operations:
        if isinstance(changes, ops.ModifyTableOps) and changes.table_name == old.name:
            kept = [op for op in changes.ops if _unique_of(op) in wanted]
            there |= {t.cast(t.Any, _unique_of(op)): None for op in kept}
            changes.ops[:] = [op for op in changes.ops if op not in kept]
    return [
        *(
            ops.AddConstraintOp.from_constraint(item)
            for columns, item in wanted.items()
            if columns not in there
        ),
        *(
            _drop_of(item, new.name)
            for columns, item in there.items()
            if columns not in wanted and item is not None and item.name is not None
        ),
    ]


def _drop_of(item: sa.UniqueConstraint, table: str) -> ops.DropConstraintOp:
    op = ops.DropConstraintOp.from_constraint(item)
    op.table_name = table
    return op


def _uniques(table: sa.Table) -> list[sa.UniqueConstraint]:
    return [item for item in table.constraints if isinstance(item, sa.UniqueConstraint)]


def _columns_of(item: sa.UniqueConstraint | sa.Index) -> frozenset[str]:
    return frozenset(column.name for column in item.columns)


def _unique_of(op: MigrateOperation) -> frozenset[str] | None:
    """Return the columns of a unique index that an operation drops."""
    if not isinstance(op, ops.DropIndexOp):
        return None
    index = op.to_index()
    return _columns_of(index) if index.unique else None


def _default_of(column: sa.Column[t.Any]) -> t.Any:
    return column.server_default


def _only_drops_indexes(op: MigrateOperation) -> bool:
    return isinstance(op, ops.ModifyTableOps) and all(
        isinstance(change, ops.DropIndexOp) for change in op.ops
    )
