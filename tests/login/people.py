"""An application whose visitors log in, for the tests."""

from __future__ import annotations

import typing as t

from erlen import Erlen, request, session
from erlen.login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from erlen import Flask
    from erlen.testing import FlaskClient

KEY = "a key that is long enough"


class Person(UserMixin):
    """Somebody with a name and a password."""

    def __init__(self, id: str, name: str, password: str | None = None) -> None:
        self.id = id
        self.name = name
        self.password = password

    def get_session_stamp(self) -> str | None:
        return self.password


class People(dict[str, Person]):
    """The users, and how often one of them was looked for."""

    looks = 0

    def find(self, user_id: str) -> Person | None:
        self.looks += 1
        return self.get(user_id)


def make_people() -> People:
    people = People()
    for id, name, password in (("1", "Ada", None), ("2", "Bob", None), ("3", "Cy", "first")):
        people[id] = Person(id, name, password)
    return people


def make_app(
    folder: Path, kind: type[Flask] = Erlen, **config: t.Any
) -> tuple[Flask, LoginManager[Person], People]:
    """Return an application, its login manager and its users.

    :param folder: the instance folder.
    :param kind: the class of the application.
    :param config: settings.
    """
    app = kind(__name__, instance_path=str(folder))
    app.config.update(SECRET_KEY=KEY, **config)
    people = make_people()
    login = LoginManager[Person](app)
    login.user_loader(people.find)
    add_views(app, people)
    return app, login, people


def add_views(app: Flask, people: People) -> None:
    @app.get("/")
    def index() -> str:
        return "Welcome"

    @app.route("/in/<id>", methods=["GET", "POST"])
    def log_in(id: str) -> str:
        return str(login_user(people[id], remember="remember" in request.args))

    @app.route("/out", methods=["GET", "POST"])
    def log_out() -> str:
        return str(logout_user())

    @app.get("/me")
    def me() -> str:
        return current_user.name if current_user.is_authenticated else "nobody"

    @app.get("/mine")
    @login_required
    def mine() -> str:
        return f"of {current_user.name}"

    @app.get("/secret")
    @fresh_login_required
    def secret() -> str:
        return f"of {current_user.name}"

    @app.get("/confirm")
    def confirm() -> str:
        confirm_login()
        return ""

    @app.get("/session")
    def show_session() -> dict[str, t.Any]:
        return dict(session)


def who(client: FlaskClient, **options: t.Any) -> str:
    """Return the name of the user whom a client is logged in as."""
    return client.get("/me", **options).text


def cookie(client: FlaskClient, name: str = "remember_token") -> str | None:
    """Return the value of a client's cookie."""
    found = client.get_cookie(name)
    return None if found is None else found.value


def forget_session(client: FlaskClient) -> None:
    """Do what closing the browser does."""
    client.delete_cookie("session")
