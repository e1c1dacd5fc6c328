"""Lending: who has which book, and until when."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from .books import lock_book
from .db import LARGEST_ID, db
from .exceptions import Refused
from .models import Happening, Loan

STATES = ("open", "overdue", "returned", "all")


def find_loan(loan_id: int) -> Loan | None:
    """Return the loan with this id, or None."""
    return db.session.get(Loan, loan_id) if loan_id <= LARGEST_ID else None


def find_loans(
    state: str = "all",
    *,
    reader_id: int | None = None,
    book_id: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Loan]:
    """Return the loans in this state (see STATES): open ones by due date, then the latest."""
    returned = Loan.returned_on.is_not(None)
    query = (
        sa.select(Loan)
        .where(*_conditions(state, reader_id, book_id))
        .options(joinedload(Loan.book), joinedload(Loan.reader))
        .order_by(
            returned,
            sa.case((returned, None), else_=Loan.due_on),
            Loan.returned_on.desc(),
            Loan.id.desc(),
        )
        .limit(limit)
        .offset(offset)
    )
    return list(db.session.scalars(query))


def count_loans(
    state: str = "all", *, reader_id: int | None = None, book_id: int | None = None
) -> int:
    """Return how many loans are in this state."""
    query = sa.select(sa.func.count(Loan.id)).where(*_conditions(state, reader_id, book_id))
    return db.session.scalar(query) or 0


@db.transaction
def borrow(book_id: int, reader_id: int, days: int) -> Loan:
    """Lend a copy of the book for ``days`` days and return the loan, or refuse."""
    # Who comes second waits here, and then sees that the copy is gone.
    book = lock_book(book_id)
    if book is None or book.available < 1:
        raise Refused("No copy is left on the shelf.")
    today = date.today()
    loan = Loan(
        book_id=book_id,
        reader_id=reader_id,
        holder_id=reader_id,
        borrowed_on=today,
        due_on=today + timedelta(days=days),
    )
    try:
        with db.transaction():
            db.session.add(loan)
            db.session.add(Happening(loan=loan, is_return=False))
    except IntegrityError:
        raise Refused("This reader has a copy of the book already.") from None
    return loan


def give_back(loan: Loan) -> None:
    """End the loan today, if it is still open."""
    with db.transaction():
        ended = db.session.execute(
            sa.update(Loan)
            .where(Loan.id == loan.id, Loan.returned_on.is_(None))
            .values(returned_on=date.today(), holder_id=None)
        )
        if cast("sa.CursorResult[Any]", ended).rowcount:
            db.session.add(Happening(loan_id=loan.id, is_return=True))


def _conditions(
    state: str, reader_id: int | None, book_id: int | None
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what must be true of these loans."""
    if state in ("open", "overdue"):
        yield Loan.returned_on.is_(None)
    if state == "overdue":
        yield Loan.due_on < date.today()
    if state == "returned":
        yield Loan.returned_on.is_not(None)
    if reader_id is not None:
        yield Loan.reader_id == reader_id
    if book_id is not None:
        yield Loan.book_id == book_id
