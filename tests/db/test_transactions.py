"""``db.transaction``: whole or not at all, savepoints, and a second try."""

from __future__ import annotations

import asyncio
import threading
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from tests.db.shop import DATABASES, Book, db, make_url, open_shop
from tests.db.test_asynchronous import ask

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Erlen]:
    """A shop on one of the databases."""
    with open_shop(make_url(request.param, "transactions", tmp_path)) as app:
        yield app


@pytest.fixture
def shop(app: Erlen) -> Iterator[None]:
    """A context of the shop."""
    with app.app_context():
        yield


def titles() -> list[str]:
    """Return the titles that others see."""
    with db.engine.connect() as connection:
        return list(connection.scalars(sa.select(Book.title).order_by(Book.id)))


@pytest.mark.usefixtures("shop")
def test_a_block_is_committed() -> None:
    """What a block added is there at its end."""
    with db.transaction() as session:
        session.add(Book(title="Emma"))
        db.session.add(Book(title="Persuasion"))
    assert titles() == ["Emma", "Persuasion"]


@pytest.mark.usefixtures("shop")
def test_an_exception_undoes_the_block() -> None:
    """Nothing of a block that raised stays, and the session goes on."""

    def fail() -> None:
        with db.transaction():
            db.session.add(Book(title="Emma"))
            db.session.flush()
            1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert db.session.scalars(sa.select(Book)).all() == []
    with db.transaction():
        db.session.add(Book(title="Persuasion"))
    assert titles() == ["Persuasion"]


@pytest.mark.usefixtures("shop")
def test_a_block_in_a_block_is_a_savepoint() -> None:
    """An exception in the inner block undoes that one only."""

    def fail() -> None:
        with db.transaction():
            db.session.add(Book(title="Sanditon"))
            db.session.execute(sa.insert(Book).values(id=1, title="Emma again"))

    with db.transaction():
        db.session.add(Book(id=1, title="Emma"))
        with pytest.raises(IntegrityError):
            fail()
        with db.transaction():
            db.session.add(Book(title="Persuasion"))
    assert titles() == ["Emma", "Persuasion"]


@pytest.mark.usefixtures("shop")
def test_the_outer_block_undoes_inner_ones() -> None:
    """An inner block that ended well is undone with the outer one."""

    def fail() -> None:
        with db.transaction():
            with db.transaction():
                db.session.add(Book(title="Emma"))
            1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert titles() == []


@pytest.mark.usefixtures("shop")
def test_what_was_read_before_is_read_anew() -> None:
    """A block sees the present state of an object that was loaded before it."""
    with db.transaction():
        db.session.add(Book(id=1, title="Emma", price=1))
    book = db.session.get_one(Book, 1)
    assert book.price == 1
    with db.engine.begin() as connection:
        connection.execute(sa.update(Book).values(price=2))
    with db.transaction():
        assert book.price == 2


@pytest.mark.usefixtures("shop")
def test_work_from_before_belongs_to_the_block() -> None:
    """What was flushed before a block is committed, or undone, with it."""
    db.session.add(Book(title="Emma"))
    db.session.flush()
    with pytest.raises(ZeroDivisionError), db.transaction():
        1 / 0
    assert titles() == []
    db.session.add(Book(title="Emma"))
    db.session.flush()
    with db.transaction():
        pass
    assert titles() == ["Emma"]


@pytest.mark.usefixtures("shop")
def test_a_block_in_a_transaction_of_sqlalchemy_is_a_savepoint() -> None:
    """``session.begin()`` outside keeps the last word."""
    with db.session.begin():
        with db.transaction():
            db.session.add(Book(title="Emma"))
        db.session.rollback()
    assert titles() == []


@pytest.mark.usefixtures("shop")
def test_a_commit_inside_is_an_error() -> None:
    """Half of a block cannot be committed by accident."""

    def commit() -> None:
        with db.transaction():
            db.session.commit()
            db.session.add(Book(title="Emma"))
            db.session.flush()

    with pytest.raises(sa.exc.InvalidRequestError, match="closed transaction"):
        commit()
    assert titles() == []


class Conflict:
    """Raises what a database says of a deadlock, a number of times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise OperationalError("UPDATE book", {}, Exception(1213, "Deadlock found"))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlen.db.transactions.FIRST_PAUSE", 0.001)


@pytest.mark.usefixtures("shop")
def test_a_function_is_called_again_after_a_conflict() -> None:
    """A decorated function runs until it gets through, each time from the beginning."""
    conflict = Conflict(2)

    @db.transaction
    def buy(title: str) -> str:
        db.session.add(Book(title=title))
        db.session.flush()
        conflict()
        return title

    assert buy("Emma") == "Emma"
    assert conflict.calls == 3
    assert titles() == ["Emma"]


@pytest.mark.usefixtures("shop")
def test_the_number_of_attempts_is_bounded() -> None:
    """The error of the last attempt is raised."""
    conflict = Conflict(10)
    with pytest.raises(OperationalError, match="Deadlock"):
        db.transaction(attempts=4)(conflict)()
    assert conflict.calls == 4


@pytest.mark.usefixtures("shop")
def test_other_errors_are_not_tried_again() -> None:
    """A constraint that does not hold will not hold the next time either."""
    calls = []

    @db.transaction
    def buy() -> None:
        calls.append(1)
        db.session.execute(sa.insert(Book).values(title=None))

    with pytest.raises(IntegrityError):
        buy()
    assert calls == [1]


@pytest.mark.usefixtures("shop")
def test_an_inner_function_leaves_the_second_try_to_the_outer_one() -> None:
    """A deadlock undoes the whole transaction, so all of it is done again."""
    conflict, calls = Conflict(1), []

    @db.transaction
    def outer() -> None:
        calls.append(1)
        db.session.add(Book(title="Emma"))
        db.transaction(conflict)()

    outer()
    assert (len(calls), conflict.calls, titles()) == (2, 2, ["Emma"])


@pytest.mark.usefixtures("shop")
def test_no_second_try_where_earlier_work_would_be_lost() -> None:
    """What was flushed before the function was called cannot be done again by it."""
    conflict = Conflict(1)
    db.session.add(Book(title="Emma"))
    db.session.flush()
    with pytest.raises(OperationalError):
        db.transaction.run(conflict)
    assert conflict.calls == 1


@pytest.mark.usefixtures("shop")
def test_run_passes_arguments_and_results() -> None:
    """``run`` calls a function without decorating it."""

    def add(title: str, *, year: int) -> int:
        db.session.add(book := Book(title=title, year=year))
        db.session.flush()
        return book.id

    assert db.transaction.run(add, "Emma", year=1815) == 1
    assert titles() == ["Emma"]


@pytest.mark.usefixtures("shop")
def test_attempts_must_be_one_at_least() -> None:
    """A function that is never called has no result."""
    with pytest.raises(ValueError, match="at least once"):
        db.transaction(attempts=0)


@pytest.mark.usefixtures("shop")
def test_a_savepoint_has_no_isolation_level_of_its_own() -> None:
    """The level is set where the transaction begins."""
    with (
        db.transaction(),
        pytest.raises(ValueError, match="outermost"),
        db.transaction(isolation_level="SERIALIZABLE"),
    ):
        pass  # pragma: no cover


@pytest.mark.usefixtures("shop")
def test_an_isolation_level_lasts_for_its_transaction() -> None:
    """The next transaction has the usual one again."""
    usual = db.session.connection().get_isolation_level()
    with db.transaction(isolation_level="SERIALIZABLE"):
        assert db.session.connection().get_isolation_level() == "SERIALIZABLE"
        db.session.add(Book(title="Emma"))
    assert db.session.connection().get_isolation_level() == usual
    assert titles() == ["Emma"]


def _meet(app: Erlen, work: t.Callable[[int], object], count: int) -> list[BaseException | None]:
    """Run a function in several threads, each in a context of its own; return what it raised."""
    errors: list[BaseException | None] = [None] * count

    def run(number: int) -> None:
        try:
            with app.app_context():
                work(number)
        except BaseException as error:
            errors[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_a_real_deadlock_is_got_over(app: Erlen) -> None:
    """Two functions that lock two rows in opposite order both get through."""
    with app.app_context(), db.transaction():
        db.session.add_all([Book(id=1, title="Emma", price=0), Book(id=2, title="P", price=0)])
    barrier = threading.Barrier(2)
    calls = []

    @db.transaction(attempts=10)
    def change(first: int, second: int) -> None:
        calls.append(first)
        _raise_price(first)
        if len(calls) <= 2 and app.config["SQLALCHEMY_DATABASE_URI"][:6] != "sqlite":
            barrier.wait(30)
        _raise_price(second)

    errors = _meet(app, lambda number: change(*((1, 2), (2, 1))[number]), 2)
    assert errors == [None, None]
    with app.app_context():
        assert [book.price for book in db.session.scalars(sa.select(Book))] == [2, 2]
    assert len(calls) == (2 if "sqlite" in app.config["SQLALCHEMY_DATABASE_URI"] else 3)


def _raise_price(number: int) -> None:
    db.session.execute(sa.update(Book).where(Book.id == number).values(price=Book.price + 1))


def test_serialisation_failures_are_got_over(app: Erlen) -> None:
    """Counters that are read and written in serialisable transactions lose no step."""
    with app.app_context(), db.transaction():
        db.session.add(Book(id=1, title="Emma", price=0))

    @db.transaction(attempts=50, isolation_level="SERIALIZABLE")
    def count() -> None:
        book = db.session.get_one(Book, 1)
        book.price = (book.price or 0) + 1

    assert _meet(app, lambda number: count(), 6) == [None] * 6
    with app.app_context():
        assert db.session.get_one(Book, 1).price == 6


def test_readers_become_writers_without_an_error_on_sqlite(tmp_path: Path) -> None:
    """What a block reads stays true until it writes, and others wait."""
    with open_shop(make_url("sqlite", "counter", tmp_path)) as app:
        with app.app_context(), db.transaction():
            db.session.add(Book(id=1, title="Emma", price=0))

        def count(number: int) -> None:
            db.session.get_one(Book, 1)
            with db.transaction():
                book = db.session.get_one(Book, 1)
                book.price = (book.price or 0) + 1

        assert _meet(app, count, 8) == [None] * 8
        with app.app_context():
            assert db.session.get_one(Book, 1).price == 8


@pytest.mark.parametrize("kind", DATABASES)
def test_asynchronous_transactions(kind: str, tmp_path: Path) -> None:
    """The same holds for asynchronous code: whole blocks, savepoints, a second try."""
    calls = []

    @db.transaction
    async def buy(title: str) -> str:
        calls.append(title)
        db.async_session.add(Book(title=title))
        await db.async_session.flush()
        if len(calls) == 1:
            raise OperationalError("UPDATE book", {}, Exception(1213, "Deadlock found"))
        return title

    async def fail_inside() -> None:
        async with db.transaction() as session:
            session.add(Book(title="Sanditon"))
            await session.execute(sa.insert(Book).values(id=100, title="Again"))

    async def fail() -> None:
        async with db.transaction() as session:
            session.add(Book(title="Lady Susan"))
            await session.flush()
            1 / 0

    async def work() -> None:
        async with db.transaction() as session:
            session.add(Book(id=100, title="Emma"))
            with pytest.raises(IntegrityError):
                await fail_inside()
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await buy("Persuasion") == "Persuasion"
        assert await db.transaction.run(buy, "Evelina") == "Evelina"
        with pytest.raises(TypeError, match="async with"), db.transaction(session=session):
            pass  # pragma: no cover
        with pytest.raises(TypeError, match="'with'"):
            async with db.transaction(session=db.session):
                pass  # pragma: no cover

    with open_shop(make_url(kind, "transactions", tmp_path)) as app, app.app_context():
        with asyncio.Runner() as runner:
            runner.run(work())
            runner.run(db.async_session.remove())
        assert set(titles()) == {"Emma", "Persuasion", "Evelina"}


def test_a_cancelled_transaction_is_rolled_back(tmp_path: Path) -> None:
    """A task that is cancelled within a block leaves nothing, and gives its connection back."""

    async def work() -> int:
        async def write(ready: asyncio.Event) -> None:
            async with db.transaction() as session:
                session.add(Book(title="Emma"))
                await session.flush()
                ready.set()
                await asyncio.Event().wait()

        ready = asyncio.Event()
        task = asyncio.create_task(write(ready))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count: int = db.async_engine.pool.checkedout()  # type: ignore[attr-defined]
        await db.async_session.remove()
        return count

    with open_shop(make_url("sqlite", "transactions", tmp_path)) as app, app.app_context():
        with asyncio.Runner() as runner:
            assert runner.run(work()) == 0
        assert titles() == []


@pytest.mark.parametrize("kind", DATABASES)
def test_transactions_in_cooperative_views(kind: str, tmp_path: Path) -> None:
    """On an event loop the same blocks and decorators use the asynchronous driver."""
    conflict = Conflict(1)

    with open_shop(make_url(kind, "transactions", tmp_path)) as app:

        @app.get("/", cooperative=True)
        @db.transaction
        def index() -> str:
            with db.transaction():
                db.session.add(Book(title="Emma"))
            conflict()
            return str(db.session.get_bind().dialect.is_async)

        assert ask(app, "/") == "True"
        with app.app_context():
            assert titles() == ["Emma"]
    assert conflict.calls == 2
