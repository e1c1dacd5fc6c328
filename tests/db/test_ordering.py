"""Sorting a list by what a client asks for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.db.shop import Book
from werkzeug.exceptions import BadRequest

from erlen.db.ordering import order_by


def test_names_become_terms() -> None:
    """Names are separated by commas; a minus sorts down."""
    statement = sa.select(Book.id).order_by(*order_by("-year, title", Book.title, Book.year))
    assert str(statement).endswith("ORDER BY book.year DESC, book.title ASC")


@pytest.mark.parametrize("text", ["nothing", "", "title,", "id", "title desc", "title," * 1000])
def test_what_is_no_column_is_a_400(text: str) -> None:
    """The answer lists the names that there are."""
    with pytest.raises(BadRequest, match="The list can be sorted by: title, year"):
        order_by(text, Book.title, Book.year)
