"""Lending: who has which book, and until when."""

import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta

from .db import LARGEST_ID
from .exceptions import Refused

STATES = {
    "open": "returned_on IS NULL",
    "overdue": "returned_on IS NULL AND due_on < :today",
    "returned": "returned_on IS NOT NULL",
    "all": "TRUE",
}

FROM = """
    FROM loans
    JOIN books ON books.id = book_id
    JOIN readers ON readers.id = reader_id
"""

SELECT = f"""
    SELECT loans.id, book_id, title, author, reader_id, name AS reader,
        borrowed_on, due_on, returned_on
    {FROM}
"""

# One statement looks whether a copy is left and takes it, so two readers cannot both get the last.
BORROW = """
    INSERT INTO loans (book_id, reader_id, borrowed_on, due_on)
    SELECT id, :reader_id, :borrowed_on, :due_on FROM books
    WHERE id = :book_id
    AND copies > (SELECT count(*) FROM loans WHERE book_id = :book_id AND returned_on IS NULL)
"""


@dataclass(frozen=True)
class Loan:
    """A copy of a book in a reader's hands, now or in the past."""

    id: int
    book_id: int
    title: str
    author: str
    reader_id: int
    reader: str
    borrowed_on: date
    due_on: date
    returned_on: date | None

    @property
    def overdue(self) -> bool:
        """Whether the book should have been back before today."""
        return self.returned_on is None and self.due_on < date.today()


def find_loan(db: sqlite3.Connection, loan_id: int) -> Loan | None:
    """Return the loan with this id, or None."""
    if loan_id > LARGEST_ID:
        return None
    row = db.execute(f"{SELECT} WHERE loans.id = ?", (loan_id,)).fetchone()
    return _loan(row) if row else None


def find_loans(
    db: sqlite3.Connection,
    state: str = "all",
    *,
    reader_id: int | None = None,
    book_id: int | None = None,
    limit: int = -1,
    offset: int = 0,
) -> list[Loan]:
    """Return the loans in this state (see STATES): open ones by due date, then the latest."""
    condition, values = _condition(state, reader_id, book_id)
    rows = db.execute(
        f"""{SELECT} WHERE {condition}
        ORDER BY returned_on IS NOT NULL, CASE WHEN returned_on IS NULL THEN due_on END,
            returned_on DESC, loans.id DESC
        LIMIT :limit OFFSET :offset""",
        {**values, "limit": limit, "offset": offset},
    )
    return [_loan(row) for row in rows]


def count_loans(
    db: sqlite3.Connection,
    state: str = "all",
    *,
    reader_id: int | None = None,
    book_id: int | None = None,
) -> int:
    """Return how many loans are in this state."""
    condition, values = _condition(state, reader_id, book_id)
    count: int = db.execute(f"SELECT count(*) {FROM} WHERE {condition}", values).fetchone()[0]
    return count


def borrow(db: sqlite3.Connection, book_id: int, reader_id: int, days: int) -> int:
    """Lend a copy of the book for ``days`` days and return the loan's id, or refuse."""
    today = date.today()
    values = {
        "book_id": book_id,
        "reader_id": reader_id,
        "borrowed_on": today.isoformat(),
        "due_on": (today + timedelta(days=days)).isoformat(),
    }
    try:
        cursor = db.execute(BORROW, values)
    except sqlite3.IntegrityError:
        raise Refused("This reader has a copy of the book already.") from None
    if cursor.rowcount == 0 or cursor.lastrowid is None:
        raise Refused("No copy is left on the shelf.")
    return cursor.lastrowid


def give_back(db: sqlite3.Connection, loan_id: int) -> None:
    """End the loan today, if it is still open."""
    db.execute(
        "UPDATE loans SET returned_on = ? WHERE id = ? AND returned_on IS NULL",
        (date.today().isoformat(), loan_id),
    )


def _condition(
    state: str, reader_id: int | None, book_id: int | None
) -> tuple[str, dict[str, str | int | None]]:
    """Return the WHERE clause for these loans with the values of its parameters."""
    terms = [STATES[state]]
    if reader_id is not None:
        terms.append("reader_id = :reader_id")
    if book_id is not None:
        terms.append("book_id = :book_id")
    today = date.today().isoformat()
    return " AND ".join(terms), {"today": today, "reader_id": reader_id, "book_id": book_id}


def _loan(row: sqlite3.Row) -> Loan:
    values = dict(row)
    for name in ("borrowed_on", "due_on", "returned_on"):
        values[name] = values[name] and date.fromisoformat(values[name])
    return Loan(**values)
