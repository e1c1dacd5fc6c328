"""What ``db.session`` adds to a request beyond SQLAlchemy itself, beside Flask-SQLAlchemy.

Each framework answers three requests twice: with ``db.session``, and with a plain SQLAlchemy
session that the view opens and closes on the same engine. The difference is what the extension
costs.
"""

from __future__ import annotations

import gc
import typing as t
from dataclasses import dataclass
from importlib import import_module
from statistics import median

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

from benchmarks.environs import Request
from benchmarks.timing import Cost, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Contestant, Effort

#: Who takes part: class ``Flask`` and class ``Erlen``, which has other engines, and the real Flask.
CONTESTANTS = ("erlen-flask", "erlen", "flask")
ROWS = 1_000
#: How many requests make up a moment, and how many pairs of such moments a round.
COUNT = 15
PAIRS = 6
#: At most a third of what Flask-SQLAlchemy adds.
GOAL = 3.0


@dataclass(frozen=True)
class Operation:
    """What a view does.

    :param title: what the report calls it.
    :param request: the request.
    :param extended: does it with the extension.
    :param bare: does it with a plain session.
    """

    title: str
    request: Request
    extended: Callable[[t.Any, t.Any], str]
    bare: Callable[[orm.Session, t.Any], str]


def _get(db: t.Any, book: t.Any) -> str:
    return str(db.session.get(book, 500).title)


def _get_bare(session: orm.Session, book: t.Any) -> str:
    return str(session.get_one(book, 500).title)


def _page(db: t.Any, book: t.Any) -> str:
    page = db.paginate(sa.select(book).order_by(book.id), page=3, per_page=20)
    return f"{page.items[-1].title} {page.total}"


def _page_bare(session: orm.Session, book: t.Any) -> str:
    books = session.scalars(sa.select(book).order_by(book.id).limit(20).offset(40)).all()
    total = session.scalar(sa.select(sa.func.count()).select_from(book))
    return f"{books[-1].title} {total}"


def _insert(db: t.Any, book: t.Any) -> str:
    db.session.add(book(title="Emma"))
    db.session.commit()
    return "done"


def _insert_bare(session: orm.Session, book: t.Any) -> str:
    session.add(book(title="Emma"))
    session.commit()
    return "done"


OPERATIONS = (
    Operation("one row by primary key", Request(), _get, _get_bare),
    Operation("a page of 20 with count", Request(), _page, _page_bare),
    Operation("an insert", Request(), _insert, _insert_bare),
)


def measure_databases(frameworks: list[Framework], effort: Effort) -> dict[str, dict[str, Cost]]:
    """Return, for each operation, what each framework's extension adds to a request."""
    chosen = [item for item in frameworks if item.name in CONTESTANTS]
    return {operation.title: _measure(operation, chosen, effort) for operation in OPERATIONS}


def _measure(operation: Operation, frameworks: list[Framework], effort: Effort) -> dict[str, Cost]:
    pairs = {
        item.name: [
            requests_to(_make_app(item, operation, extended=extended), operation.request)
            for extended in (True, False)
        ]
        for item in frameworks
    }
    for pair in pairs.values():
        for run in pair:
            run(COUNT)
    gc.collect()
    added: dict[str, list[float]] = {name: [] for name in pairs}
    for number in range(effort.rounds * PAIRS):
        for name, pair in pairs.items():
            added[name].append(_compare(pair, swapped=number % 2 == 1))
    return {name: _summarize(values) for name, values in added.items()}


def _compare(pair: list[Contestant], *, swapped: bool) -> float:
    """Return how many microseconds the first of two takes longer than the second.

    What is looked for is a twentieth of either, and less than what a busy machine adds. So each is
    run for a moment only, right after the other, which of them comes first in turns.
    """
    if swapped:
        without, with_extension = pair[1](COUNT), pair[0](COUNT)
    else:
        with_extension, without = pair[0](COUNT), pair[1](COUNT)
    return (with_extension - without) / COUNT * 1e6


def _summarize(values: list[float]) -> Cost:
    middle = median(values)
    return Cost(middle, middle)


def _make_app(framework: Framework, operation: Operation, *, extended: bool) -> t.Any:
    """Return an application whose only view does an operation."""
    api: t.Any = framework.api
    real = framework.name == "flask"
    extension = import_module("flask_sqlalchemy" if real else "erlen.db")

    class Base(orm.DeclarativeBase):
        pass

    db = extension.SQLAlchemy(model_class=Base)

    class Book(db.Model):  # type: ignore[misc,name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]

    app = api.app()
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db.init_app(app)
    with app.app_context():
        db.create_all()
        db.session.add_all(Book(title=str(number)) for number in range(ROWS))
        db.session.commit()
        engine = db.engine

    def with_extension() -> str:
        return operation.extended(db, Book)

    def without() -> str:
        with orm.Session(engine) as session:
            return operation.bare(session, Book)

    app.add_url_rule("/", view_func=with_extension if extended else without, endpoint="index")
    return app
