"""Pages of a long list: ``LIMIT`` and ``OFFSET``, and the numbers that a page's links need."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import orm

from erlen import abort, has_request_context, request

if t.TYPE_CHECKING:
    from collections.abc import Iterator

T = t.TypeVar("T")

#: What ``per_page`` is, and how large the query of a URL may make it.
DEFAULT_SIZE = 20
LARGEST_SIZE = 100
# Stands for a limit that was not given.
UNSET: t.Any = object()
# The largest OFFSET of every database here; no list has as many rows.
_LARGEST_OFFSET = 2**63 - 1


class Pagination(t.Generic[T]):
    """One page of a list. :meth:`.SQLAlchemy.paginate` makes them; iterating gives the items.

    Subclasses say where items come from, in ``_query_items`` and ``_query_count``.

    :param page: the number of the page; by default what ``page`` is in the URL's query, or 1.
    :param per_page: how many items a page has; by default what ``per_page`` is in the URL's query,
        or 20.
    :param max_per_page: the largest *per_page*, ``None`` for any. By default what the URL says is
        limited to 100, and what the program says is not.
    :param error_out: answer the request with 404 where the page has no items and is not the
        first, and for numbers that are none or below 1.
    :param count: count all items, with a query of its own.
    :param kwargs: what the subclass needs to make its queries.
    """

    #: The number of this page.
    page: int
    #: How many items a page has at most.
    per_page: int
    #: The largest :attr:`per_page`.
    max_per_page: int | None
    #: The items of this page.
    items: list[T]
    #: How many items there are on all pages; ``None`` where they were not counted.
    total: int | None

    def __init__(
        self,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = UNSET,
        error_out: bool = True,
        count: bool = True,
        **kwargs: t.Any,
    ) -> None:
        self._query_args = kwargs
        self._given_limit = max_per_page
        self.page, self.per_page, self.max_per_page = _read_numbers(
            page, per_page, max_per_page, error_out
        )
        self.items = self._query_items() if self._query_offset <= _LARGEST_OFFSET else []
        if error_out and not self.items and self.page != 1:
            abort(404)
        self.total = self._query_count() if count else None

    @property
    def _query_offset(self) -> int:
        """How many items come before this page."""
        return (self.page - 1) * self.per_page

    def _query_items(self) -> list[T]:
        """Return the items of this page."""
        raise NotImplementedError

    def _query_count(self) -> int:
        """Return how many items there are on all pages."""
        raise NotImplementedError

    @property
    def first(self) -> int:
        """The number of the first item on this page, from 1; 0 where the page is empty."""
        return self._query_offset + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The number of the last item on this page; 0 where the page is empty."""
        return self._query_offset + len(self.items) if self.items else 0

    @property
    def pages(self) -> int:
        """How many pages there are; 0 where items were not counted."""
        return -(-self.total // self.per_page) if self.total else 0

    @property
    def has_prev(self) -> bool:
        """Whether there is a page before this one."""
        return self.page > 1

    @property
    def prev_num(self) -> int | None:
        """The number of the page before this one."""
        return self.page - 1 if self.has_prev else None

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one; ``False`` where items were not counted."""
        return self.page < self.pages

    @property
    def next_num(self) -> int | None:
        """The number of the page after this one."""
        return self.page + 1 if self.has_next else None

    def prev(self, *, error_out: bool = False) -> Pagination[T]:
        """Query the page before this one. The total is taken over.

        :param error_out: answer with 404 where there is none.
        """
        return self._turn_to(self.page - 1, error_out)

    def next(self, *, error_out: bool = False) -> Pagination[T]:
        """Query the page after this one. The total is taken over.

        :param error_out: answer with 404 where there is none.
        """
        return self._turn_to(self.page + 1, error_out)

    def _turn_to(self, page: int, error_out: bool) -> Pagination[T]:
        turned = type(self)(
            page=page,
            per_page=self.per_page,
            max_per_page=self._given_limit,
            error_out=error_out,
            count=False,
            **self._query_args,
        )
        turned.total = self.total
        return turned

    def iter_pages(
        self,
        *,
        left_edge: int = 2,
        left_current: int = 2,
        right_current: int = 4,
        right_edge: int = 2,
    ) -> Iterator[int | None]:
        """Yield the numbers of pages to link to, with ``None`` where some are left out.

        For page 7 of 20: ``1, 2, None, 5, 6, 7, 8, 9, 10, 11, None, 19, 20``.

        :param left_edge: how many pages at the beginning.
        :param left_current: how many before this one.
        :param right_current: how many after this one.
        :param right_edge: how many at the end.
        """
        end = self.pages + 1
        done = min(1 + left_edge, end)
        yield from range(1, done)
        for start, stop in (
            (self.page - left_current, self.page + right_current + 1),
            (end - right_edge, end),
        ):
            if done >= end:
                return
            start = max(start, done)
            if start > done:
                yield None
            done = max(done, min(stop, end))
            yield from range(start, done)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)


class SelectPagination(Pagination[T]):
    """What :meth:`.SQLAlchemy.paginate` returns: a page of a ``select()``, in a session."""

    def _query_items(self) -> list[T]:
        statement = self._query_args["select"].limit(self.per_page).offset(self._query_offset)
        rows: t.Any = self._query_args["session"].execute(statement)
        items: list[T] = rows.unique().scalars().all()
        return items

    def _query_count(self) -> int:
        total: int = self._query_args["session"].scalar(make_count(self._query_args["select"]))
        return total


class QueryPagination(Pagination[T]):
    """What :meth:`.Query.paginate` returns: a page of a query."""

    def _query_items(self) -> list[T]:
        query = self._query_args["query"]
        items: list[T] = query.limit(self.per_page).offset(self._query_offset).all()
        return items

    def _query_count(self) -> int:
        total: int = self._query_args["query"].order_by(None).count()
        return total


# What a statement may have for its rows to be counted without a subquery: anything else, such as
# DISTINCT, GROUP BY, LIMIT or a loader option, is an attribute with another name.
_PLAIN = frozenset(
    {
        *("_raw_columns", "_from_obj", "_setup_joins", "_where_criteria", "_order_by_clauses"),
        *("_propagate_attrs", "_label_style"),
        # What SQLAlchemy notes on a statement that is used again.
        *("_compile_options", "_generate_cache_key", "_memoized_keys", "dialect_options"),
    }
)


def make_count(statement: sa.Select[t.Any]) -> sa.Select[t.Any]:
    """Return the statement that counts the rows of another one.

    :param statement: what to count the rows of.
    """
    if _selects_rows(statement):
        # PERF: databases and SQLAlchemy both take longer for a subquery with all columns.
        count = statement.with_only_columns(sa.func.count(), maintain_column_froms=True)
        return count.order_by(None)
    inner = statement.options(orm.lazyload("*")).order_by(None).subquery()
    return sa.select(sa.func.count()).select_from(inner)


def _selects_rows(statement: t.Any) -> bool:
    """Return whether a statement selects one model, as the rows are."""
    columns = statement._raw_columns
    return (
        len(columns) == 1
        and not isinstance(columns[0], sa.ColumnElement)
        and vars(statement).keys() <= _PLAIN
    )


def _read_numbers(
    page: int | None, per_page: int | None, max_per_page: int | None, error_out: bool
) -> tuple[int, int, int | None]:
    """Return the page's number, its size and the limit of sizes, all of them valid."""
    limit = LARGEST_SIZE if max_per_page is UNSET else max_per_page
    asked = per_page is None
    if has_request_context():
        if page is None:
            page = _read_query("page", 1, error_out)
        if per_page is None:
            per_page = _read_query("per_page", DEFAULT_SIZE, error_out)
    page = _check(1 if page is None else page, 1, error_out)
    per_page = DEFAULT_SIZE if per_page is None else per_page
    if limit is not None and (asked or max_per_page is not UNSET):
        per_page = min(per_page, limit)
    return page, _check(per_page, DEFAULT_SIZE, error_out), limit


def _read_query(name: str, default: int, error_out: bool) -> int:
    """Return a number from the URL's query."""
    try:
        return int(request.args.get(name, default))
    except ValueError:
        if error_out:
            abort(404)
        return default


def _check(number: int, default: int, error_out: bool) -> int:
    """Return a number that is 1 or more."""
    if number >= 1:
        return number
    if error_out:
        abort(404)
    return default
