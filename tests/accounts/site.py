"""A site with accounts, as tests use it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from erlen import Erlen, Flask
from erlen.accounts import AccountMixin, Accounts
from erlen.db import SQLAlchemy
from erlen.login import current_user

if t.TYPE_CHECKING:
    from email.message import EmailMessage

    from erlen.testing import FlaskClient

PASSWORD = "a flask of tea"
OTHER = "a pot of coffee"

#: Hashes that take no time.
CHEAP = {"PASSWORD_ARGON2_MEMORY_COST": 8, "PASSWORD_ARGON2_TIME_COST": 1}

#: As a browser says it of a page of the site itself.
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Site:
    """An application with accounts."""

    app: Flask
    db: SQLAlchemy
    user: type[t.Any]
    accounts: Accounts[t.Any]

    def browser(self, address: str = "127.0.0.1") -> FlaskClient:
        """Return a browser that was never here before."""
        client = self.app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        return client

    def add(self, email: str, *, confirmed: bool = True, **values: t.Any) -> None:
        """Add an account."""
        with self.app.app_context():
            user = self.user(**values)
            user.set_email(email, confirmed=confirmed)
            user.set_password(PASSWORD)
            self.db.session.add(user)
            self.db.session.commit()

    def change(self, email: str, **values: t.Any) -> None:
        """Change an account."""
        with self.app.app_context():
            user = self.accounts.find_by_email(email)
            for name, value in values.items():
                setattr(user, name, value)
            self.db.session.commit()

    @property
    def outbox(self) -> list[EmailMessage]:
        """The mails that were sent."""
        with self.app.app_context():
            return self.accounts.letters.mail.outbox

    def link(self) -> str:
        """Return the link in the last mail."""
        found = re.search(r"http://localhost(/\S+)", self.outbox[-1].get_content())
        assert found is not None
        return found[1]

    def close(self) -> None:
        """Close the connections to the database."""
        with self.app.app_context():
            self.db.engine.dispose()


def make_site(
    url: str, app_class: t.Callable[[str], Flask] = Erlen, pages: t.Any = None, **config: t.Any
) -> Site:
    """Return an application with accounts whose database is at ``url``."""

    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)

    class User(AccountMixin, Base):
        __tablename__ = "users"

        id: Mapped[int] = mapped_column(primary_key=True)

    app = app_class("site")
    app.config.update(
        TESTING=True,
        SECRET_KEY="a key for tests",
        SQLALCHEMY_DATABASE_URI=url,
        REMEMBER_COOKIE_ENDED=None,
        **CHEAP,
    )
    app.config.update(config)
    db.init_app(app)
    more = {} if pages is None else {"pages": pages}
    accounts = Accounts(app, db, User, **more)

    @app.get("/")
    def home() -> str:
        return f"Hello {current_user.email if current_user.is_authenticated else 'stranger'}"

    with app.app_context():
        db.create_all()
    return Site(app, db, User, accounts)


def send(client: FlaskClient, path: str, **form: str) -> t.Any:
    """Send a form of the site itself."""
    return client.post(path, data=form, headers=OWN)


def log_in(client: FlaskClient, password: str = PASSWORD, **form: str) -> t.Any:
    """Try to log in as Ada."""
    values = {"email": "ada@example.org", "password": password, **form}
    return send(client, "/account/login", **values)


def who(client: FlaskClient) -> str:
    """Return whom the site takes the browser for."""
    return client.get("/").text.removeprefix("Hello ")
