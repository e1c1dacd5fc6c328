"""The people who borrow books, by their names, and those of them with an account."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .db import db, fold
from .exceptions import Refused
from .models import Account, Loan, Reader

#: So many readers may have the same name.
NAMESAKES = 1000


def find_named(name: str) -> Reader | None:
    """Return the reader of this name, in whatever case it is written, or None."""
    return db.session.scalar(sa.select(Reader).where(Reader.name_key == _key(name)))


def welcome(name: str) -> Reader:
    """Return the reader of this name; who is new becomes one."""
    reader = find_named(name)
    if reader is None:
        try:
            with db.transaction():
                reader = Reader(name=name, name_key=_key(name))
                db.session.add(reader)
        except IntegrityError:
            # Somebody else was welcomed under the same name just now.
            reader = find_named(name)
    assert reader is not None
    return reader


def reader_of(account: Account) -> Reader:
    """Return the reader that an account borrows as; before the first loan there is none.

    Whose name is taken gets a number: it must not be seen, when somebody registers, who else is
    here.
    """
    if account.reader is not None:
        return account.reader
    for number in range(1, NAMESAKES):
        name = account.name if number == 1 else f"{account.name} ({number})"
        try:
            with db.transaction():
                reader = Reader(name=name, name_key=_key(name))
                account.reader = reader
        except IntegrityError:
            db.session.refresh(account)
            if account.reader is not None:
                return account.reader
        else:
            return reader
    raise Refused("Too many readers have this name.")


def find_readers(limit: int, offset: int) -> list[tuple[Reader, Account | None, int]]:
    """Return readers by name, each with the account, if any, and the number of open loans."""
    open_loans = (
        sa.select(sa.func.count(Loan.id))
        .where(Loan.reader_id == Reader.id, Loan.returned_on.is_(None))
        .scalar_subquery()
    )
    query = (
        sa.select(Reader, Account, open_loans)
        .outerjoin(Account, Account.reader_id == Reader.id)
        .order_by(Reader.name_key)
        .limit(limit)
        .offset(offset)
    )
    return [(reader, account, loans) for reader, account, loans in db.session.execute(query)]


def count_readers() -> int:
    """Return how many readers there are."""
    return db.session.scalar(sa.select(sa.func.count(Reader.id))) or 0


def _key(name: str) -> str:
    return fold(name)[:200]
