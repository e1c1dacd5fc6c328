"""Names for constraints that the models do not name.

A constraint without a name cannot be dropped on SQLite, nor made in batch mode. So a migration
that adds one to a table gives it a name, by the metadata's own convention where it has one.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from alembic.operations import MigrateOperation, ops

from .operations import named

if t.TYPE_CHECKING:
    from sqlalchemy.schema import Constraint

#: The names that are given where the metadata has no convention for the kind.
CONVENTION: Mapping[str, str] = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def get_convention(metadata: sa.MetaData) -> dict[str, str]:
    """Return the convention for a metadata's constraints.

    :param metadata: the metadata; what it says itself comes first.
    """
    own = {
        key: value
        for key, value in metadata.naming_convention.items()
        if isinstance(key, str) and isinstance(value, str) and key in CONVENTION
    }
    # SQLAlchemy's own default for indexes stays: names of existing ones follow it.
    return {**CONVENTION, **own}


def make_name(constraint: Constraint, table: str, convention: Mapping[str, str]) -> str | None:
    """Return the name for a constraint; ``None`` for a kind that needs none.

    :param constraint: the constraint, with its columns.
    :param table: its table's name.
    :param convention: patterns as for :class:`sqlalchemy.MetaData`.
    """
    if isinstance(constraint, sa.UniqueConstraint):
        kind = "uq"
    elif isinstance(constraint, sa.ForeignKeyConstraint):
        kind = "fk"
    elif isinstance(constraint, sa.CheckConstraint):
        kind = "ck"
    elif isinstance(constraint, sa.PrimaryKeyConstraint):
        kind = "pk"
    else:
        return None
    columns = _column_names(constraint)
    first = columns[0] if columns else ""
    values = {
        "table_name": table,
        "column_0_name": first,
        "column_0_label": f"{table}_{first}",
        "column_0_N_name": "_".join(columns),
        "column_0N_name": "".join(columns),
        "column_0_N_label": "_".join([table, *columns]),
        "column_0N_label": "".join([table, *columns]),
        "referred_table_name": _referred_table(constraint),
        "constraint_name": "_".join(columns) or "condition",
    }
    try:
        return (convention[kind] % values)[:63]
    except KeyError:
        return (CONVENTION[kind] % values)[:63]


def _column_names(constraint: Constraint) -> list[str]:
    if isinstance(constraint, sa.ForeignKeyConstraint):
        return list(constraint.column_keys)
    columns: t.Any = getattr(constraint, "columns", ())
    return [column.name for column in columns]


def _referred_table(constraint: Constraint) -> str:
    if not isinstance(constraint, sa.ForeignKeyConstraint) or not constraint.elements:
        return ""
    return constraint.elements[0].target_fullname.rpartition(".")[0].rpartition(".")[2]


def find_unnamed(
    operations: list[MigrateOperation], connection: sa.Connection, metadata: sa.MetaData
) -> list[MigrateOperation]:
    """Return operations that also drop unique constraints which SQLite keeps without a name.

    Alembic does not see that the models have lost one.

    :param operations: the operations of a migration.
    :param connection: a connection to an SQLite database.
    :param metadata: the models' tables.
    """
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    for table in metadata.tables.values():
        if table.schema is None and table.name in there:
            dropped = list(_find_lost(table, inspector.get_unique_constraints(table.name)))
            if dropped:
                operations = [*operations]
                _get_changes(operations, table.name).ops[:0] = dropped
    return operations


def _find_lost(table: sa.Table, rows: t.Any) -> Iterator[ops.DropConstraintOp]:
    wanted = {
        frozenset(column.name for column in item.columns)
        for item in (*table.constraints, *table.indexes)
        if isinstance(item, (sa.UniqueConstraint, sa.Index))
    }
    for row in rows:
        names = row["column_names"]
        if row["name"] is None and frozenset(names) not in wanted:
            constraint = sa.UniqueConstraint(*names)
            columns = [sa.Column(name, sa.Integer) for name in names]
            sa.Table(table.name, sa.MetaData(), *columns, constraint)
            yield ops.DropConstraintOp.from_constraint(constraint)


def _get_changes(operations: list[MigrateOperation], table: str) -> ops.ModifyTableOps:
    """Return the changes of a table, which are made where there are none."""
    for op in operations:
        if isinstance(op, ops.ModifyTableOps) and op.table_name == table and op.schema is None:
            return op
    changes = ops.ModifyTableOps(table, [])
    operations.append(changes)
    return changes


def name_all(
    operations: list[MigrateOperation], convention: Mapping[str, str]
) -> list[MigrateOperation]:
    """Return operations in which each constraint that is added or dropped has a name.

    Tables are made as the models say: a constraint in ``CREATE TABLE`` needs no name.

    :param operations: the operations of a migration.
    :param convention: patterns as for :class:`sqlalchemy.MetaData`.
    """
    return [
        _name_changes(op, convention) if isinstance(op, ops.ModifyTableOps) else op
        for op in operations
    ]


def _name_changes(changes: ops.ModifyTableOps, convention: Mapping[str, str]) -> ops.ModifyTableOps:
    by_convention = False
    for op in changes.ops:
        if not isinstance(op, (ops.AddConstraintOp, ops.DropConstraintOp)):
            continue
        # Each kind of operation that adds a constraint has the name; their base class has not.
        nameable = t.cast(t.Any, op)
        if nameable.constraint_name is None:
            name = make_name(op.to_constraint(), changes.table_name, convention)
            nameable.constraint_name = name
            by_convention |= isinstance(op, ops.DropConstraintOp)
    if not by_convention:
        return changes
    return named(changes, {key: convention[key] for key in ("ck", "fk", "pk", "uq")})
