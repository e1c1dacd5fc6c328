"""A library with readers and librarians, for the tests of permissions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from erlen import Erlen, Flask, request
from erlen.login import LoginManager, Permissions, UserMixin, granted, policy

ROLES = {
    "anonymous": {"book:view"},
    "authenticated": {"loan:list"},
    "reader": {"book:view", "loan:create"},
    "librarian": {"book:*", "loan:*"},
    "admin": {"*"},
}


@dataclass(eq=False)
class Person(UserMixin):
    """Somebody with roles; who is not active is not logged in."""

    id: str
    roles: list[str] = field(default_factory=list)
    active: bool = True

    @property
    def is_active(self) -> bool:
        return self.active


PEOPLE = {
    person.id: person
    for person in (
        Person("rita", ["reader"]),
        Person("rob", ["reader"]),
        Person("lena", ["librarian"]),
        Person("ada", ["admin"]),
        Person("nora"),
        Person("ivan", ["librarian"], active=False),
        Person("otto", ["retired"]),
    )
}


@dataclass
class Book:
    """A book of somebody's."""

    id: int
    owner: str
    is_draft: bool = False


@dataclass
class Atlas(Book):
    """A kind of book."""


@policy("book:edit", Book)
def may_edit(user: Person, book: Book) -> bool:
    """Whoever owns it, and librarians."""
    return book.owner == user.id or granted("book:edit")


@policy("book:view", Book, anonymous=True)
async def may_view(user: t.Any, book: Book) -> bool:
    """Everybody, but drafts are for their owners."""
    return not book.is_draft or book.owner == user.get_id()


@policy("book:edit", Atlas)
def may_edit_atlas(user: Person, atlas: Atlas) -> bool:
    """Nobody: they are printed."""
    return False


@policy("report:view")
def may_view_report(user: Person) -> bool:
    """Whoever is called so."""
    return user.id == "nora"


BOOKS = {
    1: Book(1, "rita"),
    2: Book(2, "rob", is_draft=True),
    3: Atlas(3, "rita"),
}


def find_book(book_id: int) -> Book | None:
    """Return a book."""
    return BOOKS.get(book_id)


def make_app(**config: t.Any) -> Flask:
    """Return an application whose users say who they are in a header."""
    app = Erlen(__name__)
    app.config.update(config)
    app.secret_key = "a key that is long enough"
    login = LoginManager[Person](app)

    @login.request_loader
    def load(_: t.Any) -> Person | None:
        return PEOPLE.get(request.headers.get("X-User", ""))

    Permissions[Person](app, ROLES)
    return app


def get(app: Flask, path: str, user: str = "", method: str = "GET", gateway: str = "wsgi") -> int:
    """Return the status of the answer to somebody's request."""
    headers = {"X-User": user} if user else {}
    client = app.test_client(gateway=gateway)
    return client.open(path, method=method, headers=headers).status_code
