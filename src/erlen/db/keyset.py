"""Pages of a long list that cost the same wherever they are: keyset pagination.

``OFFSET 100000`` reads a hundred thousand rows to throw them away, and what is inserted meanwhile
shifts the pages. Here a page begins after a row: its values, in a signed *cursor*, are where the
next query goes on. The order needs an end that is unique, so the primary key is added to it.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import enum
import hashlib
import typing as t
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.sql import elements, operators
from werkzeug.exceptions import BadRequest

from erlen import current_app, has_request_context, request

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

__all__ = ["BadCursor", "KeysetPagination"]

T = t.TypeVar("T")

#: Longer ones are refused before they are decoded.
LONGEST_CURSOR = 4096


class BadCursor(BadRequest):
    """A cursor that was changed, or that belongs to a list in another order; answered with 400."""

    description = "The cursor is not valid for this list. Start again at the first page."


@dataclass(frozen=True)
class Key:
    """One of the expressions that a list is sorted by.

    :param expression: what is compared.
    :param descending: whether the largest comes first.
    :param nullable: whether it may be NULL.
    :param nulls_first: whether NULL comes before all else.
    :param spelled: whether the statement says itself where NULL goes.
    """

    expression: sa.ColumnElement[t.Any]
    descending: bool
    nullable: bool
    nulls_first: bool
    spelled: bool

    def reverse(self) -> Key:
        """Return the key that sorts the other way round."""
        return Key(
            self.expression,
            not self.descending,
            self.nullable,
            not self.nulls_first,
            self.spelled,
        )

    def order(self) -> list[sa.ColumnElement[t.Any]]:
        """Return what stands for the key in ORDER BY."""
        column = self.expression.desc() if self.descending else self.expression.asc()
        if not self.spelled:
            return [column]
        # MariaDB has no NULLS FIRST; a comparison sorts as 0 and 1, or as false and true.
        null = self.expression.is_(None)
        return [null.desc() if self.nulls_first else null.asc(), column]

    def after(self, value: t.Any) -> sa.ColumnElement[bool]:
        """Return the condition for what comes after a value."""
        if value is None:
            return self.expression.is_not(None) if self.nulls_first else sa.false()
        # As a parameter: SQLAlchemy compares with True and False themselves by "=" only.
        given = sa.literal(value, self.expression.type)
        beyond: sa.ColumnElement[bool] = (
            self.expression < given if self.descending else self.expression > given
        )
        if self.nullable and not self.nulls_first:
            return sa.or_(beyond, self.expression.is_(None))
        return beyond

    def same(self, value: t.Any) -> sa.ColumnElement[bool]:
        """Return the condition for what has the same value."""
        return self.expression.is_(None) if value is None else self.expression == value


class KeysetPagination(t.Generic[T]):
    """A page of a list, and the cursors of its neighbours.

    Made by :meth:`SQLAlchemy.paginate_keyset() <erlen.db.SQLAlchemy.paginate_keyset>`.

    :param items: what is on the page.
    :param per_page: how many a page may have.
    :param next_cursor: where the next page begins; ``None`` on the last.
    :param prev_cursor: where the page before ends; ``None`` on the first.
    :param total: how many the whole list has; ``None`` where it was not counted.
    """

    def __init__(
        self,
        items: list[T],
        per_page: int,
        next_cursor: str | None,
        prev_cursor: str | None,
        total: int | None,
    ) -> None:
        self.items = items
        self.per_page = per_page
        self.next_cursor = next_cursor
        self.prev_cursor = prev_cursor
        self.total = total

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.next_cursor is not None

    @property
    def has_prev(self) -> bool:
        """Whether there is a page before this one."""
        return self.prev_cursor is not None


def read_arguments(cursor: str | None, per_page: int | None, max_per_page: int) -> Arguments:
    """Fill in from the query string what the caller left open: ``cursor`` and ``per_page``.

    :param cursor: the cursor, where the caller has it.
    :param per_page: the number of items, where the caller says it.
    :param max_per_page: more than that is not given.
    """
    if has_request_context():
        if cursor is None:
            cursor = request.args.get("cursor")
        if per_page is None:
            per_page = request.args.get("per_page", type=int)
    if per_page is None or per_page < 1:
        per_page = 20
    return Arguments(cursor or None, min(per_page, max_per_page))


@dataclass(frozen=True)
class Arguments:
    """Which page is asked for."""

    cursor: str | None
    per_page: int


def paginate(
    session: Session,
    select: sa.Select[t.Any],
    arguments: Arguments,
    *,
    count: bool,
) -> KeysetPagination[t.Any]:
    """Return the page of a statement that a cursor names.

    :param session: what runs the statement.
    :param select: the statement; what it is sorted by decides the pages.
    :param arguments: which page.
    :param count: whether to count the whole list.
    :raises BadCursor: where the cursor is not one for this list.
    """
    keys = find_keys(session, select)
    signer = make_signer(keys)
    backward, values = read_cursor(signer, arguments.cursor, len(keys))
    rows = _fetch(session, select, keys, values, backward, arguments.per_page + 1)
    more = len(rows) > arguments.per_page
    rows = rows[: arguments.per_page]
    if backward:
        rows.reverse()
    before = more if backward else values is not None
    after = values is not None if backward else more
    ends = [row[-len(keys) :] for row in (rows[:1] + rows[-1:])] or [values, values]
    return KeysetPagination(
        [_item(row, len(keys)) for row in rows],
        arguments.per_page,
        write_cursor(signer, False, ends[-1]) if after else None,
        write_cursor(signer, True, ends[0]) if before else None,
        _count(session, select) if count else None,
    )


def _fetch(
    session: Session,
    select: sa.Select[t.Any],
    keys: list[Key],
    values: Sequence[t.Any] | None,
    backward: bool,
    limit: int,
) -> list[t.Any]:
    """Return up to *limit* rows; the values of the keys are at the end of each."""
    if backward:
        keys = [key.reverse() for key in keys]
    columns = [key.expression.label(f"_key_{number}") for number, key in enumerate(keys)]
    select = select.add_columns(*columns).order_by(None)
    select = select.order_by(*(term for key in keys for term in key.order())).limit(limit)
    if values is not None:
        select = select.where(after_values(keys, values))
    return list(session.execute(select).unique())


def after_values(keys: Sequence[Key], values: Sequence[t.Any]) -> sa.ColumnElement[bool]:
    """Return the condition for the rows that come after a row.

    Row values, ``(a, b) > (1, 2)``, would be shorter, but know neither mixed directions nor NULL.

    :param keys: what the list is sorted by.
    :param values: the values of these in the row.
    """
    terms = []
    same: list[sa.ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        terms.append(sa.and_(*same, key.after(value)))
        same.append(key.same(value))
    return sa.or_(*terms)


def _item(row: t.Any, keys: int) -> t.Any:
    own = row[:-keys]
    return own[0] if len(own) == 1 else own


def _count(session: Session, select: sa.Select[t.Any]) -> int:
    counted = select.with_only_columns(*_primary_keys(select)).order_by(None).distinct()
    return session.scalar(sa.select(sa.func.count()).select_from(counted.subquery())) or 0


def find_keys(session: Session, select: sa.Select[t.Any]) -> list[Key]:
    """Return what a statement is sorted by, the primary key added where it is not there.

    :param session: what will run the statement; databases differ in where NULL goes.
    :param select: the statement.
    :raises ValueError: where the statement has no entity and so no primary key.
    """
    dialect = session.get_bind(clause=select).dialect.name
    keys = [_make_key(clause, select, dialect) for clause in select._order_by_clauses]
    known = {str(key.expression) for key in keys}
    added = [_make_key(column.asc(), select, dialect) for column in _primary_keys(select)]
    return keys + [key for key in added if str(key.expression) not in known]


def _primary_keys(select: sa.Select[t.Any]) -> list[sa.ColumnElement[t.Any]]:
    for described in select.column_descriptions:
        mapper = sa.inspect(described.get("entity"), raiseerr=False)
        if mapper is not None:
            entity = described["entity"]
            return [
                getattr(entity, mapper.mapper.get_property_by_column(column).key)
                for column in mapper.mapper.primary_key
            ]
    for source in select.get_final_froms():
        if isinstance(source, sa.Table) and source.primary_key.columns:
            return list(source.primary_key.columns)
    raise ValueError(
        "Keyset pagination needs a primary key to make the order unique, and the statement selects"
        " from no model or table that has one."
    )


def _make_key(clause: t.Any, select: sa.Select[t.Any], dialect: str) -> Key:
    descending, nulls_first = False, None
    while True:
        modifier = getattr(clause, "modifier", None)
        if modifier in (operators.nulls_first_op, operators.nulls_last_op):
            nulls_first = modifier is operators.nulls_first_op
        elif modifier in (operators.asc_op, operators.desc_op):
            descending = modifier is operators.desc_op
        elif isinstance(clause, elements._textual_label_reference):
            clause = _find_column(select, clause.element)
            continue
        elif not isinstance(clause, (elements._label_reference, elements.Label)):
            break
        clause = clause.element
    nullable = getattr(clause, "nullable", True)
    if dialect in ("mysql", "mariadb") and isinstance(clause.type, sa.Enum):
        # MariaDB sorts these by the order of their names' declaration, and compares the names.
        clause = sa.cast(clause, sa.String)
    # NULL is the largest of all in PostgreSQL and Oracle, the smallest elsewhere.
    natural = descending is (dialect in ("postgresql", "oracle"))
    if nulls_first is None or not nullable:
        nulls_first = natural
    return Key(clause, descending, nullable, nulls_first, nulls_first is not natural)


def _find_column(select: sa.Select[t.Any], name: str) -> sa.ColumnElement[t.Any]:
    """Return the column that a name in ORDER BY means."""
    for column in select.selected_columns:
        if getattr(column, "key", None) == name or getattr(column, "name", None) == name:
            return column
    raise BadRequest("The list cannot be sorted by that.")


def make_signer(keys: Sequence[Key]) -> URLSafeSerializer:
    """Return what signs the cursors of a list in this order.

    :param keys: what the list is sorted by; a cursor is worth nothing in another order.
    :raises RuntimeError: where the application has no ``SECRET_KEY``.
    """
    secret = current_app.config["SECRET_KEY"]
    if not secret:
        raise RuntimeError(
            "Cursors are signed, and the application has no secret key. Set SECRET_KEY, for"
            " example to the output of: python -c 'import secrets; print(secrets.token_hex())'"
        )
    order = [f"{key.expression} {key.descending} {key.nulls_first}" for key in keys]
    digest = hashlib.sha256("\n".join(order).encode()).hexdigest()
    fallbacks = current_app.config["SECRET_KEY_FALLBACKS"] or ()
    return URLSafeSerializer([*fallbacks, secret], salt=f"erlen.db.keyset {digest}")


def write_cursor(
    signer: URLSafeSerializer, backward: bool, values: Sequence[t.Any] | None
) -> str | None:
    """Return the cursor of the page that lies beyond a row.

    :param signer: what signs it.
    :param backward: whether the page comes before the row.
    :param values: the values of the row that the list is sorted by.
    """
    if values is None:
        return None
    return signer.dumps([int(backward), *map(_write, values)])


def read_cursor(
    signer: URLSafeSerializer, cursor: str | None, length: int
) -> tuple[bool, list[t.Any] | None]:
    """Return the direction of a cursor, and the values of the row that it names.

    :param signer: what signed it.
    :param cursor: the cursor; without one, the list begins.
    :param length: how many values there must be.
    :raises BadCursor: where we did not sign it.
    """
    if cursor is None:
        return False, None
    if len(cursor) > LONGEST_CURSOR:
        raise BadCursor
    try:
        backward, *values = signer.loads(cursor)
    except (BadSignature, ValueError):
        raise BadCursor from None
    if len(values) != length:
        raise BadCursor
    return bool(backward), [_read(value) for value in values]


#: How values that JSON does not know are written: a name, how to text, how from text.
KINDS: list[tuple[str, type, t.Callable[[t.Any], str], t.Callable[[str], t.Any]]] = [
    ("dt", dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    ("d", dt.date, dt.date.isoformat, dt.date.fromisoformat),
    ("t", dt.time, dt.time.isoformat, dt.time.fromisoformat),
    ("td", dt.timedelta, lambda value: str(value // dt.timedelta(microseconds=1)),
     lambda text: dt.timedelta(microseconds=int(text))),
    ("n", decimal.Decimal, str, decimal.Decimal),
    ("u", uuid.UUID, str, uuid.UUID),
    ("b", bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
]  # fmt: skip


def _write(value: t.Any) -> t.Any:
    if isinstance(value, enum.Enum):
        return _write(value.name)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    for name, kind, write, _ in KINDS:
        if isinstance(value, kind):
            return {name: write(value)}
    raise TypeError(
        f"A list cannot be cut into pages by values of the type {type(value).__name__}. Sort by"
        " numbers, text, dates, UUIDs or bytes."
    )


def _read(value: t.Any) -> t.Any:
    if not isinstance(value, dict):
        return value
    ((name, text),) = value.items()
    return next(read(text) for known, _, _, read in KINDS if known == name)
