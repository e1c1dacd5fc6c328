"""The query class of ``Model.query``, SQLAlchemy's older interface, with answers for the web."""

from __future__ import annotations

import typing as t

from sqlalchemy import orm
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from erlen import abort

from .pagination import UNSET, Pagination, QueryPagination

T = t.TypeVar("T")


class Query(orm.Query[T]):
    """A query that can end the request with *404 Not Found* where there is nothing.

    It is what :attr:`Model.query` and relationships with ``lazy="dynamic"`` give. SQLAlchemy calls
    the interface legacy; new code has ``db.session.scalars(select(Book))``.
    """

    def get_or_404(self, ident: t.Any, description: str | None = None) -> T:
        """Return the row with a primary key, or answer the request with 404.

        :param ident: the primary key.
        :param description: what the error page says.
        """
        # SQLAlchemy's own `get` of a query warns that it is legacy.
        found = self.get(ident)
        if found is None:
            abort(404, description=description)
        return found

    def first_or_404(self, description: str | None = None) -> T:
        """Return the first row, or answer the request with 404 where there is none.

        :param description: what the error page says.
        """
        found = self.first()
        if found is None:
            abort(404, description=description)
        return found

    def one_or_404(self, description: str | None = None) -> T:
        """Return the only row, or answer the request with 404 where there is none, or more.

        :param description: what the error page says.
        """
        try:
            return self.one()
        except (NoResultFound, MultipleResultsFound):
            abort(404, description=description)

    def paginate(
        self,
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = UNSET,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination[T]:
        """Return one page of the rows; see :meth:`.SQLAlchemy.paginate` for the parameters.

        :param page: the number of the page.
        :param per_page: how many rows a page has.
        :param max_per_page: the largest *per_page*.
        :param error_out: answer with 404 what is no page.
        :param count: count all rows.
        """
        return QueryPagination(
            query=self,
            page=page,
            per_page=per_page,
            max_per_page=max_per_page,
            error_out=error_out,
            count=count,
        )
