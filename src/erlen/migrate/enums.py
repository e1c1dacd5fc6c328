"""Comparing PostgreSQL's enum types with those that the models use."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.operations import MigrateOperation, ops
from sqlalchemy.dialects import postgresql

from .operations import AlterEnum, CreateEnum, DropEnum, change_type

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.migration import MigrationContext

    from .answers import Answers

Key = tuple[str | None, str]


@dataclass
class Kind:
    """An enum type, with the columns that have it.

    :param values: its values, in order.
    :param columns: pairs of the table's key and the column's name.
    """

    values: list[str]
    columns: list[tuple[str, str]] = field(default_factory=list)


class Enums:
    """The enum types among the operations that Alembic proposes.

    :param context: the migration's context, connected to PostgreSQL.
    :param metadata: the models' tables.
    :param answers: who knows whether a value was renamed.
    """

    def __init__(self, context: MigrationContext, metadata: sa.MetaData, answers: Answers) -> None:
        self.answers = answers
        connection = context.connection
        assert connection is not None
        self.default_schema = connection.dialect.default_schema_name
        self.wanted = self._read_models(metadata.tables.values())
        inspector: t.Any = sa.inspect(connection)
        self.there: dict[Key, list[str]] = {
            (self._schema(row["schema"]), row["name"]): list(row["labels"])
            for row in inspector.get_enums(schema="*")
        }

    def apply(self, operations: list[MigrateOperation]) -> list[MigrateOperation]:
        """Return the operations with those on enum types at their places.

        :param operations: the operations of a migration.
        """
        first: list[MigrateOperation] = []
        for key, kind in self.wanted.items():
            if key not in self.there:
                first.append(CreateEnum(key[1], kind.values, schema=key[0]))
            elif self.there[key] != kind.values:
                first.append(self._alter(key, self.there[key], kind))
        last: list[MigrateOperation] = [
            DropEnum(key[1], self.there[key], schema=key[0])
            for key in self._find_dropped(operations)
            if key in self.there and key not in self.wanted
        ]
        return [*first, *map(self._cast_types, operations), *last]

    def _schema(self, schema: str | None) -> str | None:
        return None if schema == self.default_schema else schema

    def _read_models(self, tables: Iterable[sa.Table]) -> dict[Key, Kind]:
        kinds: dict[Key, Kind] = {}
        for table in tables:
            for column in table.c:
                enum = find_enum(column.type)
                if enum is None or not enum.name:
                    continue
                key = (self._schema(enum.schema), enum.name)
                kind = kinds.setdefault(key, Kind(list(enum.enums)))
                kind.columns.append((table.key, column.name))
        return kinds

    def _alter(self, key: Key, old: list[str], kind: Kind) -> AlterEnum:
        gone = [value for value in old if value not in kind.values]
        new = [value for value in kind.values if value not in old]
        rename: dict[str, str] = {}
        for value in gone:
            for other in new:
                if other not in rename.values() and self._is_renamed(key, kind, old, value, other):
                    rename[value] = other
                    break
        return AlterEnum(key[1], old, kind.values, kind.columns, rename, schema=key[0])

    def _is_renamed(self, key: Key, kind: Kind, old: list[str], value: str, other: str) -> bool:
        names = f"{key[1]}.{value}", f"{key[1]}.{other}"
        given = any(
            a.rpartition(".")[2] == value and b.rpartition(".")[2] == other
            for a, b in self.answers.renames
        )
        if not given and old.index(value) != kind.values.index(other):
            return False
        return self.answers.is_renamed("value", *names)

    def _find_dropped(self, operations: list[MigrateOperation]) -> list[Key]:
        """Return the types of columns that the operations drop or give another type."""
        types: list[t.Any] = []
        for op in operations:
            if isinstance(op, ops.DropTableOp):
                types += [column.type for column in op.to_table().c]
            for change in op.ops if isinstance(op, ops.ModifyTableOps) else ():
                if isinstance(change, ops.DropColumnOp):
                    types.append(change.to_column().type)
                elif isinstance(change, ops.AlterColumnOp) and change.modify_type is not None:
                    types.append(change.existing_type)
        found = [enum for kind in types if (enum := find_enum(kind)) is not None and enum.name]
        return list(dict.fromkeys((self._schema(enum.schema), str(enum.name)) for enum in found))

    def _cast_types(self, op: MigrateOperation) -> MigrateOperation:
        """Say how to change types that PostgreSQL does not cast by itself."""
        if isinstance(op, ops.ModifyTableOps):
            op.ops[:] = [_cast_type(change) for change in op.ops]
        return op


def _cast_type(op: MigrateOperation) -> MigrateOperation:
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None:
        return op
    old = op.existing_type
    if find_enum(op.modify_type) is None and (
        old is None or old._type_affinity is op.modify_type._type_affinity
    ):
        return op
    return change_type(op, op.kw)


def find_enum(kind: t.Any) -> sa.Enum | None:
    """Return the enum type that PostgreSQL keeps for a type; ``None`` where it keeps none.

    :param kind: a type, an array of enums included.
    """
    if isinstance(kind, sa.types.TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, sa.ARRAY):
        kind = kind.item_type
    variant = getattr(kind, "_variant_mapping", {}).get("postgresql")
    kind = kind if variant is None else variant
    if isinstance(kind, postgresql.ENUM) or (isinstance(kind, sa.Enum) and kind.native_enum):
        return kind
    return None
