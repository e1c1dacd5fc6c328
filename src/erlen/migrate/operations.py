"""Operations that Alembic does not have: renames that autogeneration writes, filled columns, enums.

The ones on enums are there in migrations as ``op.create_enum()``, ``op.alter_enum()`` and
``op.drop_enum()``. They act on PostgreSQL; elsewhere an enum is no object of its own.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.autogenerate.render import _repr_type as repr_type
from alembic.autogenerate.render import render_op
from alembic.operations import MigrateOperation, Operations
from alembic.operations import ops as alembic_ops

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

Columns = Sequence[tuple[str, str]]


class RenameColumn(alembic_ops.AlterColumnOp):
    """A column that gets another name and keeps what is in it."""

    def reverse(self) -> RenameColumn:
        """Return the operation that gives the old name back."""
        assert self.modify_name is not None
        return RenameColumn(
            self.table_name,
            self.modify_name,
            schema=self.schema,
            existing_type=self.existing_type,
            existing_server_default=t.cast(t.Any, self.existing_server_default),
            existing_nullable=self.existing_nullable,
            existing_comment=self.existing_comment,
            modify_name=self.column_name,
            **self.kw,
        )

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("rename_column", self.schema, self.table_name, self.column_name, self.modify_name)


class RenameTable(alembic_ops.RenameTableOp):
    """A table that gets another name and keeps what is in it."""

    def reverse(self) -> RenameTable:
        """Return the operation that gives the old name back."""
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("rename_table", self.schema, self.table_name, self.new_table_name)


@renderers.dispatch_for(RenameTable)
def _render_rename_table(context: AutogenContext, op: RenameTable) -> str:
    schema = f", schema={op.schema!r}" if op.schema else ""
    return f"op.rename_table({op.table_name!r}, {op.new_table_name!r}{schema})"


class ModifyNamedTable(alembic_ops.ModifyTableOps):
    """Changes of a table whose constraints have no names in the database.

    The batch gets the convention, by which Alembic names them while it works.
    """

    convention: Mapping[str, str]

    def reverse(self) -> ModifyNamedTable:
        """Return the operations that take these back, in the opposite order."""
        reverse = super().reverse()
        return named(reverse, self.convention)


def named(ops: alembic_ops.ModifyTableOps, convention: Mapping[str, str]) -> ModifyNamedTable:
    """Return changes of a table with the convention for names that they rely on.

    :param ops: the changes.
    :param convention: the convention, as for :class:`sqlalchemy.MetaData`.
    """
    result = ModifyNamedTable(ops.table_name, ops.ops, schema=ops.schema)
    result.convention = convention
    return result


@renderers.dispatch_for(ModifyNamedTable)
def _render_named(context: AutogenContext, op: ModifyNamedTable) -> list[str]:
    plain = alembic_ops.ModifyTableOps(op.table_name, op.ops, schema=op.schema)
    lines = render_op(context, plain)
    if not lines or not lines[0].startswith("with op.batch_alter_table("):
        return lines
    head = lines[0].removesuffix(") as batch_op:")
    pairs = "".join(f"    {key!r}: {value!r},\n" for key, value in op.convention.items())
    return [
        f"naming_convention = {{\n{pairs}}}",
        f"{head}, naming_convention=naming_convention) as batch_op:",
        *lines[1:],
    ]


class AddFilledColumn(MigrateOperation):
    """A new column that allows no NULL, on a table that may have rows.

    :param add: the operation as Alembic proposed it.
    :param steps: what is done in its place, one after the other.
    :param remark: what the migration says about it.
    """

    def __init__(
        self, add: alembic_ops.AddColumnOp, steps: list[MigrateOperation], remark: str
    ) -> None:
        self.add = add
        self.steps = steps
        self.remark = remark

    def reverse(self) -> MigrateOperation:
        """Return the operation that drops the column."""
        drop = self.add.reverse()
        return alembic_ops.ModifyTableOps(self.add.table_name, [drop], schema=self.add.schema)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return self.add.to_diff_tuple()


@renderers.dispatch_for(AddFilledColumn)
def _render_filled(context: AutogenContext, op: AddFilledColumn) -> list[str]:
    lines = [f"# {op.remark}"]
    for step in op.steps:
        lines.extend(render_op(context, step))
    return lines


class FillFromKey(MigrateOperation):
    """Gives each row a value of its own, taken from its primary key.

    :param table: the table's name.
    :param column: the column to fill.
    :param key: the column of the primary key.
    :param schema: the table's schema.
    """

    def __init__(
        self, table: str, column: sa.Column[t.Any], key: str, schema: str | None = None
    ) -> None:
        self.table = table
        self.column = column
        self.key = key
        self.schema = schema

    def reverse(self) -> FillFromKey:
        """Return itself: the column goes, and the values with it."""
        return self

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("fill_column", self.schema, self.table, self.column.name)


@renderers.dispatch_for(FillFromKey)
def _render_fill(context: AutogenContext, op: FillFromKey) -> list[str]:
    schema = f", schema={op.schema!r}" if op.schema else ""
    columns = f"sa.column({op.key!r}), sa.column({op.column.name!r})"
    value = f"rows.c[{op.key!r}]"
    if isinstance(op.column.type, sa.String):
        value = f"sa.cast({value}, {repr_type(op.column.type, context)})"
    return [
        f"rows = sa.table({op.table!r}, {columns}{schema})",
        f"op.execute(sa.update(rows).values({{{op.column.name!r}: {value}}}))",
    ]


class ChangeType(alembic_ops.AlterColumnOp):
    """A change of a column's type that PostgreSQL is told how to make."""

    def reverse(self) -> ChangeType:
        """Return the operation that gives the old type back."""
        plain = super().reverse()
        return change_type(plain, {k: v for k, v in plain.kw.items() if k != "postgresql_using"})


def change_type(op: alembic_ops.AlterColumnOp, kw: Mapping[str, t.Any]) -> ChangeType:
    """Return a change of a column with arguments for the dialect.

    :param op: the change.
    :param kw: the arguments, such as ``postgresql_using``.
    """
    return ChangeType(
        op.table_name,
        op.column_name,
        schema=op.schema,
        existing_type=op.existing_type,
        existing_server_default=t.cast(t.Any, op.existing_server_default),
        existing_nullable=op.existing_nullable,
        existing_comment=op.existing_comment,
        modify_nullable=op.modify_nullable,
        modify_comment=t.cast(t.Any, op.modify_comment),
        modify_server_default=op.modify_server_default,
        modify_name=op.modify_name,
        modify_type=op.modify_type,
        **kw,
    )


@renderers.dispatch_for(ChangeType)
def _render_change_type(context: AutogenContext, op: ChangeType) -> str:
    plain = alembic_ops.AlterColumnOp(op.table_name, op.column_name)
    plain.__dict__.update(op.__dict__)
    text = "\n".join(render_op(context, plain))
    using = _using(op)
    if using is None:
        return text
    return f"{text.removesuffix(')')},\n           postgresql_using={using!r})"


def _using(op: ChangeType) -> str | None:
    from sqlalchemy.dialects import postgresql

    if op.modify_type is None:
        return None
    dialect = t.cast(t.Any, postgresql).dialect()
    column = dialect.identifier_preparer.quote(op.column_name)
    return f"{column}::text::{op.modify_type.compile(dialect)}"


# -- Enums ---------------------------------------------------------------------------------------


@Operations.register_operation("create_enum")
class CreateEnum(MigrateOperation):
    """Makes an enum type on PostgreSQL.

    :param name: the type's name.
    :param values: its values, in order.
    :param schema: its schema.
    """

    def __init__(self, name: str, values: Sequence[str], schema: str | None = None) -> None:
        self.name = name
        self.values = list(values)
        self.schema = schema

    @classmethod
    def create_enum(
        cls, operations: Operations, name: str, values: Sequence[str], schema: str | None = None
    ) -> None:
        """Make an enum type on PostgreSQL; nothing on other databases.

        :param name: the type's name.
        :param values: its values, in order.
        :param schema: its schema.
        """
        operations.invoke(cls(name, values, schema=schema))

    def reverse(self) -> DropEnum:
        """Return the operation that drops the type."""
        return DropEnum(self.name, self.values, schema=self.schema)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("add_enum", self.schema, self.name, self.values)


@Operations.register_operation("drop_enum")
class DropEnum(MigrateOperation):
    """Drops an enum type on PostgreSQL.

    :param name: the type's name.
    :param values: its values, for the way back.
    :param schema: its schema.
    """

    def __init__(self, name: str, values: Sequence[str] = (), schema: str | None = None) -> None:
        self.name = name
        self.values = list(values)
        self.schema = schema

    @classmethod
    def drop_enum(cls, operations: Operations, name: str, schema: str | None = None) -> None:
        """Drop an enum type on PostgreSQL; nothing on other databases.

        :param name: the type's name.
        :param schema: its schema.
        """
        operations.invoke(cls(name, schema=schema))

    def reverse(self) -> CreateEnum:
        """Return the operation that makes the type."""
        return CreateEnum(self.name, self.values, schema=self.schema)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("remove_enum", self.schema, self.name)


@Operations.register_operation("alter_enum")
class AlterEnum(MigrateOperation):
    """Changes the values of an enum type on PostgreSQL.

    :param name: the type's name.
    :param old: its values until now.
    :param new: its values from now on.
    :param columns: the columns of this type, as pairs of table and column.
    :param rename: old names of values, each with the new one.
    :param replace: values that go, each with the one that rows get in its place.
    :param schema: its schema.
    :param rebuild: whether to make the type anew where adding values to it would do.
    """

    def __init__(
        self,
        name: str,
        old: Sequence[str],
        new: Sequence[str],
        columns: Columns = (),
        rename: Mapping[str, str] | None = None,
        replace: Mapping[str, str] | None = None,
        schema: str | None = None,
        rebuild: bool = False,
    ) -> None:
        self.name = name
        self.old = list(old)
        self.new = list(new)
        self.columns = list(columns)
        self.rename = dict(rename or {})
        self.replace = dict(replace or {})
        self.schema = schema
        self.rebuild = rebuild

    @classmethod
    def alter_enum(
        cls,
        operations: Operations,
        name: str,
        old: Sequence[str],
        new: Sequence[str],
        columns: Columns = (),
        rename: Mapping[str, str] | None = None,
        replace: Mapping[str, str] | None = None,
        schema: str | None = None,
        rebuild: bool = False,
    ) -> None:
        """Change the values of an enum type on PostgreSQL; nothing on other databases.

        A value that goes must not be in a row, unless *replace* says what the row gets. Values
        that are only added cost nothing, but PostgreSQL lets nobody use them before the
        transaction ends; with *rebuild* they are usable at once, and the tables are rewritten.

        :param name: the type's name.
        :param old: its values until now.
        :param new: its values from now on.
        :param columns: the columns of this type, as pairs of table and column.
        :param rename: old names of values, each with the new one.
        :param replace: values that go, each with the one that rows get in its place.
        :param schema: its schema.
        :param rebuild: whether to make the type anew where adding values to it would do.
        """
        operations.invoke(cls(name, old, new, columns, rename, replace, schema, rebuild))

    def reverse(self) -> AlterEnum:
        """Return the operation that gives the old values back."""
        rename = {new: old for old, new in self.rename.items()}
        return AlterEnum(self.name, self.new, self.old, self.columns, rename, schema=self.schema)

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        """Return what Alembic shows of it."""
        return ("modify_enum", self.schema, self.name, self.old, self.new)


def _on_postgresql(operations: Operations) -> bool:
    return operations.migration_context.dialect.name == "postgresql"


def _quote(operations: Operations, name: str, schema: str | None = None) -> str:
    preparer = operations.migration_context.dialect.identifier_preparer
    quoted = preparer.quote(name)
    return f"{preparer.quote(schema)}.{quoted}" if schema else quoted


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _run(operations: Operations, statement: str) -> None:
    # A colon in a value must not be taken for the name of a parameter.
    operations.execute(sa.text(statement.replace(":", "\\:")))


@Operations.implementation_for(CreateEnum)
def _create_enum(operations: Operations, op: CreateEnum) -> None:
    if not _on_postgresql(operations):
        return
    values = ", ".join(map(_literal, op.values))
    _run(operations, f"CREATE TYPE {_quote(operations, op.name, op.schema)} AS ENUM ({values})")
    _note_type(operations, op.name, op.schema, exists=True)


@Operations.implementation_for(DropEnum)
def _drop_enum(operations: Operations, op: DropEnum) -> None:
    if not _on_postgresql(operations):
        return
    _run(operations, f"DROP TYPE {_quote(operations, op.name, op.schema)}")
    _note_type(operations, op.name, op.schema, exists=False)


#: Under which names SQLAlchemy notes the types that exist, for `CREATE TABLE`: those of the generic
#: and of PostgreSQL's class in 2.1, and the one in 2.0.
TYPE_MEMOS = ("pg_enum", "pg_ENUM", "_pg_enums")


def _note_type(operations: Operations, name: str, schema: str | None, exists: bool) -> None:
    memo = t.cast("dict[str, set[tuple[str | None, str]]]", operations.migration_context.impl.memo)
    for key in TYPE_MEMOS:
        known = memo.setdefault(key, set())
        (known.add if exists else known.discard)((schema, name))


@Operations.implementation_for(AlterEnum)
def _alter_enum(operations: Operations, op: AlterEnum) -> None:
    if not _on_postgresql(operations):
        return
    kind = _quote(operations, op.name, op.schema)
    for old, new in op.rename.items():
        _run(operations, f"ALTER TYPE {kind} RENAME VALUE {_literal(old)} TO {_literal(new)}")
    present = [op.rename.get(value, value) for value in op.old]
    if present == op.new:
        return
    # Values can be added to a type at any place, but neither moved nor dropped.
    if [value for value in op.new if value in present] == present and not op.rebuild:
        _add_values(operations, kind, present, op.new)
    else:
        _replace_enum(operations, op)


def _add_values(operations: Operations, kind: str, present: list[str], new: list[str]) -> None:
    for place, value in enumerate(new):
        if value not in present:
            where = (
                f"AFTER {_literal(new[place - 1])}" if place else f"BEFORE {_literal(present[0])}"
            )
            _run(operations, f"ALTER TYPE {kind} ADD VALUE {_literal(value)} {where}")


def _replace_enum(operations: Operations, op: AlterEnum) -> None:
    """Put a new type in the place of the old one."""
    old, aside = op.name, f"{op.name}__old"
    kind = _quote(operations, old, op.schema)
    _run(operations, f"ALTER TYPE {kind} RENAME TO {_quote(operations, aside)}")
    values = ", ".join(map(_literal, op.new))
    _run(operations, f"CREATE TYPE {kind} AS ENUM ({values})")
    for table, column in _find_columns(operations, op, aside):
        _convert_column(operations, op, table, column)
    _run(operations, f"DROP TYPE {_quote(operations, aside, op.schema)}")


_COLUMNS_OF_TYPE = """
SELECT table_schema || '.' || table_name, column_name
FROM information_schema.columns
WHERE udt_name = :name AND udt_schema = COALESCE(:schema, CURRENT_SCHEMA())
"""


def _find_columns(operations: Operations, op: AlterEnum, name: str) -> Columns:
    """Return the columns that have the type; offline, those that the migration names."""
    context = operations.migration_context
    if context.as_sql or context.connection is None:
        return op.columns
    rows = context.connection.execute(
        sa.text(_COLUMNS_OF_TYPE), {"name": name, "schema": op.schema}
    )
    return [(row[0], row[1]) for row in rows]


def _convert_column(operations: Operations, op: AlterEnum, table: str, column: str) -> None:
    # The names of tables may have their schema with them, as the keys of metadata do.
    schema, _, bare = table.rpartition(".")
    target = _quote(operations, bare, schema or None)
    name = _quote(operations, column)
    kind = _quote(operations, op.name, op.schema)
    text = f"{name}::text"
    if op.replace:
        cases = "".join(f" WHEN {_literal(a)} THEN {_literal(b)}" for a, b in op.replace.items())
        text = f"CASE {text}{cases} ELSE {text} END"
    default = _read_default(operations, bare, schema or None, column)
    alter = f"ALTER TABLE {target} ALTER COLUMN {name}"
    if default is not None:
        # A default of the old type cannot be cast by itself.
        _run(operations, f"{alter} DROP DEFAULT")
    _run(operations, f"{alter} TYPE {kind} USING ({text})::{kind}")
    if default is not None:
        _run(operations, f"{alter} SET DEFAULT {default}::{kind}")


def _read_default(
    operations: Operations, table: str, schema: str | None, column: str
) -> str | None:
    """Return a column's default as a literal; ``None`` where there is none, or offline."""
    context = operations.migration_context
    if context.as_sql or context.connection is None:
        return None
    for row in sa.inspect(context.connection).get_columns(table, schema=schema):
        if row["name"] == column and row["default"] is not None:
            return str(row["default"]).partition("::")[0]
    return None


@renderers.dispatch_for(CreateEnum)
def _render_create_enum(context: AutogenContext, op: CreateEnum) -> str:
    return f"op.create_enum({op.name!r}, {op.values!r}{_schema(op.schema)})"


@renderers.dispatch_for(DropEnum)
def _render_drop_enum(context: AutogenContext, op: DropEnum) -> str:
    return f"op.drop_enum({op.name!r}{_schema(op.schema)})"


@renderers.dispatch_for(AlterEnum)
def _render_alter_enum(context: AutogenContext, op: AlterEnum) -> str:
    lines = [
        f"op.alter_enum({op.name!r},",
        f"    old={op.old!r},",
        f"    new={op.new!r},",
        f"    columns={op.columns!r},",
    ]
    if op.rename:
        lines.append(f"    rename={op.rename!r},")
    if op.schema:
        lines.append(f"    schema={op.schema!r},")
    return "\n".join([*lines, ")"])


def _schema(schema: str | None) -> str:
    return f", schema={schema!r}" if schema else ""
