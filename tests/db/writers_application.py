"""The application that ``test_writers.py`` runs in a server."""

from __future__ import annotations

import os
import typing as t

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from erlen import Erlen, request
from erlen.db import Model, SQLAlchemy


class Base(Model):
    """A set of models of its own."""

    __abstract__ = True
    metadata = sa.MetaData()


class Entry(Base):
    """What a client asked to keep."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


db = SQLAlchemy(model_class=Base)
app = Erlen(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['TEST_NOTES']}.db"
db.init_app(app)
with app.app_context():
    # Each worker does this, on a new file, at the same time.
    db.session.execute(sa.text("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, name)"))
    db.session.commit()


@app.get("/")
def index() -> str:
    """Say which process answers, and how many entries there are."""
    return f"{os.getpid()} {db.session.scalar(sa.select(sa.func.count(Entry.id)))}"


@app.post("/entries")
def add() -> t.Any:
    """Read, then write: what SQLite refuses where another one writes in between."""
    before = db.session.scalar(sa.select(sa.func.max(Entry.id)))
    db.session.add(Entry(name=request.form["name"]))
    db.session.commit()
    return {"before": before, "pid": os.getpid()}, 201
