"""Sorting a list by what a client asks for."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import BadRequest

if t.TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.sql.elements import UnaryExpression

__all__ = ["order_by"]

#: More terms than that no list is sorted by.
MOST_TERMS = 8


def order_by(text: str, *attributes: InstrumentedAttribute[t.Any]) -> list[UnaryExpression[t.Any]]:
    """Return what to sort by, from text such as ``"-year,title"``.

    :param text: names of attributes, separated by commas; a ``-`` before one sorts it from the
        largest to the smallest.
    :param attributes: those that clients may sort by.
    :raises BadRequest: where a name is none of these; the message lists them.

    .. code-block:: python

        order = order_by(request.args.get("sort", "title"), Book.title, Book.year)
        books = db.paginate(db.select(Book).order_by(*order))
    """
    known = {attribute.key: attribute for attribute in attributes}
    terms = []
    for name in text.split(",", MOST_TERMS):
        attribute = known.get(name.strip().removeprefix("-"))
        if attribute is None:
            raise BadRequest(f"The list can be sorted by: {', '.join(known)}.")
        terms.append(attribute.desc() if name.strip().startswith("-") else attribute.asc())
    return terms
