"""The rules of ``erlen db lint``: what locks a table for long, fails on rows, or loses data."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

import sqlalchemy as sa
from alembic.operations import ops

from .operations import AlterEnum

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .recording import Recorded

Check = t.Callable[["Facts", "Recorded"], "str | None"]
Severity = t.Literal["error", "warning", "off"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "off")


@dataclass
class Facts:
    """What the rules know beside the operation.

    :param dialect: the kind of database: ``postgresql``, ``mysql`` or ``sqlite``.
    :param metadata: the tables that the models map; ``None`` where nothing is known of them.
    :param is_empty: tells whether a table has no rows, or is not there yet.
    :param before: the operations of the migration that come before.
    """

    dialect: str
    metadata: sa.MetaData | None
    is_empty: Callable[[str], bool]
    before: list[Recorded] = field(default_factory=list)

    def maps(self, table: str, column: str | None = None, schema: str | None = None) -> bool:
        """Whether the models have a table, or a column of it."""
        if self.metadata is None:
            return False
        found = self.metadata.tables.get(f"{schema}.{table}" if schema else table)
        return found is not None and (column is None or column in found.c)


class Rule(t.NamedTuple):
    """One rule.

    :param name: what the configuration and migrations call it.
    :param severity: how bad it is, where nobody says otherwise.
    :param check: returns a message with the safe way, or ``None``.
    """

    name: str
    severity: Severity
    check: Check


#: All rules by name.
RULES: dict[str, Rule] = {}


def rule(name: str, severity: Severity) -> Callable[[Check], Check]:
    """Decorate a check to make it a rule.

    :param name: the rule's name.
    :param severity: how bad it is.
    """

    def add(check: Check) -> Check:
        RULES[name] = Rule(name, severity, check)
        return check

    return add


def _table_of(op: t.Any) -> str:
    return str(getattr(op, "table_name", None) or getattr(op, "source_table", None) or "")


def _sql_of(op: t.Any) -> str:
    return str(op.sqltext) if isinstance(op, ops.ExecuteSQLOp) else ""


@rule("not-null-without-default", "error")
def _not_null(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if not isinstance(op, ops.AddColumnOp):
        return None
    column = op.column
    given = column.server_default is not None or column.identity or column.computed
    if column.nullable or given or column.primary_key or facts.is_empty(op.table_name):
        return None
    return (
        f"{op.table_name}.{column.name} allows no NULL and has no default: adding it fails as"
        " soon as there is a row. Give it a server_default, or add it with nullable=True, fill"
        " it, and set it NOT NULL in a later migration."
    )


@rule("set-not-null", "warning")
def _set_not_null(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if not isinstance(op, ops.AlterColumnOp) or op.modify_nullable is not False:
        return None
    if facts.dialect != "postgresql" or facts.is_empty(op.table_name):
        return None
    return (
        f"NOT NULL on {op.table_name}.{op.column_name} reads the whole table while nobody else can"
        f" use it. First add CHECK ({op.column_name} IS NOT NULL) NOT VALID and validate it, which"
        " lets others work; PostgreSQL then sets NOT NULL at once, and the check can go."
    )


@rule("type-rewrite", "warning")
def _type_rewrite(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if facts.dialect == "sqlite" or facts.is_empty(_table_of(op)):
        return None
    if isinstance(op, AlterEnum) and facts.dialect == "postgresql":
        kept = [op.rename.get(value, value) for value in op.old]
        if [value for value in op.new if value in kept] == kept and not op.rebuild:
            return None
        return (
            f"Dropping or moving values of the enum {op.name} rewrites each table that has it."
            " Leave the value in the type, and keep it out of the rows with a CHECK."
        )
    if not isinstance(op, ops.AlterColumnOp) or op.modify_type is None:
        return None
    if op.existing_type is not None and _only_widens(op.existing_type, op.modify_type, facts):
        return None
    return (
        f"Another type for {op.table_name}.{op.column_name} rewrites the table while nobody else"
        " can use it. Add a column of the new type, fill it in batches, let the code use it, and"
        " drop the old one in a later migration."
    )


def _only_widens(old: t.Any, new: t.Any, facts: Facts) -> bool:
    """Whether values stay as they are stored when the type changes."""
    if isinstance(old, sa.String) and isinstance(new, sa.String):
        if isinstance(old, sa.Enum) or isinstance(new, sa.Enum):
            return False
        return _is_longer(old.length, new.length, facts)
    if isinstance(old, sa.Numeric) and isinstance(new, sa.Numeric):
        same_scale = old.scale == new.scale
        wider = (new.precision or 0) >= (old.precision or 0)
        return facts.dialect == "postgresql" and same_scale and wider
    return False


def _is_longer(old: int | None, new: int | None, facts: Facts) -> bool:
    if new is None or old is None:
        return new is None and facts.dialect == "postgresql"
    # MariaDB keeps the length in one byte up to 255 bytes: 63 characters of utf8mb4.
    same_size = facts.dialect == "postgresql" or (old > 63) == (new > 63)
    return new >= old and same_size


@rule("index-without-concurrently", "warning")
def _plain_index(facts: Facts, recorded: Recorded) -> str | None:
    if facts.dialect != "postgresql":
        return None
    op = recorded.op
    name = ""
    if isinstance(op, (ops.CreateIndexOp, ops.DropIndexOp)):
        if op.kw.get("postgresql_concurrently") or facts.is_empty(_table_of(op)):
            return None
        name = str(op.index_name)
    else:
        pattern = r"\b(?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+(?!CONCURRENTLY)(\S+)"
        match = re.search(pattern, _sql_of(op), re.IGNORECASE)
        if match is None:
            return None
        name = match[1]
    return (
        f"The index {name} keeps others from writing to the table until it is built. Put"
        " it into 'with op.get_context().autocommit_block():', with"
        " postgresql_concurrently=True, in a migration of its own."
    )


@rule("concurrently-in-transaction", "error")
def _concurrently(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if facts.dialect != "postgresql" or recorded.autocommit:
        return None
    in_sql = re.search(r"\bINDEX\s+CONCURRENTLY\b", _sql_of(op), re.IGNORECASE)
    is_index = isinstance(op, (ops.CreateIndexOp, ops.DropIndexOp))
    if not in_sql and not (is_index and op.kw.get("postgresql_concurrently")):
        return None
    return (
        "PostgreSQL refuses CONCURRENTLY inside a transaction, and a migration is one. Put it into"
        " 'with op.get_context().autocommit_block():'."
    )


@rule("commit-in-the-middle", "warning")
def _commit(facts: Facts, recorded: Recorded) -> str | None:
    changed = [other for other in facts.before if not other.autocommit]
    if not recorded.autocommit or not changed or any(x.autocommit for x in facts.before):
        return None
    return (
        "The autocommit block commits what the migration did before it. If it fails then, the"
        " next run begins at the top and finds that done. Put the block into a migration of its"
        " own."
    )


@rule("drop-still-mapped", "error")
def _drop_mapped(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if isinstance(op, ops.DropColumnOp):
        if not facts.maps(op.table_name, op.column_name, op.schema):
            return None
        what = f"column {op.table_name}.{op.column_name}"
    elif isinstance(op, ops.DropTableOp):
        if not facts.maps(op.table_name, schema=op.schema):
            return None
        what = f"table {op.table_name}"
    else:
        return None
    return (
        f"The {what} is dropped, but the models still have it: each query on it will fail. Take"
        " it out of the models, deploy that, and drop it in the migration after."
    )


@rule("drop-loses-data", "warning")
def _drop_loses(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if isinstance(op, ops.DropColumnOp):
        what = f"column {op.table_name}.{op.column_name}"
    elif isinstance(op, ops.DropTableOp):
        what = f"table {op.table_name}"
    else:
        match = re.search(r"\bDROP\s+(COLUMN|TABLE)\s+(\S+)", _sql_of(op), re.IGNORECASE)
        if match is None:
            return None
        return (
            f"The {match[1].lower()} {match[2]} is dropped, and downgrade cannot bring back what is"
            " in it. Take a backup, or rename it and drop it in a later release."
        )
    if facts.is_empty(op.table_name):
        return None
    return (
        f"The {what} is dropped, and downgrade cannot bring back what is in it. Take a backup, or"
        " rename it and drop it in a later release."
    )


@rule("narrowing-loses-data", "warning")
def _narrows(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if not isinstance(op, ops.AlterColumnOp) or facts.is_empty(op.table_name):
        return None
    old, new = op.existing_type, op.modify_type
    if not isinstance(old, sa.String) or not isinstance(new, sa.String) or new.length is None:
        return None
    if old.length is not None and new.length >= old.length:
        return None
    return (
        f"Values of {op.table_name}.{op.column_name} longer than {new.length} characters make the"
        " migration fail, or are cut. Look for such rows, and shorten them first."
    )


@rule("constraint-checks-rows", "warning")
def _constraint(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if facts.dialect != "postgresql" or not isinstance(op, ops.AddConstraintOp):
        return None
    table = _table_of(op)
    if facts.is_empty(table):
        return None
    if isinstance(op, ops.CreateUniqueConstraintOp):
        return (
            f"A unique constraint on {table} builds its index while nobody else can use the table."
            " Build a unique index with CONCURRENTLY first, and make the constraint of it with"
            " ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX."
        )
    if isinstance(op, (ops.CreateForeignKeyOp, ops.CreateCheckConstraintOp)):
        if op.kw.get("postgresql_not_valid"):
            return None
        return (
            f"The constraint on {table} is checked for each row while nobody can write. Add it with"
            " postgresql_not_valid=True, and run ALTER TABLE … VALIDATE CONSTRAINT in a later"
            " migration."
        )
    return None


@rule("rename-in-use", "warning")
def _rename(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if isinstance(op, ops.RenameTableOp):
        what, table = f"table {op.table_name}", op.table_name
    elif isinstance(op, ops.AlterColumnOp) and op.modify_name is not None:
        what, table = f"column {op.table_name}.{op.column_name}", op.table_name
    else:
        return None
    if facts.is_empty(table):
        return None
    return (
        f"The {what} gets another name at once: processes that run the code of before fail until"
        " they are replaced. With several replicas, add the new one, write both, copy, and drop"
        " the old one in a later release."
    )


#: Defaults that PostgreSQL works out once for all rows.
_STABLE = re.compile(
    r"^\(*\s*(now|current_timestamp|current_date|localtimestamp|transaction_timestamp)\b",
    re.IGNORECASE,
)


@rule("volatile-default", "warning")
def _volatile(facts: Facts, recorded: Recorded) -> str | None:
    op = recorded.op
    if facts.dialect != "postgresql" or not isinstance(op, ops.AddColumnOp):
        return None
    default = op.column.server_default
    if not isinstance(default, sa.DefaultClause) or isinstance(default.arg, str):
        return None
    text = str(default.arg)
    if "(" not in text or _STABLE.match(text) or facts.is_empty(op.table_name):
        return None
    return (
        f"The default {text} gives each row a value of its own: the table is rewritten while nobody"
        " else can use it. Add the column without it, set the default after that, and fill the"
        " old rows in batches."
    )
