"""What happens in the library: who borrows and returns what, as it happens."""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from .db import LARGEST_ID, db
from .models import Happening, Loan


def find_happenings(after: int = 0, limit: int = 20) -> list[Happening]:
    """Return the latest that happened after the one with this id, the oldest of them first."""
    query = (
        sa.select(Happening)
        .where(Happening.id > min(after, LARGEST_ID))
        .options(joinedload(Happening.loan).options(joinedload(Loan.book), joinedload(Loan.reader)))
        .order_by(Happening.id.desc())
        .limit(limit)
    )
    return list(db.session.scalars(query))[::-1]


def watch(after: int, seconds: float, pause: float = 1.0) -> Iterator[Happening | None]:
    """Yield what happens from now on, for some seconds; None where nothing does for a moment.

    It asks the database, so that it sees what other processes do.

    :param after: the id of the last that is known already.
    :param pause: the seconds between two questions.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        happenings = find_happenings(after)
        for happening in happenings:
            after = happening.id
            yield happening
        # Who waits holds no connection, and sees what is new.
        db.session.close()
        if not happenings:
            yield None
            time.sleep(pause)
