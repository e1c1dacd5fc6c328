"""Applications whose views do to the session what the path says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import redis
from sqlalchemy.orm import DeclarativeBase
from tests.services import mariadb_url, postgresql_url

from erlen import Erlen, request, session
from erlen.db import SQLAlchemy
from erlen.db.testing import close_engines
from erlen.serversessions import ServerSessionInterface

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from erlen.serversessions import SessionStore
    from erlen.testing import FlaskClient

DATABASES = ("sqlite", "postgresql", "mariadb")
REDIS_URL = "redis://127.0.0.1:6379/0"

_urls: dict[str, str] = {}


def database_url(kind: str, folder: Path) -> str:
    """Return the URL of a database; those of servers are made once for each process."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'sessions.db'}"
    make = {"postgresql": postgresql_url, "mariadb": mariadb_url}[kind]
    if kind not in _urls:
        _urls[kind] = make("sessions")
    return _urls[kind]


@dataclass
class Bench:
    """Makes applications that keep their sessions in one store, as workers of a server do.

    :param kind: the store, or the database.
    :param folder: for files.
    :param prefix: what all keys in Redis begin with.
    """

    kind: str
    folder: Path
    prefix: str
    apps: list[Erlen] = field(default_factory=list)

    def app(self, **settings: t.Any) -> Erlen:
        """Return an application with views that read and change the session."""
        app = Erlen("bench", instance_path=str(self.folder))
        app.config.update(TESTING=True, SECRET_KEY="a key of the tests")
        app.config.update(self.settings(app))
        app.config.update(settings)
        add_views(app)
        if self.kind in DATABASES:
            new_extension(app)
            with app.app_context():
                app.extensions["sqlalchemy"].create_all()
        self.apps.append(app)
        return app

    def client(self, **settings: t.Any) -> FlaskClient:
        """Return a client of a new application."""
        return self.app(**settings).test_client()

    def other(self, client: FlaskClient) -> FlaskClient:
        """Return a client with the same cookie, of another worker where workers share a store."""
        app = client.application if self.kind == "memory" else self.app()
        other = t.cast(Erlen, app).test_client()
        other.set_cookie("session", token_of(client) or "")
        return other

    def settings(self, app: Erlen) -> dict[str, t.Any]:
        """Return the settings for the store."""
        if self.kind in DATABASES:
            url = database_url(self.kind, self.folder)
            return {"SESSION_BACKEND": "database", "SQLALCHEMY_DATABASE_URI": url}
        return {
            "SESSION_BACKEND": self.kind,
            "SESSION_FILE_DIR": str(self.folder / "sessions"),
            "SESSION_REDIS_URL": REDIS_URL,
            "SESSION_KEY_PREFIX": self.prefix,
        }

    def store(self) -> SessionStore:
        """Return the store of a new application."""
        return store_of(self.app())

    def close(self) -> None:
        """Take away what was stored, and close connections."""
        if self.kind == "redis":
            with redis.Redis.from_url(REDIS_URL) as server:
                for key in list(server.scan_iter(f"{self.prefix}*", count=1000)):
                    server.delete(key)
        for app in self.apps:
            if self.kind in DATABASES:
                close_engines(app)
            elif self.kind == "redis":
                t.cast(t.Any, store_of(app)).close()


def store_of(app: Erlen) -> SessionStore:
    """Return the store of an application."""
    return t.cast(ServerSessionInterface, app.session_interface).store


def new_extension(app: Erlen) -> SQLAlchemy:
    """Return a database extension whose tables no other one knows."""

    class Base(DeclarativeBase):
        pass

    return SQLAlchemy(app, model_class=Base)


def add_views(app: Erlen) -> None:
    """Add the views: synchronous ones, and the same as coroutines below ``/async``."""

    def show() -> dict[str, t.Any]:
        return dict(session)

    def untouched() -> str:
        return "fine"

    def put(key: str, value: str) -> str:
        session[key] = value
        return "kept"

    def take(key: str) -> str:
        session.pop(key, None)
        return "taken"

    def append(value: str) -> str:
        session.setdefault("items", []).append(value)
        return "appended"

    def login(user: str) -> str:
        session.renew()
        session.owner = user
        session["user"] = user
        return "welcome"

    def logout() -> str:
        session.clear()
        return "bye"

    def permanent() -> str:
        session.permanent = True
        return "stay"

    def devices() -> list[dict[str, t.Any]]:
        records = app.session_interface.sessions_of(app, session["user"])
        return [
            {"id": one.id, "device": one.device, "current": one.current, "address": one.address}
            for one in records
        ]

    def revoke_others() -> str:
        owner = session["user"]
        return str(app.session_interface.revoke_all(app, owner, except_current=True))

    def revoke() -> str:
        done = app.session_interface.revoke(app, session["user"], request.args["id"])
        return str(done)

    rules: dict[str, Callable[..., t.Any]] = {
        "/": show,
        "/untouched": untouched,
        "/put/<key>/<value>": put,
        "/take/<key>": take,
        "/append/<value>": append,
        "/login/<user>": login,
        "/logout": logout,
        "/permanent": permanent,
        "/devices": devices,
        "/revoke-others": revoke_others,
        "/revoke": revoke,
    }
    for rule, view in rules.items():
        app.add_url_rule(rule, view_func=view)
        app.add_url_rule(
            f"/async{rule}", endpoint=f"async_{view.__name__}", view_func=make_coroutine(view)
        )


def make_coroutine(view: Callable[..., t.Any]) -> Callable[..., t.Any]:
    """Return a coroutine function that does the same."""

    async def coroutine(**values: t.Any) -> t.Any:
        return view(**values)

    return coroutine


def token_of(client: FlaskClient) -> str | None:
    """Return the value of a client's session cookie."""
    cookie = client.get_cookie("session")
    return None if cookie is None else cookie.value
