"""The guard against N+1 queries."""

from __future__ import annotations

import asyncio
import inspect
import typing as t
import warnings

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload
from tests.db.shop import Author, Book, db, make_url, open_shop

from erlen import Flask, render_template_string
from erlen.db.nplusone import NPlusOneError, NPlusOneWarning

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlen import Erlen


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Erlen]:
    """A shop with three authors of two books each."""
    with open_shop(make_url("sqlite", "nplusone", tmp_path)) as app:
        with app.app_context(), db.transaction():
            for number in range(3):
                books = [Book(title=f"{number}a"), Book(title=f"{number}b")]
                db.session.add(Author(name=f"Author {number}", books=books))
        yield app


@pytest.fixture
def shop(app: Erlen) -> Iterator[None]:
    """A context of the shop."""
    with app.app_context():
        yield


def line() -> int:
    """Return the number of the line that calls this."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.mark.usefixtures("shop")
def test_a_loop_over_collections_is_noticed() -> None:
    """The warning names the attribute, both lines and what to add."""
    authors, query = db.session.scalars(sa.select(Author)).all(), line()
    with pytest.warns(NPlusOneWarning) as caught:
        counts, touch = [len(author.books) for author in authors], line()
    assert counts == [2, 2, 2]
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "Author.books" in message
    assert f"{__file__}:{query} " in message
    assert f"{__file__}:{touch} " in message
    assert ".options(selectinload(Author.books))" in message
    assert (caught[0].filename, caught[0].lineno) == (__file__, touch)


@pytest.mark.usefixtures("shop")
def test_a_loop_over_single_objects_is_noticed() -> None:
    """For what there is one of, a join is the way."""
    books = db.session.scalars(sa.select(Book)).all()
    with pytest.warns(NPlusOneWarning, match=r"joinedload\(Book\.author\)"):
        assert {book.author_id for book in books if book.author} == {1, 2, 3}


@pytest.mark.usefixtures("shop")
def test_what_the_message_says_helps() -> None:
    """With the option there is no warning, and no query for each object."""
    for option in (selectinload(Author.books), joinedload(Author.books)):
        for author in db.session.scalars(sa.select(Author).options(option)).unique():
            assert len(author.books) == 2
        db.session.expunge_all()


@pytest.mark.usefixtures("shop")
def test_single_loads_are_fine() -> None:
    """One object's attributes may be loaded when they are touched; so may those of several that
    were asked for one by one."""
    for number in (1, 2, 3):
        assert len(db.session.get_one(Author, number).books) == 2
    db.session.expunge_all()
    authors = db.session.scalars(sa.select(Author)).all()
    assert len(authors[0].books) == 2


@pytest.mark.usefixtures("shop")
def test_what_is_in_the_session_already_costs_nothing() -> None:
    """Where no query is needed there is no warning."""
    authors = db.session.scalars(sa.select(Author)).all()
    books = db.session.scalars(sa.select(Book)).all()
    assert {book.author for book in books} == set(authors)


@pytest.mark.usefixtures("shop")
def test_objects_of_objects_are_noticed() -> None:
    """Objects that were loaded with others are watched as those are."""
    books = db.session.scalars(sa.select(Book).options(joinedload(Book.author))).all()
    with pytest.warns(NPlusOneWarning, match=r"Author\.books"):
        assert {len(book.author.books) for book in books if book.author} == {2}


def test_it_can_raise(app: Erlen) -> None:
    """With ``"raise"`` the second load fails; in a test, ``forbid_n_plus_one`` does the same."""
    app.config["SQLALCHEMY_N_PLUS_ONE"] = "raise"
    with app.app_context():
        authors = db.session.scalars(sa.select(Author)).all()
        with pytest.raises(NPlusOneError, match=r"Author\.books"):
            [author.books for author in authors]
    app.config["SQLALCHEMY_N_PLUS_ONE"] = None
    with app.app_context(), db.forbid_n_plus_one():
        authors = db.session.scalars(sa.select(Author)).all()
        with pytest.raises(NPlusOneError):
            [author.books for author in authors]


def test_it_is_off_in_production_and_for_drop_ins(app: Erlen, tmp_path: Path) -> None:
    """The default of new projects is for debug mode and tests; old applications have none."""
    old = Flask("old")
    old.config.update(
        TESTING=True, SQLALCHEMY_DATABASE_URI=make_url("sqlite", "nplusone", tmp_path)
    )
    db.init_app(old)
    app.config["TESTING"] = False
    for other in (app, old):
        with other.app_context(), warnings.catch_warnings():
            warnings.simplefilter("error")
            authors = db.session.scalars(sa.select(Author)).all()
            assert [len(author.books) for author in authors] == [2, 2, 2]
            db.engine.dispose()
    app.config["DEBUG"] = True
    with app.app_context():
        authors = db.session.scalars(sa.select(Author)).all()
        with pytest.warns(NPlusOneWarning):
            [len(author.books) for author in authors]


def test_a_template_is_named_by_its_own_line(app: Erlen, tmp_path: Path) -> None:
    """The line is the template's, not that of the code that Jinja made of it."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "list.html").write_text("<ul>\n\n{% for a in authors %}\n{{ a.books }}\n{% endfor %}")
    app.jinja_loader.searchpath.append(str(folder))  # type: ignore[union-attr]

    @app.get("/")
    def index() -> str:
        authors = db.session.scalars(sa.select(Author)).all()
        return render_template_string("{% include 'list.html' %}", authors=authors)

    with pytest.warns(NPlusOneWarning, match=r"list\.html:4"):
        assert app.test_client().get("/").status_code == 200


@pytest.mark.usefixtures("shop")
def test_the_mode_must_be_known(app: Erlen) -> None:
    """A misspelled setting is an error that lists the right ones."""
    app.config["SQLALCHEMY_N_PLUS_ONE"] = "yes"
    with pytest.raises(ValueError, match="'auto', 'warn', 'raise'"):
        db.session.scalars(sa.select(Author)).all()


@pytest.mark.usefixtures("shop")
def test_asynchronous_sessions_are_watched() -> None:
    """A loop that loads in an asynchronous session is noticed as well."""

    def touch(session: t.Any) -> None:
        for author in session.scalars(sa.select(Author)).all():
            assert len(author.books) == 2

    async def work() -> None:
        await db.async_session().run_sync(touch)
        await db.async_session.remove()

    with pytest.warns(NPlusOneWarning, match=r"Author\.books"):
        asyncio.run(work())
