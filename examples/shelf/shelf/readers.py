"""The people who borrow books. They are known by name; passwords come with the login battery."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .db import db, fold
from .models import Reader


def find_reader(reader_id: int) -> Reader | None:
    """Return the reader with this id, or None."""
    return db.session.get(Reader, reader_id)


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


def _key(name: str) -> str:
    return fold(name)[:200]
