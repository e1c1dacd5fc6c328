"""What sessions and logins add to a request, beside Flask-Login.

Each page is compared to the same one of an application without either, to which the same cookie is
sent. Two rows are for the login alone: they are compared to an application with sessions, and to a
page of it that reads a name from the session itself.
"""

from __future__ import annotations

import typing as t
from importlib import import_module

from benchmarks.content import SECRET_KEY
from benchmarks.environs import Request, send
from benchmarks.timing import Cost, contest, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Contestant, Effort

SHOWN = "session and login, user shown"
REQUIRED = "session and login, login required"
NOBODY = "session and login, nobody logged in"
BEYOND = "login alone, user shown"
UNTOUCHED = "login alone, user not asked for"
TITLES = (SHOWN, REQUIRED, NOBODY, BEYOND, UNTOUCHED)
#: How many times less is to be added than with Flask-Login.
GOALS = {SHOWN: 4.0, REQUIRED: 4.0, BEYOND: 4.0}
#: Where the logins of each framework come from.
PACKAGES = {"flask": "flask_login", "erlen": "erlen.login", "erlen-flask": "erlen.login"}


def measure_logins(frameworks: Iterable[Framework], effort: Effort) -> dict[str, dict[str, Cost]]:
    """Time what logins add to a request of each framework that has them.

    :returns: what each page cost more than the same page without logins, by the framework's name.
    """
    chosen = {item.name: Bench(item) for item in frameworks if item.name in PACKAGES}
    rows: dict[str, dict[str, Cost]] = {}
    for title in TITLES:
        contestants: dict[str, Contestant] = {}
        for name, bench in chosen.items():
            contestants[name], contestants[f"{name} without"] = bench.contestants(title)
        costs = contest(contestants, effort)
        rows[title] = {name: costs[name].without(costs[f"{name} without"]) for name in chosen}
    return rows


class Bench:
    """Two applications of a framework, one of them with logins.

    :param framework: the framework.
    """

    def __init__(self, framework: Framework) -> None:
        assert framework.api is not None
        self.module: t.Any = framework.api.module
        self.bare: t.Any
        self.without: t.Any
        self.app: t.Any
        self.package: t.Any = import_module(PACKAGES[framework.name])
        #: An application without either, one with sessions, and one with logins too.
        self.bare, self.without, self.app = (framework.api.app() for _ in range(3))
        for app in (self.bare, self.without, self.app):
            app.add_url_rule("/plain", view_func=plain)
            app.add_url_rule("/session", "session", self._show_session)
        self.without.secret_key = self.app.secret_key = SECRET_KEY
        self._add_logins()
        self.cookie = self._visit()

    def _show_session(self) -> str:
        name: str = self.module.session.get("name", "nobody")
        return name

    def _add_logins(self) -> None:
        package, session = self.package, self.module.session
        user = make_user(package.UserMixin)
        current_user = package.current_user

        def enter() -> str:
            session["name"] = user.name
            package.login_user(user)
            return ""

        def show() -> str:
            name: str = current_user.name if current_user.is_authenticated else "nobody"
            return name

        def show_required() -> str:
            name: str = current_user.name
            return name

        package.LoginManager(self.app).user_loader(lambda user_id: user)
        self.app.add_url_rule("/enter", "enter", enter)
        self.app.add_url_rule("/shown", "shown", show)
        self.app.add_url_rule("/required", "required", package.login_required(show_required))

    def _visit(self) -> str:
        """Return the cookie of somebody who is logged in, once the pages have been found right."""
        answer = send(self.app, Request("/enter"))
        cookie = (answer.header("Set-Cookie") or "").partition(";")[0]
        for path in ("/shown", "/required"):
            assert send(self.app, Request(path, cookie=cookie)).body == b"Ada"
        assert send(self.app, Request("/shown")).body == b"nobody"
        assert send(self.without, Request("/session", cookie=cookie)).body == b"Ada"
        return cookie

    def contestants(self, title: str) -> tuple[Contestant, Contestant]:
        """Return who asks for a page with logins, and who asks for the one to compare it to.

        :param title: what is measured.
        """
        cookie = None if title == NOBODY else self.cookie
        path = {REQUIRED: "/required", UNTOUCHED: "/plain"}.get(title, "/shown")
        app = self.without if title in (BEYOND, UNTOUCHED) else self.bare
        other = "/session" if title == BEYOND else "/plain"
        return (
            requests_to(self.app, Request(path, cookie=cookie)),
            requests_to(app, Request(other, cookie=cookie)),
        )


def plain() -> str:
    """Show a page without a user."""
    return "Ada"


def make_user(base: t.Any) -> t.Any:
    """Return a user.

    :param base: ``UserMixin`` of a framework.
    """

    class User(base):  # type: ignore[misc]
        id = 1
        name = "Ada"

    return User()
