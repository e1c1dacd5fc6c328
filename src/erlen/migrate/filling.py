"""New columns that allow no NULL, on tables that may have rows."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import MigrateOperation, ops

from .operations import AddFilledColumn, FillFromKey
from .output import say

if t.TYPE_CHECKING:
    from .answers import Answers

#: What existing rows get in a column of a kind, where nobody says another value.
NEUTRAL: tuple[tuple[type[sa.types.TypeEngine[t.Any]], str], ...] = (
    (sa.Boolean, "0"),
    (sa.JSON, "{}"),
    (sa.DateTime, "1970-01-01 00:00:00"),
    (sa.Date, "1970-01-01"),
    (sa.Time, "00:00:00"),
    (sa.Interval, "0"),
    (sa.Integer, "0"),
    (sa.Numeric, "0"),
    (sa.Float, "0"),
    (sa.LargeBinary, ""),
    # Without hyphens, for columns of text with 32 characters too.
    (sa.Uuid, "0" * 32),
    (sa.String, ""),
)


def fill_all(operations: list[MigrateOperation], answers: Answers) -> list[MigrateOperation]:
    """Return operations in which a new ``NOT NULL`` column comes with values for existing rows.

    :param operations: the operations of a migration.
    :param answers: who may know better values.
    """
    result: list[MigrateOperation] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            result.extend(_fill_table(op, answers))
        else:
            result.append(op)
    return result


def _fill_table(changes: ops.ModifyTableOps, answers: Answers) -> list[MigrateOperation]:
    filled: list[MigrateOperation] = []
    for op in list(changes.ops):
        if not isinstance(op, ops.AddColumnOp) or not _needs_value(op.column):
            continue
        replacement = _fill_column(changes, op, answers)
        if replacement is not None:
            filled.append(replacement)
            changes.ops.remove(op)
    return [*filled, changes] if changes.ops else filled


def _needs_value(column: sa.Column[t.Any]) -> bool:
    return not (
        column.nullable
        or column.server_default is not None
        or column.primary_key
        or column.computed is not None
        or column.identity is not None
    )


def _fill_column(
    changes: ops.ModifyTableOps, add: ops.AddColumnOp, answers: Answers
) -> AddFilledColumn | None:
    column = add.column
    name = f"{changes.table_name}.{column.name}"
    table = t.cast(t.Any, column).table
    if _is_unique(column, changes):
        key = _find_key(table, column)
        if key is not None:
            return _fill_from_key(changes, add, key)
        say(f"{name} is unique and allows no NULL: write into the migration what rows get.")
        return None
    guess = _guess(column)
    if guess is None:
        say(f"{name} allows no NULL: write into the migration what existing rows get.")
        return None
    value = answers.get_fill(name, guess)
    return _fill_with_value(changes, add, value)


def _is_unique(column: sa.Column[t.Any], changes: ops.ModifyTableOps) -> bool:
    if column.unique:
        return True
    for op in changes.ops:
        names: list[t.Any] = []
        if (isinstance(op, ops.CreateIndexOp) and op.unique) or isinstance(
            op, ops.CreateUniqueConstraintOp
        ):
            names = [getattr(item, "name", item) for item in op.columns]
        if names == [column.name]:
            return True
    return False


def _find_key(table: sa.Table | None, column: sa.Column[t.Any]) -> str | None:
    """Return the column of the primary key that a unique column can be filled from."""
    if table is None or len(table.primary_key.columns) != 1:
        return None
    key = table.primary_key.columns[0]
    text, number = isinstance(column.type, sa.String), isinstance(column.type, sa.Integer)
    if isinstance(column.type, sa.Enum):
        return None
    if text or (number and isinstance(key.type, sa.Integer)):
        return key.name
    return None


def _guess(column: sa.Column[t.Any]) -> str | None:
    """Return the value for existing rows as text: the model's default, or a neutral one."""
    default = column.default
    if isinstance(default, sa.ColumnDefault) and default.is_scalar:
        text = _as_text(column, default.arg)
        if text is not None:
            return text
    if isinstance(column.type, sa.Enum):
        return column.type.enums[0] if column.type.enums else None
    kind = column.type
    if isinstance(kind, sa.types.TypeDecorator):
        kind = kind.impl_instance
    return next((value for cls, value in NEUTRAL if isinstance(kind, cls)), None)


def _as_text(column: sa.Column[t.Any], value: t.Any) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(column.type, sa.Enum):
        return str(t.cast(t.Any, column.type)._db_value_for_elem(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    return None


def _bare_copy(column: sa.Column[t.Any], **changed: t.Any) -> sa.Column[t.Any]:
    """Return a column without what Alembic proposes as operations of their own."""
    arguments: dict[str, t.Any] = {
        "nullable": column.nullable,
        "comment": column.comment,
        **changed,
    }
    return sa.Column(column.name, column.type, **arguments)


def _fill_with_value(
    changes: ops.ModifyTableOps, add: ops.AddColumnOp, value: str
) -> AddFilledColumn:
    table, schema, column = changes.table_name, changes.schema, add.column
    with_default = ops.AddColumnOp(table, _bare_copy(column, server_default=value), schema=schema)
    without = ops.AlterColumnOp(
        table,
        column.name,
        schema=schema,
        existing_type=column.type,
        existing_nullable=False,
        existing_comment=column.comment,
        modify_server_default=None,
    )
    remark = f"Rows that are there get {value!r}; the default goes again after that."
    return AddFilledColumn(
        add,
        [
            ops.ModifyTableOps(table, [with_default], schema=schema),
            ops.ModifyTableOps(table, [without], schema=schema),
        ],
        remark,
    )


def _fill_from_key(changes: ops.ModifyTableOps, add: ops.AddColumnOp, key: str) -> AddFilledColumn:
    table, schema, column = changes.table_name, changes.schema, add.column
    nullable = ops.AddColumnOp(table, _bare_copy(column, nullable=True), schema=schema)
    not_null = ops.AlterColumnOp(
        table,
        column.name,
        schema=schema,
        existing_type=column.type,
        existing_comment=column.comment,
        modify_nullable=False,
    )
    remark = f"Each row that is there needs a value of its own: it gets that of {key!r}."
    return AddFilledColumn(
        add,
        [
            ops.ModifyTableOps(table, [nullable], schema=schema),
            FillFromKey(table, column, key, schema=schema),
            ops.ModifyTableOps(table, [not_null], schema=schema),
        ],
        remark,
    )
